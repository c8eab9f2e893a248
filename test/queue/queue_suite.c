/* SPDX-License-Identifier: MIT */
/* The frame of queue_suite.h: one queue with numbered items, and the runner. */
#include "queue/queue_suite.h"

enum { MAX_CASES = 64 };

static unsigned char buffer[1 << 20]; /* for one call's items */

/* ---- items ---- */

static unsigned char item_byte(uint32_t number, size_t at) {
  uint32_t x = (number + 1) * UINT32_C(2654435761) + (uint32_t)at * UINT32_C(40503);
  return (unsigned char)(x >> (8 * (at % 4)) ^ x >> 13);
}

void item_write(void *item, size_t size, uint32_t number) {
  for (size_t i = 0; i < size; i++)
    ((unsigned char *)item)[i] = item_byte(number, i);
}

bool item_is(const void *item, size_t size, uint32_t number) {
  for (size_t i = 0; i < size; i++)
    if (((const unsigned char *)item)[i] != item_byte(number, i)) return false;
  return true;
}

static void expect_items(queue_t *t, const void *items, int n) {
  for (int i = 0; i < n; i++)
    if (!item_is((const char *)items + (size_t)i * t->size, t->size, t->out + (uint32_t)i))
      fail_msg("not item %u", t->out + (unsigned)i);
  t->out += (uint32_t)n;
  assert_true(t->out <= t->in);
}

/* ---- a queue ---- */

void *queue_memory(const queue_kind_t *kind) {
  size_t size = (kind->memory + UVF_CACHE_LINE - 1) / UVF_CACHE_LINE * UVF_CACHE_LINE;
  void *memory = aligned_alloc(UVF_CACHE_LINE, size);
  assert_non_null(memory);
  memset(memory, 0xa5, size); /* init must not count on zeroes */
  return memory;
}

void queue_open(queue_t *t, void **state, size_t item_size, size_t capacity, uint64_t start) {
  const queue_kind_t *kind = *state;
  memset(t, 0, sizeof *t);
  t->kind = kind;
  t->size = item_size;
  t->q = queue_memory(kind);
  assert_int_equal(kind->init(t->q, item_size, capacity, start), 0);
}

void queue_close(queue_t *t) {
  while (queue_recv(t, 1) > 0)
    ;
  assert_int_equal(t->out, t->in);
  t->q->ops->destroy(t->q);
  free(t->q);
}

int queue_send(queue_t *t, int n) {
  assert_true((size_t)n * t->size <= sizeof buffer);
  for (int i = 0; i < n; i++)
    item_write(buffer + (size_t)i * t->size, t->size, t->in + (uint32_t)i);
  int r = t->q->ops->send(t->q, buffer, n);
  if (r > 0) t->in += (uint32_t)r;
  assert_true(r <= n && r != 0);
  return r;
}

int queue_recv(queue_t *t, int n) {
  assert_true((size_t)n * t->size <= sizeof buffer);
  int r = t->q->ops->recv(t->q, buffer, n);
  if (r > 0) expect_items(t, buffer, r);
  assert_true(r <= n && r != 0);
  return r;
}

int queue_claim(queue_t *t, uvf__run_t *run, int n) {
  int r = t->q->ops->claim(t->q, run, n);
  if (r > 0) {
    assert_int_equal(run->count, r);
    expect_items(t, run->items, r);
  }
  assert_true(r <= n && r != 0);
  return r;
}

void queue_give_back(queue_t *t, const uvf__run_t *run) {
  t->q->ops->give_back(t->q, run);
}

int queue_reserve(queue_t *t) {
  return t->q->ops->reserve(t->q);
}

void queue_unreserve(queue_t *t) {
  t->q->ops->unreserve(t->q);
}

int queue_send_held(queue_t *t) {
  item_write(buffer, t->size, t->in);
  int r = t->q->ops->send_held(t->q, buffer);
  if (r == 0) t->in++;
  return r;
}

bool queue_readable(queue_t *t) {
  return uvf__queue_readable(t->q);
}

void queue_shut(queue_t *t, int how) {
  t->q->ops->close(t->q, how);
}

void queue_expect_len(queue_t *t, uint32_t n) {
  uvf__counts_t counts;
  t->q->ops->counts(t->q, &counts);
  assert_int_equal(counts.sent, t->in);
  assert_int_equal(counts.taken, t->out);
  assert_int_equal(counts.sent - counts.taken, n);
}

/* ---- the runner ---- */

static size_t add(struct CMUnitTest *tests, size_t used, const queue_kind_t *kind, queue_part_t part) {
  for (size_t i = 0; i < part.n; i++) {
    if ((part.cases[i].needs & ~kind->traits) != 0) continue;
    if (used == MAX_CASES) abort();
    tests[used++] = (struct CMUnitTest){part.cases[i].name, part.cases[i].run, fault_setup, fault_teardown,
                                        (void *)(uintptr_t)kind};
  }
  return used;
}

int queue_suite_run(const queue_kind_t *kind, const queue_case_t *own, size_t n) {
  static struct CMUnitTest tests[MAX_CASES];
  size_t used = 0;
  used = add(tests, used, kind, queue_flow_cases());
  used = add(tests, used, kind, queue_end_cases());
  used = add(tests, used, kind, queue_memory_cases());
  used = add(tests, used, kind, queue_stress_cases());
  (void)add(tests, used, kind, (queue_part_t){own, n});
  return RUN_TESTS(tests); /* rows without a function are left out */
}
