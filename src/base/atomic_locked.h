/* SPDX-License-Identifier: MIT */
/* The atomics of atomic.h without <stdatomic.h>: each operation under one of a few mutexes, chosen by address. Slow, and plain
 * enough to be the reference for the other build.
 *
 * Protocol. A stripe's mutex makes an operation atomic, and orders it before the later ones on the same word (acquire and
 * release). A sequentially consistent operation, and a fence, also holds `order`, of which all of them together make one order. */
#ifndef UVF_BASE_ATOMIC_LOCKED_H
#define UVF_BASE_ATOMIC_LOCKED_H

#include <stdbool.h>
#include <stdint.h>

typedef uint32_t a_u32;
typedef uint64_t a_u64;
#define A_PTR(T) T *

typedef enum { UVF__SWAP, UVF__ADD, UVF__SUB, UVF__OR, UVF__AND } uvf__change_t;

uint32_t uvf__load_32(const void *p, bool sc);
uint64_t uvf__load_64(const void *p, bool sc);
void *uvf__load_ptr(const void *p, bool sc);
void uvf__store_32(void *p, uint32_t v, bool sc);
void uvf__store_64(void *p, uint64_t v, bool sc);
void uvf__store_ptr(void *p, void *v, bool sc);
uint32_t uvf__change_32(void *p, uvf__change_t how, uint32_t v, bool sc);
uint64_t uvf__change_64(void *p, uvf__change_t how, uint64_t v, bool sc);
void *uvf__change_ptr(void *p, uvf__change_t how, void *v, bool sc);
bool uvf__cas_32(void *p, void *expected, uint32_t v, bool sc);
bool uvf__cas_64(void *p, void *expected, uint64_t v, bool sc);
bool uvf__cas_ptr(void *p, void *expected, void *v, bool sc);
void uvf__order_fence(void);

/* Around a fork: no mutex may be inherited locked by a thread that the child does not have. */
void uvf__atomics_lock_all(void);
void uvf__atomics_unlock_all(void);

#define UVF__SC_relaxed false
#define UVF__SC_acquire false
#define UVF__SC_release false
#define UVF__SC_acq_rel false
#define UVF__SC_seq_cst true

/* The function for the type that p points to. */
#define UVF__OF(p, f) \
  _Generic((p), a_u32 * : f##_32, const a_u32 * : f##_32, a_u64 * : f##_64, const a_u64 * : f##_64, default : f##_ptr)

#define a_init(p, v) ((void)(*(p) = (v)))
#define a_load(p, o) UVF__OF(p, uvf__load)((p), UVF__SC_##o)
#define a_store(p, v, o) UVF__OF(p, uvf__store)((p), (v), UVF__SC_##o)
#define a_swap(p, v, o) UVF__OF(p, uvf__change)((p), UVF__SWAP, (v), UVF__SC_##o)
#define a_add(p, v, o) UVF__OF(p, uvf__change)((p), UVF__ADD, (v), UVF__SC_##o)
#define a_sub(p, v, o) UVF__OF(p, uvf__change)((p), UVF__SUB, (v), UVF__SC_##o)
#define a_or(p, v, o) UVF__OF(p, uvf__change)((p), UVF__OR, (v), UVF__SC_##o)
#define a_and(p, v, o) UVF__OF(p, uvf__change)((p), UVF__AND, (v), UVF__SC_##o)
#define a_cas(p, expected, v, ok, fail) UVF__OF(p, uvf__cas)((p), (expected), (v), UVF__SC_##ok)
#define a_fence(o) uvf__order_fence()
#define a_signal_fence() ((void)0)
#define a_fini(p) ((void)(p))

#endif
