/* SPDX-License-Identifier: MIT */
/* base/thread.h under the model checker: mutexes and conditions that it schedules. Waiting on one that nobody will ever
 * release or signal is reported as a deadlock, destroying a held one as such. Functions: model_runtime.cpp. */
#ifndef UVF_TEST_MODEL_THREAD_H
#define UVF_TEST_MODEL_THREAD_H

#include "model_watch.h"

typedef model_watched_t uvf__mutex_t;
typedef model_watched_t uvf__cond_t;

/* The checker's threads are fibers of one thread. No scenario has more than seven; they leave zeroes behind. */
#define UVF__PER_THREAD(type, name) static type name[8]
#define uvf__mine(name) (name[uvf__thread_id()])

#endif
