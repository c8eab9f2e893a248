/* SPDX-License-Identifier: MIT */
/* The unbounded list, with blocks of two or four slots (the first has one), so that each few items install, leave and reuse a
 * block: a sender of several, a sender of single ones, a receiver who marks, looks and sleeps, and one who may close, uses a
 * permit after that and receives, too. Marks and looks are those of the waiting layer in small.
 * sources: queue/block_list.c
 * flags: -DBLOCK_BYTES=640 -DMIN_LAP_BITS=1 -DMAX_LAP_BITS=2 -DFIRST_SLOTS=1 */
#include "model.h"

#include "queue/block_list.h"
#include "queue/word.h"

/* Large items make for small blocks. */
enum { LAP_OF_4 = sizeof(model_item_t), LAP_OF_2 = sizeof(model_item_t) + 16 };

static uint64_t start;
static size_t item_size;
static bool closes;

typedef struct {
  uvf__block_list_t list;
  uvf__mutex_t lock;
  a_u32 marked;
  uint32_t rung, accepted, got;
  bool sleeps, eof;
  uint64_t last[4][4]; /* by thread and sender: the last number received */
  bool seen[4][8];
} state_t;

struct model : rl::test_suite<model, 4> {
  state_t *s;
  uvf__queue_t *q;

  void before() {
    model_begin();
    s = model_new<state_t>();
    q = &s->list.base;
    RL_ASSERT(uvf__block_list_init(&s->list, item_size, start) == 0);
    RL_ASSERT(s->list.lap_bits == (item_size == LAP_OF_4 ? 2 : 1));
    RL_ASSERT(uvf__mutex_init(&s->lock) == 0);
    a_init(&s->marked, 0);
    if (closes) RL_ASSERT(q->ops->reserve(q) == 0);
  }

  static model_item_t *item(char *items, int i) {
    return (model_item_t *)(void *)(items + i * item_size);
  }

  void look() {
    if (a_load(&s->marked, seq_cst) != 0) s->rung++;
  }

  /* Numbers first .. first + n - 1 of a sender. */
  void send(unsigned sender, uint64_t first, int n, bool held) {
    alignas(16) char items[2 * LAP_OF_2];
    memset(items, 0, sizeof items);
    for (int i = 0; i < n; i++)
      item_set(item(items, i), sender << 8 | (first + i));
    int r = held ? q->ops->send_held(q, items) : q->ops->send(q, items, n);
    RL_ASSERT(held ? r == 0 : r == n || r == UV_EPIPE || (r > 0 && closes));
    if (r >= 0) {
      s->accepted += held ? 1 : r;
      look();
    }
    model_forget(items, sizeof items);
  }

  void check_received(unsigned receiver, uint64_t v) {
    uint64_t sender = v >> 8, number = v & 0xff;
    RL_ASSERT(number > s->last[receiver][sender] && !s->seen[sender][number]);
    s->last[receiver][sender] = number;
    s->seen[sender][number] = true;
  }

  int receive(unsigned receiver, int n) {
    alignas(16) char items[2 * LAP_OF_2];
    memset(items, 0, sizeof items);
    bool ended = s->eof;
    int r = q->ops->recv(q, items, n);
    if (ended) RL_ASSERT(r == UV_EOF);
    for (int i = 0; i < r; i++)
      check_received(receiver, item_get(item(items, i)));
    if (r > 0) s->got += r;
    model_forget(items, sizeof items);
    return r;
  }

  void receive_some() {
    for (int i = 0; i < 6; i++) {
      int r = receive(2, 1 + i % 2);
      s->eof = r == UV_EOF;
      if (s->eof) return;
      if (r > 0) continue;
      uvf__lock(&s->lock);
      a_or(&s->marked, 1, seq_cst);
      a_fence(seq_cst);
      s->sleeps = !uvf__queue_readable(q);
      uvf__unlock(&s->lock);
      if (s->sleeps) return;
    }
  }

  void close() {
    uvf__lock(&s->lock);
    q->ops->close(q, UVF__CLOSED);
    uvf__unlock(&s->lock);
    look();
    send(3, 1, 1, true);
  }

  void thread(unsigned index) {
    if (index == 0) {
      send(0, 1, 1, false);
      send(0, 2, 2, false);
    }
    if (index == 1) {
      send(1, 1, 1, false);
      send(1, 2, 1, false);
      send(1, 3, 1, false);
      if (item_size == LAP_OF_2) send(1, 4, 1, false);
    }
    if (index == 2) receive_some();
    if (index == 3) {
      (void)receive(3, 1);
      if (closes) close();
      (void)receive(3, 1);
    }
  }

  void after() {
    int r;
    uint32_t got = s->got;
    uvf__counts_t counts;
    q->ops->counts(q, &counts);
    RL_ASSERT(counts.sent == s->accepted && counts.taken == got);
    if (s->sleeps && uvf__queue_readable(q)) RL_ASSERT(s->rung > 0);
    while ((r = receive(1, 2)) > 0) {
    }
    RL_ASSERT(r == (closes ? UV_EOF : UV_EAGAIN));
    RL_ASSERT(s->got == s->accepted);
    q->ops->destroy(q);
    uvf__mutex_destroy(&s->lock);
    uvf__free(s);
    model_end();
  }
};

static bool run(const char *name, size_t size, uint64_t first, bool close, unsigned random) {
  item_size = size;
  start = first;
  closes = close;
  return model_run<model>(name, random, 1);
}

int main(void) {
  bool ok = run("laps of 2, open", LAP_OF_2, 0, false, 60000) && run("laps of 4, open", LAP_OF_4, 0, false, 60000) &&
            run("laps of 2, closed, about to wrap", LAP_OF_2, WORD_IDX, true, 80000);
  return ok ? 0 : 1;
}
