/* SPDX-License-Identifier: MIT */
/* Waiting until an executor has nothing to do. */
#include "task/executor_fixture.h"

enum { WAITERS = 40 };

/* Of callbacks on a loop, in their order: what the `data` of each request says. */
typedef struct {
  char order[16];
  int calls, status;
} trace_t;

typedef struct {
  uvf_req_t req;
  trace_t *trace;
  char mark;
} mark_t;

static void marked(uvf_req_t *req, int status) {
  mark_t *m = req->data;
  if (m->trace->calls < 15) m->trace->order[m->trace->calls] = m->mark;
  m->trace->calls++;
  m->trace->status = status;
}

static void mark_init(mark_t *m, trace_t *trace, char mark) {
  memset(m, 0, sizeof *m);
  m->req.data = m;
  m->trace = trace;
  m->mark = mark;
}

static void idle_is_told_when_nothing_runs_or_waits(void **state) {
  hand_t h;
  test_host_t l;
  trace_t t = {{0}, 0, 1};
  mark_t m;
  job_t j[2] = {{0}};
  (void)state;
  hand_open(&h);
  loop_open(&l, 0);
  mark_init(&m, &t, 'i');
  uvf_executor_t *lane = lane_open(h.ex, 1, UVF_UNBOUNDED);
  assert_int_equal(uvf_wait_idle(l.loop, &m.req, lane, UVF_NOWAIT, marked), 0); /* at once, but later */
  assert_int_equal(t.calls, 0);
  test_host_run(&l);
  assert_int_equal(t.status, 0);
  job_spawn_later(&j[0], lane);
  job_spawn(&j[1], lane);
  assert_int_equal(uvf_wait_idle(l.loop, &m.req, lane, UVF_FOREVER, marked), 0);
  hand_run(&h);
  test_host_run(&l);
  assert_int_equal(t.calls, 1); /* one runs, one waits */
  assert_int_equal(job_finish(&j[0], UV_EIO), 0);
  test_host_run(&l);
  assert_int_equal(t.calls, 1); /* one waits */
  hand_run(&h);
  test_host_run(&l);
  assert_int_equal(t.calls, 2);
  assert_int_equal(t.status, 0);
  job_ended(&j[0], UV_EIO, true);
  job_ended(&j[1], 0, true);
  uvf_executor_release(lane);
  test_host_detach(&l);
  hand_close(&h);
}

/* Each way in which the last work may go. */
static void the_last_of_the_work_goes_in_any_way(void **state) {
  enum { CANCELLED, ABORTED, PAUSED, LATER, WAYS };
  (void)state;
  for (int way = 0; way < WAYS; way++) {
    hand_t h;
    test_host_t l;
    trace_t t = {{0}, 0, 1};
    mark_t m;
    job_t j = {0};
    hand_open(&h);
    loop_open(&l, 0);
    mark_init(&m, &t, 'i');
    uvf_executor_t *lane = lane_open(h.ex, 1, UVF_UNBOUNDED);
    if (way == LATER)
      job_spawn_later(&j, lane);
    else
      job_spawn(&j, lane);
    if (way == LATER) hand_run(&h);
    assert_int_equal(uvf_wait_idle(l.loop, &m.req, lane, UVF_FOREVER, marked), 0);
    if (way == CANCELLED) assert_int_equal(uvf_flowvar_cancel(j.fv), 0);
    if (way == ABORTED) assert_int_equal(uvf_executor_abort(lane), 0);
    if (way == PAUSED) assert_int_equal(uvf_executor_pause(lane), 0);
    if (way == LATER) assert_int_equal(job_finish(&j, 0), 0);
    test_host_run(&l);
    assert_int_equal(t.calls, 1);
    assert_int_equal(t.status, 0);
    if (way == PAUSED) assert_int_equal(uvf_executor_resume(lane), 0);
    hand_run(&h);
    job_ended(&j, way == PAUSED || way == LATER ? 0 : UV_ECANCELED, way == PAUSED || way == LATER);
    uvf_executor_release(lane);
    test_host_detach(&l);
    hand_close(&h);
  }
}

/* However the tasks end, those who wait for them on the same loop hear of it first: of flowvars, offloads, and cancelled ones. */
static void callbacks_of_its_tasks_come_first(void **state) {
  hand_t h;
  test_host_t l;
  trace_t t = {{0}, 0, 1};
  mark_t idle, awaits[3], offload[2];
  job_t j[3] = {{0}}, o[2] = {{0}};
  (void)state;
  for (int later = 0; later <= 1; later++) {
    hand_open(&h);
    loop_open(&l, 0);
    memset(&t, 0, sizeof t);
    memset(j, 0, sizeof j);
    uvf_executor_t *lane = lane_open(h.ex, 1, UVF_UNBOUNDED);
    mark_init(&idle, &t, 'i');
    for (int i = 0; i < 3; i++) {
      if (later && i == 2)
        job_spawn_later(&j[i], lane);
      else
        job_spawn(&j[i], lane);
      if (i < 2) {
        mark_init(&offload[i], &t, 'o');
        assert_int_equal(uvf_offload(l.loop, &offload[i].req, lane, job_work, &o[i], marked), 0);
      }
    }
    assert_int_equal(uvf_wait_idle(l.loop, &idle.req, lane, UVF_FOREVER, marked), 0);
    for (int i = 0; i < 3; i++) { /* after the wait for idle */
      mark_init(&awaits[i], &t, 'a');
      assert_int_equal(uvf_await(l.loop, &awaits[i].req, j[i].fv, UVF_FOREVER, marked), 0);
    }
    if (!later) assert_int_equal(uvf_flowvar_cancel(j[0].fv), 0);
    hand_run(&h);
    if (later) assert_int_equal(job_finish(&j[2], 0), 0);
    test_host_run(&l);
    assert_int_equal(t.calls, 6);
    assert_int_equal(t.order[5], 'i');
    for (int i = 0; i < 3; i++)
      job_ended(&j[i], !later && i == 0 ? UV_ECANCELED : 0, later || i != 0);
    uvf_executor_release(lane);
    test_host_detach(&l);
    hand_close(&h);
  }
}

static void all_of_many_hear_of_it(void **state) {
  static mark_t m[WAITERS];
  hand_t h;
  test_host_t l;
  trace_t t = {{0}, 0, 1};
  job_t j = {0};
  (void)state;
  hand_open(&h);
  loop_open(&l, 0);
  job_spawn(&j, h.ex);
  for (int i = 0; i < WAITERS; i++) {
    mark_init(&m[i], &t, 'i');
    assert_int_equal(uvf_wait_idle(l.loop, &m[i].req, h.ex, UVF_FOREVER, marked), 0);
  }
  assert_int_equal(uvf_cancel(&m[3].req), 0);
  test_host_run(&l);
  assert_int_equal(t.calls, 1);
  assert_int_equal(t.status, UV_ECANCELED);
  hand_run(&h);
  test_host_run(&l);
  assert_int_equal(t.calls, WAITERS);
  assert_int_equal(t.status, 0);
  job_ended(&j, 0, true);
  test_host_detach(&l);
  hand_close(&h);
}

/* The request keeps the executor; a timeout, a cancel and a detach end the wait alone. */
static void waits_end_by_themselves(void **state) {
  hand_t h;
  test_host_t l;
  trace_t t = {{0}, 0, 1};
  mark_t m[3];
  job_t j = {0};
  (void)state;
  hand_open(&h);
  loop_open(&l, 0);
  job_spawn(&j, h.ex);
  for (int i = 0; i < 3; i++)
    mark_init(&m[i], &t, (char)('0' + i));
  assert_int_equal(uvf_wait_idle(l.loop, &m[0].req, h.ex, UVF_NOWAIT, marked), 0);
  assert_int_equal(uvf_wait_idle(l.loop, &m[1].req, h.ex, 10, marked), 0);
  assert_int_equal(uvf_wait_idle(l.loop, &m[1].req, h.ex, 10, marked), UV_EBUSY);
  assert_int_equal(uvf_wait_idle(l.loop, &m[2].req, h.ex, UVF_FOREVER, marked), 0);
  uvf_executor_t *ex = h.ex;
  h.ex = NULL;
  uvf_executor_release(ex); /* the waits have it */
  test_host_run(&l);
  assert_int_equal(t.status, UV_ETIMEDOUT);
  test_host_advance(&l, 10);
  assert_string_equal(t.order, "01");
  assert_int_equal(t.status, UV_ETIMEDOUT);
  test_host_detach(&l);
  assert_string_equal(t.order, "012");
  assert_int_equal(t.status, UV_ECANCELED);
  hand_close(&h);
  job_ended(&j, 0, true);
}

/* ---- blocking ---- */

typedef struct {
  uvf_executor_t *ex;
  int result;
} asks_t;

static void waits_for_idle(job_t *j) {
  asks_t *a = j->arg;
  a->result = uvf_wait_idle_sync(a->ex, UVF_FOREVER);
}

/* In a task of it; of a lane on it; and of its only thread, for a lane on that. */
static void a_task_may_not_wait_for_its_own_end(void **state) {
  uvf_executor_t *pool = threads_open(1), *lane = lane_open(pool, 1, 10), *other = lane_open(pool, 1, 10);
  uvf_executor_t *on[] = {pool, lane, pool}, *idle[] = {pool, pool, other};
  (void)state;
  for (int i = 0; i < 3; i++) {
    asks_t a = {idle[i], 1};
    job_t j = {.act = waits_for_idle, .arg = &a}, behind = {0};
    job_gates(&j);
    job_spawn(&j, on[i]);
    gate_pass(&j.begun);
    job_spawn(&behind, other);
    gate_open(&j.go);
    job_ends(&j, 0, true);
    job_ends(&behind, 0, true);
    assert_int_equal(a.result, UVF_EDEADLK);
  }
  asks_t a = {other, 1}; /* which is idle */
  job_t j = {.act = waits_for_idle, .arg = &a};
  assert_int_equal(uvf_wait_idle_sync(other, PATIENCE_MS), 0);
  job_spawn(&j, lane);
  job_ends(&j, 0, true);
  assert_int_equal(a.result, 0);
  uvf_executor_release(other);
  uvf_executor_release(lane);
  uvf_executor_release(pool);
}

/* A task of one executor may wait for another one. */
static void a_task_may_wait_for_another_executor(void **state) {
  uvf_executor_t *pool = threads_open(1), *other = threads_open(1);
  asks_t a = {other, 1};
  job_t waits = {.act = waits_for_idle, .arg = &a}, j = {0};
  (void)state;
  job_gates(&j);
  job_spawn(&j, other);
  gate_pass(&j.begun);
  job_spawn(&waits, pool);
  gate_open(&j.go);
  job_ends(&waits, 0, true);
  assert_int_equal(a.result, 0);
  job_ends(&j, 0, true);
  uvf_executor_release(pool);
  uvf_executor_release(other);
}

static void misuse_is_refused(void **state) {
  uvf_executor_t *pool = threads_open(1);
  test_host_t l;
  uvf_req_t req = {0};
  (void)state;
  loop_open(&l, 0);
  assert_int_equal(uvf_wait_idle(NULL, &req, pool, 0, marked), UV_EINVAL);
  assert_int_equal(uvf_wait_idle(l.loop, NULL, pool, 0, marked), UV_EINVAL);
  assert_int_equal(uvf_wait_idle(l.loop, &req, NULL, 0, marked), UV_EINVAL);
  assert_int_equal(uvf_wait_idle(l.loop, &req, pool, 0, NULL), UV_EINVAL);
  assert_int_equal(uvf_wait_idle_sync(NULL, 0), UV_EINVAL);
  assert_int_equal(uvf_wait_idle_sync(pool, 0), UVF_EDEADLK); /* this thread runs a loop */
  test_host_detach(&l);
  uvf_executor_release(pool);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      EXECUTOR_TEST(idle_is_told_when_nothing_runs_or_waits),
      EXECUTOR_TEST(the_last_of_the_work_goes_in_any_way),
      EXECUTOR_TEST(callbacks_of_its_tasks_come_first),
      EXECUTOR_TEST(all_of_many_hear_of_it),
      EXECUTOR_TEST(waits_end_by_themselves),
      EXECUTOR_TEST(a_task_may_not_wait_for_its_own_end),
      EXECUTOR_TEST(a_task_may_wait_for_another_executor),
      EXECUTOR_TEST(misuse_is_refused),
  };
  return RUN_TESTS(tests);
}
