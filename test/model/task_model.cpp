/* SPDX-License-Identifier: MIT */
/* The word of a task: who runs it against who cancels it and who asks it to stop; work that ends later, by its worker's
 * return or by uvf_task_finish on another thread, whichever comes second; promises. A task ends once, its value is seen
 * whole, and who ends it frees its memory (if nobody else keeps it), which nobody touches after that. What is around a
 * task in the library (a channel, an executor and its lock, which would hide what the word itself orders) is replaced
 * by a few lines here.
 * sources: task/task.c */
#include "model.h"

#include "queue/item.h"
#include "task/flowvar.h"

enum {
  KEPT = 1,    /* somebody keeps the memory, as the holder of a flowvar does */
  RUNS = 2,    /* the work has begun before the scenario */
  PROMISE = 4, /* there is no work */
  ANSWERS = 8, /* the work returns an outcome, else UVF_LATER */
  FAILS = 16   /* uvf_task_finish with an error, not with a value */
};

typedef struct {
  unsigned how;
  void (*thread[3])(void);
} scenario_t;

/* Of a flowvar's channel a task needs where its value is. */
typedef struct {
  uvf__chan_t chan;
  uvf__flow_t flow; /* UVF__FLOW_AT */
  model_item_t value, arg, scratch;
} memory_t;

typedef struct {
  memory_t *m;
  uvf_task_t *task;
  int ran, ended, cancelled, claims, busy;
  int status;
} state_t;

static const scenario_t *scenario;
static state_t *s;

static bool has(unsigned how) {
  return (scenario->how & how) != 0;
}

/* ---- what is around it ---- */

/* By the one who ends it. */
static void over(uvf_task_t *t, int status) {
  memory_t *m = uvf__container(uvf__container(t, uvf__flow_t, task), memory_t, flow);
  RL_ASSERT(t == s->task && s->ended++ == 0);
  s->status = status;
  RL_ASSERT(status == t->status);
  if (status == 0) RL_ASSERT(item_get(&m->value) == 7);
  item_set(&m->scratch, 2); /* it is ours alone now */
  uvf__task_end(t, status == 0 ? UVF__DONE : UVF__FAILED);
  if (!has(KEPT)) uvf__free(m);
}

const uvf__job_type_t uvf__flow_job = {NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, true};

void uvf__flow_over(uvf_task_t *t, int status) {
  RL_ASSERT(has(PROMISE));
  over(t, status);
}

void uvf__executor_over(uvf_executor_t *ex, uvf__job_t *job, int status) {
  RL_ASSERT(ex != NULL && !has(PROMISE));
  over(uvf__task_of(job), status);
}

/* ---- what threads do ---- */

static int work(uvf_task_t *t, void *arg, void *value) {
  memory_t *m = s->m;
  RL_ASSERT(t == s->task && item_get(arg) == 5);
  s->ran++;
  (void)uvf_task_cancelled(t);
  item_set(&m->scratch, 1);
  if (!has(ANSWERS)) return UVF_LATER;
  if (!has(RUNS)) item_set(value, 7);
  return has(RUNS) ? UV_EPIPE : 0; /* where somebody may finish it, the value is theirs to write */
}

static void runs(void) {
  uvf_task_t *t = s->task;
  if (!has(RUNS) && !uvf__task_move(t, UVF__RUNNING)) return;
  int r = uvf__task_run(t, &s->m->value);
  if (r != UVF_LATER) over(t, r);
}

/* As uvf_flowvar_cancel does. */
static void cancels(void) {
  int r;
  do {
    if (uvf__task_move(s->task, UVF__CANCELLED_TASK)) {
      RL_ASSERT(s->cancelled++ == 0);
      RL_ASSERT(item_get(&s->m->arg) == 5);
      return;
    }
    r = uvf__task_ask(s->task);
  } while (r == UV_EAGAIN);
  RL_ASSERT(r == UV_EBUSY || r == UV_EALREADY);
  if (r == UV_EBUSY) s->busy++;
  if (r == UV_EALREADY) RL_ASSERT(s->cancelled == 1 || s->ran == 1 || has(PROMISE));
}

static void finishes(void) {
  model_item_t value;
  memset((void *)&value, 0, sizeof value);
  item_set(&value, 7);
  int status = has(FAILS) ? UV_EPIPE : 0;
  int r = uvf_task_finish(s->task, status, status == 0 ? &value : NULL);
  model_forget(&value, sizeof value);
  RL_ASSERT(r == 0 || (r == UV_EALREADY && has(KEPT)));
  if (r == 0) s->claims++;
}

static void nothing(void) {
}

struct model : rl::test_suite<model, 3> {
  void before() {
    model_begin();
    s = model_new<state_t>();
    memory_t *m = s->m = model_new<memory_t>();
    s->task = &m->flow.task;

    m->chan.generation = uvf__fork_generation();
    m->chan.item_size = sizeof(model_item_t);
    m->chan.q.cell.item = &m->value;
    item_set(&m->value, 0);
    item_set(&m->arg, 5);
    item_set(&m->scratch, 0);
    uint32_t word = has(PROMISE) ? UVF__RUNNING | UVF__RETURNED : has(RUNS) ? UVF__RUNNING : UVF__PENDING;
    uvf__task_init(s->task, &uvf__flow_job, has(PROMISE) ? NULL : work, &m->arg, word);
    if (!has(PROMISE)) s->task->job.ex = (uvf_executor_t *)s;
  }

  void thread(unsigned index) {
    scenario->thread[index]();
  }

  void after() {
    RL_ASSERT(s->ended + s->cancelled == 1);
    RL_ASSERT(s->claims <= 1);
    if (s->claims == 1) RL_ASSERT(s->status == (has(FAILS) ? UV_EPIPE : 0));
    RL_ASSERT(s->ran == (has(PROMISE) || s->cancelled == 1 ? 0 : 1));
    if (has(KEPT)) {
      RL_ASSERT(uvf_task_cancelled(s->task) == (s->busy > 0));
      uint32_t phase = s->cancelled == 1 ? UVF__CANCELLED_TASK : s->status == 0 ? UVF__DONE : UVF__FAILED;
      RL_ASSERT(uvf__task_phase(s->task) == phase);
      if (s->cancelled == 0 && s->status == 0) RL_ASSERT(item_get(&s->m->value) == 7);
      uvf__free(s->m);
    }
    uvf__free(s);
    model_end();
  }
};

static const struct {
  const char *name;
  scenario_t what;
} all[] = {
    {"run, cancelled, asked", {KEPT | ANSWERS, {runs, cancels, cancels}}},
    {"two take it", {KEPT | ANSWERS, {runs, runs, cancels}}},
    {"later", {RUNS, {runs, finishes, nothing}}},
    {"later, with an error", {RUNS | FAILS, {runs, finishes, nothing}}},
    {"later, asked", {KEPT | RUNS, {runs, finishes, cancels}}},
    {"later, two finish", {KEPT | RUNS, {runs, finishes, finishes}}},
    {"an answer, and a finish", {KEPT | RUNS | ANSWERS, {runs, finishes, finishes}}},
    {"promise", {PROMISE, {nothing, finishes, nothing}}},
    {"promise, two finish", {KEPT | PROMISE, {finishes, finishes, cancels}}},
    {"promise, with an error", {KEPT | PROMISE | FAILS, {finishes, cancels, cancels}}},
};

int main(void) {
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
    scenario = &all[i].what;
    if (!model_run<model>(all[i].name, 10000, 2)) return 1;
  }
  return 0;
}
