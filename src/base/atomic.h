/* SPDX-License-Identifier: MIT */
/* Atomics under short names, so that one source serves three runners: <stdatomic.h>; mutexes, where UVFLOW_NO_ATOMICS is
 * defined (atomic_locked.h); and the model checker of test/model, where UVF_MODEL is. An order is a bare word that the macro
 * pastes: a_load(&x, acquire).
 * Each use outside of these files carries the tag of its order pair; the pairs are listed at the top of the file that uses them. */
#ifndef UVF_BASE_ATOMIC_H
#define UVF_BASE_ATOMIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(UVF_MODEL)
#define UVF__ATOMICS 1
#include "atomic_model.h"
#elif defined(UVFLOW_NO_ATOMICS)
#define UVF__ATOMICS 0
#include "base/atomic_locked.h"
#else
#define UVF__ATOMICS 1 /* lock-free queues are worth while */
#include <stdatomic.h>

typedef _Atomic(uint32_t) a_u32;
typedef _Atomic(uint64_t) a_u64;
#define A_PTR(T) _Atomic(T *)

#define a_init(p, v) atomic_init((p), (v))
#define a_load(p, o) atomic_load_explicit((p), memory_order_##o)
#define a_store(p, v, o) atomic_store_explicit((p), (v), memory_order_##o)
#define a_swap(p, v, o) atomic_exchange_explicit((p), (v), memory_order_##o)
#define a_add(p, v, o) atomic_fetch_add_explicit((p), (v), memory_order_##o)
#define a_sub(p, v, o) atomic_fetch_sub_explicit((p), (v), memory_order_##o)
#define a_or(p, v, o) atomic_fetch_or_explicit((p), (v), memory_order_##o)
#define a_and(p, v, o) atomic_fetch_and_explicit((p), (v), memory_order_##o)
#define a_cas(p, expected, v, ok, fail) \
  atomic_compare_exchange_strong_explicit((p), (expected), (v), memory_order_##ok, memory_order_##fail)
#define a_fence(o) atomic_thread_fence(memory_order_##o)
#define a_signal_fence() atomic_signal_fence(memory_order_seq_cst)
#define a_fini(p) ((void)(p)) /* its memory goes, and not by uvf__free: the model checker wants to know */
#endif

/* Two words that different threads write must not share a line. */
#define UVF_CACHE_LINE 64

/* Asks for the line of p ahead of a write to it: an exchange waits until earlier writes are done, misses included. The line has
 * to come as ours alone, or the write waits again. For x86 the compilers' builtin knows that form only with a flag; a processor
 * without it takes the instruction for a no-op. */
#if defined(UVF_MODEL) || !defined(__GNUC__)
#define uvf__prefetch_write(p) ((void)(p))
#elif defined(__x86_64__)
#define uvf__prefetch_write(p) __asm__ __volatile__("prefetchw %0" : : "m"(*(const char *)(const void *)(p)))
#else
#define uvf__prefetch_write(p) __builtin_prefetch((const void *)(p), 1)
#endif

/* For functions off the common way: kept out of their callers, which then need not save registers for them. */
#if defined(__GNUC__)
#define UVF__SELDOM __attribute__((noinline))
#else
#define UVF__SELDOM
#endif

/* A moment of waiting for another CPU. */
static inline void uvf__relax(void) {
#if defined(UVF_MODEL)
  uvf__model_yield();
#elif defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

#if defined(UVF_MODEL)
#define UVF__STAND_BACK 1
#else
#define UVF__STAND_BACK 16
#endif

/* After a lost compare-and-swap. Who tries again at once tears the line of the word, and those it guards, from the winner, who takes
 * them back for its next step: both then run at the speed of moving lines. So the loser lets the winner do a dozen steps. */
static inline void uvf__stand_back(void) {
  for (int i = 0; i < UVF__STAND_BACK; i++)
    uvf__relax();
}

#endif
