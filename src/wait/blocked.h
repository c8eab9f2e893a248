/* SPDX-License-Identifier: MIT */
/* A blocked thread: an op on its stack, with the mutex and the condition that it sleeps on. */
#ifndef UVF_WAIT_BLOCKED_H
#define UVF_WAIT_BLOCKED_H

#include "base/thread.h"
#include "wait/op.h"

typedef struct uvf__blocked_s {
  uvf__op_t op;
  uvf__waiter_t waiter;
  uvf__mutex_t lock;
  uvf__cond_t wake;
  bool signalled; /* under lock */
} uvf__blocked_t;

/* Waits on `object`, on which the caller has just tried in vain, until there is an outcome, or timeout_ms have passed:
 * UV_ETIMEDOUT. Not on a thread that runs a loop. The object is the caller's to hold. */
int uvf__wait_blocking(const uvf__wait_type_t *type, void *object, void *item, uint64_t timeout_ms);

#endif
