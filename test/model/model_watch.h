/* SPDX-License-Identifier: MIT */
/* What the model checker watches: atomics, items, mutexes, conditions. The library's sources see only this, not Relacy, so
 * that they compile quickly; the objects themselves are made in model_runtime.cpp.
 *
 * C code has no constructors, so each object is raw storage with a state in front: zeroed, alive, or anything else, which
 * means ended. It is made in place by its init function, or by the first use of zeroed memory, and is noted, so that
 * freeing a block ends all objects inside it: whoever touches one later is reported. */
#ifndef UVF_TEST_MODEL_WATCH_H
#define UVF_TEST_MODEL_WATCH_H

#include <stddef.h>
#include <stdint.h>

#define _Alignas(n) alignas(n)
#define _Alignof(t) alignof(t)
#define _Static_assert(condition, text) struct uvf__model_sizes_differ

typedef struct {
  uint32_t state;
  alignas(16) char raw[64];
} model_watched_t;

/* Where in the source something happened, for the report. */
typedef struct {
  const char *function, *file;
  unsigned line;
} model_place_t;

#define MODEL_HERE (model_place_t{__FUNCTION__, __FILE__, __LINE__})

void model_assert(bool condition, const char *text, model_place_t at);

#ifndef RL_ASSERT
#define RL_ASSERT(condition) model_assert((condition), #condition, MODEL_HERE)
#endif

#endif
