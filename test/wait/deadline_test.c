/* SPDX-License-Identifier: MIT */
/* Timeouts and cancels of requests, on a clock that moves when the test says so. */
#include "wait/event.h"

enum { MANY = 500 };

typedef struct {
  test_host_t h;
  event_t e;
  record_t r;
} fixture_t;

static void open_fixture(fixture_t *f) {
  test_host_init(&f->h);
  event_init(&f->e);
  memset(&f->r, 0, sizeof f->r);
}

/* `waits` were begun in all, and each has called back once. */
static void close_fixture(fixture_t *f, int waits) {
  test_host_detach(&f->h);
  assert_int_equal(f->r.calls, waits);
  event_destroy(&f->e, waits);
}

static void start(fixture_t *f, uvf_req_t *req, uint64_t timeout) {
  req->data = &f->r;
  assert_int_equal(event_wait(f->h.loop, req, &f->e, timeout), 0);
}

/* The latest callback was that of req, with status; so many there were. */
static void expect_call(const fixture_t *f, int calls, const uvf_req_t *req, int status) {
  assert_int_equal(f->r.calls, calls);
  assert_ptr_equal(f->r.from[calls - 1], req);
  assert_int_equal(f->r.status[calls - 1], status);
}

/* ---- timeouts ---- */

static void a_timeout_comes_at_its_millisecond_and_once(void **state) {
  fixture_t f;
  uvf_req_t req = {0};
  (void)state;
  open_fixture(&f);
  start(&f, &req, 100);
  test_host_advance(&f.h, 99);
  assert_int_equal(f.r.calls, 0);
  assert_true(uvf_req_active(&req));
  test_host_advance(&f.h, 1);
  expect_call(&f, 1, &req, UV_ETIMEDOUT);
  assert_false(uvf_req_active(&req));
  test_host_advance(&f.h, 1000);
  close_fixture(&f, 1);
}

static void timeouts_come_in_the_order_of_their_deadlines(void **state) {
  static const uint64_t after[] = {50, 10, 30, 20, 40};
  static const int order[] = {1, 3, 2, 4, 0};
  fixture_t f;
  uvf_req_t reqs[5] = {{.data = NULL}};
  (void)state;
  open_fixture(&f);
  for (int i = 0; i < 5; i++)
    start(&f, &reqs[i], after[i]);
  for (int i = 0; i < 5; i++) {
    test_host_advance(&f.h, 10);
    expect_call(&f, i + 1, &reqs[order[i]], UV_ETIMEDOUT);
  }
  close_fixture(&f, 5);
}

static void deadlines_that_pass_together_still_come_in_their_order(void **state) {
  fixture_t f;
  static uvf_req_t reqs[RECORD_MAX];
  (void)state;
  memset(reqs, 0, sizeof reqs);
  open_fixture(&f);
  for (int i = 0; i < RECORD_MAX; i++)
    start(&f, &reqs[i], 1 + (uint64_t)i * 37 % RECORD_MAX);
  f.h.now += 10000; /* the loop was busy for a while */
  test_host_run(&f.h);
  assert_int_equal(f.r.calls, RECORD_MAX);
  for (int i = 0; i < RECORD_MAX; i++)
    assert_ptr_equal(f.r.from[i * 37 % RECORD_MAX], &reqs[i]);
  close_fixture(&f, RECORD_MAX);
}

static void only_an_earlier_deadline_sets_the_host_s_timer(void **state) {
  fixture_t f;
  uvf_req_t reqs[4] = {{.data = NULL}};
  (void)state;
  open_fixture(&f);
  start(&f, &reqs[0], 100);
  assert_int_equal(f.h.timers, 1);
  start(&f, &reqs[1], 200);
  start(&f, &reqs[2], 100);
  assert_int_equal(f.h.timers, 1);
  start(&f, &reqs[3], 10);
  assert_int_equal(f.h.timers, 2);
  assert_true(f.h.timer_on && f.h.timer_at == f.h.now + 10);
  test_host_advance(&f.h, 10);
  assert_true(f.h.timer_on && f.h.timer_at == f.h.now + 90);
  close_fixture(&f, 4);
}

static void a_timeout_of_0_does_not_wait(void **state) {
  fixture_t f;
  uvf_req_t req = {0};
  (void)state;
  open_fixture(&f);
  start(&f, &req, UVF_NOWAIT);
  assert_int_equal(f.r.calls, 0); /* never inside the call */
  assert_true(uvf_req_active(&req));
  test_host_run(&f.h);
  expect_call(&f, 1, &req, UV_ETIMEDOUT);
  event_change(&f.e, true);
  start(&f, &req, UVF_NOWAIT);
  test_host_run(&f.h);
  expect_call(&f, 2, &req, 0);
  assert_int_equal(f.h.timers, 0);
  close_fixture(&f, 2);
}

static void timeouts_beyond_the_clock_mean_for_ever(void **state) {
  fixture_t f;
  uvf_req_t reqs[4] = {{.data = NULL}};
  (void)state;
  open_fixture(&f);
  start(&f, &reqs[0], UVF_FOREVER);
  start(&f, &reqs[1], UINT64_MAX - 1);
  start(&f, &reqs[2], UINT64_MAX - f.h.now);
  start(&f, &reqs[3], UINT64_MAX - f.h.now + 1);
  assert_int_equal(f.h.timers, 0);
  test_host_advance(&f.h, UINT64_C(1) << 62);
  assert_int_equal(f.r.calls, 0);
  close_fixture(&f, 4);
  for (int i = 0; i < 4; i++)
    assert_int_equal(f.r.status[i], UV_ECANCELED);
}

static void the_last_millisecond_of_the_clock_is_a_deadline(void **state) {
  fixture_t f;
  uvf_req_t req = {0};
  (void)state;
  open_fixture(&f);
  start(&f, &req, UINT64_MAX - 1 - f.h.now);
  test_host_advance(&f.h, UINT64_MAX - 2 - f.h.now);
  assert_int_equal(f.r.calls, 0);
  test_host_advance(&f.h, 1);
  expect_call(&f, 1, &req, UV_ETIMEDOUT);
  close_fixture(&f, 1);
}

/* ---- outcomes and timeouts ---- */

static void an_outcome_takes_the_deadline_away(void **state) {
  fixture_t f;
  uvf_req_t req = {0};
  (void)state;
  open_fixture(&f);
  start(&f, &req, 10);
  event_grant(&f.e, 1, 0);
  test_host_run(&f.h);
  expect_call(&f, 1, &req, 0);
  test_host_advance(&f.h, 100);
  close_fixture(&f, 1);
}

static void an_outcome_that_is_on_its_way_beats_the_timeout(void **state) {
  fixture_t f;
  uvf_req_t req = {0};
  (void)state;
  open_fixture(&f);
  start(&f, &req, 10);
  event_grant(&f.e, 1, UV_EPIPE);
  test_host_advance(&f.h, 10); /* both in one turn */
  expect_call(&f, 1, &req, UV_EPIPE);
  close_fixture(&f, 1);
}

static void who_is_told_to_try_at_the_last_moment_still_tries(void **state) {
  fixture_t f;
  uvf_req_t req = {0};
  (void)state;
  open_fixture(&f);
  start(&f, &req, 10);
  event_set(&f.e, 1);
  f.h.now += 10;
  test_host_run(&f.h);
  expect_call(&f, 1, &req, 0);
  close_fixture(&f, 1);
}

static void who_is_told_to_try_in_vain_at_the_last_moment_has_timed_out(void **state) {
  fixture_t f;
  uvf_req_t req = {0};
  (void)state;
  open_fixture(&f);
  start(&f, &req, 10);
  event_tease(&f.e, 1);
  f.h.now += 10;
  test_host_run(&f.h);
  expect_call(&f, 1, &req, UV_ETIMEDOUT);
  close_fixture(&f, 1);
}

static void a_try_in_vain_keeps_the_deadline_and_the_place_in_the_line(void **state) {
  fixture_t f;
  uvf_req_t first = {0}, second = {0};
  (void)state;
  open_fixture(&f);
  start(&f, &first, 10);
  start(&f, &second, UVF_FOREVER);
  event_tease(&f.e, 1);
  test_host_run(&f.h);
  assert_int_equal(f.r.calls, 0);
  event_grant(&f.e, 1, 0);
  test_host_run(&f.h);
  expect_call(&f, 1, &first, 0);
  start(&f, &first, 10);
  event_tease(&f.e, 2);
  test_host_advance(&f.h, 10);
  expect_call(&f, 2, &first, UV_ETIMEDOUT);
  close_fixture(&f, 3);
}

/* ---- cancel ---- */

static void a_cancel_calls_back_later_and_once(void **state) {
  fixture_t f;
  uvf_req_t req = {0};
  (void)state;
  open_fixture(&f);
  start(&f, &req, UVF_FOREVER);
  assert_int_equal(uvf_cancel(&req), 0);
  assert_int_equal(f.r.calls, 0);
  assert_true(uvf_req_active(&req));
  assert_int_equal(uvf_cancel(&req), UV_EALREADY);
  test_host_run(&f.h);
  expect_call(&f, 1, &req, UV_ECANCELED);
  assert_int_equal(uvf_cancel(&req), UV_EALREADY);
  close_fixture(&f, 1);
}

static void a_cancel_of_nothing_says_so(void **state) {
  uvf_req_t req = {0};
  (void)state;
  assert_int_equal(uvf_cancel(NULL), UV_EINVAL);
  assert_int_equal(uvf_cancel(&req), UV_EALREADY);
  assert_false(uvf_req_active(NULL));
  assert_false(uvf_req_active(&req));
  uvf_req_unref(NULL);
}

static void cancelling_the_earliest_deadline_leaves_the_others(void **state) {
  fixture_t f;
  uvf_req_t reqs[3] = {{.data = NULL}};
  (void)state;
  open_fixture(&f);
  for (int i = 0; i < 3; i++)
    start(&f, &reqs[i], 10 * (uint64_t)(i + 1));
  assert_int_equal(uvf_cancel(&reqs[0]), 0);
  test_host_run(&f.h);
  expect_call(&f, 1, &reqs[0], UV_ECANCELED);
  test_host_advance(&f.h, 19);
  assert_int_equal(f.r.calls, 1);
  test_host_advance(&f.h, 1);
  expect_call(&f, 2, &reqs[1], UV_ETIMEDOUT);
  test_host_advance(&f.h, 10);
  expect_call(&f, 3, &reqs[2], UV_ETIMEDOUT);
  close_fixture(&f, 3);
}

static void a_cancel_of_who_is_told_to_try_reports_what_the_try_finds(void **state) {
  fixture_t f;
  uvf_req_t req = {0};
  (void)state;
  open_fixture(&f);
  for (int set = 0; set <= 1; set++) {
    start(&f, &req, UVF_FOREVER);
    if (set)
      event_set(&f.e, 1);
    else
      event_tease(&f.e, 1);
    assert_int_equal(uvf_cancel(&req), UV_EALREADY);
    test_host_run(&f.h);
    expect_call(&f, set + 1, &req, set ? 0 : UV_ECANCELED);
  }
  close_fixture(&f, 2);
}

static void a_request_in_use_is_busy_until_its_callback(void **state) {
  fixture_t f;
  uvf_req_t req = {0};
  (void)state;
  open_fixture(&f);
  start(&f, &req, UVF_FOREVER);
  assert_int_equal(event_wait(f.h.loop, &req, &f.e, 5), UV_EBUSY);
  event_grant(&f.e, 1, 0);
  assert_int_equal(event_wait(f.h.loop, &req, &f.e, 5), UV_EBUSY);
  test_host_run(&f.h);
  expect_call(&f, 1, &req, 0);
  start(&f, &req, 5);
  test_host_advance(&f.h, 5);
  expect_call(&f, 2, &req, UV_ETIMEDOUT);
  assert_int_equal(atomic_load(&f.e.releases), 4); /* also of the two that were refused */
  atomic_store(&f.e.releases, 2);
  close_fixture(&f, 2);
}

/* ---- from callbacks ---- */

/* Starts itself again with the next timeout, from its callback. */
typedef struct {
  fixture_t f;
  uvf_req_t req;
  int calls;
  bool early;
  uint64_t began;
} chain_t;

static void next_link(uvf_req_t *req, int status) {
  chain_t *c = req->data;
  c->early = c->early || status != UV_ETIMEDOUT || c->f.h.now != c->began + 7;
  c->began = c->f.h.now;
  if (++c->calls < 5) (void)uvf__request_start(c->f.h.loop, req, &event_type, &c->f.e, NULL, 7, next_link);
}

static void a_timeout_started_in_a_callback_comes_at_its_time(void **state) {
  static chain_t c;
  (void)state;
  memset(&c, 0, sizeof c);
  open_fixture(&c.f);
  c.req.data = &c;
  c.began = c.f.h.now;
  assert_int_equal(uvf__request_start(c.f.h.loop, &c.req, &event_type, &c.f.e, NULL, 7, next_link), 0);
  for (int i = 1; i <= 5; i++) {
    test_host_advance(&c.f.h, 7);
    assert_int_equal(c.calls, i);
  }
  assert_false(c.early);
  c.f.r.calls = 5;
  close_fixture(&c.f, 5);
}

static void many_random_deadlines_and_cancels_each_end_once(void **state) {
  fixture_t f;
  static uvf_req_t reqs[MANY];
  static record_t each[MANY];
  uint32_t seed = 12345;
  (void)state;
  memset(reqs, 0, sizeof reqs);
  memset(each, 0, sizeof each);
  open_fixture(&f);
  for (int i = 0; i < MANY; i++) {
    seed = seed * 1664525 + 1013904223;
    start(&f, &reqs[i], 1 + (seed >> 16) % 300);
    reqs[i].data = &each[i];
    if (seed % 5 == 0) test_host_advance(&f.h, seed % 7);
    if (seed % 3 == 0) (void)uvf_cancel(&reqs[(seed >> 8) % (unsigned)(i + 1)]);
  }
  test_host_advance(&f.h, 300);
  for (int i = 0; i < MANY; i++) {
    assert_int_equal(each[i].calls, 1);
    assert_true(each[i].status[0] == UV_ETIMEDOUT || each[i].status[0] == UV_ECANCELED);
  }
  f.r.calls = MANY;
  close_fixture(&f, MANY);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      UVF_TEST(a_timeout_comes_at_its_millisecond_and_once),
      UVF_TEST(timeouts_come_in_the_order_of_their_deadlines),
      UVF_TEST(deadlines_that_pass_together_still_come_in_their_order),
      UVF_TEST(only_an_earlier_deadline_sets_the_host_s_timer),
      UVF_TEST(a_timeout_of_0_does_not_wait),
      UVF_TEST(timeouts_beyond_the_clock_mean_for_ever),
      UVF_TEST(the_last_millisecond_of_the_clock_is_a_deadline),
      UVF_TEST(an_outcome_takes_the_deadline_away),
      UVF_TEST(an_outcome_that_is_on_its_way_beats_the_timeout),
      UVF_TEST(who_is_told_to_try_at_the_last_moment_still_tries),
      UVF_TEST(who_is_told_to_try_in_vain_at_the_last_moment_has_timed_out),
      UVF_TEST(a_try_in_vain_keeps_the_deadline_and_the_place_in_the_line),
      UVF_TEST(a_cancel_calls_back_later_and_once),
      UVF_TEST(a_cancel_of_nothing_says_so),
      UVF_TEST(cancelling_the_earliest_deadline_leaves_the_others),
      UVF_TEST(a_cancel_of_who_is_told_to_try_reports_what_the_try_finds),
      UVF_TEST(a_request_in_use_is_busy_until_its_callback),
      UVF_TEST(a_timeout_started_in_a_callback_comes_at_its_time),
      UVF_TEST(many_random_deadlines_and_cancels_each_end_once),
  };
  return RUN_TESTS(tests);
}
