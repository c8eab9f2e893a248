/* SPDX-License-Identifier: MIT */
/* The simplest object to wait for, so that the waiting layer is tested without a channel: an event that is set or
 * not. Waiters are told to try (set), or handed their outcome (grant). */
#ifndef UVF_TEST_WAIT_EVENT_H
#define UVF_TEST_WAIT_EVENT_H

#include "support/test_host.h"

#include <limits.h>

#include "wait/blocked.h"
#include "wait/request.h"
#include "wait/waits.h"

typedef struct {
  uvf__waits_t waits;
  bool set;            /* under the lock of waits */
  bool set_behind;     /* likewise: it is set right after an attempt that failed */
  bool grant_at_leave; /* grants somebody while a waiter leaves: it has decided so, and is still linked */
  atomic_int releases; /* references that waits gave up */
  atomic_int attempts, passed_on;
} event_t;

static inline int event_attempt(uvf__waiter_t *w) {
  event_t *e = w->object;
  atomic_fetch_add(&e->attempts, 1);
  uvf__lock(&e->waits.lock);
  bool set = e->set;
  e->set = set || e->set_behind;
  uvf__unlock(&e->waits.lock);
  return set ? 0 : UV_EAGAIN;
}

static inline bool event_enlist(uvf__waiter_t *w, bool front) {
  event_t *e = w->object;
  uvf__lock(&e->waits.lock);
  bool stays = !e->set;
  if (stays) uvf__waits_link(&e->waits, &e->waits.rx, w, front);
  uvf__unlock(&e->waits.lock);
  return stays;
}

static inline void event_withdraw(uvf__waiter_t *w) {
  event_t *e = w->object;
  if (e->grant_at_leave) uvf__waits_wake(&e->waits, &e->waits.rx, 1, 0);
  uvf__lock(&e->waits.lock);
  uvf__waits_unlink(&e->waits, &e->waits.rx, w);
  uvf__unlock(&e->waits.lock);
}

static inline void event_pass_on(uvf__waiter_t *w) {
  atomic_fetch_add(&((event_t *)w->object)->passed_on, 1);
}

static inline void event_release(void *object) {
  atomic_fetch_add(&((event_t *)object)->releases, 1);
}

static inline const char *event_name(const void *object) {
  (void)object;
  return "";
}

static const uvf__wait_type_t event_type = {event_attempt, event_enlist,   event_withdraw, event_pass_on,
                                            event_release, "for an event", event_name};

/* Asserts. */
static inline void event_init(event_t *e) {
  memset(e, 0, sizeof *e);
  assert_int_equal(uvf__waits_init(&e->waits, UVF__FENCE_PLAIN), 0);
}

/* Asserts that nobody waits and that every wait has given up its reference. */
static inline void event_destroy(event_t *e, int waits) {
  assert_int_equal(atomic_load(&e->releases), waits);
  assert_int_equal(uvf__waits_look(&e->waits), 0);
  assert_null(uvf__waits_first(&e->waits.rx));
  uvf__waits_destroy(&e->waits);
}

static inline int event_wait(uvf_loop_t *loop, uvf_req_t *req, event_t *e, uint64_t timeout_ms) {
  return uvf__request_start(loop, req, &event_type, e, NULL, timeout_ms, record_request);
}

static inline void event_change(event_t *e, bool set) {
  uvf__lock(&e->waits.lock);
  e->set = set;
  uvf__unlock(&e->waits.lock);
}

/* Sets it and tells up to n waiters to try. */
static inline void event_set(event_t *e, int n) {
  event_change(e, true);
  uvf__waits_wake(&e->waits, &e->waits.rx, n, UV_EAGAIN);
}

/* Tells up to n waiters to try, in vain. */
static inline void event_tease(event_t *e, int n) {
  uvf__waits_wake(&e->waits, &e->waits.rx, n, UV_EAGAIN);
}

/* Hands the outcome to up to n waiters, first come, first served. */
static inline void event_grant(event_t *e, int n, int outcome) {
  uvf__waits_wake(&e->waits, &e->waits.rx, n, outcome);
}

#endif
