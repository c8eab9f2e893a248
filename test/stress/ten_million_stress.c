/* SPDX-License-Identifier: MIT */
/* Ten million messages by 4 senders through each kind of queue into a reader on a loop (a rendezvous: a million; UVF_SPSC: one
 * sender, once a thread and once a loop), with timeouts and cancels mixed in. Of the 4 senders one is a loop whose sends time out
 * and are cancelled, one a thread whose sends time out, one a thread that never waits, one a thread that waits as long as it
 * takes. The senders have some more than that to send; the reader aborts the channel when it has got its number, so that something
 * is dropped, too. One message in eight is sent by a permit, got by the sender's own form of reserving, or the permit is given back
 * and the message counts as returned; what a loop sends by permits may overtake what it has waiting, so that is a stream of its own.
 * Now and then a sender goes by a weak end. Two channels drop when they are full. Then: sent = delivered + returned + dropped,
 * exactly; what the reader got of each stream came in order, and is, with what was dropped, what its sender got rid of; and no
 * memory is left.
 *
 *   ten_million_stress [--full | --nightly | --messages N] [--seed N] [--waker async|eventfd]
 *                      [--queue ring|spsc|blocks|rendezvous|oldest|newest|all]
 *
 * Without --full: a twentieth of that. --nightly: a hundred million through each, for some minutes. Prints a line for each queue. */
#include "stress.h"

enum { SENDERS = 4, IN_FLIGHT = 16, CAPACITY = 1024 };
enum { PLAIN, BY_PERMIT, LANES };

typedef enum { PATIENT, HASTY, NEVER_WAITS, LOOP, MANNERS } manner_t;

/* What the sums of the sent and of the received are made of: a message once lost and another doubled do not cancel out. */
typedef struct {
  uint64_t count, mix;
} sum_t;

typedef struct {
  uint32_t sender, lane;
  uint64_t seq;
} message_t;

typedef struct sender_s sender_t;

typedef struct {
  uvf_req_t req;
  uvf_permit_t permit;
  sender_t *owner;
  message_t message;
  bool pending;
} slot_t;

struct sender_s {
  uint32_t index;
  uint64_t each, offered[LANES], returned, permits;
  manner_t manner;
  pthread_t thread;
  rng_t rng;
  sum_t sent[LANES];
  bool refused;
  uvf_loop_t *loop;
  slot_t slots[IN_FLIGHT];
};

static struct {
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  uint64_t messages, abort_at;
  int senders;
  sender_t sender[SENDERS];
  bool has_permits;
  sum_t received[SENDERS][LANES], dropped[SENDERS][LANES]; /* dropped: under lock */
  uint64_t next[SENDERS][LANES], got;
  int end;
  pthread_mutex_t lock;
} run;

static void sum_add(sum_t *s, const message_t *m) {
  rng_t g = {m->seq};
  s->count++;
  s->mix += rng_next(&g);
}

/* ---- sending ---- */

static message_t next_message(sender_t *s, uint32_t lane) {
  return (message_t){s->index, lane, s->offered[lane]++};
}

static void outcome(sender_t *s, const message_t *m, int r) {
  if (r == 0) {
    sum_add(&s->sent[m->lane], m);
    if (m->seq % 64 == 0) moved();
  } else {
    must(r == UV_EAGAIN || r == UV_EPIPE || r == UV_ETIMEDOUT || r == UV_ECANCELED);
    s->returned++;
    s->refused = s->refused || r == UV_EPIPE;
  }
}

static bool done(const sender_t *s) {
  return s->refused || s->sent[PLAIN].count + s->sent[BY_PERMIT].count >= s->each;
}

static int send_one(sender_t *s, const message_t *m) {
  switch (s->manner) {
  case HASTY: return uvf_send_sync(run.tx, m, one_in(&s->rng, 8) ? UVF_NOWAIT : 1 + rng_below(&s->rng, 2));
  case NEVER_WAITS: {
    int r = uvf_try_send(run.tx, m);
    if (r == UV_EAGAIN) (void)sched_yield();
    return r;
  }
  case PATIENT:
  default: return uvf_send_sync(run.tx, m, UVF_FOREVER);
  }
}

static int reserve_one(sender_t *s, uvf_permit_t *p) {
  switch (s->manner) {
  case HASTY: return uvf_reserve_sync(run.tx, p, one_in(&s->rng, 8) ? UVF_NOWAIT : 1 + rng_below(&s->rng, 2));
  case NEVER_WAITS: {
    int r = uvf_try_reserve(run.tx, p);
    if (r == UV_EAGAIN) (void)sched_yield();
    return r;
  }
  case PATIENT:
  default: return uvf_reserve_sync(run.tx, p, UVF_FOREVER);
  }
}

/* The message is made when the room is there. `r`: how the reserving went. */
static void use_permit(sender_t *s, uvf_permit_t *p, int r) {
  message_t m = next_message(s, BY_PERMIT);
  bool give_back = one_in(&s->rng, 16);
  if (r == 0) s->permits++;
  if (r == 0 && give_back) uvf_permit_release(p);
  if (r == 0) r = give_back ? UV_ECANCELED : uvf_permit_send(p, &m);
  outcome(s, &m, r);
}

/* Another owner for a moment. The channel stays open, or it was aborted. */
static void upgrade_for_a_moment(void) {
  uvf_weak_t *weak = uvf_tx_weaken(run.tx);
  uvf_tx_t *tx = uvf_weak_upgrade(weak);
  must(tx != NULL || uvf_tx_status(run.tx) != 0);
  uvf_tx_release(tx);
  uvf_weak_release(weak);
}

static void *sender_thread(void *arg) {
  sender_t *s = arg;
  while (!done(s)) {
    if (one_in(&s->rng, 1024)) upgrade_for_a_moment();
    if (run.has_permits && one_in(&s->rng, 8)) {
      uvf_permit_t p;
      use_permit(s, &p, reserve_one(s, &p));
    } else {
      message_t m = next_message(s, PLAIN);
      outcome(s, &m, send_one(s, &m));
    }
  }
  uvf_tx_release(run.tx);
  return NULL;
}

static void on_sent(uvf_req_t *req, int status);
static void on_reserved(uvf_req_t *req, int status);

static void start_slot(sender_t *s, slot_t *slot) {
  uint64_t timeout = one_in(&s->rng, 16) ? rng_below(&s->rng, 3) : UVF_FOREVER;
  slot->owner = s;
  slot->req.data = slot;
  slot->pending = true;
  if (run.has_permits && one_in(&s->rng, 8)) {
    must_be(uvf_reserve(s->loop, &slot->req, run.tx, &slot->permit, timeout, on_reserved), 0, "uvf_reserve");
    return;
  }
  slot->message = next_message(s, PLAIN);
  must_be(uvf_send(s->loop, &slot->req, run.tx, &slot->message, timeout, on_sent), 0, "uvf_send");
}

static void next_slot(sender_t *s, slot_t *slot) {
  if (!done(s)) start_slot(s, slot);
  if (!one_in(&s->rng, 32)) return;
  slot_t *other = &s->slots[rng_below(&s->rng, IN_FLIGHT)];
  if (!other->pending) return;
  int r = uvf_cancel(&other->req);
  must(r == 0 || r == UV_EALREADY);
}

static void on_sent(uvf_req_t *req, int status) {
  slot_t *slot = req->data;
  sender_t *s = slot->owner;
  must(slot->pending && pthread_equal(s->thread, pthread_self()));
  slot->pending = false;
  outcome(s, &slot->message, status);
  next_slot(s, slot);
}

static void on_reserved(uvf_req_t *req, int status) {
  slot_t *slot = req->data;
  sender_t *s = slot->owner;
  must(slot->pending && pthread_equal(s->thread, pthread_self()));
  slot->pending = false;
  use_permit(s, &slot->permit, status);
  next_slot(s, slot);
}

static void *sender_loop(void *arg) {
  sender_t *s = arg;
  uvf_loop_options_t o = loop_options();
  uv_loop_t uv;
  s->thread = pthread_self();
  loop_open(&uv);
  s->loop = loop_attach(&uv, &o);
  for (int i = 0; i < IN_FLIGHT && !done(s); i++)
    start_slot(s, &s->slots[i]);
  must(uv_run(&uv, UV_RUN_DEFAULT) == 0);
  for (int i = 0; i < IN_FLIGHT; i++)
    must(!s->slots[i].pending);
  loop_detach_and_close(s->loop, &uv);
  uvf_tx_release(run.tx);
  return NULL;
}

/* ---- receiving ---- */

static void on_items(uvf_reader_t *rd, int n, void *items) {
  (void)rd;
  if (n < 0) run.end = n;
  for (int i = 0; i < n; i++) {
    const message_t *m = (const message_t *)items + i;
    must(m->sender < (uint32_t)run.senders && m->lane < LANES);
    uint64_t *next = &run.next[m->sender][m->lane];
    if (m->seq < *next) die("message %" PRIu64 " of sender %u came after %" PRIu64, m->seq, m->sender, *next - 1);
    *next = m->seq + 1;
    sum_add(&run.received[m->sender][m->lane], m);
  }
  if (n > 0) run.got += (uint64_t)n;
  if (n > 0 && run.got >= run.abort_at) (void)uvf_rx_abort(run.rx, 0);
  moved();
}

/* On the loop's thread, or on a sender's that was in the middle of a send when the abort came. */
static void on_drop(void *item, void *data) {
  const message_t *m = item;
  (void)data;
  (void)pthread_mutex_lock(&run.lock);
  sum_add(&run.dropped[m->sender][m->lane], m);
  (void)pthread_mutex_unlock(&run.lock);
}

static void receive_all(void) {
  uvf_loop_options_t o = loop_options();
  uvf_reader_t reader = {0};
  uv_loop_t uv;
  loop_open(&uv);
  uvf_loop_t *loop = loop_attach(&uv, &o);
  must_be(uvf_reader_start(loop, &reader, run.rx, NULL, on_items), 0, "uvf_reader_start");
  must(uv_run(&uv, UV_RUN_DEFAULT) == 0);
  must_be(run.end, UV_EOF, "the reader's end");
  loop_detach_and_close(loop, &uv);
}

/* ---- a run ---- */

static void senders_start(manner_t first) {
  rng_t g = {args.seed};
  for (int i = 0; i < run.senders; i++) {
    sender_t *s = &run.sender[i];
    s->index = (uint32_t)i;
    s->each = (run.messages + run.messages / 32) / (uint64_t)run.senders;
    s->manner = (manner_t)(((int)first + i) % MANNERS);
    s->rng = rng_split(&g);
  }
}

static void check_and_tell(const char *name, double seconds) {
  uint64_t offered = 0, delivered = 0, returned = 0, dropped = 0, permits = 0;
  for (int i = 0; i < run.senders; i++) {
    sender_t *s = &run.sender[i];
    for (int lane = 0; lane < LANES; lane++) {
      const sum_t *received = &run.received[i][lane], *gone = &run.dropped[i][lane];
      must(s->sent[lane].count == received->count + gone->count);
      must(s->sent[lane].mix == received->mix + gone->mix);
      offered += s->offered[lane];
      delivered += received->count;
      dropped += gone->count;
    }
    must(s->offered[PLAIN] + s->offered[BY_PERMIT] == s->sent[PLAIN].count + s->sent[BY_PERMIT].count + s->returned);
    returned += s->returned;
    permits += s->permits;
  }
  must(offered == delivered + returned + dropped);
  if (fault_blocks() != 0) die("%ld blocks of memory are left", fault_blocks());
  printf("%-12s %d senders: sent %" PRIu64 " = delivered %" PRIu64 " + returned %" PRIu64 " + dropped %" PRIu64
         "; %" PRIu64 " permits; %.2f s, %.2f million delivered per second\n",
         name, run.senders, offered, delivered, returned, dropped, permits, seconds, (double)delivered / seconds / 1e6);
  (void)fflush(stdout);
}

static void run_one(const char *name, queue_t queue, int senders, manner_t first, uint64_t messages) {
  uvf_chan_options_t o = {.item_size = sizeof(message_t),
                          .capacity = queue == BLOCKS       ? UVF_UNBOUNDED
                                      : queue == RENDEZVOUS ? UVF_RENDEZVOUS
                                                            : CAPACITY,
                          .flags = queue == SPSC ? UVF_SPSC : 0,
                          .overflow = overflow_of(queue),
                          .drop = on_drop};
  pthread_t threads[SENDERS];
  memset(&run, 0, sizeof run);
  must(pthread_mutex_init(&run.lock, NULL) == 0);
  run.messages = messages;
  run.senders = senders;
  run.abort_at = messages;
  run.has_permits = queue != RENDEZVOUS;
  senders_start(first);
  must_be(uvf_chan_create(&o, &run.tx, &run.rx), 0, "uvf_chan_create");
  uint64_t began_us = now_us();
  for (int i = 0; i < senders; i++) {
    if (i > 0) (void)uvf_tx_retain(run.tx);
    must(pthread_create(&threads[i], NULL, run.sender[i].manner == LOOP ? sender_loop : sender_thread,
                        &run.sender[i]) == 0);
  }
  receive_all();
  double seconds = (double)(now_us() - began_us) / 1e6;
  for (int i = 0; i < senders; i++)
    (void)pthread_join(threads[i], NULL);
  uvf_rx_release(run.rx);
  (void)pthread_mutex_destroy(&run.lock);
  check_and_tell(name, seconds);
}

int main(int argc, char **argv) {
  arguments(argc, argv);
  if (!any_wanted()) usage();
  uint64_t n = args.messages != 0 ? args.messages : args.nightly ? 100000000 : args.full ? 10000000 : 500000;
  round_seed = args.seed;
  printf("seed %" PRIu64 "\n", args.seed);
  must_be(fault_install(), 0, "uvf_replace_allocator");
  watch_start();
  if (wanted(RING)) run_one("ring", RING, SENDERS, PATIENT, n);
  if (wanted(BLOCKS)) run_one("blocks", BLOCKS, SENDERS, PATIENT, n);
  if (wanted(SPSC)) run_one("spsc", SPSC, 1, HASTY, n);
  if (wanted(SPSC)) run_one("spsc, loop", SPSC, 1, LOOP, n);
  if (wanted(RENDEZVOUS)) run_one("rendezvous", RENDEZVOUS, SENDERS, PATIENT, n / 10);
  if (wanted(OLDEST)) run_one("oldest", OLDEST, SENDERS, PATIENT, n);
  if (wanted(NEWEST)) run_one("newest", NEWEST, SENDERS, PATIENT, n);
  watch_stop();
  return 0;
}
