/* SPDX-License-Identifier: MIT */
/* Jobs for scenarios of executor_model.cpp, the state of one, and how a job is submitted. */
#ifndef UVF_TEST_MODEL_JOBS_H
#define UVF_TEST_MODEL_JOBS_H

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
  LATER = 1,      /* jobs answer UVF_LATER; somebody ends them */
  SPENT = 2,      /* a runner leaves after each job */
  MEET = 4,       /* a job waits until another one runs, too */
  PAUSED = 8,     /* from the start */
  REFUSES = 16,   /* some runners cannot be started */
  CROWDED = 32,   /* jobs are taken for short ones (crowd.h) */
  STANDS = 64,    /* runners are started by the first thread, which does so only when it queues something itself */
  SHORT = 128,    /* with MEET: the first two do not meet */
  LOOKED_AT = 256 /* somebody looks at the statistics */
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
  model_gate_t own;   /* open once for each job of the first thread that is over */
  model_gate_t later; /* open once for each of the next */
  job_t *ends_later[MOST_JOBS];
  int later_count, later_taken;
  int begun[4], over_of[4], accepted_of[4]; /* by who made them; the first: the number after that of the last one */
  a_u32 queued;                             /* for who asks how many are */
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
  if ((scenario->how & MEET) != 0 && ((scenario->how & SHORT) == 0 || j->number >= 2)) meet();
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
  if (j->by == 0) model_gate_open(&s->own);
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
  if (r != 0) {
    job_free(j);
  } else {
    s->accepted++, s->accepted_of[by]++;
    if ((scenario->how & LOOKED_AT) != 0) a_add(&s->queued, 1, release);
  }
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

#endif
