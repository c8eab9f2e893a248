/* SPDX-License-Identifier: MIT */
/* Bounded ring for one sender and one receiver.
 *
 * Protocol. Positions are 64 bit and never wrap. Two roles, each played by one thread at a time; who hands a role on
 * synchronises with the next (the channel's lock, or the user's own).
 *   sender     busy = 1, light fence, looks at `how`; writes items; tail (release); busy = 0, light fence, looks at `how`
 *              again, and settles if it finds it closed and not settled
 *   receiver   takes positions below tail; head (release) frees them, after the bytes were read or the loan ended
 *   closer     either side: how, heavy fence, looks at `busy` and `held`; neither: settles. Else the sender will see `how` on
 *              its way out, and settles then or with its last permit
 *   settle     end = tail. Only when the sender is not busy and no permit is out, and a later send is refused, so all who
 *              settle store the same.
 * Both fences are those of base/fence.h: Dekker between busy and how. A send that raced with closing is accepted, and EOF
 * (head == end) comes only behind it.
 *
 * Pairs. S1: tail (release) -> the receiver's load: the items' bytes. With the light fence behind it: Q-pub.
 *        S2: head (release) -> the sender's load: its write comes after our read. With the light fence behind it: Q-pub.
 *        S3: how / busy, around the fences: at least one side sees the other (Dekker).
 *        S4: end (release) -> who reads it: tail is final.
 *        S5: fences. light: sender, receiver; heavy: closer, and the channel's side that waits (queue.h).
 *        S6: init; loads of a word by the one who writes it.
 *        S7: taken, for `counts` on other threads, which only counts: relaxed.
 *        S8: held (release) -> a closer's load: permits are used after the close, too, so that a closer that has found the sender
 *            not busy may be overtaken by the last of them; then it settles at the tail that this one has left. So tail is
 *            stored before held.
 * Model: test/model/spsc_ring_model.cpp. */
#include "queue/spsc_ring.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/fence.h"
#include "base/list.h"
#include "queue/item.h"

#define NOT_SETTLED UINT64_MAX
#define PREFETCH_SLOTS 8 /* ahead of tail */
#define MAX_HELD 0x3fff  /* as in the other queues */

static uvf__spsc_ring_t *spsc_of(uvf__queue_t *q) {
  return uvf__container(q, uvf__spsc_ring_t, base);
}

static void *slot_at(uvf__spsc_ring_t *q, uint64_t p) {
  return q->items + (p & q->mask) * uvf__item_stride(q->base.item_size);
}

/* How many of n items from position p on lie before the end of the array. */
static int to_array_end(const uvf__spsc_ring_t *q, uint64_t p, int n) {
  uint64_t left = q->mask + 1 - (p & q->mask);
  return (uint64_t)n < left ? n : (int)left;
}

/* ---- sender ---- */

static void settle(uvf__spsc_ring_t *q) {
  a_store(&q->end, a_load(&q->tail, acquire), release); /* S4 */
}

static uint32_t held_of(uvf__spsc_ring_t *q) {
  return a_load(&q->held, relaxed); /* S6 */
}

static void set_held(uvf__spsc_ring_t *q, uint32_t held) {
  a_store(&q->held, held, release); /* S8 */
}

/* The sender found it closed on its way out. */
static void settle_late(uvf__spsc_ring_t *q) {
  if (held_of(q) != 0 || a_load(&q->end, relaxed) != NOT_SETTLED) return; /* S4 */
  settle(q);
  light_fence(); /* S5: before the caller's look at the marks, as after a send */
}

static inline void sender_leave(uvf__spsc_ring_t *q) {
  a_store(&q->busy, 0, release);                     /* S3 */
  light_fence();                                     /* S5 */
  if (a_load(&q->how, acquire) != 0) settle_late(q); /* S3 */
}

/* Begins a step of the sending role, which sender_leave ends; tells how far closing has gone. Also who is refused then leaves,
 * since a closer may have seen it busy. */
static inline int sender_enter(uvf__spsc_ring_t *q) {
#if UVFLOW_CHECKS
  uvf__check(a_swap(&q->busy, 1, relaxed) == 0); /* S3: two senders at once break the promise of UVF_SPSC */
#else
  a_store(&q->busy, 1, relaxed); /* S3 */
#endif
  light_fence();                        /* S5 */
  return (int)a_load(&q->how, acquire); /* S3 */
}

/* How many items have room, permits left aside; n: so many are wanted. */
static inline uint64_t room(uvf__spsc_ring_t *q, uint64_t tail, int n) {
  uint64_t taken = tail + held_of(q), left = q->capacity - (taken - q->head_seen);
  if (left < (uint64_t)n) {
    q->head_seen = a_load(&q->head, seq_cst); /* S2 */
    left = q->capacity - (taken - q->head_seen);
  }
  return left;
}

/* The common case. Asks for the line of a coming send, if it is known to be free. */
static inline void put_one(uvf__spsc_ring_t *q, uint64_t tail, const void *item, uint64_t left) {
  if (left > PREFETCH_SLOTS) uvf__prefetch_write(slot_at(q, tail + PREFETCH_SLOTS));
  uvf__item_write(slot_at(q, tail), item, q->base.item_size);
  a_store(&q->tail, tail + 1, release); /* S1 */
}

static void put(uvf__spsc_ring_t *q, uint64_t tail, const char *items, int n) {
  int first = to_array_end(q, tail, n);
  uvf__items_write(slot_at(q, tail), items, q->base.item_size, first);
  if (first < n)
    uvf__items_write(slot_at(q, tail + (uint64_t)first), items + (size_t)first * q->base.item_size, q->base.item_size,
                     n - first);
  a_store(&q->tail, tail + (uint64_t)n, release); /* S1 */
}

static int spsc_send(uvf__queue_t *base, const void *items, int n) {
  uvf__spsc_ring_t *q = spsc_of(base);
  int r = UV_EPIPE;
  if (sender_enter(q) == 0) {
    uint64_t tail = a_load(&q->tail, relaxed), left = room(q, tail, n); /* S6 */
    r = left == 0 ? UV_EAGAIN : (uint64_t)n < left ? n : (int)left;
    if (r == 1)
      put_one(q, tail, items, left);
    else if (r > 1)
      put(q, tail, (const char *)items, r);
  }
  sender_leave(q);
  return r;
}

static int spsc_reserve(uvf__queue_t *base) {
  uvf__spsc_ring_t *q = spsc_of(base);
  int r = UV_EPIPE;
  if (sender_enter(q) == 0) {
    bool free = held_of(q) < MAX_HELD && room(q, a_load(&q->tail, relaxed), 1) > 0; /* S6 */
    r = free ? 0 : UV_EAGAIN;
    if (r == 0) set_held(q, held_of(q) + 1);
  }
  sender_leave(q);
  return r;
}

static void spsc_unreserve(uvf__queue_t *base) {
  uvf__spsc_ring_t *q = spsc_of(base);
  (void)sender_enter(q);
  uvf__check(held_of(q) > 0);
  set_held(q, held_of(q) - 1);
  sender_leave(q);
}

static int spsc_send_held(uvf__queue_t *base, const void *item) {
  uvf__spsc_ring_t *q = spsc_of(base);
  bool aborted = (sender_enter(q) & UVF__ABORTED) != 0;
  uvf__check(held_of(q) > 0);
  if (!aborted) put(q, a_load(&q->tail, relaxed), (const char *)item, 1); /* S6 */
  set_held(q, held_of(q) - 1);                                            /* S8: after tail */
  sender_leave(q);
  return aborted ? UV_EPIPE : 0;
}

/* ---- receiver ---- */

static uint64_t taken_of(uvf__spsc_ring_t *q) {
  return a_load(&q->taken, relaxed); /* S6 */
}

/* How many of n items can be taken; or why none. */
static int available(uvf__spsc_ring_t *q, int n) {
  uint64_t taken = taken_of(q);
  if (q->tail_seen - taken < (uint64_t)n) q->tail_seen = a_load(&q->tail, seq_cst); /* S1 */
  uint64_t k = q->tail_seen - taken;
  if (k > 0) return (uint64_t)n < k ? n : (int)k;
  if (a_load(&q->end, acquire) == taken) return UV_EOF; /* S4 */
  return UV_EAGAIN;
}

static void free_until(uvf__spsc_ring_t *q, uint64_t p) {
  a_store(&q->head, p, release); /* S2 */
  light_fence();                 /* S5 */
}

static int spsc_recv(uvf__queue_t *base, void *items, int n) {
  uvf__spsc_ring_t *q = spsc_of(base);
  int k = available(q, n);
  if (k <= 0) return k;
  uint64_t p = taken_of(q);
  int first = to_array_end(q, p, k);
  uvf__items_read(items, slot_at(q, p), base->item_size, first);
  if (first < k)
    uvf__items_read((char *)items + (size_t)first * base->item_size, slot_at(q, p + (uint64_t)first), base->item_size,
                    k - first);
  /* Inside a batch's callback older slots are still on loan; they are freed together with these when it ends. */
  bool on_loan = a_load(&q->head, relaxed) != p; /* S6 */
  a_store(&q->taken, p + (uint64_t)k, relaxed);  /* S7 */
  if (!on_loan) free_until(q, p + (uint64_t)k);
  return k;
}

static int spsc_claim(uvf__queue_t *base, uvf__run_t *run, int n) {
  uvf__spsc_ring_t *q = spsc_of(base);
  int k = available(q, n);
  if (k <= 0) return k;
  uint64_t p = taken_of(q);
  k = to_array_end(q, p, k);
  *run = (uvf__run_t){slot_at(q, p), NULL, p, k};
  a_store(&q->taken, p + (uint64_t)k, relaxed); /* S7 */
  return k;
}

static void spsc_give_back(uvf__queue_t *base, const uvf__run_t *run) {
  uvf__spsc_ring_t *q = spsc_of(base);
  /* A run lent inside the callback of another one waits for that one: head stands at the oldest loan. */
  if (a_load(&q->head, relaxed) == run->at) free_until(q, taken_of(q)); /* S6 */
}

static int spsc_look(uvf__queue_t *base) {
  uvf__spsc_ring_t *q = spsc_of(base);
  uint64_t taken = taken_of(q);
  if (a_load(&q->tail, seq_cst) != taken) return 0;              /* S1 */
  return a_load(&q->end, seq_cst) == taken ? UV_EOF : UV_EAGAIN; /* S4 */
}

/* ---- either ---- */

static void spsc_close(uvf__queue_t *base, int how) {
  uvf__spsc_ring_t *q = spsc_of(base);
  a_or(&q->how, (uint32_t)how, seq_cst);                                           /* S3 */
  heavy_fence();                                                                   /* S5 */
  if (a_load(&q->busy, acquire) == 0 && a_load(&q->held, acquire) == 0) settle(q); /* S3, S8 */
}

static int spsc_closed(uvf__queue_t *base) {
  return (int)a_load(&spsc_of(base)->how, acquire); /* S3 */
}

static void spsc_counts(uvf__queue_t *base, uvf__counts_t *out) {
  uvf__spsc_ring_t *q = spsc_of(base);
  uint64_t tail = a_load(&q->tail, seq_cst), now; /* S1 */
  for (;;) {
    out->taken = a_load(&q->taken, seq_cst) - q->origin; /* S7 */
    now = a_load(&q->tail, seq_cst);                     /* S1 */
    if (now == tail) break;
    tail = now;
  }
  out->sent = tail - q->origin;
}

static void spsc_destroy(uvf__queue_t *base) {
  uvf__free_line(spsc_of(base)->items);
}

static const uvf__queue_ops_t spsc_ops = {
    true,           spsc_send, spsc_recv,  spsc_claim,  spsc_give_back, spsc_reserve, spsc_unreserve,
    spsc_send_held, spsc_look, spsc_close, spsc_closed, spsc_counts,    spsc_destroy,
};

int uvf__spsc_ring_init(uvf__spsc_ring_t *q, size_t item_size, size_t capacity, uint64_t start) {
  size_t slots = 1, stride = uvf__item_stride(item_size);
  while (slots < capacity)
    slots *= 2;
  if (stride != 0 && slots > SIZE_MAX / 2 / stride) return UV_ENOMEM;
  q->base.ops = &spsc_ops;
  q->base.item_size = item_size;
  q->mask = slots - 1;
  q->capacity = capacity;
  q->items = (char *)uvf__calloc_line(slots * stride);
  if (q->items == NULL) return UV_ENOMEM;
  for (size_t i = 0; i < slots; i++)
    uvf__item_init(q->items + i * stride);
  a_init(&q->how, 0);           /* S6 */
  a_init(&q->end, NOT_SETTLED); /* S6 */
  a_init(&q->tail, start);      /* S6 */
  a_init(&q->busy, 0);          /* S6 */
  a_init(&q->held, 0);          /* S6 */
  a_init(&q->head, start);      /* S6 */
  a_init(&q->taken, start);     /* S6 */
  q->origin = q->head_seen = q->tail_seen = start;
  return 0;
}
