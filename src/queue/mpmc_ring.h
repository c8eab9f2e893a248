/* SPDX-License-Identifier: MIT */
/* Bounded queue, many senders and many receivers, lock-free. */
#ifndef UVF_QUEUE_MPMC_RING_H
#define UVF_QUEUE_MPMC_RING_H

#include "queue/queue.h"

/* capacity: 1 .. 2^31 items, any number. */
typedef struct {
  uvf__queue_t base;
  uint64_t mask;      /* slots - 1; slots is the power of two >= capacity */
  uint32_t lap_shift; /* log2 of slots */
  uint64_t slack;     /* slots - capacity */
  uint64_t origin;    /* the first position */
  a_u32 *stamps;
  char *items;
  _Alignas(UVF_CACHE_LINE) a_u64 tail; /* written by senders */
  _Alignas(UVF_CACHE_LINE) a_u64 head; /* written by receivers */
} uvf__mpmc_ring_t;

/* `start` is the first position, so that a test can stand right before the counters wrap. 0 or UV_ENOMEM. */
int uvf__mpmc_ring_init(uvf__mpmc_ring_t *q, size_t item_size, size_t capacity, uint64_t start);

#endif
