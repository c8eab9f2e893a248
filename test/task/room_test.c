/* SPDX-License-Identifier: MIT */
/* Waiting for room in a bounded lane. */
#include "task/executor_fixture.h"

enum { WAITERS = 40 };

/* One who waits for room, and what it does when it hears of some. */
typedef struct {
  uvf_req_t req;
  uvf_loop_t *loop;
  uvf_executor_t *lane;
  bool spawns; /* then; and again it waits where another was quicker */
  job_t job;
  int status, calls, tries;
  int *order, place; /* place: which of all it was to spawn, or to be told */
} waiter_t;

static void told(uvf_req_t *req, int status) {
  waiter_t *w = req->data;
  w->status = status;
  if (status == 0 && w->spawns) {
    w->tries++;
    int r = job_try(&w->job, w->lane);
    if (r == UV_EAGAIN) r = uvf_wait_room(w->loop, req, w->lane, UVF_FOREVER, told);
    if (r == 0 && w->job.fv == NULL) return; /* waits again */
  }
  w->calls++;
  w->place = (*w->order)++;
}

/* Asserts. */
static void wait_room(waiter_t *w, test_host_t *l, uvf_executor_t *lane, bool spawns, int *order, uint64_t timeout_ms) {
  memset(w, 0, sizeof *w);
  w->req.data = w;
  w->loop = l->loop;
  w->lane = lane;
  w->spawns = spawns;
  w->order = order;
  assert_int_equal(uvf_wait_room(l->loop, &w->req, lane, timeout_ms, told), 0);
}

static void a_waiter_hears_once_of_the_room_that_comes(void **state) {
  hand_t h;
  test_host_t l;
  waiter_t w;
  job_t j = {0};
  int order = 0;
  (void)state;
  hand_open(&h);
  loop_open(&l, 0);
  uvf_executor_t *lane = lane_open(h.ex, 1, 1);
  wait_room(&w, &l, lane, false, &order, UVF_NOWAIT); /* there is some */
  assert_int_equal(w.calls, 0);
  test_host_run(&l);
  assert_int_equal(w.calls, 1);
  assert_int_equal(w.status, 0);
  job_spawn(&j, lane);
  wait_room(&w, &l, lane, false, &order, UVF_FOREVER);
  test_host_run(&l);
  assert_int_equal(w.calls, 0);
  hand_run(&h);
  assert_int_equal(w.calls, 0); /* on its loop, not on the runner's thread */
  test_host_run(&l);
  assert_int_equal(w.calls, 1);
  assert_int_equal(w.status, 0);
  job_ended(&j, 0, true);
  uvf_executor_release(lane);
  test_host_detach(&l);
  hand_close(&h);
}

/* All spawn in their callbacks: in the order in which they came, and nobody is forgotten. */
static void waiters_take_their_turns(void **state) {
  static waiter_t w[WAITERS];
  hand_t h;
  test_host_t l;
  job_t j[2] = {{0}};
  int order = 0, tries = 0;
  (void)state;
  hand_open(&h);
  loop_open(&l, 0);
  uvf_executor_t *lane = lane_open(h.ex, 1, 2);
  jobs_spawn(j, 2, lane);
  for (int i = 0; i < WAITERS; i++)
    wait_room(&w[i], &l, lane, true, &order, UVF_FOREVER);
  while (order < WAITERS) {
    int before = order;
    hand_run(&h);
    test_host_run(&l);
    assert_true(order > before);
  }
  hand_run(&h);
  for (int i = 0; i < WAITERS; i++) {
    assert_int_equal(w[i].calls, 1);
    assert_int_equal(w[i].place, i);
    job_ended(&w[i].job, 0, true);
    tries += w[i].tries;
  }
  assert_true(tries < 3 * WAITERS); /* they do not all come running each time */
  job_ended(&j[0], 0, true);
  job_ended(&j[1], 0, true);
  uvf_executor_release(lane);
  test_host_detach(&l);
  hand_close(&h);
}

/* They hear of room, and do not want it any more: then it is the next one's, although nothing happens in the lane. */
static void room_that_nobody_takes_is_told_of_to_all(void **state) {
  static waiter_t w[WAITERS];
  hand_t h;
  test_host_t l;
  job_t j = {0};
  int order = 0;
  (void)state;
  hand_open(&h);
  loop_open(&l, 0);
  uvf_executor_t *lane = lane_open(h.ex, 1, 1);
  job_spawn(&j, lane);
  for (int i = 0; i < WAITERS; i++)
    wait_room(&w[i], &l, lane, false, &order, UVF_FOREVER);
  hand_run(&h);
  test_host_run(&l);
  for (int i = 0; i < WAITERS; i++) {
    assert_int_equal(w[i].calls, 1);
    assert_int_equal(w[i].status, 0);
    assert_int_equal(w[i].place, i);
  }
  job_ended(&j, 0, true);
  uvf_executor_release(lane);
  test_host_detach(&l);
  hand_close(&h);
}

static void a_close_and_an_abort_tell_all(void **state) {
  static waiter_t w[WAITERS];
  (void)state;
  for (int abort = 0; abort <= 1; abort++) {
    hand_t h;
    test_host_t l;
    job_t j = {0};
    int order = 0;
    hand_open(&h);
    loop_open(&l, 0);
    uvf_executor_t *lane = lane_open(h.ex, 1, 1);
    job_spawn(&j, lane);
    for (int i = 0; i < WAITERS; i++)
      wait_room(&w[i], &l, lane, true, &order, UVF_FOREVER);
    assert_int_equal(abort ? uvf_executor_abort(lane) : uvf_executor_close(lane), 0);
    test_host_run(&l);
    for (int i = 0; i < WAITERS; i++) {
      assert_int_equal(w[i].calls, 1);
      assert_int_equal(w[i].status, UV_EPIPE);
    }
    wait_room(&w[0], &l, lane, true, &order, UVF_FOREVER);
    test_host_run(&l);
    assert_int_equal(w[0].status, UV_EPIPE);
    assert_int_equal(uvf_wait_idle_sync(lane, UVF_NOWAIT), UVF_EDEADLK); /* this thread runs a loop */
    hand_run(&h);
    job_ended(&j, abort ? UV_ECANCELED : 0, !abort);
    uvf_executor_release(lane);
    test_host_detach(&l);
    hand_close(&h);
  }
}

/* Who leaves does not keep others from hearing; a told one that is cancelled reports the room, and the next hears as well. */
static void waits_end_by_themselves(void **state) {
  hand_t h;
  test_host_t l;
  waiter_t w[5];
  job_t j = {0};
  int order = 0;
  (void)state;
  hand_open(&h);
  loop_open(&l, 0);
  uvf_executor_t *lane = lane_open(h.ex, 1, 1);
  job_spawn(&j, lane);
  wait_room(&w[0], &l, lane, false, &order, UVF_FOREVER);
  wait_room(&w[1], &l, lane, false, &order, 10);
  wait_room(&w[2], &l, lane, false, &order, UVF_NOWAIT);
  wait_room(&w[3], &l, lane, false, &order, UVF_FOREVER);
  wait_room(&w[4], &l, lane, false, &order, UVF_FOREVER);
  assert_int_equal(uvf_wait_room(l.loop, &w[4].req, lane, 1, told), UV_EBUSY);
  assert_int_equal(uvf_cancel(&w[0].req), 0);
  test_host_advance(&l, 10);
  assert_int_equal(w[0].status, UV_ECANCELED);
  assert_int_equal(w[1].status, UV_ETIMEDOUT);
  assert_int_equal(w[2].status, UV_ETIMEDOUT);
  assert_int_equal(order, 3);
  hand_run(&h);
  assert_int_equal(uvf_cancel(&w[3].req), UV_EALREADY); /* told already */
  test_host_run(&l);
  assert_int_equal(w[3].status, 0);
  assert_int_equal(w[4].calls, 1);
  assert_int_equal(w[4].status, 0);
  job_ended(&j, 0, true);
  uvf_executor_release(lane);
  test_host_detach(&l);
  hand_close(&h);
}

/* The request keeps the lane; and a detach ends it. */
static void a_wait_keeps_the_lane_until_a_detach(void **state) {
  hand_t h;
  test_host_t l;
  waiter_t w[2];
  job_t j = {0};
  int order = 0;
  (void)state;
  hand_open(&h);
  loop_open(&l, 0);
  uvf_executor_t *lane = lane_open(h.ex, 1, 1);
  job_spawn(&j, lane);
  wait_room(&w[0], &l, lane, false, &order, UVF_FOREVER);
  wait_room(&w[1], &l, lane, false, &order, UVF_FOREVER);
  assert_int_equal(uvf_cancel(&w[1].req), 0);
  uvf_executor_release(lane);
  test_host_run(&l);
  assert_int_equal(w[0].calls, 0);
  test_host_detach(&l);
  assert_int_equal(w[0].status, UV_ECANCELED);
  hand_close(&h);
  job_ended(&j, 0, true);
}

/* ---- blocking ---- */

typedef struct {
  thread_t thread;
  uvf_executor_t *lane;
  uint64_t timeout_ms;
  int result;
} blocked_t;

static void blocks(void *arg) {
  blocked_t *b = arg;
  b->result = uvf_wait_room_sync(b->lane, b->timeout_ms);
}

static int blocked(uvf_executor_t *lane, uint64_t timeout_ms) {
  blocked_t b = {.lane = lane, .timeout_ms = timeout_ms};
  thread_start(&b.thread, blocks, &b);
  thread_join(&b.thread);
  return b.result;
}

/* Several block, none of them takes the room: all come back. */
static void threads_wait_for_room(void **state) {
  uvf_executor_t *pool = threads_open(1), *lane = lane_open(pool, 1, 1);
  job_t j[2] = {{0}};
  blocked_t b[4];
  (void)state;
  assert_int_equal(blocked(lane, UVF_FOREVER), 0);
  job_gates(&j[0]);
  job_spawn(&j[0], lane);
  gate_pass(&j[0].begun);
  job_spawn(&j[1], lane);
  assert_int_equal(blocked(lane, UVF_NOWAIT), UV_ETIMEDOUT);
  assert_int_equal(blocked(lane, 1), UV_ETIMEDOUT);
  for (int i = 0; i < 4; i++) {
    b[i] = (blocked_t){.lane = lane, .timeout_ms = PATIENCE_MS};
    thread_start(&b[i].thread, blocks, &b[i]);
  }
  gate_open(&j[0].go);
  for (int i = 0; i < 4; i++) {
    thread_join(&b[i].thread);
    assert_int_equal(b[i].result, 0);
  }
  jobs_end(j, 2, 0, true);
  assert_int_equal(uvf_executor_close(lane), 0);
  assert_int_equal(blocked(lane, UVF_FOREVER), UV_EPIPE);
  uvf_executor_release(lane);
  uvf_executor_release(pool);
}

static void waits_for_its_own_room(job_t *j) {
  blocked_t *b = j->arg;
  b->result = uvf_wait_room_sync(b->lane, b->timeout_ms);
}

/* A task of a lane of one, for room that only its own end can make. */
static void what_could_never_end_is_refused(void **state) {
  uvf_executor_t *pool = threads_open(2), *lane = lane_open(pool, 1, 1);
  blocked_t b = {.lane = lane, .timeout_ms = UVF_FOREVER, .result = 1};
  job_t waits = {.act = waits_for_its_own_room, .arg = &b}, fills = {0};
  (void)state;
  job_gates(&waits);
  job_spawn(&waits, lane);
  gate_pass(&waits.begun);
  job_spawn(&fills, lane);
  gate_open(&waits.go);
  job_ends(&fills, 0, true);
  job_ends(&waits, 0, true);
  assert_int_equal(b.result, UVF_EDEADLK);
  uvf_executor_release(lane);
  uvf_executor_release(pool);
}

static void misuse_is_refused(void **state) {
  uvf_executor_t *pool = threads_open(1);
  test_host_t l;
  uvf_req_t req = {0};
  (void)state;
  loop_open(&l, 0);
  assert_int_equal(uvf_wait_room(NULL, &req, pool, 0, told), UV_EINVAL);
  assert_int_equal(uvf_wait_room(l.loop, NULL, pool, 0, told), UV_EINVAL);
  assert_int_equal(uvf_wait_room(l.loop, &req, NULL, 0, told), UV_EINVAL);
  assert_int_equal(uvf_wait_room(l.loop, &req, pool, 0, NULL), UV_EINVAL);
  assert_int_equal(uvf_wait_room_sync(NULL, 0), UV_EINVAL);
  assert_int_equal(uvf_wait_room_sync(pool, 0), UVF_EDEADLK); /* this thread runs a loop */
  uvf_loop_t *loop = uvf_loop_retain(l.loop);
  assert_int_equal(test_host_detach_start(&l), 0);
  assert_int_equal(uvf_wait_room(loop, &req, pool, 0, told), UV_ECANCELED);
  test_host_finish(&l);
  uvf_loop_release(loop);
  uvf_executor_release(pool);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      EXECUTOR_TEST(a_waiter_hears_once_of_the_room_that_comes),
      EXECUTOR_TEST(waiters_take_their_turns),
      EXECUTOR_TEST(room_that_nobody_takes_is_told_of_to_all),
      EXECUTOR_TEST(a_close_and_an_abort_tell_all),
      EXECUTOR_TEST(waits_end_by_themselves),
      EXECUTOR_TEST(a_wait_keeps_the_lane_until_a_detach),
      EXECUTOR_TEST(threads_wait_for_room),
      EXECUTOR_TEST(what_could_never_end_is_refused),
      EXECUTOR_TEST(misuse_is_refused),
  };
  return RUN_TESTS(tests);
}
