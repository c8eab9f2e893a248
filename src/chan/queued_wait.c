/* SPDX-License-Identifier: MIT */
/* How operations wait for a channel with a queue: queued.c says who is served and who is told to try. */
#include "chan/queued.h"

static uvf__chan_t *tx_chan(const uvf__waiter_t *w) {
  return uvf__chan_of_tx((uvf_tx_t *)w->object);
}

static uvf__chan_t *rx_chan(const uvf__waiter_t *w) {
  return uvf__chan_of_rx((uvf_rx_t *)w->object);
}

/* ---- senders, and who waits for a permit: served, never told to try ---- */

static int send_attempt(uvf__waiter_t *w) {
  int r = uvf__queued_send(tx_chan(w), w->item, 1);
  return r > 0 ? 0 : r;
}

static bool send_enlist(uvf__waiter_t *w, bool front) {
  uvf__chan_note_full(tx_chan(w));
  uvf__queued_enlist_sender(tx_chan(w), w, front);
  return true;
}

static void send_withdraw(uvf__waiter_t *w) {
  uvf__waits_withdraw(&tx_chan(w)->waits, &tx_chan(w)->waits.tx, w);
  uvf__chan_count_returned(tx_chan(w));
}

static void nothing_to_pass_on(uvf__waiter_t *w) {
  (void)w;
}

static int reserve_attempt(uvf__waiter_t *w) {
  ((uvf__permit_t *)w->item)->tx = NULL;
  int r = uvf__queued_reserve(tx_chan(w));
  if (r == 0) uvf__permit_grant(w->item, (uvf_tx_t *)w->object);
  return r;
}

static bool reserve_enlist(uvf__waiter_t *w, bool front) {
  uvf__queued_enlist_sender(tx_chan(w), w, front);
  return true;
}

static void reserve_withdraw(uvf__waiter_t *w) {
  uvf__waits_withdraw(&tx_chan(w)->waits, &tx_chan(w)->waits.tx, w);
}

/* ---- receivers, and who waits for something to receive: told to try ---- */

static int recv_attempt(uvf__waiter_t *w) {
  int r = uvf__queued_take(rx_chan(w), w->item, 1, false);
  return r > 0 ? 0 : r;
}

/* Under the lock. Aborting sets the mark under it, and then wakes who is linked; after that nobody may sleep, whatever is still
 * claimed, written or held by permits. */
static bool aborted(uvf__chan_t *c) {
  return (uvf__waits_peek(&c->waits) & UVF__MARK_ABORT) != 0;
}

static bool recv_enlist(uvf__waiter_t *w, bool front) {
  uvf__chan_t *c = rx_chan(w);
  uvf__lock(&c->waits.lock);
  uvf__waits_link(&c->waits, &c->waits.rx, w, front);
  bool stay = !aborted(c) && !uvf__queue_readable(uvf__queue_of(c));
  if (!stay) uvf__waits_unlink(&c->waits, &c->waits.rx, w);
  uvf__unlock(&c->waits.lock);
  return stay;
}

static void recv_withdraw(uvf__waiter_t *w) {
  uvf__waits_withdraw(&rx_chan(w)->waits, &rx_chan(w)->waits.rx, w);
}

static void recv_pass_on(uvf__waiter_t *w) {
  uvf__queued_pass_on(rx_chan(w));
}

/* It takes nothing, so what woke it is there for the next receiver, too. */
static int readable_attempt(uvf__waiter_t *w) {
  int r = uvf__queued_look(rx_chan(w));
  if (r != UV_EAGAIN) uvf__queued_pass_on(rx_chan(w));
  return r;
}

const uvf__wait_type_t uvf__queued_send_wait = {
    send_attempt,           send_enlist,          send_withdraw, nothing_to_pass_on,
    uvf__tx_release_object, "to send to channel", uvf__tx_name};
const uvf__wait_type_t uvf__queued_reserve_wait = {
    reserve_attempt,           reserve_enlist, reserve_withdraw, nothing_to_pass_on, uvf__tx_release_object,
    "for a permit of channel", uvf__tx_name};
const uvf__wait_type_t uvf__queued_recv_wait = {
    recv_attempt, recv_enlist, recv_withdraw, recv_pass_on, uvf__rx_release_object, "to receive from channel",
    uvf__rx_name};
const uvf__wait_type_t uvf__queued_readable_wait = {readable_attempt,
                                                    recv_enlist,
                                                    recv_withdraw,
                                                    recv_pass_on,
                                                    uvf__rx_release_object,
                                                    "for something to receive from channel",
                                                    uvf__rx_name};
