/* SPDX-License-Identifier: MIT */
/* A loop has more to send than a slow thread can take. The channel holds 8 items; when it is full, uvf_send calls back
 * as soon as there is room. So memory stays bounded, and the loop stays free: its timer goes on firing as it waits. */
#include <stdio.h>
#include <uv.h>

#include "check.h"

#define ITEMS 64
#define CAPACITY 8

typedef struct {
  uvf_loop_t *loop;
  uvf_tx_t *tx;
  uvf_req_t room; /* pending while the channel is full */
  int next;       /* to be sent; lent to the library while `room` is pending, so it stays where it is */
  int waits;
  uv_timer_t timer;
  int ticks;
} sender_t;

static void send_all(sender_t *s);

static void on_room(uvf_req_t *req, int status) {
  sender_t *s = req->data;
  check(status, "send"); /* UV_EPIPE would mean: nobody reads any more, and the item is still ours */
  if (++s->next % CAPACITY == 0)
    printf("%2d sent, %zu of them queued; waited %d times, meanwhile %d ticks of the timer\n", s->next,
           uvf_tx_len(s->tx), s->waits, s->ticks);
  send_all(s);
}

/* As long as there is room this needs no callback. Then one request is enough, however much is left. */
static void send_all(sender_t *s) {
  for (; s->next < ITEMS; s->next++) {
    int r = uvf_try_send(s->tx, &s->next);
    if (r == 0) continue;
    if (r != UV_EAGAIN) check(r, "try_send");
    s->waits++;
    check(uvf_send(s->loop, &s->room, s->tx, &s->next, UVF_FOREVER, on_room), "send");
    return;
  }
  uvf_tx_release(s->tx); /* the slow thread takes what is queued, and gets UV_EOF */
  uv_close((uv_handle_t *)&s->timer, NULL);
}

static void on_tick(uv_timer_t *timer) {
  sender_t *s = timer->data;
  s->ticks++;
}

/* A millisecond or two of work. */
static unsigned chew(unsigned x) {
  for (int i = 0; i < 1500000; i++)
    x = x * 1664525 + 1013904223;
  return x;
}

static void slow_thread(void *arg) {
  uvf_rx_t *rx = arg;
  int item, r, taken = 0;
  unsigned sum = 0;
  while ((r = uvf_recv_sync(rx, &item, UVF_FOREVER)) == 0) {
    sum += chew((unsigned)item);
    taken++;
  }
  if (r != UV_EOF) check(r, "recv");
  printf("the slow thread took all %d, sum %u\n", taken, sum);
  uvf_rx_release(rx);
}

int main(void) {
  uv_loop_t *uv = uv_default_loop();
  uvf_chan_options_t options = {.item_size = sizeof(int), .capacity = CAPACITY};
  sender_t s = {.next = 0};
  uvf_rx_t *rx;
  uv_thread_t thread;
  s.room.data = s.timer.data = &s;
  check(uvf_loop_attach(uv, NULL, &s.loop), "attach");
  check(uvf_chan_create(&options, &s.tx, &rx), "chan_create");
  check(uv_timer_init(uv, &s.timer), "timer_init");
  check(uv_timer_start(&s.timer, on_tick, 1, 1), "timer_start");
  check(uv_thread_create(&thread, slow_thread, rx), "thread_create"); /* rx is the thread's now */
  send_all(&s);
  check(uv_run(uv, UV_RUN_DEFAULT), "run"); /* until all is sent */
  check(uv_thread_join(&thread), "thread_join");
  check(uvf_loop_detach(s.loop, NULL, NULL), "detach");
  check(uv_run(uv, UV_RUN_DEFAULT), "run"); /* lets the detach finish */
  check(uv_loop_close(uv), "loop_close");
  return 0;
}
