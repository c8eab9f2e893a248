/* SPDX-License-Identifier: MIT */
/* fork: a child may not use the tasks and flowvars that its parent made, and is told so instead of hanging; what it makes itself
 * works, also on libuv's pool, which the parent had in use; and the parent notices nothing. Case 50, promise 12.
 * The child writes into shared memory; the parent asserts. A child that hangs is ended by its alarm. */
#include "task/task_fixture.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_ROWS = 64, CHILD_SECONDS = 10 };

/* ThreadSanitizer ends a child that starts threads. */
#if defined(__SANITIZE_THREAD__)
enum { THREADS_IN_CHILD = false };
#else
enum { THREADS_IN_CHILD = true };
#endif

/* AddressSanitizer does not take its allocator's locks across a fork: a child whose parent's threads were allocating may wait for one
 * of them for ever. */
#if defined(__SANITIZE_ADDRESS__)
enum { BUSY_PARENT = false };
#else
enum { BUSY_PARENT = true };
#endif

typedef struct {
  struct {
    char what[48];
    int expected, got;
  } rows[MAX_ROWS];
  int used;
} report_t;

static void row(report_t *r, const char *what, int expected, int got) {
  if (r->used == MAX_ROWS) return;
  (void)snprintf(r->rows[r->used].what, sizeof r->rows[0].what, "%s", what);
  r->rows[r->used].expected = expected;
  r->rows[r->used].got = got;
  r->used++;
}

/* The parent's. */
typedef struct {
  uv_loop_t uv;
  uvf_loop_t *loop;
  threads_t threads;
  uvf_executor_t *pool, *lane;
  uvf_flowvar_t *done, *pending, *promise, *after;
  uvf_task_t *task;
  gate_t begun, go;
  uvf_req_t req, other;
  work_t w, held, v;
  int calls, last;
} ground_t;

static void on_done(uvf_req_t *req, int status) {
  ground_t *g = req->data;
  g->calls++;
  g->last = status;
}

/* Prints what is wrong in the report and in how the child ended; returns how much that is. */
static int wrong_in(const report_t *report, int status) {
  int wrong = 0;
  for (int i = 0; i < report->used; i++) {
    if (report->rows[i].got == report->rows[i].expected) continue;
    print_error("%s: expected %d, got %d\n", report->rows[i].what, report->rows[i].expected, report->rows[i].got);
    wrong++;
  }
  const char *last = report->used == 0 ? "nothing" : report->rows[report->used - 1].what;
  if (status == 0 && strcmp(last, "the last line") == 0) return wrong;
  print_error("the child ended with status 0x%x, after: %s\n", (unsigned)status, last);
  return wrong + 1;
}

/* Runs `in_child` in a child. 0: all went as the child's rows say. */
static int in_a_child(ground_t *g, void (*in_child)(ground_t *, report_t *)) {
  report_t *report = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (report == MAP_FAILED) return -1;
  pid_t pid = fork();
  if (pid == 0) {
    (void)alarm(CHILD_SECONDS);
    in_child(g, report);
    row(report, "the last line", 0, 0);
    _exit(0);
  }
  int status = -1;
  int wrong = pid > 0 && waitpid(pid, &status, 0) == pid ? wrong_in(report, status) : -1;
  (void)munmap(report, sizeof *report);
  return wrong;
}

static void holds(work_t *w, uvf_task_t *task) {
  ground_t *g = w->data;
  (void)task;
  gate_open(&g->begun);
  (void)gate_wait(&g->go);
}

/* Asserts. A thread of the executor's runs, something waits behind it, and libuv's pool has been in use. */
static void open_ground(ground_t *g) {
  uvf_lane_options_t o = {.max_running = 1, .capacity = 10};
  memset(g, 0, sizeof *g);
  gate_init(&g->begun);
  gate_init(&g->go);
  threads_open(&g->threads, 1);
  assert_int_equal(uv_loop_init(&g->uv), 0);
  assert_int_equal(uvf_loop_attach(&g->uv, NULL, &g->loop), 0);
  g->pool = uvf_loop_pool(g->loop);
  assert_non_null(g->pool);
  g->req.data = g->other.data = g;
  g->v.value = item(1, 1);
  g->done = spawn(g->pool, &g->v, NULL);
  assert_int_equal(uvf_await(g->loop, &g->req, g->done, UVF_FOREVER, on_done), 0);
  (void)uv_run(&g->uv, UV_RUN_DEFAULT);
  assert_int_equal(g->calls, 1);
  assert_int_equal(uvf_lane_create(g->threads.ex, &o, &g->lane), 0);
  g->held.inside = holds;
  g->held.data = g;
  assert_int_equal(uvf_spawn(g->threads.ex, work_run, &g->held, NULL, NULL), 0);
  gate_pass(&g->begun);
  g->pending = spawn(g->lane, &g->w, NULL);
  g->promise = promise(&g->task, NULL);
  g->after = then_next(g->promise, g->threads.ex, NULL);
}

/* Asserts that the parent's things work. */
static void close_ground(ground_t *g) {
  value_t v = {.next = &g->v};
  assert_int_equal(uvf_try_await(g->pending), UV_EAGAIN);
  assert_int_equal(uvf_try_await(g->promise), UV_EAGAIN);
  assert_int_equal(uvf_task_finish(g->task, 0, &v), 0);
  gate_open(&g->go);
  assert_int_equal(uvf_loop_detach(g->loop, NULL, NULL), 0);
  assert_int_equal(uv_run(&g->uv, UV_RUN_DEFAULT), 0);
  assert_int_equal(uv_loop_close(&g->uv), 0);
  assert_int_equal(uvf_await_sync(g->pending, UVF_FOREVER), 0);
  assert_int_equal(uvf_await_sync(g->after, UVF_FOREVER), 0);
  expect_made(g->done, item(1, 1));
  uvf_flowvar_release(g->done);
  uvf_flowvar_release(g->pending);
  uvf_flowvar_release(g->promise);
  uvf_flowvar_release(g->after);
  uvf_executor_release(g->lane);
  threads_close(&g->threads);
  gate_destroy(&g->begun);
  gate_destroy(&g->go);
}

/* ---- the parent's in the child ---- */

static void uses_parents_flowvars(ground_t *g, report_t *r) {
  value_t v = {.next = NULL};
  uvf_flowvar_t *fv = NULL, *fvs[2] = {g->done, g->pending};
  row(r, "await", UV_ENOTSUP, uvf_await(g->loop, &g->other, g->pending, 0, on_done));
  row(r, "await_all", UV_ENOTSUP, uvf_await_all(g->loop, &g->other, fvs, 2, 0, on_done));
  row(r, "await_sync", UV_ENOTSUP, uvf_await_sync(g->pending, UVF_FOREVER));
  row(r, "await_all_sync", UV_ENOTSUP, uvf_await_all_sync(fvs, 2, UVF_FOREVER));
  row(r, "cancel", UV_ENOTSUP, uvf_flowvar_cancel(g->pending));
  row(r, "cancel of a promise", UV_ENOTSUP, uvf_flowvar_cancel(g->promise));
  row(r, "take", UV_ENOTSUP, uvf_flowvar_take(g->done, &v));
  row(r, "then", UV_ENOTSUP, uvf_then(g->pending, g->lane, work_run, NULL, &fv));
  row(r, "finish", UV_ENOTSUP, uvf_task_finish(g->task, 0, &v));
  row(r, "wait_cancelled", UV_ENOTSUP, uvf_wait_cancelled(g->loop, &g->other, g->task, 0, on_done));
  row(r, "task_cancelled", false, uvf_task_cancelled(g->task));
  row(r, "spawn: threads", UV_ENOTSUP, uvf_spawn(g->threads.ex, work_run, &g->w, NULL, &fv));
  row(r, "spawn: lane", UV_ENOTSUP, uvf_spawn(g->lane, work_run, &g->w, NULL, &fv));
  row(r, "spawn: pool", UV_ENOTSUP, uvf_spawn(g->pool, work_run, &g->w, NULL, &fv));
  row(r, "offload", UV_ENOTSUP, uvf_offload(g->loop, &g->other, g->lane, work_run, &g->w, on_done));
  row(r, "nothing was made", true, fv == NULL);
  uvf_flowvar_release(uvf_flowvar_retain(g->pending));
  uvf_flowvar_release(g->done);
  uvf_flowvar_release(g->pending);
  uvf_flowvar_release(g->promise);
  uvf_flowvar_release(g->after);
  uvf_executor_release(g->lane);
  uvf_executor_release(g->threads.ex);
  row(r, "callbacks in the child", 1, g->calls); /* the one of before */
}

static void promise_12_a_parents_flowvars_are_refused(void **state) {
  (void)state;
  ground_t g;
  open_ground(&g);
  assert_int_equal(in_a_child(&g, uses_parents_flowvars), 0);
  assert_int_equal(g.calls, 1);
  close_ground(&g);
}

/* ---- the child's own ---- */

static void makes_its_own(ground_t *g, report_t *r) {
  uv_loop_t uv;
  uvf_loop_t *loop;
  uvf_flowvar_t *fv = NULL, *after = NULL, *fvs[2] = {g->pending, g->pending};
  uvf_req_t req = {.data = g};
  work_t next = {.value = item(3, 2)}, w = {.value = item(3, 1), .next = &next};
  uvf_spawn_options_t o = options_of(NULL, false);
  g->calls = 0;
  row(r, "uv_loop_init", 0, uv_loop_init(&uv));
  row(r, "attach", 0, uvf_loop_attach(&uv, NULL, &loop));
  row(r, "await of the parent's", UV_ENOTSUP, uvf_await(loop, &req, g->pending, 0, on_done));
  row(r, "await_all of the parent's", UV_ENOTSUP, uvf_await_all(loop, &req, fvs, 2, 0, on_done));
  row(r, "offload to the parent's", UV_ENOTSUP, uvf_offload(loop, &req, g->lane, work_run, &w, on_done));
  row(r, "the request is free", false, uvf_req_active(&req));
  row(r, "spawn", 0, uvf_spawn(uvf_loop_pool(loop), work_run, &w, &o, &fv));
  row(r, "then the parent's", UV_ENOTSUP, uvf_then(fv, g->lane, next_run, &o, &after));
  row(r, "then", 0, uvf_then(fv, uvf_loop_pool(loop), next_run, &o, &after));
  row(r, "await", 0, uvf_await(loop, &req, after, UVF_FOREVER, on_done));
  row(r, "uv_run", 0, uv_run(&uv, UV_RUN_DEFAULT));
  row(r, "callbacks", 1, g->calls);
  row(r, "its status", 0, g->last);
  row(r, "its value", true, uvf_flowvar_value(after) != NULL);
  row(r, "offload", 0, uvf_offload(loop, &req, uvf_loop_pool(loop), work_run, &w, on_done));
  row(r, "uv_run", 0, uv_run(&uv, UV_RUN_DEFAULT));
  row(r, "callbacks", 2, g->calls);
  uvf_flowvar_release(fv);
  uvf_flowvar_release(after);
  row(r, "detach", 0, uvf_loop_detach(loop, NULL, NULL));
  row(r, "uv_run", 0, uv_run(&uv, UV_RUN_DEFAULT));
  row(r, "uv_loop_close", 0, uv_loop_close(&uv));
}

static void case_50_a_flowvar_spawned_in_the_child_completes(void **state) {
  (void)state;
  ground_t g;
  if (!THREADS_IN_CHILD) skip();
  open_ground(&g);
  for (int i = 0; i < 5; i++)
    assert_int_equal(in_a_child(&g, makes_its_own), 0);
  close_ground(&g);
}

/* Threads of its own, and blocking: this thread runs no loop in the child. */
static void makes_threads(ground_t *g, report_t *r) {
  uvf_executor_t *ex = NULL;
  uvf_flowvar_t *fv = NULL;
  work_t w = {.value = item(3, 1)};
  uvf_threads_options_t o = {.threads = 2};
  (void)g;
  row(r, "threads_create", 0, uvf_threads_create(&o, &ex));
  row(r, "spawn", 0, uvf_spawn(ex, work_run, &w, NULL, &fv));
  row(r, "await_sync", 0, uvf_await_sync(fv, UVF_FOREVER));
  uvf_flowvar_release(fv);
  row(r, "close", 0, uvf_executor_close(ex));
  row(r, "wait_idle_sync", 0, uvf_wait_idle_sync(ex, UVF_FOREVER));
  uvf_executor_release(ex);
}

static void promise_12_a_childs_own_threads(void **state) {
  (void)state;
  ground_t g;
  if (!THREADS_IN_CHILD) skip();
  open_ground(&g);
  assert_int_equal(in_a_child(&g, makes_threads), 0);
  close_ground(&g);
}

/* ---- a child of a busy parent ---- */

typedef struct {
  ground_t *g;
  atomic_bool stop;
} busy_t;

/* Takes every lock that there is, again and again. */
static void keeps_busy(void *arg) {
  busy_t *b = arg;
  while (!atomic_load(&b->stop)) {
    uvf_flowvar_t *fv = NULL;
    (void)uvf_await_sync(b->g->pending, 0);
    if (uvf_spawn(b->g->lane, work_run, &b->g->w, NULL, &fv) == 0) (void)uvf_flowvar_cancel(fv);
    (void)uvf_then(b->g->promise, b->g->threads.ex, work_run, NULL, NULL);
    uvf_flowvar_release(fv);
    (void)counts_of(b->g->lane);
    if (fault_blocks() > 1000) break; /* continuations of the promise gather */
  }
}

static void promise_12_no_hang_whatever_the_parent_was_doing(void **state) {
  (void)state;
  ground_t g;
  busy_t busy = {.g = &g};
  thread_t ids[2];
  int wrong = 0;
  if (!BUSY_PARENT) skip();
  open_ground(&g);
  for (int i = 0; i < 2; i++)
    thread_start(&ids[i], keeps_busy, &busy);
  for (int i = 0; i < 10 && wrong == 0; i++)
    wrong = in_a_child(&g, i % 2 == 1 && THREADS_IN_CHILD ? makes_its_own : uses_parents_flowvars);
  atomic_store(&busy.stop, true);
  for (int i = 0; i < 2; i++)
    thread_join(&ids[i]);
  assert_int_equal(wrong, 0);
  assert_int_equal(uvf_task_finish(g.task, UV_EIO, NULL), 0);
  gate_open(&g.go);
  assert_int_equal(uvf_await_sync(g.after, 0), UVF_EDEADLK); /* on a loop's thread */
  assert_int_equal(uvf_loop_detach(g.loop, NULL, NULL), 0);
  assert_int_equal(uv_run(&g.uv, UV_RUN_DEFAULT), 0);
  assert_int_equal(uv_loop_close(&g.uv), 0);
  assert_int_equal(uvf_await_sync(g.pending, UVF_FOREVER), 0);
  uvf_flowvar_release(g.done);
  uvf_flowvar_release(g.pending);
  uvf_flowvar_release(g.promise);
  uvf_flowvar_release(g.after);
  uvf_executor_release(g.lane);
  threads_close(&g.threads);
  gate_destroy(&g.begun);
  gate_destroy(&g.go);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      UVF_TEST(promise_12_a_parents_flowvars_are_refused),
      UVF_TEST(case_50_a_flowvar_spawned_in_the_child_completes),
      UVF_TEST(promise_12_a_childs_own_threads),
      UVF_TEST(promise_12_no_hang_whatever_the_parent_was_doing),
  };
  return RUN_TESTS(tests);
}
