/* SPDX-License-Identifier: MIT */
/* What happens when an invariant is broken. */
#include "base/check.h"

#if UVFLOW_CHECKS
#include <stdio.h>
#include <stdlib.h>

void uvf__check_failed(const char *condition, const char *file, int line) {
  fprintf(stderr, "uvflow: %s:%d: broken invariant: %s\n", file, line, condition);
  abort();
}
#else
typedef int uvf__check_is_empty_t; /* ISO C wants a declaration */
#endif
