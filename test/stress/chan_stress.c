/* SPDX-License-Identifier: MIT */
/* Rounds of a few hundred milliseconds at most. Each makes up to three channels of random kinds, capacities and item sizes, with
 * random senders and receivers on threads and on loops, and ends them in a random way; then the books of all items are checked
 * exactly, and that nothing is left of the library's memory. A round is decided by its seed, which is printed when it fails, but
 * for what the scheduler adds.
 *
 *   chan_stress [--seed N] [--seconds S | --messages N] [--queue ring|spsc|blocks|rendezvous|oldest|newest|oneshot|all]
 *               [--waker async|eventfd] */
#include "loopers.h"

static struct { uint64_t rounds, offered, accepted, delivered, dropped, returned, detaches, posts, permits; } total;

/* ---- making a round ---- */

static queue_t some_queue(rng_t *g) {
  queue_t q;
  do
    q = (queue_t)rng_below(g, QUEUES);
  while (!wanted(q));
  return q;
}

/* Short lives: most are over before everybody has begun; so who ends it should not wait for many items. */
static void oneshot_choose(round_t *r, chan_t *c) {
  c->capacity = 1;
  c->offers_each = 1u << (1 + rng_below(&r->rng, 5));
  c->ends_after = rng_below(&r->rng, 2);
}

static void chan_choose(round_t *r, chan_t *c) {
  static const size_t capacities[] = {1, 2, 3, 7, 64, 1000}, sizes[] = {8, 16, 40, MAX_ITEM};
  rng_t *g = &r->rng;
  c->queue = some_queue(g);
  c->capacity = capacities[rng_below(g, 6)];
  if (c->queue == BLOCKS) c->capacity = UVF_UNBOUNDED;
  if (c->queue == RENDEZVOUS) c->capacity = UVF_RENDEZVOUS;
  c->overflow = c->queue == SPSC && one_in(g, 4) ? UVF_OVERFLOW_DROP_NEWEST : overflow_of(c->queue);
  c->item_size = sizes[rng_below(g, 4)];
  c->offers_each = 1u << (7 + rng_below(g, 8));
  c->senders = c->queue == SPSC ? 1 : 1 + rng_below(g, MAX_SENDERS);
  c->receivers = c->queue == SPSC || one_in(g, 3) ? 1 : 1 + rng_below(g, MAX_RECEIVERS);
  c->ending = (ending_t)rng_below(g, ENDINGS);
  c->ends_after = rng_below(g, c->offers_each * c->senders);
  c->cause = one_in(g, 2) ? UV_ECONNRESET : 0;
  c->keep = one_in(g, 2);
  if (c->queue == ONESHOT) oneshot_choose(r, c);
}

static void chan_make(chan_t *c) {
  uvf_chan_options_t o = {
      .item_size = c->item_size, .capacity = c->capacity, .drop = on_drop, .data = c, .name = "stress"};
  o.flags = c->queue == SPSC ? UVF_SPSC : 0;
  o.overflow = c->overflow;
  int r = c->queue == ONESHOT ? uvf_oneshot_create(&o, &c->tx, &c->rx) : uvf_chan_create(&o, &c->tx, &c->rx);
  must_be(r, 0, "uvf_chan_create");
  atomic_init(&c->senders_left, c->senders);
  atomic_init(&c->receivers_left, c->receivers);
  for (uint32_t i = c->keep ? 0 : 1; i < c->senders; i++)
    (void)uvf_tx_retain(c->tx);
  for (uint32_t i = c->keep ? 0 : 1; i < c->receivers; i++)
    (void)uvf_rx_retain(c->rx);
}

static void end_make(round_t *r, chan_t *c, end_t *e, bool sends, uint32_t index) {
  rng_t *g = &r->rng;
  e->chan = c;
  e->sends = sends;
  e->index = index;
  e->rng = rng_split(g);
  e->stopped = true;
  e->with_reader = !one_in(g, 3);
  e->quits_after = c->ending == BY_RECEIVERS ? rng_below(g, c->ends_after / c->receivers + 1)
                   : one_in(g, 8)            ? rng_below(g, c->offers_each)
                                             : UINT32_MAX;
  atomic_init(&e->doing, "not started");
  for (int i = 0; i < SLOTS; i++) {
    e->slots[i].owner = e;
    e->slots[i].index = i;
  }
  if (sends) {
    e->books = calloc(c->offers_each, sizeof *e->books);
    must(e->books != NULL);
  }
  if (r->loopers > 0 && !one_in(g, 3)) {
    e->looper = &r->looper[rng_below(g, r->loopers)];
    e->looper->ends[e->looper->ends_count++] = e;
  }
}

static void round_make(round_t *r, uint64_t seed) {
  memset(r, 0, sizeof *r);
  r->rng = (rng_t){seed};
  r->channels = 1 + rng_below(&r->rng, MAX_CHANNELS);
  r->loopers = rng_below(&r->rng, MAX_LOOPS + 1);
  r->seldom = 1u << (3 + rng_below(&r->rng, 10));
  r->patient = one_in(&r->rng, 2);
  r->lockstep = one_in(&r->rng, 3);
  for (uint32_t i = 0; i < r->loopers; i++) {
    looper_t *l = &r->looper[i];
    l->rng = rng_split(&r->rng);
    l->post.data = l;
    atomic_init(&l->doing, "not started");
    must(pthread_mutex_init(&l->lock, NULL) == 0);
  }
  for (uint32_t i = 0; i < r->channels; i++) {
    chan_t *c = &r->chan[i];
    c->number = i;
    chan_choose(r, c);
    chan_make(c);
    for (uint32_t k = 0; k < c->senders; k++)
      end_make(r, c, &c->sender[k], true, k);
    for (uint32_t k = 0; k < c->receivers; k++)
      end_make(r, c, &c->receiver[k], false, k);
  }
}

/* ---- running it ---- */

static void start(pthread_t *thread, void *(*run)(void *), void *arg) {
  must(pthread_create(thread, NULL, run, arg) == 0);
}

static void round_run(round_t *r) {
  r->until_us = now_us() + 20000 + rng_below(&r->rng, 280000);
  for (uint32_t i = 0; i < r->loopers; i++)
    start(&r->looper[i].thread, looper_thread, &r->looper[i]);
  for (uint32_t i = 0; i < r->channels; i++) {
    chan_t *c = &r->chan[i];
    for (uint32_t k = 0; k < c->receivers; k++)
      if (c->receiver[k].looper == NULL) start(&c->receiver[k].thread, receiver_thread, &c->receiver[k]);
    for (uint32_t k = 0; k < c->senders; k++)
      if (c->sender[k].looper == NULL) start(&c->sender[k].thread, sender_thread, &c->sender[k]);
  }
  for (uint32_t i = 0; i < r->channels; i++) {
    chan_t *c = &r->chan[i];
    for (uint32_t k = 0; k < c->senders; k++)
      if (c->sender[k].looper == NULL) (void)pthread_join(c->sender[k].thread, NULL);
    for (uint32_t k = 0; k < c->receivers; k++)
      if (c->receiver[k].looper == NULL) (void)pthread_join(c->receiver[k].thread, NULL);
  }
  for (uint32_t i = 0; i < r->loopers; i++)
    (void)pthread_join(r->looper[i].thread, NULL);
}

/* ---- checking it ---- */

static void stats_check(chan_t *c) {
  uvf_chan_stats_t s;
  uvf_rx_stats(c->rx, &s);
  must(s.sent == atomic_load(&c->accepted));
  must(s.received == atomic_load(&c->delivered));
  must(s.dropped == atomic_load(&c->dropped));
  must(s.len == 0 && s.closed);
  must(c->queue == BLOCKS || c->queue == RENDEZVOUS || s.high_water <= c->capacity);
  int status = uvf_tx_status(c->tx);
  must(status == UV_EOF || status == c->cause);
  must(uvf_rx_status(c->rx) == status);
  must(atomic_load(&c->end_status) == 0 || atomic_load(&c->end_status) == status);
}

/* With one receiver nothing was dropped before something that it got; but where fullness drops, or permits overtake. */
static void gaps_check(const chan_t *c, const end_t *e) {
  bool dropped_one = false;
  if (c->receivers > 1 || c->queue == RENDEZVOUS || c->overflow != UVF_OVERFLOW_WAIT) return;
  if (e->looper != NULL && e->permits > 0) return;
  for (uint32_t i = 0; i < e->offers; i++) {
    unsigned is = atomic_load_explicit(&e->books[i], memory_order_relaxed);
    if (dropped_one && (is & DELIVERED) != 0)
      die("channel %u: item %u of sender %u was delivered, and one before it dropped", c->number, i, e->index);
    dropped_one = dropped_one || (is & DROPPED) != 0;
  }
}

static void books_check(const chan_t *c, const end_t *e) {
  for (uint32_t i = 0; i < e->offers; i++) {
    unsigned is = atomic_load_explicit(&e->books[i], memory_order_relaxed);
    bool good =
        is == (OFFERED | RETURNED) || is == (OFFERED | ACCEPTED | DELIVERED) || is == (OFFERED | ACCEPTED | DROPPED);
    if (!good) die("channel %u: item %u of sender %u ends with %u", c->number, i, e->index, is);
    total.returned += (is & RETURNED) != 0;
  }
  gaps_check(c, e);
  total.offered += e->offers;
  total.permits += e->permits;
}

static void chan_check(chan_t *c) {
  uint64_t accepted_all = atomic_load(&c->accepted), delivered_all = atomic_load(&c->delivered);
  if (c->keep) stats_check(c);
  if (c->keep) {
    uvf_tx_release(c->tx);
    uvf_rx_release(c->rx);
  }
  must(accepted_all == delivered_all + atomic_load(&c->dropped));
  must(atomic_load(&c->closed_ok) <= 1 && atomic_load(&c->aborted_ok) <= 1);
  for (uint32_t k = 0; k < c->senders; k++) {
    books_check(c, &c->sender[k]);
    free(c->sender[k].books);
  }
  total.accepted += accepted_all;
  total.delivered += delivered_all;
  total.dropped += atomic_load(&c->dropped);
}

static void round_check(round_t *r) {
  for (uint32_t i = 0; i < r->channels; i++)
    chan_check(&r->chan[i]);
  for (uint32_t i = 0; i < r->loopers; i++) {
    looper_t *l = &r->looper[i];
    must(atomic_load(&l->posts) == atomic_load(&l->posts_run));
    total.posts += atomic_load(&l->posts);
    total.detaches += l->detached_times;
    (void)pthread_mutex_destroy(&l->lock);
  }
  if (fault_blocks() != 0) die("%ld blocks of memory are left", fault_blocks());
  total.rounds++;
  moved();
}

/* ---- telling ---- */

static void describe_end(end_t *e) {
  fprintf(stderr, "  %s %u: %s; offers %u, got %u%s%s%s%s\n", e->sends ? "sender" : "receiver", e->index,
          atomic_load(&e->doing), e->offers, e->got, e->looper != NULL ? ", on a loop" : "",
          e->paused ? ", paused" : "", e->stopped ? ", stopped" : "", e->ended ? ", ended" : "");
  for (int i = 0; i < SLOTS; i++)
    if (e->slots[i].pending) fprintf(stderr, "    request %d is pending\n", i);
}

/* Looks at others' fields while they run, or are stuck: better a torn number than none. */
static void describe_round(void) {
  round_t *r = the_round;
  for (uint32_t i = 0; i < r->loopers; i++)
    fprintf(stderr, "loop %u: %s\n", i, atomic_load(&r->looper[i].doing));
  for (uint32_t i = 0; i < r->channels; i++) {
    chan_t *c = &r->chan[i];
    fprintf(stderr, "channel %u: %s, capacity %zu, item %zu bytes, ending %d, %s\n", i, queue_names[c->queue],
            c->capacity, c->item_size, (int)c->ending, c->keep ? "ends kept" : "ends not kept");
    uvf_chan_stats_t s = {0};
    if (c->keep || atomic_load(&c->receivers_left) > 0) uvf_rx_stats(c->rx, &s);
    fprintf(stderr,
            "  sent %" PRIu64 ", received %" PRIu64 ", dropped %" PRIu64 ", returned %" PRIu64
            ", len %zu%s; waits %" PRIu64 ", wakes %" PRIu64 "\n",
            s.sent, s.received, s.dropped, s.returned, s.len, s.closed ? ", closed" : "", s.waits, s.wakes);
    for (uint32_t k = 0; k < c->senders; k++)
      describe_end(&c->sender[k]);
    for (uint32_t k = 0; k < c->receivers; k++)
      describe_end(&c->receiver[k]);
  }
}

static bool enough(uint64_t began_us) {
  if (args.messages > 0) return total.accepted >= args.messages;
  return now_us() - began_us >= args.seconds * 1000000;
}

int main(int argc, char **argv) {
  static round_t round;
  arguments(argc, argv);
  if (!any_wanted()) usage();
  if (args.seconds == 0 && args.messages == 0) args.seconds = 5;
  printf("seed %" PRIu64 "\n", args.seed);
  (void)fflush(stdout);
  must_be(fault_install(), 0, "uvf_replace_allocator");
  the_round = &round;
  describe = describe_round;
  watch_start();
  uint64_t began_us = now_us();
  do {
    round_seed = args.seed + total.rounds;
    round_make(&round, round_seed);
    round_run(&round);
    round_check(&round);
  } while (!enough(began_us));
  watch_stop();
  printf("rounds %" PRIu64 ": offered %" PRIu64 " = accepted %" PRIu64 " + returned %" PRIu64 "; delivered %" PRIu64
         " + dropped %" PRIu64 "; permits %" PRIu64 ", detaches %" PRIu64 ", posts %" PRIu64 ", %.1f s\n",
         total.rounds, total.offered, total.accepted, total.returned, total.delivered, total.dropped, total.permits,
         total.detaches, total.posts, (double)(now_us() - began_us) / 1e6);
  return total.offered == total.accepted + total.returned ? 0 : 1;
}
