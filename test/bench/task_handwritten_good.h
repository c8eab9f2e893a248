/* SPDX-License-Identifier: MIT */
/* What an expert writes: intrusive tasks; a sleeping worker is signalled only if there is one; a result is pushed on a
 * lock-free stack that the loop takes whole, and only the push on an empty stack wakes it. */
#define TASK_PRIVATE struct task_s *next;
#include "task_api.h"

#define PEER_NAME "handwritten-good"
#define PEER_VERSION "libuv " VERSION_TEXT(UV_VERSION)

typedef struct {
  pthread_mutex_t lock;
  pthread_cond_t has_job;
  task_t *head, *tail;                            /* under lock */
  int idle;                                       /* under lock: workers that wait and were not signalled yet */
  bool closing;                                   /* under lock */
  _Alignas(CACHE_LINE) _Atomic(task_t *) results; /* newest first */
  uv_async_t wake;
  pthread_t threads[POOL_THREADS];
} pool_t;

static void *worker(void *arg) {
  pool_t *p = arg;
  for (;;) {
    pthread_mutex_lock(&p->lock);
    while (p->head == NULL && !p->closing) {
      p->idle++;
      pthread_cond_wait(&p->has_job, &p->lock);
    }
    task_t *t = p->head;
    if (t != NULL) {
      p->head = t->next;
      if (p->head == NULL) p->tail = NULL;
    }
    pthread_mutex_unlock(&p->lock);
    if (t == NULL) return NULL;
    task_run(t);
    task_t *top = atomic_load(&p->results);
    do
      t->next = top;
    while (!atomic_compare_exchange_weak(&p->results, &top, t));
    if (top == NULL) uv_async_send(&p->wake);
  }
}

static void results_cb(uv_async_t *wake) {
  pool_t *p = wake->data;
  task_t *newest = atomic_exchange(&p->results, NULL), *oldest = NULL;
  while (newest != NULL) {
    task_t *next = newest->next;
    newest->next = oldest;
    oldest = newest;
    newest = next;
  }
  while (oldest != NULL) {
    task_t *next = oldest->next;
    oldest->done(oldest);
    oldest = next;
  }
}

static void pool_open(pool_t *p, uv_loop_t *loop, unsigned width) {
  (void)width;
  pthread_mutex_init(&p->lock, NULL);
  pthread_cond_init(&p->has_job, NULL);
  must(uv_async_init(loop, &p->wake, results_cb) == 0, "uv_async_init");
  p->wake.data = p;
  for (int i = 0; i < POOL_THREADS; i++)
    p->threads[i] = thread_start(worker, p);
}

static void pool_spawn(pool_t *p, task_t *t) {
  t->next = NULL;
  pthread_mutex_lock(&p->lock);
  if (p->tail != NULL)
    p->tail->next = t;
  else
    p->head = t;
  p->tail = t;
  bool signal = p->idle > 0;
  if (signal) p->idle--;
  pthread_mutex_unlock(&p->lock);
  if (signal) pthread_cond_signal(&p->has_job);
}

static void pool_close(pool_t *p) {
  pthread_mutex_lock(&p->lock);
  p->closing = true;
  pthread_cond_broadcast(&p->has_job);
  pthread_mutex_unlock(&p->lock);
  for (int i = 0; i < POOL_THREADS; i++)
    pthread_join(p->threads[i], NULL);
  uv_close((uv_handle_t *)&p->wake, NULL);
}
