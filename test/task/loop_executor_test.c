/* SPDX-License-Identifier: MIT */
/* A loop's thread as an executor: when and where its tasks run, calls into it from threads and other loops, and its end with the
 * loop's. */
#include "task/executor_fixture.h"

/* ---- where and when ---- */

typedef struct {
  test_host_t *h;
  pthread_t thread;
  unsigned turn;
} place_t;

static void notes_its_place(job_t *j) {
  place_t *p = j->arg;
  p->thread = pthread_self();
  p->turn = p->h->turns;
}

static void tasks_run_in_turns_of_the_loop(void **state) {
  test_host_t h;
  (void)state;
  loop_open(&h, 0);
  uvf_executor_t *ex = uvf_loop_executor(h.loop);
  place_t p = {.h = &h};
  job_t j = {.act = notes_its_place, .arg = &p};
  assert_non_null(ex);
  assert_ptr_equal(uvf_loop_executor(h.loop), ex);
  job_spawn(&j, ex);
  assert_int_equal(atomic_load(&j.ran), 0);
  assert_false(h.alive); /* a task that waits keeps no loop alive */
  assert_int_equal(uvf_await_sync(j.fv, UVF_FOREVER), UVF_EDEADLK);
  test_host_run(&h);
  assert_true(pthread_equal(p.thread, pthread_self()));
  assert_true(p.turn > 0);
  job_ended(&j, 0, true);
  expect_ended(ex, 1, 0, 0);
  test_host_detach(&h);
}

/* No more of them in a turn than the loop may deliver items, but some in each. */
static void they_keep_to_the_budget_of_a_turn(void **state) {
  enum { TASKS = 20, ITEMS = 4 };
  test_host_t h;
  place_t p[TASKS];
  job_t j[TASKS];
  unsigned in_turn[TASKS + 2] = {0}, turns = 0;
  (void)state;
  memset(j, 0, sizeof j);
  loop_open(&h, ITEMS);
  uvf_executor_t *ex = uvf_loop_executor(h.loop);
  for (int i = 0; i < TASKS; i++) {
    p[i].h = &h;
    j[i].act = notes_its_place;
    j[i].arg = &p[i];
    job_spawn(&j[i], ex);
  }
  test_host_run(&h);
  for (int i = 0; i < TASKS; i++) {
    assert_in_range(p[i].turn, 1, TASKS + 1);
    if (i > 0) assert_true(p[i].turn >= p[i - 1].turn);
    in_turn[p[i].turn]++;
    job_ended(&j[i], 0, true);
  }
  for (int i = 0; i < TASKS + 2; i++) {
    assert_in_range(in_turn[i], 0, ITEMS);
    turns += in_turn[i] > 0;
  }
  assert_in_range(turns, TASKS / ITEMS, 2 * TASKS / ITEMS);
  test_host_detach(&h);
}

typedef struct {
  uvf_executor_t *ex;
  bool stop;
  int rounds;
} endless_t;

static int spawns_itself(uvf_task_t *task, void *arg, void *value) {
  endless_t *e = arg;
  (void)task;
  (void)value;
  e->rounds++;
  return e->stop || e->rounds > 100000 ? 0 : uvf_spawn(e->ex, spawns_itself, e, NULL, NULL);
}

static void stops_it(uvf_post_t *post, int status) {
  (void)status;
  ((endless_t *)post->data)->stop = true;
}

/* Work without end leaves the loop its other business: here a timer, and a post from outside. */
static void a_flood_lets_others_in(void **state) {
  test_host_t h;
  record_t r = {0};
  uvf_req_t never = {.data = &r};
  uvf_post_t post = {0};
  (void)state;
  loop_open(&h, 16);
  endless_t e = {.ex = uvf_loop_executor(h.loop)};
  post.data = &e;
  job_t later = {0};
  job_spawn_later(&later, e.ex);
  test_host_run(&h);
  assert_int_equal(uvf_await(h.loop, &never, later.fv, 10, record_request), 0);
  assert_int_equal(uvf_spawn(e.ex, spawns_itself, &e, NULL, NULL), 0);
  for (int i = 0; i < 5; i++)
    assert_true(test_host_turn(&h));
  h.now += 10;
  assert_true(test_host_turn(&h));
  assert_true(test_host_turn(&h));
  assert_int_equal(r.calls, 1);
  assert_int_equal(r.status[0], UV_ETIMEDOUT);
  assert_false(e.stop);
  assert_int_equal(uvf_post(h.loop, &post, stops_it), 0);
  test_host_run(&h);
  assert_true(e.stop);
  assert_true(e.rounds < 100000);
  assert_int_equal(job_finish(&later, 0), 0);
  job_ended(&later, 0, true);
  test_host_detach(&h);
}

static void a_lane_on_it_keeps_the_order(void **state) {
  test_host_t h;
  job_t j[3] = {{0}};
  (void)state;
  loop_open(&h, 0);
  uvf_executor_t *lane = lane_open(uvf_loop_executor(h.loop), 1, 2);
  jobs_spawn(j, 2, lane);
  assert_int_equal(job_try(&j[2], lane), UV_EAGAIN);
  test_host_run(&h);
  job_ended(&j[0], 0, true);
  job_ended(&j[1], 0, true);
  job_spawn(&j[2], lane);
  test_host_detach(&h); /* which aborts the lane, too */
  job_ended(&j[2], UV_ECANCELED, false);
  assert_int_equal(job_try(&j[2], lane), UV_EPIPE);
  uvf_executor_release(lane);
}

/* ---- calls into a loop ---- */

typedef struct {
  thread_t thread;
  test_host_t *h;
  int *answered; /* the loop's */
  int first, result, answer;
} caller_t;

static int answers(uvf_task_t *task, void *arg, void *value) {
  caller_t *c = *(caller_t **)arg;
  (void)task;
  *(int *)value = uvf_loop_is_mine(c->h->loop) ? 42 : -1;
  ++*c->answered;
  return 0;
}

/* A plain thread asks, and blocks for the answer. It is also the first to use the executor. */
static void calls(void *arg) {
  caller_t *c = arg;
  uvf_flowvar_t *fv = NULL;
  uvf_spawn_options_t o = {.value_size = sizeof(int), .arg_size = sizeof c};
  c->result = uvf_spawn(uvf_loop_executor(c->h->loop), answers, &c, &o, &fv);
  if (c->result != 0) return;
  c->result = uvf_await_sync(fv, PATIENCE_MS);
  if (c->result == 0) c->result = uvf_flowvar_take(fv, &c->answer);
  uvf_flowvar_release(fv);
}

static void plain_threads_call_and_block_for_the_answer(void **state) {
  enum { CALLERS = 4 };
  test_host_t h;
  caller_t c[CALLERS];
  int answered = 0;
  (void)state;
  loop_open(&h, 0);
  for (int i = 0; i < CALLERS; i++) {
    c[i] = (caller_t){.h = &h, .answered = &answered};
    thread_start(&c[i].thread, calls, &c[i]);
  }
  test_host_run_until(&h, &answered, CALLERS);
  for (int i = 0; i < CALLERS; i++) {
    thread_join(&c[i].thread);
    assert_int_equal(c[i].result, 0);
    assert_int_equal(c[i].answer, 42);
  }
  expect_ended(uvf_loop_executor(h.loop), CALLERS, 0, 0);
  test_host_detach(&h);
}

/* Two loops, each of which asks the other one, again and again. */
typedef struct {
  uvf_loop_t *mine, *other;
  uvf_req_t req;
  uvf_flowvar_t *fv;
  int asked, wrong;
} asker_t;

static int doubles(uvf_task_t *task, void *arg, void *value) {
  (void)task;
  *(int *)value = 2 * *(int *)arg;
  return 0;
}

static void on_answer(uvf_req_t *req, int status);

static void ask(asker_t *a) {
  uvf_spawn_options_t o = {.value_size = sizeof(int), .arg_size = sizeof(int)};
  a->wrong += uvf_spawn(uvf_loop_executor(a->other), doubles, &a->asked, &o, &a->fv) != 0;
  a->req.data = a;
  a->wrong += uvf_await(a->mine, &a->req, a->fv, UVF_FOREVER, on_answer) != 0;
}

static void on_answer(uvf_req_t *req, int status) {
  asker_t *a = req->data;
  const int *value = uvf_flowvar_value(a->fv);
  a->wrong += status != 0 || value == NULL || *value != 2 * a->asked;
  uvf_flowvar_release(a->fv);
  if (++a->asked < 50) ask(a);
}

static void two_loops_ask_each_other(void **state) {
  test_host_t h, i;
  (void)state;
  loop_open(&h, 0);
  loop_open(&i, 0);
  asker_t a = {.mine = h.loop, .other = i.loop}, b = {.mine = i.loop, .other = h.loop};
  ask(&a);
  ask(&b);
  for (bool more = true; more;) {
    more = test_host_turn(&h);
    more = test_host_turn(&i) || more;
  }
  assert_int_equal(a.asked, 50);
  assert_int_equal(b.asked, 50);
  assert_int_equal(a.wrong + b.wrong, 0);
  ask(&a); /* and one whose answer does not come any more */
  test_host_detach(&i);
  test_host_run(&h);
  assert_int_equal(a.asked, 51);
  assert_int_equal(a.wrong, 1);
  test_host_detach(&h);
}

/* ---- the end ---- */

/* What was retained says EPIPE; what the loop gives is nothing. */
static void after_a_detach_there_is_none(void **state) {
  test_host_t h;
  job_t j = {0}, late = {0};
  (void)state;
  loop_open(&h, 0);
  uvf_loop_t *loop = uvf_loop_retain(h.loop);
  uvf_executor_t *ex = uvf_executor_retain(uvf_loop_executor(loop));
  assert_int_equal(uvf_executor_close(ex), UV_ENOTSUP);
  assert_int_equal(uvf_executor_abort(ex), UV_ENOTSUP);
  job_spawn(&j, ex);
  assert_int_equal(test_host_detach_start(&h), 0);
  assert_null(uvf_loop_executor(loop));
  assert_int_equal(job_try(&late, ex), UV_EPIPE);
  test_host_finish(&h);
  assert_null(uvf_loop_executor(loop));
  assert_int_equal(job_try(&late, ex), UV_EPIPE);
  job_ended(&j, UV_ECANCELED, false);
  expect_ended(ex, 0, 0, 1);
  assert_int_equal(uvf_wait_idle_sync(ex, 0), 0);
  uvf_executor_release(ex);
  uvf_loop_release(loop);
}

static void a_detach_before_anything_ran(void **state) {
  test_host_t h;
  (void)state;
  for (int used = 0; used <= 1; used++) {
    loop_open(&h, 0);
    if (used) assert_non_null(uvf_loop_executor(h.loop));
    test_host_detach(&h);
  }
}

/* Queued, ending later, awaited here and elsewhere, in a lane; paused or not. */
static void a_detach_ends_all_of_its_tasks(void **state) {
  (void)state;
  for (int paused = 0; paused <= 1; paused++) {
    test_host_t h, other;
    record_t here = {0}, there = {0};
    uvf_req_t reqs[4] = {{.data = &here}, {.data = &there}, {.data = &here}, {.data = &here}};
    job_t later = {0}, queued[2] = {{0}}, in_lane = {0}, offloaded = {0};
    loop_open(&h, 0);
    loop_open(&other, 0);
    uvf_executor_t *ex = uvf_executor_retain(uvf_loop_executor(h.loop)), *lane = lane_open(ex, 1, 4);
    job_spawn_later(&later, ex);
    test_host_run(&h);
    if (paused) assert_int_equal(uvf_executor_pause(ex), 0);
    if (paused) assert_int_equal(uvf_executor_pause(lane), 0);
    jobs_spawn(queued, 2, ex);
    job_spawn(&in_lane, lane);
    assert_int_equal(uvf_await(h.loop, &reqs[0], queued[0].fv, UVF_FOREVER, record_request), 0);
    assert_int_equal(uvf_await(other.loop, &reqs[1], queued[0].fv, UVF_FOREVER, record_request), 0);
    assert_int_equal(uvf_await(h.loop, &reqs[2], later.fv, UVF_FOREVER, record_request), 0);
    assert_int_equal(uvf_offload(h.loop, &reqs[3], ex, job_work, &offloaded, record_request), 0);
    test_host_detach(&h);
    assert_int_equal(here.calls, 3);
    for (int i = 0; i < 3; i++)
      assert_int_equal(here.status[i], UV_ECANCELED);
    test_host_run(&other);
    assert_int_equal(there.calls, 1);
    assert_int_equal(there.status[0], UV_ECANCELED);
    assert_true(uvf_task_cancelled(later.task));
    expect_now(ex, 0, 1);
    assert_int_equal(job_finish(&later, 0), 0); /* after the loop has gone */
    job_ended(&later, 0, true);
    job_ended(&queued[0], UV_ECANCELED, false);
    job_ended(&queued[1], UV_ECANCELED, false);
    job_ended(&in_lane, UV_ECANCELED, false);
    assert_int_equal(atomic_load(&offloaded.ran), 0);
    expect_ended(ex, 1, 0, 3);
    uvf_executor_release(lane);
    uvf_executor_release(ex);
    test_host_detach(&other);
  }
}

static void detaches_its_loop(job_t *j) {
  (void)test_host_detach_start(j->arg);
}

static void a_task_may_detach_its_loop(void **state) {
  test_host_t h;
  job_t j[3] = {{0}};
  (void)state;
  loop_open(&h, 0);
  j[0].act = detaches_its_loop;
  j[0].arg = &h;
  jobs_spawn(j, 3, uvf_loop_executor(h.loop));
  test_host_run(&h);
  test_host_finish(&h);
  job_ended(&j[0], 0, true);
  job_ended(&j[1], UV_ECANCELED, false);
  job_ended(&j[2], UV_ECANCELED, false);
}

/* ---- the end, and other threads ---- */

typedef struct {
  thread_t thread;
  uvf_loop_t *loop;
  uvf_executor_t *ex; /* retained; NULL: asks the loop for it */
  job_t jobs[30];
  int spawned[30];
  gate_t *go;
} outsider_t;

static void spawns_from_outside(void *arg) {
  outsider_t *o = arg;
  if (o->go != NULL) (void)gate_wait(o->go);
  for (int i = 0; i < 30; i++)
    o->spawned[i] = job_try(&o->jobs[i], o->ex != NULL ? o->ex : uvf_loop_executor(o->loop));
}

/* Refused, ran, or cancelled. All have ended, since the loop has. */
static int outsider_wrong(outsider_t *o) {
  int wrong = 0;
  for (int i = 0; i < 30; i++) {
    job_t *j = &o->jobs[i];
    int r = o->spawned[i], outcome = r != 0 ? r : uvf_try_await(j->fv);
    int ran = atomic_load(&j->ran), dropped = atomic_load(&j->dropped);
    bool good = r != 0         ? r == UV_EPIPE && ran + dropped == 0
                : outcome == 0 ? ran == 1 && dropped == 0
                               : outcome == UV_ECANCELED && ran == 0 && dropped == 1;
    wrong += !good;
    uvf_flowvar_release(j->fv);
  }
  return wrong;
}

/* The first use is another thread's, and the loop takes no turn before it is detached. */
static void a_first_use_from_outside_meets_a_detach(void **state) {
  test_host_t h;
  static outsider_t o;
  (void)state;
  for (int turn = 0; turn <= 1; turn++) {
    memset(&o, 0, sizeof o);
    loop_open(&h, 0);
    o.loop = h.loop;
    thread_start(&o.thread, spawns_from_outside, &o);
    thread_join(&o.thread);
    if (turn) test_host_run(&h);
    assert_int_equal(atomic_load(&o.jobs[0].ran), turn);
    test_host_detach(&h);
    assert_int_equal(outsider_wrong(&o), 0);
  }
}

/* Two threads spawn while the loop turns and is detached. */
static void spawns_from_outside_meet_a_detach(void **state) {
  static outsider_t o[2];
  (void)state;
  for (int round = 0; round < 100; round++) {
    test_host_t h;
    gate_t go;
    memset(o, 0, sizeof o);
    gate_init(&go);
    loop_open(&h, 0);
    uvf_executor_t *ex = uvf_executor_retain(uvf_loop_executor(h.loop));
    for (int i = 0; i < 2; i++) {
      o[i].loop = h.loop;
      o[i].ex = ex;
      o[i].go = &go;
      thread_start(&o[i].thread, spawns_from_outside, &o[i]);
    }
    gate_open(&go);
    gate_open(&go);
    for (int i = 0; i < round % 7; i++)
      (void)test_host_turn(&h);
    if (round % 3 == 0) assert_int_equal(uvf_executor_pause(ex), 0);
    test_host_detach(&h);
    for (int i = 0; i < 2; i++) {
      thread_join(&o[i].thread);
      assert_int_equal(outsider_wrong(&o[i]), 0);
    }
    uvf_executor_release(ex);
    gate_destroy(&go);
  }
}

typedef struct {
  thread_t thread;
  uvf_loop_t *loop;
  uv_barrier_t *start;
  uvf_executor_t *got;
} getter_t;

static void gets(void *arg) {
  getter_t *g = arg;
  (void)uv_barrier_wait(g->start);
  g->got = uvf_loop_executor(g->loop);
}

/* All ask for it at the same time: there is one. */
static void there_is_one_for_all(void **state) {
  (void)state;
  for (int round = 0; round < 100; round++) {
    test_host_t h;
    uv_barrier_t start;
    getter_t g[2];
    assert_int_equal(uv_barrier_init(&start, 3), 0);
    loop_open(&h, 0);
    for (int i = 0; i < 2; i++) {
      g[i] = (getter_t){.loop = h.loop, .start = &start};
      thread_start(&g[i].thread, gets, &g[i]);
    }
    (void)uv_barrier_wait(&start);
    uvf_executor_t *got = uvf_loop_executor(h.loop);
    for (int i = 0; i < 2; i++) {
      thread_join(&g[i].thread);
      assert_ptr_equal(g[i].got, got);
    }
    test_host_detach(&h);
    uv_barrier_destroy(&start);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      EXECUTOR_TEST(tasks_run_in_turns_of_the_loop),
      EXECUTOR_TEST(they_keep_to_the_budget_of_a_turn),
      EXECUTOR_TEST(a_flood_lets_others_in),
      EXECUTOR_TEST(a_lane_on_it_keeps_the_order),
      EXECUTOR_TEST(plain_threads_call_and_block_for_the_answer),
      EXECUTOR_TEST(two_loops_ask_each_other),
      EXECUTOR_TEST(after_a_detach_there_is_none),
      EXECUTOR_TEST(a_detach_before_anything_ran),
      EXECUTOR_TEST(a_detach_ends_all_of_its_tasks),
      EXECUTOR_TEST(a_task_may_detach_its_loop),
      EXECUTOR_TEST(a_first_use_from_outside_meets_a_detach),
      EXECUTOR_TEST(spawns_from_outside_meet_a_detach),
      EXECUTOR_TEST(there_is_one_for_all),
  };
  return RUN_TESTS(tests);
}
