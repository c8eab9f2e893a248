/* SPDX-License-Identifier: MIT */
/* Unbounded queue, many senders and many receivers: lock-free for senders, a short lock among receivers. */
#ifndef UVF_QUEUE_BLOCK_LIST_H
#define UVF_QUEUE_BLOCK_LIST_H

#include "base/thread.h"
#include "queue/queue.h"

typedef struct uvf__block_s uvf__block_t;

typedef struct {
  uvf__queue_t base;
  uint32_t lap_bits;                          /* a block has 1 << lap_bits slots (the first one fewer) */
  uint64_t origin;                            /* the first position */
  _Alignas(UVF_CACHE_LINE) a_u64 tail;        /* written by senders */
  _Alignas(UVF_CACHE_LINE) a_u64 installed;   /* newest lap that has a block; once per lap */
  A_PTR(uvf__block_t) at[2];                  /* by lap parity */
  _Alignas(UVF_CACHE_LINE) uvf__mutex_t lock; /* receivers; and senders, once per lap */
  a_u64 head;                                 /* written under lock */
  uvf__block_t *first, *last, *spare;         /* under lock */
  int spares;                                 /* under lock */
} uvf__block_list_t;

/* `start` is the first position (rounded to where a short first block begins). 0 or UV_ENOMEM. */
int uvf__block_list_init(uvf__block_list_t *q, size_t item_size, uint64_t start);

#endif
