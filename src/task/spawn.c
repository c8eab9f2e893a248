/* SPDX-License-Identifier: MIT */
/* uvf_spawn: a flowvar, and its task on an executor. */
#include "task/flowvar.h"

int uvf_spawn(uvf_executor_t *ex, uvf_work_cb work, void *arg, const uvf_spawn_options_t *o, uvf_flowvar_t **fv) {
  uvf__flow_t *f;
  if (ex == NULL || work == NULL) return UV_EINVAL;
  if (uvf__executor_foreign(ex)) return UV_ENOTSUP;
  int r = uvf__flow_make(ex, o, work, arg, UVF__PENDING, 0, NULL, &f);
  if (r != 0) return r;
  f->where = ex->where;
  r = uvf__executor_submit(ex, &f->task.job, UVF__ORDINARY);
  if (r != 0) {
    uvf__flow_unmake(f);
    return r;
  }
  uvf__flow_publish(f, fv);
  return 0;
}
