/* SPDX-License-Identifier: MIT */
/* The shorter way into an executor's queue: when it is open and for how many, and that whoever looks finds what came in by it, in
 * the order in which it came. */
#include "task/task_fixture.h"

#include "base/alloc.h"
#include "task/executor.h"

typedef struct {
  uvf__job_t job;
  bool dead;
} bare_job_t;

static bool alive(uvf__job_t *job) {
  return !uvf__container(job, bare_job_t, job)->dead;
}

static bool yes(uvf__job_t *job) {
  (void)job;
  return true;
}

static void nothing(uvf__job_t *job) {
  (void)job;
}

static const uvf__job_type_t job_type = {alive, yes, NULL, NULL, NULL, yes, nothing, NULL, true};

static void destroy(uvf_executor_t *ex) {
  uvf__free_line(ex);
}

static const uvf__executor_type_t bare_type = {.name = "bare", .destroy = destroy};

/* An executor whose runners are only said to be there: one works on a short job. Asserts. */
static uvf_executor_t *bare(size_t capacity) {
  const uvf__executor_setup_t setup = {&bare_type, NULL, NULL, capacity, UINT32_MAX, 4, NULL, NULL};
  uvf_executor_t *ex = uvf__calloc_line(sizeof *ex);
  assert_non_null(ex);
  assert_int_equal(uvf__executor_init(ex, &setup), 0);
  (void)uvf__crowd_begin(&ex->crowd);
  ex->crowd.average = 0;
  return ex;
}

static void set(uvf_executor_t *ex, bool watched, bool lingering) {
  uvf__lock(&ex->waits.lock);
  ex->crowd.watched = watched;
  ex->lingering = lingering;
  ex->looking = (uint32_t)watched + (uint32_t)lingering;
  uvf__intake_set(ex);
  uvf__unlock(&ex->waits.lock);
}

static bool offer(uvf_executor_t *ex, bare_job_t *j) {
  memset(j, 0, sizeof *j);
  j->job.type = &job_type;
  return uvf__intake_offer(ex, &j->job);
}

static uint64_t queued(uvf_executor_t *ex) {
  uvf_executor_stats_t s;
  uvf_executor_stats(ex, &s);
  return s.queued;
}

static void release(uvf_executor_t *ex) {
  set(ex, false, false);
  assert_int_equal(uvf_executor_abort(ex), 0);
  assert_int_equal(queued(ex), 0);
  uvf_executor_release(ex);
}

/* Asserts. */
static void expect_queue(const uvf_executor_t *ex, bare_job_t *jobs, int n) {
  int i = 0;
  for (const uvf__link_t *l = ex->queue.next; l != &ex->queue; l = l->next, i++)
    assert_true(i < n && l == &jobs[i].job.link);
  assert_int_equal(i, n);
}

static void it_is_open_while_one_watches(void **state) {
  uvf_executor_t *ex = bare(UVF__NO_LIMIT);
  bare_job_t jobs[6];
  (void)state;
  assert_false(offer(ex, &jobs[0]));
  set(ex, true, false);
  for (int i = 0; i < 3; i++)
    assert_true(offer(ex, &jobs[i]));
  assert_int_equal(queued(ex), 3); /* who looks gathers */
  assert_true(offer(ex, &jobs[3]));
  assert_true(offer(ex, &jobs[4]));
  set(ex, false, false);
  assert_int_equal(ex->queued, 5); /* shut means gathered */
  expect_queue(ex, jobs, 5);
  assert_false(offer(ex, &jobs[5]));
  uvf__crowd_end(&ex->crowd, 1);
  set(ex, true, false); /* nobody but the one who watches */
  assert_false(offer(ex, &jobs[5]));
  release(ex);
}

static void who_lingers_takes_one_short_job(void **state) {
  uvf_executor_t *ex = bare(UVF__NO_LIMIT);
  bare_job_t jobs[2];
  (void)state;
  ex->crowd.average = 1000;
  set(ex, false, true);
  assert_false(offer(ex, &jobs[0]));
  ex->crowd.average = 0;
  set(ex, false, true);
  assert_true(offer(ex, &jobs[0]));
  assert_false(offer(ex, &jobs[1])); /* who brings it has to see to it that somebody watches */
  assert_int_equal(queued(ex), 1);
  assert_false(offer(ex, &jobs[1])); /* the room is taken */
  set(ex, true, true);
  assert_true(offer(ex, &jobs[1]));
  release(ex);
}

static void it_is_open_while_one_is_coming(void **state) {
  uvf_executor_t *ex = bare(UVF__NO_LIMIT);
  bare_job_t jobs[3];
  uvf__link_t *slot;
  (void)state;
  assert_false(offer(ex, &jobs[0]));
  uvf__lock(&ex->waits.lock);
  assert_true(uvf__runner_succeeds(ex, &slot)); /* somebody has asked for one */
  uvf__unlock(&ex->waits.lock);
  assert_true(offer(ex, &jobs[0]) && offer(ex, &jobs[1]));
  uvf__lock(&ex->waits.lock);
  ex->crowd.average = 1000; /* it will not watch, but take one */
  uvf__intake_set(ex);
  uvf__unlock(&ex->waits.lock);
  assert_false(offer(ex, &jobs[2]));
  assert_int_equal(ex->queued, 2);
  ex->runners = 0;
  release(ex);
}

/* Nobody else could run them. */
static void it_is_open_where_one_runs_at_a_time(void **state) {
  uvf_executor_t *ex = bare(UVF__NO_LIMIT);
  bare_job_t jobs[3];
  (void)state;
  ex->max_running = 1;
  set(ex, false, false);
  assert_true(offer(ex, &jobs[0]) && offer(ex, &jobs[1]));
  uvf__lock(&ex->waits.lock);
  uvf__crowd_end(&ex->crowd, 1); /* and nobody does */
  uvf__intake_set(ex);
  uvf__unlock(&ex->waits.lock);
  assert_false(offer(ex, &jobs[2]));
  release(ex);
}

static void not_where_there_is_a_limit_or_the_end(void **state) {
  uvf_executor_t *limited = bare(100), *closed = bare(UVF__NO_LIMIT);
  bare_job_t job;
  (void)state;
  set(limited, true, true);
  assert_false(offer(limited, &job));
  set(closed, true, false);
  assert_int_equal(uvf_executor_close(closed), 0);
  assert_false(offer(closed, &job));
  set(closed, true, false);
  assert_false(offer(closed, &job));
  assert_int_equal(uvf__executor_submit(closed, &job.job, UVF__ORDINARY), UV_EPIPE);
  release(limited);
  set(closed, false, false);
  uvf_executor_release(closed);
}

/* Nobody has fetched what came in for a while: the one at work may have met a long job. */
static void not_after_a_while(void **state) {
  uvf_executor_t *ex = bare(UVF__NO_LIMIT);
  bare_job_t in_time = {.job.type = &job_type}, late = {.job.type = &job_type};
  (void)state;
  set(ex, true, false);
  in_time.job.since_us = uvf__clock_us();
  late.job.since_us = in_time.job.since_us + 1000000;
  assert_true(uvf__intake_offer(ex, &in_time.job));
  assert_false(uvf__intake_offer(ex, &late.job));
  assert_null(late.job.ex);
  release(ex);
}

/* What follows another job may be cancelled before it is queued, and so does not come that way. */
static void what_was_cancelled_does_not_come_in(void **state) {
  uvf_executor_t *ex = bare(UVF__NO_LIMIT);
  bare_job_t j = {.job.type = &job_type, .dead = true};
  (void)state;
  set(ex, true, false);
  assert_int_equal(uvf__executor_submit(ex, &j.job, UVF__FOLLOWS), UV_ECANCELED);
  assert_int_equal(queued(ex), 0);
  release(ex);
}

static void jobs_keep_their_order(void **state) {
  uvf_executor_t *ex = bare(UVF__NO_LIMIT);
  bare_job_t jobs[2] = {{.job.type = &job_type}, {.job.type = &job_type}};
  (void)state;
  set(ex, false, true);
  assert_true(offer(ex, &jobs[0]));
  ex->looking = 100;                                                          /* so that none is wanted */
  assert_int_equal(uvf__executor_submit(ex, &jobs[1].job, UVF__ORDINARY), 0); /* there is no room: the long way */
  expect_queue(ex, jobs, 2);
  release(ex);
}

static void it_can_be_withdrawn(void **state) {
  uvf_executor_t *ex = bare(UVF__NO_LIMIT);
  bare_job_t jobs[3];
  uvf_executor_stats_t s;
  (void)state;
  set(ex, true, false);
  for (int i = 0; i < 3; i++)
    assert_true(offer(ex, &jobs[i]));
  assert_true(uvf__executor_withdraw(ex, &jobs[1].job));
  uvf__executor_unhold(ex); /* the job's */
  uvf_executor_stats(ex, &s);
  assert_int_equal(s.queued, 2);
  assert_int_equal(s.cancelled, 1);
  assert_int_equal(s.high_water, 3);
  release(ex);
}

static void waiting_is_given_up_where_it_brings_nothing(void **state) {
  uvf_executor_t *ex = bare(UVF__NO_LIMIT);
  bare_job_t jobs[3];
  int vain = 0;
  (void)state;
  uvf__lock(&ex->waits.lock);
  assert_false(uvf__intake_worth_waiting(ex)); /* shut */
  uvf__unlock(&ex->waits.lock);
  set(ex, true, false);
  assert_true(offer(ex, &jobs[0]));
  uvf__lock(&ex->waits.lock);
  assert_true(uvf__intake_worth_waiting(ex));
  uvf__intake_waited(ex);                      /* one only */
  assert_false(uvf__intake_worth_waiting(ex)); /* there is something in the queue */
  uvf__executor_unqueue(ex, &jobs[0].job);
  uvf__unlock(&ex->waits.lock);
  uvf__executor_unhold(ex); /* the job's */
  uvf__lock(&ex->waits.lock);
  while (!uvf__intake_worth_waiting(ex) && vain < 1000)
    vain++;
  uvf__unlock(&ex->waits.lock);
  assert_in_range(vain, 8, 999);
  assert_true(offer(ex, &jobs[1]) && offer(ex, &jobs[2]));
  uvf__lock(&ex->waits.lock);
  uvf__intake_waited(ex); /* two */
  uvf__executor_unqueue(ex, &jobs[1].job);
  uvf__executor_unqueue(ex, &jobs[2].job);
  assert_true(uvf__intake_worth_waiting(ex));
  uvf__unlock(&ex->waits.lock);
  uvf__executor_unhold(ex);
  uvf__executor_unhold(ex);
  release(ex);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fault_setup, fault_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(it_is_open_while_one_watches),
      TEST(who_lingers_takes_one_short_job),
      TEST(it_is_open_while_one_is_coming),
      TEST(it_is_open_where_one_runs_at_a_time),
      TEST(not_where_there_is_a_limit_or_the_end),
      TEST(not_after_a_while),
      TEST(what_was_cancelled_does_not_come_in),
      TEST(jobs_keep_their_order),
      TEST(it_can_be_withdrawn),
      TEST(waiting_is_given_up_where_it_brings_nothing),
  };
  return RUN_TESTS(tests);
}
