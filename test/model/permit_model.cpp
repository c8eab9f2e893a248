/* SPDX-License-Identifier: MIT */
/* Permits between plain threads: a permit that is out is released or sent while others wait for its room, sleep on its item or on
 * the end behind it, close or abort. Threads block for real, so one that nobody wakes is a deadlock. Nothing is lost, every
 * sleeper sees the end, and in the end all of the room is there.
 * sources: chan/queued.c chan/queued_wait.c chan/overflow.c chan/chan.c chan/create.c chan/close.c chan/send.c chan/recv.c chan/stats.c
 * sources: chan/permit.c chan/rendezvous.c chan/dump.c
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
  uvf_overflow_t overflow;
  int held;       /* permits that are out from the start */
  bool last_held; /* they are all that is left of the sending side */
  void (*thread[4])(void);
} scenario_t;

typedef struct {
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  uvf_permit_t permit[2];
  int accepted, got, dropped;
  bool closed, aborted, ended; /* ended: a receiver has seen the end */
} state_t;

static const scenario_t *scenario;
static state_t *s;

static void on_drop(void *item, void *data) {
  (void)data;
  RL_ASSERT(item_get(item) != 0);
  s->dropped++;
}

static int permit_send(uvf_permit_t *p) {
  model_item_t item;
  memset((void *)&item, 0, sizeof item);
  item_set(&item, 1);
  int r = uvf_permit_send(p, &item);
  RL_ASSERT(r == 0 || (r == UV_EPIPE && s->aborted));
  model_forget(&item, sizeof item);
  if (r == 0) s->accepted++;
  return r;
}

static int recv(bool wait) {
  model_item_t item;
  memset((void *)&item, 0, sizeof item);
  int r = wait ? uvf_recv_sync(s->rx, &item, UVF_FOREVER) : uvf_try_recv(s->rx, &item);
  if (r == 0) {
    RL_ASSERT(item_get(&item) != 0);
    s->got++;
  }
  model_forget(&item, sizeof item);
  return r;
}

/* ---- what threads do ---- */

static void nothing(void) {
}

static void release_held(void) {
  for (int i = 0; i < scenario->held; i++)
    uvf_permit_release(&s->permit[i]);
}

static void send_held(void) {
  for (int i = 0; i < scenario->held; i++)
    (void)permit_send(&s->permit[i]);
}

static void send_one_release_one(void) {
  (void)permit_send(&s->permit[0]);
  uvf_permit_release(&s->permit[1]);
}

static void release_first(void) {
  uvf_permit_release(&s->permit[0]);
}

static void send_second(void) {
  (void)permit_send(&s->permit[1]);
}

static bool reserve(uvf_permit_t *p, uint64_t timeout_ms) {
  memset((void *)p, 0xa5, sizeof *p);
  int r = uvf_reserve_sync(s->tx, p, timeout_ms);
  RL_ASSERT(r == 0 || r == UV_EPIPE || (r == UV_ETIMEDOUT && timeout_ms != UVF_FOREVER));
  return r == 0;
}

static void reserve_release(void) {
  uvf_permit_t p;
  if (reserve(&p, UVF_FOREVER)) uvf_permit_release(&p);
}

static void reserve_send(void) {
  uvf_permit_t p;
  if (reserve(&p, UVF_FOREVER)) (void)permit_send(&p);
}

static void reserve_timed(void) {
  uvf_permit_t p;
  if (reserve(&p, 1)) uvf_permit_release(&p);
}

static void send_one(void) {
  model_item_t item;
  memset((void *)&item, 0, sizeof item);
  item_set(&item, 2);
  int r = uvf_send_sync(s->tx, &item, UVF_FOREVER);
  RL_ASSERT(r == 0 || r == UV_EPIPE);
  model_forget(&item, sizeof item);
  if (r == 0) s->accepted++;
}

static void close_tx(void) {
  RL_ASSERT(uvf_tx_close(s->tx, 0) == 0);
  s->closed = true;
}

/* More than there is room for beside the permits; the only thread that sends. */
static void fill_release_and_close(void) {
  send_one();
  send_one();
  release_held();
  send_one();
  close_tx();
}

static void close_rx(void) {
  RL_ASSERT(uvf_rx_close(s->rx, 0) == 0);
  s->closed = true;
}

static void abort_rx(void) {
  s->closed = s->aborted = true;
  RL_ASSERT(uvf_rx_abort(s->rx, 0) == 0);
}

static void let_rx_go(void) {
  s->closed = s->aborted = true;
  uvf_rx_release(s->rx);
  s->rx = NULL;
}

static void recv_one(void) {
  RL_ASSERT(recv(true) == 0);
}

static void recv_two(void) {
  recv_one();
  recv_one();
}

static void recv_until_end(void) {
  int r;
  while ((r = recv(true)) == 0) {
  }
  RL_ASSERT(r == UV_EOF);
  s->ended = true;
}

/* As above, but by looks that do not wait. */
static void look_until_end(void) {
  model_item_t item;
  int r;
  do {
    memset((void *)&item, 0, sizeof item);
    r = uvf_recv_sync(s->rx, &item, UVF_NOWAIT);
    if (r == 0) s->got++;
    if (r == UV_ETIMEDOUT) model_pause();
    model_forget(&item, sizeof item);
  } while (r == 0 || r == UV_ETIMEDOUT);
  RL_ASSERT(r == UV_EOF);
  s->ended = true;
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
    o.overflow = scenario->overflow;
    o.drop = on_drop;
    RL_ASSERT(uvf_chan_create(&o, &s->tx, &s->rx) == 0);
    for (int i = 0; i < scenario->held; i++)
      RL_ASSERT(uvf_try_reserve(s->tx, &s->permit[i]) == 0);
    if (!scenario->last_held) return;
    uvf_tx_release(s->tx);
    s->tx = NULL;
    s->closed = true; /* when they have gone */
  }

  void thread(unsigned index) {
    scenario->thread[index]();
  }

  /* Neither lost nor doubled: as many permits as there is room for. */
  void check_room() {
    uvf_permit_t p[4];
    int n = 0;
    while (n < 4 && uvf_try_reserve(s->tx, &p[n]) == 0)
      n++;
    RL_ASSERT(n == (int)scenario->capacity);
    for (int i = 0; i < n; i++)
      uvf_permit_release(&p[i]);
  }

  void check_channel() {
    int r;
    while ((r = recv(false)) == 0)
      RL_ASSERT(!s->ended); /* nothing comes behind the end */
    RL_ASSERT(r == (s->closed ? UV_EOF : UV_EAGAIN));
    uvf__waits_t *ws = &uvf__chan_of_rx(s->rx)->waits;
    RL_ASSERT((a_load(&ws->marks, relaxed) & ~UVF__MARK_ABORT) == 0);
    RL_ASSERT(uvf__list_empty(&ws->rx.list) && uvf__list_empty(&ws->tx.list));
    if (!s->closed && scenario->capacity <= 2) check_room();
  }

  void after() {
    if (s->rx != NULL) {
      for (int i = 0; i < 2; i++) /* of scenarios that keep theirs */
        uvf_permit_release(&s->permit[i]);
      check_channel();
    }
    RL_ASSERT(s->got + s->dropped == s->accepted);
    RL_ASSERT(s->dropped == 0 || s->aborted);
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

/* Every kind of queue: the most telling scenario of each sort. */
static bool run_queue(const char *name, size_t capacity, uvf_overflow_t overflow) {
  bool ok = true;
  ok = ok &&
       run(name, {capacity, 0, overflow, 1, false, {release_held, close_tx, recv_until_end, recv_until_end}}, 6000, 0);
  ok = ok &&
       run(name, {capacity, 0, overflow, 1, false, {send_held, close_rx, recv_until_end, recv_until_end}}, 6000, 0);
  ok = ok && run(name, {capacity, 0, overflow, 1, false, {send_held, abort_rx, recv_until_end, nothing}}, 6000, 0);
  ok = ok && run(name, {capacity, 0, overflow, 1, true, {send_held, let_rx_go, nothing, nothing}}, 6000, 0);
  return ok;
}

static bool run_room(void) {
  const uvf_overflow_t wait = UVF_OVERFLOW_WAIT;
  bool ok = true;
  ok = ok && run("room for a sender", {1, 0, wait, 1, false, {release_held, send_one, recv_one, nothing}}, 6000, 1);
  ok = ok && run("room for all", {1, 0, wait, 1, false, {release_held, send_one, reserve_send, recv_two}}, 8000, 0);
  ok = ok && run("held in turns", {1, 0, wait, 0, false, {reserve_release, reserve_send, send_one, recv_two}}, 8000, 0);
  ok = ok && run("room of two", {2, 0, wait, 2, false, {send_one_release_one, send_one, recv_two, nothing}}, 6000, 0);
  ok = ok && run("timeouts", {1, 0, wait, 1, false, {release_held, reserve_timed, reserve_timed, nothing}}, 8000, 0);
  return ok;
}

static bool run_end(void) {
  const uvf_overflow_t wait = UVF_OVERFLOW_WAIT;
  bool ok = true;
  ok = ok &&
       run("end, all waiting", {1, 0, wait, 1, false, {release_held, send_one, close_tx, recv_until_end}}, 8000, 0);
  ok =
      ok && run("end, a reserve", {1, 0, wait, 1, false, {send_held, reserve_send, close_rx, recv_until_end}}, 8000, 0);
  ok = ok && run("close, kept", {1, 0, wait, 1, false, {reserve_send, send_one, close_tx, nothing}}, 6000, 0);
  ok = ok &&
       run("abort, kept", {1, 0, wait, 1, false, {reserve_send, abort_rx, recv_until_end, recv_until_end}}, 6000, 0);
  ok = ok && run("end of two", {2, 0, wait, 2, false, {release_first, send_second, close_tx, recv_until_end}}, 8000, 0);
  ok = ok && run("last owner", {1, 0, wait, 1, true, {release_held, let_rx_go, nothing, nothing}}, 4000, 1);
  ok = ok &&
       run("last owner, end", {1, 0, wait, 1, true, {release_held, nothing, recv_until_end, recv_until_end}}, 6000, 1);
  ok = ok &&
       run("spsc", {2, UVF_SPSC, wait, 2, false, {send_one_release_one, close_rx, recv_until_end, nothing}}, 12000, 1);
  ok = ok && run("spsc, filled",
                 {2, UVF_SPSC, wait, 1, false, {fill_release_and_close, nothing, recv_until_end, nothing}}, 12000, 1);
  ok = ok && run("looks", {2, 0, wait, 1, false, {fill_release_and_close, nothing, look_until_end, recv_until_end}},
                 12000, 0);
  return ok;
}

int main(void) {
  bool ok = run_room() && run_end() && run_queue("ring", 2, UVF_OVERFLOW_WAIT) &&
            run_queue("blocks", UVF_UNBOUNDED, UVF_OVERFLOW_WAIT) && run_queue("locked", 2, UVF_OVERFLOW_DROP_OLDEST);
  return ok ? 0 : 1;
}
