/* SPDX-License-Identifier: MIT */
/* uvf_promise_create: a flowvar whose task has no work function, and runs from the beginning. */
#include "task/flowvar.h"

int uvf_promise_create(const uvf_spawn_options_t *o, uvf_task_t **task, uvf_flowvar_t **fv) {
  uvf__flow_t *f;
  if (task == NULL || fv == NULL) return UV_EINVAL;
  if (o != NULL && (o->arg_size != 0 || o->arg_drop != NULL)) return UV_EINVAL;
  int r = uvf__flow_make(NULL, o, NULL, NULL, UVF__RUNNING | UVF__RETURNED, 0, NULL, &f);
  if (r != 0) return r;
  *task = &f->task;
  uvf__flow_publish(f, fv);
  return 0;
}
