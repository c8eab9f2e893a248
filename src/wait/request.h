/* SPDX-License-Identifier: MIT */
/* A request: one wait of a loop for one object, in the caller's uvf_req_t. */
#ifndef UVF_WAIT_REQUEST_H
#define UVF_WAIT_REQUEST_H

#include <uvflow/base.h>

#include "base/heap.h"
#include "wait/loop.h"
#include "wait/op.h"

typedef struct {
  void *data; /* the user's */
  uvf__op_t op;
  uvf__waiter_t waiter;
  uvf_cb cb;
  uvf__heap_node_t deadline;
} uvf__request_t;

_Static_assert(sizeof(uvf__request_t) <= sizeof(uvf_req_t), "uvf_req_t is too small");

/* Starts to wait; `object` comes with a reference, which type->release gives up when the wait is over, or at once if the start
 * fails. 0: cb will run. UV_EINVAL, UV_EPERM, UV_ECANCELED, UV_ENOTSUP, UV_EBUSY. */
int uvf__request_start(uvf_loop_t *loop, uvf_req_t *req, const uvf__wait_type_t *type, void *object, void *item,
                       uint64_t timeout_ms, uvf_cb cb);

/* A request that was just started waits for work (loop.h). */
void uvf__request_of_task(uvf_req_t *req);

/* Its deadline has come. */
void uvf__request_expire(uvf__request_t *r);

#endif
