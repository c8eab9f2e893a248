/* SPDX-License-Identifier: MIT */
/* One producer thread, one consumer thread, busy polling: what the memory system allows. Compiled once per peer; a peer
 * header (spsc_PEER.h) gives PEER_NAME, PEER_VERSION, ring_t, void ring_open(ring_t *) (zeroed memory),
 * bool ring_push(ring_t *, msg_t) and bool ring_pop(ring_t *, msg_t *), false where it is full or empty, and
 * void ring_close(ring_t *). */
#include PEER_H

#define SPSC_N 20000000u

static void *produce(void *arg) {
  ring_t *r = arg;
  for (uint64_t i = 0; i < SPSC_N; i++) {
    msg_t m = msg_make(0, i, 0);
    while (!ring_push(r, m))
      cpu_relax();
  }
  return NULL;
}

static result_t spsc(const work_t *work) {
  ring_t *r = must_alloc(sizeof *r);
  order_t order = {.total = 0};
  (void)work;
  ring_open(r);
  uint64_t begin = now_ns();
  pthread_t thread = thread_start(produce, r);
  while (order.total < SPSC_N) {
    msg_t m;
    while (!ring_pop(r, &m))
      cpu_relax();
    order_all(&order, &m);
  }
  uint64_t end = now_ns();
  pthread_join(thread, NULL);
  ring_close(r);
  free(r);
  return (result_t){.n = SPSC_N, .elapsed_ns = end - begin};
}

static const work_t works[] = {
    {"spsc/raw", spsc, 0, RING},
};

BENCH_MAIN(works)
