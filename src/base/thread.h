/* SPDX-License-Identifier: MIT */
/* Threads, mutexes and conditions: a thin layer over POSIX or Win32 (never libuv's own, see src/README.md: some hosts lack
 * it), and over the model checker's where UVF_MODEL is defined. */
#ifndef UVF_BASE_THREAD_H
#define UVF_BASE_THREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/check.h"

#if defined(UVF_MODEL)
#include "thread_model.h"
#elif defined(_WIN32)
#include <windows.h>
typedef SRWLOCK uvf__mutex_t;
typedef CONDITION_VARIABLE uvf__cond_t;
#define UVF__MUTEX_STATIC SRWLOCK_INIT
#else
#include <pthread.h>
typedef pthread_mutex_t uvf__mutex_t;
typedef pthread_cond_t uvf__cond_t;
#define UVF__MUTEX_STATIC PTHREAD_MUTEX_INITIALIZER
#endif

/* A variable of which each thread has one of its own, zeroed at first: its definition, and the calling thread's. */
#if !defined(UVF_MODEL)
#define UVF__PER_THREAD(type, name) static _Thread_local type name
#define uvf__mine(name) (name)
#endif

/* 0 or UV_ENOMEM. */
int uvf__mutex_init(uvf__mutex_t *m);
void uvf__mutex_destroy(uvf__mutex_t *m);
#if defined(UVF_MODEL)
void uvf__lock(uvf__mutex_t *m);
void uvf__unlock(uvf__mutex_t *m);
#elif defined(_WIN32)
static inline void uvf__lock(uvf__mutex_t *m) {
  AcquireSRWLockExclusive(m);
}
static inline void uvf__unlock(uvf__mutex_t *m) {
  ReleaseSRWLockExclusive(m);
}
#else
static inline void uvf__lock(uvf__mutex_t *m) {
  int r = pthread_mutex_lock(m);
  uvf__check(r == 0);
  (void)r;
}
static inline void uvf__unlock(uvf__mutex_t *m) {
  int r = pthread_mutex_unlock(m);
  uvf__check(r == 0);
  (void)r;
}
#endif

int uvf__cond_init(uvf__cond_t *c);
void uvf__cond_destroy(uvf__cond_t *c);
void uvf__cond_signal(uvf__cond_t *c);
/* Waits until signalled, or until uvf__clock_us() has reached until_us (UINT64_MAX: for ever). May wake for no reason. */
void uvf__cond_wait(uvf__cond_t *c, uvf__mutex_t *m, uint64_t until_us);

/* Starts a thread that nobody joins. stack_size: bytes, 0 for the system's default; name: "" for none, its first 15 bytes count where
 * the system has names. 0, UV_EAGAIN, UV_ENOMEM or UV_EINVAL (a stack that the system refuses). */
int uvf__thread_start(void (*run)(void *arg), void *arg, size_t stack_size, const char *name);

/* A number that no other thread of the process has or had; never 0. */
uint64_t uvf__thread_id(void);

/* Gives the rest of the time slice to another thread. */
void uvf__thread_yield(void);

#endif
