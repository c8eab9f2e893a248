/* SPDX-License-Identifier: MIT */
/* The fences of fence.h.
 *
 * Protocol. F1: both fences are seq_cst where the process-wide barrier is missing: the fence-fence rule of C11.
 * F2: `uvf__fence_asymmetric` is decided once, under a lock; whoever uses the fences was handed its object by a
 * thread that had gone through uvf__fence_setup, so the plain flag is visible to it. */
#include "base/fence.h"

#include "base/fork.h"

bool uvf__fence_asymmetric;

#ifdef UVF_MODEL

void uvf__fence_setup(void) {
}

void uvf__heavy_fence(void) {
  a_fence(seq_cst); /* F1 */
}

#else

#if defined(__linux__)
#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

static bool setup_barrier(void) {
  return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0;
}
static bool barrier(void) {
  return syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0;
}
#elif defined(_WIN32)
static bool setup_barrier(void) {
  return true;
}
static bool barrier(void) {
  FlushProcessWriteBuffers();
  return true;
}
#else
static bool setup_barrier(void) {
  return false;
}
static bool barrier(void) {
  return false;
}
#endif

/* ThreadSanitizer does not know membarrier, so under it both sides use the fence that the language knows. And it takes real
 * atomics to be ordered by one. */
#if defined(__SANITIZE_THREAD__) || !UVF__ATOMICS
#define BARRIER_WANTED 0
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define BARRIER_WANTED 0
#endif
#endif
#ifndef BARRIER_WANTED
#define BARRIER_WANTED 1
#endif

static bool setup_done; /* under uvf__fork_lock */

void uvf__fence_setup(void) {
  uvf__fork_lock();
  if (!setup_done) uvf__fence_asymmetric = BARRIER_WANTED && setup_barrier(); /* F2 */
  setup_done = true;
  uvf__fork_unlock();
}

/* A registered barrier cannot fail later; should a kernel refuse it all the same, the fence is at least what it can be. */
void uvf__heavy_fence(void) {
  a_fence(seq_cst); /* F1 */
  if (uvf__fence_asymmetric) (void)barrier();
}

#endif
