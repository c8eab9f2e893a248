/* SPDX-License-Identifier: MIT */
/* The waiting lists of one object, and how a waiter is fired.
 *
 * Protocol. `lock` guards the lists; it is taken only by those who wait or who must wake somebody. `marks` tells everyone
 * else which lists are non-empty. Lock order: an executor's `lock`, a channel's `lock`, a queue's own lock; never two of one
 * kind; no callback, drop, allocator, host or parker call under any. Who waits: links, marks (M1), looks at the queue; who changes
 * the queue: changes it, then loads marks (M1). One of the two sees the other (queue.h, Q-pub and Q-look).
 *
 * Invariants. W1: a bit of RX, TX, END is set exactly while its list is non-empty, seen under the lock. W2: a decided waiter is
 * announced under the lock (op.h, O3); bells ring after it.
 *
 * Pairs. M1: marks are set by seq_cst read-modify-writes; looks are seq_cst loads.
 *        M2: cleared (release) -> the early test of a newcomer, and a look (acquire): what a server wrote for those before it comes first.
 *        M5: marks change only under the lock, so clearing needs no read-modify-write; who still sees one that was cleared takes the
 *        lock in vain.
 *        M3: init. M4: fence between the mark and the look of the one who waits (queue.h). */
#ifndef UVF_WAIT_WAITS_H
#define UVF_WAIT_WAITS_H

#include "base/fence.h"
#include "base/thread.h"
#include "wait/bells.h"
#include "wait/op.h"

enum { UVF__MARK_RX = 1, UVF__MARK_TX = 2, UVF__MARK_ABORT = 4, UVF__MARK_END = 8 };

typedef struct {
  uvf__link_t list;
} uvf__waitlist_t;

/* What M4 is for a kind of object. */
typedef enum {
  UVF__FENCE_NONE,  /* all changes and looks are seq_cst, or under the lock */
  UVF__FENCE_PLAIN, /* a look is weaker */
  UVF__FENCE_HEAVY  /* the other side has a light fence (base/fence.h) */
} uvf__waits_fence_t;

/* `marks` and `fence` are read by all who use the object, and marks is written only when a list turns empty or non-empty: they should
 * lie at the end of a line of constants. Then comes a line for who waits to take and who tells him, and one for the others. */
typedef struct {
  a_u32 marks;
  uint8_t fence; /* uvf__waits_fence_t; constant */
  uvf__mutex_t lock;
  uvf__waitlist_t rx; /* under lock: who waits to take */
  a_u32 refs, mem;    /* the object's own: its owners (of a channel those who receive), and what keeps its memory */
  uvf__waitlist_t tx, end; /* under lock: who waits to give, and for the end alone */
  uint64_t begun, left;    /* under lock: waits begun, and those that nobody else decided */
} uvf__waits_t;

/* 0 or UV_ENOMEM. The counters are not touched. */
int uvf__waits_init(uvf__waits_t *ws, uvf__waits_fence_t fence);
void uvf__waits_destroy(uvf__waits_t *ws);

/* The look after a change. */
static inline uint32_t uvf__waits_look(uvf__waits_t *ws) {
  return a_load(&ws->marks, seq_cst); /* M1 */
}

/* The test before one. */
static inline uint32_t uvf__waits_peek(uvf__waits_t *ws) {
  return a_load(&ws->marks, acquire); /* M2 */
}

/* All of these under the lock. */
void uvf__waits_link(uvf__waits_t *ws, uvf__waitlist_t *list, uvf__waiter_t *w, bool front);
void uvf__waits_unlink(uvf__waits_t *ws, uvf__waitlist_t *list, uvf__waiter_t *w); /* that nobody decided */
uint64_t uvf__waits_fired(const uvf__waits_t *ws);                                 /* how many others decided */
uvf__waiter_t *uvf__waits_first(uvf__waitlist_t *list);
uvf__waiter_t *uvf__waits_next(uvf__waitlist_t *list, uvf__waiter_t *w);

/* Wins the waiter for the caller, who may then touch its item, and must unlink and announce it before the unlock.
 * False: its owner has left; unlink it and take the next one. */
bool uvf__waits_decide(uvf__waiter_t *w, int status);

/* Takes a decided waiter off its list and hands its op to its owner. The mark goes last, so that whoever misses it comes after
 * the push: callbacks of a loop come in the order in which things were decided. */
void uvf__waits_announce(uvf__waits_t *ws, uvf__waitlist_t *list, uvf__waiter_t *w, uvf__bells_t *bells);

/* Fires the first waiter that is still there. False: none was. */
bool uvf__waits_fire(uvf__waits_t *ws, uvf__waitlist_t *list, int status, uvf__bells_t *bells);

/* Not under the lock: unlinks the waiter if it is linked. A firer that had found it has announced it by then (op.h, O3). */
void uvf__waits_withdraw(uvf__waits_t *ws, uvf__waitlist_t *list, uvf__waiter_t *w);

/* Not under the lock: fires up to n waiters of the list, n = INT_MAX: all. */
void uvf__waits_wake(uvf__waits_t *ws, uvf__waitlist_t *list, int n, int status);

#endif
