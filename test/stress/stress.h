/* SPDX-License-Identifier: MIT */
/* What the stress programs share: their arguments, random numbers that repeat with the seed, failing loudly on any thread, and
 * a watchdog. They are no cmocka programs: almost everything happens on threads and in callbacks, where cmocka's assertions may
 * not be used. */
#ifndef STRESS_H
#define STRESS_H

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdarg.h>
#include <time.h>

#include "support/uvf_test.h"

#define STUCK_S 20

/* ---- time ---- */

static inline uint64_t now_us(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* ---- random numbers: splitmix64 ---- */

typedef struct {
  uint64_t state;
} rng_t;

static inline uint64_t rng_next(rng_t *g) {
  uint64_t z = g->state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

static inline uint32_t rng_below(rng_t *g, uint32_t n) {
  return (uint32_t)((rng_next(g) >> 32) * n >> 32);
}

static inline bool one_in(rng_t *g, uint32_t n) {
  return rng_below(g, n) == 0;
}

static inline rng_t rng_split(rng_t *g) {
  return (rng_t){rng_next(g)};
}

/* Now and then lets other threads in, to shake the schedule. */
static inline void shake(rng_t *g, uint32_t seldom) {
  if (!one_in(g, seldom)) return;
  for (uint32_t n = 1 + rng_below(g, 12); n > 0; n--)
    (void)sched_yield();
}

/* ---- arguments ---- */

typedef struct {
  const char *program;
  uint64_t seed;
  uint64_t seconds;  /* 0: not by time */
  uint64_t messages; /* or tasks; 0: the program's own number */
  const char *queue;
  bool eventfd, full, nightly, seeded;
} args_t;

static args_t args;

static inline void usage(void) {
  fprintf(stderr,
          "usage: %s [--seed N] [--seconds S | --messages N | --tasks N] [--queue "
          "ring|spsc|blocks|rendezvous|oldest|newest|oneshot|all] "
          "[--waker async|eventfd] [--full | --nightly]\n",
          args.program);
  exit(2);
}

static inline uint64_t number(const char *text) {
  char *end;
  errno = 0;
  uint64_t n = strtoull(text, &end, 0);
  if (errno != 0 || *text == '\0' || *end != '\0') usage();
  return n;
}

static inline void one_argument(const char *name, const char *value) {
  if (strcmp(name, "--seed") == 0) {
    args.seed = number(value);
    args.seeded = true;
  } else if (strcmp(name, "--seconds") == 0) {
    args.seconds = number(value);
  } else if (strcmp(name, "--messages") == 0 || strcmp(name, "--tasks") == 0) {
    args.messages = number(value);
  } else if (strcmp(name, "--queue") == 0) {
    args.queue = value;
  } else if (strcmp(name, "--waker") == 0 && (strcmp(value, "async") == 0 || strcmp(value, "eventfd") == 0)) {
    args.eventfd = strcmp(value, "eventfd") == 0;
  } else {
    usage();
  }
}

static inline void arguments(int argc, char **argv) {
  args = (args_t){argv[0], now_us(), 0, 0, "all", false, false, false, false};
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--full") == 0) {
      args.full = true;
    } else if (strcmp(argv[i], "--nightly") == 0) {
      args.nightly = true;
    } else {
      if (i + 1 == argc) usage();
      one_argument(argv[i], argv[i + 1]);
      i++;
    }
  }
}

/* ---- queues ---- */

/* OLDEST and NEWEST drop when they are full; ONESHOT takes one item in its life. */
typedef enum { RING, SPSC, BLOCKS, RENDEZVOUS, OLDEST, NEWEST, ONESHOT, QUEUES } queue_t;

static const char *const queue_names[QUEUES] = {"ring", "spsc", "blocks", "rendezvous", "oldest", "newest", "oneshot"};

static inline uvf_overflow_t overflow_of(queue_t q) {
  return q == OLDEST ? UVF_OVERFLOW_DROP_OLDEST : q == NEWEST ? UVF_OVERFLOW_DROP_NEWEST : UVF_OVERFLOW_WAIT;
}

static inline bool wanted(queue_t q) {
  return strcmp(args.queue, "all") == 0 || strcmp(args.queue, queue_names[q]) == 0;
}

static inline bool any_wanted(void) {
  for (int q = 0; q < QUEUES; q++)
    if (wanted((queue_t)q)) return true;
  return false;
}

/* ---- failing ---- */

static uint64_t round_seed;    /* of the round that runs */
static void (*describe)(void); /* prints what everybody does; NULL: nothing to tell */
static atomic_flag failing = ATOMIC_FLAG_INIT;

static inline void die(const char *format, ...) {
  va_list list;
  if (atomic_flag_test_and_set(&failing)) return; /* another thread has begun to tell */
  va_start(list, format);
  fputs("FAILED: ", stderr);
  vfprintf(stderr, format, list);
  va_end(list);
  fprintf(stderr, "\nrepeat: %s --seed %" PRIu64 " --queue %s --waker %s\n", args.program, round_seed, args.queue,
          args.eventfd ? "eventfd" : "async");
  if (describe != NULL) describe();
  fflush(NULL);
  abort();
}

#define STRINGIFY(x) #x
#define LINE_TEXT(x) STRINGIFY(x)
#define must(condition) ((condition) ? (void)0 : die("%s (" __FILE__ ":" LINE_TEXT(__LINE__) ")", #condition))

static inline void must_be(int got, int wanted_code, const char *what) {
  if (got != wanted_code) die("%s: %s instead of %s", what, uvf_err_name(got), uvf_err_name(wanted_code));
}

/* ---- loops ---- */

/* libuv closes descriptors by a system call that ThreadSanitizer does not see; so their numbers, used again by another loop, look
 * like a race. Opening and closing loops one at a time shows it the order that there is. */
static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;

static inline uvf_loop_options_t loop_options(void) {
  uvf_loop_options_t o = {0};
  o.flags = args.eventfd ? UVF_WAKE_EVENTFD : 0;
  return o;
}

static inline void loop_open(uv_loop_t *uv) {
  (void)pthread_mutex_lock(&opening);
  must_be(uv_loop_init(uv), 0, "uv_loop_init");
  (void)pthread_mutex_unlock(&opening);
}

static inline uvf_loop_t *loop_attach(uv_loop_t *uv, const uvf_loop_options_t *o) {
  uvf_loop_t *loop;
  (void)pthread_mutex_lock(&opening);
  must_be(uvf_loop_attach(uv, o, &loop), 0, "uvf_loop_attach");
  (void)pthread_mutex_unlock(&opening);
  return loop;
}

/* Detached already. */
static inline void loop_close(uv_loop_t *uv) {
  (void)pthread_mutex_lock(&opening);
  must_be(uv_loop_close(uv), 0, "uv_loop_close");
  (void)pthread_mutex_unlock(&opening);
}

static inline void loop_detach_and_close(uvf_loop_t *loop, uv_loop_t *uv) {
  must_be(uvf_loop_detach(loop, NULL, NULL), 0, "uvf_loop_detach");
  must(uv_run(uv, UV_RUN_DEFAULT) == 0);
  loop_close(uv);
}

/* ---- the watchdog ---- */

/* Counts what moves: items and ends, not timeouts. */
static atomic_ulong progress;

static struct {
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t end;
  bool ended; /* under lock */
} watch = {.lock = PTHREAD_MUTEX_INITIALIZER, .end = PTHREAD_COND_INITIALIZER};

static inline void *watchdog(void *unused) {
  unsigned long seen = 0;
  uint64_t since = now_us();
  (void)unused;
  (void)pthread_mutex_lock(&watch.lock);
  while (!watch.ended) {
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    t.tv_sec++;
    (void)pthread_cond_timedwait(&watch.end, &watch.lock, &t);
    unsigned long now = atomic_load(&progress);
    if (now != seen) since = now_us();
    seen = now;
    if (now_us() - since > STUCK_S * UINT64_C(1000000)) die("nothing has moved for %d s", STUCK_S);
  }
  (void)pthread_mutex_unlock(&watch.lock);
  return NULL;
}

static inline void watch_start(void) {
  must(pthread_create(&watch.thread, NULL, watchdog, NULL) == 0);
}

static inline void watch_stop(void) {
  (void)pthread_mutex_lock(&watch.lock);
  watch.ended = true;
  (void)pthread_cond_signal(&watch.end);
  (void)pthread_mutex_unlock(&watch.lock);
  (void)pthread_join(watch.thread, NULL);
}

static inline void moved(void) {
  (void)atomic_fetch_add_explicit(&progress, 1, memory_order_relaxed);
}

#endif
