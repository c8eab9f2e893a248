/* SPDX-License-Identifier: MIT */
/* Two loops on two threads, one ball. A channel in each direction; a message crosses from thread to thread with each
 * stroke, and neither of them ever blocks. Prints how long a round trip takes. */
#include <stdbool.h>
#include <stdio.h>
#include <uv.h>

#include "check.h"

#define ROUND_TRIPS 2000

typedef struct {
  bool serves;
  uvf_rx_t *in;
  uvf_tx_t *out; /* NULL: has stopped playing */
  uvf_reader_t reader;
  uint64_t served_at;
} player_t;

static void hit(player_t *p, int strokes) {
  check(uvf_try_send(p->out, &strokes), "try_send"); /* there is room: see main */
}

/* Closes our way out: the other player gets UV_EOF, stops as well, and then so do we. */
static void stop_playing(player_t *p) {
  uvf_tx_release(p->out);
  p->out = NULL;
}

static void on_ball(uvf_reader_t *reader, int n, void *items) {
  player_t *p = reader->data;
  if (n == UV_EOF) stop_playing(p); /* the other has gone; releasing NULL does nothing */
  if (n < 0) {
    check(n == UV_EOF ? 0 : n, "reader");
    return;
  }
  int strokes = *(const int *)items; /* one ball: n is 1 */
  if (strokes < 2 * ROUND_TRIPS) {
    hit(p, strokes + 1);
    return;
  }
  double us = (double)(uv_hrtime() - p->served_at) / 1e3;
  printf("%d round trips between two loops: %.2f us each\n", ROUND_TRIPS, us / ROUND_TRIPS);
  stop_playing(p);
}

/* A thread with a loop of its own: attached, run, detached and closed by the thread itself. */
static void play(void *arg) {
  player_t *p = arg;
  uv_loop_t uv;
  uvf_loop_t *loop;
  check(uv_loop_init(&uv), "loop_init");
  check(uvf_loop_attach(&uv, NULL, &loop), "attach");
  check(uvf_reader_start(loop, &p->reader, p->in, NULL, on_ball), "reader_start");
  uvf_rx_release(p->in); /* the reader holds it now */
  p->served_at = uv_hrtime();
  if (p->serves) hit(p, 1);
  check(uv_run(&uv, UV_RUN_DEFAULT), "run"); /* until the reader has ended */
  check(uvf_loop_detach(loop, NULL, NULL), "detach");
  check(uv_run(&uv, UV_RUN_DEFAULT), "run"); /* lets the detach finish */
  check(uv_loop_close(&uv), "loop_close");
}

int main(void) {
  /* Two places for one ball: a place is free again only when the callback that got the ball has returned, and the ball
   * may be back before that. */
  uvf_chan_options_t options = {.item_size = sizeof(int), .capacity = 2};
  player_t ping = {.serves = true}, pong = {.serves = false};
  uv_thread_t thread;
  ping.reader.data = &ping;
  pong.reader.data = &pong;
  check(uvf_chan_create(&options, &ping.out, &pong.in), "chan_create");
  check(uvf_chan_create(&options, &pong.out, &ping.in), "chan_create");
  check(uv_thread_create(&thread, play, &pong), "thread_create");
  play(&ping);
  check(uv_thread_join(&thread), "thread_join");
  return 0;
}
