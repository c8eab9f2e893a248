/* SPDX-License-Identifier: MIT */
/* Ringing. */
#include "wait/bells.h"

#include "wait/blocked.h"
#include "wait/loop.h"

void uvf__bells_ring(uvf__bells_t *b) {
  for (int i = 0; i < b->threads; i++)
    uvf__blocked_wake(b->thread[i]);
  for (int i = 0; i < b->loops; i++)
    uvf__loop_ring(b->loop[i]);
  b->loops = b->threads = 0;
}
