/* SPDX-License-Identifier: MIT */
/* A task: one call of a work function, in the memory of a flowvar or of an offload's request.
 *
 * Protocol. `word` has a phase and flags.
 *   PENDING -> RUNNING -> DONE | FAILED | ABANDONED     runner; then whoever ends it (ABANDONED: done, and nobody took the value)
 *   PENDING -> CANCELLED                                whoever cancels it
 *   PENDING -> FAILED                                   a continuation whose predecessor failed
 * Each way out of PENDING by one CAS: who wins it has the task from there on. The way out of RUNNING was won before, by CLAIMED: it is
 * taken when the outcome is in place, and until then the task may be asked to stop.
 *   ASKED     it was asked to stop; set while it runs
 *   CLAIMED   somebody is the one to end it: the work function by its return, or uvf_task_finish
 *   RETURNED  the work function has returned UVF_LATER (a promise: there is none)
 *   FINISHED  uvf_task_finish has put everything in place
 *   FOLLOWS_UP  constant: it is a continuation; said here, too, so that the end of others need not look into another line for that
 * Work that ends later has two parties, and until both are done with it the memory is needed: the worker, up to RETURNED, and the
 * finisher, up to FINISHED. The second one ends the task.
 *
 * Pairs. K1: the phase (CAS): what was made before its submit comes before the work (so does the executor's lock).
 *        K2: RETURNED and FINISHED (acq_rel): what the first party did comes before what the second does as the end.
 *        K3: ASKED or a phase (seq_cst) and then a look at the marks, against a waiter's mark and then its look (waits.h, M1).
 *        K4: first loads, whose value the CAS checks, and init: relaxed. K5: a look at ASKED: nothing hangs on it, relaxed; for who
 *        waits for it seq_cst (K3).
 * Model: test/model/task_model.cpp. */
#ifndef UVF_TASK_TASK_H
#define UVF_TASK_TASK_H

#include <uvflow/task.h>

#include "task/executor.h"

enum {
  UVF__PENDING = 0,
  UVF__RUNNING,
  UVF__DONE,
  UVF__FAILED,
  UVF__CANCELLED_TASK,
  UVF__ABANDONED,
  UVF__PHASE = 7,
  UVF__ASKED = 8,
  UVF__CLAIMED = 16,
  UVF__RETURNED = 32,
  UVF__FINISHED = 64,
  UVF__FOLLOWS_UP = 128
};

struct uvf_task_s {
  uvf__job_t job;
  a_u32 word;
  int status; /* K2: by whoever has claimed the end */
  uvf_work_cb work;
  void *arg;
};

static inline uvf_task_t *uvf__task_of(uvf__job_t *job) {
  return uvf__container(job, uvf_task_t, job);
}

void uvf__task_init(uvf_task_t *t, const uvf__job_type_t *type, uvf_work_cb work, void *arg, uint32_t word);

/* A way out of PENDING. False: somebody else has taken one. */
bool uvf__task_move(uvf_task_t *t, uint32_t to);

/* The way out of RUNNING, by whoever ends it; does nothing to a task that never ran. */
void uvf__task_end(uvf_task_t *t, uint32_t to);

/* Asks it to stop: UV_EBUSY, or UV_EALREADY (it has ended), or UV_EAGAIN (it is pending). */
int uvf__task_ask(uvf_task_t *t);

/* Runs the work: how it ended, or UVF_LATER. */
int uvf__task_run(uvf_task_t *t, void *value);

static inline uint32_t uvf__task_phase(uvf_task_t *t) {
  return a_load(&t->word, relaxed) & UVF__PHASE; /* K4 */
}

static inline bool uvf__task_follows(uvf_task_t *t) {
  return (a_load(&t->word, relaxed) & UVF__FOLLOWS_UP) != 0; /* K4 */
}

/* For who waits to be asked. */
static inline uint32_t uvf__task_look(uvf_task_t *t) {
  return a_load(&t->word, seq_cst); /* K3 */
}

#endif
