/* SPDX-License-Identifier: MIT */
/* The reference that the fuzz target compares a channel with: an array of items, a line of waiting senders, and what the
 * contract in include/uvflow says of them. It is told of each call and each callback, and stops the process at the first
 * difference. Senders are exact: who sends, who waits, who is served is settled at once. Receivers that wait are told to
 * look and try by themselves, so who of them gets an item shows only in the callbacks; the reference follows these, and at
 * rest nobody may wait for what is there. */
#ifndef UVF_FUZZ_REFERENCE_H
#define UVF_FUZZ_REFERENCE_H

#include <uvflow.h>

enum { REF_REQUESTS = 6, REF_READERS = 2, REF_ITEMS = 1 << 14 };

typedef enum { REF_SEND, REF_RESERVE, REF_RECV, REF_READABLE, REF_CLOSED } ref_op_t;

typedef struct {
  enum { REF_FREE, REF_WAITING, REF_DECIDED } state; /* DECIDED: the outcome is settled, the callback is to come */
  ref_op_t op;
  int status;        /* DECIDED */
  uint32_t id;       /* SEND: the item; RECV: the item that it took */
  uint64_t deadline; /* UINT64_MAX: none */
  bool unref;
  /* A waiting receiver */
  bool told;      /* it may have been told to look, so that it may end in its own way after a cancel or a timeout */
  bool timed;     /* its time is over */
  bool cancelled; /* uvf_cancel said that it was too late; or a detach */
} ref_req_t;

typedef struct {
  bool active, paused, unref;
  bool inside; /* a callback with items is on the stack */
  bool armed;  /* of a rendezvous: it certainly waits */
  uint32_t max_batch, turn_items;
  unsigned turn; /* of the host, when it last got items, and how many in that turn */
  uint32_t turn_took;
  unsigned resumed; /* in a callback of that turn; 0: never */
} ref_reader_t;

typedef struct {
  uint32_t ids[REF_ITEMS];
  size_t head, tail;
} ref_list_t;

typedef struct {
  /* constant */
  size_t capacity; /* as in the options */
  uvf_overflow_t overflow;
  bool spsc;
  bool lends; /* a batch in a reader's callback takes room */

  ref_list_t queue;
  ref_list_t handed; /* rendezvous: with a receiver, whose callback is to come */
  size_t held;       /* permits */
  size_t loan;       /* taken since the batch that a callback has now began: room comes back in order */
  bool closed, aborted;
  int cause;
  int tx_refs, rx_refs;

  int line[REF_REQUESTS]; /* waiting SEND and RESERVE, first come first */
  int in_line;
  bool
      late; /* a batch has been given back, and its reader's turn goes on: waiting senders may not have been served yet */

  ref_req_t reqs[REF_REQUESTS];
  ref_reader_t readers[REF_READERS];
  bool detaching;

  uint64_t sent, received, dropped, returned;
  ref_list_t drops; /* for which drop has to be called, in this order */
} ref_t;

/* Prints, and aborts. */
_Noreturn void ref_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

void ref_init(ref_t *r, const uvf_chan_options_t *o);

bool ref_is_rendezvous(const ref_t *r);
size_t ref_len(const ref_t *r);
/* What receivers get at the end; and whether it is the end for them. */
int ref_end_code(const ref_t *r);
bool ref_at_end(const ref_t *r);
bool ref_readable(const ref_t *r);

/* ---- what never waits: results as of the functions of these names. Not for sends of a rendezvous. ---- */
int ref_try_send(ref_t *r, uint32_t id);
int ref_try_recv(ref_t *r, uint32_t *id);
int ref_try_reserve(ref_t *r);
int ref_permit_send(ref_t *r, uint32_t id);
void ref_permit_release(ref_t *r);
int ref_close(ref_t *r, bool abort, int cause);
void ref_tx_release(ref_t *r);
void ref_rx_release(ref_t *r);

/* Waiting senders get what room there is. */
void ref_serve(ref_t *r);
/* How many items, and how many senders and reservers, would that move? */
size_t ref_late(const ref_t *r, size_t *senders);

/* ---- rendezvous ---- */
/* May a send meet a receiver, must it? And it did. */
bool ref_may_meet(const ref_t *r);
bool ref_must_meet(const ref_t *r);
void ref_meet(ref_t *r, uint32_t id);
/* Takes the i-th out of those handed over. */
uint32_t ref_handed_take(ref_t *r, size_t i);

/* ---- requests ---- */
/* Where `met` is for a send of a rendezvous: it met a receiver at once. */
void ref_start(ref_t *r, int i, ref_op_t op, uint32_t id, uint64_t timeout, uint64_t now, bool met);
void ref_cancel(ref_t *r, int i, int result);
void ref_expire(ref_t *r, uint64_t now);
void ref_detach(ref_t *r);
/* The callback; r->reqs[i].id is then the item of a RECV. The release of the end comes after the callback. */
void ref_called_back(ref_t *r, int i, int status);

/* ---- readers ---- */
/* A callback with n > 0 items, which are then *first.. in the queue, or with n < 0. */
void ref_read(ref_t *r, int i, int n, unsigned turn, size_t *first);

/* It was paused. turn: of the host, if in a callback, else 0. */
void ref_resume(ref_t *r, int i, unsigned turn);

/* The loop is at rest. */
void ref_rest(ref_t *r);
/* Does something keep the loop alive? */
bool ref_alive(const ref_t *r);

#endif
