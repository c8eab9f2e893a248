/* SPDX-License-Identifier: MIT */
/* The reference of reference.h: the channel itself. */
#include "fuzz/reference.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"

_Noreturn void ref_fail(const char *format, ...) {
  va_list args;
  va_start(args, format);
  (void)fflush(stdout);
  (void)fputs("DIFFERENCE: ", stderr);
  (void)vfprintf(stderr, format, args);
  (void)fputc('\n', stderr);
  va_end(args);
  abort();
}

void ref_init(ref_t *r, const uvf_chan_options_t *o) {
  memset(r, 0, sizeof *r);
  r->capacity = o->capacity;
  r->overflow = o->overflow;
  r->spsc = (o->flags & UVF_SPSC) != 0;
  /* Without atomics all queues are those of DROP_OLDEST, whose readers get copies. */
  r->lends = UVF__ATOMICS && o->capacity != UVF_RENDEZVOUS && o->overflow != UVF_OVERFLOW_DROP_OLDEST;
  r->tx_refs = r->rx_refs = 1;
}

bool ref_is_rendezvous(const ref_t *r) {
  return r->capacity == UVF_RENDEZVOUS;
}

/* ---- items ---- */

static void list_push(ref_list_t *l, uint32_t id) {
  if (l->tail == REF_ITEMS) ref_fail("the reference is too small");
  l->ids[l->tail++] = id;
}

size_t ref_len(const ref_t *r) {
  return r->queue.tail - r->queue.head;
}

static size_t room(const ref_t *r) {
  if (r->closed || ref_is_rendezvous(r)) return 0;
  if (r->capacity == UVF_UNBOUNDED) return SIZE_MAX;
  return r->capacity - ref_len(r) - r->held - r->loan;
}

int ref_end_code(const ref_t *r) {
  return r->cause == 0 ? UV_EOF : r->cause;
}

bool ref_at_end(const ref_t *r) {
  return r->aborted || (r->closed && ref_len(r) == 0 && r->held == 0);
}

bool ref_readable(const ref_t *r) {
  return ref_at_end(r) || (ref_is_rendezvous(r) ? r->in_line > 0 : ref_len(r) > 0);
}

static void decide(ref_req_t *q, int status) {
  q->state = REF_DECIDED;
  q->status = status;
}

/* There is something to look at for those who wait to receive. */
static void tell(ref_t *r) {
  for (int i = 0; i < REF_REQUESTS; i++)
    if (r->reqs[i].state == REF_WAITING && (r->reqs[i].op == REF_RECV || r->reqs[i].op == REF_READABLE))
      r->reqs[i].told = true;
}

static void enqueue(ref_t *r, uint32_t id) {
  list_push(&r->queue, id);
  r->sent++;
  tell(r);
}

static void drop(ref_t *r, uint32_t id) {
  list_push(&r->drops, id);
  r->dropped++;
}

/* ---- the line of senders ---- */

static void leave_line(ref_t *r, int i) {
  int at = 0;
  while (r->line[at] != i)
    at++;
  memmove(&r->line[at], &r->line[at + 1], (size_t)(r->in_line - at - 1) * sizeof r->line[0]);
  r->in_line--;
}

/* A send that waited since permits held all room: now there are items that may go. */
static void serve_by_dropping(ref_t *r) {
  for (int k = 0; k < r->in_line && ref_len(r) > 0;) {
    int i = r->line[k];
    if (r->reqs[i].op != REF_SEND) {
      k++;
      continue;
    }
    leave_line(r, i);
    decide(&r->reqs[i], 0);
    drop(r, r->queue.ids[r->queue.head++]);
    enqueue(r, r->reqs[i].id);
  }
}

void ref_serve(ref_t *r) {
  r->late = false;
  while (r->in_line > 0 && room(r) > 0) {
    int i = r->line[0];
    leave_line(r, i);
    decide(&r->reqs[i], 0);
    if (r->reqs[i].op == REF_SEND) {
      enqueue(r, r->reqs[i].id);
    } else {
      r->held++;
      r->tx_refs++;
    }
  }
  if (r->overflow == UVF_OVERFLOW_DROP_OLDEST) serve_by_dropping(r);
}

size_t ref_late(const ref_t *r, size_t *senders) {
  size_t items = 0, n = 0;
  for (size_t left = room(r); left > 0 && (int)n < r->in_line; left--)
    items += r->reqs[r->line[n++]].op == REF_SEND;
  *senders = n;
  return items;
}

int ref_try_send(ref_t *r, uint32_t id) {
  if (r->spsc) tell(r); /* in vain, perhaps */
  if (r->closed) return UV_EPIPE;
  ref_serve(r);
  if (room(r) > 0) {
    enqueue(r, id);
    return 0;
  }
  if (r->overflow == UVF_OVERFLOW_DROP_NEWEST) {
    r->sent++;
    drop(r, id);
    return 0;
  }
  if (r->overflow == UVF_OVERFLOW_DROP_OLDEST && ref_len(r) > 0) {
    drop(r, r->queue.ids[r->queue.head++]);
    enqueue(r, id);
    return 0;
  }
  return UV_EAGAIN;
}

int ref_try_reserve(ref_t *r) {
  if (ref_is_rendezvous(r)) return UV_ENOTSUP;
  if (r->spsc) tell(r);
  if (r->closed) return UV_EPIPE;
  ref_serve(r);
  if (room(r) == 0) return UV_EAGAIN;
  r->held++;
  r->tx_refs++;
  return 0;
}

/* ---- receiving ---- */

static uint32_t take(ref_t *r) {
  uint32_t id = r->queue.ids[r->queue.head++];
  r->received++;
  if (r->loan > 0) r->loan++; /* its room comes back with the batch */
  return id;
}

/* The first waiting sender of a rendezvous gets rid of its item. */
static uint32_t take_from_line(ref_t *r) {
  ref_req_t *q = &r->reqs[r->line[0]];
  leave_line(r, r->line[0]);
  decide(q, 0);
  r->sent++;
  r->received++;
  return q->id;
}

int ref_try_recv(ref_t *r, uint32_t *id) {
  if (ref_at_end(r)) return ref_end_code(r);
  if (!ref_readable(r)) return UV_EAGAIN;
  if (ref_is_rendezvous(r)) {
    *id = take_from_line(r);
    return 0;
  }
  *id = take(r);
  ref_serve(r);
  return 0;
}

/* ---- ends and permits ---- */

static void end_line(ref_t *r) {
  while (r->in_line > 0) {
    ref_req_t *q = &r->reqs[r->line[0]];
    r->returned += q->op == REF_SEND;
    leave_line(r, r->line[0]);
    decide(q, UV_EPIPE);
  }
}

int ref_close(ref_t *r, bool abort, int cause) {
  if (abort ? r->aborted : r->closed) return UV_EALREADY;
  if (!r->closed) r->cause = cause;
  r->closed = true;
  r->late = false;
  if (abort) r->aborted = true;
  end_line(r);
  for (int i = 0; i < REF_REQUESTS; i++)
    if (r->reqs[i].state == REF_WAITING && r->reqs[i].op == REF_CLOSED) decide(&r->reqs[i], 0);
  tell(r);
  while (abort && ref_len(r) > 0)
    drop(r, r->queue.ids[r->queue.head++]);
  return 0;
}

void ref_tx_release(ref_t *r) {
  if (--r->tx_refs == 0) (void)ref_close(r, false, 0);
}

void ref_rx_release(ref_t *r) {
  if (--r->rx_refs == 0) (void)ref_close(r, true, 0);
}

void ref_permit_release(ref_t *r) {
  r->held--;
  ref_serve(r);
  if (ref_at_end(r)) tell(r);
  ref_tx_release(r);
}

int ref_permit_send(ref_t *r, uint32_t id) {
  if (r->aborted) {
    ref_permit_release(r);
    return UV_EPIPE;
  }
  r->held--;
  enqueue(r, id);
  if (r->overflow == UVF_OVERFLOW_DROP_OLDEST) ref_serve(r);
  ref_tx_release(r);
  return 0;
}

/* ---- rendezvous ---- */

static int receivers(const ref_t *r, bool certain) {
  int n = 0;
  for (int i = 0; i < REF_REQUESTS; i++)
    n += r->reqs[i].state == REF_WAITING && r->reqs[i].op == REF_RECV &&
         !(certain && (r->reqs[i].timed || r->reqs[i].cancelled));
  for (int i = 0; i < REF_READERS; i++)
    n += r->readers[i].active && !r->readers[i].inside &&
         (!certain || (r->readers[i].armed && !r->readers[i].paused && !r->detaching));
  return n;
}

/* Each one handed over is with one of them. */
bool ref_may_meet(const ref_t *r) {
  return !r->closed && receivers(r, false) > (int)(r->handed.tail - r->handed.head);
}

bool ref_must_meet(const ref_t *r) {
  return !r->closed && receivers(r, true) > (int)(r->handed.tail - r->handed.head);
}

void ref_meet(ref_t *r, uint32_t id) {
  list_push(&r->handed, id);
  r->sent++;
  r->received++;
}

uint32_t ref_handed_take(ref_t *r, size_t i) {
  ref_list_t *l = &r->handed;
  uint32_t id = l->ids[l->head + i];
  memmove(&l->ids[l->head + 1], &l->ids[l->head], i * sizeof l->ids[0]);
  l->head++;
  return id;
}

/* ---- requests ---- */

static int attempt(ref_t *r, ref_req_t *q, bool met) {
  switch (q->op) {
  case REF_SEND:
    if (!ref_is_rendezvous(r)) return ref_try_send(r, q->id);
    if (r->closed) return UV_EPIPE;
    if (met) ref_meet(r, q->id);
    return met ? 0 : UV_EAGAIN;
  case REF_RESERVE: return ref_try_reserve(r);
  case REF_RECV: return ref_try_recv(r, &q->id);
  case REF_READABLE: return ref_at_end(r) ? ref_end_code(r) : ref_readable(r) ? 0 : UV_EAGAIN;
  case REF_CLOSED:
  default: return r->closed ? 0 : UV_EAGAIN;
  }
}

void ref_start(ref_t *r, int i, ref_op_t op, uint32_t id, uint64_t timeout, uint64_t now, bool met) {
  ref_req_t *q = &r->reqs[i];
  *q = (ref_req_t){.op = op, .id = id, .deadline = timeout == UVF_FOREVER ? UINT64_MAX : now + timeout};
  if (op == REF_RECV || op == REF_READABLE)
    r->rx_refs++;
  else
    r->tx_refs++;
  int status = attempt(r, q, met);
  if (status == UV_EAGAIN && timeout == UVF_NOWAIT) status = UV_ETIMEDOUT;
  if (status != UV_EAGAIN) {
    decide(q, status);
    return;
  }
  q->state = REF_WAITING;
  if (op == REF_SEND || op == REF_RESERVE) r->line[r->in_line++] = i;
  if (op == REF_SEND && ref_is_rendezvous(r)) tell(r);
}

/* It has not been told, or so its end says. */
static void withdraw(ref_t *r, int i, int status) {
  ref_req_t *q = &r->reqs[i];
  r->returned += q->op == REF_SEND;
  if (q->op == REF_SEND || q->op == REF_RESERVE) leave_line(r, i);
  decide(q, status);
}

static bool may_be_told(const ref_t *r, const ref_req_t *q) {
  return q->told || q->timed || q->cancelled || (q->op == REF_RECV && r->handed.head != r->handed.tail);
}

void ref_cancel(ref_t *r, int i, int result) {
  ref_req_t *q = &r->reqs[i];
  if (q->state == REF_WAITING && result == UV_EALREADY && r->late && (q->op == REF_SEND || q->op == REF_RESERVE))
    ref_serve(r); /* it has been served: see `late` */
  bool told = q->state != REF_WAITING || may_be_told(r, q);
  bool waits = q->state == REF_WAITING;
  if (result != 0 && result != UV_EALREADY) ref_fail("uvf_cancel: %d", result);
  if (result == 0 && !waits) ref_fail("uvf_cancel: 0, but the request was over");
  if (result != 0 && !told) ref_fail("uvf_cancel: %d, but the request was waiting", result);
  if (result == 0)
    withdraw(r, i, UV_ECANCELED);
  else if (waits)
    q->cancelled = true;
}

void ref_expire(ref_t *r, uint64_t now) {
  for (int i = 0; i < REF_REQUESTS; i++) {
    ref_req_t *q = &r->reqs[i];
    if (q->state != REF_WAITING || q->deadline > now) continue;
    if (may_be_told(r, q))
      q->timed = true;
    else
      withdraw(r, i, UV_ETIMEDOUT);
  }
}

void ref_detach(ref_t *r) {
  r->detaching = true;
  for (int i = 0; i < REF_REQUESTS; i++) {
    ref_req_t *q = &r->reqs[i];
    if (q->state != REF_WAITING) continue;
    if (may_be_told(r, q))
      q->cancelled = true;
    else
      withdraw(r, i, UV_ECANCELED);
  }
}

/* A waiting receiver ends by itself. */
static bool receiver_may_end(ref_t *r, ref_req_t *q, int status) {
  if (status == UV_ETIMEDOUT) return q->timed;
  if (status == UV_ECANCELED) return q->cancelled;
  if (status < 0) return ref_at_end(r) && status == ref_end_code(r);
  if (q->op == REF_READABLE) return ref_readable(r) && !ref_at_end(r);
  if (!ref_is_rendezvous(r)) return ref_try_recv(r, &q->id) == 0;
  return r->handed.head != r->handed.tail; /* which one, the item says */
}

void ref_called_back(ref_t *r, int i, int status) {
  ref_req_t *q = &r->reqs[i];
  if (q->state == REF_FREE) ref_fail("request %d: a callback too many", i);
  if (q->state == REF_DECIDED && status != q->status) ref_fail("request %d: %d, expected %d", i, status, q->status);
  if (q->state == REF_WAITING && (q->op == REF_RECV || q->op == REF_READABLE)) {
    if (!receiver_may_end(r, q, status)) ref_fail("request %d, which waits to receive, ended with %d", i, status);
  } else if (q->state == REF_WAITING) {
    ref_fail("request %d, which waits, ended with %d", i, status);
  }
}

/* ---- readers ---- */

void ref_resume(ref_t *r, int i, unsigned turn) {
  r->readers[i].paused = false;
  r->readers[i].resumed = turn;
}

static void read_end(ref_t *r, ref_reader_t *rd, int i, int n) {
  rd->active = false;
  if (n == UV_ECANCELED && r->detaching) return;
  if (rd->paused) ref_fail("reader %d: %d while it is paused", i, n);
  if (!ref_at_end(r) || n != ref_end_code(r)) ref_fail("reader %d: %d, which is not the end", i, n);
}

void ref_read(ref_t *r, int i, int n, unsigned turn, size_t *first) {
  ref_reader_t *rd = &r->readers[i];
  if (!rd->active) ref_fail("reader %d: called (%d), but it is not active", i, n);
  if (n != UV_ECANCELED && rd->resumed == turn) ref_fail("reader %d: called in the turn of its resume", i);
  if (n < 0) {
    read_end(r, rd, i, n);
    return;
  }
  if (rd->paused) ref_fail("reader %d: %d items while it is paused", i, n);
  if (r->detaching) ref_fail("reader %d: %d items after the detach", i, n);
  if (rd->turn != turn) rd->turn_took = 0;
  rd->turn = turn;
  rd->turn_took += (uint32_t)n;
  rd->armed = false;
  if (n == 0 || (uint32_t)n > rd->max_batch) ref_fail("reader %d: a batch of %d, at most %u", i, n, rd->max_batch);
  if (rd->turn_took > rd->turn_items) ref_fail("reader %d: %u items in a turn", i, rd->turn_took);
  if (ref_is_rendezvous(r)) return; /* the target finds out whose item it is */
  if ((size_t)n > ref_len(r)) ref_serve(r);
  if ((size_t)n > ref_len(r)) ref_fail("reader %d: %d items, there are %zu", i, n, ref_len(r));
  *first = r->queue.head;
  for (int k = 0; k < n; k++)
    (void)take(r);
  if (r->lends)
    r->loan = (size_t)n;
  else
    ref_serve(r);
}

/* ---- at rest ---- */

void ref_rest(ref_t *r) {
  size_t handed = r->handed.tail - r->handed.head, paused = 0;
  for (int i = 0; i < REF_REQUESTS; i++) {
    ref_req_t *q = &r->reqs[i];
    if (q->state == REF_DECIDED) ref_fail("request %d: no callback (%d)", i, q->status);
    if (q->state != REF_WAITING) continue;
    if (q->timed || q->cancelled) ref_fail("request %d: no callback after its end", i);
    if ((q->op == REF_RECV || q->op == REF_READABLE) && ref_readable(r))
      ref_fail("request %d waits for what is there", i);
    q->told = false;
  }
  for (int i = 0; i < REF_READERS; i++) {
    ref_reader_t *rd = &r->readers[i];
    if (rd->active && (r->detaching || (!rd->paused && ref_readable(r))))
      ref_fail("reader %d waits for what is there", i);
    rd->armed = rd->active && !rd->paused;
    paused += rd->active && rd->paused;
  }
  if (handed > paused) ref_fail("%zu items that were handed over do not arrive", handed);
}

bool ref_alive(const ref_t *r) {
  bool alive = r->detaching;
  for (int i = 0; i < REF_REQUESTS; i++)
    alive = alive || (r->reqs[i].state != REF_FREE && !r->reqs[i].unref);
  for (int i = 0; i < REF_READERS; i++)
    alive = alive || (r->readers[i].active && !r->readers[i].paused && !r->readers[i].unref);
  return alive;
}
