/* SPDX-License-Identifier: MIT */
/** @file
 * Looking at a channel from either end: its length, its state, its counters. Nothing here waits, or changes the
 * channel. In a child of fork it says nothing of its parent's channels: all is 0, and the status UV_EOF.
 */
#ifndef UVFLOW_STATS_H
#define UVFLOW_STATS_H

#include <uvflow/base.h>
#include <uvflow/ends.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The counters of a channel, since it was made. Each is right by itself; while others use the channel they are not of
 * one moment. At rest sent = received + dropped + len.
 *
 * Thread: any
 */
typedef struct {
  uint64_t sent;         /**< items accepted */
  uint64_t received;     /**< items that receivers got */
  uint64_t dropped;      /**< items accepted that no receiver got: `drop` ran for them */
  uint64_t returned;     /**< sends whose item went back to the caller: timeout, cancel, closed while waiting */
  uint64_t waits;        /**< waits begun, of senders and receivers */
  uint64_t wakes;        /**< waiters that the other side woke */
  size_t len;            /**< items queued, at one moment during the call */
  size_t capacity;       /**< as given to uvf_chan_create; UVF_UNBOUNDED; 0 for a rendezvous */
  size_t high_water;     /**< largest len seen; looked at in each turn of a reader, each wait and each of these calls */
  bool closed;           /**< closed or aborted; items may be left */
  char name[32];         /**< the name of the options, cut off after 31 bytes; empty without one */
  uintptr_t reserved[4]; /**< zero */
} uvf_chan_stats_t;

/**
 * Fills *out with the counters of tx's channel.
 *
 * Thread: any
 */
UVF_EXTERN void uvf_tx_stats(const uvf_tx_t *tx, uvf_chan_stats_t *out);

/**
 * Fills *out with the counters of rx's channel.
 *
 * Thread: any
 */
UVF_EXTERN void uvf_rx_stats(const uvf_rx_t *rx, uvf_chan_stats_t *out);

/**
 * Items queued at one moment during the call, never above the capacity. A batch that a reader's callback has now does
 * not count, though its room is not free yet. It says nothing about the next call: use uvf_try_send to find out
 * whether there is room.
 *
 * Thread: any
 */
UVF_EXTERN size_t uvf_tx_len(const uvf_tx_t *tx);

/**
 * The same, asked at the other end.
 *
 * Thread: any
 */
UVF_EXTERN size_t uvf_rx_len(const uvf_rx_t *rx);

/**
 * Returns 0 while the channel is open, then UV_EOF or the cause of the close, which sends do not tell: they say
 * UV_EPIPE.
 *
 * Thread: any
 */
UVF_EXTERN int uvf_tx_status(const uvf_tx_t *tx);

/**
 * Returns 0 while the channel is open or items are left or may still come (permits), then UV_EOF or the cause of the
 * close, as a receive would.
 *
 * Thread: any
 */
UVF_EXTERN int uvf_rx_status(const uvf_rx_t *rx);

#ifdef __cplusplus
}
#endif

#endif
