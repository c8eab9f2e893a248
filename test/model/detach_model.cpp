/* SPDX-License-Identifier: MIT */
/* Requests and readers of a loop against senders and receivers on other threads: served, notified, passed on (the chain
 * rule: a loop that finds a slot claimed and unwritten sleeps again), cancelled, stopped, and ended by a detach. Their memory
 * is freed in the callback, or right after the stop: whoever touches it later is found.
 * sources: chan/queued.c chan/queued_wait.c chan/overflow.c chan/chan.c chan/create.c chan/close.c chan/send.c chan/recv.c chan/stats.c
 * sources: chan/rendezvous.c chan/dump.c chan/reader.c
 * sources: wait/pace.c queue/mpmc_ring.c queue/block_list.c queue/spsc_ring.c queue/locked_ring.c queue/cell.c base/fence.c base/heap.c
 * sources: wait/blocked.c wait/waits.c wait/op.c wait/bells.c wait/ready.c wait/loop.c wait/request.c wait/deadline.c
 * sources: wait/detach.c wait/post.c wait/drain.c
 * flags: -DSPINS=0 -DBUSY_PAUSES=0 -DBLOCK_BYTES=640 -DMIN_LAP_BITS=1 -DMAX_LAP_BITS=2 -DFIRST_SLOTS=1 */
#include "model_loop.h"

#include <uvflow/chan.h>

#include "chan/chan.h"

enum what_t { SENDS, RECEIVES, READS };
enum end_t { KEEP, CANCEL, DETACH };

typedef struct {
  size_t capacity;
  what_t what;
  end_t end;
} scenario_t;

/* A request and its item, in one block that the callback frees. */
typedef struct {
  model_room<uvf_req_t> req;
  model_item_t item;
  int index;
} request_t;

typedef struct {
  model_host_t host;
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  request_t *request[2];
  model_room<uvf_reader_t> *reader;
  bool cancelled[2];
  int calls, accepted, got;
} state_t;

static const scenario_t *scenario;
static state_t *s;

static void finished(request_t *r) {
  s->calls++;
  s->request[r->index] = NULL;
  uvf__free(r);
}

static void on_sent(uvf_req_t *req, int status) {
  request_t *r = uvf__container(req, request_t, req);
  RL_ASSERT(status == 0 || (status == UV_ECANCELED && scenario->end != KEEP));
  if (status == 0) s->accepted++;
  finished(r);
}

static void on_received(uvf_req_t *req, int status) {
  request_t *r = uvf__container(req, request_t, req);
  RL_ASSERT(status == 0 || (status == UV_ECANCELED && scenario->end != KEEP));
  if (status == 0) {
    RL_ASSERT(item_get(&r->item) != 0);
    s->got++;
  }
  finished(r);
}

static void on_read(uvf_reader_t *reader, int n, void *items) {
  if (n > 0) s->got += n;
  for (int i = 0; i < n; i++)
    RL_ASSERT(item_get((char *)items + i * sizeof(model_item_t)) != 0);
  if (n > 0) return;
  RL_ASSERT(n == UV_ECANCELED && scenario->end == DETACH && &s->reader->t == reader);
  uvf__free(s->reader);
  s->reader = NULL;
}

struct model : rl::test_suite<model, 3> {
  void start_request(int i) {
    request_t *r = model_new<request_t>();
    r->index = i;
    item_set(&r->item, scenario->what == SENDS ? 10 + i : 0);
    s->request[i] = r;
    if (scenario->what == SENDS)
      RL_ASSERT(uvf_send(s->host.loop, &r->req.t, s->tx, &r->item, UVF_FOREVER, on_sent) == 0);
    else
      RL_ASSERT(uvf_recv(s->host.loop, &r->req.t, s->rx, &r->item, UVF_FOREVER, on_received) == 0);
  }

  void before() {
    model_begin();
    s = model_new<state_t>();
    uvf_chan_options_t o;
    memset(&o, 0, sizeof o);
    o.item_size = sizeof(model_item_t);
    o.capacity = scenario->capacity;
    RL_ASSERT(uvf_chan_create(&o, &s->tx, &s->rx) == 0);
    (void)model_loop_create(&s->host, 2);
    model_act_as(2);
    if (scenario->what == SENDS) other_send(1);
    if (scenario->what == READS) {
      s->reader = model_new<model_room<uvf_reader_t>>();
      RL_ASSERT(uvf_reader_start(s->host.loop, &s->reader->t, s->rx, NULL, on_read) == 0);
      for (int i = 0; i < 6; i++) /* until it waits */
        (void)model_turn(&s->host);
    } else {
      start_request(0);
      start_request(1);
    }
    model_act_as(-1);
  }

  void other_send(uint64_t v) {
    model_item_t item;
    memset((void *)&item, 0, sizeof item);
    item_set(&item, v);
    if (uvf_try_send(s->tx, &item) == 0) s->accepted++;
    model_forget(&item, sizeof item);
  }

  void other_receive() {
    model_item_t item;
    memset((void *)&item, 0, sizeof item);
    if (uvf_try_recv(s->rx, &item) == 0) s->got++;
    model_forget(&item, sizeof item);
  }

  void end_something() {
    if (scenario->end == DETACH) {
      RL_ASSERT(uvf_loop_detach(s->host.loop, NULL, NULL) == 0);
    } else if (s->reader != NULL) {
      RL_ASSERT(uvf_reader_stop(&s->reader->t) == 0);
      uvf__free(s->reader);
      s->reader = NULL;
    } else if (s->request[0] != NULL) {
      (void)uvf_cancel(&s->request[0]->req.t);
    }
  }

  void run_loop() {
    for (int i = 0; i < 2; i++) {
      if (rl::rand(2) != 0) (void)model_turn(&s->host);
      if (i == 0 && scenario->end != KEEP) end_something();
    }
  }

  void thread(unsigned index) {
    if (index == 2)
      run_loop();
    else if (scenario->what == SENDS)
      other_receive();
    else
      other_send(1 + index);
  }

  void after() {
    model_settle(&s->host);
    bool open = scenario->end != DETACH;
    if (scenario->what == RECEIVES && open && scenario->end == KEEP) RL_ASSERT(s->calls == 2 && s->got == 2);
    if (scenario->what == RECEIVES && scenario->end == CANCEL) RL_ASSERT(s->request[0] == NULL);
    if (scenario->what == RECEIVES && scenario->end == CANCEL) RL_ASSERT(s->calls == 2); /* a wake is passed on */
    if (scenario->what == READS && scenario->end == KEEP) RL_ASSERT(s->got == s->accepted);
    if (scenario->what == SENDS && open) RL_ASSERT(s->calls == 2 || s->accepted - s->got == (int)scenario->capacity);
    model_act_as(2);
    if (s->reader != NULL && open) {
      RL_ASSERT(uvf_reader_stop(&s->reader->t) == 0);
      uvf__free(s->reader);
    }
    for (int i = 0; i < 3; i++)
      other_receive();
    model_act_as(-1);
    model_settle(&s->host);
    model_act_as(2);
    for (int i = 0; i < 3; i++)
      other_receive();
    if (s->request[0] != NULL) (void)uvf_cancel(&s->request[0]->req.t);
    if (s->request[1] != NULL) (void)uvf_cancel(&s->request[1]->req.t);
    model_act_as(-1);
    model_settle(&s->host);
    RL_ASSERT(s->got == s->accepted && s->request[0] == NULL && s->request[1] == NULL);
    uvf_tx_release(s->tx);
    uvf_rx_release(s->rx);
    model_loop_end(&s->host);
    uvf__free(s);
    model_end();
  }
};

static bool run(const char *name, scenario_t what, unsigned random) {
  scenario = &what;
  return model_run<model>(name, random, 1);
}

int main(void) {
  bool ok = run("requests that send", {1, SENDS, KEEP}, 15000) && run("cancelled", {1, SENDS, CANCEL}, 20000) &&
            run("detached", {1, SENDS, DETACH}, 20000);
  ok = ok && run("requests that receive", {2, RECEIVES, KEEP}, 20000) &&
       run("receiving, cancelled", {2, RECEIVES, CANCEL}, 20000) &&
       run("receiving, detached", {2, RECEIVES, DETACH}, 20000);
  ok = ok && run("a reader", {2, READS, KEEP}, 10000) && run("a reader, stopped", {2, READS, CANCEL}, 20000) &&
       run("a reader, detached", {2, READS, DETACH}, 20000);
  return ok ? 0 : 1;
}
