/* SPDX-License-Identifier: MIT */
/* A sweep: each scenario is run with its first, second, ... allocation failing, until one run needs no further. Each failure is
 * UV_ENOMEM from the operation that needed the memory, nothing is lost or leaked, and what exists is usable afterwards.
 * What must not allocate at all is counted. Promise 11. */
#include "chan/fixture.h"

static bool hit_once; /* in this run; fault_at forgets it */

static bool hit_now(void) {
  hit_once = hit_once || fault_hit();
  return hit_once;
}

static void no_more_faults(void) {
  (void)hit_now();
  fault_at(0);
}

/* Runs the scenario with failing allocations until it needs none that fails. It returns the number of its rows that were wrong,
 * and leaves nothing behind. */
static void sweep(void **state, int (*scenario)(const kind_t *), int at_least) {
  for (int all = 0; all <= 1; all++) {
    int n = 0;
    bool hit;
    do {
      long before = fault_blocks();
      n++;
      (all != 0 ? fault_from : fault_at)((unsigned)n);
      int wrong = scenario(*state);
      if (wrong != 0)
        print_error("%s, %s: allocation %d\n", ((const kind_t *)*state)->name, all != 0 ? "all from" : "only", n);
      hit = hit_once || fault_hit();
      hit_once = false;
      fault_at(0);
      assert_int_equal(wrong, 0);
      assert_int_equal(fault_blocks(), before);
    } while (hit && n < 10000);
    assert_in_range(n, at_least + 1, 9999);
  }
}

/* ---- creating channels ---- */

static uvf_chan_options_t options_for(const kind_t *kind, size_t capacity) {
  return (uvf_chan_options_t){.item_size = sizeof(payload_t),
                              .capacity = kind->capacity != 0 ? kind->capacity : capacity,
                              .flags = kind->flags,
                              .overflow = kind->overflow};
}

static int create(const kind_t *kind, const uvf_chan_options_t *o, uvf_tx_t **tx, uvf_rx_t **rx) {
  return kind->bit == ONESHOT ? uvf_oneshot_create(o, tx, rx) : uvf_chan_create(o, tx, rx);
}

static int creates(const kind_t *kind) {
  uvf_tx_t *tx = NULL;
  uvf_rx_t *rx = NULL;
  uvf_chan_options_t o = options_for(kind, 5);
  int r = create(kind, &o, &tx, &rx);
  bool fired = hit_now();
  int wrong = fired ? r != UV_ENOMEM || tx != NULL || rx != NULL : r != 0;
  uvf_tx_release(tx);
  uvf_rx_release(rx);
  return wrong;
}

static void create_channel(void **state) {
  const kind_t *kind = *state;
  unsigned once = ONESHOT | RENDEZVOUS | (UVF__ATOMICS ? UNBOUNDED : 0), thrice = UVF__ATOMICS ? BOUNDED | NEWEST : 0;
  sweep(state, creates, (kind->bit & once) != 0 ? 1 : (kind->bit & thrice) != 0 ? 3 : 2);
}

/* ---- growing ---- */

enum { GROWN = 700 };

/* Sends GROWN items; each refusal is UV_ENOMEM, and the next attempt goes through. */
static int grows_by(const kind_t *kind, int (*send)(uvf_tx_t *, uint32_t, uint32_t *)) {
  uvf_tx_t *tx = NULL;
  uvf_rx_t *rx = NULL;
  uvf_chan_options_t o = options_for(kind, 1);
  int wrong = 0, r = uvf_chan_create(&o, &tx, &rx);
  if (r != 0) return r != UV_ENOMEM || !hit_now();
  for (uint32_t sent = 0; sent < GROWN;) {
    r = send(tx, sent, &sent);
    if (r == 0) continue;
    if (r != UV_ENOMEM || !hit_now() || uvf_tx_len(tx) != sent) wrong++;
    no_more_faults();
  }
  for (uint32_t i = 0; i < GROWN; i++) {
    payload_t it;
    if (uvf_try_recv(rx, &it) != 0 || !same(it, item(0, i))) wrong++;
  }
  if (uvf_rx_len(rx) != 0) wrong++;
  uvf_tx_release(tx);
  uvf_rx_release(rx);
  return wrong;
}

static int one_by_try(uvf_tx_t *tx, uint32_t next, uint32_t *sent) {
  payload_t it = item(0, next);
  int r = uvf_try_send(tx, &it);
  if (r == 0) ++*sent;
  return r;
}

static int one_by_sync(uvf_tx_t *tx, uint32_t next, uint32_t *sent) {
  payload_t it = item(0, next);
  int r = uvf_send_sync(tx, &it, UVF_FOREVER);
  if (r == 0) ++*sent;
  return r;
}

/* Many at once: what fits into the memory that there was has moved. */
static int many_by_try(uvf_tx_t *tx, uint32_t next, uint32_t *sent) {
  payload_t in[GROWN];
  for (uint32_t i = next; i < GROWN; i++)
    in[i - next] = item(0, i);
  int r = uvf_try_send_n(tx, in, (int)(GROWN - next));
  if (r > 0) *sent += (uint32_t)r;
  return r > 0 ? 0 : r;
}

static int grows_one_by_try(const kind_t *kind) {
  return grows_by(kind, one_by_try);
}

static int grows_one_by_sync(const kind_t *kind) {
  return grows_by(kind, one_by_sync);
}

static int grows_many_by_try(const kind_t *kind) {
  return grows_by(kind, many_by_try);
}

static void grow_by_try_send(void **state) {
  sweep(state, grows_one_by_try, 4);
}

static void grow_by_send_sync(void **state) {
  sweep(state, grows_one_by_sync, 4);
}

static void grow_by_try_send_n(void **state) {
  sweep(state, grows_many_by_try, 4);
}

/* Reserves, in both forms, and sends; what has no memory is done again, and a permit is still there. */
static int reserves_and_sends(const kind_t *kind) {
  static uvf_permit_t p[GROWN];
  uvf_tx_t *tx = NULL;
  uvf_rx_t *rx = NULL;
  uvf_chan_options_t o = options_for(kind, GROWN);
  int wrong = 0, r = uvf_chan_create(&o, &tx, &rx);
  if (r != 0) return r != UV_ENOMEM || !hit_now();
  for (uint32_t i = 0; i < GROWN;) {
    r = i % 2 == 0 ? uvf_try_reserve(tx, &p[i]) : uvf_reserve_sync(tx, &p[i], UVF_FOREVER);
    if (r == 0) i++;
    if (r != 0 && (r != UV_ENOMEM || !hit_now() || !is_empty(&p[i]))) wrong++;
    if (r != 0) no_more_faults();
  }
  for (uint32_t i = 0; i < GROWN;) {
    payload_t it = item(0, i);
    r = uvf_permit_send(&p[i], &it);
    if (r == 0) i++;
    if (r != 0 && (r != UV_ENOMEM || !hit_now() || uvf_tx_len(tx) != i)) wrong++;
    if (r != 0) no_more_faults();
  }
  uvf_tx_release(tx);
  for (uint32_t i = 0; i < GROWN; i++) {
    payload_t it;
    if (uvf_try_recv(rx, &it) != 0 || !same(it, item(0, i))) wrong++;
  }
  if (uvf_rx_status(rx) != UV_EOF) wrong++;
  uvf_rx_release(rx);
  return wrong;
}

static void reserve_and_send(void **state) {
  sweep(state, reserves_and_sends, ((kind_t *)*state)->bit == UNBOUNDED ? 4 : 2);
}

/* ---- loops ---- */

/* One loop with everything on it: each step that has no memory says so, and is done again. */
typedef struct {
  const kind_t *kind;
  int wrong, sends, received;
  int status;
  bool ended, called;
} whole_t;

/* 0 or UV_ENOMEM, which must be the fault of the sweep. */
static bool refused(whole_t *w, int r) {
  if (r == 0) return false;
  if (r != UV_ENOMEM || !hit_now()) w->wrong++;
  no_more_faults();
  return r == UV_ENOMEM;
}

static void on_sent(uvf_req_t *req, int status) {
  whole_t *w = req->data;
  w->called = true;
  w->status = status;
}

static void on_items(uvf_reader_t *rd, int n, void *items) {
  whole_t *w = rd->data;
  const payload_t *in = items;
  for (int i = 0; i < n; i++)
    if (in[i].seq != (uint32_t)w->received++) w->wrong++;
  if (n < 0) w->ended = true;
}

static void detached(void *data) {
  *(bool *)data = true;
}

static void send_all(whole_t *w, uv_loop_t *uv, uvf_loop_t *loop, uvf_tx_t *tx) {
  uvf_req_t req = {.data = w};
  while (w->sends < GROWN) {
    payload_t it = item(0, (uint32_t)w->sends);
    w->called = false;
    if (uvf_send(loop, &req, tx, &it, UVF_FOREVER, on_sent) != 0) w->wrong++;
    while (!w->called)
      (void)uv_run(uv, UV_RUN_ONCE);
    if (!refused(w, w->status)) w->sends++;
  }
}

static int runs_a_loop(const kind_t *kind, unsigned flags) {
  whole_t w = {.kind = kind};
  uv_loop_t uv;
  uvf_loop_t *loop = NULL;
  uvf_tx_t *tx = NULL;
  uvf_rx_t *rx = NULL;
  bool done = false;
  uvf_reader_t rd = {.data = &w};
  uvf_loop_options_t lo = {.flags = flags};
  uvf_chan_options_t co = options_for(kind, 3);
  if (uv_loop_init(&uv) != 0) return 1;
  while (refused(&w, uvf_loop_attach(&uv, &lo, &loop)))
    if (loop != NULL) w.wrong++;
  while (refused(&w, uvf_chan_create(&co, &tx, &rx))) {
  }
  while (refused(&w, uvf_reader_start(loop, &rd, rx, NULL, on_items)))
    if (uvf_reader_active(&rd)) w.wrong++;
  uvf_rx_release(rx);
  send_all(&w, &uv, loop, tx);
  uvf_tx_release(tx);
  (void)uv_run(&uv, UV_RUN_DEFAULT);
  if (w.received != GROWN || !w.ended) w.wrong++;
  if (uvf_loop_detach(loop, detached, &done) != 0) w.wrong++;
  (void)uv_run(&uv, UV_RUN_DEFAULT);
  if (!done || uv_loop_close(&uv) != 0) w.wrong++;
  return w.wrong;
}

static int runs_an_async_loop(const kind_t *kind) {
  return runs_a_loop(kind, 0);
}

static void loop_and_reader(void **state) {
  sweep(state, runs_an_async_loop, 3);
}

#ifdef __linux__
static int runs_an_eventfd_loop(const kind_t *kind) {
  return runs_a_loop(kind, UVF_WAKE_EVENTFD);
}

static void loop_with_an_eventfd(void **state) {
  sweep(state, runs_an_eventfd_loop, 3);
}
#endif

/* A reader that gets copies needs memory for a batch: it does not start without, and does when there is some. */
static int starts_with_copies(const kind_t *kind) {
  whole_t w = {.kind = kind};
  uv_loop_t uv;
  uvf_loop_t *loop = NULL;
  uvf_tx_t *tx = NULL;
  uvf_rx_t *rx = NULL;
  uvf_reader_t rd = {.data = &w};
  uvf_chan_options_t o = options_for(kind, 3);
  int refusals = 0;
  if (uv_loop_init(&uv) != 0) return 1;
  while (refused(&w, uvf_loop_attach(&uv, NULL, &loop))) {
  }
  while (refused(&w, uvf_chan_create(&o, &tx, &rx))) {
  }
  while (refused(&w, uvf_reader_start(loop, &rd, rx, NULL, on_items)))
    refusals++;
  for (uint32_t i = 0; i < 5; i++) {
    payload_t it = item(0, i < 2 ? 0 : i - 2); /* the first two are dropped */
    if (uvf_try_send(tx, &it) != 0) w.wrong++;
  }
  uvf_tx_release(tx);
  uvf_rx_release(rx);
  (void)uv_run(&uv, UV_RUN_DEFAULT);
  if (w.received != 3 || !w.ended || refusals > 1) w.wrong++;
  if (uvf_loop_detach(loop, NULL, NULL) != 0) w.wrong++;
  (void)uv_run(&uv, UV_RUN_DEFAULT);
  return w.wrong + (uv_loop_close(&uv) != 0);
}

static void start_reader_with_copies(void **state) {
  sweep(state, starts_with_copies, 4);
}

/* A one-shot with a name, and all that may be done with it on a loop: what has no memory is done again. */
static int lives_once(const kind_t *kind) {
  whole_t w = {.kind = kind};
  uv_loop_t uv;
  uvf_loop_t *loop = NULL;
  uvf_tx_t *tx = NULL;
  uvf_rx_t *rx = NULL;
  uvf_permit_t p, none;
  uvf_reader_t rd = {.data = &w};
  uvf_req_t closed = {.data = &w}, send = {.data = &w}, reserve = {.data = &w};
  payload_t in = item(0, 0), late = item(0, 1);
  uvf_chan_options_t o = options_for(kind, 0);
  o.name = "once";
  if (uv_loop_init(&uv) != 0) return 1;
  while (refused(&w, uvf_loop_attach(&uv, NULL, &loop))) {
  }
  while (refused(&w, create(kind, &o, &tx, &rx)))
    if (tx != NULL || rx != NULL) w.wrong++;
  if (uvf_try_reserve(tx, &p) != 0) w.wrong++;
  if (uvf_reader_start(loop, &rd, rx, NULL, on_items) != 0) w.wrong++;
  if (uvf_wait_closed(loop, &closed, tx, UVF_FOREVER, on_sent) != 0) w.wrong++;
  if (uvf_send(loop, &send, tx, &late, UVF_FOREVER, on_sent) != 0) w.wrong++;
  if (uvf_reserve(loop, &reserve, tx, &none, UVF_FOREVER, on_sent) != 0) w.wrong++;
  (void)uv_run(&uv, UV_RUN_NOWAIT);
  if (uvf_permit_send(&p, &in) != 0) w.wrong++;
  uvf_tx_release(tx);
  uvf_rx_release(rx);
  (void)uv_run(&uv, UV_RUN_DEFAULT);
  if (w.received != 1 || !w.ended || !w.called) w.wrong++;
  if (uvf_loop_detach(loop, NULL, NULL) != 0) w.wrong++;
  (void)uv_run(&uv, UV_RUN_DEFAULT);
  return w.wrong + (uv_loop_close(&uv) != 0);
}

static void live_once(void **state) {
  sweep(state, lives_once, 4);
}

/* ---- what needs no memory ---- */

static void on_post(uvf_post_t *post, int status) {
  (void)status;
  *(bool *)post->data = true;
}

/* Permits, weak ends, and waiting without taking. */
static void these_allocate_nothing(uvf_loop_t *loop, whole_t *w, uvf_tx_t *tx, uvf_rx_t *rx) {
  uv_loop_t *uv = uvf_loop_uv(loop);
  uvf_req_t readable = {.data = w}, closed = {.data = w}, reserve = {.data = w};
  uvf_permit_t p;
  payload_t in = item(0, 0), out;
  uvf_weak_t *weak = uvf_tx_weaken(tx);
  uvf_tx_release(uvf_weak_upgrade(weak));
  uvf_weak_release(weak);
  assert_int_equal(uvf_wait_readable(loop, &readable, rx, UVF_FOREVER, on_sent), 0);
  assert_int_equal(uvf_wait_closed(loop, &closed, tx, UVF_FOREVER, on_sent), 0);
  assert_int_equal(uvf_reserve(loop, &reserve, tx, &p, UVF_FOREVER, on_sent), 0);
  while (uvf_req_active(&reserve))
    (void)uv_run(uv, UV_RUN_ONCE);
  assert_int_equal(w->status, 0);
  assert_int_equal(uvf_permit_send(&p, &in), 0);
  while (uvf_req_active(&readable))
    (void)uv_run(uv, UV_RUN_ONCE);
  assert_int_equal(w->status, 0);
  assert_int_equal(uvf_try_recv(rx, &out), 0);
  assert_int_equal(uvf_try_reserve(tx, &p), 0);
  uvf_permit_release(&p);
  assert_int_equal(uvf_cancel(&closed), 0);
  (void)uv_run(uv, UV_RUN_DEFAULT);
  assert_int_equal(w->status, UV_ECANCELED);
}

/* Waiting, waking, timing out, cancelling, posting, closing. */
static void nothing_else_allocates(void **state) {
  const kind_t *kind = *state;
  uv_loop_t uv;
  uvf_loop_t *loop;
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  whole_t w = {.kind = kind};
  bool posted = false;
  uvf_req_t req = {.data = &w};
  uvf_post_t post = {.data = &posted};
  payload_t in = item(0, 0), out;
  uvf_chan_options_t o = options_for(kind, 4);
  assert_int_equal(uv_loop_init(&uv), 0);
  assert_int_equal(uvf_loop_attach(&uv, NULL, &loop), 0);
  assert_int_equal(uvf_chan_create(&o, &tx, &rx), 0);
  unsigned long before = fault_allocations();
  for (int i = 0; i < 100; i++) {
    assert_int_equal(uvf_recv(loop, &req, rx, &out, UVF_FOREVER, on_sent), 0);
    assert_int_equal(uvf_try_send(tx, &in), 0);
    assert_int_equal(uvf_post(loop, &post, on_post), 0);
    (void)uv_run(&uv, UV_RUN_DEFAULT);
    assert_int_equal(w.status, 0);
    assert_int_equal(uvf_recv(loop, &req, rx, &out, i % 2 == 0 ? 1 : UVF_FOREVER, on_sent), 0);
    if (i % 2 == 1) assert_int_equal(uvf_cancel(&req), 0);
    (void)uv_run(&uv, UV_RUN_DEFAULT);
    assert_int_equal(w.status, i % 2 == 0 ? UV_ETIMEDOUT : UV_ECANCELED);
    if (kind->bit != RENDEZVOUS) these_allocate_nothing(loop, &w, tx, rx);
  }
  assert_true(posted);
  uvf_tx_release(tx);
  uvf_rx_release(rx);
  assert_int_equal(uvf_loop_detach(loop, NULL, NULL), 0);
  (void)uv_run(&uv, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&uv), 0);
  assert_in_range(fault_allocations() - before, 0, kind->bit == UNBOUNDED ? 4 : 0); /* blocks are used again */
}

/* But for the pair. */
static void a_oneshot_allocates_nothing(void **state) {
  uv_loop_t uv;
  uvf_loop_t *loop;
  whole_t w = {.kind = *state};
  assert_int_equal(uv_loop_init(&uv), 0);
  assert_int_equal(uvf_loop_attach(&uv, NULL, &loop), 0);
  for (int i = 0; i < 100; i++) {
    uvf_tx_t *tx;
    uvf_rx_t *rx;
    uvf_permit_t p, none;
    uvf_reader_t rd = {.data = &w};
    uvf_req_t send = {.data = &w}, reserve = {.data = &w}, closed = {.data = &w}, readable = {.data = &w};
    payload_t in = item(0, 0);
    uvf_chan_options_t o = options_for(w.kind, 0);
    unsigned long before = fault_allocations();
    w.received = 0;
    assert_int_equal(create(w.kind, &o, &tx, &rx), 0);
    assert_int_equal(uvf_try_reserve(tx, &p), 0);
    assert_int_equal(uvf_wait_readable(loop, &readable, rx, UVF_FOREVER, on_sent), 0);
    assert_int_equal(uvf_wait_closed(loop, &closed, tx, UVF_FOREVER, on_sent), 0);
    assert_int_equal(uvf_reader_start(loop, &rd, rx, NULL, on_items), 0);
    assert_int_equal(uvf_send(loop, &send, tx, &in, UVF_FOREVER, on_sent), 0);
    assert_int_equal(uvf_reserve(loop, &reserve, tx, &none, UVF_FOREVER, on_sent), 0);
    (void)uv_run(&uv, UV_RUN_NOWAIT);
    if (i % 2 == 0) assert_int_equal(uvf_permit_send(&p, &in), 0);
    if (i % 2 == 1) uvf_permit_release(&p);
    uvf_weak_t *weak = uvf_tx_weaken(tx);
    uvf_tx_release(tx);
    uvf_rx_release(rx);
    (void)uv_run(&uv, UV_RUN_DEFAULT);
    uvf_weak_release(weak);
    assert_int_equal(w.received, 1);
    assert_int_equal(fault_allocations() - before, 1);
  }
  assert_int_equal(uvf_loop_detach(loop, NULL, NULL), 0);
  (void)uv_run(&uv, UV_RUN_DEFAULT);
  assert_int_equal(uv_loop_close(&uv), 0);
}

int main(void) {
  static const case_t cases[] = {
      CASE(create_channel, EVERY | ONESHOT),  CASE(grow_by_try_send, UNBOUNDED),
      CASE(grow_by_send_sync, UNBOUNDED),     CASE(grow_by_try_send_n, UNBOUNDED),
      CASE(reserve_and_send, RESERVABLE),     CASE(loop_and_reader, ALL),
      CASE(start_reader_with_copies, OLDEST), CASE(live_once, ONESHOT),
#ifdef __linux__
      CASE(loop_with_an_eventfd, ALL),
#endif
      CASE(nothing_else_allocates, EVERY),    CASE(a_oneshot_allocates_nothing, ONESHOT),
  };
  return RUN_CASES(cases);
}
