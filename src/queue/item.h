/* SPDX-License-Identifier: MIT */
/* Moving items: item_size bytes, any size from 0 up. The common sizes are spelled out so that the compiler makes one or two
 * moves of them instead of a call. Under the model checker an item is one watched word, so that races on it are seen. */
#ifndef UVF_QUEUE_ITEM_H
#define UVF_QUEUE_ITEM_H

#include <stddef.h>
#include <string.h>

#ifdef UVF_MODEL
#include "item_model.h"
#else

static inline size_t uvf__item_stride(size_t size) {
  return size;
}

static inline void uvf__item_copy(void *to, const void *from, size_t size) {
  switch (size) {
  case 0: break;
  case 4: memcpy(to, from, 4); break;
  case 8: memcpy(to, from, 8); break;
  case 16: memcpy(to, from, 16); break;
  case 24: memcpy(to, from, 24); break;
  case 32: memcpy(to, from, 32); break;
  default: memcpy(to, from, size); break;
  }
}

/* Into and out of a slot of a queue, and between two waiters' own memory. */
#define uvf__item_write uvf__item_copy
#define uvf__item_read uvf__item_copy
#define uvf__item_init(slot) ((void)(slot))
#endif

static inline void uvf__items_write(void *slots, const void *items, size_t size, int n) {
  for (int i = 0; i < n; i++)
    uvf__item_write((char *)slots + (size_t)i * uvf__item_stride(size), (const char *)items + (size_t)i * size, size);
}

static inline void uvf__items_read(void *items, const void *slots, size_t size, int n) {
  for (int i = 0; i < n; i++)
    uvf__item_read((char *)items + (size_t)i * size, (const char *)slots + (size_t)i * uvf__item_stride(size), size);
}

#endif
