/* SPDX-License-Identifier: MIT */
/* Walks a tree of files as find(1) does by default: follows no symbolic link, and joins names to the path as it was
 * given. */
#ifndef DIGEST_TREE_WALK_H
#define DIGEST_TREE_WALK_H

#include <stdbool.h>
#include <stdint.h>

typedef enum {
  FOUND_FILE,      /* a regular file */
  FOUND_DIRECTORY, /* it will be read next */
  FOUND_ERROR      /* something that cannot be looked at */
} found_kind_t;

typedef struct {
  found_kind_t kind;
  const char *path; /* valid during the call */
  uint64_t bytes;   /* the size of a file, if asked for */
  int error;        /* an errno value, if kind says so */
} found_t;

/* Called for what is found; all else (links, devices, sockets, pipes) is passed over. Not 0: ends the walk, which
 * returns it. */
typedef int (*found_cb)(const found_t *found, void *data);

/* Walks `root`, which may be a file. `sizes`: look up the sizes of files, which costs a system call each. Returns 0,
 * what `cb` returned, or UV_ENOMEM. */
int walk(const char *root, bool sizes, found_cb cb, void *data);

#endif
