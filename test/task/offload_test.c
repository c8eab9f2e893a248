/* SPDX-License-Identifier: MIT */
/* uvf_offload: work and its callback in one request. (Cancel and detach: offload_end_test.c.) Promises 2, 3. */
#include "task/task_fixture.h"

enum { MANY = 500 };

/* ---- the callback ---- */

static void done_is_called_once_with_what_the_work_returned(void **state) {
  (void)state;
  static const struct {
    int returns, status;
  } rows[] = {{0, 0},         {UV_EIO, UV_EIO},       {UV_ECANCELED, UV_ECANCELED}, {UV_EAGAIN, UV_EAGAIN},
              {2, UV_EINVAL}, {INT32_MAX, UV_EINVAL}, {INT32_MIN, INT32_MIN}};
  pool_t p;
  test_host_t h;
  pool_open(&p, false);
  loop_open(&h, 0);
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    op_t op = {0};
    work_t w = {.result = rows[i].returns};
    assert_int_equal(start_offload(&h, &op, p.ex, &w), 0);
    assert_int_equal(atomic_load(&w.runs), 0);
    test_host_run(&h);
    expect_pending(&op);
    pool_run(&p);
    expect_pending(&op); /* in a turn of the loop only */
    test_host_run(&h);
    expect_done(&op, rows[i].status);
    assert_int_equal(atomic_load(&w.runs), 1);
    assert_null(w.place);
    test_host_run(&h);
    assert_int_equal(op.calls, 0);
  }
  uvf_executor_stats_t s = counts_of(p.ex);
  assert_int_equal(s.done, 1);
  assert_int_equal(s.failed, sizeof rows / sizeof rows[0] - 1);
  test_host_detach(&h);
  pool_close(&p);
}

static void it_allocates_nothing(void **state) {
  (void)state;
  static op_t ops[MANY];
  static work_t works[MANY];
  pool_t p;
  test_host_t h;
  uvf_executor_t *lane;
  uvf_lane_options_t o = {.max_running = 2, .capacity = UVF_UNBOUNDED};
  memset(ops, 0, sizeof ops);
  memset(works, 0, sizeof works);
  pool_open(&p, false);
  loop_open(&h, 0);
  assert_int_equal(uvf_lane_create(p.ex, &o, &lane), 0);
  unsigned long before = fault_allocations();
  fault_from(1);
  for (int i = 0; i < MANY; i++)
    assert_int_equal(start_offload(&h, &ops[i], i % 2 == 0 ? lane : p.ex, &works[i]), 0);
  assert_int_equal(uvf_cancel(&ops[3].req), 0);
  pool_run(&p);
  test_host_run(&h);
  fault_at(0);
  assert_int_equal(fault_allocations(), before);
  for (int i = 0; i < MANY; i++)
    expect_done(&ops[i], i == 3 ? UV_ECANCELED : 0);
  uvf_executor_release(lane);
  test_host_detach(&h);
  pool_close(&p);
}

/* Of one executor with one thread: they run and call back in order. */
static void in_order(void **state) {
  (void)state;
  static op_t ops[MANY];
  static work_t works[MANY];
  threads_t t;
  test_host_t h;
  int calls = 0;
  memset(ops, 0, sizeof ops);
  memset(works, 0, sizeof works);
  threads_open(&t, 1);
  loop_open(&h, 0);
  for (int i = 0; i < MANY; i++) {
    ops[i].counter = &calls;
    assert_int_equal(start_offload(&h, &ops[i], t.ex, &works[i]), 0);
  }
  test_host_run_until(&h, &calls, MANY);
  for (int i = 0; i < MANY; i++) {
    expect_done(&ops[i], 0);
    assert_int_equal(ops[i].order, i + 1);
  }
  test_host_detach(&h);
  threads_close(&t);
}

static void on_the_loops_own_thread(void **state) {
  (void)state;
  test_host_t h;
  op_t op = {0};
  work_t w = {.result = UV_EIO};
  loop_open(&h, 0);
  assert_int_equal(start_offload(&h, &op, uvf_loop_executor(h.loop), &w), 0);
  assert_int_equal(atomic_load(&w.runs), 0); /* nothing runs inside the call, even there */
  expect_pending(&op);
  test_host_run(&h);
  expect_done(&op, UV_EIO);
  assert_true(pthread_equal(w.thread, pthread_self()));
  test_host_detach(&h);
}

/* ---- later ---- */

static void it_ends_later(void **state) {
  (void)state;
  pool_t p;
  test_host_t h;
  value_t v = {.next = NULL};
  pool_open(&p, false);
  loop_open(&h, 0);
  for (int status = 0; status >= UV_EIO; status += UV_EIO) {
    op_t op = {0};
    work_t w = {.result = UVF_LATER};
    assert_int_equal(start_offload(&h, &op, p.ex, &w), 0);
    pool_run(&p);
    test_host_run(&h);
    expect_pending(&op);
    assert_int_equal(counts_of(p.ex).running, 1);
    assert_int_equal(uvf_task_finish(w.task, 1, NULL), UV_EINVAL);
    assert_int_equal(uvf_task_finish(w.task, 0, &v), UV_EINVAL); /* it has no room for a value */
    assert_int_equal(start_wait_cancelled(&h, &op, w.task, UVF_FOREVER), UV_ENOTSUP);
    assert_int_equal(uvf_task_finish(w.task, status, NULL), 0);
    assert_int_equal(uvf_task_finish(w.task, status, NULL), UV_EALREADY);
    expect_pending(&op);
    test_host_run(&h);
    expect_done(&op, status);
  }
  test_host_detach(&h);
  pool_close(&p);
}

static void finishes_itself(work_t *w, uvf_task_t *task) {
  w->seen = uvf_task_finish(task, UV_EIO, NULL);
  if (uvf_task_finish(task, 0, NULL) != UV_EALREADY) w->seen = 1;
}

static void it_finishes_before_it_returns(void **state) {
  (void)state;
  static const int returns[] = {UVF_LATER, 0, UV_EPERM};
  pool_t p;
  test_host_t h;
  pool_open(&p, false);
  loop_open(&h, 0);
  for (int i = 0; i < 3; i++) {
    op_t op = {0};
    work_t w = {.result = returns[i], .inside = finishes_itself, .seen = 1};
    assert_int_equal(start_offload(&h, &op, p.ex, &w), 0);
    pool_run(&p);
    assert_int_equal(w.seen, 0);
    test_host_run(&h);
    expect_done(&op, UV_EIO);
  }
  test_host_detach(&h);
  pool_close(&p);
}

/* ---- refusals ---- */

typedef struct {
  test_host_t *h;
  op_t *op;
  uvf_executor_t *ex;
  work_t *w;
  int start, cancel;
  bool active;
} elsewhere_t;

static void tries_elsewhere(void *arg) {
  elsewhere_t *e = arg;
  e->start = uvf_offload(e->h->loop, &e->op[0].req, e->ex, work_run, e->w, op_done);
  e->cancel = uvf_cancel(&e->op[1].req);
  e->active = uvf_req_active(&e->op[0].req);
}

static void refused_starts_leave_the_request_free(void **state) {
  (void)state;
  pool_t p, q;
  test_host_t h;
  op_t ops[2];
  thread_t id;
  uvf_executor_t *lane;
  uvf_lane_options_t o = {.max_running = 1, .capacity = 1};
  work_t w = {0};
  memset(ops, 0, sizeof ops);
  pool_open(&p, false);
  pool_open(&q, false);
  loop_open(&h, 0);
  assert_int_equal(uvf_lane_create(p.ex, &o, &lane), 0);
  assert_int_equal(start_offload(&h, &ops[1], lane, &w), 0);
  assert_int_equal(start_offload(&h, &ops[1], lane, &w), UV_EBUSY); /* in use, before anything else */
  assert_int_equal(start_offload(&h, &ops[1], p.ex, &w), UV_EBUSY);
  assert_int_equal(start_offload(&h, &ops[0], lane, &w), UV_EAGAIN);
  elsewhere_t e = {.h = &h, .op = ops, .ex = p.ex, .w = &w};
  thread_start(&id, tries_elsewhere, &e);
  thread_join(&id);
  assert_int_equal(e.start, UV_EPERM);
  assert_int_equal(e.cancel, UV_EPERM);
  assert_false(e.active);
  assert_int_equal(uvf_executor_close(lane), 0);
  assert_int_equal(start_offload(&h, &ops[0], lane, &w), UV_EPIPE);
  q.refuse = UV_EMFILE;
  assert_int_equal(start_offload(&h, &ops[0], q.ex, &w), UV_EMFILE);
  q.refuse = 0;
  assert_false(uvf_req_active(&ops[0].req));
  assert_true(h.alive); /* by the one that was accepted */
  pool_run(&p);
  test_host_run(&h);
  expect_done(&ops[1], 0);
  expect_idle(&h, false);
  assert_int_equal(atomic_load(&w.runs), 1);
  assert_int_equal(start_offload(&h, &ops[0], p.ex, &w), 0);
  pool_run(&p);
  test_host_run(&h);
  expect_done(&ops[0], 0);
  uvf_executor_release(lane);
  test_host_detach(&h);
  pool_close(&q);
  pool_close(&p);
}

/* A pool that refuses while a thread of it is on its way already: that one will run the work. */
static void a_refused_start_where_one_is_under_way(void **state) {
  (void)state;
  pool_t p;
  test_host_t h;
  op_t ops[2];
  work_t w = {0};
  memset(ops, 0, sizeof ops);
  pool_open(&p, false);
  loop_open(&h, 0);
  assert_int_equal(start_offload(&h, &ops[0], p.ex, &w), 0);
  p.refuse = UV_EMFILE;
  assert_int_equal(start_offload(&h, &ops[1], p.ex, &w), 0);
  assert_int_equal(pool_waiting(&p), 1);
  p.refuse = 0; /* that thread may come back for another time */
  pool_run(&p);
  test_host_run(&h);
  expect_done(&ops[0], 0);
  expect_done(&ops[1], 0);
  test_host_detach(&h);
  pool_close(&p);
}

/* ---- keep-alive ---- */

static void it_keeps_its_loop_alive_and_can_be_told_not_to(void **state) {
  (void)state;
  pool_t p;
  test_host_t h;
  op_t op = {0};
  work_t w = {0};
  pool_open(&p, false);
  loop_open(&h, 0);
  for (int unref = 0; unref <= 1; unref++) {
    expect_idle(&h, false);
    assert_int_equal(start_offload(&h, &op, p.ex, &w), 0);
    assert_true(h.alive); /* the next start counts again */
    if (unref) uvf_req_unref(&op.req);
    assert_int_equal(h.alive, !unref);
    pool_run(&p);
    test_host_run(&h);
    expect_done(&op, 0);
    expect_idle(&h, false);
  }
  test_host_detach(&h);
  pool_close(&p);
}

static void it_holds_its_executor(void **state) {
  (void)state;
  pool_t p;
  test_host_t h;
  op_t op = {0};
  work_t w = {.result = UV_EIO};
  pool_open(&p, false);
  loop_open(&h, 0);
  assert_int_equal(start_offload(&h, &op, p.ex, &w), 0);
  uvf_executor_release(p.ex);
  p.ex = NULL;
  pool_run(&p);
  test_host_run(&h);
  expect_done(&op, UV_EIO);
  test_host_detach(&h);
  pool_close(&p);
}

/* ---- in the callback ---- */

typedef struct {
  test_host_t *h;
  op_t *op;
  pool_t *p;
  work_t *w;
  int left, result;
} again_t;

static void offloads_again(void *arg) {
  again_t *a = arg;
  if (a->left-- > 0) a->result |= start_offload(a->h, a->op, a->p->ex, a->w);
}

static void promise_3_the_same_request_starts_again_in_its_callback(void **state) {
  (void)state;
  pool_t p;
  test_host_t h;
  op_t op = {0};
  work_t w = {0};
  pool_open(&p, false);
  loop_open(&h, 0);
  again_t a = {.h = &h, .op = &op, .p = &p, .w = &w, .left = 10};
  op.then = offloads_again;
  op.arg = &a;
  assert_int_equal(start_offload(&h, &op, p.ex, &w), 0);
  for (int i = 0; i < 11; i++) {
    assert_int_equal(op.calls, i);
    pool_run(&p);
    test_host_run(&h);
  }
  assert_int_equal(a.result, 0);
  assert_int_equal(op.calls, 11);
  assert_int_equal(atomic_load(&w.runs), 11);
  op.calls = 1;
  expect_done(&op, 0);
  test_host_detach(&h);
  pool_close(&p);
}

/* A request that waits for other things in between: it is the same memory for all of them. */
static void one_request_for_offloads_and_awaits(void **state) {
  (void)state;
  pool_t p;
  test_host_t h;
  op_t op = {0};
  work_t w = {0}, v = {.value = item(1, 1)};
  pool_open(&p, false);
  loop_open(&h, 0);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(start_offload(&h, &op, p.ex, &w), 0);
    pool_run(&p);
    test_host_run(&h);
    expect_done(&op, 0);
    uvf_flowvar_t *fv = spawn(p.ex, &v, NULL);
    assert_int_equal(start_await(&h, &op, fv, 1000), 0);
    assert_int_equal(start_offload(&h, &op, p.ex, &w), UV_EBUSY);
    pool_run(&p);
    test_host_run(&h);
    expect_done(&op, 0);
    uvf_flowvar_release(fv);
  }
  test_host_detach(&h);
  pool_close(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      UVF_TEST(done_is_called_once_with_what_the_work_returned),
      UVF_TEST(it_allocates_nothing),
      UVF_TEST(in_order),
      UVF_TEST(on_the_loops_own_thread),
      UVF_TEST(it_ends_later),
      UVF_TEST(it_finishes_before_it_returns),
      UVF_TEST(refused_starts_leave_the_request_free),
      UVF_TEST(a_refused_start_where_one_is_under_way),
      UVF_TEST(it_keeps_its_loop_alive_and_can_be_told_not_to),
      UVF_TEST(it_holds_its_executor),
      UVF_TEST(promise_3_the_same_request_starts_again_in_its_callback),
      UVF_TEST(one_request_for_offloads_and_awaits),
  };
  return RUN_TESTS(tests);
}
