/* SPDX-License-Identifier: MIT */
/* queue/item.h under the model checker. An item is one watched word, in a slot as in the user's memory: whoever reads or
 * writes one without being ordered behind the last write (and, to write it, behind all reads) is reported. */
#ifndef UVF_TEST_MODEL_ITEM_H
#define UVF_TEST_MODEL_ITEM_H

#include "model_watch.h"

typedef model_watched_t model_item_t;

void model_item_set(void *item, uint64_t v, model_place_t at);
uint64_t model_item_get(const void *item, model_place_t at);

#define item_set(item, v) model_item_set((item), (v), MODEL_HERE)
#define item_get(item) model_item_get((item), MODEL_HERE)

static inline size_t uvf__item_stride(size_t size) {
  return size;
}

static inline void uvf__item_init(void *slot) {
  item_set(slot, 0);
}

static inline void uvf__item_copy(void *to, const void *from, size_t size) {
  if (size != 0) item_set(to, item_get(from));
}

static inline bool uvf__item_plain(size_t size) {
  return size != 0;
}

#define uvf__item_write_plain uvf__item_copy
#define uvf__item_read_plain uvf__item_copy
#define uvf__item_write uvf__item_copy
#define uvf__item_read uvf__item_copy

#endif
