/* SPDX-License-Identifier: MIT */
/* Executors without memory: each scenario is run with its first, second, ... allocation failing, until one run needs no further.
 * Each failure is the error of the call that needed the memory, nothing is left of it, and the next attempt goes through. */
#include "task/executor_fixture.h"

/* Returns what is wrong; 0: nothing. */
typedef int (*scenario_t)(void);

static bool hit; /* in the call of this run that is looked at */

static void sweep(scenario_t scenario, int allocations) {
  int n = 0;
  do {
    long before = fault_blocks();
    fault_at((unsigned)++n);
    int wrong = scenario();
    if (wrong != 0) print_error("allocation %d\n", n);
    assert_int_equal(wrong, 0);
    assert_true(until_blocks(before));
  } while (hit && n < 100);
  assert_int_equal(n, allocations + 1);
}

/* Was the outcome that of a call that did, or did not, get its memory? `made` is what it has made, or NULL. No fault comes after it. */
static int wrong_if(int r, const void *made) {
  hit = fault_hit();
  fault_at(0);
  return hit ? r != UV_ENOMEM || made != NULL : r != 0 || made == NULL;
}

/* Does it work? */
static int works(uvf_executor_t *ex) {
  job_t j = {0};
  if (ex == NULL) return 0;
  int r = job_try(&j, ex);
  if (r != 0) return 1;
  r = uvf_await_sync(j.fv, PATIENCE_MS);
  uvf_flowvar_release(j.fv);
  return r;
}

static int creates_threads(void) {
  uvf_threads_options_t o = {.threads = 3, .name = "few"};
  uvf_executor_t *ex = NULL;
  int r = uvf_threads_create(&o, &ex), wrong = wrong_if(r, ex);
  wrong += works(ex);
  uvf_executor_release(ex);
  return wrong;
}

static void threads(void **state) {
  (void)state;
  sweep(creates_threads, 4); /* itself, and what each thread begins with */
}

static int creates_own_pool(void) {
  static hand_t h;
  uvf_executor_options_t o = {.submit = hand_submit, .pool = &h};
  uvf_executor_t *ex = NULL;
  int r = uvf_executor_create(&o, &ex), wrong = wrong_if(r, ex);
  uvf_executor_release(ex);
  return wrong;
}

static void own_pool(void **state) {
  (void)state;
  sweep(creates_own_pool, 1);
}

static uvf_executor_t *pool;

static int creates_lane(void) {
  uvf_lane_options_t o = {.max_running = 8, .capacity = 1, .name = "lane"};
  uvf_executor_t *lane = NULL;
  int r = uvf_lane_create(pool, &o, &lane), wrong = wrong_if(r, lane);
  wrong += works(lane);
  uvf_executor_release(lane);
  return wrong;
}

static void lane(void **state) {
  (void)state;
  pool = threads_open(2);
  sweep(creates_lane, 1);
  uvf_executor_release(pool);
}

static test_host_t host;

/* A loop's own are NULL without memory, and are made when they are asked for again. */
static int asks_for_a_loops_own(void) {
  uvf_executor_t *ex = uvf_loop_executor(host.loop);
  int wrong = (ex == NULL) != fault_hit();
  return wrong + (uvf_loop_executor(host.loop) == NULL);
}

static void a_loops_thread(void **state) {
  (void)state;
  for (unsigned n = 1; n <= 2; n++) {
    loop_open(&host, 0);
    fault_at(n);
    int wrong = asks_for_a_loops_own();
    assert_int_equal(fault_hit(), n == 1);
    fault_at(0);
    assert_int_equal(wrong, 0);
    test_host_detach(&host);
  }
}

static void a_loops_pool(void **state) {
  (void)state;
  for (unsigned n = 1; n <= 2; n++) {
    uv_loop_t uv;
    uvf_loop_t *loop = NULL;
    assert_int_equal(uv_loop_init(&uv), 0);
    assert_int_equal(uvf_loop_attach(&uv, NULL, &loop), 0);
    fault_at(n);
    uvf_executor_t *first = uvf_loop_pool(loop), *second = uvf_loop_pool(loop);
    assert_int_equal(fault_hit(), n == 1);
    fault_at(0);
    assert_int_equal(first == NULL, n == 1);
    assert_non_null(second);
    assert_int_equal(uvf_loop_detach(loop, NULL, NULL), 0);
    assert_int_equal(uv_run(&uv, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&uv), 0);
  }
}

/* A task without memory is the caller's, and takes no room. */
static void a_task(void **state) {
  hand_t h;
  job_t j = {0};
  (void)state;
  hand_open(&h);
  uvf_executor_t *narrow = lane_open(h.ex, 1, 1);
  fault_at(1);
  assert_int_equal(job_try(&j, narrow), UV_ENOMEM);
  fault_at(0);
  assert_null(j.fv);
  assert_int_equal(atomic_load(&j.dropped), 0);
  expect_now(narrow, 0, 0);
  assert_int_equal(h.submits, 0);
  job_spawn(&j, narrow);
  hand_run(&h);
  job_ended(&j, 0, true);
  uvf_executor_release(narrow);
  hand_close(&h);
}

static void nothing(uvf_req_t *req, int status) {
  (void)req;
  (void)status;
}

/* Waiting, pausing, counting, closing; running, and a task's end. One allocation for each task, and nothing else. */
static void nothing_else_allocates(void **state) {
  hand_t h;
  job_t j[8] = {{0}};
  uvf_req_t room = {0}, idle = {0}, offload = {0};
  (void)state;
  hand_open(&h);
  loop_open(&host, 0);
  uvf_executor_t *narrow = lane_open(h.ex, 2, 8), *own = uvf_loop_executor(host.loop);
  unsigned long before = fault_allocations();
  jobs_spawn(j, 7, narrow);
  assert_int_equal(uvf_offload(host.loop, &offload, narrow, job_work, &j[7], nothing), 0);
  assert_int_equal(uvf_wait_room(host.loop, &room, narrow, UVF_FOREVER, nothing), 0);
  assert_int_equal(uvf_wait_idle(host.loop, &idle, narrow, UVF_FOREVER, nothing), 0);
  assert_int_equal(uvf_executor_pause(narrow), 0);
  assert_int_equal(uvf_executor_resume(narrow), 0);
  hand_run(&h);
  test_host_run(&host);
  assert_false(uvf_req_active(&room) || uvf_req_active(&idle) || uvf_req_active(&offload));
  assert_int_equal(uvf_executor_close(narrow), 0);
  assert_int_equal(uvf_executor_abort(narrow), 0);
  assert_ptr_equal(uvf_loop_executor(host.loop), own);
  assert_int_equal(fault_allocations() - before, 7);
  for (int i = 0; i < 7; i++)
    job_ended(&j[i], 0, true);
  uvf_executor_release(narrow);
  test_host_detach(&host);
  hand_close(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      EXECUTOR_TEST(threads),
      EXECUTOR_TEST(own_pool),
      EXECUTOR_TEST(lane),
      EXECUTOR_TEST(a_loops_thread),
      EXECUTOR_TEST(a_loops_pool),
      EXECUTOR_TEST(a_task),
      EXECUTOR_TEST(nothing_else_allocates),
  };
  return RUN_TESTS(tests);
}
