/* SPDX-License-Identifier: MIT */
/* Starting a wait. */
#include "wait/op.h"

int uvf__wait_start(uvf__op_t *op, uvf__waiter_t *w, bool front, bool tried) {
  for (;; tried = false) {
    int r = tried ? UV_EAGAIN : w->type->attempt(w);
    if (r != UV_EAGAIN) return r;
    w->status = UV_EAGAIN;
    uvf__op_set(op, UVF__WAITING);
    if (w->type->enlist(w, front)) return UV_EAGAIN;
    uvf__op_set(op, UVF__PRIV); /* unlinked by ourselves under the lock, so nobody can have decided it */
  }
}
