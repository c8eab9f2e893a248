/* SPDX-License-Identifier: MIT */
/* uvflow on libuv: being woken by other threads, timeouts, what keeps a loop alive, several loops and threads, and
 * ends in callbacks. All of it with both wakers. */
#include "uv/uv_fixture.h"

#include <sched.h>

enum { ROUNDS = 2000, DETACHES = 100, THREADS = 3 };

/* A pending receive that nothing ever comes to: keeps the loop alive until it is cancelled. */
typedef struct {
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  uvf_req_t req;
  record_t r;
  int item;
} anchor_t;

static void drop_anchor(fixture_t *f, anchor_t *a, uint64_t timeout) {
  memset(a, 0, sizeof *a);
  make_channel(1, &a->tx, &a->rx);
  a->req.data = &a->r;
  assert_int_equal(uvf_recv(f->loop, &a->req, a->rx, &a->item, timeout, record_request), 0);
}

static void weigh_anchor(anchor_t *a) {
  uvf_tx_release(a->tx);
  uvf_rx_release(a->rx);
}

/* ---- woken by others ---- */

typedef struct {
  fixture_t f;
  anchor_t anchor;
  uvf_post_t post;
  gate_t ran;
  thread_t thread;
  int calls, failed;
} pinger_t;

static void on_ping(uvf_post_t *post, int status) {
  pinger_t *p = post->data;
  if (status != 0) p->failed++;
  if (++p->calls == ROUNDS) (void)uvf_cancel(&p->anchor.req);
  gate_open(&p->ran);
}

static void ping(void *arg) {
  pinger_t *p = arg;
  for (int i = 0; i < ROUNDS; i++)
    if (uvf_post(p->f.loop, &p->post, on_ping) != 0 || !gate_wait(&p->ran)) p->failed++;
}

static void each_post_wakes_a_loop_that_sleeps(void **state) {
  static pinger_t p;
  memset(&p, 0, sizeof p);
  open_fixture(&p.f, state);
  drop_anchor(&p.f, &p.anchor, UVF_FOREVER);
  gate_init(&p.ran);
  p.post.data = &p;
  thread_start(&p.thread, ping, &p);
  run(&p.f);
  thread_join(&p.thread);
  assert_int_equal(p.calls, ROUNDS);
  assert_int_equal(p.failed, 0);
  gate_destroy(&p.ran);
  weigh_anchor(&p.anchor);
  close_fixture(&p.f);
}

/* ---- timeouts ---- */

static void a_timeout_comes_not_before_its_time(void **state) {
  fixture_t f;
  anchor_t a;
  open_fixture(&f, state);
  uint64_t began = uv_hrtime();
  drop_anchor(&f, &a, 20);
  run(&f);
  assert_true(uv_hrtime() - began >= 19 * 1000000); /* libuv's clock counts whole milliseconds */
  assert_int_equal(a.r.calls, 1);
  assert_int_equal(a.r.status[0], UV_ETIMEDOUT);
  weigh_anchor(&a);
  close_fixture(&f);
}

typedef struct {
  fixture_t f;
  anchor_t anchor;
  uint64_t began;
} busy_t;

static void be_busy_and_wait(uv_timer_t *timer) {
  busy_t *b = timer->data;
  uint64_t until = uv_hrtime() + 30 * 1000000;
  while (uv_hrtime() < until)
    ;
  b->began = uv_hrtime();
  (void)uvf_recv(b->f.loop, &b->anchor.req, b->anchor.rx, &b->anchor.item, 20, record_request);
  uv_close((uv_handle_t *)timer, NULL);
}

static void a_timeout_counts_from_its_start_also_late_in_a_turn(void **state) {
  static busy_t b;
  uv_timer_t timer;
  memset(&b, 0, sizeof b);
  open_fixture(&b.f, state);
  make_channel(1, &b.anchor.tx, &b.anchor.rx);
  b.anchor.req.data = &b.anchor.r;
  timer.data = &b;
  assert_int_equal(uv_timer_init(&b.f.uv, &timer), 0);
  assert_int_equal(uv_timer_start(&timer, be_busy_and_wait, 0, 0), 0);
  run(&b.f);
  assert_true(uv_hrtime() - b.began >= 19 * 1000000);
  assert_int_equal(b.anchor.r.calls, 1);
  weigh_anchor(&b.anchor);
  close_fixture(&b.f);
}

/* ---- keep-alive ---- */

static void a_post_keeps_no_loop_alive_and_is_not_lost(void **state) {
  fixture_t f;
  uvf_post_t post = {0};
  open_fixture(&f, state);
  post.data = &f.r;
  assert_int_equal(uvf_post(f.loop, &post, record_post), 0);
  assert_int_equal(uv_run(&f.uv, UV_RUN_DEFAULT), 0);
  assert_int_equal(f.r.calls, 0);
  close_fixture(&f);
  assert_int_equal(f.r.calls, 1);
}

static void a_request_that_is_unref_d_lets_the_loop_end(void **state) {
  fixture_t f;
  anchor_t a;
  open_fixture(&f, state);
  drop_anchor(&f, &a, UVF_FOREVER);
  uvf_req_unref(&a.req);
  run(&f);
  assert_int_equal(a.r.calls, 0);
  close_fixture(&f);
  assert_int_equal(a.r.calls, 1);
  assert_int_equal(a.r.status[0], UV_ECANCELED);
  weigh_anchor(&a);
}

/* ---- several loops and threads ---- */

static void two_loops_on_one_thread_mind_their_own(void **state) {
  fixture_t f[2];
  anchor_t a[2];
  for (int i = 0; i < 2; i++) {
    open_fixture(&f[i], state);
    drop_anchor(&f[i], &a[i], 5);
  }
  for (int i = 1; i >= 0; i--) {
    run(&f[i]);
    assert_int_equal(a[i].r.calls, 1);
    assert_int_equal(a[0].r.calls, i == 0);
  }
  close_fixture(&f[0]);
  assert_int_equal(uvf_recv_sync(a[0].rx, &a[0].item, 1), UVF_EDEADLK); /* the thread still runs the other one */
  close_fixture(&f[1]);
  assert_int_equal(uvf_recv_sync(a[0].rx, &a[0].item, 1), UV_ETIMEDOUT);
  weigh_anchor(&a[0]);
  weigh_anchor(&a[1]);
}

static void a_loop_can_be_attached_twice_and_again_and_again(void **state) {
  fixture_t f;
  uvf_loop_options_t o = {.flags = *(const unsigned *)*state};
  open_fixture(&f, state);
  for (int i = 1; i <= 20; i++) {
    uvf_loop_t *another = NULL;
    record_t r = {0};
    uvf_post_t post = {.data = &r};
    assert_int_equal(uvf_loop_attach(&f.uv, &o, &another), 0);
    assert_int_equal(uvf_post(another, &post, record_post), 0);
    assert_int_equal(uvf_loop_detach(another, on_detached, &f), 0);
    assert_int_equal(uv_run(&f.uv, UV_RUN_DEFAULT), 0);
    assert_int_equal(f.detached, i);
    assert_int_equal(r.calls, 1);
  }
  f.detached = 0;
  close_fixture(&f);
}

typedef struct {
  fixture_t *f;
  anchor_t *a;
  int bind, start, left;
} runner_t;

static void run_elsewhere(void *arg) {
  runner_t *r = arg;
  r->bind = uvf_loop_bind(r->f->loop);
  r->start = uvf_recv(r->f->loop, &r->a->req, r->a->rx, &r->a->item, 5, record_request);
  r->left = uv_run(&r->f->uv, UV_RUN_DEFAULT);
}

static void another_thread_can_run_it_after_a_bind(void **state) {
  fixture_t f;
  anchor_t a;
  runner_t r = {&f, &a, 1, 1, 1};
  thread_t thread;
  open_fixture(&f, state);
  memset(&a, 0, sizeof a);
  make_channel(1, &a.tx, &a.rx);
  a.req.data = &a.r;
  thread_start(&thread, run_elsewhere, &r);
  thread_join(&thread);
  assert_int_equal(r.bind + r.start + r.left, 0);
  assert_int_equal(a.r.status[0], UV_ETIMEDOUT);
  assert_int_equal(uvf_recv(f.loop, &a.req, a.rx, &a.item, 5, record_request), UV_EPERM);
  assert_int_equal(uvf_loop_bind(f.loop), 0);
  close_fixture(&f);
  weigh_anchor(&a);
}

/* ---- in callbacks ---- */

typedef struct {
  fixture_t f;
  uvf_post_t post, next;
  uvf_req_t req;
  int inside, detach;
} within_t;

static void run_within(uvf_post_t *post, int status) {
  within_t *w = post->data;
  (void)status;
  (void)uvf_post(w->f.loop, &w->next, record_post);
  for (int i = 0; i < 3; i++)
    (void)uv_run(&w->f.uv, UV_RUN_NOWAIT);
  w->inside = w->f.r.calls;
}

static void a_uv_run_within_a_callback_runs_no_callback(void **state) {
  static within_t w;
  anchor_t a;
  memset(&w, 0, sizeof w);
  open_fixture(&w.f, state);
  drop_anchor(&w.f, &a, UVF_FOREVER); /* libuv does nothing in a loop that nothing keeps alive */
  w.post.data = &w;
  w.next.data = &w.f.r;
  assert_int_equal(uvf_post(w.f.loop, &w.post, run_within), 0);
  while (w.f.r.calls == 0 && !w.f.late)
    (void)uv_run(&w.f.uv, UV_RUN_NOWAIT);
  assert_int_equal(w.inside, 0);
  assert_int_equal(w.f.r.calls, 1);
  close_fixture(&w.f);
  weigh_anchor(&a);
}

static void detach_post(uvf_post_t *post, int status) {
  within_t *w = post->data;
  (void)status;
  w->detach = uvf_loop_detach(w->f.loop, on_detached, &w->f);
}

static void detach_request(uvf_req_t *req, int status) {
  within_t *w = req->data;
  (void)status;
  w->detach = uvf_loop_detach(w->f.loop, on_detached, &w->f);
}

static void a_detach_in_a_post_ends_the_same_run(void **state) {
  static within_t w;
  anchor_t a;
  memset(&w, 0, sizeof w);
  open_fixture(&w.f, state);
  drop_anchor(&w.f, &a, UVF_FOREVER);
  w.post.data = &w;
  w.detach = 1;
  assert_int_equal(uvf_post(w.f.loop, &w.post, detach_post), 0);
  finish_fixture(&w.f);
  assert_int_equal(w.detach, 0);
  assert_int_equal(a.r.status[0], UV_ECANCELED);
  weigh_anchor(&a);
}

static void a_detach_in_a_timeout_ends_the_same_run(void **state) {
  static within_t w;
  anchor_t a;
  memset(&w, 0, sizeof w);
  open_fixture(&w.f, state);
  drop_anchor(&w.f, &a, UVF_FOREVER);
  w.req.data = &w;
  w.detach = 1;
  assert_int_equal(uvf_recv(w.f.loop, &w.req, a.rx, &a.item, 3, detach_request), 0);
  finish_fixture(&w.f);
  assert_int_equal(w.detach, 0);
  assert_int_equal(a.r.calls, 1);
  weigh_anchor(&a);
}

/* ---- while others post ---- */

typedef struct {
  uvf_loop_t *loop; /* a reference of its own */
  thread_t thread;
  gate_t *ready;
  uvf_post_t post;
  int accepted, ran;
} late_t;

static void count_late(uvf_post_t *post, int status) {
  (void)status;
  ((late_t *)post->data)->ran++;
}

static void post_until_refused(void *arg) {
  late_t *l = arg;
  int r = 0;
  gate_open(l->ready);
  while (r != UV_ECANCELED) {
    r = uvf_post(l->loop, &l->post, count_late);
    if (r == 0) l->accepted++;
    if (r == UV_EBUSY) (void)sched_yield();
  }
  uvf_loop_release(l->loop);
}

static void a_detach_under_fire(void **state) {
  fixture_t f;
  gate_t ready;
  static late_t late[THREADS];
  memset(late, 0, sizeof late);
  open_fixture(&f, state);
  gate_init(&ready);
  for (int i = 0; i < THREADS; i++) {
    late[i].loop = uvf_loop_retain(f.loop);
    late[i].ready = &ready;
    late[i].post.data = &late[i];
    thread_start(&late[i].thread, post_until_refused, &late[i]);
  }
  for (int i = 0; i < THREADS; i++)
    gate_pass(&ready);
  (void)uv_run(&f.uv, UV_RUN_NOWAIT);
  close_fixture(&f);
  for (int i = 0; i < THREADS; i++) {
    thread_join(&late[i].thread);
    assert_int_equal(late[i].accepted, late[i].ran);
  }
  gate_destroy(&ready);
}

static void a_detach_while_others_post_loses_and_doubles_nothing(void **state) {
  for (int i = 0; i < DETACHES; i++)
    a_detach_under_fire(state);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      BOTH(each_post_wakes_a_loop_that_sleeps),
      BOTH(a_timeout_comes_not_before_its_time),
      BOTH(a_timeout_counts_from_its_start_also_late_in_a_turn),
      BOTH(a_post_keeps_no_loop_alive_and_is_not_lost),
      BOTH(a_request_that_is_unref_d_lets_the_loop_end),
      BOTH(two_loops_on_one_thread_mind_their_own),
      BOTH(a_loop_can_be_attached_twice_and_again_and_again),
      BOTH(another_thread_can_run_it_after_a_bind),
      BOTH(a_uv_run_within_a_callback_runs_no_callback),
      BOTH(a_detach_in_a_post_ends_the_same_run),
      BOTH(a_detach_in_a_timeout_ends_the_same_run),
      BOTH(a_detach_while_others_post_loses_and_doubles_nothing),
  };
  return RUN_TESTS(tests);
}
