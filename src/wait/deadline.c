/* SPDX-License-Identifier: MIT */
/* The deadlines of deadline.h. */
#include "wait/deadline.h"

void uvf__deadline_start(uvf__request_t *req, uint64_t timeout_ms) {
  uvf_loop_t *loop = req->op.loop;
  uint64_t now = loop->host.now(loop->host.host);
  if (timeout_ms >= UINT64_MAX - now) return;
  req->op.node.flags |= UVF__OP_DEADLINE;
  uvf__heap_insert(&loop->deadlines, &req->deadline, now + timeout_ms);
  if (!loop->draining) uvf__deadlines_arm(loop);
}

void uvf__deadline_stop(uvf__request_t *req) {
  if ((req->op.node.flags & UVF__OP_DEADLINE) == 0) return;
  req->op.node.flags &= ~(uint32_t)UVF__OP_DEADLINE;
  uvf__heap_remove(&req->op.loop->deadlines, &req->deadline);
}

void uvf__deadlines_expire(uvf_loop_t *loop) {
  if (loop->timer_at == UINT64_MAX) return;
  uint64_t now = loop->host.now(loop->host.host);
  if (now >= loop->timer_at) loop->timer_at = UINT64_MAX; /* it has fired, or is about to for nothing */
  while (loop->deadlines.root != NULL && loop->deadlines.root->key <= now)
    uvf__request_expire(uvf__container(loop->deadlines.root, uvf__request_t, deadline));
}

void uvf__deadlines_arm(uvf_loop_t *loop) {
  if (loop->deadlines.root == NULL || loop->deadlines.root->key >= loop->timer_at) return;
  uint64_t at = loop->deadlines.root->key, now = loop->host.now(loop->host.host);
  loop->timer_at = at;
  loop->host.set_timer(loop->host.host, at > now ? at - now : 0);
}
