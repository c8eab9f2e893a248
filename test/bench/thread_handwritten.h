/* SPDX-License-Identifier: MIT */
/* What everybody writes: a ring, one mutex, two conditions, a signal per message. */
#include "bench.h"

#define PEER_NAME "handwritten"
#define PEER_VERSION "pthread"

typedef struct {
  pthread_mutex_t lock;
  pthread_cond_t not_empty, not_full;
  size_t head, tail;
  msg_t slots[RING];
} queue_t;

static void queue_open(queue_t *q) {
  pthread_mutex_init(&q->lock, NULL);
  pthread_cond_init(&q->not_empty, NULL);
  pthread_cond_init(&q->not_full, NULL);
}

static inline void queue_push(queue_t *q, msg_t m) {
  pthread_mutex_lock(&q->lock);
  while (q->tail - q->head == RING)
    pthread_cond_wait(&q->not_full, &q->lock);
  q->slots[q->tail++ % RING] = m;
  pthread_cond_signal(&q->not_empty);
  pthread_mutex_unlock(&q->lock);
}

static inline msg_t queue_pop(queue_t *q) {
  pthread_mutex_lock(&q->lock);
  while (q->tail == q->head)
    pthread_cond_wait(&q->not_empty, &q->lock);
  msg_t m = q->slots[q->head++ % RING];
  pthread_cond_signal(&q->not_full);
  pthread_mutex_unlock(&q->lock);
  return m;
}

static void queue_close(queue_t *q) {
  pthread_cond_destroy(&q->not_empty);
  pthread_cond_destroy(&q->not_full);
  pthread_mutex_destroy(&q->lock);
}
