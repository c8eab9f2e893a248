/* SPDX-License-Identifier: MIT */
/* Flowvars and offloads on the threads of loops, and loops that are detached meanwhile: by others, from the inside, and in the middle of
 * calls from one loop into another. Promises 2, 10, 13. */
#include "task/task_fixture.h"

enum { MANY = 20 };

/* ---- one loop ---- */

static void spawned_from_its_own_thread_and_from_another(void **state) {
  (void)state;
  threads_t t;
  test_host_t h;
  op_t op = {0};
  work_t second = {.value = item(1, 2)}, first = {.value = item(1, 1), .next = &second}, own = {.value = item(1, 3)};
  threads_open(&t, 1);
  loop_open(&h, 0);
  uvf_executor_t *ex = uvf_loop_executor(h.loop);
  assert_ptr_equal(ex, uvf_loop_executor(h.loop));
  uvf_flowvar_t *a = spawn(t.ex, &first, NULL), *b = then_next(a, ex, NULL), *c = spawn(ex, &own, NULL);
  uvf_flowvar_t *both[2] = {b, c};
  assert_int_equal(start_await_all(&h, &op, both, 2, UVF_FOREVER), 0);
  test_host_run_until(&h, &op.calls, 1);
  expect_done(&op, 0);
  expect_made(b, item(1, 2));
  expect_made(c, item(1, 3));
  assert_true(pthread_equal(second.thread, pthread_self()));
  assert_false(pthread_equal(first.thread, pthread_self()));
  uvf_flowvar_release(a);
  uvf_flowvar_release(b);
  uvf_flowvar_release(c);
  test_host_detach(&h);
  threads_close(&t);
}

/* What waits there keeps no loop alive, who awaits it does. */
static void queued_work_keeps_no_loop_alive(void **state) {
  (void)state;
  test_host_t h;
  op_t op = {0};
  work_t w = {.value = item(1, 1)};
  loop_open(&h, 0);
  uvf_flowvar_t *fv = spawn(uvf_loop_executor(h.loop), &w, NULL);
  assert_false(h.alive);
  assert_int_equal(start_await(&h, &op, fv, UVF_FOREVER), 0);
  assert_true(h.alive);
  test_host_run(&h);
  expect_done(&op, 0);
  expect_idle(&h, false);
  uvf_flowvar_release(fv);
  test_host_detach(&h);
}

/* ---- detached ---- */

static void detached_with_everything_queued(void **state) {
  (void)state;
  for (int turns = 0; turns <= 1; turns++) {
    test_host_t h;
    op_t offloads[MANY], awaits[MANY];
    drops_t d = {0};
    work_t w = {0}, next = {0};
    uvf_flowvar_t *fvs[MANY];
    uvf_spawn_options_t o = options_of(&d, true);
    memset(offloads, 0, sizeof offloads);
    memset(awaits, 0, sizeof awaits);
    loop_open(&h, 1); /* one item per turn */
    uvf_executor_t *ex = uvf_executor_retain(uvf_loop_executor(h.loop));
    w.next = &next;
    for (int i = 0; i < MANY; i++) {
      assert_int_equal(start_offload(&h, &offloads[i], ex, &w), 0);
      assert_int_equal(uvf_spawn(ex, work_run, &w, &o, &fvs[i]), 0);
      assert_int_equal(start_await(&h, &awaits[i], fvs[i], UVF_FOREVER), 0);
    }
    uvf_flowvar_t *after = then_next(fvs[MANY - 1], ex, &d);
    for (int i = 0; i < turns * 5; i++)
      (void)test_host_turn(&h);
    test_host_detach(&h);
    int ran = 0, never = 0;
    for (int i = 0; i < MANY; i++) {
      int outcome = uvf_try_await(fvs[i]);
      ran += (outcome == 0) + (offloads[i].status == 0);
      never += outcome == UV_ECANCELED;
      expect_done(&awaits[i], outcome);
      expect_done(&offloads[i], offloads[i].status == 0 ? 0 : UV_ECANCELED);
      uvf_flowvar_release(fvs[i]);
    }
    assert_int_equal(atomic_load(&w.runs), ran);
    assert_int_equal(atomic_load(&d.args), never);
    assert_int_equal(atomic_load(&d.values), MANY - never);
    assert_int_equal(uvf_try_await(after), UV_ECANCELED);
    assert_int_equal(uvf_spawn(ex, work_run, &w, NULL, NULL), UV_EPIPE);
    uvf_flowvar_release(after);
    uvf_executor_release(ex);
  }
}

static void what_follows_meets_a_detached_loop(void **state) {
  (void)state;
  test_host_t h;
  uvf_task_t *task;
  drops_t d = {0};
  work_t next = {0};
  value_t v = {.next = &next};
  loop_open(&h, 0);
  uvf_flowvar_t *fv = promise(&task, &d), *after = then_next(fv, uvf_loop_executor(h.loop), NULL);
  test_host_detach(&h);
  assert_int_equal(uvf_try_await(after), UV_EAGAIN);
  assert_int_equal(uvf_task_finish(task, 0, &v), 0);
  assert_int_equal(uvf_try_await(after), UV_EPIPE);
  assert_int_equal(atomic_load(&next.runs), 0);
  uvf_flowvar_release(fv);
  uvf_flowvar_release(after);
  assert_int_equal(atomic_load(&d.values), 1);
}

static void detaches(work_t *w, uvf_task_t *task) {
  w->seen = test_host_detach_start(w->data);
  if (!uvf_task_cancelled(task)) w->seen = 1; /* the loop's executor is aborted */
}

static void a_task_detaches_its_own_loop(void **state) {
  (void)state;
  test_host_t h;
  op_t op = {0}, queued = {0};
  work_t w = {.value = item(1, 1), .inside = detaches, .data = &h, .seen = 1}, other = {0};
  loop_open(&h, 0);
  uvf_executor_t *ex = uvf_loop_executor(h.loop);
  uvf_flowvar_t *fv = spawn(ex, &w, NULL), *never = spawn(ex, &other, NULL);
  assert_int_equal(start_await(&h, &op, fv, UVF_FOREVER), 0);
  assert_int_equal(start_offload(&h, &queued, ex, &other), 0);
  test_host_run(&h);
  test_host_finish(&h);
  assert_int_equal(w.seen, 0);
  expect_made(fv, item(1, 1));
  expect_done(&queued, UV_ECANCELED);
  assert_true(op.status == 0 || op.status == UV_ECANCELED); /* the wait ended with the loop */
  expect_done(&op, op.status);
  assert_int_equal(uvf_try_await(never), UV_ECANCELED);
  assert_int_equal(atomic_load(&other.runs), 0);
  uvf_flowvar_release(fv);
  uvf_flowvar_release(never);
}

/* Work that ends later on a loop's thread, which is detached meanwhile: it is asked, and nobody waits for it but its flowvar. */
static void work_that_ends_after_its_loop(void **state) {
  (void)state;
  test_host_t h;
  work_t w = {.result = UVF_LATER};
  value_t v = {.what = item(1, 6)};
  loop_open(&h, 0);
  uvf_flowvar_t *fv = spawn(uvf_loop_executor(h.loop), &w, NULL);
  test_host_run(&h);
  assert_int_equal(atomic_load(&w.runs), 1);
  test_host_detach(&h);
  assert_true(uvf_task_cancelled(w.task));
  assert_int_equal(uvf_try_await(fv), UV_EAGAIN);
  assert_int_equal(uvf_task_finish(w.task, 0, &v), 0);
  expect_made(fv, item(1, 6));
  uvf_flowvar_release(fv);
}

/* ---- two loops ---- */

static void one_loop_offloads_to_another(void **state) {
  (void)state;
  test_host_t a, b;
  op_t op = {0}, more = {0};
  work_t w = {.result = UV_EIO};
  loop_open(&a, 0);
  loop_open(&b, 0);
  assert_int_equal(start_offload(&a, &op, uvf_loop_executor(b.loop), &w), 0);
  test_host_run(&a);
  expect_pending(&op);
  test_host_run(&b);
  expect_pending(&op);
  test_host_run(&a);
  expect_done(&op, UV_EIO);
  assert_int_equal(start_offload(&a, &op, uvf_loop_executor(b.loop), &w), 0);
  assert_int_equal(start_offload(&a, &more, uvf_loop_executor(b.loop), &w), 0);
  test_host_detach(&b); /* who runs it goes */
  test_host_run(&a);
  expect_done(&op, UV_ECANCELED);
  expect_done(&more, UV_ECANCELED);
  assert_int_equal(atomic_load(&w.runs), 1);
  test_host_detach(&a);
}

static void the_one_that_offloaded_is_detached(void **state) {
  (void)state;
  test_host_t a, b;
  op_t ops[MANY];
  work_t w = {0}, later = {.result = UVF_LATER};
  memset(ops, 0, sizeof ops);
  loop_open(&a, 0);
  loop_open(&b, 0);
  uvf_executor_t *ex = uvf_loop_executor(b.loop);
  assert_int_equal(start_offload(&a, &ops[0], ex, &later), 0);
  test_host_run(&b);
  for (int i = 1; i < MANY; i++)
    assert_int_equal(start_offload(&a, &ops[i], ex, &w), 0);
  assert_int_equal(test_host_detach_start(&a), 0);
  test_host_run(&a);
  for (int i = 1; i < MANY; i++)
    expect_done(&ops[i], UV_ECANCELED);
  expect_pending(&ops[0]);
  test_host_run(&b);
  assert_int_equal(atomic_load(&w.runs), 0);
  assert_int_equal(uvf_task_finish(later.task, 0, NULL), 0);
  test_host_finish(&a);
  expect_done(&ops[0], 0);
  test_host_detach(&b);
}

typedef struct {
  uv_loop_t uv;
  uvf_loop_t *loop;
  uv_barrier_t *gate;
  op_t ops[MANY];
  work_t works[MANY];
  uvf_executor_t *to;
  int bind, started, ran, detach, close;
} side_t;

/* A libuv loop on a thread of its own that offloads to the other one, and is detached in the middle. */
static void side_main(void *arg) {
  side_t *s = arg;
  s->bind = uvf_loop_bind(s->loop);
  (void)uv_barrier_wait(s->gate);
  for (int i = 0; i < MANY; i++) {
    int r = uvf_offload(s->loop, &s->ops[i].req, s->to, work_run, &s->works[i], op_done);
    s->ops[i].order = r; /* UV_EPIPE: the other one was quicker to go */
    s->started += r == 0;
    if (i % 4 == 3) (void)uv_run(&s->uv, UV_RUN_NOWAIT);
  }
  s->detach = uvf_loop_detach(s->loop, NULL, NULL);
  s->ran = uv_run(&s->uv, UV_RUN_DEFAULT);
  s->close = uv_loop_close(&s->uv);
}

static int wrong_in(const side_t *s) {
  int wrong = s->bind != 0 || s->detach != 0 || s->ran != 0 || s->close != 0;
  for (int k = 0; k < MANY; k++) {
    const op_t *op = &s->ops[k];
    int runs = atomic_load((atomic_int *)(uintptr_t)&s->works[k].runs);
    if (op->order == 0)
      wrong += op->calls != 1 || op->status != (runs == 1 ? 0 : UV_ECANCELED);
    else
      wrong += op->order != UV_EPIPE || op->calls != 0 || runs != 0;
  }
  return wrong;
}

/* Both offload to each other and are detached at about the same time: nobody waits for ever, and each has its callbacks. */
static void two_loops_offload_to_each_other_and_go(void **state) {
  (void)state;
  for (int round = 0; round < 50; round++) {
    static side_t s[2];
    thread_t ids[2];
    uv_barrier_t gate;
    memset(s, 0, sizeof s);
    assert_int_equal(uv_barrier_init(&gate, 2), 0);
    for (int i = 0; i < 2; i++) {
      assert_int_equal(uv_loop_init(&s[i].uv), 0);
      assert_int_equal(uvf_loop_attach(&s[i].uv, NULL, &s[i].loop), 0);
      s[i].gate = &gate;
    }
    for (int i = 0; i < 2; i++)
      s[i].to = uvf_executor_retain(uvf_loop_executor(s[1 - i].loop));
    for (int i = 0; i < 2; i++)
      thread_start(&ids[i], side_main, &s[i]);
    for (int i = 0; i < 2; i++)
      thread_join(&ids[i]);
    for (int i = 0; i < 2; i++) {
      assert_int_equal(wrong_in(&s[i]), 0);
      uvf_executor_release(s[i].to);
    }
    uv_barrier_destroy(&gate);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      UVF_TEST(spawned_from_its_own_thread_and_from_another),
      UVF_TEST(queued_work_keeps_no_loop_alive),
      UVF_TEST(detached_with_everything_queued),
      UVF_TEST(what_follows_meets_a_detached_loop),
      UVF_TEST(a_task_detaches_its_own_loop),
      UVF_TEST(work_that_ends_after_its_loop),
      UVF_TEST(one_loop_offloads_to_another),
      UVF_TEST(the_one_that_offloaded_is_detached),
      UVF_TEST(two_loops_offload_to_each_other_and_go),
  };
  return RUN_TESTS(tests);
}
