/* SPDX-License-Identifier: MIT */
/* Wakes that are owed: collected under the lock of a waiting list, rung after it. */
#ifndef UVF_WAIT_BELLS_H
#define UVF_WAIT_BELLS_H

#include <stdbool.h>

typedef struct uvf_loop_s uvf_loop_t;
typedef struct uvf__op_s uvf__op_t;

#define UVF__BELLS 16

typedef struct {
  int loops, ops;
  uvf_loop_t *loop[UVF__BELLS]; /* each with a reference */
  uvf__op_t *op[UVF__BELLS];    /* of no loop: blocked threads, continuations */
} uvf__bells_t;

/* The arrays stay uninitialised: this is on the path of each wake. */
static inline uvf__bells_t uvf__bells_none(void) {
  uvf__bells_t b;
  b.loops = b.ops = 0;
  return b;
}

/* Full: unlock and ring before firing anybody else. */
static inline bool uvf__bells_full(const uvf__bells_t *b) {
  return b->loops == UVF__BELLS || b->ops == UVF__BELLS;
}

static inline void uvf__bells_add_loop(uvf__bells_t *b, uvf_loop_t *loop) {
  b->loop[b->loops++] = loop;
}

static inline void uvf__bells_add_op(uvf__bells_t *b, uvf__op_t *op) {
  b->op[b->ops++] = op;
}

void uvf__bells_ring(uvf__bells_t *b);

#endif
