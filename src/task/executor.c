/* SPDX-License-Identifier: MIT */
/* Life of an executor, and its queue.
 *
 * Protocol. `waits.refs` counts the owners; the last one closes. `waits.mem` counts what keeps the memory: one unit for the owners, one for
 * each job (from its submit until whoever ends it has let go), one for each runner and one while memory of flowvars is out (blocks.h). The queue and all counters are under
 * waits.lock, which is taken once per submit (but see intake.h) and once per job that is run. A job is on one of two lists, or on none; who takes
 * it off a list under the lock is the one who has to do with it from there on.
 * Pairs. X1: a new reference comes from an old one: relaxed; so does a unit of a lane that is found on the list of those on an
 *        executor, from which it is taken under that executor's lock before its memory goes.
 *        X2: the last one acquires what the others released (acq_rel). X3: init. X4: intake.c.
 * Model: test/model/executor_model.cpp. */
#include "task/executor.h"

#include <string.h>

#include "base/check.h"

int uvf__executor_init(uvf_executor_t *ex, const uvf__executor_setup_t *setup) {
  ex->type = setup->type;
  ex->on = setup->on;
  ex->capacity = setup->capacity;
  ex->max_running = setup->max_running;
  ex->max_runners = setup->max_runners;
  ex->generation = uvf__fork_generation();
  if (setup->on != NULL)
    ex->where = setup->on->where;
  else
    ex->where = (uvf__where_t){NULL, setup->is_member, setup->pool};
  if (ex->where.narrow == NULL && (ex->max_running == 1 || ex->max_runners == 1)) ex->where.narrow = ex;
  if (setup->name != NULL) strncpy(ex->name, setup->name, sizeof ex->name - 1);
  a_init(&ex->waits.refs, 1); /* X3 */
  a_init(&ex->waits.mem, 1);  /* X3 */
  a_init(&ex->lane_refs, 0);  /* X3 */
  a_init(&ex->asked, 0);      /* X3 */
  uvf__list_init(&ex->queue);
  uvf__list_init(&ex->begun);
  uvf__list_init(&ex->slots);
  uvf__list_init(&ex->lanes);
  uvf__pace_init(&ex->pace);
  int r = uvf__crowd_init(&ex->crowd);
  if (r != 0) return r;
  uvf__intake_init(ex);
  r = uvf__waits_init(&ex->waits, UVF__FENCE_NONE);
  if (r == 0) {
    r = uvf__blocks_init(&ex->blocks);
    if (r != 0) uvf__waits_destroy(&ex->waits);
  }
  if (r != 0) {
    uvf__intake_destroy(ex);
    uvf__crowd_destroy(&ex->crowd);
  }
  return r;
}

void uvf__executor_fini(uvf_executor_t *ex) {
  uvf__waits_destroy(&ex->waits);
  uvf__crowd_destroy(&ex->crowd);
  uvf__intake_destroy(ex);
  uvf__blocks_destroy(&ex->blocks);
}

void uvf__executor_hold(uvf_executor_t *ex) {
  a_add(&ex->waits.mem, 1, relaxed); /* X1 */
}

bool uvf__executor_try_hold(uvf_executor_t *ex) {
  uint32_t units = a_load(&ex->waits.mem, relaxed); /* X1 */
  while (units != 0)
    if (a_cas(&ex->waits.mem, &units, units + 1, relaxed, relaxed)) return true; /* X1 */
  return false;
}

static void leave_lanes(uvf_executor_t *on, uvf_executor_t *lane) {
  uvf__lock(&on->waits.lock);
  if (uvf__linked(&lane->beside)) uvf__unlink(&lane->beside);
  uvf__unlock(&on->waits.lock);
}

void uvf__executor_unhold(uvf_executor_t *ex) {
  if (a_sub(&ex->waits.mem, 1, acq_rel) != 1 || uvf__executor_foreign(ex)) return; /* X2 */
  uvf_executor_t *on = ex->on;
  if (on != NULL) leave_lanes(on, ex);
  uvf__executor_fini(ex);
  ex->type->destroy(ex);
  if (on != NULL) a_sub(&on->lane_refs, 1, relaxed); /* X1 */
  uvf_executor_release(on);
}

void uvf__executor_retain_on(uvf_executor_t *on) {
  a_add(&on->lane_refs, 1, relaxed); /* X1 */
  (void)uvf_executor_retain(on);
}

uvf_executor_t *uvf_executor_retain(uvf_executor_t *ex) {
  if (ex != NULL) a_add(&ex->waits.refs, 1, relaxed); /* X1 */
  return ex;
}

void uvf_executor_release(uvf_executor_t *ex) {
  if (ex == NULL) return;
  uvf__executor_hold(ex);
  uint32_t left = a_sub(&ex->waits.refs, 1, acq_rel) - 1; /* X2 */
  if (left == 0) {
    (void)uvf__executor_close(ex, false);
    uvf__executor_unhold(ex); /* the owners' */
  }
  if (left <= a_load(&ex->lane_refs, relaxed)) (void)uvf_executor_resume(ex); /* X1: nobody else could */
  uvf__executor_unhold(ex);
}

static int refusal(const uvf_executor_t *ex, uvf__job_t *job, uvf__entry_t entry) {
  if (!uvf__job_alive(job)) return UV_ECANCELED;
  if (entry == UVF__RUNNER) return ex->aborted || ex->ended ? UV_EPIPE : 0;
  if (ex->closed) return UV_EPIPE;
  return entry == UVF__ORDINARY && ex->stats.queued >= ex->capacity ? UV_EAGAIN : 0;
}

/* Under the lock: so many jobs get their units, those of jobs that have ended before new ones. */
static void give_units(uvf_executor_t *ex, uint64_t jobs) {
  uint64_t old = jobs < ex->spare ? jobs : ex->spare;
  ex->spare -= old;
  if (jobs > old) a_add(&ex->waits.mem, (uint32_t)(jobs - old), relaxed); /* X1 */
}

void uvf__executor_give_up_spare(uvf_executor_t *ex) {
  if (ex->spare > 0) (void)a_sub(&ex->waits.mem, (uint32_t)ex->spare, acq_rel); /* X2: never the last ones */
  ex->spare = 0;
}

static void count_queued(uvf_executor_t *ex, uint64_t count) {
  ex->stats.queued += count;
  if (ex->stats.queued > ex->stats.high_water) ex->stats.high_water = ex->stats.queued;
}

static void push(uvf_executor_t *ex, uvf__job_t *job) {
  job->ex = ex;
  give_units(ex, 1);
  uvf__list_push_back(&ex->queue, &job->link);
  ex->queued++;
  if (job->type->counted) count_queued(ex, 1);
  uvf__intake_set(ex);
  a_store(&ex->intake.work, 1, relaxed); /* X4 */
}

/* Lanes' runners do not come that way, so all of them count. */
void uvf__executor_gathered(uvf_executor_t *ex, uint64_t count) {
  give_units(ex, count);
  ex->queued += count;
  count_queued(ex, count);
}

void uvf__executor_unqueue(uvf_executor_t *ex, uvf__job_t *job) {
  uvf__unlink(&job->link);
  ex->queued--;
  if (job->type->counted) ex->stats.queued--;
}

/* No thread could be got. Takes the job back if it is still in the queue (its memory is valid: nobody else has its handle yet). */
static bool take_back(uvf_executor_t *ex, uvf__job_t *job, uint64_t since_us) {
  bool found = false;
  uvf__lock(&ex->waits.lock);
  if (ex->runners == 0 && job->since_us == since_us)
    for (uvf__link_t *l = ex->queue.next; l != &ex->queue && !found; l = l->next)
      found = l == &job->link;
  if (found) {
    uvf__executor_unqueue(ex, job);
    job->ex = NULL;
  }
  uvf__unlock(&ex->waits.lock);
  return found;
}

int uvf__executor_submit(uvf_executor_t *ex, uvf__job_t *job, uvf__entry_t entry) {
  uvf__link_t *slot = NULL;
  if (uvf__executor_foreign(ex)) return UV_ENOTSUP;
  uvf__runners_hurry(ex);
  uint64_t since_us = job->since_us = uvf__clock_us_about();
  if (entry == UVF__ORDINARY && uvf__intake_offer(ex, job)) return 0;
  uvf__lock(&ex->waits.lock);
  uvf__intake_gather(ex);
  int r = refusal(ex, job, entry);
  if (r == 0) push(ex, job);
  bool start = r == 0 && uvf__runner_wanted(ex, &slot);
  if (start) uvf__executor_hold(ex); /* for what comes after the start, when the job may be gone */
  uvf__unlock(&ex->waits.lock);
  if (start) {
    r = uvf__runners_start(ex, slot);
    if (r != 0) {
      if (take_back(ex, job, since_us))
        uvf__executor_unhold(ex); /* the job's */
      else
        r = 0;
      uvf__executor_strand(ex);
    }
    uvf__executor_unhold(ex);
  }
  return r;
}

bool uvf__executor_withdraw(uvf_executor_t *ex, uvf__job_t *job) {
  uvf__lock(&ex->waits.lock);
  uvf__intake_gather(ex);
  bool submitted = job->ex != NULL;
  bool queued = uvf__linked(&job->link);
  if (queued) {
    uvf__executor_unqueue(ex, job);
    ex->stats.cancelled++;
  }
  bool end = uvf__executor_ends(ex);
  uvf__unlock(&ex->waits.lock);
  if (queued) uvf__executor_tell_all(ex);
  if (end && ex->type->end != NULL) ex->type->end(ex);
  return submitted;
}
