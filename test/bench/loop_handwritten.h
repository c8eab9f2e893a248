/* SPDX-License-Identifier: MIT */
/* What everybody writes: a mutex, a node per message from malloc, one uv_async_t per channel, popped one at a time. */
#include "loop_api.h"
#include "loop_inbox.h"

#define PEER_NAME "handwritten"
#define PEER_VERSION "libuv " VERSION_TEXT(UV_VERSION)

typedef struct {
  uv_loop_t *loop;
} port_t;

typedef struct node {
  struct node *next;
  msg_t msg;
} node_t;

struct chan {
  uv_async_t wake;
  pthread_mutex_t lock;
  pthread_cond_t not_full;
  node_t *head, *tail;
  size_t count, cap;
  chan_cb cb;
  void *arg;
};

static void port_open(port_t *p, uv_loop_t *loop) {
  p->loop = loop;
}

static void port_close(port_t *p) {
  (void)p;
}

static node_t *chan_pop(chan_t *c) {
  pthread_mutex_lock(&c->lock);
  node_t *n = c->head;
  if (n != NULL) {
    c->head = n->next;
    if (c->head == NULL) c->tail = NULL;
    c->count--;
    if (c->cap != 0) pthread_cond_signal(&c->not_full);
  }
  pthread_mutex_unlock(&c->lock);
  return n;
}

static void chan_drain(uv_async_t *wake) {
  chan_t *c = wake->data;
  for (node_t *n; (n = chan_pop(c)) != NULL;) {
    c->cb(c, &n->msg, c->arg);
    free(n);
  }
}

static void chan_open(chan_t *c, port_t *p, size_t cap, chan_cb cb, void *arg) {
  pthread_mutex_init(&c->lock, NULL);
  pthread_cond_init(&c->not_full, NULL);
  c->cap = cap;
  c->cb = cb;
  c->arg = arg;
  must(uv_async_init(p->loop, &c->wake, chan_drain) == 0, "uv_async_init");
  c->wake.data = c;
}

static void chan_send(chan_t *c, msg_t m) {
  node_t *n = malloc(sizeof *n);
  must(n != NULL, "out of memory");
  n->next = NULL;
  n->msg = m;
  pthread_mutex_lock(&c->lock);
  while (c->cap != 0 && c->count == c->cap)
    pthread_cond_wait(&c->not_full, &c->lock);
  if (c->tail != NULL)
    c->tail->next = n;
  else
    c->head = n;
  c->tail = n;
  c->count++;
  pthread_mutex_unlock(&c->lock);
  uv_async_send(&c->wake);
}

static void chan_close(chan_t *c) {
  uv_close((uv_handle_t *)&c->wake, NULL);
  pthread_cond_destroy(&c->not_full);
  pthread_mutex_destroy(&c->lock);
}
