/* SPDX-License-Identifier: MIT */
/* Full channels that drop: what goes, what stays, what is counted, on one thread. (Threads against each other:
 * overflow_flow_test.c.) Cases 29, 30. Promises 1 (dropped once), 11 (no memory: nothing is lost). */
#include "chan/loop_fixture.h"

/* Does this kind keep what came last? */
static bool keeps_newest(const chan_t *c) {
  return c->kind->bit == OLDEST;
}

/* Asserts. Of `sent` items of sender 0 those that have no room were dropped once, the others are there, in order. */
static void expect_overflow(chan_t *c, uint32_t sent, uint32_t capacity) {
  uint32_t kept = sent < capacity ? sent : capacity, first = keeps_newest(c) ? sent - kept : 0;
  uvf_chan_stats_t s = stats_of(c);
  assert_int_equal(s.sent, sent);
  assert_int_equal(s.dropped, sent - kept);
  assert_int_equal(s.len, kept);
  assert_int_equal(s.received + s.returned + s.waits, 0);
  assert_int_equal(atomic_load(&c->dropped), sent - kept);
  for (uint32_t i = 0; i < sent; i++)
    assert_int_equal(drops_of(c, 0, i), i < first || i >= first + kept);
  for (uint32_t i = first; i < first + kept; i++)
    expect(c, 0, i);
  assert_int_equal(try_recv(c), UV_EAGAIN);
  s = stats_of(c);
  assert_int_equal(s.received, kept);
  assert_int_equal(s.dropped, sent - kept);
}

static void case_29_the_undelivered_one_is_dropped(void **state) {
  chan_t c;
  chan_open(&c, state, 2);
  fill(&c, 0, 2);
  assert_int_equal(atomic_load(&c.dropped), 0);
  fill(&c, 2, 1);
  assert_int_equal(drops_of(&c, 0, keeps_newest(&c) ? 0 : 2), 1); /* before the send returns */
  expect_overflow(&c, 3, 2);
  chan_close(&c);
}

static void each_overflow_costs_one_item(void **state) {
  static const uint32_t capacities[] = {1, 2, 3, 5, 8, 33, 64};
  for (size_t k = 0; k < sizeof capacities / sizeof capacities[0]; k++) {
    for (uint32_t sent = capacities[k] - 1; sent <= capacities[k] * 3 + 1; sent += capacities[k] / 4 + 1) {
      chan_t c;
      chan_open(&c, state, capacities[k]);
      fill(&c, 0, sent);
      expect_overflow(&c, sent, capacities[k]);
      chan_close(&c);
    }
  }
}

static void many_at_once(void **state) {
  for (uint32_t before = 0; before <= 3; before++) {
    chan_t c;
    payload_t in[7];
    chan_open(&c, state, 3);
    fill(&c, 0, before);
    for (uint32_t i = 0; i < 7; i++)
      in[i] = item(0, before + i);
    assert_int_equal(uvf_try_send_n(c.tx, in, 7), 7);
    expect_overflow(&c, before + 7, 3);
    chan_close(&c);
  }
}

static void case_30_an_abort_drops_what_the_overflow_has_left(void **state) {
  chan_t c;
  chan_open(&c, state, 4);
  fill(&c, 0, 10);
  assert_int_equal(atomic_load(&c.dropped), c.kind->bit == UNBOUNDED ? 0 : 6);
  assert_int_equal(uvf_rx_abort(c.rx, 0), 0);
  for (uint32_t i = 0; i < 10; i++)
    assert_int_equal(drops_of(&c, 0, i), 1);
  uvf_chan_stats_t s = stats_of(&c);
  assert_int_equal(s.sent, 10);
  assert_int_equal(s.dropped, 10);
  assert_int_equal(s.received, 0);
  chan_close(&c);
  assert_int_equal(atomic_load(&c.dropped), 10);
}

static void a_closed_one_drops_nothing(void **state) {
  chan_t c;
  payload_t in[2] = {item(0, 2), item(0, 3)};
  chan_open(&c, state, 2);
  fill(&c, 0, 2);
  assert_int_equal(uvf_tx_close(c.tx, 0), 0);
  assert_int_equal(try_send(&c, 0, 2), UV_EPIPE);
  assert_int_equal(uvf_try_send_n(c.tx, in, 2), UV_EPIPE);
  assert_int_equal(atomic_load(&c.dropped), 0);
  expect(&c, 0, 0);
  expect(&c, 0, 1);
  assert_int_equal(try_recv(&c), UV_EOF);
  assert_int_equal(stats_of(&c).sent, 2);
  chan_close(&c);
}

/* UVF_SPSC is a promise of the user's that a queue need not make use of. */
static void drop_oldest_with_the_spsc_flag(void **state) {
  static const kind_t kind = {"drop oldest, spsc", OLDEST, 0, UVF_SPSC, UVF_OVERFLOW_DROP_OLDEST};
  void *of_kind = (void *)(uintptr_t)&kind;
  (void)state;
  case_29_the_undelivered_one_is_dropped(&of_kind);
  each_overflow_costs_one_item(&of_kind);
  many_at_once(&of_kind);
  a_closed_one_drops_nothing(&of_kind);
}

/* ---- sends do not wait ---- */

static void no_form_of_send_waits(void **state) {
  chan_t c;
  test_host_t h;
  op_t op = {0};
  blocked_t b;
  chan_open(&c, state, 1);
  fill(&c, 0, 1);
  start_sender(&c, &b, item(0, 1), UVF_FOREVER, 0);
  assert_int_equal(join_blocked(&b), 0);
  start_sender(&c, &b, item(0, 2), UVF_NOWAIT, 0);
  assert_int_equal(join_blocked(&b), 0);
  loop_open(&h, 0);
  assert_int_equal(start_send(&h, &op, c.tx, item(0, 3), UVF_FOREVER), 0);
  expect_pending(&op);
  test_host_run(&h);
  expect_done(&op, 0);
  assert_int_equal(start_send(&h, &op, c.tx, item(0, 4), UVF_NOWAIT), 0);
  test_host_run(&h);
  expect_done(&op, 0);
  assert_int_equal(h.timers, 0);
  expect_overflow(&c, 5, 1); /* with no wait begun */
  test_host_detach(&h);
  chan_close(&c);
}

/* Once a permit is used there is something to drop; and nobody passes who waits. */
static void drop_oldest_serves_who_waits_when_a_permit_is_used(void **state) {
  chan_t c;
  test_host_t h;
  op_t op = {0};
  uvf_permit_t p;
  chan_open(&c, state, 1);
  loop_open(&h, 0);
  reserve_all(&c, &p, 1);
  assert_int_equal(start_send(&h, &op, c.tx, item(0, 1), UVF_FOREVER), 0);
  assert_int_equal(permit_send(&p, 1, 0), 0);
  assert_int_equal(try_send(&c, 0, 2), 0);
  test_host_run(&h);
  expect_done(&op, 0);
  assert_int_equal(drops_of(&c, 1, 0) + drops_of(&c, 0, 1), 2);
  expect(&c, 0, 2);
  test_host_detach(&h);
  chan_close(&c);
}

static void drop_oldest_waits_where_permits_hold_all_room(void **state) {
  chan_t c;
  test_host_t h;
  op_t op = {0};
  uvf_permit_t p[2];
  chan_open(&c, state, 2);
  loop_open(&h, 0);
  reserve_all(&c, p, 2);
  assert_int_equal(try_send(&c, 0, 0), UV_EAGAIN);
  assert_int_equal(start_send(&h, &op, c.tx, item(0, 1), UVF_FOREVER), 0);
  test_host_run(&h);
  expect_pending(&op);
  uvf_permit_release(&p[0]);
  test_host_run(&h);
  expect_done(&op, 0);
  fill(&c, 2, 3); /* over what the send has left there, not over the permit */
  assert_int_equal(permit_send(&p[1], 1, 0), 0);
  expect(&c, 0, 4);
  expect(&c, 1, 0);
  assert_int_equal(atomic_load(&c.dropped), 3);
  test_host_detach(&h);
  chan_close(&c);
}

static void a_blocked_send_waits_for_a_permit_to_be_given_back(void **state) {
  chan_t c;
  uvf_permit_t p;
  blocked_t b;
  chan_open(&c, state, 1);
  reserve_all(&c, &p, 1);
  start_sender(&c, &b, item(0, 1), UVF_FOREVER, 1);
  uvf_permit_release(&p);
  assert_int_equal(join_blocked(&b), 0);
  expect(&c, 0, 1);
  assert_int_equal(atomic_load(&c.dropped), 0);
  chan_close(&c);
}

/* Also a permit counts as room that is taken. */
static void drop_newest_never_waits_for_permits(void **state) {
  chan_t c;
  test_host_t h;
  op_t op = {0};
  uvf_permit_t p;
  chan_open(&c, state, 1);
  loop_open(&h, 0);
  reserve_all(&c, &p, 1);
  assert_int_equal(try_send(&c, 0, 0), 0);
  assert_int_equal(start_send(&h, &op, c.tx, item(0, 1), UVF_FOREVER), 0);
  test_host_run(&h);
  expect_done(&op, 0);
  assert_int_equal(drops_of(&c, 0, 0) + drops_of(&c, 0, 1), 2);
  assert_int_equal(permit_send(&p, 0, 2), 0);
  expect(&c, 0, 2);
  test_host_detach(&h);
  chan_close(&c);
}

/* ---- batches ---- */

enum { BATCH = 4 };

typedef struct {
  chan_t *c;
  int intact, dropped;
} batch_t;

/* Inside the callback as many are sent as the channel has room for, all told. */
static void sends_over_its_batch(void *arg, int n, const payload_t *items) {
  batch_t *b = arg;
  if (n != BATCH || items[0].sender != 0) return;
  for (uint32_t i = 0; i < BATCH; i++)
    (void)try_send(b->c, 1, i);
  b->dropped = (int)atomic_load(&b->c->dropped);
  for (uint32_t i = 0; i < 2 * BATCH; i++)
    (void)try_send(b->c, 1, BATCH + i);
  for (uint32_t i = 0; i < BATCH; i++)
    b->intact += same(items[i], item(0, i));
}

static void a_batch_under_delivery_stays_whole(void **state) {
  static reading_t r;
  chan_t c;
  test_host_t h;
  uvf_reader_options_t o = {.max_batch = BATCH}; /* by default it would be half of that */
  memset(&r, 0, sizeof r);
  chan_open(&c, state, BATCH);
  loop_open(&h, 0);
  batch_t b = {.c = &c};
  fill(&c, 0, BATCH);
  r.then = sends_over_its_batch;
  r.arg = &b;
  assert_int_equal(start_reader(&h, &r, c.rx, &o), 0);
  test_host_run(&h);
  assert_int_equal(b.intact, BATCH);
  bool copies = keeps_newest(&c) || !UVF__ATOMICS; /* they take no room, what is lent does */
  assert_int_equal(b.dropped, copies ? 0 : BATCH);
  uvf_chan_stats_t s = stats_of(&c);
  assert_int_equal(s.sent, 4 * BATCH);
  assert_int_equal(s.received, r.count);
  assert_int_equal(s.dropped, atomic_load(&c.dropped));
  assert_int_equal(s.sent, s.received + s.dropped);
  assert_int_equal(r.count, copies ? 2 * BATCH : BATCH);
  if (copies) assert_true(same(r.got[2 * BATCH - 1], item(1, (keeps_newest(&c) ? 3 : 1) * BATCH - 1)));
  test_host_detach(&h);
  chan_close(&c);
}

/* ---- a drop that uses the channel ---- */

typedef struct {
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  int what, drops, result;
  pthread_t on;
} meddler_t;

enum { SENDS, RECEIVES, CLOSES, ABORTS, RELEASES_RX, RELEASES_TX, MEDDLES };

static void meddles(void *bytes, void *data) {
  meddler_t *m = data;
  payload_t it = item(7, 7);
  (void)bytes;
  m->on = pthread_self();
  if (m->drops++ > 0) return;
  switch (m->what) {
  case SENDS: m->result = uvf_try_send(m->tx, &it); break;
  case RECEIVES: m->result = uvf_try_recv(m->rx, &it); break;
  case CLOSES: m->result = uvf_tx_close(m->tx, 0); break;
  case ABORTS: m->result = uvf_rx_abort(m->rx, 0); break;
  case RELEASES_RX: uvf_rx_release(m->rx), m->rx = NULL; break;
  default: uvf_tx_release(m->tx), m->tx = NULL; break; /* one of two */
  }
}

static void drop_may_use_the_channel(void **state) {
  const kind_t *kind = *state;
  for (int what = SENDS; what < MEDDLES; what++) {
    static const int drops[2][MEDDLES] = {{2, 1, 1, 3, 3, 1}, {2, 1, 1, 3, 3, 1}};
    meddler_t m = {.what = what, .result = 0};
    payload_t got;
    int left = 0;
    uvf_chan_options_t o = {.item_size = sizeof(payload_t),
                            .capacity = 2,
                            .flags = kind->flags,
                            .overflow = kind->overflow,
                            .drop = meddles,
                            .data = &m};
    assert_int_equal(uvf_chan_create(&o, &m.tx, &m.rx), 0);
    uvf_tx_t *tx = uvf_tx_retain(m.tx);
    for (uint32_t i = 0; i < 3; i++) {
      payload_t it = item(0, i);
      assert_int_equal(uvf_try_send(tx, &it), 0);
    }
    assert_int_equal(m.result, 0);
    assert_int_equal(m.drops, drops[kind->bit != OLDEST][what]);
    assert_true(pthread_equal(m.on, pthread_self()));
    while (m.rx != NULL && uvf_try_recv(m.rx, &got) == 0)
      left++;
    assert_int_equal(left, what == RECEIVES ? 1 : what == ABORTS || what == RELEASES_RX ? 0 : 2);
    uvf_tx_release(m.tx);
    uvf_tx_release(tx);
    uvf_rx_release(m.rx);
  }
}

/* ---- sizes ---- */

enum { LARGEST = 5000 };

typedef struct {
  size_t size;
  int drops, wrong;
  unsigned char first; /* what the next drop begins with */
} sized_t;

static void fill_bytes(unsigned char *bytes, size_t size, unsigned char with) {
  for (size_t i = 0; i < size; i++)
    bytes[i] = (unsigned char)(with + i % 7);
}

static bool bytes_are(const unsigned char *bytes, size_t size, unsigned char with) {
  for (size_t i = 0; i < size; i++)
    if (bytes[i] != (unsigned char)(with + i % 7)) return false;
  return true;
}

static void sized_drop(void *bytes, void *data) {
  sized_t *s = data;
  s->wrong += !bytes_are(bytes, s->size, s->first);
  s->first++;
  s->drops++;
}

/* Sends 1, 2, 3 into a channel of 2; fault: without memory at first. */
static void one_size(const kind_t *kind, size_t size, bool with_drop, bool fault) {
  static unsigned char bytes[LARGEST];
  bool oldest = kind->bit == OLDEST;
  sized_t s = {.size = size, .first = oldest ? 1 : 3};
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  uvf_chan_options_t o = {.item_size = size,
                          .capacity = 2,
                          .flags = kind->flags,
                          .overflow = kind->overflow,
                          .drop = with_drop ? sized_drop : NULL,
                          .data = &s};
  assert_int_equal(uvf_chan_create(&o, &tx, &rx), 0);
  for (unsigned char i = 1; i <= 3; i++) {
    fill_bytes(bytes, size, i);
    if (fault && i == 3) {
      fault_from(1);
      int r = uvf_try_send(tx, bytes);
      fault_at(0);
      bool needs = oldest && with_drop && size > 256;
      assert_int_equal(r, needs ? UV_ENOMEM : 0);
      assert_int_equal(s.drops, needs ? 0 : with_drop);
      assert_int_equal(uvf_rx_len(rx), 2);
      if (!needs) break;
    }
    assert_int_equal(uvf_try_send(tx, bytes), 0);
  }
  assert_int_equal(s.drops, with_drop ? 1 : 0);
  assert_int_equal(s.wrong, 0);
  for (unsigned char i = 0; i < 2; i++) {
    assert_int_equal(uvf_try_recv(rx, bytes), 0);
    assert_true(bytes_are(bytes, size, (unsigned char)(i + (oldest ? 2 : 1))));
  }
  uvf_tx_release(tx);
  assert_int_equal(uvf_try_recv(rx, bytes), UV_EOF);
  uvf_chan_stats_t stats;
  uvf_rx_stats(rx, &stats);
  assert_int_equal(stats.sent, 3);
  assert_int_equal(stats.received, 2);
  assert_int_equal(stats.dropped, 1);
  uvf_rx_release(rx);
}

static void items_of_every_size(void **state) {
  static const size_t sizes[] = {0, 1, 3, 256, 257, 300, LARGEST};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
    for (int drop = 0; drop <= 1; drop++)
      one_size(*state, sizes[i], drop == 1, false);
}

static void promise_11_without_memory_nothing_is_lost(void **state) {
  static const size_t sizes[] = {0, 1, 256, 257, 300, LARGEST};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
    for (int drop = 0; drop <= 1; drop++)
      one_size(*state, sizes[i], drop == 1, true);
}

int main(void) {
  static const case_t cases[] = {
      CASE(case_29_the_undelivered_one_is_dropped, DROPPING),
      CASE(each_overflow_costs_one_item, DROPPING),
      CASE(many_at_once, DROPPING),
      CASE(case_30_an_abort_drops_what_the_overflow_has_left, DROPPING | UNBOUNDED),
      CASE(a_closed_one_drops_nothing, DROPPING),
      CASE(drop_oldest_with_the_spsc_flag, 0),
      CASE(no_form_of_send_waits, DROPPING),
      CASE(drop_oldest_waits_where_permits_hold_all_room, OLDEST),
      CASE(drop_oldest_serves_who_waits_when_a_permit_is_used, OLDEST),
      CASE(a_blocked_send_waits_for_a_permit_to_be_given_back, OLDEST),
      CASE(drop_newest_never_waits_for_permits, NEWEST | NEWEST_SPSC),
      CASE(a_batch_under_delivery_stays_whole, DROPPING),
      CASE(drop_may_use_the_channel, DROPPING),
      CASE(items_of_every_size, DROPPING),
      CASE(promise_11_without_memory_nothing_is_lost, DROPPING),
  };
  return RUN_CASES(cases);
}
