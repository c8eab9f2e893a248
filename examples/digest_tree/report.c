/* SPDX-License-Identifier: MIT */
/* The sorted list. It points into the batches, which stay as the workers left them. */
#include "report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char odd[] = "\\\n\r"; /* what would not fit on one line, and the backslash that stands for it */

static bool reserve(report_t *r, size_t more) {
  if (r->room - r->count >= more) return true;
  size_t room = r->room + r->room / 2 + more;
  entry_t **p = realloc(r->entries, room * sizeof *p);
  if (p == NULL) return false;
  r->entries = p;
  r->room = room;
  return true;
}

bool report_add(report_t *r, batch_t *batch) {
  batch->next = r->batches;
  r->batches = batch;
  if (!reserve(r, batch->count)) return false;
  for (entry_t *e = batch_first(batch); e != NULL; e = batch_next(batch, e))
    if (e->error == 0) r->entries[r->count++] = e;
  return true;
}

/* strcmp compares as unsigned char, which is what LC_ALL=C sort does. */
static int by_path(const void *a, const void *b) {
  return strcmp((*(entry_t *const *)a)->path, (*(entry_t *const *)b)->path);
}

void print_path(const char *path, FILE *out) {
  for (;;) {
    size_t plain = strcspn(path, odd);
    fwrite(path, 1, plain, out);
    path += plain;
    if (*path == '\0') return;
    fputs(*path == '\\' ? "\\\\" : *path == '\n' ? "\\n" : "\\r", out);
    path++;
  }
}

/* A backslash in front of the line says that the path was changed to fit on it. */
static void print_entry(const entry_t *e, FILE *out) {
  static const char digits[] = "0123456789abcdef";
  char hex[2 * DIGEST_BYTES + 2], *p = hex;
  for (int i = 0; i < DIGEST_BYTES; i++) {
    *p++ = digits[e->digest[i] >> 4];
    *p++ = digits[e->digest[i] & 15];
  }
  *p++ = ' ';
  *p = ' ';
  if (strpbrk(e->path, odd) != NULL) putc('\\', out);
  fwrite(hex, 1, sizeof hex, out);
  print_path(e->path, out);
  putc('\n', out);
}

int report_print(report_t *r, FILE *out) {
  if (r->count > 0) qsort(r->entries, r->count, sizeof *r->entries, by_path);
  errno = 0;
  for (size_t i = 0; i < r->count && !ferror(out); i++)
    print_entry(r->entries[i], out);
  if (fflush(out) == 0 && !ferror(out)) return 0;
  return errno != 0 ? errno : EIO;
}

void report_free(report_t *r) {
  while (r->batches != NULL) {
    batch_t *b = r->batches;
    r->batches = b->next;
    batch_free(b);
  }
  free(r->entries);
}
