/* SPDX-License-Identifier: MIT */
/* The pairing heap of heap.h. */
#include "base/heap.h"

#include <stdbool.h>

static bool before(const uvf__heap_node_t *a, const uvf__heap_node_t *b) {
  return a->key != b->key ? a->key < b->key : a->order < b->order;
}

/* Joins two heaps; either may be NULL. */
static uvf__heap_node_t *meld(uvf__heap_node_t *a, uvf__heap_node_t *b) {
  if (a == NULL) return b;
  if (b == NULL) return a;
  if (before(b, a)) {
    uvf__heap_node_t *swap = a;
    a = b;
    b = swap;
  }
  b->next = a->child;
  if (b->next != NULL) b->next->prev = b;
  b->prev = a;
  a->child = b;
  a->next = a->prev = NULL;
  return a;
}

/* Two passes over a list of siblings, in loops since a list may be as long as the heap: join them in pairs from left to
 * right (the pairs are chained backwards through `next`), then join the pairs from right to left. */
static uvf__heap_node_t *merge_siblings(uvf__heap_node_t *first) {
  uvf__heap_node_t *pairs = NULL, *root = NULL;
  while (first != NULL) {
    uvf__heap_node_t *a = first, *b = a->next;
    first = b == NULL ? NULL : b->next;
    a->next = a->prev = NULL;
    if (b != NULL) b->next = b->prev = NULL;
    a = meld(a, b);
    a->next = pairs;
    pairs = a;
  }
  while (pairs != NULL) {
    uvf__heap_node_t *next = pairs->next;
    pairs->next = NULL;
    root = meld(pairs, root);
    pairs = next;
  }
  return root;
}

void uvf__heap_insert(uvf__heap_t *heap, uvf__heap_node_t *node, uint64_t key) {
  node->child = node->next = node->prev = NULL;
  node->key = key;
  node->order = heap->inserted++;
  heap->root = meld(heap->root, node);
}

void uvf__heap_remove(uvf__heap_t *heap, uvf__heap_node_t *node) {
  uvf__heap_node_t *below = merge_siblings(node->child);
  if (node == heap->root) {
    heap->root = below;
  } else {
    if (node->prev->child == node)
      node->prev->child = node->next;
    else
      node->prev->next = node->next;
    if (node->next != NULL) node->next->prev = node->prev;
    heap->root = meld(heap->root, below);
  }
  node->child = node->next = node->prev = NULL;
}
