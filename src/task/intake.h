/* SPDX-License-Identifier: MIT */
/* Where jobs come in while they are short. Under the executor's lock alone, who queues a job and the runner that takes jobs would
 * meet once for each, and a lock that two threads want all the time costs more than a short job. So while a runner watches
 * others at work (crowd.h), or was asked for and will, or is the only one there can be, and for one job also while one lingers
 * (runner.c), jobs go on a stack beside the queue, by one compare-and-swap, and the runner at work fetches all of them at once when its
 * queue is empty. Whoever has to know what is queued gathers first. */
#ifndef UVF_TASK_INTAKE_H
#define UVF_TASK_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/list.h"

typedef struct uvf_executor_s uvf_executor_t;
typedef struct uvf__job_s uvf__job_t;

/* How many may come in: none, one, or any number. */
typedef enum { UVF__SHUT, UVF__OPEN_FOR_ONE, UVF__OPEN, UVF__OPENINGS } uvf__opening_t;

/* Of an executor; nothing else is in its line. */
typedef struct {
  _Alignas(UVF_CACHE_LINE) A_PTR(uvf__link_t) head; /* the stack */
  a_u64 until_us;                                   /* who comes later goes by the lock */
  a_u32 work;                                       /* somebody has put a job into the queue: for who lingers */
} uvf__intake_t;

/* What its runners know of it; under the executor's lock. */
typedef struct {
  uvf__opening_t opening;
  uint64_t brought; /* so many have come while a runner waits */
  uint64_t vain;    /* so many times it is not worth while to wait */
} uvf__door_t;

void uvf__intake_init(uvf_executor_t *ex);
void uvf__intake_destroy(uvf_executor_t *ex);

/* No lock held. Puts a job there that nobody else knows yet. False: it is not open; the job is as it was. */
bool uvf__intake_offer(uvf_executor_t *ex, uvf__job_t *job);

/* No lock held. Is there something to take, here or in the queue? A hint. */
bool uvf__intake_work(uvf__intake_t *in);

/* The rest under the executor's lock. */

/* Moves what is there to the end of the queue. */
void uvf__intake_gather(uvf_executor_t *ex);

/* The same by a runner in a visit, which still counts as one that looks; it sets the intake right before it goes. */
void uvf__intake_fetch(uvf_executor_t *ex);

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
