/* SPDX-License-Identifier: MIT */
/** @file
 * Tasks: work that runs elsewhere, seen from the inside; and uvf_offload, which runs work for a loop without a
 * flowvar. What the others see of a task is its flowvar (<uvflow/flowvar.h>); where it runs is its executor
 * (<uvflow/executor.h>).
 */
#ifndef UVFLOW_TASK_H
#define UVFLOW_TASK_H

#include <uvflow/base.h>
#include <uvflow/executor.h>
#include <uvflow/loop.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The producing side of work: given to the work function, or made by uvf_promise_create. It is valid until the work
 * has ended: until the function returns something other than UVF_LATER, or uvf_task_finish.
 *
 * Thread: any
 */
typedef struct uvf_task_s uvf_task_t;

/** What a work function may answer besides 0 and errors. */
enum {
  /** Not ended yet: uvf_task_finish comes later (or came already), from any thread. Until then it counts as running in
   *  its lane; so what will finish it must not wait in a lane that is full of such work. */
  UVF_LATER = 1
};

/**
 * Work. `arg` is what was given (or the copy of it, valid until the work has ended). `value` has room for value_size
 * bytes, zeroed; NULL if that is 0. Returns 0 (done: what is in `value` moves to whoever takes it), a negative code
 * (failed: what is in `value` is forgotten, so free what it points to first) or UVF_LATER. Anything else counts as
 * UV_EINVAL; and as a flowvar's outcome UV_EAGAIN, which would read as "not yet", becomes UV_EBUSY.
 *
 * Thread: one of the executor's
 */
typedef int (*uvf_work_cb)(uvf_task_t *task, void *arg, void *value);

/**
 * Whether the work was asked to stop: by uvf_flowvar_cancel, by uvf_cancel of its offload, by uvf_executor_abort, or
 * by the detach of the loop that waits for its offload. Long work asks now and then; cheap.
 *
 * Thread: any, before the work has ended
 */
UVF_EXTERN bool uvf_task_cancelled(const uvf_task_t *task);

/**
 * Calls back when the work is asked to stop: for work that ends later (UVF_LATER, promises) and waits for other
 * things meanwhile. timeout_ms: ms by the loop's clock, UVF_NOWAIT or UVF_FOREVER.
 * Status: 0 (it was asked, before or meanwhile), UV_EOF (it ended without), UV_ETIMEDOUT or UV_ECANCELED (uvf_cancel,
 * or the loop was detached).
 * Returns 0 (cb will be called), or there is no callback: UV_EINVAL (NULL), UV_ENOTSUP (an offload: poll
 * uvf_task_cancelled; or a parent's task, after fork), UV_EPERM (another thread), UV_EBUSY (the request is in use) or
 * UV_ECANCELED (the loop is detaching or detached).
 *
 * Thread: loop, before the work has ended
 */
UVF_EXTERN int uvf_wait_cancelled(uvf_loop_t *l, uvf_req_t *req, uvf_task_t *task, uint64_t timeout_ms, uvf_cb cb);

/**
 * Ends work that answered UVF_LATER (or will), or a promise: once, also after it was asked to stop. status: 0, or a
 * negative code as a work function would return it. value: value_size bytes, copied (moved) into the flowvar; NULL:
 * what lies at the work's `value` already. Who cannot go on ends the task with a code: those who wait have no other
 * way to hear of it.
 * Returns 0, also if nobody wants the value any more (then value_drop runs); UV_EALREADY (it has ended, or
 * another thread is about to end it; `value` is still yours); UV_EINVAL (NULL, status above 0, a value for an offload)
 * or UV_ENOTSUP (a parent's task, after fork).
 *
 * Thread: any
 */
UVF_EXTERN int uvf_task_finish(uvf_task_t *task, int status, const void *value);

/**
 * Runs work on an executor and calls back on the loop with what it returned: uv_queue_work as it should be. It
 * allocates nothing and makes no flowvar; `value` is NULL, so results go to where `arg` points. `arg` is borrowed
 * until `done`. Cancel it by uvf_cancel: 0 (it never ran; UV_ECANCELED comes), UV_EBUSY (it runs: it is asked to stop,
 * and its own result comes) or UV_EALREADY (it has ended; the callback is on its way). Detaching the loop does the
 * same to all of its offloads, and waits for what runs. You may release the executor at once.
 * uvf_req_unref does not count for work that runs on libuv's pool, which keeps the loop alive by itself.
 * Status: what the work returned or was finished with, or UV_ECANCELED (it never ran).
 * Returns 0 (done will be called), or there is no callback: UV_EAGAIN (lane full, see uvf_wait_room), UV_EPIPE
 * (executor closed), UV_EINVAL (NULL), UV_EPERM (another thread), UV_EBUSY (the request is in use), UV_ECANCELED (the
 * loop is detaching or detached), UV_ENOTSUP (a parent's loop or executor, after fork) or what a user's own pool
 * returned.
 *
 * Thread: loop
 */
UVF_EXTERN int uvf_offload(uvf_loop_t *l, uvf_req_t *req, uvf_executor_t *ex, uvf_work_cb work, void *arg, uvf_cb done);

#ifdef __cplusplus
}
#endif

#endif
