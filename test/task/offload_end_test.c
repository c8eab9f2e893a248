/* SPDX-License-Identifier: MIT */
/* Offloads that are cancelled, whose executor is aborted, or whose loop is detached: each has its callback, once, and nothing is left.
 * Promises 2, 13. */
#include "task/task_fixture.h"

enum { MANY = 20 };

/* ---- cancel ---- */

static void cancelled_before_it_runs(void **state) {
  (void)state;
  pool_t p;
  test_host_t h;
  op_t op = {0}, other = {0};
  work_t w = {0}, next = {0};
  pool_open(&p, false);
  loop_open(&h, 0);
  assert_int_equal(start_offload(&h, &op, p.ex, &w), 0);
  assert_int_equal(start_offload(&h, &other, p.ex, &next), 0);
  assert_int_equal(uvf_cancel(&op.req), 0);
  expect_pending(&op);
  assert_int_equal(uvf_cancel(&op.req), UV_EALREADY);
  assert_int_equal(counts_of(p.ex).queued, 1);
  assert_int_equal(counts_of(p.ex).cancelled, 1);
  test_host_run(&h);
  expect_done(&op, UV_ECANCELED);
  expect_pending(&other);
  pool_run(&p);
  test_host_run(&h);
  expect_done(&other, 0);
  assert_int_equal(atomic_load(&w.runs), 0);
  assert_int_equal(uvf_cancel(&op.req), UV_EALREADY); /* it is not started */
  test_host_detach(&h);
  pool_close(&p);
}

typedef struct {
  op_t *op;
  bool before, after;
  int first, second;
} asked_t;

static void is_asked(work_t *w, uvf_task_t *task) {
  asked_t *a = w->data;
  a->before = uvf_task_cancelled(task);
  a->first = uvf_cancel(&a->op->req); /* the test's pool runs it on the loop's thread */
  a->second = uvf_cancel(&a->op->req);
  a->after = uvf_task_cancelled(task);
}

static void case_49_cancelled_while_it_runs(void **state) {
  (void)state;
  for (int result = 0; result >= UV_EINTR; result += UV_EINTR) {
    pool_t p;
    test_host_t h;
    op_t op = {0};
    asked_t a = {.op = &op, .before = true};
    work_t w = {.result = result, .inside = is_asked, .data = &a};
    pool_open(&p, false);
    loop_open(&h, 0);
    assert_int_equal(start_offload(&h, &op, p.ex, &w), 0);
    pool_run(&p);
    assert_false(a.before);
    assert_int_equal(a.first, UV_EBUSY);
    assert_int_equal(a.second, UV_EBUSY);
    assert_true(a.after);
    expect_pending(&op);
    assert_int_equal(uvf_cancel(&op.req), UV_EALREADY); /* it has ended, and the callback is on its way */
    test_host_run(&h);
    expect_done(&op, result);
    test_host_detach(&h);
    pool_close(&p);
  }
}

static void cancelled_while_it_ends_later(void **state) {
  (void)state;
  pool_t p;
  test_host_t h;
  op_t op = {0};
  work_t w = {.result = UVF_LATER};
  pool_open(&p, false);
  loop_open(&h, 0);
  assert_int_equal(start_offload(&h, &op, p.ex, &w), 0);
  pool_run(&p);
  assert_int_equal(uvf_cancel(&op.req), UV_EBUSY);
  assert_true(uvf_task_cancelled(w.task));
  test_host_run(&h);
  expect_pending(&op);
  assert_int_equal(uvf_task_finish(w.task, UV_ECANCELED, NULL), 0);
  assert_int_equal(uvf_cancel(&op.req), UV_EALREADY);
  test_host_run(&h);
  expect_done(&op, UV_ECANCELED);
  test_host_detach(&h);
  pool_close(&p);
}

static void cancels_other(void *arg) {
  asked_t *a = arg;
  a->first = uvf_cancel(&a->op->req);
}

/* In the callback of one whose turn comes first: the other has ended, but has not been told. */
static void cancelled_when_its_callback_is_on_its_way(void **state) {
  (void)state;
  pool_t p;
  test_host_t h;
  op_t first = {0}, second = {0};
  work_t w = {0};
  pool_open(&p, false);
  loop_open(&h, 0);
  asked_t a = {.op = &second, .first = 1};
  first.then = cancels_other;
  first.arg = &a;
  assert_int_equal(start_offload(&h, &first, p.ex, &w), 0);
  assert_int_equal(start_offload(&h, &second, p.ex, &w), 0);
  pool_run(&p);
  test_host_run(&h);
  expect_done(&first, 0);
  expect_done(&second, 0);
  assert_int_equal(a.first, UV_EALREADY);
  test_host_detach(&h);
  pool_close(&p);
}

/* ---- abort ---- */

static void the_executor_is_aborted(void **state) {
  (void)state;
  pool_t p;
  test_host_t h;
  op_t ops[MANY];
  work_t works[MANY];
  memset(ops, 0, sizeof ops);
  memset(works, 0, sizeof works);
  pool_open(&p, false);
  loop_open(&h, 0);
  works[0].result = UVF_LATER;
  for (int i = 0; i < MANY; i++) {
    assert_int_equal(start_offload(&h, &ops[i], p.ex, &works[i]), 0);
    if (i == 0) pool_run(&p);
  }
  assert_int_equal(uvf_executor_abort(p.ex), 0);
  for (int i = 1; i < MANY; i++)
    assert_int_equal(uvf_cancel(&ops[i].req), UV_EALREADY);
  test_host_run(&h);
  for (int i = 1; i < MANY; i++) {
    expect_done(&ops[i], UV_ECANCELED);
    assert_int_equal(atomic_load(&works[i].runs), 0);
  }
  expect_pending(&ops[0]);
  assert_true(uvf_task_cancelled(works[0].task));
  assert_int_equal(uvf_task_finish(works[0].task, 0, NULL), 0);
  test_host_run(&h);
  expect_done(&ops[0], 0);
  test_host_detach(&h);
  pool_close(&p);
}

/* ---- detach ---- */

static void detach_starts(void *arg) {
  asked_t *a = arg;
  a->second = test_host_detach_start((test_host_t *)(void *)a->op);
}

/* Queued ones are cancelled, what runs is asked to stop and waited for, and what has ended says so. */
static void the_loop_is_detached(void **state) {
  (void)state;
  for (int in_callback = 0; in_callback <= 1; in_callback++) {
    pool_t p;
    test_host_t h;
    op_t queued[MANY], running = {0}, ended = {0}, late = {0};
    work_t w = {0}, later = {.result = UVF_LATER}, first = {.result = UV_EIO};
    memset(queued, 0, sizeof queued);
    pool_open(&p, false);
    loop_open(&h, 0);
    asked_t a = {.op = (op_t *)(void *)&h};
    assert_int_equal(start_offload(&h, &running, p.ex, &later), 0);
    assert_int_equal(start_offload(&h, &ended, p.ex, &first), 0);
    pool_run(&p);
    for (int i = 0; i < MANY; i++)
      assert_int_equal(start_offload(&h, &queued[i], p.ex, &w), 0);
    if (in_callback) {
      ended.then = detach_starts;
      ended.arg = &a;
      test_host_run(&h);
      assert_int_equal(a.second, 0);
    } else {
      assert_int_equal(test_host_detach_start(&h), 0);
    }
    assert_true(uvf_task_cancelled(later.task));
    assert_int_equal(start_offload(&h, &late, p.ex, &w), UV_ECANCELED);
    test_host_run(&h);
    for (int i = 0; i < MANY; i++)
      expect_done(&queued[i], UV_ECANCELED);
    expect_done(&ended, UV_EIO);
    expect_pending(&running);
    assert_false(h.closed); /* it waits for what runs */
    assert_int_equal(uvf_task_finish(later.task, 0, NULL), 0);
    test_host_finish(&h);
    expect_done(&running, 0);
    assert_int_equal(atomic_load(&w.runs), 0);
    pool_run(&p);
    assert_int_equal(atomic_load(&w.runs), 0);
    assert_int_equal(counts_of(p.ex).queued + counts_of(p.ex).running, 0);
    pool_close(&p);
  }
}

static void waits_until_asked(work_t *w, uvf_task_t *task) {
  gate_open(w->data);
  while (!uvf_task_cancelled(task))
    (void)sched_yield();
}

/* Running ones on other threads, which end when they are asked to; queued ones behind them; and a loop that is detached at once. */
static void detached_while_threads_run(void **state) {
  (void)state;
  for (int round = 0; round < 50; round++) {
    threads_t t;
    test_host_t h;
    gate_t begun;
    op_t ops[MANY];
    work_t works[MANY];
    int ran = 0;
    memset(ops, 0, sizeof ops);
    memset(works, 0, sizeof works);
    threads_open(&t, 2);
    loop_open(&h, 0);
    gate_init(&begun);
    for (int i = 0; i < MANY; i++) {
      works[i].inside = waits_until_asked;
      works[i].data = &begun;
      works[i].result = UV_EINTR;
      assert_int_equal(start_offload(&h, &ops[i], t.ex, &works[i]), 0);
    }
    gate_pass(&begun);
    if (round % 2 == 0) gate_pass(&begun);
    test_host_detach(&h);
    for (int i = 0; i < MANY; i++) {
      bool did = atomic_load(&works[i].runs) == 1;
      expect_done(&ops[i], did ? UV_EINTR : UV_ECANCELED);
      ran += did;
    }
    assert_in_range(ran, 1, MANY);
    threads_close(&t);
    gate_destroy(&begun);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      UVF_TEST(cancelled_before_it_runs),      UVF_TEST(case_49_cancelled_while_it_runs),
      UVF_TEST(cancelled_while_it_ends_later), UVF_TEST(cancelled_when_its_callback_is_on_its_way),
      UVF_TEST(the_executor_is_aborted),       UVF_TEST(the_loop_is_detached),
      UVF_TEST(detached_while_threads_run),
  };
  return RUN_TESTS(tests);
}
