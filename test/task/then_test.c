/* SPDX-License-Identifier: MIT */
/* Continuations: work that begins with the value of another, on its own executor, without a visit to a loop. (Ends that come
 * meanwhile: then_end_test.c. Long chains: then_chain_test.c.) */
#include "task/task_fixture.h"

#if defined(__SANITIZE_THREAD__)
enum { ROUNDS = 200 };
#else
enum { ROUNDS = 1000 };
#endif

/* ---- the value ---- */

static void the_value_is_passed_on_and_stays(void **state) {
  (void)state;
  pool_t p, q;
  drops_t d = {0};
  work_t next = {.value = item(2, 2)}, w = {.value = item(1, 1), .next = &next};
  pool_open(&p, false);
  pool_open(&q, false);
  uvf_flowvar_t *fv = spawn(p.ex, &w, &d), *after = then_next(fv, q.ex, &d);
  pool_run(&q);
  assert_int_equal(uvf_try_await(after), UV_EAGAIN);
  pool_run(&p);
  assert_int_equal(uvf_try_await(fv), 0);
  assert_int_equal(uvf_try_await(after), UV_EAGAIN); /* it is queued, and needs no loop for that */
  assert_int_equal(pool_waiting(&q), 1);
  assert_int_equal(counts_of(q.ex).queued, 1);
  pool_run(&q);
  assert_true(same(next.before, item(1, 1)));
  assert_int_equal(atomic_load(&next.runs), 1);
  assert_false(next.dirty);
  expect_made(fv, item(1, 1)); /* borrowed: it stays */
  expect_made(after, item(2, 2));
  assert_int_equal(atomic_load(&d.values), 0);
  uvf_flowvar_release(fv);
  assert_int_equal(atomic_load(&d.values), 1);
  uvf_flowvar_release(after);
  assert_int_equal(atomic_load(&d.values), 2);
  pool_close(&q);
  pool_close(&p);
}

typedef struct {
  const void *arg;
  int runs;
} plain_t;

static plain_t plain;

static int plain_run(uvf_task_t *task, void *arg, void *value) {
  (void)task;
  (void)value;
  plain.arg = arg;
  plain.runs++;
  return 0;
}

static void after_a_flowvar_without_a_value(void **state) {
  (void)state;
  pool_t p;
  work_t w = {0};
  uvf_flowvar_t *fv, *after;
  pool_open(&p, false);
  plain = (plain_t){.arg = &w};
  assert_int_equal(uvf_spawn(p.ex, work_run, &w, NULL, &fv), 0);
  assert_int_equal(uvf_then(fv, p.ex, plain_run, NULL, &after), 0);
  pool_run(&p);
  assert_int_equal(plain.runs, 1);
  assert_null(plain.arg);
  assert_int_equal(uvf_flowvar_take(after, NULL), 0);
  uvf_flowvar_release(fv);
  uvf_flowvar_release(after);
  pool_close(&p);
}

/* Whoever else gives it up: the flowvar lives until the work that follows has ended, and goes then. */
static void it_holds_what_it_follows(void **state) {
  (void)state;
  for (int when = 0; when < 3; when++) {
    pool_t p, q;
    drops_t d = {0}, other = {0};
    work_t next = {.value = item(2, 2)}, w = {.value = item(1, 1), .next = &next};
    pool_open(&p, false);
    pool_open(&q, false);
    uvf_flowvar_t *fv = spawn(p.ex, &w, &d), *after = then_next(fv, q.ex, &other);
    if (when == 0) uvf_flowvar_release(fv);
    pool_run(&p);
    if (when == 1) uvf_flowvar_release(fv);
    assert_int_equal(atomic_load(&d.values), 0);
    pool_run(&q);
    assert_true(same(next.before, item(1, 1)));
    if (when == 2) uvf_flowvar_release(fv);
    assert_int_equal(atomic_load(&d.values), 1); /* at once, not when `after` goes */
    expect_made(after, item(2, 2));
    uvf_flowvar_release(after);
    assert_int_equal(atomic_load(&other.values), 1);
    pool_close(&q);
    pool_close(&p);
  }
}

static void nobody_asks_for_it(void **state) {
  (void)state;
  pool_t p;
  drops_t d = {0};
  work_t next = {.value = item(2, 2)}, w = {.value = item(1, 1), .next = &next};
  uvf_spawn_options_t o = options_of(&d, false);
  pool_open(&p, false);
  uvf_flowvar_t *fv = spawn(p.ex, &w, &d);
  assert_int_equal(uvf_then(fv, p.ex, next_run, &o, NULL), 0);
  pool_run(&p);
  assert_int_equal(atomic_load(&next.runs), 1);
  assert_int_equal(atomic_load(&d.values), 1);
  assert_true(same(d.value.what, item(2, 2)));
  assert_int_equal(uvf_then(fv, p.ex, next_run, &o, NULL), 0); /* also where it has ended */
  uvf_flowvar_release(fv);
  pool_run(&p);
  assert_int_equal(atomic_load(&next.runs), 2);
  assert_int_equal(atomic_load(&d.values), 3);
  pool_close(&p);
}

/* ---- what has ended already ---- */

static void on_an_ended_flowvar(void **state) {
  (void)state;
  for (int result = 0; result >= UV_EIO; result += UV_EIO) {
    pool_t p, q;
    work_t next = {.value = item(2, 2)}, w = {.value = item(1, 1), .next = &next, .result = result};
    pool_open(&p, false);
    pool_open(&q, false);
    uvf_flowvar_t *fv = spawn(p.ex, &w, NULL);
    pool_run(&p);
    uvf_flowvar_t *after = then_next(fv, q.ex, NULL);
    assert_int_equal(uvf_try_await(after), result == 0 ? UV_EAGAIN : result);
    assert_int_equal(atomic_load(&next.runs), 0); /* not inside the call */
    pool_run(&q);
    assert_int_equal(uvf_try_await(after), result);
    assert_int_equal(atomic_load(&next.runs), result == 0 ? 1 : 0);
    uvf_flowvar_release(fv);
    uvf_flowvar_release(after);
    pool_close(&q);
    pool_close(&p);
  }
}

/* What was moved out is nobody's arg. */
static void on_a_taken_value(void **state) {
  (void)state;
  pool_t p;
  value_t taken;
  work_t next = {.value = item(2, 2)}, w = {.value = item(1, 1), .next = &next};
  pool_open(&p, false);
  uvf_flowvar_t *fv = spawn(p.ex, &w, NULL);
  pool_run(&p);
  assert_int_equal(uvf_flowvar_take(fv, &taken), 0);
  uvf_flowvar_t *after = then_next(fv, p.ex, NULL);
  pool_run(&p);
  assert_int_equal(uvf_try_await(after), UV_EALREADY);
  assert_int_equal(atomic_load(&next.runs), 0);
  uvf_flowvar_release(fv);
  uvf_flowvar_release(after);
  pool_close(&p);
}

/* ---- errors ---- */

static void an_error_skips_what_follows(void **state) {
  (void)state;
  static const int results[] = {UV_EIO, UV_ECANCELED, UV_ETIMEDOUT, UV_EOF, UVF_EDEADLK, UV_EAGAIN, 3};
  pool_t p, q;
  test_host_t h;
  pool_open(&p, false);
  pool_open(&q, false);
  loop_open(&h, 0);
  for (size_t i = 0; i < sizeof results / sizeof results[0]; i++) {
    drops_t d = {0};
    op_t op = {0};
    work_t w = {.result = results[i]};
    int expected = results[i] == UV_EAGAIN ? UV_EBUSY : results[i] > 0 ? UV_EINVAL : results[i];
    uvf_flowvar_t *fvs[4] = {spawn(p.ex, &w, &d)};
    for (int k = 1; k < 4; k++)
      fvs[k] = then_next(fvs[k - 1], q.ex, &d);
    assert_int_equal(start_await(&h, &op, fvs[3], UVF_FOREVER), 0);
    pool_run(&p);
    test_host_run(&h);
    expect_done(&op, expected);
    for (int k = 0; k < 4; k++) {
      assert_int_equal(uvf_try_await(fvs[k]), expected);
      assert_null(uvf_flowvar_value(fvs[k]));
      uvf_flowvar_release(fvs[k]);
    }
    assert_int_equal(atomic_load(&d.values), 0);
    assert_int_equal(pool_waiting(&q), 0);
  }
  uvf_executor_stats_t s = counts_of(q.ex);
  assert_int_equal(s.done + s.failed + s.cancelled + s.high_water, 0); /* it has never heard of them */
  test_host_detach(&h);
  pool_close(&q);
  pool_close(&p);
}

static void an_error_in_the_middle(void **state) {
  (void)state;
  pool_t p;
  work_t third = {0}, second = {.result = UV_EIO, .next = &third}, first = {.value = item(1, 1), .next = &second};
  pool_open(&p, false);
  uvf_flowvar_t *a = spawn(p.ex, &first, NULL), *b = then_next(a, p.ex, NULL), *c = then_next(b, p.ex, NULL);
  pool_run(&p);
  expect_made(a, item(1, 1));
  assert_int_equal(uvf_try_await(b), UV_EIO);
  assert_int_equal(uvf_try_await(c), UV_EIO);
  assert_int_equal(atomic_load(&second.runs), 1);
  assert_int_equal(atomic_load(&third.runs), 0);
  uvf_flowvar_release(a);
  uvf_flowvar_release(b);
  uvf_flowvar_release(c);
  pool_close(&p);
}

/* ---- several ---- */

static int order_of_runs[8], runs;

static int notes_order(uvf_task_t *task, void *arg, void *value) {
  (void)task;
  (void)arg;
  order_of_runs[runs++] = ((uvf_flowvar_t **)value != NULL ? 1 : 0);
  return 0;
}

static int notes_zero(uvf_task_t *task, void *arg, void *value) {
  (void)task;
  (void)arg;
  (void)value;
  order_of_runs[runs++] = 0;
  return 0;
}

/* Several continuations of one flowvar, more than are told at a time: all of them run, in the order in which they were asked for, and
 * beside those who await it. */
static void many_follow_one(void **state) {
  (void)state;
  enum { FOLLOWERS = 40 };
  pool_t p;
  test_host_t h;
  op_t op = {0};
  uvf_task_t *task;
  uvf_flowvar_t *after[FOLLOWERS];
  pool_open(&p, false);
  loop_open(&h, 0);
  runs = 0;
  plain = (plain_t){.runs = 0};
  uvf_flowvar_t *fv = promise(&task, NULL);
  uvf_spawn_options_t with_value = {.value_size = 1};
  assert_int_equal(uvf_then(fv, p.ex, notes_order, &with_value, NULL), 0);
  assert_int_equal(uvf_then(fv, p.ex, notes_zero, NULL, NULL), 0);
  assert_int_equal(start_await(&h, &op, fv, UVF_FOREVER), 0);
  for (int i = 0; i < FOLLOWERS; i++)
    assert_int_equal(uvf_then(fv, p.ex, plain_run, NULL, &after[i]), 0);
  assert_int_equal(uvf_then(fv, p.ex, notes_order, &with_value, NULL), 0);
  assert_int_equal(uvf_task_finish(task, 0, NULL), 0);
  pool_run(&p);
  assert_int_equal(runs, 3);
  assert_int_equal(order_of_runs[0] * 100 + order_of_runs[1] * 10 + order_of_runs[2], 101);
  assert_int_equal(plain.runs, FOLLOWERS);
  for (int i = 0; i < FOLLOWERS; i++) {
    assert_int_equal(uvf_try_await(after[i]), 0);
    uvf_flowvar_release(after[i]);
  }
  test_host_run(&h);
  expect_done(&op, 0);
  uvf_flowvar_release(fv);
  test_host_detach(&h);
  pool_close(&p);
}

/* ---- other executors ---- */

/* A pool's work, then a loop's thread, then threads, then libuv has no part in it: each runs where it should. */
static void from_one_executor_to_another(void **state) {
  (void)state;
  pool_t p;
  threads_t t;
  test_host_t h;
  op_t op = {0};
  work_t third = {.value = item(3, 3)}, second = {.value = item(2, 2), .next = &third},
         first = {.value = item(1, 1), .next = &second};
  threads_open(&t, 1);
  pool_open(&p, false);
  loop_open(&h, 0);
  uvf_flowvar_t *a = spawn(t.ex, &first, NULL), *b = then_next(a, uvf_loop_executor(h.loop), NULL),
                *c = then_next(b, p.ex, NULL);
  assert_int_equal(start_await(&h, &op, b, UVF_FOREVER), 0);
  test_host_run_until(&h, &op.calls, 1);
  expect_done(&op, 0);
  assert_false(pthread_equal(first.thread, pthread_self()));
  assert_true(pthread_equal(second.thread, pthread_self()));
  pool_run(&p);
  expect_made(c, item(3, 3));
  assert_true(same(third.before, item(2, 2)));
  uvf_flowvar_release(a);
  uvf_flowvar_release(b);
  uvf_flowvar_release(c);
  test_host_detach(&h);
  pool_close(&p);
  threads_close(&t);
}

/* ---- against the end ---- */

typedef struct {
  uv_barrier_t gate;
  uvf_task_t *task;
  work_t *next;
  int status;
} finisher_t;

static void finishes(void *arg) {
  finisher_t *f = arg;
  value_t v = {.what = item(7, 7), .next = f->next};
  (void)uv_barrier_wait(&f->gate);
  (void)uvf_task_finish(f->task, f->status, &v);
}

/* The flowvar ends while somebody asks for a continuation: it runs once, or ends with the error. */
static void asked_for_against_the_end(void **state) {
  (void)state;
  threads_t pool;
  threads_open(&pool, 1);
  for (int round = 0; round < ROUNDS; round++) {
    thread_t id;
    work_t next = {.value = item(8, 8)};
    finisher_t f = {.next = &next, .status = round % 3 == 0 ? UV_EIO : 0};
    assert_int_equal(uv_barrier_init(&f.gate, 2), 0);
    uvf_flowvar_t *fv = promise(&f.task, NULL);
    thread_start(&id, finishes, &f);
    (void)uv_barrier_wait(&f.gate);
    uvf_flowvar_t *after = then_next(fv, pool.ex, NULL);
    uvf_flowvar_release(fv);
    assert_int_equal(uvf_await_sync(after, UVF_FOREVER), f.status);
    assert_int_equal(atomic_load(&next.runs), f.status == 0 ? 1 : 0);
    uvf_flowvar_release(after);
    thread_join(&id);
    uv_barrier_destroy(&f.gate);
  }
  threads_close(&pool);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      UVF_TEST(the_value_is_passed_on_and_stays),
      UVF_TEST(after_a_flowvar_without_a_value),
      UVF_TEST(it_holds_what_it_follows),
      UVF_TEST(nobody_asks_for_it),
      UVF_TEST(on_an_ended_flowvar),
      UVF_TEST(on_a_taken_value),
      UVF_TEST(an_error_skips_what_follows),
      UVF_TEST(an_error_in_the_middle),
      UVF_TEST(many_follow_one),
      UVF_TEST(from_one_executor_to_another),
      UVF_TEST(asked_for_against_the_end),
  };
  return RUN_TESTS(tests);
}
