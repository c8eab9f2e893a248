/* SPDX-License-Identifier: MIT */
/* A libuv loop with uvflow attached, by one of the two wakers, and a guard that ends what would hang. All functions
 * assert, but for the callbacks. */
#ifndef UVF_TEST_UV_FIXTURE_H
#define UVF_TEST_UV_FIXTURE_H

#include "support/uvf_test.h"

static const unsigned by_async = 0, by_eventfd = UVF_WAKE_EVENTFD;

typedef struct {
  uv_loop_t uv;
  uvf_loop_t *loop;
  uv_timer_t guard; /* ends what would hang */
  bool late;
  int detached;
  record_t r;
} fixture_t;

static inline void on_guard(uv_timer_t *guard) {
  fixture_t *f = guard->data;
  f->late = true;
  uv_stop(guard->loop);
}

static inline void on_detached(void *data) {
  ((fixture_t *)data)->detached++;
}

static inline void open_fixture(fixture_t *f, void **state) {
  uvf_loop_options_t o = {.flags = *(const unsigned *)*state};
  memset(f, 0, sizeof *f);
  assert_int_equal(uv_loop_init(&f->uv), 0);
  assert_int_equal(uv_timer_init(&f->uv, &f->guard), 0);
  f->guard.data = f;
  assert_int_equal(uv_timer_start(&f->guard, on_guard, TEST_PATIENCE_S * 1000, 0), 0);
  uv_unref((uv_handle_t *)&f->guard);
  assert_int_equal(uvf_loop_attach(&f->uv, &o, &f->loop), 0);
}

/* One uv_run is enough for the detach, and then nothing is left on the loop. */
static inline void finish_fixture(fixture_t *f) {
  assert_int_equal(uv_run(&f->uv, UV_RUN_DEFAULT), 0);
  assert_false(f->late);
  assert_int_equal(f->detached, 1);
  uv_close((uv_handle_t *)&f->guard, NULL);
  assert_int_equal(uv_run(&f->uv, UV_RUN_DEFAULT), 0);
  assert_int_equal(uv_loop_close(&f->uv), 0);
}

static inline void close_fixture(fixture_t *f) {
  assert_int_equal(uvf_loop_detach(f->loop, on_detached, f), 0);
  finish_fixture(f);
}

static inline void run(fixture_t *f) {
  (void)uv_run(&f->uv, UV_RUN_DEFAULT);
  assert_false(f->late);
}

static inline void make_channel(size_t capacity, uvf_tx_t **tx, uvf_rx_t **rx) {
  uvf_chan_options_t o = {.item_size = sizeof(int), .capacity = capacity};
  assert_int_equal(uvf_chan_create(&o, tx, rx), 0);
}

/* A case that is run with each waker; its state points to the flags. */
#define BOTH(function)                                                                          \
  {#function " async", function, fault_setup, fault_teardown, (void *)(uintptr_t)&by_async}, {  \
#function " eventfd", function, fault_setup, fault_teardown, (void *)(uintptr_t)&by_eventfd \
  }

#endif
