/* SPDX-License-Identifier: MIT */
/* An executor for scenarios: its runners come from model threads that sleep until they are told to run, and that leave
 * when the executor has ended. A job that is forgotten, or an end that is, leaves them asleep: a deadlock. */
#ifndef UVF_TEST_MODEL_POOL_H
#define UVF_TEST_MODEL_POOL_H

#include "model.h"

#include "task/executor.h"

/* Sleeps until somebody has opened it; each open lets one through. */
typedef struct {
  uvf__mutex_t lock;
  uvf__cond_t opened;
  int count;
} model_gate_t;

static void model_gate_init(model_gate_t *g) {
  RL_ASSERT(uvf__mutex_init(&g->lock) == 0 && uvf__cond_init(&g->opened) == 0);
  g->count = 0;
}

static void model_gate_destroy(model_gate_t *g) {
  uvf__cond_destroy(&g->opened);
  uvf__mutex_destroy(&g->lock);
}

static void model_gate_open(model_gate_t *g) {
  uvf__lock(&g->lock);
  g->count++;
  uvf__cond_signal(&g->opened);
  uvf__unlock(&g->lock);
}

static void model_gate_pass(model_gate_t *g) {
  uvf__lock(&g->lock);
  while (g->count == 0)
    uvf__cond_wait(&g->opened, &g->lock, UINT64_MAX);
  g->count--;
  uvf__unlock(&g->lock);
}

/* The scenario's, and outlives the executor, whose memory is a block of its own. */
typedef struct {
  model_gate_t told; /* once for each runner, and for each thread at the end */
  int threads;
  int asked;         /* runners that no thread has taken up; under told.lock */
  bool ended;        /* likewise */
  bool ends_at_once; /* a runner gives its thread back after each job */
  bool stands; /* only the scenario's first thread may start runners, and looks at nothing else; under told.lock */
  bool rung;   /* somebody has asked it to; likewise */
  model_gate_t asks; /* open once for each time */
  int destroyed;
  int refuses; /* so many starts fail, as the checker likes */
} model_pool_t;

typedef struct {
  uvf_executor_t base;
  model_pool_t *pool;
} model_executor_t;

static model_pool_t *model_pool_of(uvf_executor_t *ex) {
  return uvf__container(ex, model_executor_t, base)->pool;
}

static int model_pool_start(uvf_executor_t *ex, uvf__link_t *slot) {
  model_pool_t *p = model_pool_of(ex);
  RL_ASSERT(slot == NULL);
  if (p->refuses > 0 && rl::rand(2) == 0) {
    p->refuses--;
    return UV_EAGAIN;
  }
  uvf__lock(&p->told.lock);
  RL_ASSERT(!p->ended);
  p->asked++;
  uvf__unlock(&p->told.lock);
  model_gate_open(&p->told);
  return 0;
}

/* A loop that stands still: it starts runners for what it queues itself. */
static bool model_pool_here(uvf_executor_t *ex) {
  model_pool_t *p = model_pool_of(ex);
  uvf__lock(&p->told.lock);
  bool here = !p->stands || rl::thread_index() == 0;
  uvf__unlock(&p->told.lock);
  return here;
}

static int model_pool_ask(uvf_executor_t *ex) {
  model_pool_t *p = model_pool_of(ex);
  uvf__lock(&p->told.lock);
  bool again = p->rung, at_once = !p->stands;
  p->rung = !at_once;
  uvf__unlock(&p->told.lock);
  if (at_once) uvf__runners_asked(ex, false);
  if (at_once) uvf__executor_unhold(ex);
  if (!again) model_gate_open(&p->asks);
  return again ? UV_EBUSY : 0;
}

/* The loop has a turn, and stands still again; or it goes on, and will always answer at once. */
static void model_pool_turn(uvf_executor_t *ex, bool goes_on) {
  model_pool_t *p = model_pool_of(ex);
  uvf__lock(&p->told.lock);
  if (goes_on) p->stands = false;
  bool rung = p->rung;
  p->rung = false;
  uvf__unlock(&p->told.lock);
  if (!rung) return;
  uvf__runners_asked(ex, false);
  uvf__executor_unhold(ex);
}

static uvf__share_t model_pool_share(uvf_executor_t *ex, uint64_t began_us, uint64_t now_us) {
  (void)began_us;
  (void)now_us;
  return model_pool_of(ex)->ends_at_once ? UVF__SPENT : UVF__LEFT;
}

static void model_pool_end(uvf_executor_t *ex) {
  model_pool_t *p = model_pool_of(ex);
  uvf__lock(&p->told.lock);
  RL_ASSERT(!p->ended && p->asked == 0);
  RL_ASSERT(ex->queued == 0 && ex->running == 0 && ex->runners == 0);
  p->ended = true;
  uvf__unlock(&p->told.lock);
  for (int i = 0; i < p->threads; i++)
    model_gate_open(&p->told);
}

static void model_pool_destroy(uvf_executor_t *ex) {
  model_pool_t *p = model_pool_of(ex);
  p->destroyed++;
  uvf__free(ex);
}

static const uvf__executor_type_t model_pool_type = {
    "model's pool", model_pool_start,   model_pool_here, model_pool_ask, model_pool_share,
    model_pool_end, model_pool_destroy, false,           false};

/* threads: how many scenario threads will run model_pool_thread. */
static uvf_executor_t *model_pool_create(model_pool_t *p, int threads, uint32_t max_running, size_t capacity) {
  model_executor_t *e = model_new<model_executor_t>();
  model_gate_init(&p->told);
  model_gate_init(&p->asks);
  p->threads = threads;
  e->pool = p;
  uvf__executor_setup_t setup;
  memset(&setup, 0, sizeof setup);
  setup.type = &model_pool_type;
  setup.capacity = capacity;
  setup.max_running = max_running;
  setup.max_runners = (uint32_t)threads;
  RL_ASSERT(uvf__executor_init(&e->base, &setup) == 0);
  return &e->base;
}

/* One of its threads, until the executor has ended. */
static void model_pool_thread(model_pool_t *p, uvf_executor_t *ex) {
  for (;;) {
    model_gate_pass(&p->told);
    uvf__lock(&p->told.lock);
    bool run = p->asked > 0;
    if (run) p->asked--;
    uvf__unlock(&p->told.lock);
    if (!run) return;
    (void)uvf__runner_run(ex);
    uvf__runner_gone(ex, NULL, false);
  }
}

/* In after(). */
static void model_pool_check(model_pool_t *p) {
  RL_ASSERT(p->ended && p->destroyed == 1 && p->asked == 0 && p->told.count == 0);
  model_gate_destroy(&p->told);
  model_gate_destroy(&p->asks);
}

#endif
