/* SPDX-License-Identifier: MIT */
/* Full channels whose sends do not wait.
 *
 * Protocol. DROP_NEWEST: what does not go in is dropped, on any queue. DROP_OLDEST: a locked_ring, which moves its oldest item
 * out and the new one in as one step; so each send into a full channel costs exactly one drop, and the newest item is never
 * lost. `drop` runs on the sending thread with no lock held, and may use the channel. Permits are room that is taken and cannot
 * be dropped: where nothing else is left, a send waits after all.
 * V1: a counter: relaxed. */
#include "base/alloc.h"
#include "chan/queued.h"

#define SMALL_ITEM 256

static int drop_newest(uvf__chan_t *c, const char *items, int n) {
  int done = uvf__queued_put(c, items, n);
  if (done < 0 && done != UV_EAGAIN) return done;
  if (done < 0) done = 0;
  if (c->ops->closed(uvf__queue_of(c)) != 0) return done > 0 ? done : UV_EPIPE;
  if (done < n) {
    a_add(&c->turned_away, (uint64_t)(n - done), relaxed); /* V1 */
    /* The items are moved in by this call, so they are the channel's to drop. */
    uvf__chan_drop_items(c, (void *)(uintptr_t)(items + (size_t)done * c->item_size), n - done);
  }
  return n;
}

/* Moves one item in, whatever it costs. `evicted`: memory for an item, or NULL if there is no drop to call. */
static int replace(uvf__chan_t *c, const void *item, void *evicted) {
  int r = uvf__locked_ring_replace(&c->q.locked, item, evicted);
  if (r < 0) return r;
  uvf__queued_published(c, 1);
  if (r > 0) uvf__chan_drop_items(c, evicted, 1);
  return 0;
}

static int drop_oldest(uvf__chan_t *c, const char *items, int n, void *evicted) {
  int done = 0, r = 0;
  while (done < n && r >= 0) {
    const char *item = items + (size_t)done * c->item_size;
    r = uvf__queued_put(c, item, 1);
    if (r == UV_EAGAIN) r = replace(c, item, evicted);
    if (r >= 0) done++;
  }
  return done > 0 ? done : r;
}

int uvf__overflow_send(uvf__chan_t *c, const void *items, int n) {
  _Alignas(max_align_t) char small[SMALL_ITEM];
  if (c->overflow == UVF_OVERFLOW_DROP_NEWEST) return drop_newest(c, (const char *)items, n);
  if (c->drop == NULL) return drop_oldest(c, (const char *)items, n, NULL);
  if (c->item_size <= sizeof small) return drop_oldest(c, (const char *)items, n, small);
  void *large = uvf__calloc(1, c->item_size);
  if (large == NULL) return UV_ENOMEM;
  int r = drop_oldest(c, (const char *)items, n, large);
  uvf__free(large);
  return r;
}
