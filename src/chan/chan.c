/* SPDX-License-Identifier: MIT */
/* The ends of channels, and freeing.
 *
 * Protocol. tx.refs and waits.refs count the owners of each end; a pending operation is one of them. `waits.mem` counts what keeps the
 * memory: one unit for each side, for each batch under delivery and for each weak reference. The last tx closes and then gives up its side's unit, the
 * last rx aborts and then gives up its own; the last unit drops what is left and frees. Nobody else frees. Both ends may go at
 * once: each still holds its unit while it closes or aborts.
 * Pairs. C-1: a new reference comes from an old one: relaxed. C-2: the last one acquires what the others released (acq_rel; acquire for who
 *        finds the others gone. Not so tx.refs, which a weak end may raise at any time).
 *        C-4: for sanity looks at a counter. (C-3: create.c.)
 * Model: test/model/freeing_model.cpp. */
#include "chan/chan.h"

#include "base/alloc.h"
#include "base/check.h"

char uvf__no_bytes;

void uvf__chan_hold(uvf__chan_t *c) {
  a_add(&c->waits.mem, 1, relaxed); /* C-1 */
}

/* Where new references come from old ones alone, who sees that his is the only one has no need to count down. */
static bool last_of(a_u32 *count) {
  if (a_load(count, acquire) != 1) return a_sub(count, 1, acq_rel) == 1; /* C-2 */
  a_store(count, 0, relaxed);                                            /* C-4 */
  return true;
}

void uvf__chan_unhold(uvf__chan_t *c) {
  if (!last_of(&c->waits.mem)) return;
  if (uvf__chan_foreign(c)) return; /* the parent's: a lock may be held for ever, and the items are not ours */
  uvf__chan_forget_name(c);
  uvf__chan_drop_all(c);
  uvf__chan_destroy(c);
  if (c->recycle != NULL)
    c->recycle(c);
  else
    uvf__free_line(c);
}

uvf_tx_t *uvf_tx_retain(uvf_tx_t *tx) {
  if (tx != NULL) a_add(&tx->refs, 1, relaxed); /* C-1 */
  return tx;
}

void uvf_tx_release(uvf_tx_t *tx) {
  if (tx == NULL) return;
  uvf__check(a_load(&tx->refs, relaxed) > 0);    /* C-4 */
  if (a_sub(&tx->refs, 1, acq_rel) != 1) return; /* C-2 */
  (void)uvf__chan_close(uvf__chan_of_tx(tx), UVF__CLOSED, 0);
  uvf__chan_unhold(uvf__chan_of_tx(tx));
}

uvf_rx_t *uvf_rx_retain(uvf_rx_t *rx) {
  if (rx != NULL) a_add(&uvf__chan_of_rx(rx)->waits.refs, 1, relaxed); /* C-1 */
  return rx;
}

bool uvf__rx_unref(uvf__chan_t *c) {
  uvf__check(a_load(&c->waits.refs, relaxed) > 0); /* C-4 */
  return last_of(&c->waits.refs);
}

void uvf_rx_release(uvf_rx_t *rx) {
  if (rx == NULL || !uvf__rx_unref(uvf__chan_of_rx(rx))) return;
  (void)uvf__chan_close(uvf__chan_of_rx(rx), UVF__CLOSED | UVF__ABORTED, 0);
  uvf__chan_unhold(uvf__chan_of_rx(rx));
}

size_t uvf__chan_cell_items(const uvf__chan_t *c, size_t max_batch) {
  if (c->kind == &uvf__rendezvous) return 1;
  return c->ops->lends ? 0 : max_batch;
}

/* ---- weak references ---- */

uvf_weak_t *uvf_tx_weaken(uvf_tx_t *tx) {
  if (tx == NULL) return NULL;
  uvf__chan_hold(uvf__chan_of_tx(tx));
  return &uvf__chan_of_tx(tx)->weak;
}

/* From none there is no way back: the last tx has closed the channel, or is about to. */
uvf_tx_t *uvf_weak_upgrade(uvf_weak_t *weak) {
  if (weak == NULL) return NULL;
  uvf_tx_t *tx = &uvf__chan_of_weak(weak)->tx;
  if (uvf_tx_status(tx) != 0) return NULL;
  uint32_t refs = a_load(&tx->refs, relaxed); /* C-1 */
  while (refs > 0)
    if (a_cas(&tx->refs, &refs, refs + 1, relaxed, relaxed)) return tx; /* C-1 */
  return NULL;
}

void uvf_weak_release(uvf_weak_t *weak) {
  if (weak != NULL) uvf__chan_unhold(uvf__chan_of_weak(weak));
}

void uvf__tx_release_object(void *tx) {
  uvf_tx_release((uvf_tx_t *)tx);
}

void uvf__rx_release_object(void *rx) {
  uvf_rx_release((uvf_rx_t *)rx);
}
