/* SPDX-License-Identifier: MIT */
/* Queue under a mutex of its own, bounded or not: plain enough to be the reference for the others, the one that can move its
 * oldest item out for a newer one (DROP_OLDEST), and the only one in builds without atomics. */
#ifndef UVF_QUEUE_LOCKED_RING_H
#define UVF_QUEUE_LOCKED_RING_H

#include "base/thread.h"
#include "queue/queue.h"

/* As capacity: without bound. */
#define UVF__LOCKED_RING_GROWS SIZE_MAX

typedef struct {
  uvf__queue_t base;
  size_t capacity; /* constant */
  uint64_t origin; /* the first position */
  uvf__mutex_t lock;
  /* under lock */
  size_t slots; /* = capacity; or what has been needed so far */
  char *items;
  uint64_t tail, head; /* positions; item p lies in slot p % slots */
  uint32_t held;       /* permits that are out */
  int how;             /* how far closing has gone */
} uvf__locked_ring_t;

/* `start` is the first position. 0 or UV_ENOMEM. */
int uvf__locked_ring_init(uvf__locked_ring_t *q, size_t item_size, size_t capacity, uint64_t start);

/* Moves one item in; if the queue is full, the oldest goes to *evicted first (NULL: nowhere). 0, or 1: one was evicted, or
 * UV_EPIPE, UV_ENOMEM, or UV_EAGAIN: all room is held by permits. */
int uvf__locked_ring_replace(uvf__locked_ring_t *q, const void *item, void *evicted);

#endif
