/* SPDX-License-Identifier: MIT */
/* Aborting against senders: one that may have claimed a slot and not written it yet, one that waits for room; and receivers: one
 * that tries, and two that sleep, of whom each has to hear of the end.
 * Each item ends in exactly one of: received, dropped, still its sender's. Nothing is left behind in the channel while the
 * ends are still there.
 * sources: chan/queued.c chan/queued_wait.c chan/overflow.c chan/chan.c chan/create.c chan/close.c chan/send.c chan/recv.c chan/stats.c
 * sources: chan/rendezvous.c chan/dump.c chan/permit.c
 * sources: queue/mpmc_ring.c queue/block_list.c queue/spsc_ring.c queue/locked_ring.c queue/cell.c base/fence.c base/heap.c
 * sources: wait/blocked.c wait/waits.c wait/op.c wait/bells.c wait/ready.c wait/loop.c wait/pace.c wait/request.c wait/deadline.c
 * sources: wait/detach.c wait/post.c wait/drain.c
 * flags: -DSPINS=0 -DBUSY_PAUSES=1 -DBLOCK_BYTES=640 -DMIN_LAP_BITS=1 -DMAX_LAP_BITS=2 -DFIRST_SLOTS=1 */
#include "model.h"

#include <uvflow/chan.h>

#include "chan/chan.h"

static size_t capacity;
static unsigned flags;
static bool permit_out;

typedef struct {
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  uvf_permit_t permit;
  int fate[4]; /* by number: 1 received, 2 dropped, 3 returned */
} state_t;

static state_t *s;

static void settle_fate(uint64_t number, int fate) {
  RL_ASSERT(number < 4 && s->fate[number] == 0);
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
    o.flags = flags;
    o.drop = on_drop;
    RL_ASSERT(uvf_chan_create(&o, &s->tx, &s->rx) == 0);
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

  bool receive() {
    model_item_t item;
    memset((void *)&item, 0, sizeof item);
    int r = uvf_try_recv(s->rx, &item);
    if (r == 0) settle_fate(item_get(&item), 1);
    model_forget(&item, sizeof item);
    return r == 0;
  }

  void thread(unsigned index) {
    if (index == 0) {
      send(1, true);
      send(2, true);
    }
    if (index == 1 && (flags & UVF_SPSC) == 0) send(3, false);
    if (index == 2) {
      (void)receive();
      RL_ASSERT(uvf_rx_abort(s->rx, 0) == 0);
      RL_ASSERT(!receive());
    }
  }

  void after() {
    for (int i = 1; i < 4; i++)
      RL_ASSERT(s->fate[i] != 0 || (i == 3 && (flags & UVF_SPSC) != 0));
    uvf_tx_release(s->tx);
    uvf_rx_release(s->rx);
    uvf__free(s);
    model_end();
  }
};

/* A receiver that hears nothing is a deadlock. Also while a permit is out, for which no receiver of an aborted channel waits. */
struct sleepers : rl::test_suite<sleepers, 4> {
  void before() {
    model_begin();
    s = model_new<state_t>();
    uvf_chan_options_t o;
    memset(&o, 0, sizeof o);
    o.item_size = sizeof(model_item_t);
    o.capacity = capacity;
    o.drop = on_drop;
    RL_ASSERT(uvf_chan_create(&o, &s->tx, &s->rx) == 0);
    if (permit_out) RL_ASSERT(uvf_try_reserve(s->tx, &s->permit) == 0);
  }

  void thread(unsigned index) {
    model_item_t item;
    memset((void *)&item, 0, sizeof item);
    if (index == 0 && permit_out) {
      settle_fate(1, 3);
    } else if (index == 0) {
      item_set(&item, 1);
      int r = uvf_try_send(s->tx, &item);
      RL_ASSERT(r == 0 || r == UV_EPIPE);
      if (r != 0) settle_fate(1, 3);
    } else if (index == 1) {
      RL_ASSERT(uvf_rx_abort(s->rx, 0) == 0);
    } else {
      int r;
      while ((r = uvf_recv_sync(s->rx, &item, UVF_FOREVER)) == 0)
        settle_fate(item_get(&item), 1);
      RL_ASSERT(r == UV_EOF);
    }
    model_forget(&item, sizeof item);
  }

  void after() {
    RL_ASSERT(s->fate[1] != 0);
    uvf_permit_release(&s->permit);
    uvf_tx_release(s->tx);
    uvf_rx_release(s->rx);
    uvf__free(s);
    model_end();
  }
};

static bool run_sleepers(const char *name, bool permit, unsigned random) {
  capacity = 1;
  permit_out = permit;
  flags = 0;
  return model_run<sleepers>(name, random, 1);
}

static bool run(const char *name, size_t cap, unsigned how, unsigned random) {
  capacity = cap;
  flags = how;
  return model_run<model>(name, random, 1);
}

int main(void) {
  bool ok = run("capacity 1", 1, 0, 40000) && run("capacity 2", 2, 0, 30000) &&
            run("unbounded", UVF_UNBOUNDED, 0, 30000) && run("spsc", 1, UVF_SPSC, 40000) &&
            run_sleepers("sleepers", false, 40000) && run_sleepers("sleepers, a permit is out", true, 30000);
  return ok ? 0 : 1;
}
