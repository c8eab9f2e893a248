/* SPDX-License-Identifier: MIT */
/* Executors that belong to a loop.
 *
 * Protocol. loop->own[which] is NULL, or the executor, with a reference that is the loop's. Whoever asks first makes one and puts it
 * there by a CAS; who loses throws his away. It is registered with the loop, on the loop's thread, as an op that keeps nothing
 * alive; so the loop's detach finds it, aborts it, and goes on only when the last runner has left. An executor whose registration
 * meets a detach ends the same way.
 * Pairs. A-1: own: release by the maker -> acquire by who uses it; NULL again at the end, for who asks too late.
 *        state of the loop: a hint (wait/loop.c, L-3). */
#include "task/attached.h"

static uvf__attached_t *attached_of(uvf__op_t *op) {
  return uvf__container(op, uvf__attached_t, op);
}

static bool has_runners(uvf_executor_t *ex) {
  uvf__lock(&ex->waits.lock);
  bool has = ex->runners > 0;
  uvf__unlock(&ex->waits.lock);
  return has;
}

void uvf__attached_check(uvf__attached_t *a) {
  if (!a->ending || a->out > 0 || has_runners(a->ex)) return;
  a->ending = false;
  uvf__loop_remove_op(a->loop, &a->op);
  uvf__loop_poll(a->loop, true); /* the detach looks whether that was the last op */
  uvf_executor_release(a->ex);
}

static void abort_with_loop(uvf__attached_t *a) {
  a_store(&a->loop->own[a->which], NULL, release); /* */
  (void)uvf__executor_close(a->ex, true);
}

static void attached_detach(uvf__op_t *op) {
  uvf__attached_t *a = attached_of(op);
  a->ending = true;
  abort_with_loop(a);
  uvf__attached_check(a);
}

static const uvf__op_type_t attached_type = {"executor", NULL, NULL, attached_detach, NULL};

void uvf__attached_register(uvf__attached_t *a) {
  if (a->registered) return;
  a->registered = true;
  uvf__loop_add_op(a->loop, &a->op);
  if (a_load(&a->loop->state, relaxed) != UVF__LOOP_OPEN) attached_detach(&a->op); /* */
}

static void on_post(uvf_post_t *post, int status) {
  uvf__attached_t *a = (uvf__attached_t *)post->data;
  if (status == 0) {
    uvf__attached_register(a);
  } else if (!a->registered) {
    abort_with_loop(a);
    uvf_executor_release(a->ex);
  }
}

void uvf__attached_init(uvf__attached_t *a, uvf_executor_t *ex, uvf_loop_t *loop, int which) {
  a->op.node.flags = UVF__OP_UNREF;
  a->op.type = &attached_type;
  a->op.loop = loop;
  a->ex = ex;
  a->loop = uvf_loop_retain(loop);
  a->which = which;
  a->post.data = a;
}

void uvf__attached_fini(uvf__attached_t *a) {
  uvf_loop_release(a->loop);
}

uvf_executor_t *uvf__attached_get(uvf_loop_t *loop, int which, uvf__attached_t *(*make)(uvf_loop_t *loop)) {
  uvf_executor_t *ex = a_load(&loop->own[which], acquire); /* */
  if (ex != NULL) return ex;
  if (a_load(&loop->state, relaxed) != UVF__LOOP_OPEN || loop->generation != uvf__fork_generation())
    return NULL; /* */
  uvf__attached_t *a = make(loop);
  if (a == NULL) return NULL;
  if (!a_cas(&loop->own[which], &ex, a->ex, acq_rel, acquire)) { /* */
    uvf_executor_release(a->ex);
    return ex;
  }
  ex = a->ex;
  if (uvf__loop_mine(loop)) {
    uvf__attached_register(a);
  } else if (uvf_post(loop, &a->post, on_post) != 0) {
    abort_with_loop(a);
    uvf_executor_release(ex);
    return NULL;
  }
  return ex;
}
