/* SPDX-License-Identifier: MIT */
/* Memory of flowvars, kept for the next ones. A burst of them would otherwise take pages from the system and give them back, which
 * costs more than all the rest. Each executor has its own; it goes with the executor, which gets a unit for all that is out. */
#ifndef UVF_TASK_BLOCKS_H
#define UVF_TASK_BLOCKS_H

#include <stddef.h>

#include "base/thread.h"

#define UVF__BLOCK_STEP ((size_t)64) /* sizes are rounded up to this */
#define UVF__BLOCK_SIZES 16          /* so many of them are kept: 64 to 1024 bytes */

/* Bytes that one executor keeps at the most. Tests that count memory set it to 0, before anything else. */
extern size_t uvf__blocks_most;

typedef struct {
  uvf__mutex_t lock;
  /* under lock */
  void *free[UVF__BLOCK_SIZES]; /* each begins with the address of the next */
  size_t kept;                  /* bytes */
  size_t out;                   /* blocks that were taken and not given back */
} uvf__blocks_t;

/* 0 or UV_ENOMEM. Zeroed memory. */
int uvf__blocks_init(uvf__blocks_t *b);
void uvf__blocks_destroy(uvf__blocks_t *b);

/* Zeroed, and on a line of its own; NULL: no memory. *first: it is the only one that is out. */
void *uvf__blocks_take(uvf__blocks_t *b, size_t size, bool *first);

/* True: it was the only one that was out. */
bool uvf__blocks_give(uvf__blocks_t *b, void *block, size_t size);

#endif
