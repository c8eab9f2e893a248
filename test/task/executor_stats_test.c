/* SPDX-License-Identifier: MIT */
/* Counters of executors, after each kind of end. */
#include "task/executor_fixture.h"

enum { LAST = sizeof((uvf_executor_stats_t *)0)->wait_hist / sizeof((uvf_executor_stats_t *)0)->wait_hist[0] - 1 };

static uint64_t begun_by_histogram(const uvf_executor_stats_t *s) {
  uint64_t n = 0;
  for (int i = 0; i <= LAST; i++)
    n += s->wait_hist[i];
  return n;
}

/* Asserts what holds at all times: each task that began is in the histogram, whose sums fit the sum and the maximum. */
static void consistent(const uvf_executor_stats_t *s) {
  uint64_t begun = s->done + s->failed + s->running, least = 0;
  int longest = -1;
  assert_int_equal(begun_by_histogram(s), begun);
  for (int i = 0; i <= LAST; i++) {
    if (s->wait_hist[i] > 0) longest = i;
    least += i == 0 ? 0 : s->wait_hist[i] << (i - 1);
  }
  assert_true(s->wait_us_sum >= least);
  assert_true(s->wait_us_sum <= s->wait_us_max * begun);
  if (longest < 0) assert_int_equal(s->wait_us_max, 0);
  if (longest >= 0 && longest < LAST) assert_true(s->wait_us_max < UINT64_C(1) << longest);
  if (longest > 0) assert_true(s->wait_us_max >= UINT64_C(1) << (longest - 1));
  for (size_t i = 0; i < sizeof s->reserved / sizeof s->reserved[0]; i++)
    assert_int_equal(s->reserved[i], 0);
}

static void expect_all(uvf_executor_t *ex, uint64_t queued, uint64_t running, uint64_t done, uint64_t failed,
                       uint64_t cancelled, uint64_t high_water) {
  uvf_executor_stats_t s = stats_of(ex);
  assert_int_equal(s.queued, queued);
  assert_int_equal(s.running, running);
  assert_int_equal(s.done, done);
  assert_int_equal(s.failed, failed);
  assert_int_equal(s.cancelled, cancelled);
  assert_int_equal(s.high_water, high_water);
  consistent(&s);
}

static void each_end_is_counted_as_what_it_is(void **state) {
  hand_t h;
  job_t ok = {0}, fails = {.result = UV_EIO}, strange = {.result = 17}, cancelled = {0}, later = {0}, rest = {0};
  (void)state;
  hand_open(&h);
  uvf_executor_t *lane = lane_open(h.ex, 1, 5);
  expect_all(lane, 0, 0, 0, 0, 0, 0);
  job_spawn(&ok, lane);
  job_spawn(&fails, lane);
  job_spawn(&strange, lane);
  job_spawn(&cancelled, lane);
  expect_all(lane, 4, 0, 0, 0, 0, 4);
  assert_int_equal(uvf_flowvar_cancel(cancelled.fv), 0);
  expect_all(lane, 3, 0, 0, 0, 1, 4);
  job_spawn_later(&later, lane);
  hand_run(&h);
  expect_all(lane, 0, 1, 1, 2, 1, 4);
  assert_int_equal(uvf_flowvar_cancel(later.fv), UV_EBUSY); /* asked: it ends as it likes */
  expect_all(lane, 0, 1, 1, 2, 1, 4);
  assert_int_equal(job_finish(&later, UV_ECANCELED), 0);
  expect_all(lane, 0, 0, 1, 3, 1, 4); /* it ran, so it failed */
  job_spawn(&rest, lane);
  assert_int_equal(uvf_executor_abort(lane), 0);
  expect_all(lane, 0, 0, 1, 3, 2, 4);
  hand_run(&h);
  job_ended(&ok, 0, true);
  job_ended(&fails, UV_EIO, true);
  job_ended(&strange, UV_EINVAL, true);
  job_ended(&cancelled, UV_ECANCELED, false);
  job_ended(&later, UV_ECANCELED, true);
  job_ended(&rest, UV_ECANCELED, false);
  uvf_executor_release(lane);
  hand_close(&h);
}

static void what_was_refused_is_not_counted(void **state) {
  hand_t h;
  job_t j[2] = {{0}}, refused = {0};
  (void)state;
  hand_open(&h);
  uvf_executor_t *lane = lane_open(h.ex, 1, 2);
  jobs_spawn(j, 2, lane);
  assert_int_equal(job_try(&refused, lane), UV_EAGAIN);
  assert_int_equal(uvf_executor_close(lane), 0);
  assert_int_equal(job_try(&refused, lane), UV_EPIPE);
  expect_all(lane, 2, 0, 0, 0, 0, 2);
  hand_run(&h);
  expect_all(lane, 0, 0, 2, 0, 0, 2);
  job_ended(&j[0], 0, true);
  job_ended(&j[1], 0, true);
  uvf_executor_release(lane);
  hand_close(&h);
}

/* Flowvars that nobody wants count as done; and so do offloads, and continuations where they run. */
static void all_forms_of_work_are_counted(void **state) {
  hand_t h;
  test_host_t l;
  record_t r = {0};
  uvf_req_t req[2] = {{.data = &r}, {.data = &r}};
  job_t j = {0}, gone = {0}, o[2] = {{0}};
  (void)state;
  hand_open(&h);
  loop_open(&l, 0);
  uvf_executor_t *a = lane_open(h.ex, 1, 10), *b = lane_open(h.ex, 1, 10);
  uvf_spawn_options_t value = {.value_size = 8};
  assert_int_equal(uvf_spawn(a, job_work, &gone, &value, NULL), 0);
  job_spawn(&j, a);
  assert_int_equal(uvf_then(j.fv, b, job_work, NULL, NULL), 0);
  assert_int_equal(uvf_executor_abort(b), 0);
  assert_int_equal(uvf_offload(l.loop, &req[0], a, job_work, &o[0], record_request), 0);
  assert_int_equal(uvf_offload(l.loop, &req[1], a, job_work, &o[1], record_request), 0);
  expect_all(a, 4, 0, 0, 0, 0, 4);
  assert_int_equal(uvf_cancel(&req[1]), 0);
  expect_all(a, 3, 0, 0, 0, 1, 4);
  hand_run(&h);
  expect_all(a, 0, 0, 3, 0, 1, 4);
  expect_all(b, 0, 0, 0, 0, 0, 0); /* it was refused there */
  test_host_run(&l);
  assert_int_equal(r.calls, 2);
  job_ended(&j, 0, true);
  uvf_executor_release(a);
  uvf_executor_release(b);
  test_host_detach(&l);
  hand_close(&h);
}

/* What runs in a lane is counted by that lane alone, and so is what waits or is cancelled there. */
static void runners_of_lanes_are_not_counted(void **state) {
  hand_t h;
  job_t j[3] = {{0}}, own = {0};
  (void)state;
  hand_open(&h);
  uvf_executor_t *wide = lane_open(h.ex, 2, 1), *lane = lane_open(wide, 2, UVF_UNBOUNDED);
  jobs_spawn(j, 2, lane);
  expect_all(lane, 2, 0, 0, 0, 0, 2);
  expect_all(wide, 0, 0, 0, 0, 0, 0);
  expect_all(h.ex, 0, 0, 0, 0, 0, 0);
  job_spawn(&own, wide); /* its capacity is for tasks, too */
  expect_all(wide, 1, 0, 0, 0, 0, 1);
  hand_run(&h);
  expect_all(lane, 0, 0, 2, 0, 0, 2);
  expect_all(wide, 0, 0, 1, 0, 0, 1);
  expect_all(h.ex, 0, 0, 0, 0, 0, 0);
  job_spawn(&j[2], lane);
  assert_int_equal(uvf_executor_abort(h.ex), 0);
  expect_all(lane, 0, 0, 2, 0, 1, 2);
  expect_all(wide, 0, 0, 1, 0, 0, 1);
  expect_all(h.ex, 0, 0, 0, 0, 0, 0);
  hand_run(&h);
  for (int i = 0; i < 3; i++)
    job_ended(&j[i], i == 2 ? UV_ECANCELED : 0, i != 2);
  job_ended(&own, 0, true);
  uvf_executor_release(lane);
  uvf_executor_release(wide);
  hand_close(&h);
}

/* ---- counted before anybody is told ---- */

typedef struct {
  uvf_executor_t *ex;
  uint64_t last;
  int wrong;
} counted_t;

static void looks(uvf_req_t *req, int status) {
  counted_t *c = req->data;
  uvf_executor_stats_t s = stats_of(c->ex);
  c->wrong += status != 0 || s.done != ++c->last || s.running != 0;
}

static void an_end_is_counted_before_its_awaiter_hears_of_it(void **state) {
  uvf_executor_t *pool = threads_open(1);
  test_host_t l;
  counted_t c = {pool, 0, 0};
  (void)state;
  for (uint64_t i = 1; i <= 200; i++) { /* blocking */
    job_t j = {0};
    job_spawn(&j, pool);
    assert_int_equal(uvf_await_sync(j.fv, PATIENCE_MS), 0);
    expect_ended(pool, i, 0, 0);
    job_ended(&j, 0, true);
  }
  c.last = 200;
  loop_open(&l, 0);
  for (int i = 0; i < 200; i++) { /* on a loop, one after the other */
    job_t j = {0};
    uvf_req_t req = {.data = &c};
    job_spawn(&j, pool);
    assert_int_equal(uvf_await(l.loop, &req, j.fv, UVF_FOREVER, looks), 0);
    while (uvf_req_active(&req))
      if (!test_host_turn(&l)) test_host_await_wake(&l);
    job_ended(&j, 0, true);
  }
  assert_int_equal(c.wrong, 0);
  test_host_detach(&l);
  uvf_executor_release(pool);
}

/* ---- the time in the queue ---- */

static void the_time_in_the_queue_is_counted(void **state) {
  hand_t h;
  job_t j[3] = {{0}}, quick = {0};
  (void)state;
  hand_open(&h);
  uint64_t before = uv_hrtime();
  jobs_spawn(j, 3, h.ex);
  uint64_t spawned = uv_hrtime();
  while (uv_hrtime() - spawned < 5000000) { /* they wait for no less than this */
  }
  hand_run(&h);
  uint64_t most_us = (uv_hrtime() - before) / 1000 + 5000; /* clocks are read about */
  uvf_executor_stats_t s = stats_of(h.ex);
  consistent(&s);
  assert_true(s.wait_us_sum <= 3 * most_us && s.wait_us_max <= most_us);
  assert_true(s.wait_us_max > 0);
  job_spawn(&quick, h.ex);
  hand_run(&h);
  uvf_executor_stats_t now = stats_of(h.ex);
  consistent(&now);
  assert_true(now.wait_us_sum >= s.wait_us_sum && now.wait_us_max >= s.wait_us_max);
  for (int i = 0; i < 3; i++)
    job_ended(&j[i], 0, true);
  job_ended(&quick, 0, true);
  hand_close(&h);
}

/* All as of one moment, while three threads change them. */
static void they_fit_together_at_any_time(void **state) {
  static job_t j[300];
  uvf_executor_t *pool = threads_open(3), *lane = lane_open(pool, 2, UVF_UNBOUNDED);
  (void)state;
  memset(j, 0, sizeof j);
  for (int i = 0; i < 300; i++) {
    j[i].result = i % 3 == 0 ? UV_EIO : 0;
    job_spawn(&j[i], lane);
    uvf_executor_stats_t s = stats_of(lane);
    consistent(&s);
    assert_true(s.running <= 2);
    assert_int_equal(s.queued + s.running + s.done + s.failed + s.cancelled, i + 1);
  }
  for (int i = 0; i < 300; i++)
    job_ends(&j[i], i % 3 == 0 ? UV_EIO : 0, true);
  uvf_executor_stats_t s = stats_of(lane);
  assert_int_equal(s.done, 200);
  assert_int_equal(s.failed, 100);
  uvf_executor_release(lane);
  uvf_executor_release(pool);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      EXECUTOR_TEST(each_end_is_counted_as_what_it_is),
      EXECUTOR_TEST(what_was_refused_is_not_counted),
      EXECUTOR_TEST(all_forms_of_work_are_counted),
      EXECUTOR_TEST(runners_of_lanes_are_not_counted),
      EXECUTOR_TEST(an_end_is_counted_before_its_awaiter_hears_of_it),
      EXECUTOR_TEST(the_time_in_the_queue_is_counted),
      EXECUTOR_TEST(they_fit_together_at_any_time),
  };
  return RUN_TESTS(tests);
}
