/* SPDX-License-Identifier: MIT */
/* How many runners are worth while: crowd.h says why. */
#include "task/executor.h"

#ifndef WATCH_US
#define WATCH_US 200
#endif
#define LOOKS 8    /* then the watcher takes a job, too, and may be spent after it */
#define SHORT 8    /* 1/16 us */
#define LONG 0x100 /* what a job is taken for before one was measured: rather too many runners than too few */
#define WIDER 16   /* times as many may be at work after a verdict */

int uvf__crowd_init(uvf__crowd_t *c) {
  c->begun = c->stuck_to = 0;
  c->at_work = c->stuck = 0;
  c->average = LONG;
  c->most = 1;
  c->watched = false;
  return uvf__cond_init(&c->left);
}

void uvf__crowd_destroy(uvf__crowd_t *c) {
  uvf__cond_destroy(&c->left);
}

uint64_t uvf__crowd_begin(uvf__crowd_t *c) {
  c->at_work++;
  return ++c->begun;
}

void uvf__crowd_end(uvf__crowd_t *c, uint64_t number) {
  c->at_work--;
  if (number <= c->stuck_to) c->stuck--;
}

void uvf__crowd_note(uvf__crowd_t *c, uint64_t us) {
  uint32_t sample = us > LONG ? 16 * LONG : (uint32_t)us * 16;
  c->average = c->average - c->average / 8 + sample / 8;
  if (sample < SHORT) c->most = 1;
}

static uint32_t works(const uvf_executor_t *ex) {
  return ex->crowd.at_work - ex->crowd.stuck + ex->lingering;
}

bool uvf__crowd_works(const uvf_executor_t *ex) {
  return works(ex) > 0;
}

bool uvf__crowded(uvf_executor_t *ex) {
  return ex->crowd.average < SHORT && works(ex) >= ex->crowd.most;
}

/* None begins: all who are at work have met long ones. */
static void note_stuck(uvf__crowd_t *c) {
  c->stuck = c->at_work;
  c->stuck_to = c->begun;
  if (c->most < UINT32_MAX / WIDER) c->most *= WIDER;
}

void uvf__crowd_watch(uvf_executor_t *ex) {
  uvf__crowd_t *c = &ex->crowd;
  uint64_t seen, until_us;
  int looks = 0;
  if (c->watched) return;
  c->watched = true;
  uvf__intake_set(ex);
  do {
    seen = c->begun;
    until_us = uvf__clock_us() + WATCH_US;
    uvf__cond_wait(&c->left, &ex->waits.lock, until_us);
    uvf__intake_gather(ex);
  } while (ex->queued > 0 && !ex->paused && uvf__crowded(ex) && c->begun != seen && ++looks < LOOKS);
  if (c->begun == seen && ex->queued > 0 && uvf__clock_us() >= until_us) note_stuck(c);
  c->watched = false;
}

void uvf__crowd_leave(uvf_executor_t *ex) {
  if (ex->crowd.watched) uvf__cond_signal(&ex->crowd.left);
}
