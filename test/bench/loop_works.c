/* SPDX-License-Identifier: MIT */
/* The works whose consumer lives on a libuv loop: to_loop, ping_pong, wake, many. Compiled once per peer, see loop_api.h;
 * README.md says what each work is. */
#include PEER_H

#define TO_LOOP_N 4000000u
#define BATCH 32
#define PING_PONG_N 100000u
#define SPORADIC_N 20000u
#define SPORADIC_GAP_NS 100000u
#define MANY_N 200000u

#ifndef PEER_ONLY_WAKES
#define PEER_ONLY_WAKES 0
#endif

/* Peers without these do what they can. */
#ifndef PEER_SPSC
#define chan_open_spsc chan_open
#endif
#ifndef PEER_BATCHES
static inline void chan_send_n(chan_t *c, const msg_t *msgs, int n) {
  for (int i = 0; i < n; i++)
    chan_send(c, msgs[i]);
}
#endif

/* A loop with its port, on the thread that runs it. */
typedef struct {
  uv_loop_t uv;
  port_t port;
} loop_t;

static void loop_open(loop_t *l) {
  must(uv_loop_init(&l->uv) == 0, "uv_loop_init");
  port_open(&l->port, &l->uv);
}

static void loop_run(loop_t *l) {
  uv_run(&l->uv, UV_RUN_DEFAULT);
}

/* A peer that leaves a handle open, or something that keeps the loop running, fails. */
static void loop_close(loop_t *l) {
  port_close(&l->port);
  loop_run(l);
  must(uv_loop_close(&l->uv) == 0, "a handle is still open");
}

#if !PEER_ONLY_WAKES

/* ---- to_loop ---- */

typedef struct {
  chan_t *chan;
  pthread_barrier_t *start;
  unsigned nth;
  uint64_t n;
} producer_t;

typedef struct {
  loop_t loop;
  order_t order;
  uint64_t end_ns;
} sink_t;

static void sink_msg(chan_t *chan, const msg_t *m, void *arg) {
  sink_t *s = arg;
  (void)chan;
  order_all(&s->order, m);
  if (s->order.total < TO_LOOP_N) return;
  s->end_ns = now_ns();
  uv_stop(&s->loop.uv);
}

static void *produce(void *arg) {
  producer_t *p = arg;
  pthread_barrier_wait(p->start);
  for (uint64_t i = 0; i < p->n; i++)
    chan_send(p->chan, msg_make(p->nth, i, 0));
  return NULL;
}

static void *produce_batches(void *arg) {
  producer_t *p = arg;
  msg_t batch[BATCH];
  pthread_barrier_wait(p->start);
  for (uint64_t i = 0; i < p->n; i += BATCH) {
    for (uint64_t k = 0; k < BATCH; k++)
      batch[k] = msg_make(p->nth, i + k, 0);
    chan_send_n(p->chan, batch, BATCH);
  }
  return NULL;
}

static result_t run_to_loop(const work_t *work, bool two_threads, void *(*producer)(void *)) {
  sink_t *sink = must_alloc(sizeof *sink);
  chan_t *chan = must_alloc(sizeof *chan);
  pthread_barrier_t start;
  pthread_t threads[MAX_PRODUCERS];
  producer_t args[MAX_PRODUCERS];
  loop_open(&sink->loop);
  if (two_threads)
    chan_open_spsc(chan, &sink->loop.port, work->cap, sink_msg, sink);
  else
    chan_open(chan, &sink->loop.port, work->cap, sink_msg, sink);
  pthread_barrier_init(&start, NULL, work->count + 1);
  for (unsigned i = 0; i < work->count; i++) {
    args[i] = (producer_t){chan, &start, i, TO_LOOP_N / work->count};
    threads[i] = thread_start(producer, &args[i]);
  }

  uint64_t begin = now_ns();
  pthread_barrier_wait(&start);
  loop_run(&sink->loop);
  result_t result = {.n = TO_LOOP_N, .elapsed_ns = sink->end_ns - begin};

  for (unsigned i = 0; i < work->count; i++)
    pthread_join(threads[i], NULL);
  pthread_barrier_destroy(&start);
  chan_close(chan);
  loop_close(&sink->loop);
  free(chan);
  free(sink);
  return result;
}

static result_t to_loop(const work_t *work) {
  return run_to_loop(work, false, produce);
}

static result_t to_loop_spsc(const work_t *work) {
  return run_to_loop(work, true, produce);
}

static result_t to_loop_batches(const work_t *work) {
  return run_to_loop(work, false, produce_batches);
}

/* ---- many ---- */

typedef struct {
  loop_t loop;
  chan_t *chan; /* the one that is used */
  order_t order;
  _Alignas(CACHE_LINE) _Atomic uint64_t acked;
} many_t;

static void many_msg(chan_t *chan, const msg_t *m, void *arg) {
  many_t *t = arg;
  (void)chan;
  order_all(&t->order, m);
  if (t->order.total == MANY_N) uv_stop(&t->loop.uv);
  atomic_store_explicit(&t->acked, t->order.total, memory_order_release);
}

static void *produce_many(void *arg) {
  many_t *t = arg;
  for (uint64_t i = 0; i < MANY_N; i++) {
    chan_send(t->chan, msg_make(0, i, 0));
    while (atomic_load_explicit(&t->acked, memory_order_acquire) != i + 1)
      cpu_relax();
  }
  return NULL;
}

static result_t many(const work_t *work) {
  many_t *t = must_alloc(sizeof *t);
  result_t result = {.n = MANY_N};
  loop_open(&t->loop);
  unsigned long before = proc_kb("VmRSS:");
  chan_t *chans = must_alloc(work->count * sizeof *chans);
  for (unsigned i = 0; i < work->count; i++)
    chan_open(&chans[i], &t->loop.port, 0, many_msg, t);
  if (work->count > 1) result.bytes_per_chan = (double)(proc_kb("VmRSS:") - before) * 1024 / work->count;
  t->chan = &chans[work->count / 2];

  uint64_t begin = now_ns();
  pthread_t thread = thread_start(produce_many, t);
  loop_run(&t->loop);
  result.elapsed_ns = now_ns() - begin;

  pthread_join(thread, NULL);
  for (unsigned i = 0; i < work->count; i++)
    chan_close(&chans[i]);
  loop_close(&t->loop);
  free(chans);
  free(t);
  return result;
}

#endif

/* ---- ping_pong, wake ---- */

/* A loop with one channel into it. */
typedef struct {
  loop_t loop;
  chan_t in;
  chan_cb cb;
  chan_t *peer;            /* where an answer goes: a channel... */
  inbox_t *inbox;          /* ...or a waiting thread */
  pthread_barrier_t *both; /* passed when both sides are open, and again when both have ended */
  order_t order;
  uint64_t *samples;
} side_t;

static void side_open(side_t *s) {
  loop_open(&s->loop);
  chan_open(&s->in, &s->loop.port, 0, s->cb, s);
}

static void side_close(side_t *s) {
  chan_close(&s->in);
  loop_close(&s->loop);
}

/* The whole life of a side on a thread of its own. */
static void *side_thread(void *arg) {
  side_t *s = arg;
  side_open(s);
  pthread_barrier_wait(s->both);
  loop_run(&s->loop);
  pthread_barrier_wait(s->both);
  side_close(s);
  return NULL;
}

static void echo_msg(chan_t *chan, const msg_t *m, void *arg) {
  side_t *s = arg;
  (void)chan;
  order_all(&s->order, m);
  if (s->inbox != NULL)
    inbox_send(s->inbox, *m);
  else
    chan_send(s->peer, *m);
  if (s->order.total == PING_PONG_N) uv_stop(&s->loop.uv);
}

static void ping_msg(chan_t *chan, const msg_t *m, void *arg) {
  side_t *s = arg;
  uint64_t now = now_ns();
  (void)chan;
  s->samples[s->order.total] = now - m->t_ns;
  order_all(&s->order, m);
  if (s->order.total < PING_PONG_N)
    chan_send(s->peer, msg_make(0, s->order.total, now));
  else
    uv_stop(&s->loop.uv);
}

static result_t loop_loop(const work_t *work) {
  side_t *a = must_alloc(sizeof *a), *b = must_alloc(sizeof *b);
  pthread_barrier_t both;
  result_t result = {.n = PING_PONG_N, .samples = must_alloc(PING_PONG_N * sizeof(uint64_t))};
  (void)work;
  pthread_barrier_init(&both, NULL, 2);
  a->cb = ping_msg;
  b->cb = echo_msg;
  a->peer = &b->in;
  b->peer = &a->in;
  a->both = b->both = &both;
  a->samples = result.samples;
  side_open(a);
  pthread_t thread = thread_start(side_thread, b);
  pthread_barrier_wait(&both);

  uint64_t begin = now_ns();
  chan_send(&b->in, msg_make(0, 0, begin));
  loop_run(&a->loop);
  result.elapsed_ns = now_ns() - begin;

  pthread_barrier_wait(&both);
  side_close(a);
  pthread_join(thread, NULL);
  pthread_barrier_destroy(&both);
  free(a);
  free(b);
  return result;
}

static result_t thread_loop(const work_t *work) {
  side_t *b = must_alloc(sizeof *b);
  inbox_t inbox;
  order_t order = {.total = 0};
  pthread_barrier_t both;
  result_t result = {.n = PING_PONG_N, .samples = must_alloc(PING_PONG_N * sizeof(uint64_t))};
  (void)work;
  pthread_barrier_init(&both, NULL, 2);
  inbox_open(&inbox);
  b->cb = echo_msg;
  b->inbox = &inbox;
  b->both = &both;
  pthread_t thread = thread_start(side_thread, b);
  pthread_barrier_wait(&both);

  uint64_t begin = now_ns(), now = begin;
  for (uint64_t i = 0; i < PING_PONG_N; i++) {
    chan_send(&b->in, msg_make(0, i, now));
    msg_t m = inbox_recv(&inbox);
    order_all(&order, &m);
    now = now_ns();
    result.samples[i] = now - m.t_ns;
  }
  result.elapsed_ns = now - begin;

  pthread_barrier_wait(&both);
  pthread_join(thread, NULL);
  pthread_barrier_destroy(&both);
  inbox_close(&inbox);
  free(b);
  return result;
}

static void sporadic_msg(chan_t *chan, const msg_t *m, void *arg) {
  side_t *s = arg;
  (void)chan;
  s->samples[s->order.total] = now_ns() - m->t_ns;
  order_all(&s->order, m);
  if (s->order.total == SPORADIC_N) uv_stop(&s->loop.uv);
}

static void *produce_sporadic(void *arg) {
  chan_t *chan = arg;
  uint64_t due = now_ns();
  for (uint64_t i = 0; i < SPORADIC_N; i++) {
    uint64_t now;
    due += SPORADIC_GAP_NS;
    while ((now = now_ns()) < due)
      cpu_relax();
    due = now;
    chan_send(chan, msg_make(0, i, now));
  }
  return NULL;
}

static result_t sporadic(const work_t *work) {
  side_t *s = must_alloc(sizeof *s);
  result_t result = {.n = SPORADIC_N, .samples = must_alloc(SPORADIC_N * sizeof(uint64_t))};
  (void)work;
  s->cb = sporadic_msg;
  s->samples = result.samples;
  side_open(s);

  uint64_t begin = now_ns();
  pthread_t thread = thread_start(produce_sporadic, &s->in);
  loop_run(&s->loop);
  result.elapsed_ns = now_ns() - begin;

  pthread_join(thread, NULL);
  side_close(s);
  free(s);
  return result;
}

static const work_t works[] = {
#if !PEER_ONLY_WAKES
    {"to_loop/1p/unbounded", to_loop, 1, 0},
    {"to_loop/2p/unbounded", to_loop, 2, 0},
    {"to_loop/4p/unbounded", to_loop, 4, 0},
    {"to_loop/8p/unbounded", to_loop, 8, 0},
    {"to_loop/1p/cap1024", to_loop, 1, RING},
    {"to_loop/2p/cap1024", to_loop, 2, RING},
    {"to_loop/4p/cap1024", to_loop, 4, RING},
    {"to_loop/8p/cap1024", to_loop, 8, RING},
    {"to_loop/1p/spsc1024", to_loop_spsc, 1, RING},
    {"to_loop/1p/batch32", to_loop_batches, 1, RING},
    {"many/1", many, 1, 0},
    {"many/1000", many, 1000, 0},
    {"many/10000", many, 10000, 0},
#endif
    {"ping_pong/loop_loop", loop_loop, 0, 0},
    {"ping_pong/thread_loop", thread_loop, 0, 0},
    {"wake/sporadic", sporadic, 0, 0},
};

BENCH_MAIN(works)
