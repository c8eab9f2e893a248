/* SPDX-License-Identifier: MIT */
/* One-shot channels, and their queue alone. Of the channel: senders who race to be the one, permits used and given back before
 * others who wait, receivers who sleep, those who wait for the close, closers and who aborts. Threads block for real, so one that
 * nobody tells is a deadlock; each item is received, dropped or its sender's still; and the end is the same for ever.
 * Of the cell: filled in place against its end and two that take.
 * sources: chan/queued.c chan/queued_wait.c chan/overflow.c chan/chan.c chan/create.c chan/close.c chan/send.c chan/recv.c chan/stats.c
 * sources: chan/permit.c chan/watch.c chan/rendezvous.c chan/dump.c
 * sources: queue/mpmc_ring.c queue/block_list.c queue/spsc_ring.c queue/locked_ring.c queue/cell.c base/fence.c base/heap.c
 * sources: wait/blocked.c wait/waits.c wait/op.c wait/bells.c wait/ready.c wait/loop.c wait/pace.c wait/request.c wait/deadline.c
 * sources: wait/detach.c wait/post.c wait/drain.c
 * flags: -DSPINS=0 -DBUSY_PAUSES=1 -DBLOCK_BYTES=640 -DMIN_LAP_BITS=1 -DMAX_LAP_BITS=2 -DFIRST_SLOTS=1 */
#include "model.h"

#include <uvflow/chan.h>

#include "chan/chan.h"

typedef struct {
  bool held; /* a permit is out from the start */
  void (*thread[4])(void);
} scenario_t;

enum { RECEIVED = 1, DROPPED, RETURNED };

#define CAUSE UVF_ELAGGED

typedef struct {
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  uvf_permit_t permit;
  int fate[5];      /* by number, which is that of the sending thread and 1 */
  int sent, closes; /* calls that said so */
  int end[4];       /* by thread: the first that it has seen */
} state_t;

static const scenario_t *scenario;
static state_t *s;

static void settle_fate(uint64_t number, int fate) {
  RL_ASSERT(number >= 1 && number < 5 && s->fate[number] == 0);
  s->fate[number] = fate;
}

static void on_drop(void *item, void *data) {
  (void)data;
  settle_fate(item_get(item), DROPPED);
}

/* The result of a send of this thread's number. */
static int sent(int r) {
  if (r == 0) s->sent++;
  if (r != 0) settle_fate(rl::thread_index() + 1, RETURNED);
  return r;
}

static int send(int (*how)(const void *item)) {
  model_item_t item;
  memset((void *)&item, 0, sizeof item);
  item_set(&item, rl::thread_index() + 1);
  int r = how(&item);
  model_forget(&item, sizeof item); /* it is ours again, or has been moved */
  return sent(r);
}

static int by_sync(const void *item) {
  return uvf_send_sync(s->tx, item, UVF_FOREVER);
}

static int by_try(const void *item) {
  return uvf_try_send(s->tx, item);
}

static int by_permit(const void *item) {
  return uvf_permit_send(&s->permit, item);
}

static int by_new_permit(const void *item) {
  uvf_permit_t p;
  int r = uvf_reserve_sync(s->tx, &p, UVF_FOREVER);
  return r == 0 ? uvf_permit_send(&p, item) : r;
}

/* ---- what threads do ---- */

static void nothing(void) {
}

static void send_sync(void) {
  int r = send(by_sync);
  RL_ASSERT(r == 0 || r == UV_EPIPE);
}

static void try_send(void) {
  int r = send(by_try);
  RL_ASSERT(r == 0 || r == UV_EPIPE || r == UV_EAGAIN);
}

static void reserve_send(void) {
  int r = send(by_new_permit);
  RL_ASSERT(r == 0 || r == UV_EPIPE);
}

static void send_held(void) {
  int r = send(by_permit);
  RL_ASSERT(r == 0 || r == UV_EPIPE);
}

static void release_held(void) {
  uvf_permit_release(&s->permit);
}

static void saw_end(int r) {
  int *end = &s->end[rl::thread_index()];
  RL_ASSERT(r == UV_EOF || r == CAUSE);
  RL_ASSERT(*end == 0 || *end == r);
  *end = r;
}

static int recv(void) {
  model_item_t item;
  memset((void *)&item, 0, sizeof item);
  int r = uvf_recv_sync(s->rx, &item, UVF_FOREVER);
  if (r == 0) settle_fate(item_get(&item), RECEIVED);
  model_forget(&item, sizeof item);
  return r;
}

static void recv_until_end(void) {
  int r = recv();
  if (r == 0) r = recv();
  saw_end(r);
  saw_end(recv());
}

static void wait_closed(void) {
  RL_ASSERT(uvf_wait_closed_sync(s->tx, UVF_FOREVER) == 0);
  saw_end(uvf_tx_status(s->tx));
  RL_ASSERT(uvf_try_send(s->tx, s) == UV_EPIPE); /* looks at no item */
  saw_end(uvf_tx_status(s->tx));
}

static void close_tx(void) {
  int r = uvf_tx_close(s->tx, CAUSE);
  RL_ASSERT(r == 0 || r == UV_EALREADY);
  if (r == 0) s->closes++;
  saw_end(uvf_tx_status(s->tx));
  RL_ASSERT((r == 0) == (s->end[rl::thread_index()] == CAUSE));
}

static void abort_rx(void) {
  RL_ASSERT(uvf_rx_abort(s->rx, CAUSE) == 0);
  s->closes++;
  saw_end(uvf_rx_status(s->rx));
}

static void abort_send_held(void) {
  abort_rx();
  RL_ASSERT(send(by_permit) == UV_EPIPE);
}

static void let_tx_go(void) {
  uvf_tx_release(s->tx);
  s->tx = NULL;
}

static void send_let_tx_go(void) {
  send_sync();
  let_tx_go();
}

static void let_rx_go(void) {
  uvf_rx_release(s->rx);
  s->rx = NULL;
}

static void open(void) {
  uvf_chan_options_t o;
  memset(&o, 0, sizeof o);
  o.item_size = sizeof(model_item_t);
  o.drop = on_drop;
  RL_ASSERT(uvf_oneshot_create(&o, &s->tx, &s->rx) == 0);
}

struct channel : rl::test_suite<channel, 4> {
  void before() {
    model_begin();
    s = model_new<state_t>();
    open();
    if (scenario->held) RL_ASSERT(uvf_try_reserve(s->tx, &s->permit) == 0);
  }

  void thread(unsigned index) {
    scenario->thread[index]();
  }

  /* Both ends are there still: nothing was left behind, and nobody. */
  void check_open() {
    int status = uvf_rx_status(s->rx);
    uvf__waits_t *ws = &uvf__chan_of_tx(s->tx)->waits;
    RL_ASSERT((a_load(&ws->marks, relaxed) & ~(uint32_t)UVF__MARK_ABORT) == 0);
    for (int i = 0; i < 4; i++)
      RL_ASSERT(s->end[i] == 0 || (s->end[i] == uvf_tx_status(s->tx) && (status == 0 || s->end[i] == status)));
    RL_ASSERT(s->sent + s->closes > 0 || uvf_tx_status(s->tx) == 0);
  }

  void after() {
    int delivered = 0;
    uvf_permit_release(&s->permit);
    if (s->tx != NULL && s->rx != NULL) check_open();
    uvf_tx_release(s->tx);
    uvf_rx_release(s->rx);
    for (int i = 1; i < 5; i++)
      delivered += s->fate[i] == RECEIVED || s->fate[i] == DROPPED;
    RL_ASSERT(s->sent <= 1 && delivered == s->sent);
    uvf__free(s);
    model_end();
  }
};

/* ---- the cell alone ---- */

typedef struct {
  uvf__cell_t cell;
  model_item_t item;
  int filled, taken[3];
} alone_t;

static alone_t *a;
static int how;

static int take(unsigned index) {
  model_item_t item;
  memset((void *)&item, 0, sizeof item);
  int r = a->cell.base.ops->recv(&a->cell.base, &item, 1);
  RL_ASSERT(r == 1 || r == UV_EAGAIN || r == UV_EOF);
  if (r == 1) {
    RL_ASSERT(item_get(&item) == 5);
    a->taken[index]++;
  }
  model_forget(&item, sizeof item);
  return r;
}

/* A flowvar's way: the item is written in its place. Who aborts takes what is there; so if a fill comes too late, it says so. */
struct alone : rl::test_suite<alone, 3> {
  void before() {
    model_begin();
    a = model_new<alone_t>();
    uvf__cell_init(&a->cell, sizeof a->item, &a->item);
  }

  void thread(unsigned index) {
    if (index == 0) {
      item_set(&a->item, 5);
      a->filled = uvf__cell_fill(&a->cell);
      if (a->filled != 0) item_set(&a->item, 6); /* it is ours */
    } else if (index == 1) {
      if (how != 0) a->cell.base.ops->close(&a->cell.base, how);
      (void)take(index);
    } else {
      int state = uvf__cell_state(&a->cell);
      int r = take(index);
      RL_ASSERT(state != 0 || r == 1 || r == UV_EOF);
    }
  }

  void after() {
    RL_ASSERT(a->filled == 0 || (a->filled == UV_EPIPE && (how & UVF__ABORTED) != 0));
    int before = a->taken[1] + a->taken[2];
    if ((how & UVF__ABORTED) != 0) RL_ASSERT(before == (a->filled == 0 ? 1 : 0));
    (void)take(0);
    RL_ASSERT(before + a->taken[0] == (a->filled == 0 ? 1 : 0));
    RL_ASSERT(take(0) == UV_EOF);
    uvf__free(a);
    model_end();
  }
};

static bool run(const char *name, scenario_t what, unsigned random, unsigned bound) {
  scenario = &what;
  return model_run<channel>(name, random, bound);
}

static bool run_alone(const char *name, int end) {
  how = end;
  return model_run<alone>(name, 5000, 2);
}

int main(void) {
  bool ok = run_alone("cell", 0) && run_alone("cell, closed", UVF__CLOSED) &&
            run_alone("cell, aborted", UVF__CLOSED | UVF__ABORTED);
  ok = ok && run("two senders", {false, {try_send, send_sync, recv_until_end, recv_until_end}}, 6000, 0);
  ok = ok && run("two senders alone", {false, {try_send, send_sync, nothing, nothing}}, 3000, 2);
  ok = ok && run("two permits", {false, {reserve_send, reserve_send, recv_until_end, wait_closed}}, 6000, 0);
  ok = ok && run("close by the send", {false, {send_sync, wait_closed, recv_until_end, nothing}}, 6000, 1);
  ok = ok && run("permit used", {true, {send_held, send_sync, reserve_send, recv_until_end}}, 6000, 0);
  ok = ok && run("permit given back", {true, {release_held, send_sync, reserve_send, recv_until_end}}, 6000, 0);
  ok = ok && run("permit and close", {true, {send_held, close_tx, recv_until_end, wait_closed}}, 6000, 0);
  ok = ok && run("no permit and close", {true, {release_held, close_tx, recv_until_end, recv_until_end}}, 6000, 0);
  ok = ok && run("permit and abort", {true, {send_held, abort_rx, recv_until_end, send_sync}}, 6000, 0);
  ok = ok && run("permit after abort", {true, {abort_send_held, nothing, recv_until_end, send_sync}}, 4000, 0);
  ok = ok && run("send and close", {false, {send_sync, close_tx, recv_until_end, wait_closed}}, 10000, 0);
  ok = ok && run("send and abort", {false, {send_sync, abort_rx, recv_until_end, wait_closed}}, 6000, 0);
  ok = ok && run("both go", {false, {send_let_tx_go, let_rx_go, nothing, nothing}}, 4000, 2);
  ok = ok && run("the sender goes", {false, {let_tx_go, recv_until_end, recv_until_end, nothing}}, 4000, 1);
  return ok ? 0 : 1;
}
