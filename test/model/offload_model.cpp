/* SPDX-License-Identifier: MIT */
/* Tasks and a loop that waits for them: offloads, awaits, and waits to be asked to stop, against the thread that runs
 * the work, one that finishes or cancels it, and the loop's own cancel and detach. Each request is called back once,
 * with the outcome that there was; its memory is freed in the callback: whoever touches it later is found.
 * sources: task/task.c task/flowvar.c task/spawn.c task/promise.c task/await.c task/then.c task/wait_cancelled.c task/offload.c
 * sources: task/executor.c task/intake.c task/runner.c task/start.c task/crowd.c task/blocks.c task/control.c task/room_idle.c
 * sources: chan/queued.c chan/queued_wait.c chan/overflow.c chan/chan.c chan/create.c chan/close.c chan/send.c chan/recv.c chan/stats.c
 * sources: chan/rendezvous.c chan/dump.c
 * sources: queue/mpmc_ring.c queue/block_list.c queue/spsc_ring.c queue/locked_ring.c queue/cell.c base/fence.c base/heap.c
 * sources: wait/pace.c wait/blocked.c wait/waits.c wait/op.c wait/bells.c wait/ready.c wait/loop.c wait/request.c wait/deadline.c
 * sources: wait/detach.c wait/post.c wait/drain.c
 * flags: -DSPINS=0 -DBUSY_PAUSES=0 -DLINGER_SPINS=0 -DINTAKE_SPINS=0 -DLINGER_US=0 -DGATHER_US=0
 * flags: -DGATHER_FLOW=4 -DGATHER_ITEMS=64 -DUVF__BLOCKS_KEPT=0 */
#include "model_loop.h"
#include "model_pool.h"

#include <uvflow/flowvar.h>

enum what_t { OFFLOAD, AWAIT, ASKED };
enum end_t { KEEP, CANCEL, DETACH };
enum {
  LATER = 1,    /* the work answers UVF_LATER; `finishes` ends it */
  EARLY = 2,    /* the request is started before the scenario */
  ABANDONED = 4 /* nobody else holds the flowvar */
};

typedef struct {
  what_t what;
  end_t end;
  unsigned how;
  void (*thread[2])(void);
} scenario_t;

/* A request and what its work makes, in one block that the callback frees. */
typedef struct {
  model_room<uvf_req_t> req;
  model_item_t result;
} request_t;

typedef struct {
  model_host_t host;
  model_pool_t pool;
  uvf_executor_t *ex;
  uvf_flowvar_t *fv;
  uvf_task_t *task;
  model_gate_t given;
  request_t *request;
  int calls, ran, status, cancel, asked;
  bool cancelled, finishing, finished;
} state_t;

static const scenario_t *scenario;
static state_t *s;

/* ---- work ---- */

static int work(uvf_task_t *task, void *arg, void *value) {
  RL_ASSERT(s->ran++ == 0);
  item_set(scenario->what == OFFLOAD ? arg : value, 7);
  if ((scenario->how & LATER) == 0) return 0;
  s->task = task;
  model_gate_open(&s->given);
  return UVF_LATER;
}

/* ---- the other threads ---- */

static void runs(void) {
  model_pool_thread(&s->pool, s->ex);
}

static void nothing(void) {
}

/* Of work that may have been cancelled. */
static void finishes(void) {
  if (scenario->what != ASKED) model_gate_pass(&s->given);
  if (s->task == NULL) return;
  s->finishing = true;
  RL_ASSERT(uvf_task_finish(s->task, 0, NULL) == 0);
  s->finished = true;
}

static void lets_go(void) {
  uvf_flowvar_release(s->fv);
}

static void cancels(void) {
  int r = uvf_flowvar_cancel(s->fv);
  RL_ASSERT(r == UV_EALREADY || r == UV_EBUSY || (r == 0 && scenario->what == AWAIT));
  if (r == UV_EBUSY) s->asked++;
  s->cancelled = r == 0;
  uvf_flowvar_release(s->fv);
}

static void aborts(void) {
  RL_ASSERT(uvf_executor_abort(s->ex) == 0);
  uvf_executor_release(s->ex);
}

/* ---- the loop ---- */

static void called(uvf_req_t *req, int status) {
  request_t *r = uvf__container(req, request_t, req);
  RL_ASSERT(r == s->request && s->calls++ == 0);
  s->status = status;
  s->request = NULL;
  uvf__free(r);
}

static void on_done(uvf_req_t *req, int status) {
  request_t *r = uvf__container(req, request_t, req);
  RL_ASSERT(status == 0 || status == UV_ECANCELED);
  RL_ASSERT(status != 0 || item_get(&r->result) == 7);
  RL_ASSERT(status == 0 ? s->ran == 1 : s->ran == 0);
  called(req, status);
}

static void on_outcome(uvf_req_t *req, int status) {
  RL_ASSERT(status == 0 || status == UV_ECANCELED);
  if (status == 0) RL_ASSERT(item_get(uvf_flowvar_value(s->fv)) == 7);
  if (status == UV_ECANCELED) RL_ASSERT(scenario->end != KEEP || uvf_try_await(s->fv) == UV_ECANCELED);
  called(req, status);
}

static void on_asked(uvf_req_t *req, int status) {
  RL_ASSERT(status == 0 || (status == UV_EOF && s->finishing) || (status == UV_ECANCELED && scenario->end != KEEP));
  called(req, status);
}

static void start(void) {
  request_t *r = s->request = model_new<request_t>();
  item_set(&r->result, 0);
  switch (scenario->what) {
  case OFFLOAD: {
    int e = uvf_offload(s->host.loop, &r->req.t, s->ex, work, &r->result, on_done);
    uvf_executor_release(s->ex);
    if (e == 0) return;
    RL_ASSERT(e == UV_EPIPE && scenario->thread[1] == aborts);
    s->calls = 1; /* none is to come */
    s->request = NULL;
    uvf__free(r);
    return;
  }
  case AWAIT: RL_ASSERT(uvf_await(s->host.loop, &r->req.t, s->fv, UVF_FOREVER, on_outcome) == 0); return;
  default: RL_ASSERT(uvf_wait_cancelled(s->host.loop, &r->req.t, s->task, UVF_FOREVER, on_asked) == 0); return;
  }
}

static void end_something(void) {
  if (scenario->end == DETACH) RL_ASSERT(uvf_loop_detach(s->host.loop, NULL, NULL) == 0);
  if (scenario->end != CANCEL || s->request == NULL) return;
  s->cancel = uvf_cancel(&s->request->req.t);
  RL_ASSERT(s->cancel == 0 || s->cancel == UV_EALREADY || (s->cancel == UV_EBUSY && scenario->what == OFFLOAD));
  if (s->cancel == 0) s->cancelled = true;
}

static void run_loop(void) {
  if ((scenario->how & EARLY) == 0) start();
  for (int i = 0; i < 2; i++) {
    if (rl::rand(2) != 0) (void)model_turn(&s->host);
    if (i == 0 && scenario->end != KEEP) end_something();
  }
  /* What never ran gives nobody anything to finish. */
  if (scenario->what == OFFLOAD && s->cancelled && (scenario->how & LATER) != 0) model_gate_open(&s->given);
}

struct model : rl::test_suite<model, 3> {
  void before() {
    model_begin();
    s = model_new<state_t>();
    model_gate_init(&s->given);
    (void)model_loop_create(&s->host, 2);
    s->ex = model_pool_create(&s->pool, scenario->thread[0] == runs, UINT32_MAX, UVF__NO_LIMIT);
    if (scenario->thread[1] == aborts) (void)uvf_executor_retain(s->ex);
    uvf_spawn_options_t o;
    memset(&o, 0, sizeof o);
    o.value_size = sizeof(model_item_t);
    if (scenario->what == AWAIT) RL_ASSERT(uvf_spawn(s->ex, work, NULL, &o, &s->fv) == 0);
    if (scenario->what == ASKED) RL_ASSERT(uvf_promise_create(&o, &s->task, &s->fv) == 0);
    if (scenario->what != OFFLOAD) uvf_executor_release(s->ex);
    if (scenario->thread[1] == cancels && (scenario->how & ABANDONED) == 0) (void)uvf_flowvar_retain(s->fv);
    model_act_as(2);
    if ((scenario->how & EARLY) != 0) start();
    model_act_as(-1);
  }

  void thread(unsigned index) {
    if (index == 2)
      run_loop();
    else
      scenario->thread[index]();
  }

  void after() {
    model_settle(&s->host);
    RL_ASSERT(s->calls == 1 && s->request == NULL);
    if (s->cancelled) RL_ASSERT(s->status == UV_ECANCELED);
    if (scenario->what == ASKED && !s->finished) {
      if (scenario->end == KEEP) RL_ASSERT(s->status == 0 && s->asked == 1);
      RL_ASSERT(uvf_task_finish(s->task, 0, NULL) == 0);
    }
    if ((scenario->how & ABANDONED) == 0) uvf_flowvar_release(s->fv);
    model_loop_end(&s->host);
    model_pool_check(&s->pool);
    model_gate_destroy(&s->given);
    uvf__free(s);
    model_end();
  }
};

static const struct {
  const char *name;
  scenario_t what;
} all[] = {
    {"offload", {OFFLOAD, KEEP, 0, {runs, nothing}}},
    {"offload, cancelled", {OFFLOAD, CANCEL, 0, {runs, nothing}}},
    {"offload, detached", {OFFLOAD, DETACH, 0, {runs, nothing}}},
    {"offload, aborted", {OFFLOAD, CANCEL, 0, {runs, aborts}}},
    {"offload, later", {OFFLOAD, CANCEL, LATER, {runs, finishes}}},
    {"await", {AWAIT, KEEP, 0, {runs, cancels}}},
    {"await, cancelled", {AWAIT, CANCEL, 0, {runs, cancels}}},
    {"await, detached", {AWAIT, DETACH, 0, {runs, cancels}}},
    {"await, later", {AWAIT, DETACH, LATER, {runs, finishes}}},
    {"asked", {ASKED, KEEP, 0, {nothing, cancels}}},
    {"asked, abandoned", {ASKED, KEEP, ABANDONED, {nothing, cancels}}},
    {"abandoned, finished", {ASKED, KEEP, EARLY | ABANDONED, {finishes, lets_go}}},
    {"asked, or finished", {ASKED, KEEP, EARLY, {finishes, cancels}}},
    {"asked, cancelled", {ASKED, CANCEL, 0, {nothing, cancels}}},
    {"asked, detached", {ASKED, DETACH, EARLY | ABANDONED, {finishes, cancels}}},
};

int main(void) {
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
    scenario = &all[i].what;
    if (!model_run<model>(all[i].name, 10000, 1)) return 1;
  }
  return 0;
}
