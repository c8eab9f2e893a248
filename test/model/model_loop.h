/* SPDX-License-Identifier: MIT */
/* A host for loops under the model checker, as strict as libuv is: its bell is libuv's `pending` flag, looked at with no
 * order at all (libuv before 1.53), in front of a kernel that orders nothing either. The bell's memory is freed when the host
 * was closed: a ring that comes later is reported. */
#ifndef UVF_TEST_MODEL_LOOP_H
#define UVF_TEST_MODEL_LOOP_H

#include "model.h"

#include <uvflow/host.h>
#include <uvflow/loop.h>

#include "wait/loop.h"

typedef struct {
  a_u32 pending, kernel;
} model_bell_t;

typedef struct {
  model_bell_t *bell;
  uvf_loop_t *loop;
  int thread;
  bool polling, closing, closed;
  uint32_t kept;
  uint64_t now, timer_at;
} model_host_t;

static void host_wake(void *host) {
  model_bell_t *bell = ((model_host_t *)host)->bell;
  uint32_t no = 0;
  if (a_load(&bell->pending, relaxed) != 0) return;
  if (a_cas(&bell->pending, &no, 1, relaxed, relaxed)) (void)a_swap(&bell->kernel, 1, relaxed);
}

static void host_poll(void *host, bool on) {
  ((model_host_t *)host)->polling = on;
}

static void host_keep_alive(void *host, bool on) {
  ((model_host_t *)host)->kept = on;
}

static void host_set_timer(void *host, uint64_t ms) {
  model_host_t *h = (model_host_t *)host;
  h->timer_at = ms == UINT64_MAX ? ms : h->now + ms;
}

static uint64_t host_now(void *host) {
  return ((model_host_t *)host)->now;
}

static void host_close(void *host, uvf_loop_t *loop) {
  (void)loop;
  ((model_host_t *)host)->closing = true;
}

/* A loop that thread `index` of the scenario will run. */
static uvf_loop_t *model_loop_create(model_host_t *h, int index) {
  uvf_host_t host;
  memset(&host, 0, sizeof host);
  host.wake = host_wake;
  host.poll = host_poll;
  host.keep_alive = host_keep_alive;
  host.set_timer = host_set_timer;
  host.now = host_now;
  host.close = host_close;
  host.host = h;
  h->bell = model_new<model_bell_t>();
  a_init(&h->bell->pending, 0);
  a_init(&h->bell->kernel, 0);
  h->thread = index;
  h->timer_at = UINT64_MAX;
  model_act_as(index);
  RL_ASSERT(uvf_loop_create(&host, NULL, &h->loop) == 0);
  model_act_as(-1);
  return h->loop;
}

/* One turn, on the loop's thread. False: there was nothing to do, the loop would sleep. */
static bool model_turn(model_host_t *h) {
  if (h->closed) return false;
  if (h->closing) {
    uvf__free(h->bell);
    h->bell = NULL;
    h->closed = true;
    uvf_loop_host_closed(h->loop);
    return false;
  }
  if (a_swap(&h->bell->kernel, 0, relaxed) != 0) {
    (void)a_swap(&h->bell->pending, 0, acq_rel);
    uvf_loop_drain(h->loop, true);
    return true;
  }
  if (h->timer_at <= h->now) {
    h->timer_at = UINT64_MAX;
    uvf_loop_drain(h->loop, false);
    return true;
  }
  if (h->polling) uvf_loop_drain(h->loop, false);
  return h->polling || h->closing;
}

/* Until it would sleep for ever. In after(): what was rung arrives. */
static void model_settle(model_host_t *h) {
  model_act_as(h->thread);
  for (int i = 0; i < 50 && model_turn(h); i++) {
  }
  model_act_as(-1);
}

/* In after(): ends the loop, if that has not been done. */
static void model_loop_end(model_host_t *h) {
  model_act_as(h->thread);
  if (!h->closing && !h->closed) (void)uvf_loop_detach(h->loop, NULL, NULL);
  model_act_as(-1);
  model_settle(h);
  model_settle(h);
  RL_ASSERT(h->closed);
}

#endif
