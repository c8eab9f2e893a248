/* SPDX-License-Identifier: MIT */
/* What ties a loop's own executor to it: it is aborted by the loop's detach, which waits until its runners have left. */
#ifndef UVF_TASK_ATTACHED_H
#define UVF_TASK_ATTACHED_H

#include "task/executor.h"
#include "wait/loop.h"

typedef struct {
  uvf__op_t op;       /* registered with the loop; keeps it alive for nothing */
  uvf_post_t post;    /* to get there from another thread */
  uvf_executor_t *ex; /* constant; while registered with a reference, the loop's */
  uvf_loop_t *loop;   /* constant; with a reference on its memory */
  int which;          /* of loop->own */
  uint32_t out;       /* loop's thread: what it will still hear of, when its runners have long gone */
  bool registered;    /* loop's thread: once, by whatever comes there first */
  bool ending;        /* loop's thread: aborted, waits for all that */
} uvf__attached_t;

/* Sets one up for an executor that is being made; and undoes that. */
void uvf__attached_init(uvf__attached_t *a, uvf_executor_t *ex, uvf_loop_t *loop, int which);
void uvf__attached_fini(uvf__attached_t *a);

/* The loop's own executor of that kind, made by `make` at the first time. NULL: no memory, or the loop was detached. */
uvf_executor_t *uvf__attached_get(uvf_loop_t *loop, int which, uvf__attached_t *(*make)(uvf_loop_t *loop));

/* Loop's thread, before anything that it does there: others may have found the executor before its maker has come to register it. */
void uvf__attached_register(uvf__attached_t *a);

/* Loop's thread, after each runner that has gone. */
void uvf__attached_check(uvf__attached_t *a);

#endif
