/* SPDX-License-Identifier: MIT */
/* Requests on channels that end, ends that only a request owns, and requests of a loop that is detached.
 * Cases 17, 18, 24, 35, 36. Promises 1, 2, 6 (the end), 13 (nothing is left after a detach). */
#include "chan/loop_fixture.h"

enum { MANY = 20 };

/* ---- the end ---- */

static void case_18_waiting_receivers_hear_of_the_end(void **state) {
  chan_t c;
  test_host_t h;
  op_t ops[MANY];
  memset(ops, 0, sizeof ops);
  chan_open(&c, state, 4);
  loop_open(&h, 0);
  for (int i = 0; i < MANY; i++)
    assert_int_equal(start_recv(&h, &ops[i], c.rx, UVF_FOREVER), 0);
  test_host_run(&h);
  uvf_tx_release(c.tx);
  c.tx = NULL;
  test_host_run(&h);
  for (int i = 0; i < MANY; i++)
    expect_done(&ops[i], UV_EOF);
  assert_int_equal(start_recv(&h, &ops[0], c.rx, UVF_FOREVER), 0); /* for ever, and no error of the start */
  test_host_run(&h);
  expect_done(&ops[0], UV_EOF);
  test_host_detach(&h);
  chan_close(&c);
}

static void case_17_waiting_senders_hear_of_the_abort(void **state) {
  chan_t c;
  test_host_t h;
  op_t ops[MANY];
  memset(ops, 0, sizeof ops);
  chan_open(&c, state, 1);
  loop_open(&h, 0);
  if (c.kind->bit != RENDEZVOUS) fill(&c, 0, 1);
  for (uint32_t i = 0; i < MANY; i++)
    assert_int_equal(start_send(&h, &ops[i], c.tx, item(1, i), UVF_FOREVER), 0);
  uvf_rx_release(c.rx);
  c.rx = NULL;
  test_host_run(&h);
  for (int i = 0; i < MANY; i++)
    expect_done(&ops[i], UV_EPIPE);
  assert_int_equal(start_send(&h, &ops[0], c.tx, item(1, 0), UVF_FOREVER), 0);
  test_host_run(&h);
  expect_done(&ops[0], UV_EPIPE);
  assert_int_equal(stats_of(&c).returned, MANY);
  test_host_detach(&h);
  chan_close(&c);
  assert_int_equal(atomic_load(&c.dropped), c.kind->bit == RENDEZVOUS ? 0 : 1);
}

/* Pending sends get the error; what was accepted before still drains into receives, then comes the cause. */
static void case_24_closing_fails_pending_sends_and_drains_into_receives(void **state) {
  chan_t c;
  test_host_t h;
  op_t s[3], r[4];
  memset(s, 0, sizeof s);
  memset(r, 0, sizeof r);
  chan_open(&c, state, 2);
  loop_open(&h, 0);
  fill(&c, 0, 2);
  for (uint32_t i = 0; i < 3; i++)
    assert_int_equal(start_send(&h, &s[i], c.tx, item(1, i), UVF_FOREVER), 0);
  assert_int_equal(uvf_tx_close(c.tx, UV_ECONNRESET), 0);
  for (int i = 0; i < 4; i++)
    assert_int_equal(start_recv(&h, &r[i], c.rx, UVF_FOREVER), 0);
  test_host_run(&h);
  for (int i = 0; i < 3; i++)
    expect_done(&s[i], UV_EPIPE);
  for (uint32_t i = 0; i < 2; i++) {
    expect_done(&r[i], 0);
    assert_true(same(r[i].item, item(0, i)));
  }
  expect_done(&r[2], UV_ECONNRESET);
  expect_done(&r[3], UV_ECONNRESET);
  test_host_detach(&h);
  chan_close(&c);
  assert_int_equal(atomic_load(&c.dropped), 0);
}

static void case_36_a_pending_send_is_an_owner_of_tx(void **state) {
  chan_t c;
  test_host_t h;
  op_t s = {0};
  chan_open(&c, state, 1);
  loop_open(&h, 0);
  fill(&c, 0, 1);
  assert_int_equal(start_send(&h, &s, c.tx, item(0, 1), UVF_FOREVER), 0);
  uvf_tx_release(c.tx);
  c.tx = NULL;
  test_host_run(&h);
  expect_pending(&s);
  assert_int_equal(uvf_rx_status(c.rx), 0); /* still open */
  expect(&c, 0, 0);
  expect(&c, 0, 1);
  assert_int_equal(try_recv(&c), UV_EAGAIN); /* until its callback has returned */
  test_host_run(&h);
  expect_done(&s, 0);
  assert_int_equal(try_recv(&c), UV_EOF);
  test_host_detach(&h);
  chan_close(&c);
}

static void case_36_a_pending_receive_is_an_owner_of_rx(void **state) {
  chan_t c;
  test_host_t h;
  op_t r = {0};
  chan_open(&c, state, 2);
  loop_open(&h, 0);
  assert_int_equal(start_recv(&h, &r, c.rx, UVF_FOREVER), 0);
  uvf_rx_release(c.rx);
  c.rx = NULL;
  test_host_run(&h);
  fill(&c, 0, 1);
  if (c.kind->bit != RENDEZVOUS) fill(&c, 1, 1);
  test_host_run(&h);
  expect_done(&r, 0);
  assert_true(same(r.item, item(0, 0)));
  assert_int_equal(try_send(&c, 0, 2), UV_EPIPE);
  test_host_detach(&h);
  chan_close(&c);
  assert_int_equal(atomic_load(&c.dropped), c.kind->bit == RENDEZVOUS ? 0 : 1);
}

typedef struct {
  chan_t *c;
  int status;
} inside_t;

static void looks_at_the_channel(void *arg) {
  inside_t *in = arg;
  in->status = uvf_tx_status(in->c->tx);
}

static void case_36_a_receive_is_an_owner_until_its_callback_has_returned(void **state) {
  chan_t c;
  test_host_t h;
  op_t r = {0};
  inside_t in = {&c, 1};
  chan_open(&c, state, 2);
  loop_open(&h, 0);
  r.then = looks_at_the_channel;
  r.arg = &in;
  assert_int_equal(start_recv(&h, &r, c.rx, 5), 0);
  uvf_rx_release(c.rx);
  c.rx = NULL;
  test_host_advance(&h, 5);
  expect_done(&r, UV_ETIMEDOUT);
  assert_int_equal(in.status, 0);
  assert_int_equal(uvf_tx_status(c.tx), UV_EOF);
  test_host_detach(&h);
  chan_close(&c);
}

/* Both ends are gone but for the pending request; its end frees all. */
static void case_36_the_channel_lives_until_the_callback_ran(void **state) {
  chan_t c;
  test_host_t h;
  op_t r = {0};
  chan_open(&c, state, 2);
  loop_open(&h, 0);
  assert_int_equal(start_recv(&h, &r, c.rx, UVF_FOREVER), 0);
  chan_close(&c);
  expect_pending(&r);
  test_host_run(&h);
  expect_done(&r, UV_EOF);
  test_host_detach(&h);
}

static void promise_13_detach_ends_each_request_once(void **state) {
  chan_t c;
  test_host_t h;
  op_t pending = {0}, won = {0}, timed = {0}, done = {0};
  chan_open(&c, state, 4);
  loop_open(&h, 0);
  fill(&c, 0, 1);
  assert_int_equal(start_recv(&h, &done, c.rx, UVF_FOREVER), 0); /* has its item */
  assert_int_equal(start_recv(&h, &won, c.rx, UVF_FOREVER), 0);
  assert_int_equal(start_recv(&h, &pending, c.rx, UVF_FOREVER), 0);
  assert_int_equal(start_recv(&h, &timed, c.rx, 5), 0);
  fill(&c, 1, 1); /* `won` is on its way */
  test_host_detach(&h);
  expect_done(&done, 0);
  expect_done(&won, 0);
  expect_done(&pending, UV_ECANCELED);
  expect_done(&timed, UV_ECANCELED);
  assert_true(same(won.item, item(0, 1)));
  chan_close(&c);
  assert_int_equal(atomic_load(&c.dropped), 0);
}

static void promise_13_detach_returns_the_items_of_pending_sends(void **state) {
  chan_t c;
  test_host_t h;
  op_t s[3];
  memset(s, 0, sizeof s);
  chan_open(&c, state, 1);
  loop_open(&h, 0);
  if (c.kind->bit != RENDEZVOUS) fill(&c, 0, 1);
  for (uint32_t i = 0; i < 3; i++)
    assert_int_equal(start_send(&h, &s[i], c.tx, item(1, i), i == 1 ? 7 : UVF_FOREVER), 0);
  test_host_detach(&h);
  for (int i = 0; i < 3; i++)
    expect_done(&s[i], UV_ECANCELED);
  assert_int_equal(stats_of(&c).returned, 3);
  if (c.kind->bit != RENDEZVOUS) expect(&c, 0, 0);
  assert_int_equal(try_recv(&c), UV_EAGAIN);
  chan_close(&c);
  assert_int_equal(atomic_load(&c.dropped), 0);
}

int main(void) {
  static const case_t cases[] = {
      CASE(case_18_waiting_receivers_hear_of_the_end, ALL | ONESHOT),
      CASE(case_17_waiting_senders_hear_of_the_abort, LIMITED | RENDEZVOUS),
      CASE(case_24_closing_fails_pending_sends_and_drains_into_receives, LIMITED),
      CASE(case_36_a_pending_send_is_an_owner_of_tx, LIMITED),
      CASE(case_36_a_pending_receive_is_an_owner_of_rx, ALL),
      CASE(case_36_a_receive_is_an_owner_until_its_callback_has_returned, ALL | ONESHOT),
      CASE(case_36_the_channel_lives_until_the_callback_ran, ALL | ONESHOT),
      CASE(promise_13_detach_ends_each_request_once, QUEUED),
      CASE(promise_13_detach_returns_the_items_of_pending_sends, LIMITED | RENDEZVOUS),
  };
  return RUN_CASES(cases);
}
