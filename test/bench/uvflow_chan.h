/* SPDX-License-Identifier: MIT */
/* What the peers of uvflow share: a channel for messages, and sends and receives that block. */
#ifndef BENCH_UVFLOW_CHAN_H
#define BENCH_UVFLOW_CHAN_H

#include <uvflow.h>
#include <uvflow/version.h>

#include "bench.h"

#define UVFLOW_TEXT "uvflow " VERSION_TEXT(UVFLOW_VERSION)

typedef struct {
  uvf_tx_t *tx;
  uvf_rx_t *rx;
} ends_t;

/* cap 0: unbounded. */
static inline void ends_open(ends_t *e, size_t cap, unsigned flags) {
  uvf_chan_options_t o = {.item_size = sizeof(msg_t), .capacity = cap == 0 ? UVF_UNBOUNDED : cap, .flags = flags};
  must(uvf_chan_create(&o, &e->tx, &e->rx) == 0, "uvf_chan_create");
}

static inline void ends_close(ends_t *e) {
  uvf_tx_release(e->tx);
  uvf_rx_release(e->rx);
}

/* An unbounded channel is never full, so that a loop may call this. */
static inline void ends_send(ends_t *e, msg_t m) {
  int r = uvf_try_send(e->tx, &m);
  if (r == UV_EAGAIN) r = uvf_send_sync(e->tx, &m, UVF_FOREVER);
  must(r == 0, "uvflow: send");
}

static inline msg_t ends_recv(ends_t *e) {
  msg_t m;
  int r = uvf_try_recv(e->rx, &m);
  if (r == UV_EAGAIN) r = uvf_recv_sync(e->rx, &m, UVF_FOREVER);
  must(r == 0, "uvflow: receive");
  return m;
}

#endif
