/* SPDX-License-Identifier: MIT */
/* A rendezvous: a channel without a queue. Whoever arrives looks for a waiting partner under the lock; if there is one whose op
 * can be decided, the item goes from the sender's memory to the receiver's under the lock, and the partner is announced. So
 * ownership moves with the decision, and a partner that has left is passed over. An armed reader is a waiting receiver whose
 * item has a cell of its own; what is in the cell of a reader that was stopped is dropped. Items should be small.
 *
 * Who waits for something to receive, and takes nothing, stands among the receivers, but is nobody's partner: a sender that
 * begins to wait wakes all of them, and each looks for itself. */
#include "chan/chan.h"

#include "queue/item.h"

static void item_move(uvf__chan_t *c, void *to, const void *from) {
  uvf__item_copy(to, from, c->item_size);
  c->q.rendezvous.count++;
}

static int readable_attempt(uvf__waiter_t *w);

/* Under the lock: the first on `list` with whom an item can be exchanged, or NULL. */
static uvf__waiter_t *first_partner(uvf__waitlist_t *list) {
  uvf__waiter_t *w = uvf__waits_first(list);
  while (w != NULL && w->type->attempt == readable_attempt)
    w = uvf__waits_next(list, w);
  return w;
}

/* Under the lock: the first partner that is still there, decided; announce it after moving the item. */
static uvf__waiter_t *partner(uvf__chan_t *c, uvf__waitlist_t *list) {
  uvf__waiter_t *w;
  while ((w = first_partner(list)) != NULL) {
    if (uvf__waits_decide(w, 0)) return w;
    uvf__waits_unlink(&c->waits, list, w); /* it has left */
  }
  return NULL;
}

static int meet_receiver(uvf__chan_t *c, const void *item) {
  uvf__bells_t bells = uvf__bells_none();
  int r = UV_EAGAIN;
  uvf__lock(&c->waits.lock);
  if (c->q.rendezvous.closed != 0) {
    r = UV_EPIPE;
  } else {
    uvf__waiter_t *w = partner(c, &c->waits.rx);
    if (w != NULL) {
      item_move(c, w->item, item);
      uvf__waits_announce(&c->waits, &c->waits.rx, w, &bells);
      r = 0;
    }
  }
  uvf__unlock(&c->waits.lock);
  uvf__bells_ring(&bells);
  return r;
}

static int meet_sender(uvf__chan_t *c, void *item) {
  uvf__bells_t bells = uvf__bells_none();
  int r = UV_EAGAIN;
  uvf__lock(&c->waits.lock);
  if (c->q.rendezvous.closed != 0) {
    r = uvf__chan_end(c);
  } else {
    uvf__waiter_t *w = partner(c, &c->waits.tx);
    if (w != NULL) {
      item_move(c, item, w->item);
      uvf__waits_announce(&c->waits, &c->waits.tx, w, &bells);
      r = 0;
    }
  }
  uvf__unlock(&c->waits.lock);
  uvf__bells_ring(&bells);
  return r;
}

static int rendezvous_send(uvf__chan_t *c, const void *items, int n) {
  int done = 0, r = 0;
  if (uvf__chan_foreign(c)) return UV_ENOTSUP;
  while (done < n && (r = meet_receiver(c, (const char *)items + (size_t)done * c->item_size)) == 0)
    done++;
  return done > 0 ? done : r;
}

static int rendezvous_recv(uvf__chan_t *c, void *items, int n) {
  int done = 0, r = 0;
  if (uvf__chan_foreign(c)) return UV_ENOTSUP;
  while (done < n && (r = meet_sender(c, (char *)items + (size_t)done * c->item_size)) == 0)
    done++;
  return done > 0 ? done : r;
}

static int rendezvous_look(uvf__chan_t *c) {
  if (uvf__chan_foreign(c)) return UV_ENOTSUP;
  uvf__lock(&c->waits.lock);
  int r = c->q.rendezvous.closed != 0 ? uvf__chan_end(c) : first_partner(&c->waits.tx) != NULL ? 0 : UV_EAGAIN;
  uvf__unlock(&c->waits.lock);
  return r;
}

/* There is no room to reserve, only somebody to give to. */
static int rendezvous_reserve(uvf__chan_t *c) {
  (void)c;
  return UV_ENOTSUP;
}

/* A reader: first what a sender has put into its cell, then whoever waits. */
static int rendezvous_claim(uvf__chan_t *c, uvf__waiter_t *w, uvf__run_t *run, int n) {
  (void)n;
  int r = w->status == 0 ? 0 : meet_sender(c, w->item);
  w->status = UV_EAGAIN;
  if (r != 0) return r;
  *run = (uvf__run_t){w->item, NULL, 0, 1};
  return 1;
}

static void rendezvous_give_back(uvf__chan_t *c, const uvf__run_t *run) {
  (void)c;
  (void)run;
}

/* Room comes only with a receiver, who takes the item himself; so all there is to end here are the waiters of a closed one. */
static void rendezvous_serve(uvf__chan_t *c) {
  bool more = true;
  while (more) {
    uvf__bells_t bells = uvf__bells_none();
    uvf__lock(&c->waits.lock);
    more = c->q.rendezvous.closed != 0;
    while (more && !uvf__bells_full(&bells)) {
      more = uvf__waits_fire(&c->waits, &c->waits.tx, UV_EPIPE, &bells);
      if (more) uvf__chan_count_returned(c);
    }
    uvf__unlock(&c->waits.lock);
    uvf__bells_ring(&bells);
  }
}

static int rendezvous_closed(uvf__chan_t *c) {
  return c->q.rendezvous.closed;
}

static void rendezvous_close(uvf__chan_t *c, int how) {
  c->q.rendezvous.closed |= how;
}

static void rendezvous_counts(uvf__chan_t *c, uvf__counts_t *out) {
  uvf__lock(&c->waits.lock);
  out->sent = out->taken = c->q.rendezvous.count;
  uvf__unlock(&c->waits.lock);
}

/* ---- waiting ---- */

static int send_attempt(uvf__waiter_t *w) {
  return uvf__chan_foreign(uvf__chan_of_tx((uvf_tx_t *)w->object))
             ? UV_ENOTSUP
             : meet_receiver(uvf__chan_of_tx((uvf_tx_t *)w->object), w->item);
}

static int recv_attempt(uvf__waiter_t *w) {
  return uvf__chan_foreign(uvf__chan_of_rx((uvf_rx_t *)w->object))
             ? UV_ENOTSUP
             : meet_sender(uvf__chan_of_rx((uvf_rx_t *)w->object), w->item);
}

/* Links unless a partner has come since the attempt, or the end. */
static bool enlist(uvf__chan_t *c, uvf__waitlist_t *mine, uvf__waitlist_t *theirs, uvf__waiter_t *w, bool front) {
  uvf__lock(&c->waits.lock);
  bool stay = c->q.rendezvous.closed == 0 && first_partner(theirs) == NULL;
  if (stay) uvf__waits_link(&c->waits, mine, w, front);
  uvf__unlock(&c->waits.lock);
  return stay;
}

static void withdraw(uvf__chan_t *c, uvf__waitlist_t *mine, uvf__waiter_t *w) {
  uvf__waits_withdraw(&c->waits, mine, w);
}

static bool send_enlist(uvf__waiter_t *w, bool front) {
  uvf__chan_t *c = uvf__chan_of_tx((uvf_tx_t *)w->object);
  if (!enlist(c, &c->waits.tx, &c->waits.rx, w, front)) return false;
  uvf__waits_wake(&c->waits, &c->waits.rx, INT_MAX,
                  UV_EAGAIN); /* no receivers, or they would have met: only who looks */
  return true;
}

static void send_withdraw(uvf__waiter_t *w) {
  uvf__chan_t *c = uvf__chan_of_tx((uvf_tx_t *)w->object);
  withdraw(c, &c->waits.tx, w);
  uvf__chan_count_returned(c);
}

static bool recv_enlist(uvf__waiter_t *w, bool front) {
  uvf__chan_t *c = uvf__chan_of_rx((uvf_rx_t *)w->object);
  return enlist(c, &c->waits.rx, &c->waits.tx, w, front);
}

static void recv_withdraw(uvf__waiter_t *w) {
  uvf__chan_t *c = uvf__chan_of_rx((uvf_rx_t *)w->object);
  withdraw(c, &c->waits.rx, w);
}

/* What a partner decides comes with its item; a receiver is told to try only at the end, and then all of them are. */
static void pass_on(uvf__waiter_t *w) {
  (void)w;
}

static int readable_attempt(uvf__waiter_t *w) {
  return rendezvous_look(uvf__chan_of_rx((uvf_rx_t *)w->object));
}

static const uvf__wait_type_t send_wait = {send_attempt,           send_enlist,          send_withdraw, pass_on,
                                           uvf__tx_release_object, "to send to channel", uvf__tx_name};
static const uvf__wait_type_t recv_wait = {
    recv_attempt, recv_enlist, recv_withdraw, pass_on, uvf__rx_release_object, "to receive from channel", uvf__rx_name};
static const uvf__wait_type_t readable_wait = {readable_attempt,
                                               recv_enlist,
                                               recv_withdraw,
                                               pass_on,
                                               uvf__rx_release_object,
                                               "for something to receive from channel",
                                               uvf__rx_name};

const uvf__chan_kind_t uvf__rendezvous = {
    rendezvous_send,
    rendezvous_recv,
    rendezvous_look,
    rendezvous_claim,
    rendezvous_give_back,
    rendezvous_reserve,
    NULL,
    NULL,
    rendezvous_serve,
    rendezvous_closed,
    rendezvous_close,
    rendezvous_counts,
    &send_wait,
    NULL,
    &recv_wait,
    &readable_wait,
};
