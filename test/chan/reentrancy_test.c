/* SPDX-License-Identifier: MIT */
/* Callbacks may do anything: start, cancel, close, abort, release the last end, stop other readers, detach the loop, run the
 * event loop again. Case 28 (drop). Promises 2 and 3. */
#include "chan/loop_fixture.h"

enum { OTHERS = 4 };

/* What one callback does to everything else on its loop. */
typedef struct {
  chan_t c;
  test_host_t h;
  reading_t first;
  reading_t others[OTHERS];
  op_t recv[OTHERS], send[OTHERS], started;
  chan_t full; /* its senders wait */
  int results[8], nested;
  payload_t seen;
} stage_t;

static stage_t stage; /* large */

/* Asserts: a reader with `act` as its callback, other readers and requests on the same channel and on a full one. */
static stage_t *open_stage(void **state, void (*act)(void *, int, const payload_t *)) {
  stage_t *s = &stage;
  memset(s, 0, sizeof *s);
  chan_open(&s->c, state, 64);
  chan_open(&s->full, state, 1);
  if (s->c.kind->bit != RENDEZVOUS) fill(&s->full, 0, 1);
  if (s->c.kind->bit == UNBOUNDED) assert_int_equal(try_recv(&s->full), 0);
  loop_open(&s->h, 0);
  for (uint32_t i = 0; i < OTHERS; i++) {
    assert_int_equal(start_reader(&s->h, &s->others[i], s->c.rx, NULL), 0);
    assert_int_equal(start_recv(&s->h, &s->recv[i], s->c.rx, UVF_FOREVER), 0);
    if (s->c.kind->bit != UNBOUNDED)
      assert_int_equal(start_send(&s->h, &s->send[i], s->full.tx, item(1, i), UVF_FOREVER), 0);
  }
  s->first.then = act;
  s->first.arg = s;
  assert_int_equal(start_reader(&s->h, &s->first, s->c.rx, NULL), 0);
  test_host_run(&s->h);
  return s;
}

/* Sends until `first` was called once. */
static void provoke(stage_t *s) {
  for (uint32_t i = 0; s->first.calls == 0 && i < 400; i++) {
    (void)try_send(&s->c, 0, i);
    test_host_run(&s->h);
  }
  assert_int_equal(s->first.calls, 1);
}

static void close_stage(stage_t *s) {
  test_host_detach(&s->h);
  chan_close(&s->c);
  chan_close(&s->full);
  for (int i = 0; i < OTHERS; i++) {
    assert_int_equal(s->recv[i].calls, 1);
    assert_false(s->recv[i].inside);
    if (s->c.kind->bit != UNBOUNDED) assert_int_equal(s->send[i].calls, 1);
  }
}

/* ---- stop the others, from inside ---- */

static void stops_everybody(void *arg, int n, const payload_t *items) {
  stage_t *s = arg;
  s->seen = items[0];
  for (int i = 0; i < OTHERS; i++) {
    s->results[0] += uvf_reader_stop(&s->others[i].rd);
    (void)uvf_cancel(&s->recv[i].req); /* may be on its way */
    s->results[1] += s->c.kind->bit != UNBOUNDED ? uvf_cancel(&s->send[i].req) : 0;
  }
  s->results[2] = uvf_reader_stop(&s->first.rd);
  s->results[3] = n;
}

static void stops_and_cancels_all_others(void **state) {
  stage_t *s = open_stage(state, stops_everybody);
  provoke(s);
  test_host_run(&s->h);
  assert_int_equal(s->results[0], 0);
  assert_int_equal(s->results[1], 0);
  assert_int_equal(s->results[2], 0);
  for (int i = 0; i < OTHERS; i++) {
    int calls = s->others[i].calls;
    assert_true(s->recv[i].status == UV_ECANCELED || s->recv[i].status == 0);
    if (s->c.kind->bit != UNBOUNDED) assert_int_equal(s->send[i].status, UV_ECANCELED);
    assert_int_equal(s->others[i].ends, 0);
    assert_int_equal(s->others[i].calls, calls);
  }
  expect_idle(&s->h, false);
  close_stage(s);
}

/* ---- close and abort ---- */

static void closes_both(void *arg, int n, const payload_t *items) {
  stage_t *s = arg;
  (void)items;
  if (n < 0) return;
  s->results[0] = uvf_tx_close(s->c.tx, UV_EIO);
  s->results[1] = uvf_rx_abort(s->full.rx, 0);
}

static void closes_and_aborts(void **state) {
  stage_t *s = open_stage(state, closes_both);
  for (uint32_t i = 0; s->first.calls == 0 && i < 400; i++) {
    (void)try_send(&s->c, 0, i);
    test_host_run(&s->h);
  }
  assert_int_equal(s->results[0], 0);
  assert_int_equal(s->results[1], 0);
  expect_ended(&s->first, UV_EIO);
  for (int i = 0; i < OTHERS; i++) {
    expect_ended(&s->others[i], UV_EIO);
    assert_true(s->recv[i].status == UV_EIO || s->recv[i].status == 0);
    if (s->c.kind->bit != UNBOUNDED) assert_int_equal(s->send[i].status, UV_EPIPE);
  }
  expect_idle(&s->h, false);
  close_stage(s);
}

/* ---- release of the last ends ---- */

static void releases_all(void *arg, int n, const payload_t *items) {
  stage_t *s = arg;
  (void)n;
  (void)items;
  chan_close(&s->c);
  chan_close(&s->full);
}

static void releases_the_users_last_ends(void **state) {
  stage_t *s = open_stage(state, releases_all);
  for (uint32_t i = 0; s->first.calls == 0 && i < 400; i++) {
    (void)try_send(&s->c, 0, i);
    test_host_run(&s->h);
  }
  expect_ended(&s->first, UV_EOF);
  for (int i = 0; i < OTHERS; i++) {
    expect_ended(&s->others[i], UV_EOF);
    if (s->c.kind->bit != UNBOUNDED) assert_int_equal(s->send[i].status, UV_EPIPE);
  }
  close_stage(s);
}

/* ---- detach ---- */

static void detaches(void *arg, int n, const payload_t *items) {
  stage_t *s = arg;
  (void)items;
  if (n < 0) return;
  s->results[0] = test_host_detach_start(&s->h);
  s->results[1] = start_recv(&s->h, &s->started, s->c.rx, UVF_FOREVER);
  s->results[2] = uvf_loop_detach(s->h.loop, NULL, NULL);
}

static void detaches_its_loop(void **state) {
  stage_t *s = open_stage(state, detaches);
  for (uint32_t i = 0; s->first.calls == 0 && i < 400; i++) {
    (void)try_send(&s->c, 0, i);
    while (s->first.calls == 0 && test_host_turn(&s->h)) {
    }
  }
  test_host_finish(&s->h);
  assert_int_equal(s->results[0], 0);
  assert_int_equal(s->results[1], UV_ECANCELED);
  assert_int_equal(s->results[2], UV_EALREADY);
  expect_ended(&s->first, UV_ECANCELED);
  for (int i = 0; i < OTHERS; i++) {
    expect_ended(&s->others[i], UV_ECANCELED);
    assert_int_equal(s->recv[i].calls, 1);
  }
  assert_int_equal(s->started.calls, 0);
  chan_close(&s->c);
  chan_close(&s->full);
}

static void detach_and_release(void *arg) {
  stage_t *s = arg;
  s->results[0] = test_host_detach_start(&s->h);
  chan_close(&s->c);
}

static void a_request_detaches_its_loop(void **state) {
  stage_t *s = &stage;
  memset(s, 0, sizeof *s);
  chan_open(&s->c, state, 4);
  loop_open(&s->h, 0);
  s->started.then = detach_and_release;
  s->started.arg = s;
  assert_int_equal(start_recv(&s->h, &s->started, s->c.rx, 5), 0);
  assert_int_equal(start_recv(&s->h, &s->recv[0], s->c.rx, UVF_FOREVER), 0);
  s->h.now += 5;
  while (!s->h.closed && test_host_turn(&s->h)) {
  }
  test_host_finish(&s->h);
  assert_int_equal(s->started.status, UV_ETIMEDOUT);
  expect_done(&s->recv[0], UV_ECANCELED);
}

/* ---- the event loop inside a callback ---- */

static void runs_the_loop(void *arg, int n, const payload_t *items) {
  stage_t *s = arg;
  (void)items;
  if (n < 0) return;
  int calls = s->first.calls + s->started.calls;
  (void)try_send(&s->c, 0, 500);
  s->h.now += 20; /* a deadline comes meanwhile */
  for (int i = 0; i < 10; i++)
    (void)test_host_turn(&s->h);
  s->nested += s->first.calls + s->started.calls - calls;
}

static void runs_the_event_loop_again(void **state) {
  stage_t *s = &stage;
  memset(s, 0, sizeof *s);
  chan_open(&s->c, state, 64);
  loop_open(&s->h, 0);
  s->first.then = runs_the_loop;
  s->first.arg = s;
  assert_int_equal(start_reader(&s->h, &s->first, s->c.rx, NULL), 0);
  test_host_run(&s->h);
  chan_t other;
  chan_open(&other, state, 4);
  assert_int_equal(start_recv(&s->h, &s->started, other.rx, 10), 0);
  (void)try_send(&s->c, 0, 0);
  while (s->first.calls == 0)
    assert_true(test_host_turn(&s->h));
  s->first.then = NULL;
  test_host_run(&s->h);
  assert_int_equal(s->nested, 0);         /* nothing ran inside; the outer turn went on */
  expect_done(&s->started, UV_ETIMEDOUT); /* though its timer fired inside */
  assert_int_equal(s->first.count, s->c.kind->bit == RENDEZVOUS ? 1 : 2);
  test_host_detach(&s->h);
  chan_close(&s->c);
  chan_close(&other);
}

/* ---- everything started from inside ---- */

static void starts_more(void *arg, int n, const payload_t *items) {
  stage_t *s = arg;
  (void)items;
  if (n < 0 || s->results[7]++ > 0) return;
  for (int i = 0; i < OTHERS; i++) {
    s->results[0] += start_reader(&s->h, &s->others[i], s->full.rx, NULL);
    s->results[1] += start_recv(&s->h, &s->recv[i], s->full.rx, 10);
    s->results[2] += start_send(&s->h, &s->send[i], s->full.tx, item(1, (uint32_t)i), UVF_FOREVER);
  }
}

static void starts_requests_and_readers(void **state) {
  stage_t *s = &stage;
  int got = 0;
  memset(s, 0, sizeof *s);
  chan_open(&s->c, state, 4);
  chan_open(&s->full, state, 1);
  loop_open(&s->h, 0);
  s->first.then = starts_more;
  s->first.arg = s;
  assert_int_equal(start_reader(&s->h, &s->first, s->c.rx, NULL), 0);
  test_host_run(&s->h);
  (void)try_send(&s->c, 0, 0);
  test_host_run(&s->h);
  test_host_advance(&s->h, 10);
  assert_int_equal(s->results[0] + s->results[1] + s->results[2], 0);
  for (int i = 0; i < OTHERS; i++) {
    got += s->others[i].count + (s->recv[i].status == 0 ? 1 : 0);
    expect_done(&s->send[i], 0);
    expect_done(&s->recv[i], s->recv[i].status == 0 ? 0 : UV_ETIMEDOUT);
    assert_false(s->others[i].inside);
  }
  assert_int_equal(got, OTHERS);
  test_host_detach(&s->h);
  chan_close(&s->c);
  chan_close(&s->full);
}

/* A chain that would never end leaves each turn. */
static void goes_on(void *arg) {
  stage_t *s = arg;
  s->results[0]++;
  if (s->results[1] == 0) (void)start_recv(&s->h, &s->started, s->c.rx, UVF_NOWAIT);
}

static void promise_7_a_chain_of_requests_leaves_the_turn(void **state) {
  stage_t *s = &stage;
  memset(s, 0, sizeof *s);
  chan_open(&s->c, state, 4);
  loop_open(&s->h, 50);
  s->started.then = goes_on;
  s->started.arg = s;
  assert_int_equal(start_recv(&s->h, &s->started, s->c.rx, UVF_NOWAIT), 0);
  for (int i = 0; i < 10; i++)
    assert_true(test_host_turn(&s->h));
  assert_in_range(s->results[0], 10, 500);
  s->results[1] = 1;
  test_host_run(&s->h);
  test_host_detach(&s->h);
  chan_close(&s->c);
}

int main(void) {
  static const case_t cases[] = {
      CASE(stops_and_cancels_all_others, ALL),
      CASE(closes_and_aborts, ALL),
      CASE(releases_the_users_last_ends, ALL | ONESHOT),
      CASE(detaches_its_loop, ALL),
      CASE(a_request_detaches_its_loop, ALL | ONESHOT),
      CASE(runs_the_event_loop_again, ALL),
      CASE(starts_requests_and_readers, ALL),
      CASE(promise_7_a_chain_of_requests_leaves_the_turn, ALL),
  };
  return RUN_CASES(cases);
}
