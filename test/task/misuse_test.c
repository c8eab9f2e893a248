/* SPDX-License-Identifier: MIT */
/* Every misuse of tasks and flowvars that can be seen cheaply, and its code: one table, asserted at the end with all rows that are
 * wrong. (After fork: fork_test.c. No memory: oom_test.c. Blocking that never ends: deadlock_test.c.) Promises 9, 11. */
#include "chan/misuse.h"
#include "task/task_fixture.h"

/* What is used wrongly: a pool with a flowvar that waits there, and one that is done. */
typedef struct {
  ground_t g;
  pool_t p;
  uvf_flowvar_t *pending, *done;
  work_t w, w2;
  table_t t;
} wrong_t;

static int spawn_with(wrong_t *m, const uvf_spawn_options_t *o, void *arg) {
  uvf_flowvar_t *fv = NULL;
  int r = uvf_spawn(m->p.ex, work_run, arg, o, &fv);
  if (r != 0 && fv != NULL) return 1; /* must not be changed */
  uvf_flowvar_release(fv);
  return r;
}

static int promise_with(const uvf_spawn_options_t *o) {
  uvf_flowvar_t *fv = NULL;
  uvf_task_t *task = NULL;
  int r = uvf_promise_create(o, &task, &fv);
  if (r != 0 && (fv != NULL || task != NULL)) return 1;
  if (r == 0) (void)uvf_task_finish(task, 0, NULL);
  uvf_flowvar_release(fv);
  return r;
}

static int then_with(wrong_t *m, const uvf_spawn_options_t *o) {
  uvf_flowvar_t *fv = NULL;
  int r = uvf_then(m->pending, m->p.ex, work_run, o, &fv);
  if (r != 0 && fv != NULL) return 1;
  uvf_flowvar_release(fv);
  return r;
}

static void of_spawning(wrong_t *m) {
  table_t *t = &m->t;
  uvf_flowvar_t *fv = NULL;
  misuse(t, "spawn: executor NULL", UV_EINVAL, uvf_spawn(NULL, work_run, &m->w, NULL, &fv));
  misuse(t, "spawn: work NULL", UV_EINVAL, uvf_spawn(m->p.ex, NULL, &m->w, NULL, &fv));
  uvf_spawn_options_t o = {.arg_size = 1};
  misuse(t, "spawn: arg_size without arg", UV_EINVAL, spawn_with(m, &o, NULL));
  must(t, "spawn: fv is not changed", fv == NULL);
}

static void of_options(wrong_t *m) {
  static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 7, SIZE_MAX - 63, SIZE_MAX / 2 + 1, SIZE_MAX / 2, SIZE_MAX / 4};
  table_t *t = &m->t;
  for (int i = 0; i < 4; i++) {
    uvf_spawn_options_t o = {.value_size = 4};
    o.reserved[i] = 1;
    misuse(t, "spawn: reserved not zero", UV_EINVAL, spawn_with(m, &o, &m->w));
    misuse(t, "promise: reserved not zero", UV_EINVAL, promise_with(&o));
    misuse(t, "then: reserved not zero", UV_EINVAL, then_with(m, &o));
  }
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    uvf_spawn_options_t value = {.value_size = sizes[i]}, arg = {.arg_size = sizes[i]},
                        both = {.value_size = sizes[i], .arg_size = sizes[i]};
    misuse(t, "spawn: value_size overflows", UV_EINVAL, spawn_with(m, &value, &m->w));
    misuse(t, "spawn: arg_size overflows", UV_EINVAL, spawn_with(m, &arg, &m->w));
    misuse(t, "spawn: both overflow", UV_EINVAL, spawn_with(m, &both, &m->w));
    misuse(t, "promise: value_size overflows", UV_EINVAL, promise_with(&value));
    misuse(t, "then: value_size overflows", UV_EINVAL, then_with(m, &value));
  }
  uvf_spawn_options_t sized = {.arg_size = 1}, dropped = {.arg_drop = drop_arg};
  misuse(t, "promise: arg_size", UV_EINVAL, promise_with(&sized));
  misuse(t, "promise: arg_drop", UV_EINVAL, promise_with(&dropped));
  misuse(t, "then: arg_size", UV_EINVAL, then_with(m, &sized));
  misuse(t, "then: arg_drop", UV_EINVAL, then_with(m, &dropped));
}

static void of_promises_and_continuations(wrong_t *m) {
  table_t *t = &m->t;
  uvf_flowvar_t *fv = NULL;
  uvf_task_t *task = NULL;
  misuse(t, "promise: task NULL", UV_EINVAL, uvf_promise_create(NULL, NULL, &fv));
  misuse(t, "promise: fv NULL", UV_EINVAL, uvf_promise_create(NULL, &task, NULL));
  must(t, "promise: nothing is changed", fv == NULL && task == NULL);
  misuse(t, "then: fv NULL", UV_EINVAL, uvf_then(NULL, m->p.ex, work_run, NULL, &fv));
  misuse(t, "then: executor NULL", UV_EINVAL, uvf_then(m->pending, NULL, work_run, NULL, &fv));
  misuse(t, "then: work NULL", UV_EINVAL, uvf_then(m->pending, m->p.ex, NULL, NULL, &fv));
  must(t, "then: out is not changed", fv == NULL);
}

static void of_flowvars(wrong_t *m) {
  table_t *t = &m->t;
  value_t v;
  must(t, "retain NULL", uvf_flowvar_retain(NULL) == NULL);
  uvf_flowvar_release(NULL);
  must(t, "value NULL", uvf_flowvar_value(NULL) == NULL);
  misuse(t, "try_await: NULL", UV_EINVAL, uvf_try_await(NULL));
  misuse(t, "take: fv NULL", UV_EINVAL, uvf_flowvar_take(NULL, &v));
  misuse(t, "take: value NULL", UV_EINVAL, uvf_flowvar_take(m->done, NULL));
  misuse(t, "take: value NULL, not ended", UV_EINVAL, uvf_flowvar_take(m->pending, NULL));
  misuse(t, "take: not ended", UV_EAGAIN, uvf_flowvar_take(m->pending, &v));
  misuse(t, "cancel: NULL", UV_EINVAL, uvf_flowvar_cancel(NULL));
  misuse(t, "cancel: ended", UV_EALREADY, uvf_flowvar_cancel(m->done));
  must(t, "a refused take takes nothing", uvf_flowvar_value(m->done) != NULL);
}

static void of_tasks(wrong_t *m) {
  table_t *t = &m->t;
  value_t v = {.next = NULL};
  uvf_task_t *task;
  uvf_flowvar_t *fv = promise(&task, NULL);
  must(t, "task_cancelled NULL", !uvf_task_cancelled(NULL));
  misuse(t, "finish: NULL", UV_EINVAL, uvf_task_finish(NULL, 0, &v));
  misuse(t, "finish: status 1", UV_EINVAL, uvf_task_finish(task, 1, &v));
  misuse(t, "finish: status INT32_MAX", UV_EINVAL, uvf_task_finish(task, INT32_MAX, &v));
  misuse(t, "finish: refused ones end nothing", UV_EAGAIN, uvf_try_await(fv));
  misuse(t, "wait_cancelled: loop NULL", UV_EINVAL, uvf_wait_cancelled(NULL, &m->g.req, task, 0, on_done));
  misuse(t, "wait_cancelled: req NULL", UV_EINVAL, uvf_wait_cancelled(m->g.loop, NULL, task, 0, on_done));
  misuse(t, "wait_cancelled: task NULL", UV_EINVAL, uvf_wait_cancelled(m->g.loop, &m->g.req, NULL, 0, on_done));
  misuse(t, "wait_cancelled: cb NULL", UV_EINVAL, uvf_wait_cancelled(m->g.loop, &m->g.req, task, 0, NULL));
  misuse(t, "finish", 0, uvf_task_finish(task, 0, &v));
  misuse(t, "finish: twice", UV_EALREADY, uvf_task_finish(task, 0, &v));
  misuse(t, "finish: twice, with an error", UV_EALREADY, uvf_task_finish(task, UV_EIO, NULL));
  uvf_flowvar_release(fv);
}

static void of_awaiting(wrong_t *m) {
  table_t *t = &m->t;
  uvf_loop_t *l = m->g.loop;
  uvf_req_t *r = &m->g.req;
  uvf_flowvar_t *fv = m->pending, *holes[3] = {m->done, NULL, m->done};
  misuse(t, "await: loop NULL", UV_EINVAL, uvf_await(NULL, r, fv, 0, on_done));
  misuse(t, "await: req NULL", UV_EINVAL, uvf_await(l, NULL, fv, 0, on_done));
  misuse(t, "await: fv NULL", UV_EINVAL, uvf_await(l, r, NULL, 0, on_done));
  misuse(t, "await: cb NULL", UV_EINVAL, uvf_await(l, r, fv, 0, NULL));
  misuse(t, "await_all: loop NULL", UV_EINVAL, uvf_await_all(NULL, r, &fv, 1, 0, on_done));
  misuse(t, "await_all: req NULL", UV_EINVAL, uvf_await_all(l, NULL, &fv, 1, 0, on_done));
  misuse(t, "await_all: array NULL", UV_EINVAL, uvf_await_all(l, r, NULL, 1, 0, on_done));
  misuse(t, "await_all: cb NULL", UV_EINVAL, uvf_await_all(l, r, &fv, 1, 0, NULL));
  misuse(t, "await_all: one is NULL", UV_EINVAL, uvf_await_all(l, r, holes, 3, 0, on_done));
  misuse(t, "await_all_sync: array NULL", UV_EINVAL, uvf_await_all_sync(NULL, 1, 0));
  misuse(t, "await_all_sync: one is NULL", UV_EINVAL, uvf_await_all_sync(holes, 3, 0));
  misuse(t, "await_sync: NULL", UV_EINVAL, uvf_await_sync(NULL, 0));
  misuse(t, "await_sync on a loop's thread", UVF_EDEADLK, uvf_await_sync(fv, UVF_FOREVER));
  misuse(t, "await_all_sync on a loop's thread", UVF_EDEADLK, uvf_await_all_sync(&fv, 1, UVF_FOREVER));
  must(t, "no request is in use", !uvf_req_active(r));
}

static void of_offloads(wrong_t *m) {
  table_t *t = &m->t;
  uvf_loop_t *l = m->g.loop;
  uvf_req_t *r = &m->g.req;
  misuse(t, "offload: loop NULL", UV_EINVAL, uvf_offload(NULL, r, m->p.ex, work_run, &m->w, on_done));
  misuse(t, "offload: req NULL", UV_EINVAL, uvf_offload(l, NULL, m->p.ex, work_run, &m->w, on_done));
  misuse(t, "offload: executor NULL", UV_EINVAL, uvf_offload(l, r, NULL, work_run, &m->w, on_done));
  misuse(t, "offload: work NULL", UV_EINVAL, uvf_offload(l, r, m->p.ex, NULL, &m->w, on_done));
  misuse(t, "offload: done NULL", UV_EINVAL, uvf_offload(l, r, m->p.ex, work_run, &m->w, NULL));
  must(t, "no request is in use", !uvf_req_active(r));
  misuse(t, "cancel of a request that was never started", UV_EALREADY, uvf_cancel(r));
  misuse(t, "nothing was queued by these", 1, (int)counts_of(m->p.ex).queued);
}

static void of_requests_in_use(wrong_t *m) {
  table_t *t = &m->t;
  uvf_loop_t *l = m->g.loop;
  uvf_req_t *r = &m->g.req;
  uvf_task_t *task;
  uvf_flowvar_t *fv = promise(&task, NULL);
  m->g.calls = 0;
  for (int way = 0; way < 2; way++) {
    if (way == 0) misuse(t, "await", 0, uvf_await(l, r, m->pending, UVF_FOREVER, on_done));
    if (way == 1) misuse(t, "offload", 0, uvf_offload(l, r, m->p.ex, work_run, &m->w2, on_done));
    misuse(t, "await: in use", UV_EBUSY, uvf_await(l, r, m->pending, 0, on_done));
    misuse(t, "await_all: in use", UV_EBUSY, uvf_await_all(l, r, &m->pending, 1, 0, on_done));
    misuse(t, "wait_cancelled: in use", UV_EBUSY, uvf_wait_cancelled(l, r, task, 0, on_done));
    misuse(t, "offload: in use", UV_EBUSY, uvf_offload(l, r, m->p.ex, work_run, &m->w2, on_done));
    misuse(t, "recv: in use", UV_EBUSY, uvf_recv(l, r, m->g.rx, &m->g.item, 0, on_done));
    misuse(t, "cancel", 0, uvf_cancel(r));
    misuse(t, "await: in use after cancel", UV_EBUSY, uvf_await(l, r, m->pending, 0, on_done));
    run(&m->g);
    misuse(t, "callbacks", way + 1, m->g.calls);
    misuse(t, "its status", UV_ECANCELED, m->g.last);
  }
  (void)uvf_task_finish(task, 0, NULL);
  uvf_flowvar_release(fv);
}

typedef struct {
  wrong_t *m;
  uvf_task_t *task;
  int await, all, offload, cancelled;
} elsewhere_t;

static void starts_elsewhere(void *arg) {
  elsewhere_t *e = arg;
  wrong_t *m = e->m;
  e->await = uvf_await(m->g.loop, &m->g.req, m->pending, 0, on_done);
  e->all = uvf_await_all(m->g.loop, &m->g.req, &m->pending, 1, 0, on_done);
  e->offload = uvf_offload(m->g.loop, &m->g.req, m->p.ex, work_run, &m->w, on_done);
  e->cancelled = uvf_wait_cancelled(m->g.loop, &m->g.req, e->task, 0, on_done);
}

static void of_the_wrong_thread(wrong_t *m) {
  table_t *t = &m->t;
  thread_t id;
  elsewhere_t e = {.m = m};
  uvf_flowvar_t *fv = promise(&e.task, NULL);
  thread_start(&id, starts_elsewhere, &e);
  thread_join(&id);
  misuse(t, "await: another thread", UV_EPERM, e.await);
  misuse(t, "await_all: another thread", UV_EPERM, e.all);
  misuse(t, "offload: another thread", UV_EPERM, e.offload);
  misuse(t, "wait_cancelled: another thread", UV_EPERM, e.cancelled);
  must(t, "the request is free", !uvf_req_active(&m->g.req));
  (void)uvf_task_finish(e.task, 0, NULL);
  uvf_flowvar_release(fv);
}

static void of_detached_loops(wrong_t *m) {
  table_t *t = &m->t;
  uvf_task_t *task;
  uvf_flowvar_t *fv = promise(&task, NULL);
  uvf_loop_t *l = uvf_loop_retain(m->g.loop);
  m->g.calls = 0;
  must(t, "loop_executor", uvf_loop_executor(l) != NULL);
  misuse(t, "detach", 0, uvf_loop_detach(l, NULL, NULL));
  for (int i = 0; i < 2; i++) { /* while it is being detached, and when it has ended */
    misuse(t, "await: after detach", UV_ECANCELED, uvf_await(l, &m->g.req, m->pending, 0, on_done));
    misuse(t, "await_all: after detach", UV_ECANCELED, uvf_await_all(l, &m->g.req, &m->pending, 1, 0, on_done));
    misuse(t, "offload: after detach", UV_ECANCELED, uvf_offload(l, &m->g.req, m->p.ex, work_run, &m->w, on_done));
    misuse(t, "wait_cancelled: after detach", UV_ECANCELED, uvf_wait_cancelled(l, &m->g.req, task, 0, on_done));
    must(t, "loop_executor: after detach", uvf_loop_executor(l) == NULL);
    (void)uv_run(&m->g.uv, UV_RUN_DEFAULT);
  }
  misuse(t, "no callback", 0, m->g.calls);
  uvf_loop_release(l);
  misuse(t, "uv_loop_close", 0, uv_loop_close(&m->g.uv));
  (void)uvf_task_finish(task, 0, NULL);
  uvf_flowvar_release(fv);
}

static void of_closed_executors(wrong_t *m) {
  table_t *t = &m->t;
  uvf_flowvar_t *fv = NULL;
  misuse(t, "close", 0, uvf_executor_close(m->p.ex));
  misuse(t, "spawn: closed", UV_EPIPE, uvf_spawn(m->p.ex, work_run, &m->w, NULL, &fv));
  misuse(t, "then: closed", 0, uvf_then(m->done, m->p.ex, work_run, NULL, &fv));
  misuse(t, "then: its outcome", UV_EPIPE, uvf_try_await(fv));
  uvf_flowvar_release(fv);
}

static void every_misuse_has_its_code(void **state) {
  (void)state;
  static wrong_t m;
  memset(&m, 0, sizeof m);
  ground_open(&m.g);
  pool_open(&m.p, false);
  m.done = spawn(m.p.ex, &m.w, NULL);
  pool_run(&m.p);
  m.pending = spawn(m.p.ex, &m.w, NULL);
  of_spawning(&m);
  of_promises_and_continuations(&m);
  of_options(&m);
  of_flowvars(&m);
  of_tasks(&m);
  of_awaiting(&m);
  of_offloads(&m);
  of_requests_in_use(&m);
  of_the_wrong_thread(&m);
  of_detached_loops(&m);
  of_closed_executors(&m);
  misuse(&m.t, "what was pending", UV_EAGAIN, uvf_try_await(m.pending));
  pool_run(&m.p);
  misuse(&m.t, "what was pending has run", 0, uvf_try_await(m.pending));
  misuse(&m.t, "nothing else has", 2, atomic_load(&m.w.runs));
  uvf_flowvar_release(m.pending);
  uvf_flowvar_release(m.done);
  pool_close(&m.p);
  uvf_tx_release(m.g.tx);
  uvf_rx_release(m.g.rx);
  assert_true(m.t.rows > 100);
  assert_int_equal(m.t.wrong, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {UVF_TEST(every_misuse_has_its_code)};
  return RUN_TESTS(tests);
}
