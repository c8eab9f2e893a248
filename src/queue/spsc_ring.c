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
/* got_away: few are less than so many items and less than this part of the ring. */
#define FEW_ITEMS 32
#ifndef FEW_SHARE
#define FEW_SHARE 16
#define AWAY_PAUSES 12 /* in which the other side moves some lines */
#endif

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

/* A side has used up what it knew of the other's position, looked anew, and found n items to go on with. If they are few, and were
 * few last time, the sides run in lock step: each item drags the lines of both positions and of the slots to and fro, several
 * times the cost of all the rest. True: it has let the other side get some lines away, and should look again. Who found nothing
 * is told so at once, and so a message that comes alone is never held up. */
static bool got_away(const uvf__spsc_ring_t *q, bool *few_before, uint64_t n) {
  bool wait = *few_before && n > 0 && n < q->few;
  *few_before = n > 0 && n < q->few;
  for (int i = 0; wait && i < AWAY_PAUSES; i++)
    uvf__relax();
  return wait;
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

/* The sender found it closed on its way out. r: what it says. */
UVF__SELDOM static int settle_late(uvf__spsc_ring_t *q, int r) {
  if (held_of(q) != 0 || a_load(&q->end, relaxed) != NOT_SETTLED) return r; /* S4 */
  settle(q);
  light_fence(); /* S5: before the caller's look at the marks, as after a send */
  return r;
}

/* Ends a step of the sending role, of which the result is r. */
static inline int sender_leave(uvf__spsc_ring_t *q, int r) {
  a_store(&q->busy, 0, release);                                /* S3 */
  light_fence();                                                /* S5 */
  return a_load(&q->how, acquire) == 0 ? r : settle_late(q, r); /* S3 */
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

/* How many items have room for all that the sender knows, permits left aside. */
static inline uint64_t room_seen(const uvf__spsc_ring_t *q, uint64_t tail, uint32_t held) {
  return q->capacity - (tail + held - q->head_seen);
}

/* The same, with a look. */
static uint64_t room_now(uvf__spsc_ring_t *q, uint64_t tail) {
  q->head_seen = a_load(&q->head, seq_cst); /* S2 */
  return room_seen(q, tail, held_of(q));
}

/* For n items. */
static uint64_t room(uvf__spsc_ring_t *q, uint64_t tail, int n) {
  uint64_t left = room_seen(q, tail, held_of(q));
  if (left >= (uint64_t)n) return left;
  left = room_now(q, tail);
  return n == 1 && got_away(q, &q->sender_few, left) ? room_now(q, tail) : left;
}

static void put(uvf__spsc_ring_t *q, uint64_t tail, const char *items, int n) {
  int first = to_array_end(q, tail, n);
  uvf__items_write(slot_at(q, tail), items, q->base.item_size, first);
  if (first < n)
    uvf__items_write(slot_at(q, tail + (uint64_t)first), items + (size_t)first * q->base.item_size, q->base.item_size,
                     n - first);
  a_store(&q->tail, tail + (uint64_t)n, release); /* S1 */
}

UVF__SELDOM static int send_some(uvf__spsc_ring_t *q, const void *items, int n) {
  int r = UV_EPIPE;
  if (sender_enter(q) == 0) {
    uint64_t tail = a_load(&q->tail, relaxed), left = room(q, tail, n); /* S6 */
    r = left == 0 ? UV_EAGAIN : (uint64_t)n < left ? n : (int)left;
    if (r > 0) put(q, tail, (const char *)items, r);
  }
  return sender_leave(q, r);
}

/* The first item of a line asks for the line of a coming send, if it is known to be free. */
static inline void ask_ahead(uvf__spsc_ring_t *q, uint64_t tail, uint64_t left, const void *slot) {
  if (((uintptr_t)slot & (UVF_CACHE_LINE - 1)) < q->base.item_size && left > PREFETCH_SLOTS)
    uvf__prefetch_write(slot_at(q, tail + PREFETCH_SLOTS));
}

/* The common case: one item, room for it without a look at the receiver's line. */
static int spsc_send(uvf__queue_t *base, const void *items, int n) {
  uvf__spsc_ring_t *q = spsc_of(base);
  uint64_t tail = a_load(&q->tail, relaxed), left = room_seen(q, tail, held_of(q)); /* S6 */
  if (n != 1 || left == 0 || !uvf__item_plain(base->item_size)) return send_some(q, items, n);
  int r = UV_EPIPE;
  if (sender_enter(q) == 0) {
    void *slot = slot_at(q, tail);
    ask_ahead(q, tail, left, slot);
    uvf__item_write_plain(slot, items, base->item_size);
    a_store(&q->tail, tail + 1, release); /* S1 */
    r = 1;
  }
  return sender_leave(q, r);
}

static int spsc_reserve(uvf__queue_t *base) {
  uvf__spsc_ring_t *q = spsc_of(base);
  int r = UV_EPIPE;
  if (sender_enter(q) == 0) {
    uint64_t tail = a_load(&q->tail, relaxed); /* S6 */
    bool free = held_of(q) < MAX_HELD && (room_seen(q, tail, held_of(q)) > 0 || room_now(q, tail) > 0);
    r = free ? 0 : UV_EAGAIN;
    if (r == 0) set_held(q, held_of(q) + 1);
  }
  return sender_leave(q, r);
}

static void spsc_unreserve(uvf__queue_t *base) {
  uvf__spsc_ring_t *q = spsc_of(base);
  (void)sender_enter(q);
  uvf__check(held_of(q) > 0);
  set_held(q, held_of(q) - 1);
  (void)sender_leave(q, 0);
}

static int spsc_send_held(uvf__queue_t *base, const void *item) {
  uvf__spsc_ring_t *q = spsc_of(base);
  bool aborted = (sender_enter(q) & UVF__ABORTED) != 0;
  uvf__check(held_of(q) > 0);
  if (!aborted) put(q, a_load(&q->tail, relaxed), (const char *)item, 1); /* S6 */
  set_held(q, held_of(q) - 1);                                            /* S8: after tail */
  return sender_leave(q, aborted ? UV_EPIPE : 0);
}

/* ---- receiver ---- */

static uint64_t taken_of(uvf__spsc_ring_t *q) {
  return a_load(&q->taken, relaxed); /* S6 */
}

/* How many items can be taken for all that the receiver knows. */
static uint64_t items_seen(uvf__spsc_ring_t *q) {
  return q->tail_seen - taken_of(q);
}

/* The same, with a look. */
static uint64_t items_now(uvf__spsc_ring_t *q) {
  q->tail_seen = a_load(&q->tail, seq_cst); /* S1 */
  return items_seen(q);
}

/* How many of n items can be taken, k of which are there; or why none. */
static int available(uvf__spsc_ring_t *q, uint64_t k, int n) {
  if (k > 0) return (uint64_t)n < k ? n : (int)k;
  if (a_load(&q->end, acquire) == taken_of(q)) return UV_EOF; /* S4 */
  return UV_EAGAIN;
}

static void free_until(uvf__spsc_ring_t *q, uint64_t p) {
  a_store(&q->head, p, release); /* S2 */
  light_fence();                 /* S5 */
}

/* Positions before p were read. Inside a batch's callback older slots are still on loan; they are freed together with these when
 * it ends. */
static inline void took_until(uvf__spsc_ring_t *q, uint64_t from, uint64_t p) {
  bool on_loan = a_load(&q->head, relaxed) != from; /* S6 */
  a_store(&q->taken, p, relaxed);                   /* S7 */
  if (!on_loan) free_until(q, p);
}

UVF__SELDOM static int recv_some(uvf__spsc_ring_t *q, void *items, int n) {
  uint64_t there = items_seen(q);
  if (there < (uint64_t)n) {
    there = items_now(q);
    if (n == 1 && got_away(q, &q->receiver_few, there)) there = items_now(q);
  }
  int k = available(q, there, n);
  if (k <= 0) return k;
  uint64_t p = taken_of(q);
  size_t size = q->base.item_size;
  int first = to_array_end(q, p, k);
  uvf__items_read(items, slot_at(q, p), size, first);
  if (first < k)
    uvf__items_read((char *)items + (size_t)first * size, slot_at(q, p + (uint64_t)first), size, k - first);
  took_until(q, p, p + (uint64_t)k);
  return k;
}

/* The common case: one item that is known to be there. */
static int spsc_recv(uvf__queue_t *base, void *items, int n) {
  uvf__spsc_ring_t *q = spsc_of(base);
  uint64_t p = taken_of(q);
  if (n != 1 || q->tail_seen == p || !uvf__item_plain(base->item_size)) return recv_some(q, items, n);
  uvf__item_read_plain(items, slot_at(q, p), base->item_size);
  took_until(q, p, p + 1);
  return 1;
}

static int spsc_claim(uvf__queue_t *base, uvf__run_t *run, int n) {
  uvf__spsc_ring_t *q = spsc_of(base);
  uint64_t there = items_seen(q);
  int k = available(q, there < (uint64_t)n ? items_now(q) : there, n);
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
  q->few = slots / FEW_SHARE < FEW_ITEMS ? (uint32_t)(slots / FEW_SHARE) : FEW_ITEMS;
  q->sender_few = q->receiver_few = false;
  q->origin = q->head_seen = q->tail_seen = start;
  return 0;
}
