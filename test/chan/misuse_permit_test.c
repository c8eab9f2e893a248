/* SPDX-License-Identifier: MIT */
/* As misuse_test.c, for permits, weak ends, and waiting without taking or giving. Promises 9, 10, 11. */
#include "chan/misuse.h"

/* Full of rubbish: it need not be zeroed. */
static uvf_permit_t *rubbish(uvf_permit_t *p) {
  memset(p, 0xa5, sizeof *p);
  return p;
}

static void of_nothing(table_t *t, ground_t *g) {
  uvf_permit_t p;
  misuse(t, "try_reserve: tx NULL", UV_EINVAL, uvf_try_reserve(NULL, &p));
  misuse(t, "try_reserve: permit NULL", UV_EINVAL, uvf_try_reserve(g->tx, NULL));
  misuse(t, "reserve_sync: tx NULL", UV_EINVAL, uvf_reserve_sync(NULL, &p, 0));
  misuse(t, "reserve_sync: permit NULL", UV_EINVAL, uvf_reserve_sync(g->tx, NULL, 0));
  misuse(t, "wait_closed_sync: tx NULL", UV_EINVAL, uvf_wait_closed_sync(NULL, 0));
  misuse(t, "permit_send: permit NULL", UV_EINVAL, uvf_permit_send(NULL, &g->item));
  uvf_permit_release(NULL);
  must(t, "weaken: NULL", uvf_tx_weaken(NULL) == NULL);
  must(t, "upgrade: NULL", uvf_weak_upgrade(NULL) == NULL);
  uvf_weak_release(NULL);
  misuse(t, "all of the room is there", 0, uvf_try_reserve(g->tx, &p));
  misuse(t, "permit_send: item NULL", UV_EINVAL, uvf_permit_send(&p, NULL));
  uvf_permit_release(&p);
  misuse(t, "permit_send: given back", UV_EINVAL, uvf_permit_send(&p, &g->item));
  misuse(t, "try_reserve: again", 0, uvf_try_reserve(g->tx, &p));
  misuse(t, "try_reserve: full", UV_EAGAIN, uvf_try_reserve(g->tx, rubbish(&g->permit)));
  misuse(t, "permit_send: holds none", UV_EINVAL, uvf_permit_send(&g->permit, &g->item));
  misuse(t, "permit_send", 0, uvf_permit_send(&p, &g->item));
  misuse(t, "permit_send: used", UV_EINVAL, uvf_permit_send(&p, &g->item));
  misuse(t, "one item came of it", 0, uvf_try_recv(g->rx, &g->item));
  misuse(t, "and no other", UV_EAGAIN, uvf_try_recv(g->rx, &g->item));
}

static void of_blocking(table_t *t, ground_t *g) {
  uvf_permit_t p = {0};
  misuse(t, "reserve_sync on a loop's thread", UVF_EDEADLK, uvf_reserve_sync(g->tx, &p, UVF_FOREVER));
  misuse(t, "wait_closed_sync on a loop's thread", UVF_EDEADLK, uvf_wait_closed_sync(g->tx, UVF_FOREVER));
  misuse(t, "no permit came of it", UV_EINVAL, uvf_permit_send(&p, &g->item));
}

/* `start` calls one of the three asynchronous functions, with what is NULL as the row says. */
typedef int (*start_t)(uvf_loop_t *loop, uvf_req_t *req, ground_t *g, bool end, uvf_cb cb);

static int start_reserve(uvf_loop_t *loop, uvf_req_t *req, ground_t *g, bool end, uvf_cb cb) {
  return uvf_reserve(loop, req, end ? g->tx : NULL, &g->permit, UVF_FOREVER, cb);
}

static int start_readable(uvf_loop_t *loop, uvf_req_t *req, ground_t *g, bool end, uvf_cb cb) {
  return uvf_wait_readable(loop, req, end ? g->rx : NULL, UVF_FOREVER, cb);
}

static int start_closed(uvf_loop_t *loop, uvf_req_t *req, ground_t *g, bool end, uvf_cb cb) {
  return uvf_wait_closed(loop, req, end ? g->tx : NULL, UVF_FOREVER, cb);
}

static const start_t starts[] = {start_reserve, start_readable, start_closed};
static start_t start_elsewhere;

static void starts_here(void *arg) {
  ground_t *g = arg;
  g->result = start_elsewhere(g->loop, &g->other_req, g, true, on_done);
}

static void cancels_here(void *arg) {
  ground_t *g = arg;
  g->result = uvf_cancel(&g->req);
}

/* The channel is full, and open: each of them waits. */
static void of_requests(table_t *t, ground_t *g) {
  uvf_permit_t p;
  misuse(t, "the room", 0, uvf_try_reserve(g->tx, &p));
  misuse(t, "reserve: permit NULL", UV_EINVAL, uvf_reserve(g->loop, &g->req, g->tx, NULL, 0, on_done));
  for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
    g->calls = 0;
    misuse(t, "start: loop NULL", UV_EINVAL, starts[i](NULL, &g->req, g, true, on_done));
    misuse(t, "start: request NULL", UV_EINVAL, starts[i](g->loop, NULL, g, true, on_done));
    misuse(t, "start: end NULL", UV_EINVAL, starts[i](g->loop, &g->req, g, false, on_done));
    misuse(t, "start: callback NULL", UV_EINVAL, starts[i](g->loop, &g->req, g, true, NULL));
    start_elsewhere = starts[i];
    misuse(t, "start: another thread", UV_EPERM, elsewhere(g, starts_here));
    must(t, "none of them started", !uvf_req_active(&g->req) && !uvf_req_active(&g->other_req));
    misuse(t, "start", 0, starts[i](g->loop, &g->req, g, true, on_done));
    for (size_t k = 0; k < sizeof starts / sizeof starts[0]; k++)
      if (k != 0 || i != 0) misuse(t, "start: in use", UV_EBUSY, starts[k](g->loop, &g->req, g, true, on_done));
    misuse(t, "send: in use", UV_EBUSY, uvf_send(g->loop, &g->req, g->tx, &g->item, 0, on_done));
    misuse(t, "cancel: another thread", UV_EPERM, elsewhere(g, cancels_here));
    run(g);
    misuse(t, "no callback yet", 0, g->calls);
    misuse(t, "cancel", 0, uvf_cancel(&g->req));
    run(g);
    misuse(t, "one callback", 1, g->calls);
    misuse(t, "its status", UV_ECANCELED, g->last);
  }
  uvf_permit_release(&p);
}

static void of_a_rendezvous(table_t *t, ground_t *g) {
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  uvf_permit_t p;
  uvf_chan_options_t o = {.item_size = 4, .capacity = UVF_RENDEZVOUS};
  misuse(t, "create", 0, uvf_chan_create(&o, &tx, &rx));
  misuse(t, "try_reserve: rendezvous", UV_ENOTSUP, uvf_try_reserve(tx, rubbish(&p)));
  misuse(t, "permit_send: none of a rendezvous", UV_EINVAL, uvf_permit_send(&p, &g->item));
  misuse(t, "reserve: rendezvous", UV_ENOTSUP, uvf_reserve(g->loop, &g->req, tx, &p, UVF_FOREVER, on_done));
  must(t, "it did not start", !uvf_req_active(&g->req));
  uvf_tx_release(tx);
  uvf_rx_release(rx);
}

static void of_a_oneshot(table_t *t) {
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  uvf_permit_t p, other;
  payload_t it = item(0, 0);
  uvf_chan_options_t o = {.item_size = sizeof it};
  misuse(t, "oneshot", 0, uvf_oneshot_create(&o, &tx, &rx));
  misuse(t, "oneshot: try_reserve", 0, uvf_try_reserve(tx, rubbish(&p)));
  misuse(t, "oneshot: try_reserve: one is out", UV_EAGAIN, uvf_try_reserve(tx, rubbish(&other)));
  misuse(t, "oneshot: permit_send: holds none", UV_EINVAL, uvf_permit_send(&other, &it));
  misuse(t, "oneshot: try_send: one is out", UV_EAGAIN, uvf_try_send(tx, &it));
  misuse(t, "oneshot: permit_send: item NULL", UV_EINVAL, uvf_permit_send(&p, NULL));
  misuse(t, "oneshot: permit_send", 0, uvf_permit_send(&p, &it));
  misuse(t, "oneshot: permit_send: used", UV_EINVAL, uvf_permit_send(&p, &it));
  misuse(t, "oneshot: try_reserve: sent", UV_EPIPE, uvf_try_reserve(tx, rubbish(&p)));
  misuse(t, "oneshot: try_send: sent", UV_EPIPE, uvf_try_send(tx, &it));
  misuse(t, "oneshot: tx_close: sent", UV_EALREADY, uvf_tx_close(tx, UV_EIO));
  misuse(t, "oneshot: rx_close: sent", UV_EALREADY, uvf_rx_close(rx, UV_EIO));
  misuse(t, "oneshot: try_recv: item NULL", UV_EINVAL, uvf_try_recv(rx, NULL));
  misuse(t, "oneshot: the item is still there", 0, uvf_try_recv(rx, &it));
  misuse(t, "oneshot: try_recv: twice", UV_EOF, uvf_try_recv(rx, &it));
  misuse(t, "oneshot: rx_abort: all is over", 0, uvf_rx_abort(rx, UV_EIO));
  misuse(t, "oneshot: rx_abort: twice", UV_EALREADY, uvf_rx_abort(rx, 0));
  misuse(t, "oneshot: the end stays", UV_EOF, uvf_try_recv(rx, &it));
  uvf_tx_release(tx);
  uvf_rx_release(rx);
}

static void of_detached_loops(table_t *t, ground_t *g) {
  uvf_loop_t *loop = uvf_loop_retain(g->loop);
  g->calls = 0;
  misuse(t, "detach", 0, uvf_loop_detach(loop, NULL, NULL));
  for (int i = 0; i < 2; i++) { /* while it is being detached, and when it has ended */
    for (size_t k = 0; k < sizeof starts / sizeof starts[0]; k++)
      misuse(t, "start: after detach", UV_ECANCELED, starts[k](loop, &g->req, g, true, on_done));
    (void)uv_run(&g->uv, UV_RUN_DEFAULT);
  }
  misuse(t, "no callback", 0, g->calls);
  uvf_loop_release(loop);
  misuse(t, "uv_loop_close", 0, uv_loop_close(&g->uv));
}

/* The channel's own thread runs no loop any more. */
static void of_closed_channels(table_t *t, ground_t *g) {
  uvf_permit_t p, held;
  uvf_weak_t *weak = uvf_tx_weaken(g->tx);
  misuse(t, "try_reserve", 0, uvf_try_reserve(g->tx, &held));
  misuse(t, "tx_close", 0, uvf_tx_close(g->tx, UV_EIO));
  misuse(t, "try_reserve: after close", UV_EPIPE, uvf_try_reserve(g->tx, rubbish(&p)));
  misuse(t, "permit_send: none after close", UV_EINVAL, uvf_permit_send(&p, &g->item));
  misuse(t, "reserve_sync: after close", UV_EPIPE, uvf_reserve_sync(g->tx, rubbish(&p), UVF_FOREVER));
  misuse(t, "permit_send: none of reserve_sync", UV_EINVAL, uvf_permit_send(&p, &g->item));
  misuse(t, "wait_closed_sync: after close", 0, uvf_wait_closed_sync(g->tx, UVF_FOREVER));
  must(t, "upgrade: after close", uvf_weak_upgrade(weak) == NULL);
  uvf_weak_release(weak);
  misuse(t, "rx_abort", 0, uvf_rx_abort(g->rx, 0));
  misuse(t, "permit_send: after abort", UV_EPIPE, uvf_permit_send(&held, &g->item));
  misuse(t, "permit_send: used up by EPIPE", UV_EINVAL, uvf_permit_send(&held, &g->item));
  uvf_tx_release(g->tx);
  uvf_rx_release(g->rx);
}

static void every_misuse_has_its_code(void **state) {
  (void)state;
  table_t t = {0, 0};
  ground_t g;
  ground_open(&g);
  of_nothing(&t, &g);
  of_blocking(&t, &g);
  of_requests(&t, &g);
  of_a_rendezvous(&t, &g);
  of_a_oneshot(&t);
  of_detached_loops(&t, &g);
  of_closed_channels(&t, &g);
  assert_true(t.rows > 80);
  assert_int_equal(t.wrong, 0);
}

int main(void) {
  static const case_t cases[] = {CASE(every_misuse_has_its_code, 0)};
  return RUN_CASES(cases);
}
