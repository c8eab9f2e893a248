/* SPDX-License-Identifier: MIT */
/* A cancel, an abort and the last release against the thread that is about to run the work, thousands of times: exactly one of them
 * has it, everybody hears of that one, and arg and value are accounted for. */
#include "task/task_fixture.h"

#if defined(__SANITIZE_THREAD__)
enum { ROUNDS = 500 };
#else
enum { ROUNDS = 4000 };
#endif

/* Counts what became of each. */
typedef struct {
  atomic_int runs, args, values;
} fate_t;

static int meets_fate(uvf_task_t *task, void *arg, void *value) {
  fate_t *f = *(fate_t **)arg;
  atomic_fetch_add(&f->runs, 1);
  *(fate_t **)value = f;
  return uvf_task_cancelled(task) ? UV_EINTR : 0;
}

static void fate_of_value(void *item, void *data) {
  fate_t *f = *(fate_t **)item;
  (void)data;
  atomic_fetch_add(&f->values, 1);
}

static void fate_of_arg(void *arg, void *data) {
  fate_t *f = *(fate_t **)arg;
  (void)data;
  atomic_fetch_add(&f->args, 1);
}

static const uvf_spawn_options_t fateful = {
    .value_size = sizeof(fate_t *), .value_drop = fate_of_value, .arg_size = sizeof(fate_t *), .arg_drop = fate_of_arg};

/* A second thread that does something at the same moment, round after round. */
typedef struct {
  uv_barrier_t begin, end;
  void (*act)(void *arg);
  void *arg;
  bool stop;
  thread_t thread;
} rival_t;

static void rival_main(void *arg) {
  rival_t *r = arg;
  for (;;) {
    (void)uv_barrier_wait(&r->begin);
    if (r->stop) return;
    r->act(r->arg);
    (void)uv_barrier_wait(&r->end);
  }
}

static void rival_open(rival_t *r, void (*act)(void *)) {
  memset(r, 0, sizeof *r);
  r->act = act;
  assert_int_equal(uv_barrier_init(&r->begin, 2), 0);
  assert_int_equal(uv_barrier_init(&r->end, 2), 0);
  thread_start(&r->thread, rival_main, r);
}

static void rival_begin(rival_t *r, void *arg) {
  r->arg = arg;
  (void)uv_barrier_wait(&r->begin);
}

static void rival_end(rival_t *r) {
  (void)uv_barrier_wait(&r->end);
}

static void rival_close(rival_t *r) {
  r->stop = true;
  (void)uv_barrier_wait(&r->begin);
  thread_join(&r->thread);
  uv_barrier_destroy(&r->begin);
  uv_barrier_destroy(&r->end);
}

static void runs_pool(void *arg) {
  pool_run(arg);
}

/* The moments of the two differ from round to round. */
static void dawdle(int round) {
  for (volatile int i = 0; i < round % 97; i++) {
  }
}

/* ---- a flowvar ---- */

static void cancel_against_the_runner(void **state) {
  (void)state;
  pool_t p;
  rival_t r;
  int cancelled = 0;
  pool_open(&p, false);
  rival_open(&r, runs_pool);
  for (int round = 0; round < ROUNDS; round++) {
    fate_t f = {0}, *arg = &f;
    uvf_flowvar_t *fv;
    assert_int_equal(uvf_spawn(p.ex, meets_fate, &arg, &fateful, &fv), 0);
    rival_begin(&r, &p);
    dawdle(round);
    int cancel = uvf_flowvar_cancel(fv);
    int seen = uvf_await_sync(fv, UVF_FOREVER), again = uvf_flowvar_cancel(fv);
    rival_end(&r);
    assert_int_equal(again, UV_EALREADY);
    assert_int_equal(uvf_try_await(fv), seen);
    assert_int_equal(atomic_load(&f.args), cancel == 0 ? 1 : 0);
    assert_int_equal(atomic_load(&f.runs), cancel == 0 ? 0 : 1);
    if (cancel == 0) assert_int_equal(seen, UV_ECANCELED);
    if (cancel == UV_EALREADY) assert_int_equal(seen, 0);
    if (cancel == UV_EBUSY) assert_true(seen == 0 || seen == UV_EINTR);
    assert_true(cancel == 0 || cancel == UV_EALREADY || cancel == UV_EBUSY);
    uvf_flowvar_release(fv);
    assert_int_equal(atomic_load(&f.values), seen == 0 ? 1 : 0);
    cancelled += cancel == 0;
  }
  uvf_executor_stats_t s = counts_of(p.ex);
  assert_int_equal(s.cancelled, cancelled);
  assert_int_equal(s.done + s.failed, ROUNDS - cancelled);
  rival_close(&r);
  pool_close(&p);
}

/* Two cancellers and a runner: one canceller at the most hears 0. */
static void cancels_flowvar(void *arg) {
  uvf_flowvar_t **fv = arg;
  if (uvf_flowvar_cancel(fv[0]) == 0) fv[1] = fv[0];
  uvf_flowvar_release(fv[0]);
}

static void cancel_against_cancel_and_the_runner(void **state) {
  (void)state;
  pool_t p;
  rival_t runner, other;
  pool_open(&p, false);
  rival_open(&runner, runs_pool);
  rival_open(&other, cancels_flowvar);
  for (int round = 0; round < ROUNDS / 2; round++) {
    fate_t f = {0}, *arg = &f;
    uvf_flowvar_t *fv, *theirs[2] = {NULL, NULL};
    assert_int_equal(uvf_spawn(p.ex, meets_fate, &arg, &fateful, &fv), 0);
    theirs[0] = uvf_flowvar_retain(fv);
    rival_begin(&runner, &p);
    rival_begin(&other, theirs);
    bool mine = uvf_flowvar_cancel(fv) == 0;
    uvf_flowvar_release(fv);
    rival_end(&runner);
    rival_end(&other);
    bool theirs_too = theirs[1] != NULL;
    assert_false(mine && theirs_too);
    assert_int_equal(atomic_load(&f.args), mine || theirs_too ? 1 : 0);
    assert_int_equal(atomic_load(&f.runs), mine || theirs_too ? 0 : 1);
    assert_in_range(atomic_load(&f.values), 0, atomic_load(&f.runs));
  }
  rival_close(&other);
  rival_close(&runner);
  pool_close(&p);
}

/* ---- an executor ---- */

static void aborts(void *arg) {
  (void)uvf_executor_abort(arg);
}

/* An abort against the runner, a cancel and a spawn: each work that was accepted runs or is cancelled, once. */
static void abort_against_the_runner_and_a_cancel(void **state) {
  (void)state;
  rival_t r;
  rival_open(&r, aborts);
  for (int round = 0; round < ROUNDS / 2; round++) {
    pool_t p;
    fate_t f = {0}, g = {0}, *args[2] = {&f, &g};
    uvf_flowvar_t *fvs[2] = {NULL, NULL};
    pool_open(&p, false);
    assert_int_equal(uvf_spawn(p.ex, meets_fate, &args[0], &fateful, &fvs[0]), 0);
    rival_begin(&r, p.ex);
    dawdle(round);
    int cancel = round % 2 == 0 ? uvf_flowvar_cancel(fvs[0]) : 1;
    int spawned = uvf_spawn(p.ex, meets_fate, &args[1], &fateful, &fvs[1]);
    pool_run(&p);
    rival_end(&r);
    pool_run(&p);
    assert_true(spawned == 0 || spawned == UV_EPIPE);
    assert_int_equal(atomic_load(&f.runs) + atomic_load(&f.args), 1);
    assert_int_equal(atomic_load(&g.runs) + atomic_load(&g.args), spawned == 0 ? 1 : 0);
    int outcome = uvf_try_await(fvs[0]);
    assert_true(atomic_load(&f.args) == 1 ? outcome == UV_ECANCELED : outcome == 0 || outcome == UV_EINTR);
    if (cancel == 0) assert_int_equal(outcome, UV_ECANCELED);
    uvf_executor_stats_t s = counts_of(p.ex);
    assert_int_equal(s.cancelled, atomic_load(&f.args) + atomic_load(&g.args));
    assert_int_equal(s.done + s.failed, atomic_load(&f.runs) + atomic_load(&g.runs));
    assert_int_equal(s.queued + s.running, 0);
    uvf_flowvar_release(fvs[0]);
    uvf_flowvar_release(fvs[1]);
    pool_close(&p);
  }
  rival_close(&r);
}

/* ---- an offload ---- */

static int works(uvf_task_t *task, void *arg, void *value) {
  (void)value;
  atomic_fetch_add((atomic_int *)arg, 1);
  return uvf_task_cancelled(task) ? UV_EINTR : 0;
}

static void offload_cancel_against_the_runner(void **state) {
  (void)state;
  pool_t p;
  rival_t r;
  test_host_t h;
  pool_open(&p, false);
  loop_open(&h, 0);
  rival_open(&r, runs_pool);
  for (int round = 0; round < ROUNDS; round++) {
    op_t op = {0};
    atomic_int ran = 0;
    assert_int_equal(uvf_offload(h.loop, &op.req, p.ex, works, &ran, op_done), 0);
    rival_begin(&r, &p);
    dawdle(round);
    int cancel = uvf_cancel(&op.req), again = uvf_cancel(&op.req);
    test_host_run_until(&h, &op.calls, 1);
    rival_end(&r);
    test_host_run(&h);
    assert_true(cancel == 0 || cancel == UV_EALREADY || cancel == UV_EBUSY);
    assert_true(again == UV_EALREADY || (again == UV_EBUSY && cancel == UV_EBUSY));
    assert_int_equal(atomic_load(&ran), cancel == 0 ? 0 : 1);
    int status = op.status;
    expect_done(&op, status);
    if (cancel == 0) assert_int_equal(status, UV_ECANCELED);
    if (cancel == UV_EALREADY) assert_int_equal(status, 0);
    assert_true(cancel == 0 || status == 0 || status == UV_EINTR);
  }
  rival_close(&r);
  test_host_detach(&h);
  pool_close(&p);
}

/* ---- a promise ---- */

typedef struct {
  uvf_task_t *task;
  int result;
} finisher_t;

static void finishes(void *arg) {
  finisher_t *f = arg;
  f->result = uvf_task_finish(f->task, 0, NULL);
}

/* Asked or ended: who waits to be asked hears one of them, once. */
static void asking_against_the_end(void **state) {
  (void)state;
  rival_t r;
  test_host_t h;
  loop_open(&h, 0);
  rival_open(&r, finishes);
  for (int round = 0; round < ROUNDS; round++) {
    finisher_t f = {.result = 1};
    op_t op = {0}, late = {0};
    uvf_flowvar_t *fv = promise(&f.task, NULL);
    assert_int_equal(start_wait_cancelled(&h, &op, f.task, UVF_FOREVER), 0);
    rival_begin(&r, &f);
    dawdle(round);
    int cancel = uvf_flowvar_cancel(fv);
    test_host_run_until(&h, &op.calls, 1);
    rival_end(&r);
    test_host_run(&h);
    assert_int_equal(f.result, 0);
    assert_true(cancel == UV_EBUSY || cancel == UV_EALREADY);
    expect_done(&op, cancel == UV_EBUSY ? 0 : UV_EOF);
    assert_int_equal(start_await(&h, &late, fv, UVF_FOREVER), 0);
    test_host_run(&h);
    expect_done(&late, 0);
    uvf_flowvar_release(fv);
  }
  rival_close(&r);
  test_host_detach(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      UVF_TEST(cancel_against_the_runner),
      UVF_TEST(cancel_against_cancel_and_the_runner),
      UVF_TEST(abort_against_the_runner_and_a_cancel),
      UVF_TEST(offload_cancel_against_the_runner),
      UVF_TEST(asking_against_the_end),
  };
  return RUN_TESTS(tests);
}
