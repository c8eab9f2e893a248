/* SPDX-License-Identifier: MIT */
/* uvflow: a channel with UVF_SPSC, polled by both sides. */
#include "uvflow_chan.h"

#define PEER_NAME "uvflow"
#define PEER_VERSION UVFLOW_TEXT

typedef ends_t ring_t;

static void ring_open(ring_t *r) {
  ends_open(r, RING, UVF_SPSC);
}

static inline bool ring_push(ring_t *r, msg_t m) {
  int e = uvf_try_send(r->tx, &m);
  must(e == 0 || e == UV_EAGAIN, "uvf_try_send");
  return e == 0;
}

static inline bool ring_pop(ring_t *r, msg_t *m) {
  int e = uvf_try_recv(r->rx, m);
  must(e == 0 || e == UV_EAGAIN, "uvf_try_recv");
  return e == 0;
}

static void ring_close(ring_t *r) {
  ends_close(r);
}
