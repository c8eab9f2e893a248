/* SPDX-License-Identifier: MIT */
/* The contract between task_works.c and a peer header (task_PEER.h), compiled once per peer.
 *
 *   PEER_NAME, PEER_VERSION
 *   pool_t                                  zeroed memory
 *   void pool_open(pool_t *, uv_loop_t *, unsigned width)   POOL_THREADS threads, of which tasks use no more than `width`, if the
 *                                           peer can see to that; results arrive on the loop
 *   void pool_spawn(pool_t *, task_t *)     on the loop's thread: runs task_run(task) on the pool, then task->done(task) on the
 *                                           loop; the task stays the caller's, and is not touched once done is called
 *   void pool_close(pool_t *)               on the loop's thread; no task is under way
 *   void pool_chain(pool_t *, task_t *tasks, unsigned n)   optional, with POOL_CHAINS defined: runs them one after the other, each
 *                                           with the result of the last as its input, and calls done for the last one only
 *
 * TASK_PRIVATE, defined by the peer before including this, adds fields of its own to the task. */
#ifndef BENCH_TASK_API_H
#define BENCH_TASK_API_H

#include <uv.h>

#include "bench.h"

#define POOL_THREADS 4

#ifndef TASK_PRIVATE
#define TASK_PRIVATE
#endif

typedef struct task_s {
  uint64_t in, out;
  bool sleeps; /* for `in` ms */
  void (*done)(struct task_s *task);
  void *arg;
  TASK_PRIVATE
} task_t;

/* As good as nothing, but its result shows that it ran; or a long one. */
static inline void task_run(task_t *t) {
  t->out = t->in + 1;
  if (t->sleeps) (void)usleep((useconds_t)t->in * 1000);
}

#endif
