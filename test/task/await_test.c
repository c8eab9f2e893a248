/* SPDX-License-Identifier: MIT */
/* Awaiting one flowvar: by many, on loops and in blocked threads, before and after it ends. Each is told once; a wait that ends by
 * itself leaves the work alone. Promises 2, 3, 4. */
#include "task/task_fixture.h"

enum { LOOPS = 3, EACH = 10, BLOCKED = 20 };

#if defined(__SANITIZE_THREAD__)
enum { ROUNDS = 100 };
#else
enum { ROUNDS = 400 };
#endif

/* ---- many ---- */

/* More than are told at a time, of both sorts. */
static void each_of_many_awaiters_is_told_once(void **state) {
  (void)state;
  for (int result = 0; result >= UV_EIO; result += UV_EIO) {
    pool_t p;
    test_host_t h[LOOPS];
    op_t ops[LOOPS][EACH];
    awaiter_t blocked[BLOCKED];
    drops_t d = {0};
    work_t w = {.result = result, .value = item(1, 1)};
    memset(ops, 0, sizeof ops);
    pool_open(&p, false);
    uvf_flowvar_t *fv = spawn(p.ex, &w, &d);
    for (uint32_t i = 0; i < BLOCKED; i++)
      awaiter_start(&blocked[i], fv, UVF_FOREVER, i + 1);
    for (int l = 0; l < LOOPS; l++) {
      loop_open(&h[l], 0);
      for (int i = 0; i < EACH; i++)
        assert_int_equal(start_await(&h[l], &ops[l][i], fv, i % 2 == 0 ? UVF_FOREVER : 1000), 0);
      test_host_run(&h[l]);
      expect_pending(&ops[l][0]);
    }
    pool_run(&p);
    for (int l = 0; l < LOOPS; l++) {
      expect_pending(&ops[l][0]); /* on its own loop, in a turn of that */
      test_host_run(&h[l]);
      for (int i = 0; i < EACH; i++)
        expect_done(&ops[l][i], result);
      expect_idle(&h[l], false);
      test_host_detach(&h[l]);
    }
    for (int i = 0; i < BLOCKED; i++)
      assert_int_equal(awaiter_join(&blocked[i]), result);
    uvf_flowvar_release(fv);
    assert_int_equal(atomic_load(&d.values), result == 0 ? 1 : 0);
    pool_close(&p);
  }
}

static void awaiting_after_the_end(void **state) {
  (void)state;
  static const uint64_t timeouts[] = {UVF_NOWAIT, 10, UVF_FOREVER};
  for (int result = 0; result >= UV_EIO; result += UV_EIO) {
    pool_t p;
    test_host_t h;
    value_t v;
    work_t w = {.result = result};
    pool_open(&p, false);
    loop_open(&h, 0);
    uvf_flowvar_t *fv = spawn(p.ex, &w, NULL);
    pool_run(&p);
    for (int taken = 0; taken <= 1; taken++) {
      for (int i = 0; i < 3; i++) {
        op_t op = {0};
        awaiter_t a;
        assert_int_equal(start_await(&h, &op, fv, timeouts[i]), 0);
        expect_pending(&op);
        assert_int_equal(uvf_cancel(&op.req), UV_EALREADY);
        test_host_run(&h);
        expect_done(&op, result);
        awaiter_start(&a, fv, timeouts[i], 0);
        assert_int_equal(awaiter_join(&a), result);
      }
      assert_int_equal(uvf_flowvar_take(fv, &v), taken == 0 || result != 0 ? result : UV_EALREADY);
    }
    assert_int_equal(waits_on(fv), 0);
    uvf_flowvar_release(fv);
    test_host_detach(&h);
    pool_close(&p);
  }
}

/* ---- waits that end by themselves ---- */

static void promise_4_a_wait_that_ends_leaves_the_work_alone(void **state) {
  (void)state;
  pool_t p;
  test_host_t h;
  op_t ops[4];
  drops_t d = {0};
  work_t w = {.value = item(1, 3)};
  memset(ops, 0, sizeof ops);
  pool_open(&p, false);
  loop_open(&h, 0);
  uvf_flowvar_t *fv = spawn(p.ex, &w, &d);
  for (int i = 0; i < 4; i++)
    assert_int_equal(start_await(&h, &ops[i], fv, i == 1 ? 10 : i == 3 ? UVF_NOWAIT : UVF_FOREVER), 0);
  assert_int_equal(uvf_cancel(&ops[0].req), 0);
  assert_int_equal(uvf_cancel(&ops[0].req), UV_EALREADY);
  test_host_advance(&h, 9);
  expect_done(&ops[0], UV_ECANCELED);
  expect_done(&ops[3], UV_ETIMEDOUT);
  expect_pending(&ops[1]);
  test_host_advance(&h, 1);
  expect_done(&ops[1], UV_ETIMEDOUT);
  assert_int_equal(uvf_try_await(fv), UV_EAGAIN); /* it was the wait */
  expect_pending(&ops[2]);
  pool_run(&p);
  assert_int_equal(uvf_cancel(&ops[2].req), UV_EALREADY); /* too late */
  test_host_run(&h);
  expect_done(&ops[2], 0);
  expect_made(fv, item(1, 3));
  assert_int_equal(ops[0].calls + ops[1].calls + ops[3].calls, 0);
  uvf_flowvar_release(fv);
  test_host_detach(&h);
  pool_close(&p);
}

static void a_blocked_wait_times_out(void **state) {
  (void)state;
  pool_t p;
  work_t w = {0};
  pool_open(&p, false);
  uvf_flowvar_t *fv = spawn(p.ex, &w, NULL);
  for (uint64_t timeout = UVF_NOWAIT; timeout <= 1; timeout++)
    assert_int_equal(uvf_await_sync(fv, timeout), UV_ETIMEDOUT);
  assert_int_equal(uvf_try_await(fv), UV_EAGAIN);
  pool_run(&p);
  assert_int_equal(uvf_await_sync(fv, UVF_NOWAIT), 0);
  uvf_flowvar_release(fv);
  pool_close(&p);
}

/* The wait's own codes, returned by the work: uvf_try_await tells which it was. */
static void a_code_of_the_wait_as_the_outcome(void **state) {
  (void)state;
  static const int codes[] = {UV_ETIMEDOUT, UV_ECANCELED};
  pool_t p;
  test_host_t h;
  pool_open(&p, false);
  loop_open(&h, 0);
  for (int i = 0; i < 2; i++) {
    op_t op = {0};
    work_t w = {.result = codes[i]};
    uvf_flowvar_t *fv = spawn(p.ex, &w, NULL);
    assert_int_equal(start_await(&h, &op, fv, UVF_FOREVER), 0);
    pool_run(&p);
    test_host_run(&h);
    expect_done(&op, codes[i]);
    assert_int_equal(uvf_try_await(fv), codes[i]);
    uvf_flowvar_release(fv);
  }
  test_host_detach(&h);
  pool_close(&p);
}

/* ---- loops that go ---- */

static void a_detach_ends_the_wait_alone(void **state) {
  (void)state;
  pool_t p;
  test_host_t h, other;
  op_t op = {0}, told = {0}, late = {0};
  work_t w = {.value = item(1, 1)};
  pool_open(&p, false);
  loop_open(&h, 0);
  loop_open(&other, 0);
  uvf_flowvar_t *fv = spawn(p.ex, &w, NULL);
  assert_int_equal(start_await(&h, &op, fv, UVF_FOREVER), 0);
  assert_int_equal(start_await(&other, &told, fv, UVF_FOREVER), 0);
  uvf_loop_t *loop = uvf_loop_retain(h.loop);
  assert_int_equal(test_host_detach_start(&h), 0);
  assert_int_equal(start_await(&h, &late, fv, UVF_FOREVER), UV_ECANCELED); /* detaching */
  test_host_finish(&h);
  expect_done(&op, UV_ECANCELED);
  assert_int_equal(uvf_await(loop, &late.req, fv, 0, op_done), UV_ECANCELED); /* detached */
  assert_false(uvf_req_active(&late.req));
  uvf_loop_release(loop);
  pool_run(&p);
  test_host_detach(&other); /* it was told before that */
  expect_done(&told, 0);
  assert_int_equal(late.calls, 0);
  expect_made(fv, item(1, 1));
  uvf_flowvar_release(fv);
  pool_close(&p);
}

static void a_pending_await_keeps_its_loop_alive(void **state) {
  (void)state;
  pool_t p;
  test_host_t h;
  op_t op = {0};
  work_t w = {0};
  pool_open(&p, false);
  loop_open(&h, 0);
  uvf_flowvar_t *fv = spawn(p.ex, &w, NULL);
  expect_idle(&h, false);
  assert_int_equal(start_await(&h, &op, fv, UVF_FOREVER), 0);
  test_host_run(&h);
  expect_idle(&h, true);
  uvf_req_unref(&op.req);
  expect_idle(&h, false);
  pool_run(&p);
  test_host_run(&h);
  expect_done(&op, 0);
  expect_idle(&h, false);
  uvf_flowvar_release(fv);
  test_host_detach(&h);
  pool_close(&p);
}

/* ---- in the callback ---- */

typedef struct {
  op_t *op;
  test_host_t *h;
  uvf_flowvar_t *fv;
  int left, result;
  value_t value;
} then_t;

static void awaits_again(void *arg) {
  then_t *t = arg;
  if (t->left-- > 0) t->result |= start_await(t->h, t->op, t->fv, UVF_FOREVER);
}

static void promise_3_the_request_may_be_started_in_its_callback(void **state) {
  (void)state;
  pool_t p;
  test_host_t h;
  op_t op = {0};
  work_t w = {0};
  pool_open(&p, false);
  loop_open(&h, 0);
  then_t t = {.op = &op, .h = &h, .left = 3};
  t.fv = spawn(p.ex, &w, NULL);
  op.then = awaits_again;
  op.arg = &t;
  assert_int_equal(start_await(&h, &op, t.fv, UVF_FOREVER), 0);
  pool_run(&p);
  test_host_run(&h);
  assert_int_equal(t.result, 0);
  assert_int_equal(op.calls, 4);
  op.calls = 1;
  expect_done(&op, 0);
  uvf_flowvar_release(t.fv);
  test_host_detach(&h);
  pool_close(&p);
}

static void takes_and_releases(void *arg) {
  then_t *t = arg;
  t->result = uvf_flowvar_take(t->fv, &t->value);
  uvf_flowvar_release(t->fv);
}

static void just_releases(void *arg) {
  uvf_flowvar_release(((then_t *)arg)->fv);
}

static void just_detaches(void *arg) {
  then_t *t = arg;
  t->result = test_host_detach_start(t->h);
}

static void promise_3_the_last_reference_goes_in_the_callback(void **state) {
  (void)state;
  for (int take = 0; take <= 1; take++) {
    pool_t p;
    test_host_t h;
    op_t op = {0};
    drops_t d = {0};
    work_t w = {.value = item(4, 4)};
    pool_open(&p, false);
    loop_open(&h, 0);
    then_t t = {.op = &op, .h = &h, .fv = spawn(p.ex, &w, &d)};
    op.then = take ? takes_and_releases : just_releases;
    op.arg = &t;
    assert_int_equal(start_await(&h, &op, t.fv, UVF_FOREVER), 0);
    pool_run(&p);
    test_host_run(&h);
    expect_done(&op, 0);
    assert_int_equal(t.result, 0);
    if (take) assert_true(same(t.value.what, item(4, 4)));
    assert_int_equal(atomic_load(&d.values), take ? 0 : 1);
    test_host_detach(&h);
    pool_close(&p);
  }
}

static void promise_3_the_loop_is_detached_in_the_callback(void **state) {
  (void)state;
  pool_t p;
  test_host_t h;
  op_t op = {0}, pending = {0};
  work_t w = {0}, never = {0};
  pool_open(&p, false);
  loop_open(&h, 0);
  then_t t = {.h = &h};
  uvf_flowvar_t *fv = spawn(p.ex, &w, NULL);
  w.pool = &p;
  uvf_flowvar_t *other = spawn(p.ex, &never, NULL);
  op.then = just_detaches;
  op.arg = &t;
  assert_int_equal(start_await(&h, &op, fv, UVF_FOREVER), 0);
  assert_int_equal(start_await(&h, &pending, other, UVF_FOREVER), 0);
  assert_true(pool_step(&p));
  assert_int_equal(uvf_try_await(other), UV_EAGAIN);
  test_host_run(&h);
  test_host_finish(&h);
  expect_done(&op, 0);
  expect_done(&pending, UV_ECANCELED);
  assert_int_equal(t.result, 0);
  uvf_flowvar_release(fv);
  uvf_flowvar_release(other);
  pool_close(&p);
}

/* The request is a reference, until its callback has returned. */
static void the_request_holds_the_flowvar(void **state) {
  (void)state;
  pool_t p;
  test_host_t h;
  op_t op = {0};
  drops_t d = {0};
  work_t w = {.value = item(1, 1)};
  pool_open(&p, false);
  loop_open(&h, 0);
  uvf_flowvar_t *fv = spawn(p.ex, &w, &d);
  assert_int_equal(start_await(&h, &op, fv, UVF_FOREVER), 0);
  uvf_flowvar_release(fv);
  pool_run(&p);
  assert_int_equal(atomic_load(&d.values), 0);
  test_host_run(&h);
  expect_done(&op, 0);
  assert_int_equal(atomic_load(&d.values), 1);
  test_host_detach(&h);
  pool_close(&p);
}

/* ---- races ---- */

typedef struct {
  uv_barrier_t gate;
  uvf_task_t *task;
  int result;
} finisher_t;

static void finishes(void *arg) {
  finisher_t *f = arg;
  value_t v = {.what = item(7, 7)};
  (void)uv_barrier_wait(&f->gate);
  f->result = uvf_task_finish(f->task, 0, &v);
}

/* The end against a cancel, a timeout and a detach of waits, and against a blocked one that begins: whatever they say, each says it
 * once, and it is one of two things. */
static void the_end_against_the_end_of_waits(void **state) {
  (void)state;
  for (int round = 0; round < ROUNDS; round++) {
    test_host_t h;
    op_t ops[3];
    thread_t id;
    finisher_t f = {.result = 1};
    memset(ops, 0, sizeof ops);
    loop_open(&h, 0);
    assert_int_equal(uv_barrier_init(&f.gate, 2), 0);
    uvf_flowvar_t *fv = promise(&f.task, NULL);
    for (int i = 0; i < 3; i++)
      assert_int_equal(start_await(&h, &ops[i], fv, i == 1 ? 5 : UVF_FOREVER), 0);
    thread_start(&id, finishes, &f);
    (void)uv_barrier_wait(&f.gate);
    int cancel = uvf_cancel(&ops[0].req);
    test_host_advance(&h, 5);
    test_host_detach(&h);
    int blocked = uvf_await_sync(fv, UVF_FOREVER);
    thread_join(&id);
    uv_barrier_destroy(&f.gate);
    assert_int_equal(blocked, 0);
    assert_int_equal(f.result, 0);
    assert_true(cancel == 0 || cancel == UV_EALREADY);
    expect_done(&ops[0], cancel == 0 ? UV_ECANCELED : 0);
    assert_true(ops[1].status == UV_ETIMEDOUT || ops[1].status == 0);
    expect_done(&ops[1], ops[1].status);
    assert_true(ops[2].status == UV_ECANCELED || ops[2].status == 0);
    expect_done(&ops[2], ops[2].status);
    uvf_flowvar_release(fv);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      UVF_TEST(each_of_many_awaiters_is_told_once),
      UVF_TEST(awaiting_after_the_end),
      UVF_TEST(promise_4_a_wait_that_ends_leaves_the_work_alone),
      UVF_TEST(a_blocked_wait_times_out),
      UVF_TEST(a_code_of_the_wait_as_the_outcome),
      UVF_TEST(a_detach_ends_the_wait_alone),
      UVF_TEST(a_pending_await_keeps_its_loop_alive),
      UVF_TEST(promise_3_the_request_may_be_started_in_its_callback),
      UVF_TEST(promise_3_the_last_reference_goes_in_the_callback),
      UVF_TEST(promise_3_the_loop_is_detached_in_the_callback),
      UVF_TEST(the_request_holds_the_flowvar),
      UVF_TEST(the_end_against_the_end_of_waits),
  };
  return RUN_TESTS(tests);
}
