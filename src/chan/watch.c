/* SPDX-License-Identifier: MIT */
/* Waiting without taking or giving: for something to receive, and for the end. */
#include "chan/chan.h"
#include "wait/blocked.h"
#include "wait/request.h"
#include "wait/threads.h"

static uvf__chan_t *tx_chan(const uvf__waiter_t *w) {
  return uvf__chan_of_tx((uvf_tx_t *)w->object);
}

static int closed(uvf__chan_t *c) {
  if (uvf__chan_foreign(c)) return UV_ENOTSUP;
  uvf__lock(&c->waits.lock);
  int r = c->kind->closed(c) != 0 ? 0 : UV_EAGAIN;
  uvf__unlock(&c->waits.lock);
  return r;
}

static int closed_attempt(uvf__waiter_t *w) {
  return closed(tx_chan(w));
}

/* Closing takes the same lock, but for a send that closes a one-shot channel: that looks at the mark. */
static bool closed_enlist(uvf__waiter_t *w, bool front) {
  uvf__chan_t *c = tx_chan(w);
  uvf__lock(&c->waits.lock);
  uvf__waits_link(&c->waits, &c->waits.end, w, front);
  bool stay = c->kind->closed(c) == 0;
  if (!stay) uvf__waits_unlink(&c->waits, &c->waits.end, w);
  uvf__unlock(&c->waits.lock);
  return stay;
}

static void closed_withdraw(uvf__waiter_t *w) {
  uvf__chan_t *c = tx_chan(w);
  uvf__waits_withdraw(&c->waits, &c->waits.end, w);
}

/* All of them are told. */
static void closed_pass_on(uvf__waiter_t *w) {
  (void)w;
}

static const uvf__wait_type_t closed_wait = {closed_attempt, closed_enlist,          closed_withdraw,
                                             closed_pass_on, uvf__tx_release_object, "for the close of channel",
                                             uvf__tx_name};

int uvf_wait_closed(uvf_loop_t *l, uvf_req_t *req, uvf_tx_t *tx, uint64_t timeout_ms, uvf_cb cb) {
  if (tx == NULL) return UV_EINVAL;
  if (uvf__chan_foreign(uvf__chan_of_tx(tx))) return UV_ENOTSUP;
  return uvf__request_start(l, req, &closed_wait, uvf_tx_retain(tx), NULL, timeout_ms, cb);
}

int uvf_wait_closed_sync(uvf_tx_t *tx, uint64_t timeout_ms) {
  if (tx == NULL) return UV_EINVAL;
  if (uvf__threads_runs_loop()) return UVF_EDEADLK;
  int r = closed(uvf__chan_of_tx(tx));
  return r == UV_EAGAIN ? uvf__wait_blocking(&closed_wait, tx, NULL, timeout_ms) : r;
}

int uvf_wait_readable(uvf_loop_t *l, uvf_req_t *req, uvf_rx_t *rx, uint64_t timeout_ms, uvf_cb cb) {
  if (rx == NULL) return UV_EINVAL;
  uvf__chan_t *c = uvf__chan_of_rx(rx);
  if (uvf__chan_foreign(c)) return UV_ENOTSUP;
  return uvf__request_start(l, req, c->kind->readable_wait, uvf_rx_retain(rx), NULL, timeout_ms, cb);
}
