/* SPDX-License-Identifier: MIT */
/* Runners: threads that take one job after the other.
 *
 * Protocol. All of it under the executor's lock, but for running a job and for lingering. How a runner comes, and what counts it:
 * start.c. It stops looking while it has a job. One visit to the lock ends a job and takes the next. What ended is told of under the
 * lock (hand_back), so that what a waiter for idle hears comes after it; bells ring after the lock.
 *
 * Lingering. A runner that has had work and finds none looks again for up to LINGER_US before it gives its thread back; a job that
 * comes meanwhile costs no wake. One at a time does so; a vain linger is not tried again for some times (wait/pace.h).
 * Pairs. X4: intake.c. Model: test/model/executor_model.cpp. */
#include "task/executor.h"

#include "base/thread.h"

#ifndef LINGER_SPINS
#define LINGER_SPINS 32 /* then it yields between its looks */
#endif

/* What a thread is doing; on its stack. */
typedef struct frame_s {
  uvf_executor_t *ex;
  uvf__job_t *job;
  struct frame_s *outer;
} frame_t;

UVF__PER_THREAD(frame_t *, innermost);

bool uvf__runner_runs(const uvf_executor_t *ex, const uvf__job_t *job) {
  for (const frame_t *f = uvf__mine(innermost); f != NULL; f = f->outer)
    if (job != NULL ? f->job == job : f->ex == ex) return true;
  return false;
}

/* Who runs in an executor runs in all that it is on; so the outermost narrow one tells. */
bool uvf__runner_blocks(const uvf__where_t *where) {
  if (where->is_member != NULL && where->is_member(where->pool)) return true;
  return where->narrow != NULL && uvf__runner_runs(where->narrow, NULL);
}

/* ---- taking and ending a job, under the lock ---- */

/* How many bits it has. */
static unsigned width(uint64_t x) {
#ifdef __GNUC__
  return x == 0 ? 0 : 64 - (unsigned)__builtin_clzll(x);
#else
  unsigned n = 0;
  for (; x != 0; x >>= 1)
    n++;
  return n;
#endif
}

static void count_wait(uvf_executor_stats_t *s, uint64_t us) {
  const unsigned last = sizeof s->wait_hist / sizeof s->wait_hist[0] - 1;
  unsigned i = width(us);
  s->wait_hist[i < last ? i : last]++;
  s->wait_us_sum += us;
  if (us > s->wait_us_max) s->wait_us_max = us;
}

static bool may_begin(const uvf_executor_t *ex) {
  return !ex->paused && ex->running < ex->max_running;
}

/* The first one in the queue that may begin. */
static uvf__link_t *first(uvf_executor_t *ex) {
  bool may = may_begin(ex);
  if (may && !uvf__list_empty(&ex->queue)) return ex->queue.next;
  a_store(&ex->intake.work, 0, relaxed); /* X4 */
  uvf__intake_fetch(ex);
  return may ? uvf__list_first(&ex->queue) : NULL;
}

/* The next job, begun; NULL: none may begin now. */
static uvf__job_t *take(uvf_executor_t *ex, uint64_t now_us) {
  uvf__link_t *l;
  while ((l = first(ex)) != NULL) {
    uvf__job_t *job = uvf__container(l, uvf__job_t, link);
    uvf__executor_unqueue(ex, job);
    if (!job->type->begin(job)) {
      ex->stats.cancelled++;
      continue;
    }
    uvf__list_push_back(&ex->begun, l);
    ex->running++;
    ex->looking--;
    if (!job->type->counted) return job;
    ex->stats.running++;
    count_wait(&ex->stats, now_us > job->since_us ? now_us - job->since_us : 0);
    return job;
  }
  return NULL;
}

/* It is over; from here on `job` may be gone. */
static void end_job(uvf_executor_t *ex, uvf__job_t *job, int status, uvf__bells_t *bells) {
  uvf__unlink(&job->link);
  ex->running--;
  if (job->type->counted) {
    ex->stats.running--;
    if (status == 0)
      ex->stats.done++;
    else
      ex->stats.failed++;
  }
  job->type->hand_back(job, status, bells);
}

/* ---- running ---- */

/* What a runner does until its next visit to the lock. */
typedef enum {
  LEAVES,  /* its thread, and comes no more */
  WORKS,   /* on a job */
  LINGERS, /* since it has none */
  WATCHES  /* others, to whom it leaves the work */
} doing_t;

/* The job that a runner has had since its last visit. */
typedef struct {
  uvf__job_t *over; /* NULL: it has not ended, or there was none */
  int status;
  uint64_t number; /* in the crowd */
  bool measured;
  uint64_t took_us;
} last_t;

/* A runner between two visits. */
typedef struct {
  doing_t doing;
  last_t last;
  uint64_t began_us, now_us;
  uint32_t jobs; /* so many, until now */
  bool fresh;    /* some of them since it last had nothing to do */
  bool wait;     /* it gives others the time to queue some more */
  bool asks;     /* it cannot leave before somebody was asked */
  bool again;    /* it leaves, but will come back */
} round_t;

/* One job of MEASURED is measured, and each that was so long that it shows anyway. */
#define MEASURED 8
#define LONG_US 100

static void run_job(uvf__job_t *job, round_t *r) {
  last_t *l = &r->last;
  r->fresh = true;
  l->measured = r->jobs++ % MEASURED == 0;
  uint64_t began = l->measured ? uvf__clock_us_about() : r->now_us;
  l->status = job->type->run(job);
  l->over = l->status == UVF_LATER ? NULL : job;
  r->now_us = uvf__clock_us_about();
  l->took_us = r->now_us - began;
  if (l->took_us >= LONG_US) l->measured = true;
}

/* May it wait for work to come? */
static bool linger_begin(uvf_executor_t *ex, round_t *r) {
  if (r->jobs == 0 || ex->lingering || ex->paused || ex->closed) return false;
  if (r->fresh) uvf__pace_took(&ex->pace, r->now_us, 1, 1);
  r->fresh = false;
  if (!uvf__pace_look_again(&ex->pace, r->now_us)) return false;
  ex->lingering = true;
  uvf__intake_set(ex);
  return true;
}

/* No lock held. */
static void linger(uvf_executor_t *ex, uint64_t until_us) {
  for (int i = 0; !uvf__intake_work(&ex->intake) && uvf__clock_us() < until_us; i++) {
    if (i < LINGER_SPINS)
      uvf__relax();
    else
      uvf__thread_yield();
  }
}

/* It has not ended, and goes behind those that wait. */
static void queue_again(uvf_executor_t *ex, uvf__job_t *job) {
  uvf__unlink(&job->link);
  ex->running--;
  uvf__list_push_back(&ex->queue, &job->link);
  ex->queued++;
}

/* What is to be done about it without the lock. */
typedef void (*rest_t)(uvf__job_t *job);

/* Under the lock: a job is over. Its unit is left for others. NULL: that is all. */
static rest_t over(uvf_executor_t *ex, uvf__job_t *job, int status, uvf__bells_t *bells) {
  rest_t rest = job->type->settle;
  if (status == UVF__AGAIN) {
    queue_again(ex, job);
    return NULL;
  }
  end_job(ex, job, status, bells);
  ex->spare++;
  return rest;
}

/* Under the lock: back from a job, from lingering or from watching. */
static rest_t come_back(uvf_executor_t *ex, round_t *r, uvf__bells_t *bells) {
  rest_t rest = NULL;
  if (r->doing == WATCHES) uvf__crowd_watch(ex);
  if (r->doing == LINGERS) {
    ex->lingering = false;
    uvf__intake_set(ex);
  }
  if (r->wait) uvf__intake_waited(ex);
  if (r->last.over != NULL) rest = over(ex, r->last.over, r->last.status, bells);
  return rest;
}

/* Under the lock: it will look for the next one. */
static void look_again(uvf_executor_t *ex, const round_t *r) {
  if (r->doing != WORKS) return;
  ex->looking++;
  uvf__crowd_end(&ex->crowd, r->last.number);
  if (r->last.measured) uvf__crowd_note(&ex->crowd, r->last.took_us);
}

/* Under the lock. A runner that has found nothing is about to leave. The intake is set as if it had, so that what comes in from here on
 * is somebody else's, and what just did is there to be taken. */
static uvf__job_t *look_back(uvf_executor_t *ex, const round_t *r, bool may_take) {
  ex->looking--;
  uvf__intake_set(ex);
  ex->looking++;
  return may_take ? take(ex, r->now_us) : NULL;
}

/* Under the lock. It leaves its thread: for good, or it comes back (again). */
static void leave(uvf_executor_t *ex, bool again) {
  uvf__crowd_leave(ex);
  uvf__executor_give_up_spare(ex);
  if (again) return;
  ex->looking--;
  ex->leaving++;
}

static uvf__share_t share_of(uvf_executor_t *ex, const round_t *r) {
  return r->jobs > 0 && ex->type->share != NULL ? ex->type->share(ex, r->began_us, r->now_us) : UVF__LEFT;
}

/* Under the lock: the next job; NULL: what it does instead is settled. Who has watched takes over, however crowded it is. */
static uvf__job_t *find(uvf_executor_t *ex, round_t *r, bool spent) {
  bool crowded = !spent && r->doing != WATCHES && uvf__crowded(ex);
  bool may_take = !spent && !crowded;
  uvf__job_t *next = may_take ? take(ex, r->now_us) : NULL;
  if (next == NULL && may_take && linger_begin(ex, r)) {
    r->doing = LINGERS;
    return NULL;
  }
  if (next == NULL) next = look_back(ex, r, may_take);
  bool watches = crowded && ex->queued > ex->lingering && !ex->crowd.watched;
  r->doing = next != NULL ? WORKS : watches ? WATCHES : LEAVES;
  return next;
}

/* Under the lock: the next job, and all that follows from what it does now. */
static uvf__job_t *choose(uvf_executor_t *ex, round_t *r) {
  uvf__share_t share = share_of(ex, r);
  bool spent = share == UVF__SPENT;
  uvf__job_t *next = find(ex, r, spent);
  if (r->doing == WORKS) r->last.number = uvf__crowd_begin(&ex->crowd);
  if (r->doing == WORKS || r->doing == WATCHES) uvf__intake_set(ex); /* at work it helps nobody; watching it does */
  r->wait = (r->doing == WORKS || r->doing == LINGERS) && uvf__intake_worth_waiting(ex);
  r->asks = share == UVF__ASKS;
  r->again = spent && ex->type->yields && ex->queued > 0 && may_begin(ex);
  if (r->doing == LEAVES) leave(ex, r->again);
  return next;
}

/* The visit to the lock: what is over is handed back, and the next job is taken. Where a lane's runner is over, and is started once
 * more since work came in the meantime, this is done before: so this one sees it; and nobody counts on this one before. */
static uvf__job_t *visit(uvf_executor_t *ex, round_t *r) {
  uvf__bells_t bells = uvf__bells_none();
  uvf__job_t *over = r->last.over;
  uvf__link_t *slot = NULL;
  bool counted = over == NULL || over->type->counted;
  bool watched = r->doing == WATCHES;
  uvf__opening_t was;
  uvf__lock(&ex->waits.lock);
  was = ex->door.opening;
  rest_t rest = come_back(ex, r, &bells);
  if (rest != NULL && !counted) {
    uvf__unlock(&ex->waits.lock);
    uvf__bells_ring(&bells);
    rest(over);
    rest = NULL;
    uvf__lock(&ex->waits.lock);
    was = ex->door.opening;
  }
  look_again(ex, r);
  uvf__job_t *next = choose(ex, r);
  bool changed = watched || ex->door.opening != was; /* it took over, or others may not bring jobs any more */
  bool start = changed && uvf__runner_wanted(ex, &slot);
  bool more = uvf__executor_tell(ex, &bells);
  uint64_t until_us = ex->pace.until;
  uvf__unlock(&ex->waits.lock);
  uvf__bells_ring(&bells);
  if (rest != NULL) rest(over);
  if (more) uvf__executor_tell_all(ex);
  if (start) (void)uvf__runners_start(ex, slot); /* if that fails, this one goes on alone */
  if (r->asks) (void)uvf__runners_ask(ex);
  if (r->doing == LINGERS) linger(ex, until_us);
  return next;
}

bool uvf__runner_run(uvf_executor_t *ex) {
  frame_t f = {ex, NULL, uvf__mine(innermost)};
  round_t r = {.began_us = uvf__clock_us()};
  uvf__mine(innermost) = &f;
  r.now_us = r.began_us;
  do {
    f.job = visit(ex, &r);
    r.last.over = NULL;
    if (f.job != NULL)
      run_job(f.job, &r);
    else
      r.now_us = uvf__clock_us_about();
    if (r.wait) uvf__intake_wait();
  } while (r.doing != LEAVES);
  uvf__mine(innermost) = f.outer;
  return r.again;
}

void uvf__executor_over(uvf_executor_t *ex, uvf__job_t *job, int status) {
  uvf__bells_t bells = uvf__bells_none();
  void (*settle)(uvf__job_t *) = job->type->settle;
  uvf__link_t *slot = NULL;
  uvf__lock(&ex->waits.lock);
  end_job(ex, job, status, &bells);
  bool start = uvf__runner_wanted(ex, &slot);
  bool end = uvf__executor_ends(ex);
  bool more = uvf__executor_tell(ex, &bells);
  uvf__unlock(&ex->waits.lock);
  uvf__bells_ring(&bells);
  if (settle != NULL) settle(job);
  if (more) uvf__executor_tell_all(ex);
  if (end && ex->type->end != NULL) ex->type->end(ex);
  if (start && uvf__runners_start(ex, slot) != 0) uvf__executor_strand(ex);
  uvf__executor_unhold(ex); /* the job's */
}
