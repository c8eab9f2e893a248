/* SPDX-License-Identifier: MIT */
/* Unbounded queue, many senders and many receivers: lock-free for senders, a short lock among receivers. */
#ifndef UVF_QUEUE_BLOCK_LIST_H
#define UVF_QUEUE_BLOCK_LIST_H

#include "base/thread.h"
#include "queue/queue.h"

typedef struct uvf__block_s uvf__block_t;

typedef struct {
  /* receivers, and senders once per lap */
  uvf__queue_t base;
  uint64_t origin; /* the first position */
  uvf__mutex_t lock;
  a_u64 head;                         /* written under lock */
  uvf__block_t *first, *last, *spare; /* under lock; first: NULL until the first send */
  int spares;                         /* under lock */

  /* senders; what is constant here is in their line, so that they need no other one */
  _Alignas(UVF_CACHE_LINE) a_u64 tail;
  a_u64 installed;           /* newest lap that has a block; once per lap */
  A_PTR(uvf__block_t) at[2]; /* by lap parity */
  size_t item_size;
  uint32_t lap_bits; /* a block has 1 << lap_bits slots (the first one fewer) */
} uvf__block_list_t;

/* `start` is the first position (rounded to where a short first block begins). 0 or UV_ENOMEM. */
int uvf__block_list_init(uvf__block_list_t *q, size_t item_size, uint64_t start);

#endif
