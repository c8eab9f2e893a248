/* SPDX-License-Identifier: MIT */
/* Threads that block: timeouts, wakes, who is served first, refusal on a loop's thread, and many threads at once.
 * Cases 3 (25,000 items), 4, 6, 9, 11, 12. Promises 4 (a wake that went to one who left is passed on), 5 (FIFO of waiting
 * senders, order per sender), 9 (UVF_EDEADLK). */
#include "chan/fixture.h"

static uint64_t elapsed_us(uint64_t since_ns) {
  return (uv_hrtime() - since_ns) / 1000;
}

static void case_11_the_message_then_the_timeout(void **state) {
  chan_t c;
  payload_t got;
  chan_open(&c, state, 2);
  fill(&c, 1, 1);
  assert_int_equal(uvf_recv_sync(c.rx, &got, 1), 0);
  uint64_t start = uv_hrtime();
  assert_int_equal(uvf_recv_sync(c.rx, &got, 20), UV_ETIMEDOUT);
  assert_true(elapsed_us(start) >= 20000);
  chan_close(&c);
}

static void case_12_a_send_times_out_after_at_least_that_long(void **state) {
  chan_t c;
  payload_t mine = item(1, 1);
  chan_open(&c, state, 1);
  if (c.kind->bit != RENDEZVOUS) fill(&c, 0, 1);
  uint64_t start = uv_hrtime();
  assert_int_equal(uvf_send_sync(c.tx, &mine, 20), UV_ETIMEDOUT);
  assert_true(elapsed_us(start) >= 20000);
  assert_true(same(mine, item(1, 1)));
  assert_int_equal(stats_of(&c).returned, 1);
  if (c.kind->bit != RENDEZVOUS) expect(&c, 0, 0);
  assert_int_equal(try_recv(&c), UV_EAGAIN);
  chan_close(&c);
  assert_int_equal(drops_of(&c, 1, 1), 0);
}

static void a_timeout_past_the_end_of_the_clock_is_for_ever(void **state) {
  static const uint64_t large[] = {UINT64_MAX - 1, UINT64_MAX / 1000, UINT64_MAX / 1000 + 1, UINT64_MAX / 2, INT64_MAX};
  for (size_t i = 0; i < sizeof large / sizeof large[0]; i++) {
    chan_t c;
    blocked_t receiver;
    chan_open(&c, state, 1);
    start_receiver(&c, &receiver, large[i], 1);
    fill(&c, 1, 1);
    assert_int_equal(join_blocked(&receiver), 0);
    chan_close(&c);
  }
}

static void a_blocked_receiver_gets_the_item(void **state) {
  chan_t c;
  blocked_t receiver;
  chan_open(&c, state, 4);
  for (uint32_t i = 0; i < 50; i++) {
    start_receiver(&c, &receiver, UVF_FOREVER, stats_of(&c).waits + 1);
    fill(&c, i, 1);
    assert_int_equal(join_blocked(&receiver), 0);
    assert_true(same(receiver.item, item(0, i)));
  }
  uvf_chan_stats_t s = stats_of(&c);
  assert_int_equal(s.waits, 50);
  assert_int_equal(s.wakes, 50);
  assert_int_equal(s.received, 50);
  chan_close(&c);
}

static void a_blocked_sender_gets_the_room(void **state) {
  chan_t c;
  blocked_t sender;
  chan_open(&c, state, 1);
  if (c.kind->bit != RENDEZVOUS) fill(&c, 0, 1);
  for (uint32_t i = 1; i < 50; i++) {
    start_sender(&c, &sender, item(0, i), UVF_FOREVER, i);
    if (c.kind->bit != RENDEZVOUS) expect(&c, 0, i - 1);
    if (c.kind->bit == RENDEZVOUS) expect(&c, 0, i);
    assert_int_equal(join_blocked(&sender), 0);
  }
  chan_close(&c);
  assert_int_equal(atomic_load(&c.dropped), c.kind->bit == RENDEZVOUS ? 0 : 1);
}

/* Whoever frees room serves the first in line, and a newcomer overtakes nobody. */
static void waiting_senders_are_served_in_order_of_arrival(void **state) {
  chan_t c;
  blocked_t senders[20];
  chan_open(&c, state, 2);
  if (c.kind->bit != RENDEZVOUS) fill(&c, 0, 2);
  for (uint32_t i = 0; i < 20; i++)
    start_sender(&c, &senders[i], item(1 + i, 7), UVF_FOREVER, i + 1);
  if (c.kind->bit != RENDEZVOUS) {
    expect(&c, 0, 0);
    assert_int_equal(try_send(&c, 23, 0), UV_EAGAIN);
    expect(&c, 0, 1);
  }
  for (uint32_t i = 0; i < 20; i++) {
    assert_int_equal(try_send(&c, 23, i), i == 19 && c.kind->bit == BOUNDED ? 0 : UV_EAGAIN);
    expect(&c, 1 + i, 7);
  }
  for (uint32_t i = 0; i < 20; i++)
    assert_int_equal(join_blocked(&senders[i]), 0);
  chan_close(&c);
}

/* recv_n frees room for several at once. */
static void room_for_several_serves_several(void **state) {
  chan_t c;
  payload_t got[24];
  blocked_t senders[18];
  chan_open(&c, state, 20);
  fill(&c, 0, 20);
  for (uint32_t i = 0; i < 18; i++)
    start_sender(&c, &senders[i], item(1 + i, 7), UVF_FOREVER, i + 1);
  assert_int_equal(uvf_try_recv_n(c.rx, got, 20), 20);
  for (uint32_t i = 0; i < 18; i++)
    assert_int_equal(join_blocked(&senders[i]), 0);
  assert_int_equal(uvf_try_recv_n(c.rx, got, 24), 18);
  for (uint32_t i = 0; i < 18; i++)
    assert_true(same(got[i], item(1 + i, 7)));
  chan_close(&c);
}

static void case_06_receivers_of_a_rendezvous_are_served_in_order(void **state) {
  chan_t c;
  blocked_t receivers[20];
  chan_open(&c, state, 0);
  for (uint32_t i = 0; i < 20; i++)
    start_receiver(&c, &receivers[i], UVF_FOREVER, i + 1);
  fill(&c, 0, 20);
  for (uint32_t i = 0; i < 20; i++) {
    assert_int_equal(join_blocked(&receivers[i]), 0);
    assert_true(same(receivers[i].item, item(0, i)));
  }
  chan_close(&c);
}

/* n items, sent at once, wake n of the receivers; the rest hears of the end. */
static void each_item_wakes_a_receiver(void **state) {
  chan_t c;
  blocked_t receivers[20];
  payload_t in[16];
  bool seen[16] = {false};
  chan_open(&c, state, 16);
  for (uint32_t i = 0; i < 20; i++)
    start_receiver(&c, &receivers[i], UVF_FOREVER, i + 1);
  for (uint32_t i = 0; i < 16; i++)
    in[i] = item(0, i);
  assert_int_equal(uvf_try_send_n(c.tx, in, 16), 16);
  while (uvf_rx_len(c.rx) > 0)
    (void)sched_yield(); /* hangs if a wake was lost */
  assert_int_equal(uvf_tx_close(c.tx, UV_EIO), 0);
  int ended = 0;
  for (uint32_t i = 0; i < 20; i++) {
    int r = join_blocked(&receivers[i]);
    if (r == UV_EIO) {
      ended++;
    } else {
      assert_int_equal(r, 0);
      assert_true(receivers[i].item.seq < 16 && !seen[receivers[i].item.seq]);
      seen[receivers[i].item.seq] = true;
    }
  }
  assert_int_equal(ended, 4);
  chan_close(&c);
}

/* ---- on a loop's thread ---- */

static void promise_9_refused_on_a_loops_thread(void **state) {
  chan_t c;
  uv_loop_t uv;
  uvf_loop_t *loop;
  payload_t it = item(0, 0);
  chan_open(&c, state, 2);
  assert_int_equal(uv_loop_init(&uv), 0);
  assert_int_equal(uvf_loop_attach(&uv, NULL, &loop), 0);
  if (c.kind->bit != RENDEZVOUS) fill(&c, 0, 1);
  assert_int_equal(uvf_send_sync(c.tx, &it, UVF_FOREVER), UVF_EDEADLK); /* also where it would not block */
  assert_int_equal(uvf_recv_sync(c.rx, &it, UVF_NOWAIT), UVF_EDEADLK);
  assert_int_equal(uvf_recv_sync(c.rx, &it, UVF_FOREVER), UVF_EDEADLK);
  assert_int_equal(uvf_loop_detach(loop, NULL, NULL), 0);
  assert_int_equal(uvf_recv_sync(c.rx, &it, UVF_NOWAIT), UVF_EDEADLK); /* it has not ended yet */
  assert_int_equal(uv_run(&uv, UV_RUN_DEFAULT), 0);
  assert_int_equal(uv_loop_close(&uv), 0);
  assert_int_equal(uvf_recv_sync(c.rx, &it, UVF_NOWAIT), c.kind->bit == RENDEZVOUS ? UV_ETIMEDOUT : 0);
  chan_close(&c);
}

/* A thread that runs a loop, for as long as the gate is closed; what it says of blocking calls before and after. */
typedef struct {
  uv_loop_t uv;
  uvf_loop_t *loop;
  uv_sem_t bound, leave;
  chan_t *c;
  int bind, blocking;
} other_thread_t;

static void binds_the_loop(void *arg) {
  other_thread_t *o = arg;
  payload_t it;
  o->bind = uvf_loop_bind(o->loop);
  o->blocking = uvf_recv_sync(o->c->rx, &it, UVF_NOWAIT);
  uv_sem_post(&o->bound);
  uv_sem_wait(&o->leave);
  if (uvf_loop_detach(o->loop, NULL, NULL) == 0) (void)uv_run(&o->uv, UV_RUN_DEFAULT);
}

static void promise_9_follows_the_loop_to_another_thread(void **state) {
  chan_t c;
  other_thread_t o;
  thread_t id;
  payload_t it;
  chan_open(&c, state, 2);
  o.c = &c;
  assert_int_equal(uv_loop_init(&o.uv), 0);
  assert_int_equal(uv_sem_init(&o.bound, 0), 0);
  assert_int_equal(uv_sem_init(&o.leave, 0), 0);
  assert_int_equal(uvf_loop_attach(&o.uv, NULL, &o.loop), 0);
  assert_int_equal(uvf_recv_sync(c.rx, &it, UVF_NOWAIT), UVF_EDEADLK);
  assert_true(uvf_loop_is_mine(o.loop));
  thread_start(&id, binds_the_loop, &o);
  uv_sem_wait(&o.bound);
  assert_false(uvf_loop_is_mine(o.loop));
  assert_int_equal(uvf_recv_sync(c.rx, &it, UVF_NOWAIT), UV_ETIMEDOUT);
  uv_sem_post(&o.leave);
  thread_join(&id);
  assert_int_equal(o.bind, 0);
  assert_int_equal(o.blocking, UVF_EDEADLK);
  assert_int_equal(uv_loop_close(&o.uv), 0);
  uv_sem_destroy(&o.bound);
  uv_sem_destroy(&o.leave);
  chan_close(&c);
}

/* ---- many threads at once ---- */

#if defined(__SANITIZE_THREAD__)
enum { STREAM = 5000 };
#else
enum { STREAM = 25000 };
#endif

enum { PARTIES = 4 };

typedef struct {
  thread_t id;
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  uint32_t sender, count;
  uint32_t next[PARTIES + 1]; /* what a receiver expects of each sender, at the least */
  uint64_t got;
  bool right;
} party_t;

static void streams_out(void *arg) {
  party_t *p = arg;
  p->right = true;
  for (uint32_t i = 0; i < p->count && p->right; i++) {
    payload_t it = item(p->sender, i);
    p->right = uvf_send_sync(p->tx, &it, UVF_FOREVER) == 0;
  }
  uvf_tx_release(p->tx);
}

static void streams_in(void *arg) {
  party_t *p = arg;
  payload_t it;
  int r;
  p->right = true;
  while ((r = uvf_recv_sync(p->rx, &it, UVF_FOREVER)) == 0) {
    if (it.sender > PARTIES || it.seq < p->next[it.sender]) p->right = false;
    if (it.sender <= PARTIES) p->next[it.sender] = it.seq + 1;
    p->got++;
  }
  if (r != UV_EOF) p->right = false;
  uvf_rx_release(p->rx);
}

static void stream(void **state, size_t capacity, uint32_t senders, uint32_t receivers, uint32_t count) {
  chan_t c;
  party_t out[PARTIES], in[PARTIES];
  uint64_t got = 0;
  chan_open(&c, state, capacity);
  memset(out, 0, sizeof out);
  memset(in, 0, sizeof in);
  for (uint32_t i = 0; i < senders; i++) {
    out[i].tx = uvf_tx_retain(c.tx);
    out[i].sender = i;
    out[i].count = count;
    thread_start(&out[i].id, streams_out, &out[i]);
  }
  for (uint32_t i = 0; i < receivers; i++) {
    in[i].rx = uvf_rx_retain(c.rx);
    thread_start(&in[i].id, streams_in, &in[i]);
  }
  for (uint32_t i = 0; i < senders; i++)
    thread_join(&out[i].id);
  uvf_tx_release(c.tx);
  for (uint32_t i = 0; i < receivers; i++) {
    thread_join(&in[i].id);
    assert_true(in[i].right);
    got += in[i].got;
  }
  for (uint32_t i = 0; i < senders; i++)
    assert_true(out[i].right);
  assert_int_equal(got, (uint64_t)senders * count);
  uvf_rx_release(c.rx);
  assert_int_equal(atomic_load(&c.dropped), 0);
}

static void case_03_one_to_one_complete_and_in_order(void **state) {
  for (size_t capacity = 1; capacity <= 3; capacity++)
    stream(state, capacity, 1, 1, 100);
  stream(state, 1, 1, 1, STREAM / 10);
  stream(state, 100, 1, 1, STREAM);
}

static void case_04_four_to_four_each_exactly_once(void **state) {
  stream(state, 3, PARTIES, PARTIES, STREAM / 8);
  stream(state, 64, PARTIES, PARTIES, STREAM / 4);
}

static void many_senders_one_receiver(void **state) {
  stream(state, 1, PARTIES, 1, STREAM / 8);
  stream(state, 16, PARTIES, 1, STREAM / 4);
}

static void one_sender_many_receivers(void **state) {
  stream(state, 1, 1, PARTIES, STREAM / 8);
  stream(state, 16, 1, PARTIES, STREAM / 4);
}

/* ---- case 9: a completed send is never "empty" to a plain thread ---- */

typedef struct {
  thread_t id;
  uvf_tx_t *tx;
  uint32_t sender;
  atomic_uint *completed;
} announcer_t;

static void sends_and_announces(void *arg) {
  announcer_t *a = arg;
  for (uint32_t i = 0; i < STREAM; i++) {
    payload_t it = item(a->sender, i);
    if (uvf_send_sync(a->tx, &it, UVF_FOREVER) == 0) atomic_fetch_add(a->completed, 1);
  }
}

static void case_09_a_completed_send_is_never_empty(void **state) {
  chan_t c;
  announcer_t a[3];
  atomic_uint completed;
  unsigned taken = 0, lost = 0;
  chan_open(&c, state, 64);
  atomic_init(&completed, 0);
  for (uint32_t i = 0; i < 3; i++) {
    a[i] = (announcer_t){.tx = c.tx, .sender = i, .completed = &completed};
    thread_start(&a[i].id, sends_and_announces, &a[i]);
  }
  while (taken < 3u * STREAM) {
    unsigned there = atomic_load(&completed);
    int r = try_recv(&c);
    if (r == 0)
      taken++;
    else if (taken < there)
      lost++; /* somebody's send had completed before the call */
    if (r != 0) (void)sched_yield();
  }
  for (uint32_t i = 0; i < 3; i++)
    thread_join(&a[i].id);
  assert_int_equal(lost, 0);
  chan_close(&c);
}

/* ---- timeouts that race with the other side ---- */

typedef struct {
  thread_t id;
  uvf_tx_t *tx;
  uint32_t sender, sent, back, strange;
} hasty_t;

static void sends_hastily(void *arg) {
  hasty_t *h = arg;
  for (uint32_t i = 0; i < LEDGER_SEQS; i++) {
    payload_t it = item(h->sender, i);
    int r = uvf_send_sync(h->tx, &it, i % 3 == 0 ? 1 : i % 3 == 1 ? UVF_NOWAIT : 2);
    if (r == 0)
      h->sent++;
    else if (r == UV_ETIMEDOUT)
      h->back++;
    else
      h->strange++;
  }
  uvf_tx_release(h->tx);
}

/* Each send either moved its item, once, or did not: whichever side the timeout fell on. */
static void a_timeout_that_races_takes_nothing_or_all(void **state) {
  chan_t c;
  hasty_t h[2];
  payload_t it;
  uint32_t got = 0;
  int r;
  chan_open(&c, state, 1);
  memset(h, 0, sizeof h);
  for (uint32_t i = 0; i < 2; i++) {
    h[i].tx = uvf_tx_retain(c.tx);
    h[i].sender = i;
    thread_start(&h[i].id, sends_hastily, &h[i]);
  }
  uvf_tx_release(c.tx);
  c.tx = NULL;
  while ((r = uvf_recv_sync(c.rx, &it, got % 4 == 0 ? 1 : UVF_FOREVER)) != UV_EOF) {
    assert_true(r == 0 || r == UV_ETIMEDOUT);
    if (r == 0) got++;
    if (got % 16 == 0 && uvf_recv_sync(c.rx, &it, UVF_NOWAIT) == 0) got++;
  }
  for (int i = 0; i < 2; i++) {
    thread_join(&h[i].id);
    assert_int_equal(h[i].strange, 0);
    assert_int_equal(h[i].sent + h[i].back, LEDGER_SEQS);
  }
  assert_int_equal(got, h[0].sent + h[1].sent);
  uvf_chan_stats_t s = stats_of(&c);
  assert_int_equal(s.sent, got);
  assert_int_equal(s.received, got);
  chan_close(&c);
}

int main(void) {
  static const case_t cases[] = {
      CASE(case_11_the_message_then_the_timeout, QUEUED),
      CASE(case_12_a_send_times_out_after_at_least_that_long, LIMITED | RENDEZVOUS),
      CASE(a_timeout_past_the_end_of_the_clock_is_for_ever, ALL | ONESHOT),
      CASE(a_blocked_receiver_gets_the_item, ALL),
      CASE(a_blocked_sender_gets_the_room, LIMITED | RENDEZVOUS),
      CASE(waiting_senders_are_served_in_order_of_arrival, BOUNDED | RENDEZVOUS),
      CASE(room_for_several_serves_several, BOUNDED),
      CASE(case_06_receivers_of_a_rendezvous_are_served_in_order, RENDEZVOUS),
      CASE(each_item_wakes_a_receiver, SHARED),
      CASE(promise_9_refused_on_a_loops_thread, ALL | ONESHOT),
      CASE(promise_9_follows_the_loop_to_another_thread, ALL | ONESHOT),
      CASE(case_03_one_to_one_complete_and_in_order, ALL),
      CASE(case_04_four_to_four_each_exactly_once, ANY_SENDERS),
      CASE(many_senders_one_receiver, ANY_SENDERS),
      CASE(one_sender_many_receivers, ANY_SENDERS),
      CASE(case_09_a_completed_send_is_never_empty, SHARED),
      CASE(a_timeout_that_races_takes_nothing_or_all, BOUNDED | RENDEZVOUS),
  };
  return RUN_CASES(cases);
}
