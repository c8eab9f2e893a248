/* SPDX-License-Identifier: MIT */
/* What an expert writes: a ring whose slots carry a turn number, so that senders and receivers only meet on the index;
 * who finds it full or empty spins a little, then sleeps on a condition that is signalled only if somebody sleeps. */
#include "bench.h"

#define PEER_NAME "handwritten-good"
#define PEER_VERSION "pthread"
#define SPINS 64

typedef struct {
  _Atomic size_t turn; /* == index: free for that push; == index + 1: holds that message */
  msg_t msg;
} slot_t;

typedef struct {
  pthread_mutex_t lock;
  pthread_cond_t cond;
  atomic_int sleepers;
} gate_t;

typedef struct {
  _Alignas(CACHE_LINE) _Atomic size_t tail;
  _Alignas(CACHE_LINE) _Atomic size_t head;
  _Alignas(CACHE_LINE) gate_t not_empty;
  _Alignas(CACHE_LINE) gate_t not_full;
  _Alignas(CACHE_LINE) slot_t slots[RING];
} queue_t;

static void gate_open(gate_t *g) {
  pthread_mutex_init(&g->lock, NULL);
  pthread_cond_init(&g->cond, NULL);
  atomic_init(&g->sleepers, 0);
}

static void gate_close(gate_t *g) {
  pthread_cond_destroy(&g->cond);
  pthread_mutex_destroy(&g->lock);
}

static inline void gate_wake(gate_t *g) {
  atomic_thread_fence(memory_order_seq_cst); /* the slot was published before the sleepers are read */
  if (atomic_load_explicit(&g->sleepers, memory_order_relaxed) == 0) return;
  pthread_mutex_lock(&g->lock); /* a sleeper is before its last look or in the wait, not between */
  pthread_mutex_unlock(&g->lock);
  pthread_cond_signal(&g->cond);
}

static void queue_open(queue_t *q) {
  gate_open(&q->not_empty);
  gate_open(&q->not_full);
  for (size_t i = 0; i < RING; i++)
    atomic_init(&q->slots[i].turn, i);
}

static inline bool queue_try_push(queue_t *q, msg_t m) {
  size_t at = atomic_load_explicit(&q->tail, memory_order_relaxed);
  for (;;) {
    slot_t *s = &q->slots[at % RING];
    size_t turn = atomic_load_explicit(&s->turn, memory_order_acquire);
    if (turn == at) {
      if (!atomic_compare_exchange_weak_explicit(&q->tail, &at, at + 1, memory_order_relaxed, memory_order_relaxed))
        continue;
      s->msg = m;
      atomic_store_explicit(&s->turn, at + 1, memory_order_release);
      return true;
    }
    if ((intptr_t)(turn - at) < 0) return false;
    at = atomic_load_explicit(&q->tail, memory_order_relaxed);
  }
}

static inline bool queue_try_pop(queue_t *q, msg_t *m) {
  size_t at = atomic_load_explicit(&q->head, memory_order_relaxed);
  for (;;) {
    slot_t *s = &q->slots[at % RING];
    size_t turn = atomic_load_explicit(&s->turn, memory_order_acquire);
    if (turn == at + 1) {
      if (!atomic_compare_exchange_weak_explicit(&q->head, &at, at + 1, memory_order_relaxed, memory_order_relaxed))
        continue;
      *m = s->msg;
      atomic_store_explicit(&s->turn, at + RING, memory_order_release);
      return true;
    }
    if ((intptr_t)(turn - (at + 1)) < 0) return false;
    at = atomic_load_explicit(&q->head, memory_order_relaxed);
  }
}

static void queue_push_asleep(queue_t *q, msg_t m) {
  gate_t *g = &q->not_full;
  pthread_mutex_lock(&g->lock);
  atomic_fetch_add(&g->sleepers, 1);
  while (atomic_thread_fence(memory_order_seq_cst), !queue_try_push(q, m))
    pthread_cond_wait(&g->cond, &g->lock);
  atomic_fetch_sub(&g->sleepers, 1);
  pthread_mutex_unlock(&g->lock);
}

static void queue_pop_asleep(queue_t *q, msg_t *m) {
  gate_t *g = &q->not_empty;
  pthread_mutex_lock(&g->lock);
  atomic_fetch_add(&g->sleepers, 1);
  while (atomic_thread_fence(memory_order_seq_cst), !queue_try_pop(q, m))
    pthread_cond_wait(&g->cond, &g->lock);
  atomic_fetch_sub(&g->sleepers, 1);
  pthread_mutex_unlock(&g->lock);
}

static inline void queue_push(queue_t *q, msg_t m) {
  bool done = queue_try_push(q, m);
  for (int i = 0; !done && i < SPINS; i++) {
    cpu_relax();
    done = queue_try_push(q, m);
  }
  if (!done) queue_push_asleep(q, m);
  gate_wake(&q->not_empty);
}

static inline msg_t queue_pop(queue_t *q) {
  msg_t m;
  bool done = queue_try_pop(q, &m);
  for (int i = 0; !done && i < SPINS; i++) {
    cpu_relax();
    done = queue_try_pop(q, &m);
  }
  if (!done) queue_pop_asleep(q, &m);
  gate_wake(&q->not_full);
  return m;
}

static void queue_close(queue_t *q) {
  gate_close(&q->not_empty);
  gate_close(&q->not_full);
}
