/* SPDX-License-Identifier: MIT */
/* Jobs that wait for each other, behind a flow of short ones that was left to one runner: each of them gets a thread, however the
 * last short ones came in (task/crowd.h, task/intake.h). */
#include "task/executor_fixture.h"

enum { THREADS = 4, ROUNDS = 600, MOST_SHORT = 400 };

typedef struct {
  atomic_int begun;
  int want;
} meeting_t;

static int is_short(uvf_task_t *task, void *arg, void *value) {
  (void)task, (void)arg, (void)value;
  return 0;
}

/* Ends when all are there. */
static int meets(uvf_task_t *task, void *arg, void *value) {
  meeting_t *m = *(meeting_t **)arg;
  uint64_t began = uv_hrtime();
  (void)task, (void)value;
  atomic_fetch_add(&m->begun, 1);
  while (atomic_load(&m->begun) < m->want) {
    if (uv_hrtime() - began > (uint64_t)TEST_PATIENCE_S * 1000000000) return UV_ETIMEDOUT;
    (void)sched_yield();
  }
  return 0;
}

/* Asserts. */
static void meet_behind(uvf_executor_t *ex, int shorts, int want) {
  const uvf_spawn_options_t o = {.arg_size = sizeof(meeting_t *)};
  meeting_t m = {.want = want}, *arg = &m;
  uvf_flowvar_t *fvs[THREADS];
  for (int i = 0; i < shorts; i++)
    assert_int_equal(uvf_spawn(ex, is_short, NULL, NULL, NULL), 0);
  for (int i = 0; i < want; i++)
    assert_int_equal(uvf_spawn(ex, meets, &arg, &o, &fvs[i]), 0);
  for (int i = 0; i < want; i++) {
    assert_int_equal(uvf_await_sync(fvs[i], UVF_FOREVER), 0);
    uvf_flowvar_release(fvs[i]);
  }
}

static void rounds(uvf_executor_t *ex) {
  for (int i = 0; i < ROUNDS; i++)
    meet_behind(ex, (i * 37) % MOST_SHORT, 2 + i % (THREADS - 1));
}

static uvf_executor_t *threads(void) {
  const uvf_threads_options_t o = {.threads = THREADS};
  uvf_executor_t *ex;
  assert_int_equal(uvf_threads_create(&o, &ex), 0);
  return ex;
}

static void on_threads(void **state) {
  uvf_executor_t *ex = threads();
  (void)state;
  rounds(ex);
  uvf_executor_release(ex);
}

static void in_a_lane(void **state) {
  const uvf_lane_options_t o = {.max_running = THREADS, .capacity = UVF_UNBOUNDED};
  uvf_executor_t *ex = threads(), *lane;
  (void)state;
  assert_int_equal(uvf_lane_create(ex, &o, &lane), 0);
  uvf_executor_release(ex);
  rounds(lane);
  uvf_executor_release(lane);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      EXECUTOR_TEST(on_threads),
      EXECUTOR_TEST(in_a_lane),
  };
  return RUN_TESTS(tests);
}
