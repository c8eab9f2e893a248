/* SPDX-License-Identifier: MIT */
/* block_list: the suite. */
#include "queue/queue_suite.h"

#include "queue/block_list.h"

static int init(void *memory, size_t item_size, size_t capacity, uint64_t start) {
  (void)capacity;
  return uvf__block_list_init(memory, item_size, start);
}

static const queue_kind_t kind = {UNBOUNDED | SHARED | LENDS, sizeof(uvf__block_list_t), init};

int main(void) {
  return queue_suite_run(&kind, NULL, 0);
}
