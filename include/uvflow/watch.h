/* SPDX-License-Identifier: MIT */
/** @file
 * Waiting without taking or giving: for something to receive, and for the close of a channel.
 */
#ifndef UVFLOW_WATCH_H
#define UVFLOW_WATCH_H

#include <uvflow/base.h>
#include <uvflow/ends.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Calls back when a receive need not wait. It takes nothing, so another receiver may be quicker: go on with
 * uvf_try_recv, and wait again if that says UV_EAGAIN. The request retains rx. timeout_ms: ms by the loop's clock,
 * UVF_NOWAIT or UVF_FOREVER.
 * Status: 0 (an item is there; of a rendezvous: a sender waits), UV_EOF or the cause (closed and nothing left),
 * UV_ETIMEDOUT or UV_ECANCELED (uvf_cancel, or the loop was detached).
 * Returns 0 (cb will be called), or there is no callback: UV_EINVAL (NULL), UV_EPERM (another thread), UV_EBUSY (the
 * request is in use), UV_ECANCELED (the loop is detaching or detached) or UV_ENOTSUP (a parent's loop or channel,
 * after fork).
 *
 * Thread: loop (UVF_SPSC: the receiving side)
 */
UVF_EXTERN int uvf_wait_readable(uvf_loop_t *l, uvf_req_t *req, uvf_rx_t *rx, uint64_t timeout_ms, uvf_cb cb);

/**
 * Calls back when the channel is closed or aborted, by whichever side: so a producer hears that nobody wants its work
 * any more, while it makes it. uvf_tx_status has the cause. The request retains tx, so that it keeps the channel open
 * as a sender does. timeout_ms: ms by the loop's clock, UVF_NOWAIT or UVF_FOREVER.
 * Status: 0 (closed, before or meanwhile), UV_ETIMEDOUT or UV_ECANCELED (uvf_cancel, or the loop was detached).
 * Returns what uvf_wait_readable returns.
 *
 * Thread: loop
 */
UVF_EXTERN int uvf_wait_closed(uvf_loop_t *l, uvf_req_t *req, uvf_tx_t *tx, uint64_t timeout_ms, uvf_cb cb);

/**
 * Blocks until the channel is closed or aborted, for at most timeout_ms (ms, UVF_NOWAIT, UVF_FOREVER).
 * Returns 0 (closed, before or meanwhile), UV_ETIMEDOUT, UVF_EDEADLK (on a thread that runs an attached loop),
 * UV_ENOMEM, UV_EINVAL (NULL) or UV_ENOTSUP (a parent's channel, after fork).
 *
 * Thread: plain
 */
UVF_EXTERN int uvf_wait_closed_sync(uvf_tx_t *tx, uint64_t timeout_ms);

#ifdef __cplusplus
}
#endif

#endif
