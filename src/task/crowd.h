/* SPDX-License-Identifier: MIT */
/* How many runners are worth while. Where jobs are shorter than it takes to hand one over, runners only fight for the lock, and
 * one alone does more than four together. So while a runner has a job, or lingers, others leave such jobs to it. One of them
 * watches: it looks every WATCH_US whether jobs still begin. If none did, those at work have met long jobs, or have lost their CPU:
 * they are left out of account until these are over, the watcher takes over, and WIDER times as many as before may be at work beside
 * it, more with each such verdict, until a short job is seen. Then another one watches. A verdict alone does not make jobs long:
 * runners that fight for the lock are interrupted so often that their jobs would look long for ever. */
#ifndef UVF_TASK_CROWD_H
#define UVF_TASK_CROWD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/thread.h"

typedef struct uvf_executor_s uvf_executor_t;

/* Of an executor; under its lock. */
typedef struct {
  uint64_t begun;    /* jobs, ever */
  uint64_t stuck_to; /* the last one of these when a watcher found that none begins */
  uint32_t at_work;  /* runners that have a job */
  uint32_t stuck;    /* of these: since then */
  uint32_t most;     /* how many others may be at work where jobs are short */
  uint32_t average;  /* time of a job: 1/16 us */
  bool watched;
  uvf__cond_t left; /* to wake the watcher: the one at work leaves */
} uvf__crowd_t;

/* 0 or UV_ENOMEM. */
int uvf__crowd_init(uvf__crowd_t *c);
void uvf__crowd_destroy(uvf__crowd_t *c);

/* The rest under the executor's lock. */

/* A runner takes a job, with that number; and is done with it. */
uint64_t uvf__crowd_begin(uvf__crowd_t *c);
void uvf__crowd_end(uvf__crowd_t *c, uint64_t number);

/* One job of a few has taken so long. */
void uvf__crowd_note(uvf__crowd_t *c, uint64_t us);

/* Is anybody at work, or lingers, who has not met a long job? */
bool uvf__crowd_works(const uvf_executor_t *ex);

/* Shall a runner that is free leave what is queued to the others? */
bool uvf__crowded(uvf_executor_t *ex);

/* Watches until the others need help or are done. It gives up the lock meanwhile, so the caller owes nobody a bell; and he
 * sets the intake afterwards. */
void uvf__crowd_watch(uvf_executor_t *ex);

/* A runner leaves; there may be something to do. */
void uvf__crowd_leave(uvf_executor_t *ex);

#endif
