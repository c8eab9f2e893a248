/* SPDX-License-Identifier: MIT */
/* libuv's pool is the process's: while several loops have more work on it than it can do, a file is still answered, and so is the
 * work of a loop that comes later. Run with several sizes of the pool (test/CMakeLists.txt). */
#include "uv/uv_fixture.h"

#include <sched.h>

enum { BUSY_LOOPS = 3, JOBS = 8 };

static atomic_bool enough;

/* Longer than a runner keeps its thread. */
static int takes_milliseconds(uvf_task_t *task, void *arg, void *value) {
  uint64_t until = uv_hrtime() + 3000000;
  (void)task;
  (void)arg;
  (void)value;
  while (uv_hrtime() < until)
    (void)sched_yield();
  return 0;
}

typedef struct {
  uv_thread_t id;
  uint32_t max_running;
  gate_t *full; /* opened when its work is under way */
  uvf_loop_t *loop;
  uvf_executor_t *ex;
  uvf_req_t reqs[JOBS];
  int rounds, wrong;
} busy_t;

static void again(uvf_req_t *req, int status) {
  busy_t *b = req->data;
  if (status != 0) b->wrong++;
  if (++b->rounds == JOBS) gate_open(b->full);
  if (atomic_load(&enough)) return;
  if (uvf_offload(b->loop, req, b->ex, takes_milliseconds, NULL, again) != 0) b->wrong++;
}

static int begin(busy_t *b, uv_loop_t *uv) {
  uvf_lane_options_t o = {.max_running = b->max_running, .capacity = UVF_UNBOUNDED};
  int r = uv_loop_init(uv);
  if (r == 0) r = uvf_loop_attach(uv, NULL, &b->loop);
  if (r == 0) r = uvf_lane_create(uvf_loop_pool(b->loop), &o, &b->ex);
  for (int i = 0; i < JOBS && r == 0; i++) {
    b->reqs[i].data = b;
    r = uvf_offload(b->loop, &b->reqs[i], b->ex, takes_milliseconds, NULL, again);
  }
  return r;
}

/* A loop of its own, with more work than its lane can do, until there is enough. */
static void is_busy(void *arg) {
  busy_t *b = arg;
  uv_loop_t uv;
  if (begin(b, &uv) != 0) b->wrong++;
  (void)uv_run(&uv, UV_RUN_DEFAULT);
  uvf_executor_release(b->ex);
  if (uvf_loop_detach(b->loop, NULL, NULL) != 0) b->wrong++;
  (void)uv_run(&uv, UV_RUN_DEFAULT);
  if (uv_loop_close(&uv) != 0) b->wrong++;
}

static void count_file(uv_fs_t *fs) {
  ++*(int *)fs->data;
}

static void count_work(uvf_req_t *req, int status) {
  if (status == 0) ++*(int *)req->data;
}

static int nothing(uvf_task_t *task, void *arg, void *value) {
  (void)task;
  (void)arg;
  (void)value;
  return 0;
}

static void others_have_their_turn(void **state, uint32_t max_running) {
  static busy_t busy[BUSY_LOOPS];
  gate_t full;
  fixture_t f;
  uv_fs_t fs;
  uvf_req_t req = {0};
  int files = 0, works = 0;
  memset(busy, 0, sizeof busy);
  atomic_store(&enough, false);
  gate_init(&full);
  open_fixture(&f, state);
  for (int i = 0; i < BUSY_LOOPS; i++) {
    busy[i].max_running = max_running;
    busy[i].full = &full;
    assert_int_equal(uv_thread_create(&busy[i].id, is_busy, &busy[i]), 0);
  }
  for (int i = 0; i < BUSY_LOOPS; i++)
    gate_pass(&full);
  fs.data = &files;
  req.data = &works;
  bool started = uv_fs_stat(&f.uv, &fs, ".", count_file) == 0 &&
                 uvf_offload(f.loop, &req, uvf_loop_pool(f.loop), nothing, NULL, count_work) == 0;
  (void)uv_run(&f.uv, UV_RUN_DEFAULT); /* a file that is never answered ends in the fixture's guard */
  atomic_store(&enough, true);
  for (int i = 0; i < BUSY_LOOPS; i++)
    assert_int_equal(uv_thread_join(&busy[i].id), 0);
  assert_true(started);
  assert_false(f.late);
  assert_int_equal(files, 1);
  assert_int_equal(works, 1);
  for (int i = 0; i < BUSY_LOOPS; i++)
    assert_int_equal(busy[i].wrong, 0);
  uv_fs_req_cleanup(&fs);
  close_fixture(&f);
  gate_destroy(&full);
}

static void beside_lanes_of_one(void **state) {
  others_have_their_turn(state, 1);
}

static void beside_lanes_of_two(void **state) {
  others_have_their_turn(state, 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {BOTH(beside_lanes_of_one), BOTH(beside_lanes_of_two)};
  return RUN_TESTS(tests);
}
