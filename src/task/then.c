/* SPDX-License-Identifier: MIT */
/* Continuations: a flowvar whose task is queued when another flowvar has ended, by whoever ended that.
 *
 * Protocol. A continuation is an op without a loop, on the list of those who await its predecessor. Who decides it runs it, after
 * the lock (wait/bells.c): it is queued on its executor, or, if the predecessor failed, ends with that error at once. Cancelling it
 * wins the task first (task.h), and then takes the op back; if that is too late, the op finds its task cancelled, at the latest
 * under the lock of the executor, and only lets go. So the op has a unit of the channel's memory of its own, and the references on
 * the executor and on the predecessor are given up by the last of the two, the task and the op. The predecessor is forgotten under
 * the lock of the continuation's own channel: who finds it under that lock can get a unit of its memory.
 * Long chains: what ends one continuation runs the next. A thread that is at it already only notes the next one, so that the
 * stack does not grow with the chain.
 * Pairs. F-1: users: the last one acquires what the other released (acq_rel). F-2: init. O-3: as in op.h.
 * Model: test/model/flowvar_model.cpp. */
#include "task/flowvar.h"

struct uvf__then_s {
  uvf__op_t op;
  uvf__waiter_t waiter; /* object: the predecessor, with a reference */
  uvf__flow_t *flow;
  a_u32 users;        /* of the references: the task, the op */
  uvf_executor_t *ex; /* with a reference */
};

static uvf__then_t *then_of(uvf__op_t *op) {
  return uvf__container(op, uvf__then_t, op);
}

uvf_executor_t *uvf__then_executor(const uvf__then_t *then) {
  return then->ex;
}

uvf__chan_t *uvf__then_before(uvf__then_t *then) {
  uvf__chan_t *c = uvf__chan_of_flow(then->flow), *before = NULL;
  uvf__lock(&c->waits.lock);
  if (then->waiter.object != NULL && uvf__op_word(&then->op) == UVF__WAITING) {
    before = uvf__chan_of_flowvar((uvf_flowvar_t *)then->waiter.object);
    uvf__chan_hold(before);
  }
  uvf__unlock(&c->waits.lock);
  return before;
}

void uvf__then_fini(uvf__then_t *then) {
  if (a_sub(&then->users, 1, acq_rel) != 1) return; /* F-1 */
  uvf__chan_t *c = uvf__chan_of_flow(then->flow);
  uvf__lock(&c->waits.lock);
  uvf_flowvar_t *before = (uvf_flowvar_t *)then->waiter.object;
  then->waiter.object = NULL; /* for uvf__then_before */
  uvf__unlock(&c->waits.lock);
  uvf_flowvar_release(before);
  uvf_executor_release(then->ex);
}

static void op_over(uvf__then_t *then) {
  uvf__chan_t *c = uvf__chan_of_flow(then->flow);
  uvf__then_fini(then);
  uvf__chan_unhold(c); /* the op's */
}

/* The predecessor has ended with `status`. */
static void follow(uvf__then_t *then, int status) {
  uvf__flow_t *f = then->flow;
  uvf__chan_t *from = uvf__chan_of_flowvar((uvf_flowvar_t *)then->waiter.object);
  f->task.arg = from->item_size > 0 ? from->q.cell.item : NULL;
  if (status == 0 && from->item_size > 0 && from->ops->look(&from->q.base) != 0) status = UV_EALREADY; /* was taken */
  if (status == 0) status = uvf__executor_submit(then->ex, &f->task.job, UVF__FOLLOWS);
  if (status != 0 && uvf__task_move(&f->task, UVF__FAILED)) uvf__flow_over(&f->task, status);
  op_over(then);
}

/* What this thread has still to follow; linked only while it is at it. */
UVF__PER_THREAD(uvf__link_t, to_follow);

static void follow_all(uvf__op_t *op) {
  uvf__link_t *mine = &uvf__mine(to_follow);
  bool outer = !uvf__linked(mine);
  if (outer) uvf__list_init(mine);
  uvf__list_push_back(mine, &op->node.link);
  if (!outer) return; /* further out on this stack it goes on */
  for (uvf__link_t *l; (l = uvf__list_first(mine)) != NULL;) {
    uvf__unlink(l);
    uvf__then_t *then = then_of(uvf__container(uvf__container(l, uvf__node_t, link), uvf__op_t, node));
    follow(then, uvf__flow_outcome(uvf__chan_of_flowvar((uvf_flowvar_t *)then->waiter.object)));
  }
  mine->next = mine->prev = NULL;
}

static const uvf__waiter_t *then_waiter(const uvf__op_t *op) {
  return &uvf__container((uintptr_t)op, uvf__then_t, op)->waiter;
}

static const uvf__op_type_t then_type = {"continuation", then_waiter, follow_all, NULL, NULL};

void uvf__then_withdraw(uvf__flow_t *f) {
  uvf__then_t *then = f->then;
  if (!uvf__op_take_back(&then->op, UVF__CANCELLED)) return; /* it is on its way, and lets go there */
  then->waiter.type->withdraw(&then->waiter);
  op_over(then);
}

static void then_init(uvf__then_t *then, uvf__flow_t *f, uvf_flowvar_t *from, uvf_executor_t *ex) {
  a_init(&then->op.node.word, UVF__PRIV); /* O-3 */
  then->op.type = &then_type;
  then->flow = f;
  a_init(&then->users, 2); /* F-2 */
  then->ex = uvf_executor_retain(ex);
  uvf__waiter_init(&then->waiter, &then->op, &uvf__await_wait, uvf_flowvar_retain(from), NULL);
  f->then = then;
  f->where = ex->where;
  uvf__chan_hold(uvf__chan_of_flow(f)); /* the op's */
}

int uvf_then(uvf_flowvar_t *fv, uvf_executor_t *ex, uvf_work_cb work, const uvf_spawn_options_t *o,
             uvf_flowvar_t **out) {
  uvf__flow_t *f;
  void *then;
  if (fv == NULL || ex == NULL || work == NULL) return UV_EINVAL;
  if (o != NULL && (o->arg_size != 0 || o->arg_drop != NULL)) return UV_EINVAL;
  if (uvf__executor_foreign(ex) || uvf__chan_foreign(uvf__chan_of_flowvar(fv))) return UV_ENOTSUP;
  int r = uvf__flow_make(ex, o, work, NULL, UVF__PENDING | UVF__FOLLOWS_UP, sizeof(uvf__then_t), &then, &f);
  if (r != 0) return r;
  uvf_flowvar_t *made = uvf__flowvar_of_chan(uvf__chan_of_flow(f));
  then_init((uvf__then_t *)then, f, fv, ex);
  if (out != NULL) *out = made; /* it may run and end from now on */
  if (uvf__wait_start(&f->then->op, &f->then->waiter, false, false) != UV_EAGAIN) follow_all(&f->then->op);
  if (out == NULL) uvf_flowvar_release(made);
  return 0;
}
