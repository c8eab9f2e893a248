/* SPDX-License-Identifier: MIT */
/* Mutexes, conditions and thread numbers on POSIX and Win32.
 *
 * Protocol. T1: `last_id` is only counted: relaxed, each thread gets a number of its own and publishes nothing through it. */
#include "base/thread.h"

#include "base/errno.h"

#include <string.h>

#include "base/alloc.h"
#include "base/atomic.h"
#include "base/check.h"
#include "base/clock.h"

static a_u64 last_id;
static _Thread_local uint64_t my_id;

uint64_t uvf__thread_id(void) {
  if (my_id == 0) my_id = a_add(&last_id, 1, relaxed) + 1; /* T1 */
  return my_id;
}

/* What a thread begins with. */
typedef struct {
  void (*run)(void *arg);
  void *arg;
  char name[16];
} start_t;

static start_t *start_new(void (*run)(void *arg), void *arg, const char *name) {
  start_t *s = (start_t *)uvf__calloc(1, sizeof *s);
  if (s == NULL) return NULL;
  s->run = run;
  s->arg = arg;
  strncpy(s->name, name, sizeof s->name - 1);
  return s;
}

static void start_run(void *start) {
  start_t s = *(start_t *)start;
  uvf__free(start);
  s.run(s.arg);
}

#ifdef _WIN32

static DWORD WINAPI thread_main(void *start) {
  start_run(start);
  return 0;
}

int uvf__thread_start(void (*run)(void *arg), void *arg, size_t stack_size, const char *name) {
  start_t *s = start_new(run, arg, name);
  if (s == NULL) return UV_ENOMEM;
  HANDLE thread = CreateThread(NULL, stack_size, thread_main, s, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
  if (thread == NULL) {
    uvf__free(s);
    return UV_EAGAIN;
  }
  (void)CloseHandle(thread);
  return 0;
}

int uvf__mutex_init(uvf__mutex_t *m) {
  InitializeSRWLock(m);
  return 0;
}
void uvf__mutex_destroy(uvf__mutex_t *m) {
  (void)m;
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
#include <signal.h>
#include <time.h>

/* What is done under a lock of the library is shorter than going to sleep, so it is worth while to spin first, where the system
 * has such mutexes. */
int uvf__mutex_init(uvf__mutex_t *m) {
#ifdef PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP
  *m = (pthread_mutex_t)PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;
  return 0;
#else
  return pthread_mutex_init(m, NULL) == 0 ? 0 : UV_ENOMEM;
#endif
}

void uvf__mutex_destroy(uvf__mutex_t *m) {
  (void)pthread_mutex_destroy(m);
}

static void *thread_main(void *start) {
#if defined(__linux__) && defined(_GNU_SOURCE)
  const char *name = ((start_t *)start)->name;
  if (name[0] != '\0') (void)pthread_setname_np(pthread_self(), name);
#endif
  start_run(start);
  return NULL;
}

/* Signals are the program's: a thread of the library takes none. */
static int start_blocked(const pthread_attr_t *attr, start_t *s) {
  sigset_t all, old;
  pthread_t thread;
  (void)sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, &old);
  int r = pthread_create(&thread, attr, thread_main, s);
  (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
  return r;
}

int uvf__thread_start(void (*run)(void *arg), void *arg, size_t stack_size, const char *name) {
  pthread_attr_t attr;
  start_t *s = start_new(run, arg, name);
  if (s == NULL) return UV_ENOMEM;
  int r = pthread_attr_init(&attr);
  if (r == 0) {
    r = pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    if (r == 0 && stack_size != 0) r = pthread_attr_setstacksize(&attr, stack_size);
    if (r == 0) r = start_blocked(&attr, s);
    (void)pthread_attr_destroy(&attr);
  }
  if (r == 0) return 0;
  uvf__free(s);
  return r == EAGAIN ? UV_EAGAIN : r == EINVAL ? UV_EINVAL : UV_ENOMEM;
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
