/* SPDX-License-Identifier: MIT */
/* The counters of a channel: exact at rest after each step, and never out of bounds while others work.
 * Cases 7 (also under concurrency), 10. Promise 1: at rest sent = received + dropped + len. */
#include "chan/fixture.h"

/* Asserts, from both ends. */
static void expect_stats(chan_t *c, uint64_t sent, uint64_t received, uint64_t dropped, size_t len, size_t high) {
  uvf_chan_stats_t a, b;
  uvf_tx_stats(c->tx, &a);
  uvf_rx_stats(c->rx, &b);
  assert_memory_equal(&a, &b, sizeof a);
  assert_int_equal(a.sent, sent);
  assert_int_equal(a.received, received);
  assert_int_equal(a.dropped, dropped);
  assert_int_equal(a.len, len);
  assert_int_equal(a.high_water, high);
  assert_int_equal(uvf_tx_len(c->tx), len);
  assert_int_equal(uvf_rx_len(c->rx), len);
}

static void a_new_channel(void **state) {
  chan_t c;
  chan_open(&c, state, 5);
  uvf_chan_stats_t s = stats_of(&c), zero = {0};
  assert_string_equal(s.name, c.kind->name);
  assert_int_equal(s.capacity, c.kind->bit == UNBOUNDED ? UVF_UNBOUNDED : c.kind->bit == RENDEZVOUS ? 0 : 5);
  assert_false(s.closed);
  assert_int_equal(s.returned, 0);
  assert_int_equal(s.waits, 0);
  assert_int_equal(s.wakes, 0);
  assert_memory_equal(s.reserved, zero.reserved, sizeof s.reserved);
  expect_stats(&c, 0, 0, 0, 0, 0);
  chan_close(&c);
}

static void exact_at_each_step(void **state) {
  chan_t c;
  chan_open(&c, state, 4);
  fill(&c, 0, 1);
  expect_stats(&c, 1, 0, 0, 1, 1);
  fill(&c, 1, 2);
  expect_stats(&c, 3, 0, 0, 3, 3);
  expect(&c, 0, 0);
  expect(&c, 0, 1);
  expect_stats(&c, 3, 2, 0, 1, 3);
  fill(&c, 3, 3);
  if (c.kind->bit != UNBOUNDED) assert_int_equal(try_send(&c, 0, 6), UV_EAGAIN);
  expect_stats(&c, 6, 2, 0, 4, 4);
  assert_int_equal(uvf_tx_close(c.tx, 0), 0);
  assert_int_equal(try_send(&c, 0, 6), UV_EPIPE);
  expect_stats(&c, 6, 2, 0, 4, 4);
  expect(&c, 0, 2);
  assert_int_equal(uvf_rx_abort(c.rx, 0), 0);
  expect_stats(&c, 6, 3, 3, 0, 4);
  chan_close(&c);
}

static void a_rendezvous_has_no_length(void **state) {
  chan_t c;
  blocked_t receiver;
  chan_open(&c, state, 0);
  start_receiver(&c, &receiver, UVF_FOREVER, 1);
  fill(&c, 0, 1);
  assert_int_equal(join_blocked(&receiver), 0);
  expect_stats(&c, 1, 1, 0, 0, 0);
  assert_int_equal(stats_of(&c).waits, 1);
  assert_int_equal(stats_of(&c).wakes, 1);
  chan_close(&c);
}

static void sends_that_came_back_are_counted(void **state) {
  chan_t c;
  blocked_t senders[2];
  payload_t it = item(1, 1);
  chan_open(&c, state, 1);
  if (c.kind->bit != RENDEZVOUS) fill(&c, 0, 1);
  assert_int_equal(uvf_try_send(c.tx, &it), UV_EAGAIN); /* never the channel's: not returned */
  assert_int_equal(stats_of(&c).returned, 0);
  assert_int_equal(uvf_send_sync(c.tx, &it, 1), UV_ETIMEDOUT);
  assert_int_equal(stats_of(&c).returned, 1);
  start_sender(&c, &senders[0], item(2, 1), UVF_FOREVER, 2);
  if (c.kind->bit != SPSC) start_sender(&c, &senders[1], item(3, 1), UVF_FOREVER, 3);
  assert_int_equal(uvf_rx_close(c.rx, 0), 0);
  assert_int_equal(join_blocked(&senders[0]), UV_EPIPE);
  if (c.kind->bit != SPSC) assert_int_equal(join_blocked(&senders[1]), UV_EPIPE);
  uvf_chan_stats_t s = stats_of(&c);
  assert_int_equal(s.returned, c.kind->bit == SPSC ? 2 : 3);
  assert_int_equal(s.waits, c.kind->bit == SPSC ? 2 : 3);
  assert_int_equal(s.wakes, c.kind->bit == SPSC ? 1 : 2);
  assert_true(s.closed);
  chan_close(&c);
}

static void a_full_channel_is_noticed_by_who_waits(void **state) {
  chan_t c;
  payload_t it = item(1, 1);
  uvf_chan_stats_t s;
  chan_open(&c, state, 3);
  fill(&c, 0, 3);
  assert_int_equal(uvf_send_sync(c.tx, &it, 1), UV_ETIMEDOUT); /* looks, since it waits */
  for (uint32_t i = 0; i < 3; i++)
    expect(&c, 0, i);
  uvf_tx_stats(c.tx, &s);
  assert_int_equal(s.len, 0);
  assert_int_equal(s.high_water, 3);
  chan_close(&c);
}

static void a_channel_that_drops_notices_when_it_is_full(void **state) {
  (void)state;
  for (int newest = 0; newest < 2; newest++) {
    uvf_chan_options_t o = {.item_size = sizeof(payload_t),
                            .capacity = 4,
                            .overflow = newest != 0 ? UVF_OVERFLOW_DROP_NEWEST : UVF_OVERFLOW_DROP_OLDEST};
    uvf_tx_t *tx;
    uvf_rx_t *rx;
    uvf_chan_stats_t s;
    payload_t p = item(0, 0);
    assert_int_equal(uvf_chan_create(&o, &tx, &rx), 0);
    for (int i = 0; i < 10; i++)
      assert_int_equal(uvf_try_send(tx, &p), 0);
    while (uvf_try_recv(rx, &p) == 0) {
    }
    uvf_rx_stats(rx, &s);
    assert_int_equal(s.dropped, 6);
    assert_int_equal(s.high_water, 4);
    uvf_tx_release(tx);
    uvf_rx_release(rx);
  }
}

/* Permits take room, but are no items. */
static void permits_are_not_items(void **state) {
  uvf_chan_options_t o = {.item_size = sizeof(payload_t), .capacity = 4};
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  uvf_chan_stats_t s;
  uvf_permit_t permits[4];
  payload_t p = item(0, 0);
  (void)state;
  assert_int_equal(uvf_chan_create(&o, &tx, &rx), 0);
  for (int i = 0; i < 4; i++)
    assert_int_equal(uvf_try_reserve(tx, &permits[i]), 0);
  assert_int_equal(uvf_send_sync(tx, &p, 1), UV_ETIMEDOUT);
  uvf_rx_stats(rx, &s);
  assert_int_equal(s.high_water, 0);
  for (int i = 0; i < 4; i++)
    uvf_permit_release(&permits[i]);
  uvf_tx_release(tx);
  uvf_rx_release(rx);
}

static void expect_name(const char *name, const char *expected) {
  uvf_chan_options_t o = {.item_size = 4, .capacity = 1, .name = name};
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  uvf_chan_stats_t s;
  assert_int_equal(uvf_chan_create(&o, &tx, &rx), 0);
  memset(&s, 0xff, sizeof s);
  uvf_rx_stats(rx, &s);
  assert_string_equal(s.name, expected);
  assert_int_equal(s.name[31], 0);
  uvf_tx_release(tx);
  uvf_rx_release(rx);
}

static void a_name_is_cut_off_after_31_bytes(void **state) {
  (void)state;
  expect_name(NULL, "");
  expect_name("", "");
  expect_name("jobs", "jobs");
  expect_name("0123456789012345678901234567890", "0123456789012345678901234567890");
  expect_name("01234567890123456789012345678901", "0123456789012345678901234567890");
  expect_name("0123456789012345678901234567890123456789", "0123456789012345678901234567890");
  char name[8] = "copied";
  uvf_chan_options_t o = {.item_size = 4, .capacity = 1, .name = name};
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  uvf_chan_stats_t s;
  assert_int_equal(uvf_chan_create(&o, &tx, &rx), 0);
  memset(name, 'x', sizeof name - 1);
  uvf_tx_stats(tx, &s);
  assert_string_equal(s.name, "copied");
  uvf_tx_release(tx);
  uvf_rx_release(rx);
}

static void null_is_left_alone(void **state) {
  (void)state;
  uvf_chan_stats_t s, same_s;
  memset(&s, 0x5a, sizeof s);
  memset(&same_s, 0x5a, sizeof same_s);
  uvf_tx_stats(NULL, &s);
  uvf_rx_stats(NULL, &s);
  assert_memory_equal(&s, &same_s, sizeof s);
  assert_int_equal(uvf_tx_len(NULL), 0);
  assert_int_equal(uvf_rx_len(NULL), 0);
}

/* ---- while others work ---- */

#if defined(__SANITIZE_THREAD__)
enum { MOVES = 4000 };
#else
enum { MOVES = 20000 };
#endif

typedef struct {
  chan_t *c;
  atomic_bool *done;
  bool bound_kept;
} mover_t;

static void sends_many(void *arg) {
  mover_t *m = arg;
  for (uint32_t i = 0; i < MOVES; i++) {
    payload_t it = item(0, i);
    if (uvf_send_sync(m->c->tx, &it, UVF_FOREVER) != 0) break;
  }
}

static void receives_many(void *arg) {
  mover_t *m = arg;
  payload_t it;
  for (uint32_t i = 0; i < MOVES; i++)
    if (uvf_recv_sync(m->c->rx, &it, UVF_FOREVER) != 0) break;
  atomic_store(m->done, true);
}

static bool in_bounds(chan_t *c, uvf_chan_stats_t *before) {
  uvf_chan_stats_t s = stats_of(c);
  size_t most = c->kind->bit == UNBOUNDED ? MOVES : 7;
  bool right = s.len <= most && s.high_water <= most && uvf_tx_len(c->tx) <= most && s.sent >= before->sent &&
               s.received >= before->received && s.sent <= MOVES && s.received <= MOVES && s.received <= s.sent &&
               s.dropped == 0 && s.returned == 0;
  *before = s;
  return right;
}

static void case_07_never_above_the_capacity_while_others_work(void **state) {
  chan_t c;
  atomic_bool done;
  thread_t ids[2];
  bool right = true;
  uvf_chan_stats_t before;
  memset(&before, 0, sizeof before);
  chan_open(&c, state, 7);
  atomic_init(&done, false);
  mover_t m = {&c, &done, true};
  thread_start(&ids[0], sends_many, &m);
  thread_start(&ids[1], receives_many, &m);
  while (!atomic_load(&done)) {
    right = in_bounds(&c, &before) && right;
    (void)sched_yield();
  }
  thread_join(&ids[0]);
  thread_join(&ids[1]);
  assert_true(right);
  uvf_chan_stats_t s = stats_of(&c);
  assert_int_equal(s.sent, MOVES);
  assert_int_equal(s.received, MOVES);
  chan_close(&c);
}

/* Senders that close while the length is looked at: it never goes below nothing, nor counts the mark. */
static void closes_after_some(void *arg) {
  chan_t *c = arg;
  for (uint32_t i = 0; i < 9; i++)
    (void)try_send(c, 0, i);
  (void)uvf_tx_close(c->tx, 0);
}

static void case_10_len_while_a_sender_closes(void **state) {
  bool right = true;
  for (int round = 0; round < 500; round++) {
    chan_t c;
    thread_t id;
    size_t len = 0;
    chan_open(&c, state, 9);
    thread_start(&id, closes_after_some, &c);
    while (uvf_rx_status(c.rx) == 0 && len < 9) {
      size_t now = uvf_rx_len(c.rx);
      right = right && now >= len && now <= 9;
      len = now;
    }
    thread_join(&id);
    right = right && uvf_rx_len(c.rx) == 9;
    chan_close(&c);
  }
  assert_true(right);
}

int main(void) {
  static const case_t cases[] = {
      CASE(a_new_channel, ALL),
      CASE(exact_at_each_step, QUEUED),
      CASE(a_rendezvous_has_no_length, RENDEZVOUS),
      CASE(sends_that_came_back_are_counted, LIMITED | RENDEZVOUS),
      CASE(a_full_channel_is_noticed_by_who_waits, LIMITED),
      CASE(a_channel_that_drops_notices_when_it_is_full, 0),
      CASE(permits_are_not_items, 0),
      CASE(a_name_is_cut_off_after_31_bytes, 0),
      CASE(null_is_left_alone, 0),
      CASE(case_07_never_above_the_capacity_while_others_work, ALL),
      CASE(case_10_len_while_a_sender_closes, QUEUED),
  };
  return RUN_CASES(cases);
}
