/* SPDX-License-Identifier: MIT */
/* Bounded many-to-many ring.
 *
 * Protocol. `tail` is the word of word.h, `head` a position, and each slot has a stamp apart from its item. With
 * lap = p / slots, slot p % slots is free for the sender of position p while its stamp is FREE(p) = 2 * lap, and holds item p
 * while it is FULL(p) = 2 * lap + 1. 32 bits are enough: a stamp has to differ from those of the laps beside it only, since who
 * acts on an older one fails in its CAS. (Not lap and lap + 1: they would collide in a ring of one slot.)
 *   sender     claims by CAS on tail, writes the item, stamps FULL
 *   receiver   claims by CAS on head what is FULL, reads the item, stamps FREE for the next lap
 *
 * Invariants. I1: position p is written only by the one whose CAS moved idx past it, and read only by the one whose CAS moved
 * head past it. I2: a send or a permit tests FREE at position idx + held + slack. Each position is so tested before idx + held
 * gets there, in ascending order, and stays FREE until it is claimed; hence positions idx .. idx + held - 1 are free, and
 * send_held neither fails nor waits; and capacity, not slots, is the bound. I3: no idx moves past CLOSED but by permits, so
 * "closed, held == 0, head == idx" is the end for ever. A permit is a count, never a slot: a slot reserved and left unwritten
 * would stop every receiver behind it.
 * A claimed, unwritten slot is BUSY: nobody spins on it here, since the sender looks at the marks after it has written.
 *
 * Pairs. R1: the claim of tail (seq_cst, so that closing and claiming have one order) and its load (acquire: a sender that
 *            sees position p taken also sees the frees that were tested for it).
 *        R2: FULL (seq_cst exchange; release + R5 for several) -> the receiver's look: the item's bytes, and Q-pub/Q-look.
 *        R3: the claim of head. Acquire suffices to order it behind the look; release hands it on to `counts`.
 *        R4: FREE (seq_cst exchange; release + R5 for several) -> the sender's test: its write comes after our read.
 *        R5: fence after several release stamps: with the fence of the one who marked, the fence-fence rule replaces Q-pub.
 *        R6: init, before the queue is shared; a look that is only checked or a hint, and must not order anything.
 * Model: test/model/mpmc_ring_model.cpp. */
#include "queue/mpmc_ring.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/list.h"
#include "queue/item.h"
#include "queue/word.h"

#define PREFETCH_SLOTS 8 /* ahead of the claim */

static uvf__mpmc_ring_t *ring_of(uvf__queue_t *q) {
  return uvf__container(q, uvf__mpmc_ring_t, base);
}

static uint32_t free_stamp(const uvf__mpmc_ring_t *q, uint64_t p) {
  return (uint32_t)(2 * (p >> q->lap_shift));
}

static uint32_t full_stamp(const uvf__mpmc_ring_t *q, uint64_t p) {
  return free_stamp(q, p) + 1;
}

static a_u32 *stamp_at(uvf__mpmc_ring_t *q, uint64_t p) {
  return &q->stamps[p & q->mask];
}

static void *slot_at(uvf__mpmc_ring_t *q, uint64_t p) {
  return q->items + (p & q->mask) * uvf__item_stride(q->base.item_size);
}

/* Moves tail by 1..n positions, or by one permit, if that much is free. *at: the word before. */
static int tail_claim(uvf__mpmc_ring_t *q, int n, bool permit, uint64_t *at) {
  uint64_t t = a_load(&q->tail, acquire); /* R1 */
  for (;;) {
    if ((t & WORD_CLOSED) != 0) return UV_EPIPE;
    if (permit && (t & WORD_HELD) == WORD_HELD) return UV_EAGAIN;
    uint64_t p = idx_add(word_idx(t), word_held(t) + q->slack);
    int free = 0;
    while (free < n && a_load(stamp_at(q, p), seq_cst) == free_stamp(q, p)) { /* R4 */
      p = idx_add(p, 1);
      free++;
    }
    if (free == 0) {
      uint64_t now = a_load(&q->tail, seq_cst); /* R1: Q-look, since a permit given back is room, too */
      if (now == t) return UV_EAGAIN;
      t = now;
      continue;
    }
    uint64_t to = permit ? t + WORD_HELD1 : word_advance(t, (uint64_t)free);
    if (a_cas(&q->tail, &t, to, seq_cst, acquire)) { /* R1 */
      *at = t;
      return free;
    }
  }
}

static inline void publish(uvf__mpmc_ring_t *q, uint64_t p, const void *item) {
  uvf__check(a_load(stamp_at(q, p), relaxed) == free_stamp(q, p)); /* R6: invariant I2; must not order anything */
  uvf__item_write(slot_at(q, p), item, q->base.item_size);
  (void)a_swap(stamp_at(q, p), full_stamp(q, p), seq_cst); /* R2 */
}

/* Asks for the lines of a slot that will be written. */
static inline void ask(uvf__mpmc_ring_t *q, uint64_t p) {
  uvf__prefetch_write(slot_at(q, p));
  uvf__prefetch_write(stamp_at(q, p));
}

/* Those that are ours already are asked for all at once: or each would be waited for in turn. */
static void ask_for(uvf__mpmc_ring_t *q, uint64_t p, int n) {
  for (int i = 0; i < n; i++, p = idx_add(p, 1))
    ask(q, p);
}

static void publish_n(uvf__mpmc_ring_t *q, uint64_t p, const char *items, int n) {
  ask_for(q, p, n);
  for (int i = 0; i < n; i++, p = idx_add(p, 1)) {
    uvf__item_write(slot_at(q, p), items + (size_t)i * q->base.item_size, q->base.item_size);
    a_store(stamp_at(q, p), full_stamp(q, p), release); /* R2 */
  }
  a_fence(seq_cst); /* R5 */
}

/* The common case of tail_claim, short enough to be inlined; *at is valid for 1. */
static inline int tail_claim_one(uvf__mpmc_ring_t *q, uint64_t *at) {
  uint64_t t = a_load(&q->tail, acquire); /* R1 */
  uint64_t p = idx_add(word_idx(t), word_held(t) + q->slack);
  if ((t & WORD_CLOSED) == 0 && a_load(stamp_at(q, p), seq_cst) == free_stamp(q, p) && /* R4 */
      a_cas(&q->tail, &t, word_advance(t, 1), seq_cst, acquire)) {                     /* R1 */
    *at = t;
    return 1;
  }
  return tail_claim(q, 1, false, at);
}

/* Asks for the lines of a coming send; but not while a receiver still reads there, from whom they would be torn. */
static inline void ask_ahead(uvf__mpmc_ring_t *q, uint64_t p) {
  if (a_load(stamp_at(q, p), relaxed) != free_stamp(q, p)) return; /* R6 */
  ask(q, p);
}

static int ring_send(uvf__queue_t *base, const void *items, int n) {
  uvf__mpmc_ring_t *q = ring_of(base);
  uint64_t t;
  int r = n == 1 ? tail_claim_one(q, &t) : tail_claim(q, n, false, &t);
  if (r == 1) {
    ask_ahead(q, idx_add(word_idx(t), PREFETCH_SLOTS));
    publish(q, word_idx(t), items);
  } else if (r > 1) {
    publish_n(q, word_idx(t), (const char *)items, r);
  }
  return r;
}

/* Nothing readable at *h: tells why, or 0 with the new *h if head has moved meanwhile. */
static int why_empty(uvf__mpmc_ring_t *q, uint64_t *h) {
  uint64_t t = a_load(&q->tail, seq_cst);   /* R1 */
  uint64_t now = a_load(&q->head, acquire); /* R3 */
  if (now != *h) {
    *h = now;
    return 0;
  }
  if (word_ended(t, now)) return UV_EOF;
  return word_idx(t) == now ? UV_EAGAIN : UVF__BUSY;
}

static bool is_full(uvf__mpmc_ring_t *q, uint64_t p) {
  return a_load(stamp_at(q, p), seq_cst) == full_stamp(q, p); /* R2 */
}

/* Moves head over 1..n readable items; *at is the first. `whole`: the run does not go over the end of the array. */
static int head_claim(uvf__mpmc_ring_t *q, int n, bool whole, uint64_t *at) {
  uint64_t h = a_load(&q->head, acquire); /* R3 */
  for (;;) {
    uint64_t to_end = q->mask + 1 - (h & q->mask);
    int full = 0, most = whole && (uint64_t)n > to_end ? (int)to_end : n;
    while (full < most && is_full(q, idx_add(h, (uint64_t)full)))
      full++;
    if (full == 0) {
      int r = why_empty(q, &h);
      if (r != 0) return r;
    } else if (a_cas(&q->head, &h, idx_add(h, (uint64_t)full), acq_rel, acquire)) { /* R3 */
      *at = h;
      return full;
    }
  }
}

static void free_slots(uvf__mpmc_ring_t *q, uint64_t p, int n) {
  uint64_t lap = q->mask + 1;
  if (n == 1) {
    (void)a_swap(stamp_at(q, p), free_stamp(q, idx_add(p, lap)), seq_cst); /* R4 */
    return;
  }
  for (int i = 0; i < n; i++, p = idx_add(p, 1))
    a_store(stamp_at(q, p), free_stamp(q, idx_add(p, lap)), release); /* R4 */
  a_fence(seq_cst);                                                   /* R5 */
}

/* The common case of head_claim, short enough to be inlined. */
static inline int head_claim_one(uvf__mpmc_ring_t *q, uint64_t *at) {
  uint64_t h = a_load(&q->head, acquire);                                      /* R3 */
  if (is_full(q, h) && a_cas(&q->head, &h, idx_add(h, 1), acq_rel, acquire)) { /* R3 */
    *at = h;
    return 1;
  }
  return head_claim(q, 1, false, at);
}

static int ring_recv(uvf__queue_t *base, void *items, int n) {
  uvf__mpmc_ring_t *q = ring_of(base);
  uint64_t p;
  int r = n == 1 ? head_claim_one(q, &p) : head_claim(q, n, false, &p);
  if (r <= 0) return r;
  for (int i = 0; i < r; i++)
    uvf__item_read((char *)items + (size_t)i * base->item_size, slot_at(q, idx_add(p, (uint64_t)i)), base->item_size);
  free_slots(q, p, r);
  return r;
}

static int ring_claim(uvf__queue_t *base, uvf__run_t *run, int n) {
  uvf__mpmc_ring_t *q = ring_of(base);
  uint64_t p;
  int r = head_claim(q, n, true, &p);
  if (r > 0) *run = (uvf__run_t){slot_at(q, p), NULL, p, r};
  return r;
}

static void ring_give_back(uvf__queue_t *base, const uvf__run_t *run) {
  free_slots(ring_of(base), run->at, run->count);
}

static int ring_reserve(uvf__queue_t *base) {
  uint64_t t;
  int r = tail_claim(ring_of(base), 1, true, &t);
  return r > 0 ? 0 : r;
}

static void ring_unreserve(uvf__queue_t *base) {
  a_sub(&ring_of(base)->tail, WORD_HELD1, seq_cst); /* R1 */
}

static int ring_send_held(uvf__queue_t *base, const void *item) {
  uvf__mpmc_ring_t *q = ring_of(base);
  uint64_t t = a_load(&q->tail, acquire); /* R1 */
  for (;;) {
    uvf__check(word_held(t) > 0);
    bool aborted = (t & WORD_ABORTED) != 0;
    uint64_t to = t - WORD_HELD1;
    if (!aborted) to = word_advance(to, 1);
    if (!a_cas(&q->tail, &t, to, seq_cst, acquire)) continue; /* R1 */
    if (aborted) return UV_EPIPE;
    publish(q, word_idx(t), item);
    return 0;
  }
}

static int ring_look(uvf__queue_t *base) {
  uvf__mpmc_ring_t *q = ring_of(base);
  uint64_t h = a_load(&q->head, acquire); /* R3 */
  int r = 0;
  while (r == 0 && !is_full(q, h))
    r = why_empty(q, &h);
  return r;
}

static void ring_close(uvf__queue_t *base, int how) {
  a_or(&ring_of(base)->tail, word_close_bits(how), seq_cst); /* R1 */
}

static int ring_closed(uvf__queue_t *base) {
  return word_closed(a_load(&ring_of(base)->tail, acquire)); /* R1 */
}

static void ring_counts(uvf__queue_t *base, uvf__counts_t *out) {
  uvf__mpmc_ring_t *q = ring_of(base);
  uint64_t t = a_load(&q->tail, seq_cst), h, now; /* R1 */
  for (;;) {
    h = a_load(&q->head, seq_cst);   /* R3 */
    now = a_load(&q->tail, seq_cst); /* R1 */
    if (word_idx(now) == word_idx(t)) break;
    t = now;
  }
  out->taken = idx_sub(h, q->origin);
  out->sent =
      out->taken + idx_sub(word_idx(t), h); /* so their difference is right also where one of them has wrapped */
}

static void ring_destroy(uvf__queue_t *base) {
  uvf__mpmc_ring_t *q = ring_of(base);
  uvf__free_line(q->items);
  uvf__free(q->stamps);
}

static const uvf__queue_ops_t ring_ops = {
    true,           ring_send, ring_recv,  ring_claim,  ring_give_back, ring_reserve, ring_unreserve,
    ring_send_held, ring_look, ring_close, ring_closed, ring_counts,    ring_destroy,
};

int uvf__mpmc_ring_init(uvf__mpmc_ring_t *q, size_t item_size, size_t capacity, uint64_t start) {
  size_t slots = 1, stride = uvf__item_stride(item_size);
  q->lap_shift = 0;
  while (slots < capacity) {
    slots *= 2;
    q->lap_shift++;
  }
  if (stride != 0 && slots > SIZE_MAX / 2 / stride) return UV_ENOMEM;
  q->base.ops = &ring_ops;
  q->base.item_size = item_size;
  q->mask = slots - 1;
  q->slack = slots - capacity;
  q->origin = start;
  q->stamps = (a_u32 *)uvf__calloc(slots, sizeof *q->stamps);
  q->items = (char *)uvf__calloc_line(slots * stride);
  if (q->stamps == NULL || q->items == NULL) {
    ring_destroy(&q->base);
    return UV_ENOMEM;
  }
  for (uint64_t i = 0, p = start; i < slots; i++, p = idx_add(p, 1)) {
    a_init(stamp_at(q, p), free_stamp(q, p)); /* R6 */
    uvf__item_init(slot_at(q, p));
  }
  a_init(&q->tail, start); /* R6 */
  a_init(&q->head, start); /* R6 */
  return 0;
}
