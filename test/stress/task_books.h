/* SPDX-License-Identifier: MIT */
/* What task_stress.c keeps account of: for each task whether it ran, what became of its arg and of its value, and how
 * it ended; and the work functions themselves. */
#ifndef TASK_BOOKS_H
#define TASK_BOOKS_H

#include "stress.h"

enum { MOST_TASKS = 1 << 15, SPAWNERS = 4, LOOPS = 2 };

/* Each is set once at the most. */
enum {
  ACCEPTED = 1,
  RAN = 2,
  ARG_DROPPED = 4,
  SET = 8,
  TAKEN = 16,
  DROPPED = 32,
  CANCELLED = 64, /* by a cancel that returned 0 */
  REFUSED = 128
};

typedef enum { SPAWNED, FOLLOWS, PROMISED } kind_t;

enum { NO_OUTCOME = 1 }; /* no code is above 0 */

typedef struct {
  atomic_uint bits;
  atomic_int outcome; /* as seen; all who see it must see the same */
  kind_t kind;
  uint32_t follower; /* written before uvf_then */
} book_t;

typedef struct {
  uint32_t number;
  uint64_t words[3]; /* made of it */
} value_t;

typedef struct {
  uint32_t number, mood;
} arg_t;

/* Where tasks go. */
enum { THREADS, LANE, NARROW, LOOPS_OWN, PER_LOOP = 3, PLACES = LOOPS_OWN + PER_LOOP * LOOPS };
enum { POOL, LOOP_THREAD, POOL_LANE };

typedef struct {
  pthread_mutex_t lock;
  uvf_executor_t *ex; /* under lock; NULL: there is none now */
} place_t;

/* A task that another thread has to finish. */
typedef struct later_s {
  struct later_s *next;
  uvf_task_t *task;
  uint32_t number;
  bool has_value;
} later_t;

static struct {
  book_t books[MOST_TASKS];
  atomic_uint numbers; /* given out */
  uint32_t tasks, seldom;
  place_t places[PLACES];
  struct {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t more;
    later_t *first; /* under lock */
    bool ended;     /* under lock */
  } finisher;
  atomic_ulong offloads, offloads_ran, offloads_cancelled, offloads_called;
} now;

/* ---- books ---- */

static inline void book(uint32_t number, unsigned what, unsigned must_not) {
  unsigned before = atomic_fetch_or(&now.books[number].bits, what);
  if ((before & (what | must_not)) != 0) die("task %u gets %u, and has %u", number, what, before);
  if (number % 64 == 0) moved();
}

/* False: there are enough. */
static inline bool number_new(kind_t kind, uint32_t *number) {
  *number = atomic_fetch_add(&now.numbers, 1);
  if (*number >= now.tasks) return false;
  now.books[*number].kind = kind;
  return true;
}

static inline void outcome_seen(uint32_t number, int r) {
  int none = NO_OUTCOME;
  if (r == UV_EAGAIN || r == UV_ETIMEDOUT) return;
  if (!atomic_compare_exchange_strong(&now.books[number].outcome, &none, r) && none != r)
    die("task %u ended with %s, and with %s", number, uvf_err_name(none), uvf_err_name(r));
}

static inline void value_write(value_t *v, uint32_t number) {
  rng_t g = {number};
  v->number = number;
  for (int i = 0; i < 3; i++)
    v->words[i] = rng_next(&g);
}

static inline uint32_t value_read(const value_t *v) {
  rng_t g = {v->number};
  if (v->number >= now.tasks) die("a value of task %u, which there is not", v->number);
  for (int i = 0; i < 3; i++)
    if (v->words[i] != rng_next(&g)) die("the value of task %u is torn", v->number);
  return v->number;
}

static inline void on_value_drop(void *value, void *data) {
  (void)data;
  book(value_read(value), DROPPED, TAKEN);
}

static inline void on_arg_drop(void *arg, void *data) {
  (void)data;
  book(((arg_t *)arg)->number, ARG_DROPPED, RAN);
}

/* Takes the value, if nobody has. */
static inline void value_take(uvf_flowvar_t *fv, uint32_t number) {
  value_t v;
  int r = uvf_flowvar_take(fv, &v);
  if (r == 0) must(value_read(&v) == number);
  if (r == 0) book(number, TAKEN, DROPPED);
  /* It may also be how a follower ended. */
  outcome_seen(number, r == UV_EALREADY ? uvf_try_await(fv) : r);
}

/* ---- places ---- */

static inline uvf_executor_t *place_get(uint32_t i) {
  (void)pthread_mutex_lock(&now.places[i].lock);
  uvf_executor_t *ex = uvf_executor_retain(now.places[i].ex);
  (void)pthread_mutex_unlock(&now.places[i].lock);
  return ex;
}

/* Its reference moves; what was there comes back with its own. */
static inline uvf_executor_t *place_put(uint32_t i, uvf_executor_t *ex) {
  (void)pthread_mutex_lock(&now.places[i].lock);
  uvf_executor_t *was = now.places[i].ex;
  now.places[i].ex = ex;
  (void)pthread_mutex_unlock(&now.places[i].lock);
  return was;
}

static inline uvf_executor_t *place_any(rng_t *g) {
  uvf_executor_t *ex = place_get(rng_below(g, PLACES));
  return ex != NULL ? ex : place_get(THREADS);
}

/* ---- work ---- */

static inline void finish_later(uvf_task_t *task, uint32_t number, bool has_value) {
  later_t *l = malloc(sizeof *l);
  must(l != NULL);
  *l = (later_t){NULL, task, number, has_value};
  (void)pthread_mutex_lock(&now.finisher.lock);
  l->next = now.finisher.first;
  now.finisher.first = l;
  (void)pthread_cond_signal(&now.finisher.more);
  (void)pthread_mutex_unlock(&now.finisher.lock);
}

static inline void finish_one(const later_t *l, rng_t *g) {
  value_t v;
  bool fails = one_in(g, 8);
  if (l->has_value && !fails) {
    value_write(&v, l->number);
    book(l->number, SET, 0);
  }
  must_be(uvf_task_finish(l->task, fails ? UV_ECONNRESET : 0, l->has_value && !fails ? &v : NULL), 0, "finish");
}

static inline void *finisher_thread(void *unused) {
  rng_t g = {7};
  (void)unused;
  (void)pthread_mutex_lock(&now.finisher.lock);
  while (now.finisher.first != NULL || !now.finisher.ended) {
    later_t *l = now.finisher.first;
    if (l == NULL) {
      (void)pthread_cond_wait(&now.finisher.more, &now.finisher.lock);
      continue;
    }
    now.finisher.first = l->next;
    (void)pthread_mutex_unlock(&now.finisher.lock);
    shake(&g, now.seldom);
    finish_one(l, &g);
    free(l);
    (void)pthread_mutex_lock(&now.finisher.lock);
  }
  (void)pthread_mutex_unlock(&now.finisher.lock);
  return NULL;
}

static inline uvf_spawn_options_t spawn_options(void) {
  uvf_spawn_options_t o = {.value_size = sizeof(value_t), .value_drop = on_value_drop, .name = "stress"};
  return o;
}

static int work(uvf_task_t *task, void *arg, void *value);

/* Nobody will ask for it if fv is NULL. False: refused, or there are enough. */
static inline bool spawn(rng_t *g, uvf_flowvar_t **fv, uint32_t *number) {
  uvf_spawn_options_t o = spawn_options();
  if (!number_new(SPAWNED, number)) return false;
  arg_t arg = {*number, (uint32_t)rng_next(g)};
  o.arg_size = sizeof arg;
  o.arg_drop = on_arg_drop;
  uvf_executor_t *ex = place_any(g);
  int r = uvf_spawn(ex, work, &arg, &o, fv);
  uvf_executor_release(ex);
  must(r == 0 || r == UV_EAGAIN || r == UV_EPIPE);
  book(*number, r == 0 ? ACCEPTED : REFUSED, 0);
  return r == 0;
}

/* What a task does: `number` is its own. */
static inline int work_as(uvf_task_t *task, uint32_t number, uint32_t mood, value_t *value) {
  rng_t g = {mood};
  uint32_t child;
  book(number, RAN, ARG_DROPPED | CANCELLED);
  shake(&g, now.seldom);
  if (one_in(&g, 64)) (void)spawn(&g, NULL, &child);
  if (one_in(&g, 16)) {
    finish_later(task, number, true);
    return UVF_LATER;
  }
  if (uvf_task_cancelled(task) || one_in(&g, 8)) return UV_ECONNRESET;
  value_write(value, number);
  book(number, SET, 0);
  return 0;
}

static int work(uvf_task_t *task, void *arg, void *value) {
  const arg_t *a = arg;
  return work_as(task, a->number, a->mood, value);
}

/* Its arg is the value of what it follows. */
static inline int work_after(uvf_task_t *task, void *arg, void *value) {
  uint32_t before = value_read(arg), number = now.books[before].follower;
  return work_as(task, number, number, value);
}

#endif
