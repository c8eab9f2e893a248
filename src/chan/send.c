/* SPDX-License-Identifier: MIT */
/* Sending: the three forms, and several items at once. */
#include "chan/chan.h"

#include "wait/blocked.h"
#include "wait/request.h"
#include "wait/threads.h"

int uvf_try_send(uvf_tx_t *tx, const void *item) {
  if (tx == NULL || (item = uvf__chan_item(uvf__chan_of_tx(tx), item)) == NULL) return UV_EINVAL;
  uvf__chan_t *c = uvf__chan_of_tx(tx);
  int r = c->kind->send(c, item, 1);
  return r > 0 ? 0 : r;
}

int uvf_try_send_n(uvf_tx_t *tx, const void *items, int n) {
  if (tx == NULL || n < 1 || (items = uvf__chan_item(uvf__chan_of_tx(tx), items)) == NULL) return UV_EINVAL;
  uvf__chan_t *c = uvf__chan_of_tx(tx);
  return c->kind->send(c, items, n);
}

int uvf_send_sync(uvf_tx_t *tx, const void *item, uint64_t timeout_ms) {
  if (tx == NULL || (item = uvf__chan_item(uvf__chan_of_tx(tx), item)) == NULL) return UV_EINVAL;
  if (uvf__threads_runs_loop()) return UVF_EDEADLK;
  uvf__chan_t *c = uvf__chan_of_tx(tx);
  int r = c->kind->send(c, item, 1);
  if (r > 0) return 0;
  if (r != UV_EAGAIN) return r;
  /* Only the sender touches its item until the wait is over; the wait type never writes through it. */
  return uvf__wait_blocking(c->kind->send_wait, tx, (void *)(uintptr_t)item, timeout_ms);
}

int uvf_send(uvf_loop_t *l, uvf_req_t *req, uvf_tx_t *tx, const void *item, uint64_t timeout_ms, uvf_cb cb) {
  if (tx == NULL || (item = uvf__chan_item(uvf__chan_of_tx(tx), item)) == NULL) return UV_EINVAL;
  uvf__chan_t *c = uvf__chan_of_tx(tx);
  if (uvf__chan_foreign(c)) return UV_ENOTSUP;
  return uvf__request_start(l, req, c->kind->send_wait, uvf_tx_retain(tx), (void *)(uintptr_t)item, timeout_ms, cb);
}
