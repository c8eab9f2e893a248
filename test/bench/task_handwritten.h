/* SPDX-License-Identifier: MIT */
/* What everybody writes: a list of jobs with a mutex and a condition, a second one for results with a uv_async_t; malloc'ed nodes,
 * one wake per result. */
#include "task_api.h"

#define PEER_NAME "handwritten"
#define PEER_VERSION "libuv " VERSION_TEXT(UV_VERSION)

typedef struct node {
  struct node *next;
  task_t *task;
} node_t;

typedef struct {
  pthread_mutex_t lock;
  node_t *head, *tail;
} list_t;

typedef struct {
  list_t jobs, results;
  pthread_cond_t has_job;
  bool closing;
  uv_async_t wake;
  pthread_t threads[POOL_THREADS];
} pool_t;

static void list_append(list_t *l, task_t *t) { /* under lock */
  node_t *n = malloc(sizeof *n);
  must(n != NULL, "out of memory");
  n->next = NULL;
  n->task = t;
  if (l->tail != NULL)
    l->tail->next = n;
  else
    l->head = n;
  l->tail = n;
}

static task_t *list_pop(list_t *l) { /* under lock */
  node_t *n = l->head;
  if (n == NULL) return NULL;
  l->head = n->next;
  if (l->head == NULL) l->tail = NULL;
  task_t *t = n->task;
  free(n);
  return t;
}

static void *worker(void *arg) {
  pool_t *p = arg;
  for (;;) {
    pthread_mutex_lock(&p->jobs.lock);
    while (p->jobs.head == NULL && !p->closing)
      pthread_cond_wait(&p->has_job, &p->jobs.lock);
    task_t *t = list_pop(&p->jobs);
    pthread_mutex_unlock(&p->jobs.lock);
    if (t == NULL) return NULL;
    task_run(t);
    pthread_mutex_lock(&p->results.lock);
    list_append(&p->results, t);
    pthread_mutex_unlock(&p->results.lock);
    uv_async_send(&p->wake);
  }
}

static void results_cb(uv_async_t *wake) {
  pool_t *p = wake->data;
  for (;;) {
    pthread_mutex_lock(&p->results.lock);
    task_t *t = list_pop(&p->results);
    pthread_mutex_unlock(&p->results.lock);
    if (t == NULL) return;
    t->done(t);
  }
}

static void pool_open(pool_t *p, uv_loop_t *loop, unsigned width) {
  (void)width;
  pthread_mutex_init(&p->jobs.lock, NULL);
  pthread_mutex_init(&p->results.lock, NULL);
  pthread_cond_init(&p->has_job, NULL);
  must(uv_async_init(loop, &p->wake, results_cb) == 0, "uv_async_init");
  p->wake.data = p;
  for (int i = 0; i < POOL_THREADS; i++)
    p->threads[i] = thread_start(worker, p);
}

static void pool_spawn(pool_t *p, task_t *t) {
  pthread_mutex_lock(&p->jobs.lock);
  list_append(&p->jobs, t);
  pthread_cond_signal(&p->has_job);
  pthread_mutex_unlock(&p->jobs.lock);
}

static void pool_close(pool_t *p) {
  pthread_mutex_lock(&p->jobs.lock);
  p->closing = true;
  pthread_cond_broadcast(&p->has_job);
  pthread_mutex_unlock(&p->jobs.lock);
  for (int i = 0; i < POOL_THREADS; i++)
    pthread_join(p->threads[i], NULL);
  uv_close((uv_handle_t *)&p->wake, NULL);
}
