/* SPDX-License-Identifier: MIT */
/* Mutexes, conditions and thread numbers on POSIX and Win32.
 *
 * Protocol. T1: `last_id` is only counted: relaxed, each thread gets a number of its own and publishes nothing through it. */
#include "base/thread.h"

#include "base/errno.h"

#include "base/atomic.h"
#include "base/check.h"
#include "base/clock.h"

static a_u64 last_id;
static _Thread_local uint64_t my_id;

uint64_t uvf__thread_id(void) {
  if (my_id == 0) my_id = a_add(&last_id, 1, relaxed) + 1; /* T1 */
  return my_id;
}

#ifdef _WIN32

int uvf__mutex_init(uvf__mutex_t *m) {
  InitializeSRWLock(m);
  return 0;
}
void uvf__mutex_destroy(uvf__mutex_t *m) {
  (void)m;
}
void uvf__lock(uvf__mutex_t *m) {
  AcquireSRWLockExclusive(m);
}
void uvf__unlock(uvf__mutex_t *m) {
  ReleaseSRWLockExclusive(m);
}

int uvf__cond_init(uvf__cond_t *c) {
  InitializeConditionVariable(c);
  return 0;
}
void uvf__cond_destroy(uvf__cond_t *c) {
  (void)c;
}
void uvf__cond_signal(uvf__cond_t *c) {
  WakeConditionVariable(c);
}
void uvf__cond_wait(uvf__cond_t *c, uvf__mutex_t *m, uint64_t until_us) {
  uint64_t now = until_us == UINT64_MAX ? 0 : uvf__clock_us();
  DWORD ms = INFINITE;
  if (until_us != UINT64_MAX) {
    uint64_t left = until_us > now ? (until_us - now + 999) / 1000 : 0;
    ms = left >= INFINITE ? INFINITE - 1 : (DWORD)left;
  }
  (void)SleepConditionVariableSRW(c, m, ms, 0);
}

void uvf__thread_yield(void) {
  (void)SwitchToThread();
}

#else

#include <errno.h>
#include <sched.h>
#include <time.h>

int uvf__mutex_init(uvf__mutex_t *m) {
  return pthread_mutex_init(m, NULL) == 0 ? 0 : UV_ENOMEM;
}

void uvf__mutex_destroy(uvf__mutex_t *m) {
  (void)pthread_mutex_destroy(m);
}

void uvf__lock(uvf__mutex_t *m) {
  int r = pthread_mutex_lock(m);
  uvf__check(r == 0);
  (void)r;
}

void uvf__unlock(uvf__mutex_t *m) {
  int r = pthread_mutex_unlock(m);
  uvf__check(r == 0);
  (void)r;
}

/* On the monotonic clock, so that setting the time of day neither cuts a timeout short nor stretches it. */
int uvf__cond_init(uvf__cond_t *c) {
  pthread_condattr_t attr;
  int r;
  if (pthread_condattr_init(&attr) != 0) return UV_ENOMEM;
#ifndef __APPLE__
  r = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
  if (r == 0)
#endif
    r = pthread_cond_init(c, &attr);
  (void)pthread_condattr_destroy(&attr);
  return r == 0 ? 0 : UV_ENOMEM;
}

void uvf__cond_destroy(uvf__cond_t *c) {
  (void)pthread_cond_destroy(c);
}

void uvf__cond_signal(uvf__cond_t *c) {
  (void)pthread_cond_signal(c);
}

void uvf__cond_wait(uvf__cond_t *c, uvf__mutex_t *m, uint64_t until_us) {
  if (until_us == UINT64_MAX) {
    (void)pthread_cond_wait(c, m);
    return;
  }
#ifdef __APPLE__
  uint64_t now = uvf__clock_us(), left = until_us > now ? until_us - now : 0;
  struct timespec t = {.tv_sec = (time_t)(left / 1000000), .tv_nsec = (long)(left % 1000000) * 1000};
  (void)pthread_cond_timedwait_relative_np(c, m, &t);
#else
  struct timespec t = {.tv_sec = (time_t)(until_us / 1000000), .tv_nsec = (long)(until_us % 1000000) * 1000};
  (void)pthread_cond_timedwait(c, m, &t);
#endif
}

void uvf__thread_yield(void) {
  (void)sched_yield();
}

#endif
