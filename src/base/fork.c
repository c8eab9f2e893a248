/* SPDX-License-Identifier: MIT */
/* The generation of fork.h.
 *
 * Protocol. G1: `uvf__generation` changes only in a child that has one thread, so every later reader was started by it: relaxed.
 * G2: `watching` is set under the lock, once; who sees it set (acquire, release) need not take the lock. */
#include "base/fork.h"

#include <stddef.h>

#include "base/errno.h"

#include "base/atomic.h"
#include "base/thread.h"

a_u32 uvf__generation;

static uvf__mutex_t lock = UVF__MUTEX_STATIC;

void uvf__fork_lock(void) {
  uvf__lock(&lock);
}

void uvf__fork_unlock(void) {
  uvf__unlock(&lock);
}

#ifdef _WIN32

int uvf__fork_watch(void (*in_child)(void)) {
  (void)in_child;
  return 0;
}

#else

static a_u32 watching;
static void (*repair)(void); /* under lock; the child reads it as its only thread */

/* `lock` itself is held across the fork by before(), so that the child never inherits it from another thread. */
static void before(void) {
  uvf__lock(&lock);
#if !UVF__ATOMICS
  uvf__atomics_lock_all();
#endif
}

static void in_parent(void) {
#if !UVF__ATOMICS
  uvf__atomics_unlock_all();
#endif
  uvf__unlock(&lock);
}

static void in_child(void) {
  in_parent();
  a_add(&uvf__generation, 1, relaxed); /* G1 */
  if (repair != NULL) repair();
}

int uvf__fork_watch(void (*repair_in_child)(void)) {
  int r = 0;
  if (repair_in_child == NULL && a_load(&watching, acquire) != 0) return 0; /* G2 */
  uvf__lock(&lock);
  if (repair_in_child != NULL) repair = repair_in_child;
  if (a_load(&watching, acquire) == 0) { /* G2 */
    if (pthread_atfork(before, in_parent, in_child) == 0)
      a_store(&watching, 1, release); /* G2 */
    else
      r = UV_ENOMEM;
  }
  uvf__unlock(&lock);
  return r;
}

#endif
