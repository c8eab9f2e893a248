/* SPDX-License-Identifier: MIT */
/* Requests that are cancelled or time out: what they took, what they report, and who is told in their place.
 * Cases 11, 12. Promises 1 (what comes back is the caller's), 4 (a wait that ended takes nothing; who loses the race reports the
 * other outcome). */
#include "chan/loop_fixture.h"

enum { MANY = 20 };

/* ---- cancelling ---- */

static void promise_4_a_cancelled_receive_takes_nothing(void **state) {
  chan_t c;
  test_host_t h;
  op_t op = {0};
  chan_open(&c, state, 4);
  loop_open(&h, 0);
  assert_int_equal(start_recv(&h, &op, c.rx, 50), 0);
  assert_int_equal(uvf_cancel(&op.req), 0);
  expect_pending(&op);
  assert_int_equal(uvf_cancel(&op.req), UV_EALREADY);
  fill(&c, 1, 1);
  test_host_run(&h);
  expect_done(&op, UV_ECANCELED);
  assert_true(same(op.item, item(UINT32_MAX, UINT32_MAX)));
  test_host_advance(&h, 100);
  assert_int_equal(op.calls, 0);
  expect(&c, 0, 1);
  expect_idle(&h, false);
  test_host_detach(&h);
  chan_close(&c);
}

static void promise_4_a_cancelled_send_keeps_its_item(void **state) {
  chan_t c;
  test_host_t h;
  op_t ops[3];
  memset(ops, 0, sizeof ops);
  chan_open(&c, state, 1);
  loop_open(&h, 0);
  fill(&c, 9, 1);
  for (uint32_t i = 0; i < 3; i++)
    assert_int_equal(start_send(&h, &ops[i], c.tx, item(1, i), UVF_FOREVER), 0);
  assert_int_equal(uvf_cancel(&ops[1].req), 0); /* the one in the middle: the others do not notice */
  expect(&c, 0, 9);
  expect(&c, 1, 0);
  expect(&c, 1, 2);
  test_host_run(&h);
  expect_done(&ops[0], 0);
  expect_done(&ops[1], UV_ECANCELED);
  expect_done(&ops[2], 0);
  assert_int_equal(stats_of(&c).returned, 1);
  assert_int_equal(try_recv(&c), UV_EAGAIN);
  test_host_detach(&h);
  chan_close(&c);
  assert_int_equal(drops_of(&c, 1, 1), 0);
}

static void promise_4_who_is_cancelled_too_late_reports_the_outcome(void **state) {
  chan_t c;
  test_host_t h;
  op_t s = {0}, r = {0};
  chan_open(&c, state, 1);
  loop_open(&h, 0);
  assert_int_equal(start_recv(&h, &r, c.rx, UVF_FOREVER), 0);
  fill(&c, 1, 1); /* the receive is on its way */
  assert_int_equal(uvf_cancel(&r.req), UV_EALREADY);
  test_host_run(&h);
  expect_done(&r, 0);
  assert_true(same(r.item, item(0, 1)));
  fill(&c, 2, 1);
  assert_int_equal(start_send(&h, &s, c.tx, item(0, 3), UVF_FOREVER), 0);
  expect(&c, 0, 2); /* the send is served */
  assert_int_equal(uvf_cancel(&s.req), UV_EALREADY);
  test_host_run(&h);
  expect_done(&s, 0);
  expect(&c, 0, 3);
  test_host_detach(&h);
  chan_close(&c);
}

/* Woken, cancelled, and the item is gone: cancelled after all, and the next one is not forgotten. */
static void a_wake_of_a_cancelled_receive_is_not_lost(void **state) {
  chan_t c;
  test_host_t h;
  op_t a = {0}, b = {0};
  chan_open(&c, state, 4);
  loop_open(&h, 0);
  assert_int_equal(start_recv(&h, &a, c.rx, UVF_FOREVER), 0);
  assert_int_equal(start_recv(&h, &b, c.rx, UVF_FOREVER), 0);
  fill(&c, 0, 1);
  assert_int_equal(uvf_cancel(&a.req), UV_EALREADY);
  expect(&c, 0, 0);
  test_host_run(&h);
  expect_done(&a, UV_ECANCELED);
  expect_pending(&b);
  fill(&c, 1, 1);
  test_host_run(&h);
  expect_done(&b, 0);
  test_host_detach(&h);
  chan_close(&c);
}

static void cancels_itself(void *arg) {
  op_t *op = arg;
  op->order = uvf_cancel(&op->req);
}

static void a_request_is_over_in_its_callback(void **state) {
  chan_t c;
  test_host_t h;
  op_t op = {0};
  op.then = cancels_itself;
  op.arg = &op;
  chan_open(&c, state, 1);
  loop_open(&h, 0);
  fill(&c, 0, 1);
  assert_int_equal(start_recv(&h, &op, c.rx, UVF_FOREVER), 0);
  test_host_run(&h);
  expect_done(&op, 0);
  assert_int_equal(op.order, UV_EALREADY);
  test_host_detach(&h);
  chan_close(&c);
}

/* ---- timeouts ---- */

static void a_timeout_comes_at_its_time(void **state) {
  chan_t c;
  test_host_t h;
  op_t s = {0}, r = {0};
  chan_open(&c, state, 1);
  loop_open(&h, 0);
  assert_int_equal(start_recv(&h, &r, c.rx, 50), 0);
  test_host_advance(&h, 49);
  expect_pending(&r);
  test_host_advance(&h, 1);
  expect_done(&r, UV_ETIMEDOUT);
  assert_true(same(r.item, item(UINT32_MAX, UINT32_MAX)));
  if (c.kind->bit != UNBOUNDED) {
    if (c.kind->bit != RENDEZVOUS) fill(&c, 0, 1);
    assert_int_equal(start_send(&h, &s, c.tx, item(1, 1), 20), 0);
    test_host_advance(&h, 19);
    expect_pending(&s);
    test_host_advance(&h, 1);
    expect_done(&s, UV_ETIMEDOUT);
    assert_int_equal(stats_of(&c).returned, 1);
    if (c.kind->bit != RENDEZVOUS) expect(&c, 0, 0);
    assert_int_equal(try_recv(&c), UV_EAGAIN);
  }
  expect_idle(&h, false);
  test_host_detach(&h);
  chan_close(&c);
  assert_int_equal(atomic_load(&c.dropped), 0);
}

static void timeout_0_takes_what_is_ready(void **state) {
  chan_t c;
  test_host_t h;
  op_t op = {0};
  chan_open(&c, state, 1);
  loop_open(&h, 0);
  assert_int_equal(start_recv(&h, &op, c.rx, UVF_NOWAIT), 0);
  expect_pending(&op);
  test_host_run(&h);
  expect_done(&op, UV_ETIMEDOUT);
  assert_int_equal(start_send(&h, &op, c.tx, item(0, 1), UVF_NOWAIT), 0);
  test_host_run(&h);
  expect_done(&op, c.kind->bit == RENDEZVOUS ? UV_ETIMEDOUT : 0);
  if ((c.kind->bit & LIMITED) != 0) {
    assert_int_equal(start_send(&h, &op, c.tx, item(0, 2), UVF_NOWAIT), 0);
    test_host_run(&h);
    expect_done(&op, UV_ETIMEDOUT);
  }
  if (c.kind->bit != RENDEZVOUS) {
    assert_int_equal(start_recv(&h, &op, c.rx, UVF_NOWAIT), 0);
    test_host_run(&h);
    expect_done(&op, 0);
    assert_true(same(op.item, item(0, 1)));
  }
  assert_int_equal(h.timers, 0);
  test_host_detach(&h);
  chan_close(&c);
}

/* Deadlines in any order, some of them withdrawn: each at its time, none twice. */
static void many_timeouts_each_at_its_time(void **state) {
  static const uint64_t at[MANY] = {70, 10, 90, 30, 30, 50, 20, 80, 60, 40, 15, 95, 35, 55, 75, 25, 45, 65, 85, 5};
  chan_t c;
  test_host_t h;
  op_t ops[MANY];
  memset(ops, 0, sizeof ops);
  chan_open(&c, state, 1);
  loop_open(&h, 0);
  for (int i = 0; i < MANY; i++)
    assert_int_equal(start_recv(&h, &ops[i], c.rx, at[i]), 0);
  for (int i = 0; i < MANY; i += 5)
    assert_int_equal(uvf_cancel(&ops[i].req), 0);
  test_host_run(&h);
  for (uint64_t now = 1; now <= 100; now++) {
    test_host_advance(&h, 1);
    for (int i = 0; i < MANY; i++) {
      bool over = i % 5 == 0 || at[i] <= now;
      assert_int_equal(ops[i].calls, over ? 1 : 0);
      if (over) assert_int_equal(ops[i].status, i % 5 == 0 ? UV_ECANCELED : UV_ETIMEDOUT);
    }
  }
  expect_idle(&h, false);
  test_host_detach(&h);
  chan_close(&c);
}

static void a_timeout_past_the_end_of_the_clock_is_for_ever(void **state) {
  static const uint64_t large[] = {UINT64_MAX - 1, UINT64_MAX - 999, UINT64_MAX - 1000, UINT64_MAX - 1001};
  for (size_t i = 0; i < sizeof large / sizeof large[0]; i++) {
    chan_t c;
    test_host_t h;
    op_t op = {0};
    chan_open(&c, state, 1);
    loop_open(&h, 0);
    assert_int_equal(start_recv(&h, &op, c.rx, large[i]), 0);
    test_host_advance(&h, UINT32_MAX);
    expect_pending(&op);
    fill(&c, 1, 1);
    test_host_run(&h);
    expect_done(&op, 0);
    test_host_detach(&h);
    chan_close(&c);
  }
}

static void promise_4_a_timeout_that_comes_too_late_reports_the_outcome(void **state) {
  chan_t c;
  test_host_t h;
  op_t s = {0}, r = {0};
  chan_open(&c, state, 1);
  loop_open(&h, 0);
  assert_int_equal(start_recv(&h, &r, c.rx, 10), 0);
  fill(&c, 1, 1);
  test_host_advance(&h, 10);
  expect_done(&r, 0);
  assert_true(same(r.item, item(0, 1)));
  fill(&c, 2, 1);
  assert_int_equal(start_send(&h, &s, c.tx, item(0, 3), 10), 0);
  expect(&c, 0, 2);
  test_host_advance(&h, 10);
  expect_done(&s, 0);
  expect(&c, 0, 3);
  assert_int_equal(stats_of(&c).returned, 0);
  test_host_detach(&h);
  chan_close(&c);
}

int main(void) {
  static const case_t cases[] = {
      CASE(promise_4_a_cancelled_receive_takes_nothing, QUEUED | ONESHOT),
      CASE(promise_4_a_cancelled_send_keeps_its_item, LIMITED),
      CASE(promise_4_who_is_cancelled_too_late_reports_the_outcome, LIMITED),
      CASE(a_wake_of_a_cancelled_receive_is_not_lost, QUEUED),
      CASE(a_request_is_over_in_its_callback, QUEUED | ONESHOT),
      CASE(a_timeout_comes_at_its_time, ALL),
      CASE(timeout_0_takes_what_is_ready, ALL | ONESHOT),
      CASE(many_timeouts_each_at_its_time, ALL | ONESHOT),
      CASE(a_timeout_past_the_end_of_the_clock_is_for_ever, ALL | ONESHOT),
      CASE(promise_4_a_timeout_that_comes_too_late_reports_the_outcome, LIMITED),
  };
  return RUN_CASES(cases);
}
