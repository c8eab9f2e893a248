/* SPDX-License-Identifier: MIT */
/* The one permit of a one-shot channel: the right to send, held back. Who waits to send meanwhile has its turn when the permit is
 * given back, and is refused when it is used. Cases 33, 34. Promises 1, 4, 5, 6. */
#include "chan/loop_fixture.h"

/* ---- the permit itself ---- */

static void there_is_one(void **state) {
  chan_t c;
  uvf_permit_t p, second;
  chan_open(&c, state, 0);
  reserve_all(&c, &p, 1);
  assert_int_equal(uvf_try_reserve(c.tx, &second), UV_EAGAIN);
  assert_true(is_empty(&second));
  assert_int_equal(try_send(&c, 1, 1), UV_EAGAIN); /* it may be given back */
  assert_int_equal(try_recv(&c), UV_EAGAIN);
  assert_int_equal(uvf_tx_status(c.tx), 0);
  assert_int_equal(uvf_tx_len(c.tx), 0);
  uvf_permit_release(&p);
  assert_true(is_empty(&p));
  for (int i = 0; i < 100; i++) {
    reserve_all(&c, &p, 1);
    uvf_permit_release(&p);
  }
  reserve_all(&c, &p, 1);
  assert_int_equal(permit_send(&p, 1, 1), 0);
  assert_true(is_empty(&p));
  assert_int_equal(uvf_try_reserve(c.tx, &second), UV_EPIPE);
  assert_true(is_empty(&second));
  expect(&c, 1, 1);
  assert_int_equal(try_recv(&c), UV_EOF);
  chan_close(&c);
}

/* It owns a reference on tx. */
static void it_keeps_the_channel_open(void **state) {
  for (int use = 0; use < 2; use++) {
    chan_t c;
    uvf_permit_t p;
    chan_open(&c, state, 0);
    reserve_all(&c, &p, 1);
    uvf_tx_release(c.tx);
    c.tx = NULL;
    assert_int_equal(try_recv(&c), UV_EAGAIN);
    assert_int_equal(uvf_rx_status(c.rx), 0);
    if (use == 0) uvf_permit_release(&p);
    if (use == 1) assert_int_equal(permit_send(&p, 1, 1), 0);
    if (use == 1) expect(&c, 1, 1);
    assert_int_equal(try_recv(&c), UV_EOF);
    chan_close(&c);
  }
}

static void case_33_it_is_valid_across_a_close(void **state) {
  for (int use = 0; use < 2; use++)
    for (int rx = 0; rx < 2; rx++) {
      chan_t c;
      uvf_permit_t p, other;
      blocked_t b;
      chan_open(&c, state, 0);
      reserve_all(&c, &p, 1);
      assert_int_equal(rx != 0 ? uvf_rx_close(c.rx, UV_EIO) : uvf_tx_close(c.tx, UV_EIO), 0);
      assert_int_equal(try_send(&c, 1, 2), UV_EPIPE);
      assert_int_equal(uvf_try_reserve(c.tx, &other), UV_EPIPE);
      assert_int_equal(uvf_tx_status(c.tx), UV_EIO);
      assert_int_equal(uvf_rx_status(c.rx), 0); /* there may be an item yet */
      assert_int_equal(try_recv(&c), UV_EAGAIN);
      start_receiver(&c, &b, UVF_FOREVER, 1);
      if (use == 0) uvf_permit_release(&p);
      if (use == 1) assert_int_equal(permit_send(&p, 1, 1), 0);
      assert_int_equal(join_blocked(&b), use == 1 ? 0 : UV_EIO);
      if (use == 1) assert_true(same(b.item, item(1, 1)));
      for (int i = 0; i < 3; i++)
        assert_int_equal(try_recv(&c), UV_EIO); /* the close came before the item */
      assert_int_equal(uvf_rx_status(c.rx), UV_EIO);
      chan_close(&c);
    }
}

/* The permit ends with the abort, and receivers do not wait for it. */
static void an_abort_ends_it(void **state) {
  for (int way = 0; way < 3; way++) {
    chan_t c;
    uvf_permit_t p;
    blocked_t b;
    chan_open(&c, state, 0);
    reserve_all(&c, &p, 1);
    if (way == 2) assert_int_equal(uvf_tx_close(c.tx, UV_EIO), 0);
    start_receiver(&c, &b, UVF_FOREVER, 1);
    assert_int_equal(uvf_rx_abort(c.rx, UV_EPERM), 0);
    int status = way == 2 ? UV_EIO : UV_EPERM;
    assert_int_equal(join_blocked(&b), status);
    assert_int_equal(try_recv(&c), status);
    if (way == 1) uvf_permit_release(&p);
    if (way != 1) assert_int_equal(permit_send(&p, 1, 1), UV_EPIPE);
    assert_true(is_empty(&p));
    assert_int_equal(try_recv(&c), status);
    chan_close(&c);
    assert_int_equal(atomic_load(&c.dropped), 0);
  }
}

static void the_last_receiver_goes_while_it_is_out(void **state) {
  chan_t c;
  uvf_permit_t p;
  chan_open(&c, state, 0);
  reserve_all(&c, &p, 1);
  chan_close(&c);
  assert_int_equal(permit_send(&p, 1, 1), UV_EPIPE); /* and gives the last reference up */
  assert_int_equal(atomic_load(&c.dropped), 0);
}

/* ---- who waits meanwhile ---- */

typedef struct {
  chan_t c;
  test_host_t h;
  uvf_permit_t p;
  op_t send, reserve, closed;
  blocked_t sender, reserver;
} queue_t;

/* Asserts: behind the permit wait, in this order, a send on the loop, a blocked one, a reserve on the loop, a blocked one. */
static void queue_open(queue_t *q, void **state) {
  memset(q, 0, sizeof *q);
  chan_open(&q->c, state, 0);
  loop_open(&q->h, 0);
  reserve_all(&q->c, &q->p, 1);
  assert_int_equal(start_send(&q->h, &q->send, q->c.tx, item(2, 0), UVF_FOREVER), 0);
  start_sender(&q->c, &q->sender, item(3, 0), UVF_FOREVER, 2);
  assert_int_equal(start_reserve(&q->h, &q->reserve, q->c.tx, UVF_FOREVER), 0);
  start_reserver(&q->c, &q->reserver, UVF_FOREVER, 4);
  test_host_run(&q->h);
  expect_pending(&q->send);
  expect_pending(&q->reserve);
}

static void queue_close(queue_t *q) {
  test_host_detach(&q->h);
  chan_close(&q->c);
}

/* Asserts. */
static void expect_blocked(queue_t *q, int sender) {
  assert_int_equal(join_blocked(&q->sender), sender);
  assert_int_equal(join_blocked(&q->reserver), UV_EPIPE);
  assert_true(is_empty(&q->reserver.permit));
  test_host_run(&q->h);
  expect_done(&q->reserve, UV_EPIPE);
  assert_true(is_empty(&q->reserve.permit));
  if (sender != 0) assert_true(same(q->sender.item, item(3, 0)));
}

static void all_of_them_are_refused_when_it_is_used(void **state) {
  queue_t q;
  queue_open(&q, state);
  assert_int_equal(permit_send(&q.p, 1, 1), 0);
  expect_blocked(&q, UV_EPIPE);
  expect_done(&q.send, UV_EPIPE);
  assert_true(same(q.send.item, item(2, 0)));
  assert_int_equal(stats_of(&q.c).returned, 2);
  expect(&q.c, 1, 1);
  assert_int_equal(try_recv(&q.c), UV_EOF);
  queue_close(&q);
  assert_int_equal(atomic_load(&q.c.dropped), 0);
}

static void the_first_of_them_has_its_turn_when_it_is_given_back(void **state) {
  queue_t q;
  queue_open(&q, state);
  uvf_permit_release(&q.p);
  expect_blocked(&q, UV_EPIPE); /* the first one's send closed it */
  expect_done(&q.send, 0);
  expect(&q.c, 2, 0);
  assert_int_equal(try_recv(&q.c), UV_EOF);
  assert_int_equal(stats_of(&q.c).returned, 1);
  queue_close(&q);
}

static void the_turn_goes_past_who_has_left(void **state) {
  queue_t q;
  queue_open(&q, state);
  assert_int_equal(uvf_cancel(&q.send.req), 0);
  uvf_permit_release(&q.p);
  expect_blocked(&q, 0);
  expect_done(&q.send, UV_ECANCELED);
  expect(&q.c, 3, 0);
  assert_int_equal(try_recv(&q.c), UV_EOF);
  queue_close(&q);
}

static void all_of_them_are_refused_by_a_close(void **state) {
  for (int abort = 0; abort < 2; abort++) {
    queue_t q;
    queue_open(&q, state);
    assert_int_equal(abort != 0 ? uvf_rx_abort(q.c.rx, 0) : uvf_rx_close(q.c.rx, 0), 0);
    expect_blocked(&q, UV_EPIPE);
    expect_done(&q.send, UV_EPIPE);
    assert_int_equal(permit_send(&q.p, 1, 1), abort != 0 ? UV_EPIPE : 0);
    if (abort == 0) expect(&q.c, 1, 1);
    assert_int_equal(try_recv(&q.c), UV_EOF);
    queue_close(&q);
    assert_int_equal(atomic_load(&q.c.dropped), 0);
  }
}

/* A permit that goes from hand to hand: who waits for it gets it, and those behind go on waiting. */
static void a_permit_given_back_goes_to_the_next(void **state) {
  chan_t c;
  test_host_t h;
  uvf_permit_t p;
  op_t first = {0}, second = {0}, send = {0}, recv = {0};
  chan_open(&c, state, 0);
  loop_open(&h, 0);
  reserve_all(&c, &p, 1);
  assert_int_equal(start_reserve(&h, &first, c.tx, UVF_FOREVER), 0);
  assert_int_equal(start_send(&h, &send, c.tx, item(2, 0), UVF_FOREVER), 0);
  assert_int_equal(start_reserve(&h, &second, c.tx, UVF_FOREVER), 0);
  assert_int_equal(start_recv(&h, &recv, c.rx, UVF_FOREVER), 0);
  uvf_permit_release(&p);
  test_host_run(&h);
  expect_done(&first, 0);
  expect_pending(&send);
  expect_pending(&second);
  assert_int_equal(try_send(&c, 4, 0), UV_EAGAIN); /* nobody is overtaken */
  uvf_permit_release(&first.permit);
  test_host_run(&h);
  expect_done(&send, 0);
  expect_done(&second, UV_EPIPE);
  expect_done(&recv, 0);
  assert_true(same(recv.item, item(2, 0)));
  test_host_detach(&h);
  chan_close(&c);
}

/* A grant to who may be gone is not lost either. */
static void who_is_cancelled_too_late_has_the_permit(void **state) {
  chan_t c;
  test_host_t h;
  uvf_permit_t p;
  op_t op = {0};
  chan_open(&c, state, 0);
  loop_open(&h, 0);
  reserve_all(&c, &p, 1);
  assert_int_equal(start_reserve(&h, &op, c.tx, UVF_FOREVER), 0);
  uvf_permit_release(&p);
  assert_int_equal(uvf_cancel(&op.req), UV_EALREADY);
  test_host_run(&h);
  expect_done(&op, 0);
  assert_int_equal(permit_send(&op.permit, 1, 1), 0);
  expect(&c, 1, 1);
  test_host_detach(&h);
  chan_close(&c);
}

/* ---- waits that end by themselves ---- */

static void promise_4_who_left_keeps_its_item(void **state) {
  chan_t c;
  test_host_t h;
  uvf_permit_t p;
  op_t ops[4];
  blocked_t b;
  memset(ops, 0, sizeof ops);
  chan_open(&c, state, 0);
  reserve_all(&c, &p, 1);
  for (uint64_t timeout = UVF_NOWAIT; timeout <= 1; timeout++) {
    start_sender(&c, &b, item(3, 1), timeout, 0);
    assert_int_equal(join_blocked(&b), UV_ETIMEDOUT);
    assert_true(same(b.item, item(3, 1)));
    start_reserver(&c, &b, timeout, 0);
    assert_int_equal(join_blocked(&b), UV_ETIMEDOUT);
    assert_true(is_empty(&b.permit));
  }
  loop_open(&h, 0);
  assert_int_equal(start_send(&h, &ops[0], c.tx, item(4, 1), 10), 0);
  assert_int_equal(start_send(&h, &ops[1], c.tx, item(4, 2), UVF_FOREVER), 0);
  assert_int_equal(start_reserve(&h, &ops[2], c.tx, 10), 0);
  assert_int_equal(start_reserve(&h, &ops[3], c.tx, UVF_FOREVER), 0);
  test_host_advance(&h, 9);
  expect_pending(&ops[0]);
  assert_int_equal(uvf_cancel(&ops[1].req), 0);
  assert_int_equal(uvf_cancel(&ops[3].req), 0);
  test_host_advance(&h, 1);
  for (int i = 0; i < 4; i++) {
    expect_done(&ops[i], i % 2 == 0 ? UV_ETIMEDOUT : UV_ECANCELED);
    if (i >= 2) assert_true(is_empty(&ops[i].permit));
  }
  assert_true(same(ops[0].item, item(4, 1)) && same(ops[1].item, item(4, 2)));
  assert_int_equal(stats_of(&c).returned, 3);
  assert_int_equal(permit_send(&p, 1, 1), 0);
  expect(&c, 1, 1);
  test_host_detach(&h);
  chan_close(&c);
  assert_int_equal(atomic_load(&c.dropped), 0);
}

static void a_detach_ends_waits_and_keeps_what_was_granted(void **state) {
  chan_t c;
  test_host_t h;
  uvf_permit_t p;
  op_t granted = {0}, reserve = {0}, send = {0};
  chan_open(&c, state, 0);
  loop_open(&h, 0);
  reserve_all(&c, &p, 1);
  assert_int_equal(start_reserve(&h, &granted, c.tx, UVF_FOREVER), 0);
  assert_int_equal(start_send(&h, &send, c.tx, item(2, 2), UVF_FOREVER), 0);
  assert_int_equal(start_reserve(&h, &reserve, c.tx, UVF_FOREVER), 0);
  uvf_permit_release(&p);
  test_host_detach(&h);
  expect_done(&granted, 0);
  expect_done(&send, UV_ECANCELED);
  expect_done(&reserve, UV_ECANCELED);
  assert_true(same(send.item, item(2, 2)));
  assert_int_equal(permit_send(&granted.permit, 1, 1), 0);
  expect(&c, 1, 1);
  chan_close(&c);
}

/* ---- those who wait for something else ---- */

static void it_is_neither_an_item_nor_the_end(void **state) {
  chan_t c;
  test_host_t h;
  uvf_permit_t p;
  op_t readable = {0}, closed = {0};
  reading_t r = {.count = 0};
  chan_open(&c, state, 0);
  loop_open(&h, 0);
  reserve_all(&c, &p, 1);
  assert_int_equal(start_readable(&h, &readable, c.rx, UVF_FOREVER), 0);
  assert_int_equal(start_closed(&h, &closed, c.tx, UVF_FOREVER), 0);
  test_host_run(&h);
  expect_pending(&readable);
  expect_pending(&closed);
  assert_int_equal(uvf_tx_close(c.tx, 0), 0);
  test_host_run(&h);
  expect_done(&closed, 0); /* the close is what counts, not the end behind it */
  expect_pending(&readable);
  assert_int_equal(start_reader(&h, &r, c.rx, NULL), 0);
  test_host_run(&h);
  expect_read(&r, 1, 1, 0);
  expect_idle(&h, true);
  assert_int_equal(permit_send(&p, 1, 1), 0);
  test_host_run(&h);
  expect_done(&readable, readable.status); /* it or the reader was quicker */
  assert_true(readable.status == 0 || readable.status == UV_EOF);
  assert_int_equal(r.count, 1);
  expect_ended(&r, UV_EOF);
  test_host_detach(&h);
  chan_close(&c);
}

int main(void) {
  static const case_t cases[] = {
      CASE(there_is_one, ONESHOT),
      CASE(it_keeps_the_channel_open, ONESHOT),
      CASE(case_33_it_is_valid_across_a_close, ONESHOT),
      CASE(an_abort_ends_it, ONESHOT),
      CASE(the_last_receiver_goes_while_it_is_out, ONESHOT),
      CASE(all_of_them_are_refused_when_it_is_used, ONESHOT),
      CASE(the_first_of_them_has_its_turn_when_it_is_given_back, ONESHOT),
      CASE(the_turn_goes_past_who_has_left, ONESHOT),
      CASE(all_of_them_are_refused_by_a_close, ONESHOT),
      CASE(a_permit_given_back_goes_to_the_next, ONESHOT),
      CASE(who_is_cancelled_too_late_has_the_permit, ONESHOT),
      CASE(promise_4_who_left_keeps_its_item, ONESHOT),
      CASE(a_detach_ends_waits_and_keeps_what_was_granted, ONESHOT),
      CASE(it_is_neither_an_item_nor_the_end, ONESHOT),
  };
  return RUN_CASES(cases);
}
