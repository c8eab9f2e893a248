/* SPDX-License-Identifier: MIT */
/* The loops of chan_stress.c: a thread that runs libuv, on which senders and receivers live. Once in a while uvflow is detached
 * from it, under whatever is going on, and attached again. */
#ifndef LOOPERS_H
#define LOOPERS_H

#include "receivers.h"

static inline void looper_attach(looper_t *l) {
  uvf_loop_options_t o = loop_options();
  if (one_in(&l->rng, 4)) o.turn_items = 1 + rng_below(&l->rng, 30);
  if (one_in(&l->rng, 4)) o.turn_us = 1 + rng_below(&l->rng, 100);
  uvf_loop_t *loop = loop_attach(&l->uv, &o);
  (void)pthread_mutex_lock(&l->lock);
  l->loop = loop;
  (void)pthread_mutex_unlock(&l->lock);
  doing(l, "attached");
}

static inline void on_detached(void *data) {
  looper_t *l = data;
  must(pthread_equal(l->self, pthread_self()));
  must(l->detaching && l->loop == NULL);
  for (uint32_t i = 0; i < l->ends_count; i++)
    must(l->ends[i]->stopped && slots_idle(l->ends[i]));
  l->detaching = false;
  l->detached_times++;
  doing(l, "detached");
  if (l->last) uv_close((uv_handle_t *)&l->tick, NULL);
}

static inline void looper_detach(looper_t *l) {
  uvf_loop_t *loop = l->loop;
  doing(l, "detaching");
  (void)pthread_mutex_lock(&l->lock);
  l->loop = NULL;
  (void)pthread_mutex_unlock(&l->lock);
  l->detaching = true;
  must_be(uvf_loop_detach(loop, on_detached, l), 0, "uvf_loop_detach");
}

/* The ends that have left are taken off, in random order of visits. */
static inline void visit_ends(looper_t *l) {
  for (uint32_t i = 0; i < l->ends_count;) {
    end_t *e = l->ends[i];
    bool left = e->sends ? sender_tick(e) : receiver_tick(e);
    if (left)
      l->ends[i] = l->ends[--l->ends_count];
    else
      i++;
  }
}

static inline void on_tick(uv_timer_t *timer) {
  looper_t *l = timer->data;
  if (l->detaching) return;
  if (l->loop == NULL) looper_attach(l);
  visit_ends(l);
  l->last = l->ends_count == 0;
  if (l->last || (!the_round->lockstep && one_in(&l->rng, 40))) looper_detach(l);
  shake(&l->rng, the_round->seldom);
}

static inline void *looper_thread(void *arg) {
  looper_t *l = arg;
  l->self = pthread_self();
  loop_open(&l->uv);
  must_be(uv_timer_init(&l->uv, &l->tick), 0, "uv_timer_init");
  l->tick.data = l;
  must_be(uv_timer_start(&l->tick, on_tick, 0, 1), 0, "uv_timer_start");
  must(uv_run(&l->uv, UV_RUN_DEFAULT) == 0);
  loop_close(&l->uv);
  doing(l, "ended");
  return NULL;
}

#endif
