/* SPDX-License-Identifier: MIT */
/* What travels through digest_tree: a batch of files in one piece of memory. The walker writes the paths, a worker adds
 * the digests, the loop keeps it until the result is printed; only its address goes through the channels. So a file
 * costs its path and 40 bytes, shares an allocation and the hand-overs with others, and nothing is ever copied. */
#ifndef DIGEST_TREE_BATCH_H
#define DIGEST_TREE_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIGEST_BYTES 32

typedef struct {
  uint32_t size; /* bytes of this entry, the path and padding included */
  int error;     /* an errno value: the walker or the worker could not read it. 0: digest holds the result */
  unsigned char digest[DIGEST_BYTES];
  char path[];
} entry_t;

typedef struct batch_s {
  struct batch_s *next; /* the list of whoever owns the batch */
  size_t count;         /* entries */
  size_t used, room;    /* bytes behind this struct */
} batch_t;

/* NULL: out of memory. */
batch_t *batch_create(void);

/* Adds a path; `error` is an errno value that says why it cannot be read, or 0. The batch may move. False: out of
 * memory, and nothing has changed. */
bool batch_add(batch_t **batch, const char *path, int error);

/* Gives back the room that was not used. The batch may move; returns where it is. */
batch_t *batch_trim(batch_t *batch);

/* For each entry: for (e = batch_first(b); e != NULL; e = batch_next(b, e)) */
entry_t *batch_first(batch_t *batch);
entry_t *batch_next(batch_t *batch, entry_t *entry);

/* NULL is allowed. */
void batch_free(batch_t *batch);

/* A drop callback (uvf_drop_cb) for channels whose items are batch_t pointers. */
void batch_drop(void *item, void *data);

#endif
