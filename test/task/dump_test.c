/* SPDX-License-Identifier: MIT */
/* What uvf_dump says of a loop that waits for work: each kind of wait, with the flowvar's name. */
#include "task/task_fixture.h"

#include <stdio.h>

#include <uvflow/dump.h>

static void expect_shown(uvf_loop_t *loop, const char *what, bool shown) {
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  assert_non_null(out);
  uvf_dump(loop, out);
  assert_int_equal(fclose(out), 0);
  bool is = strstr(text, what) != NULL;
  if (is != shown) print_error("%s \"%s\" in:\n%s", shown ? "missing" : "unexpected", what, text);
  free(text);
  assert_int_equal(is, shown);
}

static void each_kind_of_wait_is_shown(void **state) {
  (void)state;
  pool_t p;
  test_host_t h;
  op_t await = {0}, all = {0}, asked = {0}, offload = {0};
  work_t w = {0}, next = {0}, own = {0};
  uvf_task_t *task;
  pool_open(&p, false);
  loop_open(&h, 0);
  w.next = &next;
  uvf_flowvar_t *fvs[2] = {spawn(p.ex, &w, NULL), promise(&task, NULL)};
  uvf_flowvar_t *after = then_next(fvs[0], p.ex, NULL);
  expect_shown(h.loop, "flowvar", false);
  assert_int_equal(start_await(&h, &await, fvs[0], UVF_FOREVER), 0);
  expect_shown(h.loop, "waits for flowvar \"of a test\"", true);
  assert_int_equal(start_await_all(&h, &all, fvs, 2, UVF_FOREVER), 0);
  expect_shown(h.loop, "waits for flowvars", true);
  assert_int_equal(start_wait_cancelled(&h, &asked, task, UVF_FOREVER), 0);
  expect_shown(h.loop, "to be cancelled, as the task of flowvar \"of a test\"", true);
  expect_shown(h.loop, "offload", false);
  assert_int_equal(start_offload(&h, &offload, p.ex, &w), 0);
  expect_shown(h.loop, "offload", true);
  uvf_flowvar_t *here = spawn(uvf_loop_executor(h.loop), &own, NULL);
  expect_shown(h.loop, "executor", true);
  pool_run(&p); /* decided, and not told yet */
  expect_shown(h.loop, "offload", true);
  expect_shown(NULL, "loop", true);
  assert_int_equal(uvf_task_finish(task, 0, NULL), 0);
  test_host_run(&h);
  expect_done(&await, 0);
  expect_done(&all, 0);
  expect_done(&asked, UV_EOF);
  expect_done(&offload, 0);
  expect_shown(h.loop, "offload", false);
  expect_shown(h.loop, "flowvar", false);
  uvf_flowvar_release(here);
  uvf_flowvar_release(after);
  uvf_flowvar_release(fvs[0]);
  uvf_flowvar_release(fvs[1]);
  test_host_detach(&h);
  pool_close(&p);
}

int main(void) {
  const struct CMUnitTest tests[] = {UVF_TEST(each_kind_of_wait_is_shown)};
  return RUN_TESTS(tests);
}
