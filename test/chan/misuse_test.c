/* SPDX-License-Identifier: MIT */
/* Every misuse that can be seen cheaply, and its code: one table, filled row by row, asserted at the end with all rows that are
 * wrong. (After fork: fork_test.c. No memory: oom_test.c.) Promises 9, 10, 11. */
#include "chan/misuse.h"

static void on_items(uvf_reader_t *rd, int n, void *items) {
  ground_t *g = rd->data;
  (void)items;
  g->calls++;
  g->last = n;
}

static void on_post(uvf_post_t *post, int status) {
  ground_t *g = post->data;
  g->calls++;
  g->last = status;
  g->result = uvf_loop_bind(g->loop);
}

/* ---- channels ---- */

static int create_with(size_t size, size_t capacity, unsigned flags, int overflow, int reserved) {
  uvf_tx_t *tx = NULL;
  uvf_rx_t *rx = NULL;
  uvf_chan_options_t o = {
      .item_size = size, .capacity = capacity, .flags = flags, .overflow = (uvf_overflow_t)overflow};
  if (reserved >= 0) o.reserved[reserved] = 1;
  int r = uvf_chan_create(&o, &tx, &rx);
  if (r != 0 && (tx != NULL || rx != NULL)) return 1; /* must not be changed */
  uvf_tx_release(tx);
  uvf_rx_release(rx);
  return r;
}

static void of_creating_channels(table_t *t) {
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  uvf_chan_options_t o = {.item_size = 4, .capacity = 1};
  misuse(t, "create: options NULL", UV_EINVAL, uvf_chan_create(NULL, &tx, &rx));
  misuse(t, "create: tx NULL", UV_EINVAL, uvf_chan_create(&o, NULL, &rx));
  misuse(t, "create: rx NULL", UV_EINVAL, uvf_chan_create(&o, &tx, NULL));
  misuse(t, "create: capacity 0", UV_EINVAL, create_with(4, 0, 0, 0, -1));
  misuse(t, "create: capacity 2^31 + 1", UV_EINVAL, create_with(0, ((size_t)1 << 31) + 1, 0, 0, -1));
  misuse(t, "create: capacity SIZE_MAX - 2", UV_EINVAL, create_with(0, SIZE_MAX - 2, 0, 0, -1));
  misuse(t, "create: unknown flag", UV_EINVAL, create_with(4, 1, 2, 0, -1));
  misuse(t, "create: all flags", UV_EINVAL, create_with(4, 1, ~0u, 0, -1));
  misuse(t, "create: SPSC unbounded", UV_EINVAL, create_with(4, UVF_UNBOUNDED, UVF_SPSC, 0, -1));
  misuse(t, "create: SPSC rendezvous", UV_EINVAL, create_with(4, UVF_RENDEZVOUS, UVF_SPSC, 0, -1));
  misuse(t, "create: DISCONNECT", UV_EINVAL, create_with(4, 1, 0, UVF_OVERFLOW_DISCONNECT, -1));
  misuse(t, "create: DROP_OLDEST unbounded", UV_EINVAL, create_with(4, UVF_UNBOUNDED, 0, UVF_OVERFLOW_DROP_OLDEST, -1));
  misuse(t, "create: DROP_NEWEST rendezvous", UV_EINVAL,
         create_with(4, UVF_RENDEZVOUS, 0, UVF_OVERFLOW_DROP_NEWEST, -1));
  misuse(t, "create: DISCONNECT unbounded", UV_EINVAL, create_with(4, UVF_UNBOUNDED, 0, UVF_OVERFLOW_DISCONNECT, -1));
  misuse(t, "create: unknown overflow", UV_EINVAL, create_with(4, 1, 0, 99, -1));
  for (int i = 0; i < 4; i++)
    misuse(t, "create: reserved not zero", UV_EINVAL, create_with(4, 1, 0, 0, i));
  static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 7, SIZE_MAX / 2, SIZE_MAX / 2 + 1, SIZE_MAX / 4};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    misuse(t, "create: capacity x item_size overflows", UV_ENOMEM, create_with(sizes[i], 8, 0, 0, -1));
    misuse(t, "create: the same, rounded up", UV_ENOMEM, create_with(sizes[i], 5, 0, 0, -1));
    misuse(t, "create: the same, SPSC", UV_ENOMEM, create_with(sizes[i], 8, UVF_SPSC, 0, -1));
    misuse(t, "create: the same, unbounded", UV_ENOMEM, create_with(sizes[i], UVF_UNBOUNDED, 0, 0, -1));
  }
  misuse(t, "create: 2^31 x 2^33 bytes", UV_ENOMEM, create_with((size_t)1 << 33, (size_t)1 << 31, 0, 0, -1));
}

static int oneshot_with(size_t size, unsigned flags, int overflow, int reserved) {
  uvf_tx_t *tx = NULL;
  uvf_rx_t *rx = NULL;
  uvf_chan_options_t o = {.item_size = size, .flags = flags, .overflow = (uvf_overflow_t)overflow};
  if (reserved >= 0) o.reserved[reserved] = 1;
  int r = uvf_oneshot_create(&o, &tx, &rx);
  if (r != 0 && (tx != NULL || rx != NULL)) return 1; /* must not be changed */
  uvf_tx_release(tx);
  uvf_rx_release(rx);
  return r;
}

static void of_creating_oneshots(table_t *t) {
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  uvf_chan_options_t o = {.item_size = 4};
  misuse(t, "oneshot: options NULL", UV_EINVAL, uvf_oneshot_create(NULL, &tx, &rx));
  misuse(t, "oneshot: tx NULL", UV_EINVAL, uvf_oneshot_create(&o, NULL, &rx));
  misuse(t, "oneshot: rx NULL", UV_EINVAL, uvf_oneshot_create(&o, &tx, NULL));
  misuse(t, "oneshot: zero-filled but for the size", 0, oneshot_with(4, 0, 0, -1));
  misuse(t, "oneshot: no size", 0, oneshot_with(0, 0, 0, -1));
  misuse(t, "oneshot: SPSC", 0, oneshot_with(4, UVF_SPSC, 0, -1));
  misuse(t, "oneshot: unknown flag", UV_EINVAL, oneshot_with(4, 2, 0, -1));
  misuse(t, "oneshot: all flags", UV_EINVAL, oneshot_with(4, ~0u, 0, -1));
  for (int overflow = UVF_OVERFLOW_DROP_OLDEST; overflow <= UVF_OVERFLOW_DISCONNECT; overflow++)
    misuse(t, "oneshot: overflow", UV_EINVAL, oneshot_with(4, 0, overflow, -1));
  misuse(t, "oneshot: unknown overflow", UV_EINVAL, oneshot_with(4, 0, 99, -1));
  for (int i = 0; i < 4; i++)
    misuse(t, "oneshot: reserved not zero", UV_EINVAL, oneshot_with(4, 0, 0, i));
  static const size_t sizes[] = {SIZE_MAX, SIZE_MAX - 7, SIZE_MAX - 64, SIZE_MAX / 2 + 1, SIZE_MAX / 2};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
    misuse(t, "oneshot: item_size overflows", UV_ENOMEM, oneshot_with(sizes[i], 0, 0, -1));
}

static void of_the_ends(table_t *t, ground_t *g) {
  must(t, "retain tx NULL", uvf_tx_retain(NULL) == NULL);
  must(t, "retain rx NULL", uvf_rx_retain(NULL) == NULL);
  uvf_tx_release(NULL);
  uvf_rx_release(NULL);
  misuse(t, "tx_close: NULL", UV_EINVAL, uvf_tx_close(NULL, 0));
  misuse(t, "rx_close: NULL", UV_EINVAL, uvf_rx_close(NULL, 0));
  misuse(t, "rx_abort: NULL", UV_EINVAL, uvf_rx_abort(NULL, 0));
  misuse(t, "tx_status: NULL", UV_EINVAL, uvf_tx_status(NULL));
  misuse(t, "rx_status: NULL", UV_EINVAL, uvf_rx_status(NULL));
  static const int causes[] = {1, INT32_MAX, UV_EAGAIN, UV_ETIMEDOUT, UV_ECANCELED};
  for (size_t i = 0; i < sizeof causes / sizeof causes[0]; i++) {
    misuse(t, "tx_close: bad cause", UV_EINVAL, uvf_tx_close(g->tx, causes[i]));
    misuse(t, "rx_close: bad cause", UV_EINVAL, uvf_rx_close(g->rx, causes[i]));
    misuse(t, "rx_abort: bad cause", UV_EINVAL, uvf_rx_abort(g->rx, causes[i]));
  }
  misuse(t, "a refused close closes nothing", 0, uvf_tx_status(g->tx));
}

static void of_trying(table_t *t, ground_t *g) {
  payload_t it = item(0, 0);
  misuse(t, "try_send: tx NULL", UV_EINVAL, uvf_try_send(NULL, &it));
  misuse(t, "try_send: item NULL", UV_EINVAL, uvf_try_send(g->tx, NULL));
  misuse(t, "try_recv: rx NULL", UV_EINVAL, uvf_try_recv(NULL, &it));
  misuse(t, "try_recv: item NULL", UV_EINVAL, uvf_try_recv(g->rx, NULL));
  misuse(t, "try_send_n: tx NULL", UV_EINVAL, uvf_try_send_n(NULL, &it, 1));
  misuse(t, "try_send_n: items NULL", UV_EINVAL, uvf_try_send_n(g->tx, NULL, 1));
  misuse(t, "try_recv_n: rx NULL", UV_EINVAL, uvf_try_recv_n(NULL, &it, 1));
  misuse(t, "try_recv_n: items NULL", UV_EINVAL, uvf_try_recv_n(g->rx, NULL, 1));
  static const int counts[] = {0, -1, INT32_MIN};
  for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
    misuse(t, "try_send_n: n below 1", UV_EINVAL, uvf_try_send_n(g->tx, &it, counts[i]));
    misuse(t, "try_recv_n: n below 1", UV_EINVAL, uvf_try_recv_n(g->rx, &it, counts[i]));
  }
  misuse(t, "nothing was sent by these", UV_EAGAIN, uvf_try_recv(g->rx, &it));
}

static void of_blocking(table_t *t, ground_t *g) {
  payload_t it = item(0, 0);
  misuse(t, "send_sync: tx NULL", UV_EINVAL, uvf_send_sync(NULL, &it, 0));
  misuse(t, "send_sync: item NULL", UV_EINVAL, uvf_send_sync(g->tx, NULL, 0));
  misuse(t, "recv_sync: rx NULL", UV_EINVAL, uvf_recv_sync(NULL, &it, 0));
  misuse(t, "recv_sync: item NULL", UV_EINVAL, uvf_recv_sync(g->rx, NULL, 0));
  misuse(t, "send_sync on a loop's thread", UVF_EDEADLK, uvf_send_sync(g->tx, &it, UVF_FOREVER));
  misuse(t, "recv_sync on a loop's thread", UVF_EDEADLK, uvf_recv_sync(g->rx, &it, UVF_FOREVER));
  misuse(t, "nothing was sent by these", UV_EAGAIN, uvf_try_recv(g->rx, &it));
}

/* ---- requests ---- */

static void of_starting_requests(table_t *t, ground_t *g) {
  payload_t *it = &g->item;
  uvf_req_t *q = &g->req;
  misuse(t, "send: loop NULL", UV_EINVAL, uvf_send(NULL, q, g->tx, it, 0, on_done));
  misuse(t, "send: request NULL", UV_EINVAL, uvf_send(g->loop, NULL, g->tx, it, 0, on_done));
  misuse(t, "send: tx NULL", UV_EINVAL, uvf_send(g->loop, q, NULL, it, 0, on_done));
  misuse(t, "send: item NULL", UV_EINVAL, uvf_send(g->loop, q, g->tx, NULL, 0, on_done));
  misuse(t, "send: callback NULL", UV_EINVAL, uvf_send(g->loop, q, g->tx, it, 0, NULL));
  misuse(t, "recv: loop NULL", UV_EINVAL, uvf_recv(NULL, q, g->rx, it, 0, on_done));
  misuse(t, "recv: request NULL", UV_EINVAL, uvf_recv(g->loop, NULL, g->rx, it, 0, on_done));
  misuse(t, "recv: rx NULL", UV_EINVAL, uvf_recv(g->loop, q, NULL, it, 0, on_done));
  misuse(t, "recv: item NULL", UV_EINVAL, uvf_recv(g->loop, q, g->rx, NULL, 0, on_done));
  misuse(t, "recv: callback NULL", UV_EINVAL, uvf_recv(g->loop, q, g->rx, it, 0, NULL));
  must(t, "none of them started", !uvf_req_active(q));
  run(g);
  misuse(t, "none of them called back", 0, g->calls);
}

static void of_requests_in_use(table_t *t, ground_t *g) {
  payload_t other;
  misuse(t, "cancel: NULL", UV_EINVAL, uvf_cancel(NULL));
  misuse(t, "cancel: never started", UV_EALREADY, uvf_cancel(&g->req));
  must(t, "active: NULL", !uvf_req_active(NULL));
  uvf_req_unref(NULL);
  uvf_req_unref(&g->req);
  misuse(t, "recv: timeout overflow", 0, uvf_recv(g->loop, &g->req, g->rx, &g->item, UINT64_MAX - 1, on_done));
  misuse(t, "recv: request in use", UV_EBUSY, uvf_recv(g->loop, &g->req, g->rx, &other, 0, on_done));
  misuse(t, "send: request in use", UV_EBUSY, uvf_send(g->loop, &g->req, g->tx, &other, 0, on_done));
  run(g);
  misuse(t, "an overflowing timeout means never", 0, g->calls);
  misuse(t, "cancel: pending", 0, uvf_cancel(&g->req));
  misuse(t, "cancel: twice", UV_EALREADY, uvf_cancel(&g->req));
  misuse(t, "recv: cancelled, callback to come", UV_EBUSY, uvf_recv(g->loop, &g->req, g->rx, &other, 0, on_done));
  run(g);
  misuse(t, "one callback", 1, g->calls);
  misuse(t, "its status", UV_ECANCELED, g->last);
  misuse(t, "cancel: after its callback", UV_EALREADY, uvf_cancel(&g->req));
}

/* ---- readers ---- */

static int reader_with(ground_t *g, unsigned flags, int reserved) {
  uvf_reader_options_t o = {.flags = flags};
  if (reserved >= 0) o.reserved[reserved] = 1;
  return uvf_reader_start(g->loop, &g->reader, g->rx, &o, on_items);
}

static void of_readers(table_t *t, ground_t *g) {
  g->calls = 0;
  misuse(t, "reader_start: loop NULL", UV_EINVAL, uvf_reader_start(NULL, &g->reader, g->rx, NULL, on_items));
  misuse(t, "reader_start: reader NULL", UV_EINVAL, uvf_reader_start(g->loop, NULL, g->rx, NULL, on_items));
  misuse(t, "reader_start: rx NULL", UV_EINVAL, uvf_reader_start(g->loop, &g->reader, NULL, NULL, on_items));
  misuse(t, "reader_start: callback NULL", UV_EINVAL, uvf_reader_start(g->loop, &g->reader, g->rx, NULL, NULL));
  misuse(t, "reader_start: flags", UV_EINVAL, reader_with(g, 1, -1));
  for (int i = 0; i < 4; i++)
    misuse(t, "reader_start: reserved not zero", UV_EINVAL, reader_with(g, 0, i));
  misuse(t, "reader_stop: NULL", UV_EINVAL, uvf_reader_stop(NULL));
  misuse(t, "reader_stop: never started", UV_EALREADY, uvf_reader_stop(&g->reader));
  must(t, "reader_active: NULL", !uvf_reader_active(NULL));
  uvf_reader_t *ones[] = {NULL, &g->reader};
  for (int i = 0; i < 2; i++) {
    uvf_reader_pause(ones[i]);
    uvf_reader_resume(ones[i]);
    uvf_reader_ref(ones[i]);
    uvf_reader_unref(ones[i]);
  }
  must(t, "none of them started it", !uvf_reader_active(&g->reader));
  misuse(t, "reader_start", 0, uvf_reader_start(g->loop, &g->reader, g->rx, NULL, on_items));
  misuse(t, "reader_start: twice", UV_EBUSY, uvf_reader_start(g->loop, &g->reader, g->rx, NULL, on_items));
  uvf_reader_pause(&g->reader);
  misuse(t, "reader_start: paused", UV_EBUSY, uvf_reader_start(g->loop, &g->reader, g->rx, NULL, on_items));
  misuse(t, "reader_stop", 0, uvf_reader_stop(&g->reader));
  misuse(t, "reader_stop: twice", UV_EALREADY, uvf_reader_stop(&g->reader));
  run(g);
  misuse(t, "no callback", 0, g->calls);
}

/* ---- the wrong thread ---- */

static void other_send(void *arg) {
  ground_t *g = arg;
  g->result = uvf_send(g->loop, &g->other_req, g->tx, &g->item, 0, on_done);
}

static void other_recv(void *arg) {
  ground_t *g = arg;
  g->result = uvf_recv(g->loop, &g->other_req, g->rx, &g->item, 0, on_done);
}

static void other_cancel(void *arg) {
  ground_t *g = arg;
  g->result = uvf_cancel(&g->req);
}

static void other_reader_start(void *arg) {
  ground_t *g = arg;
  uvf_reader_t rd;
  memset(&rd, 0, sizeof rd);
  g->result = uvf_reader_start(g->loop, &rd, g->rx, NULL, on_items);
}

static void other_reader_stop(void *arg) {
  ground_t *g = arg;
  uvf_reader_pause(&g->reader);
  uvf_reader_resume(&g->reader);
  uvf_reader_unref(&g->reader);
  uvf_reader_ref(&g->reader);
  g->result = uvf_reader_stop(&g->reader);
}

static void other_detach(void *arg) {
  ground_t *g = arg;
  g->result = uvf_loop_is_mine(g->loop) ? 1 : uvf_loop_detach(g->loop, NULL, NULL);
}

static void of_the_wrong_thread(table_t *t, ground_t *g) {
  g->calls = 0;
  misuse(t, "pending receive", 0, uvf_recv(g->loop, &g->req, g->rx, &g->item, UVF_FOREVER, on_done));
  misuse(t, "active reader", 0, uvf_reader_start(g->loop, &g->reader, g->rx, NULL, on_items));
  run(g);
  misuse(t, "send: another thread", UV_EPERM, elsewhere(g, other_send));
  misuse(t, "recv: another thread", UV_EPERM, elsewhere(g, other_recv));
  misuse(t, "cancel: another thread", UV_EPERM, elsewhere(g, other_cancel));
  misuse(t, "reader_start: another thread", UV_EPERM, elsewhere(g, other_reader_start));
  misuse(t, "reader_stop: another thread", UV_EPERM, elsewhere(g, other_reader_stop));
  misuse(t, "detach: another thread", UV_EPERM, elsewhere(g, other_detach));
  must(t, "the reader goes on", uvf_reader_active(&g->reader));
  must(t, "the request goes on", uvf_req_active(&g->req) && !uvf_req_active(&g->other_req));
  misuse(t, "reader_stop: here", 0, uvf_reader_stop(&g->reader));
  misuse(t, "cancel: here", 0, uvf_cancel(&g->req));
  run(g);
  misuse(t, "one callback", 1, g->calls);
}

/* ---- loops ---- */

static void no_op(void *host) {
  (void)host;
}

static void no_switch(void *host, bool on) {
  (void)host;
  (void)on;
}

static void no_timer(void *host, uint64_t ms) {
  (void)host;
  (void)ms;
}

static uint64_t no_clock(void *host) {
  (void)host;
  return 0;
}

static void no_close(void *host, uvf_loop_t *loop) {
  (void)host;
  (void)loop;
}

static void of_hosts(table_t *t) {
  const uvf_host_t whole = {no_op, no_switch, no_switch, no_timer, no_clock, no_close, NULL, NULL, {0}};
  uvf_loop_t *loop = NULL;
  uvf_host_t h[9];
  for (int i = 0; i < 9; i++)
    h[i] = whole;
  h[0].wake = NULL;
  h[1].poll = NULL;
  h[2].keep_alive = NULL;
  h[3].set_timer = NULL;
  h[4].now = NULL;
  h[5].close = NULL;
  h[6].reserved[0] = h[7].reserved[1] = h[8].reserved[2] = 1;
  for (int i = 0; i < 9; i++)
    misuse(t, i < 6 ? "loop_create: a function missing" : "loop_create: host reserved not zero", UV_EINVAL,
           uvf_loop_create(&h[i], NULL, &loop));
  misuse(t, "loop_create: host NULL", UV_EINVAL, uvf_loop_create(NULL, NULL, &loop));
  misuse(t, "loop_create: loop NULL", UV_EINVAL, uvf_loop_create(&whole, NULL, NULL));
  uvf_loop_options_t o = {.flags = 2};
  misuse(t, "loop_create: unknown flag", UV_EINVAL, uvf_loop_create(&whole, &o, &loop));
  for (int i = 0; i < 4; i++) {
    uvf_loop_options_t r = {0};
    r.reserved[i] = 1;
    misuse(t, "loop_create: reserved not zero", UV_EINVAL, uvf_loop_create(&whole, &r, &loop));
  }
  must(t, "*loop is not changed", loop == NULL);
  uvf_loop_drain(NULL, true);
  uvf_loop_host_closed(NULL);
}

static void of_attaching(table_t *t) {
  uv_loop_t uv;
  uvf_loop_t *loop = NULL;
  misuse(t, "uv_loop_init", 0, uv_loop_init(&uv));
  misuse(t, "attach: uv NULL", UV_EINVAL, uvf_loop_attach(NULL, NULL, &loop));
  misuse(t, "attach: loop NULL", UV_EINVAL, uvf_loop_attach(&uv, NULL, NULL));
  uvf_loop_options_t o = {.flags = ~0u};
  misuse(t, "attach: unknown flag", UV_EINVAL, uvf_loop_attach(&uv, &o, &loop));
  uvf_loop_options_t r = {.reserved = {0, 0, 0, 1}};
  misuse(t, "attach: reserved not zero", UV_EINVAL, uvf_loop_attach(&uv, &r, &loop));
  must(t, "*loop is not changed", loop == NULL);
  must(t, "loop_uv: NULL", uvf_loop_uv(NULL) == NULL);
  (void)uv_run(&uv, UV_RUN_DEFAULT);
  misuse(t, "nothing is left on uv", 0, uv_loop_close(&uv));
}

static void of_loops_and_posts(table_t *t, ground_t *g) {
  must(t, "loop_retain: NULL", uvf_loop_retain(NULL) == NULL);
  uvf_loop_release(NULL);
  must(t, "is_mine: NULL", !uvf_loop_is_mine(NULL));
  misuse(t, "bind: NULL", UV_EINVAL, uvf_loop_bind(NULL));
  misuse(t, "detach: NULL", UV_EINVAL, uvf_loop_detach(NULL, NULL, NULL));
  misuse(t, "post: loop NULL", UV_EINVAL, uvf_post(NULL, &g->post, on_post));
  misuse(t, "post: post NULL", UV_EINVAL, uvf_post(g->loop, NULL, on_post));
  misuse(t, "post: callback NULL", UV_EINVAL, uvf_post(g->loop, &g->post, NULL));
  g->calls = 0;
  misuse(t, "post", 0, uvf_post(g->loop, &g->post, on_post));
  misuse(t, "post: still pending", UV_EBUSY, uvf_post(g->loop, &g->post, on_post));
  run(g);
  misuse(t, "posts that ran", 1, g->calls);
  misuse(t, "bind: inside a callback", UV_EBUSY, g->result);
}

static void of_detached_loops(table_t *t, ground_t *g) {
  uvf_loop_t *loop = uvf_loop_retain(g->loop);
  payload_t *it = &g->item;
  g->calls = 0;
  misuse(t, "detach", 0, uvf_loop_detach(loop, NULL, NULL));
  for (int i = 0; i < 2; i++) { /* while it is being detached, and when it has ended */
    misuse(t, "detach: twice", UV_EALREADY, uvf_loop_detach(loop, NULL, NULL));
    misuse(t, "send: after detach", UV_ECANCELED, uvf_send(loop, &g->req, g->tx, it, 0, on_done));
    misuse(t, "recv: after detach", UV_ECANCELED, uvf_recv(loop, &g->req, g->rx, it, 0, on_done));
    misuse(t, "reader_start: after detach", UV_ECANCELED, uvf_reader_start(loop, &g->reader, g->rx, NULL, on_items));
    (void)uv_run(&g->uv, UV_RUN_DEFAULT);
  }
  misuse(t, "post: after detach", UV_ECANCELED, uvf_post(loop, &g->post, on_post));
  misuse(t, "post: again after detach", UV_ECANCELED, uvf_post(loop, &g->post, on_post));
  misuse(t, "bind: after detach", UV_ECANCELED, uvf_loop_bind(loop));
  must(t, "is_mine: after detach", !uvf_loop_is_mine(loop));
  misuse(t, "no callback", 0, g->calls);
  uvf_loop_release(loop);
  misuse(t, "uv_loop_close", 0, uv_loop_close(&g->uv));
}

static void of_closed_channels(table_t *t, ground_t *g) {
  payload_t it = item(0, 0);
  misuse(t, "tx_close", 0, uvf_tx_close(g->tx, UV_EIO));
  misuse(t, "tx_close: twice", UV_EALREADY, uvf_tx_close(g->tx, 0));
  misuse(t, "rx_close: after it", UV_EALREADY, uvf_rx_close(g->rx, 0));
  misuse(t, "try_send: after close", UV_EPIPE, uvf_try_send(g->tx, &it));
  misuse(t, "try_send_n: after close", UV_EPIPE, uvf_try_send_n(g->tx, &it, 1));
  misuse(t, "send_sync: after close", UV_EPIPE, uvf_send_sync(g->tx, &it, UVF_FOREVER));
  misuse(t, "try_recv: after close", UV_EIO, uvf_try_recv(g->rx, &it));
  misuse(t, "rx_abort: after close", 0, uvf_rx_abort(g->rx, 0));
  misuse(t, "rx_abort: twice", UV_EALREADY, uvf_rx_abort(g->rx, 0));
  uvf_tx_release(g->tx);
  uvf_rx_release(g->rx);
}

/* ---- the rest ---- */

static void of_the_library(table_t *t) {
  misuse(t, "replace_allocator: malloc NULL", UV_EINVAL, uvf_replace_allocator(NULL, realloc, calloc, free));
  misuse(t, "replace_allocator: realloc NULL", UV_EINVAL, uvf_replace_allocator(malloc, NULL, calloc, free));
  misuse(t, "replace_allocator: calloc NULL", UV_EINVAL, uvf_replace_allocator(malloc, realloc, NULL, free));
  misuse(t, "replace_allocator: free NULL", UV_EINVAL, uvf_replace_allocator(malloc, realloc, calloc, NULL));
  misuse(t, "replace_allocator: too late", UV_EBUSY, uvf_replace_allocator(malloc, realloc, calloc, free));
  must(t, "strerror: unknown", uvf_strerror(12345) != NULL && uvf_strerror(INT32_MIN) != NULL);
  must(t, "err_name: unknown", uvf_err_name(12345) != NULL);
  must(t, "err_name: known",
       strcmp(uvf_err_name(UV_EPIPE), "EPIPE") == 0 && strcmp(uvf_err_name(UVF_EDEADLK), "EDEADLK") == 0);
}

static void every_misuse_has_its_code(void **state) {
  (void)state;
  table_t t = {0, 0};
  ground_t g;
  ground_open(&g);
  of_the_library(&t);
  of_creating_channels(&t);
  of_creating_oneshots(&t);
  of_the_ends(&t, &g);
  of_trying(&t, &g);
  of_blocking(&t, &g);
  of_starting_requests(&t, &g);
  of_requests_in_use(&t, &g);
  of_readers(&t, &g);
  of_the_wrong_thread(&t, &g);
  of_hosts(&t);
  of_attaching(&t);
  of_loops_and_posts(&t, &g);
  of_detached_loops(&t, &g);
  of_closed_channels(&t, &g);
  assert_true(t.rows > 100);
  assert_int_equal(t.wrong, 0);
}

int main(void) {
  static const case_t cases[] = {CASE(every_misuse_has_its_code, 0)};
  return RUN_CASES(cases);
}
