/* SPDX-License-Identifier: MIT */
/* Lanes: the limit, the order, the capacity, lanes on lanes, and lanes that share an executor. (Pausing, closing and aborting:
 * control_test.c. Waiting for room and for the end of the work: room_test.c, idle_test.c.) */
#include "task/executor_fixture.h"

enum { SENDERS = 3, MANY = 24 };

#if defined(__SANITIZE_THREAD__)
enum { EACH = 4000 };
#else
enum { EACH = 20000 };
#endif

/* ---- the limit ---- */

/* On four threads, but two at a time; those that wait come in their order. */
static void no_more_run_than_the_limit_says(void **state) {
  uvf_executor_t *pool = threads_open(4), *lane = lane_open(pool, 2, UVF_UNBOUNDED);
  atomic_int now = 0, most = 0;
  static job_t j[MANY];
  (void)state;
  memset(j, 0, sizeof j);
  for (int i = 0; i < MANY; i++) {
    job_gates(&j[i]);
    j[i].now = &now;
    j[i].most = &most;
    job_spawn(&j[i], lane);
  }
  gate_pass(&j[0].begun);
  gate_pass(&j[1].begun);
  for (int i = 0; i < MANY; i++) {
    expect_now(lane, i + 2 < MANY ? MANY - i - 2 : 0, i + 2 <= MANY ? 2 : 1);
    gate_open(&j[i].go);
    job_ends(&j[i], 0, true);
    if (i + 2 < MANY) gate_pass(&j[i + 2].begun); /* the next one, and no other */
  }
  assert_int_equal(atomic_load(&most), 2);
  expect_ended(lane, MANY, 0, 0);
  uvf_executor_release(lane);
  uvf_executor_release(pool);
}

static void work_that_ends_later_counts_as_running(void **state) {
  hand_t h;
  job_t j[4] = {{0}};
  (void)state;
  hand_open(&h);
  uvf_executor_t *lane = lane_open(h.ex, 2, UVF_UNBOUNDED);
  for (int i = 0; i < 4; i++)
    job_spawn_later(&j[i], lane);
  hand_run(&h);
  expect_now(lane, 2, 2);
  assert_int_equal(atomic_load(&j[2].ran), 0);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(job_finish(&j[i], 0), 0);
    hand_run(&h);
    assert_int_equal(atomic_load(&j[i + 2].ran), 1);
    expect_now(lane, 1 - i, 2);
  }
  assert_int_equal(job_finish(&j[3], UV_EIO), 0);
  assert_int_equal(job_finish(&j[2], 0), 0);
  hand_run(&h);
  expect_now(lane, 0, 0);
  for (int i = 0; i < 4; i++)
    job_ended(&j[i], i == 3 ? UV_EIO : 0, true);
  uvf_executor_release(lane);
  hand_close(&h);
}

/* Neither end of it is given, so the lane is wider than what it is on: that limits it, too. */
static void it_is_no_wider_than_what_it_is_on(void **state) {
  uvf_executor_t *pool = threads_open(2), *lane = lane_open(pool, UINT32_MAX, UVF_UNBOUNDED);
  job_t j[3] = {{0}};
  (void)state;
  for (int i = 0; i < 3; i++) {
    job_gates(&j[i]);
    job_spawn(&j[i], lane);
  }
  gate_pass(&j[0].begun);
  gate_pass(&j[1].begun);
  expect_now(lane, 1, 2);
  for (int i = 0; i < 3; i++)
    gate_open(&j[i].go);
  jobs_end(j, 3, 0, true);
  uvf_executor_release(lane);
  uvf_executor_release(pool);
}

/* ---- the order ---- */

typedef struct {
  uvf_executor_t *lane;
  order_t *order;
  uint32_t sender;
  int failed;
} spawner_t;

typedef struct {
  order_t *order;
  payload_t p;
} seen_t;

/* One after the other: so it needs no lock, and ThreadSanitizer sees whether that is true. */
static int sees(uvf_task_t *task, void *arg, void *value) {
  seen_t *s = arg;
  (void)task;
  (void)value;
  order_see(s->order, s->p);
  return 0;
}

static void spawns(void *arg) {
  spawner_t *s = arg;
  uvf_spawn_options_t o = {.arg_size = sizeof(seen_t)};
  for (uint32_t i = 0; i < EACH; i++) {
    seen_t seen = {s->order, {s->sender, i}};
    s->failed += uvf_spawn(s->lane, sees, &seen, &o, NULL) != 0;
  }
}

static void one_at_a_time_is_in_the_order_of_each_spawner(void **state) {
  uvf_executor_t *pool = threads_open(3), *lane = lane_open(pool, 1, UVF_UNBOUNDED);
  thread_t threads[SENDERS];
  spawner_t s[SENDERS];
  tally_t tally;
  order_t order;
  (void)state;
  memset(&order, 0, sizeof order);
  order.tally = &tally;
  tally_init(&tally, SENDERS, EACH);
  for (uint32_t i = 0; i < SENDERS; i++) {
    s[i] = (spawner_t){lane, &order, i, 0};
    thread_start(&threads[i], spawns, &s[i]);
  }
  for (int i = 0; i < SENDERS; i++) {
    thread_join(&threads[i]);
    assert_int_equal(s[i].failed, 0);
  }
  assert_int_equal(uvf_wait_idle_sync(lane, PATIENCE_MS), 0);
  expect_ended(lane, SENDERS * EACH, 0, 0);
  tally_check(&tally);
  uvf_executor_release(lane);
  uvf_executor_release(pool);
}

/* A task that ends later still holds up the next one. */
static void one_at_a_time_waits_for_work_that_ends_later(void **state) {
  hand_t h;
  job_t first = {0}, second = {0};
  (void)state;
  hand_open(&h);
  uvf_executor_t *lane = lane_open(h.ex, 1, UVF_UNBOUNDED);
  job_spawn_later(&first, lane);
  job_spawn(&second, lane);
  hand_run(&h);
  assert_int_equal(atomic_load(&second.ran), 0);
  assert_int_equal(job_finish(&first, 0), 0);
  assert_int_equal(atomic_load(&second.ran), 0); /* not on the finisher's thread */
  hand_run(&h);
  job_ended(&first, 0, true);
  job_ended(&second, 0, true);
  uvf_executor_release(lane);
  hand_close(&h);
}

/* ---- the capacity ---- */

static void a_full_lane_refuses(void **state) {
  hand_t h;
  job_t j[5] = {{0}};
  (void)state;
  hand_open(&h);
  uvf_executor_t *lane = lane_open(h.ex, 1, 3);
  jobs_spawn(j, 3, lane);
  assert_int_equal(job_try(&j[3], lane), UV_EAGAIN);
  assert_null(j[3].fv);
  assert_int_equal(atomic_load(&j[3].dropped), 0); /* still the caller's */
  assert_int_equal(uvf_flowvar_cancel(j[1].fv), 0);
  job_spawn(&j[3], lane); /* who was cancelled makes room */
  assert_int_equal(job_try(&j[4], lane), UV_EAGAIN);
  hand_run(&h);
  job_spawn(&j[4], lane);
  hand_run(&h);
  for (int i = 0; i < 5; i++)
    job_ended(&j[i], i == 1 ? UV_ECANCELED : 0, i != 1);
  assert_int_equal(stats_of(lane).high_water, 3);
  uvf_executor_release(lane);
  hand_close(&h);
}

/* What runs takes no room. */
static void what_runs_does_not_wait(void **state) {
  uvf_executor_t *pool = threads_open(1), *lane = lane_open(pool, 1, 1);
  job_t j[3] = {{0}};
  (void)state;
  job_gates(&j[0]);
  job_spawn(&j[0], lane);
  gate_pass(&j[0].begun);
  job_spawn(&j[1], lane);
  assert_int_equal(job_try(&j[2], lane), UV_EAGAIN);
  gate_open(&j[0].go);
  jobs_end(j, 2, 0, true);
  uvf_executor_release(lane);
  uvf_executor_release(pool);
}

/* ---- lanes on lanes ---- */

static void a_lane_on_a_lane_has_both_limits(void **state) {
  uvf_executor_t *pool = threads_open(4), *wide = lane_open(pool, 3, UVF_UNBOUNDED), *a = lane_open(wide, 2, 10),
                 *b = lane_open(wide, 2, 10);
  atomic_int now = 0, most = 0;
  job_t j[8] = {{0}};
  (void)state;
  for (int i = 0; i < 8; i++) {
    job_gates(&j[i]);
    j[i].now = &now;
    j[i].most = &most;
    job_spawn(&j[i], i % 2 == 0 ? a : b);
  }
  for (int i = 0; i < 3; i++)
    gate_pass(&j[i].begun);
  expect_now(wide, 0, 0); /* what runs in a lane is counted by that lane */
  expect_now(a, 2, 2);
  expect_now(b, 3, 1);
  for (int i = 0; i < 8; i++)
    gate_open(&j[i].go);
  jobs_end(j, 8, 0, true);
  assert_int_equal(atomic_load(&most), 3);
  expect_ended(a, 4, 0, 0);
  expect_ended(b, 4, 0, 0);
  expect_ended(wide, 0, 0, 0);
  uvf_executor_release(pool);
  uvf_executor_release(wide); /* lanes keep what they are on */
  uvf_executor_release(a);
  uvf_executor_release(b);
}

/* ---- sharing ---- */

typedef struct {
  uvf_executor_t *lane;
  atomic_bool stop;
  atomic_int rounds;
  uint64_t began;
} burst_t;

/* Never leaves its lane empty, until it is told to stop, or for too long. */
static int goes_on(uvf_task_t *task, void *arg, void *value) {
  burst_t *b = arg;
  (void)task;
  (void)value;
  atomic_fetch_add(&b->rounds, 1);
  bool late = uv_hrtime() - b->began > (uint64_t)TEST_PATIENCE_S * 1000000000;
  return atomic_load(&b->stop) || late ? 0 : uvf_spawn(b->lane, goes_on, b, NULL, NULL);
}

static void stops_the_burst(job_t *j) {
  atomic_store(&((burst_t *)j->arg)->stop, true);
}

/* One thread, and a lane that always has work: the other one gets its turn all the same, and so does the executor itself. */
static void a_burst_in_a_lane_does_not_keep_out_the_others(void **state) {
  uvf_executor_t *pool = threads_open(1), *busy = lane_open(pool, 1, UVF_UNBOUNDED);
  (void)state;
  for (int direct = 0; direct <= 1; direct++) {
    uvf_executor_t *other = direct ? uvf_executor_retain(pool) : lane_open(pool, 1, UVF_UNBOUNDED);
    burst_t b = {.lane = busy, .began = uv_hrtime()};
    job_t j = {.act = stops_the_burst, .arg = &b};
    for (int i = 0; i < 10; i++)
      assert_int_equal(uvf_spawn(busy, goes_on, &b, NULL, NULL), 0);
    while (atomic_load(&b.rounds) == 0)
      (void)sched_yield();
    job_spawn(&j, other);
    job_ends(&j, 0, true);
    assert_int_equal(uvf_wait_idle_sync(busy, PATIENCE_MS), 0);
    uvf_executor_release(other);
  }
  uvf_executor_release(busy);
  uvf_executor_release(pool);
}

/* A hundred small tasks of a lane are a few jobs of what it is on. */
static void small_tasks_share_a_visit(void **state) {
  static job_t j[100];
  hand_t h;
  (void)state;
  memset(j, 0, sizeof j);
  hand_open(&h);
  uvf_executor_t *lane = lane_open(h.ex, 1, UVF_UNBOUNDED);
  jobs_spawn(j, 100, lane);
  assert_int_equal(h.submits, 1);
  hand_run(&h);
  for (int i = 0; i < 100; i++)
    job_ended(&j[i], 0, true);
  uvf_executor_release(lane);
  hand_close(&h);
}

/* ---- options ---- */

/* Nobody else could: whoever has the lane on it cannot reach it. */
static void a_paused_lane_goes_on_when_only_lanes_have_it(void **state) {
  hand_t h;
  job_t j = {0};
  (void)state;
  hand_open(&h);
  uvf_executor_t *below = lane_open(h.ex, 1, 10), *above = lane_open(below, 1, 10);
  assert_int_equal(uvf_executor_pause(below), 0);
  job_spawn(&j, above);
  hand_run(&h);
  assert_int_equal(atomic_load(&j.ran), 0);
  uvf_executor_release(uvf_executor_retain(below)); /* not yet */
  hand_run(&h);
  assert_int_equal(atomic_load(&j.ran), 0);
  uvf_executor_release(below);
  hand_run(&h);
  job_ended(&j, 0, true);
  uvf_executor_release(above);
  hand_close(&h);
}

static void options_are_checked(void **state) {
  uvf_lane_options_t good = {.max_running = 1, .capacity = 1}, o;
  uvf_executor_t *pool = threads_open(1), *lane = NULL;
  (void)state;
  assert_int_equal(uvf_lane_create(NULL, &good, &lane), UV_EINVAL);
  assert_int_equal(uvf_lane_create(pool, NULL, &lane), UV_EINVAL);
  assert_int_equal(uvf_lane_create(pool, &good, NULL), UV_EINVAL);
  o = good, o.max_running = 0;
  assert_int_equal(uvf_lane_create(pool, &o, &lane), UV_EINVAL);
  o = good, o.capacity = 0;
  assert_int_equal(uvf_lane_create(pool, &o, &lane), UV_EINVAL);
  for (int i = 0; i < 4; i++) {
    o = good, o.reserved[i] = 1;
    assert_int_equal(uvf_lane_create(pool, &o, &lane), UV_EINVAL);
  }
  assert_int_equal(uvf_executor_close(pool), 0);
  assert_int_equal(uvf_lane_create(pool, &good, &lane), UV_EPIPE);
  assert_null(lane);
  uvf_executor_release(pool);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      EXECUTOR_TEST(no_more_run_than_the_limit_says),
      EXECUTOR_TEST(work_that_ends_later_counts_as_running),
      EXECUTOR_TEST(it_is_no_wider_than_what_it_is_on),
      EXECUTOR_TEST(one_at_a_time_is_in_the_order_of_each_spawner),
      EXECUTOR_TEST(one_at_a_time_waits_for_work_that_ends_later),
      EXECUTOR_TEST(a_full_lane_refuses),
      EXECUTOR_TEST(what_runs_does_not_wait),
      EXECUTOR_TEST(a_lane_on_a_lane_has_both_limits),
      EXECUTOR_TEST(a_burst_in_a_lane_does_not_keep_out_the_others),
      EXECUTOR_TEST(small_tasks_share_a_visit),
      EXECUTOR_TEST(a_paused_lane_goes_on_when_only_lanes_have_it),
      EXECUTOR_TEST(options_are_checked),
  };
  return RUN_TESTS(tests);
}
