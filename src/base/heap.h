/* SPDX-License-Identifier: MIT */
/* Intrusive pairing heap: the smallest key first, of equal ones the one that was inserted first; no allocation, nothing that can
 * fail.
 * Insert is O(1); remove of any node is O(log n) amortised. One thread at a time. */
#ifndef UVF_BASE_HEAP_H
#define UVF_BASE_HEAP_H

#include <stddef.h>
#include <stdint.h>

/* `child` is the first of its children, `next` the next sibling; `prev` is the previous sibling or, for a first child, the
 * parent. A node in no heap may hold anything; its owner remembers whether it is in one. */
typedef struct uvf__heap_node_s {
  struct uvf__heap_node_s *child, *next, *prev;
  uint64_t key, order;
} uvf__heap_node_t;

typedef struct {
  uvf__heap_node_t *root;
  uint64_t inserted;
} uvf__heap_t;

void uvf__heap_insert(uvf__heap_t *heap, uvf__heap_node_t *node, uint64_t key);
void uvf__heap_remove(uvf__heap_t *heap, uvf__heap_node_t *node);

#endif
