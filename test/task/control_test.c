/* SPDX-License-Identifier: MIT */
/* Pausing, closing and aborting executors, and giving up the last reference, with work queued, running and under way. */
#include "task/executor_fixture.h"

/* ---- pausing ---- */

static void nothing_starts_while_it_is_paused(void **state) {
  hand_t h;
  job_t j[3] = {{0}};
  (void)state;
  hand_open(&h);
  uvf_executor_t *lane = lane_open(h.ex, 2, UVF_UNBOUNDED);
  job_spawn(&j[0], lane); /* its runner is under way */
  assert_int_equal(uvf_executor_pause(lane), 0);
  assert_int_equal(uvf_executor_pause(lane), 0); /* twice is once */
  job_spawn(&j[1], lane);
  hand_run(&h);
  expect_now(lane, 2, 0);
  assert_int_equal(uvf_flowvar_cancel(j[1].fv), 0);
  assert_int_equal(uvf_executor_resume(lane), 0);
  assert_int_equal(uvf_executor_resume(lane), 0);
  job_spawn(&j[2], lane);
  hand_run(&h);
  job_ended(&j[0], 0, true);
  job_ended(&j[1], UV_ECANCELED, false);
  job_ended(&j[2], 0, true);
  uvf_executor_release(lane);
  hand_close(&h);
}

static void what_runs_runs_on_while_it_is_paused(void **state) {
  uvf_executor_t *pool = threads_open(2);
  job_t j[3] = {{0}};
  (void)state;
  job_gates(&j[0]);
  job_spawn(&j[0], pool);
  gate_pass(&j[0].begun);
  assert_int_equal(uvf_executor_pause(pool), 0);
  jobs_spawn(&j[1], 2, pool);
  gate_open(&j[0].go);
  job_ends(&j[0], 0, true);
  assert_int_equal(uvf_wait_idle_sync(pool, PATIENCE_MS), 0); /* paused: what is queued does not count */
  expect_now(pool, 2, 0);
  assert_int_equal(uvf_executor_resume(pool), 0);
  jobs_end(&j[1], 2, 0, true);
  uvf_executor_release(pool);
}

/* All runners that are needed come after the pause, not just one. */
static void a_resume_fills_all_places(void **state) {
  uvf_executor_t *pool = threads_open(3);
  job_t j[3] = {{0}};
  (void)state;
  assert_int_equal(uvf_executor_pause(pool), 0);
  for (int i = 0; i < 3; i++) {
    job_gates(&j[i]);
    job_spawn(&j[i], pool);
  }
  assert_int_equal(uvf_executor_resume(pool), 0);
  for (int i = 0; i < 3; i++)
    gate_pass(&j[i].begun); /* all three at a time */
  for (int i = 0; i < 3; i++)
    gate_open(&j[i].go);
  jobs_end(j, 3, 0, true);
  uvf_executor_release(pool);
}

static void a_pause_of_what_it_is_on_holds_up_a_lane(void **state) {
  hand_t h;
  job_t j = {0};
  (void)state;
  hand_open(&h);
  uvf_executor_t *lane = lane_open(h.ex, 1, UVF_UNBOUNDED);
  assert_int_equal(uvf_executor_pause(h.ex), 0);
  job_spawn(&j, lane);
  hand_run(&h);
  expect_now(lane, 1, 0);
  assert_int_equal(uvf_executor_resume(h.ex), 0);
  hand_run(&h);
  job_ended(&j, 0, true);
  uvf_executor_release(lane);
  hand_close(&h);
}

/* ---- closing ---- */

static void a_close_refuses_new_work_and_ends_the_old(void **state) {
  hand_t h;
  job_t j[4] = {{0}};
  (void)state;
  hand_open(&h);
  uvf_executor_t *lane = lane_open(h.ex, 1, UVF_UNBOUNDED);
  job_spawn_later(&j[0], lane);
  hand_run(&h);
  jobs_spawn(&j[1], 2, lane);
  assert_int_equal(uvf_executor_close(lane), 0);
  assert_int_equal(uvf_executor_close(lane), UV_EALREADY);
  assert_int_equal(job_try(&j[3], lane), UV_EPIPE);
  assert_false(uvf_task_cancelled(j[0].task));
  assert_int_equal(job_finish(&j[0], 0), 0);
  hand_run(&h);
  for (int i = 0; i < 3; i++)
    job_ended(&j[i], 0, true);
  expect_ended(lane, 3, 0, 0);
  uvf_executor_release(lane);
  hand_close(&h);
}

static void a_close_while_it_is_paused_waits_for_the_resume(void **state) {
  hand_t h;
  job_t j = {0};
  (void)state;
  hand_open(&h);
  uvf_executor_t *lane = lane_open(h.ex, 1, UVF_UNBOUNDED);
  assert_int_equal(uvf_executor_pause(lane), 0);
  job_spawn(&j, lane);
  assert_int_equal(uvf_executor_close(lane), 0);
  hand_run(&h);
  expect_now(lane, 1, 0);
  assert_int_equal(uvf_executor_resume(lane), 0);
  hand_run(&h);
  job_ended(&j, 0, true);
  uvf_executor_release(lane);
  hand_close(&h);
}

/* Lanes on it have what they have; none is made any more. */
static void a_close_lets_lanes_on_it_end_their_work(void **state) {
  uvf_executor_t *pool = threads_open(1), *lane = lane_open(pool, 1, UVF_UNBOUNDED);
  job_t j[4] = {{0}};
  (void)state;
  job_gates(&j[0]);
  job_spawn(&j[0], lane);
  gate_pass(&j[0].begun);
  jobs_spawn(&j[1], 3, lane);
  uint64_t began = uv_hrtime();
  assert_int_equal(uvf_executor_close(pool), 0);
  while (uv_hrtime() - began < 3000000) { /* so long that its runner has had its share of the thread */
  }
  gate_open(&j[0].go);
  jobs_end(j, 4, 0, true);
  assert_int_equal(uvf_wait_idle_sync(pool, PATIENCE_MS), 0);
  job_t late = {0};
  assert_int_equal(job_try(&late, lane), UV_EPIPE);
  uvf_executor_release(lane);
  uvf_executor_release(pool);
}

/* ---- aborting ---- */

static void an_abort_cancels_what_waits_and_asks_what_runs(void **state) {
  hand_t h;
  test_host_t l;
  record_t r = {0};
  job_t j[5] = {{0}};
  uvf_req_t req = {.data = &r};
  (void)state;
  hand_open(&h);
  loop_open(&l, 0);
  uvf_executor_t *lane = lane_open(h.ex, 2, UVF_UNBOUNDED);
  job_spawn_later(&j[0], lane);
  job_spawn_later(&j[1], lane);
  hand_run(&h);
  jobs_spawn(&j[2], 2, lane);
  assert_int_equal(uvf_wait_cancelled(l.loop, &req, j[1].task, UVF_FOREVER, record_request), 0);
  test_host_run(&l);
  assert_int_equal(r.calls, 0);
  assert_int_equal(uvf_executor_abort(lane), 0);
  assert_int_equal(uvf_executor_abort(lane), UV_EALREADY);
  assert_int_equal(uvf_executor_close(lane), UV_EALREADY);
  assert_int_equal(job_try(&j[4], lane), UV_EPIPE);
  job_ended(&j[2], UV_ECANCELED, false);
  job_ended(&j[3], UV_ECANCELED, false);
  assert_true(uvf_task_cancelled(j[0].task) && uvf_task_cancelled(j[1].task));
  test_host_run(&l);
  assert_int_equal(r.calls, 1);
  assert_int_equal(r.status[0], 0);
  assert_int_equal(job_finish(&j[0], 0), 0); /* it ends as it likes */
  assert_int_equal(job_finish(&j[1], UV_ECANCELED), 0);
  job_ended(&j[0], 0, true);
  job_ended(&j[1], UV_ECANCELED, true);
  expect_ended(lane, 1, 1, 2);
  uvf_executor_release(lane);
  test_host_detach(&l);
  hand_close(&h);
}

static void an_abort_comes_after_a_close(void **state) {
  hand_t h;
  job_t j = {0};
  (void)state;
  hand_open(&h);
  job_spawn(&j, h.ex);
  assert_int_equal(uvf_executor_close(h.ex), 0);
  assert_int_equal(uvf_executor_abort(h.ex), 0);
  assert_int_equal(uvf_executor_abort(h.ex), UV_EALREADY);
  job_ended(&j, UV_ECANCELED, false);
  hand_close(&h);
}

static void an_abort_ends_a_pause(void **state) {
  hand_t h;
  job_t j = {0};
  (void)state;
  hand_open(&h);
  assert_int_equal(uvf_executor_pause(h.ex), 0);
  job_spawn(&j, h.ex);
  assert_int_equal(uvf_executor_abort(h.ex), 0);
  job_ended(&j, UV_ECANCELED, false);
  hand_close(&h);
}

/* ---- aborting what lanes are on ---- */

enum { RUNNER_WAITS, RUNNER_RUNS, PAUSED, ENDS_LATER, IDLE, STATES };

typedef struct {
  uvf_executor_t *pool;
  int seen; /* of the abort, by work that runs */
} aborter_t;

/* Work of the lane that sees what it is on aborted. */
static void aborts_below(job_t *j) {
  aborter_t *a = j->arg;
  (void)uvf_executor_abort(a->pool);
  a->seen = uvf_task_cancelled(j->task);
}

/* Whatever a lane has, and whether a runner of it is below or not: it is aborted, and says so. */
static void a_lane_is_aborted_with_what_it_is_on(void **state) {
  (void)state;
  for (int s = 0; s < STATES; s++) {
    for (int deep = 0; deep <= 1; deep++) { /* the lane is on a lane */
      hand_t h;
      hand_open(&h);
      uvf_executor_t *on = deep ? lane_open(h.ex, 4, UVF_UNBOUNDED) : uvf_executor_retain(h.ex);
      uvf_executor_t *lane = lane_open(on, 1, UVF_UNBOUNDED);
      aborter_t a = {h.ex, 0};
      job_t first = {.act = s == RUNNER_RUNS ? aborts_below : NULL, .arg = &a}, j = {0}, late = {0};
      if (s == PAUSED) assert_int_equal(uvf_executor_pause(lane), 0);
      if (s == RUNNER_RUNS) job_spawn(&first, lane);
      if (s == ENDS_LATER) job_spawn_later(&first, lane);
      if (s == ENDS_LATER) hand_run(&h);
      if (s != IDLE) job_spawn(&j, lane);
      if (s == RUNNER_RUNS)
        hand_run(&h);
      else
        assert_int_equal(uvf_executor_abort(h.ex), 0);
      if (s == ENDS_LATER) assert_true(uvf_task_cancelled(first.task));
      if (s == ENDS_LATER) assert_int_equal(job_finish(&first, 0), 0);
      hand_run(&h);
      if (s == RUNNER_RUNS) assert_true(a.seen);
      if (s == RUNNER_RUNS || s == ENDS_LATER) job_ended(&first, 0, true);
      if (s != IDLE) job_ended(&j, UV_ECANCELED, false);
      assert_int_equal(job_try(&late, lane), UV_EPIPE);
      assert_int_equal(uvf_executor_abort(lane), UV_EALREADY);
      assert_int_equal(uvf_wait_idle_sync(lane, 0), 0);
      uvf_executor_release(lane);
      uvf_executor_release(on);
      hand_close(&h);
    }
  }
}

/* ---- the last reference ---- */

static void the_last_release_closes_and_what_is_queued_still_runs(void **state) {
  (void)state;
  for (int paused = 0; paused <= 1; paused++) {
    hand_t h;
    job_t j[3] = {{0}};
    hand_open(&h);
    uvf_executor_t *lane = lane_open(h.ex, 1, UVF_UNBOUNDED);
    job_spawn_later(&j[0], lane);
    hand_run(&h);
    if (paused) assert_int_equal(uvf_executor_pause(lane), 0); /* nobody could resume it any more */
    jobs_spawn(&j[1], 2, lane);
    assert_ptr_equal(uvf_executor_retain(lane), lane);
    uvf_executor_release(lane);
    hand_run(&h);
    assert_int_equal(atomic_load(&j[1].ran), 0);
    uvf_executor_release(lane);
    assert_int_equal(job_finish(&j[0], 0), 0);
    hand_close(&h);
    for (int i = 0; i < 3; i++)
      job_ended(&j[i], 0, true);
  }
}

static void releases_its_executor(job_t *j) {
  uvf_executor_release(j->arg);
}

/* A task gives up the last reference on the executor that runs it, also with others behind it. */
static void a_task_may_release_its_own_executor(void **state) {
  (void)state;
  for (int lane = 0; lane <= 1; lane++) {
    uvf_executor_t *pool = threads_open(1), *ex = lane ? lane_open(pool, 1, 8) : uvf_executor_retain(pool);
    uvf_executor_release(pool); /* the lane has it */
    job_t j[2] = {{.act = releases_its_executor, .arg = ex}};
    job_gates(&j[0]);
    job_spawn(&j[0], ex);
    job_spawn(&j[1], ex);
    gate_open(&j[0].go);
    jobs_end(j, 2, 0, true);
  }
}

static void misuse_is_refused(void **state) {
  (void)state;
  assert_int_equal(uvf_executor_close(NULL), UV_EINVAL);
  assert_int_equal(uvf_executor_abort(NULL), UV_EINVAL);
  assert_int_equal(uvf_executor_pause(NULL), UV_EINVAL);
  assert_int_equal(uvf_executor_resume(NULL), UV_EINVAL);
  assert_null(uvf_executor_retain(NULL));
  uvf_executor_release(NULL);
  uvf_executor_stats_t s;
  memset(&s, 7, sizeof s);
  uvf_executor_stats(NULL, &s);
  assert_int_equal(s.queued, UINT64_C(0x0707070707070707));
  uvf_executor_t *pool = threads_open(1);
  uvf_executor_stats(pool, NULL);
  uvf_executor_release(pool);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      EXECUTOR_TEST(nothing_starts_while_it_is_paused),
      EXECUTOR_TEST(what_runs_runs_on_while_it_is_paused),
      EXECUTOR_TEST(a_resume_fills_all_places),
      EXECUTOR_TEST(a_pause_of_what_it_is_on_holds_up_a_lane),
      EXECUTOR_TEST(a_close_refuses_new_work_and_ends_the_old),
      EXECUTOR_TEST(a_close_while_it_is_paused_waits_for_the_resume),
      EXECUTOR_TEST(a_close_lets_lanes_on_it_end_their_work),
      EXECUTOR_TEST(an_abort_cancels_what_waits_and_asks_what_runs),
      EXECUTOR_TEST(an_abort_comes_after_a_close),
      EXECUTOR_TEST(an_abort_ends_a_pause),
      EXECUTOR_TEST(a_lane_is_aborted_with_what_it_is_on),
      EXECUTOR_TEST(the_last_release_closes_and_what_is_queued_still_runs),
      EXECUTOR_TEST(a_task_may_release_its_own_executor),
      EXECUTOR_TEST(misuse_is_refused),
  };
  return RUN_TESTS(tests);
}
