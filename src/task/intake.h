/* SPDX-License-Identifier: MIT */
/* Where jobs come in while they are short. Under the executor's lock alone, who queues a job and the runner that takes jobs would
 * meet once for each, and a lock that two threads want all the time costs more than a short job. So while a runner watches
 * others at work (crowd.h), or lingers (runner.c), jobs go into a list beside the queue, under a lock of its own, and the runner fetches all
 * of them at once when its queue is empty. Whoever has to know what is queued gathers first. */
#ifndef UVF_TASK_INTAKE_H
#define UVF_TASK_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/list.h"
#include "base/thread.h"

typedef struct uvf_executor_s uvf_executor_t;
typedef struct uvf__job_s uvf__job_t;

/* Of an executor; in lines that nothing else is in. */
typedef struct {
  char before[UVF_CACHE_LINE];
  uvf__mutex_t lock; /* inside the executor's */
  uvf__link_t jobs;  /* under it; so is the next one */
  uint64_t count;
  uint64_t brought; /* under the executor's lock: so many have come while a runner waits */
  uint64_t vain;    /* likewise: so many times it is not worth while to wait */
  a_u64 room;       /* for so many jobs; 0: shut. Written under both locks */
  a_u32 work;       /* there may be something to take, here or in the queue */
  char after[UVF_CACHE_LINE];
} uvf__intake_t;

/* 0 or UV_ENOMEM. */
int uvf__intake_init(uvf__intake_t *in);
void uvf__intake_destroy(uvf__intake_t *in);

/* No lock held. Puts a job there. False: there is no room, or the job is not alive; the executor's lock tells which. */
bool uvf__intake_offer(uvf_executor_t *ex, uvf__job_t *job);

/* The rest under the executor's lock. */

/* Moves what is there to the end of the queue. */
void uvf__intake_gather(uvf_executor_t *ex);

/* Opens it, or gathers and shuts it, as is right: after each change of who watches, lingers or works, of an
 * empty queue, or when the executor was closed. */
void uvf__intake_set(uvf_executor_t *ex);

/* A runner has taken the last job, or has none: shall it wait a moment before its next visit, so that it finds some more? */
bool uvf__intake_worth_waiting(uvf_executor_t *ex);

/* It does; no lock held. */
void uvf__intake_wait(void);

/* It has. */
void uvf__intake_waited(uvf_executor_t *ex);

#endif
