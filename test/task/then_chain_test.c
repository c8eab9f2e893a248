/* SPDX-License-Identifier: MIT */
/* Long chains of continuations, built ahead: however one of them ends, the stack does not grow with its length. So each case runs on a
 * thread with a small stack; a recursion would end it. */
#include "task/task_fixture.h"

#if defined(__SANITIZE_THREAD__)
enum { LINKS = 5000, STACK = 1 << 18 };
#elif defined(__SANITIZE_ADDRESS__)
enum { LINKS = 20000, STACK = 1 << 20 };
#else
enum { LINKS = 20000, STACK = 1 << 18 };
#endif

typedef struct {
  uvf_executor_t *ex;
  uvf_task_t *task;
  uvf_flowvar_t *first, *middle, *last;
  drops_t d;
  bool keep; /* the flowvars of all in between */
  uvf_flowvar_t *all[LINKS];
} chain_t;

/* Adds up: each is one more than the one before. */
static int counts(uvf_task_t *task, void *arg, void *value) {
  (void)task;
  ((value_t *)value)->what.seq = ((const value_t *)arg)->what.seq + 1;
  return 0;
}

static void build(chain_t *c) {
  uvf_spawn_options_t o = options_of(&c->d, false);
  c->first = promise(&c->task, &c->d);
  uvf_flowvar_t *before = uvf_flowvar_retain(c->first);
  for (int i = 0; i < LINKS; i++) {
    uvf_flowvar_t *after = NULL;
    if (uvf_then(before, c->ex, counts, &o, &after) != 0) fail_msg("link %d", i);
    if (i == LINKS / 2) c->middle = uvf_flowvar_retain(after);
    if (c->keep)
      c->all[i] = before;
    else
      uvf_flowvar_release(before);
    before = after;
  }
  c->last = before;
}

/* On the small stack; what it returns is the number of things that were wrong. */
typedef struct {
  int (*run)(chain_t *c);
  chain_t *c;
  int wrong;
} small_t;

static void *on_small_stack(void *arg) {
  small_t *s = arg;
  s->wrong = s->run(s->c);
  return NULL;
}

static int run_small(int (*run)(chain_t *), chain_t *c) {
  small_t s = {.run = run, .c = c, .wrong = 1};
  pthread_attr_t attr;
  pthread_t id;
  assert_int_equal(pthread_attr_init(&attr), 0);
  assert_int_equal(pthread_attr_setstacksize(&attr, STACK), 0);
  assert_int_equal(pthread_create(&id, &attr, on_small_stack, &s), 0);
  assert_int_equal(pthread_join(id, NULL), 0);
  assert_int_equal(pthread_attr_destroy(&attr), 0);
  return s.wrong;
}

static void unbuild(chain_t *c) {
  uvf_flowvar_release(c->first);
  uvf_flowvar_release(c->middle);
  if (c->keep)
    for (int i = LINKS - 1; i >= 0; i--)
      uvf_flowvar_release(c->all[i]);
  uvf_flowvar_release(c->last);
}

/* ---- how it ends ---- */

static int succeeds(chain_t *c) {
  value_t v = {.what = item(1, 0)};
  return uvf_task_finish(c->task, 0, &v) != 0;
}

static int fails(chain_t *c) {
  return uvf_task_finish(c->task, UV_EIO, NULL) != 0;
}

static int is_cancelled_in_the_middle(chain_t *c) {
  return uvf_flowvar_cancel(c->middle) != 0;
}

static pool_t *the_pool;

static int runs_its_pool(chain_t *c) {
  (void)c;
  pool_run(the_pool);
  return 0;
}

static int gives_up_all(chain_t *c) {
  unbuild(c);
  return 0;
}

static int gives_up_all_and_runs(chain_t *c) {
  unbuild(c);
  int wrong = succeeds(c);
  pool_run(the_pool);
  return wrong;
}

static int aborts(chain_t *c) {
  return uvf_executor_abort(c->ex) != 0;
}

static chain_t the_chain;

static chain_t *open_chain(pool_t *p, bool keep) {
  chain_t *c = &the_chain;
  pool_open(p, false);
  memset(c, 0, sizeof *c);
  c->ex = p->ex;
  c->keep = keep;
  the_pool = p;
  build(c);
  return c;
}

/* values: how many were made; each is dropped once. */
static void close_chain(chain_t *c, pool_t *p, int values) {
  pool_close(p);
  assert_int_equal(atomic_load(&c->d.values), values);
}

static void all_succeed(void **state) {
  (void)state;
  for (int keep = 0; keep <= 1; keep++) {
    pool_t p;
    chain_t *c = open_chain(&p, keep);
    assert_int_equal(run_small(succeeds, c), 0);
    assert_int_equal(uvf_try_await(c->last), UV_EAGAIN);
    assert_int_equal(run_small(runs_its_pool, c), 0);
    expect_made(c->last, item(0, LINKS));
    expect_made(c->middle, item(0, LINKS / 2 + 1));
    assert_int_equal(run_small(gives_up_all, c), 0);
    close_chain(c, &p, LINKS + 1);
  }
}

static void all_fail(void **state) {
  (void)state;
  for (int keep = 0; keep <= 1; keep++) {
    pool_t p;
    chain_t *c = open_chain(&p, keep);
    assert_int_equal(run_small(fails, c), 0);
    assert_int_equal(uvf_try_await(c->last), UV_EIO);
    assert_int_equal(uvf_try_await(c->middle), UV_EIO);
    assert_int_equal(run_small(gives_up_all, c), 0);
    close_chain(c, &p, 0);
  }
}

static void cancelled_in_the_middle(void **state) {
  (void)state;
  for (int keep = 0; keep <= 1; keep++) {
    pool_t p;
    chain_t *c = open_chain(&p, keep);
    assert_int_equal(run_small(is_cancelled_in_the_middle, c), 0);
    assert_int_equal(uvf_try_await(c->last), UV_ECANCELED);
    assert_int_equal(uvf_try_await(c->first), UV_EAGAIN);
    assert_int_equal(run_small(succeeds, c), 0);
    assert_int_equal(run_small(runs_its_pool, c), 0);
    assert_int_equal(run_small(gives_up_all, c), 0);
    close_chain(c, &p, LINKS / 2 + 1);
  }
}

/* Before any of them has begun: they run all the same, and each value goes when the next one has used it. */
static void given_up_before(void **state) {
  (void)state;
  pool_t p;
  chain_t *c = open_chain(&p, true);
  assert_int_equal(run_small(gives_up_all_and_runs, c), 0);
  assert_int_equal(counts_of(p.ex).done, LINKS);
  close_chain(c, &p, LINKS + 1);
}

static void the_executor_is_aborted(void **state) {
  (void)state;
  for (int queued = 0; queued <= 1; queued++) {
    pool_t p;
    chain_t *c = open_chain(&p, false);
    int outcome = queued ? UV_ECANCELED : UV_EPIPE;
    if (queued) assert_int_equal(run_small(succeeds, c), 0);
    assert_int_equal(run_small(aborts, c), 0);
    if (!queued) assert_int_equal(run_small(succeeds, c), 0);
    assert_int_equal(uvf_try_await(c->last), outcome);
    assert_int_equal(run_small(gives_up_all, c), 0);
    close_chain(c, &p, 1);
  }
}

/* Threads whose stacks are small, which take them from each other. */
static void on_threads(void **state) {
  (void)state;
  uvf_executor_t *ex;
  uvf_threads_options_t o = {.threads = 2, .stack_size = STACK};
  long blocks = fault_blocks();
  chain_t *c = &the_chain;
  assert_int_equal(uvf_threads_create(&o, &ex), 0);
  memset(c, 0, sizeof *c);
  c->ex = ex;
  build(c);
  value_t v = {.what = item(1, 0)};
  assert_int_equal(uvf_task_finish(c->task, 0, &v), 0);
  assert_int_equal(uvf_await_sync(c->last, UVF_FOREVER), 0);
  expect_made(c->last, item(0, LINKS));
  unbuild(c);
  assert_int_equal(uvf_executor_close(ex), 0);
  assert_int_equal(uvf_wait_idle_sync(ex, UVF_FOREVER), 0);
  uvf_executor_release(ex);
  until_freed(blocks);
  assert_int_equal(atomic_load(&c->d.values), LINKS + 1);
}

/* Each on another executor than the one before, with lanes between them and their threads. */
static void from_lane_to_lane(void **state) {
  (void)state;
  pool_t p;
  uvf_executor_t *lanes[2];
  uvf_lane_options_t o = {.max_running = 1, .capacity = 1};
  drops_t d = {0};
  uvf_spawn_options_t with = options_of(&d, false);
  uvf_task_t *task;
  value_t v = {.what = item(1, 0)};
  pool_open(&p, false);
  for (int i = 0; i < 2; i++)
    assert_int_equal(uvf_lane_create(p.ex, &o, &lanes[i]), 0);
  uvf_flowvar_t *last = promise(&task, &d);
  for (int i = 0; i < LINKS; i++) {
    uvf_flowvar_t *before = last;
    assert_int_equal(uvf_then(before, lanes[i % 2], counts, &with, &last), 0);
    uvf_flowvar_release(before);
  }
  assert_int_equal(uvf_task_finish(task, 0, &v), 0);
  the_pool = &p;
  assert_int_equal(run_small(runs_its_pool, NULL), 0);
  expect_made(last, item(0, LINKS));
  uvf_flowvar_release(last);
  assert_int_equal(atomic_load(&d.values), LINKS + 1);
  for (int i = 0; i < 2; i++)
    uvf_executor_release(lanes[i]);
  pool_close(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      UVF_TEST(all_succeed),
      UVF_TEST(all_fail),
      UVF_TEST(cancelled_in_the_middle),
      UVF_TEST(given_up_before),
      UVF_TEST(the_executor_is_aborted),
      UVF_TEST(on_threads),
      UVF_TEST(from_lane_to_lane),
  };
  return RUN_TESTS(tests);
}
