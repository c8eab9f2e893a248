/* SPDX-License-Identifier: MIT */
/* All memory of the library comes from here, so that uvf_replace_allocator and the tests' fault injection see every
 * allocation. Nothing here may be called under a lock. */
#ifndef UVF_BASE_ALLOC_H
#define UVF_BASE_ALLOC_H

#include <stddef.h>

/* Zeroed; NULL where there is no memory. */
void *uvf__calloc(size_t count, size_t size);

/* Zeroed and starting on a cache line; freed by uvf__free_line. */
void *uvf__calloc_line(size_t size);

void uvf__free(void *p);
void uvf__free_line(void *p);

#endif
