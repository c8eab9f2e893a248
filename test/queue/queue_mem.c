/* SPDX-License-Identifier: MIT */
/* Cases of the suite: memory that is not there, that is reused, and that is given back. */
#include "queue/queue_suite.h"

static void init_fails_at_each_allocation_and_leaves_nothing(void **state) {
  const queue_kind_t *kind = *state;
  for (unsigned n = 1;; n++) {
    void *memory = queue_memory(kind);
    long blocks = fault_blocks();
    fault_at(n);
    int r = kind->init(memory, 16, 100, 0);
    fault_at(0);
    if (r == 0) {
      ((uvf__queue_t *)memory)->ops->destroy(memory);
      free(memory);
      assert_true(n > 1 || (kind->traits & UNBOUNDED) != 0); /* which may allocate at the first send */
      return;
    }
    assert_int_equal(r, UV_ENOMEM);
    assert_int_equal(fault_blocks(), blocks);
    free(memory);
  }
}

static void a_size_that_overflows_is_refused(void **state) {
  static const struct {
    size_t item, capacity;
  } sizes[] = {{SIZE_MAX, 1}, {SIZE_MAX / 2, 2}, {SIZE_MAX / 4, 8}, {SIZE_MAX - 100, 1 << 20}, {SIZE_MAX / 2 + 1, 4}};
  const queue_kind_t *kind = *state;
  void *memory = queue_memory(kind);
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
    assert_int_equal(kind->init(memory, sizes[i].item, sizes[i].capacity, 0), UV_ENOMEM);
  free(memory);
}

static void a_bounded_queue_allocates_only_at_first(void **state) {
  queue_t t;
  queue_open(&t, state, 8, 100, ANYWHERE);
  unsigned long before = fault_allocations();
  for (int i = 0; i < 1000; i++) {
    (void)queue_send(&t, 70);
    (void)queue_recv(&t, 70);
  }
  assert_int_equal(fault_allocations(), before);
  queue_close(&t);
}

/* ---- blocks ---- */

static const size_t block_sizes[] = {0, 4, 16, 24, 100, 5000};
enum { BLOCK_SIZES = sizeof block_sizes / sizeof block_sizes[0] };

static void without_memory_sends_fail_and_nothing_is_lost(void **state) {
  for (size_t i = 0; i < BLOCK_SIZES; i++) {
    queue_t t;
    queue_open(&t, state, block_sizes[i], 0, ANYWHERE);
    for (int round = 0; round < 3; round++) {
      int r;
      fault_from(1);
      while ((r = queue_send(&t, 1)) == 1)
        assert_true(t.in < 10000);
      assert_int_equal(r, UV_ENOMEM);
      assert_int_equal(queue_send(&t, 3), UV_ENOMEM);
      queue_expect_len(&t, t.in - t.out);
      fault_at(0);
      assert_int_equal(queue_send(&t, 10), 10); /* and goes on as if nothing had been */
    }
    queue_close(&t);
  }
}

static void of_several_items_go_in_as_many_as_there_is_memory_for(void **state) {
  queue_t t;
  queue_open(&t, state, 16, 0, ANYWHERE);
  assert_int_equal(queue_send(&t, 1), 1);
  fault_from(1);
  int r = queue_send(&t, 2000);
  assert_in_range(r, 1, 1999);
  fault_from(2);
  int more = queue_send(&t, 2000);
  assert_in_range(more, 1, 1999);
  fault_at(0);
  assert_int_equal(queue_send(&t, 2000), 2000);
  queue_expect_len(&t, (uint32_t)(1 + r + more + 2000));
  queue_close(&t);
}

static void without_memory_a_permit_is_kept(void **state) {
  queue_t t;
  queue_open(&t, state, 16, 0, ANYWHERE);
  assert_int_equal(queue_reserve(&t), 0);
  fault_from(1);
  while (queue_send(&t, 1) == 1)
    assert_true(t.in < 10000);
  int r = queue_send_held(&t); /* its room may have been allocated with it */
  assert_int_equal(r == 0 ? 0 : queue_send_held(&t), r);
  fault_at(0);
  queue_shut(&t, UVF__CLOSED);
  assert_true(r == 0 || (r == UV_ENOMEM && queue_send_held(&t) == 0));
  while (queue_recv(&t, 100) > 0)
    ;
  assert_int_equal(queue_recv(&t, 1), UV_EOF);
  queue_close(&t);
}

/* A queue of up to `length` items, about a block at most: that is what two spare blocks are enough for. */
static void steady(void **state, size_t size, int length) {
  queue_t t;
  unsigned long before = 0;
  queue_open(&t, state, size, 0, ANYWHERE);
  for (int i = 0; i < 6000 / length + 10; i++) {
    uvf__run_t run;
    if (i == 3000 / length + 5) before = fault_allocations();
    for (int n = 0; n < length; n++)
      assert_int_equal(queue_send(&t, 1), 1);
    while (t.q->ops->lends && queue_claim(&t, &run, 1 + i % 5) > 0)
      queue_give_back(&t, &run);
    while (queue_recv(&t, 3) > 0)
      ;
  }
  assert_int_equal(fault_allocations(), before);
  queue_close(&t);
}

static void in_steady_state_its_memory_is_reused(void **state) {
  for (size_t i = 0; i < BLOCK_SIZES; i++) {
    steady(state, block_sizes[i], 1);
    steady(state, block_sizes[i], 3); /* nearly the smallest block */
    if (block_sizes[i] <= 16) steady(state, block_sizes[i], 200);
  }
}

static void the_memory_of_a_burst_is_given_back(void **state) {
  for (size_t i = 0; i < BLOCK_SIZES; i++) {
    queue_t t;
    long before = fault_bytes(), blocks = fault_blocks(), most;
    queue_open(&t, state, block_sizes[i], 0, ANYWHERE);
    for (int n = 0; n < 5000; n += 50)
      assert_int_equal(queue_send(&t, 50), 50);
    most = fault_bytes() - before;
    while (queue_recv(&t, 50) > 0)
      ;
    /* The block that is being filled, the one installed ahead, and two to spare. */
    assert_in_range(fault_bytes() - before, 0, 4 * (block_sizes[i] < 1000 ? 16384 : 32768));
    assert_true(fault_bytes() - before < most / 2);
    assert_in_range(fault_blocks() - blocks, 0, 4);
    queue_close(&t);
  }
}

static void an_idle_queue_is_small(void **state) {
  queue_t t;
  long before = fault_bytes();
  queue_open(&t, state, 16, 0, 0);
  assert_in_range(fault_bytes() - before, 0, 512);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(queue_send(&t, 1), 1);
    assert_int_equal(queue_recv(&t, 1), 1);
  }
  assert_in_range(fault_bytes() - before, 0, 512);
  queue_close(&t);
}

static void a_loan_outlives_its_block_s_turn(void **state) {
  queue_t t;
  uvf__run_t run;
  queue_open(&t, state, 16, 0, ANYWHERE);
  assert_int_equal(queue_send(&t, 3), 3);
  assert_int_equal(queue_claim(&t, &run, 2), 2);
  for (int i = 0; i < 100; i++) {
    assert_int_equal(queue_send(&t, 50), 50);
    assert_int_equal(queue_recv(&t, 50), 50);
  }
  assert_true(item_is(run.items, 16, 0));
  assert_true(item_is((char *)run.items + 16, 16, 1));
  queue_give_back(&t, &run);
  queue_close(&t);
}

static const queue_case_t cases[] = {
    CASE(init_fails_at_each_allocation_and_leaves_nothing, 0),
    CASE(a_size_that_overflows_is_refused, 0),
    CASE(a_bounded_queue_allocates_only_at_first, BOUNDED),
    CASE(without_memory_sends_fail_and_nothing_is_lost, UNBOUNDED),
    CASE(of_several_items_go_in_as_many_as_there_is_memory_for, UNBOUNDED),
    CASE(without_memory_a_permit_is_kept, UNBOUNDED),
    CASE(in_steady_state_its_memory_is_reused, UNBOUNDED),
    CASE(the_memory_of_a_burst_is_given_back, UNBOUNDED),
    CASE(an_idle_queue_is_small, UNBOUNDED),
    CASE(a_loan_outlives_its_block_s_turn, UNBOUNDED | LENDS),
};

queue_part_t queue_memory_cases(void) {
  return (queue_part_t){cases, sizeof cases / sizeof cases[0]};
}
