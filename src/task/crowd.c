/* SPDX-License-Identifier: MIT */
/* How many runners are worth while: crowd.h says why. */
#include "task/executor.h"

#ifndef WATCH_US
#define WATCH_US 200
#endif
#define SHORT 8    /* 1/16 us */
#define LONG 0x100 /* what a job is taken for before one was measured: rather too many runners than too few */

int uvf__crowd_init(uvf__crowd_t *c) {
  c->begun = 0;
  c->average = LONG;
  c->watched = false;
  return uvf__cond_init(&c->left);
}

void uvf__crowd_destroy(uvf__crowd_t *c) {
  uvf__cond_destroy(&c->left);
}

void uvf__crowd_note(uvf__crowd_t *c, uint64_t us) {
  uint32_t sample = us > LONG ? 16 * LONG : (uint32_t)us * 16;
  c->average = c->average - c->average / 8 + sample / 8;
}

bool uvf__crowded(uvf_executor_t *ex) {
  return ex->crowd.average < SHORT && ex->runners > ex->looking;
}

void uvf__crowd_watch(uvf_executor_t *ex) {
  uint64_t seen;
  if (ex->crowd.watched) return;
  ex->crowd.watched = true;
  do {
    seen = ex->crowd.begun;
    uvf__cond_wait(&ex->crowd.left, &ex->waits.lock, uvf__clock_us() + WATCH_US);
  } while (ex->queued > 0 && !ex->paused && uvf__crowded(ex) && ex->crowd.begun != seen);
  ex->crowd.watched = false;
}

void uvf__crowd_leave(uvf_executor_t *ex) {
  if (ex->crowd.watched) uvf__cond_signal(&ex->crowd.left);
}
