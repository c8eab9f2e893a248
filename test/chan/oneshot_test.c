/* SPDX-License-Identifier: MIT */
/* One-shot channels without waiting: the send that closes, every order of it with the other ends, dropping, options, memory, what
 * is told of it. (Waiting: oneshot_wait_test.c. Permits: oneshot_permit_test.c. Races: oneshot_race_test.c. Whatever other
 * channels do with one item: the kind ONESHOT in the tests of these.)
 * Cases 45, 46, 47. Promises 1, 6, 11. */
#include "chan/loop_fixture.h"

#include <uvflow/dump.h>

/* ---- ways to send, and to end ---- */

/* Asserts on what the form promises; the result is that of the send. No permit may be out. */
static int send_by(chan_t *c, int form, uint32_t seq) {
  payload_t i = item(1, seq);
  uvf_permit_t p;
  int r;
  if (form == 0) return uvf_try_send(c->tx, &i);
  if (form == 1) return uvf_send_sync(c->tx, &i, UVF_FOREVER);
  if (form == 2) {
    payload_t some[3] = {i, item(2, 1), item(2, 2)};
    r = uvf_try_send_n(c->tx, some, 3);
    return r == 1 ? 0 : r;
  }
  if (form == 3) {
    r = uvf_try_reserve(c->tx, &p);
    return r == 0 ? uvf_permit_send(&p, &i) : r;
  }
  test_host_t h;
  op_t op = {0};
  loop_open(&h, 0);
  assert_int_equal(start_send(&h, &op, c->tx, i, form == 4 ? UVF_FOREVER : UVF_NOWAIT), 0);
  test_host_run(&h);
  r = op.status;
  expect_done(&op, r);
  assert_true(same(op.item, i));
  test_host_detach(&h);
  return r;
}

enum { FORMS = 6 };

enum { BY_TX, BY_RX, BY_ABORT, BY_LAST_TX, BY_LAST_RX, WAYS };

/* The result of the call, 0 of a release. */
static int end_by(chan_t *c, int way) {
  if (way == BY_TX) return uvf_tx_close(c->tx, UV_EIO);
  if (way == BY_RX) return uvf_rx_close(c->rx, UV_EIO);
  if (way == BY_ABORT) return uvf_rx_abort(c->rx, UV_EIO);
  if (way == BY_LAST_TX) uvf_tx_release(c->tx), c->tx = NULL;
  if (way == BY_LAST_RX) uvf_rx_release(c->rx), c->rx = NULL;
  return 0;
}

/* Asserts: this is what receivers get, in each form, again and again. */
static void expect_end(chan_t *c, int status) {
  test_host_t h;
  payload_t got;
  for (int i = 0; i < 3; i++) {
    op_t recv = {0}, readable = {0};
    reading_t reading = {.count = 0};
    assert_int_equal(uvf_try_recv(c->rx, &got), status);
    assert_int_equal(uvf_try_recv_n(c->rx, &got, 1), status);
    assert_int_equal(uvf_recv_sync(c->rx, &got, i == 0 ? UVF_NOWAIT : UVF_FOREVER), status);
    assert_int_equal(uvf_rx_status(c->rx), status);
    loop_open(&h, 0);
    assert_int_equal(start_recv(&h, &recv, c->rx, i == 0 ? UVF_NOWAIT : UVF_FOREVER), 0);
    assert_int_equal(start_readable(&h, &readable, c->rx, UVF_FOREVER), 0);
    assert_int_equal(start_reader(&h, &reading, c->rx, NULL), 0);
    test_host_run(&h);
    expect_done(&recv, status);
    expect_done(&readable, status);
    expect_ended(&reading, status);
    assert_int_equal(reading.count, 0);
    test_host_detach(&h);
  }
}

/* Asserts: sends of each form are refused, and nothing of them stays. */
static void expect_refused(chan_t *c) {
  for (int form = 0; form < FORMS; form++)
    assert_int_equal(send_by(c, form, 400), UV_EPIPE);
  assert_int_equal(drops_of(c, 1, 400), 0);
}

/* ---- the cases of the collection ---- */

static void case_45_a_sender_that_goes_without_sending_is_an_end(void **state) {
  for (int cause = 0; cause < 2; cause++) {
    chan_t c;
    chan_open(&c, state, 0);
    assert_int_equal(try_recv(&c), UV_EAGAIN);
    if (cause != 0) assert_int_equal(uvf_tx_close(c.tx, UV_ECONNRESET), 0);
    uvf_tx_release(c.tx);
    c.tx = NULL;
    expect_end(&c, cause != 0 ? UV_ECONNRESET : UV_EOF);
    chan_close(&c);
    assert_int_equal(atomic_load(&c.dropped), 0);
  }
}

static void case_46_a_sent_value_outlives_the_close(void **state) {
  for (int form = 0; form < FORMS; form++) {
    chan_t c;
    chan_open(&c, state, 0);
    assert_int_equal(send_by(&c, form, 1), 0);
    assert_int_equal(uvf_rx_close(c.rx, UV_EIO), UV_EALREADY); /* by the send */
    assert_int_equal(uvf_rx_status(c.rx), 0);
    expect(&c, 1, 1);
    expect_end(&c, UV_EOF);
    chan_close(&c);
    assert_int_equal(atomic_load(&c.dropped), 0);
  }
}

static void case_46_without_a_value_the_sender_is_told(void **state) {
  chan_t c;
  test_host_t h;
  op_t op = {0};
  blocked_t b;
  chan_open(&c, state, 0);
  start_closed_waiter(&c, &b, UVF_FOREVER, 1);
  loop_open(&h, 0);
  assert_int_equal(start_closed(&h, &op, c.tx, UVF_FOREVER), 0);
  assert_int_equal(uvf_rx_close(c.rx, UV_EIO), 0);
  test_host_run(&h);
  expect_done(&op, 0);
  assert_int_equal(join_blocked(&b), 0);
  assert_int_equal(uvf_tx_status(c.tx), UV_EIO);
  test_host_detach(&h);
  expect_refused(&c);
  expect_end(&c, UV_EIO);
  chan_close(&c);
}

static void case_47_asked_again_after_the_end(void **state) {
  for (int way = 0; way < BY_LAST_RX; way++)
    for (int sent = 0; sent < 2; sent++) {
      chan_t c;
      chan_open(&c, state, 0);
      if (sent != 0) assert_int_equal(try_send(&c, 1, 1), 0);
      (void)end_by(&c, way);
      if (sent != 0 && way != BY_ABORT) expect(&c, 1, 1);
      for (int i = 0; i < 3; i++)
        expect_end(&c, sent != 0 || way == BY_LAST_TX ? UV_EOF : UV_EIO);
      chan_close(&c);
    }
}

/* ---- the send closes ---- */

static void a_send_of_each_form_closes_it(void **state) {
  for (int form = 0; form < FORMS; form++) {
    chan_t c;
    chan_open(&c, state, 0);
    assert_int_equal(uvf_tx_status(c.tx), 0);
    assert_int_equal(send_by(&c, form, 1), 0);
    assert_int_equal(uvf_tx_status(c.tx), UV_EOF);
    assert_int_equal(uvf_rx_status(c.rx), 0); /* there is something to receive */
    expect_refused(&c);
    assert_int_equal(uvf_tx_close(c.tx, UV_EIO), UV_EALREADY);
    expect(&c, 1, 1);
    expect_end(&c, UV_EOF);
    expect_refused(&c);
    assert_int_equal(uvf_tx_status(c.tx), UV_EOF);
    chan_close(&c);
    assert_int_equal(atomic_load(&c.dropped), 0);
  }
}

static void the_first_of_several_owners_sends(void **state) {
  chan_t c;
  uvf_tx_t *others[3];
  chan_open(&c, state, 0);
  for (int i = 0; i < 3; i++)
    others[i] = uvf_tx_retain(c.tx);
  uvf_tx_release(c.tx);
  assert_int_equal(try_recv(&c), UV_EAGAIN); /* one of the others may send */
  for (int i = 0; i < 3; i++) {
    payload_t it = item(1, (uint32_t)i);
    assert_int_equal(uvf_try_send(others[i], &it), i == 0 ? 0 : UV_EPIPE);
  }
  c.tx = others[0];
  uvf_tx_release(others[1]);
  uvf_tx_release(others[2]);
  expect(&c, 1, 0);
  expect_end(&c, UV_EOF);
  chan_close(&c);
}

static void one_of_several_receivers_takes_it(void **state) {
  chan_t c;
  payload_t got[3];
  chan_open(&c, state, 0);
  uvf_rx_t *other = uvf_rx_retain(c.rx);
  assert_int_equal(try_send(&c, 1, 1), 0);
  uvf_rx_release(c.rx);
  c.rx = other;
  assert_int_equal(uvf_try_recv_n(c.rx, got, 3), 1);
  assert_true(same(got[0], item(1, 1)));
  expect_end(&c, UV_EOF);
  chan_close(&c);
}

/* ---- every order of a send and an end ---- */

static void sent_before_the_end(void **state) {
  for (int way = 0; way < WAYS; way++) {
    chan_t c;
    bool gone = way == BY_ABORT || way == BY_LAST_RX;
    chan_open(&c, state, 0);
    assert_int_equal(try_send(&c, 1, 1), 0);
    assert_int_equal(end_by(&c, way), way <= BY_RX ? UV_EALREADY : 0);
    assert_int_equal(drops_of(&c, 1, 1), gone ? 1 : 0); /* at once */
    if (way != BY_LAST_TX) expect_refused(&c);
    if (!gone) expect(&c, 1, 1);
    if (way != BY_LAST_RX) expect_end(&c, UV_EOF); /* the send closed it: the cause of who came later is not told */
    if (way != BY_LAST_TX) assert_int_equal(uvf_tx_status(c.tx), UV_EOF);
    chan_close(&c);
    assert_int_equal(atomic_load(&c.dropped), gone ? 1 : 0);
  }
}

static void ended_before_the_send(void **state) {
  for (int way = 0; way < WAYS; way++) {
    chan_t c;
    int status = way <= BY_ABORT ? UV_EIO : UV_EOF;
    chan_open(&c, state, 0);
    assert_int_equal(end_by(&c, way), 0);
    if (way != BY_LAST_TX) expect_refused(&c);
    if (way != BY_LAST_TX) assert_int_equal(uvf_tx_status(c.tx), status);
    if (way != BY_LAST_RX) expect_end(&c, status);
    if (way < BY_ABORT) assert_int_equal(uvf_rx_abort(c.rx, UV_EPERM), 0); /* it goes further, and the cause stays */
    if (way < BY_ABORT) expect_end(&c, status);
    chan_close(&c);
    assert_int_equal(atomic_load(&c.dropped), 0);
  }
}

/* Also where a receiver has had it: then there is nothing to drop. */
static void each_item_is_dropped_once_or_received(void **state) {
  for (int received = 0; received < 2; received++)
    for (int last = 0; last < 2; last++) {
      chan_t c;
      chan_open(&c, state, 0);
      assert_int_equal(try_send(&c, 3, 9), 0);
      if (received != 0) expect(&c, 3, 9);
      uvf_tx_t *tx = c.tx;
      uvf_rx_t *rx = c.rx;
      if (last == 0) uvf_tx_release(tx);
      uvf_rx_release(rx);
      if (last == 1) uvf_tx_release(tx);
      assert_int_equal(drops_of(&c, 3, 9), received != 0 ? 0 : 1);
      assert_int_equal(atomic_load(&c.dropped), received != 0 ? 0 : 1);
    }
}

/* ---- weak ends ---- */

static void a_weak_end_cannot_be_upgraded_after_the_send(void **state) {
  for (int form = 0; form < FORMS; form++) {
    chan_t c;
    chan_open(&c, state, 0);
    uvf_weak_t *weak = uvf_tx_weaken(c.tx);
    uvf_tx_t *tx = uvf_weak_upgrade(weak);
    assert_ptr_equal(tx, c.tx);
    uvf_tx_release(tx);
    assert_int_equal(send_by(&c, form, 1), 0);
    for (int i = 0; i < 2; i++) {
      assert_null(uvf_weak_upgrade(weak)); /* though there are owners */
      if (i == 0) expect(&c, 1, 1);
    }
    chan_close(&c);
    assert_null(uvf_weak_upgrade(weak));
    uvf_weak_release(weak);
  }
}

static void a_weak_end_alone_lets_it_end(void **state) {
  for (int way = 0; way < WAYS; way++) {
    chan_t c;
    chan_open(&c, state, 0);
    uvf_weak_t *weak = uvf_tx_weaken(c.tx);
    (void)end_by(&c, way);
    assert_null(uvf_weak_upgrade(weak));
    if (way != BY_LAST_RX) expect_end(&c, way <= BY_ABORT ? UV_EIO : UV_EOF);
    chan_close(&c);
    uvf_weak_release(weak);
  }
}

/* ---- options, memory ---- */

static void options_that_make_no_difference(void **state) {
  static const size_t capacities[] = {0, 1, 1000, ((size_t)1 << 31) + 1, UVF_UNBOUNDED, UVF_RENDEZVOUS};
  (void)state;
  for (size_t i = 0; i < 2 * sizeof capacities / sizeof capacities[0]; i++) {
    uvf_chan_options_t o = {
        .item_size = sizeof(payload_t), .capacity = capacities[i / 2], .flags = i % 2 != 0 ? UVF_SPSC : 0};
    chan_t c = {.kind = NULL};
    uvf_chan_stats_t s;
    unsigned long before = fault_allocations();
    assert_int_equal(uvf_oneshot_create(&o, &c.tx, &c.rx), 0);
    assert_int_equal(fault_allocations() - before, 1);
    uvf_tx_stats(c.tx, &s);
    assert_int_equal(s.capacity, 1);
    assert_int_equal(try_send(&c, 1, 1), 0);
    assert_int_equal(try_send(&c, 1, 2), UV_EPIPE);
    expect(&c, 1, 1);
    expect_end(&c, UV_EOF);
    chan_close(&c);
  }
}

static void items_of_every_size(void **state) {
  static const size_t sizes[] = {0, 1, 3, 4, 8, 9, 15, 16, 17, 24, 32, 33, 63, 64, 65, 1000, 4096, 1 << 20};
  static unsigned char in[1 << 20], out[(1 << 20) + 1];
  (void)state;
  for (size_t i = 0; i < sizeof in; i++)
    in[i] = (unsigned char)(i * 7 + i / 300);
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    uvf_chan_options_t o = {.item_size = sizes[i]};
    uvf_tx_t *tx;
    uvf_rx_t *rx;
    memset(out, 0xa5, sizeof out);
    unsigned long before = fault_allocations();
    assert_int_equal(uvf_oneshot_create(&o, &tx, &rx), 0);
    assert_int_equal(fault_allocations() - before, 1);
    assert_int_equal(uvf_try_send(tx, sizes[i] == 0 ? NULL : in), 0);
    assert_int_equal(uvf_try_recv(rx, sizes[i] == 0 ? NULL : out), 0);
    assert_memory_equal(out, in, sizes[i]);
    assert_int_equal(out[sizes[i]], 0xa5);
    uvf_tx_release(tx);
    uvf_rx_release(rx);
  }
}

static void an_item_without_drop_is_forgotten(void **state) {
  (void)state;
  uvf_chan_options_t o = {.item_size = sizeof(payload_t)};
  uvf_chan_stats_t s;
  chan_t c = {.kind = NULL};
  assert_int_equal(uvf_oneshot_create(&o, &c.tx, &c.rx), 0);
  assert_int_equal(try_send(&c, 1, 1), 0);
  assert_int_equal(uvf_rx_abort(c.rx, 0), 0);
  uvf_rx_stats(c.rx, &s);
  assert_int_equal(s.dropped, 1);
  chan_close(&c);
}

/* ---- what is told ---- */

static void expect_stats(chan_t *c, unsigned sent, unsigned received, unsigned dropped) {
  uvf_chan_stats_t s = stats_of(c);
  assert_string_equal(s.name, "one-shot");
  assert_int_equal(s.capacity, 1);
  assert_int_equal(s.sent, sent);
  assert_int_equal(s.received, received);
  assert_int_equal(s.dropped, dropped);
  assert_int_equal(s.len, sent - received - dropped);
  assert_int_equal(uvf_rx_len(c->rx), s.len);
  assert_int_equal(uvf_tx_len(c->tx), s.len);
  assert_true(s.high_water <= 1 && s.high_water >= s.len);
  assert_int_equal(s.closed, sent != 0);
}

static void statistics_at_each_step(void **state) {
  for (int drops = 0; drops < 2; drops++) {
    chan_t c;
    uvf_permit_t p;
    chan_open(&c, state, 0);
    expect_stats(&c, 0, 0, 0);
    reserve_all(&c, &p, 1);
    expect_stats(&c, 0, 0, 0); /* a permit is no item */
    assert_int_equal(permit_send(&p, 1, 1), 0);
    expect_stats(&c, 1, 0, 0);
    assert_int_equal(stats_of(&c).high_water, 1);
    assert_int_equal(try_send(&c, 1, 2), UV_EPIPE);
    expect_stats(&c, 1, 0, 0);
    if (drops == 0) expect(&c, 1, 1);
    if (drops == 1) assert_int_equal(uvf_rx_abort(c.rx, 0), 0);
    expect_stats(&c, 1, drops == 0, drops == 1);
    assert_int_equal(stats_of(&c).waits, 0);
    chan_close(&c);
  }
}

/* Asserts: uvf_dump shows this. */
static void expect_shown(const char *what) {
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  assert_non_null(out);
  uvf_dump(NULL, out);
  assert_int_equal(fclose(out), 0);
  if (strstr(text, what) == NULL) print_error("missing: %s in:\n%s", what, text);
  assert_non_null(strstr(text, what));
  free(text);
}

static void one_with_a_name_is_shown(void **state) {
  chan_t c;
  test_host_t h;
  op_t closed = {0}, recv = {0};
  chan_open(&c, state, 0);
  loop_open(&h, 0);
  assert_int_equal(start_closed(&h, &closed, c.tx, UVF_FOREVER), 0);
  assert_int_equal(start_recv(&h, &recv, c.rx, UVF_FOREVER), 0);
  expect_shown("channel \"one-shot\"");
  expect_shown(": open, 0 of 1 items (most 0); sent 0, received 0");
  expect_shown("waits to receive from channel \"one-shot\"");
  expect_shown("waits for the close of channel \"one-shot\"");
  assert_int_equal(uvf_cancel(&recv.req), 0);
  test_host_run(&h);
  assert_int_equal(try_send(&c, 1, 1), 0);
  expect_shown(": closed, 1 of 1 items (most 1); sent 1, received 0");
  expect(&c, 1, 1);
  expect_shown(": closed, 0 of 1 items (most 1); sent 1, received 1");
  test_host_detach(&h);
  chan_close(&c);
}

int main(void) {
  static const case_t cases[] = {
      CASE(case_45_a_sender_that_goes_without_sending_is_an_end, ONESHOT),
      CASE(case_46_a_sent_value_outlives_the_close, ONESHOT),
      CASE(case_46_without_a_value_the_sender_is_told, ONESHOT),
      CASE(case_47_asked_again_after_the_end, ONESHOT),
      CASE(a_send_of_each_form_closes_it, ONESHOT),
      CASE(the_first_of_several_owners_sends, ONESHOT),
      CASE(one_of_several_receivers_takes_it, ONESHOT),
      CASE(sent_before_the_end, ONESHOT),
      CASE(ended_before_the_send, ONESHOT),
      CASE(each_item_is_dropped_once_or_received, ONESHOT),
      CASE(a_weak_end_cannot_be_upgraded_after_the_send, ONESHOT),
      CASE(a_weak_end_alone_lets_it_end, ONESHOT),
      CASE(options_that_make_no_difference, 0),
      CASE(items_of_every_size, 0),
      CASE(an_item_without_drop_is_forgotten, 0),
      CASE(statistics_at_each_step, ONESHOT),
      CASE(one_with_a_name_is_shown, ONESHOT),
  };
  return RUN_CASES(cases);
}
