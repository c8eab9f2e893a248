/* SPDX-License-Identifier: MIT */
/* uvflow, with a flowvar for each task: uvf_spawn, uvf_await, uvf_flowvar_take, on a lane of four on libuv's pool. */
#include <uvflow.h>

#define TASK_PRIVATE \
  uvf_req_t req;     \
  uvf_flowvar_t *fv;
#include "task_pool.h"

#define PEER_NAME "uvflow-flowvar"
#define PEER_VERSION "uvflow " VERSION_TEXT(UVFLOW_VERSION) ", libuv " VERSION_TEXT(UV_VERSION)

typedef struct {
  uvf_loop_t *loop;
  uvf_executor_t *lane;
} pool_t;

static void pool_open(pool_t *p, uv_loop_t *uv, unsigned width) {
  uvf_lane_options_t o = {.max_running = width, .capacity = UVF_UNBOUNDED};
  pool_size_set();
  must(uvf_loop_attach(uv, NULL, &p->loop) == 0, "uvf_loop_attach");
  must(uvf_lane_create(uvf_loop_pool(p->loop), &o, &p->lane) == 0, "uvf_lane_create");
}

/* What a task gets: enough of it to run it. */
typedef struct {
  uint64_t in;
  bool sleeps;
} input_t;

static int work(uvf_task_t *task, void *arg, void *value) {
  const input_t *input = arg;
  task_t t = {.in = input->in, .sleeps = input->sleeps};
  (void)task;
  task_run(&t);
  *(uint64_t *)value = t.out;
  return 0;
}

static void on_awaited(uvf_req_t *req, int status) {
  task_t *t = req->data;
  must(status == 0 && uvf_flowvar_take(t->fv, &t->out) == 0, "uvf_await");
  uvf_flowvar_release(t->fv);
  t->done(t);
}

static void pool_spawn(pool_t *p, task_t *t) {
  static const uvf_spawn_options_t o = {.value_size = sizeof(uint64_t), .arg_size = sizeof(input_t)};
  input_t input = {t->in, t->sleeps};
  t->req.data = t;
  must(uvf_spawn(p->lane, work, &input, &o, &t->fv) == 0, "uvf_spawn");
  must(uvf_await(p->loop, &t->req, t->fv, UVF_FOREVER, on_awaited) == 0, "uvf_await");
}

static void pool_close(pool_t *p) {
  uvf_executor_release(p->lane);
  must(uvf_loop_detach(p->loop, NULL, NULL) == 0, "uvf_loop_detach");
}
