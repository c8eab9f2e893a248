/* SPDX-License-Identifier: MIT */
/* The operations of the fuzz target that are neither requests nor readers, and the table of all. */
#include "fuzz/target.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void must_be(const char *what, int now, int expected) {
  if (now != expected) ref_fail("%s: %d, expected %d", what, now, expected);
}

/* How many items: mostly few. */
static int number(uint8_t arg) {
  return arg >= 240 ? FUZZ_MANY : 1 + arg % 6;
}

/* ---- sending ---- */

static void *items_new(target_t *t, int n) {
  char *items = malloc((size_t)n * t->options.item_size);
  for (int i = 0; i < n; i++)
    item_fill(t, items + (size_t)i * t->options.item_size, t->ids + (uint32_t)i);
  return items;
}

/* n items at a rendezvous: each meets a receiver, or nobody does any more. */
static void sent_rendezvous(target_t *t, int n, int result) {
  int k = result > 0 ? result : 0;
  for (int i = 0; i < k; i++) {
    if (!ref_may_meet(&t->ref)) ref_fail("a send to nobody");
    ref_meet(&t->ref, t->ids + (uint32_t)i);
  }
  if (k == 0) must_be("send", result, t->ref.closed ? UV_EPIPE : UV_EAGAIN);
  if (k < n && ref_must_meet(&t->ref)) ref_fail("a send missed a waiting receiver");
}

static int expected_sent(target_t *t, int n) {
  int k = 0, r = 0;
  while (k < n && (r = ref_try_send(&t->ref, t->ids + (uint32_t)k)) == 0)
    k++;
  return k > 0 ? k : r;
}

static void send_items(target_t *t, int n, bool one) {
  if (t->ref.tx_refs == 0) return;
  void *items = items_new(t, n);
  trace(t, "try_send%s, items %u to %u", one ? "" : "_n", t->ids, t->ids + (uint32_t)n - 1);
  bool meets = ref_is_rendezvous(&t->ref);
  int expected = meets ? 0 : expected_sent(t, n);
  int r = one ? uvf_try_send(t->tx, items) : uvf_try_send_n(t->tx, items, n);
  if (one && r == 0) r = 1;
  trace(t, "  = %d", r);
  if (meets)
    sent_rendezvous(t, n, r);
  else
    must_be("try_send", r, expected);
  t->ids += (uint32_t)n;
  free(items);
}

static void op_try_send(target_t *t, uint8_t arg) {
  (void)arg;
  send_items(t, 1, true);
}

static void op_try_send_n(target_t *t, uint8_t arg) {
  send_items(t, number(arg), false);
}

/* ---- receiving ---- */

static void recv_items(target_t *t, int n, bool one) {
  size_t size = t->options.item_size;
  uint32_t id = 0;
  if (t->ref.rx_refs == 0) return;
  char *items = malloc((size_t)n * size);
  int r = one ? uvf_try_recv(t->rx, items) : uvf_try_recv_n(t->rx, items, n);
  trace(t, "try_recv%s of %d: %d", one ? "" : "_n", n, r);
  if (one && r == 0) r = 1;
  int k = 0, e = 0;
  size_t there = ref_is_rendezvous(&t->ref) ? (size_t)n : ref_len(&t->ref); /* who is served by it comes too late */
  for (; k < n && (k == 0 || (size_t)k < there) && (e = ref_try_recv(&t->ref, &id)) == 0; k++)
    if (k < r) item_check(t, items + (size_t)k * size, id, "try_recv");
  must_be("try_recv", r, k > 0 ? k : e);
  free(items);
}

static void op_try_recv(target_t *t, uint8_t arg) {
  (void)arg;
  recv_items(t, 1, true);
}

static void op_try_recv_n(target_t *t, uint8_t arg) {
  recv_items(t, number(arg), false);
}

/* ---- permits ---- */

static void op_try_reserve(target_t *t, uint8_t arg) {
  int i = REF_REQUESTS + arg % (FUZZ_PERMITS - REF_REQUESTS);
  if (t->permit[i] != FUZZ_NONE || t->ref.tx_refs == 0) return;
  int r = uvf_try_reserve(t->tx, &t->permits[i]);
  trace(t, "try_reserve, permit %d: %d", i, r);
  must_be("try_reserve", r, ref_try_reserve(&t->ref));
  if (r == 0) t->permit[i] = FUZZ_HELD;
}

/* The first one from i on. */
static int held_permit(const target_t *t, int i) {
  for (int k = 0; k < FUZZ_PERMITS; k++, i++)
    if (t->permit[i % FUZZ_PERMITS] == FUZZ_HELD) return i % FUZZ_PERMITS;
  return -1;
}

static void op_permit_send(target_t *t, uint8_t arg) {
  int i = held_permit(t, arg);
  if (i < 0) return;
  void *item = items_new(t, 1);
  trace(t, "permit_send %d, item %u", i, t->ids);
  uint32_t id = t->ids++; /* it may be dropped in the call, for a send that waits */
  int r = uvf_permit_send(&t->permits[i], item);
  t->permit[i] = FUZZ_NONE;
  must_be("permit_send", r, ref_permit_send(&t->ref, id));
  must_be("permit_send of none", uvf_permit_send(&t->permits[i], item), UV_EINVAL);
  free(item);
}

static void op_permit_release(target_t *t, uint8_t arg) {
  int i = held_permit(t, arg);
  if (i < 0) return;
  trace(t, "permit_release %d", i);
  uvf_permit_release(&t->permits[i]);
  uvf_permit_release(&t->permits[i]); /* there is none any more */
  t->permit[i] = FUZZ_NONE;
  ref_permit_release(&t->ref);
}

/* ---- ends ---- */

static void op_tx_retain(target_t *t, uint8_t arg) {
  (void)arg;
  if (t->my_tx == 0) return;
  trace(t, "tx_retain");
  (void)uvf_tx_retain(t->tx);
  t->my_tx++;
  t->ref.tx_refs++;
}

static void op_tx_release(target_t *t, uint8_t arg) {
  (void)arg;
  if (t->my_tx == 0) return;
  trace(t, "tx_release");
  uvf_tx_release(t->tx);
  t->my_tx--;
  ref_tx_release(&t->ref);
}

static void op_rx_retain(target_t *t, uint8_t arg) {
  (void)arg;
  if (t->my_rx == 0) return;
  trace(t, "rx_retain");
  (void)uvf_rx_retain(t->rx);
  t->my_rx++;
  t->ref.rx_refs++;
}

static void op_rx_release(target_t *t, uint8_t arg) {
  (void)arg;
  if (t->my_rx == 0) return;
  trace(t, "rx_release");
  t->my_rx--;
  ref_rx_release(&t->ref);
  uvf_rx_release(t->rx);
}

static void op_weaken(target_t *t, uint8_t arg) {
  (void)arg;
  if (t->ref.tx_refs == 0) return;
  trace(t, "tx_weaken");
  t->weak = uvf_tx_weaken(t->tx);
  t->my_weak++;
}

static void op_upgrade(target_t *t, uint8_t arg) {
  (void)arg;
  if (t->my_weak == 0) return;
  uvf_tx_t *tx = uvf_weak_upgrade(t->weak);
  trace(t, "weak_upgrade: %s", tx == NULL ? "NULL" : "an end");
  must_be("weak_upgrade", tx != NULL, !t->ref.closed);
  if (tx == NULL) return;
  t->my_tx++;
  t->ref.tx_refs++;
}

static void op_weak_release(target_t *t, uint8_t arg) {
  (void)arg;
  if (t->my_weak == 0) return;
  trace(t, "weak_release");
  uvf_weak_release(t->weak);
  t->my_weak--;
}

/* ---- closing ---- */

static const int causes[] = {0, UV_EIO, UV_ECONNRESET, UV_EOF, UVF_ELAGGED, 1, UV_EAGAIN, UV_ETIMEDOUT, UV_ECANCELED};
enum { GOOD_CAUSES = 5 };

static int expected_close(target_t *t, size_t i, bool abort) {
  return i < GOOD_CAUSES ? ref_close(&t->ref, abort, causes[i]) : UV_EINVAL;
}

static void op_tx_close(target_t *t, uint8_t arg) {
  size_t i = arg % COUNT(causes);
  if (t->ref.tx_refs == 0) return;
  trace(t, "tx_close, cause %d", causes[i]);
  int expected = expected_close(t, i, false);
  must_be("tx_close", uvf_tx_close(t->tx, causes[i]), expected);
}

static void op_rx_close(target_t *t, uint8_t arg) {
  size_t i = arg % COUNT(causes);
  if (t->ref.rx_refs == 0) return;
  trace(t, "rx_close, cause %d", causes[i]);
  int expected = expected_close(t, i, false);
  must_be("rx_close", uvf_rx_close(t->rx, causes[i]), expected);
}

static void op_rx_abort(target_t *t, uint8_t arg) {
  size_t i = arg % COUNT(causes);
  if (t->ref.rx_refs == 0) return;
  trace(t, "rx_abort, cause %d", causes[i]);
  int expected = expected_close(t, i, true);
  must_be("rx_abort", uvf_rx_abort(t->rx, causes[i]), expected);
}

/* ---- the loop ---- */

static void op_turn(target_t *t, uint8_t arg) {
  (void)arg;
  if (t->depth > 0) return;
  trace(t, "turn");
  (void)turn(t);
}

static void op_run(target_t *t, uint8_t arg) {
  (void)arg;
  if (t->depth > 0) return;
  trace(t, "run");
  run(t);
}

static void op_advance(target_t *t, uint8_t arg) {
  if (t->depth > 0) return;
  trace(t, "%d ms later", arg % 8);
  advance(t, arg % 8);
}

static void op_detach(target_t *t, uint8_t arg) {
  (void)arg;
  if (!has_loop(t) || t->host.closing) return;
  trace(t, "detach");
  detach(t);
}

static void op_stop_host(target_t *t, uint8_t arg) {
  (void)arg;
  if (t->depth == 0) return;
  trace(t, "stop of the event loop");
  test_host_stop(&t->host);
}

/* Without waiting: an error of its own on the loop's thread, which this one is until the loop has gone. */
static int expected_sync(const target_t *t, int r) {
  return has_loop(t) ? UVF_EDEADLK : r == UV_EAGAIN ? UV_ETIMEDOUT : r;
}

static void sync_send(target_t *t) {
  void *item = items_new(t, 1);
  int r = t->ref.closed ? UV_EPIPE : UV_EAGAIN; /* of a rendezvous, where nobody receives any more */
  if (!has_loop(t) && !ref_is_rendezvous(&t->ref)) r = ref_try_send(&t->ref, t->ids);
  must_be("send_sync", uvf_send_sync(t->tx, item, UVF_NOWAIT), expected_sync(t, r));
  t->ids++;
  free(item);
}

static void sync_recv(target_t *t) {
  void *item = malloc(t->options.item_size);
  uint32_t id = 0;
  int r = has_loop(t) ? 0 : ref_try_recv(&t->ref, &id);
  must_be("recv_sync", uvf_recv_sync(t->rx, item, UVF_NOWAIT), expected_sync(t, r));
  if (!has_loop(t) && r == 0) item_check(t, item, id, "recv_sync");
  free(item);
}

static void sync_reserve(target_t *t) {
  int i = FUZZ_PERMITS - 1;
  if (t->permit[i] != FUZZ_NONE) return;
  int r = has_loop(t) ? 0 : ref_try_reserve(&t->ref);
  must_be("reserve_sync", uvf_reserve_sync(t->tx, &t->permits[i], UVF_NOWAIT), expected_sync(t, r));
  if (!has_loop(t) && r == 0) t->permit[i] = FUZZ_HELD;
}

static void op_sync(target_t *t, uint8_t arg) {
  static const char *const names[] = {"send_sync", "recv_sync", "reserve_sync", "wait_closed_sync"};
  int kind = arg % 4;
  if ((kind == 1 ? t->ref.rx_refs : t->ref.tx_refs) == 0) return;
  trace(t, "%s, item %u", names[kind], t->ids);
  if (kind == 0) sync_send(t);
  if (kind == 1) sync_recv(t);
  if (kind == 2) sync_reserve(t);
  if (kind == 3)
    must_be("wait_closed_sync", uvf_wait_closed_sync(t->tx, UVF_NOWAIT),
            expected_sync(t, t->ref.closed ? 0 : UV_EAGAIN));
}

/* ---- the table ---- */

static void op_send(target_t *t, uint8_t arg) {
  op_request(t, REF_SEND, arg);
}

static void op_reserve(target_t *t, uint8_t arg) {
  op_request(t, REF_RESERVE, arg);
}

static void op_recv(target_t *t, uint8_t arg) {
  op_request(t, REF_RECV, arg);
}

static void op_readable(target_t *t, uint8_t arg) {
  op_request(t, REF_READABLE, arg);
}

static void op_closed(target_t *t, uint8_t arg) {
  op_request(t, REF_CLOSED, arg);
}

/* Each with its share of the 256 values of an operation's first byte. */
static const struct {
  void (*run)(target_t *t, uint8_t arg);
  int share;
} table[] = {
    {op_try_send, 22},     {op_try_send_n, 16},    {op_try_recv, 14},    {op_try_recv_n, 10},   {op_send, 22},
    {op_recv, 16},         {op_reserve, 12},       {op_readable, 8},     {op_closed, 4},        {op_cancel, 8},
    {op_reader_start, 12}, {op_reader_stop, 6},    {op_reader_pause, 5}, {op_reader_resume, 6}, {op_try_reserve, 8},
    {op_permit_send, 8},   {op_permit_release, 6}, {op_tx_retain, 3},    {op_tx_release, 3},    {op_rx_retain, 3},
    {op_rx_release, 3},    {op_weaken, 2},         {op_upgrade, 3},      {op_weak_release, 2},  {op_tx_close, 2},
    {op_rx_close, 2},      {op_rx_abort, 2},       {op_turn, 18},        {op_run, 12},          {op_advance, 10},
    {op_detach, 1},        {op_stop_host, 2},      {op_sync, 3},         {op_unref, 2},
};

void operate(target_t *t) {
  if (t->left == 0 || t->operations++ >= FUZZ_OPERATIONS) return;
  int op = next_byte(t);
  uint8_t arg = next_byte(t);
  for (size_t i = 0; i < COUNT(table); op -= table[i++].share)
    if (op < table[i].share) {
      table[i].run(t, arg);
      return;
    }
}
