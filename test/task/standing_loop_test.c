/* SPDX-License-Identifier: MIT */
/* libuv's pool while its loop stands still: in a callback that queues work and then does something long, or waits. What was queued on
 * the loop's thread needs no turn of the loop, as with uv_queue_work; and of jobs that wait for each other two at least run at a
 * time, whatever was queued before them. */
#include "task/task_fixture.h"

#include <sched.h>
#include "uv/uv_fixture.h"

typedef struct {
  int done, wrong;
} ends_t;

static void counts_done(uvf_req_t *req, int status) {
  ends_t *e = req->data;
  e->done++;
  if (status != 0) e->wrong++;
}

static void busy_for(uint64_t us) {
  for (uint64_t until = uv_hrtime() + us * 1000; uv_hrtime() < until;)
    (void)sched_yield();
}

static int takes_milliseconds(uvf_task_t *task, void *arg, void *value) {
  (void)task;
  (void)value;
  busy_for(3000); /* longer than a runner keeps its thread where others want it */
  atomic_fetch_add((atomic_int *)arg, 1);
  return 0;
}

static int counts_itself(uvf_task_t *task, void *arg, void *value) {
  (void)task;
  (void)value;
  atomic_fetch_add((atomic_int *)arg, 1);
  return 0;
}

static void until_ran(const atomic_int *ran, int n) {
  uint64_t until = uv_hrtime() + TEST_PATIENCE_S * UINT64_C(1000000000);
  while (atomic_load(ran) < n && uv_hrtime() < until)
    (void)sched_yield();
  assert_int_equal(atomic_load(ran), n);
}

enum { JOBS = 40 };

/* Offloads JOBS without a turn of the loop, one_by_one: each when the runner of the last one has left. All are done meanwhile. Asserts. */
static void while_the_loop_stands_still(void **state, uvf_work_cb work, bool one_by_one) {
  static uvf_req_t reqs[JOBS];
  fixture_t f;
  atomic_int ran = 0;
  ends_t e = {0, 0};
  open_fixture(&f, state);
  memset(reqs, 0, sizeof reqs);
  for (int i = 0; i < JOBS; i++) {
    reqs[i].data = &e;
    assert_int_equal(uvf_offload(f.loop, &reqs[i], uvf_loop_pool(f.loop), work, &ran, counts_done), 0);
    if (!one_by_one) continue;
    until_ran(&ran, i + 1);
    busy_for(200); /* it lingers for less */
  }
  until_ran(&ran, JOBS);
  run(&f);
  assert_int_equal(e.done, JOBS);
  assert_int_equal(e.wrong, 0);
  close_fixture(&f);
}

/* A thread that is given back comes again by way of the loop. As with uv_queue_work, what was queued is done without it. */
static void the_pool_works_on_while_the_loop_stands_still(void **state) {
  while_the_loop_stands_still(state, takes_milliseconds, false);
}

/* More jobs than the pool has threads. */
static void one_by_one_while_the_loop_stands_still(void **state) {
  while_the_loop_stands_still(state, counts_itself, true);
}

/* ---- jobs that meet ---- */

enum { ROUNDS = 8, MOST_SHORT = 64 };

/* A job that ends when another one runs, too. */
static int meets(uvf_task_t *task, void *arg, void *value) {
  atomic_int *here = arg;
  (void)task;
  (void)value;
  int wanted = (atomic_fetch_add(here, 1) / 2 + 1) * 2;
  uint64_t until = uv_hrtime() + TEST_PATIENCE_S * UINT64_C(1000000000);
  while (atomic_load(here) < wanted && uv_hrtime() < until)
    (void)sched_yield();
  return atomic_load(here) < wanted ? UV_ETIMEDOUT : 0;
}

typedef struct {
  uvf_executor_t *ex;
  uvf_loop_t *loop;
  uvf_req_t reqs[ROUNDS * (MOST_SHORT + 2)];
  int used;
  ends_t ends;
  atomic_int ran, met;
} queued_t;

static void queue(queued_t *q, uvf_work_cb work, void *arg) {
  uvf_req_t *req = &q->reqs[q->used++];
  req->data = &q->ends;
  assert_int_equal(uvf_offload(q->loop, req, q->ex, work, arg, counts_done), 0);
}

/* Each round: some short jobs, then two that meet, without a turn of the loop. Asserts. */
static void short_ones_and_two_that_meet(queued_t *q, int shorts) {
  for (int round = 1; round <= ROUNDS; round++) {
    for (int i = 0; i < shorts; i++)
      queue(q, counts_itself, &q->ran);
    queue(q, meets, &q->met);
    queue(q, meets, &q->met);
    until_ran(&q->ran, round * shorts);
    until_ran(&q->met, round * 2);
  }
}

static void two_meet_behind_short_ones(void **state, bool in_a_lane) {
  static const int shorts[] = {1, 5, MOST_SHORT};
  const char *size = getenv("UV_THREADPOOL_SIZE");
  if (size != NULL && atoi(size) == 1) skip(); /* there they cannot meet */
  for (size_t i = 0; i < sizeof shorts / sizeof *shorts; i++) {
    static queued_t q;
    uvf_lane_options_t o = {.max_running = 4, .capacity = UVF_UNBOUNDED};
    fixture_t f;
    open_fixture(&f, state);
    memset(&q, 0, sizeof q);
    q.loop = f.loop;
    q.ex = uvf_loop_pool(f.loop);
    if (in_a_lane) assert_int_equal(uvf_lane_create(uvf_loop_pool(f.loop), &o, &q.ex), 0);
    short_ones_and_two_that_meet(&q, shorts[i]);
    run(&f);
    assert_int_equal(q.ends.done, q.used);
    assert_int_equal(q.ends.wrong, 0);
    if (in_a_lane) uvf_executor_release(q.ex);
    close_fixture(&f);
  }
}

static void two_meet_on_the_pool(void **state) {
  two_meet_behind_short_ones(state, false);
}

static void two_meet_in_a_lane(void **state) {
  two_meet_behind_short_ones(state, true);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      BOTH(the_pool_works_on_while_the_loop_stands_still),
      BOTH(one_by_one_while_the_loop_stands_still),
      BOTH(two_meet_on_the_pool),
      BOTH(two_meet_in_a_lane),
  };
  return RUN_TESTS(tests);
}
