/* SPDX-License-Identifier: MIT */
/* Loops on the tests' host (support/test_host.h), with requests and readers that record what they got: nothing happens but in a
 * turn that the test takes, so that each order of events can be written down. How many turns a reader needs is its own affair
 * (it may let some pass while items gather), so the tests let the loop come to rest, or look at each turn. */
#ifndef UVF_TEST_CHAN_LOOP_FIXTURE_H
#define UVF_TEST_CHAN_LOOP_FIXTURE_H

#include "chan/fixture.h"
#include "support/test_host.h"

/* Asserts. turn_items: 0 is the default. */
static inline void loop_open(test_host_t *h, uint32_t turn_items) {
  uvf_loop_options_t o = {.turn_items = turn_items, .turn_us = UINT32_MAX};
  test_host_init_options(h, &o);
}

/* Asserts: nothing is under way, and nothing will be but from outside. */
static inline void expect_idle(test_host_t *h, bool alive) {
  assert_false(h->polling);
  assert_false(h->ringing);
  assert_int_equal(h->alive, alive);
}

/* ---- requests that record ---- */

typedef struct {
  uvf_req_t req; /* first: the callback gets it */
  payload_t item;
  uvf_permit_t permit;
  int calls, status, order;      /* order: the how-manieth of all callbacks on this loop, from 1 */
  bool starting, inside, active; /* inside: called back inside the call that started it; active: in its callback */
  void (*then)(void *arg);       /* called at the end of the callback */
  void *arg;
  int *counter;
} op_t;

static inline void op_done(uvf_req_t *req, int status) {
  op_t *op = (op_t *)(void *)req;
  op->calls++;
  op->status = status;
  op->inside = op->inside || op->starting;
  op->active = uvf_req_active(req);
  if (op->counter != NULL) op->order = ++*op->counter;
  if (op->then != NULL) op->then(op->arg);
}

static inline int start_send(test_host_t *h, op_t *op, uvf_tx_t *tx, payload_t it, uint64_t timeout) {
  op->item = it;
  op->starting = true;
  int r = uvf_send(h->loop, &op->req, tx, &op->item, timeout, op_done);
  op->starting = false;
  return r;
}

static inline int start_recv(test_host_t *h, op_t *op, uvf_rx_t *rx, uint64_t timeout) {
  op->item = item(UINT32_MAX, UINT32_MAX);
  op->starting = true;
  int r = uvf_recv(h->loop, &op->req, rx, &op->item, timeout, op_done);
  op->starting = false;
  return r;
}

/* As a blocked one (start_reserver). */
static inline int start_reserve(test_host_t *h, op_t *op, uvf_tx_t *tx, uint64_t timeout) {
  memset(&op->permit, 0xa5, sizeof op->permit);
  op->starting = true;
  int r = uvf_reserve(h->loop, &op->req, tx, &op->permit, timeout, op_done);
  op->starting = false;
  return r;
}

static inline int start_readable(test_host_t *h, op_t *op, uvf_rx_t *rx, uint64_t timeout) {
  op->starting = true;
  int r = uvf_wait_readable(h->loop, &op->req, rx, timeout, op_done);
  op->starting = false;
  return r;
}

static inline int start_closed(test_host_t *h, op_t *op, uvf_tx_t *tx, uint64_t timeout) {
  op->starting = true;
  int r = uvf_wait_closed(h->loop, &op->req, tx, timeout, op_done);
  op->starting = false;
  return r;
}

/* Asserts: it was called back once since the last look, with that status, and nothing strange happened. */
static inline void expect_done(op_t *op, int status) {
  assert_int_equal(op->calls, 1);
  assert_int_equal(op->status, status);
  assert_false(op->inside);
  assert_false(op->active);
  assert_false(uvf_req_active(&op->req));
  op->calls = 0;
}

static inline void expect_pending(op_t *op) {
  assert_int_equal(op->calls, 0);
  assert_true(uvf_req_active(&op->req));
}

/* ---- readers that record ---- */

enum { READ_LOG = 4096 };

typedef struct {
  uvf_reader_t rd; /* first: the callback gets it */
  payload_t got[READ_LOG];
  int count, calls, batch, largest, end, ends; /* end: status of the last callback; ends: how many of these */
  bool inside, starting, active_at_end, items_at_end;
  void (*then)(void *arg, int n, const payload_t *items);
  void *arg;
} reading_t;

static inline void reading_cb(uvf_reader_t *rd, int n, void *items) {
  reading_t *r = (reading_t *)(void *)rd;
  r->calls++;
  r->inside = r->inside || r->starting;
  if (n > 0) {
    r->batch = n;
    if (n > r->largest) r->largest = n;
    for (int i = 0; i < n && r->count < READ_LOG; i++)
      memcpy(&r->got[r->count++], (const char *)items + (size_t)i * sizeof(payload_t), sizeof(payload_t));
  } else {
    r->end = n;
    r->ends++;
    r->active_at_end = uvf_reader_active(rd);
    r->items_at_end = items != NULL;
  }
  if (r->then != NULL) r->then(r->arg, n, items);
}

static inline int start_reader(test_host_t *h, reading_t *r, uvf_rx_t *rx, const uvf_reader_options_t *o) {
  r->starting = true;
  int e = uvf_reader_start(h->loop, &r->rd, rx, o, reading_cb);
  r->starting = false;
  return e;
}

/* Asserts: so far it got items first .. first + n - 1 of one sender, in order, and has not ended. */
static inline void expect_read(const reading_t *r, uint32_t sender, uint32_t first, int n) {
  assert_int_equal(r->count, n);
  for (int i = 0; i < n; i++) {
    assert_int_equal(r->got[i].sender, sender);
    assert_int_equal(r->got[i].seq, first + (uint32_t)i);
  }
  assert_false(r->inside);
  assert_int_equal(r->ends, 0);
  assert_true(uvf_reader_active(&r->rd));
}

/* Asserts: it has had its last callback, once. */
static inline void expect_ended(const reading_t *r, int status) {
  assert_int_equal(r->ends, 1);
  assert_int_equal(r->end, status);
  assert_false(r->active_at_end);
  assert_false(r->items_at_end);
  assert_false(r->inside);
  assert_false(uvf_reader_active(&r->rd));
}

#endif
