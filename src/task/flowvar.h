/* SPDX-License-Identifier: MIT */
/* A flowvar: a one-shot channel (chan/, with a cell) whose sender is a task. The flowvar is the receiving end, with its count; the
 * task is the sending one, a unit of the channel's memory. The value is written where the channel's item lies; waiting for an
 * outcome is waiting on the channel's receivers; abandoning is aborting it; a failure is its cause.
 *
 * It lies in the memory behind the channel, and the lines that go from the thread that spawns to the one that runs and back are few:
 * the channel's first two, the cell's, the task's. */
#ifndef UVF_TASK_FLOWVAR_H
#define UVF_TASK_FLOWVAR_H

#include <uvflow/flowvar.h>

#include "chan/chan.h"
#include "task/task.h"

typedef struct uvf__then_s uvf__then_t;

typedef struct {
  uvf_task_t task;
  uvf_executor_t *home; /* whose memory it is (blocks.h); NULL: nobody's */
  size_t bytes;         /* all of the memory */
  uvf_drop_cb arg_drop; /* its data is the channel's */
  const char *name;
  uvf__where_t where; /* it will run; all NULL: a promise */
  uvf__then_t *then;  /* then.c; NULL: it follows no other */
} uvf__flow_t;

extern const uvf__job_type_t uvf__flow_job;

/* Where it lies: behind the channel and a gap, in which a small value and a small arg have room; so the runner finds them in
 * the line of the cell, and the task in the next one. */
#ifndef UVF_MODEL
#define UVF__FLOW_GAP 32
#define UVF__FLOW_AT (offsetof(uvf__chan_t, q) + sizeof(uvf__cell_t) + UVF__FLOW_GAP)
_Static_assert(UVF__FLOW_AT % _Alignof(max_align_t) == 0, "the gap is of the wrong size");
#else
#define UVF__FLOW_GAP 0
#define UVF__FLOW_AT sizeof(uvf__chan_t)
#endif

static inline uvf__chan_t *uvf__chan_of_flowvar(const uvf_flowvar_t *fv) {
  return (uvf__chan_t *)(uintptr_t)fv;
}

static inline uvf_flowvar_t *uvf__flowvar_of_chan(uvf__chan_t *c) {
  return (uvf_flowvar_t *)(void *)c;
}

static inline uvf__flow_t *uvf__flow_of(const uvf__chan_t *c) {
  return (uvf__flow_t *)(void *)((char *)(uintptr_t)c + UVF__FLOW_AT);
}

static inline uvf__chan_t *uvf__chan_of_flow(uvf__flow_t *f) {
  return (uvf__chan_t *)(void *)((char *)f - UVF__FLOW_AT);
}

/* The channel of a task; NULL: it is an offload's. */
static inline uvf__chan_t *uvf__flow_chan(uvf_task_t *task) {
  return task->job.type == &uvf__flow_job ? uvf__chan_of_flow(uvf__container(task, uvf__flow_t, task)) : NULL;
}

/* Makes one in the given phase, in memory of `home` if that is not NULL, with room for `extra` bytes, to which *more (may be NULL)
 * points. 0, UV_EINVAL or UV_ENOMEM. */
int uvf__flow_make(uvf_executor_t *home, const uvf_spawn_options_t *o, uvf_work_cb work, void *arg, uint32_t word,
                   size_t extra, void **more, uvf__flow_t **out);

/* Undoes that, where only the caller has seen it; the arg stays the caller's. */
void uvf__flow_unmake(uvf__flow_t *f);

/* Gives the flowvar to the user, or (NULL) abandons it. */
void uvf__flow_publish(uvf__flow_t *f, uvf_flowvar_t **fv);

/* A task without an executor is over. */
void uvf__flow_over(uvf_task_t *task, int status);

/* How it ended, or UV_EAGAIN. */
int uvf__flow_outcome(uvf__chan_t *c);

/* then.c: cancels the wait for the predecessor, if it still waits. */
void uvf__then_withdraw(uvf__flow_t *f);
/* The task needs its references no longer. */
void uvf__then_fini(uvf__then_t *then);
/* Where it will run. */
uvf_executor_t *uvf__then_executor(const uvf__then_t *then);
/* What it still waits for, with a unit of that channel's memory; NULL: nothing any more. */
uvf__chan_t *uvf__then_before(uvf__then_t *then);

/* await.c: would waiting for it stop the only thread that could end it? */
bool uvf__await_never(uvf_flowvar_t *fv);

/* await.c: waiting for the outcome. */
extern const uvf__wait_type_t uvf__await_wait;

/* await.c: waits on the list of those who await, under the channel's lock. */
bool uvf__await_enlist(uvf__chan_t *c, uvf__waiter_t *w, bool front);
void uvf__await_withdraw(uvf__chan_t *c, uvf__waiter_t *w);

#endif
