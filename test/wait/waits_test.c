/* SPDX-License-Identifier: MIT */
/* Waiting lists: who is fired, in which order, and how blocked threads and loops hear of it. */
#include "wait/event.h"

#include <sched.h>

#include "base/clock.h"

enum { MANY = 40, THREADS = 4, ROUNDS = 2000 }; /* MANY: more than a bells_t holds */

/* Until n waits have begun on it. */
static void until_begun(event_t *e, uint64_t n) {
  for (uint64_t begun = 0; begun < n; (void)sched_yield()) {
    uvf__lock(&e->waits.lock);
    begun = e->waits.begun;
    uvf__unlock(&e->waits.lock);
  }
}

/* ---- on loops ---- */

static void waiters_are_served_first_come_first_served(void **state) {
  test_host_t h;
  event_t e;
  record_t r = {0};
  uvf_req_t reqs[5] = {{.data = NULL}};
  (void)state;
  test_host_init(&h);
  event_init(&e);
  for (int i = 0; i < 5; i++) {
    reqs[i].data = &r;
    assert_int_equal(event_wait(h.loop, &reqs[i], &e, UVF_FOREVER), 0);
  }
  event_grant(&e, 2, 0);
  test_host_run(&h);
  assert_int_equal(r.calls, 2);
  event_grant(&e, INT_MAX, UV_EOF);
  test_host_run(&h);
  assert_int_equal(r.calls, 5);
  for (int i = 0; i < 5; i++) {
    assert_ptr_equal(r.from[i], &reqs[i]);
    assert_int_equal(r.status[i], i < 2 ? 0 : UV_EOF);
  }
  test_host_detach(&h);
  event_destroy(&e, 5);
}

static void a_grant_goes_past_those_who_have_left(void **state) {
  test_host_t h;
  event_t e;
  record_t r = {0}, gone = {0};
  uvf_req_t reqs[3] = {{.data = &gone}, {.data = &gone}, {.data = &r}};
  (void)state;
  test_host_init(&h);
  event_init(&e);
  for (int i = 0; i < 3; i++)
    assert_int_equal(event_wait(h.loop, &reqs[i], &e, UVF_FOREVER), 0);
  assert_int_equal(uvf_cancel(&reqs[0]), 0);
  assert_int_equal(uvf_cancel(&reqs[1]), 0);
  event_grant(&e, 1, 0);
  test_host_run(&h);
  assert_int_equal(gone.calls, 2);
  assert_int_equal(gone.status[0], UV_ECANCELED);
  assert_int_equal(r.calls, 1);
  assert_int_equal(r.status[0], 0);
  test_host_detach(&h);
  event_destroy(&e, 3);
}

static void a_grant_goes_past_who_is_just_leaving(void **state) {
  test_host_t h;
  event_t e;
  record_t gone = {0}, r = {0};
  uvf_req_t first = {.data = &gone}, second = {.data = &r};
  (void)state;
  test_host_init(&h);
  event_init(&e);
  assert_int_equal(event_wait(h.loop, &first, &e, UVF_FOREVER), 0);
  assert_int_equal(event_wait(h.loop, &second, &e, UVF_FOREVER), 0);
  e.grant_at_leave = true;
  assert_int_equal(uvf_cancel(&first), 0);
  test_host_run(&h);
  assert_int_equal(gone.calls, 1);
  assert_int_equal(gone.status[0], UV_ECANCELED);
  assert_int_equal(r.calls, 1);
  assert_int_equal(r.status[0], 0);
  test_host_detach(&h);
  event_destroy(&e, 2);
}

static void the_mark_is_set_exactly_while_somebody_waits(void **state) {
  test_host_t h;
  event_t e;
  record_t r = {0};
  uvf_req_t reqs[2] = {{.data = &r}, {.data = &r}};
  (void)state;
  test_host_init(&h);
  event_init(&e);
  assert_int_equal(uvf__waits_look(&e.waits), 0);
  assert_int_equal(event_wait(h.loop, &reqs[0], &e, UVF_FOREVER), 0);
  assert_int_equal(event_wait(h.loop, &reqs[1], &e, UVF_FOREVER), 0);
  assert_int_equal(uvf__waits_look(&e.waits), UVF__MARK_RX);
  event_grant(&e, 1, 0);
  assert_int_equal(uvf__waits_look(&e.waits), UVF__MARK_RX);
  assert_int_equal(uvf_cancel(&reqs[1]), 0);
  assert_int_equal(uvf__waits_look(&e.waits), 0);
  test_host_detach(&h);
  event_destroy(&e, 2);
}

/* What uvf_dump shows: a look in vain does not begin a new wait. */
static void who_looked_in_vain_waits_since_its_first_time(void **state) {
  event_t e;
  uvf__op_t op = {.loop = NULL};
  uvf__waiter_t w;
  (void)state;
  event_init(&e);
  uvf__waiter_init(&w, &op, NULL, NULL, NULL);
  uvf__waits_link(&e.waits, &e.waits.rx, &w, false);
  assert_true(w.since_us > 0 && w.since_us <= uvf__clock_us());
  uvf__waits_unlink(&e.waits, &e.waits.rx, &w);
  w.since_us = 1;
  uvf__waits_link(&e.waits, &e.waits.rx, &w, true);
  assert_int_equal(w.since_us, 1);
  uvf__waits_unlink(&e.waits, &e.waits.rx, &w);
  event_destroy(&e, 0);
}

static void many_waiters_of_one_loop_cost_one_ring(void **state) {
  test_host_t h;
  event_t e;
  record_t r = {0};
  uvf_req_t reqs[MANY] = {{.data = NULL}};
  (void)state;
  test_host_init(&h);
  event_init(&e);
  for (int i = 0; i < MANY; i++) {
    reqs[i].data = &r;
    assert_int_equal(event_wait(h.loop, &reqs[i], &e, UVF_FOREVER), 0);
  }
  event_grant(&e, INT_MAX, 0);
  assert_int_equal(h.wakes, 1);
  test_host_run(&h);
  assert_int_equal(r.calls, MANY);
  assert_int_equal(h.turns, 1);
  test_host_detach(&h);
  event_destroy(&e, MANY);
}

static void waiters_of_many_loops_are_each_rung_once(void **state) {
  static test_host_t h[MANY];
  event_t e;
  record_t r = {0};
  uvf_req_t reqs[MANY] = {{.data = NULL}};
  (void)state;
  event_init(&e);
  for (int i = 0; i < MANY; i++) {
    test_host_init(&h[i]);
    reqs[i].data = &r;
    assert_int_equal(event_wait(h[i].loop, &reqs[i], &e, UVF_FOREVER), 0);
  }
  event_grant(&e, INT_MAX, 0);
  for (int i = 0; i < MANY; i++) {
    assert_int_equal(h[i].wakes, 1);
    test_host_run(&h[i]);
    assert_int_equal(r.calls, i + 1);
    test_host_detach(&h[i]);
  }
  event_destroy(&e, MANY);
}

static void what_comes_between_the_try_and_the_wait_is_not_missed(void **state) {
  test_host_t h;
  event_t e;
  record_t r = {0};
  uvf_req_t req = {.data = &r};
  (void)state;
  test_host_init(&h);
  event_init(&e);
  e.set_behind = true;
  assert_int_equal(event_wait(h.loop, &req, &e, UVF_FOREVER), 0);
  test_host_run(&h);
  assert_int_equal(r.calls, 1);
  assert_int_equal(r.status[0], 0);
  test_host_detach(&h);
  event_destroy(&e, 1);
}

static void the_heavy_fence_changes_nothing_else(void **state) {
  test_host_t h;
  event_t e;
  record_t r = {0};
  uvf_req_t req = {.data = &r};
  (void)state;
  uvf__fence_setup();
  test_host_init(&h);
  memset(&e, 0, sizeof e);
  assert_int_equal(uvf__waits_init(&e.waits, UVF__FENCE_HEAVY), 0);
  assert_int_equal(event_wait(h.loop, &req, &e, UVF_FOREVER), 0);
  event_grant(&e, 1, 0);
  test_host_run(&h);
  assert_int_equal(r.calls, 1);
  test_host_detach(&h);
  event_destroy(&e, 1);
}

/* ---- blocked threads ---- */

typedef struct {
  event_t *event;
  uint64_t timeout;
  int result;
  thread_t thread;
} sleeper_t;

static void wait_blocked(void *arg) {
  sleeper_t *s = arg;
  s->result = uvf__wait_blocking(&event_type, s->event, NULL, s->timeout);
}

static void start_sleeper(sleeper_t *s, event_t *e, uint64_t timeout) {
  s->event = e;
  s->timeout = timeout;
  s->result = 1;
  thread_start(&s->thread, wait_blocked, s);
}

static void a_blocked_thread_does_not_wait_for_what_is_there(void **state) {
  event_t e;
  (void)state;
  event_init(&e);
  event_change(&e, true);
  assert_int_equal(uvf__wait_blocking(&event_type, &e, NULL, UVF_FOREVER), 0);
  event_destroy(&e, 0);
}

static void a_blocked_thread_gives_up_at_its_time(void **state) {
  event_t e;
  (void)state;
  event_init(&e);
  assert_int_equal(uvf__wait_blocking(&event_type, &e, NULL, UVF_NOWAIT), UV_ETIMEDOUT);
  assert_int_equal(uvf__wait_blocking(&event_type, &e, NULL, 1), UV_ETIMEDOUT);
  assert_int_equal(uvf__wait_blocking(&event_type, &e, NULL, 3), UV_ETIMEDOUT);
  event_destroy(&e, 0);
}

static void many_blocked_threads_are_woken_in_their_order(void **state) {
  event_t e;
  static sleeper_t s[MANY];
  (void)state;
  event_init(&e);
  for (int i = 0; i < MANY; i++) {
    start_sleeper(&s[i], &e, i % 2 == 0 ? UVF_FOREVER : UINT64_MAX - 1);
    until_begun(&e, (uint64_t)i + 1);
  }
  for (int i = 0; i < 3; i++) {
    event_grant(&e, 1, UV_EOF);
    thread_join(&s[i].thread);
    assert_int_equal(s[i].result, UV_EOF);
  }
  event_grant(&e, INT_MAX, 0);
  for (int i = 3; i < MANY; i++) {
    thread_join(&s[i].thread);
    assert_int_equal(s[i].result, 0);
  }
  event_destroy(&e, 0);
}

static void a_blocked_thread_that_tries_in_vain_waits_on(void **state) {
  event_t e;
  sleeper_t s;
  (void)state;
  event_init(&e);
  start_sleeper(&s, &e, UVF_FOREVER);
  until_begun(&e, 1);
  for (int i = 0; i < 50; i++) {
    int before = atomic_load(&e.attempts);
    event_tease(&e, 1);
    while (atomic_load(&e.attempts) == before) {
      event_tease(&e, 1); /* it may not have been linked again yet */
      (void)sched_yield();
    }
  }
  event_set(&e, 1);
  thread_join(&s.thread);
  assert_int_equal(s.result, 0);
  event_destroy(&e, 0);
}

/* Decides the first waiter now, and tells it only when its time is long over. */
static void grant_slowly(event_t *e, int outcome, uint64_t tell_at_us) {
  uvf__bells_t bells = uvf__bells_none();
  uvf__lock(&e->waits.lock);
  bool fired = uvf__waits_fire(&e->waits, &e->waits.rx, outcome, &bells);
  uvf__unlock(&e->waits.lock);
  while (uvf__clock_us() < tell_at_us)
    (void)sched_yield();
  uvf__bells_ring(&bells);
  assert_true(fired);
}

static void an_outcome_decided_in_time_counts_though_it_is_told_too_late(void **state) {
  event_t e;
  sleeper_t s;
  enum { MS = 100 };
  (void)state;
  event_init(&e);
  uint64_t began = uvf__clock_us();
  start_sleeper(&s, &e, MS);
  until_begun(&e, 1);
  if (uvf__clock_us() < began + MS * 1000 / 2) /* else the machine was too slow for this */
    grant_slowly(&e, UV_EOF, uvf__clock_us() + 2 * MS * 1000);
  thread_join(&s.thread);
  assert_true(s.result == UV_EOF || (s.result == UV_ETIMEDOUT && uvf__waits_fired(&e.waits) == 0));
  event_destroy(&e, 0);
}

/* Grants against timeouts of a millisecond: who timed out got nothing, and each grant went to one thread or to none. */
typedef struct {
  event_t *event;
  thread_t thread;
  int granted, timed_out, strange;
} racer_t;

static void wait_briefly(void *arg) {
  racer_t *r = arg;
  for (int i = 0; i < ROUNDS / 10; i++) {
    int e = uvf__wait_blocking(&event_type, r->event, NULL, 1);
    r->granted += e == UV_EOF;
    r->timed_out += e == UV_ETIMEDOUT;
    r->strange += e != UV_EOF && e != UV_ETIMEDOUT;
  }
}

static void grants_and_timeouts_race_and_each_wait_has_one_outcome(void **state) {
  event_t e;
  racer_t racers[THREADS];
  uint64_t granted = 0;
  int left = THREADS * (ROUNDS / 10);
  (void)state;
  memset(racers, 0, sizeof racers);
  event_init(&e);
  for (int i = 0; i < THREADS; i++) {
    racers[i].event = &e;
    thread_start(&racers[i].thread, wait_briefly, &racers[i]);
  }
  for (int i = 0; i < 10 * ROUNDS; i++) {
    event_grant(&e, 1, UV_EOF);
    if (i % 50 == 0) (void)sched_yield();
  }
  for (int i = 0; i < THREADS; i++) {
    thread_join(&racers[i].thread);
    assert_int_equal(racers[i].strange, 0);
    granted += (uint64_t)racers[i].granted;
    left -= racers[i].granted + racers[i].timed_out;
  }
  assert_int_equal(left, 0);
  assert_int_equal(uvf__waits_fired(&e.waits), granted);
  event_destroy(&e, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      UVF_TEST(waiters_are_served_first_come_first_served),
      UVF_TEST(a_grant_goes_past_those_who_have_left),
      UVF_TEST(a_grant_goes_past_who_is_just_leaving),
      UVF_TEST(the_mark_is_set_exactly_while_somebody_waits),
      UVF_TEST(who_looked_in_vain_waits_since_its_first_time),
      UVF_TEST(many_waiters_of_one_loop_cost_one_ring),
      UVF_TEST(waiters_of_many_loops_are_each_rung_once),
      UVF_TEST(what_comes_between_the_try_and_the_wait_is_not_missed),
      UVF_TEST(the_heavy_fence_changes_nothing_else),
      UVF_TEST(a_blocked_thread_does_not_wait_for_what_is_there),
      UVF_TEST(a_blocked_thread_gives_up_at_its_time),
      UVF_TEST(many_blocked_threads_are_woken_in_their_order),
      UVF_TEST(a_blocked_thread_that_tries_in_vain_waits_on),
      UVF_TEST(an_outcome_decided_in_time_counts_though_it_is_told_too_late),
      UVF_TEST(grants_and_timeouts_race_and_each_wait_has_one_outcome),
  };
  return RUN_TESTS(tests);
}
