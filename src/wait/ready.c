/* SPDX-License-Identifier: MIT */
/* The ready list.
 *
 * Protocol. `head` is IDLE (empty, nobody has rung), BUSY (empty, the loop is awake or a ring is outstanding), a node, or
 * CLOSED. `rung`, the loop's own, is true while no ring is outstanding and the loop has not gone idle.
 *   pusher   puts a node in front by CAS; if it found IDLE it rings, once, after unlocking
 *   loop     takes the nodes (node -> BUSY); goes BUSY -> IDLE or -> CLOSED only while rung. What it has to say itself it puts
 *            behind nodes that it has not taken yet, so that callbacks come in the order of their outcomes; where there are
 *            some, somebody has rung, or a turn is on
 *
 * Invariants. Y1: IDLE means that the list is empty and no ring is outstanding; only a push turns IDLE into a node, and only
 * that push rings. Y2: !rung and head != IDLE means that exactly one ring is outstanding. Y3: only the loop leaves {node,
 * BUSY}. Hence at most one uv_async_send is under way per loop, none coalesces, none comes after the handle was closed. The
 * usual "exchange(head, NULL) from anywhere" breaks that: a second ring while the first is out, and libuv's `pending` flag,
 * which is no barrier when it coalesces (before 1.53), loses wakes.
 *
 * Pairs. Y-1: push (release part) -> collect (acquire): the node's fields, and what its op published.
 *        Y-2: going IDLE (release), after libuv has cleared its own flag -> the push that finds IDLE (acquire part): that
 *             ringer's relaxed look at libuv's flag sees it cleared.
 *        Y-3: first loads, whose value the CAS checks: relaxed.
 *        Y-4: CLOSED (acq_rel exchange): as collect, and nothing comes after it.
 *        Y-5: init.
 * Model: test/model/ready_model.cpp. */
#include "wait/ready.h"

#include "base/check.h"

static uvf__node_t tokens[3];
#define IDLE (&tokens[0])
#define BUSY (&tokens[1])
#define CLOSED (&tokens[2])

static bool is_token(const uvf__node_t *n) {
  return n == IDLE || n == BUSY || n == CLOSED;
}

void uvf__ready_init(uvf_loop_t *loop) {
  a_init(&loop->head, IDLE); /* Y-5 */
  loop->rung = false;
  uvf__list_init(&loop->now);
  uvf__list_init(&loop->later);
}

bool uvf__ready_push(uvf_loop_t *loop, uvf__node_t *node, uvf__bells_t *bells) {
  uvf__node_t *h = a_load(&loop->head, relaxed); /* Y-3 */
  bool retained = false;
  do {
    if (h == CLOSED) break;
    node->link.next = is_token(h) ? NULL : &h->link;
    if (h == IDLE && !retained) {
      uvf_loop_retain(loop); /* the ringer touches the loop after the node may have run */
      retained = true;
    }
  } while (!a_cas(&loop->head, &h, node, acq_rel, relaxed)); /* Y-1, Y-2 */
  if (h == IDLE)
    uvf__bells_add_loop(bells, loop);
  else if (retained)
    uvf_loop_release(loop);
  return h != CLOSED;
}

/* The stack, newest first, to the end of `now`, oldest first. */
static void append_stack(uvf_loop_t *loop, uvf__node_t *newest) {
  uvf__link_t *l = is_token(newest) ? NULL : &newest->link, *end = loop->now.prev;
  while (l != NULL) {
    uvf__link_t *next = l->next;
    uvf__link_after(end, l);
    l = next;
  }
}

void uvf__ready_collect(uvf_loop_t *loop) {
  uvf__node_t *h = a_load(&loop->head, relaxed); /* Y-3 */
  if (is_token(h)) return;
  append_stack(loop, a_swap(&loop->head, BUSY, acq_rel)); /* Y-1 */
}

void uvf__ready_occupy(uvf_loop_t *loop) {
  uvf__node_t *idle = IDLE;
  if (!loop->rung && a_cas(&loop->head, &idle, BUSY, acquire, relaxed)) loop->rung = true; /* Y-2 */
}

bool uvf__ready_rest(uvf_loop_t *loop) {
  uvf__node_t *busy = BUSY;
  if (!loop->rung) return true;                                         /* the outstanding ring brings us back */
  if (!a_cas(&loop->head, &busy, IDLE, release, relaxed)) return false; /* Y-2 */
  loop->rung = false;
  return true;
}

void uvf__ready_close(uvf_loop_t *loop) {
  uvf__check(loop->rung);
  append_stack(loop, a_swap(&loop->head, CLOSED, acq_rel)); /* Y-4 */
}

bool uvf__ready_closed(uvf_loop_t *loop) {
  return a_load(&loop->head, acquire) == CLOSED; /* Y-4 */
}

bool uvf__ready_push_behind(uvf_loop_t *loop, uvf__node_t *node) {
  uvf__node_t *h = a_load(&loop->head, relaxed); /* Y-3 */
  do {
    if (is_token(h)) return false;
    node->link.next = &h->link;
  } while (!a_cas(&loop->head, &h, node, acq_rel, relaxed)); /* Y-1 */
  return true;
}
