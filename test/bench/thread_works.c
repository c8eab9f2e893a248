/* SPDX-License-Identifier: MIT */
/* The work without a loop: threads that block. Compiled once per peer; a peer header (thread_PEER.h) gives PEER_NAME,
 * PEER_VERSION, queue_t, void queue_open(queue_t *) (zeroed memory), void queue_push(queue_t *, msg_t) and
 * msg_t queue_pop(queue_t *), which both block, and void queue_close(queue_t *). */
#include PEER_H

#define THREADS_N 4000000u
#define PRODUCERS 2
#define CONSUMERS 2
#define STOP UINT64_MAX

typedef struct {
  queue_t *queue;
  unsigned nth;
  order_t order; /* of a consumer */
} party_t;

static void *produce(void *arg) {
  party_t *p = arg;
  for (uint64_t i = 0; i < THREADS_N / PRODUCERS; i++)
    queue_push(p->queue, msg_make(p->nth, i, 0));
  return NULL;
}

static void *consume(void *arg) {
  party_t *p = arg;
  for (;;) {
    msg_t m = queue_pop(p->queue);
    if (m.id == STOP) return NULL;
    order_some(&p->order, &m);
  }
}

/* The time includes starting the threads. */
static result_t threads(const work_t *work) {
  pthread_t producers[PRODUCERS], consumers[CONSUMERS];
  queue_t *queue = must_alloc(sizeof *queue);
  party_t *parties = must_alloc((PRODUCERS + CONSUMERS) * sizeof *parties);
  uint64_t total = 0;
  (void)work;
  queue_open(queue);
  for (unsigned i = 0; i < PRODUCERS + CONSUMERS; i++) {
    parties[i].queue = queue;
    parties[i].nth = i;
  }
  uint64_t begin = now_ns();
  for (unsigned i = 0; i < CONSUMERS; i++)
    consumers[i] = thread_start(consume, &parties[PRODUCERS + i]);
  for (unsigned i = 0; i < PRODUCERS; i++)
    producers[i] = thread_start(produce, &parties[i]);
  for (unsigned i = 0; i < PRODUCERS; i++)
    pthread_join(producers[i], NULL);
  for (unsigned i = 0; i < CONSUMERS; i++)
    queue_push(queue, (msg_t){STOP, 0});
  for (unsigned i = 0; i < CONSUMERS; i++)
    pthread_join(consumers[i], NULL);
  uint64_t end = now_ns();
  for (unsigned i = 0; i < CONSUMERS; i++)
    total += parties[PRODUCERS + i].order.total;
  must(total == THREADS_N, "messages were lost or doubled");
  queue_close(queue);
  free(parties);
  free(queue);
  return (result_t){.n = THREADS_N, .elapsed_ns = end - begin};
}

static const work_t works[] = {
    {"threads/2p2c/cap1024", threads, 0, RING},
};

BENCH_MAIN(works)
