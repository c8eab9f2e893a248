/* SPDX-License-Identifier: MIT */
/* Ten million messages by 4 senders through each kind of queue into a reader on a loop (a rendezvous: a million; UVF_SPSC: one
 * sender, once a thread and once a loop), with timeouts and cancels mixed in. Of the 4 senders one is a loop whose sends time out
 * and are cancelled, one a thread whose sends time out, one a thread that never waits, one a thread that waits as long as it
 * takes. The senders have some more than that to send; the reader aborts the channel when it has got its number, so that something
 * is dropped, too. Then: sent = delivered + returned + dropped, exactly; what the reader got of each sender came in order, and is,
 * with what was dropped, what that sender got rid of; and no memory is left.
 *
 *   ten_million_stress [--full | --messages N] [--seed N] [--queue ring|spsc|blocks|rendezvous|all] [--waker async|eventfd]
 *
 * Without --full: a twentieth of that. Prints a line for each queue. */
#include "stress.h"

enum { SENDERS = 4, IN_FLIGHT = 16, CAPACITY = 1024 };

typedef enum { PATIENT, HASTY, NEVER_WAITS, LOOP, MANNERS } manner_t;

/* What the sums of the sent and of the received are made of: a message once lost and another doubled do not cancel out. */
typedef struct {
  uint64_t count, mix;
} sum_t;

typedef struct {
  uint64_t sender, seq;
} message_t;

typedef struct sender_s sender_t;

typedef struct {
  uvf_req_t req;
  sender_t *owner;
  message_t message;
  bool pending;
} slot_t;

struct sender_s {
  uint64_t index, each, offered, returned;
  manner_t manner;
  pthread_t thread;
  rng_t rng;
  sum_t sent;
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
  sum_t received[SENDERS], dropped[SENDERS]; /* dropped: under lock */
  uint64_t next[SENDERS], got;
  int end;
  pthread_mutex_t lock;
} run;

static void sum_add(sum_t *s, const message_t *m) {
  rng_t g = {m->seq};
  s->count++;
  s->mix += rng_next(&g);
}

/* ---- sending ---- */

static message_t next_message(sender_t *s) {
  return (message_t){s->index, s->offered++};
}

static void outcome(sender_t *s, const message_t *m, int r) {
  if (r == 0) {
    sum_add(&s->sent, m);
    if (m->seq % 64 == 0) moved();
  } else {
    must(r == UV_EAGAIN || r == UV_EPIPE || r == UV_ETIMEDOUT || r == UV_ECANCELED);
    s->returned++;
    s->refused = s->refused || r == UV_EPIPE;
  }
}

static bool done(const sender_t *s) {
  return s->refused || s->sent.count >= s->each;
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

static void *sender_thread(void *arg) {
  sender_t *s = arg;
  while (!done(s)) {
    message_t m = next_message(s);
    outcome(s, &m, send_one(s, &m));
  }
  uvf_tx_release(run.tx);
  return NULL;
}

static void on_sent(uvf_req_t *req, int status);

static void start_slot(sender_t *s, slot_t *slot) {
  uint64_t timeout = one_in(&s->rng, 16) ? rng_below(&s->rng, 3) : UVF_FOREVER;
  slot->owner = s;
  slot->req.data = slot;
  slot->message = next_message(s);
  slot->pending = true;
  must_be(uvf_send(s->loop, &slot->req, run.tx, &slot->message, timeout, on_sent), 0, "uvf_send");
}

static void on_sent(uvf_req_t *req, int status) {
  slot_t *slot = req->data;
  sender_t *s = slot->owner;
  must(slot->pending && pthread_equal(s->thread, pthread_self()));
  slot->pending = false;
  outcome(s, &slot->message, status);
  if (!done(s)) start_slot(s, slot);
  if (!one_in(&s->rng, 32)) return;
  slot_t *other = &s->slots[rng_below(&s->rng, IN_FLIGHT)];
  if (!other->pending) return;
  int r = uvf_cancel(&other->req);
  must(r == 0 || r == UV_EALREADY);
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
    must(m->sender < (uint64_t)run.senders);
    if (m->seq < run.next[m->sender])
      die("message %" PRIu64 " of sender %" PRIu64 " came after %" PRIu64, m->seq, m->sender, run.next[m->sender] - 1);
    run.next[m->sender] = m->seq + 1;
    sum_add(&run.received[m->sender], m);
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
  sum_add(&run.dropped[m->sender], m);
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
    s->index = (uint64_t)i;
    s->each = (run.messages + run.messages / 32) / (uint64_t)run.senders;
    s->manner = (manner_t)(((int)first + i) % MANNERS);
    s->rng = rng_split(&g);
  }
}

static void check_and_tell(const char *name, double seconds) {
  uint64_t offered = 0, delivered = 0, returned = 0, dropped = 0;
  for (int i = 0; i < run.senders; i++) {
    sender_t *s = &run.sender[i];
    must(s->sent.count == run.received[i].count + run.dropped[i].count);
    must(s->sent.mix == run.received[i].mix + run.dropped[i].mix);
    must(s->offered == s->sent.count + s->returned);
    offered += s->offered;
    delivered += run.received[i].count;
    returned += s->returned;
    dropped += run.dropped[i].count;
  }
  must(offered == delivered + returned + dropped);
  if (fault_blocks() != 0) die("%ld blocks of memory are left", fault_blocks());
  printf("%-12s %d senders: sent %" PRIu64 " = delivered %" PRIu64 " + returned %" PRIu64 " + dropped %" PRIu64
         "; %.2f s, %.2f million delivered per second\n",
         name, run.senders, offered, delivered, returned, dropped, seconds, (double)delivered / seconds / 1e6);
  (void)fflush(stdout);
}

static void run_one(const char *name, size_t capacity, unsigned flags, int senders, manner_t first, uint64_t messages) {
  uvf_chan_options_t o = {.item_size = sizeof(message_t), .capacity = capacity, .flags = flags, .drop = on_drop};
  pthread_t threads[SENDERS];
  memset(&run, 0, sizeof run);
  must(pthread_mutex_init(&run.lock, NULL) == 0);
  run.messages = messages;
  run.senders = senders;
  run.abort_at = messages;
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
  uint64_t n = args.messages != 0 ? args.messages : args.full ? 10000000 : 500000;
  round_seed = args.seed;
  printf("seed %" PRIu64 "\n", args.seed);
  must_be(fault_install(), 0, "uvf_replace_allocator");
  watch_start();
  if (wanted(RING)) run_one("ring", CAPACITY, 0, SENDERS, PATIENT, n);
  if (wanted(BLOCKS)) run_one("blocks", UVF_UNBOUNDED, 0, SENDERS, PATIENT, n);
  if (wanted(SPSC)) run_one("spsc", CAPACITY, UVF_SPSC, 1, HASTY, n);
  if (wanted(SPSC)) run_one("spsc, loop", CAPACITY, UVF_SPSC, 1, LOOP, n);
  if (wanted(RENDEZVOUS)) run_one("rendezvous", UVF_RENDEZVOUS, 0, SENDERS, PATIENT, n / 10);
  watch_stop();
  return 0;
}
