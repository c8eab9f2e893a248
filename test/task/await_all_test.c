/* SPDX-License-Identifier: MIT */
/* Awaiting several flowvars with one request, or in one blocked thread: whatever the order in which they end. */
#include "task/task_fixture.h"

enum { MANY = 200, FOUR = 4 };

typedef struct {
  uvf_task_t *tasks[MANY];
  uvf_flowvar_t *fvs[MANY];
} all_t;

static void open_all(all_t *all, size_t n) {
  for (size_t i = 0; i < n; i++)
    all->fvs[i] = promise(&all->tasks[i], NULL);
}

static void close_all(all_t *all, size_t n) {
  for (size_t i = 0; i < n; i++)
    uvf_flowvar_release(all->fvs[i]);
}

static void finish(all_t *all, size_t i, int status) {
  assert_int_equal(uvf_task_finish(all->tasks[i], status, NULL), 0);
}

/* ---- how many ---- */

static void none_is_done_at_once(void **state) {
  (void)state;
  static const uint64_t timeouts[] = {UVF_NOWAIT, 10, UVF_FOREVER};
  test_host_t h;
  uvf_flowvar_t *nothing[1] = {NULL};
  for (int i = 0; i < 6; i++) {
    uvf_flowvar_t **fvs = i < 3 ? NULL : nothing;
    assert_int_equal(uvf_await_all_sync(fvs, 0, timeouts[i % 3]), 0);
  }
  loop_open(&h, 0);
  for (int i = 0; i < 6; i++) {
    op_t op = {0};
    assert_int_equal(start_await_all(&h, &op, i < 3 ? NULL : nothing, 0, timeouts[i % 3]), 0);
    expect_pending(&op);
    test_host_run(&h);
    expect_done(&op, 0);
  }
  test_host_detach(&h);
}

static void one_is_as_awaiting_it(void **state) {
  (void)state;
  for (int result = 0; result >= UV_EIO; result += UV_EIO) {
    all_t all;
    test_host_t h;
    op_t op = {0};
    awaiter_t blocked;
    open_all(&all, 1);
    awaiter_start_all(&blocked, all.fvs, 1, UVF_FOREVER, 1);
    loop_open(&h, 0);
    assert_int_equal(start_await_all(&h, &op, all.fvs, 1, UVF_FOREVER), 0);
    test_host_run(&h);
    expect_pending(&op);
    finish(&all, 0, result);
    test_host_run(&h);
    expect_done(&op, result);
    assert_int_equal(awaiter_join(&blocked), result);
    assert_int_equal(uvf_flowvar_take(all.fvs[0], &(value_t){.next = NULL}), result);
    test_host_detach(&h);
    close_all(&all, 1);
  }
}

static void many_without_any_memory(void **state) {
  (void)state;
  all_t all;
  test_host_t h;
  op_t op = {0};
  awaiter_t blocked;
  open_all(&all, MANY);
  awaiter_start_all(&blocked, all.fvs, MANY, UVF_FOREVER, 1);
  loop_open(&h, 0);
  unsigned long allocations = fault_allocations();
  assert_int_equal(start_await_all(&h, &op, all.fvs, MANY, 1000), 0);
  for (size_t i = 0; i < MANY; i++) {
    test_host_run(&h);
    expect_pending(&op);
    finish(&all, (i * 7) % MANY, 0);
  }
  test_host_run(&h);
  expect_done(&op, 0);
  assert_in_range(fault_allocations() - allocations, 0, 1); /* the deadline's place in the loop's heap */
  assert_int_equal(awaiter_join(&blocked), 0);
  test_host_detach(&h);
  close_all(&all, MANY);
}

/* ---- orders ---- */

/* The k-th permutation of 0..3. */
static void permute(int k, size_t out[FOUR]) {
  size_t left[FOUR] = {0, 1, 2, 3};
  for (int n = FOUR; n > 0; n--) {
    int at = k % n;
    k /= n;
    out[FOUR - n] = left[at];
    for (int i = at; i < n - 1; i++)
      left[i] = left[i + 1];
  }
}

/* All orders of ends, all sets of those that fail, and with some of them ended before the wait. The first error is the first in the
 * array, not in time. */
static void each_order_of_ends(void **state) {
  (void)state;
  static const int codes[FOUR] = {UV_EIO, UV_ECANCELED, UV_ETIMEDOUT, UV_EPIPE};
  test_host_t h;
  loop_open(&h, 0);
  for (int k = 0; k < 24; k++)
    for (unsigned failing = 0; failing < 16; failing++)
      for (int before = 0; before <= FOUR; before++) {
        all_t all;
        op_t op = {0};
        size_t order[FOUR];
        int expected = 0;
        permute(k, order);
        open_all(&all, FOUR);
        for (int i = FOUR - 1; i >= 0; i--)
          if ((failing >> i & 1) != 0) expected = codes[i];
        for (int i = 0; i < FOUR; i++) {
          if (i == before) assert_int_equal(start_await_all(&h, &op, all.fvs, FOUR, UVF_FOREVER), 0);
          if (i > before) test_host_run(&h);
          if (i >= before) expect_pending(&op);
          finish(&all, order[i], (failing >> order[i] & 1) != 0 ? codes[order[i]] : 0);
        }
        if (before == FOUR) assert_int_equal(start_await_all(&h, &op, all.fvs, FOUR, UVF_NOWAIT), 0);
        test_host_run(&h);
        expect_done(&op, expected);
        assert_int_equal(uvf_await_all_sync(all.fvs, FOUR, UVF_FOREVER), UVF_EDEADLK); /* on a loop's thread */
        close_all(&all, FOUR);
      }
  test_host_detach(&h);
}

static void each_order_for_a_blocked_thread(void **state) {
  (void)state;
  for (int k = 0; k < 24; k++) {
    all_t all;
    awaiter_t blocked;
    size_t order[FOUR];
    permute(k, order);
    open_all(&all, FOUR);
    awaiter_start_all(&blocked, all.fvs, FOUR, UVF_FOREVER, (uint64_t)(k % 2));
    for (int i = 0; i < FOUR; i++)
      finish(&all, order[i], order[i] == 1 ? UV_EIO : order[i] == 2 ? UV_EPIPE : 0);
    assert_int_equal(awaiter_join(&blocked), UV_EIO);
    assert_int_equal(uvf_await_all_sync(all.fvs, FOUR, UVF_NOWAIT), UV_EIO);
    assert_int_equal(uvf_await_all_sync(all.fvs + 2, 2, UVF_NOWAIT), UV_EPIPE);
    close_all(&all, FOUR);
  }
}

static void the_same_flowvar_several_times(void **state) {
  (void)state;
  for (int result = 0; result >= UV_EIO; result += UV_EIO) {
    all_t all;
    test_host_t h;
    op_t op = {0};
    awaiter_t blocked;
    open_all(&all, 2);
    uvf_flowvar_t *fvs[6] = {all.fvs[0], all.fvs[0], all.fvs[1], all.fvs[0], all.fvs[1], all.fvs[1]};
    awaiter_start_all(&blocked, fvs, 6, UVF_FOREVER, 1);
    loop_open(&h, 0);
    assert_int_equal(start_await_all(&h, &op, fvs, 6, UVF_FOREVER), 0);
    finish(&all, 0, 0);
    test_host_run(&h);
    expect_pending(&op);
    finish(&all, 1, result);
    test_host_run(&h);
    expect_done(&op, result);
    assert_int_equal(awaiter_join(&blocked), result);
    test_host_detach(&h);
    close_all(&all, 2);
  }
}

/* ---- waits that end by themselves ---- */

static void a_timeout_or_cancel_leaves_all_alone(void **state) {
  (void)state;
  all_t all;
  test_host_t h;
  op_t ops[4], last = {0};
  memset(ops, 0, sizeof ops);
  open_all(&all, 3);
  assert_int_equal(uvf_await_all_sync(all.fvs, 3, 1), UV_ETIMEDOUT);
  assert_int_equal(uvf_await_all_sync(all.fvs, 3, UVF_NOWAIT), UV_ETIMEDOUT);
  loop_open(&h, 0);
  for (int i = 0; i < 4; i++)
    assert_int_equal(start_await_all(&h, &ops[i], all.fvs, 3, i == 1 ? 10 : i == 3 ? UVF_NOWAIT : UVF_FOREVER), 0);
  finish(&all, 0, UV_EIO); /* they go on to the next */
  test_host_run(&h);
  expect_done(&ops[3], UV_ETIMEDOUT);
  assert_int_equal(uvf_cancel(&ops[0].req), 0);
  test_host_advance(&h, 10);
  expect_done(&ops[0], UV_ECANCELED);
  expect_done(&ops[1], UV_ETIMEDOUT);
  expect_pending(&ops[2]);
  for (int i = 1; i < 3; i++)
    assert_int_equal(uvf_try_await(all.fvs[i]), UV_EAGAIN);
  finish(&all, 2, 0);
  assert_int_equal(start_await_all(&h, &last, all.fvs, 3, UVF_FOREVER), 0);
  finish(&all, 1, 0);
  assert_int_equal(uvf_cancel(&ops[2].req), UV_EALREADY);
  test_host_run(&h);
  expect_done(&ops[2], UV_EIO);
  expect_done(&last, UV_EIO);
  test_host_detach(&h);
  close_all(&all, 3);
}

/* A cancel that comes when the one it waits for has ended, and others have not: the wait was not over. */
static void a_cancel_between_two_ends(void **state) {
  (void)state;
  all_t all;
  test_host_t h;
  op_t op = {0};
  open_all(&all, 2);
  loop_open(&h, 0);
  assert_int_equal(start_await_all(&h, &op, all.fvs, 2, UVF_FOREVER), 0);
  finish(&all, 0, 0);
  assert_int_equal(uvf_cancel(&op.req), UV_EALREADY); /* somebody has told it to look */
  test_host_run(&h);
  expect_done(&op, UV_ECANCELED);
  assert_int_equal(uvf_try_await(all.fvs[1]), UV_EAGAIN);
  finish(&all, 1, 0);
  test_host_detach(&h);
  close_all(&all, 2);
}

static void a_detach_ends_it(void **state) {
  (void)state;
  all_t all;
  test_host_t h;
  op_t op = {0}, late = {0};
  open_all(&all, 2);
  loop_open(&h, 0);
  assert_int_equal(start_await_all(&h, &op, all.fvs, 2, UVF_FOREVER), 0);
  finish(&all, 0, 0);
  assert_int_equal(test_host_detach_start(&h), 0);
  assert_int_equal(start_await_all(&h, &late, all.fvs, 2, UVF_FOREVER), UV_ECANCELED);
  test_host_finish(&h);
  expect_done(&op, UV_ECANCELED);
  finish(&all, 1, 0);
  close_all(&all, 2);
}

/* ---- spawned on threads ---- */

static void many_spawned_works(void **state) {
  (void)state;
  static work_t works[MANY];
  threads_t pool;
  test_host_t h;
  op_t op = {0};
  uvf_flowvar_t *fvs[MANY];
  int sum = 0;
  threads_open(&pool, 2);
  for (uint32_t i = 0; i < MANY; i++) {
    works[i] = (work_t){.value = item(1, i)};
    fvs[i] = spawn(pool.ex, &works[i], NULL);
  }
  loop_open(&h, 0);
  assert_int_equal(start_await_all(&h, &op, fvs, MANY, UVF_FOREVER), 0);
  test_host_run_until(&h, &op.calls, 1);
  expect_done(&op, 0);
  test_host_detach(&h);
  assert_int_equal(uvf_await_all_sync(fvs, MANY, UVF_FOREVER), 0);
  for (uint32_t i = 0; i < MANY; i++) {
    expect_made(fvs[i], item(1, i));
    sum += atomic_load(&works[i].runs);
    uvf_flowvar_release(fvs[i]);
  }
  assert_int_equal(sum, MANY);
  threads_close(&pool);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      UVF_TEST(none_is_done_at_once),
      UVF_TEST(one_is_as_awaiting_it),
      UVF_TEST(many_without_any_memory),
      UVF_TEST(each_order_of_ends),
      UVF_TEST(each_order_for_a_blocked_thread),
      UVF_TEST(the_same_flowvar_several_times),
      UVF_TEST(a_timeout_or_cancel_leaves_all_alone),
      UVF_TEST(a_cancel_between_two_ends),
      UVF_TEST(a_detach_ends_it),
      UVF_TEST(many_spawned_works),
  };
  return RUN_TESTS(tests);
}
