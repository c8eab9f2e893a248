/* SPDX-License-Identifier: MIT */
/* The limit of the machine: a ring for one producer and one consumer, and nothing else. Each side keeps its own copy of the
 * other's index and reads the shared one only when the copy says full or empty. */
#include "bench.h"

#define PEER_NAME "ideal"
#define PEER_VERSION "own"

typedef struct {
  _Alignas(CACHE_LINE) _Atomic size_t head; /* next to pop, written by the consumer */
  size_t tail_seen;
  _Alignas(CACHE_LINE) _Atomic size_t tail; /* next to push, written by the producer */
  size_t head_seen;
  _Alignas(CACHE_LINE) msg_t slots[RING];
} ring_t;

static void ring_open(ring_t *r) {
  atomic_init(&r->head, 0);
  atomic_init(&r->tail, 0);
}

static inline bool ring_push(ring_t *r, msg_t m) {
  size_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
  if (tail - r->head_seen == RING) {
    r->head_seen = atomic_load_explicit(&r->head, memory_order_acquire);
    if (tail - r->head_seen == RING) return false;
  }
  r->slots[tail % RING] = m;
  atomic_store_explicit(&r->tail, tail + 1, memory_order_release);
  return true;
}

static inline bool ring_pop(ring_t *r, msg_t *m) {
  size_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
  if (head == r->tail_seen) {
    r->tail_seen = atomic_load_explicit(&r->tail, memory_order_acquire);
    if (head == r->tail_seen) return false;
  }
  *m = r->slots[head % RING];
  atomic_store_explicit(&r->head, head + 1, memory_order_release);
  return true;
}

static void ring_close(ring_t *r) {
  (void)r;
}
