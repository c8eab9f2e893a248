/* SPDX-License-Identifier: MIT */
/* Which threads run loops: a blocking call on such a thread is refused, since the loop would stand still. */
#ifndef UVF_WAIT_THREADS_H
#define UVF_WAIT_THREADS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

/* A loop's entry. */
typedef struct {
  uvf__link_t link; /* under the registry's lock */
  uint64_t owner;   /* thread id; written under the registry's lock by the owner or by bind */
} uvf__runs_t;

/* The calling thread runs this loop from now on (entry zeroed before the first time). */
void uvf__threads_bind(uvf__runs_t *entry);
void uvf__threads_unbind(uvf__runs_t *entry);

/* Does the calling thread run an attached loop? */
bool uvf__threads_runs_loop(void);

/* Calls `each` for all entries, under the registry's lock. */
void uvf__threads_each(void (*each)(const uvf__runs_t *entry, void *arg), void *arg);

/* In a child after fork: the parent's entries are gone. */
void uvf__threads_after_fork(void);

#endif
