/* SPDX-License-Identifier: MIT */
/* The first program of the README: a thread sends a hundred numbers to a loop, which prints them. */
#include <stdio.h>
#include <uv.h>
#include <uvflow.h>

static void worker(void *arg) { /* a plain thread */
  uvf_tx_t *tx = arg;
  for (int i = 0; i < 100; i++)
    if (uvf_send_sync(tx, &i, UVF_FOREVER) != 0) break; /* waits while the channel is full */
  uvf_tx_release(tx);                                   /* last sender gone: the reader gets UV_EOF */
}

static void on_items(uvf_reader_t *reader, int n, void *items) { /* on the loop's thread */
  const int *numbers = items;
  for (int i = 0; i < n; i++)
    printf("%d\n", numbers[i]);
  if (n < 0) printf("end after %s: %s\n", (const char *)reader->data, uvf_strerror(n)); /* the last call */
}

int main(void) {
  uv_loop_t *uv = uv_default_loop();
  uvf_loop_t *loop;
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  uv_thread_t thread;
  uvf_reader_t reader = {.data = "100 numbers"};
  uvf_chan_options_t options = {.item_size = sizeof(int), .capacity = 16};

  if (uvf_loop_attach(uv, NULL, &loop) != 0 || uvf_chan_create(&options, &tx, &rx) != 0) return 1;
  if (uvf_reader_start(loop, &reader, rx, NULL, on_items) != 0) return 1;
  uvf_rx_release(rx);                                       /* the reader holds it now */
  if (uv_thread_create(&thread, worker, tx) != 0) return 1; /* tx is the worker's now */
  uv_run(uv, UV_RUN_DEFAULT);                               /* ends when the reader has ended */
  if (uv_thread_join(&thread) != 0) return 1;
  if (uvf_loop_detach(loop, NULL, NULL) != 0) return 1;
  uv_run(uv, UV_RUN_DEFAULT); /* lets the detach finish */
  return uv_loop_close(uv) == 0 ? 0 : 1;
}
