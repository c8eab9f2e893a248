/* SPDX-License-Identifier: MIT */
/* A turn: runs what is ready, for as long as the budget allows, and sees to it that the rest gets a turn of its own.
 *
 * Callbacks may do anything, because: they run only from here, never under a lock and never inside the call that started
 * them; one node is taken off at a time and no list is iterated over a call; what runs unregisters itself before it calls;
 * drain is not entered twice; detach only marks, closing happens at the end of a drain. */
#include <uvflow/loop.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fork.h"
#include "wait/deadline.h"
#include "wait/ready.h"

static void run_node(uvf__node_t *node) {
  if ((node->flags & UVF__NODE_POST) != 0) {
    uvf__post_run(node, 0);
  } else {
    uvf__op_t *op = uvf__container(node, uvf__op_t, node);
    op->type->run(op);
  }
}

/* What was left over comes first, then what wanted this turn, then what was pushed. However slow the clock is to read, each turn
 * runs something, unless the host was stopped. */
static void run_ready(uvf_loop_t *loop) {
  uvf__list_splice(&loop->now, &loop->later);
  uvf__ready_collect(loop);
  bool spent = uvf__loop_stopped(loop);
  while (!spent && !uvf__list_empty(&loop->now)) {
    uvf__link_t *l = loop->now.next;
    uvf__unlink(l);
    run_node(uvf__container(l, uvf__node_t, link));
    spent = uvf__loop_spend(loop, 1);
  }
}

/* Is it worth while to look again without blocking, since work may soon be done? */
static bool lingers(uvf_loop_t *loop) {
  if (loop->task_over) uvf__pace_took(&loop->pace, loop->turn_began_us, 1, 1);
  bool over = loop->task_over;
  loop->task_over = false;
  return loop->tasks > 0 && (over || uvf__pace_look_again(&loop->pace, loop->turn_began_us));
}

static void end_turn(uvf_loop_t *loop) {
  bool idle = uvf__list_empty(&loop->now) && uvf__list_empty(&loop->later) && !lingers(loop);
  uvf__detach_t detach = uvf__detach_continue(loop);
  loop->draining = false;
  if (detach == UVF__DETACH_CLOSE) {
    uvf__loop_poll(loop, false);
    loop->host.close(loop->host.host, loop);
    return;
  }
  uvf__loop_poll(loop, detach == UVF__DETACH_NEXT_TURN || !idle || !uvf__ready_rest(loop));
  uvf__deadlines_arm(loop);
}

void uvf_loop_drain(uvf_loop_t *loop, bool rang) {
  if (loop == NULL || loop->generation != uvf__fork_generation()) return;
  if (rang) loop->rung = true;
  if (uvf__loop_ended(loop)) return;
  uvf__check(uvf__loop_mine(loop)); /* else uvf_loop_bind was forgotten */
  if (loop->draining) {             /* a callback runs the event loop: the outer drain goes on */
    loop->timer_at = UINT64_MAX;    /* it may have been the timer that called, and then it is not set any more */
    return;
  }
  uvf_loop_retain(loop);
  loop->draining = true;
  loop->turn++;
  loop->turn_left = loop->turn_items;
  loop->turn_began_us = uvf__clock_us();
  loop->turn_end_us = loop->turn_began_us + loop->turn_us;
  uvf__ready_occupy(loop);
  uvf__deadlines_expire(loop);
  run_ready(loop);
  end_turn(loop);
  uvf_loop_release(loop);
}
