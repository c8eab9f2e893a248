/* SPDX-License-Identifier: MIT */
/* Unbounded many-to-many queue of blocks.
 *
 * Protocol. Position p belongs to lap p >> lap_bits, and each lap has one block; at[lap & 1] points to it. `tail` is the word
 * of word.h, `installed` the newest lap that has a block: the lap of tail or the one after it.
 *   sender     makes sure that the lap of tail is installed, loads at[], claims by CAS on tail, writes, sets the slot's
 *              state to WRITTEN. The one that claims the middle of a lap installs the next one ahead, so that nobody waits
 *              for a block; where it was preempted or had no memory, whoever needs the lap installs it.
 *   receiver   under `lock`: takes or lends the written slots at head
 *   installer  under `lock`, with a block that it allocated before: links it behind the last one, then at[], then installed
 *
 * Invariants. I1: at[lap & 1] is the block of `lap` from the time that `installed` reached lap until tail is in lap + 1, since
 * only the installer of lap + 2 replaces it and tail has to be in lap + 1 by then. So a claim that succeeds from a word in
 * `lap` owns a slot of the block that was loaded before it; a block is touched by a sender only between its claim and its
 * WRITTEN. I2: a block has one unit of `live` for each slot and one for being `first`. A slot's unit goes when its item was
 * read, the other one when head has left the block. Whoever takes the last unit is alone with the block and keeps it as a
 * spare or frees it. I3: as in mpmc_ring: no idx moves past CLOSED but by permits. I4: memory runs out before anything is
 * claimed.
 * Why receivers take a lock, when mpmc_ring needs none: a receiver looks at a slot before it claims it, since it must not wait
 * for a claimed, unwritten one (it may be a loop); without a lock that look could fall into a block that was freed meanwhile.
 * A reader pays it once per batch.
 *
 * Pairs. B1: the claim of tail (seq_cst: one order of closing and claiming) and its loads.
 *        B2: installed (release, under lock) -> the sender's acquire load: at[] and the block's fields. at[] itself likewise:
 *            a sender that meets the pointer of lap + 2 has met its release, after which tail was in lap + 1: its CAS fails.
 *        B3: WRITTEN (seq_cst exchange; release + B4 for several) -> the receiver's look: the item, and Q-pub/Q-look.
 *        B4: fence after several release states, for the receivers' looks (queue.h).
 *        B5: live: release of each reader's reads, acquire of all of them by the last (acq_rel).
 *        B6: head is written under lock; looked at without it by `counts` alone (seq_cst).
 *        B7: init and reset, by the only owner of the block; a look that is only checked.
 * Model: test/model/block_list_model.cpp. */
#include "queue/block_list.h"

#include "base/alloc.h"
#include "base/check.h"
#include "base/list.h"
#include "queue/item.h"
#include "queue/word.h"

#ifndef BLOCK_BYTES
#define BLOCK_BYTES 8192 /* about this much memory per block ... */
#define MIN_LAP_BITS 2
#define MAX_LAP_BITS 8 /* ... and at most so many slots */
#define FIRST_SLOTS 8  /* an idle channel is small */
#endif
#define PREFETCH_SLOTS 8 /* ahead of the claim */
/* Enough for a queue that stays shorter than a block; a longer one allocates and frees as it moves. */
#define MAX_SPARES 2

enum { EMPTY = 0, WRITTEN = 1 };

struct uvf__block_s {
  uvf__block_t *next; /* under lock */
  uint64_t end;       /* position behind the last slot */
  uint32_t slots;
  a_u32 live;
  a_u32 *states;
  char *items;
};

static uvf__block_list_t *list_of(uvf__queue_t *q) {
  return uvf__container(q, uvf__block_list_t, base);
}

static uint32_t lap_slots(const uvf__block_list_t *q) {
  return UINT32_C(1) << q->lap_bits;
}

static uint64_t lap_of(const uvf__block_list_t *q, uint64_t p) {
  return p >> q->lap_bits;
}

/* The lap n further than lap; laps count modulo 2^48 >> lap_bits. */
static uint64_t lap_add(const uvf__block_list_t *q, uint64_t lap, uint64_t n) {
  return (lap + n) & (WORD_IDX >> q->lap_bits);
}

static uint32_t slot_of(const uvf__block_t *b, uint64_t p) {
  return b->slots - (uint32_t)idx_sub(b->end, p);
}

static void *item_at(uvf__block_t *b, uint64_t p, size_t item_size) {
  return b->items + slot_of(b, p) * uvf__item_stride(item_size);
}

/* ---- blocks ---- */

static size_t round_up(size_t n) {
  return (n + 15) / 16 * 16;
}

static uvf__block_t *block_new(const uvf__block_list_t *q, uint32_t slots) {
  size_t stride = uvf__item_stride(q->item_size);
  size_t fixed = round_up(sizeof(uvf__block_t)), states = round_up(slots * sizeof(a_u32));
  if (stride > (SIZE_MAX / 2 - fixed - states) / slots) return NULL;
  char *raw = (char *)uvf__calloc(1, fixed + states + slots * stride);
  if (raw == NULL) return NULL;
  uvf__block_t *b = (uvf__block_t *)(void *)raw;
  b->slots = slots;
  b->states = (a_u32 *)(void *)(raw + fixed);
  b->items = raw + fixed + states;
  a_init(&b->live, 0); /* B7 */
  for (uint32_t i = 0; i < slots; i++) {
    a_init(&b->states[i], EMPTY); /* B7 */
    uvf__item_init(b->items + i * stride);
  }
  return b;
}

/* Under lock. The block serves `lap` from now on. */
static void block_install(uvf__block_list_t *q, uvf__block_t *b, uint64_t lap) {
  b->next = NULL;
  b->end = idx_add(lap << q->lap_bits, lap_slots(q));
  a_store(&b->live, b->slots + 1, relaxed); /* B7 */
  if (q->last != NULL)
    q->last->next = b;
  else
    q->first = b;
  q->last = b;
  a_store(&q->at[lap & 1], b, release); /* B2 */
  a_store(&q->installed, lap, release); /* B2 */
}

/* Gives n units of the block's life back. Not under lock. */
static void block_leave(uvf__block_list_t *q, uvf__block_t *b, uint32_t n) {
  if (a_sub(&b->live, n, acq_rel) != n) return; /* B5 */
  bool keep = b->slots == lap_slots(q);
  for (uint32_t i = 0; keep && i < b->slots; i++)
    a_store(&b->states[i], EMPTY, relaxed); /* B7 */
  uvf__lock(&q->lock);
  keep = keep && q->spares < MAX_SPARES;
  if (keep) {
    b->next = q->spare;
    q->spare = b;
    q->spares++;
  }
  uvf__unlock(&q->lock);
  if (!keep) uvf__free(b);
}

/* Under lock. */
static uvf__block_t *spare_take(uvf__block_list_t *q) {
  uvf__block_t *b = q->spare;
  if (b == NULL) return NULL;
  q->spare = b->next;
  q->spares--;
  return b;
}

/* An idle queue has no block, and one that is used little a small one: it stands at the end of its lap and has only the slots that
 * are left of it. */
static uint32_t first_slots(const uvf__block_list_t *q) {
  return lap_slots(q) < FIRST_SLOTS ? lap_slots(q) : FIRST_SLOTS;
}

/* Makes sure that `lap` has a block: 0 or UV_ENOMEM. Nothing to do if somebody was quicker. */
static int lap_install(uvf__block_list_t *q, uint64_t lap) {
  uvf__block_t *mine = NULL;
  bool wanted, is_first;
  for (;;) {
    uvf__lock(&q->lock);
    is_first = q->last == NULL;
    wanted = lap_add(q, a_load(&q->installed, relaxed), 1) == lap; /* B2: written under this lock only */
    if (wanted && mine == NULL) mine = spare_take(q);
    if (wanted && mine != NULL) {
      block_install(q, mine, lap);
      mine = NULL;
      wanted = false;
    }
    uvf__unlock(&q->lock);
    if (!wanted) break;
    mine = block_new(q, is_first ? first_slots(q) : lap_slots(q));
    if (mine == NULL) return UV_ENOMEM;
  }
  uvf__free(mine);
  return 0;
}

/* ---- senders ---- */

static int lap_ensure(uvf__block_list_t *q, uint64_t lap) {
  uint64_t installed = a_load(&q->installed, acquire); /* B2 */
  if (installed == lap || installed == lap_add(q, lap, 1)) return 0;
  return lap_install(q, lap);
}

/* Claims 1..n slots of one block. `permit`: uses one up, and closed does not matter. */
static int tail_claim(uvf__block_list_t *q, int n, bool permit, uvf__block_t **block, uint64_t *at) {
  uint64_t t = a_load(&q->tail, acquire); /* B1 */
  for (;;) {
    if ((t & (permit ? WORD_ABORTED : WORD_CLOSED)) != 0) return UV_EPIPE;
    uint64_t p = word_idx(t), left = lap_slots(q) - (p & (lap_slots(q) - 1));
    int k = (uint64_t)n < left ? n : (int)left;
    int r = lap_ensure(q, lap_of(q, p));
    if (r != 0) return r;
    uvf__block_t *b = a_load(&q->at[lap_of(q, p) & 1], acquire); /* B2 */
    uint64_t to = word_advance(permit ? t - WORD_HELD1 : t, (uint64_t)k);
    if (a_cas(&q->tail, &t, to, seq_cst, acquire)) { /* B1 */
      *block = b;
      *at = p;
      return k;
    }
    uvf__stand_back();
    t = a_load(&q->tail, acquire); /* B1 */
  }
}

static inline void publish_one(uvf__block_list_t *q, uvf__block_t *b, uint64_t p, const void *item) {
  uint32_t slot = slot_of(b, p), ahead = slot + PREFETCH_SLOTS < b->slots ? slot + PREFETCH_SLOTS : slot;
  uvf__prefetch_write(b->items + ahead * uvf__item_stride(q->item_size));
  uvf__prefetch_write(&b->states[ahead]);
  uvf__check(a_load(&b->states[slot], relaxed) == EMPTY); /* B7: must not order anything */
  uvf__item_write(b->items + slot * uvf__item_stride(q->item_size), item, q->item_size);
  (void)a_swap(&b->states[slot], WRITTEN, seq_cst); /* B3 */
}

static void publish_n(uvf__block_list_t *q, uvf__block_t *b, uint64_t p, const char *items, int n) {
  a_u32 *states = &b->states[slot_of(b, p)];
  uvf__items_write(item_at(b, p, q->item_size), items, q->item_size, n);
  for (int i = 0; i < n; i++)
    a_store(&states[i], WRITTEN, release); /* B3 */
  a_fence(seq_cst);                        /* B4 */
}

/* k slots from p on were claimed. The one that got the middle of a lap installs the next one ahead. */
static void install_ahead(uvf__block_list_t *q, uint64_t p, int k) {
  uint64_t middle = (lap_slots(q) / 2 - p) & (lap_slots(q) - 1);
  if (middle < (uint64_t)k) (void)lap_install(q, lap_add(q, lap_of(q, p), 1)); /* no memory: who needs it will say so */
}

static int send_some(uvf__block_list_t *q, const char *items, int n, bool permit) {
  uvf__block_t *b = NULL;
  uint64_t p = 0;
  int k = tail_claim(q, n, permit, &b, &p);
  if (k < 0) return k;
  uvf__check(b != NULL);
  if (k == 1)
    publish_one(q, b, p, items);
  else
    publish_n(q, b, p, items, k);
  install_ahead(q, p, k); /* after WRITTEN the block may be gone: the position alone tells */
  return k;
}

/* The common case: the lap of tail is installed and nobody else claims. */
static inline bool send_one(uvf__block_list_t *q, const void *item) {
  uint64_t t = a_load(&q->tail, acquire), p = word_idx(t);        /* B1 */
  uint64_t ahead = a_load(&q->installed, acquire) - lap_of(q, p); /* B2 */
  if ((t & WORD_CLOSED) != 0 || ahead > 1) return false;
  uvf__block_t *b = a_load(&q->at[lap_of(q, p) & 1], acquire);      /* B2 */
  if (!a_cas(&q->tail, &t, word_advance(t, 1), seq_cst, acquire)) { /* B1 */
    uvf__stand_back();
    return false;
  }
  publish_one(q, b, p, item);
  install_ahead(q, p, 1);
  return true;
}

static int list_send(uvf__queue_t *base, const void *items, int n) {
  uvf__block_list_t *q = list_of(base);
  int done = 0;
  if (n == 1 && send_one(q, items)) return 1;
  while (done < n) {
    int k = send_some(q, (const char *)items + (size_t)done * base->item_size, n - done, false);
    if (k < 0) return done > 0 ? done : k;
    done += k;
  }
  return done;
}

static int list_reserve(uvf__queue_t *base) {
  uvf__block_list_t *q = list_of(base);
  uint64_t t = a_load(&q->tail, acquire); /* B1 */
  do {
    if ((t & WORD_CLOSED) != 0) return UV_EPIPE;
    if ((t & WORD_HELD) == WORD_HELD) return UV_EAGAIN;
  } while (!a_cas(&q->tail, &t, t + WORD_HELD1, seq_cst, acquire)); /* B1 */
  return 0;
}

static void list_unreserve(uvf__queue_t *base) {
  a_sub(&list_of(base)->tail, WORD_HELD1, seq_cst); /* B1 */
}

static int list_send_held(uvf__queue_t *base, const void *item) {
  int r = send_some(list_of(base), (const char *)item, 1, true);
  if (r == UV_EPIPE) list_unreserve(base);
  return r < 0 ? r : 0;
}

/* ---- receivers ---- */

/* Under lock. The block of position head; NULL while it has none. */
static uvf__block_t *head_block(uvf__block_list_t *q, uint64_t head) {
  if (q->first == NULL) return NULL;
  return head == q->first->end ? q->first->next : q->first;
}

/* Under lock. How many of the next n slots of b are written. */
static int written(uvf__block_t *b, uint64_t head, int n) {
  if (b == NULL) return 0;
  uint64_t left = idx_sub(b->end, head);
  int k = 0, most = (uint64_t)n < left ? n : (int)left;
  a_u32 *states = &b->states[slot_of(b, head)];
  while (k < most && a_load(&states[k], seq_cst) == WRITTEN) /* B3 */
    k++;
  return k;
}

static int why_empty(uvf__block_list_t *q, uint64_t head) {
  uint64_t t = a_load(&q->tail, seq_cst); /* B1 */
  if (word_ended(t, head)) return UV_EOF;
  return word_idx(t) == head ? UV_EAGAIN : UVF__BUSY;
}

/* Takes 1..n contiguous slots out; they are still to be read. */
static int list_claim(uvf__queue_t *base, uvf__run_t *run, int n) {
  uvf__block_list_t *q = list_of(base);
  uvf__block_t *left = NULL;
  uvf__lock(&q->lock);
  uint64_t h = a_load(&q->head, relaxed); /* B6 */
  uvf__block_t *b = head_block(q, h);
  int k = written(b, h, n);
  if (k > 0) {
    if (b != q->first) left = q->first;
    q->first = b;
    *run = (uvf__run_t){item_at(b, h, base->item_size), b, h, k};
    a_store(&q->head, idx_add(h, (uint64_t)k), seq_cst); /* B6 */
  } else {
    k = why_empty(q, h);
  }
  uvf__unlock(&q->lock);
  if (left != NULL) block_leave(q, left, 1);
  return k;
}

static void list_give_back(uvf__queue_t *base, const uvf__run_t *run) {
  block_leave(list_of(base), (uvf__block_t *)run->block, (uint32_t)run->count);
}

static int list_recv(uvf__queue_t *base, void *items, int n) {
  int done = 0;
  while (done < n) {
    uvf__run_t run;
    int k = list_claim(base, &run, n - done);
    if (k < 0) return done > 0 ? done : k;
    uvf__items_read((char *)items + (size_t)done * base->item_size, run.items, base->item_size, k);
    list_give_back(base, &run);
    done += k;
  }
  return done;
}

static int list_look(uvf__queue_t *base) {
  uvf__block_list_t *q = list_of(base);
  uvf__lock(&q->lock);
  uint64_t h = a_load(&q->head, relaxed); /* B6 */
  int r = written(head_block(q, h), h, 1) > 0 ? 0 : why_empty(q, h);
  uvf__unlock(&q->lock);
  return r;
}

/* ---- the rest ---- */

static void list_close(uvf__queue_t *base, int how) {
  a_or(&list_of(base)->tail, word_close_bits(how), seq_cst); /* B1 */
}

static int list_closed(uvf__queue_t *base) {
  return word_closed(a_load(&list_of(base)->tail, acquire)); /* B1 */
}

static void list_counts(uvf__queue_t *base, uvf__counts_t *out) {
  uvf__block_list_t *q = list_of(base);
  uint64_t t = a_load(&q->tail, seq_cst), h, now; /* B1 */
  for (;;) {
    h = a_load(&q->head, seq_cst);   /* B6 */
    now = a_load(&q->tail, seq_cst); /* B1 */
    if (word_idx(now) == word_idx(t)) break;
    t = now;
  }
  out->taken = idx_sub(h, q->origin);
  out->sent =
      out->taken + idx_sub(word_idx(t), h); /* so their difference is right also where one of them has wrapped */
}

static void blocks_free(uvf__block_t *b) {
  while (b != NULL) {
    uvf__block_t *next = b->next;
    uvf__free(b);
    b = next;
  }
}

static void list_destroy(uvf__queue_t *base) {
  uvf__block_list_t *q = list_of(base);
  blocks_free(q->first);
  blocks_free(q->spare);
  uvf__mutex_destroy(&q->lock);
}

static const uvf__queue_ops_t list_ops = {
    true,           list_send, list_recv,  list_claim,  list_give_back, list_reserve, list_unreserve,
    list_send_held, list_look, list_close, list_closed, list_counts,    list_destroy,
};

static uint32_t lap_bits_for(size_t stride) {
  uint32_t bits = MAX_LAP_BITS;
  while (bits > MIN_LAP_BITS && stride + sizeof(a_u32) > (size_t)BLOCK_BYTES >> bits)
    bits--;
  return bits;
}

int uvf__block_list_init(uvf__block_list_t *q, size_t item_size, uint64_t start) {
  size_t stride = uvf__item_stride(item_size);
  q->base.ops = &list_ops;
  q->base.item_size = q->item_size = item_size;
  q->lap_bits = lap_bits_for(stride);
  if (stride > (SIZE_MAX / 2 - BLOCK_BYTES) >> q->lap_bits) return UV_ENOMEM;
  uint64_t lap = lap_of(q, start);
  q->origin = idx_add(lap << q->lap_bits, lap_slots(q) - first_slots(q));
  q->first = q->last = q->spare = NULL;
  q->spares = 0;
  a_init(&q->at[0], (uvf__block_t *)NULL);                         /* B7 */
  a_init(&q->at[1], (uvf__block_t *)NULL);                         /* B7 */
  a_init(&q->installed, lap_add(q, lap, WORD_IDX >> q->lap_bits)); /* B7: the lap before it */
  a_init(&q->tail, q->origin);                                     /* B7 */
  a_init(&q->head, q->origin);                                     /* B7 */
  return uvf__mutex_init(&q->lock);
}
