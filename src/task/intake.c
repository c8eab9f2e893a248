/* SPDX-License-Identifier: MIT */
/* The list of intake.h.
 *
 * Protocol. Open while a runner watches others at work, or lingers, jobs are short and the queue is empty; and only where there is no
 * limit and the executor is not closed. The last of them shuts it before it looks into the queue, so nothing that came in is
 * forgotten, whatever the others do. Who watches alone, or has a job left to it and lingers, is not enough: each may meet a long job,
 * and then somebody must have started another runner. That is why there is room for one only where somebody lingers: who brings the
 * next one starts a runner that watches it.
 * Shut means empty, and under the executor's lock open and shut do not change; so where that lock is held and it is shut, there is
 * nothing to gather. A job that came in counts as queued, and gets its unit of the executor's memory, when it is gathered: until then
 * the runner's own unit is enough. Order is kept: who queues a job without the intake gathers first.
 * A runner that takes jobs faster than they come in would still meet who brings them at each. So when it finds its queue empty it
 * waits a moment, and goes on doing so as long as that brings more than one job.
 * Pairs. X5: `room` is written under both locks; a look without one of them is a hint: relaxed.
 *        X4: `work`, a hint for a lingering runner, which takes the lock to find out; it is taken back before the last look: relaxed.
 * Model: test/model/executor_model.cpp. */
#include "task/intake.h"

#include "task/executor.h"

#ifndef INTAKE_SPINS
#define INTAKE_SPINS 100 /* 2 to 4 us */
#endif
#define VAIN 64 /* not tried again so many times */

int uvf__intake_init(uvf__intake_t *in) {
  in->count = in->brought = in->vain = 0;
  a_init(&in->room, 0); /* X5 */
  a_init(&in->work, 0); /* X4 */
  uvf__list_init(&in->jobs);
  return uvf__mutex_init(&in->lock);
}

void uvf__intake_destroy(uvf__intake_t *in) {
  a_fini(&in->room);
  a_fini(&in->work);
  uvf__mutex_destroy(&in->lock);
}

bool uvf__intake_offer(uvf_executor_t *ex, uvf__job_t *job) {
  uvf__intake_t *in = &ex->intake;
  if (a_load(&in->room, relaxed) == 0) return false; /* X5 */
  uvf__lock(&in->lock);
  bool accepted = in->count < a_load(&in->room, relaxed) && uvf__job_alive(job); /* X5 */
  if (accepted) {
    job->ex = ex;
    uvf__list_push_back(&in->jobs, &job->link);
    in->count++;
    a_store(&in->work, 1, relaxed); /* X4 */
  }
  uvf__unlock(&in->lock);
  return accepted;
}

/* Moves what came to the queue. Then there is room for so many. */
static void gather(uvf_executor_t *ex, uint64_t room) {
  uvf__intake_t *in = &ex->intake;
  uvf__lock(&in->lock);
  uint64_t count = in->count;
  in->count = 0;
  uvf__list_splice(&ex->queue, &in->jobs);
  a_store(&in->room, room, relaxed); /* X5 */
  uvf__unlock(&in->lock);
  in->brought += count;
  if (count > 0) uvf__executor_gathered(ex, count);
}

void uvf__intake_gather(uvf_executor_t *ex) {
  uint64_t room = a_load(&ex->intake.room, relaxed); /* X5 */
  if (room > 0) gather(ex, room);
}

static uint64_t right_room(uvf_executor_t *ex) {
  if (ex->capacity != UVF__NO_LIMIT || ex->closed) return 0;
  if (ex->crowd.watched) return uvf__crowd_works(ex) ? UINT64_MAX : 0;
  return ex->lingering && ex->queued == 0 && uvf__crowded(ex) ? 1 : 0;
}

void uvf__intake_set(uvf_executor_t *ex) {
  uint64_t room = right_room(ex);
  if (room != a_load(&ex->intake.room, relaxed)) gather(ex, room); /* X5 */
}

bool uvf__intake_worth_waiting(uvf_executor_t *ex) {
  uvf__intake_t *in = &ex->intake;
  if (a_load(&in->room, relaxed) == 0 || !uvf__list_empty(&ex->queue)) return false; /* X5 */
  in->brought = 0;
  if (in->vain == 0) return true;
  in->vain--;
  return false;
}

void uvf__intake_wait(void) {
  for (int i = 0; i < INTAKE_SPINS; i++)
    uvf__relax();
}

void uvf__intake_waited(uvf_executor_t *ex) {
  uvf__intake_gather(ex);
  ex->intake.vain = ex->intake.brought > 1 ? 0 : VAIN;
}
