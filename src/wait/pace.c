/* SPDX-License-Identifier: MIT */
/* The pace of a reader: pace.h says why. */
#include "wait/pace.h"

#ifndef LINGER_US
#define LINGER_US 20 /* longer than a wake takes, so that a reply of a sleeping peer is still met */
#define GATHER_US 8
#define GATHER_FLOW 4   /* fewer items in a turn than this are no flow */
#define GATHER_ITEMS 64 /* as many make a good batch */
#endif
#define MAX_BACKOFF 1024

void uvf__pace_init(uvf__pace_t *p) {
  p->not_before = p->until = 0;
  p->skip = 0;
  p->backoff = 1;
  p->looked = false;
}

void uvf__pace_took(uvf__pace_t *p, uint64_t now, uint64_t n, uint64_t capacity) {
  uint64_t enough = capacity / 8 < GATHER_ITEMS ? capacity / 8 : GATHER_ITEMS;
  p->not_before = n >= GATHER_FLOW && n < enough ? now + GATHER_US : 0;
  if (p->looked) p->backoff = 1; /* it was worth while */
  p->looked = false;
  p->until = 0;
  if (p->skip > 0)
    p->skip--;
  else
    p->until = now + LINGER_US;
}

bool uvf__pace_look_again(uvf__pace_t *p, uint64_t now) {
  if (p->until == 0) return false;
  p->looked = true;
  if (now < p->until) return true;
  p->backoff = p->backoff < MAX_BACKOFF ? (uint16_t)(p->backoff * 2) : MAX_BACKOFF;
  p->skip = p->backoff;
  p->until = 0;
  p->looked = false;
  return false;
}
