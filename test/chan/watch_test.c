/* SPDX-License-Identifier: MIT */
/* Waiting for the close of a channel. (Waiting for something to receive: readable_test.c.)
 * Cases 23, 25. Promises 3 (exactly one callback), 4 (a wait that ended by itself does nothing), 6. */
#include "chan/loop_fixture.h"

enum { MANY = 20 };

#if defined(__SANITIZE_THREAD__)
enum { ROUNDS = 100 };
#else
enum { ROUNDS = 500 };
#endif

/* ---- each way of closing ---- */

enum { BY_TX, BY_RX, BY_ABORT, BY_LAST_RX, WAYS };

static void close_by(chan_t *c, int way) {
  if (way == BY_TX) assert_int_equal(uvf_tx_close(c->tx, UV_EIO), 0);
  if (way == BY_RX) assert_int_equal(uvf_rx_close(c->rx, UV_EIO), 0);
  if (way == BY_ABORT) assert_int_equal(uvf_rx_abort(c->rx, UV_EIO), 0);
  if (way == BY_LAST_RX) uvf_rx_release(c->rx), c->rx = NULL;
}

static void case_23_registered_before_it_runs_once(void **state) {
  for (int way = 0; way < WAYS; way++) {
    chan_t c;
    test_host_t h;
    op_t op = {0};
    chan_open(&c, state, 4);
    loop_open(&h, 0);
    if (c.kind->bit != RENDEZVOUS) fill(&c, 0, 2); /* what is left does not matter */
    assert_int_equal(start_closed(&h, &op, c.tx, UVF_FOREVER), 0);
    test_host_run(&h);
    expect_pending(&op);
    close_by(&c, way);
    expect_pending(&op); /* not inside the call that closes either */
    test_host_run(&h);
    expect_done(&op, 0);
    assert_int_equal(uvf_tx_status(c.tx), way == BY_LAST_RX ? UV_EOF : UV_EIO);
    test_host_run(&h);
    assert_int_equal(op.calls, 0);
    expect_idle(&h, false);
    test_host_detach(&h);
    chan_close(&c);
  }
}

static void case_23_registered_after_it_runs_at_once(void **state) {
  for (int way = 0; way < WAYS; way++) {
    static const uint64_t timeouts[] = {UVF_NOWAIT, 10, UVF_FOREVER};
    chan_t c;
    test_host_t h;
    blocked_t b;
    chan_open(&c, state, 4);
    close_by(&c, way);
    for (int i = 0; i < 3; i++) {
      op_t op = {0};
      start_closed_waiter(&c, &b, timeouts[i], 0);
      assert_int_equal(join_blocked(&b), 0);
      loop_open(&h, 0);
      assert_int_equal(start_closed(&h, &op, c.tx, timeouts[i]), 0);
      expect_pending(&op);
      test_host_run(&h);
      expect_done(&op, 0);
      test_host_detach(&h);
    }
    assert_int_equal(stats_of(&c).waits, 0);
    chan_close(&c);
  }
}

static void a_blocked_thread_hears_of_the_close(void **state) {
  for (int way = 0; way < WAYS; way++) {
    chan_t c;
    blocked_t b;
    chan_open(&c, state, 4);
    start_closed_waiter(&c, &b, UVF_FOREVER, 1);
    close_by(&c, way);
    assert_int_equal(join_blocked(&b), 0);
    chan_close(&c);
  }
}

/* More than are told at a time, of both sorts, and with senders and receivers that wait as well. */
static void all_of_many_hear_of_the_close(void **state) {
  for (int way = 0; way < WAYS; way++) {
    chan_t c;
    test_host_t h;
    op_t ops[MANY], recv = {0};
    blocked_t blocked[MANY];
    memset(ops, 0, sizeof ops);
    chan_open(&c, state, 1);
    for (uint32_t i = 0; i < MANY; i++)
      start_closed_waiter(&c, &blocked[i], UVF_FOREVER, i + 1);
    loop_open(&h, 0);
    for (int i = 0; i < MANY; i++)
      assert_int_equal(start_closed(&h, &ops[i], c.tx, UVF_FOREVER), 0);
    if (way != BY_LAST_RX) assert_int_equal(start_recv(&h, &recv, c.rx, UVF_FOREVER), 0);
    close_by(&c, way);
    test_host_run(&h);
    for (int i = 0; i < MANY; i++) {
      expect_done(&ops[i], 0);
      assert_int_equal(join_blocked(&blocked[i]), 0);
    }
    if (way != BY_LAST_RX) expect_done(&recv, UV_EIO);
    test_host_detach(&h);
    chan_close(&c);
  }
}

/* ---- what it is not ---- */

/* No sender, no receiver, no room; and it does not hold up those who are. */
static void who_waits_for_the_close_is_no_partner(void **state) {
  chan_t c;
  test_host_t h;
  op_t op = {0}, recv = {0};
  chan_open(&c, state, 1);
  loop_open(&h, 0);
  assert_int_equal(start_closed(&h, &op, c.tx, UVF_FOREVER), 0);
  assert_int_equal(try_recv(&c), UV_EAGAIN);
  if (c.kind->bit == RENDEZVOUS) assert_int_equal(try_send(&c, 0, 0), UV_EAGAIN);
  assert_int_equal(start_recv(&h, &recv, c.rx, UVF_FOREVER), 0);
  assert_int_equal(try_send(&c, 0, 1), 0);
  test_host_run(&h);
  expect_done(&recv, 0);
  expect_pending(&op);
  assert_int_equal(uvf_tx_close(c.tx, 0), 0);
  test_host_run(&h);
  expect_done(&op, 0);
  test_host_detach(&h);
  chan_close(&c);
}

/* The close is what counts, not the end behind it. */
static void permits_do_not_hold_it_up(void **state) {
  chan_t c;
  test_host_t h;
  op_t op = {0};
  uvf_permit_t p;
  chan_open(&c, state, 2);
  loop_open(&h, 0);
  reserve_all(&c, &p, 1);
  assert_int_equal(start_closed(&h, &op, c.tx, UVF_FOREVER), 0);
  assert_int_equal(uvf_tx_close(c.tx, 0), 0);
  test_host_run(&h);
  expect_done(&op, 0);
  uvf_permit_release(&p);
  test_host_detach(&h);
  chan_close(&c);
}

static void it_keeps_the_channel_open_until_its_callback(void **state) {
  chan_t c;
  test_host_t h;
  op_t op = {0};
  chan_open(&c, state, 2);
  loop_open(&h, 0);
  assert_int_equal(start_closed(&h, &op, c.tx, UVF_FOREVER), 0);
  uvf_tx_release(c.tx);
  c.tx = NULL;
  test_host_run(&h);
  expect_pending(&op);
  assert_int_equal(uvf_rx_status(c.rx), 0);
  assert_int_equal(uvf_cancel(&op.req), 0);
  assert_int_equal(uvf_rx_status(c.rx), 0);
  test_host_run(&h);
  expect_done(&op, UV_ECANCELED);
  assert_int_equal(uvf_rx_status(c.rx), UV_EOF);
  test_host_detach(&h);
  chan_close(&c);
}

/* ---- waits that end by themselves ---- */

static void promise_4_who_leaves_is_not_told(void **state) {
  chan_t c;
  test_host_t h;
  op_t ops[4];
  memset(ops, 0, sizeof ops);
  chan_open(&c, state, 2);
  loop_open(&h, 0);
  for (int i = 0; i < 4; i++)
    assert_int_equal(start_closed(&h, &ops[i], c.tx, i == 1 ? 10 : i == 3 ? UVF_NOWAIT : UVF_FOREVER), 0);
  assert_int_equal(uvf_cancel(&ops[0].req), 0);
  test_host_advance(&h, 9);
  expect_done(&ops[0], UV_ECANCELED);
  expect_done(&ops[3], UV_ETIMEDOUT);
  expect_pending(&ops[1]);
  test_host_advance(&h, 1);
  expect_done(&ops[1], UV_ETIMEDOUT);
  expect_pending(&ops[2]);
  assert_int_equal(uvf_tx_close(c.tx, 0), 0);
  assert_int_equal(uvf_cancel(&ops[2].req), UV_EALREADY); /* too late */
  test_host_run(&h);
  expect_done(&ops[2], 0);
  assert_int_equal(ops[0].calls + ops[1].calls + ops[3].calls, 0);
  assert_int_equal(stats_of(&c).returned, 0);
  test_host_detach(&h);
  chan_close(&c);
}

static void a_blocked_wait_times_out(void **state) {
  chan_t c;
  blocked_t b;
  chan_open(&c, state, 2);
  for (uint64_t timeout = UVF_NOWAIT; timeout <= 1; timeout++) {
    start_closed_waiter(&c, &b, timeout, 0);
    assert_int_equal(join_blocked(&b), UV_ETIMEDOUT);
  }
  assert_int_equal(uvf_rx_close(c.rx, 0), 0);
  chan_close(&c);
}

static void a_detach_ends_it(void **state) {
  chan_t c;
  test_host_t h;
  op_t told = {0}, op = {0};
  chan_open(&c, state, 2);
  loop_open(&h, 0);
  assert_int_equal(start_closed(&h, &op, c.tx, UVF_FOREVER), 0);
  test_host_detach(&h);
  expect_done(&op, UV_ECANCELED);
  loop_open(&h, 0);
  assert_int_equal(start_closed(&h, &told, c.tx, UVF_FOREVER), 0);
  assert_int_equal(uvf_tx_close(c.tx, 0), 0);
  test_host_detach(&h); /* it was told before that */
  expect_done(&told, 0);
  chan_close(&c);
}

static void starts_again(void *arg) {
  op_t *op = arg;
  if (op->order++ < 3) /* a count here */
    op->active = uvf_wait_closed(op->permit.uvf__[0].p, &op->req, op->permit.uvf__[1].p, UVF_FOREVER, op_done) != 0;
}

/* In its own callback: the channel is closed, so it is called again, but never inside the start. */
static void it_may_be_started_in_its_callback(void **state) {
  chan_t c;
  test_host_t h;
  op_t op = {0};
  chan_open(&c, state, 2);
  loop_open(&h, 0);
  op.then = starts_again;
  op.arg = &op;
  op.permit.uvf__[0].p = h.loop;
  op.permit.uvf__[1].p = c.tx;
  assert_int_equal(start_closed(&h, &op, c.tx, UVF_FOREVER), 0);
  assert_int_equal(uvf_rx_close(c.rx, 0), 0);
  test_host_run(&h);
  assert_int_equal(op.calls, 4);
  op.calls = 1;
  expect_done(&op, 0);
  test_host_detach(&h);
  chan_close(&c);
}

/* ---- against sends and closers ---- */

typedef struct {
  uvf_tx_t *tx;
  uv_barrier_t gate;
  int accepted, refused, waited;
} producer_t;

/* Sends until it hears that nobody wants more. */
static void produces(void *arg) {
  producer_t *p = arg;
  (void)uv_barrier_wait(&p->gate);
  for (uint32_t i = 0;; i++) {
    payload_t it = item(1, i % LEDGER_SEQS);
    int r = uvf_try_send(p->tx, &it);
    if (r == 0) p->accepted++;
    if (r == UV_EPIPE) break;
    if (i % 16 == 15) (void)sched_yield(); /* an unbounded channel shall not grow large */
  }
  p->refused = 1;
}

static void awaits_the_close(void *arg) {
  producer_t *p = arg;
  (void)uv_barrier_wait(&p->gate);
  p->waited = uvf_wait_closed_sync(p->tx, UVF_FOREVER);
}

static void case_25_the_receiver_goes_while_a_send_is_in_flight(void **state) {
  for (int round = 0; round < ROUNDS; round++) {
    chan_t c;
    thread_t sender, watcher;
    producer_t p;
    int received = 0;
    chan_open(&c, state, 4);
    p.tx = c.tx;
    p.accepted = p.refused = 0;
    p.waited = 1;
    assert_int_equal(uv_barrier_init(&p.gate, 3), 0);
    thread_start(&sender, produces, &p);
    thread_start(&watcher, awaits_the_close, &p);
    (void)uv_barrier_wait(&p.gate);
    for (int i = 0; i < round % 5; i++)
      received += try_recv(&c) == 0;
    uvf_rx_release(c.rx);
    c.rx = NULL;
    thread_join(&sender);
    thread_join(&watcher);
    uv_barrier_destroy(&p.gate);
    assert_int_equal(p.waited, 0);
    assert_int_equal(p.accepted, received + (int)atomic_load(&c.dropped));
    assert_int_equal(atomic_load(&c.strange), 0);
    chan_close(&c);
  }
}

int main(void) {
  static const case_t cases[] = {
      CASE(case_23_registered_before_it_runs_once, EVERY),
      CASE(case_23_registered_after_it_runs_at_once, EVERY | ONESHOT),
      CASE(a_blocked_thread_hears_of_the_close, EVERY | ONESHOT),
      CASE(all_of_many_hear_of_the_close, ANY_SENDERS | OLDEST | NEWEST | ONESHOT),
      CASE(who_waits_for_the_close_is_no_partner, EVERY),
      CASE(permits_do_not_hold_it_up, RESERVABLE | ONESHOT),
      CASE(it_keeps_the_channel_open_until_its_callback, EVERY | ONESHOT),
      CASE(promise_4_who_leaves_is_not_told, EVERY | ONESHOT),
      CASE(a_blocked_wait_times_out, EVERY | ONESHOT),
      CASE(a_detach_ends_it, EVERY | ONESHOT),
      CASE(it_may_be_started_in_its_callback, EVERY | ONESHOT),
      CASE(case_25_the_receiver_goes_while_a_send_is_in_flight, EVERY | ONESHOT),
  };
  return RUN_CASES(cases);
}
