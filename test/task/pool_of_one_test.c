/* SPDX-License-Identifier: MIT */
/* libuv's pool with a single thread (UV_THREADPOOL_SIZE=1): all that works on a pool works there, and a work that blocks for what only
 * that thread could run is refused, whichever loop's pool it was given to. Promise 9. */
#include "task/task_fixture.h"
#include "uv/uv_fixture.h"

enum { MANY = 100 };

typedef struct {
  gate_t ready, begun;
  uvf_flowvar_t *fv;
  int one, all;
} blocking_t;

static void blocks_for_it(work_t *w, uvf_task_t *task) {
  blocking_t *b = w->data;
  (void)task;
  gate_open(&b->begun);
  (void)gate_wait(&b->ready);
  b->one = uvf_await_sync(b->fv, TEST_PATIENCE_S * 100); /* a miss fails, and does not hang */
  b->all = uvf_await_all_sync(&b->fv, 1, TEST_PATIENCE_S * 100);
}

/* A work in `in` that blocks for one in `on`. */
static void block_in(fixture_t *f, uvf_executor_t *in, fixture_t *g, uvf_executor_t *on, int result) {
  blocking_t b = {.one = 1};
  work_t w = {.inside = blocks_for_it, .data = &b}, other = {.value = item(1, 1)};
  gate_init(&b.ready);
  gate_init(&b.begun);
  uvf_flowvar_t *outer = spawn(in, &w, NULL);
  gate_pass(&b.begun);
  b.fv = spawn(on, &other, NULL);
  gate_open(&b.ready);
  run(f);
  run(g);
  assert_int_equal(uvf_try_await(outer), 0);
  assert_int_equal(uvf_try_await(b.fv), 0);
  assert_int_equal(b.one, result);
  assert_int_equal(b.all, result);
  uvf_flowvar_release(outer);
  uvf_flowvar_release(b.fv);
  gate_destroy(&b.ready);
  gate_destroy(&b.begun);
}

static void promise_9_blocking_in_the_only_thread(void **state) {
  fixture_t f, g;
  uvf_executor_t *lane;
  uvf_lane_options_t o = {.max_running = 3, .capacity = 10};
  open_fixture(&f, state);
  open_fixture(&g, state);
  assert_int_equal(uvf_lane_create(uvf_loop_pool(g.loop), &o, &lane), 0);
  block_in(&f, uvf_loop_pool(f.loop), &f, uvf_loop_pool(f.loop), UVF_EDEADLK);
  block_in(&f, uvf_loop_pool(f.loop), &g, uvf_loop_pool(g.loop), UVF_EDEADLK); /* another loop, the same thread */
  block_in(&f, uvf_loop_pool(f.loop), &g, lane, UVF_EDEADLK);
  block_in(&g, lane, &f, uvf_loop_pool(f.loop), UVF_EDEADLK);
  uvf_executor_release(lane);
  close_fixture(&f);
  close_fixture(&g);
}

static void blocking_for_other_threads(void **state) {
  fixture_t f;
  threads_t t;
  threads_open(&t, 1);
  open_fixture(&f, state);
  block_in(&f, uvf_loop_pool(f.loop), &f, t.ex, 0);
  close_fixture(&f);
  threads_close(&t); /* no loop is attached to this thread any more */
}

static void a_burst_and_chains(void **state) {
  static work_t works[MANY];
  static op_t ops[MANY];
  fixture_t f;
  uvf_flowvar_t *fvs[MANY];
  int wrong = 0;
  memset(ops, 0, sizeof ops);
  open_fixture(&f, state);
  for (uint32_t i = 0; i < MANY; i++) {
    works[i] = (work_t){.value = item(1, i), .next = &works[i + 1 < MANY ? i + 1 : i]};
    fvs[i] =
        i == 0 ? spawn(uvf_loop_pool(f.loop), &works[0], NULL) : then_next(fvs[i - 1], uvf_loop_pool(f.loop), NULL);
    assert_int_equal(uvf_await(f.loop, &ops[i].req, fvs[i], UVF_FOREVER, op_done), 0);
  }
  run(&f);
  for (uint32_t i = 0; i < MANY; i++) {
    wrong += ops[i].calls != 1 || ops[i].status != 0 || atomic_load(&works[i].runs) != 1;
    expect_made(fvs[i], item(1, i));
    uvf_flowvar_release(fvs[i]);
  }
  assert_int_equal(wrong, 0);
  close_fixture(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      BOTH(promise_9_blocking_in_the_only_thread),
      BOTH(blocking_for_other_threads),
      BOTH(a_burst_and_chains),
  };
  if (setenv("UV_THREADPOOL_SIZE", "1", 1) != 0) return 1;
  return RUN_TESTS(tests);
}
