/* SPDX-License-Identifier: MIT */
/* Counters and states of a channel.
 *
 * Protocol. What was sent and taken is read off the queue's own positions, so that counting costs a send nothing. The rest are
 * counters that nothing depends on. N1: relaxed, since nothing is published through them. */
#include "chan/chan.h"

#include <string.h>

void uvf__chan_count_returned(uvf__chan_t *c) {
  a_add(&c->returned, 1, relaxed); /* N1 */
}

void uvf__chan_note_length(uvf__chan_t *c, uint64_t length) {
  uint64_t high = a_load(&c->high_water, relaxed);                                   /* N1 */
  while (length > high && !a_cas(&c->high_water, &high, length, relaxed, relaxed)) { /* N1 */
  }
}

void uvf__chan_note_full(uvf__chan_t *c) {
  uvf__counts_t counts;
  c->kind->counts(c, &counts);
  uvf__chan_note_length(c, counts.sent - counts.taken);
}

static size_t length(uvf__chan_t *c) {
  uvf__counts_t counts;
  if (uvf__chan_foreign(c)) return 0;
  c->kind->counts(c, &counts);
  return (size_t)(counts.sent - counts.taken);
}

static int closed(uvf__chan_t *c) {
  if (uvf__chan_foreign(c)) return UVF__CLOSED;
  uvf__lock(&c->waits.lock);
  int how = c->kind->closed(c);
  uvf__unlock(&c->waits.lock);
  return how;
}

static void stats(uvf__chan_t *c, uvf_chan_stats_t *out) {
  uvf__counts_t counts;
  memset(out, 0, sizeof *out);
  if (c->named != NULL) memcpy(out->name, c->named->name, sizeof out->name);
  out->capacity = c->capacity == UVF_RENDEZVOUS ? 0 : c->capacity;
  if (uvf__chan_foreign(c)) return;
  uint64_t away = a_load(&c->turned_away, relaxed); /* N1 */
  out->dropped = a_load(&c->dropped, relaxed);      /* N1 */
  c->kind->counts(c, &counts);
  out->sent = counts.sent + away;
  out->received = counts.taken + away > out->dropped ? counts.taken + away - out->dropped : 0;
  out->len = (size_t)(counts.sent - counts.taken);
  uvf__chan_note_length(c, out->len);
  out->high_water = (size_t)a_load(&c->high_water, relaxed); /* N1 */
  out->returned = a_load(&c->returned, relaxed);             /* N1 */
  uvf__lock(&c->waits.lock);
  out->waits = c->waits.begun;
  out->wakes = uvf__waits_fired(&c->waits);
  out->closed = c->kind->closed(c) != 0;
  uvf__unlock(&c->waits.lock);
}

void uvf_tx_stats(const uvf_tx_t *tx, uvf_chan_stats_t *out) {
  if (tx != NULL && out != NULL) stats(uvf__chan_of_tx(tx), out);
}

void uvf_rx_stats(const uvf_rx_t *rx, uvf_chan_stats_t *out) {
  if (rx != NULL && out != NULL) stats(uvf__chan_of_rx(rx), out);
}

size_t uvf_tx_len(const uvf_tx_t *tx) {
  return tx == NULL ? 0 : length(uvf__chan_of_tx(tx));
}

size_t uvf_rx_len(const uvf_rx_t *rx) {
  return rx == NULL ? 0 : length(uvf__chan_of_rx(rx));
}

int uvf_tx_status(const uvf_tx_t *tx) {
  if (tx == NULL) return UV_EINVAL;
  return closed(uvf__chan_of_tx(tx)) == 0 ? 0 : uvf__chan_end(uvf__chan_of_tx(tx));
}

int uvf_rx_status(const uvf_rx_t *rx) {
  if (rx == NULL) return UV_EINVAL;
  uvf__chan_t *c = uvf__chan_of_rx(rx);
  if (closed(c) == 0) return 0;
  if (uvf__chan_foreign(c)) return uvf__chan_end(c);
  int r = c->kind->look(c);
  return r == UV_EAGAIN ? 0 : r; /* that waits for a permit, or for an item that is being written */
}
