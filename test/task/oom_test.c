/* SPDX-License-Identifier: MIT */
/* A sweep: each scenario is run with its first, second, ... allocation failing, and with all from that one on, until a run needs no
 * further. Each failure is UV_ENOMEM (or NULL) from what needed the memory; nothing is changed, lost or leaked by it, and what exists
 * works on. What must not allocate is counted. Promise 11. */
#include "task/task_fixture.h"

enum { BLOCKS_PER_TASK = 1 };

static bool hit_once; /* in this run; fault_at forgets it */

static bool hit_now(void) {
  hit_once = hit_once || fault_hit();
  return hit_once;
}

static void no_more_faults(void) {
  (void)hit_now();
  fault_at(0);
}

/* How often something went wrong. */
static int wrongs;

static void check(bool right, const char *what) {
  if (right) return;
  print_error("%s\n", what);
  wrongs++;
}

/* A scenario returns nothing, and leaves nothing behind. at_least: allocations that it makes. */
static void sweep(void (*scenario)(void), int at_least) {
  for (int all = 0; all <= 1; all++) {
    int n = 0;
    bool hit;
    do {
      long before = fault_blocks();
      n++;
      wrongs = 0;
      hit_once = false;
      (all != 0 ? fault_from : fault_at)((unsigned)n);
      scenario();
      hit = hit_now();
      fault_at(0);
      if (wrongs != 0) print_error("%s allocation %d\n", all != 0 ? "all from" : "only", n);
      assert_int_equal(wrongs, 0);
      until_freed(before);
    } while (hit && n < 1000);
    assert_in_range(n, at_least + 1, 999);
  }
}

/* After a refusal: tries again with memory. */
#define NEEDS_MEMORY(r, again)                          \
  do {                                                  \
    if ((r) == 0) break;                                \
    check((r) == UV_ENOMEM && hit_now(), "not ENOMEM"); \
    no_more_faults();                                   \
    (r) = (again);                                      \
    check((r) == 0, "fails with memory");               \
  } while (0)

/* ---- executors ---- */

static int refuses(void *pool, void (*run)(void *job), void *job) {
  (void)pool;
  (void)run;
  (void)job;
  return UV_EIO;
}

static void makes_executors(void) {
  uvf_executor_t *ex = NULL, *lane = NULL;
  uvf_executor_options_t o = {.submit = refuses};
  uvf_lane_options_t l = {.max_running = 3, .capacity = 3};
  int r = uvf_executor_create(&o, &ex);
  check((r == 0) == (ex != NULL), "changed after an error");
  NEEDS_MEMORY(r, uvf_executor_create(&o, &ex));
  r = uvf_lane_create(ex, &l, &lane);
  check((r == 0) == (lane != NULL), "changed after an error");
  NEEDS_MEMORY(r, uvf_lane_create(ex, &l, &lane));
  uvf_executor_release(lane);
  uvf_executor_release(ex);
}

static void create_executors(void **state) {
  (void)state;
  sweep(makes_executors, 2);
}

/* A thread that was started before the memory ran out ends by itself. */
static void makes_threads(void) {
  uvf_executor_t *ex = NULL;
  uvf_threads_options_t o = {.threads = 3};
  int r = uvf_threads_create(&o, &ex);
  check((r == 0) == (ex != NULL), "changed after an error");
  NEEDS_MEMORY(r, uvf_threads_create(&o, &ex));
  (void)uvf_executor_close(ex);
  check(uvf_wait_idle_sync(ex, UVF_FOREVER) == 0, "does not end");
  uvf_executor_release(ex);
}

static void create_threads(void **state) {
  (void)state;
  sweep(makes_threads, 2);
}

static void makes_a_loop_executor(void) {
  test_host_t h;
  work_t w = {.value = item(1, 1)};
  uvf_flowvar_t *fv = NULL;
  fault_at(0); /* a loop that was not made is another test's */
  loop_open(&h, 0);
  fault_at(hit_once ? 0 : 1);
  uvf_executor_t *ex = uvf_loop_executor(h.loop);
  if (ex == NULL) {
    check(hit_now(), "NULL with memory");
    no_more_faults();
    ex = uvf_loop_executor(h.loop);
  }
  no_more_faults();
  check(ex != NULL && ex == uvf_loop_executor(h.loop), "no executor");
  check(uvf_spawn(ex, work_run, &w, NULL, &fv) == 0, "spawn");
  test_host_run(&h);
  check(uvf_try_await(fv) == 0, "it has not run");
  uvf_flowvar_release(fv);
  test_host_detach(&h);
}

static void create_a_loop_executor(void **state) {
  (void)state;
  long before = fault_blocks();
  wrongs = 0;
  hit_once = false;
  makes_a_loop_executor();
  assert_true(hit_once);
  assert_int_equal(wrongs, 0);
  assert_int_equal(fault_blocks(), before);
}

/* ---- flowvars ---- */

static pool_t pool;

static void open_pool(void) {
  pool_open(&pool, false);
}

static void close_pool(void) {
  pool_close(&pool);
}

static void spawns(void) {
  drops_t d = {0};
  work_t w = {.value = item(1, 1)};
  uvf_spawn_options_t o = options_of(&d, true);
  uvf_flowvar_t *fv = NULL;
  int r = uvf_spawn(pool.ex, work_run, &w, &o, &fv);
  check((r == 0) == (fv != NULL), "changed after an error");
  check(atomic_load(&d.args) == 0, "the arg is the caller's");
  NEEDS_MEMORY(r, uvf_spawn(pool.ex, work_run, &w, &o, &fv));
  r = uvf_spawn(pool.ex, work_run, &w, &o, NULL);
  NEEDS_MEMORY(r, uvf_spawn(pool.ex, work_run, &w, &o, NULL));
  pool_run(&pool);
  check(atomic_load(&w.runs) == 2, "it runs once for each");
  uvf_flowvar_release(fv);
  check(atomic_load(&d.values) == 2 && atomic_load(&d.args) == 0, "drops");
}

static void spawn_without_memory(void **state) {
  (void)state;
  open_pool();
  sweep(spawns, 2);
  close_pool();
}

static void promises(void) {
  drops_t d = {0};
  uvf_spawn_options_t o = options_of(&d, false);
  uvf_flowvar_t *fv = NULL;
  uvf_task_t *task = NULL;
  value_t v = {.what = item(2, 2)};
  int r = uvf_promise_create(&o, &task, &fv);
  check((r == 0) == (fv != NULL) && (r == 0) == (task != NULL), "changed after an error");
  NEEDS_MEMORY(r, uvf_promise_create(&o, &task, &fv));
  check(uvf_task_finish(task, 0, &v) == 0, "finish");
  uvf_flowvar_release(fv);
  check(atomic_load(&d.values) == 1, "drops");
}

static void promise_without_memory(void **state) {
  (void)state;
  sweep(promises, 1);
}

/* A continuation that could not be made leaves what it would have followed as it was; those that were made go on. */
static void continues(void) {
  work_t next = {.value = item(2, 2)}, w = {.value = item(1, 1), .next = &next};
  uvf_spawn_options_t o = options_of(NULL, false);
  uvf_flowvar_t *fv = NULL, *after[2] = {NULL, NULL};
  int r = uvf_spawn(pool.ex, work_run, &w, &o, &fv);
  NEEDS_MEMORY(r, uvf_spawn(pool.ex, work_run, &w, &o, &fv));
  for (int i = 0; i < 2; i++) {
    r = uvf_then(fv, pool.ex, next_run, &o, &after[i]);
    check((r == 0) == (after[i] != NULL), "changed after an error");
    NEEDS_MEMORY(r, uvf_then(fv, pool.ex, next_run, &o, &after[i]));
  }
  pool_run(&pool);
  for (int i = 0; i < 2; i++) {
    check(uvf_try_await(after[i]) == 0, "outcome");
    uvf_flowvar_release(after[i]);
  }
  check(atomic_load(&next.runs) == 2, "it runs once for each");
  uvf_flowvar_release(fv);
}

static void then_without_memory(void **state) {
  (void)state;
  open_pool();
  sweep(continues, 3);
  close_pool();
}

/* ---- what must not allocate ---- */

static test_host_t host;
static work_t works[20];

/* All that is done with flowvars that exist, with no memory at all. */
static void uses_all_of_it(uvf_flowvar_t **fvs, uvf_task_t *task, op_t *ops) {
  value_t v;
  for (int i = 0; i < 8; i++)
    check(start_await(&host, &ops[i], fvs[i], UVF_FOREVER) == 0, "await");
  check(start_await_all(&host, &ops[8], fvs, 20, UVF_FOREVER) == 0, "await_all");
  check(start_wait_cancelled(&host, &ops[9], task, UVF_FOREVER) == 0, "wait_cancelled");
  check(uvf_flowvar_cancel(fvs[0]) == 0, "cancel");
  check(uvf_flowvar_cancel(fvs[19]) == UV_EBUSY, "cancel of a promise");
  check(uvf_cancel(&ops[1].req) == 0, "cancel of a wait");
  pool_run(&pool);
  check(uvf_task_finish(task, 0, NULL) == 0, "finish");
  test_host_run(&host);
  check(ops[0].status == UV_ECANCELED && ops[1].status == UV_ECANCELED && ops[2].status == 0, "statuses");
  check(ops[8].status == UV_ECANCELED && ops[9].status == 0, "statuses");
  for (int i = 0; i < 10; i++)
    check(ops[i].calls == 1, "callbacks");
  check(uvf_flowvar_take(fvs[2], &v) == 0 && uvf_flowvar_value(fvs[3]) != NULL, "values");
  check(uvf_flowvar_retain(fvs[3]) == fvs[3], "retain");
  uvf_flowvar_release(fvs[3]);
}

static void what_exists_needs_no_memory(void **state) {
  (void)state;
  op_t ops[10];
  uvf_flowvar_t *fvs[20];
  uvf_task_t *task;
  memset(ops, 0, sizeof ops);
  memset(works, 0, sizeof works);
  wrongs = 0;
  open_pool();
  loop_open(&host, 0);
  unsigned long made = fault_allocations();
  for (int i = 0; i < 18; i++)
    fvs[i] = spawn(pool.ex, &works[i], NULL);
  works[1].next = &works[18];
  fvs[18] = then_next(fvs[1], pool.ex, NULL);
  fvs[19] = promise(&task, NULL);
  assert_int_equal(fault_allocations() - made, 20 * BLOCKS_PER_TASK);
  made = fault_allocations();
  fault_from(1);
  uses_all_of_it(fvs, task, ops);
  for (int i = 0; i < 20; i++)
    uvf_flowvar_release(fvs[i]);
  fault_at(0);
  assert_int_equal(fault_allocations(), made);
  assert_int_equal(wrongs, 0);
  test_host_detach(&host);
  close_pool();
}

/* Blocking may need memory of the system's, but none of the library's. */
static void blocking_needs_none_either(void **state) {
  (void)state;
  uvf_task_t *task;
  uvf_flowvar_t *fv = promise(&task, NULL), *fvs[2] = {fv, fv};
  unsigned long made = fault_allocations();
  assert_int_equal(uvf_await_sync(fv, 1), UV_ETIMEDOUT);
  assert_int_equal(uvf_await_all_sync(fvs, 2, 1), UV_ETIMEDOUT);
  assert_int_equal(uvf_task_finish(task, 0, NULL), 0);
  assert_int_equal(uvf_await_all_sync(fvs, 2, UVF_FOREVER), 0);
  assert_int_equal(fault_allocations(), made);
  uvf_flowvar_release(fv);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      UVF_TEST(create_executors),
      UVF_TEST(create_threads),
      UVF_TEST(create_a_loop_executor),
      UVF_TEST(spawn_without_memory),
      UVF_TEST(promise_without_memory),
      UVF_TEST(then_without_memory),
      UVF_TEST(what_exists_needs_no_memory),
      UVF_TEST(blocking_needs_none_either),
  };
  return RUN_TESTS(tests);
}
