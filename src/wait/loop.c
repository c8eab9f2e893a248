/* SPDX-License-Identifier: MIT */
/* Life of a loop, and what its ops need of it.
 *
 * Protocol. A loop is counted: its creator (until detach), each uvf_loop_retain, and each ring under way hold a reference.
 * Ops hold none: they end before detach does.
 * Pairs. L-1: owner: a thread compares it with its own id, which only it can have stored (or bind on its behalf, handed over
 *             by the user): relaxed.
 *        L-2: refs: release of everything done before, acquire by the last (acq_rel); a new reference comes from an old one:
 *             relaxed.
 *        L-3: state is written by the loop's thread; elsewhere it is a hint (posts are decided by CLOSED in ready.c): relaxed.
 *        L-4: init; `own` is task/attached.c's. */
#include "wait/loop.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/fork.h"
#include "wait/ready.h"

static bool host_valid(const uvf_host_t *h) {
  if (h == NULL) return false;
  for (size_t i = 0; i < sizeof h->reserved / sizeof h->reserved[0]; i++)
    if (h->reserved[i] != 0) return false;
  return h->wake != NULL && h->poll != NULL && h->keep_alive != NULL && h->set_timer != NULL && h->now != NULL &&
         h->close != NULL;
}

static bool options_valid(const uvf_loop_options_t *o) {
  if (o == NULL) return true;
  for (size_t i = 0; i < sizeof o->reserved / sizeof o->reserved[0]; i++)
    if (o->reserved[i] != 0) return false;
  return (o->flags & ~(unsigned)UVF_WAKE_EVENTFD) == 0;
}

int uvf_loop_create(const uvf_host_t *host, const uvf_loop_options_t *o, uvf_loop_t **out) {
  if (out == NULL || !host_valid(host) || !options_valid(o)) return UV_EINVAL;
  int r = uvf__fork_watch(uvf__threads_after_fork);
  if (r != 0) return r;
  uvf_loop_t *loop = (uvf_loop_t *)uvf__calloc_line(sizeof *loop);
  if (loop == NULL) return UV_ENOMEM;
  uvf__ready_init(loop);
  a_init(&loop->refs, 1);                 /* L-4 */
  a_init(&loop->state, UVF__LOOP_OPEN);   /* L-4 */
  a_init(&loop->owner, uvf__thread_id()); /* L-4 */
  for (int i = 0; i < UVF__OWN; i++)
    a_init(&loop->own[i], NULL); /* L-4 */
  loop->host = *host;
  loop->turn_items = o != NULL && o->turn_items != 0 ? o->turn_items : UVF__DEFAULT_TURN_ITEMS;
  loop->turn_us = o != NULL && o->turn_us != 0 ? o->turn_us : UVF__DEFAULT_TURN_US;
  loop->generation = uvf__fork_generation();
  loop->timer_at = UINT64_MAX;
  uvf__list_init(&loop->ops);
  uvf__pace_init(&loop->pace);
  uvf__threads_bind(&loop->runs);
  *out = loop;
  return 0;
}

uvf_loop_t *uvf_loop_retain(uvf_loop_t *loop) {
  if (loop != NULL) a_add(&loop->refs, 1, relaxed); /* L-2 */
  return loop;
}

void uvf_loop_release(uvf_loop_t *loop) {
  if (loop == NULL || a_sub(&loop->refs, 1, acq_rel) != 1) return; /* L-2 */
  if (loop->generation != uvf__fork_generation()) return;          /* the parent's: its entry is on no list here */
  uvf__threads_unbind(&loop->runs);
  uvf__free_line(loop);
}

int uvf_loop_bind(uvf_loop_t *loop) {
  if (loop == NULL) return UV_EINVAL;
  if (loop->generation != uvf__fork_generation()) return UV_ENOTSUP;
  if (uvf__loop_ended(loop)) return UV_ECANCELED;
  if (loop->draining) return UV_EBUSY;
  a_store(&loop->owner, uvf__thread_id(), relaxed); /* L-1 */
  uvf__threads_bind(&loop->runs);
  return 0;
}

bool uvf_loop_is_mine(const uvf_loop_t *loop) {
  return loop != NULL && uvf__loop_mine((uvf_loop_t *)(uintptr_t)loop) && !uvf__loop_ended(loop);
}

bool uvf__loop_ended(const uvf_loop_t *loop) {
  return a_load(&((uvf_loop_t *)(uintptr_t)loop)->state, relaxed) == UVF__LOOP_CLOSED; /* L-3 */
}

int uvf__loop_check(uvf_loop_t *loop) {
  if (loop->generation != uvf__fork_generation()) return UV_ENOTSUP;
  return uvf__loop_mine(loop) ? 0 : UV_EPERM;
}

int uvf__loop_may_start(uvf_loop_t *loop) {
  int r = uvf__loop_check(loop);
  if (r != 0) return r;
  return a_load(&loop->state, relaxed) == UVF__LOOP_OPEN ? 0 : UV_ECANCELED; /* L-3 */
}

void uvf__loop_keep(uvf_loop_t *loop, bool on) {
  if (on ? loop->keeping++ == 0 : --loop->keeping == 0) loop->host.keep_alive(loop->host.host, on);
}

static bool op_keeps(const uvf__op_t *op) {
  return (op->node.flags & (UVF__OP_UNREF | UVF__OP_PAUSED)) == 0;
}

void uvf__loop_add_op(uvf_loop_t *loop, uvf__op_t *op) {
  uvf__list_push_back(&loop->ops, &op->in_loop);
  if (op_keeps(op)) uvf__loop_keep(loop, true);
}

void uvf__loop_remove_op(uvf_loop_t *loop, uvf__op_t *op) {
  uvf__unlink(&op->in_loop);
  if (op_keeps(op)) uvf__loop_keep(loop, false);
}

void uvf__loop_op_flag(uvf__op_t *op, uint32_t flag, bool on) {
  bool kept = op_keeps(op);
  op->node.flags = on ? op->node.flags | flag : op->node.flags & ~flag;
  if (op_keeps(op) != kept) uvf__loop_keep(op->loop, !kept);
}

void uvf__loop_task(uvf__op_t *op) {
  op->node.flags |= UVF__OP_TASK;
  op->loop->tasks++;
}

void uvf__loop_task_over(uvf__op_t *op) {
  if ((op->node.flags & UVF__OP_TASK) == 0) return;
  op->node.flags &= ~(uint32_t)UVF__OP_TASK;
  op->loop->tasks--;
  op->loop->task_over = true;
}

void uvf__loop_run_now(uvf_loop_t *loop, uvf__op_t *op) {
  uvf__list_push_back(&loop->now, &op->node.link);
  uvf__loop_poll(loop, true);
}

void uvf__loop_run_later(uvf_loop_t *loop, uvf__op_t *op) {
  uvf__list_push_back(&loop->later, &op->node.link);
  uvf__loop_poll(loop, true);
}

void uvf__loop_poll(uvf_loop_t *loop, bool on) {
  if (loop->polling == on || loop->draining) return; /* a drain decides at its end */
  loop->polling = on;
  loop->host.poll(loop->host.host, on);
}

bool uvf__loop_stopped(uvf_loop_t *loop) {
  return loop->host.stopped != NULL && loop->host.stopped(loop->host.host);
}

bool uvf__loop_spend(uvf_loop_t *loop, uint32_t n) {
  loop->turn_left = n < loop->turn_left ? loop->turn_left - n : 0;
  return loop->turn_left == 0 || uvf__clock_us_about() >= loop->turn_end_us || uvf__loop_stopped(loop);
}

void uvf__loop_ring(uvf_loop_t *loop) {
  loop->host.wake(loop->host.host);
  uvf_loop_release(loop);
}
