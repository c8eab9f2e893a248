/* SPDX-License-Identifier: MIT */
/* Blocking for a flowvar where that could never end is refused, on a loop's thread and in the only thread that could make the value;
 * and it is not refused where it can end. Promise 9. */
#include "task/task_fixture.h"

/* What a work saw when it blocked for a flowvar. */
typedef struct {
  gate_t begun;
  gate_t ready; /* the flowvar is known */
  uvf_flowvar_t *fv, *other;
  int one, all, timed;
} blocking_t;

static void blocks_for_it(work_t *w, uvf_task_t *task) {
  blocking_t *b = w->data;
  (void)task;
  gate_open(&b->begun);
  (void)gate_wait(&b->ready);
  uvf_flowvar_t *fvs[2] = {b->other != NULL ? b->other : b->fv, b->fv};
  b->timed = uvf_await_sync(b->fv, 1);
  b->one = uvf_await_sync(b->fv, UVF_FOREVER);
  b->all = uvf_await_all_sync(fvs, 2, UVF_FOREVER);
}

static void open_blocking(blocking_t *b, work_t *w) {
  memset(b, 0, sizeof *b);
  memset(w, 0, sizeof *w);
  b->one = b->all = b->timed = 1;
  gate_init(&b->begun);
  gate_init(&b->ready);
  w->inside = blocks_for_it;
  w->data = b;
}

static void expect_blocked(blocking_t *b, int result) {
  assert_int_equal(b->one, result);
  assert_int_equal(b->all, result);
  if (result != 0) assert_int_equal(b->timed, result);
  gate_destroy(&b->begun);
  gate_destroy(&b->ready);
}

static uvf_executor_t *lane_on(uvf_executor_t *on, uint32_t max_running) {
  uvf_lane_options_t o = {.max_running = max_running, .capacity = UVF_UNBOUNDED};
  uvf_executor_t *lane = NULL;
  assert_int_equal(uvf_lane_create(on, &o, &lane), 0);
  return lane;
}

/* Runs a work in `in` that blocks for one that is spawned on `on` meanwhile. */
static void block_in(uvf_executor_t *in, uvf_executor_t *on, int result) {
  blocking_t b;
  work_t w, other = {.value = item(1, 1)};
  open_blocking(&b, &w);
  uvf_flowvar_t *outer = spawn(in, &w, NULL);
  gate_pass(&b.begun); /* a runner that lingers would be quicker with the other one */
  b.fv = spawn(on, &other, NULL);
  gate_open(&b.ready);
  assert_int_equal(uvf_await_sync(outer, UVF_FOREVER), 0);
  assert_int_equal(uvf_await_sync(b.fv, UVF_FOREVER), 0); /* it runs all the same */
  uvf_flowvar_release(outer);
  uvf_flowvar_release(b.fv);
  expect_blocked(&b, result);
}

/* ---- refused ---- */

static void on_a_loops_thread(void **state) {
  (void)state;
  pool_t p;
  test_host_t h;
  work_t w = {0};
  pool_open(&p, false);
  loop_open(&h, 0);
  uvf_flowvar_t *fv = spawn(p.ex, &w, NULL);
  assert_int_equal(uvf_await_sync(fv, UVF_FOREVER), UVF_EDEADLK);
  assert_int_equal(uvf_await_sync(fv, UVF_NOWAIT), UVF_EDEADLK);
  assert_int_equal(uvf_await_all_sync(&fv, 1, UVF_FOREVER), UVF_EDEADLK);
  test_host_detach(&h);
  assert_int_equal(uvf_await_sync(fv, UVF_NOWAIT), UV_ETIMEDOUT);
  pool_run(&p);
  assert_int_equal(uvf_await_sync(fv, UVF_FOREVER), 0);
  uvf_flowvar_release(fv);
  pool_close(&p);
}

static void promise_9_in_the_only_thread(void **state) {
  (void)state;
  threads_t one, four;
  threads_open(&one, 1);
  block_in(one.ex, one.ex, UVF_EDEADLK);
  threads_close(&one);
  threads_open(&four, 4);
  uvf_executor_t *lane = lane_on(four.ex, 1);
  block_in(lane, lane, UVF_EDEADLK);
  uvf_executor_release(lane);
  threads_close(&four);
}

/* Two lanes of one thread; a lane of many on a thread; a lane on a lane of 1. */
static void promise_9_in_the_only_thread_of_what_it_is_on(void **state) {
  (void)state;
  threads_t one, four;
  threads_open(&one, 1);
  uvf_executor_t *a = lane_on(one.ex, 4), *b = lane_on(one.ex, 4), *above = lane_on(a, 2);
  block_in(a, b, UVF_EDEADLK);
  block_in(a, a, UVF_EDEADLK);
  block_in(above, b, UVF_EDEADLK);
  block_in(one.ex, above, UVF_EDEADLK);
  uvf_executor_release(above);
  uvf_executor_release(b);
  uvf_executor_release(a);
  threads_close(&one);
  threads_open(&four, 4);
  uvf_executor_t *narrow = lane_on(four.ex, 1), *x = lane_on(narrow, 3), *y = lane_on(narrow, 3);
  block_in(x, y, UVF_EDEADLK);
  block_in(narrow, y, UVF_EDEADLK);
  uvf_executor_release(y);
  uvf_executor_release(x);
  uvf_executor_release(narrow);
  threads_close(&four);
}

static void promise_9_a_member_of_a_users_pool(void **state) {
  (void)state;
  pool_t p;
  blocking_t b;
  work_t w, other = {.value = item(1, 1)};
  pool_open(&p, true);
  open_blocking(&b, &w);
  uvf_flowvar_t *outer = spawn(p.ex, &w, NULL);
  b.fv = spawn(p.ex, &other, NULL);
  gate_open(&b.ready);
  pool_run(&p);
  assert_int_equal(uvf_try_await(outer), 0);
  assert_int_equal(uvf_try_await(b.fv), 0);
  uvf_flowvar_release(outer);
  uvf_flowvar_release(b.fv);
  expect_blocked(&b, UVF_EDEADLK);
  pool_close(&p);
}

/* In however many threads. */
static void promise_9_a_work_for_itself(void **state) {
  (void)state;
  threads_t four;
  blocking_t b;
  work_t w, other = {0};
  threads_open(&four, 4);
  open_blocking(&b, &w);
  b.fv = spawn(four.ex, &w, NULL);
  b.other = spawn(four.ex, &other, NULL); /* of several, one is enough */
  assert_int_equal(uvf_await_sync(b.other, UVF_FOREVER), 0);
  gate_open(&b.ready);
  assert_int_equal(uvf_await_sync(b.fv, UVF_FOREVER), 0);
  uvf_flowvar_release(b.fv);
  uvf_flowvar_release(b.other);
  expect_blocked(&b, UVF_EDEADLK);
  threads_close(&four);
}

/* A continuation of the work that blocks, and the continuation of that; on threads of their own. */
static void promise_9_a_work_for_what_follows_it(void **state) {
  (void)state;
  for (int depth = 1; depth <= 2; depth++) {
    threads_t four, other;
    blocking_t b;
    work_t w, next = {0}, last = {0};
    threads_open(&four, 4);
    threads_open(&other, 2);
    open_blocking(&b, &w);
    w.next = &next;
    next.next = &last;
    uvf_flowvar_t *first = spawn(four.ex, &w, NULL);
    uvf_flowvar_t *second = then_next(first, other.ex, NULL);
    uvf_flowvar_t *third = then_next(second, other.ex, NULL);
    b.fv = depth == 1 ? second : third;
    gate_open(&b.ready);
    assert_int_equal(uvf_await_sync(third, UVF_FOREVER), 0);
    uvf_flowvar_release(first);
    uvf_flowvar_release(second);
    uvf_flowvar_release(third);
    expect_blocked(&b, UVF_EDEADLK);
    threads_close(&other);
    threads_close(&four);
  }
}

/* What follows a work that waits behind the one that blocks, in the same lane. */
static void promise_9_a_work_for_what_follows_the_next_one(void **state) {
  (void)state;
  threads_t one, other;
  blocking_t b;
  work_t w, next = {0}, last = {0};
  threads_open(&one, 1);
  threads_open(&other, 2);
  open_blocking(&b, &w);
  next.next = &last;
  uvf_flowvar_t *first = spawn(one.ex, &w, NULL);
  uvf_flowvar_t *second = spawn(one.ex, &next, NULL);
  b.fv = then_next(second, other.ex, NULL);
  gate_open(&b.ready);
  assert_int_equal(uvf_await_sync(b.fv, UVF_FOREVER), 0);
  uvf_flowvar_release(first);
  uvf_flowvar_release(second);
  uvf_flowvar_release(b.fv);
  expect_blocked(&b, UVF_EDEADLK);
  threads_close(&other);
  threads_close(&one);
}

/* ---- not refused ---- */

static void other_threads_can_end_it(void **state) {
  (void)state;
  threads_t two, one;
  threads_open(&two, 2);
  threads_open(&one, 1);
  uvf_executor_t *lane = lane_on(two.ex, 1), *other = lane_on(two.ex, 1);
  block_in(two.ex, two.ex, 0);
  block_in(two.ex, one.ex, 0);
  block_in(one.ex, two.ex, 0);
  block_in(lane, two.ex, 0);
  block_in(two.ex, lane, 0);
  block_in(lane, other, 0);
  uvf_executor_release(lane);
  uvf_executor_release(other);
  threads_close(&one);
  threads_close(&two);
}

static void later_and_elsewhere(work_t *w, uvf_task_t *task) {
  (void)task;
  gate_open(w->data);
}

typedef struct {
  gate_t *begun;
  work_t *w;
  uvf_flowvar_t *outer;
  int result;
} ender_t;

/* Ends the task once it runs and somebody blocks for it. */
static void ends_it(void *arg) {
  ender_t *e = arg;
  (void)gate_wait(e->begun);
  e->result = uvf_task_finish(e->w->task, 0, NULL);
}

/* It has begun in the only thread, and will be ended by another. */
static void a_work_that_ends_later_in_the_same_lane(void **state) {
  (void)state;
  threads_t two;
  blocking_t b;
  work_t w, later = {.result = UVF_LATER, .inside = later_and_elsewhere};
  gate_t begun;
  thread_t id;
  threads_open(&two, 2);
  gate_init(&begun);
  later.data = &begun;
  open_blocking(&b, &w);
  uvf_flowvar_t *fv = spawn(two.ex, &later, NULL); /* not in a lane of 1: it would keep that busy */
  b.fv = fv;
  uvf_flowvar_t *outer = spawn(two.ex, &w, NULL);
  ender_t e = {.begun = &begun, .w = &later};
  thread_start(&id, ends_it, &e);
  gate_open(&b.ready);
  assert_int_equal(uvf_await_sync(outer, UVF_FOREVER), 0);
  thread_join(&id);
  assert_int_equal(e.result, 0);
  uvf_flowvar_release(outer);
  uvf_flowvar_release(fv);
  gate_destroy(&begun);
  expect_blocked(&b, 0);
  threads_close(&two);
}

static void a_promise_and_what_has_ended(void **state) {
  (void)state;
  threads_t one;
  blocking_t b;
  work_t w;
  thread_t id;
  gate_t begun;
  work_t made = {0};
  threads_open(&one, 1);
  gate_init(&begun);
  open_blocking(&b, &w);
  b.fv = promise(&made.task, NULL);
  uvf_flowvar_t *outer = spawn(one.ex, &w, NULL);
  ender_t e = {.begun = &begun, .w = &made};
  thread_start(&id, ends_it, &e);
  gate_open(&b.ready);
  gate_open(&begun);
  assert_int_equal(uvf_await_sync(outer, UVF_FOREVER), 0);
  thread_join(&id);
  uvf_flowvar_release(outer);
  expect_blocked(&b, 0);
  uvf_flowvar_t *ended = b.fv;
  open_blocking(&b, &w);
  b.fv = ended;
  gate_open(&b.ready);
  outer = spawn(one.ex, &w, NULL);
  assert_int_equal(uvf_await_sync(outer, UVF_FOREVER), 0);
  uvf_flowvar_release(outer);
  uvf_flowvar_release(ended);
  expect_blocked(&b, 0);
  gate_destroy(&begun);
  threads_close(&one);
}

static void waits_at_gate(work_t *w, uvf_task_t *task) {
  (void)task;
  (void)gate_wait(w->data);
}

/* A chain whose first work ran in the only thread, and whose second runs elsewhere now: the third can be waited for there. */
static void a_chain_that_has_moved_on(void **state) {
  (void)state;
  threads_t one, other;
  blocking_t b;
  gate_t held;
  work_t w, last = {0}, second = {.next = &last, .inside = waits_at_gate}, first = {.next = &second};
  threads_open(&one, 1);
  threads_open(&other, 1);
  gate_init(&held);
  second.data = &held;
  open_blocking(&b, &w);
  uvf_flowvar_t *fvs[3];
  fvs[0] = spawn(one.ex, &first, NULL);
  fvs[1] = then_next(fvs[0], other.ex, NULL);
  b.fv = fvs[2] = then_next(fvs[1], other.ex, NULL);
  assert_int_equal(uvf_await_sync(fvs[0], UVF_FOREVER), 0);
  uint64_t waits = waits_on(b.fv);
  uvf_flowvar_t *outer = spawn(one.ex, &w, NULL);
  gate_open(&b.ready);
  while (waits_on(b.fv) == waits && uvf_try_await(outer) == UV_EAGAIN)
    (void)sched_yield(); /* it blocks, or was refused */
  gate_open(&held);
  assert_int_equal(uvf_await_sync(outer, UVF_FOREVER), 0);
  uvf_flowvar_release(outer);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(uvf_await_sync(fvs[i], UVF_FOREVER), 0);
    uvf_flowvar_release(fvs[i]);
  }
  expect_blocked(&b, 0);
  gate_destroy(&held);
  threads_close(&other);
  threads_close(&one);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      UVF_TEST(on_a_loops_thread),
      UVF_TEST(promise_9_in_the_only_thread),
      UVF_TEST(promise_9_in_the_only_thread_of_what_it_is_on),
      UVF_TEST(promise_9_a_member_of_a_users_pool),
      UVF_TEST(promise_9_a_work_for_itself),
      UVF_TEST(promise_9_a_work_for_what_follows_it),
      UVF_TEST(promise_9_a_work_for_what_follows_the_next_one),
      UVF_TEST(other_threads_can_end_it),
      UVF_TEST(a_work_that_ends_later_in_the_same_lane),
      UVF_TEST(a_promise_and_what_has_ended),
      UVF_TEST(a_chain_that_has_moved_on),
  };
  return RUN_TESTS(tests);
}
