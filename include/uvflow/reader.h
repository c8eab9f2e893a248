/* SPDX-License-Identifier: MIT */
/** @file
 * Readers: a standing receive on a loop, as uv_read_start is for streams. Items come in batches, with a limit per
 * turn, so that a flood leaves the loop time for timers and sockets.
 *
 * A reader that took items looks again in the next turn without letting the loop block, and waits only after a turn
 * that found none: under load nobody pays for a wake. With UVF_SPSC a reader is the receiving side.
 */
#ifndef UVFLOW_READER_H
#define UVFLOW_READER_H

#include <uvflow/base.h>
#include <uvflow/ends.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The memory of a reader. Zero it once before its first use. From a successful uvf_reader_start until its last
 * callback starts, or uvf_reader_stop returns, it must stay where it is. An active reader keeps its loop alive (see
 * uvf_reader_unref), unless it is paused.
 *
 * Thread: loop
 */
typedef struct {
  void *data;            /**< yours; the library never touches it */
  uvf__word_t uvf__[22]; /**< private */
} uvf_reader_t;

/**
 * Gets items, or the end. n > 0: so many items, one behind the other at `items`, aligned for any type without an
 * alignment of its own (_Alignas). All of them are yours now, whatever you do in the callback; the bytes stay valid
 * until it returns, so copy what you keep. Their room is given back to senders only then, with that of what was
 * received by other means meanwhile.
 * n < 0: the last call, and the memory of rd is yours again; `items` is NULL. n is UV_EOF or the cause of the close,
 * or UV_ECANCELED (the loop was detached). It may stop, pause, start another reader, close, abort and release. It
 * must not block: all of the loop waits for it.
 *
 * Thread: loop
 */
typedef void (*uvf_read_cb)(uvf_reader_t *rd, int n, void *items);

/**
 * Options of a reader; read during uvf_reader_start. The rest of a turn's items comes in the next turn of the loop.
 *
 * Thread: any
 */
typedef struct {
  /** Largest n, in items. 0: 256, but at most half of a bounded channel's capacity (and at least 1), so that senders
   *  go on while a callback runs. 1: a stop or pause inside a callback takes nothing too many. A rendezvous hands
   *  over one at a time. */
  uint32_t max_batch;
  /** Items that this reader takes in one turn of the loop. 0: the loop's, which is 4096 by default. */
  uint32_t turn_items;
  /** Microseconds of callbacks of this reader in one turn, looked at between batches. 0: the loop's limit, 1000 by
   *  default, which all of its callbacks share. */
  uint32_t turn_us;
  /** Must be zero. */
  unsigned flags;
  /** Must be zero. */
  uintptr_t reserved[4];
} uvf_reader_options_t;

/**
 * Starts to receive on loop l: cb is called with batches of items until the end or uvf_reader_stop, never inside this
 * call. The reader retains rx, so you may release yours. It shares the items with other receivers of rx. o may be
 * NULL. A closed channel is no error of the start: cb gets what is left and the end.
 * Returns 0, UV_EINVAL (NULL, flags or reserved not zero), UV_EPERM (another thread), UV_EBUSY (rd is active),
 * UV_ECANCELED (the loop is detaching or detached), UV_ENOMEM or UV_ENOTSUP (a parent's loop or channel, after fork).
 *
 * Thread: loop
 */
UVF_EXTERN int uvf_reader_start(uvf_loop_t *l, uvf_reader_t *rd, uvf_rx_t *rx, const uvf_reader_options_t *o,
                                uvf_read_cb cb);

/**
 * Ends the reader for good, also inside its callback: no callback comes after it, not even the last one, and rd is
 * yours when it returns; the items of a running callback stay that callback's. Its reference on rx is released: if it
 * was the last one this aborts the channel, so hold one of your own to go on with what is queued. An item of a
 * rendezvous that a sender has handed to it already, and that no callback has got, is dropped.
 * Returns 0, UV_EALREADY (it has ended, or was never started), UV_EPERM (another thread), UV_EINVAL (NULL) or
 * UV_ENOTSUP (a parent's loop, after fork).
 *
 * Thread: loop
 */
UVF_EXTERN int uvf_reader_stop(uvf_reader_t *rd);

/**
 * Back-pressure: no callback until uvf_reader_resume, not even the last one (but for UV_ECANCELED by a detach). Also
 * inside the callback: the batch at hand is delivered, no other follows. The channel fills, and its senders wait. A
 * paused reader keeps its reference on rx, keeps no loop alive, and is still active. Pausing twice is pausing once; a
 * reader that is not active, or another thread's, is left alone.
 *
 * Thread: loop
 */
UVF_EXTERN void uvf_reader_pause(uvf_reader_t *rd);

/**
 * Ends the pause; callbacks come from the next turn on. Does nothing to a reader that is not paused.
 *
 * Thread: loop
 */
UVF_EXTERN void uvf_reader_resume(uvf_reader_t *rd);

/**
 * Lets the active reader keep its loop alive, which is the default after each start.
 *
 * Thread: loop
 */
UVF_EXTERN void uvf_reader_ref(uvf_reader_t *rd);

/**
 * Lets the loop end although this reader is active. What was sent to it and not read stays in the channel.
 *
 * Thread: loop
 */
UVF_EXTERN void uvf_reader_unref(uvf_reader_t *rd);

/**
 * Whether the reader was started and has not ended, paused or not. False in its last callback.
 *
 * Thread: loop
 */
UVF_EXTERN bool uvf_reader_active(const uvf_reader_t *rd);

#ifdef __cplusplus
}
#endif

#endif
