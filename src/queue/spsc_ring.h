/* SPDX-License-Identifier: MIT */
/* Bounded queue, one sender and one receiver at a time, wait-free, without read-modify-writes. */
#ifndef UVF_QUEUE_SPSC_RING_H
#define UVF_QUEUE_SPSC_RING_H

#include "queue/queue.h"

/* capacity: 1 .. 2^31 items, any number. Fields of one side are touched by the thread that plays it. */
typedef struct {
  uvf__queue_t base;
  uint64_t mask, capacity;
  uint64_t origin; /* the first position */
  char *items;
  uint32_t few; /* constant: fewer items than this are few, where a side looks for more */
  a_u32 how;    /* UVF__CLOSED, UVF__ABORTED; written by closers */
  a_u64 end;    /* the last position + 1, once closing is settled; else NOT_SETTLED */
  _Alignas(
      UVF_CACHE_LINE) a_u64 tail; /* sender writes; alone, since a receiver that waits for it keeps taking the line */
  _Alignas(UVF_CACHE_LINE) a_u32 busy; /* sender writes: it is between its look at `how` and its store of tail */
  a_u32 held;                          /* sender writes: permits out */
  bool sender_few;                     /* sender: its last look at head found little room */
  uint64_t head_seen;                  /* sender: head, as last loaded */
  _Alignas(UVF_CACHE_LINE) a_u64 head; /* receiver writes: positions below it are free; alone, like tail */
  _Alignas(
      UVF_CACHE_LINE) a_u64 taken; /* receiver writes: positions below it are taken out, some perhaps still on loan */
  bool receiver_few;               /* receiver: its last look at tail found few items */
  uint64_t tail_seen;              /* receiver: tail, as last loaded */
} uvf__spsc_ring_t;

/* 0 or UV_ENOMEM. */
int uvf__spsc_ring_init(uvf__spsc_ring_t *q, size_t item_size, size_t capacity, uint64_t start);

#endif
