/* SPDX-License-Identifier: MIT */
/* Memory of flowvars: blocks.h. */
#include "task/blocks.h"

#include <string.h>

#include "base/alloc.h"
#include "base/atomic.h"

#ifndef UVF__BLOCKS_KEPT
#define UVF__BLOCKS_KEPT ((size_t)16 << 20)
#endif

size_t uvf__blocks_most = UVF__BLOCKS_KEPT;

static size_t rounded(size_t size) {
  return (size + UVF__BLOCK_STEP - 1) / UVF__BLOCK_STEP * UVF__BLOCK_STEP;
}

/* Which list; UVF__BLOCK_SIZES: none. */
static size_t list_of(size_t size) {
  size_t i = (size + UVF__BLOCK_STEP - 1) / UVF__BLOCK_STEP;
  return i == 0 || i > UVF__BLOCK_SIZES ? UVF__BLOCK_SIZES : i - 1;
}

int uvf__blocks_init(uvf__blocks_t *b) {
  return uvf__mutex_init(&b->lock);
}

static void *pop(uvf__blocks_t *b, size_t i) {
  void *block = b->free[i];
  if (block != NULL) memcpy(&b->free[i], block, sizeof(void *));
  return block;
}

void uvf__blocks_destroy(uvf__blocks_t *b) {
  for (size_t i = 0; i < UVF__BLOCK_SIZES; i++)
    for (void *block; (block = pop(b, i)) != NULL;)
      uvf__free_line(block);
  uvf__mutex_destroy(&b->lock);
}

/* Asks for the lines of the one that will be taken next, while this one is being filled. */
static void ask_ahead(const void *next, size_t size) {
  if (next == NULL) return;
  for (size_t at = 0; at < size; at += UVF_CACHE_LINE)
    uvf__prefetch_write((const char *)next + at);
}

/* One that was kept, or NULL. */
static void *take_kept(uvf__blocks_t *b, size_t size, bool *first) {
  size_t i = list_of(size);
  if (i == UVF__BLOCK_SIZES) return NULL;
  uvf__lock(&b->lock);
  void *block = pop(b, i);
  if (block != NULL) {
    b->kept -= rounded(size);
    *first = b->out++ == 0;
  }
  void *next = b->free[i];
  uvf__unlock(&b->lock);
  ask_ahead(next, size);
  return block;
}

void *uvf__blocks_take(uvf__blocks_t *b, size_t size, bool *first) {
  void *block = take_kept(b, size, first);
  if (block != NULL) return memset(block, 0, size);
  block = uvf__calloc_line(rounded(size));
  if (block == NULL) return NULL;
  uvf__lock(&b->lock);
  *first = b->out++ == 0;
  uvf__unlock(&b->lock);
  return block;
}

bool uvf__blocks_give(uvf__blocks_t *b, void *block, size_t size) {
  size_t i = list_of(size);
  uvf__lock(&b->lock);
  bool last = --b->out == 0;
  if (i < UVF__BLOCK_SIZES && b->kept + rounded(size) <= uvf__blocks_most) {
    memcpy(block, &b->free[i], sizeof(void *));
    b->free[i] = block;
    b->kept += rounded(size);
    block = NULL;
  }
  uvf__unlock(&b->lock);
  uvf__free_line(block);
  return last;
}
