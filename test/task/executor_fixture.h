/* SPDX-License-Identifier: MIT */
/* What the tests of executors share: jobs that tell what became of them and stop at gates, a pool that moves only when the
 * test says so, and a teardown that waits for threads on their way out.
 * Work functions, drops and submits run anywhere: they record, the test asserts. */
#ifndef UVF_TEST_EXECUTOR_FIXTURE_H
#define UVF_TEST_EXECUTOR_FIXTURE_H

#include <sched.h>

#include "support/test_host.h"

#define PATIENCE_MS (TEST_PATIENCE_S * 1000)

/* ---- memory of threads that end by themselves ---- */

static long blocks_at_setup;

static inline int executor_setup(void **state) {
  blocks_at_setup = fault_blocks();
  return fault_setup(state);
}

/* An executor's own threads end by themselves, and the last one frees its memory: soon, but nobody joins it. */
static inline bool until_blocks(long blocks) {
  for (uint64_t began = uv_hrtime(); fault_blocks() > blocks;) {
    if (uv_hrtime() - began > (uint64_t)TEST_PATIENCE_S * 1000000000) return false;
    (void)sched_yield();
  }
  return true;
}

static inline int executor_teardown(void **state) {
  (void)until_blocks(blocks_at_setup);
  return fault_teardown(state);
}

#define EXECUTOR_TEST(function) cmocka_unit_test_setup_teardown(function, executor_setup, executor_teardown)

/* ---- jobs ---- */

/* One task, and all that happened to it. Zero it, but for `result`. */
typedef struct job_s {
  uvf_flowvar_t *fv;
  int result; /* what its work returns */
  atomic_int ran, dropped;
  bool gated; /* has gates: see job_gates */
  gate_t begun, go;
  atomic_int *now, *most; /* may be NULL: how many run now, and the most that ever did */
  uvf_task_t *task;       /* of work that ends later; after `begun` */
  void (*act)(struct job_s *job);
  void *arg; /* for act */
} job_t;

static inline void job_gates(job_t *j) {
  j->gated = true;
  gate_init(&j->begun);
  gate_init(&j->go);
}

static inline void job_dropped(void *arg, void *data) {
  (void)data;
  atomic_fetch_add(&((job_t *)arg)->dropped, 1);
}

static inline void job_enter(job_t *j) {
  if (j->now == NULL) return;
  int now = atomic_fetch_add(j->now, 1) + 1, most = atomic_load(j->most);
  while (now > most && !atomic_compare_exchange_weak(j->most, &most, now)) {
  }
}

static inline void job_leave(job_t *j) {
  if (j->now != NULL) atomic_fetch_sub(j->now, 1);
}

/* Runs, and stops at its gates if it has any. */
static inline int job_work(uvf_task_t *task, void *arg, void *value) {
  job_t *j = arg;
  int result = j->result;
  (void)value;
  j->task = task;
  job_enter(j);
  if (j->gated) {
    gate_open(&j->begun);
    if (!gate_wait(&j->go)) result = UV_ETIMEDOUT;
  }
  if (j->act != NULL) j->act(j);
  job_leave(j);
  atomic_fetch_add(&j->ran, 1);
  return result;
}

/* Says that it ends later: job_finish ends it. */
static inline int job_later(uvf_task_t *task, void *arg, void *value) {
  job_t *j = arg;
  (void)value;
  j->task = task;
  job_enter(j);
  atomic_fetch_add(&j->ran, 1);
  if (j->gated) gate_open(&j->begun);
  return UVF_LATER;
}

static inline int job_finish(job_t *j, int status) {
  job_leave(j);
  return uvf_task_finish(j->task, status, NULL);
}

static inline int job_spawn_as(job_t *j, uvf_executor_t *ex, uvf_work_cb work) {
  uvf_spawn_options_t o = {.arg_drop = job_dropped};
  return uvf_spawn(ex, work, j, &o, &j->fv);
}

static inline int job_try(job_t *j, uvf_executor_t *ex) {
  return job_spawn_as(j, ex, job_work);
}

/* These assert. */

static inline void job_spawn(job_t *j, uvf_executor_t *ex) {
  assert_int_equal(job_try(j, ex), 0);
}

static inline void job_spawn_later(job_t *j, uvf_executor_t *ex) {
  assert_int_equal(job_spawn_as(j, ex, job_later), 0);
}

/* n of them, none with gates. */
static inline void jobs_spawn(job_t *j, int n, uvf_executor_t *ex) {
  for (int i = 0; i < n; i++)
    job_spawn(&j[i], ex);
}

/* It has ended with that outcome, either after it ran, once, or without that, and then its arg was dropped once. */
static inline void job_ended(job_t *j, int outcome, bool ran) {
  assert_int_equal(uvf_try_await(j->fv), outcome);
  assert_int_equal(atomic_load(&j->ran), ran ? 1 : 0);
  assert_int_equal(atomic_load(&j->dropped), ran ? 0 : 1);
  uvf_flowvar_release(j->fv);
  j->fv = NULL;
  if (!j->gated) return;
  gate_destroy(&j->begun);
  gate_destroy(&j->go);
}

/* Waits for it first; on a thread that runs no loop. */
static inline void job_ends(job_t *j, int outcome, bool ran) {
  assert_int_equal(uvf_await_sync(j->fv, PATIENCE_MS), outcome);
  job_ended(j, outcome, ran);
}

static inline void jobs_end(job_t *j, int n, int outcome, bool ran) {
  for (int i = 0; i < n; i++)
    job_ends(&j[i], outcome, ran);
}

/* ---- a pool that moves by hand ---- */

enum { HAND_JOBS = 256 };

typedef struct hand_s {
  uvf_executor_t *ex;
  pthread_mutex_t lock;
  struct {
    void (*call)(void *job);
    void *job;
  } jobs[HAND_JOBS]; /* a ring: accepted, not yet run */
  unsigned first, end;
  int submits;                      /* calls, also the refused ones */
  int accepts;                      /* so many more are accepted; below 0: all */
  int refusal;                      /* what the others hear */
  void (*inside)(struct hand_s *h); /* called in each submit; may be NULL */
  void *arg;                        /* for `inside` */
} hand_t;

static _Thread_local bool hand_member;

static inline bool hand_is_member(void *pool) {
  (void)pool;
  return hand_member;
}

static inline int hand_submit(void *pool, void (*call)(void *job), void *job) {
  hand_t *h = pool;
  (void)pthread_mutex_lock(&h->lock);
  h->submits++;
  bool full = h->end - h->first == HAND_JOBS, refused = full || h->accepts == 0;
  if (h->accepts > 0) h->accepts--;
  if (!refused) {
    h->jobs[h->end % HAND_JOBS].call = call;
    h->jobs[h->end++ % HAND_JOBS].job = job;
  }
  (void)pthread_mutex_unlock(&h->lock);
  if (h->inside != NULL) h->inside(h);
  return full ? UV_ENOBUFS : refused ? h->refusal : 0;
}

/* Runs the oldest accepted job on this thread. False: there is none. */
static inline bool hand_step(hand_t *h) {
  void (*call)(void *) = NULL;
  void *job = NULL;
  (void)pthread_mutex_lock(&h->lock);
  if (h->first != h->end) {
    call = h->jobs[h->first % HAND_JOBS].call;
    job = h->jobs[h->first++ % HAND_JOBS].job;
  }
  (void)pthread_mutex_unlock(&h->lock);
  if (call == NULL) return false;
  bool was = hand_member;
  hand_member = true;
  call(job);
  hand_member = was;
  return true;
}

/* Until it has none any more. A runner gives its thread back after a while, and comes again. */
static inline void hand_run(hand_t *h) {
  while (hand_step(h)) {
  }
}

static inline int hand_waiting(const hand_t *h) {
  return (int)(h->end - h->first);
}

/* These assert. */

static inline void hand_init(hand_t *h) {
  memset(h, 0, sizeof *h);
  h->accepts = -1;
  assert_int_equal(pthread_mutex_init(&h->lock, NULL), 0);
}

static inline void hand_open(hand_t *h) {
  uvf_executor_options_t o = {.submit = hand_submit, .is_member = hand_is_member};
  hand_init(h);
  o.pool = h;
  assert_int_equal(uvf_executor_create(&o, &h->ex), 0);
}

/* Gives up the executor, and runs what it still has. */
static inline void hand_close(hand_t *h) {
  uvf_executor_release(h->ex);
  hand_run(h);
  assert_int_equal(pthread_mutex_destroy(&h->lock), 0);
}

/* ---- making the others, and looking at them; all assert ---- */

static inline uvf_executor_t *threads_open(uint32_t n) {
  uvf_threads_options_t o = {.threads = n};
  uvf_executor_t *ex = NULL;
  assert_int_equal(uvf_threads_create(&o, &ex), 0);
  return ex;
}

static inline uvf_executor_t *lane_open(uvf_executor_t *on, uint32_t max_running, size_t capacity) {
  uvf_lane_options_t o = {.max_running = max_running, .capacity = capacity, .name = "lane"};
  uvf_executor_t *lane = NULL;
  assert_int_equal(uvf_lane_create(on, &o, &lane), 0);
  return lane;
}

static inline uvf_executor_stats_t stats_of(uvf_executor_t *ex) {
  uvf_executor_stats_t s;
  memset(&s, 0xff, sizeof s);
  uvf_executor_stats(ex, &s);
  return s;
}

#define expect_now(ex, is_queued, is_running)     \
  do {                                            \
    uvf_executor_stats_t now_ = stats_of(ex);     \
    assert_int_equal(now_.queued, (is_queued));   \
    assert_int_equal(now_.running, (is_running)); \
  } while (0)

#define expect_ended(ex, are_done, have_failed, were_cancelled) \
  do {                                                          \
    uvf_executor_stats_t ends_ = stats_of(ex);                  \
    assert_int_equal(ends_.done, (are_done));                   \
    assert_int_equal(ends_.failed, (have_failed));              \
    assert_int_equal(ends_.cancelled, (were_cancelled));        \
  } while (0)

/* ---- a loop of the test's ---- */

/* Zeroes the records, too. */
static inline void loop_open(test_host_t *h, uint32_t turn_items) {
  uvf_loop_options_t o = {.turn_us = UINT32_MAX, .turn_items = turn_items};
  test_host_init_options(h, &o);
}

#endif
