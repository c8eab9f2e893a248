/* SPDX-License-Identifier: MIT */
/* Typed ends as they are meant to be used; C and C++. Exits with 0. wrong.sh derives programs from it that must not compile. */
#include <uvflow.h>

#include <string.h>

typedef struct {
  int id;
  double value;
} sample_t;

UVF_CHAN_TYPE(samples, sample_t);
UVF_CHAN_TYPE(names, const char *);

typedef struct {
  uvf_reader_t reader;
  double sum;
} sink_t;

static void on_samples(uvf_reader_t *reader, int n, void *items) {
  sink_t *s = (sink_t *)reader->data;
  for (int i = 0; i < n; i++)
    s->sum += samples_items(items)[i].value;
}

static int through_a_loop(samples_tx_t tx, samples_rx_t rx) {
  uv_loop_t uv;
  uvf_loop_t *loop;
  sink_t sink;
  memset(&sink, 0, sizeof sink);
  sink.reader.data = &sink;
  sample_t s = {2, 1.5};
  if (uv_loop_init(&uv) != 0 || uvf_loop_attach(&uv, NULL, &loop) != 0) return 1;
  if (uvf_reader_start(loop, &sink.reader, rx.end, NULL, on_samples) != 0) return 2;
  uvf_rx_release(rx.end);
  if (samples_try_send(tx, &s) != 0 || samples_try_send(tx, &s) != 0) return 3;
  uvf_tx_release(tx.end);
  if (uv_run(&uv, UV_RUN_DEFAULT) != 0 || sink.sum != 3) return 4;
  return uvf_loop_detach(loop, NULL, NULL) != 0 || uv_run(&uv, UV_RUN_DEFAULT) != 0 || uv_loop_close(&uv) != 0 ? 5 : 0;
}

int main(void) {
  samples_tx_t tx;
  samples_rx_t rx;
  names_tx_t name_tx;
  names_rx_t name_rx;
  sample_t in = {1, 2.5}, out = {0, 0};
  const char *name = "gull", *got = NULL;
  uvf_chan_options_t o;
  memset(&o, 0, sizeof o);
  o.capacity = 4;
  if (samples_create(o, &tx, &rx) != 0 || names_create(o, &name_tx, &name_rx) != 0) return 10;
  /* WRONG */
  if (samples_send_sync(tx, &in, UVF_FOREVER) != 0 || samples_try_recv(rx, &out) != 0) return 11;
  if (names_try_send(name_tx, &name) != 0 || names_recv_sync(name_rx, &got, UVF_FOREVER) != 0) return 12;
  uvf_tx_release(name_tx.end);
  uvf_rx_release(name_rx.end);
  return out.id == 1 && out.value == 2.5 && got == name ? through_a_loop(tx, rx) : 13;
}
