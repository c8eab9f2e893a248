/* SPDX-License-Identifier: MIT */
/* A clock in the place of base/clock.c, so that an input always does the same: it is linked before the library's archive,
 * whose own is then not taken. */
#include "base/clock.h"
#include "fuzz/target.h"

static uint64_t now, step = 1;

void fuzz_clock_reset(uint32_t step_us) {
  now = 1000;
  step = step_us;
}

uint64_t uvf__clock_us(void) {
  return now += step;
}

uint64_t uvf__clock_us_coarse(void) {
  return uvf__clock_us();
}

uint64_t uvf__clock_us_about(void) {
  return uvf__clock_us();
}
