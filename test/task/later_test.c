/* SPDX-License-Identifier: MIT */
/* Work that ends later (UVF_LATER, uvf_task_finish), and promises, which do nothing else. */
#include "task/task_fixture.h"

enum { FINISHERS = 4 };

#if defined(__SANITIZE_THREAD__)
enum { ROUNDS = 200 };
#else
enum { ROUNDS = 1000 };
#endif

/* ---- before the work has returned, and after ---- */

typedef struct {
  int status, result, again, outcome;
  bool give_value;
  uvf_flowvar_t *fv;
} finish_t;

static void finishes_inside(work_t *w, uvf_task_t *task) {
  finish_t *f = w->data;
  value_t v = {.what = item(6, 6)};
  f->result = uvf_task_finish(task, f->status, f->give_value ? &v : NULL);
  f->again = uvf_task_finish(task, UV_EIO, &v);
  f->outcome = uvf_try_await(f->fv);
}

/* What the function itself returns does not count any more: another one has ended it. */
static void finished_before_the_function_returns(void **state) {
  (void)state;
  static const int returns[] = {UVF_LATER, 0, UV_EPERM, 7};
  for (int i = 0; i < 4; i++)
    for (int status = 0; status >= UV_EPIPE; status += UV_EPIPE)
      for (int give = 0; give <= 1; give++) {
        pool_t p;
        drops_t d = {0};
        finish_t f = {.status = status, .give_value = give};
        work_t w = {.result = returns[i], .inside = finishes_inside, .data = &f, .value = item(1, 1)};
        pool_open(&p, false);
        uvf_flowvar_t *fv = f.fv = spawn(p.ex, &w, &d);
        pool_run(&p);
        assert_int_equal(f.result, 0);
        assert_int_equal(f.again, UV_EALREADY);
        assert_int_equal(f.outcome, UV_EAGAIN); /* it ends when the function has returned */
        assert_int_equal(uvf_try_await(fv), status);
        if (status == 0) expect_made(fv, give ? item(6, 6) : item(1, 1));
        assert_int_equal(counts_of(p.ex).done + counts_of(p.ex).failed, 1);
        assert_int_equal(counts_of(p.ex).running, 0);
        uvf_flowvar_release(fv);
        assert_int_equal(atomic_load(&d.values), status == 0 ? 1 : 0);
        pool_close(&p);
      }
}

static void finished_after_the_function_has_returned(void **state) {
  (void)state;
  test_host_t h;
  loop_open(&h, 0);
  for (int status = 0; status >= UV_EPIPE; status += UV_EPIPE)
    for (int give = 0; give <= 1; give++) {
      pool_t p;
      op_t op = {0};
      drops_t d = {0};
      work_t w = {.result = UVF_LATER, .value = item(1, 1)};
      value_t v = {.what = item(6, 6)};
      pool_open(&p, false);
      uvf_flowvar_t *fv = spawn(p.ex, &w, &d);
      assert_int_equal(start_await(&h, &op, fv, UVF_FOREVER), 0);
      pool_run(&p);
      test_host_run(&h);
      expect_pending(&op);
      assert_int_equal(counts_of(p.ex).running, 1); /* begun and not ended */
      assert_int_equal(uvf_try_await(fv), UV_EAGAIN);
      assert_null(uvf_flowvar_value(fv));
      assert_int_equal(uvf_task_finish(w.task, status, give ? &v : NULL), 0);
      assert_int_equal(uvf_try_await(fv), status);
      if (status == 0) expect_made(fv, give ? item(6, 6) : item(1, 1));
      assert_int_equal(counts_of(p.ex).running, 0);
      test_host_run(&h);
      expect_done(&op, status);
      uvf_flowvar_release(fv);
      assert_int_equal(atomic_load(&d.values), status == 0 ? 1 : 0);
      pool_close(&p);
    }
  test_host_detach(&h);
}

static void notes_itself(work_t *w, uvf_task_t *task) {
  (void)task;
  *(work_t **)w->data = w;
}

/* Its copied arg, and the place of its value, are there until the finish. */
static void the_copied_arg_lasts_until_the_end(void **state) {
  (void)state;
  pool_t p;
  drops_t d = {0};
  work_t w = {.result = UVF_LATER, .value = item(1, 5)};
  static work_t *copy;
  uvf_spawn_options_t o = options_of(&d, true);
  o.arg_size = sizeof w;
  pool_open(&p, false);
  w.inside = notes_itself;
  w.data = &copy;
  assert_int_equal(uvf_spawn(p.ex, work_run, &w, &o, NULL), 0); /* abandoned from the beginning */
  pool_run(&p);
  assert_null(w.task);
  assert_int_equal(atomic_load(&copy->runs), 1);
  copy->place->what = item(1, 6);
  assert_int_equal(uvf_task_finish(copy->task, 0, NULL), 0);
  assert_int_equal(atomic_load(&d.values), 1);
  assert_true(same(d.value.what, item(1, 6)));
  assert_int_equal(atomic_load(&d.args), 0);
  pool_close(&p);
}

/* ---- outcomes ---- */

static void statuses_of_a_finish(void **state) {
  (void)state;
  static const struct {
    int status, result, outcome;
  } rows[] = {{1, UV_EINVAL, UV_EAGAIN},         {UVF_LATER, UV_EINVAL, UV_EAGAIN},
              {INT32_MAX, UV_EINVAL, UV_EAGAIN}, {0, 0, 0},
              {UV_EAGAIN, 0, UV_EBUSY},          {UV_ECANCELED, 0, UV_ECANCELED},
              {UV_ETIMEDOUT, 0, UV_ETIMEDOUT},   {INT32_MIN, 0, INT32_MIN}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    uvf_task_t *task;
    drops_t d = {0};
    value_t v = {.what = item(3, 3)};
    uvf_flowvar_t *fv = promise(&task, &d);
    assert_int_equal(uvf_task_finish(task, rows[i].status, &v), rows[i].result);
    assert_int_equal(uvf_try_await(fv), rows[i].outcome);
    if (rows[i].result != 0) assert_int_equal(uvf_task_finish(task, 0, &v), 0);
    assert_int_equal(uvf_task_finish(task, 0, &v), UV_EALREADY);
    uvf_flowvar_release(fv);
    assert_int_equal(atomic_load(&d.values), rows[i].result != 0 || rows[i].outcome == 0 ? 1 : 0);
  }
}

/* ---- abandoned ---- */

static void a_value_that_nobody_wants_is_dropped_in_the_finish(void **state) {
  (void)state;
  for (int way = 0; way < 4; way++) { /* a promise or a task; 0 or an error */
    pool_t p;
    drops_t d = {0};
    work_t w = {.result = UVF_LATER};
    value_t v = {.what = item(3, 4)};
    pool_open(&p, false);
    uvf_flowvar_t *fv = way < 2 ? promise(&w.task, &d) : spawn(p.ex, &w, &d);
    pool_run(&p);
    uvf_flowvar_release(fv);
    assert_int_equal(atomic_load(&d.values), 0);
    assert_int_equal(uvf_task_finish(w.task, way % 2 == 0 ? 0 : UV_EIO, &v), 0);
    assert_int_equal(atomic_load(&d.values), way % 2 == 0 ? 1 : 0);
    if (way % 2 == 0) assert_true(same(d.value.what, item(3, 4)));
    pool_close(&p);
  }
}

/* ---- lanes ---- */

/* Work that ends later takes its place in the lane until it has ended; the next begins in the finish, on the lane's executor. */
static void it_keeps_its_place_in_a_lane(void **state) {
  (void)state;
  pool_t p;
  uvf_executor_t *lane;
  uvf_lane_options_t o = {.max_running = 1, .capacity = 10};
  work_t first = {.result = UVF_LATER}, second = {.value = item(1, 2)};
  pool_open(&p, false);
  assert_int_equal(uvf_lane_create(p.ex, &o, &lane), 0);
  uvf_flowvar_t *a = spawn(lane, &first, NULL), *b = spawn(lane, &second, NULL);
  pool_run(&p);
  assert_int_equal(atomic_load(&first.runs), 1);
  assert_int_equal(atomic_load(&second.runs), 0);
  assert_int_equal(counts_of(lane).queued, 1);
  assert_int_equal(uvf_task_finish(first.task, 0, NULL), 0);
  assert_int_equal(atomic_load(&second.runs), 0); /* not in the finish itself */
  pool_run(&p);
  expect_made(b, item(1, 2));
  uvf_flowvar_release(a);
  uvf_flowvar_release(b);
  uvf_executor_release(lane);
  pool_close(&p);
}

static void it_outlives_its_executor(void **state) {
  (void)state;
  pool_t p;
  work_t w = {.result = UVF_LATER};
  value_t v = {.what = item(3, 4)};
  pool_open(&p, false);
  uvf_flowvar_t *fv = spawn(p.ex, &w, NULL);
  pool_run(&p);
  uvf_executor_release(p.ex);
  p.ex = NULL;
  assert_false(uvf_task_cancelled(w.task)); /* a close lets it end */
  assert_int_equal(uvf_task_finish(w.task, 0, &v), 0);
  expect_made(fv, item(3, 4));
  uvf_flowvar_release(fv);
  pool_close(&p);
}

/* ---- several finish ---- */

typedef struct {
  uv_barrier_t *gate;
  uvf_task_t *task;
  uint32_t id;
  int result;
} finisher_t;

static void finishes(void *arg) {
  finisher_t *f = arg;
  value_t v = {.what = item(f->id, f->id)};
  (void)uv_barrier_wait(f->gate);
  f->result = uvf_task_finish(f->task, 0, &v);
}

static void one_of_several_finishes_it(void **state) {
  (void)state;
  for (int round = 0; round < ROUNDS / 10; round++) {
    thread_t ids[FINISHERS];
    finisher_t f[FINISHERS];
    uv_barrier_t gate;
    uvf_task_t *task;
    int winners = 0;
    assert_int_equal(uv_barrier_init(&gate, FINISHERS), 0);
    uvf_flowvar_t *fv = promise(&task, NULL);
    for (uint32_t i = 0; i < FINISHERS; i++) {
      f[i] = (finisher_t){.gate = &gate, .task = task, .id = i, .result = 1};
      thread_start(&ids[i], finishes, &f[i]);
    }
    assert_int_equal(uvf_await_sync(fv, UVF_FOREVER), 0);
    for (uint32_t i = 0; i < FINISHERS; i++) {
      thread_join(&ids[i]);
      winners += f[i].result == 0;
      if (f[i].result == 0) expect_made(fv, item(i, i)); /* its value, whole */
      assert_true(f[i].result == 0 || f[i].result == UV_EALREADY);
    }
    uv_barrier_destroy(&gate);
    assert_int_equal(winners, 1);
    uvf_flowvar_release(fv);
  }
}

typedef struct {
  gate_t begun;
  uvf_task_t *task;
  int result;
} other_t;

static void lets_another_finish(work_t *w, uvf_task_t *task) {
  other_t *o = w->data;
  o->task = task;
  gate_open(&o->begun);
}

static void finishes_what_has_begun(void *arg) {
  other_t *o = arg;
  value_t v = {.what = item(9, 9)};
  (void)gate_wait(&o->begun);
  o->result = uvf_task_finish(o->task, 0, &v);
}

/* A finish on another thread against the function's return of UVF_LATER; and the awaiter, who frees all of it. */
static void a_finish_against_the_return(void **state) {
  (void)state;
  threads_t pool;
  threads_open(&pool, 1);
  for (int round = 0; round < ROUNDS; round++) {
    thread_t id;
    other_t o = {.result = 1};
    work_t w = {.result = UVF_LATER, .inside = lets_another_finish, .data = &o};
    gate_init(&o.begun);
    thread_start(&id, finishes_what_has_begun, &o);
    uvf_flowvar_t *fv = spawn(pool.ex, &w, NULL);
    assert_int_equal(uvf_await_sync(fv, UVF_FOREVER), 0);
    expect_made(fv, item(9, 9));
    uvf_flowvar_release(fv);
    thread_join(&id);
    gate_destroy(&o.begun);
    assert_int_equal(o.result, 0);
  }
  threads_close(&pool);
}

/* ---- promises ---- */

static void a_promise(void **state) {
  (void)state;
  test_host_t h;
  op_t op = {0};
  awaiter_t blocked;
  uvf_task_t *task;
  drops_t d = {0};
  value_t v = {.what = item(1, 9)}, taken;
  uvf_flowvar_t *fv = promise(&task, &d);
  awaiter_start(&blocked, fv, UVF_FOREVER, 1);
  loop_open(&h, 0);
  assert_int_equal(start_await(&h, &op, fv, UVF_FOREVER), 0);
  assert_false(uvf_task_cancelled(task));
  assert_int_equal(uvf_task_finish(task, 0, &v), 0);
  v.what = item(0, 0); /* it was copied */
  test_host_run(&h);
  expect_done(&op, 0);
  assert_int_equal(awaiter_join(&blocked), 0);
  assert_int_equal(uvf_flowvar_take(fv, &taken), 0);
  assert_true(same(taken.what, item(1, 9)));
  uvf_flowvar_release(fv);
  assert_int_equal(atomic_load(&d.values), 0);
  test_host_detach(&h);
}

static void a_promise_without_a_value(void **state) {
  (void)state;
  uvf_task_t *task;
  uvf_flowvar_t *fv;
  assert_int_equal(uvf_promise_create(NULL, &task, &fv), 0);
  assert_int_equal(uvf_task_finish(task, 0, NULL), 0);
  assert_non_null(uvf_flowvar_value(fv));
  assert_int_equal(uvf_flowvar_take(fv, NULL), 0);
  uvf_flowvar_release(fv);
}

static void a_promise_finished_without_giving_a_value(void **state) {
  (void)state;
  uvf_task_t *task;
  uvf_flowvar_t *fv = promise(&task, NULL);
  assert_int_equal(uvf_task_finish(task, 0, NULL), 0);
  expect_made(fv, item(0, 0)); /* zeroed, as what a work finds */
  uvf_flowvar_release(fv);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      UVF_TEST(finished_before_the_function_returns),
      UVF_TEST(finished_after_the_function_has_returned),
      UVF_TEST(statuses_of_a_finish),
      UVF_TEST(a_value_that_nobody_wants_is_dropped_in_the_finish),
      UVF_TEST(it_keeps_its_place_in_a_lane),
      UVF_TEST(it_outlives_its_executor),
      UVF_TEST(one_of_several_finishes_it),
      UVF_TEST(a_finish_against_the_return),
      UVF_TEST(a_promise),
      UVF_TEST(a_promise_without_a_value),
      UVF_TEST(a_promise_finished_without_giving_a_value),
      UVF_TEST(the_copied_arg_lasts_until_the_end),
  };
  return RUN_TESTS(tests);
}
