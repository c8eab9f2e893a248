/* SPDX-License-Identifier: MIT */
/* The end of a loop: in all states, from all kinds of callbacks, and while other threads post. */
#include "wait/event.h"

#include <sched.h>

enum { MANY = 100, THREADS = 3, ROUNDS = 200 };

/* ---- how it is asked for ---- */

static void an_idle_loop_ends_in_a_later_turn(void **state) {
  test_host_t h;
  (void)state;
  test_host_init(&h);
  assert_int_equal(test_host_detach_start(&h), 0);
  assert_int_equal(h.detached, 0);
  assert_true(h.alive); /* so that one uv_run is enough */
  assert_true(h.polling);
  test_host_finish(&h);
  assert_int_equal(h.wakes, 0);
}

static void a_second_detach_is_refused(void **state) {
  test_host_t h;
  (void)state;
  test_host_init(&h);
  uvf_loop_t *loop = uvf_loop_retain(h.loop);
  assert_int_equal(test_host_detach_start(&h), 0);
  assert_int_equal(uvf_loop_detach(loop, NULL, NULL), UV_EALREADY);
  test_host_finish(&h);
  assert_int_equal(uvf_loop_detach(loop, NULL, NULL), UV_EALREADY);
  uvf_loop_release(loop);
}

static void done_may_be_null(void **state) {
  test_host_t h;
  (void)state;
  test_host_init(&h);
  assert_int_equal(uvf_loop_detach(h.loop, NULL, NULL), 0);
  h.detached = 1; /* what the callback would count */
  test_host_finish(&h);
}

static void a_host_may_be_closed_within_its_close(void **state) {
  test_host_t h;
  event_t e;
  record_t r = {0};
  uvf_req_t req = {.data = &r};
  (void)state;
  test_host_init(&h);
  event_init(&e);
  h.close_at_once = true;
  assert_int_equal(event_wait(h.loop, &req, &e, 10), 0);
  test_host_detach(&h);
  assert_int_equal(r.calls, 1);
  event_destroy(&e, 1);
}

static void between_close_and_its_end_the_loop_takes_nothing(void **state) {
  test_host_t h;
  event_t e;
  record_t r = {0};
  uvf_req_t req = {.data = &r};
  uvf_post_t post = {.data = &r};
  (void)state;
  test_host_init(&h);
  event_init(&e);
  assert_int_equal(test_host_detach_start(&h), 0);
  while (!h.closing)
    assert_true(test_host_turn(&h));
  assert_int_equal(uvf_post(h.loop, &post, record_post), UV_ECANCELED);
  assert_int_equal(event_wait(h.loop, &req, &e, 10), UV_ECANCELED);
  assert_int_equal(uvf_loop_bind(h.loop), UV_ECANCELED);
  assert_false(uvf_loop_is_mine(h.loop));
  uvf_loop_drain(h.loop, false);
  test_host_finish(&h);
  assert_int_equal(r.calls, 0);
  event_destroy(&e, 1);
}

/* ---- requests ---- */

static void pending_requests_end_cancelled_later_and_once(void **state) {
  test_host_t h;
  event_t e;
  static record_t r;
  static uvf_req_t reqs[MANY];
  (void)state;
  memset(&r, 0, sizeof r);
  memset(reqs, 0, sizeof reqs);
  test_host_init(&h);
  event_init(&e);
  for (int i = 0; i < MANY; i++) {
    reqs[i].data = &r;
    assert_int_equal(event_wait(h.loop, &reqs[i], &e, i % 2 == 0 ? UVF_FOREVER : 10), 0);
  }
  assert_int_equal(test_host_detach_start(&h), 0);
  assert_int_equal(r.calls, 0);
  test_host_finish(&h);
  assert_int_equal(r.calls, MANY);
  for (int i = 0; i < MANY; i++)
    assert_int_equal(r.status[i], UV_ECANCELED);
  event_destroy(&e, MANY);
}

static void a_request_whose_outcome_is_on_its_way_ends_with_it(void **state) {
  test_host_t h;
  event_t e;
  record_t r = {0};
  uvf_req_t reqs[3] = {{.data = &r}, {.data = &r}, {.data = &r}};
  (void)state;
  test_host_init(&h);
  event_init(&e);
  for (int i = 0; i < 3; i++)
    assert_int_equal(event_wait(h.loop, &reqs[i], &e, UVF_FOREVER), 0);
  event_grant(&e, 1, 0);
  assert_int_equal(uvf_cancel(&reqs[1]), 0);
  test_host_detach(&h);
  assert_int_equal(r.calls, 3);
  for (int i = 0; i < 3; i++)
    assert_int_equal(r.status[i], r.from[i] == &reqs[0] ? 0 : UV_ECANCELED);
  event_destroy(&e, 3);
}

static void a_request_that_was_told_to_try_tries_once_more(void **state) {
  for (int set = 0; set <= 1; set++) {
    test_host_t h;
    event_t e;
    record_t r = {0};
    uvf_req_t req = {.data = &r};
    (void)state;
    test_host_init(&h);
    event_init(&e);
    assert_int_equal(event_wait(h.loop, &req, &e, UVF_FOREVER), 0);
    if (set)
      event_set(&e, 1);
    else
      event_tease(&e, 1);
    test_host_detach(&h);
    assert_int_equal(r.calls, 1);
    assert_int_equal(r.status[0], set ? 0 : UV_ECANCELED);
    event_destroy(&e, 1);
  }
}

static void requests_that_are_unref_d_end_as_well(void **state) {
  test_host_t h;
  event_t e;
  record_t r = {0};
  uvf_req_t req = {.data = &r};
  (void)state;
  test_host_init(&h);
  event_init(&e);
  assert_int_equal(event_wait(h.loop, &req, &e, 10), 0);
  uvf_req_unref(&req);
  test_host_detach(&h);
  assert_int_equal(r.calls, 1);
  event_destroy(&e, 1);
}

/* ---- from callbacks ---- */

typedef struct {
  test_host_t h;
  event_t e;
  record_t others;
  uvf_req_t req, other;
  uvf_post_t post;
  int calls, detach, start;
} quitter_t;

static void quit(quitter_t *q) {
  q->calls++;
  q->detach = test_host_detach_start(&q->h);
  q->start = event_wait(q->h.loop, &q->req, &q->e, 10);
}

static void quit_request(uvf_req_t *req, int status) {
  (void)status;
  quit(req->data);
}

static void quit_post(uvf_post_t *post, int status) {
  (void)status;
  quit(post->data);
}

static void open_quitter(quitter_t *q) {
  memset(q, 0, sizeof *q);
  test_host_init(&q->h);
  event_init(&q->e);
  q->req.data = q->post.data = q;
  q->other.data = &q->others;
  q->detach = q->start = 1;
  assert_int_equal(event_wait(q->h.loop, &q->other, &q->e, UVF_FOREVER), 0);
}

/* `waits`: how many the event has seen, refused ones included. */
static void close_quitter(quitter_t *q, int waits) {
  test_host_finish(&q->h);
  assert_int_equal(q->calls, 1);
  assert_int_equal(q->detach, 0);
  assert_int_equal(q->start, UV_ECANCELED);
  assert_int_equal(q->others.calls, 1);
  assert_int_equal(q->others.status[0], UV_ECANCELED);
  event_destroy(&q->e, waits);
}

static void detach_in_the_callback_of_a_post(void **state) {
  static quitter_t q;
  (void)state;
  open_quitter(&q);
  assert_int_equal(uvf_post(q.h.loop, &q.post, quit_post), 0);
  close_quitter(&q, 2);
}

static void detach_in_the_callback_of_a_request(void **state) {
  static quitter_t q;
  (void)state;
  open_quitter(&q);
  assert_int_equal(uvf__request_start(q.h.loop, &q.req, &event_type, &q.e, NULL, UVF_NOWAIT, quit_request), 0);
  close_quitter(&q, 3);
}

static void detach_in_the_callback_of_a_timeout(void **state) {
  static quitter_t q;
  (void)state;
  open_quitter(&q);
  assert_int_equal(uvf__request_start(q.h.loop, &q.req, &event_type, &q.e, NULL, 5, quit_request), 0);
  q.h.now += 5;
  close_quitter(&q, 3);
}

static void detach_in_the_callback_of_a_cancel(void **state) {
  static quitter_t q;
  (void)state;
  open_quitter(&q);
  assert_int_equal(uvf__request_start(q.h.loop, &q.req, &event_type, &q.e, NULL, 5, quit_request), 0);
  assert_int_equal(uvf_cancel(&q.req), 0);
  close_quitter(&q, 3);
}

/* A new loop on the thread, made in the callback that says that the old one has ended. */
typedef struct {
  test_host_t old;
  uvf_loop_t *fresh;
  bool mine;
  int created;
} successor_t;

static void make_another(void *data) {
  successor_t *s = data;
  uvf_host_t table = test_host_table(&s->old);
  s->old.detached++;
  s->created = uvf_loop_create(&table, NULL, &s->fresh);
  s->mine = uvf_loop_is_mine(s->fresh);
}

static void a_new_loop_can_be_made_in_the_callback_of_the_detach(void **state) {
  successor_t s = {.created = 1};
  (void)state;
  test_host_init(&s.old);
  assert_int_equal(uvf_loop_detach(s.old.loop, make_another, &s), 0);
  test_host_finish(&s.old);
  assert_int_equal(s.created, 0);
  assert_true(s.mine);
  uvf_loop_release(s.fresh); /* never used: the reference of its creation is all there is */
}

/* ---- limits, rings ---- */

static void the_end_keeps_to_the_budget_too(void **state) {
  test_host_t h;
  static record_t r;
  static uvf_post_t posts[MANY];
  uvf_loop_options_t o = {.turn_items = 7, .turn_us = UINT32_MAX};
  (void)state;
  memset(&r, 0, sizeof r);
  memset(posts, 0, sizeof posts);
  test_host_init_options(&h, &o);
  for (int i = 0; i < MANY; i++) {
    posts[i].data = &r;
    assert_int_equal(uvf_post(h.loop, &posts[i], record_post), 0);
  }
  assert_int_equal(test_host_detach_start(&h), 0);
  for (int before = 0; !h.closing; before = r.calls) {
    assert_true(test_host_turn(&h));
    assert_in_range(r.calls - before, 0, 7);
  }
  test_host_finish(&h);
  assert_int_equal(r.calls, MANY);
  for (int i = 0; i < MANY; i++)
    assert_ptr_equal(r.from[i], &posts[i]);
}

static void the_host_is_not_closed_while_a_ring_is_outstanding(void **state) {
  test_host_t h;
  record_t r = {0};
  uvf_post_t post = {.data = &r};
  (void)state;
  test_host_init(&h);
  assert_int_equal(uvf_post(h.loop, &post, record_post), 0);
  assert_true(h.ringing);
  assert_int_equal(test_host_detach_start(&h), 0);
  for (int i = 0; i < 5; i++) {
    uvf_loop_drain(h.loop, false); /* turns, but not the one that the ring is for */
    assert_false(h.closing);
  }
  assert_int_equal(r.calls, 1);
  test_host_finish(&h);
}

/* ---- while others post ---- */

typedef struct {
  uvf_loop_t *loop; /* a reference of its own */
  thread_t thread;
  gate_t *ready;
  uvf_post_t post;
  int accepted;
  atomic_int ran;
} late_t;

static void count_late(uvf_post_t *post, int status) {
  late_t *l = post->data;
  (void)status;
  atomic_fetch_add(&l->ran, 1);
}

static void post_until_refused(void *arg) {
  late_t *l = arg;
  gate_open(l->ready);
  for (;;) {
    int r = uvf_post(l->loop, &l->post, count_late);
    if (r == UV_ECANCELED) break;
    if (r == 0) l->accepted++;
    if (r == UV_EBUSY) (void)sched_yield();
  }
  uvf_loop_release(l->loop);
}

static void a_detach_under_fire(int round) {
  test_host_t h;
  gate_t ready;
  static late_t late[THREADS];
  memset(late, 0, sizeof late);
  gate_init(&ready);
  test_host_init(&h);
  for (int i = 0; i < THREADS; i++) {
    late[i].loop = uvf_loop_retain(h.loop);
    late[i].ready = &ready;
    late[i].post.data = &late[i];
    thread_start(&late[i].thread, post_until_refused, &late[i]);
  }
  for (int i = 0; i < THREADS; i++)
    gate_pass(&ready);
  for (int i = 0; i < round % 20; i++)
    (void)test_host_turn(&h);
  test_host_detach(&h);
  for (int i = 0; i < THREADS; i++) {
    thread_join(&late[i].thread);
    assert_int_equal(late[i].accepted, atomic_load(&late[i].ran));
  }
  gate_destroy(&ready);
}

static void posts_from_other_threads_run_once_or_are_refused(void **state) {
  (void)state;
  for (int round = 0; round < ROUNDS; round++)
    a_detach_under_fire(round);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      UVF_TEST(an_idle_loop_ends_in_a_later_turn),
      UVF_TEST(a_second_detach_is_refused),
      UVF_TEST(done_may_be_null),
      UVF_TEST(a_host_may_be_closed_within_its_close),
      UVF_TEST(between_close_and_its_end_the_loop_takes_nothing),
      UVF_TEST(pending_requests_end_cancelled_later_and_once),
      UVF_TEST(a_request_whose_outcome_is_on_its_way_ends_with_it),
      UVF_TEST(a_request_that_was_told_to_try_tries_once_more),
      UVF_TEST(requests_that_are_unref_d_end_as_well),
      UVF_TEST(detach_in_the_callback_of_a_post),
      UVF_TEST(detach_in_the_callback_of_a_request),
      UVF_TEST(detach_in_the_callback_of_a_timeout),
      UVF_TEST(detach_in_the_callback_of_a_cancel),
      UVF_TEST(a_new_loop_can_be_made_in_the_callback_of_the_detach),
      UVF_TEST(the_end_keeps_to_the_budget_too),
      UVF_TEST(the_host_is_not_closed_while_a_ring_is_outstanding),
      UVF_TEST(posts_from_other_threads_run_once_or_are_refused),
  };
  return RUN_TESTS(tests);
}
