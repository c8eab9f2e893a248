/* SPDX-License-Identifier: MIT */
/* Permits: the three forms of reserving, and using a permit or giving it back. A permit is one unit of the queue's `held`, and a
 * reference on tx of its own. */
#include "chan/chan.h"
#include "wait/blocked.h"
#include "wait/request.h"
#include "wait/threads.h"

static uvf__permit_t *permit_of(uvf_permit_t *p) {
  return (uvf__permit_t *)(void *)p;
}

int uvf_try_reserve(uvf_tx_t *tx, uvf_permit_t *p) {
  if (p == NULL) return UV_EINVAL;
  permit_of(p)->tx = NULL;
  if (tx == NULL) return UV_EINVAL;
  uvf__chan_t *c = uvf__chan_of_tx(tx);
  int r = c->kind->reserve(c);
  if (r == 0) uvf__permit_grant(p, tx);
  return r;
}

int uvf_reserve_sync(uvf_tx_t *tx, uvf_permit_t *p, uint64_t timeout_ms) {
  if (p == NULL) return UV_EINVAL;
  permit_of(p)->tx = NULL;
  if (tx == NULL) return UV_EINVAL;
  if (uvf__threads_runs_loop()) return UVF_EDEADLK;
  int r = uvf_try_reserve(tx, p);
  if (r != UV_EAGAIN) return r;
  return uvf__wait_blocking(uvf__chan_of_tx(tx)->kind->reserve_wait, tx, p, timeout_ms);
}

int uvf_reserve(uvf_loop_t *l, uvf_req_t *req, uvf_tx_t *tx, uvf_permit_t *p, uint64_t timeout_ms, uvf_cb cb) {
  if (tx == NULL || p == NULL) return UV_EINVAL;
  uvf__chan_t *c = uvf__chan_of_tx(tx);
  if (uvf__chan_foreign(c) || c->kind->reserve_wait == NULL) return UV_ENOTSUP;
  return uvf__request_start(l, req, c->kind->reserve_wait, uvf_tx_retain(tx), p, timeout_ms, cb);
}

int uvf_permit_send(uvf_permit_t *p, const void *item) {
  uvf_tx_t *tx = p == NULL ? NULL : permit_of(p)->tx;
  if (tx == NULL || (item = uvf__chan_item(uvf__chan_of_tx(tx), item)) == NULL) return UV_EINVAL;
  int r = uvf__chan_of_tx(tx)->kind->send_held(uvf__chan_of_tx(tx), item);
  if (r != 0 && r != UV_EPIPE) return r; /* it is still there */
  permit_of(p)->tx = NULL;
  uvf_tx_release(tx);
  return r;
}

void uvf_permit_release(uvf_permit_t *p) {
  uvf_tx_t *tx = p == NULL ? NULL : permit_of(p)->tx;
  if (tx == NULL) return;
  permit_of(p)->tx = NULL;
  uvf__chan_of_tx(tx)->kind->unreserve(uvf__chan_of_tx(tx));
  uvf_tx_release(tx);
}
