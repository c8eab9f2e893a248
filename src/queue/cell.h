/* SPDX-License-Identifier: MIT */
/* Queue of one item in its life: a send fills it and closes it at once. What a one-shot channel and a flowvar are made of. */
#ifndef UVF_QUEUE_CELL_H
#define UVF_QUEUE_CELL_H

#include "queue/queue.h"

typedef struct {
  uvf__queue_t base;
  void *item; /* constant */
  a_u32 word;
} uvf__cell_t;

/* `item`: item_size bytes, not owned. */
void uvf__cell_init(uvf__cell_t *q, size_t item_size, void *item);

/* By the only sender there is, who has written the item in its place: 0, or UV_EPIPE once aborted (the item is still its own). */
int uvf__cell_fill(uvf__cell_t *q);

/* 0: it was filled, whether or not the item was taken since; UV_EOF: it was closed before, and will never be; else UV_EAGAIN. */
int uvf__cell_state(uvf__cell_t *q);

/* Was it the item that closed it, and nobody before? */
bool uvf__cell_closed_itself(uvf__cell_t *q);

#endif
