/* SPDX-License-Identifier: MIT */
/* Blocking a thread.
 *
 * Protocol. The op lies on the blocked thread's stack. The winner touches it last in the unlock of blocked_run. The
 * thread leaves only when it has seen `signalled` under that lock, or when its own CAS from WAITING to TIMEDOUT won and it
 * has taken the lock of the waiting list once to unlink. Leaving because the word is decided would destroy a mutex that its
 * winner still holds. Model: test/model/blocked_model.cpp. */
#include "wait/blocked.h"

#include <uvflow/base.h>

#include "base/clock.h"

#ifndef SPINS
#define SPINS 32
#endif

/* By the one who decided the op; the last touch of its memory. */
static void blocked_run(uvf__op_t *op) {
  uvf__blocked_t *b = uvf__container(op, uvf__blocked_t, op);
  uvf__lock(&b->lock);
  b->signalled = true;
  uvf__cond_signal(&b->wake);
  uvf__unlock(&b->lock);
}

static int blocked_init(uvf__blocked_t *b, const uvf__wait_type_t *type, void *object, void *item) {
  static const uvf__op_type_t thread_type = {"thread", NULL, blocked_run, NULL, NULL};
  a_init(&b->op.node.word, UVF__PRIV); /* O-3 */
  b->op.node.link.next = b->op.node.link.prev = NULL;
  b->op.node.flags = 0;
  b->op.type = &thread_type;
  b->op.loop = NULL;
  uvf__waiter_init(&b->waiter, &b->op, type, object, item);
  b->signalled = false;
  int r = uvf__mutex_init(&b->lock);
  if (r != 0) return r;
  r = uvf__cond_init(&b->wake);
  if (r != 0) uvf__mutex_destroy(&b->lock);
  return r;
}

/* False: until_us has come first. */
static bool park(uvf__blocked_t *b, uint64_t until_us) {
  uvf__lock(&b->lock);
  while (!b->signalled && (until_us == UINT64_MAX || uvf__clock_us() < until_us))
    uvf__cond_wait(&b->wake, &b->lock, until_us);
  bool woken = b->signalled;
  b->signalled = false;
  uvf__unlock(&b->lock);
  return woken;
}

static int wait_until(uvf__blocked_t *b, uint64_t until_us) {
  for (bool woken = false;; woken = true) {
    int r = uvf__wait_start(&b->op, &b->waiter, woken, !woken);
    if (r != UV_EAGAIN) return r;
    if (!park(b, until_us)) {
      if (uvf__op_take_back(&b->op, UVF__TIMEDOUT)) {
        b->waiter.type->withdraw(&b->waiter);
        return UV_ETIMEDOUT;
      }
      (void)park(b, UINT64_MAX); /* somebody won it: the wake is on its way */
    }
    uvf__op_set(&b->op, UVF__PRIV);
    if (b->waiter.status != UV_EAGAIN) return b->waiter.status;
  }
}

/* About a microsecond: less than it costs to sleep and to be woken. */
static int spin(uvf__waiter_t *w) {
  int r = UV_EAGAIN;
  for (int i = 0; i < SPINS && r == UV_EAGAIN; i++) {
    uvf__relax();
    r = w->type->attempt(w);
  }
  return r;
}

int uvf__wait_blocking(const uvf__wait_type_t *type, void *object, void *item, uint64_t timeout_ms) {
  uvf__blocked_t b;
  if (timeout_ms == UVF_NOWAIT) return UV_ETIMEDOUT;
  int r = blocked_init(&b, type, object, item);
  if (r != 0) return r;
  r = spin(&b.waiter);
  if (r == UV_EAGAIN)
    r = wait_until(&b, timeout_ms == UVF_FOREVER ? UINT64_MAX : uvf__deadline_us(uvf__clock_us(), timeout_ms));
  uvf__cond_destroy(&b.wake);
  uvf__mutex_destroy(&b.lock);
  a_fini(&b.op.node.word);
  return r;
}
