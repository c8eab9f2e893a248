/* SPDX-License-Identifier: MIT */
/** @file
 * Executors: where work runs. A flowvar does not know which kind it is: libuv's pool (uvf_loop_pool, in
 * <uvflow/uv.h>), a loop's own thread, threads made for it, your own pool, or a lane, which is a view of another
 * executor with a limit of its own. Closing, pausing and counting them is in <uvflow/control.h>.
 */
#ifndef UVFLOW_EXECUTOR_H
#define UVFLOW_EXECUTOR_H

#include <uvflow/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * An executor: a queue of tasks, and threads that run them in the order of their coming. Opaque and counted.
 *
 * Thread: any
 */
typedef struct uvf_executor_s uvf_executor_t;

/**
 * Makes you another owner. Returns `ex`, NULL for NULL.
 *
 * Thread: any
 */
UVF_EXTERN uvf_executor_t *uvf_executor_retain(uvf_executor_t *ex);

/**
 * Gives up a reference. The last one closes the executor, as uvf_executor_close does: what is queued still runs.
 * Never blocks and never joins a thread. NULL is allowed. Do not release what you borrow (uvf_loop_pool,
 * uvf_loop_executor).
 *
 * Thread: any
 */
UVF_EXTERN void uvf_executor_release(uvf_executor_t *ex);

/**
 * The executor that runs tasks on a loop's thread, in its turns and within their budget: for calls into a loop whose
 * answer somebody awaits. A task that waits there keeps no loop alive, as a post does not. Borrowed from the loop: it
 * is aborted by the loop's detach, and is yours after that only if you retained it: for use on other threads do that on
 * the loop's, where no detach can come between. NULL: no memory, NULL, or the loop was detached.
 *
 * Thread: any
 */
UVF_EXTERN uvf_executor_t *uvf_loop_executor(uvf_loop_t *l);

/**
 * Options of uvf_threads_create; read during that call.
 *
 * Thread: any
 */
typedef struct {
  uint32_t threads;      /**< required: 1 to 1024 */
  size_t stack_size;     /**< bytes of each thread's stack, 0: the system's default */
  const char *name;      /**< copied, 31 bytes at most (threads are named by the first 15); NULL: no name */
  uintptr_t reserved[4]; /**< must be zero */
} uvf_threads_options_t;

/**
 * Makes an executor with threads of its own, started at once. They end after it is closed and its work is done; see
 * uvf_wait_idle. `*ex` gets one reference, which you release.
 * Returns 0, UV_EINVAL (NULL, threads out of range, reserved not zero), UV_ENOMEM or UV_EAGAIN (the system refused a
 * thread; none is left). After an error `*ex` is not changed.
 *
 * Thread: any
 */
UVF_EXTERN int uvf_threads_create(const uvf_threads_options_t *o, uvf_executor_t **ex);

/**
 * Options of uvf_executor_create: a pool of your own.
 *
 * Thread: any
 */
typedef struct {
  /** Required. Let one of the pool's threads call run(job) once, soon, and never inside submit. Called on any thread,
   *  at the same time, with no lock held. Returns 0 or a negative code, and then run is not called: the spawn that
   *  needed it fails with that code; where no spawn is under way and no other run either, what waits is cancelled. One call runs
   *  many small tasks, up to about a millisecond. A pool that ends calls uvf_executor_abort first, and then still
   *  calls run for each job that it accepted: that is quick then, and frees them. */
  int (*submit)(void *pool, void (*run)(void *job), void *job);
  /** Optional: whether the calling thread is one of the pool's. A wait that blocks one of them for work that has not
   *  started is refused then (UVF_EDEADLK), since that thread may be the one that has to run it. */
  bool (*is_member)(void *pool);
  void *pool;            /**< yours, for both; must outlive the executor and all that was submitted */
  uintptr_t reserved[4]; /**< must be zero */
} uvf_executor_options_t;

/**
 * Makes an executor of your own pool. `*ex` gets one reference, which you release.
 * Returns 0, UV_EINVAL (NULL, no submit, reserved not zero) or UV_ENOMEM. After an error `*ex` is not changed.
 *
 * Thread: any
 */
UVF_EXTERN int uvf_executor_create(const uvf_executor_options_t *o, uvf_executor_t **ex);

/**
 * Options of a lane; read during uvf_lane_create.
 *
 * Thread: any
 */
typedef struct {
  uint32_t max_running;  /**< required: tasks begun and not ended. 1: strictly one after the other, in order */
  size_t capacity;       /**< required: tasks that may wait, or UVF_UNBOUNDED */
  const char *name;      /**< copied, 31 bytes at most; NULL: no name */
  uintptr_t reserved[4]; /**< must be zero */
} uvf_lane_options_t;

/**
 * Makes a lane on another executor (or lane): its tasks run there, but no more than max_running at a time, and what
 * waits is counted, and can be paused and aborted, apart from the others. So long jobs in a lane leave threads of
 * libuv's pool to files and names. Small tasks share a visit to the executor. `*lane` gets one reference, which you
 * release; the lane retains `on`. When `on` is aborted, so is the lane.
 * Returns 0, UV_EINVAL (NULL, max_running or capacity 0, reserved not zero), UV_EPIPE (`on` is closed), UV_ENOMEM or
 * UV_ENOTSUP (a parent's executor, after fork). After an error `*lane` is not changed.
 *
 * Thread: any
 */
UVF_EXTERN int uvf_lane_create(uvf_executor_t *on, const uvf_lane_options_t *o, uvf_executor_t **lane);

#ifdef __cplusplus
}
#endif

#endif
