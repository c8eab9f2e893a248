/* SPDX-License-Identifier: MIT */
/* fork(): a lock may be held by a thread that does not exist in the child, and a loop's thread may be missing there. Each
 * process has a generation; objects remember the one that they were made in, and refuse the wrong one.
 * Protocol: tag G1 of fork.c. */
#ifndef UVF_BASE_FORK_H
#define UVF_BASE_FORK_H

#include "base/atomic.h"

/* Counts the forks that lead to this process. Constant but for the moment of fork in a child, which has one thread then. */
extern a_u32 uvf__generation;

static inline uint32_t uvf__fork_generation(void) {
  return a_load(&uvf__generation, relaxed); /* G1 */
}

/* Registers the handler that counts, once; `in_child` (may be NULL) is called in a child right after the fork, to repair
 * process-wide state. 0 or UV_ENOMEM. */
int uvf__fork_watch(void (*in_child)(void));

/* The lock that is held across a fork: what lies under it is whole in a child, too. */
void uvf__fork_lock(void);
void uvf__fork_unlock(void);

#endif
