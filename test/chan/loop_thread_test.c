/* SPDX-License-Identifier: MIT */
/* Loops of libuv in threads of their own: wakes, detach under load, keep-alive, idleness.
 * Cases 4, 70, 71, 72, 73, 74, 75. Promises 2 (on its own loop's thread), 5, 7, 8, 10, 13. */
#include "chan/loop_fixture.h"

#include <time.h>

enum { PRODUCERS = 4 };

#if defined(__SANITIZE_THREAD__)
enum { EACH = 2000, ROUNDS = 60 };
#else
enum { EACH = 10000, ROUNDS = 200 };
#endif

/* ---- producers ---- */

typedef struct {
  thread_t thread;
  uvf_tx_t *tx;
  uint32_t sender, count, sent;
  int last;
} producer_t;

static void produces(void *arg) {
  producer_t *p = arg;
  for (p->sent = 0; p->sent < p->count; p->sent++) {
    payload_t it = item(p->sender, p->sent);
    if ((p->last = uvf_send_sync(p->tx, &it, UVF_FOREVER)) != 0) break;
  }
  uvf_tx_release(p->tx);
}

static void start_producers(chan_t *c, producer_t *p, uint32_t n, uint32_t count) {
  for (uint32_t i = 0; i < n; i++) {
    p[i] = (producer_t){.tx = uvf_tx_retain(c->tx), .sender = i, .count = count};
    thread_start(&p[i].thread, produces, &p[i]);
  }
}

/* ---- a loop of libuv ---- */

typedef struct {
  uv_loop_t uv;
  uvf_loop_t *loop;
  int detached;
} uvl_t;

static void on_detached(void *data) {
  ((uvl_t *)data)->detached++;
}

/* Both assert. */
static void uvl_open(uvl_t *l, unsigned flags) {
  uvf_loop_options_t o = {.flags = flags};
  memset(l, 0, sizeof *l);
  assert_int_equal(uv_loop_init(&l->uv), 0);
  assert_int_equal(uvf_loop_attach(&l->uv, &o, &l->loop), 0);
  assert_ptr_equal(uvf_loop_uv(l->loop), &l->uv);
}

static void uvl_close(uvl_t *l) {
  assert_int_equal(uvf_loop_detach(l->loop, on_detached, l), 0);
  assert_int_equal(uv_run(&l->uv, UV_RUN_DEFAULT), 0);
  assert_int_equal(l->detached, 1);
  assert_int_equal(uv_loop_close(&l->uv), 0);
}

/* ---- many producers, one loop ---- */

/* A reader that checks each sender's order, on its loop's thread. */
typedef struct {
  uvf_reader_t rd; /* first */
  uvf_loop_t *loop;
  uint32_t next[PRODUCERS];
  uint64_t got;
  int end;
  bool wrong;
} sink_t;

static void sinks(uvf_reader_t *rd, int n, void *items) {
  sink_t *s = (sink_t *)(void *)rd;
  const payload_t *in = items;
  if (!uvf_loop_is_mine(s->loop)) s->wrong = true;
  for (int i = 0; i < n; i++)
    if (in[i].sender >= PRODUCERS || in[i].seq != s->next[in[i].sender]++) s->wrong = true;
  if (n > 0)
    s->got += (uint64_t)n;
  else
    s->end = n;
}

static void flood(void **state, size_t capacity, unsigned flags) {
  chan_t c;
  uvl_t l;
  sink_t sink;
  producer_t p[PRODUCERS];
  uint32_t n = ((const kind_t *)*state)->bit == SPSC ? 1 : PRODUCERS;
  memset(&sink, 0, sizeof sink);
  chan_open(&c, state, capacity);
  uvl_open(&l, flags);
  sink.loop = l.loop;
  assert_int_equal(uvf_reader_start(l.loop, &sink.rd, c.rx, NULL, sinks), 0);
  start_producers(&c, p, n, EACH);
  chan_close(&c);
  assert_int_equal(uv_run(&l.uv, UV_RUN_DEFAULT), 0); /* ends when the reader has ended */
  for (uint32_t i = 0; i < n; i++)
    thread_join(&p[i].thread);
  assert_false(sink.wrong);
  assert_int_equal(sink.got, (uint64_t)n * EACH);
  assert_int_equal(sink.end, UV_EOF);
  uvl_close(&l);
  assert_int_equal(atomic_load(&c.dropped), 0);
}

static void case_70_every_send_reaches_the_loop(void **state) {
  flood(state, 1, 0);
  flood(state, 64, 0);
  flood(state, 1024, 0);
}

#ifdef __linux__
static void case_70_also_with_an_eventfd(void **state) {
  flood(state, 3, UVF_WAKE_EVENTFD);
  flood(state, 64, UVF_WAKE_EVENTFD);
}
#endif

/* Blocked on a full channel of 2: all get through, in order of arrival. */
static void promise_5_blocked_producers_get_through_in_order_of_arrival(void **state) {
  for (int round = 0; round < 30; round++) {
    static reading_t r;
    chan_t c;
    test_host_t h;
    blocked_t s[PRODUCERS];
    memset(&r, 0, sizeof r);
    chan_open(&c, state, 2);
    loop_open(&h, 0);
    fill(&c, 0, 2);
    for (uint32_t i = 0; i < PRODUCERS; i++)
      start_sender(&c, &s[i], item(1, i), UVF_FOREVER, i + 1);
    assert_int_equal(start_reader(&h, &r, c.rx, NULL), 0);
    while (r.count < 2 + PRODUCERS)
      if (!test_host_turn(&h)) test_host_await_wake(&h);
    for (uint32_t i = 0; i < PRODUCERS; i++) {
      assert_int_equal(join_blocked(&s[i]), 0);
      assert_true(same(r.got[2 + i], item(1, i)));
    }
    test_host_detach(&h);
    chan_close(&c);
  }
}

/* ---- two loops ---- */

enum { SENDS = 8 };

/* Bounces a counter: receives on `in`, sends one more on `out`. */
typedef struct {
  uvl_t l;
  thread_t thread;
  uvf_reader_t rd;
  uvf_req_t req[SENDS]; /* replies may come before the callbacks of the sends that they reply to */
  payload_t item[SENDS];
  uvf_tx_t *out;
  uvf_rx_t *in;
  uint32_t hops;
  bool wrong, done;
} bouncer_t;

static void bounced(uvf_req_t *req, int status) {
  bouncer_t *b = req->data;
  if (status != 0 && !b->done) b->wrong = true;
}

static void bounces(uvf_reader_t *rd, int n, void *items) {
  bouncer_t *b = rd->data;
  const payload_t *in = items;
  for (int i = 0; i < n; i++) {
    int k = 0;
    while (k < SENDS - 1 && uvf_req_active(&b->req[k]))
      k++;
    b->done = in[i].seq >= b->hops;
    if (b->done) {
      (void)uvf_reader_stop(rd);
      uvf_tx_release(b->out);
      b->out = NULL;
      return;
    }
    b->item[k] = item(in[i].sender, in[i].seq + 1);
    if (uvf_send(b->l.loop, &b->req[k], b->out, &b->item[k], UVF_FOREVER, bounced) != 0) b->wrong = true;
  }
  if (n < 0 && b->out != NULL) {
    b->done = true;
    uvf_tx_release(b->out);
    b->out = NULL;
  }
}

static void runs_a_bouncer(void *arg) {
  bouncer_t *b = arg;
  b->rd.data = b;
  for (int k = 0; k < SENDS; k++)
    b->req[k].data = b;
  b->wrong = uv_loop_init(&b->l.uv) != 0 || uvf_loop_attach(&b->l.uv, NULL, &b->l.loop) != 0 ||
             uvf_reader_start(b->l.loop, &b->rd, b->in, NULL, bounces) != 0;
  uvf_rx_release(b->in);
  (void)uv_run(&b->l.uv, UV_RUN_DEFAULT);
  if (uvf_loop_detach(b->l.loop, on_detached, &b->l) != 0) b->wrong = true;
  (void)uv_run(&b->l.uv, UV_RUN_DEFAULT);
  if (b->l.detached != 1 || uv_loop_close(&b->l.uv) != 0) b->wrong = true;
}

static void two_loops_bounce_an_item(void **state) {
  chan_t ab, ba;
  static bouncer_t a, b;
  memset(&a, 0, sizeof a);
  memset(&b, 0, sizeof b);
  chan_open(&ab, state, 1);
  chan_open(&ba, state, 1);
  payload_t it = item(0, 0);
  a.in = ba.rx;
  a.out = uvf_tx_retain(ab.tx);
  b.in = ab.rx;
  b.out = uvf_tx_retain(ba.tx);
  a.hops = b.hops = EACH / 10;
  /* Before a sends, too: with UVF_SPSC one thread at a time. A rendezvous needs its receiver. */
  bool early = ab.kind->bit != RENDEZVOUS;
  if (early) assert_int_equal(uvf_try_send(ab.tx, &it), 0);
  thread_start(&a.thread, runs_a_bouncer, &a);
  thread_start(&b.thread, runs_a_bouncer, &b);
  if (!early) assert_int_equal(uvf_send_sync(ab.tx, &it, UVF_FOREVER), 0);
  uvf_tx_release(ab.tx);
  uvf_tx_release(ba.tx);
  thread_join(&a.thread);
  thread_join(&b.thread);
  assert_false(a.wrong || b.wrong);
  assert_true(a.done && b.done);
}

/* ---- detach under load ---- */

/* The loop is detached, closed and freed while producers send to it and others post to it. */
typedef struct {
  thread_t thread;
  uvf_loop_t *loop;
  atomic_bool *stop;
  atomic_uint *ran;
  unsigned posted, late, strange;
} poster_t;

static void count_post(uvf_post_t *post, int status) {
  (void)status;
  atomic_fetch_add((atomic_uint *)post->data, 1);
}

static void posts(void *arg) {
  poster_t *p = arg;
  static _Thread_local uvf_post_t post;
  post.data = p->ran;
  while (p->late == 0) {
    int r = uvf_post(p->loop, &post, count_post);
    if (r == 0)
      p->posted++;
    else if (r == UV_ECANCELED)
      p->late++;
    else if (r != UV_EBUSY)
      p->strange++;
    (void)sched_yield();
  }
  uvf_loop_release(p->loop);
}

static void detach_round(void **state, uint32_t round) {
  chan_t c;
  uvl_t *l = malloc(sizeof *l);
  static sink_t sink;
  producer_t p[2];
  poster_t poster;
  atomic_uint ran;
  uint32_t n = ((const kind_t *)*state)->bit == SPSC ? 1 : 2;
  assert_non_null(l);
  atomic_init(&ran, 0);
  memset(&sink, 0, sizeof sink);
  memset(&poster, 0, sizeof poster);
  chan_open(&c, state, 8);
  uvl_open(l, 0);
  sink.loop = poster.loop = uvf_loop_retain(l->loop);
  poster.ran = &ran;
  assert_int_equal(uvf_reader_start(l->loop, &sink.rd, c.rx, NULL, sinks), 0);
  thread_start(&poster.thread, posts, &poster);
  start_producers(&c, p, n, EACH);
  chan_close(&c);
  for (uint32_t i = 0; i < round % 8; i++)
    (void)uv_run(&l->uv, UV_RUN_NOWAIT);
  uvl_close(l);
  free(l); /* who still uses it would be seen */
  for (uint32_t i = 0; i < n; i++)
    thread_join(&p[i].thread);
  thread_join(&poster.thread);
  assert_true(sink.end == UV_ECANCELED || sink.end == UV_EOF); /* UV_EOF: the producers were quicker */
  assert_false(sink.wrong);
  uint64_t sent = 0;
  for (uint32_t i = 0; i < n; i++) {
    sent += p[i].sent;
    assert_true(p[i].sent == EACH || p[i].last == UV_EPIPE);
  }
  assert_int_equal(sent, sink.got + atomic_load(&c.dropped));
  assert_int_equal(poster.strange, 0);
  assert_int_equal(atomic_load(&ran), poster.posted);
}

static void case_71_detached_while_producers_send(void **state) {
  for (uint32_t round = 0; round < ROUNDS; round++)
    detach_round(state, round);
}

/* ---- counts, keep-alive, floods, idleness ---- */

static void releases_an_owner(void *arg) {
  uvf_tx_release(arg);
}

/* Three owners on three threads; the end comes once, after the last. */
static void case_72_the_end_comes_once_after_the_last_owner(void **state) {
  for (int round = 0; round < 100; round++) {
    static reading_t r;
    chan_t c;
    test_host_t h;
    thread_t t[3];
    memset(&r, 0, sizeof r);
    chan_open(&c, state, 2);
    loop_open(&h, 0);
    assert_int_equal(start_reader(&h, &r, c.rx, NULL), 0);
    test_host_run(&h);
    (void)uvf_tx_retain(uvf_tx_retain(c.tx));
    for (int i = 0; i < 3; i++)
      thread_start(&t[i], releases_an_owner, c.tx);
    test_host_run_until(&h, &r.ends, 1);
    for (int i = 0; i < 3; i++)
      thread_join(&t[i]);
    c.tx = NULL;
    test_host_run(&h);
    expect_ended(&r, UV_EOF);
    test_host_detach(&h);
    chan_close(&c);
  }
}

static void waits_for_the_gate(void *arg) {
  (void)gate_wait(arg);
}

static void case_73_uv_run_returns_although_the_producer_lives(void **state) {
  static reading_t r;
  chan_t c;
  uvl_t l;
  gate_t gate;
  thread_t producer;
  memset(&r, 0, sizeof r);
  chan_open(&c, state, 4);
  uvl_open(&l, 0);
  gate_init(&gate);
  thread_start(&producer, waits_for_the_gate, &gate);
  assert_int_equal(uvf_reader_start(l.loop, &r.rd, c.rx, NULL, reading_cb), 0);
  while (r.count < 2) {
    (void)try_send(&c, 0, (uint32_t)r.count);
    (void)uv_run(&l.uv, UV_RUN_NOWAIT);
  }
  uvf_reader_unref(&r.rd);
  assert_int_equal(uv_run(&l.uv, UV_RUN_DEFAULT), 0);
  gate_open(&gate);
  thread_join(&producer);
  gate_destroy(&gate);
  assert_true(uvf_reader_active(&r.rd));
  uvl_close(&l);
  expect_ended(&r, UV_ECANCELED);
  chan_close(&c);
}

typedef struct {
  sink_t sink;
  uvf_rx_t *rx;
  uint64_t started, fired;
} flooded_t;

static void on_timer(uv_timer_t *timer) {
  flooded_t *f = timer->data;
  f->fired = uv_hrtime();
  (void)uvf_reader_stop(&f->sink.rd);
}

/* A timer of the user's fires on a loop that is flooded for as long as the timer has not fired. */
static void case_74_a_flooded_loop_fires_its_timers(void **state) {
  chan_t c;
  uvl_t l;
  flooded_t f;
  uv_timer_t timer;
  producer_t p[PRODUCERS];
  uint32_t n = ((const kind_t *)*state)->bit == SPSC ? 1 : 2;
  memset(&f, 0, sizeof f);
  chan_open(&c, state, 64);
  uvl_open(&l, 0);
  f.sink.loop = l.loop;
  timer.data = &f;
  assert_int_equal(uv_timer_init(&l.uv, &timer), 0);
  assert_int_equal(uvf_reader_start(l.loop, &f.sink.rd, c.rx, NULL, sinks), 0);
  start_producers(&c, p, n, UINT32_MAX);
  chan_close(&c);
  uv_update_time(&l.uv);
  assert_int_equal(uv_timer_start(&timer, on_timer, 10, 0), 0);
  f.started = uv_hrtime();
  assert_int_equal(uv_run(&l.uv, UV_RUN_DEFAULT), 0); /* the stop of the last rx ends the producers */
  for (uint32_t i = 0; i < n; i++) {
    thread_join(&p[i].thread);
    assert_int_equal(p[i].last, UV_EPIPE);
  }
  assert_false(f.sink.wrong);
  assert_true(f.fired >= f.started + 9000000);
  uv_close((uv_handle_t *)&timer, NULL);
  uvl_close(&l);
}

static void count_iteration(uv_prepare_t *prepare) {
  ++*(int *)prepare->data;
}

static void stop_idling(uv_timer_t *timer) {
  uv_stop(timer->loop);
}

static uint64_t cpu_us(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* Pending receives and readers on idle channels: libuv goes round for its own timer, no more. */
static void case_75_an_idle_loop_does_nothing(void **state) {
  enum { IDLE = 100 };
  static reading_t r[IDLE];
  static op_t ops[IDLE];
  static chan_t c[IDLE];
  static payload_t got[IDLE];
  uvl_t l;
  uv_timer_t timer;
  uv_prepare_t prepare;
  int iterations = 0;
  memset(r, 0, sizeof r);
  memset(ops, 0, sizeof ops);
  uvl_open(&l, 0);
  for (int i = 0; i < IDLE; i++) {
    chan_open(&c[i], state, 4);
    assert_int_equal(uvf_reader_start(l.loop, &r[i].rd, c[i].rx, NULL, reading_cb), 0);
    assert_int_equal(uvf_recv(l.loop, &ops[i].req, c[i].rx, &got[i], UVF_FOREVER, op_done), 0);
  }
  for (int i = 0; i < 1000; i++)
    (void)uv_run(&l.uv, UV_RUN_NOWAIT);
  prepare.data = &iterations;
  assert_int_equal(uv_prepare_init(&l.uv, &prepare), 0);
  assert_int_equal(uv_prepare_start(&prepare, count_iteration), 0);
  assert_int_equal(uv_timer_init(&l.uv, &timer), 0);
  uv_update_time(&l.uv);
  assert_int_equal(uv_timer_start(&timer, stop_idling, 300, 0), 0);
  uint64_t before = cpu_us();
  (void)uv_run(&l.uv, UV_RUN_DEFAULT);
  uint64_t used = cpu_us() - before;
  assert_in_range(iterations, 1, 5);
  assert_true(used < 100000);
  uv_close((uv_handle_t *)&timer, NULL);
  uv_close((uv_handle_t *)&prepare, NULL);
  uvl_close(&l);
  for (int i = 0; i < IDLE; i++)
    chan_close(&c[i]);
}

int main(void) {
  static const case_t cases[] = {
      CASE(case_70_every_send_reaches_the_loop, ALL),
#ifdef __linux__
      CASE(case_70_also_with_an_eventfd, ALL),
#endif
      CASE(promise_5_blocked_producers_get_through_in_order_of_arrival, BOUNDED),
      CASE(two_loops_bounce_an_item, ALL),
      CASE(case_71_detached_while_producers_send, ALL),
      CASE(case_72_the_end_comes_once_after_the_last_owner, ANY_SENDERS | ONESHOT),
      CASE(case_73_uv_run_returns_although_the_producer_lives, ALL),
      CASE(case_74_a_flooded_loop_fires_its_timers, ALL),
      CASE(case_75_an_idle_loop_does_nothing, ALL | ONESHOT),
  };
  return RUN_CASES(cases);
}
