/* SPDX-License-Identifier: MIT */
/* Runners: threads that take one job after the other.
 *
 * Protocol. All of it under the executor's lock, but for running a job and for lingering. A runner is counted from the moment in
 * which it is wanted (runners, looking). It stops looking while it has a job, and is gone when its thread is free for another.
 *   looking  will take the lock again before it leaves: who queues a job while enough are looking need not start another
 *   gone     looks whether work came in the meantime, and starts a runner then: so nothing that is queued is forgotten
 * One visit to the lock ends a job and takes the next. What ended is told of under the lock (hand_back), so that what a waiter for
 * idle hears comes after it; bells ring after the lock.
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

/* ---- under the lock ---- */

bool uvf__runner_wanted(uvf_executor_t *ex, uvf__link_t **slot) {
  if (ex->paused || ex->queued <= ex->looking || ex->running + ex->looking >= ex->max_running) return false;
  uint32_t staying = ex->runners - ex->leaving;
  if (staying >= ex->max_runners) return false;
  if (uvf__crowded(ex) && (ex->crowd.watched || ex->looking > ex->lingering)) return false; /* one watches, or will */
  *slot = uvf__list_first(&ex->slots);
  if (ex->slotted && (*slot == NULL || (staying > 0 && ex->slots_out >= 2 * ex->max_runners))) return false;
  ex->runners++;
  ex->looking++;
  if (ex->slotted) ex->slots_out++;
  if (*slot != NULL) uvf__unlink(*slot);
  return true;
}

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

/* The first one in the queue that may begin. */
static uvf__link_t *first(uvf_executor_t *ex) {
  bool may = !ex->paused && ex->running < ex->max_running;
  if (may && !uvf__list_empty(&ex->queue)) return ex->queue.next;
  a_store(&ex->intake.work, 0, relaxed); /* X4 */
  uvf__intake_gather(ex);
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

/* A runner between two visits to the lock. */
typedef struct {
  uvf__job_t *over; /* ended, to be told of */
  int status;
  uint64_t began_us, now_us;
  bool had;   /* a job, until now */
  bool ran;   /* at least one */
  bool fresh; /* at least one since it last had nothing to do */
  bool look;  /* it has nothing to do, and lingers */
  bool wait;  /* it gives others the time to queue some more */
  bool watch; /* it leaves the work to others, and watches them */
  uint32_t jobs;
  uint64_t number;  /* the last one's, in the crowd */
  bool measured;    /* the last one */
  uint64_t took_us; /* and how long it took */
} round_t;

/* One job of MEASURED is measured, and each that was so long that it shows anyway. */
#define MEASURED 8
#define LONG_US 100

static void run_job(uvf__job_t *job, round_t *r) {
  r->ran = r->fresh = true;
  r->measured = r->jobs++ % MEASURED == 0;
  uint64_t began = r->measured ? uvf__clock_us_about() : r->now_us;
  r->status = job->type->run(job);
  r->now_us = uvf__clock_us_about();
  r->took_us = r->now_us - began;
  if (r->took_us >= LONG_US) r->measured = true;
}

/* May it wait for work to come? */
static bool linger_begin(uvf_executor_t *ex, round_t *r) {
  if (!r->ran || ex->lingering || ex->paused || ex->closed) return false;
  if (r->fresh) uvf__pace_took(&ex->pace, r->now_us, 1, 1);
  r->fresh = false;
  if (!uvf__pace_look_again(&ex->pace, r->now_us)) return false;
  ex->lingering = true;
  uvf__intake_set(ex);
  return true;
}

/* No lock held. */
static void linger(uvf_executor_t *ex, uint64_t until_us) {
  for (int i = 0; a_load(&ex->intake.work, relaxed) == 0 && uvf__clock_us() < until_us; i++) { /* X4 */
    if (i < LINGER_SPINS)
      uvf__relax();
    else
      uvf__thread_yield();
  }
}

/* Under the lock: back from a job, from lingering or from watching. */
static void come_back(uvf_executor_t *ex, round_t *r, uvf__bells_t *bells) {
  if (r->watch) uvf__crowd_watch(ex);
  if (r->wait) uvf__intake_waited(ex);
  if (r->look) {
    ex->lingering = false;
    uvf__intake_set(ex);
  }
  if (r->over != NULL) {
    end_job(ex, r->over, r->status, bells);
    ex->spare++; /* its unit */
  }
  if (r->had) {
    ex->looking++;
    uvf__crowd_end(&ex->crowd, r->number);
    if (r->measured) uvf__crowd_note(&ex->crowd, r->took_us);
  }
}

/* Under the lock: the next job; NULL: it lingers (look), watches or leaves. */
static uvf__job_t *choose(uvf_executor_t *ex, round_t *r) {
  uvf__job_t *next = NULL;
  bool spent = r->ran && ex->type->spent != NULL && ex->type->spent(ex, r->began_us, r->now_us);
  bool crowded = !spent && !r->watch && uvf__crowded(ex); /* who has watched takes over */
  if (!spent && !crowded) next = take(ex, r->now_us);
  r->watch = crowded && ex->queued > ex->lingering && !ex->crowd.watched;
  r->look = next == NULL && !spent && !crowded && linger_begin(ex, r);
  r->had = next != NULL;
  if (r->had) r->number = uvf__crowd_begin(&ex->crowd);
  r->wait = (r->had || r->look) && uvf__intake_worth_waiting(ex);
  if (next == NULL && !r->look && !r->watch) {
    ex->looking--;
    ex->leaving++;
    uvf__executor_give_up_spare(ex);
    uvf__crowd_leave(ex);
  }
  return next;
}

/* The visit to the lock: what is over is handed back, and the next job is taken. A lane's runner queues itself again as it ends:
 * before this one looks for its next job, so that nobody else need be started for it. */
static uvf__job_t *visit(uvf_executor_t *ex, round_t *r) {
  uvf__bells_t bells = uvf__bells_none();
  uvf__job_t *over = r->over;
  void (*settle)(uvf__job_t *) = over != NULL ? over->type->settle : NULL;
  uvf__link_t *slot = NULL;
  bool watched = r->watch, again = over != NULL && !over->type->counted;
  uvf__lock(&ex->waits.lock);
  come_back(ex, r, &bells);
  if (again) {
    uvf__unlock(&ex->waits.lock);
    uvf__bells_ring(&bells);
    settle(over);
    settle = NULL;
    uvf__lock(&ex->waits.lock);
  }
  uvf__job_t *next = choose(ex, r);
  bool start = watched && uvf__runner_wanted(ex, &slot); /* it took over: somebody else is to watch */
  bool more = uvf__executor_tell(ex, &bells);
  uint64_t until_us = ex->pace.until;
  uvf__unlock(&ex->waits.lock);
  uvf__bells_ring(&bells);
  if (settle != NULL) settle(over);
  if (more) uvf__executor_tell_all(ex);
  if (start) (void)uvf__runners_start(ex, slot); /* if that fails, this one goes on alone */
  if (r->look) linger(ex, until_us);
  return next;
}

void uvf__runner_run(uvf_executor_t *ex) {
  frame_t f = {ex, NULL, uvf__mine(innermost)};
  round_t r = {.began_us = uvf__clock_us()};
  uvf__mine(innermost) = &f;
  r.now_us = r.began_us;
  do {
    f.job = visit(ex, &r);
    r.over = NULL;
    if (f.job != NULL) {
      run_job(f.job, &r);
      if (r.status != UVF_LATER) r.over = f.job;
    } else {
      r.now_us = uvf__clock_us_about();
    }
    if (r.wait) uvf__intake_wait();
  } while (f.job != NULL || r.look || r.watch);
  uvf__mine(innermost) = f.outer;
}

/* ---- starting and leaving ---- */

static void put_slot(uvf_executor_t *ex, uvf__link_t *slot) {
  uvf__list_push_back(&ex->slots, slot);
  ex->slots_out--;
}

/* Takes a runner that was wanted off the books. True: the executor has ended with it. */
static bool uncount(uvf_executor_t *ex, uvf__link_t *slot, bool lost) {
  ex->runners--;
  if (lost)
    ex->looking--;
  else
    ex->leaving--;
  if (slot != NULL) put_slot(ex, slot);
  return uvf__executor_ends(ex);
}

int uvf__runners_start(uvf_executor_t *ex, uvf__link_t *slot) {
  int first = 0;
  for (bool again = false, more = true; more; again = true) {
    uvf__executor_hold(ex); /* the runner's */
    int r = ex->type->start(ex, slot);
    if (!again) first = r;
    uvf__lock(&ex->waits.lock);
    bool end = r != 0 && uncount(ex, slot, true);
    more = r == 0 && uvf__runner_wanted(ex, &slot);
    uvf__unlock(&ex->waits.lock);
    if (end && ex->type->end != NULL) ex->type->end(ex);
    if (r != 0 && again) uvf__executor_strand(ex); /* the others may have left by now */
    if (r != 0) uvf__executor_unhold(ex);
  }
  return first;
}

void uvf__runner_gone(uvf_executor_t *ex, uvf__link_t *slot, bool lost) {
  uvf__lock(&ex->waits.lock);
  bool end = uncount(ex, slot, lost);
  bool more = !lost && uvf__runner_wanted(ex, &slot);
  uvf__unlock(&ex->waits.lock);
  if (end && ex->type->end != NULL) ex->type->end(ex);
  uvf__executor_tell_all(ex);
  if (lost || (more && uvf__runners_start(ex, slot) != 0)) uvf__executor_strand(ex);
  uvf__executor_unhold(ex); /* the runner's */
}

void uvf__runner_slot_back(uvf_executor_t *ex, uvf__link_t *slot) {
  uvf__lock(&ex->waits.lock);
  put_slot(ex, slot);
  bool more = uvf__runner_wanted(ex, &slot);
  uvf__unlock(&ex->waits.lock);
  if (more && uvf__runners_start(ex, slot) != 0) uvf__executor_strand(ex);
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
