/* SPDX-License-Identifier: MIT */
/** @file
 * uvflow on libuv (1.44 or later). The only header that includes <uv.h>, which on Unix does not compile as strict C11
 * (-std=c11) unless _GNU_SOURCE, or _POSIX_C_SOURCE with a value of 200112L or more, is defined.
 */
#ifndef UVFLOW_UV_H
#define UVFLOW_UV_H

#include <uv.h>
#include <uvflow/executor.h>
#include <uvflow/loop.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Gives a libuv loop its uvflow side, run by the calling thread (see uvf_loop_bind); `*loop` gets one reference,
 * which uvf_loop_detach gives up. Once per loop is enough, whatever the number of channels: it adds one uv_async_t
 * (or uv_poll_t), one timer and one idle handle, which keep `uv` alive only while a request is pending or a reader is
 * active. `uv` must live until the detach has ended; until then uv_loop_close says UV_EBUSY. Do not close these
 * handles yourself (as a uv_walk over all handles may do). uv_stop in a callback ends the turn here, too: no further
 * callback of uvflow until `uv` is run again; nothing is lost. Timeouts count from the start of the wait, which calls
 * uv_update_time. In an addon or a worker thread give its own loop, never uv_default_loop. o may be NULL.
 * Returns 0, UV_EINVAL (uv or loop NULL, an unknown flag, reserved not zero), UV_ENOTSUP (UVF_WAKE_EVENTFD on a
 * system other than Linux), UV_ENOMEM, or libuv's error in making a handle, such as UV_EMFILE. After an error `*loop`
 * is not changed and nothing is left on `uv` once it was run.
 *
 * Thread: any, while nobody else runs uv; it becomes the loop's thread
 */
UVF_EXTERN int uvf_loop_attach(uv_loop_t *uv, const uvf_loop_options_t *o, uvf_loop_t **loop);

/**
 * The libuv loop that this one is attached to; NULL for NULL, on another host, or when the detach has let go of it,
 * which is before its `done`. It stays yours. On another thread than the loop's hold a reference on `loop`, and know that the answer may be old.
 *
 * Thread: any
 */
UVF_EXTERN uv_loop_t *uvf_loop_uv(const uvf_loop_t *loop);

/**
 * libuv's thread pool as an executor, from any thread. As many of its tasks run at a time as the pool has threads
 * (UV_THREADPOOL_SIZE); use lanes on it to leave some for files and names. Small tasks share one uv_queue_work. What
 * is spawned from another thread than the loop's starts by way of the loop, which must run for that; what runs keeps
 * the loop alive, as uv_queue_work does. Borrowed from the loop: it is aborted by the loop's detach, which waits for
 * what runs, and is yours after that only if you retained it: for use on other threads do that on the loop's, where no
 * detach can come between. NULL: no memory, NULL, another host than libuv, or the loop was detached.
 *
 * Thread: any
 */
UVF_EXTERN uvf_executor_t *uvf_loop_pool(uvf_loop_t *l);

#ifdef __cplusplus
}
#endif

#endif
