/* SPDX-License-Identifier: MIT */
/* Executors: jobs are queued, withdrawn and ended from several threads, while runners take them, linger and leave, and
 * while the executor is paused, closed, aborted and released. Each accepted job either runs once or is cancelled once;
 * no more of them run at a time than may; the pool's threads and whoever waits for room or for idle sleep for real, so
 * that one who is forgotten is a deadlock; the executor ends once, and its memory is freed once.
 * sources: task/executor.c task/intake.c task/runner.c task/crowd.c task/blocks.c task/control.c task/room_idle.c task/lane.c
 * sources: wait/pace.c wait/blocked.c wait/waits.c wait/op.c wait/bells.c wait/ready.c wait/loop.c wait/request.c wait/deadline.c
 * sources: wait/detach.c wait/post.c wait/drain.c base/fence.c base/heap.c
 * flags: -DSPINS=0 -DLINGER_SPINS=0 -DINTAKE_SPINS=0 -DLINGER_US=4 -DGATHER_US=0
 * flags: -DGATHER_FLOW=4 -DGATHER_ITEMS=64 -DUVF__BLOCKS_KEPT=0 -DLANE_US=1 */
#include "model_pool.h"

#include <uvflow/control.h>

enum { MOST_JOBS = 6 };

typedef struct {
  uint32_t max_running;
  size_t capacity;
  uint32_t lane; /* its max_running; 0: jobs go to the executor itself */
  unsigned how;
  void (*thread[4])(void);
} scenario_t;

enum {
  LATER = 1,    /* jobs answer UVF_LATER; somebody ends them */
  SPENT = 2,    /* a runner leaves after each job */
  MEET = 4,     /* a job waits until another one runs, too */
  PAUSED = 8,   /* from the start */
  REFUSES = 16, /* some runners cannot be started */
  CROWDED = 32  /* jobs are taken for short ones (crowd.h) */
};

enum { PENDING, RUNNING, CANCELLED };

typedef struct {
  uvf__job_t job;
  a_u32 state;
  model_item_t input, result; /* by who makes it; by who runs it */
  int number;
  unsigned by; /* whose thread made it */
  bool kept;   /* by who may withdraw it */
} job_t;

typedef struct {
  model_pool_t pool;
  uvf_executor_t *pool_ex; /* on which the pool's threads are */
  uvf_executor_t *ex;      /* to which the jobs go */
  model_gate_t meet;
  model_gate_t later; /* open once for each of the next */
  job_t *ends_later[MOST_JOBS];
  int later_count, later_taken;
  int begun[4], over_of[4], accepted_of[4]; /* by who made them; the first: the number after that of the last one */
  int made, accepted, ran, ended, cancelled, asked, met;
  uint32_t running;
  bool halted; /* paused, and somebody has seen it idle */
  bool over;   /* closed, and somebody has seen it idle */
  job_t *withdrawn;
} state_t;

static const scenario_t *scenario;
static state_t *s;

/* ---- a job ---- */

static job_t *job_of(uvf__job_t *job) {
  return uvf__container(job, job_t, job);
}

static bool job_move(uvf__job_t *job, uint32_t to) {
  uint32_t pending = PENDING;
  return a_cas(&job_of(job)->state, &pending, to, acq_rel, relaxed);
}

static bool job_alive(uvf__job_t *job) {
  return a_load(&job_of(job)->state, relaxed) == PENDING;
}

static bool job_begin(uvf__job_t *job) {
  return job_move(job, RUNNING);
}

static void meet(void) {
  if (s->met++ % 2 == 0)
    model_gate_pass(&s->meet);
  else
    model_gate_open(&s->meet);
}

static int job_run(uvf__job_t *job) {
  job_t *j = job_of(job);
  RL_ASSERT(item_get(&j->input) == (uint64_t)j->number + 1);
  RL_ASSERT(!s->over && !s->halted);
  if (scenario->max_running == 1) RL_ASSERT(j->number >= s->begun[j->by]); /* in order */
  s->begun[j->by] = j->number + 1;
  RL_ASSERT(++s->running <= scenario->max_running && (scenario->lane == 0 || s->running <= scenario->lane));
  s->ran++;
  if ((scenario->how & MEET) != 0) meet();
  model_advance_clock(rl::rand(2)); /* a lane's runner may be spent, or not */
  item_set(&j->result, (uint64_t)j->number + 1);
  if ((scenario->how & LATER) != 0) {
    s->ends_later[s->later_count++] = j;
    model_gate_open(&s->later);
    return UVF_LATER;
  }
  s->running--;
  return 0;
}

static void job_free(job_t *j) {
  if (!j->kept) uvf__free(j);
}

static void job_hand_back(uvf__job_t *job, int status, uvf__bells_t *bells) {
  job_t *j = job_of(job);
  (void)bells;
  RL_ASSERT(status == 0 && a_load(&j->state, relaxed) == RUNNING);
  RL_ASSERT(item_get(&j->result) == (uint64_t)j->number + 1);
  s->ended++;
  s->over_of[j->by]++;
  job_free(j);
}

static bool job_cancel(uvf__job_t *job) {
  return job_move(job, CANCELLED);
}

static void job_cancelled(uvf__job_t *job) {
  RL_ASSERT(item_get(&job_of(job)->input) == (uint64_t)job_of(job)->number + 1);
  s->cancelled++;
  s->over_of[job_of(job)->by]++;
  job_free(job_of(job));
}

static void job_ask(uvf__job_t *job, uvf__bells_t *bells) {
  (void)bells;
  RL_ASSERT(a_load(&job_of(job)->state, relaxed) == RUNNING);
  s->asked++;
}

static const uvf__job_type_t job_type = {job_alive,  job_begin,     job_run, job_hand_back, NULL,
                                         job_cancel, job_cancelled, job_ask, true};

/* ---- what threads do ---- */

static job_t *job_new_of(unsigned made_by) {
  job_t *j = model_new<job_t>();
  a_init(&j->state, PENDING);
  j->job.type = &job_type;
  j->number = s->made++;
  j->by = made_by;
  item_set(&j->input, (uint64_t)j->number + 1);
  return j;
}

static job_t *job_new(void) {
  return job_new_of(rl::thread_index());
}

static int submit(job_t *j) {
  unsigned by = j->by; /* it may be gone afterwards */
  int r = uvf__executor_submit(s->ex, &j->job, UVF__ORDINARY);
  if (r == 0)
    s->accepted++, s->accepted_of[by]++;
  else
    job_free(j);
  if (scenario->capacity == UVF__NO_LIMIT) return r;
  uvf_executor_stats_t stats;
  uvf_executor_stats(s->ex, &stats);
  RL_ASSERT(stats.high_water <= scenario->capacity);
  return r;
}

static void submit_one(void) {
  int r = submit(job_new());
  RL_ASSERT(r == 0 || r == UV_EPIPE || (r == UV_EAGAIN && (scenario->how & REFUSES) != 0));
}

static void submits(void) {
  submit_one();
  uvf_executor_release(s->ex);
}

static void submits_two(void) {
  submit_one();
  submit_one();
  uvf_executor_release(s->ex);
}

static void submits_four(void) {
  for (int i = 0; i < 3; i++)
    submit_one();
  submits();
}

static void submit_waiting(void) {
  int r;
  while ((r = submit(job_new())) == UV_EAGAIN) {
    r = uvf_wait_room_sync(s->ex, UVF_FOREVER);
    RL_ASSERT(r == 0 || r == UV_EPIPE);
  }
  RL_ASSERT(r == 0 || r == UV_EPIPE);
}

static void submits_waiting(void) {
  submit_waiting();
  uvf_executor_release(s->ex);
}

static void submits_two_waiting(void) {
  submit_waiting();
  submit_waiting();
  uvf_executor_release(s->ex);
}

static void submits_waiting_and_resumes(void) {
  submit_waiting();
  RL_ASSERT(uvf_executor_resume(s->ex) == 0);
  uvf_executor_release(s->ex);
}

/* A timed wait for room may leave a turn behind that somebody else needs. */
static void waits_for_room_in_vain(void) {
  int r = uvf_wait_room_sync(s->ex, 1);
  RL_ASSERT(r == 0 || r == UV_EPIPE || r == UV_ETIMEDOUT);
  uvf_executor_release(s->ex);
}

static void runs(void) {
  model_pool_thread(&s->pool, s->pool_ex);
}

static void nothing(void) {
}

/* Without a reference: a job that has not ended keeps the memory. */
static void ends_later(void) {
  uvf_executor_release(s->ex);
  for (int i = 0; i < 2; i++) {
    model_gate_pass(&s->later);
    job_t *j = s->ends_later[s->later_taken++];
    s->running--;
    uvf__executor_over(s->ex, &j->job, 0);
  }
}

static void releases(void) {
  uvf_executor_release(s->ex);
}

static void closes(void) {
  RL_ASSERT(uvf_executor_close(s->ex) == 0);
  RL_ASSERT(uvf_executor_close(s->ex) == UV_EALREADY);
  uvf_executor_release(s->ex);
}

static void aborts(void) {
  RL_ASSERT(uvf_executor_abort(s->ex) == 0);
  uvf_executor_release(s->ex);
}

/* What the lane is on. */
static void aborts_below(void) {
  RL_ASSERT(uvf_executor_abort(s->pool_ex) == 0);
  uvf_executor_release(s->pool_ex);
  uvf_executor_release(s->ex);
}

static void closes_below(void) {
  RL_ASSERT(uvf_executor_close(s->pool_ex) == 0);
  uvf_executor_release(s->pool_ex);
  uvf_executor_release(s->ex);
}

static void closes_and_waits(void) {
  RL_ASSERT(uvf_executor_close(s->ex) == 0);
  RL_ASSERT(uvf_wait_idle_sync(s->ex, UVF_FOREVER) == 0);
  s->over = true;
  uvf_executor_stats_t stats;
  uvf_executor_stats(s->ex, &stats);
  RL_ASSERT(stats.queued == 0 && stats.running == 0 && stats.done == (uint64_t)s->ended);
  uvf_executor_release(s->ex);
}

static void waits_idle(void) {
  RL_ASSERT(uvf_wait_idle_sync(s->ex, UVF_FOREVER) == 0);
  uvf_executor_release(s->ex);
}

/* The last release starts whoever is wanted, since it resumes; so they keep their reference until the work is done. */
static void submits_and_waits(void) {
  unsigned me = rl::thread_index();
  submit_one();
  RL_ASSERT(uvf_wait_idle_sync(s->ex, UVF_FOREVER) == 0);
  if ((scenario->how & CROWDED) != 0) RL_ASSERT(s->over_of[me] == s->accepted_of[me]); /* none is cancelled there */
  uvf_executor_release(s->ex);
}

static void submits_two_and_waits(void) {
  submit_one();
  submits_and_waits();
}

static void resumes_two(void) {
  submit_one();
  submit_one();
  RL_ASSERT(uvf_executor_resume(s->ex) == 0);
  RL_ASSERT(uvf_wait_idle_sync(s->ex, UVF_FOREVER) == 0);
  uvf_executor_release(s->ex);
}

static void waits_idle_timed(void) {
  int r = uvf_wait_idle_sync(s->ex, 1);
  RL_ASSERT(r == 0 || r == UV_ETIMEDOUT);
  uvf_executor_release(s->ex);
}

static void pauses(void) {
  RL_ASSERT(uvf_executor_pause(s->ex) == 0);
  RL_ASSERT(uvf_executor_resume(s->ex) == 0);
  uvf_executor_release(s->ex);
}

/* Idle although something may be queued. */
static void pauses_and_waits(void) {
  RL_ASSERT(uvf_executor_pause(s->ex) == 0);
  RL_ASSERT(uvf_wait_idle_sync(s->ex, UVF_FOREVER) == 0);
  s->halted = true; /* nothing begins meanwhile */
  model_pause();
  RL_ASSERT(s->ran == s->ended);
  s->halted = false;
  RL_ASSERT(uvf_executor_resume(s->ex) == 0);
  uvf_executor_release(s->ex);
}

/* As the canceller of a flowvar does; without a reference, as in ends_later. */
static void withdraws(void) {
  job_t *j = s->withdrawn;
  uvf_executor_release(s->ex);
  if (job_cancel(&j->job)) {
    RL_ASSERT(uvf__executor_withdraw(s->ex, &j->job));
    s->withdrawn = NULL;
    j->kept = false;
    job_cancelled(&j->job);
    uvf__executor_unhold(s->ex); /* the job's */
  }
}

/* By who queued it, at once. */
static void submits_and_withdraws(void) {
  job_t *j = s->withdrawn = job_new();
  j->kept = true;
  if (submit(j) == 0) {
    withdraws();
  } else {
    uvf_executor_release(s->ex);
  }
}

static void submits_two_and_withdraws(void) {
  submit_one();
  submits_and_withdraws();
}

/* Each accepted job is counted somewhere. */
static void submits_and_looks(void) {
  uvf_executor_stats_t stats;
  submit_one();
  uint64_t accepted = (uint64_t)s->accepted;
  uvf_executor_stats(s->ex, &stats);
  RL_ASSERT(stats.queued + stats.running + stats.done + stats.cancelled + stats.failed >= accepted);
  uvf_executor_release(s->ex);
}

struct model : rl::test_suite<model, 4> {
  static bool is(int i, void (*f)(void)) {
    return scenario->thread[i] == f;
  }

  static void make_executor() {
    int threads = 0, users = 0;
    for (int i = 0; i < 4; i++) {
      threads += is(i, runs);
      users += !is(i, runs) && !is(i, nothing);
    }
    s->pool.ends_at_once = (scenario->how & SPENT) != 0;
    s->ex = s->pool_ex = model_pool_create(&s->pool, threads, scenario->max_running,
                                           scenario->lane == 0 ? scenario->capacity : UVF__NO_LIMIT);
    if (scenario->lane != 0) {
      uvf_lane_options_t o;
      memset(&o, 0, sizeof o);
      o.max_running = scenario->lane;
      o.capacity = scenario->capacity;
      RL_ASSERT(uvf_lane_create(s->pool_ex, &o, &s->ex) == 0);
      if (!is(3, aborts_below) && !is(3, closes_below)) uvf_executor_release(s->pool_ex);
    }
    for (int i = 1; i < users; i++)
      (void)uvf_executor_retain(s->ex);
    s->pool.refuses = (scenario->how & REFUSES) != 0 ? 2 : 0;
    if ((scenario->how & CROWDED) != 0) s->ex->crowd.average = 0;
    if ((scenario->how & PAUSED) != 0) RL_ASSERT(uvf_executor_pause(s->ex) == 0);
  }

  void before() {
    model_begin();
    s = model_new<state_t>();
    model_gate_init(&s->later);
    model_gate_init(&s->meet);
    make_executor();
    if (is(1, withdraws)) {
      s->withdrawn = job_new_of(0);
      s->withdrawn->kept = true;
      RL_ASSERT(submit(s->withdrawn) == 0);
    }
  }

  void thread(unsigned index) {
    scenario->thread[index]();
  }

  void after() {
    RL_ASSERT(s->accepted == s->ended + s->cancelled && s->ran == s->ended);
    RL_ASSERT(s->running == 0);
    model_pool_check(&s->pool);
    model_gate_destroy(&s->later);
    model_gate_destroy(&s->meet);
    uvf__free(s->withdrawn);
    uvf__free(s);
    model_end();
  }
};

static const size_t no = UVF__NO_LIMIT;

static const struct {
  const char *name;
  scenario_t what;
  unsigned random, bound;
} all[] = {
    {"released", {2, no, 0, 0, {submits_two, submits, runs, releases}}, 4000, 1},
    {"two runners", {2, no, 0, 0, {submits_two, submits, runs, runs}}, 6000, 0},
    {"one at a time", {1, no, 0, 0, {submits_two, submits, runs, runs}}, 4000, 0},
    {"spent", {2, no, 0, SPENT, {submits_two, submits, runs, runs}}, 6000, 0},
    {"meeting", {2, no, 0, MEET, {submits_two_and_waits, nothing, runs, runs}}, 6000, 0},
    {"meeting, resumed", {2, no, 0, MEET | PAUSED, {resumes_two, nothing, runs, runs}}, 6000, 0},
    {"crowded", {2, no, 0, CROWDED, {submits_two, submits_two, runs, runs}}, 6000, 0},
    {"crowded, paused", {2, no, 0, CROWDED | SPENT, {submits_two, pauses, runs, runs}}, 6000, 0},
    {"crowded, aborted", {2, no, 0, CROWDED, {submits_two, aborts, runs, runs}}, 6000, 0},
    {"crowded, one runner", {2, no, 0, CROWDED, {submits_two, submits_and_looks, runs, nothing}}, 6000, 0},
    {"crowded, withdrawn", {2, no, 0, CROWDED, {submits_two_and_withdraws, submits_two, runs, runs}}, 6000, 0},
    {"crowded, closed", {2, no, 0, CROWDED, {submits_two, closes_and_waits, runs, runs}}, 6000, 0},
    {"crowded, idle", {2, no, 0, CROWDED, {submits_two_and_waits, submits_two_and_waits, runs, runs}}, 6000, 0},
    {"crowded, in a lane", {2, no, 2, CROWDED, {submits_two_and_waits, submits_two_and_waits, runs, runs}}, 6000, 0},
    {"crowded, meeting", {2, no, 0, CROWDED | MEET, {submits_two, submits_two, runs, runs}}, 6000, 0},
    {"closed", {2, no, 0, 0, {submits_two, submits, runs, closes}}, 4000, 1},
    {"aborted", {2, no, 0, 0, {submits_two, submits, runs, aborts}}, 4000, 1},
    {"paused", {2, no, 0, 0, {submits_two, pauses, runs, aborts}}, 4000, 0},
    {"resumed", {2, no, 0, SPENT, {submits_two, pauses, runs, releases}}, 6000, 0},
    {"later", {1, no, 0, LATER, {submits_two, ends_later, runs, runs}}, 6000, 0},
    {"later, one runner", {2, no, 0, LATER, {submits_two, ends_later, runs, waits_idle}}, 6000, 0},
    {"withdrawn", {1, no, 0, 0, {submits, withdraws, runs, releases}}, 4000, 1},
    {"withdrawn, aborted", {1, no, 0, 0, {aborts, withdraws, runs, nothing}}, 4000, 1},
    {"withdrawn, closed", {1, no, 0, PAUSED, {closes, withdraws, runs, nothing}}, 2000, 1},
    {"no thread", {1, no, 0, SPENT | REFUSES, {submits_two, submits, runs, closes}}, 15000, 0},
    {"no thread, idle", {1, no, 0, SPENT | REFUSES, {submits_and_waits, submits, runs, nothing}}, 15000, 0},
    {"idle, closed", {1, no, 0, 0, {submits_two, submits, runs, closes_and_waits}}, 4000, 1},
    {"idle, two", {2, no, 0, SPENT, {submits_two, waits_idle, runs, waits_idle_timed}}, 6000, 0},
    {"idle, paused", {2, no, 0, 0, {submits_two, submits, runs, pauses_and_waits}}, 6000, 0},
    {"room", {1, 1, 0, 0, {submits_two_waiting, submits_two_waiting, runs, nothing}}, 6000, 0},
    {"room, in vain", {1, 1, 0, 0, {submits_two_waiting, waits_for_room_in_vain, runs, submits_waiting}}, 15000, 0},
    {"room, closed", {1, 1, 0, 0, {submits_waiting, submits_two_waiting, runs, closes}}, 6000, 0},
    {"room, withdrawn", {1, 1, 0, PAUSED, {submits_waiting_and_resumes, withdraws, runs, nothing}}, 4000, 0},
    {"lane", {2, 2, 1, 0, {submits_two_waiting, submits_waiting, runs, releases}}, 6000, 0},
    {"lane, two threads", {2, 9, 2, SPENT, {submits_two, submits, runs, runs}}, 6000, 0},
    {"lane, below aborted", {2, 9, 1, 0, {submits_two, submits_waiting, runs, aborts_below}}, 6000, 0},
    {"lane, below closed", {2, 9, 1, 0, {submits_two, submits_waiting, runs, closes_below}}, 6000, 0},
    {"lane, aborted", {2, 9, 1, 0, {submits_two, submits, runs, aborts}}, 6000, 0},
    {"crowded, in order", {1, no, 0, CROWDED, {submits_four, nothing, runs, nothing}}, 100000, 0},
    {"crowded, closed, one runner", {2, no, 0, CROWDED, {submits_two, closes_and_waits, runs, nothing}}, 400000, 0},
};

int main(void) {
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
    scenario = &all[i].what;
    if (!model_run<model>(all[i].name, all[i].random, all[i].bound)) return 1;
  }
  return 0;
}
