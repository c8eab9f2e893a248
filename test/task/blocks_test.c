/* SPDX-License-Identifier: MIT */
/* The memory of flowvars that an executor keeps for the next ones. (fault_install lets it keep none; here it does.) */
#include "task/task_fixture.h"

#include "task/blocks.h"

enum { MANY = 100 };

static const size_t sizes[] = {1, 127, 128, 129, 500, 1024};

#define SIZES (sizeof sizes / sizeof *sizes)

static void *take(uvf__blocks_t *b, size_t size) {
  bool first;
  return uvf__blocks_take(b, size, &first);
}

static void give(uvf__blocks_t *b, void *block, size_t size) {
  (void)uvf__blocks_give(b, block, size);
}

static void what_was_given_is_taken_again_and_zeroed(void **state) {
  uvf__blocks_t b = {.kept = 0};
  (void)state;
  assert_int_equal(uvf__blocks_init(&b), 0);
  for (size_t i = 0; i < SIZES; i++) {
    unsigned char *block = take(&b, sizes[i]);
    assert_non_null(block);
    memset(block, 0xff, sizes[i]);
    give(&b, block, sizes[i]);
    unsigned long made = fault_allocations();
    unsigned char *again = take(&b, sizes[i]);
    assert_int_equal(fault_allocations(), made);
    for (size_t k = 0; k < sizes[i]; k++)
      assert_int_equal(again[k], 0);
    give(&b, again, sizes[i]);
  }
  uvf__blocks_destroy(&b);
}

static void large_ones_are_not_kept(void **state) {
  uvf__blocks_t b = {.kept = 0};
  (void)state;
  assert_int_equal(uvf__blocks_init(&b), 0);
  long before = fault_blocks();
  give(&b, take(&b, 1025), 1025);
  assert_int_equal(fault_blocks(), before);
  assert_int_equal(b.kept, 0);
  uvf__blocks_destroy(&b);
}

static void no_more_than_the_most_are_kept(void **state) {
  uvf__blocks_t b = {.kept = 0};
  void *blocks[MANY];
  (void)state;
  assert_int_equal(uvf__blocks_init(&b), 0);
  uvf__blocks_most = 10 * 256;
  long before = fault_blocks();
  for (int i = 0; i < MANY; i++)
    blocks[i] = take(&b, 200);
  for (int i = 0; i < MANY; i++)
    give(&b, blocks[i], 200);
  assert_int_equal(b.kept, 10 * 256);
  assert_int_equal(fault_blocks(), before + 10);
  uvf__blocks_destroy(&b);
  assert_int_equal(fault_blocks(), before);
  uvf__blocks_most = 1 << 20;
}

static void no_memory_is_said(void **state) {
  uvf__blocks_t b = {.kept = 0};
  (void)state;
  assert_int_equal(uvf__blocks_init(&b), 0);
  fault_at(1);
  assert_null(take(&b, 300));
  fault_at(1);
  assert_null(take(&b, 3000));
  fault_at(0);
  uvf__blocks_destroy(&b);
}

/* So that who keeps them needs one unit of life for all. */
static void the_first_out_and_the_last_back_are_told(void **state) {
  uvf__blocks_t b = {.kept = 0};
  bool first;
  (void)state;
  assert_int_equal(uvf__blocks_init(&b), 0);
  for (int round = 0; round < 2; round++) { /* new memory, and memory that was kept */
    void *small = uvf__blocks_take(&b, 100, &first);
    assert_true(first);
    void *large = uvf__blocks_take(&b, 2000, &first);
    assert_false(first);
    fault_at(1);
    assert_null(uvf__blocks_take(&b, 3000, &first));
    fault_at(0);
    assert_false(uvf__blocks_give(&b, small, 100));
    assert_true(uvf__blocks_give(&b, large, 2000));
  }
  uvf__blocks_destroy(&b);
}

static int adds_one(uvf_task_t *task, void *arg, void *value) {
  (void)task;
  *(long *)value = *(const long *)arg + 1;
  return 0;
}

/* A burst, its results, and the next one: the second takes the memory of the first. */
static void a_second_burst_needs_no_allocation(void **state) {
  uvf_threads_options_t o = {.threads = 1};
  uvf_spawn_options_t number = {.value_size = sizeof(long), .arg_size = sizeof(long)};
  uvf_executor_t *ex;
  unsigned long made = 0;
  long before = fault_blocks();
  (void)state;
  assert_int_equal(uvf_threads_create(&o, &ex), 0);
  for (int round = 0; round < 3; round++) {
    uvf_flowvar_t *fvs[MANY];
    if (round == 1) made = fault_allocations();
    for (long i = 0; i < MANY; i++)
      assert_int_equal(uvf_spawn(ex, adds_one, &i, &number, &fvs[i]), 0);
    assert_int_equal(uvf_await_all_sync(fvs, MANY, TEST_PATIENCE_S * 1000), 0);
    for (long i = 0; i < MANY; i++) {
      assert_int_equal(*(const long *)uvf_flowvar_value(fvs[i]), i + 1);
      uvf_flowvar_release(fvs[i]);
    }
    assert_int_equal(uvf_wait_idle_sync(ex, TEST_PATIENCE_S * 1000), 0);
  }
  assert_in_range(fault_allocations() - made, 0,
                  3); /* the last of a round may not be given back yet when the next begins */
  assert_int_equal(uvf_executor_close(ex), 0);
  assert_int_equal(uvf_wait_idle_sync(ex, TEST_PATIENCE_S * 1000), 0);
  uvf_executor_release(ex);
  until_freed(before); /* by its thread, as the last thing it does */
}

static int keep_some(void **state) {
  uvf__blocks_most = 1 << 20;
  return fault_setup(state);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, keep_some, fault_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(what_was_given_is_taken_again_and_zeroed), TEST(large_ones_are_not_kept),
      TEST(no_more_than_the_most_are_kept),           TEST(no_memory_is_said),
      TEST(the_first_out_and_the_last_back_are_told), TEST(a_second_burst_needs_no_allocation),
  };
  return RUN_TESTS(tests);
}
