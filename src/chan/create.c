/* SPDX-License-Identifier: MIT */
/* Making channels: which queue a channel gets, and its memory.
 * Protocol. C-3: init. */
#include "chan/chan.h"

#include "base/alloc.h"

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

/* DROP_OLDEST needs a queue that can give its oldest item to the sender; lock-free ones are of no use where an atomic is a mutex. */
static uvf__queue_kind_t queue_for(const uvf_chan_options_t *o) {
  if (o->capacity == UVF_RENDEZVOUS) return UVF__NO_QUEUE;
  if (!UVF__ATOMICS || o->overflow == UVF_OVERFLOW_DROP_OLDEST) return UVF__LOCKED_RING;
  if (o->capacity == UVF_UNBOUNDED) return UVF__BLOCK_LIST;
  return (o->flags & UVF_SPSC) != 0 ? UVF__SPSC_RING : UVF__MPMC_RING;
}

/* Of the union only so much as the queue needs. */
size_t uvf__chan_bytes(uvf__queue_kind_t queue) {
  size_t head = offsetof(uvf__chan_t, q);
  switch (queue) {
  case UVF__NO_QUEUE: return head + sizeof(((uvf__chan_t *)0)->q.rendezvous);
  case UVF__LOCKED_RING: return head + sizeof(uvf__locked_ring_t);
  case UVF__BLOCK_LIST: return head + sizeof(uvf__block_list_t);
  case UVF__SPSC_RING: return head + sizeof(uvf__spsc_ring_t);
  case UVF__CELL: return uvf__aligned(head + sizeof(uvf__cell_t));
  case UVF__MPMC_RING:
  default: return head + sizeof(uvf__mpmc_ring_t);
  }
}

static int queue_init(uvf__chan_t *c, uvf__queue_kind_t queue, void *item) {
  size_t growing = c->capacity == UVF_UNBOUNDED ? UVF__LOCKED_RING_GROWS : c->capacity;
  switch (queue) {
  case UVF__LOCKED_RING: return uvf__locked_ring_init(&c->q.locked, c->item_size, growing, 0);
  case UVF__BLOCK_LIST: return uvf__block_list_init(&c->q.blocks, c->item_size, 0);
  case UVF__SPSC_RING: return uvf__spsc_ring_init(&c->q.spsc, c->item_size, c->capacity, 0);
  case UVF__MPMC_RING: return uvf__mpmc_ring_init(&c->q.ring, c->item_size, c->capacity, 0);
  case UVF__CELL: uvf__cell_init(&c->q.cell, c->item_size, item); return 0;
  case UVF__NO_QUEUE:
  default: return 0;
  }
}

static void set_options(uvf__chan_t *c, const uvf_chan_options_t *o, uvf__queue_kind_t queue) {
  c->kind = queue == UVF__NO_QUEUE ? &uvf__rendezvous : &uvf__queued;
  c->item_size = o->item_size;
  c->capacity = o->capacity;
  c->drop = o->drop;
  c->data = o->data;
  c->overflow = (uint8_t)o->overflow;
  c->spsc = queue == UVF__SPSC_RING;
  c->cell = queue == UVF__CELL;
  c->generation = uvf__fork_generation();
}

static void counters_init(uvf__chan_t *c) {
  a_init(&c->tx.refs, 1);     /* C-3 */
  a_init(&c->waits.refs, 1);  /* C-3 */
  a_init(&c->waits.mem, 2);   /* C-3 */
  a_init(&c->cause, 0);       /* C-3 */
  a_init(&c->dropped, 0);     /* C-3 */
  a_init(&c->returned, 0);    /* C-3 */
  a_init(&c->high_water, 0);  /* C-3 */
  a_init(&c->turned_away, 0); /* C-3 */
  a_init(&c->receiving, 0);   /* C-3 */
}

static uvf__waits_fence_t fence_for(uvf__queue_kind_t queue) {
  switch (queue) {
  case UVF__SPSC_RING: return UVF__FENCE_HEAVY;
  case UVF__NO_QUEUE:
  case UVF__CELL: return UVF__FENCE_NONE;
  default: return UVF__FENCE_PLAIN;
  }
}

int uvf__chan_init(uvf__chan_t *c, const uvf_chan_options_t *o, uvf__queue_kind_t queue, void *item) {
  set_options(c, o, queue);
  counters_init(c);
  if (c->spsc) uvf__fence_setup();
  int r = queue_init(c, queue, item);
  if (r != 0) return r;
  c->ops = queue == UVF__NO_QUEUE ? NULL : c->q.base.ops;
  r = uvf__waits_init(&c->waits, fence_for(queue));
  if (r != 0) {
    if (c->ops != NULL) c->ops->destroy(&c->q.base);
    return r;
  }
  r = o->name != NULL ? uvf__chan_set_name(c, o->name) : 0;
  if (r != 0) uvf__chan_destroy(c);
  return r;
}

void uvf__chan_destroy(uvf__chan_t *c) {
  if (c->ops != NULL) c->ops->destroy(&c->q.base);
  uvf__waits_destroy(&c->waits);
}

int uvf__chan_make(const uvf_chan_options_t *o, uvf__queue_kind_t queue, size_t extra, uvf__chan_t **out) {
  int r = uvf__fork_watch(NULL);
  if (r != 0) return r;
  size_t head = uvf__chan_bytes(queue);
  if (extra > SIZE_MAX / 2 - head) return UV_ENOMEM;
  uvf__chan_t *c = (uvf__chan_t *)uvf__calloc_line(head + extra);
  if (c == NULL) return UV_ENOMEM;
  r = uvf__chan_init(c, o, queue, (char *)c + head);
  if (r != 0) {
    uvf__free_line(c);
    return r;
  }
  *out = c;
  return 0;
}

int uvf_chan_create(const uvf_chan_options_t *o, uvf_tx_t **tx, uvf_rx_t **rx) {
  uvf__chan_t *c;
  int r = tx == NULL || rx == NULL ? UV_EINVAL : options_check(o);
  if (r == 0) r = uvf__chan_make(o, queue_for(o), 0, &c);
  if (r != 0) return r;
  *tx = &c->tx;
  *rx = uvf__rx_of_chan(c);
  return 0;
}

int uvf_oneshot_create(const uvf_chan_options_t *o, uvf_tx_t **tx, uvf_rx_t **rx) {
  uvf__chan_t *c;
  if (tx == NULL || rx == NULL || o == NULL) return UV_EINVAL;
  uvf_chan_options_t one = *o;
  one.capacity = 1;
  int r = one.overflow != UVF_OVERFLOW_WAIT ? UV_EINVAL : options_check(&one);
  if (r == 0) r = uvf__chan_make(&one, UVF__CELL, uvf__cell_bytes(one.item_size), &c);
  if (r != 0) return r;
  *tx = &c->tx;
  *rx = uvf__rx_of_chan(c);
  return 0;
}
