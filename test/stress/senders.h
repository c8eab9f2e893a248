/* SPDX-License-Identifier: MIT */
/* The senders of chan_stress.c: threads, and what runs on loops. */
#ifndef SENDERS_H
#define SENDERS_H

#include "round.h"

/* Without a wait, up to 3 ms, or for ever, which is all but the rule in a patient round: there more items flow. */
static inline uint64_t any_timeout(rng_t *g) {
  if (the_round->patient && !one_in(g, 32)) return UVF_FOREVER;
  uint32_t n = rng_below(g, 8);
  return n == 0 ? UVF_NOWAIT : n < 4 ? n : UVF_FOREVER;
}

/* ---- without waiting ---- */

static inline void sender_try(end_t *e) {
  _Alignas(16) unsigned char item[MAX_ITEM];
  uint32_t seq = offer(e, item);
  int r = uvf_try_send(e->chan->tx, item);
  must(r == 0 || r == UV_EAGAIN || r == UV_EPIPE);
  e->refused = e->refused || r == UV_EPIPE;
  if (r == 0)
    accepted(e, seq);
  else
    returned(e, seq);
}

static inline void sender_try_n(end_t *e) {
  _Alignas(16) unsigned char items[MAX_N * MAX_ITEM];
  uint32_t left = e->chan->offers_each - e->offers, n = 1 + rng_below(&e->rng, MAX_N), first = e->offers;
  if (n > left) n = left;
  for (uint32_t i = 0; i < n; i++)
    (void)offer(e, items + i * e->chan->item_size);
  int r = uvf_try_send_n(e->chan->tx, items, (int)n);
  must((r > 0 && r <= (int)n) || r == UV_EAGAIN || r == UV_EPIPE);
  e->refused = e->refused || r == UV_EPIPE;
  for (uint32_t i = 0; i < n; i++) {
    if ((int)i < r)
      accepted(e, first + i);
    else
      returned(e, first + i);
  }
}

/* ---- permits ---- */

/* A rendezvous has none; and where they could hold all of the room, sends of a channel that drops its oldest would wait. */
static inline bool reserves(end_t *e, uint32_t seldom) {
  const chan_t *c = e->chan;
  bool may = c->queue != RENDEZVOUS;
  if (c->queue == OLDEST) may = c->capacity > (size_t)c->senders * (SLOTS + 2);
  return may && one_in(&e->rng, seldom);
}

/* Uses the permit, or gives it back; the caller may have seen that nothing is left to offer. */
static inline void use_permit(end_t *e, uvf_permit_t *p, void *item) {
  e->permits++;
  if (e->refused || e->offers == e->chan->offers_each || one_in(&e->rng, 4)) {
    uvf_permit_release(p);
    return;
  }
  uint32_t seq = offer_on(e, BY_PERMIT, item);
  int r = uvf_permit_send(p, item);
  must(r == 0 || r == UV_EPIPE);
  must(uvf_permit_send(p, item) == UV_EINVAL);
  if (r == 0)
    accepted(e, seq);
  else
    returned(e, seq);
}

/* Not more than one at a time that waits: who holds one and waits for another may wait for himself. */
static inline void sender_permits(end_t *e, bool wait) {
  _Alignas(16) unsigned char item[MAX_ITEM];
  uvf_permit_t p[2];
  uint64_t timeout = wait ? any_timeout(&e->rng) : UVF_NOWAIT;
  doing(e, timeout == UVF_FOREVER ? "in uvf_reserve_sync for ever" : "reserving");
  int r = wait ? uvf_reserve_sync(e->chan->tx, &p[0], timeout) : uvf_try_reserve(e->chan->tx, &p[0]);
  doing(e, "running");
  must(r == 0 || r == UV_EPIPE || (r == UV_ETIMEDOUT && timeout != UVF_FOREVER && wait) || (r == UV_EAGAIN && !wait));
  e->refused = e->refused || r == UV_EPIPE;
  if (r != 0) return;
  bool two = one_in(&e->rng, 2) && uvf_try_reserve(e->chan->tx, &p[1]) == 0;
  shake(&e->rng, the_round->seldom);
  if (two) use_permit(e, &p[1], item);
  use_permit(e, &p[0], item);
}

/* ---- threads ---- */

static inline void sender_waits_closed(end_t *e) {
  doing(e, "in uvf_wait_closed_sync with a timeout");
  int r = uvf_wait_closed_sync(e->chan->tx, rng_below(&e->rng, 2));
  doing(e, "running");
  must(r == 0 || r == UV_ETIMEDOUT);
  must(r != 0 || uvf_tx_status(e->chan->tx) != 0);
}

static inline void sender_sync(end_t *e) {
  _Alignas(16) unsigned char item[MAX_ITEM];
  uint32_t seq = offer(e, item);
  uint64_t timeout = any_timeout(&e->rng);
  doing(e, timeout == UVF_FOREVER ? "in uvf_send_sync for ever" : "in uvf_send_sync with a timeout");
  int r = uvf_send_sync(e->chan->tx, item, timeout);
  doing(e, "running");
  must(r == 0 || r == UV_EPIPE || (r == UV_ETIMEDOUT && timeout != UVF_FOREVER));
  e->refused = e->refused || r == UV_EPIPE;
  if (r == 0)
    accepted(e, seq);
  else
    returned(e, seq);
}

static inline void sender_settle(end_t *e) {
  doing(e, "waiting until all has arrived");
  while (!settled(e->chan))
    (void)sched_yield();
  doing(e, "running");
}

static inline void *sender_thread(void *arg) {
  end_t *e = arg;
  doing(e, "running");
  while (!sender_done(e)) {
    uint32_t n = rng_below(&e->rng, 8);
    if (one_in(&e->rng, 64)) sender_waits_closed(e);
    if (reserves(e, 5))
      sender_permits(e, one_in(&e->rng, 2));
    else if (n < 2)
      sender_try(e);
    else if (n < 3)
      sender_try_n(e);
    else
      sender_sync(e);
    sender_aside(e);
    post_somewhere(&e->rng);
    shake(&e->rng, the_round->seldom);
    if (the_round->lockstep && one_in(&e->rng, 4)) sender_settle(e);
  }
  if (the_round->lockstep) sender_settle(e);
  end_leaves(e);
  return NULL;
}

/* ---- loops ---- */

static inline void on_sent(uvf_req_t *req, int status);

static inline void sender_start(end_t *e, slot_t *s) {
  uint32_t seq = offer(e, s->item);
  uint64_t timeout = any_timeout(&e->rng);
  s->req.data = s;
  s->pending = true;
  int r = uvf_send(e->looper->loop, &s->req, e->chan->tx, s->item, timeout, on_sent);
  if (r == 0) return;
  must(r == UV_ECANCELED && e->looper->detaching);
  s->pending = false;
  returned(e, seq);
}

static inline void on_sent(uvf_req_t *req, int status) {
  slot_t *s = req->data;
  end_t *e = s->owner;
  uint32_t seq;
  must(pthread_equal(e->looper->self, pthread_self()));
  must(s->pending && !uvf_req_active(req));
  must(status == 0 || status == UV_EPIPE || status == UV_ETIMEDOUT || status == UV_ECANCELED);
  must(item_read(e->chan, s->item, &seq) == e);
  s->pending = false;
  e->refused = e->refused || status == UV_EPIPE;
  if (status == 0)
    accepted(e, seq);
  else
    returned(e, seq);
  sender_aside(e);
  if (!sender_done(e) && !e->looper->detaching && !one_in(&e->rng, 4)) sender_start(e, s);
}

static inline void on_reserved(uvf_req_t *req, int status) {
  slot_t *s = req->data;
  end_t *e = s->owner;
  must(pthread_equal(e->looper->self, pthread_self()));
  must(s->pending && !uvf_req_active(req));
  must(status == 0 || status == UV_EPIPE || status == UV_ETIMEDOUT || status == UV_ECANCELED);
  s->pending = false;
  e->refused = e->refused || status == UV_EPIPE;
  if (status == 0) use_permit(e, &s->permit, s->item);
  sender_aside(e);
}

static inline void on_closed(uvf_req_t *req, int status) {
  slot_t *s = req->data;
  end_t *e = s->owner;
  must(s->pending && !uvf_req_active(req));
  must(status == 0 || status == UV_ETIMEDOUT || status == UV_ECANCELED);
  must(status != 0 || uvf_tx_status(e->chan->tx) != 0);
  s->pending = false;
}

/* Waits for a permit, or, not for long (it keeps the channel open), for the close. */
static inline void sender_start_other(end_t *e, slot_t *s) {
  looper_t *l = e->looper;
  s->req.data = s;
  s->pending = true;
  int r = reserves(e, 2) ? uvf_reserve(l->loop, &s->req, e->chan->tx, &s->permit, any_timeout(&e->rng), on_reserved)
                         : uvf_wait_closed(l->loop, &s->req, e->chan->tx, rng_below(&e->rng, 4), on_closed);
  if (r == 0) return;
  must(r == UV_ECANCELED && l->detaching);
  s->pending = false;
}

static inline bool slots_idle(const end_t *e) {
  for (int i = 0; i < SLOTS; i++)
    if (e->slots[i].pending) return false;
  return true;
}

static inline void cancel_some(end_t *e) {
  slot_t *s = &e->slots[rng_below(&e->rng, SLOTS)];
  if (!s->pending) return;
  int r = uvf_cancel(&s->req);
  must(r == 0 || r == UV_EALREADY);
  must(s->pending && uvf_req_active(&s->req)); /* the callback never comes inside the call */
}

/* Once in a while, on its loop. True: it has left. */
static inline bool sender_tick(end_t *e) {
  if (the_round->lockstep && slots_idle(e) && !settled(e->chan)) return false;
  if (sender_done(e)) {
    if (!slots_idle(e)) return false;
    end_leaves(e);
    return true;
  }
  doing(e, "sending on a loop");
  for (int i = 0; i < SLOTS && !sender_done(e); i++)
    if (!e->slots[i].pending && !one_in(&e->rng, 3))
      (one_in(&e->rng, 3) ? sender_start_other : sender_start)(e, &e->slots[i]);
  if (one_in(&e->rng, 2)) cancel_some(e);
  if (reserves(e, 4)) sender_permits(e, false);
  for (uint32_t n = rng_below(&e->rng, 4); n > 0 && !sender_done(e); n--)
    sender_try(e);
  if (one_in(&e->rng, 4) && !sender_done(e)) sender_try_n(e);
  sender_aside(e);
  return false;
}

#endif
