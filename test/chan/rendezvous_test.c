/* SPDX-License-Identifier: MIT */
/* What only a rendezvous does: hand-over between requests, readers and threads, without a queue.
 * Cases 5, 6, 31. Promises 1 (an item that was handed over and not delivered is dropped), 4, 5 (both sides in order). */
#include "chan/loop_fixture.h"

enum { MANY = 20 };

static void case_05_a_pending_receive_is_a_receiver(void **state) {
  chan_t c;
  test_host_t h;
  op_t r = {0};
  chan_open(&c, state, 0);
  loop_open(&h, 0);
  assert_int_equal(try_send(&c, 0, 0), UV_EAGAIN);
  assert_int_equal(start_recv(&h, &r, c.rx, UVF_FOREVER), 0);
  assert_int_equal(try_send(&c, 0, 1), 0);
  assert_int_equal(try_send(&c, 0, 2), UV_EAGAIN); /* it has its item, though its callback is to come */
  test_host_run(&h);
  expect_done(&r, 0);
  assert_true(same(r.item, item(0, 1)));
  test_host_detach(&h);
  chan_close(&c);
}

static void a_pending_send_is_met_by_try_recv(void **state) {
  chan_t c;
  test_host_t h;
  op_t s = {0};
  chan_open(&c, state, 0);
  loop_open(&h, 0);
  assert_int_equal(start_send(&h, &s, c.tx, item(1, 7), UVF_FOREVER), 0);
  test_host_run(&h);
  expect_pending(&s);
  assert_int_equal(uvf_rx_len(c.rx), 0);
  expect(&c, 1, 7);
  assert_int_equal(try_recv(&c), UV_EAGAIN);
  test_host_run(&h);
  expect_done(&s, 0);
  test_host_detach(&h);
  chan_close(&c);
}

static void case_06_both_sides_are_served_in_order(void **state) {
  chan_t c;
  test_host_t h;
  op_t r[MANY], s[MANY];
  memset(r, 0, sizeof r);
  memset(s, 0, sizeof s);
  chan_open(&c, state, 0);
  loop_open(&h, 0);
  for (uint32_t i = 0; i < MANY; i++)
    assert_int_equal(start_send(&h, &s[i], c.tx, item(1, i), UVF_FOREVER), 0);
  for (int i = 0; i < MANY; i++)
    assert_int_equal(start_recv(&h, &r[i], c.rx, UVF_FOREVER), 0);
  test_host_run(&h);
  for (uint32_t i = 0; i < MANY; i++) {
    expect_done(&s[i], 0);
    expect_done(&r[i], 0);
    assert_true(same(r[i].item, item(1, i)));
  }
  expect_idle(&h, false);
  test_host_detach(&h);
  chan_close(&c);
}

static void one_who_left_is_passed_over(void **state) {
  chan_t c;
  test_host_t h;
  op_t r[4];
  memset(r, 0, sizeof r);
  chan_open(&c, state, 0);
  loop_open(&h, 0);
  for (int i = 0; i < 4; i++)
    assert_int_equal(start_recv(&h, &r[i], c.rx, i == 2 ? 5 : UVF_FOREVER), 0);
  assert_int_equal(uvf_cancel(&r[0].req), 0);
  test_host_advance(&h, 5);
  assert_int_equal(try_send(&c, 0, 1), 0);
  assert_int_equal(try_send(&c, 0, 3), 0);
  assert_int_equal(try_send(&c, 0, 9), UV_EAGAIN);
  test_host_run(&h);
  expect_done(&r[0], UV_ECANCELED);
  expect_done(&r[1], 0);
  expect_done(&r[2], UV_ETIMEDOUT);
  expect_done(&r[3], 0);
  assert_int_equal(r[1].item.seq, 1);
  assert_int_equal(r[3].item.seq, 3);
  test_host_detach(&h);
  chan_close(&c);
}

static void promise_4_who_is_cancelled_too_late_has_the_item(void **state) {
  chan_t c;
  test_host_t h;
  op_t r = {0}, s = {0};
  chan_open(&c, state, 0);
  loop_open(&h, 0);
  assert_int_equal(start_recv(&h, &r, c.rx, 3), 0);
  assert_int_equal(try_send(&c, 0, 1), 0);
  assert_int_equal(uvf_cancel(&r.req), UV_EALREADY);
  test_host_advance(&h, 3);
  expect_done(&r, 0);
  assert_int_equal(start_send(&h, &s, c.tx, item(0, 2), 3), 0);
  expect(&c, 0, 2);
  assert_int_equal(uvf_cancel(&s.req), UV_EALREADY);
  test_host_advance(&h, 3);
  expect_done(&s, 0);
  assert_int_equal(stats_of(&c).returned, 0);
  test_host_detach(&h);
  chan_close(&c);
}

/* ---- readers ---- */

static void a_reader_is_present_while_it_waits(void **state) {
  static reading_t r;
  chan_t c;
  test_host_t h;
  memset(&r, 0, sizeof r);
  chan_open(&c, state, 0);
  loop_open(&h, 0);
  assert_int_equal(start_reader(&h, &r, c.rx, NULL), 0);
  test_host_run(&h);
  for (uint32_t i = 0; i < 20; i++) {
    assert_int_equal(try_send(&c, 0, i), 0);
    assert_int_equal(try_send(&c, 0, 99), UV_EAGAIN); /* one at a time */
    test_host_run(&h);
    expect_read(&r, 0, 0, (int)i + 1);
    expect_idle(&h, true);
  }
  assert_int_equal(r.largest, 1);
  uvf_reader_pause(&r.rd);
  assert_int_equal(try_send(&c, 0, 99), UV_EAGAIN); /* a paused one is not present */
  test_host_detach(&h);
  chan_close(&c);
  assert_int_equal(atomic_load(&c.dropped), 0);
}

static void a_reader_takes_from_the_senders_that_wait(void **state) {
  static reading_t r;
  chan_t c;
  test_host_t h;
  op_t s[MANY];
  memset(&r, 0, sizeof r);
  memset(s, 0, sizeof s);
  chan_open(&c, state, 0);
  loop_open(&h, 6);
  for (uint32_t i = 0; i < MANY; i++)
    assert_int_equal(start_send(&h, &s[i], c.tx, item(0, i), UVF_FOREVER), 0);
  assert_int_equal(start_reader(&h, &r, c.rx, NULL), 0);
  for (int before = 0; before < MANY; before = r.count) {
    assert_true(test_host_turn(&h));
    assert_true(r.count - before <= 6);
  }
  test_host_run(&h);
  expect_read(&r, 0, 0, MANY);
  for (int i = 0; i < MANY; i++)
    expect_done(&s[i], 0);
  test_host_detach(&h);
  chan_close(&c);
}

/* An item was handed to the reader, and no callback has got it. */
static void promise_1_handed_to_a_reader_that_is_stopped(void **state) {
  static reading_t r;
  chan_t c;
  test_host_t h;
  memset(&r, 0, sizeof r);
  chan_open(&c, state, 0);
  loop_open(&h, 0);
  assert_int_equal(start_reader(&h, &r, c.rx, NULL), 0);
  test_host_run(&h);
  assert_int_equal(try_send(&c, 0, 1), 0);
  assert_int_equal(uvf_reader_stop(&r.rd), 0);
  assert_int_equal(drops_of(&c, 0, 1), 1);
  test_host_run(&h);
  assert_int_equal(r.calls, 0);
  uvf_chan_stats_t st = stats_of(&c);
  assert_int_equal(st.sent, 1);
  assert_int_equal(st.received, 0);
  assert_int_equal(st.dropped, 1);
  test_host_detach(&h);
  chan_close(&c);
}

static void promise_1_handed_to_a_reader_that_is_paused(void **state) {
  static reading_t r;
  chan_t c;
  test_host_t h;
  memset(&r, 0, sizeof r);
  chan_open(&c, state, 0);
  loop_open(&h, 0);
  assert_int_equal(start_reader(&h, &r, c.rx, NULL), 0);
  test_host_run(&h);
  assert_int_equal(try_send(&c, 0, 0), 0);
  uvf_reader_pause(&r.rd);
  test_host_run(&h);
  assert_int_equal(r.calls, 0);
  assert_int_equal(uvf_tx_close(c.tx, UV_EIO), 0); /* what was handed over comes before the end */
  uvf_reader_resume(&r.rd);
  test_host_run(&h);
  assert_int_equal(r.count, 1);
  expect_ended(&r, UV_EIO);
  test_host_detach(&h);
  chan_close(&c);
  assert_int_equal(atomic_load(&c.dropped), 0);
}

/* Stopped by its callback, and the items are looked at afterwards: they are still that callback's. */
static void stops_and_looks(void *arg, int n, const payload_t *items) {
  reading_t *r = arg;
  r->end = uvf_reader_stop(&r->rd);
  r->batch = n == 1 && items[0].sender == 3 && items[0].seq == 4;
}

static void stopped_inside_its_callback(void **state) {
  static reading_t r;
  chan_t c;
  test_host_t h;
  memset(&r, 0, sizeof r);
  chan_open(&c, state, 0);
  loop_open(&h, 0);
  r.then = stops_and_looks;
  r.arg = &r;
  assert_int_equal(start_reader(&h, &r, c.rx, NULL), 0);
  test_host_run(&h);
  assert_int_equal(try_send(&c, 3, 4), 0);
  test_host_run(&h);
  assert_int_equal(r.end, 0);
  assert_true(r.batch);
  assert_int_equal(try_send(&c, 3, 5), UV_EAGAIN);
  test_host_detach(&h);
  chan_close(&c);
  assert_int_equal(atomic_load(&c.dropped), 0);
}

static void a_blocked_sender_and_a_reader_meet(void **state) {
  static reading_t r;
  chan_t c;
  test_host_t h;
  blocked_t s;
  memset(&r, 0, sizeof r);
  chan_open(&c, state, 0);
  loop_open(&h, 0);
  start_sender(&c, &s, item(0, 0), UVF_FOREVER, 1);
  assert_int_equal(start_reader(&h, &r, c.rx, NULL), 0);
  test_host_run(&h);
  assert_int_equal(join_blocked(&s), 0);
  expect_read(&r, 0, 0, 1);
  test_host_detach(&h);
  chan_close(&c);
}

int main(void) {
  static const case_t cases[] = {
      CASE(case_05_a_pending_receive_is_a_receiver, RENDEZVOUS),
      CASE(a_pending_send_is_met_by_try_recv, RENDEZVOUS),
      CASE(case_06_both_sides_are_served_in_order, RENDEZVOUS),
      CASE(one_who_left_is_passed_over, RENDEZVOUS),
      CASE(promise_4_who_is_cancelled_too_late_has_the_item, RENDEZVOUS),
      CASE(a_reader_is_present_while_it_waits, RENDEZVOUS),
      CASE(a_reader_takes_from_the_senders_that_wait, RENDEZVOUS),
      CASE(promise_1_handed_to_a_reader_that_is_stopped, RENDEZVOUS),
      CASE(promise_1_handed_to_a_reader_that_is_paused, RENDEZVOUS),
      CASE(stopped_inside_its_callback, RENDEZVOUS),
      CASE(a_blocked_sender_and_a_reader_meet, RENDEZVOUS),
  };
  return RUN_CASES(cases);
}
