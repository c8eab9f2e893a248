/* SPDX-License-Identifier: MIT */
/* mpmc_ring: the suite, and what only a shared ring can show. */
#include "queue/queue_suite.h"

#include "queue/mpmc_ring.h"

static int init(void *memory, size_t item_size, size_t capacity, uint64_t start) {
  return uvf__mpmc_ring_init(memory, item_size, capacity, start);
}

static const queue_kind_t kind = {BOUNDED | SHARED | LENDS, sizeof(uvf__mpmc_ring_t), init};

/* The stamps of a slot count laps in 32 bits: the laps around their end must not be taken for one another. */
static void stamps_wrap_in_a_ring_of_few_slots(void **state) {
  for (size_t capacity = 1; capacity <= 4; capacity++)
    for (uint64_t before = 0; before < 12; before++) {
      queue_t t;
      queue_open(&t, state, 8, capacity, (UINT64_C(1) << (capacity <= 2 ? 30 + capacity : 33)) - before);
      for (int i = 0; i < 40; i++) {
        assert_int_equal(queue_send(&t, 5), capacity);
        assert_int_equal(queue_send(&t, 1), UV_EAGAIN);
        assert_int_equal(queue_recv(&t, 5), capacity);
        assert_int_equal(queue_recv(&t, 1), UV_EAGAIN);
      }
      queue_close(&t);
    }
}

/* In a ring of more than 2^17 slots the 48 bits of a position end before the 32 bits of a stamp do. */
static void positions_wrap_in_a_large_ring(void **state) {
  queue_t t;
  queue_open(&t, state, 4, 200000, (UINT64_C(1) << 48) - 1500);
  for (int i = 0; i < 600; i++) {
    assert_int_equal(queue_send(&t, 1000), 1000);
    assert_int_equal(queue_recv(&t, 1000), 1000);
  }
  queue_close(&t);
}

int main(void) {
  static const queue_case_t own[] = {
      CASE(stamps_wrap_in_a_ring_of_few_slots, 0),
      CASE(positions_wrap_in_a_large_ring, 0),
  };
  return queue_suite_run(&kind, own, sizeof own / sizeof own[0]);
}
