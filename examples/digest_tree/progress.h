/* SPDX-License-Identifier: MIT */
/* The progress bar on stderr, drawn ten times a second by a timer of the loop. Where stderr is no terminal there is
 * none. */
#ifndef DIGEST_TREE_PROGRESS_H
#define DIGEST_TREE_PROGRESS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

typedef struct {
  bool visible;           /* stderr is a terminal */
  uint64_t files;         /* done */
  _Atomic uint64_t bytes; /* done; the workers add to it */
  bool counted;           /* the next two are known */
  uint64_t all_files, all_bytes;
  uint64_t began; /* uv_hrtime */
  uv_timer_t timer;
} progress_t;

/* Zero it first. Returns 0 or libuv's error. */
int progress_start(progress_t *p, uv_loop_t *loop);

/* Takes the bar off the line, so that something else can be written; it comes back by itself. */
void progress_hide(const progress_t *p);

/* Takes it off for good. */
void progress_stop(progress_t *p);

#endif
