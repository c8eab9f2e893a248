/* SPDX-License-Identifier: MIT */
/* The result: all digests, sorted by the bytes of their paths, printed as sha256sum(1) of coreutils 9 prints them. */
#ifndef DIGEST_TREE_REPORT_H
#define DIGEST_TREE_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "batch.h"

typedef struct {
  batch_t *batches; /* all memory of the entries */
  entry_t **entries;
  size_t count, room;
} report_t;

/* Takes the batch over, also if this fails. Entries with an error are not listed. False: out of memory. */
bool report_add(report_t *r, batch_t *batch);

/* Returns 0 or an errno value; `out` is flushed. */
int report_print(report_t *r, FILE *out);

void report_free(report_t *r);

/* A path on one line: backslash, newline and carriage return become \\, \n and \r. */
void print_path(const char *path, FILE *out);

#endif
