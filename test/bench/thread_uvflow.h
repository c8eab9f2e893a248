/* SPDX-License-Identifier: MIT */
/* uvflow without a loop: a bounded channel and the blocking calls. */
#include "uvflow_chan.h"

#define PEER_NAME "uvflow"
#define PEER_VERSION UVFLOW_TEXT

typedef ends_t queue_t;

static void queue_open(queue_t *q) {
  ends_open(q, RING, 0);
}

static inline void queue_push(queue_t *q, msg_t m) {
  ends_send(q, m);
}

static inline msg_t queue_pop(queue_t *q) {
  return ends_recv(q);
}

static void queue_close(queue_t *q) {
  ends_close(q);
}
