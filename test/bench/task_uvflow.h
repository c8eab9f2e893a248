/* SPDX-License-Identifier: MIT */
/* uvflow: uvf_offload on a lane of four on libuv's pool; a chain by uvf_then. */
#include <uvflow.h>

#define TASK_PRIVATE uvf_req_t req;
#include "task_pool.h"

#define PEER_NAME "uvflow"
#define PEER_VERSION "uvflow " VERSION_TEXT(UVFLOW_VERSION) ", libuv " VERSION_TEXT(UV_VERSION)
#define POOL_CHAINS

typedef struct {
  uvf_loop_t *loop;
  uvf_executor_t *lane;
  task_t *last; /* of a chain */
  uvf_flowvar_t *result;
} pool_t;

static void pool_open(pool_t *p, uv_loop_t *uv, unsigned width) {
  uvf_lane_options_t o = {.max_running = width, .capacity = UVF_UNBOUNDED};
  pool_size_set();
  must(uvf_loop_attach(uv, NULL, &p->loop) == 0, "uvf_loop_attach");
  must(uvf_lane_create(uvf_loop_pool(p->loop), &o, &p->lane) == 0, "uvf_lane_create");
}

static int work(uvf_task_t *task, void *arg, void *value) {
  (void)task, (void)value;
  task_run(arg);
  return 0;
}

static void on_done(uvf_req_t *req, int status) {
  task_t *t = req->data;
  must(status == 0, "uvf_offload");
  t->done(t);
}

static void pool_spawn(pool_t *p, task_t *t) {
  t->req.data = t;
  must(uvf_offload(p->loop, &t->req, p->lane, work, t, on_done) == 0, "uvf_offload");
}

static int chained(uvf_task_t *task, void *arg, void *value) {
  (void)task;
  *(uint64_t *)value = *(const uint64_t *)arg + 1;
  return 0;
}

static void on_chain(uvf_req_t *req, int status) {
  pool_t *p = req->data;
  must(status == 0 && uvf_flowvar_take(p->result, &p->last->out) == 0, "uvf_await");
  uvf_flowvar_release(p->result);
  p->last->done(p->last);
}

static void pool_chain(pool_t *p, task_t *tasks, unsigned n) {
  uvf_spawn_options_t first = {.value_size = sizeof(uint64_t), .arg_size = sizeof(uint64_t)};
  uvf_spawn_options_t next = {.value_size = sizeof(uint64_t)};
  uvf_flowvar_t *fv;
  uint64_t zero = 0;
  must(uvf_spawn(p->lane, chained, &zero, &first, &p->result) == 0, "uvf_spawn");
  for (unsigned i = 1; i < n; i++) {
    must(uvf_then(p->result, p->lane, chained, &next, &fv) == 0, "uvf_then");
    uvf_flowvar_release(p->result);
    p->result = fv;
  }
  p->last = &tasks[n - 1];
  p->last->req.data = p;
  must(uvf_await(p->loop, &p->last->req, p->result, UVF_FOREVER, on_chain) == 0, "uvf_await");
}

static void pool_close(pool_t *p) {
  uvf_executor_release(p->lane);
  must(uvf_loop_detach(p->loop, NULL, NULL) == 0, "uvf_loop_detach");
}
