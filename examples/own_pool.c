/* SPDX-License-Identifier: MIT */
/* Flowvars on a thread pool of your own: all that uvflow needs of it is a function that lets one of its threads call
 * run(job). (A pool that exists takes less: for libdispatch, `submit` is one line, dispatch_async_f(queue, job, run).) */
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "check.h"

#define THREADS 2
#define TASKS 1000

/* ---- the pool ---- */

typedef struct job_s {
  struct job_s *next;
  void (*run)(void *job);
  void *job;
} job_t;

typedef struct {
  uv_mutex_t lock;
  uv_cond_t changed;
  job_t *first, **last; /* under lock */
  bool ending;          /* under lock */
  uv_thread_t threads[THREADS];
} pool_t;

static void pool_main(void *arg) {
  pool_t *p = arg;
  uv_mutex_lock(&p->lock);
  for (;;) {
    while (p->first == NULL && !p->ending)
      uv_cond_wait(&p->changed, &p->lock);
    job_t *j = p->first;
    if (j == NULL) break;
    p->first = j->next;
    if (p->first == NULL) p->last = &p->first;
    uv_mutex_unlock(&p->lock);
    j->run(j->job);
    free(j);
    uv_mutex_lock(&p->lock);
  }
  uv_mutex_unlock(&p->lock);
}

/* What uvflow calls. */
static int pool_submit(void *pool, void (*run)(void *job), void *job) {
  pool_t *p = pool;
  job_t *j = malloc(sizeof *j);
  if (j == NULL) return UV_ENOMEM;
  *j = (job_t){NULL, run, job};
  uv_mutex_lock(&p->lock);
  *p->last = j;
  p->last = &j->next;
  uv_cond_signal(&p->changed);
  uv_mutex_unlock(&p->lock);
  return 0;
}

static void pool_open(pool_t *p) {
  *p = (pool_t){.first = NULL};
  p->last = &p->first;
  check(uv_mutex_init(&p->lock), "mutex_init");
  check(uv_cond_init(&p->changed), "cond_init");
  for (int i = 0; i < THREADS; i++)
    check(uv_thread_create(&p->threads[i], pool_main, p), "thread_create");
}

/* Its threads end when nothing is left to do. */
static void pool_close(pool_t *p) {
  uv_mutex_lock(&p->lock);
  p->ending = true;
  uv_cond_broadcast(&p->changed);
  uv_mutex_unlock(&p->lock);
  for (int i = 0; i < THREADS; i++)
    check(uv_thread_join(&p->threads[i]), "thread_join");
  uv_cond_destroy(&p->changed);
  uv_mutex_destroy(&p->lock);
}

/* ---- work on it ---- */

static int square(uvf_task_t *task, void *arg, void *value) {
  long n = *(const long *)arg;
  (void)task;
  *(long *)value = n * n;
  return 0;
}

/* A continuation: its arg is the value of what it follows. */
static int half(uvf_task_t *task, void *arg, void *value) {
  (void)task;
  *(long *)value = *(const long *)arg / 2;
  return 0;
}

static void on_all(uvf_req_t *req, int status) {
  check(status, "await_all");
  *(bool *)req->data = true;
}

int main(void) {
  static uvf_flowvar_t *results[TASKS];
  uvf_spawn_options_t number = {.value_size = sizeof(long)},
                      numbers = {.value_size = sizeof(long), .arg_size = sizeof(long)};
  uvf_executor_options_t options = {.submit = pool_submit};
  bool done = false;
  uvf_req_t req = {.data = &done};
  uv_loop_t *uv = uv_default_loop();
  uvf_loop_t *loop;
  uvf_executor_t *executor;
  pool_t pool;
  long sum = 0, expected = 0;
  pool_open(&pool);
  options.pool = &pool;
  check(uvf_loop_attach(uv, NULL, &loop), "attach");
  check(uvf_executor_create(&options, &executor), "executor_create");
  for (long i = 0; i < TASKS; i++) {
    uvf_flowvar_t *squared;
    check(uvf_spawn(executor, square, &i, &numbers, &squared), "spawn");
    check(uvf_then(squared, executor, half, &number, &results[i]), "then");
    uvf_flowvar_release(squared);
    expected += i * i / 2;
  }
  check(uvf_await_all(loop, &req, results, TASKS, UVF_FOREVER, on_all), "await_all");
  check(uv_run(uv, UV_RUN_DEFAULT), "run");
  for (int i = 0; i < TASKS; i++) {
    sum += *(const long *)uvf_flowvar_value(results[i]);
    uvf_flowvar_release(results[i]);
  }
  uvf_executor_release(executor); /* before the pool that it runs on */
  check(uvf_loop_detach(loop, NULL, NULL), "detach");
  check(uv_run(uv, UV_RUN_DEFAULT), "run");
  check(uv_loop_close(uv), "loop_close");
  pool_close(&pool);
  printf("%d numbers on %d threads of our own: %ld\n", TASKS, THREADS, sum);
  return done && sum == expected ? 0 : 1;
}
