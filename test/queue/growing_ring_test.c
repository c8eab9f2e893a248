/* SPDX-License-Identifier: MIT */
/* locked_ring without bound: the suite. */
#include "queue/queue_suite.h"

#include "queue/locked_ring.h"

static int init(void *memory, size_t item_size, size_t capacity, uint64_t start) {
  (void)capacity;
  return uvf__locked_ring_init(memory, item_size, UVF__LOCKED_RING_GROWS, start);
}

static const queue_kind_t kind = {UNBOUNDED | SHARED, sizeof(uvf__locked_ring_t), init};

int main(void) {
  return queue_suite_run(&kind, NULL, 0);
}
