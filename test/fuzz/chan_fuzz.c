/* SPDX-License-Identifier: MIT */
/* The fuzz target of target.h: the configuration, the loop, the comparison, the end. */
#include "fuzz/target.h"

#include <inttypes.h>
#include <stdarg.h>

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

bool fuzz_trace;

void trace(const target_t *t, const char *format, ...) {
  va_list args;
  if (!fuzz_trace) return;
  va_start(args, format);
  (void)printf("%*s", 2 * t->depth, "");
  (void)vprintf(format, args);
  (void)putchar('\n');
  (void)fflush(stdout);
  va_end(args);
}

uint8_t next_byte(target_t *t) {
  if (t->left == 0) return 0;
  t->left--;
  return *t->bytes++;
}

/* ---- items ---- */

static unsigned char item_byte(uint32_t id, size_t i) {
  return (unsigned char)(i < 4 ? id >> 8 * i : id * 31 + i * 7);
}

void item_fill(const target_t *t, void *item, uint32_t id) {
  for (size_t i = 0; i < t->options.item_size; i++)
    ((unsigned char *)item)[i] = item_byte(id, i);
}

bool item_is(const target_t *t, const void *item, uint32_t id) {
  for (size_t i = 0; i < t->options.item_size; i++)
    if (((const unsigned char *)item)[i] != item_byte(id, i)) return false;
  return true;
}

bool item_same(const target_t *t, uint32_t a, uint32_t b) {
  size_t size = t->options.item_size;
  uint32_t bits = size >= sizeof a ? UINT32_MAX : (UINT32_C(1) << 8 * size) - 1;
  return ((a ^ b) & bits) == 0;
}

void item_check(const target_t *t, const void *item, uint32_t id, const char *what) {
  uint32_t got = 0;
  if (item_is(t, item, id)) return;
  memcpy(&got, item, t->options.item_size < sizeof got ? t->options.item_size : sizeof got);
  ref_fail("%s: item %u, expected %u", what, got, id);
}

/* The reference knows of the drops of a call when that has returned, or before it. */
static uint32_t dropped_id(const target_t *t, const void *item) {
  uint32_t id = t->dropped.tail < t->ref.drops.tail ? t->ref.drops.ids[t->dropped.tail] : 0;
  if (item_is(t, item, id)) return id;
  for (id = 0; id < t->ids; id++)
    if (item_is(t, item, id)) return id;
  ref_fail("drop of an item that was never sent");
}

static void on_drop(void *item, void *data) {
  target_t *t = data;
  uint32_t id = dropped_id(t, item);
  trace(t, "drop of item %u", id);
  if (t->dropped.tail == REF_ITEMS) ref_fail("too many drops");
  t->dropped.ids[t->dropped.tail++] = id;
}

/* ---- the loop ---- */

bool has_loop(const target_t *t) {
  return !t->host.closed;
}

bool turn(target_t *t) {
  test_host_t *h = &t->host;
  if (h->closed) return false;
  if (h->ringing || h->polling || h->closing || (h->timer_on && h->timer_at <= h->now)) ref_expire(&t->ref, h->now);
  bool some = test_host_turn(h);
  ref_serve(&t->ref);
  if (h->closed) ref_rest(&t->ref);
  return some;
}

void run(target_t *t) {
  for (int i = 0; turn(t); i++)
    if (i == 100000) ref_fail("the loop never comes to rest");
  ref_rest(&t->ref);
}

void advance(target_t *t, uint64_t ms) {
  test_host_t *h = &t->host;
  uint64_t until = h->now + ms;
  while (!h->closed && h->timer_on && h->timer_at <= until) {
    if (h->timer_at > h->now) h->now = h->timer_at;
    run(t);
  }
  h->now = until;
  run(t);
}

void detach(target_t *t) {
  int r = test_host_detach_start(&t->host);
  if (r != (t->ref.detaching ? UV_EALREADY : 0)) ref_fail("uvf_loop_detach: %d", r);
  if (!t->ref.detaching) ref_detach(&t->ref);
}

/* ---- comparing ---- */

void settle(target_t *t) {
  size_t senders, items;
  if (!t->ref.late) return;
  items = ref_late(&t->ref, &senders);
  if (senders == 0) return;
  size_t len = ref_len(&t->ref), now = uvf_tx_len(t->tx); /* who waits holds an end */
  if (items == 0) {                                       /* a permit does not show: serve them */
    uvf_permit_t p;
    int r = uvf_try_reserve(t->tx, &p), expected = ref_try_reserve(&t->ref);
    if (r != expected) ref_fail("uvf_try_reserve: %d, expected %d", r, expected);
    if (r != 0) return;
    uvf_permit_release(&p);
    ref_permit_release(&t->ref);
  } else if (now == len + items) {
    ref_serve(&t->ref);
  } else if (now != len) {
    ref_fail("len: %zu, expected %zu or %zu", now, len, len + items);
  }
}

static void compare_number(const char *what, uint64_t now, uint64_t expected) {
  if (now != expected) ref_fail("%s: %" PRIu64 ", expected %" PRIu64, what, now, expected);
}

static void compare_stats(const target_t *t, const uvf_chan_stats_t *s) {
  const ref_t *r = &t->ref;
  compare_number("stats.len", s->len, ref_len(r));
  compare_number("stats.sent", s->sent, r->sent);
  compare_number("stats.received", s->received, r->received);
  compare_number("stats.dropped", s->dropped, r->dropped);
  compare_number("stats.returned", s->returned, r->returned);
  compare_number("stats.closed", s->closed, r->closed);
  compare_number("stats.capacity", s->capacity, ref_is_rendezvous(r) ? 0 : r->capacity);
  if (s->high_water < s->len || (r->capacity < UVF_RENDEZVOUS && s->high_water > r->capacity))
    ref_fail("stats.high_water: %zu", s->high_water);
}

static void compare_tx(target_t *t) {
  uvf_chan_stats_t s;
  uvf_tx_stats(t->tx, &s);
  compare_stats(t, &s);
  compare_number("tx_len", uvf_tx_len(t->tx), ref_len(&t->ref));
  compare_number("tx_status", (uint64_t)uvf_tx_status(t->tx), (uint64_t)(t->ref.closed ? ref_end_code(&t->ref) : 0));
}

static void compare_rx(target_t *t) {
  uvf_chan_stats_t s;
  uvf_rx_stats(t->rx, &s);
  compare_stats(t, &s);
  compare_number("rx_len", uvf_rx_len(t->rx), ref_len(&t->ref));
  compare_number("rx_status", (uint64_t)uvf_rx_status(t->rx),
                 (uint64_t)(ref_at_end(&t->ref) ? ref_end_code(&t->ref) : 0));
}

static void compare_slots(const target_t *t) {
  for (int i = 0; i < REF_REQUESTS; i++)
    if (uvf_req_active(&t->reqs[i].req) != (t->ref.reqs[i].state != REF_FREE)) ref_fail("request %d: active", i);
  for (int i = 0; i < REF_READERS; i++)
    if (uvf_reader_active(&t->readers[i].rd) != t->ref.readers[i].active) ref_fail("reader %d: active", i);
}

static void compare_drops(const target_t *t) {
  if (t->options.drop == NULL) return;
  size_t n = t->dropped.tail;
  compare_number("drops", n, t->ref.drops.tail);
  for (size_t i = 0; i < n; i++)
    if (!item_same(t, t->dropped.ids[i], t->ref.drops.ids[i]))
      ref_fail("drop %zu: item %u, expected %u", i, t->dropped.ids[i], t->ref.drops.ids[i]);
}

void compare(target_t *t) {
  settle(t);
  compare_slots(t);
  if (t->ref.tx_refs > 0) compare_tx(t);
  if (t->ref.rx_refs > 0) compare_rx(t);
  if (has_loop(t) && t->depth == 0) compare_number("keep_alive", t->host.alive, ref_alive(&t->ref));
  if (t->depth == 0) compare_drops(t);
}

/* ---- an input ---- */

static void configure(target_t *t) {
  static const size_t capacities[] = {1, 2, 3, 4, 5, 6, 7, 8, UVF_UNBOUNDED, UVF_RENDEZVOUS, 1, 2, 4, 20, 64, 100};
  static const size_t sizes[] = {0, 1, 4, 8, 16, 24, 40, FUZZ_LARGEST};
  static const uint32_t turns[] = {0, 0, 0, 1, 2, 3, 5, 8};
  static const uint32_t steps[] = {1, 3, 10, 50};
  static const uvf_overflow_t overflows[] = {UVF_OVERFLOW_WAIT, UVF_OVERFLOW_WAIT, UVF_OVERFLOW_DROP_OLDEST,
                                             UVF_OVERFLOW_DROP_NEWEST};
  uvf_chan_options_t *o = &t->options;
  uint8_t kind = next_byte(t), more = next_byte(t), size = next_byte(t), loop = next_byte(t), flags = next_byte(t);
  o->capacity = capacities[kind % COUNT(capacities)];
  bool bounded = o->capacity != UVF_UNBOUNDED && o->capacity != UVF_RENDEZVOUS;
  if (bounded && (more & 1) != 0) o->flags = UVF_SPSC;
  if (bounded) o->overflow = overflows[(more >> 1) % COUNT(overflows)];
  o->item_size = sizes[size % COUNT(sizes)];
  o->name = "fuzz";
  o->data = t;
  if ((flags & 1) == 0 || o->capacity == UVF_RENDEZVOUS) o->drop = on_drop;
  t->ends_first = (flags & 2) != 0;
  t->loop_options = (uvf_loop_options_t){.turn_items = turns[loop % COUNT(turns)], .turn_us = UINT32_MAX};
  fuzz_clock_reset(steps[(loop >> 4) % COUNT(steps)]);
  trace(t, "capacity %zd, item size %zu, overflow %d, flags %u, %sdrop, turns of %u items", (ssize_t)o->capacity,
        o->item_size, o->overflow, o->flags, o->drop == NULL ? "no " : "", t->loop_options.turn_items);
}

static void begin(target_t *t) {
  configure(t);
  test_host_init_options(&t->host, &t->loop_options);
  if (uvf_chan_create(&t->options, &t->tx, &t->rx) != 0) ref_fail("uvf_chan_create");
  ref_init(&t->ref, &t->options);
  t->my_tx = t->my_rx = 1;
  for (int i = 0; i < REF_REQUESTS; i++) {
    t->reqs[i].target = t;
    t->reqs[i].req.data = &t->reqs[i];
    t->reqs[i].item = malloc(t->options.item_size);
  }
  for (int i = 0; i < REF_READERS; i++) {
    t->readers[i].target = t;
    t->readers[i].rd.data = &t->readers[i];
  }
}

static void end_ends(target_t *t) {
  for (int i = 0; i < FUZZ_PERMITS; i++) {
    if (t->permit[i] != FUZZ_HELD) continue;
    t->permit[i] = FUZZ_NONE;
    uvf_permit_release(&t->permits[i]);
    ref_permit_release(&t->ref);
    compare(t);
  }
  for (; t->my_weak > 0; t->my_weak--)
    uvf_weak_release(t->weak);
  for (; t->my_tx > 0; t->my_tx--) {
    uvf_tx_release(t->tx);
    ref_tx_release(&t->ref);
    compare(t);
  }
  for (; t->my_rx > 0; t->my_rx--) {
    ref_rx_release(&t->ref);
    uvf_rx_release(t->rx);
    compare(t);
  }
}

static void end_loop(target_t *t) {
  t->operations = FUZZ_OPERATIONS;
  if (!t->ref.detaching) detach(t);
  run(t);
  if (!t->host.closed) ref_fail("the detach never ends");
  compare(t);
}

static void end(target_t *t) {
  trace(t, "end");
  if (t->ends_first) end_ends(t);
  end_loop(t);
  end_ends(t);
  test_host_finish(&t->host);
  if (t->ref.tx_refs != 0 || t->ref.rx_refs != 0) ref_fail("the reference counts wrongly");
  for (int i = 0; i < REF_REQUESTS; i++)
    free(t->reqs[i].item);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
  static target_t t; /* it is large */
  static bool installed;
  if (!installed && fault_install() != 0) ref_fail("fault_install");
  installed = true;
  fuzz_trace = fuzz_trace || getenv("UVF_FUZZ_TRACE") != NULL;
  memset(&t, 0, sizeof t);
  t.bytes = bytes;
  t.left = n;
  long before = fault_blocks();
  begin(&t);
  while (t.left > 0 && t.operations < FUZZ_OPERATIONS) {
    operate(&t);
    compare(&t);
  }
  end(&t);
  if (fault_blocks() != before) ref_fail("%ld blocks of memory are left", fault_blocks() - before);
  return 0;
}
