/* SPDX-License-Identifier: MIT */
/* Queue under a mutex.
 *
 * Protocol. All state lies under `lock`; no allocator call under it. Marks and looks (queue.h) need nothing else: of two
 * critical sections the later one sees what the thread of the earlier one did before it. So a sender whose item a look missed
 * comes after that look, and with it after the mark.
 *
 * Invariants. I1: tail - head + held <= capacity and <= slots, so that a permit neither fails nor waits, nor needs memory.
 * I2: `claim` lends what only a closed queue holds; there nobody is given room any more, so that the slots can stay as they
 * are; and once it is closed the memory stays, too, whoever was about to grow or to shrink it. A reader, who would lend from an
 * open queue, takes copies (`lends` is false). */
#include "queue/locked_ring.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/list.h"
#include "queue/item.h"

#define FIRST_SLOTS 8
#define KEPT_SLOTS 256  /* an empty ring that has grown beyond that gives its memory back */
#define MAX_HELD 0x3fff /* as in the other queues */

static uvf__locked_ring_t *ring_of(uvf__queue_t *q) {
  return uvf__container(q, uvf__locked_ring_t, base);
}

static void *slot_at(uvf__locked_ring_t *q, uint64_t p) {
  return q->items + (size_t)(p % q->slots) * uvf__item_stride(q->base.item_size);
}

/* ---- under lock ---- */

static uint64_t used(const uvf__locked_ring_t *q) {
  return q->tail - q->head + q->held;
}

static int why_empty(const uvf__locked_ring_t *q) {
  return q->how != 0 && q->held == 0 ? UV_EOF : UV_EAGAIN;
}

static void put(uvf__locked_ring_t *q, const void *item) {
  uvf__item_write(slot_at(q, q->tail), item, q->base.item_size);
  q->tail++;
}

static void take(uvf__locked_ring_t *q, void *item) {
  if (item != NULL) uvf__item_read(item, slot_at(q, q->head), q->base.item_size);
  q->head++;
}

/* Moves all items to `items`, which has `slots` slots, and returns the old memory. */
static char *move_to(uvf__locked_ring_t *q, char *items, size_t slots) {
  char *old = q->items;
  size_t stride = uvf__item_stride(q->base.item_size);
  for (uint64_t p = q->head; p != q->tail; p++)
    uvf__item_copy(items + (size_t)(p % slots) * stride, slot_at(q, p), q->base.item_size);
  q->items = items;
  q->slots = slots;
  return old;
}

/* Makes the ring larger than it is now, unless it is closed meanwhile: it gives the lock up. 0 or UV_ENOMEM. */
static int grow(uvf__locked_ring_t *q) {
  size_t slots = q->slots == 0 ? FIRST_SLOTS : q->slots * 2, stride = uvf__item_stride(q->base.item_size);
  char *items = NULL;
  uvf__unlock(&q->lock);
  if (slots <= SIZE_MAX / 2 / (stride == 0 ? 1 : stride)) items = (char *)uvf__calloc_line(slots * stride);
  uvf__lock(&q->lock);
  if (items == NULL) return UV_ENOMEM;
  if (q->how == 0 && q->slots < slots) items = move_to(q, items, slots); /* I2 */
  uvf__unlock(&q->lock);
  uvf__free_line(items);
  uvf__lock(&q->lock);
  return 0;
}

/* The memory to be freed after the lock; NULL: keep it. */
static char *shrink(uvf__locked_ring_t *q) {
  if (q->how != 0 || q->slots <= KEPT_SLOTS || q->slots == q->capacity || used(q) > 0) return NULL; /* I2 */
  char *items = q->items;
  q->items = NULL;
  q->slots = 0;
  return items;
}

/* Is there room for one more? 0, UV_EAGAIN, UV_EPIPE, UV_ENOMEM. */
static int room(uvf__locked_ring_t *q) {
  for (;;) {
    if (q->how != 0) return UV_EPIPE;
    if (used(q) >= q->capacity) return UV_EAGAIN;
    if (used(q) < q->slots) return 0;
    int r = grow(q);
    if (r != 0) return r;
  }
}

/* ---- the contract ---- */

static int ring_send(uvf__queue_t *base, const void *items, int n) {
  uvf__locked_ring_t *q = ring_of(base);
  int done = 0, r = 0;
  uvf__lock(&q->lock);
  while (done < n && (r = room(q)) == 0)
    put(q, (const char *)items + (size_t)done++ * base->item_size);
  uvf__unlock(&q->lock);
  return done > 0 ? done : r;
}

static int ring_recv(uvf__queue_t *base, void *items, int n) {
  uvf__locked_ring_t *q = ring_of(base);
  int done = 0;
  uvf__lock(&q->lock);
  while (done < n && q->head != q->tail)
    take(q, (char *)items + (size_t)done++ * base->item_size);
  int r = done > 0 ? done : why_empty(q);
  char *old = shrink(q);
  uvf__unlock(&q->lock);
  uvf__free_line(old);
  return r;
}

static int ring_claim(uvf__queue_t *base, uvf__run_t *run, int n) {
  uvf__locked_ring_t *q = ring_of(base);
  uvf__lock(&q->lock);
  int r = why_empty(q);
  if (q->head != q->tail) {
    uvf__check(q->how != 0); /* I2 */
    uint64_t there = q->tail - q->head, to_end = q->slots - q->head % q->slots;
    r = (uint64_t)n < there ? n : (int)there;
    if ((uint64_t)r > to_end) r = (int)to_end;
    *run = (uvf__run_t){slot_at(q, q->head), NULL, q->head, r};
    q->head += (uint64_t)r;
  }
  uvf__unlock(&q->lock);
  return r;
}

static void ring_give_back(uvf__queue_t *base, const uvf__run_t *run) {
  (void)base;
  (void)run;
}

static int ring_reserve(uvf__queue_t *base) {
  uvf__locked_ring_t *q = ring_of(base);
  uvf__lock(&q->lock);
  int r = q->how == 0 && q->held == MAX_HELD ? UV_EAGAIN : room(q);
  if (r == 0) q->held++;
  uvf__unlock(&q->lock);
  return r;
}

static void ring_unreserve(uvf__queue_t *base) {
  uvf__locked_ring_t *q = ring_of(base);
  uvf__lock(&q->lock);
  uvf__check(q->held > 0);
  q->held--;
  uvf__unlock(&q->lock);
}

static int ring_send_held(uvf__queue_t *base, const void *item) {
  uvf__locked_ring_t *q = ring_of(base);
  uvf__lock(&q->lock);
  uvf__check(q->held > 0);
  bool aborted = (q->how & UVF__ABORTED) != 0;
  q->held--;
  if (!aborted) put(q, item);
  uvf__unlock(&q->lock);
  return aborted ? UV_EPIPE : 0;
}

static int ring_look(uvf__queue_t *base) {
  uvf__locked_ring_t *q = ring_of(base);
  uvf__lock(&q->lock);
  int r = q->head != q->tail ? 0 : why_empty(q);
  uvf__unlock(&q->lock);
  return r;
}

static void ring_close(uvf__queue_t *base, int how) {
  uvf__locked_ring_t *q = ring_of(base);
  uvf__lock(&q->lock);
  q->how |= how;
  uvf__unlock(&q->lock);
}

static int ring_closed(uvf__queue_t *base) {
  uvf__locked_ring_t *q = ring_of(base);
  uvf__lock(&q->lock);
  int how = q->how;
  uvf__unlock(&q->lock);
  return how;
}

static void ring_counts(uvf__queue_t *base, uvf__counts_t *out) {
  uvf__locked_ring_t *q = ring_of(base);
  uvf__lock(&q->lock);
  *out = (uvf__counts_t){q->tail - q->origin, q->head - q->origin};
  uvf__unlock(&q->lock);
}

static void ring_destroy(uvf__queue_t *base) {
  uvf__locked_ring_t *q = ring_of(base);
  uvf__free_line(q->items);
  uvf__mutex_destroy(&q->lock);
}

static const uvf__queue_ops_t ring_ops = {
    false,          ring_send, ring_recv,  ring_claim,  ring_give_back, ring_reserve, ring_unreserve,
    ring_send_held, ring_look, ring_close, ring_closed, ring_counts,    ring_destroy,
};

int uvf__locked_ring_replace(uvf__locked_ring_t *q, const void *item, void *evicted) {
  uvf__lock(&q->lock);
  int r = room(q);
  bool full = r == UV_EAGAIN && q->head != q->tail;
  if (full) take(q, evicted);
  if (full || r == 0) put(q, item);
  uvf__unlock(&q->lock);
  return full ? 1 : r;
}

int uvf__locked_ring_init(uvf__locked_ring_t *q, size_t item_size, size_t capacity, uint64_t start) {
  size_t stride = uvf__item_stride(item_size);
  size_t slots = capacity == UVF__LOCKED_RING_GROWS ? FIRST_SLOTS : capacity;
  if (stride != 0 && slots > SIZE_MAX / 2 / stride) return UV_ENOMEM;
  q->base.ops = &ring_ops;
  q->base.item_size = item_size;
  q->capacity = capacity;
  q->slots = slots;
  q->origin = q->tail = q->head = start;
  q->held = 0;
  q->how = 0;
  q->items = (char *)uvf__calloc_line(slots * stride);
  if (q->items == NULL) return UV_ENOMEM;
  int r = uvf__mutex_init(&q->lock);
  if (r != 0) uvf__free_line(q->items);
  return r;
}
