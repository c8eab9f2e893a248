/* SPDX-License-Identifier: MIT */
/* Flowvars: making, ending, cancelling them, and the value.
 *
 * Protocol. A task ends by one function, whatever ended it: first `hand_back`, under its executor's lock if it has one, puts the
 * outcome in place and tells those who wait for it; then `settle`, with no lock, tells the rest, drops what nobody will take, and
 * gives up the task's unit of memory. The states are those of task.h and queue/cell.c. D1: the cause, as in chan/close.c.
 * Model: test/model/flowvar_model.cpp. */
#include "task/flowvar.h"

#include <string.h>

#include "base/alloc.h"

/* ---- ending ---- */

static void tell(uvf__chan_t *c, uvf__waitlist_t *list, uvf__bells_t *bells) {
  while (!uvf__bells_full(bells) && uvf__waits_fire(&c->waits, list, UV_EAGAIN, bells)) {
  }
}

/* The outcome for those who await it. */
static uint32_t put_outcome(uvf__chan_t *c, int status) {
  if (status == 0) return uvf__cell_fill(&c->q.cell) == 0 ? UVF__DONE : UVF__ABANDONED;
  uvf__lock(&c->waits.lock);
  a_store(&c->cause, (uint32_t)status, relaxed); /* D1 */
  c->kind->close(c, UVF__CLOSED);
  uvf__unlock(&c->waits.lock);
  return UVF__FAILED;
}

static void hand_back(uvf__job_t *job, int status, uvf__bells_t *bells) {
  uvf_task_t *t = uvf__task_of(job);
  uvf__chan_t *c = uvf__flow_chan(t);
  if (status == UV_EAGAIN) status = UV_EBUSY; /* it would read as "not yet" */
  uvf__task_end(t, put_outcome(c, status));
  if ((uvf__waits_look(&c->waits) & (UVF__MARK_RX | UVF__MARK_END)) == 0) return;
  uvf__lock(&c->waits.lock);
  tell(c, &c->waits.rx, bells);
  tell(c, &c->waits.end, bells);
  uvf__unlock(&c->waits.lock);
}

static void settle(uvf__job_t *job) {
  uvf_task_t *t = uvf__task_of(job);
  uvf__flow_t *f = uvf__container(t, uvf__flow_t, task);
  uvf__chan_t *c = uvf__chan_of_flow(f);
  uint32_t marks = uvf__waits_look(&c->waits);
  if ((marks & UVF__MARK_RX) != 0) uvf__waits_wake(&c->waits, &c->waits.rx, INT_MAX, UV_EAGAIN);
  if ((marks & UVF__MARK_END) != 0) uvf__waits_wake(&c->waits, &c->waits.end, INT_MAX, UV_EAGAIN);
  if (uvf__task_phase(t) == UVF__ABANDONED) uvf__chan_drop_items(c, c->q.cell.item, 1);
  if (uvf__task_follows(t)) uvf__then_fini(f->then);
  uvf__chan_unhold(c); /* the task's */
}

void uvf__flow_over(uvf_task_t *task, int status) {
  uvf__bells_t bells = uvf__bells_none();
  hand_back(&task->job, status, &bells);
  uvf__bells_ring(&bells);
  settle(&task->job);
}

static bool alive(uvf__job_t *job) {
  return uvf__task_phase(uvf__task_of(job)) == UVF__PENDING;
}

static bool begin(uvf__job_t *job) {
  return uvf__task_move(uvf__task_of(job), UVF__RUNNING);
}

static int run(uvf__job_t *job) {
  uvf__chan_t *c = uvf__flow_chan(uvf__task_of(job));
  return uvf__task_run(uvf__task_of(job), c->item_size > 0 ? c->q.cell.item : NULL);
}

static bool cancel(uvf__job_t *job) {
  return uvf__task_move(uvf__task_of(job), UVF__CANCELLED_TASK);
}

static void cancelled(uvf__job_t *job) {
  uvf__flow_t *f = uvf__container(uvf__task_of(job), uvf__flow_t, task);
  if (f->arg_drop != NULL) f->arg_drop(f->task.arg, uvf__chan_of_flow(f)->data);
  uvf__flow_over(&f->task, UV_ECANCELED);
}

static void ask(uvf__job_t *job, uvf__bells_t *bells) {
  uvf__chan_t *c = uvf__flow_chan(uvf__task_of(job));
  if (uvf__task_ask(uvf__task_of(job)) != UV_EBUSY || (uvf__waits_look(&c->waits) & UVF__MARK_END) == 0) return;
  uvf__lock(&c->waits.lock);
  tell(c, &c->waits.end, bells);
  uvf__unlock(&c->waits.lock);
}

const uvf__job_type_t uvf__flow_job = {alive, begin, run, hand_back, settle, cancel, cancelled, ask, true};

/* ---- making ---- */

static int options_check(const uvf_spawn_options_t *o, const void *arg) {
  const size_t most = SIZE_MAX / 8;
  for (size_t i = 0; i < sizeof o->reserved / sizeof o->reserved[0]; i++)
    if (o->reserved[i] != 0) return UV_EINVAL;
  if (o->arg_size > 0 && arg == NULL) return UV_EINVAL;
  return o->value_size > most || o->arg_size > most ? UV_EINVAL : 0;
}

/* What lies in its memory: the channel with its cell, the gap, the flow; the value and the copied arg in the gap or behind; more. */
typedef struct {
  size_t gap, end; /* what is free: the rest of the gap, and from here on */
  size_t value, arg, more;
} layout_t;

static size_t place(layout_t *l, size_t size) {
  size_t bytes = uvf__aligned(size);
  size_t *from = bytes <= UVF__FLOW_AT - l->gap ? &l->gap : &l->end;
  *from += bytes;
  return *from - bytes;
}

static layout_t layout(const uvf_spawn_options_t *o, size_t extra) {
  layout_t l = {UVF__FLOW_AT - UVF__FLOW_GAP, UVF__FLOW_AT + uvf__aligned(sizeof(uvf__flow_t)), 0, 0, 0};
  l.value = place(&l, uvf__cell_bytes(o->value_size));
  l.arg = place(&l, o->arg_size);
  l.more = l.end;
  l.end += extra;
  return l;
}

/* ---- memory ---- */

static void *get_memory(uvf_executor_t *home, size_t bytes) {
  bool first;
  if (home == NULL) return uvf__fork_watch(NULL) == 0 ? uvf__calloc_line(bytes) : NULL;
  void *memory = uvf__blocks_take(&home->blocks, bytes, &first);
  if (memory != NULL && first) uvf__executor_hold(home); /* the memory's, as long as any is out */
  return memory;
}

static void put_memory(uvf_executor_t *home, void *memory, size_t bytes) {
  if (home == NULL)
    uvf__free_line(memory);
  else if (uvf__blocks_give(&home->blocks, memory, bytes))
    uvf__executor_unhold(home); /* the memory's */
}

/* The last unit of it has gone. */
static void recycle(uvf__chan_t *c) {
  const uvf__flow_t *f = uvf__flow_of(c);
  put_memory(f->home, c, f->bytes);
}

static int make_chan(uvf_executor_t *home, const uvf_spawn_options_t *o, const layout_t *l, uvf__chan_t **out) {
  uvf_chan_options_t chan;
  memset(&chan, 0, sizeof chan);
  chan.item_size = o->value_size;
  chan.capacity = 1;
  chan.drop = o->value_drop;
  chan.data = o->data;
  uvf__chan_t *c = (uvf__chan_t *)get_memory(home, l->end);
  if (c == NULL) return UV_ENOMEM;
  int r = uvf__chan_init(c, &chan, UVF__CELL, (char *)c + l->value);
  if (r != 0) {
    put_memory(home, c, l->end);
    return r;
  }
  c->recycle = recycle;
  *out = c;
  return 0;
}

int uvf__flow_make(uvf_executor_t *home, const uvf_spawn_options_t *o, uvf_work_cb work, void *arg, uint32_t word,
                   size_t extra, void **more, uvf__flow_t **out) {
  static const uvf_spawn_options_t none;
  uvf__chan_t *c;
  if (o == NULL) o = &none;
  int r = options_check(o, arg);
  if (r != 0) return r;
  layout_t l = layout(o, extra);
  r = make_chan(home, o, &l, &c);
  if (r != 0) return r;
  uvf__flow_t *f = uvf__flow_of(c);
  char *arg_copy = (char *)c + l.arg;
  if (o->arg_size > 0) memcpy(arg_copy, arg, o->arg_size);
  uvf__task_init(&f->task, &uvf__flow_job, work, o->arg_size > 0 ? arg_copy : arg, word);
  f->home = home;
  f->bytes = l.end;
  f->arg_drop = o->arg_drop;
  f->name = o->name;
  if (more != NULL) *more = (char *)c + l.more;
  *out = f;
  return 0;
}

void uvf__flow_unmake(uvf__flow_t *f) {
  uvf__chan_t *c = uvf__chan_of_flow(f);
  uvf_rx_release(uvf__rx_of_chan(c));
  uvf__chan_unhold(c); /* the task's */
}

void uvf__flow_publish(uvf__flow_t *f, uvf_flowvar_t **fv) {
  if (fv != NULL)
    *fv = uvf__flowvar_of_chan(uvf__chan_of_flow(f));
  else
    uvf_rx_release(uvf__rx_of_chan(uvf__chan_of_flow(f)));
}

uvf_flowvar_t *uvf_flowvar_retain(uvf_flowvar_t *fv) {
  if (fv != NULL) (void)uvf_rx_retain(uvf__rx_of_chan(uvf__chan_of_flowvar(fv)));
  return fv;
}

/* Once it has ended nobody sends to it or waits for it any more: all that is left of aborting it is to drop the value. */
void uvf_flowvar_release(uvf_flowvar_t *fv) {
  if (fv == NULL) return;
  uvf__chan_t *c = uvf__chan_of_flowvar(fv);
  if (uvf__flow_outcome(c) == UV_EAGAIN)
    uvf_rx_release(uvf__rx_of_chan(c));
  else if (uvf__rx_unref(c))
    uvf__chan_unhold(c);
}

/* ---- outcome and value ---- */

int uvf__flow_outcome(uvf__chan_t *c) {
  int r = uvf__cell_state(&c->q.cell);
  return r == UV_EOF ? (int)a_load(&c->cause, relaxed) : r; /* D1 */
}

const void *uvf_flowvar_value(const uvf_flowvar_t *fv) {
  if (fv == NULL) return NULL;
  uvf__chan_t *c = uvf__chan_of_flowvar(fv);
  return c->ops->look(&c->q.base) == 0 ? c->q.cell.item : NULL;
}

int uvf_flowvar_take(uvf_flowvar_t *fv, void *value) {
  if (fv == NULL) return UV_EINVAL;
  uvf__chan_t *c = uvf__chan_of_flowvar(fv);
  if ((value = uvf__chan_item(c, value)) == NULL) return UV_EINVAL;
  if (uvf__chan_foreign(c)) return UV_ENOTSUP;
  int r = c->ops->recv(&c->q.base, value, 1);
  if (r > 0) return 0;
  if (r == UV_EAGAIN) return r; /* it may have ended since then: what nobody took yet must not read as taken */
  r = uvf__flow_outcome(c);
  return r == 0 ? UV_EALREADY : r;
}

int uvf_flowvar_cancel(uvf_flowvar_t *fv) {
  if (fv == NULL) return UV_EINVAL;
  uvf__chan_t *c = uvf__chan_of_flowvar(fv);
  if (uvf__chan_foreign(c)) return UV_ENOTSUP;
  if (uvf__flow_outcome(c) != UV_EAGAIN) return UV_EALREADY;
  uvf__flow_t *f = uvf__flow_of(c);
  while (!cancel(&f->task.job)) {
    int r = uvf__task_ask(&f->task);
    if (r == UV_EAGAIN) continue;
    if (r == UV_EBUSY && (uvf__waits_look(&c->waits) & UVF__MARK_END) != 0)
      uvf__waits_wake(&c->waits, &c->waits.end, INT_MAX, UV_EAGAIN);
    return r;
  }
  if (f->then != NULL) uvf__then_withdraw(f);
  uvf_executor_t *ex = f->then != NULL ? uvf__then_executor(f->then) : f->task.job.ex;
  bool submitted = uvf__executor_withdraw(ex, &f->task.job);
  cancelled(&f->task.job);
  if (submitted) uvf__executor_unhold(ex); /* the job's */
  return 0;
}
