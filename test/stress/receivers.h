/* SPDX-License-Identifier: MIT */
/* The receivers of chan_stress.c: threads, and what runs on loops, which is either a reader or requests. */
#ifndef RECEIVERS_H
#define RECEIVERS_H

#include "senders.h"

static inline bool receiver_quits(const end_t *e) {
  return e->got >= e->quits_after;
}

static inline uint64_t receiver_timeout(end_t *e) {
  return the_round->lockstep ? UVF_FOREVER : any_timeout(&e->rng);
}

/* What makes a receiver look without having been woken; it would hide that a wake was lost. */
static inline bool may_look(end_t *e, uint32_t seldom) {
  return !the_round->lockstep && one_in(&e->rng, seldom);
}

/* ---- without waiting ---- */

static inline void receiver_try(end_t *e, order_seen_t *seen) {
  _Alignas(16) unsigned char items[MAX_N * MAX_ITEM];
  int n = 1 + (int)rng_below(&e->rng, MAX_N);
  int r = n == 1 ? uvf_try_recv(e->chan->rx, items) : uvf_try_recv_n(e->chan->rx, items, n);
  if (n == 1 && r == 0) r = 1;
  must(r != 0 && r <= n);
  if (r < 0 && r != UV_EAGAIN) end_seen(e, r);
  for (int i = 0; i < r; i++)
    delivered(e, seen, items + (size_t)i * e->chan->item_size);
}

/* ---- threads ---- */

static inline void receiver_sync(end_t *e) {
  _Alignas(16) unsigned char item[MAX_ITEM];
  uint64_t timeout = receiver_timeout(e);
  doing(e, timeout == UVF_FOREVER ? "in uvf_recv_sync for ever" : "in uvf_recv_sync with a timeout");
  int r = uvf_recv_sync(e->chan->rx, item, timeout);
  doing(e, "running");
  if (r == 0)
    delivered(e, &e->seen[0], item);
  else if (r != UV_ETIMEDOUT)
    end_seen(e, r);
  else
    must(timeout != UVF_FOREVER);
}

static inline void *receiver_thread(void *arg) {
  end_t *e = arg;
  doing(e, "running");
  while (!e->ended && !receiver_quits(e)) {
    if (one_in(&e->rng, 4))
      receiver_try(e, &e->seen[0]);
    else
      receiver_sync(e);
    receiver_aside(e);
    post_somewhere(&e->rng);
    shake(&e->rng, the_round->seldom);
  }
  end_leaves(e);
  return NULL;
}

/* ---- requests on loops ---- */

static inline void on_received(uvf_req_t *req, int status);

static inline void receiver_start(end_t *e, slot_t *s) {
  s->req.data = s;
  s->pending = true;
  int r = uvf_recv(e->looper->loop, &s->req, e->chan->rx, s->item, receiver_timeout(e), on_received);
  if (r == 0) return;
  must(r == UV_ECANCELED && e->looper->detaching);
  s->pending = false;
}

static inline void on_received(uvf_req_t *req, int status) {
  slot_t *s = req->data;
  end_t *e = s->owner;
  must(pthread_equal(e->looper->self, pthread_self()));
  must(s->pending && !uvf_req_active(req));
  s->pending = false;
  if (status == 0)
    delivered(e, &e->seen[s->index], s->item);
  else if (status != UV_ETIMEDOUT && status != UV_ECANCELED)
    end_seen(e, status);
  receiver_aside(e);
  if (!e->ended && !receiver_quits(e) && !e->looper->detaching && !may_look(e, 8)) receiver_start(e, s);
}

/* Takes on what it was told of, unless others were quicker. */
static inline void on_readable(uvf_req_t *req, int status) {
  slot_t *s = req->data;
  end_t *e = s->owner;
  must(pthread_equal(e->looper->self, pthread_self()));
  must(s->pending && !uvf_req_active(req));
  s->pending = false;
  if (status == 0)
    receiver_try(e, &e->seen[s->index]);
  else if (status != UV_ETIMEDOUT && status != UV_ECANCELED)
    end_seen(e, status);
  receiver_aside(e);
}

static inline void receiver_start_readable(end_t *e, slot_t *s) {
  s->req.data = s;
  s->pending = true;
  int r = uvf_wait_readable(e->looper->loop, &s->req, e->chan->rx, receiver_timeout(e), on_readable);
  if (r == 0) return;
  must(r == UV_ECANCELED && e->looper->detaching);
  s->pending = false;
}

/* ---- readers on loops ---- */

/* The stream of items that a reader's loop takes with try_recv. A rendezvous may have handed the reader an item that is delivered
 * later, in its callback; with a queue there is one order. */
static inline order_seen_t *try_seen(end_t *e) {
  return &e->seen[e->chan->queue == RENDEZVOUS || !e->with_reader ? SLOTS + 1 : SLOTS];
}

static inline void on_items(uvf_reader_t *rd, int n, void *items);

static inline void reader_start(end_t *e) {
  static const uint32_t batches[] = {0, 0, 1, 2, 5, 64};
  uvf_reader_options_t o = {0};
  o.max_batch = batches[rng_below(&e->rng, 6)];
  o.turn_items = one_in(&e->rng, 3) ? 1 + rng_below(&e->rng, 40) : 0;
  o.turn_us = one_in(&e->rng, 4) ? 1 + rng_below(&e->rng, 50) : 0;
  e->reader.data = e;
  int r = uvf_reader_start(e->looper->loop, &e->reader, e->chan->rx, &o, on_items);
  must_be(r, 0, "uvf_reader_start");
  e->stopped = e->paused = false;
}

static inline void reader_changes(end_t *e) {
  uint32_t n = rng_below(&e->rng, 64);
  if (n < 4) {
    uvf_reader_pause(&e->reader);
    e->paused = true;
  } else if (n < 6) {
    uvf_reader_resume(&e->reader);
    e->paused = false;
  } else if (n < 8 || receiver_quits(e)) {
    must_be(uvf_reader_stop(&e->reader), 0, "uvf_reader_stop");
    e->stopped = true;
    if (!e->looper->detaching && !receiver_quits(e) && one_in(&e->rng, 2))
      reader_start(e); /* also in its own callback */
  }
}

/* Whatever was done in the callback, the batch stays until it returns. */
static inline void batch_is_still_there(end_t *e, int n, const char *items) {
  uint32_t seq;
  for (int i = 0; i < n; i++)
    (void)item_read(e->chan, items + (size_t)i * e->chan->item_size, &seq);
}

static inline void on_items(uvf_reader_t *rd, int n, void *items) {
  end_t *e = rd->data;
  must(pthread_equal(e->looper->self, pthread_self()));
  must(n != 0 && !e->stopped);
  if (n < 0) {
    must(items == NULL && !uvf_reader_active(rd));
    e->stopped = true;
    if (n == UV_ECANCELED && e->looper->detaching) return;
    must(!e->paused);
    end_seen(e, n);
    return;
  }
  must(!e->paused);
  for (int i = 0; i < n; i++)
    delivered(e, &e->seen[SLOTS], (char *)items + (size_t)i * e->chan->item_size);
  if (one_in(&e->rng, 16)) receiver_try(e, try_seen(e));
  receiver_aside(e);
  reader_changes(e);
  shake(&e->rng, the_round->seldom);
  batch_is_still_there(e, n, items);
}

static inline void reader_tick(end_t *e) {
  if (e->stopped)
    reader_start(e);
  else if (e->paused && (time_is_up() || one_in(&e->rng, 2)))
    uvf_reader_resume(&e->reader), e->paused = false;
  else if (!the_round->lockstep)
    reader_changes(e);
}

/* ---- both ---- */

/* It has seen the end, or has had enough. True: nothing of it is left on the loop. */
static inline bool receiver_withdraws(end_t *e) {
  if (!e->stopped) {
    must_be(uvf_reader_stop(&e->reader), 0, "uvf_reader_stop");
    e->stopped = true;
  }
  for (int i = 0; i < SLOTS; i++)
    if (e->slots[i].pending) (void)uvf_cancel(&e->slots[i].req);
  return slots_idle(e);
}

static inline bool receiver_tick(end_t *e) {
  if (e->ended || receiver_quits(e)) {
    if (!receiver_withdraws(e)) return false;
    end_leaves(e);
    return true;
  }
  doing(e, e->with_reader ? "reading on a loop" : "receiving on a loop");
  if (e->with_reader) {
    reader_tick(e);
  } else {
    for (int i = 0; i < SLOTS; i++)
      if (!e->slots[i].pending && !one_in(&e->rng, 3))
        (one_in(&e->rng, 4) ? receiver_start_readable : receiver_start)(e, &e->slots[i]);
    if (may_look(e, 2)) cancel_some(e);
  }
  if (may_look(e, 8)) receiver_try(e, try_seen(e));
  receiver_aside(e);
  return false;
}

#endif
