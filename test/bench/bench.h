/* SPDX-License-Identifier: MIT */
/* What all benchmarks share: the message, the clock, the order check, the threads, the result line, and main.
 *
 * A message that is lost, doubled or out of order ends the program with a line on stderr and status 1: who cheats reports
 * no number. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CACHE_LINE 64
#define MAX_PRODUCERS 8
#define RING 1024 /* the capacity of whatever is bounded */
#define SEQ_BITS 48

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)
/* "1.44.2" from UV_VERSION_MAJOR and so on. */
#define VERSION_TEXT(prefix) TEXT(prefix##_MAJOR) "." TEXT(prefix##_MINOR) "." TEXT(prefix##_PATCH)

/* What every work sends, by value. */
typedef struct {
  uint64_t id;   /* producer << 48 | seq */
  uint64_t t_ns; /* when it was sent; 0 where no latency is measured */
} msg_t;

static inline msg_t msg_make(unsigned producer, uint64_t seq, uint64_t t_ns) {
  return (msg_t){(uint64_t)producer << SEQ_BITS | seq, t_ns};
}

static inline uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static inline void cpu_relax(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb");
#else
  atomic_signal_fence(memory_order_seq_cst);
#endif
}

static inline void must(bool ok, const char *what) {
  if (ok) return;
  fprintf(stderr, "bench: %s\n", what);
  exit(1);
}

/* Zeroed, and on a cache line of its own, so that no layout depends on what was allocated before. */
static inline void *must_alloc(size_t size) {
  size_t rounded = (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
  void *p = aligned_alloc(CACHE_LINE, rounded);
  must(p != NULL, "out of memory");
  return memset(p, 0, rounded);
}

/* ---- order ---- */

typedef struct {
  uint64_t next[MAX_PRODUCERS];
  uint64_t total;
} order_t;

static inline unsigned msg_producer(const msg_t *m) {
  return (unsigned)(m->id >> SEQ_BITS);
}

static inline uint64_t msg_seq(const msg_t *m) {
  return m->id & (((uint64_t)1 << SEQ_BITS) - 1);
}

/* One consumer gets all messages of a producer: their sequence has no gap. */
static inline void order_all(order_t *o, const msg_t *m) {
  unsigned p = msg_producer(m);
  must(p < MAX_PRODUCERS && msg_seq(m) == o->next[p], "a message was lost, doubled or out of order");
  o->next[p]++;
  o->total++;
}

/* Several consumers share the messages: each sees the sequence of a producer rise. */
static inline void order_some(order_t *o, const msg_t *m) {
  unsigned p = msg_producer(m);
  must(p < MAX_PRODUCERS && msg_seq(m) >= o->next[p], "a message was doubled or out of order");
  o->next[p] = msg_seq(m) + 1;
  o->total++;
}

/* ---- threads ---- */

/* With BENCH_SPREAD set (run.sh: BENCH_CPUS=spread) the first thread stays on the first CPU, the next on the second, and so
 * on round: where the scheduler puts them is the largest noise in works that sleep. */
static inline void thread_pin(pthread_t thread, unsigned nth) {
#ifdef __linux__
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(nth % (unsigned)sysconf(_SC_NPROCESSORS_ONLN), &set);
  must(pthread_setaffinity_np(thread, sizeof set, &set) == 0, "pthread_setaffinity_np");
#else
  (void)thread, (void)nth;
  must(false, "BENCH_SPREAD needs Linux");
#endif
}

/* Main thread only. */
static inline pthread_t thread_start(void *(*fn)(void *), void *arg) {
  static unsigned started;
  pthread_t t;
  must(pthread_create(&t, NULL, fn, arg) == 0, "pthread_create");
  if (getenv("BENCH_SPREAD") != NULL) {
    if (started == 0) thread_pin(pthread_self(), 0);
    thread_pin(t, ++started);
  }
  return t;
}

/* ---- results ---- */

typedef struct {
  uint64_t n; /* operations */
  uint64_t elapsed_ns;
  uint64_t *samples; /* n latencies, or NULL; freed with the result */
  double bytes_per_chan;
} result_t;

/* One "Key: 123 kB" line of the process's status. */
static inline unsigned long proc_kb(const char *key) {
  char line[128];
  unsigned long kb = 0;
  FILE *f = fopen("/proc/self/status", "r");
  if (f == NULL) return 0;
  while (fgets(line, sizeof line, f) != NULL)
    if (strncmp(line, key, strlen(key)) == 0) kb = strtoul(line + strlen(key), NULL, 10);
  fclose(f);
  return kb;
}

static inline int compare_u64(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return (x > y) - (x < y);
}

static inline void report(const char *work, const char *peer, const char *version, const result_t *r) {
  double each = (double)r->elapsed_ns / (double)r->n;
  printf("{\"work\":\"%s\",\"peer\":\"%s\",\"version\":\"%s\",\"n\":%llu,\"ns_per_op\":%.1f,\"ops_per_s\":%.0f", work,
         peer, version, (unsigned long long)r->n, each, 1e9 / each);
  if (r->samples != NULL) {
    qsort(r->samples, r->n, sizeof *r->samples, compare_u64);
    printf(",\"p50_ns\":%llu,\"p99_ns\":%llu", (unsigned long long)r->samples[r->n / 2],
           (unsigned long long)r->samples[r->n * 99 / 100]);
  }
  if (r->bytes_per_chan > 0) printf(",\"rss_bytes_per_chan\":%.0f", r->bytes_per_chan);
  printf(",\"rss_kb\":%lu}\n", proc_kb("VmHWM:"));
}

/* ---- main ---- */

typedef struct work {
  const char *name;
  result_t (*run)(const struct work *work);
  unsigned count; /* of producers or channels, where a work has several */
  size_t cap;     /* 0: unbounded */
} work_t;

static inline int bench_main(int argc, char **argv, const work_t *works, size_t n, const char *peer,
                             const char *version) {
  if (argc == 2 && strcmp(argv[1], "list") == 0) {
    for (size_t i = 0; i < n; i++)
      printf("%s %s\n", works[i].name, peer);
    return 0;
  }
  for (size_t i = 0; argc == 2 && i < n; i++) {
    if (strcmp(argv[1], works[i].name) != 0) continue;
    result_t r = works[i].run(&works[i]);
    report(works[i].name, peer, version, &r);
    free(r.samples);
    return 0;
  }
  fprintf(stderr, "usage: %s list | WORK\n", argv[0]);
  return 2;
}

#define BENCH_MAIN(works)                                                                           \
  int main(int argc, char **argv) {                                                                 \
    return bench_main(argc, argv, works, sizeof(works) / sizeof *(works), PEER_NAME, PEER_VERSION); \
  }

#endif
