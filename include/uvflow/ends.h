/* SPDX-License-Identifier: MIT */
/** @file
 * The two ends of a channel: owning them, closing, aborting. Nothing else of a channel is ever seen.
 */
#ifndef UVFLOW_ENDS_H
#define UVFLOW_ENDS_H

#include <uvflow/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The sending end of a channel: opaque, counted, shared by all senders. The last release closes the channel.
 *
 * Thread: any (UVF_SPSC: one at a time)
 */
typedef struct uvf_tx_s uvf_tx_t;

/**
 * The receiving end of a channel: opaque, counted, shared by all receivers. The last release aborts the channel.
 *
 * Thread: any (UVF_SPSC: one at a time)
 */
typedef struct uvf_rx_s uvf_rx_t;

/**
 * Makes another owner of the sending end, for another thread or object that sends: the channel stays open until each
 * owner has released. Retain before you hand it over, not after. Returns tx, NULL for NULL.
 *
 * Thread: any
 */
UVF_EXTERN uvf_tx_t *uvf_tx_retain(uvf_tx_t *tx);

/**
 * Gives up a reference; the last one closes the channel as uvf_tx_close(tx, 0) does. A pending send is an owner, too.
 * NULL is allowed. A sender that forgets to release keeps the receivers waiting for ever.
 *
 * Thread: any (UVF_SPSC: the last one is a call of the sending side)
 */
UVF_EXTERN void uvf_tx_release(uvf_tx_t *tx);

/**
 * Makes another owner of the receiving end. Owners share the receiving: each item goes to one of them. A receiver on a
 * loop that was told of an item takes it when its loop runs: while that loop stands still (a long callback, or uv_run
 * has returned), the item waits for it, though others may be free. Returns rx, NULL for NULL.
 *
 * Thread: any
 */
UVF_EXTERN uvf_rx_t *uvf_rx_retain(uvf_rx_t *rx);

/**
 * Gives up a reference; the last one aborts the channel as uvf_rx_abort(rx, 0) does, which may run `drop` in this
 * call. A pending receive and an active reader are owners, too. NULL is allowed.
 *
 * Thread: any (UVF_SPSC: the last one is a call of the receiving side)
 */
UVF_EXTERN void uvf_rx_release(uvf_rx_t *rx);

/**
 * Closes the channel for all senders: no more input, sends that wait end with UV_EPIPE and their item still theirs,
 * what was accepted is delivered, and then receivers get UV_EOF, or `cause` if it is not 0. You keep your reference.
 * Returns 0 (you closed it), UV_EALREADY (it was closed or aborted; the first cause stays), UV_EINVAL (NULL, or a
 * cause that is positive or UV_EAGAIN, UV_ETIMEDOUT or UV_ECANCELED: a receiver could not tell it from the outcome of
 * its own wait) or UV_ENOTSUP (a parent's channel, after fork).
 *
 * Thread: any (UVF_SPSC: the sending side)
 */
UVF_EXTERN int uvf_tx_close(uvf_tx_t *tx, int cause);

/**
 * The same, said by a receiver: send me no more, I still read what is there. Go on receiving until UV_EOF or the
 * cause.
 * Returns what uvf_tx_close returns.
 *
 * Thread: any (UVF_SPSC: the receiving side)
 */
UVF_EXTERN int uvf_rx_close(uvf_rx_t *rx, int cause);

/**
 * Closes the channel and drops what is queued: `drop` runs for it, in this call or on the thread of a send that was
 * under way, sends get UV_EPIPE, those that wait as well with their item still theirs, and all receivers get UV_EOF
 * or the cause at once. A batch that a reader's callback has now stays that callback's. You keep your reference.
 * Returns 0 (you aborted it; also if it was closed before, then the cause of the close stays), UV_EALREADY (it was
 * aborted before), UV_EINVAL (as uvf_tx_close) or UV_ENOTSUP (a parent's channel, after fork).
 *
 * Thread: any (UVF_SPSC: the receiving side)
 */
UVF_EXTERN int uvf_rx_abort(uvf_rx_t *rx, int cause);

/**
 * A sending end that does not keep the channel open: opaque, counted. For who sends now and then but must not keep the
 * receivers waiting: a cache, a timer, a registry of senders.
 *
 * Thread: any
 */
typedef struct uvf_weak_s uvf_weak_t;

/**
 * Makes a weak reference, which you release; tx stays yours. It keeps the memory of the channel, but not the channel
 * open. Returns NULL for NULL; it allocates nothing.
 *
 * Thread: any
 */
UVF_EXTERN uvf_weak_t *uvf_tx_weaken(uvf_tx_t *tx);

/**
 * Makes a sending end of a weak reference: a new reference, which you release; the weak one stays yours. NULL if the
 * channel is closed or aborted, by the last release of tx for example; once NULL, always NULL. A channel may be closed
 * right after: sends tell.
 *
 * Thread: any
 */
UVF_EXTERN uvf_tx_t *uvf_weak_upgrade(uvf_weak_t *weak);

/**
 * Gives up a weak reference. NULL is allowed.
 *
 * Thread: any
 */
UVF_EXTERN void uvf_weak_release(uvf_weak_t *weak);

#ifdef __cplusplus
}
#endif

#endif
