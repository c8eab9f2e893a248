/* SPDX-License-Identifier: MIT */
/* logger [FILE [THREADS [LINES]]]: a log that never makes anybody wait, loops included, and whose memory is bounded. A thread of
 * its own takes lines in batches, writes them, flushes when nothing is left, and writes how many lines there was no
 * room for. The overflow is DROP_NEWEST: of a burst the beginning is what explains it, and sending takes no lock.
 * Prints the speed; reads the file again, and checks that each accepted line is there, in the order of its thread. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "check.h"

#define ROOM 4096 /* lines */
#define BATCH 64
#define MAX_THREADS 64

typedef struct {
  unsigned length;
  char text[124]; /* longer lines are cut off */
} line_t;

UVF_CHAN_TYPE(lines, line_t);

typedef struct {
  uv_thread_t thread;
  lines_tx_t tx;
  lines_rx_t rx;
  FILE *file;
  uvf_chan_stats_t end; /* the counters after the last line */
} log_t;

typedef struct {
  uv_thread_t thread;
  lines_tx_t log;
  int id, lines;
} worker_t;

/* Writes one line from any thread, without waiting. */
__attribute__((format(printf, 2, 3))) static void log_line(lines_tx_t log, const char *format, ...) {
  line_t line;
  va_list args;
  va_start(args, format);
  int n = vsnprintf(line.text, sizeof line.text - 1, format, args);
  va_end(args);
  if (n < 0) return;
  line.length = (unsigned)n < sizeof line.text - 1 ? (unsigned)n : (unsigned)sizeof line.text - 2;
  line.text[line.length++] = '\n';
  (void)lines_try_send(log, &line); /* 0 also for a line that is dropped; UV_EPIPE: the log has ended, so be it */
}

static void put(log_t *log, const char *text, size_t length) {
  if (fwrite(text, 1, length, log->file) != length) check(UV_EIO, "write");
}

/* Says how many lines are missing here, roughly where they are missing. */
static void put_losses(log_t *log) {
  char text[64];
  uvf_chan_stats_t now;
  uvf_rx_stats(log->rx.end, &now);
  if (now.dropped != log->end.dropped)
    put(log, text, (size_t)snprintf(text, sizeof text, "! %" PRIu64 " lines lost\n", now.dropped - log->end.dropped));
  log->end = now;
}

static void write_lines(void *arg) {
  log_t *log = arg;
  static line_t batch[BATCH]; /* one logger; too large for a small stack */
  int r;
  while ((r = lines_recv_sync(log->rx, batch, UVF_FOREVER)) == 0) { /* sleeps until there is a line */
    for (int n = 1; n > 0; n = uvf_try_recv_n(log->rx.end, batch, BATCH)) {
      for (int i = 0; i < n; i++)
        put(log, batch[i].text, batch[i].length);
      put_losses(log);
    }
    if (fflush(log->file) != 0) check(UV_EIO, "write"); /* nothing left to write: now is the time */
  }
  if (r != UV_EOF) check(r, "recv");
  put_losses(log);
  if (fclose(log->file) != 0) check(UV_EIO, "write");
  uvf_rx_release(log->rx.end);
}

static void log_open(log_t *log, const char *path) {
  uvf_chan_options_t options = {.capacity = ROOM, .overflow = UVF_OVERFLOW_DROP_NEWEST, .name = "log"};
  *log = (log_t){.file = fopen(path, "w")};
  if (log->file == NULL) check(UV_EACCES, path);
  check(lines_create(options, &log->tx, &log->rx), "chan_create");
  check(uv_thread_create(&log->thread, write_lines, log), "thread_create");
}

/* Whoever else has a reference on log->tx has released it, or its last lines are still written. */
static void log_close(log_t *log) {
  uvf_tx_release(log->tx.end);
  check(uv_thread_join(&log->thread), "thread_join");
}

static void work(void *arg) {
  worker_t *w = arg;
  for (int i = 0; i < w->lines; i++)
    log_line(w->log, "worker %d line %d", w->id, i);
  uvf_tx_release(w->log.end);
}

/* Returns the lines in the file, and adds to *lost those that it says are missing; -1 if they are out of order. */
static int64_t count(const char *path, uint64_t *lost) {
  int last[MAX_THREADS], id, number;
  int64_t lines = 0;
  uint64_t n;
  char text[sizeof((line_t *)0)->text + 1];
  FILE *file = fopen(path, "r");
  if (file == NULL) return -1;
  memset(last, -1, sizeof last);
  while (lines >= 0 && fgets(text, sizeof text, file) != NULL) {
    if (sscanf(text, "! %" SCNu64 " lines lost", &n) == 1) {
      *lost += n;
    } else if (sscanf(text, "worker %d line %d", &id, &number) == 2 && id >= 0 && id < MAX_THREADS &&
               number > last[id]) {
      last[id] = number;
      lines++;
    } else {
      lines = -1;
    }
  }
  fclose(file);
  return lines;
}

int main(int argc, char **argv) {
  const char *path = argc > 1 ? argv[1] : "logger.log";
  int threads = argc > 2 ? atoi(argv[2]) : 4, each = argc > 3 ? atoi(argv[3]) : 100000;
  worker_t workers[MAX_THREADS];
  log_t log;
  uint64_t lost = 0;
  if (threads < 1 || threads > MAX_THREADS || each < 0) check(UV_EINVAL, "logger [FILE [THREADS [LINES]]]");
  log_open(&log, path);
  uint64_t start = uv_hrtime();
  for (int i = 0; i < threads; i++) {
    workers[i] = (worker_t){.log = {uvf_tx_retain(log.tx.end)}, .id = i, .lines = each};
    check(uv_thread_create(&workers[i].thread, work, &workers[i]), "thread_create");
  }
  for (int i = 0; i < threads; i++)
    check(uv_thread_join(&workers[i].thread), "thread_join");
  double sent = (double)(uv_hrtime() - start) / 1e9;
  log_close(&log);
  double written = (double)(uv_hrtime() - start) / 1e9, lines = (double)log.end.sent;
  printf("%" PRIu64 " lines: %" PRIu64 " written, %" PRIu64 " lost; %.0f lines/s logged, %.0f lines/s written\n",
         log.end.sent, log.end.received, log.end.dropped, lines / sent, (double)log.end.received / written);
  int64_t found = count(path, &lost);
  if (log.end.sent != (uint64_t)threads * (uint64_t)each || log.end.sent != log.end.received + log.end.dropped)
    return 1;
  return found == (int64_t)log.end.received && lost == log.end.dropped ? 0 : 1;
}
