/* SPDX-License-Identifier: MIT */
/* Executors of the user's own pool: what its submit and is_member say, pools that refuse threads, and a pool that ends. The pool
 * here moves only when the test says so. */
#include "task/executor_fixture.h"

/* ---- what it asks for ---- */

static void each_task_may_have_a_thread_of_its_own(void **state) {
  hand_t h;
  job_t j[3] = {{0}};
  (void)state;
  hand_open(&h);
  jobs_spawn(j, 3, h.ex);
  assert_int_equal(hand_waiting(&h), 3);
  expect_now(h.ex, 3, 0);
  hand_run(&h);
  for (int i = 0; i < 3; i++)
    job_ended(&j[i], 0, true);
  expect_now(h.ex, 0, 0);
  expect_ended(h.ex, 3, 0, 0);
  hand_close(&h);
}

/* One that comes and finds nothing goes again, and the next task asks anew. */
static void a_runner_that_comes_in_vain_does_no_harm(void **state) {
  hand_t h;
  job_t j[3] = {{0}};
  (void)state;
  hand_open(&h);
  job_spawn(&j[0], h.ex);
  assert_int_equal(uvf_flowvar_cancel(j[0].fv), 0);
  job_spawn(&j[1], h.ex); /* the runner that is under way will do */
  assert_int_equal(hand_waiting(&h), 1);
  assert_int_equal(uvf_flowvar_cancel(j[1].fv), 0);
  hand_run(&h);
  job_spawn(&j[2], h.ex);
  assert_int_equal(h.submits, 2);
  hand_run(&h);
  job_ended(&j[0], UV_ECANCELED, false);
  job_ended(&j[1], UV_ECANCELED, false);
  job_ended(&j[2], 0, true);
  expect_ended(h.ex, 1, 0, 2);
  hand_close(&h);
}

/* ---- a pool that refuses ---- */

static void a_refused_task_is_the_callers(void **state) {
  hand_t h;
  job_t j[2] = {{0}};
  (void)state;
  hand_open(&h);
  h.accepts = 0;
  h.refusal = UV_EMFILE;
  for (int lane = 0; lane <= 1; lane++) {
    uvf_executor_t *ex = lane ? lane_open(h.ex, 1, 1) : uvf_executor_retain(h.ex);
    for (int i = 0; i < 2; i++) { /* it takes up no room */
      assert_int_equal(job_try(&j[0], ex), UV_EMFILE);
      assert_null(j[0].fv);
      expect_now(ex, 0, 0);
      expect_ended(ex, 0, 0, 0);
    }
    h.accepts = -1; /* and later it goes again */
    job_spawn(&j[1], ex);
    hand_run(&h);
    job_ended(&j[1], 0, true);
    atomic_store(&j[1].ran, 0);
    h.accepts = 0;
    uvf_executor_release(ex);
  }
  h.refusal = 3; /* no code: a mistake of the pool's */
  assert_int_equal(job_try(&j[0], h.ex), UV_EINVAL);
  assert_int_equal(atomic_load(&j[0].ran) + atomic_load(&j[0].dropped), 0);
  hand_close(&h);
}

/* Two runners and no more: what waits behind them is theirs. */
static void what_some_runner_can_do_is_accepted(void **state) {
  static job_t j[20];
  hand_t h;
  (void)state;
  memset(j, 0, sizeof j);
  hand_open(&h);
  h.accepts = 2;
  h.refusal = UV_EAGAIN;
  jobs_spawn(j, 20, h.ex);
  assert_int_equal(hand_waiting(&h), 2);
  h.accepts = -1; /* they may give their thread back in between */
  hand_run(&h);
  for (int i = 0; i < 20; i++)
    job_ended(&j[i], 0, true);
  hand_close(&h);
}

/* Longer than a runner keeps its thread. */
static void takes_its_time(job_t *j) {
  uint64_t began = uv_hrtime();
  (void)j;
  while (uv_hrtime() - began < 3000000) {
  }
}

/* The one runner gives its thread back, and is not given it again: those who wait hear of it, and the executor goes on. */
static void tasks_that_are_left_without_a_thread_are_cancelled(void **state) {
  (void)state;
  for (int lane = 0; lane <= 1; lane++) {
    hand_t h;
    job_t j[4] = {{.act = takes_its_time}};
    hand_open(&h);
    uvf_executor_t *ex = lane ? lane_open(h.ex, 1, 3) : uvf_executor_retain(h.ex);
    h.accepts = 1;
    h.refusal = UV_ENOMEM;
    jobs_spawn(j, 3, ex);
    hand_run(&h);
    job_ended(&j[0], 0, true);
    job_ended(&j[1], UV_ECANCELED, false);
    job_ended(&j[2], UV_ECANCELED, false);
    expect_now(ex, 0, 0);
    expect_ended(ex, 1, 0, 2);
    h.accepts = -1;
    job_spawn(&j[3], ex);
    hand_run(&h);
    job_ended(&j[3], 0, true);
    uvf_executor_release(ex);
    hand_close(&h);
  }
}

/* A lane's runner waits below for a thread that does not come: only its tasks are lost, not the lane. */
static void a_lane_outlives_a_runner_that_got_no_thread(void **state) {
  hand_t h;
  job_t j[4] = {{.act = takes_its_time}};
  (void)state;
  hand_open(&h);
  uvf_executor_t *lane = lane_open(h.ex, 1, UVF_UNBOUNDED);
  h.accepts = 1;
  h.refusal = UV_ENOMEM;
  job_spawn(&j[0], h.ex);
  jobs_spawn(&j[1], 2, lane); /* behind it */
  hand_run(&h);
  job_ended(&j[0], 0, true);
  job_ended(&j[1], UV_ECANCELED, false);
  job_ended(&j[2], UV_ECANCELED, false);
  h.accepts = -1;
  job_spawn(&j[3], lane);
  hand_run(&h);
  job_ended(&j[3], 0, true);
  uvf_executor_release(lane);
  hand_close(&h);
}

/* ---- is_member ---- */

typedef struct {
  uvf_flowvar_t *fv;
  uvf_executor_t *lane;
  int awaited, room, idle, ready;
} member_t;

static void blocks_in_a_member(job_t *j) {
  member_t *m = j->arg;
  m->awaited = uvf_await_sync(m->fv, UVF_FOREVER);
  m->room = uvf_wait_room_sync(m->lane, UVF_FOREVER);
  m->idle = uvf_wait_idle_sync(m->lane, UVF_FOREVER);
}

/* A thread of the pool would wait for what only the pool runs. Once that has ended there is nothing to refuse. */
static void a_member_may_not_wait_for_what_has_not_begun(void **state) {
  hand_t h;
  member_t m;
  job_t waits = {.act = blocks_in_a_member, .arg = &m}, other = {0}, again = {.act = blocks_in_a_member, .arg = &m};
  (void)state;
  hand_open(&h);
  m.lane = lane_open(h.ex, 1, 1);
  job_spawn(&waits, h.ex);
  job_spawn(&other, m.lane);
  m.fv = other.fv;
  assert_true(hand_step(&h));
  assert_int_equal(m.awaited, UVF_EDEADLK);
  assert_int_equal(m.room, UVF_EDEADLK);
  assert_int_equal(m.idle, UVF_EDEADLK);
  hand_run(&h);
  job_ended(&waits, 0, true);
  job_spawn(&again, h.ex);
  hand_run(&h);
  assert_int_equal(m.awaited, 0);
  assert_int_equal(m.idle, 0);
  job_ended(&again, 0, true);
  job_ended(&other, 0, true);
  uvf_executor_release(m.lane);
  hand_close(&h);
}

/* ---- a pool that ends ---- */

static void a_pool_that_ends_aborts_and_runs_what_it_has(void **state) {
  hand_t h;
  job_t j[4] = {{0}}, later = {0};
  (void)state;
  hand_open(&h);
  uvf_executor_t *lane = lane_open(h.ex, 1, UVF_UNBOUNDED);
  job_spawn_later(&later, h.ex);
  hand_run(&h);
  jobs_spawn(j, 2, h.ex);
  jobs_spawn(&j[2], 2, lane);
  assert_true(hand_waiting(&h) > 0);
  assert_int_equal(uvf_executor_abort(h.ex), 0);
  for (int i = 0; i < 4; i++)
    job_ended(&j[i], UV_ECANCELED, false);
  assert_int_equal(hand_waiting(&h), 3);
  hand_run(&h);
  assert_int_equal(h.submits, 4); /* nothing was asked for any more */
  assert_true(uvf_task_cancelled(later.task));
  assert_int_equal(job_finish(&later, 0), 0);
  job_ended(&later, 0, true);
  uvf_executor_release(lane);
  hand_close(&h);
}

/* All references are gone while runners are under way: they free it. */
static void runners_outlive_the_last_reference(void **state) {
  hand_t h;
  job_t j[2] = {{0}};
  (void)state;
  hand_open(&h);
  uvf_executor_t *lane = lane_open(h.ex, 1, UVF_UNBOUNDED);
  job_spawn(&j[0], h.ex);
  job_spawn(&j[1], lane);
  assert_int_equal(uvf_flowvar_cancel(j[0].fv), 0);
  uvf_executor_release(lane);
  hand_close(&h);
  job_ended(&j[0], UV_ECANCELED, false);
  job_ended(&j[1], 0, true);
}

static void options_are_checked(void **state) {
  uvf_executor_options_t o = {.submit = hand_submit};
  uvf_executor_t *ex = NULL;
  (void)state;
  assert_int_equal(uvf_executor_create(NULL, &ex), UV_EINVAL);
  assert_int_equal(uvf_executor_create(&o, NULL), UV_EINVAL);
  o.submit = NULL;
  assert_int_equal(uvf_executor_create(&o, &ex), UV_EINVAL);
  o.submit = hand_submit;
  for (int i = 0; i < 4; i++) {
    memset(o.reserved, 0, sizeof o.reserved);
    o.reserved[i] = 1;
    assert_int_equal(uvf_executor_create(&o, &ex), UV_EINVAL);
  }
  assert_null(ex);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      EXECUTOR_TEST(each_task_may_have_a_thread_of_its_own),
      EXECUTOR_TEST(a_runner_that_comes_in_vain_does_no_harm),
      EXECUTOR_TEST(a_refused_task_is_the_callers),
      EXECUTOR_TEST(what_some_runner_can_do_is_accepted),
      EXECUTOR_TEST(tasks_that_are_left_without_a_thread_are_cancelled),
      EXECUTOR_TEST(a_lane_outlives_a_runner_that_got_no_thread),
      EXECUTOR_TEST(a_member_may_not_wait_for_what_has_not_begun),
      EXECUTOR_TEST(a_pool_that_ends_aborts_and_runs_what_it_has),
      EXECUTOR_TEST(runners_outlive_the_last_reference),
      EXECUTOR_TEST(options_are_checked),
  };
  return RUN_TESTS(tests);
}
