/* SPDX-License-Identifier: MIT */
/* The registry of threads.h.
 *
 * Protocol. The list is under `lock`. `epoch` counts its changes; a thread keeps its own answer and asks again when the epoch
 * has moved, so that the question costs one load and no lock. Epoch 0: no loop ever was attached, and nobody takes the lock, so
 * that a child finds it free where nothing repairs it yet (a loop's first attach sees to that before it binds).
 * E1: epoch. A thread's own bind and unbind are what its answer must not miss, and those it sees in program order; a bind by
 *     another thread, which takes a loop away from this one, is handed over by whatever told this thread of it. Relaxed. */
#include "wait/threads.h"

#include "base/atomic.h"
#include "base/thread.h"

static uvf__mutex_t lock = UVF__MUTEX_STATIC;
static uvf__link_t entries = {&entries, &entries}; /* under lock */
static a_u64 epoch;

static _Thread_local uint64_t asked_epoch;
static _Thread_local bool answer;

void uvf__threads_bind(uvf__runs_t *entry) {
  uvf__lock(&lock);
  entry->owner = uvf__thread_id();
  if (!uvf__linked(&entry->link)) uvf__list_push_back(&entries, &entry->link);
  a_add(&epoch, 1, relaxed); /* E1 */
  uvf__unlock(&lock);
}

void uvf__threads_unbind(uvf__runs_t *entry) {
  uvf__lock(&lock);
  if (uvf__linked(&entry->link)) uvf__unlink(&entry->link);
  a_add(&epoch, 1, relaxed); /* E1 */
  uvf__unlock(&lock);
}

static bool ask(void) {
  uint64_t me = uvf__thread_id();
  bool found = false;
  uvf__lock(&lock);
  asked_epoch = a_load(&epoch, relaxed); /* E1 */
  for (uvf__link_t *l = entries.next; l != &entries && !found; l = l->next)
    found = uvf__container(l, uvf__runs_t, link)->owner == me;
  uvf__unlock(&lock);
  return found;
}

bool uvf__threads_runs_loop(void) {
  if (a_load(&epoch, relaxed) != asked_epoch) answer = ask(); /* E1 */
  return answer;
}

void uvf__threads_each(void (*each)(const uvf__runs_t *entry, void *arg), void *arg) {
  if (a_load(&epoch, relaxed) == 0) return; /* E1 */
  uvf__lock(&lock);
  for (uvf__link_t *l = entries.next; l != &entries; l = l->next)
    each(uvf__container(l, uvf__runs_t, link), arg);
  uvf__unlock(&lock);
}

void uvf__threads_after_fork(void) {
  (void)uvf__mutex_init(&lock); /* another thread of the parent may have held it */
  uvf__list_init(&entries);
  a_add(&epoch, 1, relaxed); /* E1 */
}
