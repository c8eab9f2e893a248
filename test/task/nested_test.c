/* SPDX-License-Identifier: MIT */
/* Tasks that spawn tasks, drop their own flowvar, await on loops, and give up the executor that they run in; and whole nets of them,
 * on threads, with everything counted. Issue: "a task that spawns tasks, awaits on loops, and drops its own flowvar". */
#include "task/task_fixture.h"

/* ---- a tree ---- */

/* Adds up a range by halves: each task spawns two, and a continuation that needs no thread to wait. */
typedef struct sum_s {
  uvf_executor_t *ex;
  uint64_t from, to;
  uvf_task_t *promise; /* of whoever asked */
  atomic_int left;
  uint64_t parts[2];
  struct sum_s *above;
  int which;
} sum_t;

static atomic_int nodes, broken;

static int sum_work(uvf_task_t *task, void *arg, void *value);

static void sum_ended(sum_t *s, uint64_t sum) {
  for (;;) {
    sum_t *above = s->above;
    int which = s->which;
    if (above == NULL) {
      if (uvf_task_finish(s->promise, 0, &sum) != 0) atomic_fetch_add(&broken, 1);
      free(s);
      return;
    }
    free(s);
    above->parts[which] = sum;
    if (atomic_fetch_sub(&above->left, 1) > 1) return;
    sum = above->parts[0] + above->parts[1];
    s = above;
  }
}

static sum_t *sum_make(sum_t *above, int which, uvf_executor_t *ex, uint64_t from, uint64_t to) {
  sum_t *s = calloc(1, sizeof *s);
  if (s == NULL) abort();
  *s = (sum_t){.ex = ex, .from = from, .to = to, .above = above, .which = which};
  atomic_init(&s->left, 2);
  return s;
}

static int sum_work(uvf_task_t *task, void *arg, void *value) {
  sum_t *s = arg;
  (void)task;
  (void)value;
  atomic_fetch_add(&nodes, 1);
  if (s->to - s->from <= 4) {
    uint64_t sum = 0;
    for (uint64_t i = s->from; i < s->to; i++)
      sum += i;
    sum_ended(s, sum);
    return 0;
  }
  uint64_t middle = s->from + (s->to - s->from) / 2;
  sum_t *halves[2] = {sum_make(s, 0, s->ex, s->from, middle), sum_make(s, 1, s->ex, middle, s->to)};
  for (int i = 0; i < 2; i++)
    if (uvf_spawn(halves[i]->ex, sum_work, halves[i], NULL, NULL) != 0) atomic_fetch_add(&broken, 1);
  return 0;
}

static void tasks_spawn_tasks(void **state) {
  (void)state;
  enum { LAST = 4096 };
  for (uint32_t n = 1; n <= 4; n += 3) {
    threads_t t;
    uvf_task_t *task;
    uvf_flowvar_t *fv;
    uvf_spawn_options_t o = {.value_size = sizeof(uint64_t)};
    uint64_t sum = 0;
    atomic_store(&nodes, 0);
    threads_open(&t, n);
    assert_int_equal(uvf_promise_create(&o, &task, &fv), 0);
    sum_t *root = sum_make(NULL, 0, t.ex, 0, LAST);
    root->promise = task;
    assert_int_equal(uvf_spawn(t.ex, sum_work, root, NULL, NULL), 0);
    assert_int_equal(uvf_await_sync(fv, UVF_FOREVER), 0);
    assert_int_equal(uvf_flowvar_take(fv, &sum), 0);
    assert_int_equal(sum, (uint64_t)LAST * (LAST - 1) / 2);
    uvf_flowvar_release(fv);
    assert_int_equal(atomic_load(&broken), 0);
    assert_int_equal(atomic_load(&nodes), 2 * LAST / 4 - 1);
    threads_close(&t);
  }
}

/* ---- its own flowvar ---- */

typedef struct {
  uvf_flowvar_t *own;
  uvf_executor_t *ex;
  int cancel, await, then_result;
  work_t next;
} own_t;

static void uses_its_own_flowvar(work_t *w, uvf_task_t *task) {
  own_t *o = w->data;
  o->cancel = uvf_flowvar_cancel(o->own);
  o->await = uvf_await_sync(o->own, UVF_FOREVER);
  if (!uvf_task_cancelled(task)) o->cancel = 1;
  o->then_result = uvf_then(o->own, o->ex, next_run, NULL, NULL);
  uvf_flowvar_release(o->own);
}

static void a_task_uses_and_drops_its_own_flowvar(void **state) {
  (void)state;
  pool_t p;
  drops_t d = {0};
  own_t o = {.cancel = 1};
  work_t w = {.inside = uses_its_own_flowvar, .data = &o, .value = item(1, 1), .next = &o.next};
  pool_open(&p, false);
  o.ex = p.ex;
  o.own = spawn(p.ex, &w, &d);
  pool_run(&p);
  assert_int_equal(o.cancel, UV_EBUSY);
  assert_int_equal(o.await, UVF_EDEADLK);
  assert_int_equal(o.then_result, 0);
  assert_int_equal(atomic_load(&o.next.runs), 1);
  assert_true(same(o.next.before, item(1, 1)));
  assert_int_equal(atomic_load(&d.values), 1);
  pool_close(&p);
}

static void gives_up_the_executor(work_t *w, uvf_task_t *task) {
  (void)task;
  uvf_executor_release(w->data);
}

static void a_task_gives_up_the_executor_that_it_runs_in(void **state) {
  (void)state;
  pool_t p;
  uvf_executor_t *lane;
  uvf_lane_options_t o = {.max_running = 2, .capacity = 10};
  pool_open(&p, false);
  work_t w = {.inside = gives_up_the_executor, .value = item(1, 1)}, v = w;
  assert_int_equal(uvf_lane_create(p.ex, &o, &lane), 0);
  w.data = lane;
  v.data = p.ex;
  uvf_flowvar_t *a = spawn(lane, &w, NULL), *b = spawn(p.ex, &v, NULL);
  p.ex = NULL;
  pool_run(&p);
  expect_made(a, item(1, 1));
  expect_made(b, item(1, 1));
  uvf_flowvar_release(a);
  uvf_flowvar_release(b);
  pool_close(&p);
}

static void aborts_the_executor(work_t *w, uvf_task_t *task) {
  w->seen = uvf_executor_abort(w->data);
  if (!uvf_task_cancelled(task)) w->seen = 1;
}

static void a_task_aborts_the_executor_that_it_runs_in(void **state) {
  (void)state;
  pool_t p;
  pool_open(&p, false);
  work_t w = {.inside = aborts_the_executor, .data = p.ex, .value = item(1, 1), .seen = 1}, other = {0};
  uvf_flowvar_t *a = spawn(p.ex, &w, NULL), *b = spawn(p.ex, &other, NULL);
  pool_run(&p);
  assert_int_equal(w.seen, 0);
  expect_made(a, item(1, 1));
  assert_int_equal(uvf_try_await(b), UV_ECANCELED);
  assert_int_equal(atomic_load(&other.runs), 0);
  uvf_flowvar_release(a);
  uvf_flowvar_release(b);
  pool_close(&p);
}

/* ---- loops ---- */

typedef struct {
  test_host_t *h;
  op_t op;
  uvf_flowvar_t *of;
  uvf_task_t *task;
  int start;
  value_t value;
} awaiting_t;

static void hands_on(void *arg) {
  awaiting_t *a = arg;
  int r = uvf_flowvar_take(a->of, &a->value);
  uvf_flowvar_release(a->of);
  a->start |= uvf_task_finish(a->task, r, &a->value);
}

/* On the loop's thread: awaits another flowvar there, and ends when it has it. */
static void awaits_on_its_loop(work_t *w, uvf_task_t *task) {
  awaiting_t *a = w->data;
  a->task = task;
  a->op.then = hands_on;
  a->op.arg = a;
  a->start = start_await(a->h, &a->op, a->of, UVF_FOREVER);
}

/* A blocking call into a loop, whose answer comes from threads: request and reply, with nobody blocked but the one who asks. */
typedef struct {
  threads_t *threads;
  uvf_executor_t *loop;
  work_t asked, work;
  awaiting_t a;
  int result;
  value_t answer;
} call_t;

static void calls_into_the_loop(void *arg) {
  call_t *c = arg;
  uvf_flowvar_t *fv = NULL;
  uvf_spawn_options_t o = options_of(NULL, false);
  c->result = uvf_spawn(c->threads->ex, work_run, &c->work, &o, &c->a.of);
  if (c->result != 0) return;
  c->result = uvf_spawn(c->loop, work_run, &c->asked, &o, &fv);
  if (c->result == 0) c->result = uvf_await_sync(fv, UVF_FOREVER);
  if (c->result == 0) c->result = uvf_flowvar_take(fv, &c->answer);
  uvf_flowvar_release(fv);
}

static void a_task_on_a_loop_awaits_there(void **state) {
  (void)state;
  enum { CALLERS = 8 };
  static call_t calls[CALLERS];
  thread_t ids[CALLERS];
  threads_t t;
  test_host_t h;
  int done = 0;
  memset(calls, 0, sizeof calls);
  threads_open(&t, 1);
  loop_open(&h, 0);
  uvf_executor_t *loop = uvf_loop_executor(h.loop);
  assert_non_null(loop);
  for (uint32_t i = 0; i < CALLERS; i++) {
    call_t *c = &calls[i];
    c->threads = &t;
    c->loop = loop;
    c->asked = (work_t){.result = UVF_LATER, .inside = awaits_on_its_loop, .data = &c->a};
    c->work = (work_t){.value = item(7, i)};
    c->a.h = &h;
    c->a.op.counter = &done;
    thread_start(&ids[i], calls_into_the_loop, c);
  }
  test_host_run_until(&h, &done, CALLERS);
  for (uint32_t i = 0; i < CALLERS; i++) {
    thread_join(&ids[i]);
    assert_int_equal(calls[i].a.start, 0);
    assert_int_equal(calls[i].result, 0);
    assert_true(same(calls[i].answer.what, item(7, i)));
    assert_true(pthread_equal(calls[i].asked.thread, pthread_self()));
  }
  test_host_detach(&h);
  threads_close(&t);
}

/* ---- drops that do things ---- */

typedef struct {
  uvf_executor_t *ex;
  uvf_task_t *task;
  uvf_flowvar_t *release;
  work_t w;
  int result;
} busy_drop_t;

/* Ends a promise, spawns, and gives up the last reference on something else. */
static void does_things(void *item, void *data) {
  busy_drop_t *b = data;
  (void)item;
  b->result = uvf_task_finish(b->task, UV_EIO, NULL);
  b->result |= uvf_spawn(b->ex, work_run, &b->w, NULL, NULL);
  uvf_flowvar_release(b->release);
}

/* Of an arg by a cancel and by an abort, of a value by the last release and by the end of what nobody wants. */
static void drops_may_call_anything(void **state) {
  (void)state;
  for (int way = 0; way < 4; way++) {
    pool_t p, q;
    work_t w = {0}, other = {0};
    uvf_flowvar_t *fv;
    pool_open(&p, false);
    pool_open(&q, false);
    busy_drop_t b = {.ex = q.ex, .result = 1};
    uvf_flowvar_t *ends = promise(&b.task, NULL), *after = then_next(ends, q.ex, NULL);
    b.release = spawn(q.ex, &other, NULL);
    uvf_spawn_options_t o = {.value_size = sizeof(value_t), .data = &b};
    if (way < 2)
      o.arg_drop = does_things;
    else
      o.value_drop = does_things;
    assert_int_equal(uvf_spawn(p.ex, work_run, &w, &o, &fv), 0);
    if (way == 3) uvf_flowvar_release(fv);
    if (way >= 2) pool_run(&p);
    if (way == 0) assert_int_equal(uvf_flowvar_cancel(fv), 0);
    if (way == 1) assert_int_equal(uvf_executor_abort(p.ex), 0);
    if (way != 3) uvf_flowvar_release(fv);
    assert_int_equal(b.result, 0);
    assert_int_equal(uvf_try_await(after), UV_EIO);
    pool_run(&q);
    assert_int_equal(atomic_load(&b.w.runs) + atomic_load(&other.runs), 2);
    uvf_flowvar_release(ends);
    uvf_flowvar_release(after);
    pool_close(&q);
    pool_close(&p);
  }
}

/* ---- submits that submit ---- */

static void submits_more(void *arg) {
  work_t *w = arg;
  pool_t *p = w->data;
  if (w->seen++ >= 3) return;
  if (uvf_spawn(p->ex, work_run, w, NULL, NULL) != 0) w->seen = 100;
}

/* A user's submit may call the library. */
static void a_submit_that_spawns(void **state) {
  (void)state;
  pool_t p;
  pool_open(&p, false);
  work_t w = {.data = &p};
  p.in_submit = submits_more;
  p.arg = &w;
  assert_int_equal(uvf_spawn(p.ex, work_run, &w, NULL, NULL), 0);
  p.in_submit = NULL;
  pool_run(&p);
  assert_in_range(w.seen, 1, 4);
  assert_int_equal(counts_of(p.ex).done, atomic_load(&w.runs));
  assert_in_range(atomic_load(&w.runs), 2, 4);
  pool_close(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      UVF_TEST(tasks_spawn_tasks),
      UVF_TEST(a_task_uses_and_drops_its_own_flowvar),
      UVF_TEST(a_task_gives_up_the_executor_that_it_runs_in),
      UVF_TEST(a_task_aborts_the_executor_that_it_runs_in),
      UVF_TEST(a_task_on_a_loop_awaits_there),
      UVF_TEST(drops_may_call_anything),
      UVF_TEST(a_submit_that_spawns),
  };
  return RUN_TESTS(tests);
}
