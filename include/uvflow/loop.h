/* SPDX-License-Identifier: MIT */
/** @file
 * Loops: uvflow's side of an event loop. Most programs make one with uvf_loop_attach (<uvflow/uv.h>) and end it with
 * uvf_loop_detach; uvf_post calls into it from other threads. How to run it on another event loop is in
 * <uvflow/host.h>.
 */
#ifndef UVFLOW_LOOP_H
#define UVFLOW_LOOP_H

#include <uvflow/base.h>
#include <uvflow/host.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Flags of uvf_loop_options_t. */
enum {
  /** Linux, uvf_loop_attach: the loop is woken by an eventfd of its own that a uv_poll_t watches, instead of by a
   *  uv_async_t. UV_ENOTSUP elsewhere. Worth it with libuv before 1.45 when a sender may share the loop's only CPU
   *  (one CPU, or pinned threads): there uv_async_t makes the loop spin until the sender's time slice ends, up to
   *  milliseconds per wake. */
  UVF_WAKE_EVENTFD = 1
};

/**
 * Options of a loop; read during the call that makes the loop.
 *
 * Thread: any
 */
typedef struct {
  /** Default for the readers on this loop: items that one may take per turn. All together are limited, too, to no
   *  less than this. 0: 4096. */
  uint32_t turn_items;
  /** Microseconds that one turn's callbacks of uvflow may take before timers and sockets get their turn (looked at
   *  between callbacks: one callback is never cut short). Also the default for readers. 0: 1000. */
  uint32_t turn_us;
  /** 0 or UVF_WAKE_EVENTFD. */
  unsigned flags;
  /** Must be zero. */
  uintptr_t reserved[4];
} uvf_loop_options_t;

/**
 * Makes a loop on a host, run by the calling thread; `*loop` gets one reference, which uvf_loop_detach gives up. o
 * may be NULL. UVF_WAKE_EVENTFD means nothing here: a host has its own way to wake.
 * Returns 0, UV_EINVAL (NULL, a function of the host missing, an unknown flag, reserved not zero) or UV_ENOMEM. After
 * an error `*loop` is not changed.
 *
 * Thread: any; it becomes the loop's thread
 */
UVF_EXTERN int uvf_loop_create(const uvf_host_t *host, const uvf_loop_options_t *o, uvf_loop_t **loop);

/**
 * Called once when a detach has ended: nothing of the loop is left on its host, uv_loop_close can succeed. `data` is
 * yours.
 *
 * Thread: loop
 */
typedef void (*uvf_detach_cb)(void *data);

/**
 * Makes the calling thread the one that runs this loop; needed when uv_run is called on another thread than the one
 * that attached the loop (else every start there says UV_EPERM). The former thread must not run it any more.
 * Returns 0, UV_EINVAL (NULL), UV_EBUSY (its callbacks are running now), UV_ECANCELED (its detach has ended) or
 * UV_ENOTSUP (a child of fork cannot run its parent's loop; attach a new one).
 *
 * Thread: any, but no other call for this loop's thread at the same time
 */
UVF_EXTERN int uvf_loop_bind(uvf_loop_t *loop);

/**
 * Ends uvflow's side of an event loop. No request or reader can be started on it any more; each pending request ends
 * with UV_ECANCELED, or with its outcome if that is on its way, each reader gets it as its last call, and a post that
 * has not run by then as its status. These callbacks come in later turns, so the event loop must be run until `done`
 * (may be NULL) was called; meanwhile it is kept alive, so one uv_run in default mode is enough. Then uv_loop_close
 * can return 0. Your ends of channels are not closed: release or close them, or who waits at the other side waits on
 * (a reader gives up the reference that it held). It gives up the reference that creating the loop gave you: do not
 * use `loop` after it, but for references of uvf_loop_retain. A loop whose thread ends without a detach leaks, and
 * what is sent to it is never delivered.
 * Returns 0, UV_EINVAL (NULL), UV_EPERM (another thread), UV_EALREADY (second time; only for who holds another
 * reference) or UV_ENOTSUP (a parent's loop, after fork). After an error no reference was given up and `done` is not
 * called.
 *
 * Thread: loop
 */
UVF_EXTERN int uvf_loop_detach(uvf_loop_t *loop, uvf_detach_cb done, void *data);

/**
 * Makes you another owner of the loop's memory, to post to it from other threads, also after it is gone. It keeps no
 * event loop alive and delays no detach. Returns `loop`, NULL for NULL.
 *
 * Thread: any
 */
UVF_EXTERN uvf_loop_t *uvf_loop_retain(uvf_loop_t *loop);

/**
 * Gives up a reference of uvf_loop_retain; that of creating the loop is given up by uvf_loop_detach alone. NULL is
 * allowed.
 *
 * Thread: any
 */
UVF_EXTERN void uvf_loop_release(uvf_loop_t *loop);

/**
 * Whether the calling thread is the one that runs this loop.
 *
 * Thread: any
 */
UVF_EXTERN bool uvf_loop_is_mine(const uvf_loop_t *loop);

/**
 * The memory of one post; see struct uvf_post_s.
 *
 * Thread: any
 */
typedef struct uvf_post_s uvf_post_t;

/**
 * What a post runs, once per uvf_post that returned 0. status: 0, or UV_ECANCELED if the loop was detached first. The
 * post is yours again: it may be freed or posted again.
 *
 * Thread: loop
 */
typedef void (*uvf_post_cb)(uvf_post_t *post, int status);

/**
 * A call into a loop, in memory of the caller. Zero it once before its first use. From a successful uvf_post until
 * the callback starts it must stay where it is.
 *
 * Thread: any
 */
struct uvf_post_s {
  void *data;           /**< yours; the library never touches it */
  uvf__word_t uvf__[4]; /**< private */
};

/**
 * Calls cb on the loop's thread, in a later turn or later in this one. It allocates nothing. A pending post keeps no
 * loop alive: where there is nothing else to do uv_run returns, also the next time, and the callback comes when
 * something else lets the loop run, or at its detach. Hold a reference on `loop` for the call. UV_EBUSY makes one post a doorbell: the callback that is still to come sees
 * what you wrote before this call. (But if the loop is being detached at that moment, the call that made the post
 * pending may end in UV_ECANCELED, and then no callback comes.) To hand over data use a channel.
 * Returns 0, UV_EINVAL (NULL), UV_EBUSY (still pending), UV_ECANCELED (the loop was detached; no callback) or
 * UV_ENOTSUP (a parent's loop, after fork).
 *
 * Thread: any
 */
UVF_EXTERN int uvf_post(uvf_loop_t *loop, uvf_post_t *post, uvf_post_cb cb);

#ifdef __cplusplus
}
#endif

#endif
