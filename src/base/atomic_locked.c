/* SPDX-License-Identifier: MIT */
/* The mutexes of atomic_locked.h. In a build with atomics there is nothing here. */
#include "base/atomic.h"

#include "base/thread.h"

#if !UVF__ATOMICS

#include <string.h>

#define STRIPES 64
#define FOUR UVF__MUTEX_STATIC, UVF__MUTEX_STATIC, UVF__MUTEX_STATIC, UVF__MUTEX_STATIC
#define SIXTEEN FOUR, FOUR, FOUR, FOUR

/* One mutex to a line is not worth the trouble here. */
static uvf__mutex_t stripes[STRIPES] = {SIXTEEN, SIXTEEN, SIXTEEN, SIXTEEN};
static uvf__mutex_t order = UVF__MUTEX_STATIC;

/* Begins an operation on *p: the mutex to be given to `leave`. Lock order: `order`, then a stripe. */
static uvf__mutex_t *enter(const void *p, bool sc) {
  uvf__mutex_t *stripe = &stripes[((uintptr_t)p >> 2 ^ (uintptr_t)p >> 8) % STRIPES];
  if (sc) uvf__lock(&order);
  uvf__lock(stripe);
  return stripe;
}

static void leave(uvf__mutex_t *stripe, bool sc) {
  uvf__unlock(stripe);
  if (sc) uvf__unlock(&order);
}

/* By memcpy, since words of all pointer types come here. */
static void load(const void *p, void *out, size_t size, bool sc) {
  uvf__mutex_t *stripe = enter(p, sc);
  memcpy(out, p, size);
  leave(stripe, sc);
}

static void store(void *p, const void *v, size_t size, bool sc) {
  uvf__mutex_t *stripe = enter(p, sc);
  memcpy(p, v, size);
  leave(stripe, sc);
}

static bool cas(void *p, void *expected, const void *v, size_t size, bool sc) {
  uvf__mutex_t *stripe = enter(p, sc);
  bool same = memcmp(p, expected, size) == 0;
  if (same)
    memcpy(p, v, size);
  else
    memcpy(expected, p, size);
  leave(stripe, sc);
  return same;
}

static uint64_t changed(uint64_t was, uvf__change_t how, uint64_t v) {
  switch (how) {
  case UVF__ADD: return was + v;
  case UVF__SUB: return was - v;
  case UVF__OR: return was | v;
  case UVF__AND: return was & v;
  case UVF__SWAP:
  default: return v;
  }
}

uint32_t uvf__load_32(const void *p, bool sc) {
  uint32_t v;
  load(p, &v, sizeof v, sc);
  return v;
}

uint64_t uvf__load_64(const void *p, bool sc) {
  uint64_t v;
  load(p, &v, sizeof v, sc);
  return v;
}

void *uvf__load_ptr(const void *p, bool sc) {
  void *v;
  load(p, &v, sizeof v, sc);
  return v;
}

void uvf__store_32(void *p, uint32_t v, bool sc) {
  store(p, &v, sizeof v, sc);
}

void uvf__store_64(void *p, uint64_t v, bool sc) {
  store(p, &v, sizeof v, sc);
}

void uvf__store_ptr(void *p, void *v, bool sc) {
  store(p, &v, sizeof v, sc);
}

uint32_t uvf__change_32(void *p, uvf__change_t how, uint32_t v, bool sc) {
  uvf__mutex_t *stripe = enter(p, sc);
  uint32_t was;
  memcpy(&was, p, sizeof was);
  uint32_t now = (uint32_t)changed(was, how, v);
  memcpy(p, &now, sizeof now);
  leave(stripe, sc);
  return was;
}

uint64_t uvf__change_64(void *p, uvf__change_t how, uint64_t v, bool sc) {
  uvf__mutex_t *stripe = enter(p, sc);
  uint64_t was;
  memcpy(&was, p, sizeof was);
  uint64_t now = changed(was, how, v);
  memcpy(p, &now, sizeof now);
  leave(stripe, sc);
  return was;
}

/* Pointers are only swapped. */
void *uvf__change_ptr(void *p, uvf__change_t how, void *v, bool sc) {
  uvf__mutex_t *stripe = enter(p, sc);
  void *was;
  (void)how;
  memcpy(&was, p, sizeof was);
  memcpy(p, &v, sizeof v);
  leave(stripe, sc);
  return was;
}

bool uvf__cas_32(void *p, void *expected, uint32_t v, bool sc) {
  return cas(p, expected, &v, sizeof v, sc);
}

bool uvf__cas_64(void *p, void *expected, uint64_t v, bool sc) {
  return cas(p, expected, &v, sizeof v, sc);
}

bool uvf__cas_ptr(void *p, void *expected, void *v, bool sc) {
  return cas(p, expected, &v, sizeof v, sc);
}

void uvf__order_fence(void) {
  uvf__lock(&order);
  uvf__unlock(&order);
}

void uvf__atomics_lock_all(void) {
  uvf__lock(&order);
  for (int i = 0; i < STRIPES; i++)
    uvf__lock(&stripes[i]);
}

void uvf__atomics_unlock_all(void) {
  for (int i = 0; i < STRIPES; i++)
    uvf__unlock(&stripes[i]);
  uvf__unlock(&order);
}

#endif
