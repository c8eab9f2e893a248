/* SPDX-License-Identifier: MIT */
/* A batch of files: one piece of memory, the entries one behind the other. See batch.h. */
#include "batch.h"

#include <stdlib.h>
#include <string.h>

#define ROOM ((size_t)8 * 1024) /* bytes for entries: about 64 paths of usual length */

_Static_assert(sizeof(batch_t) % _Alignof(entry_t) == 0, "entries start behind the head");

static unsigned char *bytes_of(batch_t *b) {
  return (unsigned char *)(b + 1);
}

batch_t *batch_create(void) {
  batch_t *b = malloc(sizeof *b + ROOM);
  if (b != NULL) *b = (batch_t){.room = ROOM};
  return b;
}

/* Room for one more entry; only a batch with a few very long paths has to grow. */
static bool reserve(batch_t **batch, size_t size) {
  batch_t *b = *batch;
  if (b->room - b->used >= size) return true;
  size_t room = b->used + size;
  b = realloc(b, sizeof *b + room);
  if (b == NULL) return false;
  b->room = room;
  *batch = b;
  return true;
}

bool batch_add(batch_t **batch, const char *path, int error) {
  size_t length = strlen(path) + 1;
  size_t size = (sizeof(entry_t) + length + _Alignof(entry_t) - 1) / _Alignof(entry_t) * _Alignof(entry_t);
  if (size > UINT32_MAX || !reserve(batch, size)) return false;
  batch_t *b = *batch;
  entry_t *e = (entry_t *)(void *)(bytes_of(b) + b->used);
  e->size = (uint32_t)size;
  e->error = error;
  memcpy(e->path, path, length);
  b->used += size;
  b->count++;
  return true;
}

batch_t *batch_trim(batch_t *b) {
  batch_t *trimmed = realloc(b, sizeof *b + b->used);
  if (trimmed == NULL) return b;
  trimmed->room = trimmed->used;
  return trimmed;
}

static entry_t *entry_at(batch_t *b, size_t at) {
  return at < b->used ? (entry_t *)(void *)(bytes_of(b) + at) : NULL;
}

entry_t *batch_first(batch_t *b) {
  return entry_at(b, 0);
}

entry_t *batch_next(batch_t *b, entry_t *e) {
  return entry_at(b, (size_t)((unsigned char *)e - bytes_of(b)) + e->size);
}

void batch_free(batch_t *b) {
  free(b);
}

void batch_drop(void *item, void *data) {
  (void)data;
  batch_free(*(batch_t **)item);
}
