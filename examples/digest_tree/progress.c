/* SPDX-License-Identifier: MIT */
/* The progress bar: "[####......]  42%  12345 files  1.2 GB  812 MB/s  0:12 left". */
#include "progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define PERIOD_MS 100
#define BAR_WIDTH 30
#define BAR_REST 9 /* "[] 100%  " */
#define LINE 256
#define CLEAR "\r\033[K"
#define FILE_COST 10000 /* opening a file takes about as long as hashing so many bytes */

typedef struct {
  char text[LINE];
  size_t used;
} line_t;

static void put(line_t *l, const char *format, ...) {
  va_list args;
  va_start(args, format);
  int n = vsnprintf(l->text + l->used, sizeof l->text - l->used, format, args);
  va_end(args);
  if (n > 0) l->used += (size_t)n;
  if (l->used >= sizeof l->text) l->used = sizeof l->text - 1;
}

static void put_bytes(line_t *l, double bytes, const char *per) {
  static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
  size_t unit = 0;
  for (; bytes >= 999.5 && unit < sizeof units / sizeof *units - 1; unit++)
    bytes /= 1000;
  put(l, "  %.*f %s%s", unit == 0 || bytes >= 99.95 ? 0 : 1, bytes, units[unit], per);
}

static void put_bar(line_t *l, double part, size_t width) {
  put(l, "[");
  for (size_t i = 0; i < width; i++)
    put(l, "%c", i < (size_t)(part * (double)width) ? '#' : '.');
  put(l, "] %3d%%  ", (int)(part * 100));
}

static void put_time(line_t *l, double seconds) {
  uint64_t s = (uint64_t)(seconds + 0.5);
  if (s >= 3600)
    put(l, "  %llu:%02u:%02u left", (unsigned long long)(s / 3600), (unsigned)(s / 60 % 60), (unsigned)(s % 60));
  else
    put(l, "  %u:%02u left", (unsigned)(s / 60), (unsigned)(s % 60));
}

static double work(uint64_t files, uint64_t bytes) {
  return (double)files * FILE_COST + (double)bytes;
}

/* How much of all work is done, 0 to 1. Files may have grown since they were counted. */
static double part_done(const progress_t *p, uint64_t bytes) {
  double all = work(p->all_files, p->all_bytes), done = work(p->files, bytes);
  return done < all ? done / all : 1;
}

/* A line that is longer than the terminal is wide would scroll it. */
static size_t terminal_width(void) {
  struct winsize w;
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 1 ? (size_t)w.ws_col - 1 : 79;
}

/* The figures, and the bar in what is left of the line. */
static void draw(const progress_t *p, double seconds, uint64_t bytes) {
  line_t figures = {.used = 0}, bar = {.used = 0};
  double part = part_done(p, bytes);
  size_t room = terminal_width();
  put(&figures, "%llu files", (unsigned long long)p->files);
  put_bytes(&figures, (double)bytes, "");
  put_bytes(&figures, seconds > 0 ? (double)bytes / seconds : 0, "/s");
  if (p->counted && part > 0)
    put_time(&figures, seconds * (1 - part) / part);
  else
    put(&figures, "  counting ...");
  if (p->counted && room > figures.used + BAR_REST) {
    size_t width = room - figures.used - BAR_REST;
    put_bar(&bar, part, width < BAR_WIDTH ? width : BAR_WIDTH);
  }
  fprintf(stderr, CLEAR "%s%.*s", bar.text, (int)room, figures.text);
}

static void on_timer(uv_timer_t *timer) {
  const progress_t *p = timer->data;
  draw(p, (double)(uv_hrtime() - p->began) / 1e9, atomic_load_explicit(&p->bytes, memory_order_relaxed));
}

int progress_start(progress_t *p, uv_loop_t *loop) {
  p->visible = isatty(STDERR_FILENO) == 1;
  p->began = uv_hrtime();
  p->timer.data = p;
  int r = uv_timer_init(loop, &p->timer);
  if (r == 0 && p->visible) r = uv_timer_start(&p->timer, on_timer, PERIOD_MS, PERIOD_MS);
  return r;
}

void progress_hide(const progress_t *p) {
  if (p->visible) fputs(CLEAR, stderr);
}

void progress_stop(progress_t *p) {
  progress_hide(p);
  uv_close((uv_handle_t *)&p->timer, NULL);
}
