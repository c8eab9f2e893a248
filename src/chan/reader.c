/* SPDX-License-Identifier: MIT */
/* Readers: a standing receive on a loop.
 *
 * Protocol. The op's states are those of op.h. A reader is, at any time, one of
 *   waiting    WAITING, linked: senders see the mark and wake it
 *   scheduled  PRIV or WON, on the loop's ready list: senders see no mark and pay one load
 *   parked     PRIV, PAUSED, on no list
 *   running    its callback is on the stack: loop->running points to it. Whatever ends it clears that, and then nobody
 *              touches it any more
 * It takes what was there when its turn began, in batches that are claimed before the callback and given back after it. A turn
 * that took something is followed by another one (lingering); only a turn that found nothing makes it wait. So under load nobody
 * pays for a wake, batches grow, and the reader does not run right behind the producer, dragging each line to and fro.
 * Model: test/model/detach_model.cpp (stopping). */
#include "chan/chan.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/clock.h"
#include "wait/pace.h"
#include "wait/loop.h"
#include "wait/ready.h"

#define DEFAULT_BATCH 256

typedef struct {
  void *data; /* the user's */
  uvf__op_t op;
  uvf__waiter_t waiter; /* item: the reader's cell if it gets copies, else NULL */
  uvf_read_cb cb;
  uint32_t max_batch, turn_items, turn_us;
  uint32_t resumed; /* in this turn of the loop, so that its next batch comes in a later one */
  uvf__pace_t pace;
} reader_t;

_Static_assert(sizeof(reader_t) <= sizeof(uvf_reader_t), "uvf_reader_t is too small");

static reader_t *reader_of(uvf__op_t *op) {
  return uvf__container(op, reader_t, op);
}

static uvf__chan_t *chan_of(const reader_t *rd) {
  return uvf__chan_of_rx((const uvf_rx_t *)rd->waiter.object);
}

static bool has_flag(const reader_t *rd, uint32_t flag) {
  return (rd->op.node.flags & flag) != 0;
}

/* Unregisters; the memory is the user's from here on. An item that nobody will see any more is dropped. The cell of a running
 * reader is on loan to its callback, and `deliver` frees it. */
static void let_go(reader_t *rd) {
  uvf__chan_t *c = chan_of(rd);
  void *cell = rd->waiter.item;
  bool handed = cell != NULL && rd->waiter.status == 0;
  bool running = rd->op.loop->running == rd;
  uvf__loop_remove_op(rd->op.loop, &rd->op);
  uvf__op_set(&rd->op, UVF__FREE);
  if (running) {
    rd->op.loop->running = NULL;
    return;
  }
  if (handed) uvf__chan_drop_items(c, cell, 1);
  uvf__free(cell);
}

/* The last callback. */
static void finish(reader_t *rd, int status) {
  uvf_rx_t *rx = (uvf_rx_t *)rd->waiter.object;
  uvf_read_cb cb = rd->cb;
  let_go(rd);
  cb((uvf_reader_t *)(void *)rd, status, NULL);
  uvf_rx_release(rx);
}

/* ---- a turn ---- */

typedef struct {
  uint64_t there;  /* items that were there when the turn began, and are not taken yet */
  uint64_t took;   /* in this turn */
  uint64_t end_us; /* UINT64_MAX: the loop's own limit is enough */
  uint64_t freed;  /* given back since waiting senders were last served */
  bool woken;      /* it waited and was told to look: if in vain, it keeps its turn among the receivers */
  bool spent;
} turn_t;

static turn_t turn_begin(reader_t *rd, bool woken) {
  uvf__chan_t *c = chan_of(rd);
  uvf__counts_t counts;
  c->kind->counts(c, &counts);
  turn_t t = {counts.sent - counts.taken, 0, UINT64_MAX, 0, woken, false};
  uvf__chan_note_length(c, t.there);
  if (t.there == 0) t.there = 1; /* to find out why: nothing yet, or the end */
  if (t.there > rd->turn_items || c->capacity == UVF_RENDEZVOUS) t.there = rd->turn_items;
  if (rd->turn_us != 0) t.end_us = uvf__clock_us() + rd->turn_us;
  return t;
}

/* Waking a blocked sender is a system call. So waiting senders are served in large pieces, once half of the channel is free; and
 * in any case before the reader lets go of the channel, for a turn or for good. */
static void serve(uvf__chan_t *c, turn_t *t) {
  if (t->freed > 0) c->kind->serve(c);
  t->freed = 0;
}

/* One batch. False: the reader is gone. */
static bool deliver(reader_t *rd, turn_t *t, const uvf__run_t *run) {
  uvf_loop_t *loop = rd->op.loop;
  uvf__chan_t *c = chan_of(rd);
  void *cell = rd->waiter.item;
  uvf__chan_hold(c); /* the callback may stop the reader and release the last end */
  loop->running = rd;
  rd->cb((uvf_reader_t *)(void *)rd, run->count, run->items);
  bool alive = loop->running == rd;
  loop->running = NULL;
  if (!alive) uvf__free(cell);
  c->kind->give_back(c, run);
  t->freed += (uint64_t)run->count;
  if (!alive || t->freed >= c->capacity / 2) serve(c, t);
  uvf__chan_unhold(c);
  t->took += (uint64_t)run->count;
  t->there -= (uint64_t)run->count;
  t->spent = uvf__loop_spend(loop, (uint32_t)run->count) || (t->end_us != UINT64_MAX && uvf__clock_us() >= t->end_us);
  return alive;
}

/* Does it get another turn without waiting? A reader of a rendezvous only if it has not finished this one: senders find it only
 * while it is linked. */
static bool stays(reader_t *rd, const turn_t *t) {
  uint64_t now = rd->op.loop->turn_began_us, capacity = chan_of(rd)->capacity;
  if (capacity == UVF_RENDEZVOUS) return t->spent || t->there == 0;
  if (t->took == 0) return uvf__pace_look_again(&rd->pace, now);
  uvf__pace_took(&rd->pace, now, t->took, capacity);
  return true;
}

/* What comes after a turn in which the channel did not end. */
static void turn_end(reader_t *rd, const turn_t *t) {
  if (has_flag(rd, UVF__OP_PAUSED) && !has_flag(rd, UVF__OP_DETACHED)) return; /* parked */
  if (has_flag(rd, UVF__OP_DETACHED) || stays(rd, t)) {
    uvf__loop_run_later(rd->op.loop, &rd->op);
    return;
  }
  uvf__op_set(&rd->op, UVF__WAITING);
  if (rd->waiter.type->enlist(&rd->waiter, t->woken && t->took == 0)) return;
  uvf__op_set(&rd->op, UVF__PRIV);
  uvf__loop_run_now(rd->op.loop, &rd->op);
}

static bool may_go_on(const reader_t *rd) {
  return !has_flag(rd, UVF__OP_PAUSED | UVF__OP_DETACHED) && rd->resumed != rd->op.loop->turn;
}

static void take_turn(reader_t *rd, bool woken) {
  uvf__chan_t *c = chan_of(rd);
  turn_t t = turn_begin(rd, woken);
  while (t.there > 0 && !t.spent && may_go_on(rd)) {
    uvf__run_t run;
    uint64_t most = t.there < rd->max_batch ? t.there : rd->max_batch;
    int r = c->kind->claim(c, &rd->waiter, &run, (int)most);
    if (r == UV_EAGAIN) break;
    if (r < 0) {
      serve(c, &t);
      finish(rd, r);
      return;
    }
    if (!deliver(rd, &t, &run)) return;
  }
  serve(c, &t);
  turn_end(rd, &t);
}

static void reader_run(uvf__op_t *op) {
  reader_t *rd = reader_of(op);
  bool woken = uvf__op_word(op) == UVF__WON;
  uvf__op_set(op, UVF__PRIV);
  if (has_flag(rd, UVF__OP_DETACHED)) {
    rd->waiter.type->pass_on(&rd->waiter);
    finish(rd, UV_ECANCELED);
  } else if (has_flag(rd, UVF__OP_PAUSED)) {
    rd->waiter.type->pass_on(&rd->waiter);
  } else if (rd->resumed == rd->op.loop->turn || uvf__pace_hold(&rd->pace, rd->op.loop->turn_began_us)) {
    uvf__loop_run_later(rd->op.loop, op);
  } else {
    take_turn(rd, woken);
  }
}

/* ---- from outside ---- */

/* Takes a reader out of waiting; if a sender has won it already, it is scheduled. */
static void unwait(reader_t *rd) {
  if (uvf__op_take_back(&rd->op, UVF__PRIV)) rd->waiter.type->withdraw(&rd->waiter);
}

/* On the ready list, or about to run? */
static bool scheduled(const reader_t *rd) {
  /* The word first: while it is WON a sender may be linking it. */
  return uvf__op_word((uvf__op_t *)(uintptr_t)&rd->op) == UVF__WON || uvf__linked(&rd->op.node.link);
}

static void schedule(reader_t *rd) {
  uvf_loop_t *loop = rd->op.loop;
  if (loop->running != rd && !scheduled(rd) && uvf__op_word(&rd->op) == UVF__PRIV) uvf__loop_run_now(loop, &rd->op);
}

static void reader_detach(uvf__op_t *op) {
  reader_t *rd = reader_of(op);
  op->node.flags |= UVF__OP_DETACHED;
  unwait(rd);
  schedule(rd);
}

static const uvf__waiter_t *reader_waiter(const uvf__op_t *op) {
  return &uvf__container((uintptr_t)op, reader_t, op)->waiter;
}

static const uvf__op_type_t reader_type = {"reader", reader_waiter, reader_run, reader_detach, NULL};

static bool options_valid(const uvf_reader_options_t *o) {
  if (o == NULL) return true;
  for (size_t i = 0; i < sizeof o->reserved / sizeof o->reserved[0]; i++)
    if (o->reserved[i] != 0) return false;
  return o->flags == 0;
}

/* By default a batch leaves half of a bounded channel to the senders, who go on meanwhile. */
static uint32_t default_batch(const uvf__chan_t *c) {
  if (c->capacity / 2 >= DEFAULT_BATCH) return DEFAULT_BATCH;
  return c->capacity < 2 ? 1 : (uint32_t)(c->capacity / 2);
}

static uint32_t batch_size(const uvf__chan_t *c, const uvf_reader_options_t *o) {
  uint32_t n = o != NULL && o->max_batch != 0 ? o->max_batch : default_batch(c);
  if (n > c->capacity && c->capacity != UVF_RENDEZVOUS) n = (uint32_t)c->capacity;
  return n > INT_MAX ? INT_MAX : n;
}

static void set_options(reader_t *rd, const uvf_reader_options_t *o, uint32_t max_batch) {
  rd->max_batch = max_batch;
  rd->turn_items = o != NULL && o->turn_items != 0 ? o->turn_items : rd->op.loop->turn_items;
  rd->turn_us = o != NULL ? o->turn_us : 0;
}

int uvf_reader_start(uvf_loop_t *l, uvf_reader_t *reader, uvf_rx_t *rx, const uvf_reader_options_t *o, uvf_read_cb cb) {
  reader_t *rd = (reader_t *)(void *)reader;
  if (l == NULL || rd == NULL || rx == NULL || cb == NULL || !options_valid(o)) return UV_EINVAL;
  uvf__chan_t *c = uvf__chan_of_rx(rx);
  int r = uvf__chan_foreign(c) ? UV_ENOTSUP : uvf__loop_may_start(l);
  if (r != 0) return r;
  if (uvf__op_word(&rd->op) != UVF__FREE) return UV_EBUSY;
  uint32_t max_batch = batch_size(c, o);
  void *cell = NULL;
  size_t cell_items = uvf__chan_cell_items(c, max_batch);
  if (cell_items > 0) {
    cell = uvf__calloc(cell_items, c->item_size == 0 ? 1 : c->item_size);
    if (cell == NULL) return UV_ENOMEM;
  }
  rd->op.node.flags = 0;
  rd->op.node.link.next = rd->op.node.link.prev = NULL;
  rd->op.type = &reader_type;
  rd->op.loop = l;
  rd->cb = cb;
  uvf__waiter_init(&rd->waiter, &rd->op, c->kind->recv_wait, uvf_rx_retain(rx), cell);
  uvf__pace_init(&rd->pace);
  rd->resumed = l->turn - 1;
  set_options(rd, o, max_batch);
  uvf__op_set(&rd->op, UVF__PRIV);
  uvf__loop_add_op(l, &rd->op);
  uvf__loop_run_now(l, &rd->op);
  return 0;
}

int uvf_reader_stop(uvf_reader_t *reader) {
  reader_t *rd = (reader_t *)(void *)reader;
  if (rd == NULL) return UV_EINVAL;
  if (uvf__op_word(&rd->op) == UVF__FREE) return UV_EALREADY;
  int r = uvf__loop_check(rd->op.loop);
  if (r != 0) return r;
  uvf_rx_t *rx = (uvf_rx_t *)rd->waiter.object;
  const uvf__wait_type_t *type = rd->waiter.type;
  if (!uvf__op_take_back(&rd->op, UVF__PRIV) && uvf__op_word(&rd->op) == UVF__WON) {
    type->withdraw(&rd->waiter); /* takes the lock once: whoever won us has pushed us by then (op.h, O3) */
    uvf__ready_collect(rd->op.loop);
  } else {
    type->withdraw(&rd->waiter);
  }
  if (uvf__linked(&rd->op.node.link)) uvf__unlink(&rd->op.node.link);
  type->pass_on(&rd->waiter);
  let_go(rd);
  uvf_rx_release(rx);
  return 0;
}

/* Is it one that the calling thread may change? */
static bool is_mine(reader_t *rd) {
  return rd != NULL && uvf__op_word(&rd->op) != UVF__FREE && uvf__loop_check(rd->op.loop) == 0;
}

void uvf_reader_pause(uvf_reader_t *reader) {
  reader_t *rd = (reader_t *)(void *)reader;
  if (!is_mine(rd) || has_flag(rd, UVF__OP_PAUSED)) return;
  uvf__loop_op_flag(&rd->op, UVF__OP_PAUSED, true);
  unwait(rd);
}

void uvf_reader_resume(uvf_reader_t *reader) {
  reader_t *rd = (reader_t *)(void *)reader;
  if (!is_mine(rd) || !has_flag(rd, UVF__OP_PAUSED)) return;
  uvf__loop_op_flag(&rd->op, UVF__OP_PAUSED, false);
  rd->resumed = rd->op.loop->turn;
  schedule(rd);
}

void uvf_reader_ref(uvf_reader_t *reader) {
  reader_t *rd = (reader_t *)(void *)reader;
  if (is_mine(rd)) uvf__loop_op_flag(&rd->op, UVF__OP_UNREF, false);
}

void uvf_reader_unref(uvf_reader_t *reader) {
  reader_t *rd = (reader_t *)(void *)reader;
  if (is_mine(rd)) uvf__loop_op_flag(&rd->op, UVF__OP_UNREF, true);
}

bool uvf_reader_active(const uvf_reader_t *reader) {
  reader_t *rd = (reader_t *)(uintptr_t)reader;
  return rd != NULL && uvf__op_word(&rd->op) != UVF__FREE;
}
