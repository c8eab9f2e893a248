/* SPDX-License-Identifier: MIT */
/** @file
 * Sending and receiving, in three shapes each: try_ never waits, the plain one calls back on a loop, _sync blocks a
 * thread that runs no loop. `item` points to item_size bytes and may be NULL only if item_size is 0. For a steady
 * flow into a loop use a reader (<uvflow/reader.h>): it is cheaper than one uvf_recv per item.
 *
 * With UVF_SPSC all sends are calls of the sending side and all receives of the receiving side: one thread at a time
 * for each.
 */
#ifndef UVFLOW_SEND_RECV_H
#define UVFLOW_SEND_RECV_H

#include <uvflow/base.h>
#include <uvflow/ends.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Sends an item if that needs no waiting. A rendezvous channel has room only while a receiver waits.
 * Returns 0 (the item moved), UV_EAGAIN (full, or a sender waits already: nobody is overtaken), UV_EPIPE (closed),
 * UV_ENOMEM (unbounded only), UV_EINVAL (NULL) or UV_ENOTSUP (a parent's channel, after fork). After an error the
 * item is still yours.
 *
 * Thread: any
 */
UVF_EXTERN int uvf_try_send(uvf_tx_t *tx, const void *item);

/**
 * Takes an item if one is there.
 * Returns 0, UV_EAGAIN (nothing to take now), UV_EOF or the cause (closed and nothing left; for ever), UV_EINVAL
 * (NULL) or UV_ENOTSUP (a parent's channel, after fork). On a thread that runs a loop UV_EAGAIN may also mean that
 * the next item is just being written by its sender: it is no proof that the channel is empty. A plain thread gives way
 * until that item is written; it never waits for one to be sent.
 *
 * Thread: any
 */
UVF_EXTERN int uvf_try_recv(uvf_rx_t *rx, void *item);

/**
 * Sends the first of n items that lie one behind the other, as many as there is room for.
 * Returns 1 to n, the number of items that moved (the others are still yours), or an error as uvf_try_send, and none
 * moved; UV_EINVAL also for n below 1.
 *
 * Thread: any
 */
UVF_EXTERN int uvf_try_send_n(uvf_tx_t *tx, const void *items, int n);

/**
 * Takes up to n items, as many as are there, into memory for n of them.
 * Returns 1 to n, the number of items taken, or an error as uvf_try_recv, and none was taken; UV_EINVAL also for n
 * below 1.
 *
 * Thread: any
 */
UVF_EXTERN int uvf_try_recv_n(uvf_rx_t *rx, void *items, int n);

/**
 * Sends an item and blocks while the channel is full, for at most timeout_ms (ms, UVF_NOWAIT, UVF_FOREVER).
 * Returns 0 (the item moved), UV_EPIPE (closed, before or meanwhile), UV_ETIMEDOUT, UVF_EDEADLK (on a thread that
 * runs an attached loop, always, also where it would not block), UV_ENOMEM, UV_EINVAL (NULL) or UV_ENOTSUP (a
 * parent's channel, after fork). After an error the item is still yours. UV_EPIPE is how a producer hears that nobody
 * reads any more: end on it.
 *
 * Thread: plain
 */
UVF_EXTERN int uvf_send_sync(uvf_tx_t *tx, const void *item, uint64_t timeout_ms);

/**
 * Takes an item and blocks while there is none, for at most timeout_ms (ms, UVF_NOWAIT, UVF_FOREVER).
 * Returns 0, UV_EOF or the cause (closed and nothing left), UV_ETIMEDOUT (nothing was taken), UVF_EDEADLK (on a
 * thread that runs an attached loop, always, also where it would not block), UV_ENOMEM, UV_EINVAL (NULL) or
 * UV_ENOTSUP (a parent's channel, after fork).
 *
 * Thread: plain
 */
UVF_EXTERN int uvf_recv_sync(uvf_rx_t *rx, void *item, uint64_t timeout_ms);

/**
 * Sends an item and calls back when it has moved, or cannot any more. Another thread may read `item` at any time
 * until the callback: it must stay where it is, unchanged, so not on the stack of a function that returns. The
 * request retains tx. timeout_ms: ms by the loop's clock, UVF_NOWAIT or UVF_FOREVER.
 * Status: 0 (the item moved), UV_EPIPE (closed, before or meanwhile), UV_ETIMEDOUT, UV_ECANCELED (uvf_cancel, or the
 * loop was detached) or UV_ENOMEM (unbounded only); the item is still yours for all but 0. A closed or full channel
 * is no error of the start.
 * Returns 0 (cb will be called), or there is no callback: UV_EINVAL (NULL), UV_EPERM (another thread), UV_EBUSY (the
 * request is in use), UV_ECANCELED (the loop is detaching or detached) or UV_ENOTSUP (a parent's loop or channel,
 * after fork).
 *
 * Thread: loop
 */
UVF_EXTERN int uvf_send(uvf_loop_t *l, uvf_req_t *req, uvf_tx_t *tx, const void *item, uint64_t timeout_ms, uvf_cb cb);

/**
 * Takes an item and calls back when it is in `item`, which is borrowed until then. Receives that wait are told of
 * items in the order of their start, but a receive or try that begins just then may be quicker. The request retains
 * rx: until its callback it is a receiver, even if all others have released. timeout_ms: ms by the loop's clock,
 * UVF_NOWAIT or UVF_FOREVER. UVF_NOWAIT looks once, as uvf_try_recv on a loop's thread: UV_ETIMEDOUT is no proof that
 * the channel is empty.
 * Status: 0 (the item is yours), UV_EOF or the cause (closed and nothing left), UV_ETIMEDOUT or UV_ECANCELED
 * (uvf_cancel, or the loop was detached); nothing was taken for all but 0.
 * Returns 0 (cb will be called), or there is no callback: UV_EINVAL (NULL), UV_EPERM (another thread), UV_EBUSY (the
 * request is in use), UV_ECANCELED (the loop is detaching or detached) or UV_ENOTSUP (a parent's loop or channel,
 * after fork).
 *
 * Thread: loop
 */
UVF_EXTERN int uvf_recv(uvf_loop_t *l, uvf_req_t *req, uvf_rx_t *rx, void *item, uint64_t timeout_ms, uvf_cb cb);

#ifdef __cplusplus
}
#endif

#endif
