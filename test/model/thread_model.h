/* SPDX-License-Identifier: MIT */
/* base/thread.h under the model checker: mutexes and conditions that it schedules. Waiting on one that nobody will ever
 * release or signal is reported as a deadlock, destroying a held one as such. Functions: model_runtime.cpp. */
#ifndef UVF_TEST_MODEL_THREAD_H
#define UVF_TEST_MODEL_THREAD_H

#include "model_watch.h"

typedef model_watched_t uvf__mutex_t;
typedef model_watched_t uvf__cond_t;

/* The checker's threads are fibers of one thread. */
#define UVF__PER_THREAD(type, name) \
  static struct {                   \
    unsigned iteration;             \
    type of[MODEL_THREADS];         \
  } name
#define uvf__mine(name) (name.of[model_own(&name, sizeof name)])

enum { MODEL_THREADS = 8 };

/* The calling thread's number; the variable, which begins with the number of its iteration, is zero in each new one. */
unsigned model_own(void *variable, size_t size);

#endif
