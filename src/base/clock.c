/* SPDX-License-Identifier: MIT */
/* The monotonic clock on POSIX and Win32. */
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

uint64_t uvf__clock_us(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}
#endif
