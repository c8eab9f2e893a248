/* SPDX-License-Identifier: MIT */
/* Permits and the end of a channel: a permit is an item still to come, so the end is behind the last of them; and it keeps the
 * channel open as a tx does. Cases 33, 34. Promises 1, 6 (what a closed channel says), 11 (nothing is left). */
#include "chan/loop_fixture.h"

#if defined(__SANITIZE_THREAD__)
enum { ROUNDS = 400 };
#else
enum { ROUNDS = 3000 };
#endif

/* ---- closing ---- */

static void case_33_the_permit_outlives_the_close(void **state) {
  chan_t c;
  uvf_permit_t p;
  test_host_t h;
  op_t waiting = {0};
  chan_open(&c, state, 1);
  loop_open(&h, 0);
  reserve_all(&c, &p, 1);
  assert_int_equal(start_reserve(&h, &waiting, c.tx, UVF_FOREVER), 0);
  assert_int_equal(uvf_rx_close(c.rx, UV_EIO), 0);
  test_host_run(&h);
  expect_done(&waiting, UV_EPIPE);
  assert_true(is_empty(&waiting.permit));
  assert_int_equal(try_recv(&c), UV_EAGAIN);
  assert_int_equal(permit_send(&p, 0, 7), 0);
  expect(&c, 0, 7);
  assert_int_equal(try_recv(&c), UV_EIO);
  test_host_detach(&h);
  chan_close(&c);
  assert_int_equal(atomic_load(&c.dropped), 0);
}

static void case_33_a_blocked_reserve_hears_of_the_close(void **state) {
  chan_t c;
  uvf_permit_t p;
  blocked_t waiting;
  chan_open(&c, state, 1);
  reserve_all(&c, &p, 1);
  start_reserver(&c, &waiting, UVF_FOREVER, 1);
  assert_int_equal(uvf_rx_close(c.rx, 0), 0);
  assert_int_equal(join_blocked(&waiting), UV_EPIPE);
  assert_true(is_empty(&waiting.permit));
  assert_int_equal(permit_send(&p, 0, 7), 0);
  expect(&c, 0, 7);
  assert_int_equal(try_recv(&c), UV_EOF);
  chan_close(&c);
}

/* `returned` counts items, and a reserve has none. */
static void case_33_a_refused_reserve_returns_no_item(void **state) {
  chan_t c;
  uvf_permit_t p;
  test_host_t h;
  op_t waiting = {0};
  chan_open(&c, state, 1);
  loop_open(&h, 0);
  reserve_all(&c, &p, 1);
  assert_int_equal(start_reserve(&h, &waiting, c.tx, UVF_FOREVER), 0);
  assert_int_equal(uvf_rx_close(c.rx, 0), 0);
  test_host_run(&h);
  expect_done(&waiting, UV_EPIPE);
  assert_int_equal(stats_of(&c).returned, 0);
  uvf_permit_release(&p);
  test_host_detach(&h);
  chan_close(&c);
}

enum { BY_TX, BY_RX, BY_LAST_TX };

static void close_by(chan_t *c, int how) {
  if (how == BY_TX) assert_int_equal(uvf_tx_close(c->tx, UV_EIO), 0);
  if (how == BY_RX) assert_int_equal(uvf_rx_close(c->rx, UV_EIO), 0);
  if (how == BY_LAST_TX) uvf_tx_release(c->tx), c->tx = NULL;
}

static void case_34_empty_while_a_permit_is_out_then_closed(void **state) {
  for (int how = BY_TX; how <= BY_RX; how++) {
    chan_t c;
    uvf_permit_t p[2];
    chan_open(&c, state, 4);
    reserve_all(&c, p, 2);
    fill(&c, 0, 1);
    close_by(&c, how);
    uvf_permit_t late;
    assert_int_equal(uvf_try_reserve(c.tx, &late), UV_EPIPE);
    assert_true(is_empty(&late));
    expect(&c, 0, 0);
    for (int i = 0; i < 2; i++) {
      assert_int_equal(try_recv(&c), UV_EAGAIN);
      uvf_permit_release(&p[i]);
    }
    assert_int_equal(try_recv(&c), UV_EIO);
    assert_int_equal(uvf_rx_status(c.rx), UV_EIO);
    chan_close(&c);
  }
}

/* Nobody else has a tx any more. */
static void a_permit_keeps_the_channel_open(void **state) {
  for (int use = 0; use <= 1; use++) {
    chan_t c;
    uvf_permit_t p[2];
    chan_open(&c, state, 4);
    reserve_all(&c, p, 2);
    close_by(&c, BY_LAST_TX);
    uvf_permit_release(&p[0]);
    assert_int_equal(uvf_rx_status(c.rx), 0);
    assert_int_equal(try_recv(&c), UV_EAGAIN);
    assert_false(stats_of(&c).closed);
    if (use == 1)
      assert_int_equal(permit_send(&p[1], 0, 5), 0);
    else
      uvf_permit_release(&p[1]);
    assert_true(stats_of(&c).closed);
    if (use == 1) expect(&c, 0, 5);
    assert_int_equal(try_recv(&c), UV_EOF);
    chan_close(&c);
  }
}

/* ---- who waits for the end ---- */

enum { EACH = 3 };

/* Several of each that can wait to receive, all of them asleep; by how many waits have begun. */
typedef struct {
  blocked_t thread[EACH];
  op_t request[EACH], readable[EACH];
  reading_t reader[EACH];
  test_host_t h;
} sleepers_t;

static void sleepers_start(sleepers_t *s, chan_t *c) {
  memset(s, 0, sizeof *s);
  for (uint32_t i = 0; i < EACH; i++)
    start_receiver(c, &s->thread[i], UVF_FOREVER, i + 1);
  loop_open(&s->h, 0);
  for (int i = 0; i < EACH; i++) {
    assert_int_equal(start_reader(&s->h, &s->reader[i], c->rx, NULL), 0);
    assert_int_equal(start_recv(&s->h, &s->request[i], c->rx, UVF_FOREVER), 0);
    assert_int_equal(start_readable(&s->h, &s->readable[i], c->rx, UVF_FOREVER), 0);
  }
  test_host_run(&s->h);
}

static int sleepers_calls(const sleepers_t *s) {
  int calls = 0;
  for (int i = 0; i < EACH; i++)
    calls += s->request[i].calls + s->readable[i].calls + s->reader[i].ends;
  return calls;
}

/* Asserts: all have had the end, but for `items` of them. The loop first: the wake of a thread may come by way of it. */
static void sleepers_end(sleepers_t *s, int end, int items) {
  int got = 0;
  while (sleepers_calls(s) < 3 * EACH)
    if (!test_host_turn(&s->h)) test_host_await_wake(&s->h);
  for (int i = 0; i < EACH; i++) {
    int r = join_blocked(&s->thread[i]);
    if (r == 0) got++;
    assert_true(r == 0 || r == end);
  }
  for (int i = 0; i < EACH; i++) {
    if (s->request[i].status == 0) got++;
    expect_done(&s->request[i], s->request[i].status == 0 ? 0 : end);
    assert_true(s->readable[i].status == end || (items > 0 && s->readable[i].status == 0));
    got += s->reader[i].count;
    expect_ended(&s->reader[i], end);
  }
  assert_int_equal(got, items);
  test_host_detach(&s->h);
}

/* Closing wakes them, and they must sleep on. */
static void sleepers_sleep_on(sleepers_t *s) {
  test_host_run(&s->h);
  assert_int_equal(sleepers_calls(s), 0);
}

static void all_sleepers_hear_of_the_end_after_a_release(void **state) {
  static sleepers_t s;
  chan_t c;
  uvf_permit_t p[2];
  chan_open(&c, state, 2);
  sleepers_start(&s, &c);
  reserve_all(&c, p, 2);
  close_by(&c, BY_TX);
  sleepers_sleep_on(&s);
  uvf_permit_release(&p[1]);
  sleepers_sleep_on(&s);
  uvf_permit_release(&p[0]);
  sleepers_end(&s, UV_EIO, 0);
  chan_close(&c);
}

static void all_sleepers_hear_of_the_end_after_an_item(void **state) {
  static sleepers_t s;
  chan_t c;
  uvf_permit_t p;
  chan_open(&c, state, 2);
  sleepers_start(&s, &c);
  reserve_all(&c, &p, 1);
  close_by(&c, BY_LAST_TX);
  sleepers_sleep_on(&s);
  assert_int_equal(permit_send(&p, 0, 0), 0);
  sleepers_end(&s, UV_EOF, 1);
  chan_close(&c);
}

/* One alone, of each kind: nobody is there to pass the wake on to him. */
static void one_sleeper_hears_of_the_end(void **state) {
  for (int kind = 0; kind < 4; kind++) {
    static reading_t reader;
    chan_t c;
    test_host_t h;
    blocked_t thread;
    op_t op = {0};
    uvf_permit_t p;
    memset(&reader, 0, sizeof reader);
    chan_open(&c, state, 2);
    if (kind == 0) start_receiver(&c, &thread, UVF_FOREVER, 1);
    loop_open(&h, 0);
    if (kind == 1) assert_int_equal(start_recv(&h, &op, c.rx, UVF_FOREVER), 0);
    if (kind == 2) assert_int_equal(start_readable(&h, &op, c.rx, UVF_FOREVER), 0);
    if (kind == 3) assert_int_equal(start_reader(&h, &reader, c.rx, NULL), 0);
    test_host_run(&h);
    reserve_all(&c, &p, 1);
    close_by(&c, BY_TX);
    test_host_run(&h);
    assert_int_equal(op.calls + reader.calls, 0);
    uvf_permit_release(&p);
    if (kind == 0) assert_int_equal(join_blocked(&thread), UV_EIO);
    test_host_run(&h);
    if (kind == 1 || kind == 2) expect_done(&op, UV_EIO);
    if (kind == 3) expect_ended(&reader, UV_EIO);
    test_host_detach(&h);
    chan_close(&c);
  }
}

/* ---- aborting ---- */

static void an_abort_does_not_wait_for_permits(void **state) {
  static sleepers_t s;
  chan_t c;
  uvf_permit_t p[2];
  chan_open(&c, state, 2);
  sleepers_start(&s, &c);
  reserve_all(&c, p, 2);
  assert_int_equal(uvf_rx_abort(c.rx, UV_EIO), 0);
  sleepers_end(&s, UV_EIO, 0);
  assert_int_equal(try_recv(&c), UV_EIO);
  assert_int_equal(permit_send(&p[0], 0, 0), UV_EPIPE);
  assert_true(is_empty(&p[0])); /* used up */
  uvf_permit_release(&p[1]);
  assert_int_equal(try_recv(&c), UV_EIO);
  chan_close(&c);
  assert_int_equal(atomic_load(&c.dropped), 0); /* what was refused is the caller's */
}

static void a_waiting_reserve_hears_of_the_abort(void **state) {
  chan_t c;
  uvf_permit_t p;
  test_host_t h;
  op_t waiting = {0};
  chan_open(&c, state, 1);
  loop_open(&h, 0);
  reserve_all(&c, &p, 1);
  assert_int_equal(start_reserve(&h, &waiting, c.tx, UVF_FOREVER), 0);
  uvf_rx_release(c.rx);
  c.rx = NULL;
  test_host_run(&h);
  expect_done(&waiting, UV_EPIPE);
  assert_int_equal(uvf_tx_status(c.tx), UV_EOF);
  uvf_tx_release(c.tx);
  c.tx = NULL;
  test_host_detach(&h);
  assert_int_equal(permit_send(&p, 0, 0), UV_EPIPE); /* the permit was all that was left of the channel */
  assert_int_equal(atomic_load(&c.dropped), 0);
}

/* ---- permits on several threads ---- */

enum { LANES = 2, PERMITS = 8 };

typedef struct {
  uv_barrier_t *gate;
  uvf_permit_t permit[PERMITS];
  uint32_t sender, sent;
  int strange;
} lane_t;

/* Uses every other one; in an order that differs from lane to lane. */
static void uses_permits(void *arg) {
  lane_t *l = arg;
  (void)uv_barrier_wait(l->gate);
  for (uint32_t i = 0; i < PERMITS; i++) {
    uvf_permit_t *p = &l->permit[l->sender % 2 == 0 ? i : PERMITS - 1 - i];
    if ((i + l->sender) % 2 == 0)
      uvf_permit_release(p);
    else if (permit_send(p, l->sender, l->sent) == 0)
      l->sent++;
    else
      l->strange++;
  }
}

/* Two threads use permits while this one closes and receives until the end: it has all of them by then. */
static void permits_race_with_the_close(void **state) {
  for (int round = 0; round < ROUNDS; round++) {
    chan_t c;
    thread_t id[LANES];
    lane_t lane[LANES];
    uv_barrier_t gate;
    payload_t got;
    uint32_t next[LANES] = {0, 0};
    int r;
    chan_open(&c, state, (size_t)LANES * PERMITS);
    assert_int_equal(uv_barrier_init(&gate, LANES + 1), 0);
    for (uint32_t i = 0; i < LANES; i++) {
      lane[i].gate = &gate;
      lane[i].sender = i;
      lane[i].sent = 0;
      lane[i].strange = 0;
      reserve_all(&c, lane[i].permit, PERMITS);
      thread_start(&id[i], uses_permits, &lane[i]);
    }
    (void)uv_barrier_wait(&gate);
    if (round % 2 == 0) close_by(&c, round % 4 == 0 ? BY_TX : BY_LAST_TX);
    if (round % 2 == 1) close_by(&c, BY_RX);
    while ((r = uvf_recv_sync(c.rx, &got, UVF_FOREVER)) == 0)
      if (got.sender >= LANES || got.seq != next[got.sender]++) lane[0].strange++;
    for (int i = 0; i < LANES; i++)
      thread_join(&id[i]);
    uv_barrier_destroy(&gate);
    assert_true(r == UV_EOF || r == UV_EIO);
    for (int i = 0; i < LANES; i++) {
      assert_int_equal(lane[i].strange, 0);
      assert_int_equal(lane[i].sent, next[i]);
    }
    assert_int_equal(try_recv(&c), r);
    chan_close(&c);
  }
}

/* An item of a permit that races with an abort is dropped or the sender's: never both, never neither. */
static void permits_race_with_the_abort(void **state) {
  for (int round = 0; round < ROUNDS; round++) {
    chan_t c;
    thread_t id;
    lane_t lane = {.sender = 0};
    uv_barrier_t gate;
    chan_open(&c, state, PERMITS);
    assert_int_equal(uv_barrier_init(&gate, 2), 0);
    lane.gate = &gate;
    reserve_all(&c, lane.permit, PERMITS);
    thread_start(&id, uses_permits, &lane);
    (void)uv_barrier_wait(&gate);
    assert_int_equal(uvf_rx_abort(c.rx, 0), 0);
    thread_join(&id);
    uv_barrier_destroy(&gate);
    assert_int_equal(lane.sent + (uint32_t)lane.strange, PERMITS / 2); /* strange: EPIPE */
    assert_int_equal(atomic_load(&c.dropped), lane.sent);
    assert_int_equal(uvf_rx_len(c.rx), 0);
    chan_close(&c);
  }
}

int main(void) {
  static const case_t cases[] = {
      CASE(case_33_the_permit_outlives_the_close, RESERVE_WAITS | ONESHOT),
      CASE(case_33_a_blocked_reserve_hears_of_the_close, RESERVE_WAITS | ONESHOT),
      CASE(case_33_a_refused_reserve_returns_no_item, RESERVE_WAITS | ONESHOT),
      CASE(case_34_empty_while_a_permit_is_out_then_closed, RESERVABLE),
      CASE(a_permit_keeps_the_channel_open, RESERVABLE),
      CASE(all_sleepers_hear_of_the_end_after_a_release, RESERVABLE & ~(unsigned)ONE_SENDER),
      CASE(all_sleepers_hear_of_the_end_after_an_item, (RESERVABLE & ~(unsigned)ONE_SENDER) | ONESHOT),
      CASE(one_sleeper_hears_of_the_end, RESERVABLE | ONESHOT),
      CASE(an_abort_does_not_wait_for_permits, RESERVABLE & ~(unsigned)ONE_SENDER),
      CASE(a_waiting_reserve_hears_of_the_abort, RESERVE_WAITS | ONESHOT),
      CASE(permits_race_with_the_close, RESERVABLE & ~(unsigned)ONE_SENDER),
      CASE(permits_race_with_the_abort, RESERVABLE),
  };
  return RUN_CASES(cases);
}
