/* SPDX-License-Identifier: MIT */
/* digest_tree [-j THREADS] PATH...: the SHA-256 of all regular files under the paths, sorted, as sha256sum prints them.
 *
 *   walker thread  -- spawns tasks in a lane, and hands their flowvars on -->  loop: awaits them, shows its progress,
 *                                                                              prints messages and the sorted list
 *
 * A task hashes a batch of files and gives it back as its value, so a batch has one owner at a time: the walker, then the
 * task, then the loop. The lane and the channel of flowvars are bounded, so that the walker is never far ahead. How it ends:
 *   all done   the walker releases the channel, the loop's reader gets UV_EOF, and the last flowvar ends
 *   Ctrl-C     the loop aborts the lane and the channel: what waits never runs, what runs is asked to stop; or printing ends
 *   no memory  whoever it happens to ends with UV_ENOMEM, as the outcome of a task or the cause of the channel's end
 * This file has the threads, tasks and the loop; the folder digest_tree/ has what any program of the kind needs. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uvflow.h>

#include "digest_tree/batch.h"
#include "digest_tree/hash.h"
#include "digest_tree/progress.h"
#include "digest_tree/report.h"
#include "digest_tree/walk.h"

#define MAX_WORKERS 1024
#define BATCH_FILES 64
#define QUEUED 32 /* batches that wait, and again as many flowvars: the walker is so far ahead, and no further */

enum { EXIT_USAGE = 2, EXIT_INTERRUPTED = 128 + SIGINT };

/* What each task gets, as a copy. */
typedef struct {
  batch_t *batch;
  uvf_tx_t *put_hasher; /* borrowed: hashers that no task uses, for the next one */
  uvf_rx_t *get_hasher;
  _Atomic uint64_t *progress;
} work_t;

/* The walker: fills batches with paths. */
typedef struct {
  uvf_executor_t *lane;
  uvf_tx_t *spawned; /* flowvars */
  char **paths;
  batch_t *batch;
  work_t work; /* but for the batch */
  size_t sent; /* files */
} walker_t;

/* Walks the same tree once more, ahead of the walker, so that the bar can tell the time left. Only if there is one. */
typedef struct {
  uvf_rx_t *spawned; /* to see when it is over */
  uvf_loop_t *loop;
  char **paths;
  uint64_t files, bytes;
  uvf_post_t counted;
} counter_t;

/* The loop's thread. */
typedef struct {
  uv_loop_t uv;
  uvf_loop_t *loop;
  uvf_executor_t *threads, *lane;
  uvf_rx_t *spawned; /* kept to abort it */
  uvf_reader_t reader;
  unsigned awaited; /* flowvars */
  bool ended;       /* no more of them come */
  uvf_tx_t *put_hasher;
  uvf_rx_t *get_hasher;
  uv_signal_t interrupt;
  progress_t progress;
  report_t report;
  bool incomplete; /* the result is not to be printed */
  int exit_code;
  char **paths;
  unsigned workers;
  walker_t walker;
  counter_t counter;
  unsigned started;
  uv_thread_t helpers[2]; /* walker, counter */
} app_t;

/* A flowvar that the loop awaits. */
typedef struct {
  uvf_req_t req;
  uvf_flowvar_t *fv;
  app_t *app;
} wait_t;

/* ---- tasks, on the lane's threads ---- */

/* A hasher that another task has used, or a new one: so there are no more than tasks run at a time. */
static int get_hasher(const work_t *w, hasher_t **h) {
  return uvf_try_recv(w->get_hasher, h) == 0 ? 0 : hasher_create(w->progress, h);
}

static void put_hasher(const work_t *w, hasher_t *h) {
  if (uvf_try_send(w->put_hasher, &h) != 0) hasher_free(h);
}

static int hash_batch(uvf_task_t *task, void *arg, void *value) {
  const work_t *w = arg;
  hasher_t *h = NULL;
  int r = get_hasher(w, &h);
  for (entry_t *e = batch_first(w->batch); e != NULL && r == 0; e = batch_next(w->batch, e)) {
    if (e->error != 0) continue;
    e->error = hash_file(h, task, e->path, e->digest);
    if (e->error < 0) r = e->error;
  }
  if (h != NULL) put_hasher(w, h);
  hash_thread_end();
  if (r == 0)
    *(batch_t **)value = w->batch;
  else
    batch_free(w->batch);
  return r;
}

static void drop_work(void *arg, void *data) {
  (void)data;
  batch_free(((work_t *)arg)->batch);
}

/* ---- the walker's thread ---- */

/* Batches grow with the tree: of ten films each is a batch of its own, so that all workers have something to do, and of
 * many files 64 share the cost of a hand-over, which would be a third of all time if each went alone. */
static bool is_full(const walker_t *w) {
  size_t limit = 1 + w->sent / 16;
  return w->batch->count >= (limit < BATCH_FILES ? limit : BATCH_FILES);
}

/* Waits while the lane is full. After an error the batch is still ours. */
static int spawn(walker_t *w, uvf_flowvar_t **fv) {
  static const uvf_spawn_options_t o = {.value_size = sizeof(batch_t *),
                                        .value_drop = batch_drop,
                                        .arg_size = sizeof(work_t),
                                        .arg_drop = drop_work,
                                        .name = "hash"};
  int r;
  w->work.batch = w->batch;
  do
    r = uvf_spawn(w->lane, hash_batch, &w->work, &o, fv);
  while (r == UV_EAGAIN && (r = uvf_wait_room_sync(w->lane, UVF_FOREVER)) == 0);
  return r;
}

static int send_batch(walker_t *w) {
  uvf_flowvar_t *fv;
  size_t files = w->batch->count;
  w->batch = batch_trim(w->batch);
  int r = spawn(w, &fv);
  if (r != 0) return r;
  w->batch = NULL;
  w->sent += files;
  r = uvf_send_sync(w->spawned, &fv, UVF_FOREVER); /* waits while the channel is full */
  if (r != 0) uvf_flowvar_release(fv);             /* abandons it: the batch is dropped */
  return r;
}

static bool lane_is_empty(const walker_t *w) {
  uvf_executor_stats_t stats;
  uvf_executor_stats(w->lane, &stats);
  return stats.queued == 0;
}

static int on_found(const found_t *f, void *data) {
  walker_t *w = data;
  if (f->kind == FOUND_DIRECTORY) { /* a good moment to see whether it is over, and whether threads have no work */
    if (uvf_tx_status(w->spawned) != 0) return UV_EPIPE;
    return w->batch != NULL && lane_is_empty(w) ? send_batch(w) : 0;
  }
  if (w->batch == NULL) w->batch = batch_create();
  if (w->batch == NULL || !batch_add(&w->batch, f->path, f->error)) return UV_ENOMEM;
  return is_full(w) ? send_batch(w) : 0;
}

static void walker_main(void *arg) {
  walker_t *w = arg;
  int r = 0;
  for (char **path = w->paths; *path != NULL && r == 0; path++)
    r = walk(*path, false, on_found, w);
  if (r == 0 && w->batch != NULL) r = send_batch(w);
  if (r == UV_ENOMEM) (void)uvf_tx_close(w->spawned, r);
  batch_free(w->batch);
  uvf_tx_release(w->spawned); /* the only sender: the loop's reader gets UV_EOF */
}

/* ---- the counter's thread ---- */

static int on_counted_file(const found_t *f, void *data) {
  counter_t *c = data;
  if (f->kind != FOUND_DIRECTORY) {
    c->files++;
    c->bytes += f->bytes;
    if (c->files % 256 != 0) return 0;
  }
  return uvf_rx_status(c->spawned) == 0 ? 0 : UV_EPIPE; /* now and then: is it over? */
}

/* On the loop's thread. */
static void on_counted(uvf_post_t *post, int status) {
  app_t *a = post->data;
  a->progress.counted = status == 0;
  a->progress.all_files = a->counter.files;
  a->progress.all_bytes = a->counter.bytes;
}

static void counter_main(void *arg) {
  counter_t *c = arg;
  int r = 0;
  for (char **path = c->paths; *path != NULL && r == 0; path++)
    r = walk(*path, true, on_counted_file, c);
  if (r == 0) r = uvf_post(c->loop, &c->counted, on_counted); /* no post, no time left: nothing else depends on it */
  (void)r;
  uvf_rx_release(c->spawned);
}

/* ---- the loop ---- */

static void complain(app_t *a, const char *path, const char *reason) {
  progress_hide(&a->progress);
  fputs("digest_tree: ", stderr);
  if (path != NULL) {
    print_path(path, stderr);
    fputs(": ", stderr);
  }
  fprintf(stderr, "%s\n", reason);
  if (a->exit_code == 0) a->exit_code = EXIT_FAILURE;
}

/* Ends everything early; the reader's last call follows, and the end of what is awaited. */
static void give_up(app_t *a) {
  (void)uvf_executor_abort(a->lane); /* UV_EALREADY is as good */
  (void)uvf_rx_abort(a->spawned, 0);
}

static void give_up_because(app_t *a, const char *what, int error) {
  complain(a, what, uvf_strerror(error));
  a->incomplete = true;
  give_up(a);
}

static void take(app_t *a, batch_t *b) {
  for (entry_t *e = batch_first(b); e != NULL; e = batch_next(b, e))
    if (e->error != 0) complain(a, e->path, strerror(e->error));
  a->progress.files += b->count;
  if (!report_add(&a->report, b) && !a->incomplete) give_up_because(a, NULL, UV_ENOMEM);
}

/* The loop does not listen any more, and printing may wait for a reader for ever: what is left to free goes with the process. */
static void on_late_interrupt(int number) {
  (void)number;
  _exit(EXIT_INTERRUPTED);
}

/* From here on Ctrl-C ends the printing. */
static void maybe_end(app_t *a) {
  struct sigaction late = {.sa_handler = on_late_interrupt};
  if (!a->ended || a->awaited > 0) return;
  progress_stop(&a->progress);
  uv_close((uv_handle_t *)&a->interrupt, NULL);
  (void)sigaction(SIGINT, &late, NULL);
}

static void on_hashed(uvf_req_t *req, int status) {
  wait_t *w = req->data;
  app_t *a = w->app;
  batch_t *b;
  if (status == 0 && uvf_flowvar_take(w->fv, &b) == 0)
    take(a, b);
  else if (!a->incomplete) /* else it is cancelled, and somebody has said why */
    give_up_because(a, NULL, status);
  uvf_flowvar_release(w->fv);
  free(w);
  a->awaited--;
  maybe_end(a);
}

static void await(app_t *a, uvf_flowvar_t *fv) {
  wait_t *w = calloc(1, sizeof *w);
  int r = UV_ENOMEM;
  if (w != NULL) {
    *w = (wait_t){.fv = fv, .app = a, .req.data = w};
    r = uvf_await(a->loop, &w->req, fv, UVF_FOREVER, on_hashed);
  }
  if (r == 0) {
    a->awaited++;
    return;
  }
  free(w);
  uvf_flowvar_release(fv);
  if (!a->incomplete) give_up_because(a, NULL, r);
}

static void on_spawned(uvf_reader_t *reader, int n, void *items) {
  app_t *a = reader->data;
  uvf_flowvar_t **fvs = items;
  for (int i = 0; i < n; i++)
    await(a, fvs[i]);
  if (n >= 0) return;
  a->ended = true;
  if (n != UV_EOF && !a->incomplete) give_up_because(a, NULL, n);
  maybe_end(a);
}

static void on_interrupt(uv_signal_t *signal, int number) {
  app_t *a = signal->data;
  (void)number;
  a->exit_code = EXIT_INTERRUPTED;
  a->incomplete = true;
  give_up(a);
}

/* ---- starting and ending ---- */

static int start_thread(app_t *a, uv_thread_cb entry, void *arg) {
  int r = uv_thread_create(&a->helpers[a->started], entry, arg);
  if (r == 0) a->started++;
  return r;
}

static int start_walker(app_t *a) {
  int r = start_thread(a, walker_main, &a->walker); /* our only sending end is the walker's now */
  if (r != 0) uvf_tx_release(a->walker.spawned);
  return r;
}

static int start_counter(app_t *a) {
  a->counter.spawned = uvf_rx_retain(a->spawned); /* before it starts, never inside it */
  int r = start_thread(a, counter_main, &a->counter);
  if (r != 0) uvf_rx_release(a->counter.spawned);
  return r;
}

static int start_threads(app_t *a) {
  int r = start_walker(a);
  if (r == 0 && a->progress.visible) r = start_counter(a);
  return r;
}

static void drop_flowvar(void *item, void *data) {
  (void)data;
  uvf_flowvar_release(*(uvf_flowvar_t **)item);
}

static int create_channels(app_t *a) {
  uvf_chan_options_t spawned = {.item_size = sizeof(uvf_flowvar_t *), .capacity = QUEUED, .drop = drop_flowvar};
  uvf_chan_options_t hashers = {.item_size = sizeof(hasher_t *), .capacity = MAX_WORKERS, .drop = hasher_drop};
  int r = uvf_chan_create(&spawned, &a->walker.spawned, &a->spawned);
  if (r == 0) r = uvf_chan_create(&hashers, &a->put_hasher, &a->get_hasher);
  return r;
}

static int create_lane(app_t *a) {
  uvf_threads_options_t threads = {.threads = a->workers, .name = "hash"};
  uvf_lane_options_t lane = {.max_running = a->workers, .capacity = QUEUED, .name = "hash"};
  int r = uvf_threads_create(&threads, &a->threads);
  return r == 0 ? uvf_lane_create(a->threads, &lane, &a->lane) : r;
}

/* Started without 0, 1 or 2, a file or the loop itself would get that number, and our output. Writing to this one fails instead. */
static int occupy_standard_files(void) {
  int fd;
  do
    fd = open("/dev/null", O_RDONLY);
  while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd < 0) return uv_translate_sys_error(errno);
  (void)close(fd);
  return 0;
}

/* A failure here ends the process at once: no task runs yet. */
static int set_up(app_t *a) {
  int r = occupy_standard_files();
  if (r == 0) r = uv_loop_init(&a->uv);
  if (r == 0) r = uvf_loop_attach(&a->uv, NULL, &a->loop);
  if (r == 0) r = create_channels(a);
  if (r == 0) r = create_lane(a);
  if (r == 0) r = uv_signal_init(&a->uv, &a->interrupt);
  if (r == 0) r = uv_signal_start(&a->interrupt, on_interrupt, SIGINT);
  if (r == 0) r = progress_start(&a->progress, &a->uv);
  if (r == 0) r = uvf_reader_start(a->loop, &a->reader, a->spawned, NULL, on_spawned);
  a->reader.data = a->interrupt.data = a->counter.counted.data = a;
  a->walker.paths = a->counter.paths = a->paths;
  a->counter.loop = a->loop;
  a->walker.lane = a->lane;
  a->walker.work = (work_t){NULL, a->put_hasher, a->get_hasher, &a->progress.bytes};
  return r;
}

/* Waits for the threads and takes the loop down; nothing is left after it but the report. */
static void tear_down(app_t *a) {
  int r = 0;
  for (unsigned i = 0; i < a->started && r == 0; i++)
    r = uv_thread_join(&a->helpers[i]);
  uvf_rx_release(a->spawned);
  if (r == 0) r = uvf_loop_detach(a->loop, NULL, NULL);
  if (r == 0) r = uv_run(&a->uv, UV_RUN_DEFAULT); /* lets the detach finish */
  if (r == 0) r = uv_loop_close(&a->uv);
  (void)uvf_executor_close(a->lane);
  (void)uvf_executor_close(a->threads);
  if (r == 0)
    r = uvf_wait_idle_sync(a->threads, UVF_FOREVER); /* tasks that nobody waits for any more use what follows */
  uvf_executor_release(a->lane);
  uvf_executor_release(a->threads);
  uvf_tx_release(a->put_hasher);
  uvf_rx_release(a->get_hasher);
  if (r != 0) complain(a, NULL, uvf_strerror(r));
}

static void print_result(app_t *a) {
  int error = report_print(&a->report, stdout);
  if (error != 0) complain(a, "write error", strerror(error));
}

/* ---- the command line ---- */

static const char usage[] = "usage: digest_tree [-j THREADS] PATH...\n";
static const char help[] =
    "Prints the SHA-256 of all regular files under each PATH as sha256sum does, sorted by path.\n"
    "Follows no symbolic links. Shows its progress if stderr is a terminal.\n\n"
    "  -j, --threads=THREADS  threads that compute, 1 to 1024 (default: one per CPU)\n"
    "  -h, --help             this text\n\n"
    "Exit status: 0; 1 if something could not be read or written; 2 wrong usage; 130 Ctrl-C.\n";

static int usage_error(const char *what) {
  if (what != NULL) fprintf(stderr, "digest_tree: %s\n", what);
  fputs(usage, stderr);
  return EXIT_USAGE;
}

static bool parse_workers(const char *text, unsigned *workers) {
  char *end;
  if (*text < '0' || *text > '9') return false;
  unsigned long n = strtoul(text, &end, 10); /* ULONG_MAX if it is too large */
  if (*end != '\0' || n < 1 || n > MAX_WORKERS) return false;
  *workers = (unsigned)n;
  return true;
}

/* Returns an exit code, or -1: go on. */
static int parse(app_t *a, int argc, char **argv) {
  static const struct option options[] = {
      {"threads", required_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
  unsigned cpus = uv_available_parallelism();
  int c;
  a->workers = cpus < MAX_WORKERS ? cpus : MAX_WORKERS;
  while ((c = getopt_long(argc, argv, "j:h", options, NULL)) != -1) {
    if (c == 'h') return fputs(usage, stdout) < 0 || puts(help) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    if (c != 'j') return usage_error(NULL); /* getopt has said why */
    if (!parse_workers(optarg, &a->workers)) return usage_error("-j takes a number from 1 to 1024");
  }
  if (optind == argc) return usage_error("no path given");
  a->paths = argv + optind;
  return -1;
}

int main(int argc, char **argv) {
  static app_t a;
  int r = parse(&a, argc, argv);
  if (r >= 0) return r;
  (void)signal(SIGPIPE, SIG_IGN); /* a reader of stdout who has gone is a write error like others */
  r = set_up(&a);
  if (r != 0) {
    complain(&a, NULL, uvf_strerror(r));
    return a.exit_code;
  }
  r = start_threads(&a);
  if (r != 0) give_up_because(&a, "cannot start a thread", r);
  (void)uv_run(&a.uv, UV_RUN_DEFAULT); /* until the last flowvar has ended, and the handles are closed */
  tear_down(&a);
  if (!a.incomplete) print_result(&a);
  report_free(&a.report);
  return a.exit_code;
}
