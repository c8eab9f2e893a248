/* SPDX-License-Identifier: MIT */
/* What the tests of channels share: the kinds of channel that a case is run on, items that say who sent them and when, a
 * ledger of what became of each item, and blocked threads.
 * A case is a function of one kind, registered once for all kinds to which it applies; its name in the report ends in the
 * kind's. Nothing here asserts but where it says so: callbacks and threads record, the test asserts. */
#ifndef UVF_TEST_CHAN_FIXTURE_H
#define UVF_TEST_CHAN_FIXTURE_H

#include <sched.h>

#include "support/uvf_test.h"

#include "base/atomic.h"

/* Does a reader's batch take room until its callback returns? Without atomics all readers get copies. */
#define BATCH_TAKES_ROOM UVF__ATOMICS

/* ---- kinds ---- */

enum {
  BOUNDED = 1,
  SPSC = 2,
  UNBOUNDED = 4,
  RENDEZVOUS = 8,
  OLDEST = 16,
  NEWEST = 32,
  NEWEST_SPSC = 64,
  ONESHOT = 128, /* one item in its life, so in none of the sets below */
  LIMITED = BOUNDED | SPSC,
  QUEUED = LIMITED | UNBOUNDED,
  SHARED = BOUNDED | UNBOUNDED,
  ALL = QUEUED | RENDEZVOUS,
  ANY_SENDERS = SHARED | RENDEZVOUS,
  DROPPING = OLDEST | NEWEST | NEWEST_SPSC, /* a full one drops; not in the sets above, where sends wait */
  ONE_SENDER = SPSC | NEWEST_SPSC,
  RESERVABLE = QUEUED | DROPPING,
  RESERVE_WAITS = LIMITED | DROPPING,
  EVERY = ALL | DROPPING
};

typedef struct {
  const char *name;
  unsigned bit;
  size_t capacity; /* 0: what the case asks for */
  unsigned flags;
  uvf_overflow_t overflow;
} kind_t;

static const kind_t kinds[] = {
    {"bounded", BOUNDED, 0, 0, UVF_OVERFLOW_WAIT},
    {"spsc", SPSC, 0, UVF_SPSC, UVF_OVERFLOW_WAIT},
    {"unbounded", UNBOUNDED, UVF_UNBOUNDED, 0, UVF_OVERFLOW_WAIT},
    {"rendezvous", RENDEZVOUS, UVF_RENDEZVOUS, 0, UVF_OVERFLOW_WAIT},
    {"drop oldest", OLDEST, 0, 0, UVF_OVERFLOW_DROP_OLDEST},
    {"drop newest", NEWEST, 0, 0, UVF_OVERFLOW_DROP_NEWEST},
    {"drop newest, spsc", NEWEST_SPSC, 0, UVF_SPSC, UVF_OVERFLOW_DROP_NEWEST},
    {"one-shot", ONESHOT, 0, 0, UVF_OVERFLOW_WAIT},
};

enum { KINDS = sizeof kinds / sizeof kinds[0], MAX_CASES = 256 };

typedef struct {
  const char *name;
  CMUnitTestFunction run;
  unsigned kinds; /* 0: once, without a kind */
} case_t;

#define CASE(function, on) \
  { #function, function, on }

/* Registers the cases, each with its kinds, and runs them. The result is that of main. */
static inline int run_cases(const case_t *cases, size_t n) {
  static struct CMUnitTest tests[MAX_CASES];
  static char names[MAX_CASES][128];
  size_t used = 0;
  for (size_t i = 0; i < n; i++) {
    for (size_t k = 0; k < KINDS; k++) {
      if (cases[i].kinds == 0 ? k > 0 : (cases[i].kinds & kinds[k].bit) == 0) continue;
      if (used == MAX_CASES) return 1;
      (void)snprintf(names[used], sizeof names[used], "%s%s%s", cases[i].name, cases[i].kinds == 0 ? "" : " ",
                     cases[i].kinds == 0 ? "" : kinds[k].name);
      tests[used] =
          (struct CMUnitTest){names[used], cases[i].run, fault_setup, fault_teardown, (void *)(uintptr_t)&kinds[k]};
      used++;
    }
  }
  return RUN_TESTS(tests); /* rows without a function are left out */
}

#define RUN_CASES(cases) run_cases(cases, sizeof(cases) / sizeof((cases)[0]))

/* ---- items ---- */

static inline payload_t item(uint32_t sender, uint32_t seq) {
  return (payload_t){sender, seq};
}

static inline bool same(payload_t a, payload_t b) {
  return a.sender == b.sender && a.seq == b.seq;
}

/* ---- channels ---- */

enum { LEDGER_SENDERS = 24, LEDGER_SEQS = 512 };

/* Both ends, until a case gives them away (and sets them to NULL), and how often each item was dropped. */
typedef struct {
  const kind_t *kind;
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  atomic_uint dropped, strange; /* strange: dropped, but not an item of this ledger */
  atomic_uchar drops[LEDGER_SENDERS][LEDGER_SEQS];
} chan_t;

static inline void ledger_drop(void *bytes, void *data) {
  chan_t *c = data;
  payload_t i;
  memcpy(&i, bytes, sizeof i);
  atomic_fetch_add(&c->dropped, 1);
  if (i.sender < LEDGER_SENDERS && i.seq < LEDGER_SEQS)
    atomic_fetch_add(&c->drops[i.sender][i.seq], 1);
  else
    atomic_fetch_add(&c->strange, 1);
}

static inline unsigned drops_of(chan_t *c, uint32_t sender, uint32_t seq) {
  return atomic_load(&c->drops[sender][seq]);
}

/* Asserts. `capacity` is for the bounded kinds. */
static inline void chan_open(chan_t *c, void **state, size_t capacity) {
  memset(c, 0, sizeof *c);
  c->kind = *state;
  uvf_chan_options_t o = {.item_size = sizeof(payload_t),
                          .capacity = c->kind->capacity != 0 ? c->kind->capacity : capacity,
                          .flags = c->kind->flags,
                          .overflow = c->kind->overflow,
                          .drop = ledger_drop,
                          .data = c,
                          .name = c->kind->name};
  int r = c->kind->bit == ONESHOT ? uvf_oneshot_create(&o, &c->tx, &c->rx) : uvf_chan_create(&o, &c->tx, &c->rx);
  assert_int_equal(r, 0);
}

/* Releases what the case has not. */
static inline void chan_close(chan_t *c) {
  uvf_tx_release(c->tx);
  uvf_rx_release(c->rx);
  c->tx = NULL;
  c->rx = NULL;
}

static inline int try_send(chan_t *c, uint32_t sender, uint32_t seq) {
  payload_t i = item(sender, seq);
  return uvf_try_send(c->tx, &i);
}

/* Asserts: n items of sender 0, numbered from `first`, go in. */
static inline void fill(chan_t *c, uint32_t first, uint32_t n) {
  for (uint32_t i = 0; i < n; i++)
    assert_int_equal(try_send(c, 0, first + i), 0);
}

/* Asserts: the next item is that one. */
static inline void expect(chan_t *c, uint32_t sender, uint32_t seq) {
  payload_t got = item(UINT32_MAX, UINT32_MAX);
  assert_int_equal(uvf_try_recv(c->rx, &got), 0);
  assert_int_equal(got.sender, sender);
  assert_int_equal(got.seq, seq);
}

static inline int try_recv(chan_t *c) {
  payload_t got;
  return uvf_try_recv(c->rx, &got);
}

static inline uvf_chan_stats_t stats_of(chan_t *c) {
  uvf_chan_stats_t s;
  memset(&s, 0xff, sizeof s);
  if (c->rx != NULL)
    uvf_rx_stats(c->rx, &s);
  else
    uvf_tx_stats(c->tx, &s);
  return s;
}

/* ---- permits ---- */

static inline int permit_send(uvf_permit_t *p, uint32_t sender, uint32_t seq) {
  payload_t i = item(sender, seq);
  return uvf_permit_send(p, &i);
}

/* Does it hold nothing? */
static inline bool is_empty(uvf_permit_t *p) {
  return permit_send(p, 0, 0) == UV_EINVAL;
}

/* Asserts: n permits are there. */
static inline void reserve_all(chan_t *c, uvf_permit_t *p, uint32_t n) {
  for (uint32_t i = 0; i < n; i++)
    assert_int_equal(uvf_try_reserve(c->tx, &p[i]), 0);
}

/* ---- blocked threads ---- */

/* A thread that makes one blocking call on an end that it borrows. */
typedef struct {
  thread_t thread;
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  payload_t item;
  uvf_permit_t permit;
  uint64_t timeout;
  int result;
} blocked_t;

static inline void blocked_sends(void *arg) {
  blocked_t *b = arg;
  b->result = uvf_send_sync(b->tx, &b->item, b->timeout);
}

static inline void blocked_receives(void *arg) {
  blocked_t *b = arg;
  b->result = uvf_recv_sync(b->rx, &b->item, b->timeout);
}

static inline void blocked_reserves(void *arg) {
  blocked_t *b = arg;
  b->result = uvf_reserve_sync(b->tx, &b->permit, b->timeout);
}

static inline void blocked_waits_closed(void *arg) {
  blocked_t *b = arg;
  b->result = uvf_wait_closed_sync(b->tx, b->timeout);
}

/* Returns when n waits have begun on the channel: the one who waits is linked by then. */
static inline void until_waits(chan_t *c, uint64_t n) {
  while (stats_of(c).waits < n)
    (void)sched_yield();
}

/* Assert. They return when the thread waits, if it is one that must wait: `waits` is the number of waits by then; 0: at once. */
static inline void start_blocked(chan_t *c, blocked_t *b, void (*call)(void *), uint64_t waits) {
  b->tx = c->tx;
  b->rx = c->rx;
  b->result = 1;
  thread_start(&b->thread, call, b);
  if (waits > 0) until_waits(c, waits);
}

static inline void start_sender(chan_t *c, blocked_t *b, payload_t i, uint64_t timeout, uint64_t waits) {
  b->item = i;
  b->timeout = timeout;
  start_blocked(c, b, blocked_sends, waits);
}

static inline void start_receiver(chan_t *c, blocked_t *b, uint64_t timeout, uint64_t waits) {
  b->item = item(UINT32_MAX, UINT32_MAX);
  b->timeout = timeout;
  start_blocked(c, b, blocked_receives, waits);
}

/* The permit's memory is full of rubbish first: it need not be zeroed. */
static inline void start_reserver(chan_t *c, blocked_t *b, uint64_t timeout, uint64_t waits) {
  memset(&b->permit, 0xa5, sizeof b->permit);
  b->timeout = timeout;
  start_blocked(c, b, blocked_reserves, waits);
}

static inline void start_closed_waiter(chan_t *c, blocked_t *b, uint64_t timeout, uint64_t waits) {
  b->timeout = timeout;
  start_blocked(c, b, blocked_waits_closed, waits);
}

/* Asserts. The result of the thread's call. */
static inline int join_blocked(blocked_t *b) {
  thread_join(&b->thread);
  return b->result;
}

#endif
