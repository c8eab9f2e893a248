/* SPDX-License-Identifier: MIT */
/* What only one-to-one channels do: their roles go from thread to thread, a sender that is inside a send settles the end, slots
 * are given back in order when receives nest. (All that they share with the other kinds is in the other files.)
 * Cases 3, 13, 16, 20. Promises 1, 5, 6. */
#include "chan/loop_fixture.h"

#if defined(__SANITIZE_THREAD__)
enum { ROUNDS = 3000, STREAM = 20000 };
#else
enum { ROUNDS = 8000, STREAM = 100000 };
#endif

/* ---- nested receives ---- */

typedef struct {
  chan_t *c;
  reading_t *r;
  payload_t inner[8];
  int count, send_inside, len_inside;
} nest_t;

/* A receive inside a batch's callback gets what comes behind the batch; all of the room comes back after it. */
static void receives_inside(void *arg, int n, const payload_t *items) {
  nest_t *nest = arg;
  if (n < 0 || items[0].seq != 0) return;
  while (nest->count < 3 && uvf_try_recv(nest->c->rx, &nest->inner[nest->count]) == 0)
    nest->count++;
  nest->len_inside = (int)uvf_rx_len(nest->c->rx);
  nest->send_inside = try_send(nest->c, 0, 100);
}

static void receives_nest(void **state) {
  static reading_t r;
  chan_t c;
  test_host_t h;
  uvf_reader_options_t o = {.max_batch = 3};
  memset(&r, 0, sizeof r);
  chan_open(&c, state, 8);
  loop_open(&h, 0);
  nest_t nest = {.c = &c, .r = &r};
  r.then = receives_inside;
  r.arg = &nest;
  assert_int_equal(start_reader(&h, &r, c.rx, &o), 0);
  fill(&c, 0, 8);
  test_host_run(&h);
  assert_int_equal(nest.count, 3);
  for (uint32_t i = 0; i < 3; i++)
    assert_true(same(nest.inner[i], item(0, 3 + i)));
  assert_int_equal(nest.len_inside, 2);
  if (c.kind->bit == SPSC && BATCH_TAKES_ROOM)
    assert_int_equal(nest.send_inside, UV_EAGAIN); /* in order: the batch's slots come first */
  int more = nest.send_inside == 0 ? 1 : 0;
  assert_int_equal(r.count, 5 + more);
  assert_true(same(r.got[3], item(0, 6)));
  assert_true(same(r.got[4], item(0, 7)));
  fill(&c, 0, 8); /* all of the room is back; the callback nests once more */
  if (c.kind->bit == SPSC) assert_int_equal(try_send(&c, 0, 8), UV_EAGAIN);
  test_host_run(&h);
  uvf_chan_stats_t s = stats_of(&c);
  assert_int_equal(s.sent, s.received);
  test_host_detach(&h);
  chan_close(&c);
}

/* ---- closing while the sender is inside a send ---- */

typedef struct {
  uv_barrier_t gate;
  atomic_bool stop;
  chan_t *c;
  uint32_t accepted;
  int last;
} sender_t;

static void sends_until_closed(void *arg) {
  sender_t *s = arg;
  for (;;) {
    (void)uv_barrier_wait(&s->gate);
    if (atomic_load(&s->stop)) return;
    s->accepted = 0;
    do
      s->last = try_send(s->c, 0, s->accepted);
    while (s->last == UV_EAGAIN || (s->last == 0 && ++s->accepted < LEDGER_SEQS));
    (void)uv_barrier_wait(&s->gate);
  }
}

/* The receiver closes in the middle of a stream: what was accepted arrives, and then the end; the receiver sleeps meanwhile. */
static bool close_round(void **state, sender_t *s, uint32_t round) {
  chan_t c;
  payload_t it;
  uint32_t got = 0;
  int r = 0;
  bool right = true;
  chan_open(&c, state, 1 + round % 4);
  s->c = &c;
  (void)uv_barrier_wait(&s->gate);
  while (got < round % 7 && uvf_recv_sync(c.rx, &it, UVF_FOREVER) == 0)
    right = right && same(it, item(0, got++));
  right = right && uvf_rx_close(c.rx, UV_EIO) == 0;
  while ((r = uvf_recv_sync(c.rx, &it, UVF_FOREVER)) == 0)
    right = right && same(it, item(0, got++));
  (void)uv_barrier_wait(&s->gate);
  right = right && r == UV_EIO && s->last == UV_EPIPE && got == s->accepted;
  chan_close(&c);
  return right && atomic_load(&c.dropped) == 0;
}

static void case_16_closed_by_the_receiver_while_the_sender_sends(void **state) {
  sender_t s;
  thread_t thread;
  bool right = true;
  memset(&s, 0, sizeof s);
  assert_int_equal(uv_barrier_init(&s.gate, 2), 0);
  thread_start(&thread, sends_until_closed, &s);
  for (uint32_t round = 0; round < ROUNDS && right; round++)
    right = close_round(state, &s, round);
  atomic_store(&s.stop, true);
  (void)uv_barrier_wait(&s.gate);
  thread_join(&thread);
  uv_barrier_destroy(&s.gate);
  assert_true(right);
}

/* The receiver aborts in the middle: each item that was accepted is received or dropped, once. */
static bool abort_round(void **state, sender_t *s, uint32_t round) {
  chan_t c;
  payload_t it;
  uint32_t got = 0;
  chan_open(&c, state, 1 + round % 4);
  s->c = &c;
  (void)uv_barrier_wait(&s->gate);
  while (got < round % 7 && uvf_recv_sync(c.rx, &it, UVF_FOREVER) == 0)
    got++;
  bool right = uvf_rx_abort(c.rx, 0) == 0 && uvf_recv_sync(c.rx, &it, UVF_FOREVER) == UV_EOF;
  (void)uv_barrier_wait(&s->gate);
  right = right && s->last == UV_EPIPE && got + atomic_load(&c.dropped) == s->accepted;
  for (uint32_t i = 0; i < s->accepted; i++)
    right = right && drops_of(&c, 0, i) == (i < got ? 0 : 1);
  chan_close(&c);
  return right;
}

static void case_20_aborted_while_the_sender_sends(void **state) {
  sender_t s;
  thread_t thread;
  bool right = true;
  memset(&s, 0, sizeof s);
  assert_int_equal(uv_barrier_init(&s.gate, 2), 0);
  thread_start(&thread, sends_until_closed, &s);
  for (uint32_t round = 0; round < ROUNDS && right; round++)
    right = abort_round(state, &s, round);
  atomic_store(&s.stop, true);
  (void)uv_barrier_wait(&s.gate);
  thread_join(&thread);
  uv_barrier_destroy(&s.gate);
  assert_true(right);
}

/* ---- roles that move ---- */

typedef struct {
  chan_t *c;
  uint32_t first, count;
  bool right;
} part_t;

static void sends_a_part(void *arg) {
  part_t *p = arg;
  for (uint32_t i = 0; i < p->count; i++) {
    payload_t it = item(0, p->first + i);
    p->right = uvf_send_sync(p->c->tx, &it, UVF_FOREVER) == 0 && p->right;
  }
}

static void receives_a_part(void *arg) {
  part_t *p = arg;
  for (uint32_t i = 0; i < p->count; i++) {
    payload_t it;
    p->right = uvf_recv_sync(p->c->rx, &it, UVF_FOREVER) == 0 && same(it, item(0, p->first + i)) && p->right;
  }
}

/* Each side goes to a new thread after each part, ordered by the joins. */
static void a_side_may_go_to_another_thread(void **state) {
  chan_t c;
  chan_open(&c, state, 5);
  for (uint32_t k = 0; k < 20; k++) {
    thread_t sender, receiver;
    part_t out = {&c, 100 * k, 100, true}, in = {&c, 100 * k, 100, true};
    thread_start(&sender, sends_a_part, &out);
    thread_start(&receiver, receives_a_part, &in);
    thread_join(&sender);
    thread_join(&receiver);
    assert_true(out.right && in.right);
  }
  chan_close(&c);
}

/* ---- a reader with a sender on another thread ---- */

static void case_03_a_stream_into_a_reader(void **state) {
  for (size_t capacity = 1; capacity <= 1024; capacity *= 32) {
    static reading_t r;
    chan_t c;
    test_host_t h;
    thread_t sender;
    memset(&r, 0, sizeof r);
    chan_open(&c, state, capacity);
    loop_open(&h, 0);
    part_t out = {&c, 0, capacity == 1 ? READ_LOG : STREAM, true};
    assert_int_equal(start_reader(&h, &r, c.rx, NULL), 0);
    thread_start(&sender, sends_a_part, &out);
    while (stats_of(&c).received < out.count)
      if (!test_host_turn(&h)) test_host_await_wake(&h);
    thread_join(&sender);
    assert_true(out.right);
    for (uint32_t i = 0; i < READ_LOG; i++)
      assert_true(same(r.got[i], item(0, i)));
    test_host_detach(&h);
    chan_close(&c);
    assert_int_equal(atomic_load(&c.dropped), 0);
  }
}

int main(void) {
  static const case_t cases[] = {
      CASE(receives_nest, QUEUED),
      CASE(case_16_closed_by_the_receiver_while_the_sender_sends, SPSC),
      CASE(case_20_aborted_while_the_sender_sends, SPSC),
      CASE(a_side_may_go_to_another_thread, SPSC),
      CASE(case_03_a_stream_into_a_reader, SPSC),
  };
  return RUN_CASES(cases);
}
