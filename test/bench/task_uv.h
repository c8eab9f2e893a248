/* SPDX-License-Identifier: MIT */
/* uv_queue_work as it is, on libuv's pool. */
#define TASK_PRIVATE uv_work_t work;
#include "task_pool.h"

#define PEER_NAME "uv"
#define PEER_VERSION "libuv " VERSION_TEXT(UV_VERSION)

typedef struct {
  uv_loop_t *uv;
} pool_t;

static void pool_open(pool_t *p, uv_loop_t *uv, unsigned width) {
  (void)width;
  pool_size_set();
  p->uv = uv;
}

static void on_work(uv_work_t *w) {
  task_run(w->data);
}

static void after_work(uv_work_t *w, int status) {
  task_t *t = w->data;
  must(status == 0, "uv_queue_work");
  t->done(t);
}

static void pool_spawn(pool_t *p, task_t *t) {
  t->work.data = t;
  must(uv_queue_work(p->uv, &t->work, on_work, after_work) == 0, "uv_queue_work");
}

static void pool_close(pool_t *p) {
  (void)p;
}
