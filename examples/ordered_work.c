/* SPDX-License-Identifier: MIT */
/* Work in order, without a thread for it: a lane of one on libuv's pool runs its tasks strictly one after the other. Here
 * a journal is written to a file; the loop and a thread add lines, and no lock guards the file. The lane is bounded: who is
 * too quick waits for room, the loop by a callback. A second lane shares the pool and is not held up. */
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "check.h"

#define LINES 2000 /* of each writer */

typedef struct {
  FILE *file;
  long lines, next[2]; /* touched by the lane's tasks alone */
  bool in_order;
} journal_t;

typedef struct {
  journal_t *journal;
  int writer;
  long number;
} line_t;

typedef struct {
  uvf_loop_t *loop;
  uvf_executor_t *lane;
  journal_t *journal;
  uvf_req_t room;
  long written;
  uv_async_t open; /* of the thread's: keeps the loop running until the thread has ended */
  uvf_post_t ended;
} writer_t;

/* On some thread of the pool, never two at a time. */
static int write_line(uvf_task_t *task, void *arg, void *value) {
  const line_t *line = arg;
  journal_t *j = line->journal;
  (void)task;
  (void)value;
  if (line->number != j->next[line->writer]++) j->in_order = false;
  j->lines++;
  return fprintf(j->file, "%d: %ld\n", line->writer, line->number) < 0 ? UV_EIO : 0;
}

static const uvf_spawn_options_t options = {.arg_size = sizeof(line_t), .name = "line"};

static void on_room(uvf_req_t *req, int status);

/* On the loop: as many as there is room for. Nobody asks for the outcome, so there is no flowvar. */
static void write_on(writer_t *w) {
  int r = 0;
  while (w->written < LINES) {
    line_t line = {w->journal, 0, w->written};
    r = uvf_spawn(w->lane, write_line, &line, &options, NULL);
    if (r != 0) break;
    w->written++;
  }
  if (r == UV_EAGAIN) r = uvf_wait_room(w->loop, &w->room, w->lane, UVF_FOREVER, on_room);
  check(r, "spawn");
}

static void on_room(uvf_req_t *req, int status) {
  check(status, "wait_room");
  write_on(req->data);
}

static void on_ended(uvf_post_t *post, int status) {
  writer_t *w = post->data;
  check(status, "post");
  uv_close((uv_handle_t *)&w->open, NULL);
}

/* On a thread: it may block. Its lines start by way of the loop, which must be running for that. */
static void write_all(void *arg) {
  writer_t *w = arg;
  for (long i = 0; i < LINES; i++) {
    line_t line = {w->journal, 1, i};
    int r;
    while ((r = uvf_spawn(w->lane, write_line, &line, &options, NULL)) == UV_EAGAIN)
      check(uvf_wait_room_sync(w->lane, UVF_FOREVER), "wait_room");
    check(r, "spawn");
  }
  check(uvf_post(w->loop, &w->ended, on_ended), "post");
}

static int compute(uvf_task_t *task, void *arg, void *value) {
  (void)task;
  (void)arg;
  for (long i = 1; i <= 1000; i++)
    *(long *)value += i;
  return 0;
}

static void on_computed(uvf_req_t *req, int status) {
  check(status, "await");
  uvf_flowvar_release(req->data);
}

static void on_idle(uvf_req_t *req, int status) {
  (void)req;
  check(status, "wait_idle");
}

int main(int argc, char **argv) {
  uv_loop_t *uv = uv_default_loop();
  journal_t j = {.file = argc > 1 ? fopen(argv[1], "w") : tmpfile(), .in_order = true};
  uvf_lane_options_t one = {.max_running = 1, .capacity = 64, .name = "journal"};
  uvf_lane_options_t two = {.max_running = 2, .capacity = UVF_UNBOUNDED, .name = "numbers"};
  uvf_spawn_options_t number = {.value_size = sizeof(long)};
  uvf_loop_t *loop;
  uvf_executor_t *journal, *numbers;
  uvf_flowvar_t *sum;
  uvf_req_t awaited = {0}, idle = {0};
  uvf_executor_stats_t stats;
  uv_thread_t thread;
  if (j.file == NULL) return 1;
  check(uvf_loop_attach(uv, NULL, &loop), "attach");
  check(uvf_lane_create(uvf_loop_pool(loop), &one, &journal), "lane_create");
  check(uvf_lane_create(uvf_loop_pool(loop), &two, &numbers), "lane_create");
  writer_t by_loop = {.loop = loop, .lane = journal, .journal = &j}, by_thread = by_loop;
  by_loop.room.data = &by_loop;
  by_thread.ended.data = &by_thread;
  check(uv_async_init(uv, &by_thread.open, NULL), "async_init");
  check(uv_thread_create(&thread, write_all, &by_thread), "thread_create");
  write_on(&by_loop);
  check(uvf_spawn(numbers, compute, NULL, &number, &sum), "spawn");
  awaited.data = sum;
  check(uvf_await(loop, &awaited, sum, UVF_FOREVER, on_computed), "await");
  check(uv_run(uv, UV_RUN_DEFAULT), "run"); /* until both have written all their lines, and the sum is there */
  check(uv_thread_join(&thread), "thread_join");
  check(uvf_executor_close(journal), "close");
  check(uvf_wait_idle(loop, &idle, journal, UVF_FOREVER, on_idle), "wait_idle");
  check(uv_run(uv, UV_RUN_DEFAULT), "run"); /* until the journal is complete */
  uvf_executor_stats(journal, &stats);
  uvf_executor_release(journal);
  uvf_executor_release(numbers);
  check(uvf_loop_detach(loop, NULL, NULL), "detach");
  check(uv_run(uv, UV_RUN_DEFAULT), "run");
  check(uv_loop_close(uv), "loop_close");
  if (fclose(j.file) != 0) return 1;
  printf("%ld lines in %s order; at most %d waited\n", j.lines, j.in_order ? "the right" : "the wrong",
         (int)stats.high_water);
  return j.in_order && j.lines == 2 * LINES && stats.done == 2 * LINES ? 0 : 1;
}
