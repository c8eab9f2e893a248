/* SPDX-License-Identifier: MIT */
/** @file
 * Flowvars: the awaited result of work done on another thread. A flowvar is a single-use channel, plus a function that
 * fills it on an executor. Several may await it, on loops or blocking; its value is borrowed by who holds it, or moved
 * out by exactly one.
 */
#ifndef UVFLOW_FLOWVAR_H
#define UVFLOW_FLOWVAR_H

#include <uvflow/base.h>
#include <uvflow/control.h>
#include <uvflow/executor.h>
#include <uvflow/loop.h>
#include <uvflow/task.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The consuming side of work: its value, or the error that replaced it. Opaque and counted.
 *
 * Thread: any
 */
typedef struct uvf_flowvar_s uvf_flowvar_t;

/**
 * What a task carries; read during the call that makes it.
 *
 * Thread: any
 */
typedef struct {
  size_t value_size;      /**< bytes of the value; 0: none, there is only an outcome */
  uvf_drop_cb value_drop; /**< once for a value that was set and that nobody took; NULL: its bytes are forgotten */
  size_t arg_size;        /**< not 0: so many bytes at `arg` are copied, and the work gets the copy; 0: the pointer */
  uvf_drop_cb arg_drop;   /**< once for an arg whose work never ran, with what the work would have got */
  void *data;             /**< for both; must outlive the flowvar and its work */
  const char *name;       /**< for people; not copied: must outlive both, too. NULL: no name */
  uintptr_t reserved[4];  /**< must be zero */
} uvf_spawn_options_t;

/**
 * Hands work to an executor; never waits, one allocation. o NULL: no value, and `arg` is passed as it is. `*fv` gets
 * one reference, which you release; fv NULL: nobody will ask, a value is dropped.
 * Returns 0; after an error `arg` is still yours and `*fv` is not changed: UV_EAGAIN (lane full, see uvf_wait_room),
 * UV_EPIPE (executor closed), UV_ENOMEM, UV_EINVAL (NULL, reserved not zero, arg_size without arg, sizes that
 * overflow), UV_ENOTSUP (a parent's executor, after fork) or what a user's own pool returned.
 *
 * Thread: any
 */
UVF_EXTERN int uvf_spawn(uvf_executor_t *ex, uvf_work_cb work, void *arg, const uvf_spawn_options_t *o,
                         uvf_flowvar_t **fv);

/**
 * Makes a flowvar by hand, for a result that comes from elsewhere: whoever has it calls uvf_task_finish, once. `*fv`
 * gets one reference, which you release; `*task` is valid until that finish. o NULL: no value; no arg.
 * Returns 0, UV_EINVAL (NULL, arg fields or reserved not zero, a size that overflows) or UV_ENOMEM. After an error
 * `*task` and `*fv` are not changed.
 *
 * Thread: any
 */
UVF_EXTERN int uvf_promise_create(const uvf_spawn_options_t *o, uvf_task_t **task, uvf_flowvar_t **fv);

/**
 * Continues: when fv is done, work starts on `ex` with fv's value as its arg (borrowed: it stays fv's), without a visit
 * to a loop. If fv ends with an error, work never runs and `*out` ends with that error; with UV_EALREADY if the value
 * was taken before. It is not refused by a full lane (what it follows was accepted); by a closed one it ends with
 * UV_EPIPE. `*out` gets one reference, which you release; out NULL: nobody will ask. fv is retained until work has
 * ended. o: as for uvf_spawn, but no arg.
 * Returns 0, UV_EINVAL (NULL, arg fields or reserved not zero, a size that overflows), UV_ENOMEM or UV_ENOTSUP (a
 * parent's, after fork). After an error `*out` is not changed.
 *
 * Thread: any
 */
UVF_EXTERN int uvf_then(uvf_flowvar_t *fv, uvf_executor_t *ex, uvf_work_cb work, const uvf_spawn_options_t *o,
                        uvf_flowvar_t **out);

/**
 * Makes you another owner. Returns `fv`, NULL for NULL.
 *
 * Thread: any
 */
UVF_EXTERN uvf_flowvar_t *uvf_flowvar_retain(uvf_flowvar_t *fv);

/**
 * Gives up a reference. The last one abandons the flowvar: it waits for nobody, the work goes on, and its value is
 * dropped. NULL is allowed.
 *
 * Thread: any
 */
UVF_EXTERN void uvf_flowvar_release(uvf_flowvar_t *fv);

/**
 * The outcome, if there is one: 0 (done), the work's error, UV_ECANCELED (it never ran); or UV_EAGAIN (not ended yet).
 * UV_EINVAL for NULL.
 *
 * Thread: any
 */
UVF_EXTERN int uvf_try_await(uvf_flowvar_t *fv);

/**
 * Calls back with the outcome. Any number may await a flowvar, on any loops. A timeout or cancel is one of this wait
 * only, and leaves the work alone; where the work may have returned the same code, ask uvf_try_await: UV_EAGAIN means
 * that it was the wait. The request retains fv until its callback has returned. timeout_ms: ms by the loop's clock,
 * UVF_NOWAIT or UVF_FOREVER.
 * Status: the outcome (see uvf_try_await), UV_ETIMEDOUT or UV_ECANCELED (uvf_cancel, or the loop was detached).
 * Returns 0 (cb will be called), or there is no callback: UV_EINVAL (NULL), UV_EPERM (another thread), UV_EBUSY (the
 * request is in use), UV_ECANCELED (the loop is detaching or detached) or UV_ENOTSUP (a parent's loop or flowvar, after
 * fork).
 *
 * Thread: loop
 */
UVF_EXTERN int uvf_await(uvf_loop_t *l, uvf_req_t *req, uvf_flowvar_t *fv, uint64_t timeout_ms, uvf_cb cb);

/**
 * Blocks until there is an outcome, for at most timeout_ms (ms, UVF_NOWAIT, UVF_FOREVER).
 * Returns the outcome (see uvf_try_await), UV_ETIMEDOUT, UVF_EDEADLK (on a thread that runs an attached loop, or in the
 * only thread that could produce the value), UV_ENOMEM, UV_EINVAL (NULL) or UV_ENOTSUP (a parent's flowvar, after
 * fork).
 *
 * Thread: plain
 */
UVF_EXTERN int uvf_await_sync(uvf_flowvar_t *fv, uint64_t timeout_ms);

/**
 * Calls back when all n flowvars have ended. The array and your references on its flowvars are borrowed until the
 * callback. It allocates nothing. n may be 0. timeout_ms: ms by the loop's clock, UVF_NOWAIT or UVF_FOREVER.
 * Status: 0 (all done), or the outcome of the first in the array that is not 0, or UV_ETIMEDOUT or UV_ECANCELED
 * (uvf_cancel, or the loop was detached): then some have not ended.
 * Returns as uvf_await.
 *
 * Thread: loop
 */
UVF_EXTERN int uvf_await_all(uvf_loop_t *l, uvf_req_t *req, uvf_flowvar_t **fvs, size_t n, uint64_t timeout_ms,
                             uvf_cb cb);

/**
 * Blocks until all n flowvars have ended, for at most timeout_ms (ms, UVF_NOWAIT, UVF_FOREVER).
 * Returns 0 (all done), or the outcome of the first in the array that is not 0; the other codes are those of
 * uvf_await_sync.
 *
 * Thread: plain
 */
UVF_EXTERN int uvf_await_all_sync(uvf_flowvar_t **fvs, size_t n, uint64_t timeout_ms);

/**
 * The value, borrowed: valid while you hold fv and nobody takes it. NULL unless it is done, and after it was taken, and
 * for NULL. Values without bytes have an address, too.
 *
 * Thread: any
 */
UVF_EXTERN const void *uvf_flowvar_value(const uvf_flowvar_t *fv);

/**
 * Moves the value out, to exactly one: value_size bytes to `value` (may be NULL if that is 0). Nobody should be looking
 * at it meanwhile.
 * Returns 0, UV_EAGAIN (not ended yet), the outcome that replaced it, UV_EALREADY (it was taken), UV_EINVAL (NULL) or
 * UV_ENOTSUP (a parent's flowvar, after fork).
 *
 * Thread: any
 */
UVF_EXTERN int uvf_flowvar_take(uvf_flowvar_t *fv, void *value);

/**
 * Cancels the work. Returns 0 (it never runs; those who await it get UV_ECANCELED), UV_EBUSY (it runs, or is a promise:
 * it is asked to stop, see uvf_task_cancelled, and ends as it likes), UV_EALREADY (it has ended), UV_EINVAL (NULL) or
 * UV_ENOTSUP (a parent's flowvar, after fork).
 *
 * Thread: any
 */
UVF_EXTERN int uvf_flowvar_cancel(uvf_flowvar_t *fv);

#ifdef __cplusplus
}
#endif

#endif
