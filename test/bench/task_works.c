/* SPDX-License-Identifier: MIT */
/* Small tasks on a pool of four threads, whose results a libuv loop awaits: task/burst, task/serial, task/chain. Compiled once per
 * peer, see task_api.h; README.md says what each work is. */
#include PEER_H

#define TASKS 20000u
#define BURST_ROUNDS 11 /* the first one warms up; the result is the median of the others */

typedef struct {
  uv_loop_t uv;
  pool_t *pool;
  task_t *tasks;
  uint64_t done, sum;
  uint64_t *samples;
  uint64_t spawned_ns;
  uv_fs_t stat;
} run_t;

static run_t *run_open(unsigned width) {
  run_t *r = must_alloc(sizeof *r);
  must(uv_loop_init(&r->uv) == 0, "uv_loop_init");
  r->pool = must_alloc(sizeof *r->pool);
  r->tasks = must_alloc(TASKS * sizeof *r->tasks);
  pool_open(r->pool, &r->uv, width);
  return r;
}

static void run_close(run_t *r) {
  pool_close(r->pool);
  (void)uv_run(&r->uv, UV_RUN_DEFAULT);
  must(uv_loop_close(&r->uv) == 0, "a handle is still open");
  free(r->tasks);
  free(r->pool);
  free(r);
}

static void spawn(run_t *r, uint64_t i, uint64_t in, void (*done)(task_t *)) {
  r->tasks[i] = (task_t){.in = in, .done = done, .arg = r};
  pool_spawn(r->pool, &r->tasks[i]);
}

static void check_sum(const run_t *r) {
  must(r->done == TASKS && r->sum == (uint64_t)TASKS * (TASKS + 1) / 2, "a result is lost or wrong");
}

static void on_burst(task_t *t) {
  run_t *r = t->arg;
  r->sum += t->out;
  if (++r->done == TASKS) uv_stop(&r->uv);
}

static result_t burst(const work_t *work) {
  run_t *r = run_open(POOL_THREADS);
  uint64_t rounds[BURST_ROUNDS];
  (void)work;
  for (int i = 0; i < BURST_ROUNDS; i++) {
    r->done = r->sum = 0;
    uint64_t begin = now_ns();
    for (uint64_t n = 0; n < TASKS; n++)
      spawn(r, n, n, on_burst);
    (void)uv_run(&r->uv, UV_RUN_DEFAULT);
    rounds[i] = now_ns() - begin;
    check_sum(r);
  }
  run_close(r);
  qsort(rounds + 1, BURST_ROUNDS - 1, sizeof *rounds, compare_u64);
  return (result_t){.n = TASKS, .elapsed_ns = rounds[1 + (BURST_ROUNDS - 1) / 2]};
}

static void on_serial(task_t *t) {
  run_t *r = t->arg;
  uint64_t now = now_ns();
  r->sum += t->out;
  r->samples[r->done++] = now - r->spawned_ns;
  if (r->done == TASKS) {
    uv_stop(&r->uv);
    return;
  }
  r->spawned_ns = now;
  spawn(r, 0, r->done, on_serial);
}

static result_t serial(const work_t *work) {
  run_t *r = run_open(POOL_THREADS);
  uint64_t *samples = r->samples = must_alloc(TASKS * sizeof *r->samples);
  (void)work;
  uint64_t begin = r->spawned_ns = now_ns();
  spawn(r, 0, 0, on_serial);
  (void)uv_run(&r->uv, UV_RUN_DEFAULT);
  uint64_t end = now_ns();
  check_sum(r);
  run_close(r);
  return (result_t){.n = TASKS, .elapsed_ns = end - begin, .samples = samples};
}

/* The last one of a chain; where the peer has no chains: each, which spawns the next. */
static void on_chained(task_t *t) {
  run_t *r = t->arg;
  r->sum = t->out;
  if (r->sum == TASKS)
    uv_stop(&r->uv);
  else
    spawn(r, 0, r->sum, on_chained);
}

static result_t chain(const work_t *work) {
  run_t *r = run_open(POOL_THREADS);
  (void)work;
  uint64_t begin = now_ns();
#ifdef POOL_CHAINS
  for (unsigned i = 0; i < TASKS; i++)
    r->tasks[i] = (task_t){.done = on_chained, .arg = r};
  pool_chain(r->pool, r->tasks, TASKS);
#else
  spawn(r, 0, 0, on_chained);
#endif
  (void)uv_run(&r->uv, UV_RUN_DEFAULT);
  uint64_t end = now_ns();
  must(r->sum == TASKS, "a result is lost or wrong");
  run_close(r);
  return (result_t){.n = TASKS, .elapsed_ns = end - begin};
}

/* A file's stat beside long jobs on the same pool of libuv's: how long it takes to be answered. */

#define LONG_JOBS 40u
#define LONG_MS 50
#define STATS 20u

static void on_long(task_t *t) {
  ((run_t *)t->arg)->done++;
}

static void next_stat(run_t *r);

static void on_stat(uv_fs_t *fs) {
  run_t *r = fs->data;
  must(fs->result == 0, "uv_fs_stat");
  uv_fs_req_cleanup(fs);
  r->samples[r->sum++] = now_ns() - r->spawned_ns;
  if (r->sum < STATS) next_stat(r);
}

static void next_stat(run_t *r) {
  r->stat.data = r;
  r->spawned_ns = now_ns();
  must(uv_fs_stat(&r->uv, &r->stat, ".", on_stat) == 0, "uv_fs_stat");
}

static result_t stat_beside(const work_t *work) {
  run_t *r = run_open(POOL_THREADS / 2);
  uint64_t *samples = r->samples = must_alloc(STATS * sizeof *r->samples);
  uint64_t waited = 0;
  (void)work;
  for (uint64_t i = 0; i < LONG_JOBS; i++) {
    r->tasks[i] = (task_t){.in = LONG_MS, .sleeps = true, .done = on_long, .arg = r};
    pool_spawn(r->pool, &r->tasks[i]);
  }
  next_stat(r);
  while (r->done < LONG_JOBS || r->sum < STATS)
    (void)uv_run(&r->uv, UV_RUN_ONCE);
  run_close(r);
  for (unsigned i = 0; i < STATS; i++)
    waited += samples[i];
  return (result_t){.n = STATS, .elapsed_ns = waited, .samples = samples};
}

static const work_t works[] = {
    {"task/burst", burst, 0, 0},
    {"task/serial", serial, 0, 0},
    {"task/chain", chain, 0, 0},
    {"task/stat_beside", stat_beside, 0, 0},
};

BENCH_MAIN(works)
