/* SPDX-License-Identifier: MIT */
/* Detaching a loop: end every op, wait for the outstanding ring, close the list, hand the leftover posts back, close the host.
 *
 * Protocol. The list closes by an exchange, which cannot fail, so a flood of posts cannot postpone the end. It closes only
 * while `rung` (ready.c, Y2): no ringer will touch the host after it was closed; if a ring is outstanding, the loop runs until
 * it arrived. Ops that were won complete normally, once. Tag: L-3 of loop.c.
 * Model: test/model/detach_model.cpp. */
#include <uvflow/loop.h>

#include "base/fork.h"
#include "wait/ready.h"

/* An op that ends here calls back later and stays on the list; but what is dropped with it may stop others. */
static void detach_ops(uvf_loop_t *loop) {
  uvf__link_t all;
  uvf__list_init(&all);
  uvf__list_splice(&all, &loop->ops);
  while (!uvf__list_empty(&all)) {
    uvf__link_t *l = all.next;
    uvf__unlink(l);
    uvf__list_push_back(&loop->ops, l);
    uvf__op_t *op = uvf__container(l, uvf__op_t, in_loop);
    op->type->detach(op);
  }
}

int uvf_loop_detach(uvf_loop_t *loop, uvf_detach_cb done, void *data) {
  if (loop == NULL) return UV_EINVAL;
  if (loop->generation != uvf__fork_generation()) return UV_ENOTSUP;
  if (!uvf__loop_mine(loop)) return UV_EPERM;
  if (a_load(&loop->state, relaxed) != UVF__LOOP_OPEN) return UV_EALREADY; /* L-3 */
  a_store(&loop->state, UVF__LOOP_DETACHING, relaxed);                     /* L-3 */
  loop->detached = done;
  loop->detached_data = data;
  uvf__loop_keep(loop, true); /* the loop must run until it is closed, also without ops */
  detach_ops(loop);
  uvf__loop_poll(loop, true);
  return 0;
}

/* The list is closed: what is left on `now` are posts, finitely many. */
static void cancel_posts(uvf_loop_t *loop) {
  while (!uvf__list_empty(&loop->now) && !uvf__loop_spend(loop, 1)) {
    uvf__link_t *l = loop->now.next;
    uvf__unlink(l);
    uvf__post_run(uvf__container(l, uvf__node_t, link), UV_ECANCELED);
  }
}

uvf__detach_t uvf__detach_continue(uvf_loop_t *loop) {
  uint32_t state = a_load(&loop->state, relaxed); /* L-3 */
  if (state == UVF__LOOP_OPEN || !uvf__list_empty(&loop->ops)) return UVF__DETACH_NOT_YET;
  if (state == UVF__LOOP_DETACHING) {
    if (!loop->rung) return UVF__DETACH_NOT_YET; /* the outstanding ring brings us back */
    uvf__ready_close(loop);
    a_store(&loop->state, UVF__LOOP_ENDING, relaxed); /* L-3 */
  }
  cancel_posts(loop);
  if (!uvf__list_empty(&loop->now)) return UVF__DETACH_NEXT_TURN;
  a_store(&loop->state, UVF__LOOP_CLOSED, relaxed); /* L-3 */
  return UVF__DETACH_CLOSE;
}

void uvf_loop_host_closed(uvf_loop_t *loop) {
  if (loop == NULL) return;
  uvf_detach_cb done = loop->detached;
  void *data = loop->detached_data;
  uvf__threads_unbind(&loop->runs);
  uvf_loop_release(loop);
  if (done != NULL) done(data);
}
