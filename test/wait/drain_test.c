/* SPDX-License-Identifier: MIT */
/* A turn of a loop: its limits, a stop in the middle of it, being entered twice, and rest. */
#include "wait/event.h"

enum { POSTS = 25 };

typedef struct {
  test_host_t h;
  record_t r;
  uvf_post_t posts[POSTS];
} fixture_t;

static void open_fixture(fixture_t *f, uint32_t turn_items) {
  uvf_loop_options_t o = {.turn_items = turn_items, .turn_us = UINT32_MAX};
  memset(f, 0, sizeof *f);
  test_host_init_options(&f->h, &o);
  for (int i = 0; i < POSTS; i++)
    f->posts[i].data = &f->r;
}

static void post(fixture_t *f, int from, int to, uvf_post_cb cb) {
  for (int i = from; i < to; i++)
    assert_int_equal(uvf_post(f->h.loop, &f->posts[i], cb), 0);
}

static void expect_order(const fixture_t *f, int n) {
  assert_int_equal(f->r.calls, n);
  for (int i = 0; i < n; i++)
    assert_ptr_equal(f->r.from[i], &f->posts[i]);
}

/* ---- limits ---- */

static void the_budget_of_items_ends_a_turn_and_the_rest_comes_next(void **state) {
  static fixture_t f;
  (void)state;
  open_fixture(&f, 10);
  post(&f, 0, POSTS, record_post);
  assert_true(test_host_turn(&f.h));
  expect_order(&f, 10);
  assert_true(f.h.polling);
  assert_true(test_host_turn(&f.h));
  expect_order(&f, 20);
  assert_true(test_host_turn(&f.h));
  expect_order(&f, POSTS);
  assert_false(f.h.polling);
  assert_false(test_host_turn(&f.h));
  assert_int_equal(f.h.wakes, 1);
  test_host_detach(&f.h);
}

static void what_is_left_over_comes_before_what_is_new(void **state) {
  static fixture_t f;
  (void)state;
  open_fixture(&f, 10);
  post(&f, 0, 15, record_post);
  assert_true(test_host_turn(&f.h));
  post(&f, 15, POSTS, record_post);
  test_host_run(&f.h);
  expect_order(&f, POSTS);
  assert_int_equal(f.h.wakes, 1);
  test_host_detach(&f.h);
}

static void a_budget_of_one_item_still_gets_on(void **state) {
  static fixture_t f;
  (void)state;
  open_fixture(&f, 1);
  post(&f, 0, POSTS, record_post);
  test_host_run(&f.h);
  expect_order(&f, POSTS);
  assert_int_equal(f.h.turns, POSTS);
  test_host_detach(&f.h);
}

static void a_turn_of_a_microsecond_still_gets_on(void **state) {
  static fixture_t f;
  uvf_loop_options_t o = {.turn_us = 1};
  (void)state;
  memset(&f, 0, sizeof f);
  test_host_init_options(&f.h, &o);
  for (int i = 0; i < POSTS; i++)
    f.posts[i].data = &f.r;
  post(&f, 0, POSTS, record_post);
  test_host_run(&f.h);
  expect_order(&f, POSTS);
  test_host_detach(&f.h);
}

/* ---- stop ---- */

static void stop_at_the_third(uvf_post_t *p, int status) {
  record_t *r = p->data;
  record_post(p, status);
  if (r->calls == 3) test_host_stop((test_host_t *)(void *)((char *)r - offsetof(fixture_t, r)));
}

static void a_stop_in_a_callback_ends_the_turn_and_loses_nothing(void **state) {
  static fixture_t f;
  (void)state;
  open_fixture(&f, 0);
  post(&f, 0, POSTS, stop_at_the_third);
  assert_true(test_host_turn(&f.h));
  expect_order(&f, 3);
  assert_true(test_host_turn(&f.h));
  expect_order(&f, POSTS);
  test_host_detach(&f.h);
}

static void a_stop_before_the_turn_lets_nothing_run(void **state) {
  static fixture_t f;
  (void)state;
  open_fixture(&f, 0);
  post(&f, 0, 5, record_post);
  test_host_stop(&f.h);
  assert_true(test_host_turn(&f.h));
  expect_order(&f, 0);
  assert_true(test_host_turn(&f.h));
  expect_order(&f, 5);
  test_host_detach(&f.h);
}

/* ---- entered twice ---- */

typedef struct {
  fixture_t *f;
  bool rang;
  int calls_before, calls_after;
} nested_t;

static void turn_within(uvf_post_t *p, int status) {
  nested_t *n = p->data;
  (void)status;
  n->calls_before = n->f->r.calls;
  uvf_loop_drain(n->f->h.loop, n->rang);
  n->calls_after = n->f->r.calls;
}

static void a_drain_within_a_callback_runs_nothing(void **state) {
  static fixture_t f;
  nested_t n = {.f = &f};
  (void)state;
  open_fixture(&f, 0);
  post(&f, 0, 3, record_post);
  f.posts[3].data = &n;
  post(&f, 3, 4, turn_within);
  post(&f, 4, 8, record_post);
  test_host_run(&f.h);
  assert_int_equal(n.calls_before, 3);
  assert_int_equal(n.calls_after, 3);
  assert_int_equal(f.r.calls, 7);
  test_host_detach(&f.h);
}

/* A turn that a poll or a timer began finds a ring outstanding, which an event loop run in a callback then delivers. */
static void a_ring_that_arrives_within_a_callback_counts(void **state) {
  static fixture_t f;
  nested_t n = {.f = &f, .rang = true};
  (void)state;
  open_fixture(&f, 0);
  f.posts[0].data = &n;
  post(&f, 0, 1, turn_within);
  assert_true(f.h.ringing);
  f.h.ringing = false; /* the nested turn delivers it */
  uvf_loop_drain(f.h.loop, false);
  test_host_run(&f.h);
  post(&f, 1, 2, record_post);
  assert_int_equal(f.h.wakes, 2); /* the loop had come to rest */
  test_host_run(&f.h);
  assert_int_equal(f.r.calls, 1);
  test_host_detach(&f.h);
}

static void a_turn_before_the_ring_arrives_takes_what_is_there_and_rings_no_second_time(void **state) {
  static fixture_t f;
  (void)state;
  open_fixture(&f, 0);
  post(&f, 0, 2, record_post);
  uvf_loop_drain(f.h.loop, false); /* as by a timer */
  expect_order(&f, 2);
  post(&f, 2, 4, record_post);
  assert_int_equal(f.h.wakes, 1); /* it is still outstanding, and will do */
  test_host_run(&f.h);
  expect_order(&f, 4);
  post(&f, 4, 5, record_post);
  assert_int_equal(f.h.wakes, 2);
  test_host_run(&f.h);
  test_host_detach(&f.h);
}

/* ---- rest ---- */

static void turns_with_nothing_to_do_do_nothing(void **state) {
  static fixture_t f;
  (void)state;
  open_fixture(&f, 0);
  for (int i = 0; i < 5; i++) {
    uvf_loop_drain(f.h.loop, false);
    assert_int_equal(f.h.wakes + f.h.polls + f.h.timers, 0);
  }
  post(&f, 0, 1, record_post);
  assert_int_equal(f.h.wakes, 1);
  test_host_run(&f.h);
  expect_order(&f, 1);
  test_host_detach(&f.h);
}

static void each_post_to_a_loop_at_rest_rings_once(void **state) {
  static fixture_t f;
  (void)state;
  open_fixture(&f, 0);
  for (unsigned i = 1; i <= 1000; i++) {
    post(&f, 0, 1, record_post);
    assert_int_equal(f.h.wakes, i);
    test_host_run(&f.h);
    assert_false(f.h.polling);
  }
  assert_int_equal(f.r.calls, 1000);
  test_host_detach(&f.h);
}

static void a_request_that_is_ready_at_its_start_needs_a_turn_and_no_ring(void **state) {
  static fixture_t f;
  event_t e;
  uvf_req_t req = {.data = &f.r};
  (void)state;
  open_fixture(&f, 0);
  event_init(&e);
  event_change(&e, true);
  assert_int_equal(event_wait(f.h.loop, &req, &e, UVF_FOREVER), 0);
  assert_int_equal(f.r.calls, 0);
  assert_true(f.h.polling);
  test_host_run(&f.h);
  assert_int_equal(f.r.calls, 1);
  assert_int_equal(f.r.status[0], 0);
  assert_int_equal(f.h.wakes, 0);
  test_host_detach(&f.h);
  event_destroy(&e, 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      UVF_TEST(the_budget_of_items_ends_a_turn_and_the_rest_comes_next),
      UVF_TEST(what_is_left_over_comes_before_what_is_new),
      UVF_TEST(a_budget_of_one_item_still_gets_on),
      UVF_TEST(a_turn_of_a_microsecond_still_gets_on),
      UVF_TEST(a_stop_in_a_callback_ends_the_turn_and_loses_nothing),
      UVF_TEST(a_stop_before_the_turn_lets_nothing_run),
      UVF_TEST(a_drain_within_a_callback_runs_nothing),
      UVF_TEST(a_ring_that_arrives_within_a_callback_counts),
      UVF_TEST(a_turn_before_the_ring_arrives_takes_what_is_there_and_rings_no_second_time),
      UVF_TEST(turns_with_nothing_to_do_do_nothing),
      UVF_TEST(each_post_to_a_loop_at_rest_rings_once),
      UVF_TEST(a_request_that_is_ready_at_its_start_needs_a_turn_and_no_ring),
  };
  return RUN_TESTS(tests);
}
