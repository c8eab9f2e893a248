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

/* ---- what is evicted, until it is dropped: after the locks ---- */

void uvf__evicted_init(uvf__evicted_t *e, const uvf__chan_t *c) {
  e->ready = c->overflow == UVF_OVERFLOW_DROP_OLDEST;
  e->full = false;
  e->large = NULL;
  if (!e->ready || c->item_size <= sizeof e->small || c->drop == NULL) return;
  e->large = uvf__calloc(1, c->item_size);
  e->ready = e->large != NULL;
}

void uvf__evicted_fini(uvf__evicted_t *e, uvf__chan_t *c) {
  if (e->full) uvf__chan_drop_items(c, e->large != NULL ? e->large : e->small, 1);
  uvf__free(e->large);
}

int uvf__evict_for(uvf__chan_t *c, const void *item, uvf__evicted_t *e) {
  void *to = c->drop == NULL ? NULL : e->large != NULL ? e->large : e->small;
  int r = uvf__locked_ring_replace(&c->q.locked, item, to);
  e->full = r > 0;
  return r > 0 ? 0 : r;
}

/* ---- sending ---- */

static int drop_newest(uvf__chan_t *c, const char *items, int n) {
  int done = uvf__queued_put(c, items, n);
  if (done < 0 && done != UV_EAGAIN) return done;
  if (done < 0) done = 0;
  if (c->ops->closed(uvf__queue_of(c)) != 0) return done > 0 ? done : UV_EPIPE;
  if (done < n) {
    uvf__chan_note_full(c);
    a_add(&c->turned_away, (uint64_t)(n - done), relaxed); /* V1 */
    /* The items are moved in by this call, so they are the channel's to drop. */
    uvf__chan_drop_items(c, (void *)(uintptr_t)(items + (size_t)done * c->item_size), n - done);
  }
  return n;
}

/* Moves one item in, whatever it costs; but behind those who wait: they have been served as far as that goes. */
static int replace(uvf__chan_t *c, const void *item) {
  uvf__evicted_t e;
  uvf__chan_note_full(c);
  uvf__evicted_init(&e, c);
  int r = e.ready ? uvf__evict_for(c, item, &e) : UV_ENOMEM;
  if (r == 0) uvf__queued_published(c, 1);
  uvf__evicted_fini(&e, c);
  return r;
}

static int drop_oldest(uvf__chan_t *c, const char *items, int n) {
  int done = 0, r = 0;
  while (done < n && r >= 0) {
    const char *item = items + (size_t)done * c->item_size;
    r = uvf__queued_put(c, item, 1);
    if (r == UV_EAGAIN) r = replace(c, item);
    if (r >= 0) done++;
  }
  return done > 0 ? done : r;
}

int uvf__overflow_send(uvf__chan_t *c, const void *items, int n) {
  return c->overflow == UVF_OVERFLOW_DROP_NEWEST ? drop_newest(c, (const char *)items, n)
                                                 : drop_oldest(c, (const char *)items, n);
}
