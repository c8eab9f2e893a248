/* SPDX-License-Identifier: MIT */
/* Moving items: item_size bytes, any size from 0 up. The common sizes are spelled out so that the compiler makes one or two
 * moves of them instead of a call. Under the model checker an item is one watched word, so that races on it are seen. */
#ifndef UVF_QUEUE_ITEM_H
#define UVF_QUEUE_ITEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
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

static inline void uvf__word_copy(char *to, const char *from) {
  uint64_t word;
  memcpy(&word, from, sizeof word);
#if defined(__GNUC__) && (defined(__x86_64__) || defined(__aarch64__))
  __asm__("" : "+r"(word)); /* else the compiler makes one wide load of two words */
#endif
  memcpy(to, &word, sizeof word);
}

/* 8, 16, 24 or 32: copied without a call and without a table. */
static inline bool uvf__item_plain(size_t size) {
  return ((size - 8) & ~(size_t)24) == 0;
}

/* A plain one into a slot. The sender has most likely just written its item word by word. A load that is wider than these stores
 * cannot be answered from the store buffer: it waits until they, and all stores before them, have reached the cache; among them
 * those to the slots sent before, whose lines come from the receiver's CPU. So it is read word by word. */
static inline void uvf__item_write_plain(void *slot, const void *item, size_t size) {
  char *to = (char *)slot;
  const char *from = (const char *)item;
  if (size > 16) {
    if (size == 32) uvf__word_copy(to + 24, from + 24);
    uvf__word_copy(to + 16, from + 16);
  }
  if (size != 8) uvf__word_copy(to + 8, from + 8);
  uvf__word_copy(to, from);
}

static inline void uvf__item_write(void *slot, const void *item, size_t size) {
  if (uvf__item_plain(size))
    uvf__item_write_plain(slot, item, size);
  else
    uvf__item_copy(slot, item, size);
}

/* Out of a slot, and wide: what the receiver reads of it, whatever its width, comes from the store buffer. */
static inline void uvf__item_read_plain(void *item, const void *slot, size_t size) {
  char *to = (char *)item;
  const char *from = (const char *)slot;
  if (size == 8) {
    memcpy(to, from, 8);
    return;
  }
  memcpy(to, from, 16);
  if (size == 24) memcpy(to + 16, from + 16, 8);
  if (size == 32) memcpy(to + 16, from + 16, 16);
}

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
