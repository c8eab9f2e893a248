/* SPDX-License-Identifier: MIT */
/* The shared parts of task_fixture.h. */
#include "task/task_fixture.h"

#include <time.h>

#include "task/flowvar.h"

/* ---- the pool ---- */

static _Thread_local pool_t *running; /* whose jobs this thread runs */

static int pool_submit(void *pool, void (*run)(void *job), void *job) {
  pool_t *p = pool;
  if (p->in_submit != NULL) p->in_submit(p->arg);
  (void)pthread_mutex_lock(&p->lock);
  int r = p->count == POOL_JOBS ? UV_ENOBUFS : p->refuse;
  if (r == 0) {
    unsigned at = (p->first + p->count++) % POOL_JOBS;
    p->jobs[at].run = run;
    p->jobs[at].job = job;
  }
  (void)pthread_mutex_unlock(&p->lock);
  return r;
}

static bool pool_is_member(void *pool) {
  return running == pool;
}

void pool_open(pool_t *p, bool members) {
  memset(p, 0, sizeof *p);
  uvf_executor_options_t o = {.submit = pool_submit, .is_member = members ? pool_is_member : NULL, .pool = p};
  assert_int_equal(pthread_mutex_init(&p->lock, NULL), 0);
  assert_int_equal(uvf_executor_create(&o, &p->ex), 0);
}

/* One runner. False: there is none. */
static bool run_front(pool_t *p) {
  (void)pthread_mutex_lock(&p->lock);
  bool some = p->count > 0;
  unsigned at = p->first;
  if (some) {
    p->first = (p->first + 1) % POOL_JOBS;
    p->count--;
  }
  (void)pthread_mutex_unlock(&p->lock);
  if (!some) return false;
  pool_t *outer = running;
  running = p;
  p->jobs[at].run(p->jobs[at].job);
  running = outer;
  return true;
}

void pool_run(pool_t *p) {
  while (run_front(p)) {
  }
}

bool pool_step(pool_t *p) {
  int begun = atomic_load(&p->begun);
  p->single = true;
  while (atomic_load(&p->begun) == begun && run_front(p)) {
  }
  p->single = false;
  (void)uvf_executor_resume(p->ex);
  return atomic_load(&p->begun) != begun;
}

unsigned pool_waiting(pool_t *p) {
  (void)pthread_mutex_lock(&p->lock);
  unsigned n = p->count;
  (void)pthread_mutex_unlock(&p->lock);
  return n;
}

void pool_close(pool_t *p) {
  pool_run(p);
  if (p->ex != NULL) uvf_executor_release(p->ex);
  pool_run(p);
  assert_int_equal(pthread_mutex_destroy(&p->lock), 0);
}

/* ---- threads ---- */

void until_freed(long blocks) {
  time_t begun = time(NULL);
  while (fault_blocks() > blocks && time(NULL) - begun < TEST_PATIENCE_S)
    (void)sched_yield();
  assert_int_equal(fault_blocks(), blocks);
}

void threads_open(threads_t *t, uint32_t n) {
  uvf_threads_options_t o = {.threads = n, .name = "test"};
  t->blocks = fault_blocks();
  assert_int_equal(uvf_threads_create(&o, &t->ex), 0);
  until_freed(t->blocks + 1); /* each thread frees what it was started with */
}

void threads_close(threads_t *t) {
  (void)uvf_executor_close(t->ex);
  assert_int_equal(uvf_wait_idle_sync(t->ex, TEST_PATIENCE_S * 1000), 0);
  uvf_executor_release(t->ex);
  until_freed(t->blocks);
}

/* ---- work ---- */

int work_run(uvf_task_t *task, void *arg, void *value) {
  static const value_t zero;
  work_t *w = arg;
  w->task = task;
  w->place = value;
  w->thread = pthread_self();
  if (w->pool != NULL && w->pool->single) (void)uvf_executor_pause(w->pool->ex);
  if (value != NULL) {
    w->dirty = memcmp(value, &zero, sizeof zero) != 0;
    w->place->what = w->value;
    w->place->next = w->next;
  }
  if (w->inside != NULL) w->inside(w, task);
  int r = w->result;
  atomic_fetch_add(&w->runs, 1);
  if (w->pool != NULL) atomic_fetch_add(&w->pool->begun, 1);
  return r;
}

int next_run(uvf_task_t *task, void *arg, void *value) {
  const value_t *before = arg;
  before->next->before = before->what;
  return work_run(task, before->next, value);
}

/* ---- drops ---- */

static pthread_mutex_t last_drop = PTHREAD_MUTEX_INITIALIZER;

void drop_value(void *item, void *data) {
  drops_t *d = data;
  (void)pthread_mutex_lock(&last_drop);
  d->value = *(value_t *)item;
  (void)pthread_mutex_unlock(&last_drop);
  atomic_fetch_add(&d->values, 1);
}

void drop_arg(void *arg, void *data) {
  drops_t *d = data;
  (void)pthread_mutex_lock(&last_drop);
  d->arg = arg;
  (void)pthread_mutex_unlock(&last_drop);
  atomic_fetch_add(&d->args, 1);
}

uvf_spawn_options_t options_of(drops_t *d, bool with_arg) {
  return (uvf_spawn_options_t){.value_size = sizeof(value_t),
                               .value_drop = d != NULL ? drop_value : NULL,
                               .arg_drop = d != NULL && with_arg ? drop_arg : NULL,
                               .data = d,
                               .name = "of a test"};
}

uvf_flowvar_t *spawn(uvf_executor_t *ex, work_t *w, drops_t *d) {
  uvf_spawn_options_t o = options_of(d, false);
  uvf_flowvar_t *fv = NULL;
  assert_int_equal(uvf_spawn(ex, work_run, w, &o, &fv), 0);
  return fv;
}

uvf_flowvar_t *then_next(uvf_flowvar_t *before, uvf_executor_t *ex, drops_t *d) {
  uvf_spawn_options_t o = options_of(d, false);
  uvf_flowvar_t *fv = NULL;
  assert_int_equal(uvf_then(before, ex, next_run, &o, &fv), 0);
  return fv;
}

uvf_flowvar_t *promise(uvf_task_t **task, drops_t *d) {
  uvf_spawn_options_t o = options_of(d, false);
  uvf_flowvar_t *fv = NULL;
  assert_int_equal(uvf_promise_create(&o, task, &fv), 0);
  return fv;
}

void expect_made(uvf_flowvar_t *fv, payload_t what) {
  assert_int_equal(uvf_try_await(fv), 0);
  const value_t *v = uvf_flowvar_value(fv);
  assert_non_null(v);
  assert_true(same(v->what, what));
}

/* ---- awaiters ---- */

int start_await(test_host_t *h, op_t *op, uvf_flowvar_t *fv, uint64_t timeout) {
  op->starting = true;
  int r = uvf_await(h->loop, &op->req, fv, timeout, op_done);
  op->starting = false;
  return r;
}

int start_await_all(test_host_t *h, op_t *op, uvf_flowvar_t **fvs, size_t n, uint64_t timeout) {
  op->starting = true;
  int r = uvf_await_all(h->loop, &op->req, fvs, n, timeout, op_done);
  op->starting = false;
  return r;
}

int start_wait_cancelled(test_host_t *h, op_t *op, uvf_task_t *task, uint64_t timeout) {
  op->starting = true;
  int r = uvf_wait_cancelled(h->loop, &op->req, task, timeout, op_done);
  op->starting = false;
  return r;
}

int start_offload(test_host_t *h, op_t *op, uvf_executor_t *ex, work_t *w) {
  op->starting = true;
  int r = uvf_offload(h->loop, &op->req, ex, work_run, w, op_done);
  op->starting = false;
  return r;
}

static void awaits(void *arg) {
  awaiter_t *a = arg;
  a->result = a->fv != NULL ? uvf_await_sync(a->fv, a->timeout) : uvf_await_all_sync(a->fvs, a->n, a->timeout);
}

uint64_t waits_on(uvf_flowvar_t *fv) {
  uvf__chan_t *c = uvf__chan_of_flowvar(fv);
  uvf__lock(&c->waits.lock);
  uint64_t begun = c->waits.begun;
  uvf__unlock(&c->waits.lock);
  return begun;
}

static void start_awaiter(awaiter_t *a, uvf_flowvar_t *on, uint64_t waits) {
  time_t begun = time(NULL);
  a->result = 1;
  thread_start(&a->thread, awaits, a);
  while (waits > 0 && waits_on(on) < waits && time(NULL) - begun < TEST_PATIENCE_S)
    (void)sched_yield();
  assert_true(waits == 0 || waits_on(on) >= waits);
}

void awaiter_start(awaiter_t *a, uvf_flowvar_t *fv, uint64_t timeout, uint64_t waits) {
  a->fv = fv;
  a->timeout = timeout;
  start_awaiter(a, fv, waits);
}

void awaiter_start_all(awaiter_t *a, uvf_flowvar_t **fvs, size_t n, uint64_t timeout, uint64_t waits) {
  a->fv = NULL;
  a->fvs = fvs;
  a->n = n;
  a->timeout = timeout;
  start_awaiter(a, n > 0 ? fvs[0] : NULL, waits);
}

int awaiter_join(awaiter_t *a) {
  thread_join(&a->thread);
  return a->result;
}

uvf_executor_stats_t counts_of(uvf_executor_t *ex) {
  uvf_executor_stats_t s;
  uvf_executor_stats(ex, &s);
  return s;
}
