/* SPDX-License-Identifier: MIT */
/* What everybody writes: a ring under a mutex. */
#include "bench.h"

#define PEER_NAME "handwritten"
#define PEER_VERSION "pthread"

typedef struct {
  pthread_mutex_t lock;
  size_t head, tail;
  msg_t slots[RING];
} ring_t;

static void ring_open(ring_t *r) {
  pthread_mutex_init(&r->lock, NULL);
}

static inline bool ring_push(ring_t *r, msg_t m) {
  pthread_mutex_lock(&r->lock);
  bool room = r->tail - r->head < RING;
  if (room) r->slots[r->tail++ % RING] = m;
  pthread_mutex_unlock(&r->lock);
  return room;
}

static inline bool ring_pop(ring_t *r, msg_t *m) {
  pthread_mutex_lock(&r->lock);
  bool any = r->tail != r->head;
  if (any) *m = r->slots[r->head++ % RING];
  pthread_mutex_unlock(&r->lock);
  return any;
}

static void ring_close(ring_t *r) {
  pthread_mutex_destroy(&r->lock);
}
