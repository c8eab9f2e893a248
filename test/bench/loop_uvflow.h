/* SPDX-License-Identifier: MIT */
/* uvflow: a channel and a reader each; a plain thread waits on a channel, too. loop_uvflow_eventfd.h is the same with
 * another waker. */
#include <uvflow/uv.h>

#include "loop_api.h"
#include "uvflow_chan.h"

#ifndef PEER_NAME
#define PEER_NAME "uvflow"
#define WAKE_FLAGS 0
#endif
#define PEER_VERSION UVFLOW_TEXT ", libuv " VERSION_TEXT(UV_VERSION)

typedef uvf_loop_t *port_t;
typedef ends_t inbox_t;

struct chan {
  ends_t ends;
  uvf_reader_t reader;
  chan_cb cb;
  void *arg;
};

static void port_open(port_t *p, uv_loop_t *loop) {
  uvf_loop_options_t o = {.flags = WAKE_FLAGS};
  must(uvf_loop_attach(loop, &o, p) == 0, "uvf_loop_attach");
}

static void port_close(port_t *p) {
  must(uvf_loop_detach(*p, NULL, NULL) == 0, "uvf_loop_detach");
}

static void chan_read(uvf_reader_t *reader, int n, void *items) {
  chan_t *c = reader->data;
  const msg_t *msgs = items;
  must(n > 0, "uvflow: the channel ended");
  for (int i = 0; i < n; i++)
    c->cb(c, &msgs[i], c->arg);
}

static void chan_open_with(chan_t *c, port_t *p, size_t cap, unsigned flags, chan_cb cb, void *arg) {
  ends_open(&c->ends, cap, flags);
  c->cb = cb;
  c->arg = arg;
  c->reader.data = c;
  must(uvf_reader_start(*p, &c->reader, c->ends.rx, NULL, chan_read) == 0, "uvf_reader_start");
}

static void chan_open(chan_t *c, port_t *p, size_t cap, chan_cb cb, void *arg) {
  chan_open_with(c, p, cap, 0, cb, arg);
}

#define PEER_SPSC
static inline void chan_open_spsc(chan_t *c, port_t *p, size_t cap, chan_cb cb, void *arg) {
  chan_open_with(c, p, cap, UVF_SPSC, cb, arg);
}

static inline void chan_send(chan_t *c, msg_t m) {
  ends_send(&c->ends, m);
}

#define PEER_BATCHES
static inline void chan_send_n(chan_t *c, const msg_t *msgs, int n) {
  while (n > 0) {
    int k = uvf_try_send_n(c->ends.tx, msgs, n);
    if (k == UV_EAGAIN) {
      ends_send(&c->ends, *msgs);
      k = 1;
    }
    must(k > 0, "uvflow: send");
    msgs += k;
    n -= k;
  }
}

static void chan_close(chan_t *c) {
  must(uvf_reader_stop(&c->reader) == 0, "uvf_reader_stop");
  ends_close(&c->ends);
}

static void inbox_open(inbox_t *b) {
  ends_open(b, 0, 0);
}

static void inbox_send(inbox_t *b, msg_t m) {
  ends_send(b, m);
}

static msg_t inbox_recv(inbox_t *b) {
  return ends_recv(b);
}

static void inbox_close(inbox_t *b) {
  ends_close(b);
}
