/* SPDX-License-Identifier: MIT */
/* The allocator hook: what it takes, when it is too late, and memory that starts on a cache line. */
#include "support/uvf_test.h"

#include "base/alloc.h"
#include "base/atomic.h"

static void *no_malloc(size_t size) {
  (void)size;
  return NULL;
}

static void *no_realloc(void *p, size_t size) {
  (void)p;
  (void)size;
  return NULL;
}

static void *no_calloc(size_t count, size_t size) {
  (void)count;
  (void)size;
  return NULL;
}

static void no_free(void *p) {
  (void)p;
}

/* Runs first: nothing was allocated yet. */
static void a_missing_function_is_refused_and_replaces_nothing(void **state) {
  (void)state;
  assert_int_equal(uvf_replace_allocator(NULL, no_realloc, no_calloc, no_free), UV_EINVAL);
  assert_int_equal(uvf_replace_allocator(no_malloc, NULL, no_calloc, no_free), UV_EINVAL);
  assert_int_equal(uvf_replace_allocator(no_malloc, no_realloc, NULL, no_free), UV_EINVAL);
  assert_int_equal(uvf_replace_allocator(no_malloc, no_realloc, no_calloc, NULL), UV_EINVAL);
  void *p = uvf__calloc(1, 1);
  assert_non_null(p);
  uvf__free(p);
}

static void after_the_first_allocation_it_is_too_late(void **state) {
  (void)state;
  assert_int_equal(uvf_replace_allocator(no_malloc, no_realloc, no_calloc, no_free), UV_EBUSY);
  void *p = uvf__calloc(3, 5);
  assert_non_null(p);
  uvf__free(p);
}

static void memory_comes_from_the_hook_and_goes_back_to_it(void **state) {
  long blocks = fault_blocks();
  (void)state;
  void *p = uvf__calloc(4, 25);
  assert_int_equal(fault_blocks(), blocks + 1);
  uvf__free(p);
  assert_int_equal(fault_blocks(), blocks);
}

static void a_line_is_aligned_and_zeroed_and_all_there(void **state) {
  (void)state;
  for (size_t size = 0; size <= 300; size++) {
    unsigned char *p = uvf__calloc_line(size);
    assert_non_null(p);
    assert_int_equal((uintptr_t)p % UVF_CACHE_LINE, 0);
    for (size_t i = 0; i < size; i++)
      assert_int_equal(p[i], 0);
    memset(p, 0xff, size);
    uvf__free_line(p);
  }
}

static void failure_is_null(void **state) {
  (void)state;
  fault_at(1);
  assert_null(uvf__calloc(1, 1));
  assert_true(fault_hit());
  fault_at(1);
  assert_null(uvf__calloc_line(1));
  fault_at(0);
}

static void a_size_that_overflows_is_null(void **state) {
  (void)state;
  assert_null(uvf__calloc_line(SIZE_MAX));
  assert_null(uvf__calloc_line(SIZE_MAX - UVF_CACHE_LINE));
  assert_null(uvf__calloc(SIZE_MAX / 2, 3));
}

static void freeing_null_does_nothing(void **state) {
  (void)state;
  uvf__free(NULL);
  uvf__free_line(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      UVF_TEST(a_missing_function_is_refused_and_replaces_nothing),
      UVF_TEST(after_the_first_allocation_it_is_too_late),
      UVF_TEST(memory_comes_from_the_hook_and_goes_back_to_it),
      UVF_TEST(a_line_is_aligned_and_zeroed_and_all_there),
      UVF_TEST(failure_is_null),
      UVF_TEST(a_size_that_overflows_is_null),
      UVF_TEST(freeing_null_does_nothing),
  };
  return RUN_TESTS(tests);
}
