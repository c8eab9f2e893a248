/* SPDX-License-Identifier: MIT */
/* digest_tree [-j THREADS] PATH...: the SHA-256 of all regular files under the paths, sorted, as sha256sum prints them.
 *
 *   walker thread  -- jobs -->  worker threads  -- results -->  loop: progress bar, messages, the sorted list
 *
 * Both channels are bounded, so that the walker is never far ahead of the workers. An item is a pointer to a batch of
 * files, and it has one owner at a time: the walker, then a worker, then the loop. How it ends:
 *   all done   the walker releases `jobs`, the workers get UV_EOF and release `results`, the loop's reader gets UV_EOF
 *   Ctrl-C     the loop aborts both channels: what is queued is dropped, all sends and receives say that it is over
 *   no memory  whoever it happens to closes its channel with UV_ENOMEM as the cause, which arrives instead of UV_EOF
 * This file has the threads, channels and the loop; the folder digest_tree/ has what any program of the kind needs. */
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
#define QUEUED 32 /* batches in each channel: the walker is so far ahead, and no further */

enum { EXIT_USAGE = 2, EXIT_INTERRUPTED = 128 + SIGINT };

/* The walker: fills batches with paths. */
typedef struct {
  uvf_tx_t *jobs;
  char **paths;
  batch_t *batch;
  size_t sent; /* files */
} walker_t;

/* Walks the same tree once more, ahead of the walker, so that the bar can tell the time left. Only if there is one. */
typedef struct {
  uvf_rx_t *jobs; /* to see when it is over */
  uvf_loop_t *loop;
  char **paths;
  uint64_t files, bytes;
  uvf_post_t counted;
} counter_t;

typedef struct {
  uvf_rx_t *jobs;
  uvf_tx_t *results;
  _Atomic uint64_t *progress;
} worker_t;

/* The loop's thread. */
typedef struct {
  uv_loop_t uv;
  uvf_loop_t *loop;
  uvf_rx_t *jobs, *results; /* kept to abort them */
  uvf_reader_t reader;
  uv_signal_t interrupt;
  progress_t progress;
  report_t report;
  bool incomplete; /* the result is not to be printed */
  int exit_code;
  char **paths;
  unsigned workers;
  walker_t walker;
  counter_t counter;
  worker_t worker; /* all workers read the same */
  unsigned started;
  uv_thread_t threads[MAX_WORKERS + 2];
} app_t;

/* ---- the walker's thread ---- */

/* Batches grow with the tree: of ten films each is a batch of its own, so that all workers have something to do, and of
 * many files 64 share the cost of a hand-over, which would be a third of all time if each went alone. */
static bool is_full(const walker_t *w) {
  size_t limit = 1 + w->sent / 16;
  return w->batch->count >= (limit < BATCH_FILES ? limit : BATCH_FILES);
}

static int send_batch(walker_t *w) {
  batch_t *b = batch_trim(w->batch);
  w->sent += b->count;
  int r = uvf_send_sync(w->jobs, &b, UVF_FOREVER); /* waits while the channel is full */
  w->batch = r == 0 ? NULL : b;                    /* after an error it is still ours */
  return r;
}

static int on_found(const found_t *f, void *data) {
  walker_t *w = data;
  if (f->kind == FOUND_DIRECTORY) { /* a good moment to see whether it is over, and whether the workers have work */
    if (uvf_tx_status(w->jobs) != 0) return UV_EPIPE;
    return w->batch != NULL && uvf_tx_len(w->jobs) == 0 ? send_batch(w) : 0;
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
  if (r == UV_ENOMEM) (void)uvf_tx_close(w->jobs, r);
  batch_free(w->batch);
  uvf_tx_release(w->jobs); /* the only sender: the workers get UV_EOF */
}

/* ---- the workers' threads ---- */

/* Returns 0, or UV_EPIPE if nobody waits for the result any more. */
static int hash_batch(hasher_t *h, batch_t *b) {
  for (entry_t *e = batch_first(b); e != NULL; e = batch_next(b, e)) {
    if (e->error != 0) continue;
    e->error = hash_file(h, e->path, e->digest);
    if (e->error < 0) return e->error;
  }
  return 0;
}

static void worker_main(void *arg) {
  worker_t *w = arg;
  hasher_t hasher;
  batch_t *b;
  int r = hasher_init(&hasher, w->results, w->progress);
  while (r == 0 && (r = uvf_recv_sync(w->jobs, &b, UVF_FOREVER)) == 0) {
    r = hash_batch(&hasher, b);
    if (r == 0) r = uvf_send_sync(w->results, &b, UVF_FOREVER);
    if (r != 0) batch_free(b);
  }
  if (r != UV_EOF && r != UV_EPIPE) (void)uvf_tx_close(w->results, r); /* goes on to the loop as the cause */
  hasher_end(&hasher);
  uvf_rx_release(w->jobs);
  uvf_tx_release(w->results); /* the last worker: the loop's reader gets UV_EOF */
}

/* ---- the counter's thread ---- */

static int on_counted_file(const found_t *f, void *data) {
  counter_t *c = data;
  if (f->kind != FOUND_DIRECTORY) {
    c->files++;
    c->bytes += f->bytes;
    if (c->files % 256 != 0) return 0;
  }
  return uvf_rx_status(c->jobs) == 0 ? 0 : UV_EPIPE; /* now and then: is it over? */
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
  uvf_rx_release(c->jobs);
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

/* Ends everything early; the reader's last call follows. */
static void give_up(app_t *a) {
  (void)uvf_rx_abort(a->jobs, 0); /* UV_EALREADY is as good */
  (void)uvf_rx_abort(a->results, 0);
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

static void on_results(uvf_reader_t *reader, int n, void *items) {
  app_t *a = reader->data;
  batch_t **batches = items;
  for (int i = 0; i < n; i++)
    take(a, batches[i]);
  if (n >= 0) return;
  if (n != UV_EOF) give_up_because(a, NULL, n);
  (void)uvf_rx_abort(a->jobs, 0); /* where it was not the walker who ended it */
  progress_stop(&a->progress);
  uv_close((uv_handle_t *)&a->interrupt, NULL);
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
  int r = uv_thread_create(&a->threads[a->started], entry, arg);
  if (r == 0) a->started++;
  return r;
}

static int start_walker(app_t *a) {
  int r = start_thread(a, walker_main, &a->walker); /* our only sending end is the walker's now */
  if (r != 0) uvf_tx_release(a->walker.jobs);
  return r;
}

static int start_worker(app_t *a) {
  uvf_rx_retain(a->worker.jobs); /* before it starts, never inside it */
  uvf_tx_retain(a->worker.results);
  int r = start_thread(a, worker_main, &a->worker);
  if (r == 0) return 0;
  uvf_rx_release(a->worker.jobs);
  uvf_tx_release(a->worker.results);
  return r;
}

static int start_counter(app_t *a) {
  a->counter.jobs = uvf_rx_retain(a->jobs);
  int r = start_thread(a, counter_main, &a->counter);
  if (r != 0) uvf_rx_release(a->counter.jobs);
  return r;
}

static int start_threads(app_t *a) {
  int r = start_walker(a);
  for (unsigned i = 0; i < a->workers && r == 0; i++)
    r = start_worker(a);
  if (r == 0 && a->progress.visible) r = start_counter(a);
  uvf_tx_release(a->worker.results); /* ours: the reader is to get UV_EOF when the last worker has gone */
  return r;
}

static int create_channels(app_t *a) {
  uvf_chan_options_t jobs = {.item_size = sizeof(batch_t *), .capacity = QUEUED, .drop = batch_drop, .name = "jobs"};
  uvf_chan_options_t results = jobs;
  results.name = "results";
  int r = uvf_chan_create(&jobs, &a->walker.jobs, &a->jobs);
  if (r == 0) r = uvf_chan_create(&results, &a->worker.results, &a->results);
  a->worker.jobs = a->jobs;
  return r;
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

/* A failure here ends the process at once: no thread runs yet. */
static int set_up(app_t *a) {
  int r = occupy_standard_files();
  if (r == 0) r = uv_loop_init(&a->uv);
  if (r == 0) r = uvf_loop_attach(&a->uv, NULL, &a->loop);
  if (r == 0) r = create_channels(a);
  if (r == 0) r = uv_signal_init(&a->uv, &a->interrupt);
  if (r == 0) r = uv_signal_start(&a->interrupt, on_interrupt, SIGINT);
  if (r == 0) r = progress_start(&a->progress, &a->uv);
  if (r == 0) r = uvf_reader_start(a->loop, &a->reader, a->results, NULL, on_results);
  a->reader.data = a->interrupt.data = a->counter.counted.data = a;
  a->walker.paths = a->counter.paths = a->paths;
  a->counter.loop = a->loop;
  a->worker.progress = &a->progress.bytes;
  return r;
}

/* Joins the threads and takes the loop down; nothing is left after it but the report. */
static void tear_down(app_t *a) {
  int r = 0;
  for (unsigned i = 0; i < a->started && r == 0; i++)
    r = uv_thread_join(&a->threads[i]);
  uvf_rx_release(a->jobs);
  uvf_rx_release(a->results);
  if (r == 0) r = uvf_loop_detach(a->loop, NULL, NULL);
  if (r == 0) r = uv_run(&a->uv, UV_RUN_DEFAULT); /* lets the detach finish */
  if (r == 0) r = uv_loop_close(&a->uv);
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
  (void)uv_run(&a.uv, UV_RUN_DEFAULT); /* until the reader's last call, which closes the other handles */
  tear_down(&a);
  if (!a.incomplete) print_result(&a);
  report_free(&a.report);
  return a.exit_code;
}
