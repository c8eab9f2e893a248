/* SPDX-License-Identifier: MIT */
/* uvf_send and uvf_recv: outcomes, who comes first, keep-alive. (How they end otherwise: cancel_timeout_test.c,
 * request_end_test.c.) Cases 1, 6, 31. Promises 2 (once, later, memory), 5 (FIFO of waiting senders), 7 (a turn is limited),
 * 8 (keep-alive by requests). */
#include "chan/loop_fixture.h"

enum { MANY = 20 };

/* ---- outcomes ---- */

static void a_receive_gets_what_is_there_later(void **state) {
  chan_t c;
  test_host_t h;
  op_t op = {0};
  chan_open(&c, state, 4);
  loop_open(&h, 0);
  fill(&c, 1, 2);
  assert_int_equal(start_recv(&h, &op, c.rx, UVF_FOREVER), 0);
  expect_pending(&op);
  test_host_run(&h);
  expect_done(&op, 0);
  assert_true(same(op.item, item(0, 1)));
  assert_int_equal(uvf_rx_len(c.rx), 1);
  expect_idle(&h, false);
  test_host_detach(&h);
  chan_close(&c);
}

static void a_receive_waits_for_the_item(void **state) {
  chan_t c;
  test_host_t h;
  op_t op = {0};
  chan_open(&c, state, 4);
  loop_open(&h, 0);
  for (uint32_t i = 0; i < 40; i++) {
    assert_int_equal(start_recv(&h, &op, c.rx, UVF_FOREVER), 0);
    test_host_run(&h);
    expect_pending(&op);
    expect_idle(&h, true);
    fill(&c, i, 1);
    expect_pending(&op);
    test_host_run(&h);
    expect_done(&op, 0);
    assert_true(same(op.item, item(0, i)));
    expect_idle(&h, false);
  }
  test_host_detach(&h);
  chan_close(&c);
}

static void a_send_with_room_completes_later(void **state) {
  chan_t c;
  test_host_t h;
  op_t op = {0};
  chan_open(&c, state, 4);
  loop_open(&h, 0);
  assert_int_equal(start_send(&h, &op, c.tx, item(0, 5), UVF_FOREVER), 0);
  expect_pending(&op);
  test_host_run(&h);
  expect_done(&op, 0);
  expect(&c, 0, 5);
  test_host_detach(&h);
  chan_close(&c);
  assert_int_equal(atomic_load(&c.dropped), 0);
}

static void case_01_a_send_waits_for_room(void **state) {
  chan_t c;
  test_host_t h;
  op_t op = {0};
  for (uint32_t n = 1; n <= 40; n++) {
    chan_open(&c, state, n);
    loop_open(&h, 0);
    fill(&c, 0, n);
    assert_int_equal(start_send(&h, &op, c.tx, item(0, n), UVF_FOREVER), 0);
    test_host_run(&h);
    expect_pending(&op);
    expect_idle(&h, true);
    assert_int_equal(try_send(&c, 0, 99), UV_EAGAIN);
    expect(&c, 0, 0);
    assert_int_equal(uvf_rx_len(c.rx), n); /* the one that freed the room has moved it in */
    test_host_run(&h);
    expect_done(&op, 0);
    for (uint32_t i = 1; i <= n; i++)
      expect(&c, 0, i);
    test_host_detach(&h);
    chan_close(&c);
  }
}

/* The memory of a request is the callback's: it may be freed, or started again. */
static void frees_itself(uvf_req_t *req, int status) {
  int *sum = req->data;
  *sum += status == 0 ? 1 : 1000;
  free(req);
}

static void promise_2_a_callback_may_free_its_request(void **state) {
  chan_t c;
  test_host_t h;
  int sum = 0;
  payload_t out[MANY];
  chan_open(&c, state, MANY);
  loop_open(&h, 0);
  for (int i = 0; i < MANY; i++) {
    uvf_req_t *req = calloc(1, sizeof *req);
    assert_non_null(req);
    req->data = &sum;
    assert_int_equal(uvf_recv(h.loop, req, c.rx, &out[i], UVF_FOREVER, frees_itself), 0);
  }
  for (uint32_t i = 0; i < MANY; i++)
    fill(&c, i, 1);
  test_host_run(&h);
  assert_int_equal(sum, MANY);
  test_host_detach(&h);
  chan_close(&c);
}

typedef struct {
  test_host_t *h;
  chan_t *c;
  op_t op;
  int left, started;
  bool wrong;
} again_t;

static void receives_again(void *arg) {
  again_t *a = arg;
  if (a->op.status != 0 || a->op.item.seq != (uint32_t)(a->started - 1)) a->wrong = true;
  if (--a->left > 0 && start_recv(a->h, &a->op, a->c->rx, UVF_FOREVER) == 0) a->started++;
}

static void promise_2_a_callback_may_start_its_request_again(void **state) {
  chan_t c;
  test_host_t h;
  again_t a = {.h = &h, .c = &c, .left = 30, .started = 1};
  chan_open(&c, state, 7);
  loop_open(&h, 0);
  a.op.then = receives_again;
  a.op.arg = &a;
  assert_int_equal(start_recv(&h, &a.op, c.rx, UVF_FOREVER), 0);
  for (uint32_t i = 0; i < 30; i++) {
    fill(&c, i, 1);
    if (i % 5 == 4) test_host_run(&h);
  }
  test_host_run(&h);
  assert_false(a.wrong);
  assert_int_equal(a.op.calls, 30);
  assert_false(a.op.inside);
  expect_idle(&h, false);
  test_host_detach(&h);
  chan_close(&c);
}

/* ---- who comes first ---- */

static void promise_5_waiting_senders_are_served_first_come_first_served(void **state) {
  chan_t c;
  test_host_t h;
  op_t ops[MANY];
  int counter = 0;
  memset(ops, 0, sizeof ops);
  chan_open(&c, state, 2);
  loop_open(&h, 0);
  fill(&c, 100, 2);
  for (uint32_t i = 0; i < MANY; i++) {
    ops[i].counter = &counter;
    assert_int_equal(start_send(&h, &ops[i], c.tx, item(1, i), UVF_FOREVER), 0);
  }
  expect(&c, 0, 100);
  expect(&c, 0, 101);
  for (uint32_t i = 0; i < MANY; i++) {
    assert_int_equal(try_send(&c, 0, i), i + 2 < MANY ? UV_EAGAIN : i + 2 == MANY ? UV_EAGAIN : 0);
    expect(&c, 1, i);
  }
  test_host_run(&h);
  for (int i = 0; i < MANY; i++) {
    assert_int_equal(ops[i].order, i + 1);
    expect_done(&ops[i], 0);
  }
  test_host_detach(&h);
  chan_close(&c);
}

static void waiting_receivers_get_the_items_in_order(void **state) {
  chan_t c;
  test_host_t h;
  op_t ops[MANY];
  int counter = 0;
  memset(ops, 0, sizeof ops);
  chan_open(&c, state, MANY);
  loop_open(&h, 0);
  for (int i = 0; i < MANY; i++) {
    ops[i].counter = &counter;
    assert_int_equal(start_recv(&h, &ops[i], c.rx, UVF_FOREVER), 0);
  }
  fill(&c, 0, MANY);
  test_host_run(&h);
  for (uint32_t i = 0; i < MANY; i++) {
    assert_int_equal(ops[i].order, i + 1);
    expect_done(&ops[i], 0);
    assert_true(same(ops[i].item, item(0, i)));
  }
  test_host_detach(&h);
  chan_close(&c);
}

/* Several items in one call wake several; the last item and the end wake the rest one by one (the chain rule). */
static void chain_rule_with_several_waiting_receivers(void **state) {
  chan_t c;
  test_host_t h;
  op_t ops[8];
  payload_t in[3] = {{0, 0}, {0, 1}, {0, 2}};
  memset(ops, 0, sizeof ops);
  chan_open(&c, state, 4);
  loop_open(&h, 0);
  for (int i = 0; i < 8; i++)
    assert_int_equal(start_recv(&h, &ops[i], c.rx, UVF_FOREVER), 0);
  assert_int_equal(uvf_try_send_n(c.tx, in, 3), 3);
  test_host_run(&h);
  for (uint32_t i = 0; i < 3; i++) {
    expect_done(&ops[i], 0);
    assert_true(same(ops[i].item, in[i]));
  }
  for (int i = 3; i < 8; i++)
    expect_pending(&ops[i]);
  fill(&c, 3, 1);
  assert_int_equal(uvf_tx_close(c.tx, UV_EIO), 0);
  test_host_run(&h);
  int got = 0; /* which of them is not promised: some were woken in vain before */
  for (int i = 3; i < 8; i++) {
    got += ops[i].status == 0 ? 1 : 0;
    expect_done(&ops[i], ops[i].status == 0 ? 0 : UV_EIO);
  }
  assert_int_equal(got, 1);
  expect_idle(&h, false);
  test_host_detach(&h);
  chan_close(&c);
}

/* The item whose wake went to the first is taken by somebody else; the first waits on, in its place. */
static void a_receiver_woken_in_vain_keeps_its_turn(void **state) {
  chan_t c;
  test_host_t h;
  op_t a = {0}, b = {0};
  chan_open(&c, state, 4);
  loop_open(&h, 0);
  assert_int_equal(start_recv(&h, &a, c.rx, UVF_FOREVER), 0);
  assert_int_equal(start_recv(&h, &b, c.rx, UVF_FOREVER), 0);
  fill(&c, 0, 1);
  expect(&c, 0, 0);
  test_host_run(&h);
  expect_pending(&a);
  expect_pending(&b);
  fill(&c, 1, 1);
  test_host_run(&h);
  expect_done(&a, 0);
  assert_true(same(a.item, item(0, 1)));
  expect_pending(&b);
  fill(&c, 2, 1);
  test_host_run(&h);
  expect_done(&b, 0);
  test_host_detach(&h);
  chan_close(&c);
}

/* ---- keep-alive, and loops that stop ---- */

static void promise_8_a_pending_request_keeps_the_loop_alive(void **state) {
  chan_t c;
  test_host_t h;
  op_t r = {0};
  chan_open(&c, state, 2);
  loop_open(&h, 0);
  assert_false(h.alive);
  assert_int_equal(start_recv(&h, &r, c.rx, UVF_FOREVER), 0);
  assert_true(h.alive);
  uvf_req_unref(&r.req);
  assert_false(h.alive);
  uvf_req_unref(&r.req);
  fill(&c, 0, 1);
  test_host_run(&h);
  expect_done(&r, 0);
  expect_idle(&h, false);
  uvf_req_unref(&r.req);                                      /* not pending: nothing */
  assert_int_equal(start_recv(&h, &r, c.rx, UVF_FOREVER), 0); /* counts again */
  assert_true(h.alive);
  assert_int_equal(uvf_cancel(&r.req), 0);
  assert_true(h.alive); /* its callback is to come */
  test_host_run(&h);
  expect_done(&r, UV_ECANCELED);
  expect_idle(&h, false);
  test_host_detach(&h);
  chan_close(&c);
}

static void nothing_is_lost_on_a_loop_that_was_stopped(void **state) {
  chan_t c;
  test_host_t h;
  op_t r[3];
  memset(r, 0, sizeof r);
  chan_open(&c, state, 4);
  loop_open(&h, 0);
  for (int i = 0; i < 3; i++)
    assert_int_equal(start_recv(&h, &r[i], c.rx, i == 2 ? 10 : UVF_FOREVER), 0);
  fill(&c, 0, 2);
  h.now += 10;
  for (int i = 0; i < 5; i++) {
    test_host_stop(&h);
    assert_true(test_host_turn(&h));
  }
  for (int i = 0; i < 3; i++)
    expect_pending(&r[i]);
  test_host_run(&h);
  expect_done(&r[0], 0);
  expect_done(&r[1], 0);
  expect_done(&r[2], UV_ETIMEDOUT);
  test_host_detach(&h);
  chan_close(&c);
}

/* More callbacks than a turn may make: the rest comes in the next turns, in order. */
static void promise_7_a_turn_ends_after_its_items(void **state) {
  chan_t c;
  test_host_t h;
  op_t r[MANY];
  memset(r, 0, sizeof r);
  chan_open(&c, state, MANY);
  loop_open(&h, 3);
  fill(&c, 0, MANY);
  for (int i = 0; i < MANY; i++)
    assert_int_equal(start_recv(&h, &r[i], c.rx, UVF_FOREVER), 0);
  for (int turn = 1; turn <= 7; turn++) {
    int done = 0;
    assert_true(test_host_turn(&h));
    for (int i = 0; i < MANY; i++)
      done += r[i].calls;
    assert_int_equal(done, turn < 7 ? 3 * turn : MANY);
  }
  test_host_detach(&h);
  chan_close(&c);
}

int main(void) {
  static const case_t cases[] = {
      CASE(a_receive_gets_what_is_there_later, QUEUED),
      CASE(a_receive_waits_for_the_item, ALL),
      CASE(a_send_with_room_completes_later, QUEUED | ONESHOT),
      CASE(case_01_a_send_waits_for_room, LIMITED),
      CASE(promise_2_a_callback_may_free_its_request, ALL),
      CASE(promise_2_a_callback_may_start_its_request_again, QUEUED),
      CASE(promise_5_waiting_senders_are_served_first_come_first_served, LIMITED),
      CASE(waiting_receivers_get_the_items_in_order, ALL),
      CASE(chain_rule_with_several_waiting_receivers, ALL),
      CASE(a_receiver_woken_in_vain_keeps_its_turn, QUEUED),
      CASE(promise_8_a_pending_request_keeps_the_loop_alive, ALL),
      CASE(nothing_is_lost_on_a_loop_that_was_stopped, ALL),
      CASE(promise_7_a_turn_ends_after_its_items, QUEUED),
  };
  return RUN_CASES(cases);
}
