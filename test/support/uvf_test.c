/* SPDX-License-Identifier: MIT */
/* The shared parts of uvf_test.h. */
#include "support/uvf_test.h"

#include <limits.h>
#include <time.h>

#include "task/blocks.h"

/* ---- recorders ---- */

static void record(record_t *r, void *from, int status) {
  if (r->calls < RECORD_MAX) {
    r->from[r->calls] = from;
    r->status[r->calls] = status;
  }
  r->calls++;
}

void record_request(uvf_req_t *req, int status) {
  record(req->data, req, status);
}

void record_post(uvf_post_t *post, int status) {
  record(post->data, post, status);
}

void record_detached(void *data) {
  record(data, NULL, 0);
}

/* ---- gates and threads ---- */

void gate_init(gate_t *g) {
  pthread_condattr_t attr;
  (void)pthread_condattr_init(&attr);
  (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
  (void)pthread_mutex_init(&g->lock, NULL);
  (void)pthread_cond_init(&g->opened, &attr);
  (void)pthread_condattr_destroy(&attr);
  g->count = 0;
}

void gate_destroy(gate_t *g) {
  (void)pthread_cond_destroy(&g->opened);
  (void)pthread_mutex_destroy(&g->lock);
}

/* Signals under the lock: who passes may destroy the gate. */
void gate_open(gate_t *g) {
  (void)pthread_mutex_lock(&g->lock);
  g->count++;
  (void)pthread_cond_signal(&g->opened);
  (void)pthread_mutex_unlock(&g->lock);
}

bool gate_wait(gate_t *g) {
  struct timespec until;
  int r = 0;
  (void)clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += TEST_PATIENCE_S;
  (void)pthread_mutex_lock(&g->lock);
  while (g->count == 0 && r == 0)
    r = pthread_cond_timedwait(&g->opened, &g->lock, &until);
  bool passed = g->count > 0;
  if (passed) g->count--;
  (void)pthread_mutex_unlock(&g->lock);
  return passed;
}

static void *thread_main(void *arg) {
  thread_t *t = arg;
  t->run(t->arg);
  gate_open(&t->ended);
  return NULL;
}

void thread_start(thread_t *t, void (*run)(void *), void *arg) {
  t->run = run;
  t->arg = arg;
  gate_init(&t->ended);
  assert_int_equal(pthread_create(&t->id, NULL, thread_main, t), 0);
}

void thread_join(thread_t *t) {
  gate_pass(&t->ended);
  assert_int_equal(pthread_join(t->id, NULL), 0);
  gate_destroy(&t->ended);
}

/* ---- memory ---- */

/* Before each block: its size. 16 bytes, so that the block is aligned as malloc's. */
typedef union {
  size_t size;
  max_align_t align;
} block_t;

static atomic_long blocks, bytes;
static atomic_ulong allocations, fail_first, fail_last; /* numbers of allocations */
static atomic_bool hit;
static long blocks_before; /* the running test's */

static bool fails(void) {
  unsigned long n = atomic_fetch_add(&allocations, 1) + 1;
  if (n < atomic_load(&fail_first) || n > atomic_load(&fail_last)) return false;
  atomic_store(&hit, true);
  return true;
}

static void *counted(block_t *b, size_t size) {
  if (b == NULL) return NULL;
  b->size = size;
  atomic_fetch_add(&blocks, 1);
  atomic_fetch_add(&bytes, (long)size);
  return b + 1;
}

static void *fault_malloc(size_t size) {
  if (fails() || size > SIZE_MAX - sizeof(block_t)) return NULL;
  return counted(malloc(sizeof(block_t) + size), size);
}

static void *fault_calloc(size_t count, size_t size) {
  if (fails() || (size != 0 && count > (SIZE_MAX - sizeof(block_t)) / size)) return NULL;
  return counted(calloc(1, sizeof(block_t) + count * size), count * size);
}

static void fault_free(void *p) {
  if (p == NULL) return;
  block_t *b = (block_t *)p - 1;
  atomic_fetch_sub(&blocks, 1);
  atomic_fetch_sub(&bytes, (long)b->size);
  free(b);
}

static void *fault_realloc(void *p, size_t size) {
  void *to = fault_malloc(size);
  if (to == NULL || p == NULL) return to;
  size_t had = ((block_t *)p - 1)->size;
  memcpy(to, p, had < size ? had : size);
  fault_free(p);
  return to;
}

int fault_install(void) {
  uvf__blocks_most = 0; /* what is freed is to be seen */
  fault_at(0);
  return uvf_replace_allocator(fault_malloc, fault_realloc, fault_calloc, fault_free);
}

static void fail_between(unsigned long first, unsigned long last) {
  atomic_store(&hit, false);
  atomic_store(&fail_first, ULONG_MAX); /* none, between the two stores */
  atomic_store(&fail_last, last);
  atomic_store(&fail_first, first);
}

void fault_at(unsigned n) {
  unsigned long at = n == 0 ? ULONG_MAX : atomic_load(&allocations) + n;
  fail_between(at, at);
}

void fault_from(unsigned n) {
  fail_between(n == 0 ? ULONG_MAX : atomic_load(&allocations) + n, ULONG_MAX);
}

bool fault_hit(void) {
  return atomic_load(&hit);
}

long fault_blocks(void) {
  return atomic_load(&blocks);
}

long fault_bytes(void) {
  return atomic_load(&bytes);
}

unsigned long fault_allocations(void) {
  return atomic_load(&allocations);
}

int fault_setup(void **state) {
  (void)state;
  blocks_before = fault_blocks();
  return 0;
}

int fault_teardown(void **state) {
  long left = fault_blocks() - blocks_before;
  (void)state;
  fault_at(0);
  if (left != 0) print_error("%ld blocks of the library's memory are left\n", left);
  return left == 0 ? 0 : -1;
}

/* ---- payloads ---- */

void tally_init(tally_t *t, uint32_t senders, uint32_t each) {
  assert_true(senders <= TALLY_SENDERS);
  t->senders = senders;
  t->each = each;
  t->seen = calloc((size_t)senders * each, sizeof *t->seen);
  assert_non_null(t->seen);
  atomic_init(&t->strange, 0);
  atomic_init(&t->reordered, 0);
}

void tally_check(tally_t *t) {
  size_t lost = 0, doubled = 0;
  for (size_t i = 0; i < (size_t)t->senders * t->each; i++) {
    unsigned n = atomic_load(&t->seen[i]);
    lost += n == 0;
    doubled += n > 1;
  }
  free(t->seen);
  t->seen = NULL;
  assert_int_equal(lost, 0);
  assert_int_equal(doubled, 0);
  assert_int_equal(atomic_load(&t->strange), 0);
  assert_int_equal(atomic_load(&t->reordered), 0);
}

void order_see(order_t *o, payload_t p) {
  tally_t *t = o->tally;
  if (p.sender >= t->senders || p.seq >= t->each) {
    atomic_fetch_add(&t->strange, 1);
    return;
  }
  atomic_fetch_add(&t->seen[(size_t)p.sender * t->each + p.seq], 1);
  if (p.seq < o->next[p.sender]) atomic_fetch_add(&t->reordered, 1);
  o->next[p.sender] = p.seq + 1;
}
