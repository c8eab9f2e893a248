/* SPDX-License-Identifier: MIT */
/* The ordered shutdown of a server: two loops on two threads, two lanes on the pool of one of them, work in flight, and a deadline
 * after which what still runs is asked to stop. This is also a model of how to write one.
 *
 *   front    the loop of a thread of its own: it takes requests, spawns them, and awaits their answers
 *   back     the loop of the main thread, whose pool does the work
 *   requests a lane on that pool, so that files and names get a thread, too
 *   journal  a lane of one: each request that was done is noted there, in order
 *
 * The order of the end: nothing comes in any more; the requests end, or are stopped; then the journal, to which they write; then
 * the front, which hears of all of them; then the back. */
#include "uv/uv_fixture.h"

#include "task/executor_fixture.h"

enum { IN_FLIGHT = 12, TERM_AT = 60 };

typedef struct server_s server_t;

/* One request after the other. */
typedef struct {
  server_t *server;
  uvf_req_t req;
  uvf_flowvar_t *answer;
} slot_t;

struct server_s {
  bool stubborn;        /* requests do not end by themselves once the server shall */
  uint64_t deadline_ms; /* for them */

  /* back; its thread's */
  uv_loop_t back_uv;
  uvf_loop_t *back;
  uvf_executor_t *requests, *journal;
  uvf_flowvar_t *term; /* done: the server shall end. In a real one a signal does that */
  uvf_task_t *send_term;
  uvf_req_t term_req, idle_req;
  bool late;
  int errors; /* what must not fail, and did */

  /* front; its thread's */
  uv_loop_t front_uv;
  uvf_loop_t *front;
  uvf_flowvar_t *stop; /* done: the front shall end */
  uvf_task_t *send_stop;
  uvf_req_t stop_req;
  slot_t slots[IN_FLIGHT];
  unsigned accepted, refused, done, stopped, cancelled, strange;
  int front_errors, front_detached, front_closed;

  atomic_uint begun;
  unsigned noted; /* in the journal's tasks alone, and so in order */
};

/* ---- the work ---- */

static int note(uvf_task_t *task, void *arg, void *value) {
  (void)task;
  (void)value;
  ((server_t *)arg)->noted++;
  return 0;
}

static int serve(uvf_task_t *task, void *arg, void *value) {
  server_t *s = arg;
  unsigned n = atomic_fetch_add(&s->begun, 1);
  (void)value;
  if (n == TERM_AT) (void)uvf_task_finish(s->send_term, 0, NULL);
  while (s->stubborn && n >= TERM_AT) { /* long work asks now and then */
    if (uvf_task_cancelled(task)) return UV_EINTR;
    (void)sched_yield();
  }
  return uvf_spawn(s->journal, note, s, NULL, NULL);
}

/* ---- the front ---- */

static void on_answer(uvf_req_t *req, int status);

/* The next request of this slot, unless the server ends. */
static void request(slot_t *slot) {
  server_t *s = slot->server;
  int r = uvf_spawn(s->requests, serve, s, NULL, &slot->answer);
  if (r != 0) {
    s->refused++;
    s->front_errors += r != UV_EPIPE;
    return;
  }
  s->accepted++;
  s->front_errors += uvf_await(s->front, &slot->req, slot->answer, UVF_FOREVER, on_answer) != 0;
}

static void on_answer(uvf_req_t *req, int status) {
  slot_t *slot = req->data;
  server_t *s = slot->server;
  if (status == 0)
    s->done++;
  else if (status == UV_EINTR)
    s->stopped++;
  else if (status == UV_ECANCELED)
    s->cancelled++;
  else
    s->strange++;
  uvf_flowvar_release(slot->answer);
  request(slot);
}

static void on_front_detached(void *data) {
  ((server_t *)data)->front_detached++;
}

static void on_stop(uvf_req_t *req, int status) {
  server_t *s = req->data;
  s->front_errors += status != 0;
  s->front_errors += uvf_loop_detach(s->front, on_front_detached, s) != 0;
}

static void front_main(void *arg) {
  server_t *s = arg;
  s->front_errors += uv_loop_init(&s->front_uv) != 0;
  s->front_errors += uvf_loop_attach(&s->front_uv, NULL, &s->front) != 0;
  s->stop_req.data = s;
  s->front_errors += uvf_await(s->front, &s->stop_req, s->stop, UVF_FOREVER, on_stop) != 0; /* keeps the loop alive */
  for (int i = 0; i < IN_FLIGHT; i++) {
    s->slots[i].server = s;
    s->slots[i].req.data = &s->slots[i];
    request(&s->slots[i]);
  }
  (void)uv_run(&s->front_uv, UV_RUN_DEFAULT);
  s->front_closed = uv_loop_close(&s->front_uv);
}

/* ---- the end, step by step, on the back's loop ---- */

/* 4: all is noted. The front ends, and this loop. */
static void on_journal_idle(uvf_req_t *req, int status) {
  server_t *s = req->data;
  s->errors += status != 0;
  s->errors += uvf_task_finish(s->send_stop, 0, NULL) != 0;
  s->errors += uvf_loop_detach(s->back, NULL, NULL) != 0;
}

/* 2, and 3 where that was too late: no request runs any more. */
static void on_requests_idle(uvf_req_t *req, int status) {
  server_t *s = req->data;
  if (status == UV_ETIMEDOUT) {
    s->late = true;
    s->errors += uvf_executor_abort(s->requests) != 0; /* what waits is cancelled, what runs is asked to stop */
    s->errors += uvf_wait_idle(s->back, req, s->requests, UVF_FOREVER, on_requests_idle) != 0;
    return;
  }
  s->errors += status != 0;
  s->errors += uvf_executor_close(s->journal) != 0;
  s->errors += uvf_wait_idle(s->back, req, s->journal, UVF_FOREVER, on_journal_idle) != 0;
}

/* 1: nothing new comes in; what was accepted has until the deadline. */
static void on_term(uvf_req_t *req, int status) {
  server_t *s = req->data;
  s->errors += status != 0;
  s->errors += uvf_executor_close(s->requests) != 0;
  s->idle_req.data = s;
  s->errors += uvf_wait_idle(s->back, &s->idle_req, s->requests, s->deadline_ms, on_requests_idle) != 0;
}

/* ---- the server ---- */

static void server_open(server_t *s) {
  assert_int_equal(uv_loop_init(&s->back_uv), 0);
  assert_int_equal(uvf_loop_attach(&s->back_uv, NULL, &s->back), 0);
  s->requests = lane_open(uvf_loop_pool(s->back), 2, UVF_UNBOUNDED);
  s->journal = lane_open(uvf_loop_pool(s->back), 1, UVF_UNBOUNDED);
  assert_int_equal(uvf_promise_create(NULL, &s->send_term, &s->term), 0);
  assert_int_equal(uvf_promise_create(NULL, &s->send_stop, &s->stop), 0);
  s->term_req.data = s;
  assert_int_equal(uvf_await(s->back, &s->term_req, s->term, UVF_FOREVER, on_term), 0);
}

static void server_close(server_t *s) {
  uvf_executor_release(s->requests);
  uvf_executor_release(s->journal);
  uvf_flowvar_release(s->term);
  uvf_flowvar_release(s->stop);
}

static void a_server_ends_in_order(void **state) {
  (void)state;
  for (int stubborn = 0; stubborn <= 1; stubborn++) {
    server_t s = {.stubborn = stubborn != 0, .deadline_ms = stubborn != 0 ? 5 : PATIENCE_MS};
    thread_t front;
    server_open(&s);
    thread_start(&front, front_main, &s);
    (void)uv_run(&s.back_uv, UV_RUN_DEFAULT);
    thread_join(&front);
    assert_int_equal(uv_loop_close(&s.back_uv), 0);
    assert_int_equal(s.front_closed, 0);
    assert_int_equal(s.front_detached, 1);
    assert_int_equal(s.errors + s.front_errors, 0);

    uvf_executor_stats_t requests = stats_of(s.requests), journal = stats_of(s.journal);
    assert_int_equal(s.late, s.stubborn);
    assert_int_equal(s.refused, IN_FLIGHT); /* the last attempt of each slot */
    assert_true(s.accepted > TERM_AT);
    assert_int_equal(s.done + s.stopped + s.cancelled, s.accepted); /* each in one way */
    assert_int_equal(s.strange, 0);
    assert_int_equal(s.noted, s.done); /* none was lost on the way to the journal */
    assert_int_equal(requests.done, s.done);
    assert_int_equal(requests.failed, s.stopped);
    assert_int_equal(requests.cancelled, s.cancelled);
    assert_int_equal(requests.queued + requests.running + journal.queued + journal.running, 0);
    assert_int_equal(journal.done, s.noted);
    if (s.stubborn) assert_true(s.stopped > 0);
    server_close(&s);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      EXECUTOR_TEST(a_server_ends_in_order),
  };
  return RUN_TESTS(tests);
}
