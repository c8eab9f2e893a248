/* SPDX-License-Identifier: MIT */
/* What an expert writes: messages in a vector that the loop swaps out under the lock in one go; a channel that turns
 * non-empty is pushed on its port's stack; one uv_async_t per loop behind an atomic flag of its own.
 *
 * A bounded channel bounds what waits; the batch that the loop is delivering is not counted. */
#include "loop_api.h"
#include "loop_inbox.h"

#define PEER_NAME "handwritten-good"
#define PEER_VERSION "libuv " VERSION_TEXT(UV_VERSION)
#define FIRST_CAPACITY 64

typedef struct {
  uv_async_t wake;
  _Alignas(CACHE_LINE) _Atomic(chan_t *) ready; /* channels that turned non-empty, newest first */
  atomic_int notified;
} port_t;

typedef struct {
  msg_t *at;
  size_t count, capacity;
} vec_t;

struct chan {
  port_t *port;
  size_t cap;
  chan_cb cb;
  void *arg;
  vec_t out; /* loop's thread only */
  _Alignas(CACHE_LINE) pthread_mutex_t lock;
  vec_t in;    /* under lock */
  int waiters; /* under lock: senders that wait for room */
  pthread_cond_t not_full;
  chan_t *next_ready; /* written by the sender that found the channel empty */
};

static void chan_deliver(chan_t *c) {
  pthread_mutex_lock(&c->lock);
  vec_t full = c->in;
  c->in = c->out;
  c->in.count = 0;
  int waiters = c->waiters;
  pthread_mutex_unlock(&c->lock);
  if (waiters > 0) pthread_cond_broadcast(&c->not_full);
  c->out = full;
  for (size_t i = 0; i < full.count; i++)
    c->cb(c, &full.at[i], c->arg);
}

static void port_drain(uv_async_t *wake) {
  port_t *p = wake->data;
  atomic_exchange(&p->notified, 0); /* before the stack is taken: a later push must wake again */
  chan_t *newest = atomic_exchange(&p->ready, NULL);
  chan_t *oldest = NULL;
  while (newest != NULL) {
    chan_t *next = newest->next_ready;
    newest->next_ready = oldest;
    oldest = newest;
    newest = next;
  }
  while (oldest != NULL) {
    chan_t *next = oldest->next_ready; /* read before the channel can become ready again */
    chan_deliver(oldest);
    oldest = next;
  }
}

static void port_open(port_t *p, uv_loop_t *loop) {
  must(uv_async_init(loop, &p->wake, port_drain) == 0, "uv_async_init");
  p->wake.data = p;
  atomic_init(&p->ready, NULL);
  atomic_init(&p->notified, 0);
}

static void port_close(port_t *p) {
  uv_close((uv_handle_t *)&p->wake, NULL);
}

static void chan_open(chan_t *c, port_t *p, size_t cap, chan_cb cb, void *arg) {
  c->port = p;
  c->cap = cap;
  c->cb = cb;
  c->arg = arg;
  pthread_mutex_init(&c->lock, NULL);
  pthread_cond_init(&c->not_full, NULL);
}

static void vec_grow(vec_t *v) {
  v->capacity = v->capacity == 0 ? FIRST_CAPACITY : v->capacity * 2;
  v->at = realloc(v->at, v->capacity * sizeof *v->at);
  must(v->at != NULL, "out of memory");
}

static void chan_notify(chan_t *c) {
  port_t *p = c->port;
  chan_t *head = atomic_load(&p->ready);
  do
    c->next_ready = head;
  while (!atomic_compare_exchange_weak(&p->ready, &head, c));
  if (atomic_exchange(&p->notified, 1) == 0) uv_async_send(&p->wake);
}

static inline void chan_send(chan_t *c, msg_t m) {
  pthread_mutex_lock(&c->lock);
  while (c->cap != 0 && c->in.count == c->cap) {
    c->waiters++;
    pthread_cond_wait(&c->not_full, &c->lock);
    c->waiters--;
  }
  if (c->in.count == c->in.capacity) vec_grow(&c->in);
  bool was_empty = c->in.count == 0;
  c->in.at[c->in.count++] = m;
  pthread_mutex_unlock(&c->lock);
  if (was_empty) chan_notify(c);
}

static void chan_close(chan_t *c) {
  free(c->in.at);
  free(c->out.at);
  pthread_cond_destroy(&c->not_full);
  pthread_mutex_destroy(&c->lock);
}
