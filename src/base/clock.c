/* SPDX-License-Identifier: MIT */
/* The monotonic clock on POSIX and Win32.
 *
 * Reading it costs 25 ns, the counter below it 10. So who only wants to know about how late it is reads the counter, and the
 * clock again once the counter has moved by NEAR since the thread read the clock last: 1 to 4 microseconds on all processors that
 * have it. Where a thread has moved to a processor whose counter differs, the clock is read once too often, or the same few
 * microseconds too late. */
#include "base/clock.h"

#ifdef _WIN32
#include <windows.h>

uint64_t uvf__clock_us(void) {
  LARGE_INTEGER ticks, per_second;
  QueryPerformanceCounter(&ticks);
  QueryPerformanceFrequency(&per_second);
  uint64_t t = (uint64_t)ticks.QuadPart, f = (uint64_t)per_second.QuadPart;
  return t / f * 1000000 + t % f * 1000000 / f;
}
#else
#include <time.h>

static inline uint64_t read_clock(clockid_t id) {
  struct timespec t;
  (void)clock_gettime(id, &t);
  return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t uvf__clock_us(void) {
  return read_clock(CLOCK_MONOTONIC);
}
#endif

#ifdef CLOCK_MONOTONIC_COARSE /* the same clock as of the system's last tick */
uint64_t uvf__clock_us_coarse(void) {
  return read_clock(CLOCK_MONOTONIC_COARSE);
}
#else
uint64_t uvf__clock_us_coarse(void) {
  return uvf__clock_us_about();
}
#endif

#if defined(__x86_64__) && defined(__GNUC__)
#define NEAR 4000
static uint64_t counter(void) {
  return __builtin_ia32_rdtsc();
}
#else
#define NEAR 0
static uint64_t counter(void) {
  return 0;
}
#endif

uint64_t uvf__clock_us_about(void) {
  static _Thread_local uint64_t read_at, us;
  uint64_t now = counter();
  if (NEAR == 0 || now - read_at >= NEAR) {
    us = uvf__clock_us();
    read_at = now;
  }
  return us;
}
