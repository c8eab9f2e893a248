/* SPDX-License-Identifier: MIT */
/* Waiting on one-shot channels: for the item, for something to receive, for the close, on loops and threads; readers; waits that
 * end by themselves. Case 45. Promises 2, 3, 4, 6, 13. */
#include "chan/loop_fixture.h"

enum { MANY = 20 };

/* ---- for the item ---- */

static void a_receive_waits_for_the_item(void **state) {
  chan_t c;
  test_host_t h;
  op_t recv = {0};
  chan_open(&c, state, 0);
  loop_open(&h, 0);
  assert_int_equal(start_recv(&h, &recv, c.rx, UVF_FOREVER), 0);
  test_host_run(&h);
  expect_pending(&recv);
  assert_int_equal(try_send(&c, 1, 1), 0);
  expect_pending(&recv); /* not inside the send */
  test_host_run(&h);
  expect_done(&recv, 0);
  assert_true(same(recv.item, item(1, 1)));
  assert_int_equal(start_recv(&h, &recv, c.rx, UVF_FOREVER), 0);
  expect_pending(&recv);
  test_host_run(&h);
  expect_done(&recv, UV_EOF);
  expect_idle(&h, false);
  test_host_detach(&h);
  chan_close(&c);
}

static void a_blocked_receiver_gets_the_item_of_each_form(void **state) {
  for (int form = 0; form < 3; form++) {
    chan_t c;
    test_host_t h;
    op_t send = {0};
    blocked_t b;
    payload_t it = item(1, 1);
    chan_open(&c, state, 0);
    start_receiver(&c, &b, UVF_FOREVER, 1);
    if (form == 0) assert_int_equal(uvf_try_send(c.tx, &it), 0);
    if (form == 1) assert_int_equal(uvf_send_sync(c.tx, &it, UVF_FOREVER), 0);
    loop_open(&h, 0);
    if (form == 2) assert_int_equal(start_send(&h, &send, c.tx, it, UVF_FOREVER), 0);
    test_host_run(&h);
    if (form == 2) expect_done(&send, 0);
    assert_int_equal(join_blocked(&b), 0);
    assert_true(same(b.item, it));
    test_host_detach(&h);
    chan_close(&c);
  }
}

/* More than are told at a time; one of them has the item, and the others hear of the end. */
static void all_of_many_receivers_hear_of_it(void **state) {
  chan_t c;
  test_host_t h;
  op_t ops[MANY];
  blocked_t blocked[MANY];
  int got = 0, ended = 0;
  memset(ops, 0, sizeof ops);
  chan_open(&c, state, 0);
  loop_open(&h, 0);
  for (uint32_t i = 0; i < MANY; i++) {
    start_receiver(&c, &blocked[i], UVF_FOREVER, 2 * i + 1);
    int r = i % 2 == 0 ? start_recv(&h, &ops[i], c.rx, UVF_FOREVER) : start_readable(&h, &ops[i], c.rx, UVF_FOREVER);
    assert_int_equal(r, 0);
  }
  assert_int_equal(try_send(&c, 1, 1), 0);
  for (int i = 0; i < MANY; i++) {
    test_host_run_until(&h, &ops[i].calls, 1);
    got += i % 2 == 0 && ops[i].status == 0;
    if (i % 2 == 0 || ops[i].status != 0) ended += ops[i].status == UV_EOF;
    if (i % 2 == 1 && ops[i].status == 0) ended++; /* it was readable at that moment */
    int r = join_blocked(&blocked[i]);
    got += r == 0;
    ended += r == UV_EOF;
  }
  assert_int_equal(got, 1);
  assert_int_equal(ended, 2 * MANY - 1);
  test_host_detach(&h);
  chan_close(&c);
}

static void case_45_waiting_receivers_hear_that_the_sender_went(void **state) {
  for (int cause = 0; cause < 2; cause++) {
    chan_t c;
    test_host_t h;
    op_t recv = {0}, readable = {0};
    reading_t reading = {.count = 0};
    blocked_t b;
    int status = cause != 0 ? UV_ECONNRESET : UV_EOF;
    chan_open(&c, state, 0);
    loop_open(&h, 0);
    start_receiver(&c, &b, UVF_FOREVER, 1);
    assert_int_equal(start_recv(&h, &recv, c.rx, UVF_FOREVER), 0);
    assert_int_equal(start_readable(&h, &readable, c.rx, UVF_FOREVER), 0);
    assert_int_equal(start_reader(&h, &reading, c.rx, NULL), 0);
    test_host_run(&h);
    if (cause != 0) assert_int_equal(uvf_tx_close(c.tx, status), 0);
    uvf_tx_release(c.tx);
    c.tx = NULL;
    assert_int_equal(join_blocked(&b), status);
    test_host_run_until(&h, &recv.calls, 1);
    test_host_run_until(&h, &readable.calls, 1);
    test_host_run_until(&h, &reading.ends, 1);
    expect_done(&recv, status);
    expect_done(&readable, status);
    expect_ended(&reading, status);
    test_host_detach(&h);
    chan_close(&c);
  }
}

/* ---- sending on a loop ---- */

static void sends_on_a_loop_complete_later(void **state) {
  chan_t c;
  test_host_t h;
  op_t first = {0}, second = {0};
  chan_open(&c, state, 0);
  loop_open(&h, 0);
  assert_int_equal(start_send(&h, &first, c.tx, item(1, 1), UVF_FOREVER), 0);
  assert_int_equal(start_send(&h, &second, c.tx, item(2, 2), UVF_FOREVER), 0);
  expect_pending(&first);
  expect_pending(&second);
  test_host_run(&h);
  expect_done(&first, 0);
  expect_done(&second, UV_EPIPE);
  assert_true(same(second.item, item(2, 2)));
  assert_int_equal(stats_of(&c).waits, 0); /* there was nothing to wait for */
  expect(&c, 1, 1);
  test_host_detach(&h);
  chan_close(&c);
}

/* A pending request owns its end. */
static void a_pending_receive_is_the_receiver(void **state) {
  chan_t c;
  test_host_t h;
  op_t recv = {0};
  chan_open(&c, state, 0);
  loop_open(&h, 0);
  assert_int_equal(start_recv(&h, &recv, c.rx, UVF_FOREVER), 0);
  uvf_rx_release(c.rx);
  c.rx = NULL;
  test_host_run(&h);
  assert_int_equal(uvf_tx_status(c.tx), 0);
  assert_int_equal(try_send(&c, 1, 1), 0);
  uvf_tx_release(c.tx);
  c.tx = NULL;
  test_host_run(&h);
  expect_done(&recv, 0);
  assert_true(same(recv.item, item(1, 1)));
  test_host_detach(&h);
  assert_int_equal(atomic_load(&c.dropped), 0);
}

/* ---- readers ---- */

static void a_reader_gets_the_item_and_then_the_end(void **state) {
  for (int before = 0; before < 2; before++) {
    chan_t c;
    test_host_t h;
    reading_t r = {.count = 0};
    chan_open(&c, state, 0);
    loop_open(&h, 0);
    if (before == 0) assert_int_equal(try_send(&c, 1, 0), 0);
    assert_int_equal(start_reader(&h, &r, c.rx, NULL), 0);
    if (before == 1) {
      test_host_run(&h);
      expect_read(&r, 1, 0, 0);
      expect_idle(&h, true);
      assert_int_equal(try_send(&c, 1, 0), 0);
    }
    test_host_run(&h);
    assert_int_equal(r.count, 1);
    assert_true(same(r.got[0], item(1, 0)));
    assert_int_equal(r.calls, 2);
    expect_ended(&r, UV_EOF);
    expect_idle(&h, false);
    test_host_detach(&h);
    chan_close(&c);
    assert_int_equal(atomic_load(&c.dropped), 0);
  }
}

static void of_two_readers_one_gets_it_and_both_the_end(void **state) {
  chan_t c;
  test_host_t h;
  reading_t r[2] = {{.count = 0}, {.count = 0}};
  chan_open(&c, state, 0);
  loop_open(&h, 0);
  for (int i = 0; i < 2; i++)
    assert_int_equal(start_reader(&h, &r[i], c.rx, NULL), 0);
  test_host_run(&h);
  assert_int_equal(try_send(&c, 1, 0), 0);
  test_host_run(&h);
  assert_int_equal(r[0].count + r[1].count, 1);
  for (int i = 0; i < 2; i++)
    expect_ended(&r[i], UV_EOF);
  test_host_detach(&h);
  chan_close(&c);
}

typedef struct {
  chan_t c;
  reading_t reading;
  int what;
  bool same;
} inside_t;

/* In the reader's callback: ends of all sorts. The item on loan stays where it is. */
static void does_inside(void *arg, int n, const payload_t *items) {
  inside_t *in = arg;
  if (n < 0) return;
  if (in->what == 0) (void)uvf_reader_stop(&in->reading.rd);
  if (in->what == 1) uvf_reader_pause(&in->reading.rd);
  if (in->what == 2) (void)uvf_rx_abort(in->c.rx, 0);
  if (in->what >= 3) chan_close(&in->c);
  if (in->what == 4) (void)uvf_reader_stop(&in->reading.rd);
  in->same = same(items[0], item(1, 0));
}

static void a_reader_may_do_anything_in_its_callback(void **state) {
  for (int what = 0; what < 5; what++) {
    inside_t in = {.what = what};
    test_host_t h;
    chan_open(&in.c, state, 0);
    loop_open(&h, 0);
    in.reading.then = does_inside;
    in.reading.arg = &in;
    assert_int_equal(start_reader(&h, &in.reading, in.c.rx, NULL), 0);
    assert_int_equal(try_send(&in.c, 1, 0), 0);
    test_host_run(&h);
    assert_int_equal(in.reading.count, 1);
    assert_true(in.same);
    bool stopped = what == 0 || what == 4;
    assert_int_equal(in.reading.ends, stopped || what == 1 ? 0 : 1);
    if (what == 1) uvf_reader_resume(&in.reading.rd);
    test_host_run(&h);
    if (!stopped) expect_ended(&in.reading, UV_EOF);
    test_host_detach(&h);
    chan_close(&in.c);
    assert_int_equal(atomic_load(&in.c.dropped), 0);
  }
}

static void a_stopped_reader_leaves_the_item(void **state) {
  chan_t c;
  test_host_t h;
  reading_t r = {.count = 0};
  chan_open(&c, state, 0);
  loop_open(&h, 0);
  assert_int_equal(start_reader(&h, &r, c.rx, NULL), 0);
  test_host_run(&h);
  assert_int_equal(try_send(&c, 1, 1), 0); /* it has been woken */
  assert_int_equal(uvf_reader_stop(&r.rd), 0);
  test_host_run(&h);
  assert_int_equal(r.calls, 0);
  expect(&c, 1, 1);
  test_host_detach(&h);
  chan_close(&c);
}

/* ---- for something to receive ---- */

static void readable_is_told_and_takes_nothing(void **state) {
  chan_t c;
  test_host_t h;
  op_t ops[3];
  memset(ops, 0, sizeof ops);
  chan_open(&c, state, 0);
  loop_open(&h, 0);
  for (int i = 0; i < 2; i++)
    assert_int_equal(start_readable(&h, &ops[i], c.rx, UVF_FOREVER), 0);
  test_host_run(&h);
  expect_pending(&ops[0]);
  assert_int_equal(try_send(&c, 1, 1), 0);
  assert_int_equal(start_readable(&h, &ops[2], c.rx, UVF_FOREVER), 0);
  test_host_run(&h);
  for (int i = 0; i < 3; i++)
    expect_done(&ops[i], 0);
  expect(&c, 1, 1);
  assert_int_equal(start_readable(&h, &ops[0], c.rx, UVF_FOREVER), 0);
  test_host_run(&h);
  expect_done(&ops[0], UV_EOF);
  test_host_detach(&h);
  chan_close(&c);
}

/* ---- for the close ---- */

static void starts_a_send(test_host_t *h, chan_t *c, int form, op_t *op, blocked_t *b) {
  uvf_permit_t p;
  if (form == 0) assert_int_equal(try_send(c, 1, 1), 0);
  if (form == 1) start_sender(c, b, item(1, 1), UVF_FOREVER, 0);
  if (form == 2) assert_int_equal(start_send(h, op, c->tx, item(1, 1), UVF_FOREVER), 0);
  if (form == 3) {
    reserve_all(c, &p, 1);
    assert_int_equal(permit_send(&p, 1, 1), 0);
  }
}

/* Of many, on loops and threads, before and after the send, and before the item is taken. */
static void a_send_tells_those_who_wait_for_the_close(void **state) {
  for (int form = 0; form < 4; form++) {
    chan_t c;
    test_host_t h;
    op_t ops[MANY + 1], send = {0};
    blocked_t blocked[MANY], sender;
    memset(ops, 0, sizeof ops);
    chan_open(&c, state, 0);
    for (uint32_t i = 0; i < MANY; i++)
      start_closed_waiter(&c, &blocked[i], UVF_FOREVER, i + 1);
    loop_open(&h, 0);
    for (int i = 0; i < MANY; i++)
      assert_int_equal(start_closed(&h, &ops[i], c.tx, UVF_FOREVER), 0);
    test_host_run(&h);
    expect_pending(&ops[0]);
    starts_a_send(&h, &c, form, &send, &sender);
    if (form == 1) assert_int_equal(join_blocked(&sender), 0);
    assert_int_equal(start_closed(&h, &ops[MANY], c.tx, UVF_NOWAIT), 0);
    test_host_run(&h);
    for (int i = 0; i < MANY; i++)
      assert_int_equal(join_blocked(&blocked[i]), 0);
    for (int i = 0; i <= MANY; i++)
      expect_done(&ops[i], 0);
    assert_int_equal(uvf_tx_status(c.tx), UV_EOF);
    expect(&c, 1, 1);
    test_host_detach(&h);
    assert_int_equal(uvf_wait_closed_sync(c.tx, UVF_NOWAIT), 0);
    chan_close(&c);
  }
}

/* Who waits for the close, in its callback, may be what keeps the sending end. */
static void the_last_owner_waits_for_the_close(void **state) {
  chan_t c;
  test_host_t h;
  op_t op = {0};
  chan_open(&c, state, 0);
  loop_open(&h, 0);
  assert_int_equal(start_closed(&h, &op, c.tx, UVF_FOREVER), 0);
  assert_int_equal(try_send(&c, 1, 1), 0);
  uvf_tx_release(c.tx);
  c.tx = NULL;
  expect(&c, 1, 1);
  uvf_rx_release(c.rx);
  c.rx = NULL;
  test_host_run(&h);
  expect_done(&op, 0);
  test_host_detach(&h);
}

/* ---- waits that end by themselves ---- */

static void promise_4_who_left_takes_nothing(void **state) {
  for (int cancel = 0; cancel < 2; cancel++) {
    chan_t c;
    test_host_t h;
    op_t recv = {0}, readable = {0}, closed = {0}, next = {0};
    blocked_t b;
    uint64_t timeout = cancel != 0 ? UVF_FOREVER : 10;
    int status = cancel != 0 ? UV_ECANCELED : UV_ETIMEDOUT;
    chan_open(&c, state, 0);
    loop_open(&h, 0);
    start_receiver(&c, &b, 1, 0);
    assert_int_equal(join_blocked(&b), UV_ETIMEDOUT);
    assert_int_equal(start_recv(&h, &recv, c.rx, timeout), 0);
    assert_int_equal(start_readable(&h, &readable, c.rx, timeout), 0);
    assert_int_equal(start_closed(&h, &closed, c.tx, timeout), 0);
    assert_int_equal(start_recv(&h, &next, c.rx, UVF_FOREVER), 0);
    test_host_advance(&h, 9);
    expect_pending(&recv);
    op_t *ops[] = {&recv, &readable, &closed};
    for (int i = 0; i < 3 && cancel != 0; i++)
      assert_int_equal(uvf_cancel(&ops[i]->req), 0);
    test_host_advance(&h, 1);
    for (int i = 0; i < 3; i++)
      expect_done(ops[i], status);
    assert_int_equal(try_send(&c, 1, 1), 0);
    test_host_run(&h);
    expect_done(&next, 0);
    assert_true(same(next.item, item(1, 1)));
    test_host_detach(&h);
    chan_close(&c);
  }
}

static void promise_4_too_late_is_the_outcome(void **state) {
  for (int cancel = 0; cancel < 2; cancel++) {
    chan_t c;
    test_host_t h;
    op_t recv = {0}, closed = {0};
    chan_open(&c, state, 0);
    loop_open(&h, 0);
    assert_int_equal(start_recv(&h, &recv, c.rx, cancel != 0 ? UVF_FOREVER : 10), 0);
    assert_int_equal(start_closed(&h, &closed, c.tx, cancel != 0 ? UVF_FOREVER : 10), 0);
    test_host_run(&h);
    assert_int_equal(try_send(&c, 1, 1), 0);
    if (cancel != 0) assert_int_equal(uvf_cancel(&recv.req), UV_EALREADY);
    if (cancel != 0) assert_int_equal(uvf_cancel(&closed.req), UV_EALREADY);
    test_host_advance(&h, 20);
    expect_done(&recv, 0);
    expect_done(&closed, 0);
    assert_true(same(recv.item, item(1, 1)));
    test_host_detach(&h);
    chan_close(&c);
  }
}

/* Who was told before it is told; and the item is not lost. */
static void promise_13_a_detach_ends_all_waits(void **state) {
  for (int sent = 0; sent < 2; sent++) {
    chan_t c;
    test_host_t h;
    op_t recv = {0}, readable = {0}, closed = {0};
    reading_t r = {.count = 0};
    chan_open(&c, state, 0);
    loop_open(&h, 0);
    assert_int_equal(start_readable(&h, &readable, c.rx, UVF_FOREVER), 0);
    assert_int_equal(start_recv(&h, &recv, c.rx, UVF_FOREVER), 0);
    assert_int_equal(start_closed(&h, &closed, c.tx, UVF_FOREVER), 0);
    assert_int_equal(start_reader(&h, &r, c.rx, NULL), 0);
    test_host_run(&h);
    if (sent != 0) assert_int_equal(try_send(&c, 1, 1), 0);
    test_host_detach(&h);
    expect_done(&readable, sent != 0 ? 0 : UV_ECANCELED); /* it was told before */
    expect_done(&closed, sent != 0 ? 0 : UV_ECANCELED);
    expect_done(&recv, recv.status);
    assert_true(recv.status == UV_ECANCELED || (sent != 0 && recv.status == 0));
    expect_ended(&r, UV_ECANCELED);
    if (sent == 0) assert_int_equal(try_send(&c, 1, 1), 0);
    if (recv.status != 0) expect(&c, 1, 1); /* still there */
    assert_int_equal(try_recv(&c), UV_EOF);
    chan_close(&c);
  }
}

static void refused_on_a_loops_thread(void **state) {
  chan_t c;
  test_host_t h;
  payload_t it = item(1, 1);
  uvf_permit_t p;
  chan_open(&c, state, 0);
  loop_open(&h, 0);
  assert_int_equal(uvf_recv_sync(c.rx, &it, UVF_FOREVER), UVF_EDEADLK);
  assert_int_equal(uvf_send_sync(c.tx, &it, UVF_FOREVER), UVF_EDEADLK);
  assert_int_equal(uvf_reserve_sync(c.tx, &p, UVF_FOREVER), UVF_EDEADLK);
  assert_int_equal(uvf_wait_closed_sync(c.tx, UVF_FOREVER), UVF_EDEADLK);
  assert_int_equal(uvf_tx_status(c.tx), 0); /* nothing was sent */
  test_host_detach(&h);
  chan_close(&c);
}

int main(void) {
  static const case_t cases[] = {
      CASE(a_receive_waits_for_the_item, ONESHOT),
      CASE(a_blocked_receiver_gets_the_item_of_each_form, ONESHOT),
      CASE(all_of_many_receivers_hear_of_it, ONESHOT),
      CASE(case_45_waiting_receivers_hear_that_the_sender_went, ONESHOT),
      CASE(sends_on_a_loop_complete_later, ONESHOT),
      CASE(a_pending_receive_is_the_receiver, ONESHOT),
      CASE(a_reader_gets_the_item_and_then_the_end, ONESHOT),
      CASE(of_two_readers_one_gets_it_and_both_the_end, ONESHOT),
      CASE(a_reader_may_do_anything_in_its_callback, ONESHOT),
      CASE(a_stopped_reader_leaves_the_item, ONESHOT),
      CASE(readable_is_told_and_takes_nothing, ONESHOT),
      CASE(a_send_tells_those_who_wait_for_the_close, ONESHOT),
      CASE(the_last_owner_waits_for_the_close, ONESHOT),
      CASE(promise_4_who_left_takes_nothing, ONESHOT),
      CASE(promise_4_too_late_is_the_outcome, ONESHOT),
      CASE(promise_13_a_detach_ends_all_waits, ONESHOT),
      CASE(refused_on_a_loops_thread, ONESHOT),
  };
  return RUN_CASES(cases);
}
