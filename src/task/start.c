/* SPDX-License-Identifier: MIT */
/* Starting runners, and what becomes of them when they have left.
 *
 * Protocol. Under the executor's lock. A runner is counted from the moment in which it is wanted (runners, looking); see runner.c.
 *   looking  will take the lock again before it leaves: who queues a job while enough are looking need not start another
 *   gone     looks whether work came in the meantime, and starts a runner then: so nothing that is queued is forgotten
 * Where a runner can be started only on one thread, a loop's, others ask it to look, once (asked); until then nobody counts on a
 * runner that may be long in coming. Who queues a job on that thread does what it was asked first: so a callback that queues and
 * then stands still has runners for it.
 * Pairs. X6: `asked` is written under the lock, but where asking fails; a look without it is a hint: relaxed.
 * Model: test/model/executor_model.cpp. */
#include "task/executor.h"

static uvf__link_t by_asking; /* instead of a slot */

/* Only on a thread where it cannot start one itself. */
static bool ask_wanted(uvf_executor_t *ex) {
  if (a_load(&ex->asked, relaxed) != 0) return false; /* X6 */
  a_store(&ex->asked, 1, relaxed);                    /* X6 */
  return true;
}

/* One more, with a slot that is free (NULL: the kind has none). */
static void count(uvf_executor_t *ex, uvf__link_t *slot) {
  ex->runners++;
  ex->looking++;
  if (ex->slotted) ex->slots_out++;
  if (slot != NULL) uvf__unlink(slot);
  uvf__intake_set(ex); /* one will watch */
}

bool uvf__runner_wanted(uvf_executor_t *ex, uvf__link_t **slot) {
  if (ex->paused || ex->queued <= ex->looking || ex->running + ex->looking >= ex->max_running) return false;
  uint32_t staying = ex->runners - ex->leaving;
  if (staying >= ex->max_runners) return false;
  if (uvf__crowded(ex) && (ex->crowd.watched || ex->looking > ex->lingering)) return false; /* one watches, or will */
  *slot = uvf__list_first(&ex->slots);
  if (ex->slotted && (*slot == NULL || (staying > 1 && ex->slots_out >= 2 * ex->max_runners))) return false;
  if (ex->type->here != NULL && !ex->type->here(ex)) {
    *slot = &by_asking;
    return ask_wanted(ex);
  }
  count(ex, *slot);
  return true;
}

bool uvf__runner_succeeds(uvf_executor_t *ex, uvf__link_t **slot) {
  *slot = uvf__list_first(&ex->slots);
  if (ex->slotted && *slot == NULL) return false;
  count(ex, *slot);
  return true;
}

/* ---- starting ---- */

static void put_slot(uvf_executor_t *ex, uvf__link_t *slot) {
  uvf__list_push_back(&ex->slots, slot);
  ex->slots_out--;
}

/* Takes a runner that was wanted off the books. True: the executor has ended with it. */
static bool uncount(uvf_executor_t *ex, uvf__link_t *slot, bool lost) {
  ex->runners--;
  if (lost) {
    ex->looking--;
    uvf__intake_set(ex); /* nobody will watch */
  } else {
    ex->leaving--;
  }
  if (slot != NULL) put_slot(ex, slot);
  return uvf__executor_ends(ex);
}

/* Whoever is asked is so once; who asks again before it came about has been heard. */
int uvf__runners_ask(uvf_executor_t *ex) {
  uvf__executor_hold(ex); /* for who is asked */
  int r = ex->type->ask(ex);
  if (r == 0) return 0;
  if (r != UV_EBUSY) a_store(&ex->asked, 0, relaxed); /* X6 */
  uvf__executor_unhold(ex);
  return r == UV_EBUSY ? 0 : r;
}

int uvf__runners_start(uvf_executor_t *ex, uvf__link_t *slot) {
  int first = 0;
  if (slot == &by_asking) return uvf__runners_ask(ex);
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

/* No lock held. Starts one if it is wanted. Where that fails, or none can be started any more (lost), nobody may be left who comes. */
static void go_on(uvf_executor_t *ex, bool wanted, uvf__link_t *slot, bool lost) {
  if (lost || (wanted && uvf__runners_start(ex, slot) != 0)) uvf__executor_strand(ex);
}

void uvf__runner_gone(uvf_executor_t *ex, uvf__link_t *slot, bool lost) {
  uvf__lock(&ex->waits.lock);
  bool end = uncount(ex, slot, lost);
  bool more = !lost && uvf__runner_wanted(ex, &slot);
  uvf__unlock(&ex->waits.lock);
  if (end && ex->type->end != NULL) ex->type->end(ex);
  uvf__executor_tell_all(ex);
  go_on(ex, more, slot, lost);
  uvf__executor_unhold(ex); /* the runner's */
}

void uvf__runner_slot_back(uvf_executor_t *ex, uvf__link_t *slot) {
  uvf__lock(&ex->waits.lock);
  put_slot(ex, slot);
  bool more = uvf__runner_wanted(ex, &slot);
  uvf__unlock(&ex->waits.lock);
  go_on(ex, more, slot, false);
}

void uvf__runners_asked(uvf_executor_t *ex, bool lost) {
  uvf__link_t *slot = NULL;
  uvf__lock(&ex->waits.lock);
  a_store(&ex->asked, 0, relaxed); /* X6 */
  bool more = !lost && uvf__runner_wanted(ex, &slot);
  uvf__unlock(&ex->waits.lock);
  go_on(ex, more, slot, lost);
}

void uvf__runners_hurry(uvf_executor_t *ex) {
  for (; ex != NULL; ex = ex->on)
    if (a_load(&ex->asked, relaxed) != 0 && ex->type->here(ex)) uvf__runners_asked(ex, false); /* X6 */
}
