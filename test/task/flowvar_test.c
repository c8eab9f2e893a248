/* SPDX-License-Identifier: MIT */
/* Spawning: what the work gets, how its answer reads, and what becomes of its arg and its value, each in exactly one way: taken,
 * dropped or forgotten. Promises 1 (each value ends in one way) and 11 (misuse is a code). */
#include "task/task_fixture.h"

enum { TAKERS = 8, LARGE = 100000 };

#if defined(__SANITIZE_THREAD__)
enum { ROUNDS = 100 };
#else
enum { ROUNDS = 500 };
#endif

/* ---- spawning ---- */

static void all_that_is_optional_is_left_out(void **state) {
  (void)state;
  pool_t p;
  work_t w = {.value = item(1, 1)};
  pool_open(&p, false);
  assert_int_equal(uvf_spawn(p.ex, work_run, &w, NULL, NULL), 0);
  assert_int_equal(pool_waiting(&p), 1); /* it has not run inside the call */
  assert_int_equal(atomic_load(&w.runs), 0);
  pool_run(&p);
  assert_int_equal(atomic_load(&w.runs), 1);
  assert_null(w.place);
  assert_int_equal(counts_of(p.ex).done, 1);
  pool_close(&p);
}

static void a_flowvar_without_a_value(void **state) {
  (void)state;
  pool_t p;
  work_t w = {0};
  uvf_flowvar_t *fv = NULL;
  pool_open(&p, false);
  assert_int_equal(uvf_spawn(p.ex, work_run, &w, NULL, &fv), 0);
  assert_int_equal(uvf_try_await(fv), UV_EAGAIN);
  assert_null(uvf_flowvar_value(fv));
  assert_int_equal(uvf_flowvar_take(fv, NULL), UV_EAGAIN);
  pool_run(&p);
  assert_null(w.place);
  assert_int_equal(uvf_try_await(fv), 0);
  assert_non_null(uvf_flowvar_value(fv)); /* no bytes, but an address */
  assert_int_equal(uvf_flowvar_take(fv, NULL), 0);
  assert_null(uvf_flowvar_value(fv));
  assert_int_equal(uvf_flowvar_take(fv, NULL), UV_EALREADY);
  assert_int_equal(uvf_try_await(fv), 0);
  uvf_flowvar_release(fv);
  pool_close(&p);
}

static void the_value_lies_in_zeroed_memory_and_is_borrowed(void **state) {
  (void)state;
  pool_t p;
  drops_t d = {0};
  work_t w = {.value = item(2, 7)};
  pool_open(&p, false);
  uvf_flowvar_t *fv = spawn(p.ex, &w, &d);
  assert_null(uvf_flowvar_value(fv));
  pool_run(&p);
  assert_false(w.dirty);
  expect_made(fv, item(2, 7));
  assert_ptr_equal(uvf_flowvar_value(fv), w.place); /* nobody has copied it */
  uvf_flowvar_t *other = uvf_flowvar_retain(fv);
  assert_ptr_equal(other, fv);
  uvf_flowvar_release(fv);
  expect_made(other, item(2, 7));
  assert_int_equal(atomic_load(&d.values), 0);
  uvf_flowvar_release(other);
  assert_int_equal(atomic_load(&d.values), 1);
  assert_true(same(d.value.what, item(2, 7)));
  pool_close(&p);
}

static void a_taken_value_is_the_takers(void **state) {
  (void)state;
  pool_t p;
  drops_t d = {0};
  value_t v, again = {.what = item(9, 9)};
  work_t w = {.value = item(3, 1)};
  pool_open(&p, false);
  uvf_flowvar_t *fv = spawn(p.ex, &w, &d);
  assert_int_equal(uvf_flowvar_take(fv, &v), UV_EAGAIN);
  pool_run(&p);
  assert_int_equal(uvf_flowvar_take(fv, &v), 0);
  assert_true(same(v.what, item(3, 1)));
  assert_int_equal(uvf_flowvar_take(fv, &again), UV_EALREADY);
  assert_true(same(again.what, item(9, 9))); /* not touched */
  assert_null(uvf_flowvar_value(fv));
  assert_int_equal(uvf_try_await(fv), 0);
  uvf_flowvar_release(fv);
  assert_int_equal(atomic_load(&d.values), 0);
  pool_close(&p);
}

static int fills_large(uvf_task_t *task, void *arg, void *value) {
  (void)task;
  size_t n = *(const size_t *)arg;
  if (n > 0) memset(value, (int)(n % 251), n);
  return 0;
}

static void values_and_args_of_any_size(void **state) {
  (void)state;
  static const size_t sizes[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 24, 31, 32, 33, 63, 64, 65, 4096, LARGE};
  static unsigned char out[LARGE];
  pool_t p;
  pool_open(&p, false);
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    size_t n = sizes[i], wrong = 0;
    uvf_flowvar_t *fv;
    uvf_spawn_options_t o = {.value_size = n, .arg_size = sizeof n};
    assert_int_equal(uvf_spawn(p.ex, fills_large, &n, &o, &fv), 0);
    n = 0; /* it was copied */
    pool_run(&p);
    assert_int_equal((uintptr_t)uvf_flowvar_value(fv) % sizeof(void *), 0);
    assert_int_equal(uvf_flowvar_take(fv, out), 0);
    for (size_t at = 0; at < sizes[i]; at++)
      wrong += out[at] != sizes[i] % 251;
    assert_int_equal(wrong, 0);
    uvf_flowvar_release(fv);
  }
  pool_close(&p);
}

/* ---- the arg ---- */

typedef struct {
  char bytes[200];
  int *sum;
} big_arg_t;

static int adds_up(uvf_task_t *task, void *arg, void *value) {
  const big_arg_t *a = arg;
  (void)task;
  (void)value;
  for (size_t i = 0; i < sizeof a->bytes; i++)
    *a->sum += a->bytes[i];
  return (uintptr_t)arg % _Alignof(big_arg_t) != 0 ? UV_EFAULT : 0;
}

static void a_copied_arg_is_the_works(void **state) {
  (void)state;
  pool_t p;
  int sum = 0;
  big_arg_t a = {.sum = &sum};
  uvf_flowvar_t *fv;
  pool_open(&p, false);
  for (size_t value_size = 0; value_size < 20; value_size++) {
    uvf_spawn_options_t o = {.value_size = value_size, .arg_size = sizeof a};
    sum = 0;
    memset(a.bytes, 3, sizeof a.bytes);
    assert_int_equal(uvf_spawn(p.ex, adds_up, &a, &o, &fv), 0);
    memset(a.bytes, 7, sizeof a.bytes);
    pool_run(&p);
    assert_int_equal(uvf_try_await(fv), 0);
    assert_int_equal(sum, 3 * (int)sizeof a.bytes);
    uvf_flowvar_release(fv);
  }
  pool_close(&p);
}

static void an_arg_is_not_dropped_if_the_work_ran(void **state) {
  (void)state;
  static const int results[] = {0, UV_EIO, 5};
  pool_t p;
  pool_open(&p, false);
  for (size_t i = 0; i < sizeof results / sizeof results[0]; i++) {
    drops_t d = {0};
    work_t w = {.result = results[i]};
    uvf_spawn_options_t o = options_of(&d, true);
    uvf_flowvar_t *fv;
    assert_int_equal(uvf_spawn(p.ex, work_run, &w, &o, &fv), 0);
    pool_run(&p);
    uvf_flowvar_release(fv);
    assert_int_equal(atomic_load(&d.args), 0);
    assert_int_equal(atomic_load(&d.values), results[i] == 0 ? 1 : 0);
  }
  pool_close(&p);
}

static void an_arg_whose_work_never_ran_is_dropped_once(void **state) {
  (void)state;
  for (int copied = 0; copied <= 1; copied++)
    for (int by_abort = 0; by_abort <= 1; by_abort++) {
      pool_t p;
      drops_t d = {0};
      work_t w = {0};
      uvf_flowvar_t *fv;
      pool_open(&p, false);
      uvf_spawn_options_t o = options_of(&d, true);
      if (copied) o.arg_size = sizeof w;
      assert_int_equal(uvf_spawn(p.ex, work_run, &w, &o, &fv), 0);
      assert_int_equal(by_abort ? uvf_executor_abort(p.ex) : uvf_flowvar_cancel(fv), 0);
      assert_int_equal(atomic_load(&d.args), 1);
      assert_int_equal(d.arg == &w, !copied); /* what the work would have got */
      assert_int_equal(uvf_try_await(fv), UV_ECANCELED);
      assert_null(uvf_flowvar_value(fv));
      assert_int_equal(uvf_flowvar_take(fv, &w), UV_ECANCELED);
      pool_run(&p);
      uvf_flowvar_release(fv);
      pool_close(&p);
      assert_int_equal(atomic_load(&w.runs), 0);
      assert_int_equal(atomic_load(&d.args), 1);
      assert_int_equal(atomic_load(&d.values), 0);
    }
}

static void after_an_error_the_arg_is_the_callers(void **state) {
  (void)state;
  pool_t p;
  drops_t d = {0};
  work_t w = {0};
  uvf_executor_t *lane;
  uvf_flowvar_t *fv, *none = NULL;
  uvf_spawn_options_t o = options_of(&d, true);
  uvf_lane_options_t one = {.max_running = 1, .capacity = 1};
  pool_open(&p, false);
  long blocks = fault_blocks();
  static const int refusals[] = {UV_EIO, UV_EAGAIN, UV_EPIPE, INT32_MIN};
  for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
    p.refuse = refusals[i];
    assert_int_equal(uvf_spawn(p.ex, work_run, &w, &o, &none), refusals[i]); /* what the user's pool says */
    assert_int_equal(uvf_spawn(p.ex, work_run, &w, &o, NULL), refusals[i]);
  }
  p.refuse = 1;
  assert_int_equal(uvf_spawn(p.ex, work_run, &w, &o, &none), UV_EINVAL); /* it may not say that */
  p.refuse = 0;
  assert_int_equal(fault_blocks(), blocks);
  assert_int_equal(uvf_lane_create(p.ex, &one, &lane), 0);
  assert_int_equal(uvf_spawn(lane, work_run, &w, &o, &fv), 0);
  assert_int_equal(uvf_spawn(lane, work_run, &w, &o, &none), UV_EAGAIN);
  assert_int_equal(uvf_executor_close(lane), 0);
  assert_int_equal(uvf_spawn(lane, work_run, &w, &o, &none), UV_EPIPE);
  assert_null(none);
  assert_int_equal(atomic_load(&d.args), 0);
  pool_run(&p);
  assert_int_equal(atomic_load(&w.runs), 1);
  uvf_flowvar_release(fv);
  uvf_executor_release(lane);
  pool_close(&p);
}

/* ---- answers ---- */

static void what_the_work_returns_is_the_outcome(void **state) {
  (void)state;
  static const struct {
    int returns, outcome;
  } rows[] = {{0, 0},
              {UV_EIO, UV_EIO},
              {UV_ECANCELED, UV_ECANCELED},
              {UV_ETIMEDOUT, UV_ETIMEDOUT},
              {UV_EOF, UV_EOF},
              {UVF_EDEADLK, UVF_EDEADLK},
              {-1, -1},
              {INT32_MIN, INT32_MIN},
              {UV_EAGAIN, UV_EBUSY}, /* it would read as "not yet" */
              {2, UV_EINVAL},
              {INT32_MAX, UV_EINVAL}};
  pool_t p;
  test_host_t h;
  pool_open(&p, false);
  loop_open(&h, 0);
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    drops_t d = {0};
    op_t op = {0};
    value_t v;
    work_t w = {.result = rows[i].returns, .value = item(1, 1)};
    uvf_flowvar_t *fv = spawn(p.ex, &w, &d);
    assert_int_equal(start_await(&h, &op, fv, UVF_FOREVER), 0);
    pool_run(&p);
    test_host_run(&h);
    expect_done(&op, rows[i].outcome);
    assert_int_equal(uvf_try_await(fv), rows[i].outcome);
    assert_int_equal(uvf_flowvar_value(fv) != NULL, rows[i].outcome == 0);
    assert_int_equal(uvf_flowvar_take(fv, &v), rows[i].outcome);
    assert_int_equal(uvf_flowvar_cancel(fv), UV_EALREADY);
    uvf_flowvar_release(fv);
    assert_int_equal(atomic_load(&d.values), 0); /* taken, or forgotten */
  }
  assert_int_equal(counts_of(p.ex).done, 1);
  assert_int_equal(counts_of(p.ex).failed, sizeof rows / sizeof rows[0] - 1);
  test_host_detach(&h);
  pool_close(&p);
}

/* ---- abandoning ---- */

static void abandons(work_t *w, uvf_task_t *task) {
  uvf_flowvar_release(w->data);
  w->seen = uvf_task_cancelled(task); /* it was not asked to stop */
}

enum { NEVER_ASKED, BEFORE, DURING, AFTER, TIMES };

static void an_abandoned_value_is_dropped_once(void **state) {
  (void)state;
  for (int when = 0; when < TIMES; when++)
    for (int result = 0; result >= UV_EIO; result += UV_EIO) {
      pool_t p;
      drops_t d = {0};
      work_t w = {.result = result, .value = item(1, 4)};
      uvf_spawn_options_t o = options_of(&d, true);
      uvf_flowvar_t *fv = NULL;
      pool_open(&p, false);
      assert_int_equal(uvf_spawn(p.ex, work_run, &w, &o, when == NEVER_ASKED ? NULL : &fv), 0);
      if (when == BEFORE) uvf_flowvar_release(fv);
      if (when == DURING) {
        w.inside = abandons;
        w.data = fv;
      }
      assert_int_equal(atomic_load(&w.runs), 0);
      pool_run(&p);
      assert_int_equal(atomic_load(&w.runs), 1); /* the work goes on */
      assert_int_equal(w.seen, 0);
      if (when == AFTER) {
        assert_int_equal(atomic_load(&d.values), 0);
        uvf_flowvar_release(fv);
      }
      assert_int_equal(atomic_load(&d.values), result == 0 ? 1 : 0);
      if (result == 0) assert_true(same(d.value.what, item(1, 4)));
      pool_close(&p);
      assert_int_equal(atomic_load(&d.args), 0);
    }
}

/* Nobody waits for the work: neither who abandons it nor who gives up the executor. */
static void abandoned_before_its_executor(void **state) {
  (void)state;
  pool_t p;
  drops_t d = {0};
  work_t w = {.value = item(1, 4)};
  pool_open(&p, false);
  uvf_flowvar_release(spawn(p.ex, &w, &d));
  uvf_executor_release(p.ex);
  p.ex = NULL;
  assert_int_equal(atomic_load(&w.runs), 0);
  pool_run(&p);
  assert_int_equal(atomic_load(&w.runs), 1);
  assert_int_equal(atomic_load(&d.values), 1);
  pool_close(&p);
}

/* ---- many threads ---- */

typedef struct {
  uvf_flowvar_t *fv;
  uv_barrier_t *gate;
  int result;
  value_t value;
  bool release;
} taker_t;

/* Yields only now and then: a look should be as likely as can be at the moment of the end. */
static void takes(void *arg) {
  taker_t *t = arg;
  (void)uv_barrier_wait(t->gate);
  for (unsigned i = 1; (t->result = uvf_flowvar_take(t->fv, &t->value)) == UV_EAGAIN; i++)
    if (i % 64 == 0) (void)sched_yield();
  if (t->release) uvf_flowvar_release(t->fv);
}

/* Threads that poll while the work ends, on another thread: one of them gets it, and each of the others hears that it was taken. */
static void one_of_many_threads_takes_it(void **state) {
  (void)state;
  threads_t pool;
  threads_open(&pool, 1);
  for (int round = 0; round < ROUNDS / 10; round++) {
    thread_t ids[TAKERS];
    taker_t takers[TAKERS];
    uv_barrier_t gate;
    drops_t d = {0};
    work_t w = {.value = item(5, (uint32_t)round)};
    int got = 0;
    assert_int_equal(uv_barrier_init(&gate, TAKERS + 1), 0);
    assert_int_equal(uvf_executor_pause(pool.ex), 0);
    uvf_flowvar_t *fv = spawn(pool.ex, &w, &d);
    for (int i = 0; i < TAKERS; i++) {
      takers[i] = (taker_t){.fv = fv, .gate = &gate};
      thread_start(&ids[i], takes, &takers[i]);
    }
    (void)uv_barrier_wait(&gate);
    assert_int_equal(uvf_executor_resume(pool.ex), 0);
    for (int i = 0; i < TAKERS; i++) {
      thread_join(&ids[i]);
      got += takers[i].result == 0;
      if (takers[i].result == 0) assert_true(same(takers[i].value.what, w.value));
      if (takers[i].result != 0) assert_int_equal(takers[i].result, UV_EALREADY);
    }
    uv_barrier_destroy(&gate);
    assert_int_equal(got, 1);
    uvf_flowvar_release(fv);
    assert_int_equal(atomic_load(&d.values), 0);
  }
  threads_close(&pool);
}

/* A single poller, and nobody who could take it from him: so he never hears UV_EALREADY. */
static void a_poller_never_misses_the_end(void **state) {
  (void)state;
  for (int round = 0; round < ROUNDS * 2; round++) {
    thread_t id;
    taker_t taker;
    uv_barrier_t gate;
    drops_t d = {0};
    uvf_task_t *task;
    value_t v = {.what = item(1, 2)};
    assert_int_equal(uv_barrier_init(&gate, 2), 0);
    uvf_flowvar_t *fv = promise(&task, &d);
    taker = (taker_t){.fv = fv, .gate = &gate};
    thread_start(&id, takes, &taker);
    (void)uv_barrier_wait(&gate);
    for (int i = 0; i < round % 64; i++)
      atomic_signal_fence(memory_order_seq_cst);
    assert_int_equal(uvf_task_finish(task, 0, &v), 0);
    thread_join(&id);
    uv_barrier_destroy(&gate);
    uvf_flowvar_release(fv);
    assert_int_equal(taker.result, 0);
    assert_int_equal(atomic_load(&d.values), 0);
  }
}

/* Each thread gives up its reference when it has tried; the value is dropped iff nobody took it. */
static void taking_against_abandoning_and_the_end(void **state) {
  (void)state;
  threads_t pool;
  threads_open(&pool, 1);
  for (int round = 0; round < ROUNDS; round++) {
    thread_t id;
    taker_t taker;
    uv_barrier_t gate;
    drops_t d = {0};
    work_t w = {.value = item(5, (uint32_t)round), .result = round % 5 == 4 ? UV_EIO : 0};
    long blocks = fault_blocks();
    assert_int_equal(uv_barrier_init(&gate, 2), 0);
    uvf_flowvar_t *fv = spawn(pool.ex, &w, &d);
    taker = (taker_t){.fv = uvf_flowvar_retain(fv), .gate = &gate, .release = true};
    thread_start(&id, takes, &taker);
    (void)uv_barrier_wait(&gate);
    uvf_flowvar_release(fv);
    thread_join(&id);
    until_freed(blocks);
    uv_barrier_destroy(&gate);
    assert_int_equal(taker.result, w.result);
    assert_int_equal(atomic_load(&d.values), 0);
  }
  threads_close(&pool);
}

static void abandoning_against_the_end(void **state) {
  (void)state;
  threads_t pool;
  threads_open(&pool, 1);
  drops_t d = {0};
  int done = 0;
  static work_t works[ROUNDS * 4];
  long blocks = fault_blocks();
  for (int round = 0; round < ROUNDS * 4; round++) {
    works[round] = (work_t){.value = item(5, (uint32_t)round), .result = round % 5 == 4 ? UV_EIO : 0};
    done += works[round].result == 0;
    uvf_flowvar_release(spawn(pool.ex, &works[round], &d));
  }
  until_freed(blocks);
  assert_int_equal(atomic_load(&d.values), done);
  threads_close(&pool);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      UVF_TEST(all_that_is_optional_is_left_out),
      UVF_TEST(a_flowvar_without_a_value),
      UVF_TEST(the_value_lies_in_zeroed_memory_and_is_borrowed),
      UVF_TEST(a_taken_value_is_the_takers),
      UVF_TEST(values_and_args_of_any_size),
      UVF_TEST(a_copied_arg_is_the_works),
      UVF_TEST(an_arg_is_not_dropped_if_the_work_ran),
      UVF_TEST(an_arg_whose_work_never_ran_is_dropped_once),
      UVF_TEST(after_an_error_the_arg_is_the_callers),
      UVF_TEST(what_the_work_returns_is_the_outcome),
      UVF_TEST(an_abandoned_value_is_dropped_once),
      UVF_TEST(abandoned_before_its_executor),
      UVF_TEST(one_of_many_threads_takes_it),
      UVF_TEST(a_poller_never_misses_the_end),
      UVF_TEST(taking_against_abandoning_and_the_end),
      UVF_TEST(abandoning_against_the_end),
  };
  return RUN_TESTS(tests);
}
