/* SPDX-License-Identifier: MIT */
/* What the peers on libuv's pool share: its size. */
#ifndef BENCH_TASK_POOL_H
#define BENCH_TASK_POOL_H

#include "task_api.h"

/* Before its first use. */
static inline void pool_size_set(void) {
  must(setenv("UV_THREADPOOL_SIZE", TEXT(POOL_THREADS), 1) == 0, "setenv");
}

#endif
