/* SPDX-License-Identifier: MIT */
/* Weak sending ends: they keep the memory, not the channel open; and upgrading, also against the last release. Promises 6, 11. */
#include "chan/loop_fixture.h"

#if defined(__SANITIZE_THREAD__)
enum { ROUNDS = 1000 };
#else
enum { ROUNDS = 10000 };
#endif

static void a_weak_end_does_not_keep_the_channel_open(void **state) {
  chan_t c;
  chan_open(&c, state, 4);
  uvf_weak_t *weak = uvf_tx_weaken(c.tx);
  assert_non_null(weak);
  uvf_tx_release(c.tx);
  c.tx = NULL;
  assert_int_equal(try_recv(&c), UV_EOF);
  for (int i = 0; i < 2; i++)
    assert_null(uvf_weak_upgrade(weak));
  chan_close(&c);
  assert_null(uvf_weak_upgrade(weak)); /* nothing but the weak end is left of the channel */
  uvf_weak_release(weak);
}

static void an_upgrade_is_an_owner(void **state) {
  chan_t c;
  chan_open(&c, state, 4);
  uvf_weak_t *weak = uvf_tx_weaken(c.tx);
  uvf_tx_t *tx = uvf_weak_upgrade(weak);
  assert_ptr_equal(tx, c.tx);
  uvf_weak_release(weak);
  uvf_tx_release(tx);
  assert_int_equal(uvf_rx_status(c.rx), 0); /* the first owner is still there */
  if (c.kind->bit != RENDEZVOUS) {
    fill(&c, 0, 1);
    expect(&c, 0, 0);
  }
  weak = uvf_tx_weaken(c.tx);
  tx = uvf_weak_upgrade(weak);
  uvf_tx_release(c.tx);
  assert_int_equal(uvf_rx_status(c.rx), 0);
  uvf_tx_release(uvf_weak_upgrade(weak)); /* from one that was upgraded itself */
  c.tx = tx;
  if (c.kind->bit != RENDEZVOUS) {
    fill(&c, 1, 1);
    expect(&c, 0, 1);
  }
  uvf_tx_release(tx);
  c.tx = NULL;
  assert_int_equal(try_recv(&c), UV_EOF);
  assert_null(uvf_weak_upgrade(weak));
  uvf_weak_release(weak);
  chan_close(&c);
}

/* There are owners of both sides all the time. */
static void no_upgrade_once_closed(void **state) {
  for (int how = 0; how < 3; how++) {
    chan_t c;
    chan_open(&c, state, 4);
    uvf_weak_t *weak = uvf_tx_weaken(c.tx);
    if (c.kind->bit != RENDEZVOUS) fill(&c, 0, 1);
    if (how == 0) assert_int_equal(uvf_tx_close(c.tx, UV_EIO), 0);
    if (how == 1) assert_int_equal(uvf_rx_close(c.rx, 0), 0);
    if (how == 2) assert_int_equal(uvf_rx_abort(c.rx, 0), 0);
    for (int i = 0; i < 2; i++)
      assert_null(uvf_weak_upgrade(weak)); /* items may be left, though */
    uvf_weak_release(weak);
    chan_close(&c);
  }
}

static void no_upgrade_once_the_last_receiver_is_gone(void **state) {
  chan_t c;
  chan_open(&c, state, 4);
  uvf_weak_t *weak = uvf_tx_weaken(c.tx);
  if (c.kind->bit != RENDEZVOUS) fill(&c, 0, 2);
  uvf_rx_release(c.rx);
  c.rx = NULL;
  assert_null(uvf_weak_upgrade(weak));
  assert_int_equal(atomic_load(&c.dropped), c.kind->bit != RENDEZVOUS ? 2 : 0); /* though the memory is still there */
  chan_close(&c);
  uvf_weak_release(weak);
}

/* Each is to be released; the last of all frees, whatever the order. */
static void many_weak_ends_in_any_order(void **state) {
  chan_t c;
  uvf_weak_t *weak[50];
  chan_open(&c, state, 4);
  for (int i = 0; i < 50; i++)
    weak[i] = uvf_tx_weaken(c.tx);
  for (int i = 0; i < 10; i++)
    uvf_weak_release(weak[i]);
  chan_close(&c);
  for (int i = 49; i >= 10; i--) {
    assert_null(uvf_weak_upgrade(weak[i]));
    uvf_weak_release(weak[i]);
  }
}

static void nothing_for_nothing(void **state) {
  (void)state;
  assert_null(uvf_tx_weaken(NULL));
  assert_null(uvf_weak_upgrade(NULL));
  uvf_weak_release(NULL);
}

/* Whatever owns the end keeps it from going: a permit, a pending request. */
static void what_keeps_it_open_can_be_upgraded(void **state) {
  chan_t c;
  test_host_t h;
  op_t op = {0};
  uvf_permit_t p;
  chan_open(&c, state, 1);
  loop_open(&h, 0);
  uvf_weak_t *weak = uvf_tx_weaken(c.tx);
  reserve_all(&c, &p, 1);
  uvf_tx_release(c.tx);
  c.tx = uvf_weak_upgrade(weak);
  assert_non_null(c.tx);
  uvf_permit_release(&p);
  assert_int_equal(start_closed(&h, &op, c.tx, UVF_FOREVER), 0);
  uvf_tx_release(c.tx);
  c.tx = uvf_weak_upgrade(weak);
  assert_non_null(c.tx);
  fill(&c, 0, 1);
  uvf_tx_release(c.tx);
  c.tx = NULL;
  assert_int_equal(uvf_cancel(&op.req), 0);
  test_host_run(&h);
  expect_done(&op, UV_ECANCELED);
  assert_null(uvf_weak_upgrade(weak));
  expect(&c, 0, 0);
  assert_int_equal(try_recv(&c), UV_EOF);
  uvf_weak_release(weak);
  test_host_detach(&h);
  chan_close(&c);
}

/* ---- against the last release ---- */

typedef struct {
  uv_barrier_t gate;
  atomic_bool stop;
  uvf_weak_t *weak;
  int sent; /* what a send said; 1: there was no end to send on */
} upgrader_t;

static void upgrades(void *arg) {
  upgrader_t *u = arg;
  for (;;) {
    (void)uv_barrier_wait(&u->gate);
    if (atomic_load(&u->stop)) return;
    payload_t i = item(1, 0);
    uvf_tx_t *tx = uvf_weak_upgrade(u->weak);
    u->sent = tx == NULL ? 1 : uvf_try_send(tx, &i);
    uvf_tx_release(tx);
    uvf_weak_release(u->weak);
    (void)uv_barrier_wait(&u->gate);
  }
}

/* Either there is no end, or one that keeps the channel open until it is released. */
static void upgrading_races_with_the_last_release(void **state) {
  upgrader_t u;
  thread_t id;
  bool right = true;
  int sent = 0, none = 0;
  atomic_init(&u.stop, false);
  assert_int_equal(uv_barrier_init(&u.gate, 2), 0);
  thread_start(&id, upgrades, &u);
  for (int round = 0; round < ROUNDS && right; round++) {
    chan_t c;
    chan_open(&c, state, 4);
    u.weak = uvf_tx_weaken(c.tx);
    (void)uv_barrier_wait(&u.gate);
    for (int i = 0; i < round % 7; i++)
      (void)uvf_tx_len(c.tx);
    uvf_tx_release(c.tx);
    c.tx = NULL;
    (void)uv_barrier_wait(&u.gate);
    int first = try_recv(&c);
    right = (u.sent == 0 && first == 0 && try_recv(&c) == UV_EOF) || (u.sent == 1 && first == UV_EOF);
    sent += u.sent == 0;
    none += u.sent == 1;
    chan_close(&c);
  }
  atomic_store(&u.stop, true);
  (void)uv_barrier_wait(&u.gate);
  thread_join(&id);
  uv_barrier_destroy(&u.gate);
  assert_true(right);
  assert_int_equal(sent + none, ROUNDS);
}

int main(void) {
  static const case_t cases[] = {
      CASE(a_weak_end_does_not_keep_the_channel_open, EVERY | ONESHOT),
      CASE(an_upgrade_is_an_owner, EVERY),
      CASE(no_upgrade_once_closed, EVERY),
      CASE(no_upgrade_once_the_last_receiver_is_gone, EVERY),
      CASE(many_weak_ends_in_any_order, EVERY | ONESHOT),
      CASE(nothing_for_nothing, 0),
      CASE(what_keeps_it_open_can_be_upgraded, RESERVABLE),
      CASE(upgrading_races_with_the_last_release, SHARED | OLDEST | NEWEST | ONESHOT),
  };
  return RUN_CASES(cases);
}
