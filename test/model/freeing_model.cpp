/* SPDX-License-Identifier: MIT */
/* The last tx and the last rx go at once, with items inside, a sender's reference more, and a sender who waits. The channel is
 * freed once, after everything that still touches it, and what was accepted and not received is dropped once.
 * sources: chan/queued.c chan/queued_wait.c chan/overflow.c chan/chan.c chan/create.c chan/close.c chan/send.c chan/recv.c chan/stats.c
 * sources: chan/rendezvous.c chan/dump.c
 * sources: queue/mpmc_ring.c queue/block_list.c queue/spsc_ring.c queue/locked_ring.c queue/cell.c base/fence.c base/heap.c
 * sources: wait/blocked.c wait/waits.c wait/op.c wait/bells.c wait/ready.c wait/loop.c wait/pace.c wait/request.c wait/deadline.c
 * sources: wait/detach.c wait/post.c wait/drain.c
 * flags: -DSPINS=0 -DBUSY_PAUSES=1 -DBLOCK_BYTES=640 -DMIN_LAP_BITS=1 -DMAX_LAP_BITS=2 -DFIRST_SLOTS=1 */
#include "model.h"

#include <uvflow/chan.h>

#include "chan/chan.h"

static size_t capacity;

typedef struct {
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  int fate[5]; /* by number: 1 received, 2 dropped, 3 returned */
} state_t;

static state_t *s;

static void settle_fate(uint64_t number, int fate) {
  RL_ASSERT(number < 5 && s->fate[number] == 0);
  s->fate[number] = fate;
}

static void on_drop(void *item, void *data) {
  (void)data;
  settle_fate(item_get(item), 2);
}

struct model : rl::test_suite<model, 3> {
  void before() {
    model_begin();
    s = model_new<state_t>();
    uvf_chan_options_t o;
    memset(&o, 0, sizeof o);
    o.item_size = sizeof(model_item_t);
    o.capacity = capacity;
    o.drop = on_drop;
    RL_ASSERT(uvf_chan_create(&o, &s->tx, &s->rx) == 0);
    (void)uvf_tx_retain(s->tx);
    send(1, false);
  }

  void send(uint64_t number, bool wait) {
    model_item_t item;
    memset((void *)&item, 0, sizeof item);
    item_set(&item, number);
    int r = wait ? uvf_send_sync(s->tx, &item, UVF_FOREVER) : uvf_try_send(s->tx, &item);
    RL_ASSERT(r == 0 || r == UV_EPIPE || (r == UV_EAGAIN && !wait));
    if (r != 0) settle_fate(number, 3);
    model_forget(&item, sizeof item);
  }

  void receive() {
    model_item_t item;
    memset((void *)&item, 0, sizeof item);
    if (uvf_try_recv(s->rx, &item) == 0) settle_fate(item_get(&item), 1);
    model_forget(&item, sizeof item);
  }

  void thread(unsigned index) {
    if (index == 0) {
      send(2, true);
      uvf_tx_release(s->tx);
    }
    if (index == 1) {
      send(3, false);
      uvf_tx_release(s->tx);
    }
    if (index == 2) {
      receive();
      uvf_rx_release(s->rx);
    }
  }

  void after() {
    for (int i = 1; i < 4; i++)
      RL_ASSERT(s->fate[i] != 0);
    uvf__free(s);
    model_end();
  }
};

static bool run(const char *name, size_t cap, unsigned random) {
  capacity = cap;
  return model_run<model>(name, random, 1);
}

int main(void) {
  bool ok = run("capacity 1", 1, 50000) && run("capacity 2", 2, 40000) && run("unbounded", UVF_UNBOUNDED, 40000);
  return ok ? 0 : 1;
}
