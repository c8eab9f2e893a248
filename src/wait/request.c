/* SPDX-License-Identifier: MIT */
/* Requests: start, outcome, cancel, timeout. The owner is the loop's thread throughout; see op.h for the states. */
#include "wait/request.h"

#include "base/check.h"
#include "wait/deadline.h"
#include "wait/ready.h"

static uvf__request_t *request_of(uvf__op_t *op) {
  return uvf__container(op, uvf__request_t, op);
}

/* The outcome is known; the callback comes in this turn or the next, never from inside this call. */
static void complete(uvf__request_t *r, int status) {
  uvf__op_set(&r->op, UVF__PRIV);
  r->op.node.flags |= UVF__OP_DONE;
  r->waiter.status = status;
  uvf__deadline_stop(r);
  if (!uvf__ready_push_behind(r->op.loop, &r->op.node)) uvf__loop_run_now(r->op.loop, &r->op);
}

/* Unregisters and calls back: from the callback on the memory is the user's. */
static void finish(uvf__request_t *r, int status) {
  const uvf__wait_type_t *type = r->waiter.type;
  void *object = r->waiter.object;
  uvf_cb cb = r->cb;
  uvf__deadline_stop(r);
  uvf__loop_task_over(&r->op);
  uvf__loop_remove_op(r->op.loop, &r->op);
  uvf__op_set(&r->op, UVF__FREE);
  cb((uvf_req_t *)(void *)r, status);
  type->release(object);
}

/* Woken to try for itself. */
static void try_again(uvf__request_t *r) {
  uint32_t flags = r->op.node.flags;
  int status;
  if ((flags & (UVF__OP_CANCEL | UVF__OP_TIMEOUT)) != 0) {
    status = r->waiter.type->attempt(&r->waiter);
    if (status == UV_EAGAIN) status = (flags & UVF__OP_CANCEL) != 0 ? UV_ECANCELED : UV_ETIMEDOUT;
  } else {
    status = uvf__wait_start(&r->op, &r->waiter, true, false);
    if (status == UV_EAGAIN) return; /* waits again */
  }
  finish(r, status);
}

static void request_run(uvf__op_t *op) {
  uvf__request_t *r = request_of(op);
  uvf__op_set(op, UVF__PRIV);
  if ((op->node.flags & UVF__OP_DONE) != 0 || r->waiter.status != UV_EAGAIN)
    finish(r, r->waiter.status);
  else
    try_again(r);
}

/* Ends a wait that nobody has decided. False: it is decided, or woken to try and will report `flag` if that fails. */
static bool withdraw(uvf__request_t *r, uint32_t word, uint32_t flag, int status) {
  if (!uvf__op_take_back(&r->op, word)) {
    r->op.node.flags |= flag;
    return false;
  }
  r->waiter.type->withdraw(&r->waiter);
  complete(r, status);
  return true;
}

static void request_detach(uvf__op_t *op) {
  (void)withdraw(request_of(op), UVF__CANCELLED, UVF__OP_CANCEL, UV_ECANCELED);
}

void uvf__request_expire(uvf__request_t *r) {
  uvf__deadline_stop(r);
  (void)withdraw(r, UVF__TIMEDOUT, UVF__OP_TIMEOUT, UV_ETIMEDOUT);
}

static const uvf__waiter_t *request_waiter(const uvf__op_t *op) {
  return &uvf__container((uintptr_t)op, uvf__request_t, op)->waiter;
}

static int request_cancel(uvf__op_t *op) {
  return withdraw(request_of(op), UVF__CANCELLED, UVF__OP_CANCEL, UV_ECANCELED) ? 0 : UV_EALREADY;
}

static const uvf__op_type_t request_type = {"request", request_waiter, request_run, request_detach, request_cancel};

static void request_init(uvf__request_t *r, uvf_loop_t *loop) {
  r->op.node.flags = 0;
  r->op.node.link.next = r->op.node.link.prev = NULL;
  r->op.type = &request_type;
  r->op.loop = loop;
  uvf__op_set(&r->op, UVF__PRIV);
  uvf__loop_add_op(loop, &r->op);
}

static int may_start(uvf_loop_t *loop, uvf__request_t *r) {
  int e = uvf__loop_may_start(loop);
  if (e != 0) return e;
  return uvf__op_word(&r->op) == UVF__FREE ? 0 : UV_EBUSY;
}

int uvf__request_start(uvf_loop_t *loop, uvf_req_t *req, const uvf__wait_type_t *type, void *object, void *item,
                       uint64_t timeout_ms, uvf_cb cb) {
  uvf__request_t *r = (uvf__request_t *)(void *)req;
  int e = loop == NULL || req == NULL || cb == NULL ? UV_EINVAL : may_start(loop, r);
  if (e != 0) {
    type->release(object);
    return e;
  }
  request_init(r, loop);
  r->cb = cb;
  uvf__waiter_init(&r->waiter, &r->op, type, object, item);
  int status = timeout_ms == UVF_NOWAIT ? type->attempt(&r->waiter) : uvf__wait_start(&r->op, &r->waiter, false, false);
  if (status != UV_EAGAIN)
    complete(r, status);
  else if (timeout_ms == UVF_NOWAIT)
    complete(r, UV_ETIMEDOUT);
  else if (timeout_ms != UVF_FOREVER)
    uvf__deadline_start(r, timeout_ms);
  return 0;
}

void uvf__request_of_task(uvf_req_t *req) {
  uvf__loop_task(&((uvf__request_t *)(void *)req)->op);
}

int uvf_cancel(uvf_req_t *req) {
  uvf__request_t *r = (uvf__request_t *)(void *)req;
  if (req == NULL) return UV_EINVAL;
  if (uvf__op_word(&r->op) == UVF__FREE) return UV_EALREADY;
  int e = uvf__loop_check(r->op.loop);
  if (e != 0) return e;
  return r->op.type->cancel(&r->op);
}

bool uvf_req_active(const uvf_req_t *req) {
  return req != NULL && uvf__op_word(&((uvf__request_t *)(uintptr_t)req)->op) != UVF__FREE;
}

void uvf_req_unref(uvf_req_t *req) {
  if (!uvf_req_active(req)) return;
  uvf__op_t *op = &((uvf__request_t *)(void *)req)->op;
  if (uvf__loop_check(op->loop) == 0) uvf__loop_op_flag(op, UVF__OP_UNREF, true);
}
