/* SPDX-License-Identifier: MIT */
/** @file
 * Channels: a queue of items between threads and loops, with waiting and closing. This header makes them, and
 * includes all the others that are about them: <uvflow/ends.h>, <uvflow/send_recv.h>, <uvflow/reader.h>,
 * <uvflow/permit.h>, <uvflow/watch.h>, <uvflow/stats.h>, <uvflow/typed.h>.
 *
 * Items of one sender arrive in the order in which they were sent; waiting senders are served first come, first
 * served. Each accepted item ends in exactly one of: delivered, or dropped. An idle channel costs no CPU.
 */
#ifndef UVFLOW_CHAN_H
#define UVFLOW_CHAN_H

#include <uvflow/base.h>
#include <uvflow/ends.h>
#include <uvflow/loop.h>
#include <uvflow/permit.h>
#include <uvflow/reader.h>
#include <uvflow/send_recv.h>
#include <uvflow/stats.h>
#include <uvflow/typed.h>
#include <uvflow/watch.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Capacity without bound: sends never wait, and memory grows as long as receivers are slower than senders. */
#define UVF_UNBOUNDED SIZE_MAX

/** Capacity of a channel without a queue: a send completes when a receiver has taken the item. uvf_try_send succeeds
 *  only if a receiver waits; a reader counts while it waits, which is not while items are being delivered to it.
 *  Items should be small: they are moved under a lock. */
#define UVF_RENDEZVOUS (SIZE_MAX - 1)

/** What a full channel does with a send. */
typedef enum {
  UVF_OVERFLOW_WAIT = 0,    /**< uvf_try_send says UV_EAGAIN, uvf_send and uvf_send_sync wait */
  UVF_OVERFLOW_DROP_OLDEST, /**< a send never waits: `drop` runs for the oldest item, on the sending thread; counted */
  UVF_OVERFLOW_DROP_NEWEST, /**< a send never waits: it returns 0, and `drop` runs for its item if that had no room */
  UVF_OVERFLOW_DISCONNECT   /**< not built yet. Broadcast: the slow subscriber ends with UVF_ELAGGED */
} uvf_overflow_t;

/** Flags of uvf_chan_options_t. */
enum {
  /** Your promise that at any time at most one thread uses each side; the faster for it, bounded channels only. Sends
   *  of each shape, uvf_tx_close and the last release of tx are calls of the sending side; receives of each shape,
   *  readers, uvf_rx_close, uvf_rx_abort and the last release of rx of the receiving side. A side may go to another
   *  thread if you order the two (a mutex, a join, a channel). Checked in debug builds; a broken promise loses or
   *  doubles items. */
  UVF_SPSC = 1
};

/**
 * Options of a channel; read during uvf_chan_create.
 *
 * Thread: any
 */
typedef struct {
  /** Bytes of an item, usually a small struct or a pointer. 0: a signal without bytes. */
  size_t item_size;
  /** Required. Items: 1 to 2^31, not only powers of two, allocated at once; or UVF_UNBOUNDED or UVF_RENDEZVOUS. */
  size_t capacity;
  /** 0, which is UVF_OVERFLOW_WAIT; the drop modes are for bounded channels. With DROP_OLDEST readers get copies, so
   *  that a batch under delivery takes no room; with DROP_NEWEST it does. Where all room is held by permits,
   *  DROP_OLDEST has nothing to drop and a send waits after all (uvf_try_send: UV_EAGAIN). */
  uvf_overflow_t overflow;
  /** 0 or UVF_SPSC. */
  unsigned flags;
  /** Called once for each accepted item that no receiver got. NULL: its bytes are forgotten, so set it where an item
   *  owns something (a pointer to memory, a file), or that leaks at an abort. */
  uvf_drop_cb drop;
  /** For kinds of channels to come; not used by uvf_chan_create. */
  void (*copy)(void *dst, const void *src, void *data);
  /** Passed to drop and copy. Must outlive the channel: both ends, pending requests and active readers. */
  void *data;
  /** Copied, 31 bytes at most, for the statistics and uvf_dump. NULL: no name. */
  const char *name;
  /** Must be zero. */
  uintptr_t reserved[4];
} uvf_chan_options_t;

/**
 * Makes a channel; `*tx` and `*rx` get one reference each, which you release.
 * Returns 0; UV_EINVAL (NULL; capacity 0, or above 2^31 and not one of the two constants; UVF_SPSC or an overflow
 * other than UVF_OVERFLOW_WAIT with one of these; an unknown flag or overflow; DISCONNECT, which is for broadcasts;
 * reserved not zero); UV_ENOMEM (also where capacity times item_size overflows). After an error `*tx` and `*rx` are
 * not changed.
 *
 * Thread: any
 */
UVF_EXTERN int uvf_chan_create(const uvf_chan_options_t *o, uvf_tx_t **tx, uvf_rx_t **rx);

/**
 * Makes a channel for one item in its life: a reply. The send that succeeds closes it, and every other gets UV_EPIPE; one
 * that comes while the first is still under way, or while a permit is out, which may be given back, waits for that
 * (uvf_try_send: UV_EAGAIN). If the last tx goes without a send, receivers get UV_EOF; if the last rx goes first, the
 * sender gets UV_EPIPE and keeps its item. All that works on other channels works on it. The pair is one allocation,
 * and nothing else is allocated, but for a name. capacity is ignored; overflow must be 0; UVF_SPSC changes nothing.
 * `*tx` and `*rx` get one reference each, which you release.
 * Returns 0, UV_EINVAL (NULL, an overflow, an unknown flag, reserved not zero) or UV_ENOMEM. After an error `*tx` and
 * `*rx` are not changed.
 *
 * Thread: any
 */
UVF_EXTERN int uvf_oneshot_create(const uvf_chan_options_t *o, uvf_tx_t **tx, uvf_rx_t **rx);

#ifdef __cplusplus
}
#endif

#endif
