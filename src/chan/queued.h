/* SPDX-License-Identifier: MIT */
/* What the files about channels with a queue share: queued.c, queued_wait.c, overflow.c. */
#ifndef UVF_CHAN_QUEUED_H
#define UVF_CHAN_QUEUED_H

#include "chan/chan.h"

static inline uvf__queue_t *uvf__queue_of(uvf__chan_t *c) {
  return &c->q.base;
}

/* overflow.c: a send where the channel has a drop mode. */
int uvf__overflow_send(uvf__chan_t *c, const void *items, int n);

/* overflow.c: an item that had to make room, on the stack of the one who will drop it. */
typedef struct {
  bool ready, full; /* it may be used; it holds one */
  void *large;      /* for items that do not fit in `small`; allocated before any lock */
  _Alignas(max_align_t) char small[256];
} uvf__evicted_t;

/* Ready if the channel drops its oldest, and there is memory. */
void uvf__evicted_init(uvf__evicted_t *e, const uvf__chan_t *c);
/* Drops what it holds. No lock held. */
void uvf__evicted_fini(uvf__evicted_t *e, uvf__chan_t *c);
/* Moves the item in; if there is no room, the oldest goes to *e. 0, UV_EPIPE, or UV_EAGAIN: all room is held by permits. */
int uvf__evict_for(uvf__chan_t *c, const void *item, uvf__evicted_t *e);

/* The operations of uvf__queued. */
int uvf__queued_send(uvf__chan_t *c, const void *items, int n);
int uvf__queued_take(uvf__chan_t *c, void *items, int n,
                     bool patient); /* recv; patient: rather wait than say UV_EAGAIN */
int uvf__queued_look(uvf__chan_t *c);
int uvf__queued_reserve(uvf__chan_t *c);

/* A send that does not overflow: 1..n items moved, or an error. */
int uvf__queued_put(uvf__chan_t *c, const void *items, int n);

/* k items were published: the look. */
void uvf__queued_published(uvf__chan_t *c, int k);

/* Links a waiting sender (or who waits for a permit) and serves the list, which is its look and may serve itself. */
void uvf__queued_enlist_sender(uvf__chan_t *c, uvf__waiter_t *w, bool front);

/* The chain rule: if the next receive would not have to wait, the next waiting receiver is told. */
void uvf__queued_pass_on(uvf__chan_t *c);

extern const uvf__wait_type_t uvf__queued_send_wait, uvf__queued_reserve_wait, uvf__queued_recv_wait,
    uvf__queued_readable_wait;

#endif
