/* SPDX-License-Identifier: MIT */
/* The states of a task: task.h has the protocol. */
#include "task/task.h"

#include "queue/item.h"
#include "task/flowvar.h"

void uvf__task_init(uvf_task_t *t, const uvf__job_type_t *type, uvf_work_cb work, void *arg, uint32_t word) {
  t->job.link.next = t->job.link.prev = NULL;
  t->job.type = type;
  t->job.ex = NULL;
  t->job.since_us = 0;
  a_init(&t->word, word); /* K4 */
  t->status = 0;
  t->work = work;
  t->arg = arg;
}

/* As long as it is pending nothing else changes in the word. */
bool uvf__task_move(uvf_task_t *t, uint32_t to) {
  uint32_t w = a_load(&t->word, relaxed);                                                   /* K4 */
  return (w & UVF__PHASE) == UVF__PENDING && a_cas(&t->word, &w, w + to, seq_cst, relaxed); /* K1, K3 */
}

void uvf__task_end(uvf_task_t *t, uint32_t to) {
  uint32_t w = a_load(&t->word, relaxed); /* K4 */
  while ((w & UVF__PHASE) == UVF__RUNNING)
    if (a_cas(&t->word, &w, w + (to - UVF__RUNNING), seq_cst, relaxed)) return; /* K3 */
}

int uvf__task_ask(uvf_task_t *t) {
  uint32_t w = a_load(&t->word, relaxed); /* K4 */
  while ((w & UVF__PHASE) == UVF__RUNNING)
    if (a_cas(&t->word, &w, w | UVF__ASKED, seq_cst, relaxed)) return UV_EBUSY; /* K3 */
  return (w & UVF__PHASE) == UVF__PENDING ? UV_EAGAIN : UV_EALREADY;
}

/* Becomes the one to end it. */
static bool claim(uvf_task_t *t) {
  uint32_t w = a_load(&t->word, relaxed); /* K4 */
  while ((w & UVF__PHASE) == UVF__RUNNING && (w & UVF__CLAIMED) == 0)
    if (a_cas(&t->word, &w, w | UVF__CLAIMED, acq_rel, relaxed)) return true; /* K1 */
  return false;
}

int uvf__task_run(uvf_task_t *t, void *value) {
  int r = t->work(t, t->arg, value);
  if (r != UVF_LATER && claim(t)) {
    t->status = r > 0 ? UV_EINVAL : r;
    return t->status;
  }
  /* It ends later; also if it returned an outcome after somebody began to finish it. */
  uint32_t w = a_or(&t->word, UVF__RETURNED, acq_rel); /* K2 */
  return (w & UVF__FINISHED) != 0 ? t->status : UVF_LATER;
}

bool uvf_task_cancelled(const uvf_task_t *task) {
  return task != NULL && (a_load(&((uvf_task_t *)(uintptr_t)task)->word, relaxed) & UVF__ASKED) != 0; /* K5 */
}

int uvf_task_finish(uvf_task_t *task, int status, const void *value) {
  if (task == NULL || status > 0) return UV_EINVAL;
  uvf__chan_t *c = uvf__flow_chan(task);
  if (value != NULL && c == NULL) return UV_EINVAL; /* an offload has none */
  if (c != NULL ? uvf__chan_foreign(c) : uvf__executor_foreign(task->job.ex)) return UV_ENOTSUP;
  if (!claim(task)) return UV_EALREADY;
  if (value != NULL && status == 0) uvf__item_copy(c->q.cell.item, value, c->item_size);
  task->status = status;
  uint32_t w = a_or(&task->word, UVF__FINISHED, acq_rel); /* K2 */
  if ((w & UVF__RETURNED) == 0) return 0;                 /* the worker ends it when it returns */
  if (task->job.ex != NULL)
    uvf__executor_over(task->job.ex, &task->job, status);
  else
    uvf__flow_over(task, status);
  return 0;
}
