/* SPDX-License-Identifier: MIT */
/* The allocator hook.
 *
 * Protocol. `used` is set by the first allocation and only tells uvf_replace_allocator that it came too late; the hooks are
 * plain, since replacing them is allowed only before any other call (so there is nobody to race with).
 * All memory is zeroed, and none is resized, so of the four only calloc and free are called; the others belong to the interface
 * that libuv's users know.
 * A1: `used`, a flag for a diagnosis: relaxed, nothing is published through it. */
#include "base/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/errno.h"
#include <uvflow/base.h>

#include "base/atomic.h"

static void *(*hook_calloc)(size_t, size_t) = calloc;
static void (*hook_free)(void *) = free;
static a_u32 used;

int uvf_replace_allocator(void *(*m)(size_t), void *(*r)(void *, size_t), void *(*c)(size_t, size_t),
                          void (*f)(void *)) {
  if (m == NULL || r == NULL || c == NULL || f == NULL) return UV_EINVAL;
  if (a_load(&used, relaxed) != 0) return UV_EBUSY; /* A1 */
  hook_calloc = c;
  hook_free = f;
  return 0;
}

void *uvf__calloc(size_t count, size_t size) {
  if (a_load(&used, relaxed) == 0) a_store(&used, 1, relaxed); /* A1 */
  return hook_calloc(count, size);
}

void uvf__free(void *p) {
  hook_free(p);
}

/* The hook promises no more than malloc's alignment: allocate a line more and remember the true start before the result. There is
 * room for it, since what malloc gives is aligned for a pointer at least, and so is the gap. */
void *uvf__calloc_line(size_t size) {
  if (size > SIZE_MAX - UVF_CACHE_LINE) return NULL;
  char *raw = uvf__calloc(1, size + UVF_CACHE_LINE);
  if (raw == NULL) return NULL;
  uintptr_t start = ((uintptr_t)raw + sizeof(void *) + UVF_CACHE_LINE - 1) & ~(uintptr_t)(UVF_CACHE_LINE - 1);
  char *p = raw + (start - (uintptr_t)raw);
  memcpy(p - sizeof(void *), &raw, sizeof raw);
  return p;
}

void uvf__free_line(void *p) {
  void *raw;
  if (p == NULL) return;
  memcpy(&raw, (char *)p - sizeof raw, sizeof raw);
  uvf__free(raw);
}
