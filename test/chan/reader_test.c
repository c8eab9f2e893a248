/* SPDX-License-Identifier: MIT */
/* Readers while the channel is open: batches, budgets, pause and resume, stop, wakes that are passed on, keep-alive.
 * (How a reader ends: reader_end_test.c.) Cases 73, 74, 75 on the tests' host. Promises 2 (never inside the call that started
 * it), 4 (a wake that went to one who left is passed on), 5, 7 (limits per turn), 8 (idle costs nothing; keep-alive). */
#include "chan/loop_fixture.h"

enum { MOST = 1000 };

/* A channel with a reader on a loop, which has had its first turns and waits. */
typedef struct {
  chan_t c;
  test_host_t h;
  reading_t r;
} scene_t;

/* Asserts. The scene is large: static, so that no stack is too small for it. */
static scene_t *open_scene(void **state, size_t capacity, uint32_t turn_items, const uvf_reader_options_t *o) {
  static scene_t s;
  memset(&s.r, 0, sizeof s.r);
  chan_open(&s.c, state, capacity);
  loop_open(&s.h, turn_items);
  assert_int_equal(start_reader(&s.h, &s.r, s.c.rx, o), 0);
  test_host_run(&s.h);
  assert_int_equal(s.r.calls, 0);
  return &s;
}

/* Asserts: the reader goes, nothing was dropped before or since but `dropped` items. */
static void close_scene(scene_t *s, unsigned dropped) {
  if (uvf_reader_active(&s->r.rd)) assert_int_equal(uvf_reader_stop(&s->r.rd), 0);
  test_host_run(&s->h);
  expect_idle(&s->h, false);
  test_host_detach(&s->h);
  chan_close(&s->c);
  assert_int_equal(atomic_load(&s->c.dropped), dropped);
}

static void gets_what_is_sent_in_order(void **state) {
  scene_t *s = open_scene(state, 8, 0, NULL);
  for (uint32_t i = 0; i < 200; i++) {
    fill(&s->c, i, 1);
    if (i % 7 == 6) test_host_run(&s->h);
  }
  test_host_run(&s->h);
  expect_read(&s->r, 0, 0, 200);
  expect_idle(&s->h, true);
  close_scene(s, 0);
}

static void gets_what_was_there_before_it_started(void **state) {
  scene_t *s = open_scene(state, 8, 0, NULL);
  reading_t *late = &s->r;
  assert_int_equal(uvf_reader_stop(&late->rd), 0);
  fill(&s->c, 0, 8);
  assert_int_equal(start_reader(&s->h, late, s->c.rx, NULL), 0);
  assert_int_equal(late->calls, 0); /* not inside the start */
  test_host_run(&s->h);
  expect_read(late, 0, 0, 8);
  close_scene(s, 0);
}

/* ---- batches ---- */

/* n items at once for a reader with this max_batch: none of its batches is larger, and one of them is `largest`. */
static void batches(void **state, size_t capacity, uint32_t max_batch, uint32_t n, int largest) {
  uvf_reader_options_t o = {.max_batch = max_batch};
  scene_t *s = open_scene(state, capacity, 0, &o);
  fill(&s->c, 0, n);
  test_host_run(&s->h);
  expect_read(&s->r, 0, 0, (int)n);
  assert_int_equal(s->r.largest, largest);
  close_scene(s, 0);
}

static void no_batch_is_larger_than_max_batch(void **state) {
  batches(state, 64, 1, 30, 1);
  batches(state, 64, 5, 60, 5);
  batches(state, 64, 64, 64,
          ((const kind_t *)*state)->bit == UNBOUNDED && UVF__ATOMICS ? 56 : 64); /* the first block has 8 */
}

static void the_default_batch_is_half_of_the_capacity_at_most(void **state) {
  batches(state, 1, 0, 1, 1);
  batches(state, 2, 0, 2, 1);
  batches(state, 64, 0, 64, 32);
  batches(state, 1024, 0, 1024, 256);
}

static void the_default_batch_of_an_unbounded_channel_is_256(void **state) {
  batches(state, 0, 0, 1500, 256);
}

/* In the callback, the batch is taken (len) and its room is not free yet; afterwards it is. */
static void looks_at_room(void *arg, int n, const payload_t *items) {
  scene_t *s = arg;
  (void)items;
  if (n < 0) return;
  s->r.batch = (int)uvf_rx_len(s->c.rx);
  s->r.end = try_send(&s->c, 0, 100);
  payload_t back;
  if (s->r.end == 0) (void)uvf_try_recv(s->c.rx, &back);
}

static void the_room_of_a_batch_is_given_back_after_the_callback(void **state) {
  uvf_reader_options_t o = {.max_batch = 4};
  scene_t *s = open_scene(state, 4, 0, &o);
  s->r.then = looks_at_room;
  s->r.arg = s;
  fill(&s->c, 0, 4);
  while (s->r.calls == 0)
    assert_true(test_host_turn(&s->h));
  assert_int_equal(s->r.count, 4);
  assert_int_equal(s->r.batch, 0);
  assert_int_equal(s->r.end, BATCH_TAKES_ROOM ? UV_EAGAIN : 0);
  s->r.then = NULL;
  s->r.end = 0;
  fill(&s->c, 4, 4);
  test_host_run(&s->h);
  expect_read(&s->r, 0, 0, 8);
  close_scene(s, 0);
}

/* A batch that frees room serves the senders that wait, in order. */
static void a_batch_serves_waiting_senders(void **state) {
  scene_t *s = open_scene(state, 2, 0, NULL);
  op_t sends[10];
  memset(sends, 0, sizeof sends);
  uvf_reader_pause(&s->r.rd);
  fill(&s->c, 0, 2);
  for (uint32_t i = 0; i < 10; i++)
    assert_int_equal(start_send(&s->h, &sends[i], s->c.tx, item(0, 2 + i), UVF_FOREVER), 0);
  test_host_run(&s->h);
  expect_read(&s->r, 0, 0, 0);
  uvf_reader_resume(&s->r.rd);
  test_host_run(&s->h);
  expect_read(&s->r, 0, 0, 12);
  for (int i = 0; i < 10; i++)
    expect_done(&sends[i], 0);
  close_scene(s, 0);
}

/* ---- budgets ---- */

/* Asserts that no turn brings more than `most` items, and all come. */
static void drain_by_turns(scene_t *s, int n, int most) {
  for (int before = 0; before < n; before = s->r.count) {
    assert_true(test_host_turn(&s->h));
    assert_true(s->r.count - before <= most);
    assert_true(s->r.count > 0 || before == 0);
  }
  test_host_run(&s->h);
  expect_read(&s->r, 0, 0, n);
}

static void promise_7_turn_items_of_the_reader(void **state) {
  uvf_reader_options_t o = {.max_batch = 4, .turn_items = 10};
  scene_t *s = open_scene(state, 500, 0, &o);
  fill(&s->c, 0, 500);
  drain_by_turns(s, 500, 10);
  close_scene(s, 0);
}

static void promise_7_turn_items_of_the_loop(void **state) {
  scene_t *s = open_scene(state, 500, 25, NULL);
  fill(&s->c, 0, 500);
  drain_by_turns(s, 500, 25);
  close_scene(s, 0);
}

/* The callback lasts longer than its budget: one batch per turn. */
static void burns_time(void *arg, int n, const payload_t *items) {
  (void)arg;
  (void)n;
  (void)items;
  for (uint64_t start = uv_hrtime(); uv_hrtime() - start < 100000;) {
  }
}

static void promise_7_turn_us_of_the_reader(void **state) {
  uvf_reader_options_t o = {.max_batch = 2, .turn_us = 50};
  scene_t *s = open_scene(state, 60, 0, &o);
  s->r.then = burns_time;
  fill(&s->c, 0, 60);
  drain_by_turns(s, 60, 2);
  close_scene(s, 0);
}

static void promise_7_turn_us_of_the_loop(void **state) {
  chan_t c;
  test_host_t h;
  static reading_t r;
  uvf_loop_options_t lo = {.turn_us = 50};
  uvf_reader_options_t o = {.max_batch = 1};
  memset(&r, 0, sizeof r);
  r.then = burns_time;
  chan_open(&c, state, 20);
  test_host_init_options(&h, &lo);
  assert_int_equal(start_reader(&h, &r, c.rx, &o), 0);
  fill(&c, 0, 20);
  for (int before = 0; before < 20; before = r.count) {
    assert_true(test_host_turn(&h));
    assert_true(r.count - before <= 1);
  }
  assert_int_equal(uvf_reader_stop(&r.rd), 0);
  test_host_detach(&h);
  chan_close(&c);
}

/* A flood that never ends leaves each turn; what was sent during the turn comes in the next one. */
static void feeds_itself(void *arg, int n, const payload_t *items) {
  scene_t *s = arg;
  for (int i = 0; i < n && s->r.count < READ_LOG - 10; i++)
    (void)try_send(&s->c, 0, items[i].seq + 5);
}

static void promise_7_a_turn_takes_what_was_there_when_it_began(void **state) {
  uvf_reader_options_t o = {.max_batch = 2};
  scene_t *s = open_scene(state, 16, 0, &o);
  s->r.then = feeds_itself;
  s->r.arg = s;
  fill(&s->c, 0, 5);
  for (int turn = 1; turn <= 20; turn++) {
    int before = s->r.count;
    while (s->r.count == before)
      assert_true(test_host_turn(&s->h));
    assert_int_equal(s->r.count - before, 5);
  }
  close_scene(s, 5);
}

/* Two flooded readers share a loop whose turn is too short for one of them. */
static void promise_7_flooded_readers_take_turns(void **state) {
  static reading_t a, b;
  chan_t ca, cb;
  test_host_t h;
  memset(&a, 0, sizeof a);
  memset(&b, 0, sizeof b);
  chan_open(&ca, state, MOST);
  chan_open(&cb, state, MOST);
  loop_open(&h, 10);
  assert_int_equal(start_reader(&h, &a, ca.rx, NULL), 0);
  assert_int_equal(start_reader(&h, &b, cb.rx, NULL), 0);
  fill(&ca, 0, MOST);
  fill(&cb, 0, MOST);
  while (a.count + b.count < 400)
    assert_true(test_host_turn(&h));
  assert_true(a.count >= 100 && b.count >= 100);
  test_host_run(&h);
  expect_read(&a, 0, 0, MOST);
  expect_read(&b, 0, 0, MOST);
  test_host_detach(&h);
  chan_close(&ca);
  chan_close(&cb);
}

/* A request, a timer and a post get their turn beside a reader that is always ready. */
static void case_74_others_run_beside_a_reader_that_is_always_ready(void **state) {
  scene_t *s = open_scene(state, 64, 8, NULL);
  op_t timed = {0};
  chan_t other;
  record_t posted = {0};
  uvf_post_t post = {.data = &posted};
  chan_open(&other, state, 4);
  s->r.then = feeds_itself;
  s->r.arg = s;
  fill(&s->c, 0, 32);
  assert_int_equal(start_recv(&s->h, &timed, other.rx, 10), 0);
  assert_int_equal(uvf_post(s->h.loop, &post, record_post), 0);
  for (int i = 0; i < 20; i++)
    assert_true(test_host_turn(&s->h));
  assert_int_equal(posted.calls, 1);
  s->h.now += 10;
  for (int i = 0; i < 20; i++)
    assert_true(test_host_turn(&s->h));
  expect_done(&timed, UV_ETIMEDOUT);
  chan_close(&other);
  close_scene(s, 32);
}

/* ---- pause, resume ---- */

static void a_paused_reader_lets_the_channel_fill(void **state) {
  scene_t *s = open_scene(state, 4, 0, NULL);
  uvf_reader_pause(&s->r.rd);
  uvf_reader_pause(&s->r.rd);
  assert_true(uvf_reader_active(&s->r.rd));
  fill(&s->c, 0, 4);
  if (s->c.kind->bit != UNBOUNDED) assert_int_equal(try_send(&s->c, 0, 4), UV_EAGAIN);
  test_host_run(&s->h);
  expect_read(&s->r, 0, 0, 0);
  expect_idle(&s->h, false); /* and keeps no loop alive */
  uvf_reader_resume(&s->r.rd);
  assert_true(s->h.alive);
  assert_int_equal(s->r.calls, 0);
  test_host_run(&s->h);
  expect_read(&s->r, 0, 0, 4);
  uvf_reader_resume(&s->r.rd); /* not paused: nothing */
  expect_idle(&s->h, true);
  close_scene(s, 0);
}

/* A sender has just woken it: the wake is not forgotten over a pause. */
static void paused_when_a_sender_has_just_won_it(void **state) {
  scene_t *s = open_scene(state, 4, 0, NULL);
  fill(&s->c, 0, 1);
  uvf_reader_pause(&s->r.rd);
  test_host_run(&s->h);
  expect_read(&s->r, 0, 0, 0);
  uvf_reader_resume(&s->r.rd);
  test_host_run(&s->h);
  expect_read(&s->r, 0, 0, 1);
  fill(&s->c, 1, 1);
  uvf_reader_pause(&s->r.rd);
  uvf_reader_resume(&s->r.rd); /* before the loop noticed */
  test_host_run(&s->h);
  expect_read(&s->r, 0, 0, 2);
  close_scene(s, 0);
}

static void pauses_itself(void *arg, int n, const payload_t *items) {
  scene_t *s = arg;
  (void)items;
  if (n > 0) uvf_reader_pause(&s->r.rd);
}

static void paused_inside_its_callback(void **state) {
  uvf_reader_options_t o = {.max_batch = 3};
  scene_t *s = open_scene(state, 16, 0, &o);
  s->r.then = pauses_itself;
  s->r.arg = s;
  fill(&s->c, 0, 6);
  for (int calls = 1; calls <= 2; calls++) {
    test_host_run(&s->h);
    expect_idle(&s->h, false);
    assert_int_equal(s->r.calls, calls); /* the batch at hand, no other */
    expect_read(&s->r, 0, 0, 3 * calls);
    uvf_reader_resume(&s->r.rd);
  }
  test_host_run(&s->h);
  assert_int_equal(s->r.calls, 2);
  expect_idle(&s->h, true);
  close_scene(s, 0);
}

static void pauses_and_resumes_itself(void *arg, int n, const payload_t *items) {
  scene_t *s = arg;
  (void)items;
  if (n < 0) return;
  uvf_reader_pause(&s->r.rd);
  uvf_reader_resume(&s->r.rd);
}

static void paused_and_resumed_inside_its_callback(void **state) {
  uvf_reader_options_t o = {.max_batch = 3};
  scene_t *s = open_scene(state, 16, 0, &o);
  s->r.then = pauses_and_resumes_itself;
  s->r.arg = s;
  fill(&s->c, 0, 9);
  test_host_run(&s->h);
  expect_read(&s->r, 0, 0, 9);
  fill(&s->c, 9, 1);
  test_host_run(&s->h);
  expect_read(&s->r, 0, 0, 10);
  close_scene(s, 0);
}

/* ---- stop ---- */

static void stops_itself(void *arg, int n, const payload_t *items) {
  scene_t *s = arg;
  s->r.end = uvf_reader_stop(&s->r.rd);
  s->r.active_at_end = uvf_reader_active(&s->r.rd);
  s->r.largest = uvf_reader_stop(&s->r.rd);
  for (int i = 0; i < n; i++)
    s->r.batch += items[i].seq == (uint32_t)i ? 100 : 0; /* the items of a running callback stay that callback's */
}

/* Little room was freed before the pause or the stop: the sender that waits gets it all the same. */
static void a_small_turn_serves_waiting_senders(void **state) {
  void (*const then[])(void *, int, const payload_t *) = {pauses_itself, stops_itself};
  for (int i = 0; i < 2; i++) {
    scene_t *s = open_scene(state, 8, 0, &(uvf_reader_options_t){.max_batch = 1});
    op_t send = {0};
    s->r.then = then[i];
    s->r.arg = s;
    fill(&s->c, 0, 8);
    assert_int_equal(start_send(&s->h, &send, s->c.tx, item(0, 8), UVF_FOREVER), 0);
    test_host_run(&s->h);
    assert_int_equal(s->r.count, 1);
    expect_done(&send, 0);
    close_scene(s, 8);
  }
}

static void stopped_inside_its_callback(void **state) {
  uvf_reader_options_t o = {.max_batch = 3};
  scene_t *s = open_scene(state, 16, 0, &o);
  s->r.then = stops_itself;
  s->r.arg = s;
  fill(&s->c, 0, 9);
  test_host_run(&s->h);
  assert_int_equal(s->r.calls, 1);
  assert_int_equal(s->r.count, 3);
  assert_int_equal(s->r.batch, 303);
  assert_int_equal(s->r.end, 0);
  assert_false(s->r.active_at_end);
  assert_int_equal(s->r.largest, UV_EALREADY);
  expect_idle(&s->h, false);
  expect(&s->c, 0, 3); /* the rest is still there */
  fill(&s->c, 9, 1);
  test_host_run(&s->h);
  assert_int_equal(s->r.calls, 1);
  close_scene(s, 6);
}

static void stopped_and_freed_while_it_waits(void **state) {
  chan_t c;
  test_host_t h;
  chan_open(&c, state, 4);
  loop_open(&h, 0);
  for (int turns = 0; turns < 4; turns++) { /* at different moments of its life */
    reading_t *r = calloc(1, sizeof *r);
    assert_non_null(r);
    assert_int_equal(start_reader(&h, r, c.rx, NULL), 0);
    for (int i = 0; i < turns; i++)
      (void)test_host_turn(&h);
    if (turns == 3 && c.kind->bit != RENDEZVOUS) fill(&c, 0, 1);
    assert_int_equal(uvf_reader_stop(&r->rd), 0);
    assert_int_equal(r->calls, 0);
    free(r);
    test_host_run(&h);
  }
  test_host_detach(&h);
  chan_close(&c);
}

/* A sender has won it; it is stopped before its loop notices: the wake goes on to the next receiver. */
static void promise_4_stopped_when_a_sender_has_just_won_it(void **state) {
  scene_t *s = open_scene(state, 4, 0, NULL);
  op_t next = {0};
  uvf_rx_retain(s->c.rx);
  assert_int_equal(start_recv(&s->h, &next, s->c.rx, UVF_FOREVER), 0);
  test_host_run(&s->h);
  fill(&s->c, 0, 1); /* the reader was first in line, or the request: whoever it is has been told */
  assert_int_equal(uvf_reader_stop(&s->r.rd), 0);
  test_host_run(&s->h);
  assert_int_equal(s->r.calls, 0);
  expect_done(&next, 0);
  assert_true(same(next.item, item(0, 0)));
  uvf_rx_release(s->c.rx);
  close_scene(s, 0);
}

static void promise_4_the_wake_of_a_stopped_reader_reaches_a_second_reader(void **state) {
  scene_t *s = open_scene(state, 4, 0, NULL);
  static reading_t second;
  memset(&second, 0, sizeof second);
  assert_int_equal(start_reader(&s->h, &second, s->c.rx, NULL), 0);
  test_host_run(&s->h);
  for (uint32_t i = 0; i < 10; i++) {
    fill(&s->c, i, 1);
    assert_int_equal(uvf_reader_stop(&s->r.rd), 0); /* perhaps it was the one that was woken, perhaps not */
    test_host_run(&s->h);
    expect_read(&second, 0, 0, (int)i + 1);
    assert_int_equal(start_reader(&s->h, &s->r, s->c.rx, NULL), 0);
    test_host_run(&s->h);
  }
  assert_int_equal(s->r.count, 0);
  assert_int_equal(uvf_reader_stop(&second.rd), 0);
  close_scene(s, 0);
}

int main(void) {
  static const case_t cases[] = {
      CASE(gets_what_is_sent_in_order, QUEUED),
      CASE(gets_what_was_there_before_it_started, QUEUED),
      CASE(no_batch_is_larger_than_max_batch, QUEUED),
      CASE(the_default_batch_is_half_of_the_capacity_at_most, LIMITED),
      CASE(the_default_batch_of_an_unbounded_channel_is_256, UNBOUNDED),
      CASE(the_room_of_a_batch_is_given_back_after_the_callback, LIMITED),
      CASE(a_batch_serves_waiting_senders, LIMITED),
      CASE(promise_7_turn_items_of_the_reader, QUEUED),
      CASE(promise_7_turn_items_of_the_loop, QUEUED),
      CASE(promise_7_turn_us_of_the_reader, QUEUED),
      CASE(promise_7_turn_us_of_the_loop, QUEUED),
      CASE(promise_7_a_turn_takes_what_was_there_when_it_began, QUEUED),
      CASE(promise_7_flooded_readers_take_turns, QUEUED),
      CASE(case_74_others_run_beside_a_reader_that_is_always_ready, QUEUED),
      CASE(a_paused_reader_lets_the_channel_fill, QUEUED),
      CASE(paused_when_a_sender_has_just_won_it, ALL),
      CASE(paused_inside_its_callback, QUEUED),
      CASE(paused_and_resumed_inside_its_callback, QUEUED),
      CASE(a_small_turn_serves_waiting_senders, LIMITED),
      CASE(stopped_inside_its_callback, QUEUED),
      CASE(stopped_and_freed_while_it_waits, ALL | ONESHOT),
      CASE(promise_4_stopped_when_a_sender_has_just_won_it, QUEUED | ONESHOT),
      CASE(promise_4_the_wake_of_a_stopped_reader_reaches_a_second_reader, QUEUED),
  };
  return RUN_CASES(cases);
}
