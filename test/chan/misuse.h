/* SPDX-License-Identifier: MIT */
/* What the tables of misuse share: rows, and the ground on which they are tried, a libuv loop and a channel of 1. */
#ifndef UVF_TEST_CHAN_MISUSE_H
#define UVF_TEST_CHAN_MISUSE_H

#include "chan/fixture.h"

typedef struct {
  unsigned rows, wrong;
} table_t;

/* A row: what was done, the code that the headers promise, and the code that came. */
static inline void misuse(table_t *t, const char *what, int expected, int got) {
  t->rows++;
  if (got == expected) return;
  t->wrong++;
  print_error("%s: expected %s (%d), got %s (%d)\n", what, uvf_err_name(expected), expected, uvf_err_name(got), got);
}

static inline void must(table_t *t, const char *what, bool right) {
  misuse(t, what, 1, right ? 1 : 0);
}

typedef struct {
  uv_loop_t uv;
  uvf_loop_t *loop;
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  uvf_req_t req, other_req;
  uvf_reader_t reader;
  uvf_post_t post;
  payload_t item;
  uvf_permit_t permit;
  int calls, last, result; /* result: of a call inside a callback, or on another thread */
} ground_t;

static inline void on_done(uvf_req_t *req, int status) {
  ground_t *g = req->data;
  g->calls++;
  g->last = status;
}

static inline void on_prepare(uv_prepare_t *handle) {
  (void)handle;
}

/* Some turns; a handle of the test's keeps uv going where nothing of uvflow does. */
static inline void run(ground_t *g) {
  uv_prepare_t alive;
  (void)uv_prepare_init(&g->uv, &alive);
  (void)uv_prepare_start(&alive, on_prepare);
  for (int i = 0; i < 4; i++)
    (void)uv_run(&g->uv, UV_RUN_NOWAIT);
  uv_close((uv_handle_t *)&alive, NULL);
  (void)uv_run(&g->uv, UV_RUN_NOWAIT);
}

/* Asserts. */
static inline void ground_open(ground_t *g) {
  memset(g, 0, sizeof *g);
  uvf_chan_options_t o = {.item_size = sizeof(payload_t), .capacity = 1};
  assert_int_equal(uv_loop_init(&g->uv), 0);
  assert_int_equal(uvf_loop_attach(&g->uv, NULL, &g->loop), 0);
  assert_int_equal(uvf_chan_create(&o, &g->tx, &g->rx), 0);
  g->req.data = g->other_req.data = g->reader.data = g->post.data = g;
}

static inline int elsewhere(ground_t *g, void (*call)(void *)) {
  thread_t thread;
  g->result = 1;
  thread_start(&thread, call, g);
  thread_join(&thread);
  return g->result;
}

#endif
