/* SPDX-License-Identifier: MIT */
/* How many runners are worth while: whom short jobs are left to, and that a long one among them holds nobody up for more than one
 * look of the watcher. */
#include "task/task_fixture.h"

#include "base/alloc.h"
#include "task/executor.h"

static void nothing(uvf_executor_t *ex) {
  uvf__free_line(ex);
}

static const uvf__executor_type_t bare_type = {.name = "bare", .destroy = nothing};

/* An executor on which something is queued and nothing runs; its lock is held. Asserts. */
static uvf_executor_t *bare(void) {
  const uvf__executor_setup_t setup = {&bare_type, NULL, NULL, UVF__NO_LIMIT, UINT32_MAX, 4, NULL, NULL};
  uvf_executor_t *ex = uvf__calloc_line(sizeof *ex);
  assert_non_null(ex);
  assert_int_equal(uvf__executor_init(ex, &setup), 0);
  uvf__lock(&ex->waits.lock);
  ex->queued = 1;
  return ex;
}

static void give_up(uvf_executor_t *ex) {
  ex->queued = 0;
  uvf__unlock(&ex->waits.lock);
  uvf_executor_release(ex);
}

static void jobs_are_short(uvf_executor_t *ex) {
  for (int i = 0; i < 100; i++)
    uvf__crowd_note(&ex->crowd, 0);
}

static void short_jobs_are_left_to_the_one_at_work(void **state) {
  uvf_executor_t *ex = bare();
  (void)state;
  uint64_t one = uvf__crowd_begin(&ex->crowd);
  assert_false(uvf__crowded(ex)); /* not known yet */
  jobs_are_short(ex);
  assert_true(uvf__crowded(ex));
  uvf__crowd_end(&ex->crowd, one);
  assert_false(uvf__crowded(ex)); /* there is none */
  give_up(ex);
}

static void who_is_stuck_counts_again_with_its_next_job(void **state) {
  uvf_executor_t *ex = bare();
  (void)state;
  jobs_are_short(ex);
  uint64_t stuck = uvf__crowd_begin(&ex->crowd);
  assert_true(uvf__crowded(ex));
  uvf__crowd_watch(ex); /* none begins meanwhile */
  assert_false(uvf__crowded(ex));
  jobs_are_short(ex);
  assert_false(uvf__crowded(ex)); /* the others do not wait for it a second time */
  uint64_t other = uvf__crowd_begin(&ex->crowd);
  assert_true(uvf__crowded(ex));
  uvf__crowd_end(&ex->crowd, stuck);
  assert_true(uvf__crowded(ex));
  uvf__crowd_end(&ex->crowd, other);
  assert_false(uvf__crowded(ex));
  assert_int_equal(ex->crowd.at_work, 0);
  assert_int_equal(ex->crowd.stuck, 0);
  give_up(ex);
}

static void a_long_job_lets_more_than_one_be_at_work(void **state) {
  uvf_executor_t *ex = bare();
  (void)state;
  jobs_are_short(ex);
  uint64_t stuck = uvf__crowd_begin(&ex->crowd);
  uvf__crowd_watch(ex);
  uint64_t other = uvf__crowd_begin(&ex->crowd); /* it may be another long one */
  assert_false(uvf__crowded(ex));
  jobs_are_short(ex); /* it was not */
  assert_true(uvf__crowded(ex));
  uvf__crowd_end(&ex->crowd, other);
  uvf__crowd_end(&ex->crowd, stuck);
  give_up(ex);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fault_setup, fault_teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(short_jobs_are_left_to_the_one_at_work),
      TEST(who_is_stuck_counts_again_with_its_next_job),
      TEST(a_long_job_lets_more_than_one_be_at_work),
  };
  return RUN_TESTS(tests);
}
