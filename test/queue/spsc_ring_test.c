/* SPDX-License-Identifier: MIT */
/* spsc_ring: the suite with one thread on each side, and a close by the receiver, who races with the sender. */
#include "queue/queue_suite.h"

#include <sched.h>

#include "base/fence.h"
#include "queue/spsc_ring.h"

static int init(void *memory, size_t item_size, size_t capacity, uint64_t start) {
  uvf__fence_setup();
  return uvf__spsc_ring_init(memory, item_size, capacity, start);
}

static const queue_kind_t kind = {BOUNDED | LENDS, sizeof(uvf__spsc_ring_t), init};

typedef struct {
  uvf__queue_t *q;
  uint32_t accepted; /* sender's */
} flood_t;

static void flood(void *arg) {
  flood_t *f = arg;
  for (;;) {
    payload_t p = {0, f->accepted};
    int r = f->q->ops->send(f->q, &p, 1);
    if (r == UV_EPIPE) return;
    if (r == 1)
      f->accepted++;
    else
      (void)sched_yield();
  }
}

/* Receives until the end, and closes on the way. The number of items, or -1: one was out of order, or no end came. */
static int64_t receive_and_close(uvf__queue_t *q, uint32_t close_at) {
  int64_t got = 0;
  bool closed = false;
  uint64_t until = uv_hrtime() + UINT64_C(1000000000) * TEST_PATIENCE_S;
  while (uv_hrtime() < until) {
    payload_t p;
    int r = q->ops->recv(q, &p, 1);
    if (r == UV_EOF) return closed ? got : -1;
    if (r == 1 && p.seq != got++) return -1;
    if (r != 1) (void)sched_yield();
    if (!closed && got >= close_at) q->ops->close(q, UVF__CLOSED);
    closed = closed || got >= close_at;
  }
  return -1;
}

static void a_close_by_the_receiver_splits_exactly(void **state) {
  const queue_kind_t *k = *state;
  for (uint32_t round = 0; round < 300; round++) {
    flood_t f = {queue_memory(k), 0};
    thread_t sender;
    assert_int_equal(k->init(f.q, sizeof(payload_t), round % 3 == 0 ? 2000 : 1 + round % 9, ANYWHERE), 0);
    thread_start(&sender, flood, &f);
    int64_t got = receive_and_close(f.q, round % 3 == 0 ? 1000 + round : round % 40);
    thread_join(&sender);
    assert_int_equal(got, f.accepted);
    f.q->ops->destroy(f.q);
    free(f.q);
  }
}

int main(void) {
  static const queue_case_t own[] = {
      CASE(a_close_by_the_receiver_splits_exactly, 0),
  };
  return queue_suite_run(&kind, own, sizeof own / sizeof own[0]);
}
