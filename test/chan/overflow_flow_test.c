/* SPDX-License-Identifier: MIT */
/* Full channels that drop, with threads and loops on both sides: sent = received + dropped + len, each item once, each sender's
 * in order. Promises 1, 5. */
#include "chan/loop_fixture.h"

#if defined(__SANITIZE_THREAD__)
enum { EACH = 10000, FLOOD = 20000 };
#else
enum { EACH = 40000, FLOOD = 100000 };
#endif

enum { SENDERS = 3, RECEIVERS = 2, CAPACITY = 5 };

/* Each item's fate: how often it was received, and how often dropped. */
static struct {
  atomic_uchar received[SENDERS][EACH], dropped[SENDERS][EACH];
  atomic_uint strange;
} books;

static void note(atomic_uchar (*book)[EACH], payload_t p) {
  if (p.sender < SENDERS && p.seq < EACH)
    atomic_fetch_add(&book[p.sender][p.seq], 1);
  else
    atomic_fetch_add(&books.strange, 1);
}

static void note_drop(void *bytes, void *data) {
  payload_t p;
  (void)data;
  memcpy(&p, bytes, sizeof p);
  note(books.dropped, p);
}

static void open_noted(chan_t *c, void **state, size_t capacity) {
  const kind_t *kind = *state;
  memset(&books, 0, sizeof books);
  memset(c, 0, sizeof *c);
  c->kind = kind;
  uvf_chan_options_t o = {.item_size = sizeof(payload_t),
                          .capacity = capacity,
                          .flags = kind->flags,
                          .overflow = kind->overflow,
                          .drop = note_drop};
  assert_int_equal(uvf_chan_create(&o, &c->tx, &c->rx), 0);
}

/* ---- threads ---- */

typedef struct {
  thread_t thread;
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  uint32_t sender, next[SENDERS];
  int wrong, end;
} lane_t;

/* By each form that a plain thread has. */
static void sends_all(void *arg) {
  lane_t *l = arg;
  for (uint32_t i = 0; i < EACH;) {
    payload_t in[3] = {item(l->sender, i), item(l->sender, i + 1), item(l->sender, i + 2)};
    if (i % 5 == 0 && i + 3 <= EACH) {
      l->wrong += uvf_try_send_n(l->tx, in, 3) != 3;
      i += 3;
    } else {
      l->wrong += (i % 2 == 0 ? uvf_try_send(l->tx, in) : uvf_send_sync(l->tx, in, UVF_FOREVER)) != 0;
      i++;
    }
    if (i % 64 == 0) (void)sched_yield(); /* or, on few CPUs, the receivers hardly get any */
  }
  uvf_tx_release(l->tx);
}

static void receive(lane_t *l, payload_t p) {
  note(books.received, p);
  if (p.sender >= SENDERS) return;
  l->wrong += p.seq < l->next[p.sender];
  l->next[p.sender] = p.seq + 1;
}

static void receives_all(void *arg) {
  lane_t *l = arg;
  payload_t got[4];
  while (l->end == 0) {
    int n = uvf_try_recv_n(l->rx, got, 4);
    if (n == UV_EAGAIN) {
      int r = uvf_recv_sync(l->rx, got, UVF_FOREVER);
      n = r == 0 ? 1 : r;
    }
    if (n < 0) l->end = n;
    for (int i = 0; i < n; i++)
      receive(l, got[i]);
  }
}

/* Asserts; returns how many were dropped. */
static uint32_t check_books(chan_t *c, uint32_t senders) {
  uint32_t received = 0, dropped = 0, wrong = 0;
  for (uint32_t s = 0; s < senders; s++) {
    for (uint32_t i = 0; i < EACH; i++) {
      unsigned r = atomic_load(&books.received[s][i]), d = atomic_load(&books.dropped[s][i]);
      received += r;
      dropped += d;
      wrong += r + d != 1;
    }
  }
  uvf_chan_stats_t s = stats_of(c);
  assert_int_equal(wrong, 0);
  assert_int_equal(atomic_load(&books.strange), 0);
  assert_int_equal(s.sent, (uint64_t)senders * EACH);
  assert_int_equal(s.received, received);
  assert_int_equal(s.dropped, dropped);
  assert_int_equal(s.len, 0);
  assert_int_equal(s.returned, 0);
  return dropped;
}

static void threads_against_threads(void **state) {
  static lane_t senders[SENDERS], receivers[RECEIVERS];
  chan_t c;
  open_noted(&c, state, CAPACITY);
  bool alone = (c.kind->bit & ONE_SENDER) != 0;
  uint32_t n = alone ? 1 : SENDERS, m = alone ? 1 : RECEIVERS;
  for (uint32_t i = 0; i < m; i++) {
    receivers[i] = (lane_t){.rx = c.rx};
    thread_start(&receivers[i].thread, receives_all, &receivers[i]);
  }
  for (uint32_t i = 0; i < n; i++) {
    senders[i] = (lane_t){.tx = i == 0 ? c.tx : uvf_tx_retain(c.tx), .sender = i};
  }
  c.tx = NULL;
  for (uint32_t i = 0; i < n; i++)
    thread_start(&senders[i].thread, sends_all, &senders[i]);
  for (uint32_t i = 0; i < n; i++) {
    thread_join(&senders[i].thread);
    assert_int_equal(senders[i].wrong, 0);
  }
  for (uint32_t i = 0; i < m; i++) {
    thread_join(&receivers[i].thread);
    assert_int_equal(receivers[i].wrong, 0);
    assert_int_equal(receivers[i].end, UV_EOF);
  }
  (void)check_books(&c, n);
  chan_close(&c);
}

/* ---- loops ---- */

typedef struct {
  uvf_reader_t rd; /* first: the callback gets it */
  lane_t lane;
  payload_t last;
  int ends;
} counting_t;

/* The batch is read slowly, and twice: what is overwritten meanwhile would show. */
static void counts(uvf_reader_t *rd, int n, void *items) {
  counting_t *r = (counting_t *)(void *)rd;
  payload_t p[64];
  if (n < 0) r->ends++;
  for (int i = 0; i < n && n <= 64; i++)
    memcpy(&p[i], (char *)items + (size_t)i * sizeof p[i], sizeof p[i]);
  if (n > 0) (void)sched_yield();
  for (int i = 0; i < n; i++) {
    memcpy(&r->last, (char *)items + (size_t)i * sizeof r->last, sizeof r->last);
    r->lane.wrong += n > 64 || !same(p[i], r->last);
    receive(&r->lane, r->last);
  }
}

static void threads_against_a_reader(void **state) {
  static lane_t senders[SENDERS];
  chan_t c;
  test_host_t h;
  counting_t r;
  open_noted(&c, state, 16);
  uint32_t n = (c.kind->bit & ONE_SENDER) != 0 ? 1 : SENDERS;
  loop_open(&h, 0);
  memset(&r, 0, sizeof r);
  assert_int_equal(uvf_reader_start(h.loop, &r.rd, c.rx, NULL, counts), 0);
  for (uint32_t i = 0; i < n; i++)
    senders[i] = (lane_t){.tx = i == 0 ? c.tx : uvf_tx_retain(c.tx), .sender = i};
  c.tx = NULL;
  for (uint32_t i = 0; i < n; i++)
    thread_start(&senders[i].thread, sends_all, &senders[i]);
  test_host_run_until(&h, &r.ends, 1);
  for (uint32_t i = 0; i < n; i++) {
    thread_join(&senders[i].thread);
    assert_int_equal(senders[i].wrong, 0);
  }
  assert_int_equal(r.lane.wrong, 0);
  (void)check_books(&c, n);
  test_host_detach(&h);
  chan_close(&c);
}

/* As for a display that wants the latest value. */
typedef struct {
  uvf_tx_t *tx;
  int wrong;
} flood_t;

static void floods(void *arg) {
  flood_t *f = arg;
  for (uint32_t i = 0; i < FLOOD; i++) {
    payload_t it = item(0, i);
    f->wrong += uvf_try_send(f->tx, &it) != 0;
  }
}

static void the_newest_item_is_always_delivered(void **state) {
  for (size_t capacity = 1; capacity <= 4; capacity++) {
    static reading_t r;
    chan_t c;
    test_host_t h;
    thread_t id;
    memset(&r, 0, sizeof r);
    chan_open(&c, state, capacity);
    loop_open(&h, READ_LOG / 2); /* a turn's items go into the log */
    flood_t f = {.tx = c.tx};
    assert_int_equal(start_reader(&h, &r, c.rx, NULL), 0);
    thread_start(&id, floods, &f);
    for (bool last = false; !last;) { /* each time the log is read it begins anew */
      if (!test_host_turn(&h)) test_host_await_wake(&h);
      for (int i = 1; i < r.count; i++)
        assert_true(r.got[i].seq > r.got[i - 1].seq);
      if (r.count > 0) last = r.got[r.count - 1].seq == FLOOD - 1;
      if (r.count > 0) r.got[0] = r.got[r.count - 1];
      r.count = r.count > 0 ? 1 : 0;
    }
    thread_join(&id);
    assert_int_equal(f.wrong, 0);
    uvf_chan_stats_t s = stats_of(&c);
    assert_int_equal(s.sent, FLOOD);
    assert_int_equal(s.dropped, atomic_load(&c.dropped));
    assert_int_equal(s.received + s.dropped, FLOOD);
    test_host_detach(&h);
    chan_close(&c);
  }
}

int main(void) {
  static const case_t cases[] = {
      CASE(threads_against_threads, DROPPING),
      CASE(threads_against_a_reader, DROPPING),
      CASE(the_newest_item_is_always_delivered, OLDEST),
  };
  return RUN_CASES(cases);
}
