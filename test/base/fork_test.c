/* SPDX-License-Identifier: MIT */
/* Generations: each fork makes a new one, in the child alone, and repairs what a lock of another thread may have
 * left. */
#include "support/uvf_test.h"

#include <sys/wait.h>
#include <unistd.h>

#include "base/fork.h"

static unsigned repairs; /* in this process */

static void repair(void) {
  repairs++;
}

/* Runs `child` in a child; asserts. The child's exit code. */
static int in_child(int (*child)(uint32_t parent)) {
  uint32_t parent = uvf__fork_generation();
  int status = 0;
  pid_t pid = fork();
  if (pid == 0) _exit(child(parent)); /* no assertion in a child: it would report the tests' result a second time */
  assert_true(pid > 0);
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_true(WIFEXITED(status));
  return WEXITSTATUS(status);
}

static int counts_one_more(uint32_t parent) {
  return uvf__fork_generation() == parent + 1 && repairs == 1 ? 0 : 1;
}

static int counts_two_more_in_a_grandchild(uint32_t parent) {
  int status = 0;
  pid_t pid = fork();
  if (pid == 0) _exit(uvf__fork_generation() == parent + 2 && repairs == 2 ? 0 : 1);
  return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : 2;
}

static int watches_again(uint32_t parent) {
  if (uvf__fork_watch(repair) != 0) return 2;
  return counts_one_more(parent);
}

static void a_child_has_a_generation_of_its_own_and_is_repaired_once(void **state) {
  (void)state;
  assert_int_equal(in_child(counts_one_more), 0);
}

static void so_has_a_grandchild(void **state) {
  (void)state;
  assert_int_equal(in_child(counts_two_more_in_a_grandchild), 0);
}

static void watching_works_in_a_child(void **state) {
  (void)state;
  assert_int_equal(in_child(watches_again), 0);
}

static void the_parent_stays_what_it_was(void **state) {
  uint32_t before = uvf__fork_generation();
  (void)state;
  assert_int_equal(in_child(counts_one_more), 0);
  assert_int_equal(uvf__fork_generation(), before);
  assert_int_equal(repairs, 0);
}

static void watching_without_a_repair_keeps_the_one_that_is_there(void **state) {
  (void)state;
  assert_int_equal(uvf__fork_watch(NULL), 0);
  assert_int_equal(in_child(counts_one_more), 0);
}

static void watch_for_a_while(void *arg) {
  atomic_bool *end = arg;
  while (!atomic_load(end))
    (void)uvf__fork_watch(repair);
}

static void a_fork_while_another_thread_registers_does_not_hang_the_child(void **state) {
  thread_t thread;
  atomic_bool end;
  (void)state;
  atomic_init(&end, false);
  thread_start(&thread, watch_for_a_while, &end);
  for (int i = 0; i < 20; i++)
    assert_int_equal(in_child(watches_again), 0);
  atomic_store(&end, true);
  thread_join(&thread);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      UVF_TEST(a_child_has_a_generation_of_its_own_and_is_repaired_once),
      UVF_TEST(so_has_a_grandchild),
      UVF_TEST(watching_works_in_a_child),
      UVF_TEST(the_parent_stays_what_it_was),
      UVF_TEST(watching_without_a_repair_keeps_the_one_that_is_there),
      UVF_TEST(a_fork_while_another_thread_registers_does_not_hang_the_child),
  };
  if (uvf__fork_watch(repair) != 0 || uvf__fork_watch(repair) != 0) return 1; /* twice is once */
  return RUN_TESTS(tests);
}
