/* SPDX-License-Identifier: MIT */
/* Receiving: the three forms, and several items at once. */
#include "chan/chan.h"

#include "wait/blocked.h"
#include "wait/request.h"
#include "wait/threads.h"

int uvf_try_recv(uvf_rx_t *rx, void *item) {
  if (rx == NULL || (item = uvf__chan_item(uvf__chan_of_rx(rx), item)) == NULL) return UV_EINVAL;
  uvf__chan_t *c = uvf__chan_of_rx(rx);
  int r = c->kind->recv(c, item, 1);
  return r > 0 ? 0 : r;
}

int uvf_try_recv_n(uvf_rx_t *rx, void *items, int n) {
  if (rx == NULL || n < 1 || (items = uvf__chan_item(uvf__chan_of_rx(rx), items)) == NULL) return UV_EINVAL;
  uvf__chan_t *c = uvf__chan_of_rx(rx);
  return c->kind->recv(c, items, n);
}

int uvf_recv_sync(uvf_rx_t *rx, void *item, uint64_t timeout_ms) {
  if (rx == NULL || (item = uvf__chan_item(uvf__chan_of_rx(rx), item)) == NULL) return UV_EINVAL;
  if (uvf__threads_runs_loop()) return UVF_EDEADLK;
  uvf__chan_t *c = uvf__chan_of_rx(rx);
  /* As a try: what was sent is there, though an item before it is still being written. */
  if (timeout_ms == UVF_NOWAIT) {
    int n = c->kind->recv(c, item, 1);
    return n > 0 ? 0 : n == UV_EAGAIN ? UV_ETIMEDOUT : n;
  }
  int r = uvf__wait_try(c->kind->recv_wait, rx, item);
  if (r != UV_EAGAIN) return r;
  return uvf__wait_blocking(c->kind->recv_wait, rx, item, timeout_ms);
}

int uvf_recv(uvf_loop_t *l, uvf_req_t *req, uvf_rx_t *rx, void *item, uint64_t timeout_ms, uvf_cb cb) {
  if (rx == NULL || (item = uvf__chan_item(uvf__chan_of_rx(rx), item)) == NULL) return UV_EINVAL;
  uvf__chan_t *c = uvf__chan_of_rx(rx);
  if (uvf__chan_foreign(c)) return UV_ENOTSUP;
  return uvf__request_start(l, req, c->kind->recv_wait, uvf_rx_retain(rx), item, timeout_ms, cb);
}
