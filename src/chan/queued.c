/* SPDX-License-Identifier: MIT */
/* Channels with a queue: the queue's contract and the waiting lists put together.
 *
 * Protocol. While nobody waits, a send and a receive touch the queue and read `marks`, nothing else.
 *   receivers are notified: a woken one tries on its own thread, and passes the wake on if there is more (chain rule), or if
 *            it saw the end. Without the chain an item whose wake went to a receiver that found the head claimed but
 *            unwritten would lie there while another receiver sleeps, and only one of several would hear of the end.
 *   senders  are served: whoever frees room moves the item of the first waiting sender in, for it, or gives the room to who
 *            waits for a permit. A newcomer goes the slow way while TX is marked: serve the list first, and send only if it
 *            is empty then. So nobody is overtaken.
 * serve: reserve room first, decide the waiter second, write its item third, only then unlink it (which may clear TX): nothing
 * has to be taken back from a waiter, and a newcomer that finds TX clear comes after everything that was served.
 * Permits: the queue counts them as used room, and as items still to come, so that the end is behind the last of them. Whoever
 * gives one up frees room and may have brought the end: it serves and passes on as a receiver does.
 * How the waiting is done: queued_wait.c. Marks and looks: waits.h.
 * K1: a flag for a diagnosis: relaxed, since it must not order what it watches.
 * Models: test/model/channel_model.cpp, abort_model.cpp; the chain rule in detach_model.cpp. */
#include "chan/queued.h"

#include "base/check.h"
#include "wait/threads.h"

#ifndef BUSY_PAUSES
#define BUSY_PAUSES 64
#endif

static void wake_receivers(uvf__chan_t *c, int n) {
  uvf__waits_wake(&c->waits, &c->waits.rx, n, UV_EAGAIN);
}

static void serve_all(uvf__chan_t *c);

/* Somebody waits, or the channel was aborted. A send may also have been the last that the channel takes (a cell closes itself). */
static void published(uvf__chan_t *c, int k, uint32_t marks) {
  if ((marks & UVF__MARK_ABORT) != 0) uvf__chan_drop_all(c);
  if ((marks & UVF__MARK_RX) != 0) wake_receivers(c, k);
  if (c->ops->closed(uvf__queue_of(c)) == 0) return;
  if ((marks & UVF__MARK_TX) != 0) serve_all(c);
  if ((marks & UVF__MARK_END) != 0) uvf__waits_wake(&c->waits, &c->waits.end, INT_MAX, UV_EAGAIN);
}

void uvf__queued_published(uvf__chan_t *c, int k) {
  uint32_t marks = uvf__waits_look(&c->waits);
  if (marks != 0) published(c, k, marks);
}

/* What one pass of serving brings with it. */
typedef struct {
  uvf__bells_t bells;
  uvf__evicted_t evicted;
  int served;
} serving_t;

/* A waiter that was decided and given room gets what it waits for. */
static void fulfil(uvf__chan_t *c, uvf__waiter_t *w, serving_t *s) {
  if (w->type == &uvf__queued_reserve_wait) {
    uvf__permit_grant(w->item, (uvf_tx_t *)w->object);
    return;
  }
  w->status = c->ops->send_held(uvf__queue_of(c), w->item);
  s->served++;
}

static void announce(uvf__chan_t *c, uvf__waiter_t *w, serving_t *s) {
  if (w->status != 0 && w->status != UV_EAGAIN && w->type == &uvf__queued_send_wait) uvf__chan_count_returned(c);
  uvf__waits_announce(&c->waits, &c->waits.tx, w, &s->bells);
}

/* Full, but the oldest item may go for the first send; who waits for a permit wants room. False: this is no way. */
static bool serve_by_eviction(uvf__chan_t *c, serving_t *s) {
  if (!s->evicted.ready || c->ops->look(uvf__queue_of(c)) != 0) return false; /* or all room is held by permits */
  uvf__waiter_t *w = uvf__waits_first(&c->waits.tx);
  while (w != NULL && w->type != &uvf__queued_send_wait)
    w = uvf__waits_next(&c->waits.tx, w);
  if (w == NULL) return false;
  if (!uvf__waits_decide(w, UV_EAGAIN)) {
    uvf__waits_unlink(&c->waits, &c->waits.tx, w);
    return true;
  }
  /* UV_EAGAIN: there was none any more, and it tries again itself. */
  w->status = uvf__evict_for(c, w->item, &s->evicted);
  if (w->status == 0) s->served++;
  announce(c, w, s);
  return true;
}

/* Under the lock: moves waiting senders in while there is room. True: come again. */
static bool serve_some(uvf__chan_t *c, serving_t *s) {
  uvf__waits_t *ws = &c->waits;
  uvf__waiter_t *w;
  while ((w = uvf__waits_first(&ws->tx)) != NULL) {
    if (uvf__bells_full(&s->bells) || s->evicted.full) return true;
    int r = c->ops->reserve(uvf__queue_of(c));
    if (r == UV_EAGAIN) {
      if (!serve_by_eviction(c, s)) return false;
      continue;
    }
    while (w != NULL && !uvf__waits_decide(w, r)) {
      uvf__waits_unlink(ws, &ws->tx, w); /* it has left; the room goes to the next one */
      w = uvf__waits_first(&ws->tx);
    }
    if (w == NULL) {
      if (r == 0) c->ops->unreserve(uvf__queue_of(c));
      return false;
    }
    if (r == 0) fulfil(c, w, s);
    announce(c, w, s);
  }
  return false;
}

/* One pass of serving; `enlist`, if not NULL, is linked first. True: come again. */
static bool serve_pass(uvf__chan_t *c, uvf__waiter_t *enlist, bool front) {
  serving_t s;
  s.bells = uvf__bells_none();
  s.served = 0;
  uvf__evicted_init(&s.evicted, c);
  uvf__lock(&c->waits.lock);
  if (enlist != NULL) uvf__waits_link(&c->waits, &c->waits.tx, enlist, front);
  bool more = serve_some(c, &s);
  uvf__unlock(&c->waits.lock);
  uvf__bells_ring(&s.bells);
  if (s.served > 0) uvf__queued_published(c, s.served);
  uvf__evicted_fini(&s.evicted, c);
  return more;
}

static void serve_all(uvf__chan_t *c) {
  while (serve_pass(c, NULL, false)) {
  }
}

void uvf__queued_enlist_sender(uvf__chan_t *c, uvf__waiter_t *w, bool front) {
  if (serve_pass(c, w, front)) serve_all(c);
}

static void queued_serve(uvf__chan_t *c) {
  if ((uvf__waits_look(&c->waits) & UVF__MARK_TX) != 0) serve_all(c);
}

/* The slow way of a newcomer: 0 (it is its turn now), UV_EAGAIN, UV_EPIPE. */
static int queue_up(uvf__chan_t *c, uint32_t marks) {
  if ((marks & UVF__MARK_ABORT) != 0) return UV_EPIPE;
  serve_all(c);
  return (uvf__waits_peek(&c->waits) & UVF__MARK_TX) != 0 ? UV_EAGAIN : 0;
}

/* Off the common way: somebody waits, or the channel was aborted. r: what the queue said. With UVF_SPSC also a call that sent
 * nothing may have settled the end, and receivers wait for it. */
UVF__SELDOM static int after_send(uvf__chan_t *c, int r, uint32_t marks) {
  if (r > 0 || c->spsc) published(c, r > 0 ? r : 1, marks);
  return r;
}

static inline int send_now(uvf__chan_t *c, const void *items, int n) {
  int r = c->ops->send(uvf__queue_of(c), items, n);
  uint32_t marks = uvf__waits_look(&c->waits);
  return marks == 0 ? r : after_send(c, r, marks);
}

int uvf__queued_put(uvf__chan_t *c, const void *items, int n) {
  uint32_t marks = uvf__waits_peek(&c->waits);
  int r = (marks & (UVF__MARK_TX | UVF__MARK_ABORT)) != 0 ? queue_up(c, marks) : 0;
  return r != 0 ? r : send_now(c, items, n);
}

UVF__SELDOM static int send_slowly(uvf__chan_t *c, const void *items, int n) {
  if (uvf__chan_foreign(c)) return UV_ENOTSUP;
  return c->overflow == UVF_OVERFLOW_WAIT ? uvf__queued_put(c, items, n) : uvf__overflow_send(c, items, n);
}

int uvf__queued_send(uvf__chan_t *c, const void *items, int n) {
  if (uvf__chan_foreign(c) || c->overflow != UVF_OVERFLOW_WAIT) return send_slowly(c, items, n);
  if ((uvf__waits_peek(&c->waits) & (UVF__MARK_TX | UVF__MARK_ABORT)) != 0) return send_slowly(c, items, n);
  return send_now(c, items, n);
}

/* The chain rule, with the marks as just seen. */
static void pass_on(uvf__chan_t *c, uint32_t marks) {
  if ((marks & UVF__MARK_RX) != 0 && uvf__queue_readable(uvf__queue_of(c))) wake_receivers(c, 1);
}

void uvf__queued_pass_on(uvf__chan_t *c) {
  pass_on(c, uvf__waits_look(&c->waits));
}

/* What was taken or given up is room, and may have been the last before the end. */
UVF__SELDOM static int after_freeing(uvf__chan_t *c, int r, uint32_t marks) {
  if ((marks & UVF__MARK_TX) != 0) serve_all(c);
  pass_on(c, marks);
  return r;
}

/* r: what the caller says. */
static inline int freed(uvf__chan_t *c, int r) {
  uint32_t marks = uvf__waits_look(&c->waits);
  return (marks & (UVF__MARK_TX | UVF__MARK_RX)) == 0 ? r : after_freeing(c, r, marks);
}

static void room_freed(uvf__chan_t *c) {
  (void)freed(c, 0);
}

/* Waits a moment for a sender that has claimed the next item and not yet written it. A loop waits for nobody, nor does who can
 * sleep: that sender will look at the marks. A try on a plain thread, which can do neither, waits until it is written, so that what
 * was sent is never "empty"; for the others UV_EAGAIN means "would wait". */
static bool busy_again(int *tries, bool patient) {
  (*tries)++;
  if (*tries <= BUSY_PAUSES) {
    uvf__relax();
    return true;
  }
  if (!patient || uvf__threads_runs_loop()) return false;
  uvf__thread_yield();
  return true;
}

/* The promise of UVF_SPSC, as far as it can be seen: spsc_ring sees two senders by itself. */
static void receiver_enter(uvf__chan_t *c) {
  (void)c;
#if UVFLOW_CHECKS
  uvf__check(!c->spsc || a_swap(&c->receiving, 1, relaxed) == 0); /* K1 */
#endif
}

static void receiver_leave(uvf__chan_t *c) {
  (void)c;
#if UVFLOW_CHECKS
  a_store(&c->receiving, 0, relaxed); /* K1 */
#endif
}

/* What the queue said, as the channel says it. */
static int outcome(uvf__chan_t *c, int r) {
  return r == UV_EOF ? uvf__chan_end(c) : r == UVF__BUSY ? UV_EAGAIN : r;
}

static inline int take_once(uvf__chan_t *c, void *items, int n) {
  receiver_enter(c);
  int r = c->ops->recv(uvf__queue_of(c), items, n);
  receiver_leave(c);
  return r;
}

/* Off the common way: the first attempt said r and took nothing. */
UVF__SELDOM static int take_more(uvf__chan_t *c, void *items, int n, bool patient, int r) {
  int tries = 0;
  while (r == UVF__BUSY && busy_again(&tries, patient))
    r = take_once(c, items, n);
  if (r > 0 || r == UV_EOF) room_freed(c);
  return outcome(c, r);
}

int uvf__queued_take(uvf__chan_t *c, void *items, int n, bool patient) {
  if (uvf__chan_foreign(c)) return UV_ENOTSUP;
  if ((uvf__waits_peek(&c->waits) & UVF__MARK_ABORT) != 0) return uvf__chan_end(c);
  int r = take_once(c, items, n);
  if (r <= 0) return take_more(c, items, n, patient, r);
  return freed(c, r);
}

static int queued_recv(uvf__chan_t *c, void *items, int n) {
  return uvf__queued_take(c, items, n, true);
}

int uvf__queued_look(uvf__chan_t *c) {
  if (uvf__chan_foreign(c)) return UV_ENOTSUP;
  if ((uvf__waits_peek(&c->waits) & UVF__MARK_ABORT) != 0) return uvf__chan_end(c);
  return outcome(c, c->ops->look(uvf__queue_of(c)));
}

/* ---- permits ---- */

/* On an unbounded channel nobody waits for room: too many permits are then an error. */
int uvf__queued_reserve(uvf__chan_t *c) {
  if (uvf__chan_foreign(c)) return UV_ENOTSUP;
  uint32_t marks = uvf__waits_peek(&c->waits);
  int r = (marks & (UVF__MARK_TX | UVF__MARK_ABORT)) != 0 ? queue_up(c, marks) : 0;
  if (r == 0) r = c->ops->reserve(uvf__queue_of(c));
  if (c->spsc) uvf__queued_published(c, 1); /* as in put */
  return r == UV_EAGAIN && c->capacity == UVF_UNBOUNDED ? UV_ENOMEM : r;
}

/* With UVF_SPSC a receiver may be serving a send that waits, and plays the sender for it under the lock; a permit may be used
 * meanwhile, where a send would go the slow way. */
static void sender_lock(uvf__chan_t *c) {
  if (c->spsc) uvf__lock(&c->waits.lock);
}

static void sender_unlock(uvf__chan_t *c) {
  if (c->spsc) uvf__unlock(&c->waits.lock);
}

static void queued_unreserve(uvf__chan_t *c) {
  if (uvf__chan_foreign(c)) return;
  sender_lock(c);
  c->ops->unreserve(uvf__queue_of(c));
  sender_unlock(c);
  room_freed(c);
}

static int queued_send_held(uvf__chan_t *c, const void *item) {
  if (uvf__chan_foreign(c)) return UV_ENOTSUP;
  sender_lock(c);
  int r = c->ops->send_held(uvf__queue_of(c), item);
  sender_unlock(c);
  if (r == 0) {
    uvf__queued_published(c, 1);
    queued_serve(c); /* DROP_OLDEST: now there is something that may go */
  } else if (r == UV_EPIPE) {
    room_freed(c);
  }
  return r;
}

/* ---- readers ---- */

/* A reader's batch. What is lent becomes room with give_back; copies are room at once. The next receiver is told now. */
static int queued_claim(uvf__chan_t *c, uvf__waiter_t *w, uvf__run_t *run, int n) {
  if ((uvf__waits_peek(&c->waits) & UVF__MARK_ABORT) != 0) return uvf__chan_end(c);
  if (c->ops->lends) {
    receiver_enter(c);
    int r = c->ops->claim(uvf__queue_of(c), run, n);
    receiver_leave(c);
    if (r > 0 || r == UV_EOF) uvf__queued_pass_on(c);
    return outcome(c, r);
  }
  int r = uvf__queued_take(c, w->item, n, false);
  if (r > 0) *run = (uvf__run_t){w->item, NULL, 0, r};
  return r;
}

static void queued_give_back(uvf__chan_t *c, const uvf__run_t *run) {
  if (c->ops->lends) c->ops->give_back(uvf__queue_of(c), run);
}

static int queued_closed(uvf__chan_t *c) {
  return c->ops->closed(uvf__queue_of(c));
}

static void queued_close(uvf__chan_t *c, int how) {
  c->ops->close(uvf__queue_of(c), how);
}

static void queued_counts(uvf__chan_t *c, uvf__counts_t *out) {
  c->ops->counts(uvf__queue_of(c), out);
}

const uvf__chan_kind_t uvf__queued = {
    uvf__queued_send,       queued_recv,
    uvf__queued_look,       queued_claim,
    queued_give_back,       uvf__queued_reserve,
    queued_unreserve,       queued_send_held,
    queued_serve,           queued_closed,
    queued_close,           queued_counts,
    &uvf__queued_send_wait, &uvf__queued_reserve_wait,
    &uvf__queued_recv_wait, &uvf__queued_readable_wait,
};
