/* SPDX-License-Identifier: MIT */
/* An executor with threads of its own: a runner is one of them that was told to run. They sleep on one condition, and end when the
 * executor has: then each goes by itself, and the last one tells who waits for that. Nobody joins them. */
#include "task/executor.h"

#include "base/alloc.h"

typedef struct {
  uvf_executor_t base;
  uvf__mutex_t lock;
  uvf__cond_t told;
  /* under `lock` */
  uint32_t wanted; /* told to run, and not yet taken up by a thread */
  bool ended;
} threads_t;

static threads_t *threads_of(uvf_executor_t *ex) {
  return uvf__container(ex, threads_t, base);
}

/* False: end. */
static bool wait_told(threads_t *t) {
  uvf__lock(&t->lock);
  while (t->wanted == 0 && !t->ended)
    uvf__cond_wait(&t->told, &t->lock, UINT64_MAX);
  bool run = t->wanted > 0;
  if (run) t->wanted--;
  uvf__unlock(&t->lock);
  return run;
}

static void leave(uvf_executor_t *ex) {
  uvf__lock(&ex->waits.lock);
  ex->threads--;
  uvf__unlock(&ex->waits.lock);
  uvf__executor_tell_all(ex);
  uvf__executor_unhold(ex); /* the thread's */
}

static void thread_main(void *arg) {
  threads_t *t = (threads_t *)arg;
  while (wait_told(t)) {
    (void)uvf__runner_run(&t->base);
    uvf__runner_gone(&t->base, NULL, false);
  }
  leave(&t->base);
}

static int threads_start(uvf_executor_t *ex, uvf__link_t *slot) {
  threads_t *t = threads_of(ex);
  (void)slot;
  uvf__lock(&t->lock);
  t->wanted++;
  uvf__cond_signal(&t->told);
  uvf__unlock(&t->lock);
  return 0;
}

static void threads_end(uvf_executor_t *ex) {
  threads_t *t = threads_of(ex);
  uvf__lock(&t->lock);
  t->ended = true;
  for (uint32_t i = 0; i < ex->max_runners; i++)
    uvf__cond_signal(&t->told);
  uvf__unlock(&t->lock);
}

static void threads_destroy(uvf_executor_t *ex) {
  threads_t *t = threads_of(ex);
  uvf__cond_destroy(&t->told);
  uvf__mutex_destroy(&t->lock);
  uvf__free_line(t);
}

static const uvf__executor_type_t threads_type = {
    .name = "threads", .start = threads_start, .end = threads_end, .destroy = threads_destroy};

static bool options_valid(const uvf_threads_options_t *o) {
  if (o == NULL || o->threads == 0 || o->threads > UVF__MAX_RUNNERS) return false;
  for (size_t i = 0; i < sizeof o->reserved / sizeof o->reserved[0]; i++)
    if (o->reserved[i] != 0) return false;
  return true;
}

static int init(threads_t *t, const uvf_threads_options_t *o) {
  const uvf__executor_setup_t setup = {&threads_type, NULL, o->name, UVF__NO_LIMIT, UINT32_MAX, o->threads, NULL, NULL};
  int r = uvf__mutex_init(&t->lock);
  if (r != 0) return r;
  r = uvf__cond_init(&t->told);
  if (r == 0) {
    r = uvf__executor_init(&t->base, &setup);
    if (r != 0) uvf__cond_destroy(&t->told);
  }
  if (r != 0) uvf__mutex_destroy(&t->lock);
  return r;
}

/* All threads or none; those that were started end by themselves. */
static int start_all(threads_t *t, const uvf_threads_options_t *o) {
  int r = 0;
  for (uint32_t i = 0; i < o->threads && r == 0; i++) {
    uvf__executor_hold(&t->base); /* the thread's */
    uvf__lock(&t->base.waits.lock);
    t->base.threads++;
    uvf__unlock(&t->base.waits.lock);
    r = uvf__thread_start(thread_main, t, o->stack_size, t->base.name);
    if (r != 0) leave(&t->base);
  }
  return r;
}

int uvf_threads_create(const uvf_threads_options_t *o, uvf_executor_t **out) {
  if (out == NULL || !options_valid(o)) return UV_EINVAL;
  int r = uvf__fork_watch(NULL);
  if (r != 0) return r;
  threads_t *t = (threads_t *)uvf__calloc_line(sizeof *t);
  if (t == NULL) return UV_ENOMEM;
  r = init(t, o);
  if (r != 0) {
    uvf__free_line(t);
    return r;
  }
  r = start_all(t, o);
  if (r != 0) {
    uvf_executor_release(&t->base);
    return r;
  }
  *out = &t->base;
  return 0;
}
