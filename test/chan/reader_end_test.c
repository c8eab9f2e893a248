/* SPDX-License-Identifier: MIT */
/* How a reader ends: the end or the cause as its last callback, restart, release of the last rx, detach; and how the loop's
 * keep-alive follows. Cases 16, 18, 22, 23, 27, 35, 36, 73, 75. Promises 2, 6, 8, 13. */
#include "chan/loop_fixture.h"

static reading_t reading; /* large; each case begins with a new one */

static reading_t *new_reading(void) {
  memset(&reading, 0, sizeof reading);
  return &reading;
}

/* ---- the end ---- */

/* The end comes once, after everything that was accepted, whether the reader was there before the close or not. */
static void ends_with(void **state, int cause, bool closed_before, int expected) {
  chan_t c;
  test_host_t h;
  reading_t *r = new_reading();
  chan_open(&c, state, 8);
  loop_open(&h, 0);
  if (!closed_before) {
    assert_int_equal(start_reader(&h, r, c.rx, NULL), 0);
    test_host_run(&h);
  }
  if (c.kind->bit != RENDEZVOUS) fill(&c, 0, 5);
  if (cause == 0) {
    uvf_tx_release(c.tx);
    c.tx = NULL;
  } else {
    assert_int_equal(uvf_tx_close(c.tx, cause), 0);
  }
  if (closed_before) assert_int_equal(start_reader(&h, r, c.rx, NULL), 0);
  assert_int_equal(r->calls, 0);
  test_host_run(&h);
  assert_int_equal(r->count, c.kind->bit == RENDEZVOUS ? 0 : 5);
  expect_ended(r, expected);
  expect_idle(&h, false);
  assert_int_equal(uvf_reader_stop(&r->rd), UV_EALREADY);
  test_host_detach(&h);
  expect_ended(r, expected); /* no further call */
  chan_close(&c);
  assert_int_equal(atomic_load(&c.dropped), 0);
}

static void case_18_a_waiting_reader_gets_the_end(void **state) {
  ends_with(state, 0, false, UV_EOF);
}

static void case_22_a_waiting_reader_gets_the_cause(void **state) {
  ends_with(state, UV_ECONNRESET, false, UV_ECONNRESET);
}

static void case_23_a_reader_started_after_the_end_gets_it(void **state) {
  ends_with(state, 0, true, UV_EOF);
}

static void case_23_a_reader_started_after_the_end_gets_the_cause(void **state) {
  ends_with(state, UVF_ELAGGED, true, UVF_ELAGGED);
}

static void an_abort_ends_the_reader_at_once(void **state) {
  chan_t c;
  test_host_t h;
  reading_t *r = new_reading();
  chan_open(&c, state, 8);
  loop_open(&h, 0);
  assert_int_equal(start_reader(&h, r, c.rx, NULL), 0);
  test_host_run(&h);
  if (c.kind->bit != RENDEZVOUS) fill(&c, 0, 5);
  assert_int_equal(uvf_rx_abort(c.rx, UV_EINTR), 0);
  test_host_run(&h);
  assert_int_equal(r->count, 0);
  expect_ended(r, UV_EINTR);
  test_host_detach(&h);
  chan_close(&c);
  assert_int_equal(atomic_load(&c.dropped), c.kind->bit == RENDEZVOUS ? 0 : 5);
}

static void several_readers_all_get_the_end(void **state) {
  static reading_t r[5];
  chan_t c;
  test_host_t h;
  int items = 0;
  memset(r, 0, sizeof r);
  chan_open(&c, state, 8);
  loop_open(&h, 0);
  for (int i = 0; i < 5; i++)
    assert_int_equal(start_reader(&h, &r[i], c.rx, NULL), 0);
  test_host_run(&h);
  fill(&c, 0, c.kind->bit == RENDEZVOUS ? 1 : 8);
  assert_int_equal(uvf_tx_close(c.tx, UV_EIO), 0);
  test_host_run(&h);
  for (int i = 0; i < 5; i++) {
    items += r[i].count;
    expect_ended(&r[i], UV_EIO);
  }
  assert_int_equal(items, c.kind->bit == RENDEZVOUS ? 1 : 8);
  test_host_detach(&h);
  chan_close(&c);
}

/* Not even the end: it comes when the pause is over. */
static void a_paused_reader_does_not_hear_of_the_end(void **state) {
  chan_t c;
  test_host_t h;
  reading_t *r = new_reading();
  chan_open(&c, state, 4);
  loop_open(&h, 0);
  assert_int_equal(start_reader(&h, r, c.rx, NULL), 0);
  test_host_run(&h);
  uvf_reader_pause(&r->rd);
  if (c.kind->bit != RENDEZVOUS) fill(&c, 0, 2);
  assert_int_equal(uvf_tx_close(c.tx, 0), 0);
  test_host_run(&h);
  assert_int_equal(r->calls, 0);
  expect_idle(&h, false);
  uvf_reader_resume(&r->rd);
  test_host_run(&h);
  assert_int_equal(r->count, c.kind->bit == RENDEZVOUS ? 0 : 2);
  expect_ended(r, UV_EOF);
  test_host_detach(&h);
  chan_close(&c);
}

/* ---- after the end ---- */

static void restarted_after_the_end(void **state) {
  chan_t first, second;
  test_host_t h;
  reading_t *r = new_reading();
  chan_open(&first, state, 4);
  chan_open(&second, state, 4);
  loop_open(&h, 0);
  assert_int_equal(start_reader(&h, r, first.rx, NULL), 0);
  assert_int_equal(uvf_tx_close(first.tx, 0), 0);
  test_host_run(&h);
  expect_ended(r, UV_EOF);
  r->ends = r->calls = 0;
  assert_int_equal(start_reader(&h, r, second.rx, NULL), 0);
  test_host_run(&h);
  fill(&second, 0, 1);
  test_host_run(&h);
  expect_read(r, 0, 0, 1);
  test_host_detach(&h);
  chan_close(&first);
  chan_close(&second);
}

typedef struct {
  test_host_t *h;
  reading_t *r;
  uvf_rx_t *rx;
  int result;
} restart_t;

static void restarts_at_the_end(void *arg, int n, const payload_t *items) {
  restart_t *again = arg;
  (void)items;
  if (n > 0 || again->rx == NULL) return;
  again->result = start_reader(again->h, again->r, again->rx, NULL);
  again->rx = NULL;
}

static void restarted_inside_its_last_callback(void **state) {
  chan_t first, second;
  test_host_t h;
  reading_t *r = new_reading();
  chan_open(&first, state, 4);
  chan_open(&second, state, 4);
  loop_open(&h, 0);
  restart_t again = {&h, r, second.rx, 1};
  r->then = restarts_at_the_end;
  r->arg = &again;
  assert_int_equal(start_reader(&h, r, first.rx, NULL), 0);
  uvf_tx_release(first.tx);
  uvf_rx_release(first.rx); /* the reader's is the last one: the end frees the channel under the restarted reader */
  first.tx = NULL;
  first.rx = NULL;
  test_host_run(&h);
  assert_int_equal(again.result, 0);
  assert_int_equal(r->ends, 1);
  assert_false(r->active_at_end);
  assert_true(uvf_reader_active(&r->rd));
  fill(&second, 0, 1);
  test_host_run(&h);
  assert_int_equal(r->count, 1);
  assert_int_equal(uvf_tx_close(second.tx, UV_EIO), 0);
  test_host_run(&h);
  assert_int_equal(r->ends, 2);
  assert_int_equal(r->end, UV_EIO);
  expect_idle(&h, false);
  test_host_detach(&h);
  chan_close(&second);
}

static void frees_itself(uvf_reader_t *rd, int n, void *items) {
  int *end = rd->data;
  (void)items;
  if (n > 0) return;
  *end = n;
  free(rd);
}

static void promise_2_freed_in_its_last_callback(void **state) {
  chan_t c;
  test_host_t h;
  int ends[2] = {0, 0};
  chan_open(&c, state, 4);
  loop_open(&h, 0);
  for (int i = 0; i < 2; i++) {
    uvf_reader_t *rd = calloc(1, sizeof *rd);
    assert_non_null(rd);
    rd->data = &ends[i];
    assert_int_equal(uvf_reader_start(h.loop, rd, c.rx, NULL, frees_itself), 0);
    test_host_run(&h);
    if (i == 1) continue;
    assert_int_equal(uvf_tx_close(c.tx, 0), 0);
    test_host_run(&h);
    chan_close(&c);
    chan_open(&c, state, 4);
  }
  test_host_detach(&h);
  assert_int_equal(ends[0], UV_EOF);
  assert_int_equal(ends[1], UV_ECANCELED);
  chan_close(&c);
}

/* ---- the last rx ---- */

static void case_36_a_reader_is_an_owner_of_rx(void **state) {
  chan_t c;
  test_host_t h;
  reading_t *r = new_reading();
  chan_open(&c, state, 4);
  loop_open(&h, 0);
  assert_int_equal(start_reader(&h, r, c.rx, NULL), 0);
  uvf_rx_release(c.rx);
  c.rx = NULL;
  test_host_run(&h);
  fill(&c, 0, 1);
  test_host_run(&h);
  expect_read(r, 0, 0, 1);
  if (c.kind->bit != RENDEZVOUS) fill(&c, 1, 2);
  assert_int_equal(uvf_reader_stop(&r->rd), 0); /* gives up the last rx: aborts */
  assert_int_equal(atomic_load(&c.dropped), c.kind->bit == RENDEZVOUS ? 0 : 2);
  assert_int_equal(try_send(&c, 0, 9), UV_EPIPE);
  test_host_run(&h);
  assert_int_equal(r->ends, 0);
  test_host_detach(&h);
  chan_close(&c);
}

typedef struct {
  chan_t *c;
  reading_t *r;
  payload_t seen[8];
  int n, send, status, stop;
} leaver_t;

/* In its callback: stops, and with it goes the last rx; and then the last tx. What it has is still there. */
static void leaves_for_good(void *arg, int n, const payload_t *items) {
  leaver_t *l = arg;
  if (n < 0) return;
  l->stop = uvf_reader_stop(&l->r->rd);
  l->send = try_send(l->c, 0, 99);
  l->status = uvf_tx_status(l->c->tx);
  uvf_tx_release(l->c->tx);
  l->c->tx = NULL;
  l->n = n;
  memcpy(l->seen, items, (size_t)(n < 8 ? n : 8) * sizeof *items);
}

static void released_and_freed_inside_its_callback(void **state) {
  chan_t c;
  test_host_t h;
  reading_t *r = new_reading();
  uvf_reader_options_t o = {.max_batch = 3};
  chan_open(&c, state, 8);
  loop_open(&h, 0);
  leaver_t l = {.c = &c, .r = r};
  r->then = leaves_for_good;
  r->arg = &l;
  assert_int_equal(start_reader(&h, r, c.rx, &o), 0);
  uvf_rx_release(c.rx);
  c.rx = NULL;
  test_host_run(&h);
  uint32_t there = c.kind->bit == RENDEZVOUS ? 1 : 7, batch = there < 3 ? there : 3;
  fill(&c, 0, there);
  test_host_run(&h);
  assert_int_equal(l.stop, 0);
  assert_int_equal(l.send, UV_EPIPE);
  assert_int_equal(l.status, UV_EOF);
  assert_int_equal(l.n, batch);
  for (uint32_t i = 0; i < batch; i++)
    assert_true(same(l.seen[i], item(0, i)));
  for (uint32_t i = 0; i < there; i++)
    assert_int_equal(drops_of(&c, 0, i), i < batch ? 0 : 1); /* a batch is delivered, whatever comes then */
  assert_int_equal(r->calls, 1);
  expect_idle(&h, false);
  test_host_detach(&h);
}

static void aborts_in_its_callback(void *arg, int n, const payload_t *items) {
  leaver_t *l = arg;
  if (n < 0) return;
  l->stop = uvf_rx_abort(l->c->rx, UV_EINTR);
  l->n = n;
  memcpy(l->seen, items, (size_t)(n < 8 ? n : 8) * sizeof *items);
}

static void aborted_inside_its_callback(void **state) {
  chan_t c;
  test_host_t h;
  reading_t *r = new_reading();
  uvf_reader_options_t o = {.max_batch = 3};
  chan_open(&c, state, 8);
  loop_open(&h, 0);
  leaver_t l = {.c = &c, .r = r};
  r->then = aborts_in_its_callback;
  r->arg = &l;
  assert_int_equal(start_reader(&h, r, c.rx, &o), 0);
  test_host_run(&h);
  fill(&c, 0, 7);
  test_host_run(&h);
  assert_int_equal(l.stop, 0);
  assert_int_equal(l.n, 3);
  for (uint32_t i = 0; i < 7; i++)
    assert_int_equal(drops_of(&c, 0, i), i < 3 ? 0 : 1);
  assert_int_equal(r->count, 3);
  expect_ended(r, UV_EINTR);
  uvf_chan_stats_t s = stats_of(&c);
  assert_int_equal(s.received, 3);
  assert_int_equal(s.dropped, 4);
  test_host_detach(&h);
  chan_close(&c);
}

/* ---- keep-alive, idleness ---- */

static void case_73_an_unrefd_reader_keeps_no_loop_alive(void **state) {
  chan_t c;
  test_host_t h;
  reading_t *r = new_reading();
  chan_open(&c, state, 8);
  loop_open(&h, 0);
  assert_int_equal(start_reader(&h, r, c.rx, NULL), 0);
  assert_true(h.alive);
  uvf_reader_unref(&r->rd);
  uvf_reader_unref(&r->rd);
  assert_false(h.alive);
  test_host_run(&h);
  fill(&c, 0, 1);
  test_host_run(&h);
  expect_read(r, 0, 0, 1); /* it reads on while the loop runs */
  expect_idle(&h, false);
  uvf_reader_ref(&r->rd);
  expect_idle(&h, true);
  uvf_reader_unref(&r->rd);
  uvf_reader_pause(&r->rd);
  uvf_reader_ref(&r->rd);
  assert_false(h.alive); /* paused */
  uvf_reader_resume(&r->rd);
  assert_true(h.alive);
  uvf_reader_unref(&r->rd);
  assert_int_equal(uvf_reader_stop(&r->rd), 0);
  assert_int_equal(start_reader(&h, r, c.rx, NULL), 0);
  assert_true(h.alive); /* the default after each start */
  test_host_run(&h);
  test_host_detach(&h);
  chan_close(&c);
}

static void case_75_idle_readers_and_requests_ask_for_nothing(void **state) {
  static reading_t r[8];
  chan_t c[8];
  test_host_t h;
  op_t ops[8];
  memset(r, 0, sizeof r);
  memset(ops, 0, sizeof ops);
  loop_open(&h, 0);
  for (int i = 0; i < 8; i++) {
    chan_open(&c[i], state, 8);
    assert_int_equal(start_reader(&h, &r[i], c[i].rx, NULL), 0);
    assert_int_equal(start_recv(&h, &ops[i], c[i].rx, UVF_FOREVER), 0);
    test_host_run(&h);
    fill(&c[i], 0, 2);
  }
  test_host_run(&h);
  expect_idle(&h, true);
  unsigned turns = h.turns, wakes = h.wakes, timers = h.timers;
  test_host_advance(&h, 100000);
  assert_int_equal(h.turns, turns);
  assert_int_equal(h.wakes, wakes);
  assert_int_equal(h.timers, timers);
  test_host_detach(&h);
  for (int i = 0; i < 8; i++)
    chan_close(&c[i]);
}

/* ---- detach ---- */

/* In each state that a reader can be in. */
enum { STARTED, WAITING, WOKEN, LINGERING, PAUSED, STATES };
static void bring_into(int which, chan_t *c, test_host_t *h, reading_t *r) {
  assert_int_equal(start_reader(h, r, c->rx, NULL), 0);
  if (which == STARTED) return;
  test_host_run(h);
  if (which == PAUSED) uvf_reader_pause(&r->rd);
  if (which == WOKEN || which == LINGERING || (which == PAUSED && c->kind->bit != RENDEZVOUS)) fill(c, 0, 1);
  if (which == LINGERING) assert_true(test_host_turn(h));
}

static void promise_13_detach_is_the_last_callback_of_a_reader(void **state) {
  for (int which = STARTED; which < STATES; which++) {
    chan_t c;
    test_host_t h;
    reading_t *r = new_reading();
    chan_open(&c, state, 8);
    loop_open(&h, 0);
    bring_into(which, &c, &h, r);
    uvf_rx_release(c.rx);
    c.rx = NULL;
    int calls = r->calls;
    assert_int_equal(test_host_detach_start(&h), 0);
    assert_int_equal(r->calls, calls); /* never inside the call */
    test_host_finish(&h);
    expect_ended(r, UV_ECANCELED);
    assert_int_equal(try_send(&c, 0, 9), UV_EPIPE); /* its rx was the last one */
    uvf_chan_stats_t s = stats_of(&c);
    assert_int_equal(s.sent, s.received + s.dropped);
    assert_int_equal(s.received, r->count);
    assert_int_equal(s.dropped, atomic_load(&c.dropped));
    chan_close(&c);
  }
}

static void what_a_detached_reader_did_not_read_stays_in_the_channel(void **state) {
  chan_t c;
  test_host_t h;
  reading_t *r = new_reading();
  chan_open(&c, state, 8);
  loop_open(&h, 0);
  bring_into(WAITING, &c, &h, r);
  fill(&c, 0, 3);
  test_host_detach(&h);
  expect_ended(r, UV_ECANCELED);
  for (uint32_t i = (uint32_t)r->count; i < 3; i++)
    expect(&c, 0, i);
  fill(&c, 3, 1);
  expect(&c, 0, 3);
  chan_close(&c);
  assert_int_equal(atomic_load(&c.dropped), 0);
}

/* It was told of an item; its loop goes; another loop's reader gets the item. */
static void promise_4_the_wake_of_a_detached_reader_is_passed_on(void **state) {
  static reading_t other;
  chan_t c;
  test_host_t h, h2;
  reading_t *r = new_reading();
  memset(&other, 0, sizeof other);
  chan_open(&c, state, 8);
  loop_open(&h, 0);
  loop_open(&h2, 0);
  assert_int_equal(start_reader(&h, r, c.rx, NULL), 0);
  assert_int_equal(start_reader(&h2, &other, c.rx, NULL), 0);
  test_host_run(&h2);
  test_host_run(&h); /* enlisted last, and in front */
  fill(&c, 0, 1);
  test_host_detach(&h);
  test_host_run(&h2);
  expect_read(&other, 0, 0, 1);
  test_host_detach(&h2);
  chan_close(&c);
}

int main(void) {
  static const case_t cases[] = {
      CASE(case_18_a_waiting_reader_gets_the_end, ALL),
      CASE(case_22_a_waiting_reader_gets_the_cause, ALL),
      CASE(case_23_a_reader_started_after_the_end_gets_it, ALL),
      CASE(case_23_a_reader_started_after_the_end_gets_the_cause, ALL),
      CASE(an_abort_ends_the_reader_at_once, ALL),
      CASE(several_readers_all_get_the_end, ALL),
      CASE(a_paused_reader_does_not_hear_of_the_end, ALL),
      CASE(restarted_after_the_end, ALL),
      CASE(restarted_inside_its_last_callback, ALL),
      CASE(promise_2_freed_in_its_last_callback, ALL | ONESHOT),
      CASE(case_36_a_reader_is_an_owner_of_rx, ALL),
      CASE(released_and_freed_inside_its_callback, ALL),
      CASE(aborted_inside_its_callback, QUEUED),
      CASE(case_73_an_unrefd_reader_keeps_no_loop_alive, ALL),
      CASE(case_75_idle_readers_and_requests_ask_for_nothing, ALL),
      CASE(promise_13_detach_is_the_last_callback_of_a_reader, ALL | ONESHOT),
      CASE(what_a_detached_reader_did_not_read_stays_in_the_channel, QUEUED),
      CASE(promise_4_the_wake_of_a_detached_reader_is_passed_on, QUEUED),
  };
  return RUN_CASES(cases);
}
