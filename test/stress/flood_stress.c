/* SPDX-License-Identifier: MIT */
/* Fairness. A sender that never stops floods a reader: a timer of 10 ms on the same loop must fire within twice the budget of a
 * turn all the same. What counts is the processor time that the loop's thread goes on for once the timer is due (in 9 of 10 of
 * 100 times), since on a busy machine it has to wait for a processor, too. And 4 senders that are blocked on a
 * full channel get through in the order in which they came, whoever takes the items, over many rounds.
 *
 *   flood_stress [--messages ROUNDS] [--waker async|eventfd] */
#include "stress.h"

/* ---- the flood ---- */

enum { TIMES = 100, REPEAT_US = 10000, BUDGET_US = 2000, AHEAD = 100000 };

static struct {
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  uvf_reader_t reader;
  uv_timer_t timer;
  uint64_t due_us, due_cpu_us; /* due_cpu_us: the thread's time at the first callback after it was due; 0: none yet */
  uint64_t late_us[TIMES], late_cpu_us[TIMES], received;
  int times;
} flood;

static uint64_t cpu_us(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void *flooder(void *unused) {
  uint64_t item = 0;
  (void)unused;
  while (uvf_send_sync(flood.tx, &item, UVF_FOREVER) == 0) {
    item++;
    while (item % 256 == 0 && uvf_tx_len(flood.tx) > AHEAD && uvf_tx_status(flood.tx) == 0)
      (void)sched_yield();
  }
  uvf_tx_release(flood.tx);
  return NULL;
}

/* A callback that works: half a microsecond for each item. */
static void on_flood(uvf_reader_t *rd, int n, void *items) {
  (void)rd;
  (void)items;
  if (n < 0) return;
  flood.received += (uint64_t)n;
  moved();
  if (flood.due_cpu_us == 0 && now_us() >= flood.due_us) flood.due_cpu_us = cpu_us();
  for (uint64_t end = now_us() + (uint64_t)(n + 1) / 2; now_us() < end;) {
  }
}

static void on_time(uv_timer_t *timer) {
  uint64_t now = now_us();
  flood.late_us[flood.times] = now > flood.due_us ? now - flood.due_us : 0;
  flood.late_cpu_us[flood.times++] = flood.due_cpu_us == 0 ? 0 : cpu_us() - flood.due_cpu_us;
  if (flood.times == TIMES) {
    must_be(uvf_rx_abort(flood.rx, 0), 0, "uvf_rx_abort");
    uv_close((uv_handle_t *)timer, NULL);
    return;
  }
  flood.due_us = now_us() + REPEAT_US;
  flood.due_cpu_us = 0;
  uv_update_time(timer->loop);
  must_be(uv_timer_start(timer, on_time, REPEAT_US / 1000, 0), 0, "uv_timer_start");
}

static int by_size(const void *a, const void *b) {
  const uint64_t *x = a, *y = b;
  return (*x > *y) - (*x < *y);
}

static void flood_tell(const char *name) {
  qsort(flood.late_us, TIMES, sizeof flood.late_us[0], by_size);
  qsort(flood.late_cpu_us, TIMES, sizeof flood.late_cpu_us[0], by_size);
  uint64_t late = flood.late_cpu_us[TIMES * 9 / 10];
  printf("%-10s flooded with %" PRIu64 " items: a 10 ms timer was late by %" PRIu64
         " us of its thread (9 of 10; worst %" PRIu64 "), %" PRIu64 " us in all (median; worst %" PRIu64
         "); budget %d us\n",
         name, flood.received, late, flood.late_cpu_us[TIMES - 1], flood.late_us[TIMES / 2], flood.late_us[TIMES - 1],
         BUDGET_US);
  if (late > 2 * BUDGET_US) die("the timer is late by %" PRIu64 " us", late);
}

static void flood_run(const char *name, size_t capacity, unsigned flags) {
  uvf_chan_options_t chan = {.item_size = sizeof(uint64_t), .capacity = capacity, .flags = flags};
  uvf_loop_options_t o = loop_options();
  pthread_t thread;
  uv_loop_t uv;
  memset(&flood, 0, sizeof flood);
  o.turn_us = BUDGET_US;
  must_be(uvf_chan_create(&chan, &flood.tx, &flood.rx), 0, "uvf_chan_create");
  loop_open(&uv);
  uvf_loop_t *loop = loop_attach(&uv, &o);
  must_be(uvf_reader_start(loop, &flood.reader, flood.rx, NULL, on_flood), 0, "uvf_reader_start");
  must(pthread_create(&thread, NULL, flooder, NULL) == 0);
  must_be(uv_timer_init(&uv, &flood.timer), 0, "uv_timer_init");
  flood.due_us = now_us() + REPEAT_US;
  must_be(uv_timer_start(&flood.timer, on_time, REPEAT_US / 1000, 0), 0, "uv_timer_start");
  must(uv_run(&uv, UV_RUN_DEFAULT) == 0);
  (void)pthread_join(thread, NULL);
  uvf_rx_release(flood.rx);
  loop_detach_and_close(loop, &uv);
  flood_tell(name);
}

/* ---- blocked senders ---- */

enum { BLOCKED = 4, CAPACITY = 2 };

static struct {
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  gate_t go[BLOCKED], sent;
  atomic_bool stop;
  uvf_reader_t reader;
  int got[CAPACITY + BLOCKED], count;
  int expected;
} queue;

static void *blocked_sender(void *arg) {
  int me = (int)(intptr_t)arg;
  for (;;) {
    must(gate_wait(&queue.go[me]));
    if (atomic_load(&queue.stop)) return NULL;
    must_be(uvf_send_sync(queue.tx, &me, UVF_FOREVER), 0, "uvf_send_sync");
    gate_open(&queue.sent);
  }
}

static uint64_t waits_begun(void) {
  uvf_chan_stats_t s;
  uvf_rx_stats(queue.rx, &s);
  return s.waits;
}

/* Fills the channel, and then lets one sender after the other wait. */
static void line_up(int filled, const int *order) {
  int filler = -1;
  for (int i = 0; i < filled; i++)
    must_be(uvf_try_send(queue.tx, &filler), 0, "uvf_try_send");
  must_be(uvf_try_send(queue.tx, &filler), UV_EAGAIN, "uvf_try_send on a full channel");
  for (int i = 0; i < BLOCKED; i++) {
    uint64_t before = waits_begun();
    gate_open(&queue.go[order[i]]);
    while (waits_begun() == before)
      (void)sched_yield();
  }
}

static void on_one(uvf_reader_t *rd, int n, void *items) {
  must(n > 0 && queue.count + n <= queue.expected);
  memcpy(&queue.got[queue.count], items, (size_t)n * sizeof(int));
  queue.count += n;
  if (queue.count == queue.expected) uvf_reader_pause(rd); /* the loop has nothing else to do, and ends */
}

typedef enum { BY_TRY, BY_SYNC, BY_READER, TAKERS } taker_t;

static void take(taker_t by, uv_loop_t *uv) {
  queue.count = 0;
  if (by == BY_READER) {
    uvf_reader_resume(&queue.reader);
    must(uv_run(uv, UV_RUN_DEFAULT) == 0);
  }
  while (queue.count < queue.expected) {
    int *to = &queue.got[queue.count];
    int r = by == BY_TRY ? uvf_try_recv(queue.rx, to) : uvf_recv_sync(queue.rx, to, UVF_FOREVER);
    must_be(r, 0, "a receive");
    queue.count++;
  }
}

static void blocked_round(taker_t by, int filled, rng_t *g, uv_loop_t *uv) {
  int order[BLOCKED] = {0, 1, 2, 3};
  for (int i = BLOCKED - 1; i > 0; i--) {
    int other = (int)rng_below(g, (uint32_t)i + 1), swap = order[i];
    order[i] = order[other];
    order[other] = swap;
  }
  line_up(filled, order);
  take(by, uv);
  for (int i = 0; i < queue.expected; i++)
    must_be(queue.got[i], i < filled ? -1 : order[i - filled], "the sender whose turn it was");
  for (int i = 0; i < BLOCKED; i++)
    must(gate_wait(&queue.sent));
  moved();
}

static void blocked_rounds(const char *name, size_t capacity, taker_t by, uint64_t rounds) {
  uvf_chan_options_t o = {.item_size = sizeof(int), .capacity = capacity};
  uvf_loop_options_t lo = loop_options();
  int filled = capacity == UVF_RENDEZVOUS ? 0 : (int)capacity;
  rng_t g = {args.seed};
  pthread_t threads[BLOCKED];
  uv_loop_t uv;
  memset(&queue, 0, sizeof queue);
  queue.expected = filled + BLOCKED;
  must_be(uvf_chan_create(&o, &queue.tx, &queue.rx), 0, "uvf_chan_create");
  gate_init(&queue.sent);
  for (int i = 0; i < BLOCKED; i++) {
    gate_init(&queue.go[i]);
    must(pthread_create(&threads[i], NULL, blocked_sender, (void *)(intptr_t)i) == 0);
  }
  loop_open(&uv);
  uvf_loop_t *loop = by == BY_READER ? loop_attach(&uv, &lo) : NULL;
  if (by == BY_READER) {
    must_be(uvf_reader_start(loop, &queue.reader, queue.rx, NULL, on_one), 0, "uvf_reader_start");
    uvf_reader_pause(&queue.reader);
  }
  for (uint64_t i = 0; i < rounds; i++)
    blocked_round(by, filled, &g, &uv);
  atomic_store(&queue.stop, true);
  for (int i = 0; i < BLOCKED; i++) {
    gate_open(&queue.go[i]);
    (void)pthread_join(threads[i], NULL);
    gate_destroy(&queue.go[i]);
  }
  gate_destroy(&queue.sent);
  if (by == BY_READER) must_be(uvf_reader_stop(&queue.reader), 0, "uvf_reader_stop");
  uvf_tx_release(queue.tx);
  uvf_rx_release(queue.rx);
  if (by == BY_READER)
    loop_detach_and_close(loop, &uv);
  else
    loop_close(&uv);
  printf("%-10s %d blocked senders got through in order, %" PRIu64 " times\n", name, BLOCKED, rounds);
}

int main(int argc, char **argv) {
  arguments(argc, argv);
  uint64_t rounds = args.messages != 0 ? args.messages : 500;
  round_seed = args.seed;
  printf("seed %" PRIu64 "\n", args.seed);
  must_be(fault_install(), 0, "uvf_replace_allocator");
  watch_start();
  flood_run("ring", 1024, 0);
  flood_run("spsc", 1024, UVF_SPSC);
  flood_run("blocks", UVF_UNBOUNDED, 0);
  for (int by = 0; by < TAKERS; by++) {
    blocked_rounds("ring", CAPACITY, (taker_t)by, rounds);
    blocked_rounds("rendezvous", UVF_RENDEZVOUS, (taker_t)by, rounds);
  }
  watch_stop();
  if (fault_blocks() != 0) die("%ld blocks of memory are left", fault_blocks());
  return 0;
}
