/* SPDX-License-Identifier: MIT */
/* Flowvars whose tasks run on another thread, are finished by a third, or follow one another, while somebody blocks for
 * them, takes the value, cancels, and lets go. Each value is taken once or dropped once, an arg is run with or dropped,
 * each waiter hears of the outcome (one who does not is a deadlock), and all memory is freed once.
 * sources: task/task.c task/flowvar.c task/spawn.c task/promise.c task/await.c task/then.c
 * sources: task/executor.c task/intake.c task/runner.c task/start.c task/crowd.c task/blocks.c task/control.c task/room_idle.c
 * sources: chan/queued.c chan/queued_wait.c chan/overflow.c chan/chan.c chan/create.c chan/close.c chan/send.c chan/recv.c chan/stats.c
 * sources: chan/rendezvous.c chan/dump.c
 * sources: queue/mpmc_ring.c queue/block_list.c queue/spsc_ring.c queue/locked_ring.c queue/cell.c base/fence.c base/heap.c
 * sources: wait/pace.c wait/blocked.c wait/waits.c wait/op.c wait/bells.c wait/ready.c wait/loop.c wait/request.c wait/deadline.c
 * sources: wait/detach.c wait/post.c wait/drain.c
 * flags: -DSPINS=0 -DBUSY_PAUSES=0 -DLINGER_SPINS=0 -DINTAKE_SPINS=0 -DLINGER_US=0 -DGATHER_US=0
 * flags: -DGATHER_FLOW=4 -DGATHER_ITEMS=64 -DUVF__BLOCKS_KEPT=0 */
#include "model_pool.h"

#include <uvflow/flowvar.h>

#include "task/flowvar.h"

enum {
  LATER = 1,    /* the work answers UVF_LATER; `finishes` ends it */
  PROMISE = 2,  /* instead of a spawned task */
  FAILS = 4,    /* the work ends with an error */
  FOLLOWED = 8, /* a continuation of it is made before the scenario */
  PAUSED = 16   /* the executor is, until somebody resumes it */
};

typedef struct {
  unsigned how;
  void (*thread[4])(void);
} scenario_t;

/* By number: 0 the flowvar, 1 the one that follows. */
typedef struct {
  int made, ran, set, taken, dropped, arg_dropped, cancelled;
} books_t;

typedef struct {
  model_pool_t pool;
  uvf_executor_t *ex;
  uvf_flowvar_t *fv, *after;
  uvf_task_t *task; /* to be finished by another thread */
  model_gate_t given;
  model_item_t arg;
  books_t books[2];
  bool came_too_late; /* somebody followed what was taken */
} state_t;

static const scenario_t *scenario;
static state_t *s;

static bool has(unsigned how) {
  return (scenario->how & how) != 0;
}

/* ---- values ---- */

static void value_set(void *value, int which) {
  item_set(value, 7 + which);
  RL_ASSERT(s->books[which].set++ == 0);
}

static void on_drop(void *value, void *data) {
  books_t *b = (books_t *)data;
  RL_ASSERT(item_get(value) == 7 + (uint64_t)(b - s->books));
  RL_ASSERT(b->set == 1 && b->taken == 0 && b->dropped++ == 0);
}

static void on_arg_drop(void *arg, void *data) {
  books_t *b = (books_t *)data;
  RL_ASSERT(item_get(arg) == 5 && b->ran == 0 && b->arg_dropped++ == 0);
}

static uvf_spawn_options_t options(int which) {
  uvf_spawn_options_t o;
  memset(&o, 0, sizeof o);
  o.value_size = sizeof(model_item_t);
  o.value_drop = on_drop;
  o.data = &s->books[which];
  return o;
}

/* ---- work ---- */

static int work(uvf_task_t *task, void *arg, void *value) {
  RL_ASSERT(item_get(arg) == 5 && s->books[0].ran++ == 0);
  if (has(FAILS)) return UV_EPIPE;
  if (has(LATER)) {
    s->task = task;
    model_gate_open(&s->given);
    return UVF_LATER;
  }
  value_set(value, 0);
  return 0;
}

static int work_after(uvf_task_t *task, void *arg, void *value) {
  (void)task;
  RL_ASSERT(s->books[1].ran++ == 0 && s->books[0].set == 1);
  RL_ASSERT(item_get(arg) == 7);
  value_set(value, 1);
  return 0;
}

/* ---- what threads do ---- */

static void runs(void) {
  model_pool_thread(&s->pool, s->ex);
}

static void nothing(void) {
}

/* Waits, and takes the value; there may be others that do. */
static void await_and_take(uvf_flowvar_t *fv, int which) {
  books_t *b = &s->books[which];
  model_item_t value;
  memset((void *)&value, 0, sizeof value);
  int r = uvf_await_sync(fv, UVF_FOREVER);
  RL_ASSERT(uvf_try_await(fv) == r);
  if (r == 0) {
    RL_ASSERT(b->ran == 1 && b->set == 1 && b->cancelled == 0);
    r = uvf_flowvar_take(fv, &value);
    RL_ASSERT(r == 0 || r == UV_EALREADY);
    if (r == 0) RL_ASSERT(item_get(&value) == 7 + (uint64_t)which && b->taken++ == 0);
  } else {
    /* EALREADY: the value of what it follows was taken. */
    RL_ASSERT(r == UV_EPIPE ? has(FAILS) || which == 1 : r == UV_ECANCELED || (r == UV_EALREADY && which == 1));
    if (r == UV_EALREADY) s->came_too_late = true;
    RL_ASSERT(b->set == 0 && uvf_flowvar_value(fv) == NULL && uvf_flowvar_take(fv, &value) == r);
  }
  model_forget(&value, sizeof value);
  uvf_flowvar_release(fv);
}

static void awaits(void) {
  await_and_take(s->fv, 0);
}

static void awaits_after(void) {
  await_and_take(s->after, 1);
}

/* Another one looks, and another takes: it borrows nothing. */
static void awaits_only(void) {
  int r = uvf_await_sync(s->fv, UVF_FOREVER);
  RL_ASSERT(r == 0 || r == UV_ECANCELED || (r == UV_EPIPE && has(FAILS)));
  uvf_flowvar_release(s->fv);
}

static void awaits_timed(void) {
  int r = uvf_await_sync(s->fv, 1);
  RL_ASSERT(r == 0 || r == UV_ECANCELED || r == UV_ETIMEDOUT);
  uvf_flowvar_release(s->fv);
}

static void cancel(uvf_flowvar_t *fv, int which) {
  int r = uvf_flowvar_cancel(fv);
  RL_ASSERT(r == 0 || r == UV_EBUSY || r == UV_EALREADY);
  if (r == 0) RL_ASSERT(s->books[which].cancelled++ == 0 && uvf_try_await(fv) == UV_ECANCELED);
  uvf_flowvar_release(fv);
}

static void cancels(void) {
  cancel(s->fv, 0);
}

static void cancels_after(void) {
  cancel(s->after, 1);
}

static void lets_go(void) {
  uvf_flowvar_release(s->fv);
}

static void lets_go_after(void) {
  uvf_flowvar_release(s->after);
}

static void finishes(void) {
  if (!has(PROMISE)) model_gate_pass(&s->given);
  if (has(PROMISE)) s->books[0].ran++;
  model_item_t value;
  memset((void *)&value, 0, sizeof value);
  value_set(&value, 0);
  RL_ASSERT(uvf_task_finish(s->task, 0, &value) == 0);
  model_forget(&value, sizeof value);
}

static void make_after(uvf_flowvar_t **out) {
  uvf_spawn_options_t o = options(1);
  RL_ASSERT(uvf_then(s->fv, s->ex, work_after, &o, out) == 0);
  s->books[1].made++;
}

static void follows(void) {
  uvf_flowvar_t *after;
  make_after(&after);
  uvf_executor_release(s->ex);
  uvf_flowvar_release(s->fv);
  await_and_take(after, 1);
}

/* Nobody asks for the outcome. */
static void follows_blindly(void) {
  make_after(NULL);
  uvf_executor_release(s->ex);
  uvf_flowvar_release(s->fv);
}

static void follows_then_cancels(void) {
  uvf_flowvar_t *after;
  make_after(&after);
  uvf_flowvar_release(s->fv);
  cancel(after, 1);
  uvf_executor_release(s->ex);
}

static void aborts(void) {
  RL_ASSERT(uvf_executor_abort(s->ex) == 0);
  uvf_executor_release(s->ex);
}

static void closes(void) {
  RL_ASSERT(uvf_executor_close(s->ex) == 0);
  uvf_executor_release(s->ex);
}

/* ---- */

struct model : rl::test_suite<model, 4> {
  static bool is(void (*f)(void)) {
    for (int i = 0; i < 4; i++)
      if (scenario->thread[i] == f) return true;
    return false;
  }

  /* References for those who release them, and none besides. */
  static void share() {
    void (*const of_fv[])(void) = {awaits,  awaits_only, awaits_timed,    cancels,
                                   lets_go, follows,     follows_blindly, follows_then_cancels};
    void (*const of_after[])(void) = {awaits_after, cancels_after, lets_go_after};
    void (*const of_ex[])(void) = {follows, follows_blindly, follows_then_cancels, aborts, closes};
    for (int i = 0; i < 4; i++) {
      for (size_t k = 0; k < sizeof of_fv / sizeof of_fv[0]; k++)
        if (scenario->thread[i] == of_fv[k]) (void)uvf_flowvar_retain(s->fv);
      for (size_t k = 0; k < sizeof of_after / sizeof of_after[0]; k++)
        if (scenario->thread[i] == of_after[k]) (void)uvf_flowvar_retain(s->after);
      for (size_t k = 0; k < sizeof of_ex / sizeof of_ex[0]; k++)
        if (scenario->thread[i] == of_ex[k]) (void)uvf_executor_retain(s->ex);
    }
    uvf_flowvar_release(s->fv);
    uvf_flowvar_release(s->after);
    uvf_executor_release(s->ex);
  }

  void before() {
    model_begin();
    s = model_new<state_t>();
    model_gate_init(&s->given);
    item_set(&s->arg, 5);
    s->ex = model_pool_create(&s->pool, 1, UINT32_MAX, UVF__NO_LIMIT);
    uvf_spawn_options_t o = options(0);
    if (has(PROMISE)) {
      RL_ASSERT(uvf_promise_create(&o, &s->task, &s->fv) == 0);
    } else {
      o.arg_drop = on_arg_drop;
      RL_ASSERT(uvf_spawn(s->ex, work, &s->arg, &o, &s->fv) == 0);
    }
    s->books[0].made++;
    if (has(FOLLOWED)) make_after(&s->after);
    share();
  }

  void thread(unsigned index) {
    scenario->thread[index]();
  }

  static void check(const books_t *b, bool with_arg) {
    RL_ASSERT(b->set == b->taken + b->dropped);
    RL_ASSERT(b->ran <= b->made && b->ran + b->arg_dropped == (with_arg ? 1 : b->ran));
    RL_ASSERT(b->cancelled == 0 || b->ran == 0);
  }

  void after() {
    check(&s->books[0], !has(PROMISE));
    check(&s->books[1], false);
    RL_ASSERT(!s->came_too_late || s->books[0].taken == 1);
    model_pool_check(&s->pool);
    model_gate_destroy(&s->given);
    uvf__free(s);
    model_end();
  }
};

static const struct {
  const char *name;
  scenario_t what;
  unsigned random, bound;
} all[] = {
    {"awaited, cancelled, let go", {0, {runs, awaits, cancels, lets_go}}, 10000, 1},
    {"awaited by three", {0, {runs, awaits, awaits, awaits_only}}, 6000, 0},
    {"let go, cancelled", {0, {runs, lets_go, cancels, nothing}}, 6000, 1},
    {"failing", {FAILS, {runs, awaits, awaits_only, lets_go}}, 6000, 0},
    {"timed", {0, {runs, awaits_timed, awaits, cancels}}, 6000, 0},
    {"aborted", {0, {runs, awaits, cancels, aborts}}, 6000, 0},
    {"aborted, let go", {0, {runs, lets_go, cancels, aborts}}, 6000, 0},
    {"later", {LATER, {runs, awaits, finishes, lets_go}}, 8000, 1},
    {"later, let go", {LATER, {runs, lets_go, finishes, nothing}}, 6000, 1},
    {"promise", {PROMISE, {runs, awaits, finishes, cancels}}, 8000, 1},
    {"promise, let go", {PROMISE, {runs, lets_go, finishes, awaits_timed}}, 8000, 0},
    {"followed", {0, {runs, follows, awaits_only, lets_go}}, 8000, 0},
    {"followed blindly", {0, {runs, follows_blindly, cancels, lets_go}}, 6000, 0},
    {"followed, withdrawn", {0, {runs, follows_then_cancels, lets_go, nothing}}, 8000, 1},
    {"follows, cancelled", {FOLLOWED, {runs, awaits_after, cancels_after, lets_go}}, 10000, 1},
    {"follows, let go", {FOLLOWED, {runs, lets_go_after, cancels_after, cancels}}, 8000, 0},
    {"follows what is cancelled", {FOLLOWED, {runs, awaits_after, cancels, nothing}}, 6000, 0},
    {"follows a failure", {FOLLOWED | FAILS, {runs, awaits_after, awaits, lets_go}}, 6000, 0},
    {"follows, closed", {FOLLOWED, {runs, awaits_after, awaits, closes}}, 6000, 0},
    {"follows, aborted", {FOLLOWED, {runs, awaits_after, cancels_after, aborts}}, 8000, 0},
    {"follows a promise", {FOLLOWED | PROMISE, {runs, awaits_after, finishes, cancels_after}}, 10000, 1},
};

int main(void) {
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
    scenario = &all[i].what;
    if (!model_run<model>(all[i].name, all[i].random, all[i].bound)) return 1;
  }
  return 0;
}
