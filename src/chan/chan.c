/* SPDX-License-Identifier: MIT */
/* Creating channels, their ends, and freeing.
 *
 * Protocol. tx.refs and rx.refs count the owners of each end; a pending operation is one of them. `mem` counts what keeps the
 * memory: one unit for each side, for each batch under delivery and for each weak reference. The last tx closes and then gives up its side's unit, the
 * last rx aborts and then gives up its own; the last unit drops what is left and frees. Nobody else frees. Both ends may go at
 * once: each still holds its unit while it closes or aborts.
 * Pairs. C-1: a new reference comes from an old one: relaxed. C-2: the last one acquires what the others released (acq_rel).
 *        C-3: init. C-4: sanity look at a counter that the caller holds.
 * Model: test/model/freeing_model.cpp. */
#include "chan/chan.h"

#include "base/alloc.h"
#include "base/check.h"

#define MAX_CAPACITY ((size_t)1 << 31)

static int options_check(const uvf_chan_options_t *o) {
  if (o == NULL || o->capacity == 0 || (o->flags & ~(unsigned)UVF_SPSC) != 0) return UV_EINVAL;
  for (size_t i = 0; i < sizeof o->reserved / sizeof o->reserved[0]; i++)
    if (o->reserved[i] != 0) return UV_EINVAL;
  bool bounded = o->capacity != UVF_UNBOUNDED && o->capacity != UVF_RENDEZVOUS;
  if (bounded && o->capacity > MAX_CAPACITY) return UV_EINVAL;
  if (!bounded && (o->flags & UVF_SPSC) != 0) return UV_EINVAL;
  switch (o->overflow) {
  case UVF_OVERFLOW_WAIT: return 0;
  case UVF_OVERFLOW_DROP_OLDEST:
  case UVF_OVERFLOW_DROP_NEWEST: return bounded ? 0 : UV_EINVAL;
  case UVF_OVERFLOW_DISCONNECT: /* broadcast only */
  default: return UV_EINVAL;
  }
}

typedef enum { RENDEZVOUS, LOCKED, BLOCKS, TWO_THREADS, RING } queue_t;

/* DROP_OLDEST needs a queue that can give its oldest item to the sender; lock-free ones are of no use where an atomic is a mutex. */
static queue_t queue_for(const uvf_chan_options_t *o) {
  if (o->capacity == UVF_RENDEZVOUS) return RENDEZVOUS;
  if (!UVF__ATOMICS || o->overflow == UVF_OVERFLOW_DROP_OLDEST) return LOCKED;
  if (o->capacity == UVF_UNBOUNDED) return BLOCKS;
  return (o->flags & UVF_SPSC) != 0 ? TWO_THREADS : RING;
}

/* Of the union only so much as the queue needs. */
static size_t chan_size(queue_t queue) {
  size_t head = offsetof(uvf__chan_t, q);
  switch (queue) {
  case RENDEZVOUS: return head + sizeof(((uvf__chan_t *)0)->q.rendezvous);
  case LOCKED: return head + sizeof(uvf__locked_ring_t);
  case BLOCKS: return head + sizeof(uvf__block_list_t);
  case TWO_THREADS: return head + sizeof(uvf__spsc_ring_t);
  case RING:
  default: return head + sizeof(uvf__mpmc_ring_t);
  }
}

static int queue_init(uvf__chan_t *c, queue_t queue) {
  size_t growing = c->capacity == UVF_UNBOUNDED ? UVF__LOCKED_RING_GROWS : c->capacity;
  switch (queue) {
  case LOCKED: return uvf__locked_ring_init(&c->q.locked, c->item_size, growing, 0);
  case BLOCKS: return uvf__block_list_init(&c->q.blocks, c->item_size, 0);
  case TWO_THREADS: return uvf__spsc_ring_init(&c->q.spsc, c->item_size, c->capacity, 0);
  case RING: return uvf__mpmc_ring_init(&c->q.ring, c->item_size, c->capacity, 0);
  case RENDEZVOUS:
  default: return 0;
  }
}

static void set_options(uvf__chan_t *c, const uvf_chan_options_t *o) {
  c->kind = o->capacity == UVF_RENDEZVOUS ? &uvf__rendezvous : &uvf__queued;
  c->item_size = o->item_size;
  c->capacity = o->capacity;
  c->drop = o->drop;
  c->data = o->data;
  c->overflow = (uint8_t)o->overflow;
  c->spsc = queue_for(o) == TWO_THREADS;
  c->generation = uvf__fork_generation();
}

static void counters_init(uvf__chan_t *c) {
  a_init(&c->tx.refs, 1);     /* C-3 */
  a_init(&c->rx.refs, 1);     /* C-3 */
  a_init(&c->mem, 2);         /* C-3 */
  a_init(&c->cause, 0);       /* C-3 */
  a_init(&c->dropped, 0);     /* C-3 */
  a_init(&c->returned, 0);    /* C-3 */
  a_init(&c->high_water, 0);  /* C-3 */
  a_init(&c->turned_away, 0); /* C-3 */
  a_init(&c->receiving, 0);   /* C-3 */
}

static void chan_destroy(uvf__chan_t *c) {
  if (c->kind == &uvf__queued) c->ops->destroy(&c->q.base);
  uvf__waits_destroy(&c->waits);
}

int uvf_chan_create(const uvf_chan_options_t *o, uvf_tx_t **tx, uvf_rx_t **rx) {
  int r = tx == NULL || rx == NULL ? UV_EINVAL : options_check(o);
  if (r != 0) return r;
  r = uvf__fork_watch(NULL);
  if (r != 0) return r;
  uvf__chan_t *c = (uvf__chan_t *)uvf__calloc_line(chan_size(queue_for(o)));
  if (c == NULL) return UV_ENOMEM;
  set_options(c, o);
  counters_init(c);
  if (c->spsc) uvf__fence_setup();
  r = queue_init(c, queue_for(o));
  if (r == 0) {
    c->ops = c->kind == &uvf__queued ? c->q.base.ops : NULL;
    r = uvf__waits_init(&c->waits, c->spsc);
    if (r != 0 && c->kind == &uvf__queued) c->ops->destroy(&c->q.base);
  }
  if (r == 0 && o->name != NULL) {
    r = uvf__chan_set_name(c, o->name);
    if (r != 0) chan_destroy(c);
  }
  if (r != 0) {
    uvf__free_line(c);
    return r;
  }
  *tx = &c->tx;
  *rx = &c->rx;
  return 0;
}

void uvf__chan_hold(uvf__chan_t *c) {
  a_add(&c->mem, 1, relaxed); /* C-1 */
}

void uvf__chan_unhold(uvf__chan_t *c) {
  if (a_sub(&c->mem, 1, acq_rel) != 1) return; /* C-2 */
  if (uvf__chan_foreign(c)) return; /* the parent's: a lock may be held for ever, and the items are not ours */
  uvf__chan_forget_name(c);
  uvf__chan_drop_all(c);
  chan_destroy(c);
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
  if (rx != NULL) a_add(&rx->refs, 1, relaxed); /* C-1 */
  return rx;
}

void uvf_rx_release(uvf_rx_t *rx) {
  if (rx == NULL) return;
  uvf__check(a_load(&rx->refs, relaxed) > 0);    /* C-4 */
  if (a_sub(&rx->refs, 1, acq_rel) != 1) return; /* C-2 */
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
