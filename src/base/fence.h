/* SPDX-License-Identifier: MIT */
/* An asymmetric pair of fences for store-buffering (Dekker) races in which one side runs often and the other seldom.
 *
 *   often:   store x;  light_fence();  load y          seldom:  store y;  heavy_fence();  load x
 *
 * At least one of the loads sees the other side's store. Light costs nothing where heavy can make every running thread of
 * the process execute a full barrier (membarrier on Linux, FlushProcessWriteBuffers on Windows); elsewhere both are
 * sequentially consistent fences. */
#ifndef UVF_BASE_FENCE_H
#define UVF_BASE_FENCE_H

#include "base/atomic.h"

/* True once the heavy fence reaches all threads by itself. Decided by uvf__fence_setup, which must come before the first
 * use of either fence by the objects that rely on it; never changes afterwards. */
extern bool uvf__fence_asymmetric;

void uvf__fence_setup(void);
void uvf__heavy_fence(void);

static inline void uvf__light_fence(void) {
#ifndef UVF_MODEL
  if (uvf__fence_asymmetric)
    a_signal_fence();
  else
#endif
    a_fence(seq_cst); /* F1 */
}

#define light_fence() uvf__light_fence()
#define heavy_fence() uvf__heavy_fence()

#endif
