/* SPDX-License-Identifier: MIT */
/* What waits: an op (a request, a reader, a blocked thread) has one waiter for each object that it waits on.
 *
 * Protocol. `word` says who may touch an op.
 *   FREE      nobody; the memory is the user's
 *   PRIV      the owner: the loop's thread, or the blocked thread itself
 *   WAITING   linked; whoever finds it on a waiting list may decide it, under that list's lock
 *   WON       decided; it is on its way to its owner (ready list, parker), who alone makes it something else again
 *   CANCELLED, TIMEDOUT   the owner decided it
 *
 *   FREE -> PRIV -> WAITING -> WON -> PRIV ... -> FREE      owner, owner, firer, owner, owner
 *                   WAITING -> CANCELLED | TIMEDOUT -> FREE  owner
 *
 * Invariants. O1: the memory of a linked waiter is valid, since its owner unlinks it under the lock before letting go.
 * O2: only the winner of the CAS announces an op, and only the owner makes it WAITING again, after it arrived: an op is
 * announced at most once per wait. O3: between the winning CAS and the push on the ready list the lock of the waiting list is
 * held; so an owner that sees WON and takes that lock once finds its op on the ready list.
 *
 * Pairs. O-1: WAITING (relaxed: the lock of the list publishes it) -> decide.
 *        O-2: decide (acq_rel CAS) against the owner's own CAS: exactly one of them wins.
 *        O-3: words that only the owner reads or writes at that time: relaxed.
 * Models: test/model/detach_model.cpp (requests and readers), blocked_model.cpp (threads). */
#ifndef UVF_WAIT_OP_H
#define UVF_WAIT_OP_H

#include <stdint.h>

#include "base/atomic.h"
#include "base/errno.h"
#include "base/list.h"

typedef struct uvf_loop_s uvf_loop_t;
typedef struct uvf__op_s uvf__op_t;
typedef struct uvf__waiter_s uvf__waiter_t;

enum { UVF__FREE = 0, UVF__PRIV, UVF__WAITING, UVF__WON, UVF__CANCELLED, UVF__TIMEDOUT };

/* What the ready list of a loop carries: ops and posts. While the node is on the shared stack only `link.next` is used. */
typedef struct {
  uvf__link_t link;
  a_u32 word;
  uint32_t flags; /* loop thread only */
} uvf__node_t;

enum {
  UVF__NODE_POST = 1,    /* a post, else an op */
  UVF__OP_UNREF = 2,     /* keeps no loop alive */
  UVF__OP_CANCEL = 4,    /* asked for while it was WON: reported if its attempt finds nothing */
  UVF__OP_TIMEOUT = 8,   /* likewise */
  UVF__OP_DEADLINE = 16, /* is in the loop's heap */
  UVF__OP_DONE = 32,     /* request: the outcome is known */
  UVF__OP_DETACHED = 64, /* reader: the loop is going away */
  UVF__OP_PAUSED = 128,  /* reader; keeps no loop alive either */
  UVF__OP_TASK = 256     /* waits for work: the loop lingers for more of them */
};

typedef struct {
  const char *name; /* for people */
  /* Its waiter, of whatever it waits for. NULL: it has none. */
  const uvf__waiter_t *(*waiter)(const uvf__op_t *op);
  /* It was decided: carry on. Loop's thread, off the ready list; an op without a loop: on the thread of who decided it, no lock. */
  void (*run)(uvf__op_t *op);
  /* Loop's thread. The loop is being detached: end with UV_ECANCELED, but call back later. */
  void (*detach)(uvf__op_t *op);
  /* Loop's thread. uvf_cancel; NULL: is no request. */
  int (*cancel)(uvf__op_t *op);
} uvf__op_type_t;

/* What belongs to the loop's thread alone comes first, so that those who decide the op meet few lines of it. */
struct uvf__op_s {
  uvf__link_t in_loop; /* loop->ops; loop's thread only */
  const uvf__op_type_t *type;
  uvf_loop_t *loop; /* NULL: a blocked thread, a continuation */
  uvf__node_t node;
};

/* How a kind of wait behaves on a kind of object. Called by the op's owner, with no lock held. */
typedef struct {
  /* Tries. UV_EAGAIN: it would have to wait; everything else is the outcome. */
  int (*attempt)(uvf__waiter_t *w);
  /* Links the (WAITING) waiter, marks, looks. False: it did not stay linked, since an attempt may succeed now.
   * front: it was woken in vain and keeps its turn. */
  bool (*enlist)(uvf__waiter_t *w, bool front);
  /* Unlinks the waiter if it is linked. When it returns, a firer that had found it has announced it. */
  void (*withdraw)(uvf__waiter_t *w);
  /* The waiter was told to try and will not: tell the next one. */
  void (*pass_on)(uvf__waiter_t *w);
  /* Gives up the reference that the wait held on its object. */
  void (*release)(void *object);
  /* For people: "to send to channel", and the object's name. */
  const char *what;
  const char *(*name)(const void *object);
} uvf__wait_type_t;

struct uvf__waiter_s {
  uvf__link_t link; /* under the lock of the list */
  uvf__op_t *op;
  uint32_t index; /* case of a select */
  int status;     /* written by the one who decides: the outcome, or UV_EAGAIN = try yourself */
  /* what it takes to decide it ends here */
  void *item;   /* where an item comes from or goes to */
  void *object; /* what it waits on; the wait holds a reference */
  const uvf__wait_type_t *type;
  uint64_t since_us; /* when it began to wait, for people; under the lock of the list, and by the owner */
};

static inline void uvf__waiter_init(uvf__waiter_t *w, uvf__op_t *op, const uvf__wait_type_t *type, void *object,
                                    void *item) {
  w->link.next = w->link.prev = NULL;
  w->op = op;
  w->type = type;
  w->object = object;
  w->item = item;
  w->since_us = 0;
  w->index = 0;
  w->status = UV_EAGAIN;
}

/* Tries without waiting. */
static inline int uvf__wait_try(const uvf__wait_type_t *type, void *object, void *item) {
  uvf__waiter_t w;
  uvf__waiter_init(&w, NULL, type, object, item);
  return type->attempt(&w);
}

static inline uint32_t uvf__op_word(uvf__op_t *op) {
  return a_load(&op->node.word, relaxed); /* O-3 */
}

static inline void uvf__op_set(uvf__op_t *op, uint32_t word) {
  a_store(&op->node.word, word, relaxed); /* O-1, O-3 */
}

/* Owner: takes a waiting op back, as `to`. False: somebody has won it and it is on its way. */
static inline bool uvf__op_take_back(uvf__op_t *op, uint32_t to) {
  uint32_t waiting = UVF__WAITING;
  return a_cas(&op->node.word, &waiting, to, acq_rel, acquire); /* O-2 */
}

/* One round of waiting with one waiter: tries, and if that would wait, enlists it. UV_EAGAIN: it waits, or has been won
 * already; everything else is the outcome, and the op is private. tried: the caller has just tried in vain. */
int uvf__wait_start(uvf__op_t *op, uvf__waiter_t *w, bool front, bool tried);

#endif
