/* SPDX-License-Identifier: MIT */
/* libuv's pool as an executor: spawning on the loop's thread and elsewhere, lanes that leave threads to files, detaching with work
 * in every state, and fork (case 50). Run with several sizes of the pool (test/CMakeLists.txt). */
#include "uv/uv_fixture.h"

#include "task/executor_fixture.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_POOL = 16, TASKS = 100 };

static int pool_size(void) {
  const char *size = getenv("UV_THREADPOOL_SIZE");
  return size == NULL ? 4 : atoi(size);
}

/* Runs the loop until n have happened. */
static void run_until(fixture_t *f, const int *goal, int n) {
  while (*goal < n && !f->late)
    (void)uv_run(&f->uv, UV_RUN_ONCE);
  assert_false(f->late);
}

static void await_on(fixture_t *f, uvf_req_t *req, job_t *j) {
  req->data = &f->r;
  assert_int_equal(uvf_await(f->loop, req, j->fv, UVF_FOREVER, record_request), 0);
}

/* ---- spawning ---- */

static void many_from_the_loops_thread(void **state) {
  static job_t j[TASKS];
  static uvf_req_t reqs[TASKS];
  fixture_t f;
  open_fixture(&f, state);
  memset(j, 0, sizeof j);
  memset(reqs, 0, sizeof reqs);
  uvf_executor_t *pool = uvf_loop_pool(f.loop);
  assert_non_null(pool);
  assert_ptr_equal(uvf_loop_pool(f.loop), pool);
  assert_true(uvf_loop_executor(f.loop) != pool);
  for (int i = 0; i < TASKS; i++) {
    j[i].result = i % 2 == 0 ? 0 : UV_EIO;
    job_spawn(&j[i], pool);
    await_on(&f, &reqs[i], &j[i]);
  }
  run(&f); /* it ends by itself */
  assert_int_equal(f.r.calls, TASKS);
  for (int i = 0; i < TASKS; i++)
    job_ended(&j[i], i % 2 == 0 ? 0 : UV_EIO, true);
  expect_ended(pool, TASKS / 2, TASKS / 2, 0);
  close_fixture(&f);
}

/* As many run at a time as the pool has threads. */
static void its_width_is_the_pools(void **state) {
  job_t j[MAX_POOL + 1];
  fixture_t f;
  int n = pool_size();
  if (n > MAX_POOL) skip();
  memset(j, 0, sizeof j);
  open_fixture(&f, state);
  uvf_executor_t *pool = uvf_loop_pool(f.loop);
  for (int i = 0; i <= n; i++) {
    job_gates(&j[i]);
    job_spawn(&j[i], pool);
  }
  for (int i = 0; i < n; i++)
    gate_pass(&j[i].begun);
  expect_now(pool, 1, n);
  for (int i = 0; i <= n; i++)
    gate_open(&j[i].go);
  run(&f); /* which waits for what runs, as for other work of libuv's pool */
  for (int i = 0; i <= n; i++)
    job_ended(&j[i], 0, true);
  close_fixture(&f);
}

typedef struct {
  thread_t thread;
  uvf_loop_t *loop;
  job_t jobs[TASKS];
  int wrong;
  atomic_int spawned; /* so many */
} outsider_t;

/* Each spawned and awaited by a plain thread. */
static void outsider_spawns(void *arg) {
  outsider_t *o = arg;
  for (int i = 0; i < TASKS; i++) {
    o->wrong += job_try(&o->jobs[i], uvf_loop_pool(o->loop)) != 0;
    atomic_fetch_add(&o->spawned, 1);
    if (i % 10 == 0) o->wrong += uvf_await_sync(o->jobs[i].fv, PATIENCE_MS) != 0;
  }
  for (int i = 0; i < TASKS; i++)
    o->wrong += uvf_await_sync(o->jobs[i].fv, PATIENCE_MS) != 0;
}

static void ends_keeping(uvf_post_t *post, int status) {
  (void)status;
  ++*(int *)post->data;
}

typedef struct {
  outsider_t *o;
  uvf_loop_t *loop;
  uvf_post_t post;
} outside_t;

static void outsider_runs(void *arg) {
  outside_t *t = arg;
  outsider_spawns(t->o);
  (void)uvf_post(t->loop, &t->post, ends_keeping);
}

/* They start by way of the loop, which has to run for that, and is kept alive by something else. */
static void many_from_other_threads(void **state) {
  static outsider_t o[2];
  outside_t t[2];
  fixture_t f;
  int ended = 0;
  memset(o, 0, sizeof o);
  memset(t, 0, sizeof t);
  open_fixture(&f, state);
  uv_ref((uv_handle_t *)&f.guard);
  for (int i = 0; i < 2; i++) {
    o[i].loop = f.loop;
    t[i].o = &o[i];
    t[i].loop = f.loop;
    t[i].post.data = &ended;
    thread_start(&o[i].thread, outsider_runs, &t[i]);
  }
  run_until(&f, &ended, 2);
  uv_unref((uv_handle_t *)&f.guard);
  for (int i = 0; i < 2; i++) {
    thread_join(&o[i].thread);
    assert_int_equal(o[i].wrong, 0);
    for (int k = 0; k < TASKS; k++)
      job_ended(&o[i].jobs[k], 0, true);
  }
  expect_ended(uvf_loop_pool(f.loop), 2 * TASKS, 0, 0);
  close_fixture(&f);
}

/* Small tasks share one uv_queue_work: libuv counts its requests. */
static void a_burst_is_few_requests(void **state) {
  static job_t j[TASKS];
  fixture_t f;
  memset(j, 0, sizeof j);
  open_fixture(&f, state);
  uvf_executor_t *lane = lane_open(uvf_loop_pool(f.loop), 4, UVF_UNBOUNDED);
  assert_int_equal(uvf_executor_pause(lane), 0); /* so that they come at once, however slow the machine is */
  jobs_spawn(j, TASKS, lane);
  assert_int_equal(uvf_executor_resume(lane), 0);
  assert_in_range(f.uv.active_reqs.count, 1, pool_size());
  run(&f);
  for (int i = 0; i < TASKS; i++)
    job_ended(&j[i], 0, true);
  uvf_executor_release(lane);
  close_fixture(&f);
}

/* ---- lanes ---- */

typedef struct {
  int calls;
  ssize_t result;
} stat_t;

static void on_stat(uv_fs_t *req) {
  stat_t *s = req->data;
  s->calls++;
  s->result = req->result;
}

/* A hundred tasks that block, two at a time: files get their answer meanwhile, with not one of the tasks ended. */
static void a_lane_leaves_threads_to_files(void **state) {
  static job_t j[TASKS];
  fixture_t f;
  atomic_int now = 0, most = 0;
  stat_t s = {0, 0};
  uv_fs_t req = {.data = &s};
  if (pool_size() < 3) skip();
  memset(j, 0, sizeof j);
  open_fixture(&f, state);
  uvf_executor_t *lane = lane_open(uvf_loop_pool(f.loop), 2, UVF_UNBOUNDED);
  for (int i = 0; i < TASKS; i++) {
    job_gates(&j[i]);
    j[i].now = &now;
    j[i].most = &most;
    job_spawn(&j[i], lane);
  }
  gate_pass(&j[0].begun);
  gate_pass(&j[1].begun);
  assert_int_equal(uv_fs_stat(&f.uv, &req, ".", on_stat), 0);
  run_until(&f, &s.calls, 1);
  assert_int_equal(s.result, 0);
  uv_fs_req_cleanup(&req);
  expect_now(lane, TASKS - 2, 2);
  expect_ended(lane, 0, 0, 0);
  for (int i = 0; i < TASKS; i++)
    gate_open(&j[i].go);
  run(&f);
  for (int i = 0; i < TASKS; i++)
    job_ended(&j[i], 0, true);
  assert_int_equal(atomic_load(&most), 2);
  uvf_executor_release(lane);
  close_fixture(&f);
}

/* ---- detaching ---- */

/* Running, queued, ending later, awaited, offloaded, in a lane and not: all end, and the loop can be closed. */
static void a_detach_ends_all(void **state) {
  fixture_t f;
  uvf_req_t reqs[4];
  job_t runs[MAX_POOL], queued = {0}, later = {0}, in_lane[2] = {{0}}, offloaded = {0};
  atomic_int now = 0, most = 0;
  int n = pool_size();
  if (n > MAX_POOL) skip();
  memset(runs, 0, sizeof runs);
  memset(reqs, 0, sizeof reqs);
  open_fixture(&f, state);
  uvf_executor_t *pool = uvf_executor_retain(uvf_loop_pool(f.loop)), *lane = lane_open(pool, 1, 10);
  job_gates(&later);
  job_spawn_later(&later, pool);
  gate_pass(&later.begun);
  for (int i = 0; i < n; i++) {
    job_gates(&runs[i]);
    runs[i].now = &now;
    runs[i].most = &most;
    job_spawn(&runs[i], pool);
  }
  while (atomic_load(&now) < n && !f.late) /* the thread that ran `later` is free again when the loop has heard of it */
    (void)uv_run(&f.uv, UV_RUN_NOWAIT);
  job_spawn(&queued, pool);
  jobs_spawn(in_lane, 2, lane);
  await_on(&f, &reqs[0], &runs[0]);
  await_on(&f, &reqs[1], &queued);
  await_on(&f, &reqs[2], &in_lane[1]);
  reqs[3].data = &f.r;
  assert_int_equal(uvf_offload(f.loop, &reqs[3], pool, job_work, &offloaded, record_request), 0);
  assert_int_equal(uvf_loop_detach(f.loop, on_detached, &f), 0);
  job_ended(&queued, UV_ECANCELED, false);
  assert_int_equal(uvf_try_await(runs[0].fv), UV_EAGAIN);
  assert_true(uvf_task_cancelled(later.task));
  for (int i = 0; i < n; i++)
    gate_open(&runs[i].go);
  finish_fixture(&f);
  assert_int_equal(f.r.calls, 4);
  for (int i = 0; i < 4; i++)
    assert_int_equal(f.r.status[i], UV_ECANCELED);
  for (int i = 0; i < n; i++)
    job_ended(&runs[i], 0, true); /* what ran was waited for */
  while (job_finish(&later, 0) == UV_EALREADY) {
  }
  job_ended(&later, 0, true);
  job_ended(&in_lane[0], UV_ECANCELED, false);
  job_ended(&in_lane[1], UV_ECANCELED, false);
  job_t late = {0};
  assert_int_equal(job_try(&late, pool), UV_EPIPE);
  expect_now(pool, 0, 0);
  expect_ended(pool, n + 1, 0, 2);
  uvf_executor_release(lane);
  uvf_executor_release(pool);
}

static void outsider_spawns_once(void *arg) {
  outsider_t *o = arg;
  o->wrong += job_try(&o->jobs[0], uvf_loop_pool(o->loop)) != 0;
}

/* A runner was asked for from another thread, and the loop takes no turn before it is detached: also where that was the first use. */
static void a_detach_meets_a_runner_on_its_way(void **state) {
  static outsider_t o;
  for (int used = 0; used <= 1; used++) {
    for (int way = 0; way < 3; way++) { /* turns before the detach: none; one; or it is paused */
      fixture_t f;
      memset(&o, 0, sizeof o);
      open_fixture(&f, state);
      if (used) assert_non_null(uvf_loop_pool(f.loop));
      o.loop = f.loop;
      thread_start(&o.thread, outsider_spawns_once, &o);
      thread_join(&o.thread);
      assert_int_equal(o.wrong, 0);
      if (way == 1) (void)uv_run(&f.uv, UV_RUN_NOWAIT);
      if (way == 2) assert_int_equal(uvf_executor_pause(uvf_loop_pool(f.loop)), 0);
      close_fixture(&f);
      int outcome = uvf_try_await(o.jobs[0].fv);
      if (way != 1) assert_int_equal(outcome, UV_ECANCELED);
      job_ended(&o.jobs[0], outcome, outcome == 0);
    }
  }
}

static void keeps_spawning(void *arg) {
  outsider_t *o = arg;
  for (int i = 0; i < TASKS; i++) {
    int r = job_try(&o->jobs[i], (uvf_executor_t *)o->jobs[i].arg);
    o->wrong += r != 0 && r != UV_EPIPE;
    atomic_fetch_add(&o->spawned, 1);
  }
}

/* Another thread spawns all the time while the loop goes. Nothing is forgotten: each was refused, ran, or was cancelled. */
static void a_detach_meets_spawns_from_outside(void **state) {
  static outsider_t o;
  for (int round = 0; round < 30; round++) {
    fixture_t f;
    int wrong = 0;
    memset(&o, 0, sizeof o);
    open_fixture(&f, state);
    uvf_executor_t *pool = uvf_executor_retain(uvf_loop_pool(f.loop));
    uvf_executor_t *ex = round % 2 == 0 ? uvf_executor_retain(pool) : lane_open(pool, 2, UVF_UNBOUNDED);
    for (int i = 0; i < TASKS; i++)
      o.jobs[i].arg = ex;
    thread_start(&o.thread, keeps_spawning, &o);
    while (atomic_load(&o.spawned) < round) /* fewer than there are */
      (void)uv_run(&f.uv, UV_RUN_NOWAIT);
    close_fixture(&f);
    thread_join(&o.thread);
    assert_int_equal(o.wrong, 0);
    for (int i = 0; i < TASKS; i++) {
      job_t *j = &o.jobs[i];
      int outcome = j->fv == NULL ? UV_EPIPE : uvf_try_await(j->fv);
      int ran = atomic_load(&j->ran), dropped = atomic_load(&j->dropped);
      wrong += outcome == 0              ? ran != 1 || dropped != 0
               : outcome == UV_ECANCELED ? ran != 0 || dropped != 1
                                         : outcome != UV_EPIPE || ran + dropped != 0;
      uvf_flowvar_release(j->fv);
    }
    assert_int_equal(wrong, 0);
    uvf_executor_release(ex);
    uvf_executor_release(pool);
  }
}

/* ---- other things ---- */

static void only_the_loop_closes_it(void **state) {
  fixture_t f;
  open_fixture(&f, state);
  uvf_executor_t *pool = uvf_loop_pool(f.loop);
  assert_int_equal(uvf_executor_close(pool), UV_ENOTSUP);
  assert_int_equal(uvf_executor_abort(pool), UV_ENOTSUP);
  assert_null(uvf_loop_pool(NULL));
  close_fixture(&f);
}

static void there_is_none_on_another_host(void **state) {
  test_host_t h;
  (void)state;
  test_host_init(&h);
  assert_null(uvf_loop_pool(h.loop));
  test_host_detach(&h);
}

/* ---- fork ---- */

enum { ROWS = 24, CHILD_SECONDS = 20 };

typedef struct {
  int used, expected[ROWS], got[ROWS];
} report_t;

static void row(report_t *r, int expected, int got) {
  if (r->used == ROWS) return;
  r->expected[r->used] = expected;
  r->got[r->used++] = got;
}

#if defined(__SANITIZE_THREAD__)
#define CHILD_HAS_THREADS false /* ThreadSanitizer ends a child that starts some */
#else
#define CHILD_HAS_THREADS true
#endif

/* A new loop, whose pool works. */
static void child_spawns(report_t *r) {
  uv_loop_t uv;
  uvf_loop_t *loop = NULL;
  record_t told = {0};
  uvf_req_t req = {.data = &told};
  job_t j = {0};
  row(r, 0, uv_loop_init(&uv));
  row(r, 0, uvf_loop_attach(&uv, NULL, &loop));
  row(r, 0, job_try(&j, uvf_loop_pool(loop)));
  row(r, 0, uvf_await(loop, &req, j.fv, UVF_FOREVER, record_request));
  (void)uv_run(&uv, UV_RUN_DEFAULT);
  row(r, 1, told.calls);
  row(r, 0, told.status[0]);
  row(r, 1, atomic_load(&j.ran));
  uvf_flowvar_release(j.fv);
  row(r, 0, uvf_loop_detach(loop, NULL, NULL));
  (void)uv_run(&uv, UV_RUN_DEFAULT);
  row(r, 0, uv_loop_close(&uv));
}

static void child_uses_the_parents(report_t *r, fixture_t *f, uvf_executor_t *ex) {
  uvf_lane_options_t o = {.max_running = 1, .capacity = 1};
  uvf_executor_t *lane = NULL;
  uvf_req_t req = {0};
  job_t j = {0};
  row(r, UV_ENOTSUP, job_try(&j, ex));
  row(r, UV_ENOTSUP, uvf_lane_create(ex, &o, &lane));
  row(r, UV_ENOTSUP, uvf_executor_pause(ex));
  row(r, UV_ENOTSUP, uvf_executor_resume(ex));
  row(r, UV_ENOTSUP, uvf_executor_close(ex));
  row(r, UV_ENOTSUP, uvf_executor_abort(ex));
  row(r, UV_ENOTSUP, uvf_wait_idle(f->loop, &req, ex, UVF_FOREVER, record_request));
  row(r, UV_ENOTSUP, uvf_wait_room(f->loop, &req, ex, UVF_FOREVER, record_request));
  row(r, 0, (int)stats_of(ex).done);
  row(r, true, uvf_loop_executor(f->loop) == NULL); /* the parent has made none */
  uvf_executor_release(uvf_executor_retain(ex));
}

/* Asserts. */
static void expect_child(pid_t pid, const report_t *r, int rows) {
  int status = -1, wrong = 0;
  assert_true(pid > 0);
  assert_int_equal(waitpid(pid, &status, 0), pid);
  for (int i = 0; i < r->used; i++) {
    if (r->expected[i] == r->got[i]) continue;
    print_error("row %d: expected %d, got %d\n", i, r->expected[i], r->got[i]);
    wrong++;
  }
  assert_int_equal(wrong, 0);
  assert_int_equal(status, 0);
  assert_int_equal(r->used, rows);
}

/* The parent's pool is at work, or waits for some. */
static void case_50_a_child_has_a_pool_of_its_own(void **state) {
  fixture_t f;
  job_t j = {0};
  open_fixture(&f, state);
  report_t *r = mmap(NULL, sizeof *r, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  assert_true(r != MAP_FAILED);
  uvf_executor_t *pool = uvf_loop_pool(f.loop), *lane = lane_open(pool, 1, 10);
  job_gates(&j);
  job_spawn(&j, lane);
  gate_pass(&j.begun);
  pid_t pid = fork();
  if (pid == 0) {
    (void)alarm(CHILD_SECONDS);
    child_uses_the_parents(r, &f, lane);
    if (CHILD_HAS_THREADS) child_spawns(r);
    _exit(0);
  }
  expect_child(pid, r, CHILD_HAS_THREADS ? 19 : 10);
  memset(r, 0, sizeof *r);
  pid = fork();
  if (pid == 0) {
    job_t refused = {0};
    (void)alarm(CHILD_SECONDS);
    row(r, UV_ENOTSUP, job_try(&refused, pool));
    row(r, true, uvf_loop_pool(f.loop) == pool || uvf_loop_pool(f.loop) == NULL);
    _exit(0);
  }
  expect_child(pid, r, 2);
  assert_int_equal(munmap(r, sizeof *r), 0);
  gate_open(&j.go);
  run(&f);
  job_ended(&j, 0, true); /* the parent has noticed nothing */
  uvf_executor_release(lane);
  close_fixture(&f);
}

#define POOL_TEST(function)                                                                           \
  {#function " async", function, executor_setup, executor_teardown, (void *)(uintptr_t)&by_async}, {  \
#function " eventfd", function, executor_setup, executor_teardown, (void *)(uintptr_t)&by_eventfd \
  }

int main(void) {
  const struct CMUnitTest tests[] = {
      POOL_TEST(many_from_the_loops_thread),
      POOL_TEST(its_width_is_the_pools),
      POOL_TEST(many_from_other_threads),
      POOL_TEST(a_burst_is_few_requests),
      POOL_TEST(a_lane_leaves_threads_to_files),
      POOL_TEST(a_detach_ends_all),
      POOL_TEST(a_detach_meets_a_runner_on_its_way),
      POOL_TEST(a_detach_meets_spawns_from_outside),
      POOL_TEST(only_the_loop_closes_it),
      EXECUTOR_TEST(there_is_none_on_another_host),
      POOL_TEST(case_50_a_child_has_a_pool_of_its_own),
  };
  return RUN_TESTS(tests);
}
