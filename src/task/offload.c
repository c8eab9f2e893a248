/* SPDX-License-Identifier: MIT */
/* uvf_offload: a task and its op in one request, without a flowvar.
 *
 * Protocol. The op is on no waiting list: its task is what decides it. From its start until its callback the op is WON (op.h); who
 * ends the task pushes it on the loop's ready list, under the executor's lock where it ran, and does not touch it any more. The
 * task's states: task.h. O-3: as in op.h.
 * Model: test/model/offload_model.cpp. */
#include "task/task.h"

#include "wait/loop.h"
#include "wait/ready.h"
#include "wait/request.h"

typedef struct {
  void *data; /* the user's */
  uvf__op_t op;
  uvf_cb cb;
  uvf_task_t task; /* status: the outcome */
} offload_t;

_Static_assert(sizeof(offload_t) <= sizeof(uvf_req_t), "uvf_req_t is too small");

static offload_t *offload_of_op(uvf__op_t *op) {
  return uvf__container(op, offload_t, op);
}

static offload_t *offload_of_job(uvf__job_t *job) {
  return uvf__container(uvf__task_of(job), offload_t, task);
}

/* ---- the job ---- */

static bool begin(uvf__job_t *job) {
  return uvf__task_move(uvf__task_of(job), UVF__RUNNING);
}

static int run(uvf__job_t *job) {
  return uvf__task_run(uvf__task_of(job), NULL);
}

static void hand_back(uvf__job_t *job, int status, uvf__bells_t *bells) {
  offload_t *o = offload_of_job(job);
  o->task.status = status;
  uvf__task_end(&o->task, status == 0 ? UVF__DONE : UVF__FAILED);
  (void)uvf__ready_push(o->op.loop, &o->op.node, bells); /* a loop with ops is not closed */
}

static bool cancel(uvf__job_t *job) {
  return uvf__task_move(uvf__task_of(job), UVF__CANCELLED_TASK);
}

static void cancelled(uvf__job_t *job) {
  uvf__bells_t bells = uvf__bells_none();
  hand_back(job, UV_ECANCELED, &bells);
  uvf__bells_ring(&bells);
}

static void ask(uvf__job_t *job, uvf__bells_t *bells) {
  (void)bells;
  (void)uvf__task_ask(uvf__task_of(job));
}

static const uvf__job_type_t offload_job = {NULL, begin, run, hand_back, NULL, cancel, cancelled, ask, true};

/* ---- the op ---- */

static void offload_run(uvf__op_t *op) {
  offload_t *o = offload_of_op(op);
  uvf_cb cb = o->cb;
  int status = o->task.status;
  uvf__loop_task_over(op);
  uvf__loop_remove_op(op->loop, op);
  a_fini(&o->task.word);
  uvf__op_set(op, UVF__FREE);
  cb((uvf_req_t *)(void *)o, status);
}

static int offload_cancel(uvf__op_t *op) {
  offload_t *o = offload_of_op(op);
  while (!cancel(&o->task.job)) {
    int r = uvf__task_ask(&o->task);
    if (r != UV_EAGAIN) return r;
  }
  uvf_executor_t *ex = o->task.job.ex;
  (void)uvf__executor_withdraw(ex, &o->task.job);
  uvf__executor_unhold(ex); /* the job's */
  o->task.status = UV_ECANCELED;
  if (!uvf__ready_push_behind(op->loop, &op->node)) uvf__loop_run_now(op->loop, op);
  return 0;
}

static void offload_detach(uvf__op_t *op) {
  (void)offload_cancel(op);
}

static const uvf__op_type_t offload_type = {"offload", NULL, offload_run, offload_detach, offload_cancel};

int uvf_offload(uvf_loop_t *l, uvf_req_t *req, uvf_executor_t *ex, uvf_work_cb work, void *arg, uvf_cb done) {
  offload_t *o = (offload_t *)(void *)req;
  if (l == NULL || req == NULL || ex == NULL || work == NULL || done == NULL) return UV_EINVAL;
  int r = uvf__loop_may_start(l);
  if (r != 0) return r;
  if (uvf__op_word(&o->op) != UVF__FREE) return UV_EBUSY;
  o->op.node.flags = 0;
  o->op.node.link.next = o->op.node.link.prev = NULL;
  o->op.type = &offload_type;
  o->op.loop = l;
  o->cb = done;
  uvf__task_init(&o->task, &offload_job, work, arg, UVF__PENDING);
  uvf__op_set(&o->op, UVF__WON);
  uvf__loop_add_op(l, &o->op);
  uvf__loop_task(&o->op);
  r = uvf__executor_submit(ex, &o->task.job, UVF__ORDINARY);
  if (r == 0) return 0;
  uvf__loop_task_over(&o->op);
  uvf__loop_remove_op(l, &o->op);
  uvf__op_set(&o->op, UVF__FREE);
  return r;
}
