/* SPDX-License-Identifier: MIT */
/* One round of chan_stress.c: its channels, who uses them, and the books that are kept of each item.
 *
 * An offer is one item handed to one send. Each ends accepted or returned, and each accepted one delivered or dropped; the books
 * have a byte of flags for each, set from whatever thread sees the event. All counting here is relaxed, so that it orders
 * nothing that the library has to order: a race on an item's bytes is ThreadSanitizer's to find. */
#ifndef ROUND_H
#define ROUND_H

#include "stress.h"

enum { MAX_CHANNELS = 3, MAX_LOOPS = 3, MAX_SENDERS = 5, MAX_RECEIVERS = 5, SLOTS = 6, MAX_ITEM = 1000, MAX_N = 12 };
/* What a sender sends by permits may overtake what it has waiting: each has an order of its own. */
enum { PLAIN, BY_PERMIT, LANES };
enum { OFFERED = 1, ACCEPTED = 2, RETURNED = 4, DELIVERED = 8, DROPPED = 16 };

typedef struct chan_s chan_t;
typedef struct end_s end_t;
typedef struct looper_s looper_t;

/* How a channel ends if not by its senders having sent all. By the receivers: they go away, whatever is left. */
typedef enum { BY_ALL_SENT, BY_TX_CLOSE, BY_RX_CLOSE, BY_ABORT, BY_RECEIVERS, ENDINGS } ending_t;

/* A request with its item, or its permit. */
typedef struct {
  uvf_req_t req;
  uvf_permit_t permit;
  end_t *owner;
  int index;
  bool pending;
  _Alignas(16) unsigned char item[MAX_ITEM];
} slot_t;

/* What one stream of received items has seen of each sender: the next number that may come. */
typedef struct {
  uint32_t next[MAX_SENDERS][LANES];
} order_seen_t;

/* A sender or a receiver. */
struct end_s {
  chan_t *chan;
  bool sends;
  uint32_t index;   /* among the senders, or the receivers, of the channel */
  looper_t *looper; /* NULL: a thread of its own */
  pthread_t thread;
  rng_t rng;
  uint32_t moves;
  _Atomic(const char *) doing;
  atomic_bool gone;

  /* sender */
  atomic_uchar *books; /* one for each offer */
  uint32_t offers;     /* made so far */
  bool refused;        /* EPIPE */
  uint32_t permits;    /* got so far */

  /* receiver */
  order_seen_t seen[SLOTS + 2]; /* one for each request; then the reader; then try_recv */
  uint32_t quits_after;         /* items; UINT32_MAX: only at the end */
  uint32_t got;
  bool with_reader, paused, stopped, ended;

  /* on a loop */
  slot_t slots[SLOTS];
  uvf_reader_t reader;
};

struct chan_s {
  queue_t queue;
  size_t capacity, item_size;
  uvf_overflow_t overflow;
  uint32_t offers_each, number;
  ending_t ending;
  uint32_t ends_after; /* items accepted (BY_TX_CLOSE) or delivered */
  int cause;
  bool keep; /* somebody holds both ends over all of the round */
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  uint32_t senders, receivers;
  end_t sender[MAX_SENDERS], receiver[MAX_RECEIVERS];
  atomic_uint senders_left, receivers_left;
  atomic_ulong accepted, delivered, dropped;
  atomic_int closed_ok, aborted_ok; /* calls that returned 0 */
  atomic_int end_status;            /* what receivers got at the end; 0: nobody yet */
};

/* A thread that runs a libuv loop, with uvflow attached most of the time. */
struct looper_s {
  pthread_t thread; /* for who joins it */
  pthread_t self;
  rng_t rng;
  uv_loop_t uv;
  uv_timer_t tick;
  pthread_mutex_t lock;
  uvf_loop_t *loop; /* written by its thread, under lock; NULL: detached */
  uint32_t detached_times;
  bool detaching, last;
  uvf_post_t post;
  atomic_ulong posts, posts_run;
  end_t *ends[MAX_CHANNELS * (MAX_SENDERS + MAX_RECEIVERS)];
  uint32_t ends_count;
  _Atomic(const char *) doing;
};

typedef struct {
  rng_t rng;
  uint32_t seldom; /* how often threads let others in: one in so many */
  bool patient;    /* few timeouts */
  bool
      lockstep; /* now and then senders wait until all items have arrived, and nothing but a wake makes receivers look */
  uint64_t until_us;
  uint32_t channels, loopers;
  chan_t chan[MAX_CHANNELS];
  looper_t looper[MAX_LOOPS];
} round_t;

static round_t *the_round;

#define relaxed_add(counter, n) atomic_fetch_add_explicit(counter, n, memory_order_relaxed)
#define doing(who, what) atomic_store_explicit(&(who)->doing, what, memory_order_relaxed)

static inline bool time_is_up(void) {
  return now_us() >= the_round->until_us;
}

/* ---- items ---- */

/* channel, sender, lane, number, and a byte made of them that fills the rest. */
static inline uint64_t item_word(const end_t *sender, int lane, uint32_t seq) {
  return (uint64_t)sender->chan->number << 56 | (uint64_t)sender->index << 48 | (uint64_t)lane << 40 | seq;
}

static inline int item_lane(const void *item) {
  uint64_t word;
  memcpy(&word, item, sizeof word);
  return (int)(word >> 40) & 1;
}

static inline int item_fill(uint64_t word) {
  return (int)((word * UINT64_C(0x9e3779b97f4a7c15)) >> 56);
}

static inline void item_write(const end_t *sender, void *item, int lane, uint32_t seq) {
  uint64_t word = item_word(sender, lane, seq);
  memcpy(item, &word, sizeof word);
  memset((char *)item + sizeof word, item_fill(word), sender->chan->item_size - sizeof word);
}

/* Whose it is; dies if its bytes are not those that were sent. */
static inline end_t *item_read(chan_t *c, const void *item, uint32_t *seq) {
  uint64_t word;
  memcpy(&word, item, sizeof word);
  uint32_t sender = (uint32_t)(word >> 48) & 0xff;
  *seq = (uint32_t)word;
  if (word >> 56 != c->number || sender >= c->senders || *seq >= c->offers_each)
    die("channel %u: an item that nobody sent: %016" PRIx64, c->number, word);
  for (size_t i = sizeof word; i < c->item_size; i++)
    if (((const unsigned char *)item)[i] != item_fill(word))
      die("channel %u: item %u of sender %u is torn at byte %zu", c->number, *seq, sender, i);
  return &c->sender[sender];
}

/* ---- books ---- */

static inline void book(end_t *sender, uint32_t seq, unsigned what, unsigned must_have, unsigned must_not) {
  unsigned before = atomic_fetch_or_explicit(&sender->books[seq], (unsigned char)what, memory_order_relaxed);
  if ((before & must_have) != must_have || (before & must_not) != 0)
    die("channel %u: item %u of sender %u gets %u, and has %u (1 offered, 2 accepted, 4 returned, 8 delivered, 16 "
        "dropped)",
        sender->chan->number, seq, sender->index, what, before);
}

static inline void moved_one(end_t *e) {
  if (e->moves++ % 64 == 0) moved();
}

/* The next item; the caller has seen that offers are left. */
static inline uint32_t offer_on(end_t *e, int lane, void *item) {
  uint32_t seq = e->offers++;
  book(e, seq, OFFERED, 0, 0xff);
  item_write(e, item, lane, seq);
  return seq;
}

static inline uint32_t offer(end_t *e, void *item) {
  return offer_on(e, PLAIN, item);
}

static inline void accepted(end_t *e, uint32_t seq) {
  book(e, seq, ACCEPTED, OFFERED, ACCEPTED | RETURNED);
  (void)relaxed_add(&e->chan->accepted, 1);
  moved_one(e);
}

static inline void returned(end_t *e, uint32_t seq) {
  book(e, seq, RETURNED, OFFERED, ACCEPTED | RETURNED | DELIVERED | DROPPED);
}

/* Receiver e got it, on the stream `seen`. */
static inline void delivered(end_t *e, order_seen_t *seen, const void *item) {
  uint32_t seq;
  end_t *sender = item_read(e->chan, item, &seq);
  book(sender, seq, DELIVERED, OFFERED, RETURNED | DELIVERED | DROPPED);
  uint32_t *next = &seen->next[sender->index][item_lane(item)];
  if (seq < *next)
    die("channel %u: receiver %u got item %u of sender %u after item %u", e->chan->number, e->index, seq, sender->index,
        *next - 1);
  *next = seq + 1;
  e->got++;
  (void)relaxed_add(&e->chan->delivered, 1);
  moved_one(e);
}

static inline void on_drop(void *item, void *data) {
  chan_t *c = data;
  uint32_t seq;
  end_t *sender = item_read(c, item, &seq);
  book(sender, seq, DROPPED, OFFERED, RETURNED | DELIVERED | DROPPED);
  (void)relaxed_add(&c->dropped, 1);
}

/* ---- ends ---- */

static inline void close_tx(chan_t *c) {
  int r = uvf_tx_close(c->tx, c->cause);
  must(r == 0 || r == UV_EALREADY);
  if (r == 0) (void)relaxed_add(&c->closed_ok, 1);
}

static inline void close_rx(chan_t *c) {
  int r = uvf_rx_close(c->rx, c->cause);
  must(r == 0 || r == UV_EALREADY);
  if (r == 0) (void)relaxed_add(&c->closed_ok, 1);
}

static inline void abort_rx(chan_t *c) {
  int r = uvf_rx_abort(c->rx, c->cause);
  must(r == 0 || r == UV_EALREADY);
  if (r == 0) (void)relaxed_add(&c->aborted_ok, 1);
}

/* All receivers get the same end, and it is one that somebody has asked for. */
static inline void end_seen(end_t *e, int status) {
  int before = 0;
  if (status != UV_EOF && status != e->chan->cause)
    die("channel %u ends with %s", e->chan->number, uvf_err_name(status));
  if (!atomic_compare_exchange_strong(&e->chan->end_status, &before, status)) must_be(status, before, "the end");
  e->ended = true;
}

static inline bool sender_done(const end_t *e) {
  return e->refused || e->offers == e->chan->offers_each || time_is_up();
}

/* A weak end of a channel that somebody else may be closing right now. */
static inline void weak_aside(uvf_weak_t *weak) {
  uvf_tx_t *tx = uvf_weak_upgrade(weak);
  if (tx == NULL) must(uvf_weak_upgrade(weak) == NULL);
  uvf_tx_release(tx);
  uvf_weak_release(weak);
}

/* What a sender does besides sending. */
static inline void sender_aside(end_t *e) {
  chan_t *c = e->chan;
  if (c->ending == BY_TX_CLOSE && atomic_load_explicit(&c->accepted, memory_order_relaxed) >= c->ends_after)
    close_tx(c);
  if (one_in(&e->rng, 64)) weak_aside(uvf_tx_weaken(c->tx));
}

static inline void receiver_aside(end_t *e) {
  chan_t *c = e->chan;
  if (atomic_load_explicit(&c->delivered, memory_order_relaxed) < c->ends_after) return;
  if (c->ending == BY_RX_CLOSE) close_rx(c);
  if (c->ending == BY_ABORT) abort_rx(c);
}

/* All that was accepted has arrived, or was dropped. If a wake was lost, or an item forgotten, this stays false for ever. */
static inline bool settled(const chan_t *c) {
  unsigned long ended = atomic_load_explicit(&c->delivered, memory_order_relaxed);
  ended += atomic_load_explicit(&c->dropped, memory_order_relaxed);
  return ended >= atomic_load_explicit(&c->accepted, memory_order_relaxed);
}

/* The last one to leave ends the channel, by releasing its reference if nobody keeps the ends. */
static inline void end_leaves(end_t *e) {
  chan_t *c = e->chan;
  doing(e, "leaving");
  bool last = atomic_fetch_sub(e->sends ? &c->senders_left : &c->receivers_left, 1) == 1;
  if (last && c->keep && e->sends) close_tx(c);
  if (last && c->keep && !e->sends) abort_rx(c);
  uvf_weak_t *weak = e->sends ? uvf_tx_weaken(c->tx) : NULL;
  if (e->sends)
    uvf_tx_release(c->tx);
  else
    uvf_rx_release(c->rx);
  if (weak != NULL) weak_aside(weak);
  doing(e, "gone");
  atomic_store(&e->gone, true);
  moved();
}

/* ---- posts ---- */

static inline void on_post(uvf_post_t *post, int status) {
  looper_t *l = post->data;
  must(pthread_equal(l->self, pthread_self()));
  must(status == 0 || (status == UV_ECANCELED && l->detaching));
  (void)relaxed_add(&l->posts_run, 1);
}

/* Rings some loop's bell, from anywhere; the loop may be detached by the time. */
static inline void post_somewhere(rng_t *g) {
  if (the_round->loopers == 0 || !one_in(g, 64)) return;
  looper_t *l = &the_round->looper[rng_below(g, the_round->loopers)];
  (void)pthread_mutex_lock(&l->lock);
  uvf_loop_t *loop = uvf_loop_retain(l->loop);
  (void)pthread_mutex_unlock(&l->lock);
  if (loop == NULL) return;
  int r = uvf_post(loop, &l->post, on_post);
  must(r == 0 || r == UV_EBUSY || r == UV_ECANCELED);
  if (r == 0) (void)relaxed_add(&l->posts, 1);
  uvf_loop_release(loop);
}

#endif
