/* SPDX-License-Identifier: MIT */
/* What a channel wants of a queue. A queue stores items, hands them out in order and knows "closed"; it never waits and
 * never calls anyone.
 *
 * Contract with those who wait (chan/, "marks"). The one who sleeps sets a mark and then looks at the queue; the one who
 * sends or takes changes the queue and then looks at the mark. Both looks must not fail at once, so:
 *   Q-pub   send, recv and give_back end with a sequentially consistent write to the word at which the other side looks,
 *           or with plain release writes and a fence (several items; spsc_ring);
 *   Q-look  look, reserve and send look at that word with sequentially consistent loads.
 * That word is a slot's stamp or state, or head, or tail; whether the queue is closed need not be seen by these looks, since
 * closing and enlisting share the channel's lock.
 * The caller of a look has marked with a sequentially consistent read-modify-write followed by a fence: uvf__heavy_fence where
 * the queue uses light ones (spsc_ring), else a sequentially consistent one. */
#ifndef UVF_QUEUE_QUEUE_H
#define UVF_QUEUE_QUEUE_H

#include "base/atomic.h"
#include "base/errno.h"

enum {
  /* recv, claim: the next item is claimed by a sender who has not written it yet. It will look at the marks afterwards, so
   * a receiver may sleep on it as if the queue were empty; but it is not empty. */
  UVF__BUSY = -6001
};

/* How far closing has gone; `close` takes it, and it never goes back. */
enum { UVF__CLOSED = 1, UVF__ABORTED = 2 };

typedef struct uvf__queue_s uvf__queue_t;

/* Items on loan to a receiver: taken out for everyone else, not yet free for senders. */
typedef struct {
  void *items; /* contiguous */
  void *block; /* private to the queue */
  uint64_t at; /* position of the first */
  int count;
} uvf__run_t;

typedef struct {
  uint64_t sent, taken; /* since creation; sent - taken items are in the queue, taken as of one moment */
} uvf__counts_t;

typedef struct {
  /* Does `claim` lend from an open queue? If not, only what is left in a closed one is claimed: a reader takes copies. */
  bool lends;

  /* Moves the first 1..n items in, as many as there is room for; or UV_EAGAIN (full), UV_EPIPE (closed), UV_ENOMEM. */
  int (*send)(uvf__queue_t *q, const void *items, int n);

  /* Takes 1..n items; or UV_EAGAIN (empty), UVF__BUSY, UV_EOF (closed, nothing left, no permit out). */
  int (*recv)(uvf__queue_t *q, void *items, int n);

  /* As recv, but lends the items where they lie. give_back frees their slots; `run` may be given back by any thread. */
  int (*claim)(uvf__queue_t *q, uvf__run_t *run, int n);
  void (*give_back)(uvf__queue_t *q, const uvf__run_t *run);

  /* A permit: room for one more item, which send_held then cannot lack. reserve: 0, UV_EAGAIN, UV_EPIPE or UV_ENOMEM. send_held
   * also works after close: 0, or UV_EPIPE once aborted (the permit is used up either way), or UV_ENOMEM (it is not). */
  int (*reserve)(uvf__queue_t *q);
  void (*unreserve)(uvf__queue_t *q);
  int (*send_held)(uvf__queue_t *q, const void *item);

  /* What recv would say: 0 (an item is there), UV_EAGAIN, UVF__BUSY or UV_EOF. */
  int (*look)(uvf__queue_t *q);

  /* Adds UVF__CLOSED or UVF__CLOSED | UVF__ABORTED. */
  void (*close)(uvf__queue_t *q, int how);
  int (*closed)(uvf__queue_t *q);

  void (*counts)(uvf__queue_t *q, uvf__counts_t *out);

  /* Frees what the queue allocated; nobody else uses it any more, and it is empty. */
  void (*destroy)(uvf__queue_t *q);
} uvf__queue_ops_t;

struct uvf__queue_s {
  const uvf__queue_ops_t *ops;
  size_t item_size;
};

/* Would recv give an item or UV_EOF? */
static inline bool uvf__queue_readable(uvf__queue_t *q) {
  int r = q->ops->look(q);
  return r == 0 || r == UV_EOF;
}

#endif
