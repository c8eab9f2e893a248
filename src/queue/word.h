/* SPDX-License-Identifier: MIT */
/* The tail word of the many-to-many queues: closed:1 | aborted:1 | held:14 | idx:48. One compare-and-swap on it decides
 * closed, permits and position together. Positions count modulo 2^48. */
#ifndef UVF_QUEUE_WORD_H
#define UVF_QUEUE_WORD_H

#include <stdint.h>

#define WORD_CLOSED (UINT64_C(1) << 63)
#define WORD_ABORTED (UINT64_C(1) << 62)
#define WORD_HELD1 (UINT64_C(1) << 48)
#define WORD_HELD (UINT64_C(0x3fff) << 48)
#define WORD_IDX (WORD_HELD1 - 1)

static inline uint64_t word_idx(uint64_t w) {
  return w & WORD_IDX;
}

static inline uint64_t word_held(uint64_t w) {
  return (w & WORD_HELD) >> 48;
}

/* n positions further, without a carry into `held`. */
static inline uint64_t word_advance(uint64_t w, uint64_t n) {
  return (w & ~WORD_IDX) | ((w + n) & WORD_IDX);
}

static inline uint64_t idx_add(uint64_t idx, uint64_t n) {
  return (idx + n) & WORD_IDX;
}

static inline uint64_t idx_sub(uint64_t idx, uint64_t n) {
  return (idx - n) & WORD_IDX;
}

/* Closed, no permit out, and every accepted item was taken up to `head`: the end, for ever. */
static inline bool word_ended(uint64_t w, uint64_t head) {
  return (w & WORD_CLOSED) != 0 && (w & WORD_HELD) == 0 && word_idx(w) == head;
}

static inline uint64_t word_close_bits(int how) {
  return (how & UVF__ABORTED) != 0 ? WORD_CLOSED | WORD_ABORTED : WORD_CLOSED;
}

static inline int word_closed(uint64_t w) {
  return (w & WORD_ABORTED) != 0 ? UVF__CLOSED | UVF__ABORTED : (w & WORD_CLOSED) != 0 ? UVF__CLOSED : 0;
}

#endif
