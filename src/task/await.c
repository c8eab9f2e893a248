/* SPDX-License-Identifier: MIT */
/* Awaiting one flowvar: a wait among the receivers of its channel, all of whom are told to look once it has ended. */
#include "task/flowvar.h"
#include "wait/blocked.h"
#include "wait/loop.h"
#include "wait/request.h"
#include "wait/threads.h"

bool uvf__await_enlist(uvf__chan_t *c, uvf__waiter_t *w, bool front) {
  uvf__lock(&c->waits.lock);
  uvf__waits_link(&c->waits, &c->waits.rx, w, front);
  bool stay = uvf__flow_outcome(c) == UV_EAGAIN;
  if (!stay) uvf__waits_unlink(&c->waits, &c->waits.rx, w);
  uvf__unlock(&c->waits.lock);
  return stay;
}

void uvf__await_withdraw(uvf__chan_t *c, uvf__waiter_t *w) {
  uvf__waits_withdraw(&c->waits, &c->waits.rx, w);
}

static uvf__chan_t *chan_of(const uvf__waiter_t *w) {
  return uvf__chan_of_flowvar((const uvf_flowvar_t *)w->object);
}

static int attempt(uvf__waiter_t *w) {
  return uvf__chan_foreign(chan_of(w)) ? UV_ENOTSUP : uvf__flow_outcome(chan_of(w));
}

static bool enlist(uvf__waiter_t *w, bool front) {
  return uvf__await_enlist(chan_of(w), w, front);
}

static void withdraw(uvf__waiter_t *w) {
  uvf__await_withdraw(chan_of(w), w);
}

/* All of them are told. */
static void pass_on(uvf__waiter_t *w) {
  (void)w;
}

static void release(void *fv) {
  uvf_flowvar_release((uvf_flowvar_t *)fv);
}

static const char *name_of(const void *fv) {
  const char *name = uvf__flow_of(uvf__chan_of_flowvar((const uvf_flowvar_t *)fv))->name;
  return name == NULL ? "" : name;
}

const uvf__wait_type_t uvf__await_wait = {attempt, enlist, withdraw, pass_on, release, "for flowvar", name_of};

int uvf_try_await(uvf_flowvar_t *fv) {
  return fv == NULL ? UV_EINVAL : uvf__flow_outcome(uvf__chan_of_flowvar(fv));
}

int uvf_await(uvf_loop_t *l, uvf_req_t *req, uvf_flowvar_t *fv, uint64_t timeout_ms, uvf_cb cb) {
  if (fv == NULL) return UV_EINVAL;
  if (uvf__chan_foreign(uvf__chan_of_flowvar(fv))) return UV_ENOTSUP;
  int r = uvf__request_start(l, req, &uvf__await_wait, uvf_flowvar_retain(fv), NULL, timeout_ms, cb);
  if (r == 0) uvf__request_of_task(req);
  return r;
}

/* Would waiting for this one stop the only thread that could end it? */
static bool stuck(uvf__flow_t *f) {
  if (uvf__runner_runs(NULL, &f->task.job)) return true; /* itself */
  return uvf__task_phase(&f->task) == UVF__PENDING && uvf__runner_blocks(&f->where);
}

/* A continuation that waits is as stuck as what it follows. */
bool uvf__await_never(uvf_flowvar_t *fv) {
  uvf__chan_t *c = uvf__chan_of_flowvar(fv);
  bool never = false;
  uvf__chan_hold(c);
  while (c != NULL && !never) {
    uvf__flow_t *f = uvf__flow_of(c);
    never = stuck(f);
    uvf__chan_t *before = f->then == NULL || never ? NULL : uvf__then_before(f->then);
    uvf__chan_unhold(c);
    c = before;
  }
  return never;
}

int uvf_await_sync(uvf_flowvar_t *fv, uint64_t timeout_ms) {
  if (fv == NULL) return UV_EINVAL;
  if (uvf__threads_runs_loop()) return UVF_EDEADLK;
  int r = uvf__wait_try(&uvf__await_wait, fv, NULL);
  if (r != UV_EAGAIN) return r;
  return uvf__await_never(fv) ? UVF_EDEADLK : uvf__wait_blocking(&uvf__await_wait, fv, NULL, timeout_ms);
}
