/* SPDX-License-Identifier: MIT */
/* Waiting to be asked to stop: among those who wait for the end of the channel of a task's flowvar. */
#include "task/flowvar.h"
#include "wait/request.h"

static uvf__chan_t *chan_of(const uvf__waiter_t *w) {
  return (uvf__chan_t *)w->object;
}

/* The task's end counts, not the channel's: work that is abandoned goes on. */
static int look(uvf__chan_t *c) {
  uint32_t w = uvf__task_look(&uvf__flow_of(c)->task);
  if ((w & UVF__ASKED) != 0) return 0;
  return (w & UVF__PHASE) <= UVF__RUNNING ? UV_EAGAIN : UV_EOF;
}

static int attempt(uvf__waiter_t *w) {
  return look(chan_of(w));
}

static bool enlist(uvf__waiter_t *w, bool front) {
  uvf__chan_t *c = chan_of(w);
  uvf__lock(&c->waits.lock);
  uvf__waits_link(&c->waits, &c->waits.end, w, front);
  bool stay = look(c) == UV_EAGAIN;
  if (!stay) uvf__waits_unlink(&c->waits, &c->waits.end, w);
  uvf__unlock(&c->waits.lock);
  return stay;
}

static void withdraw(uvf__waiter_t *w) {
  uvf__chan_t *c = chan_of(w);
  uvf__waits_withdraw(&c->waits, &c->waits.end, w);
}

/* All of them are told. */
static void pass_on(uvf__waiter_t *w) {
  (void)w;
}

static void release(void *chan) {
  uvf__chan_unhold((uvf__chan_t *)chan);
}

static const char *name_of(const void *chan) {
  const char *name = uvf__flow_of((const uvf__chan_t *)chan)->name;
  return name == NULL ? "" : name;
}

static const uvf__wait_type_t cancelled_wait = {
    attempt, enlist, withdraw, pass_on, release, "to be cancelled, as the task of flowvar", name_of};

int uvf_wait_cancelled(uvf_loop_t *l, uvf_req_t *req, uvf_task_t *task, uint64_t timeout_ms, uvf_cb cb) {
  if (task == NULL) return UV_EINVAL;
  uvf__chan_t *c = uvf__flow_chan(task);
  if (c == NULL || uvf__chan_foreign(c)) return UV_ENOTSUP;
  uvf__chan_hold(c);
  return uvf__request_start(l, req, &cancelled_wait, c, NULL, timeout_ms, cb);
}
