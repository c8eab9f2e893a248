/* SPDX-License-Identifier: MIT */
/* Intrusive, circular, doubly linked list. A link that is on no list has next == NULL. No locking of its own. */
#ifndef UVF_BASE_LIST_H
#define UVF_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct uvf__link_s {
  struct uvf__link_s *next, *prev;
} uvf__link_t;

#define uvf__container(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

static inline void uvf__list_init(uvf__link_t *list) {
  list->next = list->prev = list;
}

static inline bool uvf__list_empty(const uvf__link_t *list) {
  return list->next == list;
}

static inline bool uvf__linked(const uvf__link_t *l) {
  return l->next != NULL;
}

static inline void uvf__link_after(uvf__link_t *at, uvf__link_t *l) {
  l->prev = at;
  l->next = at->next;
  at->next->prev = l;
  at->next = l;
}

static inline void uvf__list_push_back(uvf__link_t *list, uvf__link_t *l) {
  uvf__link_after(list->prev, l);
}

static inline void uvf__list_push_front(uvf__link_t *list, uvf__link_t *l) {
  uvf__link_after(list, l);
}

static inline void uvf__unlink(uvf__link_t *l) {
  l->prev->next = l->next;
  l->next->prev = l->prev;
  l->next = l->prev = NULL;
}

static inline uvf__link_t *uvf__list_first(uvf__link_t *list) {
  return uvf__list_empty(list) ? NULL : list->next;
}

/* Moves all of `from` to the end of `to`. */
static inline void uvf__list_splice(uvf__link_t *to, uvf__link_t *from) {
  if (uvf__list_empty(from)) return;
  from->next->prev = to->prev;
  to->prev->next = from->next;
  from->prev->next = to;
  to->prev = from->prev;
  uvf__list_init(from);
}

#endif
