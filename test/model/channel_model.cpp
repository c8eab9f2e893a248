/* SPDX-License-Identifier: MIT */
/* Channels between plain threads: marks and looks, senders who are served, timeouts and newcomers against serving, closing. Threads block for real, so a wake that is lost is a deadlock.
 * sources: chan/queued.c chan/queued_wait.c chan/overflow.c chan/chan.c chan/create.c chan/close.c chan/send.c chan/recv.c chan/stats.c
 * sources: chan/rendezvous.c chan/dump.c
 * sources: queue/mpmc_ring.c queue/block_list.c queue/spsc_ring.c queue/locked_ring.c queue/cell.c base/fence.c base/heap.c
 * sources: wait/blocked.c wait/waits.c wait/op.c wait/bells.c wait/ready.c wait/loop.c wait/pace.c wait/request.c wait/deadline.c
 * sources: wait/detach.c wait/post.c wait/drain.c
 * flags: -DSPINS=0 -DBUSY_PAUSES=1 -DBLOCK_BYTES=640 -DMIN_LAP_BITS=1 -DMAX_LAP_BITS=2 -DFIRST_SLOTS=1 */
#include "model.h"

#include <uvflow/chan.h>

#include "chan/chan.h"

typedef struct {
  size_t capacity;
  unsigned flags;
  void (*thread[4])(void);
} scenario_t;

typedef struct {
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  int accepted, got;
  bool closed, newcomer_behind;
  uint64_t last[5][4]; /* by thread and sender: the last number received */
  bool seen[4][4];
  uint64_t order[8]; /* of all, where one thread receives */
} state_t;

static const scenario_t *scenario;
static state_t *s;

static void received(unsigned receiver, uint64_t v) {
  uint64_t sender = v >> 8, number = v & 0xff;
  RL_ASSERT(number > s->last[receiver][sender] && !s->seen[sender][number]);
  s->last[receiver][sender] = number;
  s->seen[sender][number] = true;
  s->order[s->got++] = v;
}

/* Sends `number`; 0 or an error. */
static int send_sync(uint64_t number, uint64_t timeout_ms) {
  model_item_t item;
  memset((void *)&item, 0, sizeof item);
  item_set(&item, (uint64_t)rl::thread_index() << 8 | number);
  int r = uvf_send_sync(s->tx, &item, timeout_ms);
  model_forget(&item, sizeof item); /* it is ours again */
  if (r == 0) s->accepted++;
  return r;
}

static int try_send(uint64_t first, int n) {
  model_item_t items[2];
  memset((void *)items, 0, sizeof items);
  for (int i = 0; i < n; i++)
    item_set(&items[i], (uint64_t)rl::thread_index() << 8 | (first + i));
  int r = uvf_try_send_n(s->tx, items, n);
  model_forget(items, sizeof items);
  if (r > 0) s->accepted += r;
  return r;
}

static int recv(unsigned receiver, uint64_t timeout_ms) {
  model_item_t item;
  memset((void *)&item, 0, sizeof item);
  int r = timeout_ms == UVF_NOWAIT ? uvf_try_recv(s->rx, &item) : uvf_recv_sync(s->rx, &item, timeout_ms);
  if (r == 0) received(receiver, item_get(&item));
  model_forget(&item, sizeof item);
  return r;
}

/* ---- what threads do ---- */

static void nothing(void) {
}

static void send_one(void) {
  int r = send_sync(1, UVF_FOREVER);
  RL_ASSERT(r == 0 || r == UV_EPIPE);
}

static void send_two(void) {
  send_one();
  int r = send_sync(2, UVF_FOREVER);
  RL_ASSERT(r == 0 || r == UV_EPIPE);
}

static void send_three(void) {
  send_two();
  RL_ASSERT(send_sync(3, UVF_FOREVER) == 0);
}

static void send_two_timed(void) {
  for (int i = 1; i <= 2; i++) {
    int r = send_sync(i, 1);
    RL_ASSERT(r == 0 || r == UV_ETIMEDOUT);
  }
}

static void try_one(void) {
  (void)try_send(1, 1);
}

static void try_pair(void) {
  (void)try_send(1, 2);
}

/* Gives the sender some time to fill the channel. */
static bool sender_waits(void) {
  bool yes = false;
  for (int i = 0; i < 60 && !yes; i++) {
    yes = (a_load(&uvf__chan_of_tx(s->tx)->waits.marks, seq_cst) & UVF__MARK_TX) != 0;
    if (!yes) model_pause();
  }
  return yes;
}

/* Sender 0 is the only one that waits, with its number 3: who starts to send while it does must come behind it. */
static void newcomer(void) {
  bool waits = sender_waits();
  if (try_send(1, 1) == 1 && waits) s->newcomer_behind = true;
}

static void close_tx(void) {
  RL_ASSERT(uvf_tx_close(s->tx, 0) == 0);
  s->closed = true;
}

static void send_one_close(void) {
  send_one();
  close_tx();
}

static void recv_one(void) {
  RL_ASSERT(recv(rl::thread_index(), UVF_FOREVER) == 0);
}

static void recv_two(void) {
  recv_one();
  recv_one();
}

/* Two at once where they are there: room for a newcomer beside the one who waits. */
static void recv_pair(void) {
  model_item_t items[2];
  memset((void *)items, 0, sizeof items);
  (void)sender_waits();
  int n = uvf_try_recv_n(s->rx, items, 2);
  for (int i = 0; i < n; i++)
    received(rl::thread_index(), item_get(&items[i]));
  model_forget(items, sizeof items);
  for (; n < 2; n = n < 0 ? 1 : n + 1)
    recv_one();
}

static void recv_three(void) {
  for (int i = 0; i < 3; i++)
    recv_one();
}

static void try_recv_two(void) {
  (void)recv(rl::thread_index(), UVF_NOWAIT);
  (void)recv(rl::thread_index(), UVF_NOWAIT);
}

static void recv_timed(void) {
  for (int i = 0; i < 2; i++) {
    int r = recv(rl::thread_index(), 1);
    RL_ASSERT(r == 0 || r == UV_ETIMEDOUT);
  }
}

static void recv_until_end(void) {
  int r;
  while ((r = recv(rl::thread_index(), UVF_FOREVER)) == 0) {
  }
  RL_ASSERT(r == UV_EOF);
}

struct model : rl::test_suite<model, 4> {
  void before() {
    model_begin();
    s = model_new<state_t>();
    uvf_chan_options_t o;
    memset(&o, 0, sizeof o);
    o.item_size = sizeof(model_item_t);
    o.capacity = scenario->capacity;
    o.flags = scenario->flags;
    RL_ASSERT(uvf_chan_create(&o, &s->tx, &s->rx) == 0);
  }

  void thread(unsigned index) {
    scenario->thread[index]();
  }

  int place_of(uint64_t v) {
    int i = 0;
    while (s->order[i] != v)
      i++;
    return i;
  }

  /* One thread has received, so the order is that of the channel. */
  void check_newcomer() {
    RL_ASSERT(place_of(3) < place_of(1 << 8 | 1));
  }

  void after() {
    int r;
    while ((r = recv(4, UVF_NOWAIT)) == 0) {
    }
    RL_ASSERT(r == (s->closed ? UV_EOF : UV_EAGAIN));
    RL_ASSERT(s->got == s->accepted);
    if (s->newcomer_behind) check_newcomer();
    uvf__waits_t *ws = &uvf__chan_of_tx(s->tx)->waits;
    RL_ASSERT(a_load(&ws->marks, relaxed) == 0 && uvf__list_empty(&ws->rx.list) && uvf__list_empty(&ws->tx.list));
    uvf_tx_release(s->tx);
    uvf_rx_release(s->rx);
    uvf__free(s);
    model_end();
  }
};

static bool run(const char *name, scenario_t what, unsigned random, unsigned bound) {
  scenario = &what;
  return model_run<model>(name, random, bound);
}

/* Where timed waits repeat, the tree of an exhaustive search has no end: random only. */
int main(void) {
  bool ok = true;
  ok = ok && run("served senders", {1, 0, {send_two, send_one, recv_three, nothing}}, 10000, 1);
  ok = ok && run("newcomer", {2, 0, {send_three, newcomer, recv_pair, nothing}}, 20000, 0);
  ok = ok && run("timeouts of senders", {1, 0, {send_two_timed, try_one, try_recv_two, nothing}}, 20000, 0);
  ok = ok && run("chain", {2, 0, {try_one, try_one, recv_one, recv_one}}, 20000, 1);
  ok = ok && run("chain, unbounded", {UVF_UNBOUNDED, 0, {try_one, try_one, recv_one, recv_one}}, 10000, 0);
  ok = ok && run("two at once", {2, 0, {try_pair, nothing, recv_one, recv_one}}, 10000, 1);
  ok = ok && run("timeouts of receivers", {2, 0, {try_one, try_one, recv_timed, recv_timed}}, 10000, 0);
  ok = ok && run("end", {1, 0, {send_two, close_tx, recv_until_end, recv_until_end}}, 20000, 0);
  ok = ok && run("end, unbounded", {UVF_UNBOUNDED, 0, {send_one, close_tx, recv_until_end, recv_until_end}}, 10000, 0);
  ok = ok && run("end, waiting sender", {1, 0, {send_two, close_tx, nothing, nothing}}, 5000, 1);
  ok = ok && run("spsc", {1, UVF_SPSC, {send_two, nothing, recv_two, nothing}}, 20000, 1);
  ok = ok && run("spsc, end", {1, UVF_SPSC, {send_two, close_tx, recv_until_end, nothing}}, 20000, 1);
  return ok ? 0 : 1;
}
