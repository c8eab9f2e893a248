/* SPDX-License-Identifier: MIT */
/* Cancelling work: before, while and after it runs, and what the task sees of it. (Races: cancel_race_test.c.) */
#include "task/task_fixture.h"

/* ---- uvf_flowvar_cancel ---- */

static void pending_work_never_runs(void **state) {
  (void)state;
  pool_t p;
  test_host_t h;
  op_t ops[2];
  awaiter_t blocked;
  drops_t d = {0};
  work_t w = {0}, other = {.value = item(1, 2)};
  memset(ops, 0, sizeof ops);
  pool_open(&p, false);
  uvf_flowvar_t *fv = spawn(p.ex, &w, &d), *next = spawn(p.ex, &other, &d);
  awaiter_start(&blocked, fv, UVF_FOREVER, 1);
  loop_open(&h, 0);
  for (int i = 0; i < 2; i++)
    assert_int_equal(start_await(&h, &ops[i], fv, i == 0 ? UVF_FOREVER : 10), 0);
  assert_int_equal(counts_of(p.ex).queued, 2);
  assert_int_equal(uvf_flowvar_cancel(fv), 0);
  assert_int_equal(counts_of(p.ex).queued, 1); /* at once, not when its turn comes */
  assert_int_equal(counts_of(p.ex).cancelled, 1);
  assert_int_equal(uvf_try_await(fv), UV_ECANCELED);
  assert_int_equal(uvf_flowvar_cancel(fv), UV_EALREADY);
  assert_int_equal(awaiter_join(&blocked), UV_ECANCELED);
  test_host_run(&h);
  expect_done(&ops[0], UV_ECANCELED);
  expect_done(&ops[1], UV_ECANCELED);
  pool_run(&p);
  assert_int_equal(atomic_load(&w.runs), 0);
  expect_made(next, item(1, 2));
  uvf_flowvar_release(fv);
  uvf_flowvar_release(next);
  assert_int_equal(atomic_load(&d.values), 1);
  test_host_detach(&h);
  pool_close(&p);
}

/* The place in the queue is free again. */
static void cancelled_work_leaves_room(void **state) {
  (void)state;
  pool_t p;
  uvf_executor_t *lane;
  uvf_lane_options_t o = {.max_running = 1, .capacity = 1};
  work_t w = {0};
  uvf_flowvar_t *fv;
  pool_open(&p, false);
  assert_int_equal(uvf_lane_create(p.ex, &o, &lane), 0);
  for (int i = 0; i < 5; i++) {
    fv = spawn(lane, &w, NULL);
    assert_int_equal(uvf_spawn(lane, work_run, &w, NULL, NULL), UV_EAGAIN);
    assert_int_equal(uvf_flowvar_cancel(fv), 0);
    uvf_flowvar_release(fv);
  }
  assert_int_equal(counts_of(lane).cancelled, 5);
  pool_run(&p);
  assert_int_equal(atomic_load(&w.runs), 0);
  uvf_executor_release(lane);
  pool_close(&p);
}

typedef struct {
  uvf_flowvar_t *fv;
  bool before, after;
  int first, second;
} asked_t;

static void is_asked(work_t *w, uvf_task_t *task) {
  asked_t *a = w->data;
  a->before = uvf_task_cancelled(task);
  a->first = uvf_flowvar_cancel(a->fv);
  a->second = uvf_flowvar_cancel(a->fv);
  a->after = uvf_task_cancelled(task);
}

static void running_work_is_asked_to_stop_and_ends_as_it_likes(void **state) {
  (void)state;
  static const int results[] = {0, UV_ECANCELED, UV_EIO};
  for (int i = 0; i < 3; i++) {
    pool_t p;
    asked_t a = {.before = true};
    work_t w = {.result = results[i], .inside = is_asked, .data = &a, .value = item(1, 1)};
    pool_open(&p, false);
    uvf_flowvar_t *fv = a.fv = spawn(p.ex, &w, NULL);
    pool_run(&p);
    assert_false(a.before);
    assert_int_equal(a.first, UV_EBUSY);
    assert_int_equal(a.second, UV_EBUSY);
    assert_true(a.after);
    assert_int_equal(uvf_try_await(fv), results[i]);
    if (results[i] == 0) expect_made(fv, item(1, 1));
    assert_int_equal(uvf_flowvar_cancel(fv), UV_EALREADY);
    uvf_executor_stats_t s = counts_of(p.ex);
    assert_int_equal(s.done, results[i] == 0 ? 1 : 0);
    assert_int_equal(s.failed, results[i] != 0 ? 1 : 0); /* it ran: cancelled means that it never did */
    assert_int_equal(s.cancelled, 0);
    uvf_flowvar_release(fv);
    pool_close(&p);
  }
}

static void ended_work_cannot_be_cancelled(void **state) {
  (void)state;
  pool_t p;
  value_t v;
  pool_open(&p, false);
  for (int result = 0; result >= UV_EIO; result += UV_EIO) {
    work_t w = {.result = result};
    uvf_flowvar_t *fv = spawn(p.ex, &w, NULL);
    pool_run(&p);
    assert_int_equal(uvf_flowvar_cancel(fv), UV_EALREADY);
    assert_int_equal(uvf_try_await(fv), result);
    assert_int_equal(uvf_flowvar_take(fv, &v), result);
    assert_int_equal(uvf_flowvar_cancel(fv), UV_EALREADY);
    uvf_flowvar_release(fv);
  }
  pool_close(&p);
}

static void a_promise_is_only_asked(void **state) {
  (void)state;
  for (int result = 0; result >= UV_EIO; result += UV_EIO) {
    uvf_task_t *task;
    drops_t d = {0};
    uvf_flowvar_t *fv = promise(&task, &d);
    assert_false(uvf_task_cancelled(task));
    assert_int_equal(uvf_flowvar_cancel(fv), UV_EBUSY);
    assert_true(uvf_task_cancelled(task));
    assert_int_equal(uvf_try_await(fv), UV_EAGAIN);
    assert_int_equal(uvf_task_finish(task, result, NULL), 0);
    assert_int_equal(uvf_flowvar_cancel(fv), UV_EALREADY);
    assert_int_equal(uvf_try_await(fv), result);
    uvf_flowvar_release(fv);
    assert_int_equal(atomic_load(&d.values), result == 0 ? 1 : 0);
  }
}

static void an_abort_asks_what_runs_and_cancels_the_rest(void **state) {
  (void)state;
  pool_t p;
  work_t later = {.result = UVF_LATER}, w = {0};
  pool_open(&p, false);
  uvf_flowvar_t *running = spawn(p.ex, &later, NULL);
  pool_run(&p);
  uvf_flowvar_t *pending = spawn(p.ex, &w, NULL);
  assert_int_equal(uvf_executor_abort(p.ex), 0);
  assert_true(uvf_task_cancelled(later.task));
  assert_int_equal(uvf_try_await(pending), UV_ECANCELED);
  assert_int_equal(uvf_try_await(running), UV_EAGAIN);
  assert_int_equal(uvf_task_finish(later.task, 0, NULL), 0);
  assert_int_equal(uvf_try_await(running), 0);
  uvf_flowvar_release(running);
  uvf_flowvar_release(pending);
  pool_close(&p);
}

/* ---- uvf_wait_cancelled ---- */

static void asked_before_or_meanwhile(void **state) {
  (void)state;
  test_host_t h;
  loop_open(&h, 0);
  for (int way = 0; way < 4; way++) { /* a promise or a task, asked before or after the wait begins */
    pool_t p;
    op_t op = {0}, many[20];
    work_t w = {.result = UVF_LATER};
    memset(many, 0, sizeof many);
    pool_open(&p, false);
    uvf_flowvar_t *fv = way < 2 ? promise(&w.task, NULL) : spawn(p.ex, &w, NULL);
    pool_run(&p);
    if (way % 2 == 0) assert_int_equal(uvf_flowvar_cancel(fv), UV_EBUSY);
    assert_int_equal(start_wait_cancelled(&h, &op, w.task, way % 2 == 0 ? UVF_NOWAIT : UVF_FOREVER), 0);
    for (int i = 0; i < 20; i++)
      assert_int_equal(start_wait_cancelled(&h, &many[i], w.task, UVF_FOREVER), 0);
    expect_pending(&op);
    if (way % 2 == 1) {
      test_host_run(&h);
      expect_pending(&op);
      assert_int_equal(uvf_flowvar_cancel(fv), UV_EBUSY);
    }
    test_host_run(&h);
    expect_done(&op, 0);
    for (int i = 0; i < 20; i++)
      expect_done(&many[i], 0);
    assert_int_equal(uvf_task_finish(w.task, UV_ECANCELED, NULL), 0);
    assert_int_equal(uvf_try_await(fv), UV_ECANCELED);
    uvf_flowvar_release(fv);
    pool_close(&p);
  }
  test_host_detach(&h);
}

static void an_abort_is_heard(void **state) {
  (void)state;
  pool_t p;
  test_host_t h;
  op_t ops[20];
  work_t works[20];
  uvf_flowvar_t *fvs[20];
  memset(ops, 0, sizeof ops);
  memset(works, 0, sizeof works);
  pool_open(&p, false);
  loop_open(&h, 0);
  for (int i = 0; i < 20; i++) {
    works[i].result = UVF_LATER;
    fvs[i] = spawn(p.ex, &works[i], NULL);
  }
  pool_run(&p);
  for (int i = 0; i < 20; i++)
    assert_int_equal(start_wait_cancelled(&h, &ops[i], works[i].task, UVF_FOREVER), 0);
  assert_int_equal(uvf_executor_abort(p.ex), 0);
  test_host_run(&h);
  for (int i = 0; i < 20; i++) {
    expect_done(&ops[i], 0);
    assert_int_equal(uvf_task_finish(works[i].task, 0, NULL), 0);
    uvf_flowvar_release(fvs[i]);
  }
  test_host_detach(&h);
  pool_close(&p);
}

static void it_ended_without(void **state) {
  (void)state;
  test_host_t h;
  loop_open(&h, 0);
  for (int way = 0; way < 4; way++) { /* a promise or a task, done or failed */
    pool_t p;
    op_t op = {0};
    work_t w = {.result = UVF_LATER};
    pool_open(&p, false);
    uvf_flowvar_t *fv = way < 2 ? promise(&w.task, NULL) : spawn(p.ex, &w, NULL);
    pool_run(&p);
    assert_int_equal(start_wait_cancelled(&h, &op, w.task, UVF_FOREVER), 0);
    test_host_run(&h);
    expect_pending(&op);
    assert_int_equal(uvf_task_finish(w.task, way % 2 == 0 ? 0 : UV_EIO, NULL), 0);
    test_host_run(&h);
    expect_done(&op, UV_EOF);
    uvf_flowvar_release(fv);
    pool_close(&p);
  }
  test_host_detach(&h);
}

/* Abandoned work goes on: nobody has asked it to stop, and it has not ended. */
static void it_is_abandoned_meanwhile(void **state) {
  (void)state;
  test_host_t h;
  loop_open(&h, 0);
  for (int way = 0; way < 4; way++) { /* a promise or a task, abandoned before or after the wait begins */
    pool_t p;
    op_t op = {0};
    drops_t d = {0};
    work_t w = {.result = UVF_LATER};
    value_t v = {.what = item(1, 1)};
    pool_open(&p, false);
    uvf_flowvar_t *fv = way < 2 ? promise(&w.task, &d) : spawn(p.ex, &w, &d);
    pool_run(&p);
    if (way % 2 == 0) uvf_flowvar_release(fv);
    assert_int_equal(start_wait_cancelled(&h, &op, w.task, UVF_FOREVER), 0);
    if (way % 2 == 1) uvf_flowvar_release(fv);
    test_host_run(&h);
    expect_pending(&op);
    assert_int_equal(uvf_task_finish(w.task, 0, &v), 0);
    assert_int_equal(atomic_load(&d.values), 1);
    test_host_run(&h);
    expect_done(&op, UV_EOF);
    pool_close(&p);
  }
  test_host_detach(&h);
}

/* The wait is one of many, and leaves the task alone; it awaits nothing. */
static void the_wait_ends_by_itself(void **state) {
  (void)state;
  test_host_t h;
  op_t ops[4], awaiting = {0};
  uvf_task_t *task;
  memset(ops, 0, sizeof ops);
  loop_open(&h, 0);
  uvf_flowvar_t *fv = promise(&task, NULL);
  assert_int_equal(start_await(&h, &awaiting, fv, UVF_FOREVER), 0);
  for (int i = 0; i < 4; i++)
    assert_int_equal(start_wait_cancelled(&h, &ops[i], task, i == 1 ? 10 : i == 3 ? UVF_NOWAIT : UVF_FOREVER), 0);
  assert_int_equal(uvf_cancel(&ops[0].req), 0);
  test_host_advance(&h, 10);
  expect_done(&ops[0], UV_ECANCELED);
  expect_done(&ops[1], UV_ETIMEDOUT);
  expect_done(&ops[3], UV_ETIMEDOUT);
  expect_pending(&ops[2]);
  assert_false(uvf_task_cancelled(task)); /* a cancel of the wait is none of the task */
  assert_int_equal(uvf_flowvar_cancel(fv), UV_EBUSY);
  assert_int_equal(uvf_cancel(&ops[2].req), UV_EALREADY);
  test_host_run(&h);
  expect_done(&ops[2], 0);
  expect_pending(&awaiting);
  assert_int_equal(uvf_task_finish(task, 0, NULL), 0);
  test_host_run(&h);
  expect_done(&awaiting, 0);
  uvf_flowvar_release(fv);
  test_host_detach(&h);
}

static void its_loop_is_detached(void **state) {
  (void)state;
  test_host_t h;
  op_t op = {0}, late = {0};
  uvf_task_t *task;
  loop_open(&h, 0);
  uvf_flowvar_t *fv = promise(&task, NULL);
  assert_int_equal(start_wait_cancelled(&h, &op, task, UVF_FOREVER), 0);
  assert_true(h.alive);
  assert_int_equal(test_host_detach_start(&h), 0);
  assert_int_equal(start_wait_cancelled(&h, &late, task, UVF_FOREVER), UV_ECANCELED);
  test_host_finish(&h);
  expect_done(&op, UV_ECANCELED);
  assert_false(uvf_task_cancelled(task));
  assert_int_equal(uvf_task_finish(task, 0, NULL), 0);
  uvf_flowvar_release(fv);
}

typedef struct {
  uvf_task_t *task;
  int result;
} ends_t;

static void ends_its_task(void *arg) {
  ends_t *e = arg;
  e->result = uvf_task_finish(e->task, UV_ECANCELED, NULL);
}

/* The usual way: who is asked ends the task, right in the callback, and is the last who knows of it. */
static void the_task_ends_in_the_callback(void **state) {
  (void)state;
  test_host_t h;
  op_t op = {0};
  ends_t e = {.result = 1};
  loop_open(&h, 0);
  uvf_flowvar_t *fv = promise(&e.task, NULL);
  op.then = ends_its_task;
  op.arg = &e;
  assert_int_equal(start_wait_cancelled(&h, &op, e.task, UVF_FOREVER), 0);
  assert_int_equal(uvf_flowvar_cancel(fv), UV_EBUSY);
  uvf_flowvar_release(fv);
  test_host_run(&h);
  expect_done(&op, 0);
  assert_int_equal(e.result, 0);
  test_host_detach(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      UVF_TEST(pending_work_never_runs),
      UVF_TEST(cancelled_work_leaves_room),
      UVF_TEST(running_work_is_asked_to_stop_and_ends_as_it_likes),
      UVF_TEST(ended_work_cannot_be_cancelled),
      UVF_TEST(a_promise_is_only_asked),
      UVF_TEST(an_abort_asks_what_runs_and_cancels_the_rest),
      UVF_TEST(asked_before_or_meanwhile),
      UVF_TEST(an_abort_is_heard),
      UVF_TEST(it_ended_without),
      UVF_TEST(it_is_abandoned_meanwhile),
      UVF_TEST(the_wait_ends_by_itself),
      UVF_TEST(its_loop_is_detached),
      UVF_TEST(the_task_ends_in_the_callback),
  };
  return RUN_TESTS(tests);
}
