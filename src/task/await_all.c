/* SPDX-License-Identifier: MIT */
/* Awaiting several flowvars: one wait that goes from one to the next that has not ended. Since none of them goes back, that is all
 * of them at the end, and it needs no memory for each. */
#include "task/flowvar.h"
#include "wait/blocked.h"
#include "wait/request.h"
#include "wait/threads.h"

/* Of the waiter: object is the array, item the number of its elements, index the one that it waits for. */
static uvf__chan_t *chan_at(const uvf__waiter_t *w, size_t i) {
  return uvf__chan_of_flowvar(((uvf_flowvar_t **)w->object)[i]);
}

static size_t count_of(const uvf__waiter_t *w) {
  return (size_t)(uintptr_t)w->item;
}

static int attempt(uvf__waiter_t *w) {
  size_t i = w->index;
  for (; i < count_of(w); i++) {
    if (uvf__flow_outcome(chan_at(w, i)) != UV_EAGAIN) continue;
    w->index = (uint32_t)i;
    return UV_EAGAIN;
  }
  int first = 0;
  for (i = 0; i < count_of(w) && first == 0; i++)
    first = uvf__flow_outcome(chan_at(w, i));
  return first;
}

static bool enlist(uvf__waiter_t *w, bool front) {
  return uvf__await_enlist(chan_at(w, w->index), w, front);
}

static void withdraw(uvf__waiter_t *w) {
  uvf__await_withdraw(chan_at(w, w->index), w);
}

static void pass_on(uvf__waiter_t *w) {
  (void)w;
}

/* The caller's references are borrowed. */
static void release(void *fvs) {
  (void)fvs;
}

static const char *name_of(const void *fvs) {
  (void)fvs;
  return "all of them";
}

static const uvf__wait_type_t all_wait = {attempt, enlist, withdraw, pass_on, release, "for flowvars", name_of};

static int check(uvf_flowvar_t **fvs, size_t n) {
  if (n > UINT32_MAX >> 8 || (fvs == NULL && n > 0)) return UV_EINVAL;
  for (size_t i = 0; i < n; i++)
    if (fvs[i] == NULL) return UV_EINVAL;
  for (size_t i = 0; i < n; i++)
    if (uvf__chan_foreign(uvf__chan_of_flowvar(fvs[i]))) return UV_ENOTSUP;
  return 0;
}

int uvf_await_all(uvf_loop_t *l, uvf_req_t *req, uvf_flowvar_t **fvs, size_t n, uint64_t timeout_ms, uvf_cb cb) {
  int r = check(fvs, n);
  if (r != 0) return r;
  r = uvf__request_start(l, req, &all_wait, (void *)fvs, (void *)(uintptr_t)n, timeout_ms, cb);
  if (r == 0) uvf__request_of_task(req);
  return r;
}

int uvf_await_all_sync(uvf_flowvar_t **fvs, size_t n, uint64_t timeout_ms) {
  int r = check(fvs, n);
  if (r != 0) return r;
  if (uvf__threads_runs_loop()) return UVF_EDEADLK;
  r = uvf__wait_try(&all_wait, (void *)fvs, (void *)(uintptr_t)n);
  if (r != UV_EAGAIN) return r;
  for (size_t i = 0; i < n; i++)
    if (uvf__await_never(fvs[i])) return UVF_EDEADLK;
  return uvf__wait_blocking(&all_wait, (void *)fvs, (void *)(uintptr_t)n, timeout_ms);
}
