/* SPDX-License-Identifier: MIT */
/* For scenarios: a scenario is an rl::test_suite whose before() begins with model_begin and whose after() ends with
 * model_end; model_run tries it. Its state lies in zeroed memory from uvf__calloc, as the library's own does.
 *
 * A first comment `sources:` of a scenario's file names what it is linked with, `flags:` how that is compiled (run.sh). */
#ifndef UVF_TEST_MODEL_H
#define UVF_TEST_MODEL_H

#include "base/errno.h" /* before Relacy, which gives EAGAIN and others values of its own */

#include <relacy/relacy.hpp>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sstream>

#undef new
#undef delete
#undef malloc
#undef calloc
#undef realloc
#undef free
#undef assert
#undef errno

#include "base/atomic.h"
#include "base/alloc.h"
#include "base/check.h"
#include "base/list.h"
#include "base/thread.h"
#include "queue/item.h"

void model_begin(void);

/* Ends what lives in [p, p + size), memory that is not from uvf__calloc. */
void model_forget(void *p, size_t size);

/* All memory was freed, and nobody wrote to it afterwards. */
void model_end(void);

/* The calling thread is thread `index` from now on (in before and after, which run on any thread); -1: itself again. */
void model_act_as(int index);

/* Does the calling thread run a loop? What uvf__threads_runs_loop answers; by index of the thread. */
void model_runs_loop(int index, bool yes);

/* The calling thread's clock, which stands still but for timed waits that time out and for this. */
void model_advance_clock(uint64_t us);

/* A place that other threads may run at. */
void model_pause(void);

/* The user's memory of a post, request or reader: watched objects need more room than the public types have. */
template <class T> struct model_room {
  T t;
  char more[512];
};

template <class T> T *model_new(void) {
  return (T *)uvf__calloc(1, sizeof(T));
}

/* How much to try: the environment may ask for more than the defaults (UVF_MODEL_TIMES multiplies the random
 * interleavings, UVF_MODEL_BOUND is the context bound of the exhaustive run). */
static inline unsigned model_number(const char *name, unsigned otherwise) {
  const char *text = getenv(name);
  return text == NULL ? otherwise : (unsigned)atoi(text);
}

template <class T> bool model_search(const char *name, rl::test_params *p) {
  std::ostringstream quiet;
  p->progress_stream = &quiet;
  bool ok = rl::simulate<T>(*p);
  if (!ok) printf("RESULT %s: found: %s\n", name, rl::test_result_str(p->test_result));
  return ok;
}

/* random: how many random interleavings. bound: the context bound of the exhaustive search; 0: none. */
template <class T> bool model_run(const char *name, unsigned random, unsigned bound) {
  rl::test_params p;
  p.iteration_count = random * model_number("UVF_MODEL_TIMES", 1);
  p.search_type = rl::random_scheduler_type;
  p.execution_depth_limit = 5000;
  if (!model_search<T>(name, &p)) return false;
  unsigned long exhaustive = 0;
  bound = bound == 0 ? 0 : model_number("UVF_MODEL_BOUND", bound);
  if (bound != 0) {
    rl::test_params e;
    e.search_type = rl::fair_context_bound_scheduler_type;
    e.context_bound = bound;
    e.execution_depth_limit = 5000;
    if (!model_search<T>(name, &e)) return false;
    exhaustive = (unsigned long)e.stop_iteration;
  }
  printf("RESULT %s: ok: %u random, %lu at context bound %u\n", name, (unsigned)p.iteration_count, exhaustive, bound);
  return true;
}

#endif
