/* SPDX-License-Identifier: MIT */
/* Waiting for something to receive, without taking it: who is told, and that nobody is forgotten for it.
 * Promises 3 (exactly one callback), 4 (a wake of one who leaves is passed on), 6. */
#include "chan/loop_fixture.h"

#if defined(__SANITIZE_THREAD__)
enum { STREAM = 5000 };
#else
enum { STREAM = 50000 };
#endif

static void it_takes_nothing(void **state) {
  chan_t c;
  test_host_t h;
  op_t op = {0};
  chan_open(&c, state, 4);
  loop_open(&h, 0);
  fill(&c, 0, 1);
  static const uint64_t timeouts[] = {UVF_NOWAIT, 10, UVF_FOREVER};
  for (int i = 0; i < 3; i++) {
    assert_int_equal(start_readable(&h, &op, c.rx, timeouts[i]), 0);
    expect_pending(&op);
    test_host_run(&h);
    expect_done(&op, 0);
    assert_int_equal(uvf_rx_len(c.rx), 1);
  }
  expect(&c, 0, 0);
  assert_int_equal(start_readable(&h, &op, c.rx, UVF_FOREVER), 0);
  test_host_run(&h);
  expect_pending(&op);
  fill(&c, 1, 2);
  expect_pending(&op);
  test_host_run(&h);
  expect_done(&op, 0);
  expect(&c, 0, 1);
  expect(&c, 0, 2);
  assert_int_equal(stats_of(&c).received, 3);
  expect_idle(&h, false);
  test_host_detach(&h);
  chan_close(&c);
}

/* What woke the first is there for all others: two who look, and one who takes. */
static void a_wake_goes_down_the_line(void **state) {
  chan_t c;
  test_host_t h;
  op_t look[2], take = {0};
  memset(look, 0, sizeof look);
  chan_open(&c, state, 4);
  loop_open(&h, 0);
  for (int i = 0; i < 2; i++)
    assert_int_equal(start_readable(&h, &look[i], c.rx, UVF_FOREVER), 0);
  assert_int_equal(start_recv(&h, &take, c.rx, UVF_FOREVER), 0);
  fill(&c, 0, 1);
  test_host_run(&h);
  expect_done(&look[0], 0);
  expect_done(&look[1], 0);
  expect_done(&take, 0);
  assert_true(same(take.item, item(0, 0)));
  test_host_detach(&h);
  chan_close(&c);
}

/* The receiver is first, and leaves nothing for the others: they wait on. */
static void who_takes_first_leaves_nothing(void **state) {
  chan_t c;
  test_host_t h;
  op_t look[2], take = {0};
  memset(look, 0, sizeof look);
  chan_open(&c, state, 4);
  loop_open(&h, 0);
  assert_int_equal(start_recv(&h, &take, c.rx, UVF_FOREVER), 0);
  for (int i = 0; i < 2; i++)
    assert_int_equal(start_readable(&h, &look[i], c.rx, UVF_FOREVER), 0);
  fill(&c, 0, 1);
  test_host_run(&h);
  expect_done(&take, 0);
  expect_pending(&look[0]);
  expect_pending(&look[1]);
  fill(&c, 1, 1);
  test_host_run(&h);
  expect_done(&look[0], 0);
  expect_done(&look[1], 0);
  expect(&c, 0, 1);
  test_host_detach(&h);
  chan_close(&c);
}

static void the_item_is_taken_before_it_looks(void **state) {
  chan_t c;
  test_host_t h;
  op_t look = {0}, take = {0};
  chan_open(&c, state, 4);
  loop_open(&h, 0);
  assert_int_equal(start_readable(&h, &look, c.rx, UVF_FOREVER), 0);
  assert_int_equal(start_recv(&h, &take, c.rx, UVF_FOREVER), 0);
  fill(&c, 0, 1);
  expect(&c, 0, 0); /* quicker than the turn */
  test_host_run(&h);
  expect_pending(&look);
  expect_pending(&take);
  fill(&c, 1, 1);
  test_host_run(&h);
  expect_done(&look, 0); /* it has kept its place in front */
  expect_done(&take, 0);
  test_host_detach(&h);
  chan_close(&c);
}

/* A blocked thread behind it is woken by way of it. */
static void a_thread_behind_it_is_woken(void **state) {
  chan_t c;
  test_host_t h;
  op_t look = {0};
  blocked_t b;
  chan_open(&c, state, 4);
  loop_open(&h, 0);
  assert_int_equal(start_readable(&h, &look, c.rx, UVF_FOREVER), 0);
  start_receiver(&c, &b, UVF_FOREVER, 2);
  fill(&c, 0, 1);
  test_host_run(&h);
  expect_done(&look, 0);
  assert_int_equal(join_blocked(&b), 0);
  assert_true(same(b.item, item(0, 0)));
  test_host_detach(&h);
  chan_close(&c);
}

/* A reader takes all; who looks beside it never takes, and both hear of the end. */
static void a_reader_beside_it(void **state) {
  static reading_t r;
  chan_t c;
  test_host_t h;
  op_t look[2];
  int told = 0;
  memset(look, 0, sizeof look);
  memset(&r, 0, sizeof r);
  chan_open(&c, state, 4);
  loop_open(&h, 0);
  assert_int_equal(start_readable(&h, &look[0], c.rx, UVF_FOREVER), 0);
  assert_int_equal(start_reader(&h, &r, c.rx, NULL), 0);
  test_host_run(&h);
  assert_int_equal(start_readable(&h, &look[1], c.rx, UVF_FOREVER), 0);
  for (uint32_t i = 0; i < 100; i++) {
    fill(&c, i, 1);
    test_host_run(&h);
    for (int k = 0; k < 2; k++) {
      if (look[k].calls == 0) continue;
      expect_done(&look[k], 0);
      told++;
      assert_int_equal(start_readable(&h, &look[k], c.rx, UVF_FOREVER), 0);
    }
  }
  expect_read(&r, 0, 0, 100);
  assert_true(told > 0);
  uvf_tx_release(c.tx);
  c.tx = NULL;
  test_host_run(&h);
  expect_ended(&r, UV_EOF);
  expect_done(&look[0], UV_EOF);
  expect_done(&look[1], UV_EOF);
  test_host_detach(&h);
  chan_close(&c);
}

/* ---- the end ---- */

enum { BY_LAST_TX, BY_CAUSE, BY_RX, BY_ABORT, ENDS };

static int end_by(chan_t *c, int how) {
  if (how == BY_LAST_TX) uvf_tx_release(c->tx), c->tx = NULL;
  if (how == BY_CAUSE) assert_int_equal(uvf_tx_close(c->tx, UV_ECONNRESET), 0);
  if (how == BY_RX) assert_int_equal(uvf_rx_close(c->rx, UV_EIO), 0);
  if (how == BY_ABORT) assert_int_equal(uvf_rx_abort(c->rx, UV_EIO), 0);
  return how == BY_LAST_TX ? UV_EOF : how == BY_CAUSE ? UV_ECONNRESET : UV_EIO;
}

static void it_hears_of_the_end(void **state) {
  for (int how = 0; how < ENDS; how++) {
    chan_t c;
    test_host_t h;
    op_t op[3];
    memset(op, 0, sizeof op);
    chan_open(&c, state, 4);
    loop_open(&h, 0);
    for (int i = 0; i < 2; i++)
      assert_int_equal(start_readable(&h, &op[i], c.rx, UVF_FOREVER), 0);
    int end = end_by(&c, how);
    assert_int_equal(start_readable(&h, &op[2], c.rx, UVF_NOWAIT), 0);
    test_host_run(&h);
    for (int i = 0; i < 3; i++)
      expect_done(&op[i], end);
    test_host_detach(&h);
    chan_close(&c);
  }
}

static void what_is_left_comes_before_the_end(void **state) {
  chan_t c;
  test_host_t h;
  op_t op = {0};
  chan_open(&c, state, 4);
  loop_open(&h, 0);
  fill(&c, 0, 1);
  assert_int_equal(uvf_tx_close(c.tx, UV_EIO), 0);
  assert_int_equal(start_readable(&h, &op, c.rx, UVF_FOREVER), 0);
  test_host_run(&h);
  expect_done(&op, 0);
  expect(&c, 0, 0);
  assert_int_equal(start_readable(&h, &op, c.rx, UVF_FOREVER), 0);
  test_host_run(&h);
  expect_done(&op, UV_EIO);
  test_host_detach(&h);
  chan_close(&c);
}

static void a_permit_out_is_neither_an_item_nor_the_end(void **state) {
  chan_t c;
  test_host_t h;
  op_t op = {0}, late = {0};
  uvf_permit_t p[2];
  chan_open(&c, state, 4);
  loop_open(&h, 0);
  reserve_all(&c, p, 2);
  assert_int_equal(start_readable(&h, &op, c.rx, UVF_FOREVER), 0);
  assert_int_equal(uvf_tx_close(c.tx, UV_EIO), 0);
  assert_int_equal(start_readable(&h, &late, c.rx, UVF_FOREVER), 0);
  test_host_run(&h);
  expect_pending(&op);
  expect_pending(&late);
  assert_int_equal(permit_send(&p[0], 0, 0), 0);
  test_host_run(&h);
  expect_done(&op, 0);
  expect_done(&late, 0);
  expect(&c, 0, 0);
  assert_int_equal(start_readable(&h, &op, c.rx, UVF_FOREVER), 0);
  test_host_run(&h);
  expect_pending(&op);
  uvf_permit_release(&p[1]);
  test_host_run(&h);
  expect_done(&op, UV_EIO);
  test_host_detach(&h);
  chan_close(&c);
}

/* ---- waits that end by themselves ---- */

static void promise_4_who_leaves_is_not_told(void **state) {
  chan_t c;
  test_host_t h;
  op_t op[3];
  memset(op, 0, sizeof op);
  chan_open(&c, state, 4);
  loop_open(&h, 0);
  assert_int_equal(start_readable(&h, &op[0], c.rx, UVF_FOREVER), 0);
  assert_int_equal(start_readable(&h, &op[1], c.rx, 10), 0);
  assert_int_equal(start_readable(&h, &op[2], c.rx, UVF_NOWAIT), 0);
  assert_int_equal(uvf_cancel(&op[0].req), 0);
  test_host_advance(&h, 10);
  expect_done(&op[0], UV_ECANCELED);
  expect_done(&op[1], UV_ETIMEDOUT);
  expect_done(&op[2], UV_ETIMEDOUT);
  assert_int_equal(start_readable(&h, &op[0], c.rx, UVF_FOREVER), 0);
  test_host_detach(&h);
  expect_done(&op[0], UV_ECANCELED);
  chan_close(&c);
}

/* Woken and cancelled: it tells what there is, and its wake is not lost to the next one. */
static void promise_4_a_wake_of_a_cancelled_one_is_not_lost(void **state) {
  for (int taken = 0; taken <= 1; taken++) {
    chan_t c;
    test_host_t h;
    op_t look = {0}, take = {0};
    chan_open(&c, state, 4);
    loop_open(&h, 0);
    assert_int_equal(start_readable(&h, &look, c.rx, UVF_FOREVER), 0);
    assert_int_equal(start_recv(&h, &take, c.rx, UVF_FOREVER), 0);
    fill(&c, 0, 1);
    assert_int_equal(uvf_cancel(&look.req), UV_EALREADY);
    if (taken == 1) expect(&c, 0, 0);
    test_host_run(&h);
    expect_done(&look, taken == 1 ? UV_ECANCELED : 0);
    if (taken == 1) {
      expect_pending(&take);
      fill(&c, 1, 1);
      test_host_run(&h);
    }
    expect_done(&take, 0);
    test_host_detach(&h);
    chan_close(&c);
  }
}

static void it_is_a_receiver_until_its_callback(void **state) {
  chan_t c;
  test_host_t h;
  op_t op = {0};
  chan_open(&c, state, 4);
  loop_open(&h, 0);
  assert_int_equal(start_readable(&h, &op, c.rx, UVF_FOREVER), 0);
  uvf_rx_release(c.rx);
  c.rx = NULL;
  assert_int_equal(uvf_tx_status(c.tx), 0);
  if (c.kind->bit != RENDEZVOUS) fill(&c, 0, 1);
  if (c.kind->bit == RENDEZVOUS) assert_int_equal(uvf_cancel(&op.req), 0);
  test_host_run(&h);
  expect_done(&op, c.kind->bit == RENDEZVOUS ? UV_ECANCELED : 0);
  assert_int_equal(uvf_tx_status(c.tx), UV_EOF);
  assert_int_equal(try_send(&c, 0, 1), UV_EPIPE);
  test_host_detach(&h);
  chan_close(&c);
  assert_int_equal(atomic_load(&c.dropped), c.kind->bit == RENDEZVOUS ? 0 : 1);
}

/* ---- rendezvous ---- */

static void a_rendezvous_is_readable_while_a_sender_waits(void **state) {
  chan_t c;
  test_host_t h;
  op_t look[3], send = {0};
  memset(look, 0, sizeof look);
  chan_open(&c, state, 0);
  loop_open(&h, 0);
  for (int i = 0; i < 2; i++)
    assert_int_equal(start_readable(&h, &look[i], c.rx, UVF_FOREVER), 0);
  assert_int_equal(try_send(&c, 0, 0), UV_EAGAIN); /* who looks is no receiver */
  test_host_run(&h);
  expect_pending(&look[0]);
  assert_int_equal(start_send(&h, &send, c.tx, item(1, 1), UVF_FOREVER), 0);
  assert_int_equal(start_readable(&h, &look[2], c.rx, UVF_FOREVER), 0);
  test_host_run(&h);
  for (int i = 0; i < 3; i++)
    expect_done(&look[i], 0);
  expect_pending(&send);
  expect(&c, 1, 1);
  test_host_run(&h);
  expect_done(&send, 0);
  test_host_detach(&h);
  chan_close(&c);
}

static void a_blocked_sender_makes_a_rendezvous_readable(void **state) {
  chan_t c;
  test_host_t h;
  op_t look = {0};
  blocked_t b;
  chan_open(&c, state, 0);
  loop_open(&h, 0);
  assert_int_equal(start_readable(&h, &look, c.rx, UVF_FOREVER), 0);
  start_sender(&c, &b, item(1, 1), UVF_FOREVER, 2);
  test_host_run_until(&h, &look.calls, 1);
  expect_done(&look, 0);
  expect(&c, 1, 1);
  assert_int_equal(join_blocked(&b), 0);
  test_host_detach(&h);
  chan_close(&c);
}

/* The item goes past those who look, to the one who takes; and a sender that has left is not told of. */
static void a_rendezvous_passes_over_those_who_look(void **state) {
  chan_t c;
  test_host_t h;
  op_t look = {0}, take = {0}, send = {0};
  chan_open(&c, state, 0);
  loop_open(&h, 0);
  assert_int_equal(start_readable(&h, &look, c.rx, UVF_FOREVER), 0);
  assert_int_equal(start_recv(&h, &take, c.rx, UVF_FOREVER), 0);
  assert_int_equal(try_send(&c, 0, 0), 0);
  test_host_run(&h);
  expect_done(&take, 0);
  assert_true(same(take.item, item(0, 0)));
  expect_pending(&look);
  assert_int_equal(start_send(&h, &send, c.tx, item(1, 1), UVF_FOREVER), 0);
  assert_int_equal(uvf_cancel(&send.req), 0);
  test_host_run(&h);
  expect_done(&send, UV_ECANCELED);
  expect_pending(&look);
  test_host_detach(&h);
  expect_done(&look, UV_ECANCELED);
  chan_close(&c);
}

/* ---- as it is meant ---- */

typedef struct {
  uvf_tx_t *tx;
  int wrong;
} stream_t;

static void streams(void *arg) {
  stream_t *s = arg;
  for (uint32_t i = 0; i < STREAM; i++) {
    payload_t it = item(0, i);
    s->wrong += uvf_send_sync(s->tx, &it, UVF_FOREVER) != 0;
  }
  uvf_tx_release(s->tx);
}

/* Waits, takes until there is nothing, waits again: a thread sends as fast as it can, and nothing is missed. */
static void a_stream_is_received_by_waiting_and_trying(void **state) {
  chan_t c;
  test_host_t h;
  op_t op = {0};
  thread_t sender;
  tally_t tally;
  int r = UV_EAGAIN;
  chan_open(&c, state, 3);
  loop_open(&h, 0);
  tally_init(&tally, 1, STREAM);
  order_t order = {.tally = &tally};
  stream_t s = {.tx = c.tx};
  c.tx = NULL;
  thread_start(&sender, streams, &s);
  while (r == UV_EAGAIN) {
    payload_t got;
    assert_int_equal(start_readable(&h, &op, c.rx, UVF_FOREVER), 0);
    test_host_run_until(&h, &op.calls, 1);
    assert_true(op.status == 0 || op.status == UV_EOF);
    expect_done(&op, op.status);
    while ((r = uvf_try_recv(c.rx, &got)) == 0)
      order_see(&order, got);
    if (op.status == UV_EOF) assert_int_equal(r, UV_EOF);
  }
  assert_int_equal(r, UV_EOF);
  thread_join(&sender);
  assert_int_equal(s.wrong, 0);
  tally_check(&tally);
  test_host_detach(&h);
  chan_close(&c);
}

int main(void) {
  enum { MANY_RECEIVERS = SHARED | OLDEST | NEWEST };
  static const case_t cases[] = {
      CASE(it_takes_nothing, RESERVABLE),
      CASE(a_wake_goes_down_the_line, RESERVABLE | ONESHOT),
      CASE(who_takes_first_leaves_nothing, RESERVABLE),
      CASE(the_item_is_taken_before_it_looks, RESERVABLE),
      CASE(a_thread_behind_it_is_woken, MANY_RECEIVERS | ONESHOT),
      CASE(a_reader_beside_it, RESERVABLE),
      CASE(it_hears_of_the_end, EVERY | ONESHOT),
      CASE(what_is_left_comes_before_the_end, RESERVABLE),
      CASE(a_permit_out_is_neither_an_item_nor_the_end, RESERVABLE),
      CASE(promise_4_who_leaves_is_not_told, EVERY | ONESHOT),
      CASE(promise_4_a_wake_of_a_cancelled_one_is_not_lost, RESERVABLE),
      CASE(it_is_a_receiver_until_its_callback, EVERY | ONESHOT),
      CASE(a_rendezvous_is_readable_while_a_sender_waits, RENDEZVOUS),
      CASE(a_blocked_sender_makes_a_rendezvous_readable, RENDEZVOUS),
      CASE(a_rendezvous_passes_over_those_who_look, RENDEZVOUS),
      CASE(a_stream_is_received_by_waiting_and_trying, ALL),
  };
  return RUN_CASES(cases);
}
