/* SPDX-License-Identifier: MIT */
/* The stack of intake.h.
 *
 * Protocol. `head` is one of three tokens (empty: shut, open for one, open), or the newest job; below the oldest one lies a token.
 * A job that came where there was room for one is marked, so that no other follows. Who queues pushes by CAS, unless it is shut or
 * full. Whoever holds the executor's lock takes all by an exchange, which leaves the token that is right from then on.
 *
 * Open while jobs are short, a runner is at work or lingers, and another one watches it, or was asked for and will: each may meet a
 * long job, and then there must be one who looks after the rest. Where none is there is room for one while a runner lingers and the
 * queue is empty: who brings the next one asks for a runner, by the lock. Where one runs at a time nobody could help, and none need be.
 * And only where there is no limit and the executor is not closed.
 * So the intake is set anew after each of these changes. A runner in a visit counts as one that looks, though it may be about to
 * take a job or to leave: it sets the intake right before it does, as if it were gone, and then looks at what came in; and if that
 * shuts it, asks for a runner where one is wanted. So nothing that came in is forgotten, whatever the others do.
 * Shut means empty, and under the executor's lock open and shut do not change; so where that lock is held and it is shut, there is
 * nothing to gather. A job that came in counts as queued, and gets its unit of the executor's memory, when it is gathered: until then
 * the runner's own unit is enough. Order is kept: who queues a job without the intake gathers first.
 * Nothing lies there for longer than STAYS_US while others come: who comes after that goes by the lock, and gathers. So it is never
 * many that somebody has to gather under the lock, however long the job is that keeps the only runner.
 * A runner that takes jobs faster than they come in would still meet who brings them at each. So when it finds its queue empty it
 * waits a moment, and goes on doing so as long as that brings more than one job.
 *
 * Pairs. X5: push (release; those on top of it continue its sequence) -> the exchange (acquire): the job, and the links.
 *        X7: first loads, whose value the CAS checks, hints, and init: relaxed.
 *        X8: `until_us`, a hint: relaxed.
 *        X4: `work`, a hint for a lingering runner, which takes the lock to find out; it is taken back before the last look: relaxed.
 * Model: test/model/executor_model.cpp. */
#include "task/intake.h"

#include "task/executor.h"

#ifndef INTAKE_SPINS
#define INTAKE_SPINS 100 /* 2 to 4 us */
#endif
#define STAYS_US 50
#define VAIN 64 /* not tried again so many times */

static uvf__link_t tokens[UVF__OPENINGS];

static bool is_token(const uvf__link_t *l) {
  return l == &tokens[UVF__SHUT] || l == &tokens[UVF__OPEN_FOR_ONE] || l == &tokens[UVF__OPEN];
}

/* The mark of a job after which there is no room: links are aligned, so the lowest bit is free. */
static uvf__link_t *marked(uvf__link_t *l) {
  return (uvf__link_t *)(void *)((char *)l + 1);
}

static bool is_marked(const uvf__link_t *l) {
  return ((uintptr_t)l & 1) != 0;
}

static uvf__link_t *unmarked(uvf__link_t *l) {
  return is_marked(l) ? (uvf__link_t *)(void *)((char *)l - 1) : l;
}

void uvf__intake_init(uvf_executor_t *ex) {
  ex->door = (uvf__door_t){UVF__SHUT, 0, 0};
  a_init(&ex->intake.head, &tokens[UVF__SHUT]); /* X7 */
  a_init(&ex->intake.until_us, 0);              /* X8 */
  a_init(&ex->intake.work, 0);                  /* X4 */
}

void uvf__intake_destroy(uvf_executor_t *ex) {
  a_fini(&ex->intake.head);
  a_fini(&ex->intake.until_us);
  a_fini(&ex->intake.work);
}

bool uvf__intake_offer(uvf_executor_t *ex, uvf__job_t *job) {
  uvf__intake_t *in = &ex->intake;
  uvf__link_t *l = &job->link, *h = a_load(&in->head, relaxed); /* X7 */
  do {
    bool room = h != &tokens[UVF__SHUT] && !is_marked(h) && job->since_us <= a_load(&in->until_us, relaxed); /* X8 */
    job->ex = room ? ex : NULL;
    if (!room) return false;
    l->next = h;
  } while (!a_cas(&in->head, &h, h == &tokens[UVF__OPEN_FOR_ONE] ? marked(l) : l, release, relaxed)); /* X5 */
  return true;
}

bool uvf__intake_work(uvf__intake_t *in) {
  return a_load(&in->work, relaxed) != 0 || !is_token(a_load(&in->head, relaxed)); /* X4, X7 */
}

/* Somebody has just looked after what came in. Written rarely: it lies beside `head`. */
static void stay_open(uvf__intake_t *in) {
  uint64_t now = uvf__clock_us_about();
  if (a_load(&in->until_us, relaxed) < now + STAYS_US / 2) a_store(&in->until_us, now + STAYS_US, relaxed); /* X8 */
}

/* Moves what came to the queue, oldest first. Then it is open as said. */
static void gather(uvf_executor_t *ex, uvf__opening_t opening) {
  uvf__intake_t *in = &ex->intake;
  ex->door.opening = opening;
  if (opening != UVF__SHUT) stay_open(in);
  if (a_load(&in->head, relaxed) == &tokens[opening])
    return; /* X7: nothing comes in under the lock but what is pushed now */
  uvf__link_t *next, *end = ex->queue.prev;
  uint64_t count = 0;
  for (uvf__link_t *l = unmarked(a_swap(&in->head, &tokens[opening], acquire)); !is_token(l); l = next) { /* X5 */
    next = l->next;
    uvf__link_after(end, l);
    count++;
  }
  ex->door.brought += count;
  if (count > 0) uvf__executor_gathered(ex, count);
}

/* Is there one who watches, or will? Or can there be none, since one runs at a time? */
static bool helped(const uvf_executor_t *ex) {
  return ex->looking > ex->lingering || ex->max_running == 1 || ex->max_runners == 1;
}

static uvf__opening_t right(uvf_executor_t *ex) {
  if (ex->capacity != UVF__NO_LIMIT || ex->closed) return UVF__SHUT;
  if (ex->crowd.watched) return uvf__crowd_works(ex) ? UVF__OPEN : UVF__SHUT;
  if (!uvf__crowded(ex)) return UVF__SHUT;
  if (helped(ex)) return UVF__OPEN;
  return ex->lingering && ex->queued == 0 ? UVF__OPEN_FOR_ONE : UVF__SHUT;
}

/* Where there was room for one, there is none once something was gathered. */
void uvf__intake_set(uvf_executor_t *ex) {
  for (uvf__opening_t opening; (opening = right(ex)) != ex->door.opening;)
    gather(ex, opening);
}

void uvf__intake_fetch(uvf_executor_t *ex) {
  if (ex->door.opening != UVF__SHUT) gather(ex, ex->door.opening);
}

void uvf__intake_gather(uvf_executor_t *ex) {
  uvf__intake_fetch(ex);
  uvf__intake_set(ex);
  if (!uvf__list_empty(&ex->queue)) a_store(&ex->intake.work, 1, relaxed); /* X4 */
}

bool uvf__intake_worth_waiting(uvf_executor_t *ex) {
  if (ex->door.opening == UVF__SHUT || !uvf__list_empty(&ex->queue)) return false;
  ex->door.brought = 0;
  if (ex->door.vain == 0) return true;
  ex->door.vain--;
  return false;
}

void uvf__intake_wait(void) {
  for (int i = 0; i < INTAKE_SPINS; i++)
    uvf__relax();
}

void uvf__intake_waited(uvf_executor_t *ex) {
  uvf__intake_fetch(ex);
  ex->door.vain = ex->door.brought > 1 ? 0 : VAIN;
}
