/* SPDX-License-Identifier: MIT */
/* The monotonic clock, in microseconds. */
#ifndef UVF_BASE_CLOCK_H
#define UVF_BASE_CLOCK_H

#include <stdint.h>

uint64_t uvf__clock_us(void);

/* The same, up to a few microseconds behind: for who asks again and again, and often at once. */
uint64_t uvf__clock_us_about(void);

/* The same, up to 10 ms behind: for what people are told. */
uint64_t uvf__clock_us_coarse(void);

/* now + ms on that clock; UINT64_MAX, which means never, where the sum would not fit. */
static inline uint64_t uvf__deadline_us(uint64_t now_us, uint64_t ms) {
  return ms > (UINT64_MAX - now_us) / 1000 ? UINT64_MAX : now_us + ms * 1000;
}

#endif
