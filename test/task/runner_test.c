/* SPDX-License-Identifier: MIT */
/* Races of runners: work that comes while one is asked for, is refused, looks, leaves; closing, aborting and releasing meanwhile.
 * The pool's submit is where most of them can be stopped: it runs with no lock held, between the moment in which a runner was
 * counted and the one in which it has come. Each task must have exactly one outcome, and none may be forgotten. */
#include "task/executor_fixture.h"

/* ---- while a runner is asked for ---- */

typedef struct {
  job_t *job; /* is spawned inside submit */
  int spawned;
  int calls, at;  /* calls of submit; what is to be done is done in that one */
  bool on_thread; /* a runner comes, runs and goes meanwhile */
  bool abort, release;
} inside_t;

static void *steps(void *hand) {
  (void)hand_step(hand);
  return NULL;
}

static void inside_submit(hand_t *h) {
  inside_t *in = h->arg;
  if (++in->calls != in->at) return;
  if (in->on_thread) {
    pthread_t thread; /* no assertion may leave from here */
    if (pthread_create(&thread, NULL, steps, h) == 0) (void)pthread_join(thread, NULL);
  }
  if (in->job != NULL) in->spawned = job_try(in->job, h->ex);
  if (in->abort) (void)uvf_executor_abort(h->ex);
  if (in->release) uvf_executor_release(h->ex);
}

/* The runner has come, done the work and gone before submit returns. */
static void a_runner_is_quicker_than_submit(void **state) {
  hand_t h;
  inside_t in = {.at = 1, .on_thread = true};
  job_t j = {0};
  (void)state;
  hand_open(&h);
  h.inside = inside_submit;
  h.arg = &in;
  job_spawn(&j, h.ex);
  job_ended(&j, 0, true);
  expect_ended(h.ex, 1, 0, 0);
  hand_close(&h);
}

/* Two are asked for after a pause. The first does everything and goes; then a task comes that counts on the second; and the second
 * is refused. */
static void who_counts_on_a_runner_that_is_refused_is_not_forgotten(void **state) {
  hand_t h;
  job_t j[3] = {{0}};
  inside_t in = {.at = 2, .on_thread = true, .job = &j[2]};
  (void)state;
  hand_open(&h);
  assert_int_equal(uvf_executor_pause(h.ex), 0);
  jobs_spawn(j, 2, h.ex);
  h.inside = inside_submit;
  h.arg = &in;
  h.accepts = 1;
  h.refusal = UV_EAGAIN;
  assert_int_equal(uvf_executor_resume(h.ex), 0);
  assert_int_equal(in.calls, 2);
  assert_int_equal(in.spawned, 0);
  job_ended(&j[0], 0, true);
  job_ended(&j[1], 0, true);
  job_ended(&j[2], UV_ECANCELED, false);
  expect_now(h.ex, 0, 0);
  hand_close(&h);
}

/* Two tasks come at a time, and both are refused their threads: the one that is inside the other is accepted, since somebody was on
 * the way, and cancelled when nobody is. */
static void one_refusal_inside_another(void **state) {
  hand_t h;
  job_t outer = {0}, inner = {0};
  inside_t in = {.at = 1, .job = &inner};
  (void)state;
  hand_open(&h);
  h.inside = inside_submit;
  h.arg = &in;
  h.accepts = 0;
  h.refusal = UV_EAGAIN;
  assert_int_equal(job_try(&outer, h.ex), UV_EAGAIN);
  assert_int_equal(atomic_load(&outer.ran) + atomic_load(&outer.dropped), 0);
  assert_int_equal(in.spawned, 0);
  job_ended(&inner, UV_ECANCELED, false);
  expect_now(h.ex, 0, 0);
  hand_close(&h);
}

static void it_is_aborted_inside_submit(void **state) {
  (void)state;
  for (int refused = 0; refused <= 1; refused++) {
    hand_t h;
    job_t j = {0};
    inside_t in = {.at = 1, .abort = true};
    hand_open(&h);
    h.inside = inside_submit;
    h.arg = &in;
    h.accepts = refused ? 0 : -1;
    h.refusal = UV_EAGAIN;
    job_spawn(&j, h.ex); /* it had been accepted before */
    job_ended(&j, UV_ECANCELED, false);
    hand_close(&h);
  }
}

/* The user's last reference goes while a spawn is under way. */
static void it_is_released_inside_submit(void **state) {
  (void)state;
  for (int refused = 0; refused <= 1; refused++) {
    hand_t h;
    job_t j = {0};
    inside_t in = {.at = 1, .release = true};
    hand_open(&h);
    h.inside = inside_submit;
    h.arg = &in;
    h.accepts = refused ? 0 : -1;
    h.refusal = UV_EAGAIN;
    assert_int_equal(job_try(&j, h.ex), refused ? UV_EAGAIN : 0);
    h.ex = NULL;
    hand_close(&h);
    if (!refused) job_ended(&j, 0, true);
  }
}

/* ---- while one leaves ---- */

typedef struct {
  hand_t *h;
  uvf_executor_t *ex;
  job_t next;
  int accepts, spawned;
} leaving_t;

/* Longer than a runner keeps its thread. Nobody wants the value. */
static int takes_its_time(uvf_task_t *task, void *arg, void *value) {
  uint64_t began = uv_hrtime();
  (void)task;
  memcpy(value, &arg, sizeof arg);
  while (uv_hrtime() - began < 3000000) {
  }
  return 0;
}

/* The runner drops the value when it has decided to leave, and has not gone. */
static void drop_spawns(void *item, void *data) {
  leaving_t *l = data;
  (void)item;
  l->h->accepts = l->accepts;
  l->spawned = job_try(&l->next, l->ex);
}

static void work_comes_while_a_runner_leaves(void **state) {
  (void)state;
  for (int way = 0; way < 4; way++) {
    bool lane = way % 2 == 1, refused = way / 2 == 1;
    hand_t h;
    hand_open(&h);
    h.refusal = UV_EAGAIN;
    leaving_t l = {.h = &h, .accepts = refused ? 0 : -1};
    l.ex = lane ? lane_open(h.ex, 1, 10) : uvf_executor_retain(h.ex);
    uvf_spawn_options_t o = {.value_size = sizeof(void *), .value_drop = drop_spawns, .data = &l};
    assert_int_equal(uvf_spawn(l.ex, takes_its_time, &l, &o, NULL), 0);
    hand_run(&h);
    assert_int_equal(l.spawned, 0); /* the runner is still counted */
    job_ended(&l.next, refused ? UV_ECANCELED : 0, !refused);
    expect_now(l.ex, 0, 0);
    uvf_executor_release(l.ex);
    hand_close(&h);
  }
}

/* It ended later, and from outside; then the next one needs a runner, and the one that was there has left. */
static void an_end_from_outside_starts_the_next(void **state) {
  hand_t h;
  job_t j[3] = {{0}};
  (void)state;
  for (int refused = 0; refused <= 1; refused++) {
    hand_open(&h);
    uvf_executor_t *lane = lane_open(h.ex, 1, UVF_UNBOUNDED);
    memset(j, 0, sizeof j);
    job_spawn_later(&j[0], lane);
    jobs_spawn(&j[1], 2, lane);
    hand_run(&h);
    assert_int_equal(hand_waiting(&h), 0);
    h.accepts = refused ? 0 : -1;
    h.refusal = UV_EAGAIN;
    assert_int_equal(job_finish(&j[0], 0), 0);
    assert_int_equal(hand_waiting(&h), refused ? 0 : 1);
    hand_run(&h);
    job_ended(&j[0], 0, true);
    job_ended(&j[1], refused ? UV_ECANCELED : 0, !refused);
    job_ended(&j[2], refused ? UV_ECANCELED : 0, !refused);
    uvf_executor_release(lane);
    hand_close(&h);
  }
}

/* Finished before its work function has returned: nothing is counted twice. */
static int finishes_itself(uvf_task_t *task, void *arg, void *value) {
  job_t *j = arg;
  (void)value;
  (void)uvf_task_finish(task, 0, NULL);
  atomic_fetch_add(&j->ran, 1);
  return UVF_LATER;
}

static void work_that_finishes_itself_ends_once(void **state) {
  hand_t h;
  job_t j[2] = {{0}};
  (void)state;
  hand_open(&h);
  uvf_executor_t *lane = lane_open(h.ex, 1, UVF_UNBOUNDED);
  for (int i = 0; i < 2; i++)
    assert_int_equal(job_spawn_as(&j[i], lane, finishes_itself), 0);
  hand_run(&h);
  job_ended(&j[0], 0, true);
  job_ended(&j[1], 0, true);
  expect_now(lane, 0, 0);
  expect_ended(lane, 2, 0, 0);
  uvf_executor_release(lane);
  hand_close(&h);
}

/* ---- all at once ---- */

enum { SPAWNERS = 3, WORKERS = 2, JOBS = 40 };

#if defined(__SANITIZE_THREAD__)
enum { ROUNDS = 40 };
#else
enum { ROUNDS = 150 };
#endif

typedef struct {
  hand_t h;
  uvf_executor_t *ex; /* where work goes: the pool, or a lane on it */
  atomic_bool ended;
  int round;
} crowd_t;

typedef struct {
  crowd_t *c;
  job_t jobs[JOBS];
  int spawned[JOBS];
} crowd_spawner_t;

/* Refuses a thread now and then. */
static void refuses_sometimes(hand_t *h) {
  (void)pthread_mutex_lock(&h->lock);
  h->accepts = h->submits % 5 < 2 ? 0 : -1;
  (void)pthread_mutex_unlock(&h->lock);
}

static void crowd_works(void *arg) {
  crowd_t *c = arg;
  while (!atomic_load(&c->ended))
    if (!hand_step(&c->h)) (void)sched_yield();
}

static void crowd_spawns(void *arg) {
  crowd_spawner_t *s = arg;
  for (int i = 0; i < JOBS; i++) {
    s->spawned[i] = job_try(&s->jobs[i], s->c->ex);
    if (s->spawned[i] == 0 && i % 7 == 3) (void)uvf_flowvar_cancel(s->jobs[i].fv);
  }
}

/* Of each: it was refused; or it ran; or it was cancelled, and its arg was dropped. Blocks until it has ended. The number of those
 * that are wrong. */
static int crowd_wrong(crowd_spawner_t *s, bool may_close) {
  int wrong = 0;
  for (int i = 0; i < JOBS; i++) {
    job_t *j = &s->jobs[i];
    int r = s->spawned[i], outcome = r != 0 ? r : uvf_await_sync(j->fv, PATIENCE_MS);
    int ran = atomic_load(&j->ran), dropped = atomic_load(&j->dropped);
    bool good = r == UV_EAGAIN || (may_close && r == UV_EPIPE) ? ran + dropped == 0
                : outcome == 0                                 ? ran == 1 && dropped == 0
                                                               : outcome == UV_ECANCELED && ran == 0 && dropped == 1;
    wrong += !good;
    uvf_flowvar_release(j->fv);
  }
  return wrong;
}

enum { GO_ON, CLOSE, ABORT, RELEASE, ENDS };

static void crowd_end(crowd_t *c, int how) {
  if (how == CLOSE) (void)uvf_executor_close(c->ex);
  if (how == ABORT) (void)uvf_executor_abort(c->h.ex); /* of all */
}

static void crowd_round(int round, int how, bool lane, bool refusals) {
  static crowd_spawner_t s[SPAWNERS];
  crowd_t c = {.round = round};
  thread_t spawners[SPAWNERS], workers[WORKERS];
  int wrong = 0;
  memset(s, 0, sizeof s);
  hand_open(&c.h);
  c.h.refusal = UV_EAGAIN;
  if (refusals) c.h.inside = refuses_sometimes;
  c.ex = lane ? lane_open(c.h.ex, 1 + (uint32_t)round % 2, UVF_UNBOUNDED) : uvf_executor_retain(c.h.ex);
  for (int i = 0; i < WORKERS; i++)
    thread_start(&workers[i], crowd_works, &c);
  for (int i = 0; i < SPAWNERS; i++) {
    s[i].c = &c;
    thread_start(&spawners[i], crowd_spawns, &s[i]);
  }
  crowd_end(&c, how);
  for (int i = 0; i < SPAWNERS; i++)
    thread_join(&spawners[i]);
  if (how == RELEASE) uvf_executor_release(c.ex); /* with what is queued */
  for (int i = 0; i < SPAWNERS; i++)
    wrong += crowd_wrong(&s[i], how == CLOSE || how == ABORT);
  assert_int_equal(wrong, 0);
  atomic_store(&c.ended, true);
  for (int i = 0; i < WORKERS; i++)
    thread_join(&workers[i]);
  if (how != RELEASE) uvf_executor_release(c.ex);
  c.h.inside = NULL;
  hand_close(&c.h);
}

static void nobody_is_forgotten_in_a_crowd(void **state) {
  (void)state;
  for (int round = 0; round < ROUNDS; round++)
    crowd_round(round, round % ENDS, round / ENDS % 2 == 1, round / ENDS / 2 % 2 == 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      EXECUTOR_TEST(a_runner_is_quicker_than_submit),
      EXECUTOR_TEST(who_counts_on_a_runner_that_is_refused_is_not_forgotten),
      EXECUTOR_TEST(one_refusal_inside_another),
      EXECUTOR_TEST(it_is_aborted_inside_submit),
      EXECUTOR_TEST(it_is_released_inside_submit),
      EXECUTOR_TEST(work_comes_while_a_runner_leaves),
      EXECUTOR_TEST(an_end_from_outside_starts_the_next),
      EXECUTOR_TEST(work_that_finishes_itself_ends_once),
      EXECUTOR_TEST(nobody_is_forgotten_in_a_crowd),
  };
  return RUN_TESTS(tests);
}
