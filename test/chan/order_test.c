/* SPDX-License-Identifier: MIT */
/* In which order callbacks of requests come: that of their outcomes, whoever decided them, and of equal deadlines that of their
 * starts. */
#include "chan/loop_fixture.h"

/* A first send waits and is served from outside of a turn; a later one finds room at once. */
static void a_served_send_is_told_before_a_later_one_that_found_room(void **state) {
  chan_t c;
  test_host_t h;
  op_t first = {0}, second = {0};
  payload_t it;
  int order = 0;
  chan_open(&c, state, 1);
  loop_open(&h, 0);
  first.counter = second.counter = &order;
  fill(&c, 0, 1);
  assert_int_equal(start_send(&h, &first, c.tx, item(0, 1), UVF_FOREVER), 0);
  assert_int_equal(uvf_try_recv(c.rx, &it), 0);
  assert_int_equal(uvf_try_recv(c.rx, &it), 0);
  assert_true(same(it, item(0, 1)));
  assert_int_equal(start_send(&h, &second, c.tx, item(0, 2), UVF_FOREVER), 0);
  test_host_run(&h);
  expect_done(&first, 0);
  expect_done(&second, 0);
  assert_int_equal(first.order, 1);
  assert_int_equal(second.order, 2);
  test_host_detach(&h);
  chan_close(&c);
}

enum { WAITERS = 50 };

static void equal_deadlines_come_in_the_order_of_their_starts(void **state) {
  static op_t ops[WAITERS];
  chan_t c;
  test_host_t h;
  int order = 0;
  memset(ops, 0, sizeof ops);
  chan_open(&c, state, 1);
  loop_open(&h, 0);
  for (int i = 0; i < WAITERS; i++) {
    ops[i].counter = &order;
    assert_int_equal(start_recv(&h, &ops[i], c.rx, 50), 0);
  }
  test_host_advance(&h, 50);
  for (int i = 0; i < WAITERS; i++) {
    expect_done(&ops[i], UV_ETIMEDOUT);
    assert_int_equal(ops[i].order, i + 1);
  }
  test_host_detach(&h);
  chan_close(&c);
}

static void cancels_come_in_the_order_of_the_calls(void **state) {
  static op_t ops[WAITERS];
  chan_t c;
  test_host_t h;
  int order = 0;
  memset(ops, 0, sizeof ops);
  chan_open(&c, state, 1);
  loop_open(&h, 0);
  for (int i = 0; i < WAITERS; i++) {
    ops[i].counter = &order;
    assert_int_equal(start_recv(&h, &ops[i], c.rx, UVF_FOREVER), 0);
  }
  for (int i = 0; i < WAITERS; i++)
    assert_int_equal(uvf_cancel(&ops[i * 7 % WAITERS].req), 0);
  test_host_run(&h);
  for (int i = 0; i < WAITERS; i++) {
    expect_done(&ops[i * 7 % WAITERS], UV_ECANCELED);
    assert_int_equal(ops[i * 7 % WAITERS].order, i + 1);
  }
  test_host_detach(&h);
  chan_close(&c);
}

static void unref_elsewhere(void *req) {
  uvf_req_unref((uvf_req_t *)req);
}

static void unref_on_another_thread_does_nothing(void **state) {
  chan_t c;
  test_host_t h;
  op_t op = {0};
  thread_t thread;
  chan_open(&c, state, 1);
  loop_open(&h, 0);
  assert_int_equal(start_recv(&h, &op, c.rx, UVF_FOREVER), 0);
  test_host_run(&h);
  thread_start(&thread, unref_elsewhere, &op.req);
  thread_join(&thread);
  expect_idle(&h, true);
  uvf_req_unref(&op.req);
  expect_idle(&h, false);
  test_host_detach(&h);
  expect_done(&op, UV_ECANCELED);
  chan_close(&c);
}

int main(void) {
  static const case_t cases[] = {
      CASE(a_served_send_is_told_before_a_later_one_that_found_room, LIMITED),
      CASE(equal_deadlines_come_in_the_order_of_their_starts, SHARED | RENDEZVOUS | ONESHOT),
      CASE(cancels_come_in_the_order_of_the_calls, SHARED | RENDEZVOUS | ONESHOT),
      CASE(unref_on_another_thread_does_nothing, ALL | ONESHOT),
  };
  return run_cases(cases, sizeof cases / sizeof cases[0]);
}
