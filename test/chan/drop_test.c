/* SPDX-License-Identifier: MIT */
/* What becomes of each item: delivered, dropped or still the sender's, exactly one of them, at the right moment.
 * Cases 13, 26, 27, 28, 31, 32, 35. Promise 1. */
#include "chan/fixture.h"

static uint32_t next_random(uint32_t *seed) {
  *seed = *seed * 1664525u + 1013904223u;
  return *seed >> 8;
}

/* Random steps through a channel, then both ends go with some items left: nothing is dropped before, all of the rest after. */
static void case_26_each_item_ends_in_exactly_one_way(void **state) {
  static unsigned char received[LEDGER_SEQS];
  for (uint32_t round = 0, seed = 1; round < 200; round++) {
    chan_t c;
    uint32_t sent = 0, got = 0, steps = next_random(&seed) % 400;
    memset(received, 0, sizeof received);
    chan_open(&c, state, 50);
    for (uint32_t i = 0; i < steps; i++) {
      if (next_random(&seed) % 2 == 0) {
        if (sent < LEDGER_SEQS && try_send(&c, 0, sent) == 0) sent++;
      } else {
        payload_t it;
        if (uvf_try_recv(c.rx, &it) == 0) {
          assert_int_equal(it.seq, got);
          received[it.seq] = 1;
          got++;
        }
      }
      assert_int_equal(atomic_load(&c.dropped), 0);
    }
    bool tx_first = next_random(&seed) % 2 == 0;
    if (tx_first) uvf_tx_release(c.tx);
    assert_int_equal(atomic_load(&c.dropped), 0);
    uvf_rx_release(c.rx);
    assert_int_equal(atomic_load(&c.dropped), sent - got);
    if (!tx_first) uvf_tx_release(c.tx);
    for (uint32_t i = 0; i < LEDGER_SEQS; i++)
      assert_int_equal(received[i] + drops_of(&c, 0, i), i < sent ? 1 : 0);
  }
}

static void case_27_dropped_at_once_although_a_sender_lives(void **state) {
  chan_t c;
  chan_open(&c, state, 4);
  fill(&c, 5, 1);
  uvf_rx_release(c.rx);
  c.rx = NULL;
  assert_int_equal(drops_of(&c, 0, 5), 1);
  assert_int_equal(try_send(&c, 0, 6), UV_EPIPE);
  uvf_chan_stats_t s = stats_of(&c);
  assert_int_equal(s.dropped, 1);
  assert_int_equal(s.len, 0);
  chan_close(&c);
  assert_int_equal(atomic_load(&c.dropped), 1);
}

typedef struct {
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  uint32_t order[8];
  int dropped, send, recv, close, abort, status;
  size_t len;
} rude_t;

/* A drop that has trouble with its first item and uses the channel meanwhile. */
static void rude_drop(void *bytes, void *data) {
  rude_t *rude = data;
  payload_t it;
  memcpy(&it, bytes, sizeof it);
  if (rude->dropped < 8) rude->order[rude->dropped] = it.seq;
  if (rude->dropped++ > 0) return;
  payload_t mine = item(0, 99);
  rude->send = uvf_try_send(rude->tx, &mine);
  rude->recv = uvf_try_recv(rude->rx, &mine);
  rude->close = uvf_tx_close(rude->tx, UV_EIO);
  rude->abort = uvf_rx_abort(rude->rx, 0);
  rude->status = uvf_tx_status(rude->tx);
  rude->len = uvf_tx_len(rude->tx);
  uvf_tx_release(uvf_tx_retain(rude->tx));
}

static void case_28_a_rude_drop_does_not_stop_the_others(void **state) {
  const kind_t *kind = *state;
  rude_t rude = {0};
  uvf_chan_options_t o = {.item_size = sizeof(payload_t),
                          .capacity = kind->capacity != 0 ? kind->capacity : 3,
                          .flags = kind->flags,
                          .drop = rude_drop,
                          .data = &rude};
  assert_int_equal(uvf_chan_create(&o, &rude.tx, &rude.rx), 0);
  for (uint32_t i = 0; i < 3; i++) {
    payload_t it = item(0, i);
    assert_int_equal(uvf_try_send(rude.tx, &it), 0);
  }
  assert_int_equal(uvf_rx_abort(rude.rx, UV_ECONNABORTED), 0);
  assert_int_equal(rude.dropped, 3);
  for (uint32_t i = 0; i < 3; i++)
    assert_int_equal(rude.order[i], i);
  assert_int_equal(rude.send, UV_EPIPE);
  assert_int_equal(rude.recv, UV_ECONNABORTED);
  assert_int_equal(rude.close, UV_EALREADY);
  assert_int_equal(rude.abort, UV_EALREADY);
  assert_int_equal(rude.status, UV_ECONNABORTED);
  uvf_tx_release(rude.tx);
  uvf_rx_release(rude.rx);
}

static void case_31_never_dropped_after_a_delivery(void **state) {
  chan_t c;
  blocked_t sender;
  chan_open(&c, state, 1);
  if (c.kind->bit == UNBOUNDED) {
    fill(&c, 0, 40);
    for (uint32_t i = 0; i < 40; i++)
      expect(&c, 0, i);
  } else {
    if (c.kind->bit != RENDEZVOUS) fill(&c, 0, 1);
    start_sender(&c, &sender, item(1, 1), UVF_FOREVER, 1); /* has to wait */
    if (c.kind->bit != RENDEZVOUS) expect(&c, 0, 0);
    expect(&c, 1, 1);
    assert_int_equal(join_blocked(&sender), 0);
  }
  chan_close(&c);
  assert_int_equal(atomic_load(&c.dropped), 0);
}

static void case_32_a_send_that_failed_is_not_dropped(void **state) {
  chan_t c;
  payload_t it = item(1, 1);
  chan_open(&c, state, 1);
  if (c.kind->bit != RENDEZVOUS) fill(&c, 0, 1);
  if (c.kind->bit != UNBOUNDED) {
    assert_int_equal(uvf_try_send(c.tx, &it), UV_EAGAIN);
    assert_int_equal(uvf_send_sync(c.tx, &it, UVF_NOWAIT), UV_ETIMEDOUT);
    assert_int_equal(uvf_send_sync(c.tx, &it, 1), UV_ETIMEDOUT);
  }
  uvf_rx_release(c.rx);
  c.rx = NULL;
  assert_int_equal(uvf_send_sync(c.tx, &it, 1), UV_EPIPE);
  chan_close(&c);
  assert_int_equal(drops_of(&c, 1, 1), 0);
}

static void items_of_a_channel_without_drop_are_forgotten(void **state) {
  const kind_t *kind = *state;
  uvf_chan_options_t o = {.item_size = 1, .capacity = kind->capacity != 0 ? kind->capacity : 3, .flags = kind->flags};
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  assert_int_equal(uvf_chan_create(&o, &tx, &rx), 0);
  assert_int_equal(uvf_try_send(tx, "x"), 0);
  assert_int_equal(uvf_rx_abort(rx, 0), 0);
  uvf_chan_stats_t s;
  uvf_rx_stats(rx, &s);
  assert_int_equal(s.dropped, 1);
  uvf_tx_release(tx);
  uvf_rx_release(rx);
}

/* The pointer in each item is freed once, by whoever ends it: a leak or a double free is for ASan to see. */
static void free_drop(void *bytes, void *data) {
  void *p;
  memcpy(&p, bytes, sizeof p);
  free(p);
  ++*(unsigned *)data;
}

static void items_that_own_memory(void **state) {
  const kind_t *kind = *state;
  unsigned dropped = 0;
  uvf_chan_options_t o = {.item_size = sizeof(void *),
                          .capacity = kind->capacity != 0 ? kind->capacity : 64,
                          .flags = kind->flags,
                          .drop = free_drop,
                          .data = &dropped};
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  void *p;
  assert_int_equal(uvf_chan_create(&o, &tx, &rx), 0);
  for (int i = 0; i < 64; i++) {
    p = malloc(16);
    assert_non_null(p);
    assert_int_equal(uvf_try_send(tx, &p), 0);
  }
  for (int i = 0; i < 20; i++) {
    assert_int_equal(uvf_try_recv(rx, &p), 0);
    free(p);
  }
  uvf_tx_release(tx);
  uvf_rx_release(rx);
  assert_int_equal(dropped, 44);
}

/* ---- the ends go at once ---- */

typedef struct {
  uv_barrier_t gate;
  uvf_rx_t *rx;
  atomic_bool stop;
  bool late; /* this side leaves without looking */
  unsigned received, strange;
} receiver_t;

static void receives_and_leaves(void *arg) {
  receiver_t *r = arg;
  for (;;) {
    (void)uv_barrier_wait(&r->gate);
    if (atomic_load(&r->stop)) return;
    payload_t it;
    int result = r->late ? UV_EAGAIN : uvf_recv_sync(r->rx, &it, UVF_FOREVER);
    if (result == 0)
      r->received++;
    else if (result != UV_EAGAIN)
      r->strange++;
    uvf_rx_release(r->rx);
    (void)uv_barrier_wait(&r->gate);
  }
}

#if defined(__SANITIZE_THREAD__)
enum { ROUNDS = 4000 };
#else
enum { ROUNDS = 10000 };
#endif

/* Half of the rounds receive the item, the others drop both ends while the item is there. */
static void case_13_ends_that_go_at_once(void **state) {
  receiver_t r;
  thread_t id;
  bool right = true;
  memset(&r, 0, sizeof r);
  assert_int_equal(uv_barrier_init(&r.gate, 2), 0);
  thread_start(&id, receives_and_leaves, &r);
  for (uint32_t round = 0; round < ROUNDS && right; round++) {
    chan_t c;
    chan_open(&c, state, 1);
    r.rx = c.rx;
    r.late = round % 2 == 1;
    r.received = 0;
    (void)uv_barrier_wait(&r.gate);
    payload_t it = item(0, 1);
    int sent = c.kind->bit == RENDEZVOUS ? uvf_send_sync(c.tx, &it, UVF_FOREVER) : uvf_try_send(c.tx, &it);
    uvf_tx_release(c.tx);
    (void)uv_barrier_wait(&r.gate);
    unsigned ended = r.received + drops_of(&c, 0, 1);
    right = ended == (sent == 0 ? 1 : 0) && r.strange == 0 && (sent == 0 || (r.late && sent == UV_EPIPE));
  }
  atomic_store(&r.stop, true);
  (void)uv_barrier_wait(&r.gate);
  thread_join(&id);
  uv_barrier_destroy(&r.gate);
  assert_true(right);
}

/* ---- case 35: what the receivers held is let go although senders live on ---- */

static void case_35_waiting_receivers_are_let_go_at_an_abort(void **state) {
  chan_t c;
  blocked_t receivers[3];
  chan_open(&c, state, 4);
  for (uint32_t i = 0; i < 3; i++)
    start_receiver(&c, &receivers[i], UVF_FOREVER, i + 1);
  assert_int_equal(uvf_rx_abort(c.rx, 0), 0);
  for (int i = 0; i < 3; i++)
    assert_int_equal(join_blocked(&receivers[i]), UV_EOF);
  uvf_rx_release(c.rx);
  c.rx = NULL;
  assert_int_equal(try_send(&c, 0, 1), UV_EPIPE);
  chan_close(&c);
}

int main(void) {
  static const case_t cases[] = {
      CASE(case_26_each_item_ends_in_exactly_one_way, QUEUED | ONESHOT),
      CASE(case_27_dropped_at_once_although_a_sender_lives, QUEUED | ONESHOT),
      CASE(case_28_a_rude_drop_does_not_stop_the_others, QUEUED),
      CASE(case_31_never_dropped_after_a_delivery, ALL),
      CASE(case_32_a_send_that_failed_is_not_dropped, ALL),
      CASE(items_of_a_channel_without_drop_are_forgotten, QUEUED),
      CASE(items_that_own_memory, QUEUED),
      CASE(case_13_ends_that_go_at_once, ALL | ONESHOT),
      CASE(case_35_waiting_receivers_are_let_go_at_an_abort, ANY_SENDERS | ONESHOT),
  };
  return RUN_CASES(cases);
}
