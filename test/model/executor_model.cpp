/* SPDX-License-Identifier: MIT */
/* Executors: jobs are queued, withdrawn and ended from several threads, while runners take them, linger and leave, and
 * while the executor is paused, closed, aborted and released. Each accepted job either runs once or is cancelled once;
 * no more of them run at a time than may; the pool's threads and whoever waits for room or for idle sleep for real, so
 * that one who is forgotten is a deadlock; the executor ends once, and its memory is freed once.
 * sources: task/executor.c task/intake.c task/runner.c task/start.c task/crowd.c task/blocks.c task/control.c task/room_idle.c task/lane.c
 * sources: wait/pace.c wait/blocked.c wait/waits.c wait/op.c wait/bells.c wait/ready.c wait/loop.c wait/request.c wait/deadline.c
 * sources: wait/detach.c wait/post.c wait/drain.c base/fence.c base/heap.c
 * flags: -DSPINS=0 -DLINGER_SPINS=0 -DINTAKE_SPINS=0 -DLINGER_US=4 -DGATHER_US=0
 * flags: -DGATHER_FLOW=4 -DGATHER_ITEMS=64 -DUVF__BLOCKS_KEPT=0 -DLANE_US=1 */
#include "model_jobs.h"

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

/* As a loop in a callback that waits for what it has queued, while nobody does what the loop was asked to. */
static void stand_for(int jobs) {
  for (int i = 0; i < jobs; i++)
    submit_one();
  for (int i = 0; i < jobs; i++)
    model_gate_pass(&s->own);
  model_pool_turn(s->pool_ex, true);
  uvf_executor_release(s->ex);
}

/* Its turn comes when it was asked, and so does the next, unless all was done without. */
static void turns(void) {
  model_gate_pass(&s->pool.asks);
  model_pool_turn(s->pool_ex, false);
  model_gate_pass(&s->pool.asks);
  model_pool_turn(s->pool_ex, true);
  uvf_executor_release(s->ex);
}

static void submits_two_in_turn(void) {
  for (int i = 0; i < 2; i++) {
    submit_one();
    RL_ASSERT(uvf_wait_idle_sync(s->ex, UVF_FOREVER) == 0);
  }
  model_gate_open(&s->pool.asks);
  uvf_executor_release(s->ex);
}

static void submits_and_tells(void) {
  submit_one();
  model_gate_open(&s->later);
  uvf_executor_release(s->ex);
}

/* Behind a job that somebody else has queued, who could only ask. */
static void stands_behind_another(void) {
  model_gate_pass(&s->later);
  stand_for(1);
}

static void stands_for_two(void) {
  stand_for(2);
}

static void stands_for_four(void) {
  stand_for(4);
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
  uint64_t queued = a_load(&s->queued, acquire);
  uvf_executor_stats(s->ex, &stats);
  RL_ASSERT(stats.queued + stats.running + stats.done + stats.cancelled + stats.failed >= queued);
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
    s->pool.stands = (scenario->how & STANDS) != 0;
    s->pool.refuses = (scenario->how & REFUSES) != 0 ? 2 : 0;
    if ((scenario->how & CROWDED) != 0) s->ex->crowd.average = 0;
    if ((scenario->how & PAUSED) != 0) RL_ASSERT(uvf_executor_pause(s->ex) == 0);
  }

  void before() {
    model_begin();
    s = model_new<state_t>();
    a_init(&s->queued, 0);
    model_gate_init(&s->later);
    model_gate_init(&s->meet);
    model_gate_init(&s->own);
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
    model_gate_destroy(&s->own);
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
    {"crowded, one runner", {2, no, 0, CROWDED | LOOKED_AT, {submits_two, submits_and_looks, runs, nothing}}, 6000, 0},
    {"crowded, withdrawn", {2, no, 0, CROWDED, {submits_two_and_withdraws, submits_two, runs, runs}}, 6000, 0},
    {"crowded, closed", {2, no, 0, CROWDED, {submits_two, closes_and_waits, runs, runs}}, 6000, 0},
    {"crowded, idle", {2, no, 0, CROWDED, {submits_two_and_waits, submits_two_and_waits, runs, runs}}, 6000, 0},
    {"crowded, in a lane", {2, no, 2, CROWDED, {submits_two_and_waits, submits_two_and_waits, runs, runs}}, 6000, 0},
    {"crowded, meeting", {2, no, 0, CROWDED | MEET, {submits_two, submits_two, runs, runs}}, 6000, 0},
    {"standing", {2, no, 0, STANDS | CROWDED, {stands_for_two, submits, runs, runs}}, 6000, 0},
    {"standing, meeting", {2, no, 0, STANDS | CROWDED | MEET, {stands_for_two, nothing, runs, runs}}, 6000, 0},
    {"standing, asked", {2, no, 0, STANDS, {turns, submits_two_in_turn, runs, nothing}}, 6000, 0},
    {"standing, lane of one", {2, no, 1, STANDS, {stands_behind_another, submits_and_tells, runs, runs}}, 6000, 0},
    {"standing, later, lane",
     {2, no, 2, STANDS | CROWDED | MEET | SHORT, {stands_for_four, nothing, runs, runs}},
     20000,
     0},
    {"standing, in a lane", {2, no, 2, STANDS, {stands_for_two, submits, runs, runs}}, 6000, 0},
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
    {"room, closed", {1, 1, 0, 0, {submits_waiting, submits_two_waiting, runs, closes}}, 6000, 0},
    {"room, withdrawn", {1, 1, 0, PAUSED, {submits_waiting_and_resumes, withdraws, runs, nothing}}, 4000, 0},
    {"lane", {2, 2, 1, 0, {submits_two_waiting, submits_waiting, runs, releases}}, 6000, 0},
    {"lane, two threads", {2, 9, 2, SPENT, {submits_two, submits, runs, runs}}, 6000, 0},
    {"lane, below aborted", {2, 9, 1, 0, {submits_two, submits_waiting, runs, aborts_below}}, 6000, 0},
    {"lane, below closed", {2, 9, 1, 0, {submits_two, submits_waiting, runs, closes_below}}, 6000, 0},
    {"lane, aborted", {2, 9, 1, 0, {submits_two, submits, runs, aborts}}, 6000, 0},
    {"room, in vain", {1, 1, 0, 0, {submits_two_waiting, waits_for_room_in_vain, runs, submits_waiting}}, 500000, 0},
    {"crowded, in order", {1, no, 0, CROWDED, {submits_four, nothing, runs, nothing}}, 100000, 0},
    {"crowded, closed, one runner", {2, no, 0, CROWDED, {submits_two, closes_and_waits, runs, nothing}}, 400000, 0},
    {"standing, later", {2, no, 0, STANDS | CROWDED | MEET | SHORT, {stands_for_four, nothing, runs, runs}}, 400000, 0},
};

int main(void) {
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
    scenario = &all[i].what;
    if (!model_run<model>(all[i].name, all[i].random, all[i].bound)) return 1;
  }
  return 0;
}
