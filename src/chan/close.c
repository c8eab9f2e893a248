/* SPDX-License-Identifier: MIT */
/* Closing, aborting, dropping.
 *
 * Protocol. Closing is decided under the channel's lock, so that the first closer's cause is in place before anyone can see
 * the end; the queue's own word then refuses senders. Waiting senders end through `serve`, which finds the queue closed;
 * receivers are told to look, and who waits for just this is told that it is so. The send of a one-shot channel closes it, too,
 * without the lock: if it comes between a closer's look and its close, the closer is too late and its cause is not told (OWN of
 * queue/cell.c). Abort also sets UVF__MARK_ABORT: a publisher whose claim came before it and whose write comes after it sees that
 * mark at its look, and drops what it wrote; so nothing is left behind and nobody waits for it.
 * Pairs. D1: cause (relaxed; ordered by the queue's closed bit, which the reader has seen). D2: ABORT, a mark like RX and TX
 * (waits.h, M1). D3: a counter for stats: relaxed.
 * Models: test/model/abort_model.cpp, cell_model.cpp. */
#include "chan/chan.h"

#include "queue/item.h"

static bool cause_valid(int cause) {
  return cause <= 0 && cause != UV_EAGAIN && cause != UV_ETIMEDOUT && cause != UV_ECANCELED;
}

static bool closed_by_send(uvf__chan_t *c) {
  return c->cell && uvf__cell_closed_itself(&c->q.cell);
}

int uvf__chan_end(uvf__chan_t *c) {
  if (closed_by_send(c)) return UV_EOF;
  int cause = (int)a_load(&c->cause, relaxed); /* D1 */
  return cause == 0 ? UV_EOF : cause;
}

int uvf__chan_close(uvf__chan_t *c, int how, int cause) {
  if (uvf__chan_foreign(c)) return UV_ENOTSUP;
  uvf__lock(&c->waits.lock);
  int was = c->kind->closed(c);
  bool first = (was & how) != how;
  if (first) {
    if (was == 0) a_store(&c->cause, (uint32_t)cause, relaxed); /* D1 */
    c->kind->close(c, how);
    if (how == UVF__CLOSED && closed_by_send(c)) first = false; /* it has just been sent; the sender tells */
    if ((how & UVF__ABORTED) != 0) a_or(&c->waits.marks, UVF__MARK_ABORT, seq_cst); /* D2 */
  }
  uint32_t marks = uvf__waits_look(&c->waits); /* who comes after this lock finds it closed */
  uvf__unlock(&c->waits.lock);
  if (!first) return UV_EALREADY;
  c->kind->serve(c);
  if ((marks & UVF__MARK_RX) != 0) uvf__waits_wake(&c->waits, &c->waits.rx, INT_MAX, UV_EAGAIN);
  if ((marks & UVF__MARK_END) != 0) uvf__waits_wake(&c->waits, &c->waits.end, INT_MAX, UV_EAGAIN);
  if ((how & UVF__ABORTED) != 0) uvf__chan_drop_all(c);
  return 0;
}

void uvf__chan_drop_items(uvf__chan_t *c, void *items, int n) {
  if (c->drop != NULL)
    for (int i = 0; i < n; i++)
      c->drop((char *)items + (size_t)i * uvf__item_stride(c->item_size), c->data);
  a_add(&c->dropped, (uint64_t)n, relaxed); /* D3 */
}

/* With UVF_SPSC the receiving role belongs to the holder of the lock once the channel is aborted. */
static int claim_to_drop(uvf__chan_t *c, uvf__run_t *run) {
  if (c->spsc) uvf__lock(&c->waits.lock);
  int n = c->ops->claim(&c->q.base, run, INT_MAX);
  if (c->spsc) uvf__unlock(&c->waits.lock);
  return n;
}

static void give_back_dropped(uvf__chan_t *c, const uvf__run_t *run) {
  if (c->spsc) uvf__lock(&c->waits.lock);
  c->ops->give_back(&c->q.base, run);
  if (c->spsc) uvf__unlock(&c->waits.lock);
}

void uvf__chan_drop_all(uvf__chan_t *c) {
  uvf__run_t run;
  int n;
  if (c->kind != &uvf__queued) return;
  while ((n = claim_to_drop(c, &run)) > 0) {
    uvf__chan_drop_items(c, run.items, n);
    give_back_dropped(c, &run);
  }
}

int uvf_tx_close(uvf_tx_t *tx, int cause) {
  if (tx == NULL || !cause_valid(cause)) return UV_EINVAL;
  return uvf__chan_close(uvf__chan_of_tx(tx), UVF__CLOSED, cause);
}

int uvf_rx_close(uvf_rx_t *rx, int cause) {
  if (rx == NULL || !cause_valid(cause)) return UV_EINVAL;
  return uvf__chan_close(uvf__chan_of_rx(rx), UVF__CLOSED, cause);
}

int uvf_rx_abort(uvf_rx_t *rx, int cause) {
  if (rx == NULL || !cause_valid(cause)) return UV_EINVAL;
  return uvf__chan_close(uvf__chan_of_rx(rx), UVF__CLOSED | UVF__ABORTED, cause);
}
