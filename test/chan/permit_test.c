/* SPDX-License-Identifier: MIT */
/* Permits: the three forms of reserving, order of arrival, using one and giving it back. (Closing: permit_end_test.c.)
 * Promises 1 (a permit is used up or given back once), 4 (a wait that ended reserves nothing), 5 (who waits is served in order,
 * sends and reserves alike), 11. */
#include "chan/loop_fixture.h"

enum { MOST = 16383, HELD_CAPACITY = 20000, MANY = 700 };

/* ---- without waiting ---- */

static void a_permit_is_room_and_not_an_item(void **state) {
  chan_t c;
  uvf_permit_t p[3];
  chan_open(&c, state, 2);
  reserve_all(&c, p, 2);
  if (c.kind->bit != UNBOUNDED) {
    memset(&p[2], 0xa5, sizeof p[2]);
    assert_int_equal(uvf_try_reserve(c.tx, &p[2]), UV_EAGAIN);
    assert_true(is_empty(&p[2]));
    if ((c.kind->bit & (NEWEST | NEWEST_SPSC)) == 0) assert_int_equal(try_send(&c, 9, 0), UV_EAGAIN);
  }
  assert_int_equal(uvf_rx_len(c.rx), 0);
  assert_int_equal(try_recv(&c), UV_EAGAIN);
  uvf_permit_release(&p[0]);
  assert_int_equal(try_send(&c, 0, 1), 0);
  if (c.kind->bit != UNBOUNDED) assert_int_equal(uvf_try_reserve(c.tx, &p[2]), UV_EAGAIN);
  assert_int_equal(permit_send(&p[1], 0, 2), 0);
  assert_int_equal(uvf_rx_len(c.rx), 2);
  expect(&c, 0, 1);
  expect(&c, 0, 2);
  assert_int_equal(try_recv(&c), UV_EAGAIN);
  chan_close(&c);
  assert_int_equal(atomic_load(&c.dropped), 0);
}

/* The item's place is that of the sending, not that of the reserving. */
static void an_item_comes_when_it_is_sent(void **state) {
  chan_t c;
  uvf_permit_t p[2];
  chan_open(&c, state, 4);
  reserve_all(&c, p, 2);
  fill(&c, 0, 2);
  assert_int_equal(permit_send(&p[1], 1, 1), 0);
  assert_int_equal(permit_send(&p[0], 1, 0), 0);
  expect(&c, 0, 0);
  expect(&c, 0, 1);
  expect(&c, 1, 1);
  expect(&c, 1, 0);
  chan_close(&c);
}

static void promise_1_a_permit_is_used_once(void **state) {
  chan_t c;
  uvf_permit_t p;
  chan_open(&c, state, 2);
  reserve_all(&c, &p, 1);
  assert_int_equal(uvf_permit_send(&p, NULL), UV_EINVAL); /* and it is still there */
  assert_int_equal(permit_send(&p, 0, 0), 0);
  assert_int_equal(permit_send(&p, 0, 1), UV_EINVAL);
  uvf_permit_release(&p);
  reserve_all(&c, &p, 1); /* the same memory again */
  uvf_permit_release(&p);
  uvf_permit_release(&p);
  assert_int_equal(permit_send(&p, 0, 2), UV_EINVAL);
  uvf_permit_release(NULL);
  expect(&c, 0, 0);
  assert_int_equal(try_recv(&c), UV_EAGAIN);
  fill(&c, 3, 2); /* all of the room is there, and no more */
  if ((c.kind->bit & LIMITED) != 0) assert_int_equal(try_send(&c, 0, 9), UV_EAGAIN);
  chan_close(&c);
}

/* All of the room, given back and used by turns. */
static void permits_take_exactly_the_capacity(void **state) {
  static const uint32_t capacities[] = {1, 2, 3, 5, 8, 9, 64, 100};
  for (size_t k = 0; k < sizeof capacities / sizeof capacities[0]; k++) {
    chan_t c;
    uvf_permit_t p[101];
    uint32_t n = capacities[k], got = 0;
    chan_open(&c, state, n);
    for (int round = 0; round < 3; round++) {
      reserve_all(&c, p, n);
      assert_int_equal(uvf_try_reserve(c.tx, &p[n]), UV_EAGAIN);
      for (uint32_t i = 0; i < n; i++) {
        if (i % 2 == 0)
          uvf_permit_release(&p[i]);
        else
          assert_int_equal(permit_send(&p[i], 0, got + i / 2), 0);
      }
      assert_int_equal(uvf_rx_len(c.rx), n / 2);
      for (uint32_t i = 0; i < n / 2; i++)
        expect(&c, 0, got++);
    }
    chan_close(&c);
  }
}

static void many_permits_of_an_unbounded_channel(void **state) {
  static uvf_permit_t p[MANY];
  chan_t c;
  chan_open(&c, state, 0);
  reserve_all(&c, p, MANY);
  fill(&c, 0, MANY);
  for (uint32_t i = 0; i < MANY; i++)
    assert_int_equal(permit_send(&p[i], 1, i), 0);
  for (uint32_t s = 0; s < 2; s++)
    for (uint32_t i = 0; i < MANY; i++)
      expect(&c, s, i);
  assert_int_equal(try_recv(&c), UV_EAGAIN);
  chan_close(&c);
}

static void at_most_16383_permits_are_out(void **state) {
  static uvf_permit_t p[MOST];
  chan_t c;
  uvf_permit_t more;
  chan_open(&c, state, HELD_CAPACITY);
  int too_many = c.kind->bit == UNBOUNDED ? UV_ENOMEM : UV_EAGAIN;
  reserve_all(&c, p, MOST);
  assert_int_equal(uvf_try_reserve(c.tx, &more), too_many);
  assert_true(is_empty(&more));
  fill(&c, 0, 3); /* there is room */
  uvf_permit_release(&p[100]);
  assert_int_equal(uvf_try_reserve(c.tx, &p[100]), 0);
  assert_int_equal(permit_send(&p[7], 0, 3), 0);
  assert_int_equal(uvf_try_reserve(c.tx, &p[7]), 0);
  assert_int_equal(uvf_try_reserve(c.tx, &more), too_many);
  assert_int_equal(uvf_tx_close(c.tx, 0), 0);
  for (uint32_t i = 0; i < 4; i++)
    expect(&c, 0, i);
  for (int i = 0; i < MOST; i++) {
    assert_int_equal(try_recv(&c), UV_EAGAIN);
    uvf_permit_release(&p[i]);
  }
  assert_int_equal(try_recv(&c), UV_EOF);
  chan_close(&c);
}

static void a_rendezvous_has_none(void **state) {
  chan_t c;
  test_host_t h;
  op_t op = {0};
  blocked_t b;
  uvf_permit_t p;
  chan_open(&c, state, 0);
  start_reserver(&c, &b, UVF_FOREVER, 0);
  assert_int_equal(join_blocked(&b), UV_ENOTSUP);
  assert_true(is_empty(&b.permit));
  loop_open(&h, 0);
  memset(&p, 0xa5, sizeof p);
  assert_int_equal(uvf_try_reserve(c.tx, &p), UV_ENOTSUP);
  assert_true(is_empty(&p));
  assert_int_equal(start_reserve(&h, &op, c.tx, UVF_FOREVER), UV_ENOTSUP);
  test_host_run(&h);
  assert_int_equal(op.calls, 0);
  assert_false(uvf_req_active(&op.req));
  test_host_detach(&h);
  chan_close(&c);
}

static void permits_in_the_statistics(void **state) {
  chan_t c;
  uvf_permit_t p[3];
  chan_open(&c, state, 4);
  reserve_all(&c, p, 3);
  uvf_chan_stats_t s = stats_of(&c);
  assert_int_equal(s.sent + s.received + s.dropped + s.returned + s.len, 0);
  assert_int_equal(permit_send(&p[0], 0, 0), 0);
  uvf_permit_release(&p[1]);
  s = stats_of(&c);
  assert_int_equal(s.sent, 1);
  assert_int_equal(s.len, 1);
  assert_int_equal(s.returned, 0); /* a permit given back is no item */
  expect(&c, 0, 0);
  assert_int_equal(uvf_rx_abort(c.rx, 0), 0);
  assert_int_equal(permit_send(&p[2], 0, 1), UV_EPIPE);
  s = stats_of(&c);
  assert_int_equal(s.sent, 1);
  assert_int_equal(s.received, 1);
  assert_int_equal(s.dropped, 0);
  chan_close(&c);
}

/* ---- no memory ---- */

static void promise_11_no_memory_leaves_the_permit(void **state) {
  static uvf_permit_t p[MANY];
  chan_t c;
  uint32_t refused = 0;
  chan_open(&c, state, 0);
  reserve_all(&c, p, MANY);
  for (uint32_t i = 0; i < MANY; i++) {
    fault_from(1);
    int r = permit_send(&p[i], 0, i);
    fault_at(0);
    if (r == UV_ENOMEM) {
      refused++;
      assert_int_equal(uvf_rx_len(c.rx), i);
      r = permit_send(&p[i], 0, i);
    }
    assert_int_equal(r, 0);
  }
  assert_int_equal(refused > 0, UVF__ATOMICS); /* the queue under a lock has the memory of its permits already */
  assert_int_equal(uvf_tx_close(c.tx, 0), 0);
  for (uint32_t i = 0; i < MANY; i++)
    expect(&c, 0, i);
  assert_int_equal(try_recv(&c), UV_EOF);
  chan_close(&c);
}

/* ---- waiting ---- */

static void a_reserve_waits_for_room(void **state) {
  chan_t c;
  test_host_t h;
  op_t op = {0};
  chan_open(&c, state, 2);
  loop_open(&h, 0);
  assert_int_equal(start_reserve(&h, &op, c.tx, UVF_FOREVER), 0);
  expect_pending(&op); /* not inside the call, though there is room */
  test_host_run(&h);
  expect_done(&op, 0);
  assert_int_equal(permit_send(&op.permit, 0, 0), 0);
  fill(&c, 1, 1);
  assert_int_equal(start_reserve(&h, &op, c.tx, UVF_FOREVER), 0);
  test_host_run(&h);
  expect_pending(&op);
  expect(&c, 0, 0);
  test_host_run(&h);
  expect_done(&op, 0);
  expect(&c, 0, 1);
  assert_int_equal(permit_send(&op.permit, 0, 2), 0);
  expect(&c, 0, 2);
  expect_idle(&h, false);
  test_host_detach(&h);
  chan_close(&c);
}

/* Sends and reserves in one line. */
static void promise_5_sends_and_reserves_are_served_in_order(void **state) {
  chan_t c;
  test_host_t h;
  op_t s[2], r[3];
  memset(s, 0, sizeof s);
  memset(r, 0, sizeof r);
  chan_open(&c, state, 1);
  loop_open(&h, 0);
  fill(&c, 0, 1);
  assert_int_equal(start_reserve(&h, &r[0], c.tx, UVF_FOREVER), 0);
  assert_int_equal(start_send(&h, &s[0], c.tx, item(1, 0), UVF_FOREVER), 0);
  assert_int_equal(start_reserve(&h, &r[1], c.tx, UVF_FOREVER), 0);
  assert_int_equal(start_reserve(&h, &r[2], c.tx, UVF_FOREVER), 0);
  assert_int_equal(start_send(&h, &s[1], c.tx, item(1, 1), UVF_FOREVER), 0);
  expect(&c, 0, 0);
  test_host_run(&h);
  expect_done(&r[0], 0);
  expect_pending(&s[0]);
  assert_int_equal(try_recv(&c), UV_EAGAIN);
  uvf_permit_release(&r[0].permit);
  test_host_run(&h);
  expect_done(&s[0], 0);
  expect_pending(&r[1]);
  expect(&c, 1, 0);
  test_host_run(&h);
  expect_done(&r[1], 0);
  expect_pending(&r[2]);
  assert_int_equal(permit_send(&r[1].permit, 2, 0), 0);
  test_host_run(&h);
  expect_pending(&r[2]);
  expect(&c, 2, 0);
  test_host_run(&h);
  expect_done(&r[2], 0);
  expect_pending(&s[1]);
  uvf_permit_release(&r[2].permit);
  test_host_run(&h);
  expect_done(&s[1], 0);
  expect(&c, 1, 1);
  test_host_detach(&h);
  chan_close(&c);
}

static void a_blocked_reserve_waits_for_room(void **state) {
  chan_t c;
  blocked_t b;
  chan_open(&c, state, 1);
  fill(&c, 0, 1);
  start_reserver(&c, &b, UVF_FOREVER, 1);
  expect(&c, 0, 0);
  assert_int_equal(join_blocked(&b), 0);
  assert_int_equal(permit_send(&b.permit, 0, 1), 0); /* on another thread than the one that got it */
  expect(&c, 0, 1);
  chan_close(&c);
}

static void blocked_sends_and_reserves_are_served_in_order(void **state) {
  chan_t c;
  blocked_t send, reserve[2];
  chan_open(&c, state, 1);
  fill(&c, 0, 1);
  start_reserver(&c, &reserve[0], UVF_FOREVER, 1);
  start_sender(&c, &send, item(1, 0), UVF_FOREVER, 2);
  start_reserver(&c, &reserve[1], UVF_FOREVER, 3);
  expect(&c, 0, 0);
  assert_int_equal(join_blocked(&reserve[0]), 0);
  assert_int_equal(try_recv(&c), UV_EAGAIN);
  uvf_permit_release(&reserve[0].permit);
  assert_int_equal(join_blocked(&send), 0);
  expect(&c, 1, 0);
  assert_int_equal(join_blocked(&reserve[1]), 0);
  uvf_permit_release(&reserve[1].permit);
  chan_close(&c);
}

static void a_blocked_reserve_times_out(void **state) {
  chan_t c;
  blocked_t b;
  chan_open(&c, state, 1);
  fill(&c, 0, 1);
  for (uint64_t timeout = UVF_NOWAIT; timeout <= 1; timeout++) {
    start_reserver(&c, &b, timeout, 0);
    assert_int_equal(join_blocked(&b), UV_ETIMEDOUT);
    assert_true(is_empty(&b.permit));
  }
  assert_int_equal(stats_of(&c).returned, 0);
  expect(&c, 0, 0);
  start_reserver(&c, &b, UVF_NOWAIT, 0);
  assert_int_equal(join_blocked(&b), 0);
  uvf_permit_release(&b.permit);
  fill(&c, 1, 1);
  chan_close(&c);
}

/* ---- waits that end otherwise ---- */

/* The one in the middle leaves, the others do not notice. */
static void promise_4_who_leaves_reserves_nothing(void **state, bool by_timeout) {
  chan_t c;
  test_host_t h;
  op_t r[3];
  memset(r, 0, sizeof r);
  chan_open(&c, state, 1);
  loop_open(&h, 0);
  fill(&c, 0, 1);
  for (int i = 0; i < 3; i++)
    assert_int_equal(start_reserve(&h, &r[i], c.tx, by_timeout && i == 1 ? 10 : UVF_FOREVER), 0);
  if (by_timeout)
    test_host_advance(&h, 10);
  else
    assert_int_equal(uvf_cancel(&r[1].req), 0);
  test_host_run(&h);
  expect_done(&r[1], by_timeout ? UV_ETIMEDOUT : UV_ECANCELED);
  assert_true(is_empty(&r[1].permit));
  expect(&c, 0, 0);
  test_host_run(&h);
  expect_done(&r[0], 0);
  expect_pending(&r[2]);
  uvf_permit_release(&r[0].permit);
  test_host_run(&h);
  expect_done(&r[2], 0);
  uvf_permit_release(&r[2].permit);
  assert_int_equal(stats_of(&c).returned, 0); /* no item came back */
  test_host_detach(&h);
  chan_close(&c);
}

static void promise_4_a_cancelled_reserve_reserves_nothing(void **state) {
  promise_4_who_leaves_reserves_nothing(state, false);
}

static void promise_4_a_reserve_that_times_out_reserves_nothing(void **state) {
  promise_4_who_leaves_reserves_nothing(state, true);
}

static void promise_4_who_is_cancelled_too_late_has_the_permit(void **state) {
  chan_t c;
  test_host_t h;
  op_t r = {0};
  chan_open(&c, state, 1);
  loop_open(&h, 0);
  fill(&c, 0, 1);
  assert_int_equal(start_reserve(&h, &r, c.tx, 10), 0);
  expect(&c, 0, 0); /* granted */
  assert_int_equal(uvf_cancel(&r.req), UV_EALREADY);
  test_host_advance(&h, 10);
  expect_done(&r, 0);
  assert_int_equal(permit_send(&r.permit, 0, 1), 0);
  expect(&c, 0, 1);
  test_host_detach(&h);
  chan_close(&c);
}

static void timeout_0_reserves_what_is_there(void **state) {
  chan_t c;
  test_host_t h;
  op_t r = {0};
  chan_open(&c, state, 1);
  loop_open(&h, 0);
  assert_int_equal(start_reserve(&h, &r, c.tx, UVF_NOWAIT), 0);
  expect_pending(&r);
  test_host_run(&h);
  expect_done(&r, 0);
  op_t late = {0};
  assert_int_equal(start_reserve(&h, &late, c.tx, UVF_NOWAIT), 0);
  test_host_run(&h);
  expect_done(&late, c.kind->bit == UNBOUNDED ? 0 : UV_ETIMEDOUT);
  assert_int_equal(is_empty(&late.permit), c.kind->bit != UNBOUNDED);
  uvf_permit_release(&late.permit);
  uvf_permit_release(&r.permit);
  test_host_detach(&h);
  chan_close(&c);
}

/* A granted one keeps its permit when its loop is detached before the callback; the one that waits gets nothing. */
static void a_detach_ends_waits_and_keeps_what_was_granted(void **state) {
  chan_t c;
  test_host_t h;
  op_t r[2];
  memset(r, 0, sizeof r);
  chan_open(&c, state, 1);
  loop_open(&h, 0);
  fill(&c, 0, 1);
  for (int i = 0; i < 2; i++)
    assert_int_equal(start_reserve(&h, &r[i], c.tx, UVF_FOREVER), 0);
  expect(&c, 0, 0);
  test_host_detach(&h);
  expect_done(&r[0], 0);
  expect_done(&r[1], UV_ECANCELED);
  assert_true(is_empty(&r[1].permit));
  assert_int_equal(uvf_tx_close(c.tx, 0), 0);
  assert_int_equal(try_recv(&c), UV_EAGAIN);
  uvf_permit_release(&r[0].permit);
  assert_int_equal(try_recv(&c), UV_EOF);
  chan_close(&c);
}

int main(void) {
  static const case_t cases[] = {
      CASE(a_permit_is_room_and_not_an_item, RESERVABLE),
      CASE(an_item_comes_when_it_is_sent, RESERVABLE),
      CASE(promise_1_a_permit_is_used_once, RESERVABLE),
      CASE(permits_take_exactly_the_capacity, RESERVE_WAITS),
      CASE(many_permits_of_an_unbounded_channel, UNBOUNDED),
      CASE(at_most_16383_permits_are_out, SHARED | SPSC | OLDEST | NEWEST),
      CASE(a_rendezvous_has_none, RENDEZVOUS),
      CASE(permits_in_the_statistics, RESERVABLE),
      CASE(promise_11_no_memory_leaves_the_permit, UNBOUNDED),
      CASE(a_reserve_waits_for_room, RESERVE_WAITS),
      CASE(promise_5_sends_and_reserves_are_served_in_order, LIMITED),
      CASE(a_blocked_reserve_waits_for_room, RESERVE_WAITS),
      CASE(blocked_sends_and_reserves_are_served_in_order, BOUNDED),
      CASE(a_blocked_reserve_times_out, RESERVE_WAITS),
      CASE(promise_4_a_cancelled_reserve_reserves_nothing, RESERVE_WAITS),
      CASE(promise_4_a_reserve_that_times_out_reserves_nothing, RESERVE_WAITS),
      CASE(promise_4_who_is_cancelled_too_late_has_the_permit, RESERVE_WAITS),
      CASE(timeout_0_reserves_what_is_there, RESERVABLE | ONESHOT),
      CASE(a_detach_ends_waits_and_keeps_what_was_granted, RESERVE_WAITS),
  };
  return RUN_CASES(cases);
}
