/* SPDX-License-Identifier: MIT */
/* The ring for one sender and one receiver: a sender who is served where it finds no room, a receiver who marks, looks and
 * sleeps, and one who closes: a third thread, or one of the two. Marks, looks and serving are those of a channel in small.
 * flags: -DFEW_SHARE=1 -DAWAY_PAUSES=1
 * sources: queue/spsc_ring.c base/fence.c */
#include "model.h"

#include "base/fence.h"
#include "queue/spsc_ring.h"

static size_t capacity;
static int
    permits; /* out from the start: the sender uses one after the other, whether it is closed or not, and sends nothing else */
static int closer; /* 0: the sender, after its items; 1: the receiver, after its first; 2: a third thread; 3: nobody */

enum { RX = 1, TX = 2 };

#define ITEMS 3

typedef struct {
  uvf__spsc_ring_t ring;
  uvf__mutex_t lock;
  a_u32 marks;
  model_item_t items[ITEMS];
  model_item_t *waiting; /* under lock */
  bool sleeps, eof;
  uint32_t rung, accepted, got;
} state_t;

struct model : rl::test_suite<model, 3> {
  state_t *s;
  uvf__queue_t *q;

  void before() {
    model_begin();
    s = model_new<state_t>();
    q = &s->ring.base;
    RL_ASSERT(uvf__spsc_ring_init(&s->ring, sizeof(model_item_t), capacity, 0) == 0);
    RL_ASSERT(uvf__mutex_init(&s->lock) == 0);
    a_init(&s->marks, 0);
    for (int i = 0; i < ITEMS; i++)
      item_set(&s->items[i], i + 1);
    for (int i = 0; i < permits; i++)
      RL_ASSERT(q->ops->reserve(q) == 0);
  }

  void send_held() {
    for (int i = 0; i < permits; i++) {
      RL_ASSERT(q->ops->send_held(q, &s->items[i]) == 0);
      s->accepted++;
      ring_receiver();
    }
  }

  void ring_receiver() {
    if ((a_load(&s->marks, seq_cst) & RX) != 0) s->rung++;
  }

  /* Under the lock. True: it moved an item in. */
  bool serve() {
    if (s->waiting == NULL) return false;
    int r = q->ops->reserve(q);
    if (r == UV_EAGAIN) return false;
    if (r == 0) {
      r = q->ops->send_held(q, s->waiting);
      if (r == 0) s->accepted++;
    }
    s->waiting = NULL;
    a_and(&s->marks, ~(uint32_t)TX, seq_cst);
    return true;
  }

  void serve_locked() {
    uvf__lock(&s->lock);
    bool served = serve();
    uvf__unlock(&s->lock);
    if (served) ring_receiver();
  }

  void close() {
    uvf__lock(&s->lock);
    q->ops->close(q, UVF__CLOSED);
    uvf__unlock(&s->lock);
    serve_locked();
    ring_receiver();
  }

  void send_all() {
    for (int i = 0; i < ITEMS; i++) {
      int r = q->ops->send(q, &s->items[i], 1);
      if (r == 1) s->accepted++;
      if (r == 1 || r == UV_EPIPE) ring_receiver();
      if (r == UV_EPIPE) return;
      if (r == 1) continue;
      uvf__lock(&s->lock);
      s->waiting = &s->items[i];
      a_or(&s->marks, TX, seq_cst);
      heavy_fence();
      bool served = serve();
      uvf__unlock(&s->lock);
      if (served) ring_receiver();
      return; /* asleep, or as if woken */
    }
  }

  int receive() {
    model_item_t item;
    memset((void *)&item, 0, sizeof item);
    int r = q->ops->recv(q, &item, 1);
    if (r == 1) RL_ASSERT(item_get(&item) == ++s->got);
    model_forget(&item, sizeof item);
    if (r == 1 && (a_load(&s->marks, seq_cst) & TX) != 0) serve_locked();
    return r;
  }

  void receive_all() {
    for (int i = 0; i < ITEMS + 1; i++) {
      int r = receive();
      s->eof = r == UV_EOF;
      if (s->eof) return;
      if (r > 0) {
        if (closer == 1 && s->got == 1) close();
        continue;
      }
      uvf__lock(&s->lock);
      a_or(&s->marks, RX, seq_cst);
      heavy_fence();
      s->sleeps = !uvf__queue_readable(q);
      uvf__unlock(&s->lock);
      if (s->sleeps) return;
    }
  }

  void thread(unsigned index) {
    if (index == 0 && permits > 0) send_held();
    if (index == 0 && permits == 0) send_all();
    if (index == 1) receive_all();
    if (index == closer && closer != 1) close();
  }

  void after() {
    int r;
    uint32_t got = s->got;
    RL_ASSERT(s->accepted - got <= capacity);
    if (s->sleeps && uvf__queue_readable(q)) RL_ASSERT(s->rung > 0);
    if (s->waiting != NULL) RL_ASSERT(q->ops->reserve(q) == UV_EAGAIN);
    s->waiting = NULL;
    while ((r = receive()) > 0) {
    }
    bool closed = q->ops->closed(q) != 0;
    RL_ASSERT(r == (closed ? UV_EOF : UV_EAGAIN));
    if (s->eof) RL_ASSERT(s->got == got);
    RL_ASSERT(s->got == s->accepted);
    q->ops->destroy(q);
    uvf__mutex_destroy(&s->lock);
    uvf__free(s);
    model_end();
  }
};

static bool run(const char *name, size_t cap, int who, unsigned random, int held = 0) {
  capacity = cap;
  permits = held;
  closer = who;
  return model_run<model>(name, random, 2);
}

int main(void) {
  bool ok = run("capacity 1, open", 1, 3, 50000) && run("capacity 2, open", 2, 3, 50000) &&
            run("capacity 1, sender closes", 1, 0, 30000) && run("capacity 1, receiver closes", 1, 1, 70000) &&
            run("capacity 2, third closes", 2, 2, 100000) && run("capacity 2, third closes, permits", 2, 2, 100000, 2);
  return ok ? 0 : 1;
}
