/* SPDX-License-Identifier: MIT */
/* Channels with a queue: the queue's contract and the waiting lists put together.
 *
 * Protocol. While nobody waits, a send and a receive touch the queue and read `marks`, nothing else.
 *   receivers are notified: a woken one tries on its own thread, and passes the wake on if there is more (chain rule), or if
 *            it saw the end. Without the chain an item whose wake went to a receiver that found the head claimed but
 *            unwritten would lie there while another receiver sleeps, and only one of several would hear of the end.
 *   senders  are served: whoever frees room moves the item of the first waiting sender in, for it. A newcomer goes the slow
 *            way while TX is marked: serve the list first, and send only if it is empty then. So nobody is overtaken.
 * serve: reserve room first, decide the waiter second, write its item third, only then unlink it (which may clear TX): nothing
 * has to be taken back from a waiter, and a newcomer that finds TX clear comes after everything that was served.
 * Marks and looks: waits.h. Models: test/model/channel_model.cpp, abort_model.cpp; the chain rule in detach_model.cpp. */
#include "chan/chan.h"

#include "wait/threads.h"

#ifndef BUSY_PAUSES
#define BUSY_PAUSES 64
#endif

static uvf__queue_t *queue_of(uvf__chan_t *c) {
  return &c->q.base;
}

static void wake_receivers(uvf__chan_t *c, int n) {
  uvf__waits_wake(&c->waits, &c->waits.rx, n, UV_EAGAIN);
}

/* k items were published: the look. */
static void published(uvf__chan_t *c, int k) {
  uint32_t marks = uvf__waits_look(&c->waits);
  if ((marks & UVF__MARK_ABORT) != 0) uvf__chan_drop_all(c);
  if ((marks & UVF__MARK_RX) != 0) wake_receivers(c, k);
}

/* Under the lock: moves waiting senders in while there is room. True: `bells` is full, come again. */
static bool serve_some(uvf__chan_t *c, uvf__bells_t *bells, int *served) {
  uvf__queue_t *q = queue_of(c);
  uvf__waits_t *ws = &c->waits;
  uvf__waiter_t *w;
  while ((w = uvf__waits_first(&ws->tx)) != NULL) {
    if (uvf__bells_full(bells)) return true;
    int r = q->ops->reserve(q);
    if (r == UV_EAGAIN) return false;
    while (w != NULL && !uvf__waits_decide(ws, w, r)) {
      uvf__waits_unlink(ws, &ws->tx, w); /* it has left; the room goes to the next one */
      w = uvf__waits_first(&ws->tx);
    }
    if (w == NULL) {
      if (r == 0) q->ops->unreserve(q);
      return false;
    }
    if (r == 0) {
      w->status = q->ops->send_held(q, w->item);
      (*served)++;
    }
    if (w->status != 0) uvf__chan_count_returned(c);
    uvf__waits_unlink(ws, &ws->tx, w);
    uvf__waits_announce(w, bells);
  }
  return false;
}

/* One pass of serving; `enlist`, if not NULL, is linked first. True: come again. */
static bool serve_pass(uvf__chan_t *c, uvf__waiter_t *enlist, bool front) {
  uvf__bells_t bells = uvf__bells_none();
  int served = 0;
  uvf__lock(&c->waits.lock);
  if (enlist != NULL) uvf__waits_link(&c->waits, &c->waits.tx, enlist, front);
  bool more = serve_some(c, &bells, &served);
  uvf__unlock(&c->waits.lock);
  uvf__bells_ring(&bells);
  if (served > 0) published(c, served);
  return more;
}

static void serve_all(uvf__chan_t *c) {
  while (serve_pass(c, NULL, false)) {
  }
}

static void queued_serve(uvf__chan_t *c) {
  if ((uvf__waits_look(&c->waits) & UVF__MARK_TX) != 0) serve_all(c);
}

static int queued_send(uvf__chan_t *c, const void *items, int n) {
  if (uvf__chan_foreign(c)) return UV_ENOTSUP;
  uint32_t marks = uvf__waits_peek(&c->waits);
  if ((marks & (UVF__MARK_TX | UVF__MARK_ABORT)) != 0) {
    if ((marks & UVF__MARK_ABORT) != 0) return UV_EPIPE;
    serve_all(c);
    if ((uvf__waits_peek(&c->waits) & UVF__MARK_TX) != 0) return UV_EAGAIN;
  }
  int r = queue_of(c)->ops->send(queue_of(c), items, n);
  /* With UVF_SPSC also a call that sent nothing may have settled the end, and receivers wait for it. */
  if (r > 0 || c->spsc) published(c, r > 0 ? r : 1);
  return r;
}

/* The chain rule, with the marks as just seen. */
static void pass_on(uvf__chan_t *c, uint32_t marks) {
  if ((marks & UVF__MARK_RX) != 0 && queue_of(c)->ops->readable(queue_of(c))) wake_receivers(c, 1);
}

/* Waits a moment for a sender that has claimed the next item and not yet written it. A plain thread waits until it has, so that
 * what was sent is never "empty"; a loop waits for nobody: UV_EAGAIN means "would wait" to it. */
static bool busy_again(int *tries) {
  (*tries)++;
  if (*tries <= BUSY_PAUSES) {
    uvf__relax();
    return true;
  }
  if (uvf__threads_runs_loop()) return false;
  uvf__thread_yield();
  return true;
}

/* What the queue said, as the channel says it. */
static int outcome(uvf__chan_t *c, int r) {
  return r == UV_EOF ? uvf__chan_end(c) : r == UVF__BUSY ? UV_EAGAIN : r;
}

static int queued_recv(uvf__chan_t *c, void *items, int n) {
  int r, tries = 0;
  if (uvf__chan_foreign(c)) return UV_ENOTSUP;
  if ((uvf__waits_peek(&c->waits) & UVF__MARK_ABORT) != 0) return uvf__chan_end(c);
  do {
    r = queue_of(c)->ops->recv(queue_of(c), items, n);
  } while (r == UVF__BUSY && busy_again(&tries));
  if (r > 0 || r == UV_EOF) {
    uint32_t marks = uvf__waits_look(&c->waits);
    if ((marks & UVF__MARK_TX) != 0) serve_all(c);
    pass_on(c, marks);
  }
  return outcome(c, r);
}

/* The slots become free only with give_back; but the next receiver is told now. */
static int queued_claim(uvf__chan_t *c, uvf__waiter_t *w, uvf__run_t *run, int n) {
  (void)w;
  if ((uvf__waits_peek(&c->waits) & UVF__MARK_ABORT) != 0) return uvf__chan_end(c);
  int r = queue_of(c)->ops->claim(queue_of(c), run, n);
  if (r > 0 || r == UV_EOF) pass_on(c, uvf__waits_look(&c->waits));
  return outcome(c, r);
}

static void queued_give_back(uvf__chan_t *c, const uvf__run_t *run) {
  queue_of(c)->ops->give_back(queue_of(c), run);
}

static int queued_closed(uvf__chan_t *c) {
  return queue_of(c)->ops->closed(queue_of(c));
}

static void queued_close(uvf__chan_t *c, int how) {
  queue_of(c)->ops->close(queue_of(c), how);
}

static void queued_counts(uvf__chan_t *c, uvf__counts_t *out) {
  queue_of(c)->ops->counts(queue_of(c), out);
}

/* ---- waiting ---- */

static int send_attempt(uvf__waiter_t *w) {
  int r = queued_send(uvf__chan_of_tx((uvf_tx_t *)w->object), w->item, 1);
  return r > 0 ? 0 : r;
}

/* Serving right after linking is the look, and serves us too if it is our turn. */
static bool send_enlist(uvf__waiter_t *w, bool front) {
  uvf__chan_t *c = uvf__chan_of_tx((uvf_tx_t *)w->object);
  uvf__chan_note_length(c, c->capacity);
  if (serve_pass(c, w, front)) serve_all(c);
  return true;
}

static void send_withdraw(uvf__waiter_t *w) {
  uvf__chan_t *c = uvf__chan_of_tx((uvf_tx_t *)w->object);
  uvf__lock(&c->waits.lock);
  uvf__waits_unlink(&c->waits, &c->waits.tx, w);
  uvf__unlock(&c->waits.lock);
  uvf__chan_count_returned(c);
}

/* A sender is served, never told to try: there is nothing to pass on. */
static void send_pass_on(uvf__waiter_t *w) {
  (void)w;
}

static int recv_attempt(uvf__waiter_t *w) {
  int r = queued_recv(uvf__chan_of_rx((uvf_rx_t *)w->object), w->item, 1);
  return r > 0 ? 0 : r;
}

static bool recv_enlist(uvf__waiter_t *w, bool front) {
  uvf__chan_t *c = uvf__chan_of_rx((uvf_rx_t *)w->object);
  uvf__lock(&c->waits.lock);
  uvf__waits_link(&c->waits, &c->waits.rx, w, front);
  bool stay = !queue_of(c)->ops->readable(queue_of(c));
  if (!stay) uvf__waits_unlink(&c->waits, &c->waits.rx, w);
  uvf__unlock(&c->waits.lock);
  return stay;
}

static void recv_withdraw(uvf__waiter_t *w) {
  uvf__chan_t *c = uvf__chan_of_rx((uvf_rx_t *)w->object);
  uvf__lock(&c->waits.lock);
  uvf__waits_unlink(&c->waits, &c->waits.rx, w);
  uvf__unlock(&c->waits.lock);
}

static void recv_pass_on(uvf__waiter_t *w) {
  uvf__chan_t *c = uvf__chan_of_rx((uvf_rx_t *)w->object);
  pass_on(c, uvf__waits_look(&c->waits));
}

static const uvf__wait_type_t send_wait = {send_attempt, send_enlist, send_withdraw, send_pass_on,
                                           uvf__tx_release_object};
static const uvf__wait_type_t recv_wait = {recv_attempt, recv_enlist, recv_withdraw, recv_pass_on,
                                           uvf__rx_release_object};

const uvf__chan_kind_t uvf__queued = {
    queued_send,   queued_recv,  queued_claim,  queued_give_back, queued_serve,
    queued_closed, queued_close, queued_counts, &send_wait,       &recv_wait,
};
