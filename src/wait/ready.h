/* SPDX-License-Identifier: MIT */
/* The ready list of a loop: what other threads push, and the loop takes. */
#ifndef UVF_WAIT_READY_H
#define UVF_WAIT_READY_H

#include "wait/bells.h"
#include "wait/loop.h"

void uvf__ready_init(uvf_loop_t *loop);

/* Any thread; for ops under the lock of the waiting list. Notes the ring that it owes in `bells`. False: the loop is closed. */
bool uvf__ready_push(uvf_loop_t *loop, uvf__node_t *node, uvf__bells_t *bells);

/* The rest is the loop's thread's. */

/* Moves what was pushed to loop->now, in the order of pushing. Allowed at any time. */
void uvf__ready_collect(uvf_loop_t *loop);

/* A turn begins that no ring has asked for: if none is outstanding, make sure that none will be. */
void uvf__ready_occupy(uvf_loop_t *loop);

/* Nothing is left to run: the next push shall ring. False: something was pushed meanwhile. */
bool uvf__ready_rest(uvf_loop_t *loop);

/* No push succeeds any more; what was pushed goes to loop->now. Only while loop->rung. */
void uvf__ready_close(uvf_loop_t *loop);

/* Any thread: was it closed? */
bool uvf__ready_closed(uvf_loop_t *loop);

/* Loop's thread: puts the node behind what is pushed and not collected yet. False: there is nothing. */
bool uvf__ready_push_behind(uvf_loop_t *loop, uvf__node_t *node);

#endif
