/* SPDX-License-Identifier: MIT */
/** @file
 * Permits: room for one item, reserved now and used later. Get the permit first and make the item then, so that no
 * item is made for which there is no room; or promise to send, and let the receivers wait for it past a close.
 */
#ifndef UVFLOW_PERMIT_H
#define UVFLOW_PERMIT_H

#include <uvflow/base.h>
#include <uvflow/ends.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * One reserved slot; allocated by the caller. Use it or give it back exactly once. A permit counts as used room, and
 * as an item still to come: after a close, receivers get UV_EOF only when the last permit is used or given back. It
 * owns a reference on tx. An unbounded channel has permits, too, for the latter; a rendezvous has none. At most 16383
 * permits of a channel are out at a time. It may be copied to another place, or sent as a part of an item; then one of
 * the copies may be used. What is queued and unread takes room, too: do not wait for ever for a permit of a channel
 * that only you read. On a channel of UVF_OVERFLOW_DROP_OLDEST a permit is never dropped.
 *
 * Thread: any (UVF_SPSC: the sending side)
 */
typedef struct {
  uvf__word_t uvf__[3]; /**< private */
} uvf_permit_t;

/**
 * Reserves a slot if that needs no waiting. `*p` need not be zeroed, but must hold no permit.
 * Returns 0, UV_EAGAIN (full, too many permits are out, or a sender waits already: nobody is overtaken), UV_EPIPE
 * (closed), UV_ENOMEM (unbounded: no memory, or too many permits), UV_EINVAL (NULL) or UV_ENOTSUP (a rendezvous, or a
 * parent's channel, after fork). After an error `*p` holds nothing.
 *
 * Thread: any (UVF_SPSC: the sending side)
 */
UVF_EXTERN int uvf_try_reserve(uvf_tx_t *tx, uvf_permit_t *p);

/**
 * Reserves a slot and calls back when it has it, in order of arrival with waiting sends. `*p` is borrowed until the
 * callback. timeout_ms: ms by the loop's clock, UVF_NOWAIT or UVF_FOREVER.
 * Status: 0 (the permit is yours), UV_EPIPE (closed, before or meanwhile), UV_ETIMEDOUT, UV_ECANCELED (uvf_cancel, or
 * the loop was detached) or UV_ENOMEM (unbounded only); `*p` holds nothing for all but 0.
 * Returns 0 (cb will be called), or there is no callback and `*p` is not touched: UV_EINVAL (NULL), UV_EPERM (another
 * thread), UV_EBUSY (the request is in use), UV_ECANCELED (the loop is detaching or detached) or UV_ENOTSUP (a
 * rendezvous, or a parent's loop or channel, after fork).
 *
 * Thread: loop
 */
UVF_EXTERN int uvf_reserve(uvf_loop_t *l, uvf_req_t *req, uvf_tx_t *tx, uvf_permit_t *p, uint64_t timeout_ms,
                           uvf_cb cb);

/**
 * Reserves a slot and blocks while there is none, for at most timeout_ms (ms, UVF_NOWAIT, UVF_FOREVER).
 * Returns 0, UV_EPIPE (closed, before or meanwhile), UV_ETIMEDOUT, UVF_EDEADLK (on a thread that runs an attached
 * loop), UV_ENOMEM, UV_EINVAL (NULL) or UV_ENOTSUP (as uvf_try_reserve). After an error `*p` holds nothing.
 *
 * Thread: plain
 */
UVF_EXTERN int uvf_reserve_sync(uvf_tx_t *tx, uvf_permit_t *p, uint64_t timeout_ms);

/**
 * Sends an item into the reserved slot; never waits, and works after a close, too.
 * Returns 0 (the item moved), UV_EPIPE (the channel was aborted; the item is still yours), UV_EINVAL (NULL, or `*p`
 * holds no permit), UV_ENOMEM (unbounded only) or UV_ENOTSUP (a parent's channel, after fork). The permit is used up by
 * 0 and UV_EPIPE; with the others it is still there.
 *
 * Thread: any (UVF_SPSC: the sending side)
 */
UVF_EXTERN int uvf_permit_send(uvf_permit_t *p, const void *item);

/**
 * Gives a permit back unused; its room goes to the first who waits. Nothing happens if `*p` holds none, or p is NULL.
 *
 * Thread: any (UVF_SPSC: the sending side)
 */
UVF_EXTERN void uvf_permit_release(uvf_permit_t *p);

#ifdef __cplusplus
}
#endif

#endif
