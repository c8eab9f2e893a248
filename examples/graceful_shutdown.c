/* SPDX-License-Identifier: MIT */
/* Ending in the right order, with producers that would go on for ever:
 *   close    the loop says: send me no more. Each producer gets UV_EPIPE and still owns the item it could not send
 *   drain    what was accepted before is still delivered, then the reader gets UV_EOF, and uv_run returns
 *   join, release, detach    the threads, our end of the channel, the loop
 * At the end the books are balanced: each item was delivered or came back. */
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "check.h"

#define PRODUCERS 4
#define ENOUGH 20000 /* items; then the loop decides to stop */

typedef struct {
  uv_thread_t thread;
  uvf_tx_t *tx;
  long made, returned;
} producer_t;

typedef struct {
  uvf_rx_t *rx; /* kept to close the channel */
  long delivered, after_close;
} consumer_t;

/* An item is a pointer to memory: who owns the item frees it. */
static void drop_item(void *item, void *data) {
  (void)data;
  free(*(long **)item);
}

static void produce(void *arg) {
  producer_t *p = arg;
  int r = 0;
  while (r == 0) {
    long *item = malloc(sizeof *item);
    if (item == NULL) abort();
    *item = p->made++;
    r = uvf_send_sync(p->tx, &item, UVF_FOREVER);
    if (r != 0) {
      free(item);
      p->returned++;
    }
  }
  if (r != UV_EPIPE) check(r, "send");
  uvf_tx_release(p->tx);
}

static void on_items(uvf_reader_t *reader, int n, void *items) {
  consumer_t *c = reader->data;
  long **item = items;
  if (n < 0 && n != UV_EOF) check(n, "reader");
  for (int i = 0; i < n; i++) {
    c->delivered++;
    if (c->delivered > ENOUGH) c->after_close++;
    if (c->delivered == ENOUGH) check(uvf_rx_close(c->rx, 0), "rx_close"); /* close; the calls to come are the drain */
    free(item[i]);
  }
}

int main(void) {
  uv_loop_t *uv = uv_default_loop();
  uvf_chan_options_t options = {.item_size = sizeof(long *), .capacity = 64, .drop = drop_item};
  producer_t producers[PRODUCERS];
  consumer_t c = {.delivered = 0};
  uvf_reader_t reader = {.data = &c};
  uvf_loop_t *loop;
  uvf_tx_t *tx;
  long made = 0, returned = 0;
  check(uvf_loop_attach(uv, NULL, &loop), "attach");
  check(uvf_chan_create(&options, &tx, &c.rx), "chan_create");
  check(uvf_reader_start(loop, &reader, c.rx, NULL, on_items), "reader_start");
  for (int i = 0; i < PRODUCERS; i++) {
    producers[i] = (producer_t){.tx = uvf_tx_retain(tx)}; /* one for each, before it starts */
    check(uv_thread_create(&producers[i].thread, produce, &producers[i]), "thread_create");
  }
  uvf_tx_release(tx);
  check(uv_run(uv, UV_RUN_DEFAULT), "run"); /* until the drain has ended */
  for (int i = 0; i < PRODUCERS; i++) {
    check(uv_thread_join(&producers[i].thread), "thread_join");
    made += producers[i].made;
    returned += producers[i].returned;
  }
  uvf_rx_release(c.rx);
  check(uvf_loop_detach(loop, NULL, NULL), "detach");
  check(uv_run(uv, UV_RUN_DEFAULT), "run"); /* lets the detach finish */
  check(uv_loop_close(uv), "loop_close");
  printf("%d producers made %ld items: %ld delivered, %ld of them after the close, %ld came back\n", PRODUCERS, made,
         c.delivered, c.after_close, returned);
  return made == c.delivered + returned ? 0 : 1;
}
