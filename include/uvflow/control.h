/* SPDX-License-Identifier: MIT */
/** @file
 * Executors from the outside: closing, aborting and pausing them, waiting for room or for the end of the work, and
 * their counters.
 */
#ifndef UVFLOW_CONTROL_H
#define UVFLOW_CONTROL_H

#include <uvflow/base.h>
#include <uvflow/executor.h>
#include <uvflow/loop.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Refuses new work (UV_EPIPE); what is queued or runs goes on to its end. Keep your reference. Lanes on it go on until
 * nothing is left to run, and are refused then.
 * Returns 0 for the one who did it, UV_EALREADY after that, UV_ENOTSUP (a loop's own executor or pool, or a parent's,
 * after fork) or UV_EINVAL (NULL).
 *
 * Thread: any
 */
UVF_EXTERN int uvf_executor_close(uvf_executor_t *ex);

/**
 * Closes it, cancels what is queued (UV_ECANCELED for those who wait for it) and asks what runs to stop
 * (uvf_task_cancelled). Lanes on it are aborted, too, as far as they have work. Keep your reference.
 * Returns as uvf_executor_close; 0 also if it was closed before, but not aborted.
 *
 * Thread: any
 */
UVF_EXTERN int uvf_executor_abort(uvf_executor_t *ex);

/**
 * Starts no further task; what runs, runs on, and new work is still accepted. Pausing twice is pausing once.
 * Returns 0, UV_EINVAL (NULL) or UV_ENOTSUP (a parent's, after fork).
 *
 * Thread: any
 */
UVF_EXTERN int uvf_executor_pause(uvf_executor_t *ex);

/**
 * Ends a pause. Returns as uvf_executor_pause.
 *
 * Thread: any
 */
UVF_EXTERN int uvf_executor_resume(uvf_executor_t *ex);

/**
 * Calls back when nothing runs, and nothing is queued unless it is paused: so after a close, when all is done; then
 * also its own threads have ended. Callbacks of its tasks that belong to the same loop come first. The request retains
 * ex. timeout_ms: ms by the loop's clock, UVF_NOWAIT or UVF_FOREVER.
 * Status: 0 (idle, now or meanwhile), UV_ETIMEDOUT or UV_ECANCELED (uvf_cancel, or the loop was detached).
 * Returns 0 (cb will be called), or there is no callback: UV_EINVAL (NULL), UV_EPERM (another thread), UV_EBUSY (the
 * request is in use), UV_ECANCELED (the loop is detaching or detached) or UV_ENOTSUP (a parent's loop or executor,
 * after fork).
 *
 * Thread: loop
 */
UVF_EXTERN int uvf_wait_idle(uvf_loop_t *l, uvf_req_t *req, uvf_executor_t *ex, uint64_t timeout_ms, uvf_cb cb);

/**
 * Blocks until uvf_wait_idle would call back, for at most timeout_ms (ms, UVF_NOWAIT, UVF_FOREVER).
 * Returns 0, UV_ETIMEDOUT, UVF_EDEADLK (on a thread that runs an attached loop, in a task of this executor, or in the
 * only thread that could run its tasks), UV_ENOMEM, UV_EINVAL (NULL) or UV_ENOTSUP (a parent's executor, after fork).
 *
 * Thread: plain
 */
UVF_EXTERN int uvf_wait_idle_sync(uvf_executor_t *ex, uint64_t timeout_ms);

/**
 * Calls back when a lane has room for one more task: then spawn again, and wait again on UV_EAGAIN, since another may
 * be quicker. Who waits is told in order of coming. The request retains the lane. timeout_ms: ms by the loop's clock,
 * UVF_NOWAIT or UVF_FOREVER.
 * Status: 0 (there is room), UV_EPIPE (closed), UV_ETIMEDOUT or UV_ECANCELED (uvf_cancel, or the loop was detached).
 * Returns as uvf_wait_idle.
 *
 * Thread: loop
 */
UVF_EXTERN int uvf_wait_room(uvf_loop_t *l, uvf_req_t *req, uvf_executor_t *lane, uint64_t timeout_ms, uvf_cb cb);

/**
 * Blocks until a lane has room, for at most timeout_ms (ms, UVF_NOWAIT, UVF_FOREVER).
 * Returns 0, UV_EPIPE (closed), UV_ETIMEDOUT, UVF_EDEADLK (on a thread that runs an attached loop, or in a task of
 * this lane if that is all that may run), UV_ENOMEM, UV_EINVAL (NULL) or UV_ENOTSUP (a parent's, after fork).
 *
 * Thread: plain
 */
UVF_EXTERN int uvf_wait_room_sync(uvf_executor_t *lane, uint64_t timeout_ms);

/**
 * Counters of an executor. What runs in a lane is counted by that lane, not by what the lane is on.
 *
 * Thread: any
 */
typedef struct {
  uint64_t queued;        /**< tasks that wait now */
  uint64_t running;       /**< tasks begun and not ended now */
  uint64_t done;          /**< ended with 0 */
  uint64_t failed;        /**< ended with an error */
  uint64_t cancelled;     /**< never ran */
  uint64_t high_water;    /**< the most that were seen to wait at a time */
  uint64_t wait_us_sum;   /**< microseconds in the queue, of all that began */
  uint64_t wait_us_max;   /**< the longest of these */
  uint64_t wait_hist[24]; /**< how many waited less than 2^i microseconds and not less than half of that; the last
                               one: all that waited longer */
  uintptr_t reserved[4];  /**< zero */
} uvf_executor_stats_t;

/**
 * Fills in the counters, all as of one moment; all zero for a parent's executor after fork. A task's end is counted
 * before anybody is told of it. Does nothing for NULL.
 *
 * Thread: any
 */
UVF_EXTERN void uvf_executor_stats(const uvf_executor_t *ex, uvf_executor_stats_t *out);

#ifdef __cplusplus
}
#endif

#endif
