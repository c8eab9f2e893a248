/* SPDX-License-Identifier: MIT */
/* The host of test_host.h. Its functions are called by the loop, in callbacks and (wake) on other threads: they only
 * note. */
#include "support/test_host.h"

#include <time.h>

enum { MOST_TURNS = 100000 };

static void must(test_host_t *h, bool rule, const char *text) {
  const char *none = NULL;
  if (!rule) (void)atomic_compare_exchange_strong(&h->broken, &none, text);
}

static void must_be_inside(test_host_t *h) {
  must(h, pthread_equal(h->thread, pthread_self()), "a function of the host was called on another thread");
  must(h, !h->closing && !h->closed, "a function of the host was called after close");
}

/* ---- what the loop calls ---- */

static void on_wake(void *host) {
  test_host_t *h = host;
  (void)pthread_mutex_lock(&h->lock);
  must(h, !h->ringing, "a second wake is outstanding");
  must(h, !h->closing && !h->closed, "a wake after close");
  h->ringing = true;
  h->wakes++;
  (void)pthread_cond_signal(&h->rang);
  (void)pthread_mutex_unlock(&h->lock);
}

static void on_poll(void *host, bool on) {
  test_host_t *h = host;
  must_be_inside(h);
  if (on && !h->polling) h->polls++;
  h->polling = on;
}

static void on_keep_alive(void *host, bool on) {
  test_host_t *h = host;
  must_be_inside(h);
  must(h, h->alive != on, "keep_alive said nothing new");
  h->alive = on;
}

static void on_set_timer(void *host, uint64_t ms) {
  test_host_t *h = host;
  must_be_inside(h);
  h->timers++;
  h->timer_on = ms < UINT64_MAX - h->now; /* further away than that is never */
  h->timer_at = h->now + ms;
}

static uint64_t on_now(void *host) {
  test_host_t *h = host;
  must_be_inside(h);
  return h->now;
}

static void on_close(void *host, uvf_loop_t *loop) {
  test_host_t *h = host;
  must_be_inside(h);
  must(h, loop == h->loop, "close of another loop");
  (void)pthread_mutex_lock(&h->lock);
  must(h, !h->ringing, "closed while a ring is outstanding");
  h->closing = true;
  (void)pthread_mutex_unlock(&h->lock);
  h->polling = h->timer_on = false;
}

static bool on_stopped(void *host) {
  test_host_t *h = host;
  must_be_inside(h);
  return h->stop;
}

static void on_detached(void *data) {
  ((test_host_t *)data)->detached++;
}

/* ---- making one ---- */

uvf_host_t test_host_table(test_host_t *h) {
  return (uvf_host_t){.wake = on_wake,
                      .poll = on_poll,
                      .keep_alive = on_keep_alive,
                      .set_timer = on_set_timer,
                      .now = on_now,
                      .close = on_close,
                      .host = h,
                      .stopped = on_stopped};
}

void test_host_init_options(test_host_t *h, const uvf_loop_options_t *o) {
  pthread_condattr_t attr;
  memset(h, 0, sizeof *h);
  h->now = 1000;
  h->thread = pthread_self();
  assert_int_equal(pthread_condattr_init(&attr), 0);
  assert_int_equal(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC), 0);
  assert_int_equal(pthread_mutex_init(&h->lock, NULL), 0);
  assert_int_equal(pthread_cond_init(&h->rang, &attr), 0);
  assert_int_equal(pthread_condattr_destroy(&attr), 0);
  uvf_host_t table = test_host_table(h);
  assert_int_equal(uvf_loop_create(&table, o, &h->loop), 0);
}

void test_host_init(test_host_t *h) {
  uvf_loop_options_t o = {.turn_us = UINT32_MAX};
  test_host_init_options(h, &o);
}

void test_host_bind(test_host_t *h) {
  h->thread = pthread_self();
  assert_int_equal(uvf_loop_bind(h->loop), 0);
}

void test_host_stop(test_host_t *h) {
  h->stop = true;
}

/* ---- turns ---- */

static void check_rules(test_host_t *h) {
  const char *broken = atomic_load(&h->broken);
  if (broken != NULL) fail_msg("host: %s", broken);
}

static bool take_ring(test_host_t *h) {
  (void)pthread_mutex_lock(&h->lock);
  bool rang = h->ringing;
  h->ringing = false;
  (void)pthread_mutex_unlock(&h->lock);
  return rang;
}

static void give_back(test_host_t *h) {
  h->closing = false;
  h->closed = true;
  uvf_loop_host_closed(h->loop);
}

bool test_host_turn(test_host_t *h) {
  bool rang = take_ring(h), due = h->timer_on && h->timer_at <= h->now;
  if (h->closing) {
    give_back(h);
    check_rules(h);
    return true;
  }
  if (!rang && !due && !h->polling) return false;
  if (due) h->timer_on = false;
  h->turns++;
  uvf_loop_drain(h->loop, rang);
  if (h->closing && h->close_at_once) give_back(h);
  h->stop = false;
  check_rules(h);
  return true;
}

void test_host_run(test_host_t *h) {
  for (int i = 0; test_host_turn(h); i++)
    if (i == MOST_TURNS) fail_msg("the loop never comes to rest");
}

void test_host_await_wake(test_host_t *h) {
  struct timespec until;
  int r = 0;
  (void)clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += TEST_PATIENCE_S;
  (void)pthread_mutex_lock(&h->lock);
  while (!h->ringing && r == 0)
    r = pthread_cond_timedwait(&h->rang, &h->lock, &until);
  bool rang = h->ringing;
  (void)pthread_mutex_unlock(&h->lock);
  assert_true(rang);
}

void test_host_run_until(test_host_t *h, const int *goal, int n) {
  while (*goal < n)
    if (!test_host_turn(h)) test_host_await_wake(h);
}

void test_host_advance(test_host_t *h, uint64_t ms) {
  uint64_t until = h->now + ms;
  while (h->timer_on && h->timer_at <= until) {
    if (h->timer_at > h->now) h->now = h->timer_at;
    test_host_run(h);
  }
  h->now = until;
  test_host_run(h);
}

/* ---- the end ---- */

int test_host_detach_start(test_host_t *h) {
  return uvf_loop_detach(h->loop, on_detached, h);
}

void test_host_finish(test_host_t *h) {
  for (int i = 0; !h->closed; i++) {
    if (!test_host_turn(h)) test_host_await_wake(h);
    if (i == MOST_TURNS) fail_msg("the detach never ends");
  }
  check_rules(h);
  assert_int_equal(h->detached, 1);
  assert_false(h->ringing);
  h->loop = NULL;
  assert_int_equal(pthread_cond_destroy(&h->rang), 0);
  assert_int_equal(pthread_mutex_destroy(&h->lock), 0);
}

void test_host_detach(test_host_t *h) {
  assert_int_equal(test_host_detach_start(h), 0);
  test_host_finish(h);
}
