/* SPDX-License-Identifier: MIT */
/* Cases of the suite: order, room, batches, loans, counts, item sizes, and positions that wrap. */
#include "queue/queue_suite.h"

static void empty_says_so(void **state) {
  queue_t t;
  uvf__run_t run;
  queue_open(&t, state, 8, 4, ANYWHERE);
  assert_int_equal(queue_recv(&t, 1), UV_EAGAIN);
  assert_int_equal(queue_recv(&t, 3), UV_EAGAIN);
  assert_int_equal(queue_claim(&t, &run, 3), UV_EAGAIN);
  assert_false(queue_readable(&t));
  queue_expect_len(&t, 0);
  queue_close(&t);
}

static void first_in_first_out_through_every_capacity(void **state) {
  for (size_t capacity = 1; capacity <= 200; capacity++) {
    queue_t t;
    queue_open(&t, state, 4, capacity, ANYWHERE);
    for (uint32_t total = (uint32_t)(3 * capacity + 5); t.out < total;) {
      while (t.in - t.out < capacity && t.in < total)
        assert_int_equal(queue_send(&t, 1), 1);
      for (size_t i = 0; i < (capacity + 1) / 2 && t.out < t.in; i++)
        assert_int_equal(queue_recv(&t, 1), 1);
    }
    queue_close(&t);
  }
}

static void full_and_empty_are_exact_at_every_capacity(void **state) {
  for (size_t capacity = 1; capacity <= 200; capacity++) {
    queue_t t;
    queue_open(&t, state, 4, capacity, ANYWHERE - capacity / 2);
    for (int round = 0; round < 3; round++) {
      for (size_t i = 0; i < capacity; i++)
        assert_int_equal(queue_send(&t, 1), 1);
      assert_int_equal(queue_send(&t, 1), UV_EAGAIN);
      assert_int_equal(queue_recv(&t, 1), 1);
      assert_int_equal(queue_send(&t, 1), 1);
      assert_int_equal(queue_send(&t, 1), UV_EAGAIN);
      for (size_t i = 0; i < capacity; i++)
        assert_int_equal(queue_recv(&t, 1), 1);
      assert_int_equal(queue_recv(&t, 1), UV_EAGAIN);
    }
    queue_close(&t);
  }
}

/* `there` items are in a queue of `capacity`; n more are sent. */
static void send_into(void **state, int capacity, int there, int n) {
  queue_t t;
  int left = capacity - there;
  queue_open(&t, state, 4, (size_t)capacity, ANYWHERE);
  for (int i = 0; i < there; i++)
    assert_int_equal(queue_send(&t, 1), 1);
  assert_int_equal(queue_send(&t, n), left == 0 ? UV_EAGAIN : n < left ? n : left);
  queue_expect_len(&t, (uint32_t)(there + n < capacity ? there + n : capacity));
  queue_close(&t);
}

static void several_go_in_as_far_as_there_is_room(void **state) {
  for (int capacity = 1; capacity <= 17; capacity++)
    for (int there = 0; there <= capacity; there++)
      for (int n = 1; n <= 20; n++)
        send_into(state, capacity, there, n);
}

static void an_unbounded_send_of_several_goes_in_whole(void **state) {
  queue_t t;
  queue_open(&t, state, 8, 0, ANYWHERE);
  for (int n = 1; n <= 2000; n = n * 3 + 1) {
    assert_int_equal(queue_send(&t, n), n);
    queue_expect_len(&t, t.in - t.out);
    if (n % 2 == 0) assert_int_equal(queue_recv(&t, n / 2), n / 2);
  }
  queue_close(&t);
}

static void several_come_out_as_many_as_are_there(void **state) {
  for (int there = 1; there <= 40; there++)
    for (int n = 1; n <= 45; n += 4) {
      queue_t t;
      queue_open(&t, state, 4, 40, ANYWHERE - (uint64_t)there / 2);
      assert_int_equal(queue_send(&t, there), there);
      assert_int_equal(queue_recv(&t, n), n < there ? n : there);
      queue_expect_len(&t, (uint32_t)(n < there ? there - n : 0));
      queue_close(&t);
    }
}

/* Single items, batches and loans in turn, over some laps. */
static void mixed_traffic(void **state, size_t size, size_t capacity, uint64_t start, uint32_t total) {
  queue_t t;
  queue_open(&t, state, size, capacity, start);
  for (int step = 0; t.out < total; step++) {
    uvf__run_t run;
    int n = 1 + step * 7 % 11;
    if (t.in - t.out < 3 * capacity) (void)queue_send(&t, n);
    if (step % 3 == 0)
      (void)queue_recv(&t, n);
    else if (step % 3 == 1)
      (void)queue_recv(&t, 1);
    else if (!t.q->ops->lends)
      (void)queue_recv(&t, n);
    else if (queue_claim(&t, &run, n) > 0)
      queue_give_back(&t, &run);
    queue_expect_len(&t, t.in - t.out);
  }
  queue_close(&t);
}

static void items_of_every_size_come_out_as_they_went_in(void **state) {
  static const size_t sizes[] = {0, 1, 2, 3, 4, 5, 7, 8, 12, 16, 17, 24, 31, 32, 33, 64, 100, 5000};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    mixed_traffic(state, sizes[i], 1, ANYWHERE, 50);
    mixed_traffic(state, sizes[i], 7, ANYWHERE, 100);
    mixed_traffic(state, sizes[i], 64, ANYWHERE, sizes[i] < 1000 ? 700 : 100);
  }
}

/* Neither a send nor a receive reads or writes past the items it is given: the bytes around them stay. */
static void nothing_but_the_item_is_touched(void **state) {
  static const size_t sizes[] = {0, 1, 3, 4, 8, 16, 24, 32, 100};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    queue_t t;
    unsigned char out[200];
    queue_open(&t, state, sizes[i], 2, ANYWHERE);
    assert_int_equal(queue_send(&t, 1), 1);
    memset(out, 0xee, sizeof out);
    assert_int_equal(t.q->ops->recv(t.q, out + 8, 1), 1);
    t.out++;
    assert_true(item_is(out + 8, sizes[i], 0));
    for (size_t b = 0; b < sizeof out; b++)
      if (b < 8 || b >= 8 + sizes[i]) assert_int_equal(out[b], 0xee);
    queue_close(&t);
  }
}

static void positions_wrap_at_any_place_of_a_ring(void **state) {
  static const size_t capacities[] = {1, 2, 3, 4, 7, 8, 13};
  for (size_t i = 0; i < sizeof capacities / sizeof capacities[0]; i++)
    for (uint64_t before = 0; before <= 40; before++) {
      mixed_traffic(state, 4, capacities[i], (UINT64_C(1) << 32) - before, 90);
      mixed_traffic(state, 4, capacities[i], (UINT64_C(1) << 48) - 1 - before, 90);
    }
}

static void positions_wrap_in_the_middle_of_a_batch(void **state) {
  for (uint64_t before = 0; before <= 300; before += 13) {
    queue_t t;
    queue_open(&t, state, 4, 300, (UINT64_C(1) << 48) - 1 - before);
    assert_int_equal(queue_send(&t, 250), 250);
    assert_int_equal(queue_recv(&t, 249), 249);
    assert_int_equal(queue_send(&t, 299), 299);
    queue_expect_len(&t, 300);
    assert_int_equal(queue_recv(&t, 300), 300);
    queue_close(&t);
  }
}

/* ---- loans ---- */

static void what_is_on_loan_is_not_in_the_queue_but_takes_its_room(void **state) {
  queue_t t;
  uvf__run_t run;
  queue_open(&t, state, 8, 4, 0);
  assert_int_equal(queue_send(&t, 4), 4);
  assert_int_equal(queue_claim(&t, &run, 2), 2);
  queue_expect_len(&t, 2);
  assert_int_equal(queue_send(&t, 1), UV_EAGAIN);
  queue_give_back(&t, &run);
  queue_expect_len(&t, 2);
  assert_int_equal(queue_send(&t, 3), 2);
  queue_close(&t);
}

static void a_loan_is_contiguous_and_loses_nothing_at_the_end_of_the_memory(void **state) {
  for (size_t capacity = 1; capacity <= 20; capacity++) {
    queue_t t;
    queue_open(&t, state, 3, capacity, ANYWHERE);
    for (int step = 0; step < 60; step++) {
      uvf__run_t run;
      (void)queue_send(&t, 1 + step % 9);
      while (queue_claim(&t, &run, 5) > 0)
        queue_give_back(&t, &run);
      assert_int_equal(t.in, t.out);
    }
    queue_close(&t);
  }
}

static void a_loan_keeps_its_bytes_until_it_is_given_back(void **state) {
  queue_t t;
  uvf__run_t run;
  queue_open(&t, state, 24, 8, 0);
  assert_int_equal(queue_send(&t, 8), 8);
  assert_int_equal(queue_claim(&t, &run, 4), 4);
  assert_int_equal(queue_recv(&t, 4), 4);
  (void)queue_send(&t, 8);
  for (uint32_t i = 0; i < 4; i++)
    assert_true(item_is((char *)run.items + i * 24, 24, i));
  queue_give_back(&t, &run);
  queue_close(&t);
}

/* In the callback that has one loan another one is made, and given back first. */
static void a_loan_within_a_loan(void **state) {
  queue_t t;
  uvf__run_t outer, inner;
  queue_open(&t, state, 8, 6, 0);
  assert_int_equal(queue_send(&t, 6), 6);
  assert_int_equal(queue_claim(&t, &outer, 2), 2);
  assert_int_equal(queue_claim(&t, &inner, 3), 3);
  queue_expect_len(&t, 1);
  assert_int_equal(queue_send(&t, 1), UV_EAGAIN);
  queue_give_back(&t, &inner);
  assert_int_equal(queue_send(&t, 1), UV_EAGAIN); /* the older one is still out */
  queue_give_back(&t, &outer);
  assert_int_equal(queue_send(&t, 6), 5);
  queue_expect_len(&t, 6);
  queue_close(&t);
}

static void a_receive_within_a_loan_gets_the_next_and_frees_no_room_before_it(void **state) {
  queue_t t;
  uvf__run_t run;
  queue_open(&t, state, 8, 4, 0);
  assert_int_equal(queue_send(&t, 4), 4);
  assert_int_equal(queue_claim(&t, &run, 2), 2);
  assert_int_equal(queue_recv(&t, 1), 1);
  assert_int_equal(queue_send(&t, 1), UV_EAGAIN);
  queue_give_back(&t, &run);
  assert_int_equal(queue_send(&t, 4), 3);
  queue_close(&t);
}

static void loans_come_back_in_any_order(void **state) {
  static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  for (int o = 0; o < 6; o++) {
    queue_t t;
    uvf__run_t runs[3];
    queue_open(&t, state, 8, 6, 0);
    assert_int_equal(queue_send(&t, 6), 6);
    for (int i = 0; i < 3; i++)
      assert_int_equal(queue_claim(&t, &runs[i], 2), 2);
    assert_int_equal(queue_recv(&t, 1), UV_EAGAIN);
    for (int i = 0; i < 3; i++)
      queue_give_back(&t, &runs[orders[o][i]]);
    assert_int_equal(queue_send(&t, 6), 6);
    queue_close(&t);
  }
}

static void room_comes_back_in_the_order_of_the_items(void **state) {
  queue_t t;
  uvf__run_t first, second;
  queue_open(&t, state, 8, 4, 0);
  assert_int_equal(queue_send(&t, 4), 4);
  assert_int_equal(queue_claim(&t, &first, 2), 2);
  assert_int_equal(queue_claim(&t, &second, 2), 2);
  queue_give_back(&t, &second);
  assert_int_equal(queue_send(&t, 1), UV_EAGAIN);
  queue_give_back(&t, &first);
  assert_int_equal(queue_send(&t, 5), 4);
  queue_close(&t);
}

static const queue_case_t cases[] = {
    CASE(empty_says_so, 0),
    CASE(first_in_first_out_through_every_capacity, 0),
    CASE(full_and_empty_are_exact_at_every_capacity, BOUNDED),
    CASE(several_go_in_as_far_as_there_is_room, BOUNDED),
    CASE(an_unbounded_send_of_several_goes_in_whole, UNBOUNDED),
    CASE(several_come_out_as_many_as_are_there, 0),
    CASE(items_of_every_size_come_out_as_they_went_in, 0),
    CASE(nothing_but_the_item_is_touched, 0),
    CASE(positions_wrap_at_any_place_of_a_ring, 0),
    CASE(positions_wrap_in_the_middle_of_a_batch, BOUNDED),
    CASE(what_is_on_loan_is_not_in_the_queue_but_takes_its_room, BOUNDED | LENDS),
    CASE(a_loan_is_contiguous_and_loses_nothing_at_the_end_of_the_memory, LENDS),
    CASE(a_loan_keeps_its_bytes_until_it_is_given_back, LENDS),
    CASE(a_loan_within_a_loan, BOUNDED | LENDS),
    CASE(a_receive_within_a_loan_gets_the_next_and_frees_no_room_before_it, BOUNDED | LENDS),
    CASE(loans_come_back_in_any_order, SHARED | LENDS),
    CASE(room_comes_back_in_the_order_of_the_items, BOUNDED | SHARED | LENDS),
};

queue_part_t queue_flow_cases(void) {
  return (queue_part_t){cases, sizeof cases / sizeof cases[0]};
}
