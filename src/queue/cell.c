/* SPDX-License-Identifier: MIT */
/* Queue of one item.
 *
 * Protocol. `word` has a phase, and how far closing has gone:
 *   EMPTY -> HELD -> FULL -> TAKEN     HELD: a sender writes, or a permit is out; it may go back to EMPTY
 * FULL and TAKEN refuse senders as if closed; OWN: it was the item that closed it, and nobody before, so the end has no cause,
 * whatever a closer says that comes too late. A sender owns the item from EMPTY -> HELD to HELD -> FULL, the receiver that won
 * FULL -> TAKEN from there on; the memory is not used a second time, so nothing is ever given back. Who fills the cell in place
 * (uvf__cell_fill) is its only sender and needs no HELD.
 *
 * A receiver that finds HELD waits as if it were empty: what is being sent has not been sent yet. The end is behind HELD, as
 * behind any permit.
 *
 * Pairs. S1: the item: HELD -> FULL (release part) -> FULL -> TAKEN (acquire part), or a look that borrows it (acquire).
 *        S2: each change and each look is sequentially consistent: Q-pub and Q-look of queue.h.
 *        S3: first loads, whose value the CAS checks, and init: relaxed.
 * Model: test/model/cell_model.cpp. */
#include "queue/cell.h"

#include "base/list.h"
#include "queue/item.h"

enum { EMPTY = 0, HELD, FULL, TAKEN, PHASE = 3, CLOSED = 4, ABORTED = 8, OWN = 16 };

static uvf__cell_t *cell_of(uvf__queue_t *q) {
  return uvf__container(q, uvf__cell_t, base);
}

static uint32_t phase_of(uint32_t word) {
  return word & PHASE;
}

static int refusal(uint32_t word) {
  return (word & CLOSED) != 0 || phase_of(word) >= FULL ? UV_EPIPE : phase_of(word) == HELD ? UV_EAGAIN : 0;
}

static int cell_reserve(uvf__queue_t *base) {
  uvf__cell_t *q = cell_of(base);
  uint32_t w = a_load(&q->word, seq_cst); /* S2 */
  int r;
  while ((r = refusal(w)) == 0)
    if (a_cas(&q->word, &w, w + (HELD - EMPTY), seq_cst, seq_cst)) return 0; /* S2 */
  return r;
}

/* The item is written: to FULL; or to EMPTY, if nobody will read it: UV_EPIPE. */
static int publish(uvf__cell_t *q) {
  uint32_t w = a_load(&q->word, relaxed), ends, phase; /* S3 */
  do {
    ends = w & ~(uint32_t)PHASE;
    phase = (ends & ABORTED) != 0 ? EMPTY : FULL;
    if (ends == 0) ends = OWN;
  } while (!a_cas(&q->word, &w, ends | phase, seq_cst, relaxed)); /* S1, S2 */
  return phase == FULL ? 0 : UV_EPIPE;
}

static void cell_unreserve(uvf__queue_t *base) {
  (void)a_and(&cell_of(base)->word, ~(uint32_t)PHASE, seq_cst); /* S2 */
}

static int cell_send_held(uvf__queue_t *base, const void *item) {
  uvf__cell_t *q = cell_of(base);
  uvf__item_write(q->item, item, base->item_size);
  return publish(q);
}

static int cell_send(uvf__queue_t *base, const void *items, int n) {
  (void)n;
  int r = cell_reserve(base);
  if (r == 0) r = cell_send_held(base, items);
  return r == 0 ? 1 : r;
}

static int look(uint32_t w) {
  switch (phase_of(w)) {
  case FULL: return 0;
  case TAKEN: return UV_EOF;
  case HELD: return UV_EAGAIN;
  default: return (w & CLOSED) != 0 ? UV_EOF : UV_EAGAIN;
  }
}

static int cell_look(uvf__queue_t *base) {
  return look(a_load(&cell_of(base)->word, seq_cst)); /* S2 */
}

static int cell_claim(uvf__queue_t *base, uvf__run_t *run, int n) {
  uvf__cell_t *q = cell_of(base);
  uint32_t w = a_load(&q->word, seq_cst); /* S2 */
  int r;
  (void)n;
  while ((r = look(w)) == 0)
    if (a_cas(&q->word, &w, w + (TAKEN - FULL), seq_cst, seq_cst)) { /* S1, S2 */
      *run = (uvf__run_t){q->item, NULL, 0, 1};
      return 1;
    }
  return r;
}

static int cell_recv(uvf__queue_t *base, void *items, int n) {
  uvf__run_t run;
  int r = cell_claim(base, &run, n);
  if (r > 0) uvf__item_read(items, run.items, base->item_size);
  return r;
}

static void cell_give_back(uvf__queue_t *base, const uvf__run_t *run) {
  (void)base;
  (void)run;
}

static void cell_close(uvf__queue_t *base, int how) {
  (void)a_or(&cell_of(base)->word, (how & UVF__ABORTED) != 0 ? CLOSED | ABORTED : CLOSED, seq_cst); /* S2 */
}

static int cell_closed(uvf__queue_t *base) {
  uint32_t w = a_load(&cell_of(base)->word, seq_cst); /* S2 */
  if ((w & ABORTED) != 0) return UVF__CLOSED | UVF__ABORTED;
  return (w & CLOSED) != 0 || phase_of(w) >= FULL ? UVF__CLOSED : 0;
}

static void cell_counts(uvf__queue_t *base, uvf__counts_t *out) {
  uint32_t phase = phase_of(a_load(&cell_of(base)->word, seq_cst)); /* S2 */
  *out = (uvf__counts_t){phase >= FULL ? 1 : 0, phase == TAKEN ? 1 : 0};
}

static void cell_destroy(uvf__queue_t *base) {
  (void)base;
}

static const uvf__queue_ops_t cell_ops = {
    true,           cell_send, cell_recv,  cell_claim,  cell_give_back, cell_reserve, cell_unreserve,
    cell_send_held, cell_look, cell_close, cell_closed, cell_counts,    cell_destroy,
};

int uvf__cell_fill(uvf__cell_t *q) {
  return publish(q);
}

int uvf__cell_state(uvf__cell_t *q) {
  uint32_t w = a_load(&q->word, seq_cst); /* S1, S2 */
  return phase_of(w) >= FULL ? 0 : look(w);
}

bool uvf__cell_closed_itself(uvf__cell_t *q) {
  return (a_load(&q->word, seq_cst) & OWN) != 0; /* S2 */
}

void uvf__cell_init(uvf__cell_t *q, size_t item_size, void *item) {
  q->base.ops = &cell_ops;
  q->base.item_size = item_size;
  q->item = item;
  a_init(&q->word, EMPTY); /* S3 */
  uvf__item_init(item);
}
