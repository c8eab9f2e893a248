/* SPDX-License-Identifier: MIT */
/* event_queue [FILE]: the event queue of an editor. Three threads feed the loop of its user interface:
 *   keys     from FILE or stdin. They wait for room, so none is lost; and they go before all else: see on_events
 *   events   of a clock and of a watcher of FILE: whatever is still queued at the end is thrown away
 *   draws    wishes to draw the screen. One slot, DROP_OLDEST: a hundred wishes become one drawing, of the newest
 * The end of the keys is the end of the program. It checks that each key came, and that the last state was drawn. */
#include <stdio.h>
#include <sys/stat.h>
#include <uv.h>

#include "check.h"

typedef struct {
  enum { CLOCK, FILE_CHANGED } kind;
  long value; /* how often the clock ticked; the size of the file */
} event_t;

UVF_CHAN_TYPE(keys, unsigned char);
UVF_CHAN_TYPE(events, event_t);
UVF_CHAN_TYPE(draws, const char *); /* why: a literal */

typedef struct {
  uv_thread_t thread;
  const char *path; /* NULL: stdin, and nothing to watch */
  FILE *in;
  keys_tx_t keys;
  events_tx_t events;
  unsigned sent, hash; /* of the keys */
} source_t;

typedef struct {
  keys_rx_t keys;
  events_rx_t events;
  draws_tx_t draws;
  uvf_reader_t keys_reader, events_reader, draws_reader;
  unsigned pressed, hash, wishes, drawn, drawn_at; /* drawn_at: how many keys the last drawing showed */
  long ticks, size;
} ui_t;

static void input(void *arg) {
  source_t *s = arg;
  for (int c; (c = getc(s->in)) != EOF; s->sent++) {
    unsigned char key = (unsigned char)c;
    if (keys_send_sync(s->keys, &key, UVF_FOREVER) != 0) break;
    s->hash = s->hash * 31 + key;
  }
  uvf_tx_release(s->keys.end);
}

/* Waiting for the close, with a timeout, is how a thread sleeps that must end at once when nobody wants it any more. */
static void tick(void *arg) {
  source_t *s = arg;
  event_t event = {CLOCK, 0};
  while (uvf_wait_closed_sync(s->events.end, 5) == UV_ETIMEDOUT) {
    event.value++;
    if (events_send_sync(s->events, &event, UVF_FOREVER) != 0) break;
  }
  uvf_tx_release(s->events.end);
}

static void watch(void *arg) {
  source_t *s = arg;
  event_t event = {FILE_CHANGED, -1};
  struct stat st;
  while (uvf_wait_closed_sync(s->events.end, 20) == UV_ETIMEDOUT) {
    if (s->path == NULL || stat(s->path, &st) != 0 || (long)st.st_size == event.value) continue;
    event.value = (long)st.st_size;
    if (events_send_sync(s->events, &event, UVF_FOREVER) != 0) break;
  }
  uvf_tx_release(s->events.end);
}

static void wish(ui_t *ui, const char *why) {
  check(draws_try_send(ui->draws, &why), "wish to draw"); /* never waits: the wish before gives way */
  ui->wishes++;
}

static void press(ui_t *ui, unsigned char key) {
  ui->hash = ui->hash * 31 + key;
  ui->pressed++;
  wish(ui, "key");
}

static void on_keys(uvf_reader_t *reader, int n, void *items) {
  ui_t *ui = reader->data;
  for (int i = 0; i < n; i++)
    press(ui, keys_items(items)[i]);
  if (n < 0) check(uvf_rx_abort(ui->events.end, 0), "abort"); /* the clock and the watcher hear of it, and end */
}

/* Keys go first: whoever is about to handle something else looks for them. Its batches are short for that. */
static void on_events(uvf_reader_t *reader, int n, void *items) {
  ui_t *ui = reader->data;
  unsigned char key;
  while (keys_try_recv(ui->keys, &key) == 0)
    press(ui, key);
  for (int i = 0; i < n; i++) {
    const event_t *event = &events_items(items)[i];
    *(event->kind == CLOCK ? &ui->ticks : &ui->size) = event->value;
    wish(ui, event->kind == CLOCK ? "clock" : "file");
  }
  if (n < 0) uvf_tx_release(ui->draws.end); /* all that wish have ended; the wish that is queued is still granted */
}

static void on_draws(uvf_reader_t *reader, int n, void *items) {
  ui_t *ui = reader->data;
  if (n < 0) return;
  ui->drawn += (unsigned)n;
  ui->drawn_at = ui->pressed;
  printf("%-5s | %u keys, file of %ld bytes, clock %ld\n", draws_items(items)[n - 1], ui->pressed, ui->size, ui->ticks);
}

int main(int argc, char **argv) {
  uv_loop_t *uv = uv_default_loop();
  uvf_chan_options_t queue = {.capacity = 64}, newest = {.capacity = 1, .overflow = UVF_OVERFLOW_DROP_OLDEST};
  uvf_reader_options_t short_batches = {.max_batch = 4};
  void (*const run[])(void *) = {input, tick, watch};
  source_t sources[3] = {{.path = argc > 1 ? argv[1] : NULL}};
  ui_t ui = {.pressed = 0};
  uvf_loop_t *loop;
  draws_rx_t draws;
  sources[0].in = argc > 1 ? fopen(argv[1], "r") : stdin;
  if (sources[0].in == NULL) check(UV_ENOENT, argv[1]);
  check(uvf_loop_attach(uv, NULL, &loop), "attach");
  check(keys_create(queue, &sources[0].keys, &ui.keys), "chan_create");
  check(events_create(queue, &sources[0].events, &ui.events), "chan_create");
  check(draws_create(newest, &ui.draws, &draws), "chan_create");
  ui.keys_reader.data = ui.events_reader.data = ui.draws_reader.data = &ui;
  check(uvf_reader_start(loop, &ui.keys_reader, ui.keys.end, NULL, on_keys), "reader_start");
  check(uvf_reader_start(loop, &ui.events_reader, ui.events.end, &short_batches, on_events), "reader_start");
  check(uvf_reader_start(loop, &ui.draws_reader, draws.end, NULL, on_draws), "reader_start");
  sources[1] = sources[2] = sources[0];
  uvf_tx_retain(sources[2].events.end); /* two threads send events, each has a reference */
  for (int i = 0; i < 3; i++)
    check(uv_thread_create(&sources[i].thread, run[i], &sources[i]), "thread_create");
  check(uv_run(uv, UV_RUN_DEFAULT), "run"); /* until the three readers have ended */
  for (int i = 0; i < 3; i++)
    check(uv_thread_join(&sources[i].thread), "thread_join");
  uvf_chan_stats_t stats;
  uvf_rx_stats(draws.end, &stats);
  uvf_rx_release(draws.end);
  uvf_rx_release(ui.events.end);
  uvf_rx_release(ui.keys.end);
  check(uvf_loop_detach(loop, NULL, NULL), "detach");
  check(uv_run(uv, UV_RUN_DEFAULT), "run"); /* lets the detach finish */
  check(uv_loop_close(uv), "loop_close");
  if (sources[0].in != stdin) fclose(sources[0].in);
  printf("%u keys; %u wishes to draw became %u drawings\n", ui.pressed, ui.wishes, ui.drawn);
  if (ui.pressed != sources[0].sent || ui.hash != sources[0].hash) return 1;
  return ui.drawn_at == ui.pressed && ui.wishes == ui.drawn + stats.dropped ? 0 : 1;
}
