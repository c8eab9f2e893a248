/* SPDX-License-Identifier: MIT */
/* What a peer header (loop_PEER.h) has to give to loop_works.c, which is compiled once per peer with -DPEER_H="loop_PEER.h":
 * so all calls can be inlined, and no peer pays for a table of functions.
 *
 *   PEER_NAME, PEER_VERSION       strings
 *   PEER_ONLY_WAKES               1: only the works that are about waking, ping_pong and wake
 *
 *   port_t                        what one loop needs so that channels can wake it
 *   void port_open(port_t *, uv_loop_t *)
 *   void port_close(port_t *)     after all its channels; uv_run must be able to end after it, and then uv_loop_close
 *
 *   chan_t                        a channel whose consumer lives on the port's loop
 *   void chan_open(chan_t *, port_t *, size_t cap, chan_cb, void *arg)   zeroed memory; cap 0: unbounded
 *   void chan_send(chan_t *, msg_t)   any thread; blocks while a bounded channel is full
 *   void chan_open_spsc(...)      where PEER_SPSC is defined: as chan_open, for one thread that sends
 *   void chan_send_n(chan_t *, const msg_t *, int n)   where PEER_BATCHES is defined: several in one call
 *   void chan_close(chan_t *)         nobody sends any more; the memory stays until port_close has ended
 *
 *   inbox_t                       an unbounded queue that a plain thread waits on
 *   void inbox_open(inbox_t *), void inbox_send(inbox_t *, msg_t), msg_t inbox_recv(inbox_t *), void inbox_close(inbox_t *)
 *
 * Ports and channels are opened and closed on the thread that runs their loop. */
#ifndef BENCH_LOOP_API_H
#define BENCH_LOOP_API_H

#include <uv.h>

#include "bench.h"

typedef struct chan chan_t;

/* Called on the loop's thread for each message; `msg` is valid until it returns. */
typedef void (*chan_cb)(chan_t *chan, const msg_t *msg, void *arg);

#endif
