/* SPDX-License-Identifier: MIT */
/* Ringing. */
#include "wait/bells.h"

#include "wait/loop.h"

void uvf__bells_ring(uvf__bells_t *b) {
  for (int i = 0; i < b->ops; i++)
    b->op[i]->type->run(b->op[i]);
  for (int i = 0; i < b->loops; i++)
    uvf__loop_ring(b->loop[i]);
  b->loops = b->ops = 0;
}
