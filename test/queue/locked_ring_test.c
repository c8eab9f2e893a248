/* SPDX-License-Identifier: MIT */
/* locked_ring: the suite, and the item that makes room for a newer one. */
#include "queue/queue_suite.h"

#include "queue/locked_ring.h"

static int init(void *memory, size_t item_size, size_t capacity, uint64_t start) {
  return uvf__locked_ring_init(memory, item_size, capacity, start);
}

static const queue_kind_t kind = {BOUNDED | SHARED, sizeof(uvf__locked_ring_t), init};

static int replace(queue_t *t, uint32_t number, uint32_t *evicted) {
  uint32_t item = number;
  *evicted = UINT32_MAX;
  return uvf__locked_ring_replace((uvf__locked_ring_t *)t->q, &item, evicted);
}

static void the_oldest_makes_room_and_the_newest_stays(void **state) {
  for (uint32_t capacity = 1; capacity <= 20; capacity++) {
    queue_t t;
    uint32_t evicted;
    queue_open(&t, state, 4, capacity, ANYWHERE);
    for (uint32_t i = 0; i < 5 * capacity; i++) {
      assert_int_equal(replace(&t, i, &evicted), i < capacity ? 0 : 1);
      assert_int_equal(evicted, i < capacity ? UINT32_MAX : i - capacity);
    }
    for (uint32_t i = 4 * capacity; i < 5 * capacity; i++) {
      uint32_t item;
      assert_int_equal(t.q->ops->recv(t.q, &item, 1), 1);
      assert_int_equal(item, i);
    }
    queue_close(&t);
  }
}

static void a_permit_is_never_evicted(void **state) {
  queue_t t;
  uint32_t evicted;
  queue_open(&t, state, 4, 2, ANYWHERE);
  assert_int_equal(queue_reserve(&t), 0);
  assert_int_equal(replace(&t, 0, &evicted), 0);
  assert_int_equal(replace(&t, 1, &evicted), 1);
  assert_int_equal(evicted, 0);
  uint32_t item;
  assert_int_equal(t.q->ops->recv(t.q, &item, 1), 1);
  assert_int_equal(item, 1);
  assert_int_equal(queue_reserve(&t), 0);
  assert_int_equal(replace(&t, 2, &evicted), UV_EAGAIN);
  queue_shut(&t, UVF__CLOSED);
  assert_int_equal(replace(&t, 3, &evicted), UV_EPIPE);
  queue_unreserve(&t);
  queue_unreserve(&t);
  assert_int_equal(t.q->ops->recv(t.q, &item, 1), UV_EOF);
  queue_close(&t);
}

int main(void) {
  static const queue_case_t own[] = {
      CASE(the_oldest_makes_room_and_the_newest_stays, 0),
      CASE(a_permit_is_never_evicted, 0),
  };
  return queue_suite_run(&kind, own, sizeof own / sizeof own[0]);
}
