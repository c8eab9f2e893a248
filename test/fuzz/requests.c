/* SPDX-License-Identifier: MIT */
/* Requests and readers of the fuzz target, and their callbacks. */
#include "fuzz/target.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static const char *const names[] = {"send", "reserve", "recv", "wait_readable", "wait_closed"};

/* ---- callbacks ---- */

/* What a callback does: up to three operations. */
static void inside(target_t *t) {
  t->depth++;
  for (int n = t->left > 0 ? next_byte(t) % 4 : 0; n > 0; n--) {
    compare(t);
    operate(t);
  }
  compare(t);
  t->depth--;
}

/* Senders that wait may be late only in a further batch of the same reader in the same turn. */
static void enter(target_t *t, int reader) {
  if (t->ref.late && (reader != t->late_reader || t->late_turn != t->host.turns)) ref_serve(&t->ref);
}

/* Of a rendezvous: which one of those handed over is it? */
static uint32_t take_handed(target_t *t, const void *item) {
  const ref_list_t *handed = &t->ref.handed;
  size_t k = 0, n = handed->tail - handed->head;
  while (k < n && !item_is(t, item, handed->ids[handed->head + k]))
    k++;
  if (k == n) ref_fail("an item that was not handed over");
  return ref_handed_take(&t->ref, k);
}

static void received(target_t *t, int i) {
  ref_req_t *q = &t->ref.reqs[i];
  if (q->state == REF_WAITING && ref_is_rendezvous(&t->ref)) q->id = take_handed(t, t->reqs[i].item);
  item_check(t, t->reqs[i].item, q->id, "recv");
}

static void on_request(uvf_req_t *req, int status) {
  fuzz_req_t *mine = req->data;
  target_t *t = mine->target;
  ref_t *r = &t->ref;
  int i = (int)(mine - t->reqs);
  enter(t, -1);
  trace(t, "callback of request %d (%s): %d", i, names[r->reqs[i].op], status);
  ref_called_back(r, i, status);
  ref_op_t op = r->reqs[i].op;
  if (op == REF_RECV && status == 0) received(t, i);
  if (op == REF_RESERVE) t->permit[i] = status == 0 ? FUZZ_HELD : FUZZ_NONE;
  r->reqs[i].state = REF_FREE;
  inside(t);
  if (op == REF_RECV || op == REF_READABLE) /* this is what comes next in the library, too */
    ref_rx_release(r);
  else
    ref_tx_release(r);
}

/* Of a rendezvous: an item that was handed over, or that of the first waiting sender; the count of sends tells. */
static void read_rendezvous(target_t *t, const void *items) {
  uvf_chan_stats_t s;
  uint32_t id = 0;
  uvf_rx_stats(t->rx, &s);
  if (s.sent == t->ref.sent)
    id = take_handed(t, items);
  else if (ref_try_recv(&t->ref, &id) != 0)
    ref_fail("an item of nobody");
  item_check(t, items, id, "reader");
}

static void check_batch(target_t *t, int n, const char *items, size_t first) {
  size_t size = t->options.item_size, align = size & (~size + 1);
  if (align > 16) align = 16;
  if (size > 0 && (uintptr_t)items % align != 0) ref_fail("a batch that is not aligned");
  for (int k = 0; k < n; k++)
    item_check(t, items + (size_t)k * size, t->ref.queue.ids[first + (size_t)k], "reader");
}

static void on_read(uvf_reader_t *rd, int n, void *items) {
  fuzz_reader_t *mine = rd->data;
  target_t *t = mine->target;
  ref_t *r = &t->ref;
  int i = (int)(mine - t->readers);
  size_t first = 0;
  enter(t, i);
  trace(t, "callback of reader %d: %d", i, n);
  if (r->readers[i].active && n < 0 && t->dropped.tail > r->drops.tail) drop_handed(t); /* by a detach */
  ref_read(r, i, n, t->host.turns, &first);
  settle(t);
  if (n < 0) {
    if (items != NULL) ref_fail("reader %d: items at the end", i);
    inside(t);
    ref_rx_release(r);
    return;
  }
  if (ref_is_rendezvous(r))
    read_rendezvous(t, items);
  else
    check_batch(t, n, items, first);
  r->readers[i].inside = true;
  inside(t);
  if (!ref_is_rendezvous(r)) check_batch(t, n, items, first); /* the bytes stay valid until now */
  r->readers[i].inside = false;
  r->loan = 0;
  r->late = true;
  t->late_reader = i;
  t->late_turn = t->host.turns;
}

/* ---- operations ---- */

static int start(target_t *t, int i, ref_op_t op, uint64_t timeout) {
  fuzz_req_t *q = &t->reqs[i];
  uvf_loop_t *l = t->host.loop;
  switch (op) {
  case REF_SEND: return uvf_send(l, &q->req, t->tx, q->item, timeout, on_request);
  case REF_RESERVE: return uvf_reserve(l, &q->req, t->tx, &t->permits[i], timeout, on_request);
  case REF_RECV: return uvf_recv(l, &q->req, t->rx, q->item, timeout, on_request);
  case REF_READABLE: return uvf_wait_readable(l, &q->req, t->rx, timeout, on_request);
  case REF_CLOSED:
  default: return uvf_wait_closed(l, &q->req, t->tx, timeout, on_request);
  }
}

/* What starting it has to return. */
static int start_result(const target_t *t, int i, ref_op_t op) {
  if (op == REF_RESERVE && ref_is_rendezvous(&t->ref)) return UV_ENOTSUP;
  if (t->ref.detaching) return UV_ECANCELED;
  return t->ref.reqs[i].state == REF_FREE ? 0 : UV_EBUSY;
}

/* A send of a rendezvous: whether it has met a receiver shows in the counter of what was sent. */
static bool has_met(target_t *t, ref_op_t op) {
  uvf_chan_stats_t s;
  if (op != REF_SEND || !ref_is_rendezvous(&t->ref)) return false;
  uvf_tx_stats(t->tx, &s);
  bool met = s.sent == t->ref.sent + 1;
  if (met ? !ref_may_meet(&t->ref) : ref_must_meet(&t->ref)) ref_fail("send: %s", met ? "to nobody" : "not met");
  return met;
}

void op_request(target_t *t, int number, uint8_t arg) {
  static const uint64_t timeouts[] = {UVF_NOWAIT, 1, 2, 3, 5, 10, UVF_FOREVER, UVF_FOREVER};
  ref_op_t op = (ref_op_t)number;
  int i = arg % REF_REQUESTS;
  uint64_t timeout = timeouts[(arg / REF_REQUESTS) % COUNT(timeouts)];
  bool receives = op == REF_RECV || op == REF_READABLE;
  if (!has_loop(t) || (receives ? t->ref.rx_refs : t->ref.tx_refs) == 0) return;
  if (t->ref.reqs[i].state == REF_FREE ? op == REF_RESERVE && t->permit[i] != FUZZ_NONE : op == REF_RESERVE) return;
  int expected = start_result(t, i, op);
  uint32_t id = t->ids;
  trace(t, "%s, request %d, timeout %lld, item %u", names[op], i, (long long)timeout, id);
  if (expected == 0 && op == REF_SEND) item_fill(t, t->reqs[i].item, t->ids++);
  int r = start(t, i, op, timeout);
  if (r != expected) ref_fail("start: %d, expected %d", r, expected);
  if (r != 0) return;
  if (op == REF_RESERVE) t->permit[i] = FUZZ_LENT;
  ref_start(&t->ref, i, op, id, timeout, t->host.now, has_met(t, op));
}

void op_cancel(target_t *t, uint8_t arg) {
  int i = arg % REF_REQUESTS;
  int r = uvf_cancel(&t->reqs[i].req);
  trace(t, "cancel request %d: %d", i, r);
  ref_cancel(&t->ref, i, r);
}

void op_unref(target_t *t, uint8_t arg) {
  int i = arg % REF_REQUESTS, k = arg % REF_READERS;
  trace(t, "unref or ref, %u", arg);
  if ((arg & 0x80) != 0) {
    uvf_req_unref(&t->reqs[i].req);
    t->ref.reqs[i].unref = t->ref.reqs[i].state != REF_FREE;
  } else if ((arg & 0x40) != 0) {
    uvf_reader_ref(&t->readers[k].rd);
    t->ref.readers[k].unref = false;
  } else {
    uvf_reader_unref(&t->readers[k].rd);
    t->ref.readers[k].unref = true;
  }
}

/* By default half of a bounded channel; a rendezvous hands over one at a time. */
static uint32_t largest_batch(const target_t *t, uint32_t option) {
  if (ref_is_rendezvous(&t->ref)) return 1;
  if (option != 0) return option;
  size_t half = t->options.capacity / 2;
  return half > 256 ? 256 : half == 0 ? 1 : (uint32_t)half;
}

void op_reader_start(target_t *t, uint8_t arg) {
  static const uint32_t batches[] = {0, 1, 2, 3, 4, 8, 0, 100};
  static const uint32_t turns[] = {0, 0, 0, 1, 2, 5, 7, 20};
  int i = arg % REF_READERS;
  ref_reader_t *rd = &t->ref.readers[i];
  uvf_reader_options_t o = {.max_batch = batches[(arg >> 1) % COUNT(batches)],
                            .turn_items = turns[(arg >> 4) % COUNT(turns)]};
  if (!has_loop(t) || t->ref.rx_refs == 0) return;
  int expected = t->ref.detaching ? UV_ECANCELED : rd->active ? UV_EBUSY : 0;
  int r = uvf_reader_start(t->host.loop, &t->readers[i].rd, t->rx, &o, on_read);
  trace(t, "reader_start %d, batches of %u, turns of %u: %d", i, o.max_batch, o.turn_items, r);
  if (r != expected) ref_fail("uvf_reader_start: %d, expected %d", r, expected);
  if (r != 0) return;
  uint32_t in_turn = o.turn_items != 0 ? o.turn_items : t->loop_options.turn_items;
  *rd = (ref_reader_t){.active = true,
                       .inside = rd->inside,
                       .max_batch = largest_batch(t, o.max_batch),
                       .turn_items = in_turn != 0 ? in_turn : 4096};
  t->ref.rx_refs++;
}

void drop_handed(target_t *t) {
  ref_list_t *drops = &t->ref.drops;
  char item[FUZZ_LARGEST];
  item_fill(t, item, t->dropped.ids[drops->tail]);
  drops->ids[drops->tail] = take_handed(t, item);
  drops->tail++;
  t->ref.dropped++;
  t->ref.received--;
}

void op_reader_stop(target_t *t, uint8_t arg) {
  int i = arg % REF_READERS;
  ref_reader_t *rd = &t->ref.readers[i];
  if (!has_loop(t)) return;
  size_t before = t->dropped.tail;
  int r = uvf_reader_stop(&t->readers[i].rd), expected = rd->active ? 0 : UV_EALREADY;
  trace(t, "reader_stop %d: %d", i, r);
  if (r != expected) ref_fail("uvf_reader_stop: %d, expected %d", r, expected);
  if (r != 0) return;
  rd->active = rd->armed = false;
  if (ref_is_rendezvous(&t->ref) && t->dropped.tail > before) drop_handed(t);
  ref_rx_release(&t->ref);
}

void op_reader_pause(target_t *t, uint8_t arg) {
  int i = arg % REF_READERS;
  if (!has_loop(t)) return;
  trace(t, "reader_pause %d", i);
  uvf_reader_pause(&t->readers[i].rd);
  t->ref.readers[i].paused = t->ref.readers[i].active;
  t->ref.readers[i].armed = false;
}

void op_reader_resume(target_t *t, uint8_t arg) {
  int i = arg % REF_READERS;
  if (!has_loop(t)) return;
  trace(t, "reader_resume %d", i);
  uvf_reader_resume(&t->readers[i].rd);
  if (t->ref.readers[i].paused) ref_resume(&t->ref, i, t->depth > 0 ? t->host.turns : 0);
}
