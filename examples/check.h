/* SPDX-License-Identifier: MIT */
/* What the small examples do about an error: say what failed, and end. A server would do better, and look as often. */
#ifndef EXAMPLES_CHECK_H
#define EXAMPLES_CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <uvflow.h>

/* r: what a function of uvflow or libuv returned, or a callback was called with. */
static inline void check(int r, const char *what) {
  if (r >= 0) return;
  fprintf(stderr, "%s: %s\n", what, uvf_strerror(r));
  exit(EXIT_FAILURE);
}

#endif
