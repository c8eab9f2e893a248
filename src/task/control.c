/* SPDX-License-Identifier: MIT */
/* Closing, aborting, pausing and counting executors. */
#include "task/executor.h"

#include <string.h>

#include "base/errno.h"

/* Under the lock: nothing that is queued shall run. What is to be told of goes to `out`. */
static void cancel_queue(uvf_executor_t *ex, uvf__link_t *out) {
  uvf__link_t *l;
  while ((l = uvf__list_first(&ex->queue)) != NULL) {
    uvf__job_t *job = uvf__container(l, uvf__job_t, link);
    uvf__executor_unqueue(ex, job);
    if (job->type->counted) ex->stats.cancelled++;
    if (job->type->cancel(job)) uvf__list_push_back(out, l); /* else its canceller tells of it, and gives up its unit */
  }
}

/* No lock held. */
static void tell_cancelled(uvf_executor_t *ex, uvf__link_t *jobs) {
  uvf__link_t *l;
  while ((l = uvf__list_first(jobs)) != NULL) {
    uvf__job_t *job = uvf__container(l, uvf__job_t, link);
    uvf__unlink(l);
    job->type->cancelled(job);
    uvf__executor_unhold(ex); /* the job's */
  }
}

/* Asks all that run to stop. Asking twice does nothing; where the bells were full, somebody may not have been told: once more. */
static void ask_all(uvf_executor_t *ex) {
  bool more = true;
  while (more) {
    uvf__bells_t bells = uvf__bells_none();
    uvf__lock(&ex->waits.lock);
    for (uvf__link_t *l = ex->begun.next; l != &ex->begun && !uvf__bells_full(&bells); l = l->next) {
      uvf__job_t *job = uvf__container(l, uvf__job_t, link);
      job->type->ask(job, &bells);
    }
    more = uvf__bells_full(&bells);
    uvf__unlock(&ex->waits.lock);
    uvf__bells_ring(&bells);
  }
}

/* The next lane on it that has not been taken off the list, held; NULL: there is none. */
static uvf_executor_t *take_lane(uvf_executor_t *ex) {
  uvf_executor_t *lane = NULL;
  uvf__link_t *l;
  uvf__lock(&ex->waits.lock);
  while (lane == NULL && (l = uvf__list_first(&ex->lanes)) != NULL) {
    uvf__unlink(l);
    lane = uvf__container(l, uvf_executor_t, beside);
    if (!uvf__executor_try_hold(lane)) lane = NULL;
  }
  uvf__unlock(&ex->waits.lock);
  return lane;
}

/* No lane comes to one that is closed. */
static void abort_lanes(uvf_executor_t *ex) {
  for (uvf_executor_t *lane; (lane = take_lane(ex)) != NULL; uvf__executor_unhold(lane))
    (void)uvf__executor_close(lane, true);
}

bool uvf__executor_ends(uvf_executor_t *ex) {
  if (ex->ended || !ex->closed || ex->queued > 0 || ex->running > 0 || ex->runners > 0) return false;
  ex->ended = true;
  return true;
}

int uvf__executor_close(uvf_executor_t *ex, bool abort) {
  uvf__link_t cancelled;
  if (uvf__executor_foreign(ex)) return UV_ENOTSUP;
  uvf__list_init(&cancelled);
  uvf__executor_hold(ex); /* who is told may give up the last of it */
  uvf__lock(&ex->waits.lock);
  bool first = abort ? !ex->aborted : !ex->closed;
  ex->closed = true;
  uvf__intake_set(ex);
  if (abort) {
    ex->aborted = true;
    cancel_queue(ex, &cancelled);
  }
  bool end = uvf__executor_ends(ex);
  uvf__unlock(&ex->waits.lock);
  if (first) {
    tell_cancelled(ex, &cancelled);
    if (abort) {
      ask_all(ex);
      abort_lanes(ex);
    }
    uvf__executor_tell_all(ex);
  }
  if (end && ex->type->end != NULL) ex->type->end(ex); /* who comes second may be the one to see it */
  uvf__executor_unhold(ex);
  return first ? 0 : UV_EALREADY;
}

void uvf__executor_strand(uvf_executor_t *ex) {
  uvf__link_t cancelled;
  uvf__list_init(&cancelled);
  uvf__lock(&ex->waits.lock);
  bool none = ex->runners == 0;
  if (none) cancel_queue(ex, &cancelled);
  bool end = uvf__executor_ends(ex);
  uvf__unlock(&ex->waits.lock);
  tell_cancelled(ex, &cancelled);
  if (none) uvf__executor_tell_all(ex);
  if (end && ex->type->end != NULL) ex->type->end(ex);
}

int uvf_executor_close(uvf_executor_t *ex) {
  if (ex == NULL) return UV_EINVAL;
  return ex->type->of_loop ? UV_ENOTSUP : uvf__executor_close(ex, false);
}

int uvf_executor_abort(uvf_executor_t *ex) {
  if (ex == NULL) return UV_EINVAL;
  return ex->type->of_loop ? UV_ENOTSUP : uvf__executor_close(ex, true);
}

int uvf_executor_pause(uvf_executor_t *ex) {
  if (ex == NULL) return UV_EINVAL;
  if (uvf__executor_foreign(ex)) return UV_ENOTSUP;
  uvf__lock(&ex->waits.lock);
  ex->paused = true;
  uvf__unlock(&ex->waits.lock);
  uvf__executor_tell_all(ex); /* what is queued does not count for idle now */
  return 0;
}

int uvf_executor_resume(uvf_executor_t *ex) {
  uvf__link_t *slot = NULL;
  if (ex == NULL) return UV_EINVAL;
  if (uvf__executor_foreign(ex)) return UV_ENOTSUP;
  uvf__lock(&ex->waits.lock);
  uvf__intake_gather(ex);
  ex->paused = false;
  bool start = uvf__runner_wanted(ex, &slot);
  uvf__unlock(&ex->waits.lock);
  if (start && uvf__runners_start(ex, slot) != 0) uvf__executor_strand(ex);
  return 0;
}

void uvf_executor_stats(const uvf_executor_t *executor, uvf_executor_stats_t *out) {
  uvf_executor_t *ex = (uvf_executor_t *)(uintptr_t)executor;
  if (ex == NULL || out == NULL) return;
  memset(out, 0, sizeof *out);
  if (uvf__executor_foreign(ex)) return;
  uvf__lock(&ex->waits.lock);
  uvf__intake_gather(ex);
  *out = ex->stats;
  uvf__unlock(&ex->waits.lock);
}
