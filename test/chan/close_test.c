/* SPDX-License-Identifier: MIT */
/* Closing and aborting, and what each side is told, on plain threads. (Callbacks: send_recv_test.c, reader_test.c.)
 * Cases 16, 17, 18, 19, 20, 21, 22, 24 (blocked senders), 25. Promises 6 (what a closed channel says, for ever) and 4 (a
 * waiting sender keeps its item). */
#include "chan/fixture.h"

static void case_16_everything_is_received_then_the_end_for_ever(void **state) {
  chan_t c;
  chan_open(&c, state, 8);
  fill(&c, 0, 8);
  uvf_tx_release(c.tx);
  c.tx = NULL;
  for (uint32_t i = 0; i < 8; i++) {
    assert_int_equal(uvf_rx_status(c.rx), 0);
    expect(&c, 0, i);
  }
  for (int i = 0; i < 3; i++) {
    payload_t got;
    assert_int_equal(try_recv(&c), UV_EOF);
    assert_int_equal(uvf_try_recv_n(c.rx, &got, 1), UV_EOF);
    assert_int_equal(uvf_recv_sync(c.rx, &got, UVF_FOREVER), UV_EOF);
    assert_int_equal(uvf_rx_status(c.rx), UV_EOF);
  }
  chan_close(&c);
  assert_int_equal(atomic_load(&c.dropped), 0);
}

static void only_the_last_of_several_owners_ends_it(void **state) {
  chan_t c;
  chan_open(&c, state, 4);
  assert_ptr_equal(uvf_tx_retain(c.tx), c.tx);
  assert_ptr_equal(uvf_rx_retain(c.rx), c.rx);
  uvf_tx_release(c.tx);
  uvf_rx_release(c.rx);
  assert_int_equal(uvf_tx_status(c.tx), 0);
  if (c.kind->bit != RENDEZVOUS) fill(&c, 0, 1);
  uvf_rx_release(c.rx);
  c.rx = NULL;
  assert_int_equal(uvf_tx_status(c.tx), UV_EOF);
  assert_int_equal(try_send(&c, 0, 1), UV_EPIPE);
  chan_close(&c);
}

/* Fills the channel so that the next send waits. */
static void make_full(chan_t *c) {
  if (c->kind->bit != RENDEZVOUS) fill(c, 100, 1);
}

/* A blocked sender, and what ends its wait. */
static void sender_is_ended_by(void **state, void (*end)(chan_t *)) {
  chan_t c;
  blocked_t sender;
  chan_open(&c, state, 1);
  make_full(&c);
  start_sender(&c, &sender, item(1, 1), UVF_FOREVER, 1);
  end(&c);
  assert_int_equal(join_blocked(&sender), UV_EPIPE);
  assert_true(same(sender.item, item(1, 1)));
  uvf_chan_stats_t s;
  uvf_tx_stats(c.tx, &s);
  assert_int_equal(s.returned, 1);
  assert_int_equal(s.sent, c.kind->bit == RENDEZVOUS ? 0 : 1);
  assert_true(s.closed);
  chan_close(&c);
  assert_int_equal(drops_of(&c, 1, 1), 0);
}

static void release_rx(chan_t *c) {
  uvf_rx_release(c->rx);
  c->rx = NULL;
}

static void abort_rx(chan_t *c) {
  assert_int_equal(uvf_rx_abort(c->rx, 0), 0);
}

static void close_rx(chan_t *c) {
  assert_int_equal(uvf_rx_close(c->rx, UV_EIO), 0);
}

static void close_tx(chan_t *c) {
  assert_int_equal(uvf_tx_close(c->tx, UV_EIO), 0);
}

static void case_17_blocked_sender_gets_epipe_and_keeps_its_item(void **state) {
  sender_is_ended_by(state, release_rx);
}

static void case_17_also_at_an_abort(void **state) {
  sender_is_ended_by(state, abort_rx);
}

static void case_17_also_at_a_close_by_the_receiver(void **state) {
  sender_is_ended_by(state, close_rx);
}

static void case_24_also_at_a_close_by_another_sender(void **state) {
  sender_is_ended_by(state, close_tx);
}

/* Both sides of a message under way are accounted for: what was accepted is dropped, who waits has it back. */
static void case_25_accepted_is_dropped_and_waiting_is_returned(void **state) {
  chan_t c;
  blocked_t sender;
  chan_open(&c, state, 1);
  fill(&c, 3, 1);
  start_sender(&c, &sender, item(1, 4), UVF_FOREVER, 1);
  release_rx(&c);
  assert_int_equal(drops_of(&c, 0, 3), 1);
  assert_int_equal(join_blocked(&sender), UV_EPIPE);
  assert_int_equal(uvf_send_sync(c.tx, &sender.item, UVF_FOREVER), UV_EPIPE);
  chan_close(&c);
  assert_int_equal(atomic_load(&c.dropped), 1);
}

static void receivers_are_ended(void **state, uint32_t n, int cause, int expected) {
  chan_t c;
  blocked_t receivers[20];
  chan_open(&c, state, 4);
  for (uint32_t i = 0; i < n; i++)
    start_receiver(&c, &receivers[i], UVF_FOREVER, i + 1);
  if (cause == 0) {
    uvf_tx_release(c.tx);
    c.tx = NULL;
  } else {
    assert_int_equal(uvf_tx_close(c.tx, cause), 0);
  }
  for (uint32_t i = 0; i < n; i++)
    assert_int_equal(join_blocked(&receivers[i]), expected);
  chan_close(&c);
}

static void case_18_blocked_receiver_hears_of_the_end(void **state) {
  receivers_are_ended(state, 1, 0, UV_EOF);
}

static void case_18_blocked_receiver_hears_of_the_cause(void **state) {
  receivers_are_ended(state, 1, UV_ECONNRESET, UV_ECONNRESET);
}

/* More than are told at a time. */
static void case_18_all_of_many_blocked_receivers_hear_of_it(void **state) {
  receivers_are_ended(state, 20, UV_EIO, UV_EIO);
}

static void case_18_an_abort_ends_the_receiver_at_once(void **state) {
  chan_t c;
  blocked_t receiver;
  chan_open(&c, state, 4);
  start_receiver(&c, &receiver, UVF_FOREVER, 1);
  assert_int_equal(uvf_rx_abort(c.rx, UV_EINTR), 0);
  assert_int_equal(join_blocked(&receiver), UV_EINTR);
  chan_close(&c);
}

static void many_blocked_senders_hear_of_the_end(void **state) {
  chan_t c;
  blocked_t senders[20];
  chan_open(&c, state, 1);
  make_full(&c);
  for (uint32_t i = 0; i < 20; i++)
    start_sender(&c, &senders[i], item(i, 1), UVF_FOREVER, i + 1);
  release_rx(&c);
  for (uint32_t i = 0; i < 20; i++)
    assert_int_equal(join_blocked(&senders[i]), UV_EPIPE);
  chan_close(&c);
  assert_int_equal(atomic_load(&c.dropped), c.kind->bit == RENDEZVOUS ? 0 : 1);
}

/* ---- who was first ---- */

typedef struct {
  chan_t *c;
  uv_barrier_t *start;
  int result, cause;
  bool receiver;
} closer_t;

static void closes(void *arg) {
  closer_t *closer = arg;
  (void)uv_barrier_wait(closer->start);
  closer->result =
      closer->receiver ? uvf_rx_close(closer->c->rx, closer->cause) : uvf_tx_close(closer->c->tx, closer->cause);
}

static void case_19_exactly_one_of_two_closers_did_it(void **state) {
  for (int round = 0; round < 300; round++) {
    chan_t c;
    uv_barrier_t start;
    thread_t id;
    chan_open(&c, state, 4);
    assert_int_equal(uv_barrier_init(&start, 2), 0);
    closer_t a = {&c, &start, 1, UV_EIO, false}, b = {&c, &start, 1, UV_EPERM, true};
    thread_start(&id, closes, &a);
    closes(&b);
    thread_join(&id);
    uv_barrier_destroy(&start);
    assert_true((a.result == 0 && b.result == UV_EALREADY) || (b.result == 0 && a.result == UV_EALREADY));
    assert_int_equal(try_recv(&c), a.result == 0 ? UV_EIO : UV_EPERM);
    assert_int_equal(uvf_tx_status(c.tx), uvf_rx_status(c.rx));
    chan_close(&c);
  }
}

static void the_second_close_is_told(void **state) {
  chan_t c;
  chan_open(&c, state, 4);
  assert_int_equal(uvf_tx_close(c.tx, 0), 0);
  assert_int_equal(uvf_tx_close(c.tx, 0), UV_EALREADY);
  assert_int_equal(uvf_rx_close(c.rx, UV_EIO), UV_EALREADY);
  assert_int_equal(uvf_rx_status(c.rx), UV_EOF);
  assert_int_equal(uvf_rx_abort(c.rx, UV_EIO), 0);
  assert_int_equal(uvf_rx_abort(c.rx, UV_EIO), UV_EALREADY);
  assert_int_equal(uvf_rx_close(c.rx, 0), UV_EALREADY);
  assert_int_equal(uvf_tx_status(c.tx), UV_EOF);
  assert_int_equal(try_recv(&c), UV_EOF);
  chan_close(&c);
}

/* ---- close by the receiver, causes ---- */

static void case_21_close_by_the_receiver_leaves_what_is_queued(void **state) {
  chan_t c;
  chan_open(&c, state, 4);
  fill(&c, 0, 3);
  assert_int_equal(uvf_rx_close(c.rx, 0), 0);
  assert_int_equal(try_send(&c, 0, 3), UV_EPIPE);
  payload_t late = item(0, 3);
  assert_int_equal(uvf_send_sync(c.tx, &late, UVF_FOREVER), UV_EPIPE);
  for (uint32_t i = 0; i < 3; i++)
    expect(&c, 0, i);
  assert_int_equal(try_recv(&c), UV_EOF);
  chan_close(&c);
  assert_int_equal(atomic_load(&c.dropped), 0);
}

static void case_22_the_cause_comes_after_what_was_filled_in(void **state) {
  chan_t c;
  payload_t got;
  chan_open(&c, state, 4);
  if (c.kind->bit != RENDEZVOUS) fill(&c, 0, 4);
  assert_int_equal(uvf_tx_close(c.tx, UV_ECONNRESET), 0);
  assert_int_equal(uvf_tx_status(c.tx), UV_ECONNRESET);
  assert_int_equal(try_send(&c, 0, 9), UV_EPIPE);
  if (c.kind->bit != RENDEZVOUS) {
    assert_int_equal(uvf_rx_status(c.rx), 0);
    for (uint32_t i = 0; i < 4; i++)
      expect(&c, 0, i);
  }
  for (int i = 0; i < 2; i++) {
    assert_int_equal(uvf_rx_status(c.rx), UV_ECONNRESET);
    assert_int_equal(try_recv(&c), UV_ECONNRESET);
    assert_int_equal(uvf_recv_sync(c.rx, &got, UVF_NOWAIT), UV_ECONNRESET);
  }
  chan_close(&c);
}

static void a_cause_of_uvflow_s_own_is_allowed(void **state) {
  chan_t c;
  chan_open(&c, state, 4);
  assert_int_equal(uvf_tx_close(c.tx, UVF_ELAGGED), 0);
  assert_int_equal(try_recv(&c), UVF_ELAGGED);
  chan_close(&c);
}

static void abort_drops_and_ends_both_sides(void **state) {
  chan_t c;
  payload_t got;
  chan_open(&c, state, 4);
  fill(&c, 0, 4);
  assert_int_equal(uvf_rx_abort(c.rx, UV_EIO), 0);
  for (uint32_t i = 0; i < 4; i++)
    assert_int_equal(drops_of(&c, 0, i), 1);
  assert_int_equal(uvf_rx_len(c.rx), 0);
  assert_int_equal(try_recv(&c), UV_EIO);
  assert_int_equal(uvf_try_recv_n(c.rx, &got, 1), UV_EIO);
  assert_int_equal(uvf_rx_status(c.rx), UV_EIO);
  assert_int_equal(try_send(&c, 0, 4), UV_EPIPE);
  chan_close(&c);
  assert_int_equal(atomic_load(&c.dropped), 4);
}

/* ---- ends that go while the other side is inside a call ---- */

enum { STRESS_SENDS = 12 };

typedef struct {
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  uint32_t sender;
  unsigned accepted, refused, strange;
} churn_t;

static void sends_some(void *arg) {
  churn_t *churn = arg;
  for (uint32_t i = 0; i < STRESS_SENDS; i++) {
    payload_t it = item(churn->sender, i);
    int r = uvf_try_send(churn->tx, &it);
    if (r == 0)
      churn->accepted++;
    else if (r == UV_EPIPE || r == UV_EAGAIN)
      churn->refused++;
    else
      churn->strange++;
  }
  uvf_tx_release(churn->tx);
}

typedef struct {
  uv_barrier_t gate;
  atomic_bool stop;
  churn_t churn;
} lane_t;

static void churn_lane(void *arg) {
  lane_t *lane = arg;
  for (;;) {
    (void)uv_barrier_wait(&lane->gate);
    if (atomic_load(&lane->stop)) return;
    sends_some(&lane->churn);
    (void)uv_barrier_wait(&lane->gate);
  }
}

#if defined(__SANITIZE_THREAD__)
enum { STRESS_ROUNDS = 5000 };
#else
enum { STRESS_ROUNDS = 100000 };
#endif

/* One round: this thread receives a little and leaves while the other one sends. */
static bool stress_round(void **state, lane_t *lane, uint32_t round) {
  chan_t c;
  payload_t got;
  unsigned received = 0;
  chan_open(&c, state, 3);
  lane->churn = (churn_t){c.tx, NULL, 1, 0, 0, 0};
  (void)uv_barrier_wait(&lane->gate);
  for (uint32_t i = 0; i < round % 5; i++)
    if (uvf_try_recv(c.rx, &got) == 0) received++;
  uvf_rx_release(c.rx);
  (void)uv_barrier_wait(&lane->gate);
  churn_t *churn = &lane->churn;
  return churn->strange == 0 && atomic_load(&c.strange) == 0 && churn->accepted == received + atomic_load(&c.dropped);
}

static void case_20_receiver_goes_while_sender_is_inside_send(void **state) {
  lane_t lane;
  thread_t id;
  bool right = true;
  atomic_init(&lane.stop, false);
  assert_int_equal(uv_barrier_init(&lane.gate, 2), 0);
  thread_start(&id, churn_lane, &lane);
  for (uint32_t round = 0; round < STRESS_ROUNDS && right; round++)
    right = stress_round(state, &lane, round);
  atomic_store(&lane.stop, true);
  (void)uv_barrier_wait(&lane.gate);
  thread_join(&id);
  uv_barrier_destroy(&lane.gate);
  assert_true(right);
}

int main(void) {
  static const case_t cases[] = {
      CASE(case_16_everything_is_received_then_the_end_for_ever, QUEUED),
      CASE(only_the_last_of_several_owners_ends_it, ALL | ONESHOT),
      CASE(case_17_blocked_sender_gets_epipe_and_keeps_its_item, LIMITED | RENDEZVOUS),
      CASE(case_17_also_at_an_abort, LIMITED | RENDEZVOUS),
      CASE(case_17_also_at_a_close_by_the_receiver, LIMITED | RENDEZVOUS),
      CASE(case_24_also_at_a_close_by_another_sender, BOUNDED | RENDEZVOUS),
      CASE(case_25_accepted_is_dropped_and_waiting_is_returned, LIMITED),
      CASE(case_18_blocked_receiver_hears_of_the_end, ALL | ONESHOT),
      CASE(case_18_blocked_receiver_hears_of_the_cause, ALL | ONESHOT),
      CASE(case_18_all_of_many_blocked_receivers_hear_of_it, ANY_SENDERS | ONESHOT),
      CASE(case_18_an_abort_ends_the_receiver_at_once, ANY_SENDERS | ONESHOT),
      CASE(many_blocked_senders_hear_of_the_end, BOUNDED | RENDEZVOUS),
      CASE(case_19_exactly_one_of_two_closers_did_it, ALL | ONESHOT),
      CASE(the_second_close_is_told, ALL | ONESHOT),
      CASE(case_21_close_by_the_receiver_leaves_what_is_queued, QUEUED),
      CASE(case_22_the_cause_comes_after_what_was_filled_in, ALL),
      CASE(a_cause_of_uvflow_s_own_is_allowed, ALL | ONESHOT),
      CASE(abort_drops_and_ends_both_sides, QUEUED),
      CASE(case_20_receiver_goes_while_sender_is_inside_send, ALL | ONESHOT),
  };
  return RUN_CASES(cases);
}
