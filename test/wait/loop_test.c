/* SPDX-License-Identifier: MIT */
/* A loop on a host: creating it, owning it, whose thread it is, and what keeps its event loop alive. */
#include "wait/event.h"

#include "wait/threads.h"

/* ---- creating ---- */

static void a_new_loop_asks_nothing_of_its_host(void **state) {
  test_host_t h;
  (void)state;
  test_host_init(&h);
  assert_false(test_host_turn(&h));
  assert_int_equal(h.wakes + h.polls + h.timers + h.turns, 0);
  assert_false(h.alive);
  test_host_detach(&h);
}

static void expect_refused(const uvf_host_t *host, const uvf_loop_options_t *o) {
  uvf_loop_t *loop = (uvf_loop_t *)(uintptr_t)8;
  assert_int_equal(uvf_loop_create(host, o, &loop), UV_EINVAL);
  assert_int_equal((uintptr_t)loop, 8);
}

static void a_host_without_one_of_its_functions_is_refused(void **state) {
  test_host_t h;
  uvf_host_t t[6];
  (void)state;
  memset(&h, 0, sizeof h);
  for (int i = 0; i < 6; i++)
    t[i] = test_host_table(&h);
  assert_int_equal(uvf_loop_create(&t[0], NULL, NULL), UV_EINVAL);
  t[0].wake = NULL;
  t[1].poll = NULL;
  t[2].keep_alive = NULL;
  t[3].set_timer = NULL;
  t[4].now = NULL;
  t[5].close = NULL;
  for (int i = 0; i < 6; i++)
    expect_refused(&t[i], NULL);
  expect_refused(NULL, NULL);
}

static void reserved_fields_and_unknown_flags_are_refused(void **state) {
  test_host_t h;
  (void)state;
  memset(&h, 0, sizeof h);
  uvf_host_t all = test_host_table(&h);
  for (int i = 0; i < 3; i++) {
    uvf_host_t t = all;
    t.reserved[i] = 1;
    expect_refused(&t, NULL);
  }
  for (int i = 0; i < 4; i++) {
    uvf_loop_options_t o = {0};
    o.reserved[i] = 1;
    expect_refused(&all, &o);
  }
  expect_refused(&all, &(uvf_loop_options_t){.flags = 2});
  expect_refused(&all, &(uvf_loop_options_t){.flags = 1u << 31});
}

static void without_memory_nothing_is_made(void **state) {
  test_host_t h;
  uvf_loop_t *loop = NULL;
  (void)state;
  memset(&h, 0, sizeof h);
  uvf_host_t table = test_host_table(&h);
  fault_at(1);
  assert_int_equal(uvf_loop_create(&table, NULL, &loop), UV_ENOMEM);
  assert_true(fault_hit());
  assert_null(loop);
  assert_false(uvf__threads_runs_loop());
}

static void stopped_may_be_missing(void **state) {
  test_host_t h;
  record_t r = {0};
  uvf_post_t post = {.data = &r};
  (void)state;
  test_host_init(&h);
  uvf_loop_t *other = h.loop;
  uvf_host_t table = test_host_table(&h);
  table.stopped = NULL;
  assert_int_equal(uvf_loop_create(&table, NULL, &h.loop), 0);
  assert_int_equal(uvf_post(h.loop, &post, record_post), 0);
  test_host_run(&h);
  assert_int_equal(r.calls, 1);
  test_host_detach(&h);
  uvf_loop_release(other); /* unused, so the reference of its creation is all there is */
}

/* ---- owning ---- */

static void a_retained_loop_can_be_asked_after_its_end(void **state) {
  test_host_t h;
  uvf_post_t post = {0};
  (void)state;
  test_host_init(&h);
  uvf_loop_t *loop = uvf_loop_retain(h.loop);
  assert_ptr_equal(loop, h.loop);
  test_host_detach(&h);
  assert_int_equal(uvf_post(loop, &post, record_post), UV_ECANCELED);
  assert_int_equal(uvf_loop_detach(loop, NULL, NULL), UV_EALREADY);
  assert_int_equal(uvf_loop_bind(loop), UV_ECANCELED);
  assert_false(uvf_loop_is_mine(loop));
  uvf_loop_release(loop);
}

static void null_is_no_loop(void **state) {
  (void)state;
  assert_null(uvf_loop_retain(NULL));
  uvf_loop_release(NULL);
  uvf_loop_drain(NULL, true);
  uvf_loop_host_closed(NULL);
  assert_false(uvf_loop_is_mine(NULL));
  assert_int_equal(uvf_loop_bind(NULL), UV_EINVAL);
  assert_int_equal(uvf_loop_detach(NULL, NULL, NULL), UV_EINVAL);
}

/* ---- threads ---- */

typedef struct {
  test_host_t *host;
  event_t *event;
  uvf_req_t *req;
  bool mine, runs;
  int start, cancel, detach;
} stranger_t;

static void ask_as_a_stranger(void *arg) {
  stranger_t *s = arg;
  uvf_req_t own = {0};
  s->mine = uvf_loop_is_mine(s->host->loop);
  s->runs = uvf__threads_runs_loop();
  s->start = event_wait(s->host->loop, &own, s->event, UVF_FOREVER);
  s->cancel = uvf_cancel(s->req);
  s->detach = uvf_loop_detach(s->host->loop, NULL, NULL);
}

static void another_thread_is_refused(void **state) {
  test_host_t h;
  event_t e;
  record_t r = {0};
  uvf_req_t req = {.data = &r};
  stranger_t s = {.host = &h, .event = &e, .req = &req};
  thread_t thread;
  (void)state;
  test_host_init(&h);
  event_init(&e);
  assert_int_equal(event_wait(h.loop, &req, &e, UVF_FOREVER), 0);
  thread_start(&thread, ask_as_a_stranger, &s);
  thread_join(&thread);
  assert_false(s.mine);
  assert_false(s.runs);
  assert_int_equal(s.start, UV_EPERM);
  assert_int_equal(s.cancel, UV_EPERM);
  assert_int_equal(s.detach, UV_EPERM);
  assert_true(uvf_loop_is_mine(h.loop));
  assert_int_equal(uvf_cancel(&req), 0);
  test_host_detach(&h);
  assert_int_equal(r.calls, 1);
  event_destroy(&e, 2);
}

typedef struct {
  test_host_t *host;
  event_t *event;
  uvf_req_t *req;
  bool mine, runs;
  int bind, start;
} taker_t;

static void take_over(void *arg) {
  taker_t *t = arg;
  t->bind = uvf_loop_bind(t->host->loop);
  t->host->thread = pthread_self();
  t->mine = uvf_loop_is_mine(t->host->loop);
  t->runs = uvf__threads_runs_loop();
  t->start = event_wait(t->host->loop, t->req, t->event, UVF_FOREVER);
}

static void bind_hands_the_loop_to_another_thread(void **state) {
  test_host_t h;
  event_t e;
  record_t r = {0};
  uvf_req_t req = {.data = &r}, other = {.data = &r};
  taker_t t = {.host = &h, .event = &e, .req = &req};
  thread_t thread;
  (void)state;
  test_host_init(&h);
  event_init(&e);
  thread_start(&thread, take_over, &t);
  thread_join(&thread);
  assert_int_equal(t.bind, 0);
  assert_true(t.mine && t.runs);
  assert_int_equal(t.start, 0);
  assert_false(uvf_loop_is_mine(h.loop));
  assert_false(uvf__threads_runs_loop());
  assert_int_equal(event_wait(h.loop, &other, &e, UVF_FOREVER), UV_EPERM);
  test_host_bind(&h);
  assert_true(uvf_loop_is_mine(h.loop));
  test_host_detach(&h);
  assert_int_equal(r.calls, 1);
  event_destroy(&e, 2);
}

typedef struct {
  test_host_t host;
  int result;
} binder_t;

static void bind_to_itself(uvf_post_t *post, int status) {
  binder_t *b = post->data;
  (void)status;
  b->result = uvf_loop_bind(b->host.loop);
}

static void bind_in_a_callback_is_refused(void **state) {
  binder_t b = {.result = 1};
  uvf_post_t post = {.data = &b};
  (void)state;
  test_host_init(&b.host);
  assert_int_equal(uvf_post(b.host.loop, &post, bind_to_itself), 0);
  test_host_run(&b.host);
  assert_int_equal(b.result, UV_EBUSY);
  assert_int_equal(uvf_loop_bind(b.host.loop), 0);
  test_host_detach(&b.host);
}

static void a_thread_runs_a_loop_until_the_last_of_its_loops_is_closed(void **state) {
  test_host_t a, b;
  (void)state;
  assert_false(uvf__threads_runs_loop());
  test_host_init(&a);
  assert_true(uvf__threads_runs_loop());
  test_host_init(&b);
  test_host_detach(&a);
  assert_true(uvf__threads_runs_loop());
  assert_int_equal(test_host_detach_start(&b), 0);
  assert_true(uvf__threads_runs_loop());
  test_host_finish(&b);
  assert_false(uvf__threads_runs_loop());
}

/* ---- keep-alive ---- */

static void a_pending_request_keeps_the_loop_alive_and_nothing_else_does(void **state) {
  test_host_t h;
  event_t e;
  record_t r = {0};
  uvf_req_t a = {.data = &r}, b = {.data = &r};
  uvf_post_t post = {.data = &r};
  (void)state;
  test_host_init(&h);
  event_init(&e);
  assert_int_equal(event_wait(h.loop, &a, &e, UVF_FOREVER), 0);
  assert_true(h.alive);
  assert_int_equal(event_wait(h.loop, &b, &e, 5), 0);
  test_host_advance(&h, 5);
  assert_true(h.alive);
  assert_int_equal(uvf_cancel(&a), 0);
  assert_true(h.alive); /* its callback is still to come */
  test_host_run(&h);
  assert_false(h.alive);
  assert_int_equal(uvf_post(h.loop, &post, record_post), 0);
  assert_false(h.alive);
  test_host_run(&h);
  assert_int_equal(r.calls, 3);
  test_host_detach(&h);
  event_destroy(&e, 2);
}

static void a_request_that_is_unref_d_keeps_nothing_alive_until_its_next_start(void **state) {
  test_host_t h;
  event_t e;
  record_t r = {0};
  uvf_req_t req = {.data = &r};
  (void)state;
  test_host_init(&h);
  event_init(&e);
  uvf_req_unref(&req); /* not pending: nothing */
  assert_int_equal(event_wait(h.loop, &req, &e, UVF_FOREVER), 0);
  uvf_req_unref(&req);
  assert_false(h.alive);
  uvf_req_unref(&req);
  assert_false(h.alive);
  event_grant(&e, 1, 0);
  test_host_run(&h);
  assert_int_equal(r.calls, 1);
  assert_int_equal(event_wait(h.loop, &req, &e, UVF_FOREVER), 0);
  assert_true(h.alive);
  test_host_detach(&h);
  event_destroy(&e, 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      UVF_TEST(a_new_loop_asks_nothing_of_its_host),
      UVF_TEST(a_host_without_one_of_its_functions_is_refused),
      UVF_TEST(reserved_fields_and_unknown_flags_are_refused),
      UVF_TEST(without_memory_nothing_is_made),
      UVF_TEST(stopped_may_be_missing),
      UVF_TEST(a_retained_loop_can_be_asked_after_its_end),
      UVF_TEST(null_is_no_loop),
      UVF_TEST(another_thread_is_refused),
      UVF_TEST(bind_hands_the_loop_to_another_thread),
      UVF_TEST(bind_in_a_callback_is_refused),
      UVF_TEST(a_thread_runs_a_loop_until_the_last_of_its_loops_is_closed),
      UVF_TEST(a_pending_request_keeps_the_loop_alive_and_nothing_else_does),
      UVF_TEST(a_request_that_is_unref_d_keeps_nothing_alive_until_its_next_start),
  };
  return RUN_TESTS(tests);
}
