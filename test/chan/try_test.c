/* SPDX-License-Identifier: MIT */
/* The shapes that never wait: uvf_try_send, uvf_try_recv and their _n forms.
 * Cases 1, 2, 3, 5, 7, 8, 10, 11 (timeout 0), 14, 15, 32. Promises 1 (what was refused is still the caller's), 5 (order),
 * 6 (what a closed channel says), 11 (codes). */
#include "chan/fixture.h"

static void case_01_full_after_n_sends_until_one_receive(void **state) {
  for (size_t n = 1; n <= 200; n++) {
    chan_t c;
    chan_open(&c, state, n);
    fill(&c, 0, (uint32_t)n);
    assert_int_equal(try_send(&c, 0, (uint32_t)n), UV_EAGAIN);
    expect(&c, 0, 0);
    assert_int_equal(try_send(&c, 0, (uint32_t)n), 0);
    assert_int_equal(try_send(&c, 0, (uint32_t)n + 1), UV_EAGAIN);
    for (uint32_t i = 1; i <= n; i++)
      expect(&c, 0, i);
    assert_int_equal(try_recv(&c), UV_EAGAIN);
    chan_close(&c);
    assert_int_equal(atomic_load(&c.dropped), 0);
  }
}

static void case_02_empty_is_not_closed(void **state) {
  chan_t c;
  chan_open(&c, state, 4);
  assert_int_equal(try_recv(&c), UV_EAGAIN);
  assert_int_equal(uvf_tx_close(c.tx, 0), 0);
  assert_int_equal(try_recv(&c), UV_EOF);
  assert_int_equal(try_recv(&c), UV_EOF);
  chan_close(&c);
}

static void case_03_order_through_all_capacities(void **state) {
  for (size_t capacity = 1; capacity <= 70; capacity++) {
    chan_t c;
    chan_open(&c, state, capacity);
    for (uint32_t sent = 0, got = 0; got < 300;) {
      while (sent < 300 && sent - got < 70 && try_send(&c, 0, sent) == 0)
        sent++;
      expect(&c, 0, got++);
    }
    assert_int_equal(try_recv(&c), UV_EAGAIN);
    chan_close(&c);
  }
}

static void case_05_rendezvous_without_a_receiver_is_full(void **state) {
  chan_t c;
  blocked_t receiver;
  chan_open(&c, state, 0);
  assert_int_equal(try_send(&c, 0, 1), UV_EAGAIN);
  assert_int_equal(try_recv(&c), UV_EAGAIN);
  start_receiver(&c, &receiver, UVF_FOREVER, 1);
  assert_int_equal(try_send(&c, 0, 2), 0);
  assert_int_equal(try_send(&c, 0, 3), UV_EAGAIN);
  assert_int_equal(join_blocked(&receiver), 0);
  assert_true(same(receiver.item, item(0, 2)));
  chan_close(&c);
}

static void case_07_len_after_each_step(void **state) {
  chan_t c;
  chan_open(&c, state, 5);
  for (uint32_t round = 0; round < 4; round++) {
    for (uint32_t i = 0; i < 5; i++) {
      assert_int_equal(uvf_tx_len(c.tx), i);
      fill(&c, i, 1);
      assert_int_equal(uvf_rx_len(c.rx), i + 1);
    }
    if (c.kind->bit != UNBOUNDED) assert_int_equal(try_send(&c, 0, 9), UV_EAGAIN);
    assert_int_equal(uvf_tx_len(c.tx), 5);
    for (uint32_t i = 0; i < 5; i++) {
      expect(&c, 0, i);
      assert_int_equal(uvf_rx_len(c.rx), 4 - i);
    }
  }
  chan_close(&c);
}

static void case_08_empty_after_each_of_many_messages(void **state) {
  chan_t c;
  chan_open(&c, state, 1);
  for (uint32_t i = 0; i < 2048; i++) {
    fill(&c, i, 1);
    assert_int_equal(uvf_rx_len(c.rx), 1);
    expect(&c, 0, i);
    assert_int_equal(uvf_rx_len(c.rx), 0);
    assert_int_equal(try_recv(&c), UV_EAGAIN);
  }
  chan_close(&c);
}

/* Around the sizes of blocks, the close mark is never counted as an item. */
static void case_10_len_does_not_count_the_close(void **state) {
  static const uint32_t counts[] = {0, 1, 7, 8, 9, 31, 32, 33, 255, 256, 257, 263, 264, 265};
  for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++) {
    chan_t c;
    chan_open(&c, state, 300);
    fill(&c, 0, counts[k]);
    assert_int_equal(uvf_tx_close(c.tx, 0), 0);
    for (uint32_t i = 0; i < counts[k]; i++) {
      assert_int_equal(uvf_rx_len(c.rx), counts[k] - i);
      expect(&c, 0, i);
    }
    assert_int_equal(uvf_rx_len(c.rx), 0);
    assert_int_equal(try_recv(&c), UV_EOF);
    assert_int_equal(uvf_tx_len(c.tx), 0);
    chan_close(&c);
  }
}

static void case_11_timeout_0_delivers_what_is_there(void **state) {
  chan_t c;
  payload_t got;
  chan_open(&c, state, 2);
  fill(&c, 7, 1);
  assert_int_equal(uvf_recv_sync(c.rx, &got, UVF_NOWAIT), 0);
  assert_true(same(got, item(0, 7)));
  assert_int_equal(uvf_recv_sync(c.rx, &got, UVF_NOWAIT), UV_ETIMEDOUT);
  chan_close(&c);
}

/* Items of other sizes than the ledger's: capacity `capacity`, n of them through a channel of `size` bytes. */
static void through_with_size(const kind_t *kind, size_t size, size_t capacity, unsigned n) {
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  uvf_chan_options_t o = {
      .item_size = size, .capacity = kind->capacity != 0 ? kind->capacity : capacity, .flags = kind->flags};
  unsigned char *in = malloc(size + 1), *out = malloc(size + 1);
  assert_non_null(in);
  assert_non_null(out);
  assert_int_equal(uvf_chan_create(&o, &tx, &rx), 0);
  for (unsigned i = 0; i < n; i++) {
    memset(in, (int)(i & 0x7f), size);
    assert_int_equal(uvf_try_send(tx, size == 0 ? NULL : in), 0);
    if (i % 2 == 0) continue; /* two in, two out: neighbours must not overlap */
    for (unsigned k = i - 1; k <= i; k++) {
      memset(out, 0xff, size + 1);
      assert_int_equal(uvf_try_recv(rx, size == 0 ? NULL : out), 0);
      memset(in, (int)(k & 0x7f), size);
      if (size > 0) assert_memory_equal(in, out, size);
      assert_int_equal(out[size], 0xff);
    }
  }
  assert_int_equal(uvf_try_recv(rx, size == 0 ? NULL : out), UV_EAGAIN);
  uvf_tx_release(tx);
  uvf_rx_release(rx);
  free(in);
  free(out);
}

static void case_14_items_of_no_size_are_counted(void **state) {
  const kind_t *kind = *state;
  through_with_size(kind, 0, 3, 200);
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  uvf_chan_options_t o = {.item_size = 0, .capacity = kind->capacity != 0 ? kind->capacity : 3, .flags = kind->flags};
  assert_int_equal(uvf_chan_create(&o, &tx, &rx), 0);
  assert_int_equal(uvf_try_send_n(tx, NULL, 3), 3);
  assert_int_equal(uvf_rx_len(rx), 3);
  assert_int_equal(uvf_try_recv_n(rx, NULL, 2), 2);
  assert_int_equal(uvf_try_recv_n(rx, NULL, 2), 1);
  assert_int_equal(uvf_try_recv_n(rx, NULL, 2), UV_EAGAIN);
  uvf_tx_release(tx);
  uvf_rx_release(rx);
}

static void items_of_every_size(void **state) {
  static const size_t sizes[] = {1,  2,  3,  4,  5,  7,  8,   9,   12,  16,   17,   24,
                                 31, 32, 33, 63, 64, 65, 100, 255, 256, 1000, 4096, 9001};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
    through_with_size(*state, sizes[i], 3, 40);
}

static void on_small_stack(void *arg) {
  uvf_tx_t *tx = ((void **)arg)[0];
  *(int *)((void **)arg)[2] = uvf_try_send(tx, ((void **)arg)[1]);
}

/* The item is larger than the stack of the thread that sends it. */
static void case_15_huge_item_from_a_small_stack(void **state) {
  const kind_t *kind = *state;
  size_t size = (size_t)8 << 20;
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  uvf_chan_options_t o = {
      .item_size = size, .capacity = kind->capacity != 0 ? kind->capacity : 1, .flags = kind->flags};
  assert_int_equal(uvf_chan_create(&o, &tx, &rx), 0);
  unsigned char *bytes = malloc(size);
  assert_non_null(bytes);
  memset(bytes, 0x5a, size);
  int result = 1;
  void *args[] = {tx, bytes, &result};
  uv_thread_t id;
  uv_thread_options_t small = {UV_THREAD_HAS_STACK_SIZE, (size_t)256 << 10};
  assert_int_equal(uv_thread_create_ex(&id, &small, on_small_stack, args), 0);
  assert_int_equal(uv_thread_join(&id), 0);
  assert_int_equal(result, 0);
  memset(bytes, 0, size);
  assert_int_equal(uvf_try_recv(rx, bytes), 0);
  assert_int_equal(bytes[0], 0x5a);
  assert_int_equal(bytes[size - 1], 0x5a);
  uvf_tx_release(tx);
  uvf_rx_release(rx);
  free(bytes);
}

static void case_32_a_refused_item_stays_the_callers(void **state) {
  chan_t c;
  chan_open(&c, state, 1);
  if (c.kind->bit != RENDEZVOUS) fill(&c, 0, 1);
  if ((c.kind->bit & (LIMITED | RENDEZVOUS)) != 0) assert_int_equal(try_send(&c, 0, 1), UV_EAGAIN);
  assert_int_equal(uvf_tx_close(c.tx, 0), 0);
  assert_int_equal(try_send(&c, 0, 2), UV_EPIPE);
  assert_int_equal(uvf_rx_abort(c.rx, 0), 0);
  assert_int_equal(try_send(&c, 0, 3), UV_EPIPE);
  chan_close(&c);
  for (uint32_t seq = 1; seq <= 3; seq++)
    assert_int_equal(drops_of(&c, 0, seq), 0);
}

static void send_n_moves_the_first_that_fit(void **state) {
  chan_t c;
  payload_t in[7], out[7];
  chan_open(&c, state, 4);
  for (uint32_t i = 0; i < 7; i++)
    in[i] = item(0, i);
  int first = c.kind->bit == UNBOUNDED ? 7 : 4;
  assert_int_equal(uvf_try_send_n(c.tx, in, 7), first);
  if (first == 4) {
    assert_int_equal(uvf_try_send_n(c.tx, in + 4, 3), UV_EAGAIN);
    assert_int_equal(uvf_try_recv_n(c.rx, out, 3), 3);
    assert_int_equal(uvf_try_send_n(c.tx, in + 4, 3), 3); /* goes over the end of the array */
    assert_int_equal(uvf_try_recv_n(c.rx, out + 3, 7), 4);
  } else {
    assert_int_equal(uvf_try_recv_n(c.rx, out, 3), 3);
    assert_int_equal(uvf_try_recv_n(c.rx, out + 3, 100), 4);
  }
  assert_memory_equal(in, out, sizeof in);
  assert_int_equal(uvf_try_recv_n(c.rx, out, 7), UV_EAGAIN);
  assert_int_equal(uvf_tx_close(c.tx, UV_EIO), 0);
  assert_int_equal(uvf_try_send_n(c.tx, in, 7), UV_EPIPE);
  assert_int_equal(uvf_try_recv_n(c.rx, out, 7), UV_EIO);
  chan_close(&c);
  assert_int_equal(atomic_load(&c.dropped), 0);
}

/* Runs of all lengths over the ends of blocks and of the array. */
static void send_n_and_recv_n_keep_the_order(void **state) {
  chan_t c;
  payload_t in[300], out[300];
  uint32_t sent = 0, got = 0;
  chan_open(&c, state, 37);
  for (uint32_t step = 1; step <= 300; step++) {
    for (uint32_t i = 0; i < step; i++)
      in[i] = item(0, sent + i);
    int n = uvf_try_send_n(c.tx, in, (int)step);
    assert_true(n > 0 || n == UV_EAGAIN);
    if (n > 0) sent += (uint32_t)n;
    int m = uvf_try_recv_n(c.rx, out, (int)(step % 41 + 1));
    assert_true(m > 0);
    for (int i = 0; i < m; i++)
      assert_true(same(out[i], item(0, got++)));
    assert_int_equal(uvf_rx_len(c.rx), sent - got);
  }
  chan_close(&c);
  assert_int_equal(atomic_load(&c.dropped), sent - got);
}

static void rendezvous_moves_n_items_to_n_waiting_receivers(void **state) {
  chan_t c;
  blocked_t receivers[3];
  payload_t in[5] = {{0, 0}, {0, 1}, {0, 2}, {0, 3}, {0, 4}};
  chan_open(&c, state, 0);
  for (uint32_t i = 0; i < 3; i++)
    start_receiver(&c, &receivers[i], UVF_FOREVER, i + 1);
  assert_int_equal(uvf_try_send_n(c.tx, in, 5), 3);
  for (uint32_t i = 0; i < 3; i++) {
    assert_int_equal(join_blocked(&receivers[i]), 0);
    assert_true(same(receivers[i].item, item(0, i)));
  }
  assert_int_equal(uvf_try_send_n(c.tx, in, 5), UV_EAGAIN);
  chan_close(&c);
  assert_int_equal(atomic_load(&c.dropped), 0);
}

int main(void) {
  static const case_t cases[] = {
      CASE(case_01_full_after_n_sends_until_one_receive, LIMITED),
      CASE(case_02_empty_is_not_closed, ALL | ONESHOT),
      CASE(case_03_order_through_all_capacities, QUEUED),
      CASE(case_05_rendezvous_without_a_receiver_is_full, RENDEZVOUS),
      CASE(case_07_len_after_each_step, QUEUED),
      CASE(case_08_empty_after_each_of_many_messages, QUEUED),
      CASE(case_10_len_does_not_count_the_close, QUEUED),
      CASE(case_11_timeout_0_delivers_what_is_there, QUEUED),
      CASE(case_14_items_of_no_size_are_counted, QUEUED),
      CASE(items_of_every_size, QUEUED),
      CASE(case_15_huge_item_from_a_small_stack, QUEUED),
      CASE(case_32_a_refused_item_stays_the_callers, ALL),
      CASE(send_n_moves_the_first_that_fit, QUEUED),
      CASE(send_n_and_recv_n_keep_the_order, QUEUED),
      CASE(rendezvous_moves_n_items_to_n_waiting_receivers, RENDEZVOUS),
  };
  return RUN_CASES(cases);
}
