/* SPDX-License-Identifier: MIT */
/* The bounded ring: a sender of one who then receives, a sender of several who waits for room, the holder of a permit, who
 * may close and then uses it, and a receiver who marks, looks and sleeps. Looks and marks are those of the waiting layer in small: who sleeps
 * marks and looks under a lock, which who closes takes, too; nobody else does.
 * sources: queue/mpmc_ring.c */
#include "model.h"

#include "queue/mpmc_ring.h"
#include "queue/word.h"

static size_t capacity;
static uint64_t start;
static bool closes;

enum { RX = 1, TX = 2 };

typedef struct {
  uvf__mpmc_ring_t ring;
  uvf__mutex_t lock;
  a_u32 marks;
  uint32_t rx_rung, tx_rung; /* the checker switches threads at atomics only */
  bool rx_sleeps, tx_sleeps, eof;
  int accepted, got;
  uint64_t last[4][3]; /* by thread and sender: the last number received */
  bool seen[3][4];
} state_t;

struct model : rl::test_suite<model, 4> {
  state_t *s;
  uvf__queue_t *q;

  void before() {
    model_begin();
    s = model_new<state_t>();
    q = &s->ring.base;
    RL_ASSERT(uvf__mpmc_ring_init(&s->ring, sizeof(model_item_t), capacity, start) == 0);
    RL_ASSERT(uvf__mutex_init(&s->lock) == 0);
    a_init(&s->marks, 0);
    RL_ASSERT(q->ops->reserve(q) == 0);
  }

  void look(uint32_t mark) {
    if ((a_load(&s->marks, seq_cst) & mark) == 0) return;
    if (mark == RX)
      s->rx_rung++;
    else
      s->tx_rung++;
  }

  /* True: asleep. */
  bool falls_asleep(uint32_t mark) {
    uvf__lock(&s->lock);
    a_or(&s->marks, mark, seq_cst);
    a_fence(seq_cst);
    int r = mark == TX ? q->ops->reserve(q) : uvf__queue_readable(q) ? 0 : UV_EAGAIN;
    uvf__unlock(&s->lock);
    if (r == 0 && mark == TX) q->ops->unreserve(q);
    return r == UV_EAGAIN;
  }

  /* Numbers first .. first + n - 1 of a sender, as sender << 8 | number. */
  int send(unsigned sender, uint64_t first, int n) {
    model_item_t items[2];
    memset((void *)items, 0, sizeof items);
    for (int i = 0; i < n; i++)
      item_set(&items[i], sender << 8 | (first + i));
    int r = q->ops->send(q, items, n);
    model_forget(items, sizeof items);
    if (r > 0) {
      s->accepted += r;
      look(RX);
    }
    return r;
  }

  void check_received(unsigned receiver, uint64_t v) {
    uint64_t sender = v >> 8, number = v & 0xff;
    RL_ASSERT(number > s->last[receiver][sender] && !s->seen[sender][number]);
    s->last[receiver][sender] = number;
    s->seen[sender][number] = true;
  }

  int receive(unsigned receiver, int n) {
    model_item_t items[2];
    memset((void *)items, 0, sizeof items);
    bool ended = s->eof;
    int r = q->ops->recv(q, items, n);
    if (ended) RL_ASSERT(r == UV_EOF);
    for (int i = 0; i < r; i++)
      check_received(receiver, item_get(&items[i]));
    model_forget(items, sizeof items);
    if (r > 0) {
      s->got += r;
      look(TX);
    }
    return r;
  }

  void send_several() {
    int done = 0, r = 0;
    for (int tries = 0; done < 3 && tries < 3; tries++) {
      r = send(1, 1 + done, done == 0 ? 2 : 1);
      if (r == UV_EPIPE) return;
      if (r > 0) done += r;
      if (r != UV_EAGAIN) continue;
      s->tx_sleeps = falls_asleep(TX);
      if (s->tx_sleeps) return;
    }
  }

  void use_permit() {
    model_item_t item;
    memset((void *)&item, 0, sizeof item);
    if (closes) {
      uvf__lock(&s->lock);
      q->ops->close(q, UVF__CLOSED);
      uvf__unlock(&s->lock);
      look(RX);
      look(TX);
    }
    item_set(&item, 2 << 8 | 1);
    RL_ASSERT(q->ops->send_held(q, &item) == 0);
    model_forget(&item, sizeof item);
    s->accepted++;
    look(RX);
  }

  void receive_some() {
    for (int i = 0; i < 4; i++) {
      int r = receive(3, 1 + i % 2);
      if (r > 0) continue;
      if (r == UV_EOF) {
        s->eof = true;
        return;
      }
      s->rx_sleeps = falls_asleep(RX);
      if (s->rx_sleeps) return;
    }
  }

  void thread(unsigned index) {
    if (index == 0 && send(0, 1, 1) > 0) (void)receive(0, 1);
    if (index == 1) send_several();
    if (index == 2) use_permit();
    if (index == 3) receive_some();
  }

  void after() {
    uvf__counts_t counts;
    int got = s->got, r;
    q->ops->counts(q, &counts);
    RL_ASSERT(counts.sent == (uint64_t)s->accepted && counts.taken == (uint64_t)got);
    RL_ASSERT(counts.sent - counts.taken <= capacity);
    if (s->rx_sleeps && uvf__queue_readable(q)) RL_ASSERT(s->rx_rung > 0);
    if (s->tx_sleeps && (r = q->ops->reserve(q)) != UV_EAGAIN) {
      RL_ASSERT(s->tx_rung > 0);
      if (r == 0) q->ops->unreserve(q);
    }
    while ((r = receive(2, 2)) > 0) {
    }
    RL_ASSERT(r == (closes ? UV_EOF : UV_EAGAIN));
    RL_ASSERT(s->got == s->accepted);
    q->ops->destroy(q);
    uvf__mutex_destroy(&s->lock);
    uvf__free(s);
    model_end();
  }
};

static bool run(const char *name, size_t cap, uint64_t first, bool close, unsigned random) {
  capacity = cap;
  start = first;
  closes = close;
  return model_run<model>(name, random, 1);
}

int main(void) {
  bool ok = run("capacity 1", 1, 0, true, 100000) && run("capacity 1, open", 1, WORD_IDX, false, 50000) &&
            run("capacity 2, about to wrap", 2, WORD_IDX, true, 100000) &&
            run("capacity 2, open", 2, 0, false, 50000) && run("capacity 3 in 4", 3, 0, true, 100000);
  return ok ? 0 : 1;
}
