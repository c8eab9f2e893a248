/* SPDX-License-Identifier: MIT */
/** @file
 * Hosts: how to run a uvf_loop_t on an event loop other than libuv's, or on a test's own clock. A host is a table of
 * functions that the loop calls; it is given to uvf_loop_create (<uvflow/loop.h>), and calls uvf_loop_drain and
 * uvf_loop_host_closed. On libuv all of this is done by uvf_loop_attach.
 */
#ifndef UVFLOW_HOST_H
#define UVFLOW_HOST_H

#include <uvflow/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * What a loop runs on. Copied by uvf_loop_create; what `host` points to must live until uvf_loop_host_closed has
 * returned. All functions but `stopped` are required; they are called with no lock held, must not block and cannot
 * fail. None but `wake` may be called on another thread than the loop's. None of them may call uvf_loop_drain itself,
 * and none is called after `close`.
 *
 * Thread: loop, but for wake
 */
typedef struct {
  /** Ring: make uvf_loop_drain(loop, true) be called once, soon, on the loop's thread, also if that thread sleeps. At
   *  most one ring is outstanding: the next comes only after that drain was entered. So a host with a flag of its own
   *  must clear it before it drains, and must not merge a ring into one whose drain has begun.
   *  Thread: any */
  void (*wake)(void *host);
  /** on: call uvf_loop_drain(loop, false) once in every turn, and do not sleep for events, until off. Off at first.
   *  It must not keep the event loop alive.
   *  Thread: loop */
  void (*poll)(void *host, bool on);
  /** on: the event loop must not end for want of work until off. Off at first.
   *  Thread: loop */
  void (*keep_alive)(void *host, bool on);
  /** Call uvf_loop_drain(loop, false) once, ms from now() on, not earlier; 0: in the next turn. Each call replaces
   *  the one before; UVF_FOREVER: off. Off at first. It must not keep the event loop alive.
   *  Thread: loop */
  void (*set_timer)(void *host, uint64_t ms);
  /** A clock in ms that never goes back; it may stand still during a turn.
   *  Thread: loop */
  uint64_t (*now)(void *host);
  /** The detach is done: drain no more, give back what the host holds of the event loop, and then, now or later, call
   *  uvf_loop_host_closed(loop) once, on this thread. No ring is outstanding now, unless the host's doorbell died and
   *  it called uvf_loop_drain(loop, true) in its stead.
   *  Thread: loop */
  void (*close)(void *host, uvf_loop_t *loop);
  /** Passed to each of these functions. */
  void *host;
  /** May be NULL: never. true: start no further callback in this turn, as uv_stop asks for. Nothing is lost; the rest
   *  comes when the event loop is run again.
   *  Thread: loop */
  bool (*stopped)(void *host);
  /** Must be zero. */
  uintptr_t reserved[3];
} uvf_host_t;

/**
 * Called by a host: runs what is ready, callbacks included, within the loop's limits. rang: the answer to a ring (one
 * call for each); false: a turn that `poll` or `set_timer` asked for. Calling it from inside a callback of this loop
 * (an event loop that is run in a callback) runs nothing, the outer call goes on; the ring counts. It may end in a
 * call of `close`.
 *
 * Thread: loop
 */
UVF_EXTERN void uvf_loop_drain(uvf_loop_t *loop, bool rang);

/**
 * Called by a host, once, after its `close` was called and it has given back everything: runs the detach's `done` and
 * gives up the loop's memory, unless somebody retains it. The host may not use `loop` after it.
 *
 * Thread: loop
 */
UVF_EXTERN void uvf_loop_host_closed(uvf_loop_t *loop);

#ifdef __cplusplus
}
#endif

#endif
