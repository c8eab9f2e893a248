/* SPDX-License-Identifier: MIT */
/* Continuations that never get to run, or whose flowvars go before: cancelled ones, closed and aborted executors, abandoned ones. */
#include "task/task_fixture.h"

#if defined(__SANITIZE_THREAD__)
enum { ROUNDS = 300 };
#else
enum { ROUNDS = 2000 };
#endif

enum { FIRST, SECOND, THIRD, LINKS };

/* A chain of three, each on a pool of its own, whose first is a promise. */
typedef struct {
  pool_t pools[LINKS];
  work_t works[LINKS];
  drops_t d;
  uvf_task_t *task;
  uvf_flowvar_t *fvs[LINKS];
} chain_t;

static void open_chain(chain_t *c) {
  memset(c, 0, sizeof *c);
  for (uint32_t i = 0; i < LINKS; i++) {
    pool_open(&c->pools[i], false);
    c->works[i].value = item(1, i);
    c->works[i].next = &c->works[i + 1 < LINKS ? i + 1 : i];
  }
  c->fvs[FIRST] = promise(&c->task, &c->d);
  c->fvs[SECOND] = then_next(c->fvs[FIRST], c->pools[SECOND].ex, &c->d);
  c->fvs[THIRD] = then_next(c->fvs[SECOND], c->pools[THIRD].ex, &c->d);
}

static void finish_first(chain_t *c) {
  value_t v = {.what = item(1, FIRST), .next = &c->works[SECOND]};
  assert_int_equal(uvf_task_finish(c->task, 0, &v), 0);
}

static void run_all(chain_t *c) {
  pool_run(&c->pools[SECOND]);
  pool_run(&c->pools[THIRD]);
}

static void expect_outcomes(chain_t *c, int second, int third) {
  assert_int_equal(uvf_try_await(c->fvs[SECOND]), second);
  assert_int_equal(uvf_try_await(c->fvs[THIRD]), third);
}

/* values: how many were made; each is dropped in the end. */
static void close_chain(chain_t *c, int values) {
  for (int i = 0; i < LINKS; i++)
    uvf_flowvar_release(c->fvs[i]);
  assert_int_equal(atomic_load(&c->d.values), values);
  for (int i = 0; i < LINKS; i++)
    pool_close(&c->pools[i]);
}

/* ---- cancelled ---- */

static void cancelled_while_it_waits(void **state) {
  (void)state;
  chain_t c;
  open_chain(&c);
  assert_int_equal(uvf_flowvar_cancel(c.fvs[SECOND]), 0);
  expect_outcomes(&c, UV_ECANCELED, UV_ECANCELED);
  assert_int_equal(uvf_flowvar_cancel(c.fvs[SECOND]), UV_EALREADY);
  assert_int_equal(uvf_flowvar_cancel(c.fvs[THIRD]), UV_EALREADY);
  assert_int_equal(uvf_try_await(c.fvs[FIRST]), UV_EAGAIN); /* what it follows goes on */
  assert_false(uvf_task_cancelled(c.task));
  finish_first(&c);
  run_all(&c);
  expect_made(c.fvs[FIRST], item(1, FIRST));
  assert_int_equal(atomic_load(&c.works[SECOND].runs) + atomic_load(&c.works[THIRD].runs), 0);
  close_chain(&c, 1);
}

static void the_last_is_cancelled_while_it_waits(void **state) {
  (void)state;
  chain_t c;
  open_chain(&c);
  assert_int_equal(uvf_flowvar_cancel(c.fvs[THIRD]), 0);
  expect_outcomes(&c, UV_EAGAIN, UV_ECANCELED);
  finish_first(&c);
  run_all(&c);
  expect_outcomes(&c, 0, UV_ECANCELED);
  assert_int_equal(atomic_load(&c.works[THIRD].runs), 0);
  close_chain(&c, 2);
}

static void cancelled_while_it_is_queued(void **state) {
  (void)state;
  chain_t c;
  open_chain(&c);
  finish_first(&c);
  assert_int_equal(counts_of(c.pools[SECOND].ex).queued, 1);
  assert_int_equal(uvf_flowvar_cancel(c.fvs[SECOND]), 0);
  assert_int_equal(counts_of(c.pools[SECOND].ex).queued, 0);
  assert_int_equal(counts_of(c.pools[SECOND].ex).cancelled, 1);
  expect_outcomes(&c, UV_ECANCELED, UV_ECANCELED);
  run_all(&c);
  assert_int_equal(atomic_load(&c.works[SECOND].runs) + atomic_load(&c.works[THIRD].runs), 0);
  close_chain(&c, 1);
}

static void cancels_itself(work_t *w, uvf_task_t *task) {
  w->seen = uvf_flowvar_cancel(w->data);
  if (!uvf_task_cancelled(task)) w->seen = 1;
}

static void cancelled_while_it_runs(void **state) {
  (void)state;
  chain_t c;
  open_chain(&c);
  c.works[SECOND].inside = cancels_itself;
  c.works[SECOND].data = c.fvs[SECOND];
  c.works[SECOND].result = UV_ECANCELED;
  finish_first(&c);
  run_all(&c);
  assert_int_equal(c.works[SECOND].seen, UV_EBUSY);
  expect_outcomes(&c, UV_ECANCELED, UV_ECANCELED);
  assert_int_equal(atomic_load(&c.works[THIRD].runs), 0);
  close_chain(&c, 1);
}

static void what_it_follows_is_cancelled(void **state) {
  (void)state;
  pool_t p, q;
  drops_t d = {0};
  work_t next = {0}, w = {.next = &next};
  pool_open(&p, false);
  pool_open(&q, false);
  uvf_flowvar_t *fv = spawn(p.ex, &w, &d), *after = then_next(fv, q.ex, &d);
  assert_int_equal(uvf_flowvar_cancel(fv), 0);
  assert_int_equal(uvf_try_await(after), UV_ECANCELED);
  pool_run(&p);
  pool_run(&q);
  assert_int_equal(atomic_load(&next.runs) + atomic_load(&w.runs), 0);
  uvf_flowvar_release(fv);
  uvf_flowvar_release(after);
  pool_close(&q);
  pool_close(&p);
}

/* ---- executors ---- */

static void its_executor_is_closed_meanwhile(void **state) {
  (void)state;
  for (int abort = 0; abort <= 1; abort++)
    for (int queued = 0; queued <= 1; queued++) {
      chain_t c;
      open_chain(&c);
      if (queued) finish_first(&c);
      uvf_executor_t *ex = c.pools[SECOND].ex;
      assert_int_equal(abort ? uvf_executor_abort(ex) : uvf_executor_close(ex), 0);
      assert_int_equal(uvf_try_await(c.fvs[SECOND]), queued && abort ? UV_ECANCELED : UV_EAGAIN);
      if (!queued) finish_first(&c);
      run_all(&c);
      int expected = !queued ? UV_EPIPE : abort ? UV_ECANCELED : 0;
      expect_outcomes(&c, expected, expected);
      assert_int_equal(atomic_load(&c.works[SECOND].runs), expected == 0 ? 1 : 0);
      close_chain(&c, expected == 0 ? 3 : 1);
    }
}

static void its_executor_was_closed_before(void **state) {
  (void)state;
  chain_t c;
  open_chain(&c);
  assert_int_equal(uvf_executor_close(c.pools[FIRST].ex), 0);
  finish_first(&c);
  uvf_flowvar_t *after = then_next(c.fvs[FIRST], c.pools[FIRST].ex, &c.d);
  assert_int_equal(uvf_try_await(after), UV_EPIPE);
  uvf_flowvar_release(after);
  run_all(&c);
  close_chain(&c, 3);
}

/* It keeps its executor: to release that, even the last reference, closes nothing as long as work may follow. */
static void its_executor_is_released_meanwhile(void **state) {
  (void)state;
  chain_t c;
  open_chain(&c);
  uvf_executor_release(c.pools[SECOND].ex);
  c.pools[SECOND].ex = NULL;
  finish_first(&c);
  run_all(&c);
  expect_outcomes(&c, 0, 0);
  close_chain(&c, 3);
}

static void a_users_pool_refuses_it(void **state) {
  (void)state;
  chain_t c;
  open_chain(&c);
  c.pools[SECOND].refuse = UV_EMFILE;
  finish_first(&c);
  expect_outcomes(&c, UV_EMFILE, UV_EMFILE);
  c.pools[SECOND].refuse = 0;
  run_all(&c);
  assert_int_equal(atomic_load(&c.works[SECOND].runs), 0);
  close_chain(&c, 1);
}

static void a_full_lane_does_not_refuse_it(void **state) {
  (void)state;
  pool_t p;
  uvf_executor_t *lane;
  uvf_lane_options_t o = {.max_running = 1, .capacity = 1};
  work_t filler = {0}, works[3] = {{.value = item(1, 1)}, {.value = item(1, 2)}, {.value = item(1, 3)}};
  uvf_task_t *tasks[3];
  uvf_flowvar_t *fvs[3], *after[3], *full, *none = NULL;
  pool_open(&p, false);
  assert_int_equal(uvf_lane_create(p.ex, &o, &lane), 0);
  for (int i = 0; i < 3; i++) {
    fvs[i] = promise(&tasks[i], NULL);
    after[i] = then_next(fvs[i], lane, NULL);
  }
  full = spawn(lane, &filler, NULL);
  for (int i = 0; i < 3; i++) {
    value_t v = {.next = &works[i]};
    assert_int_equal(uvf_spawn(lane, work_run, &filler, NULL, &none), UV_EAGAIN);
    assert_int_equal(uvf_task_finish(tasks[i], 0, &v), 0);
    assert_int_equal(counts_of(lane).queued, i + 2);
  }
  pool_run(&p);
  for (int i = 0; i < 3; i++) {
    expect_made(after[i], item(1, (uint32_t)i + 1));
    uvf_flowvar_release(after[i]);
    uvf_flowvar_release(fvs[i]);
  }
  uvf_flowvar_release(full);
  uvf_executor_release(lane);
  pool_close(&p);
}

/* ---- abandoned ---- */

static void abandoned_in_every_place(void **state) {
  (void)state;
  for (unsigned which = 0; which < 1 << LINKS; which++)
    for (int when = 0; when < 3; when++) {
      chain_t c;
      open_chain(&c);
      for (int i = 0; i < LINKS; i++) {
        if (i == when) finish_first(&c);
        if (i == when && i == 2) pool_run(&c.pools[SECOND]);
        if ((which >> i & 1) == 0) continue;
        uvf_flowvar_release(c.fvs[i]);
        c.fvs[i] = NULL;
      }
      run_all(&c);
      assert_true(same(c.works[THIRD].before, item(1, SECOND)));
      assert_int_equal(atomic_load(&c.works[SECOND].runs) + atomic_load(&c.works[THIRD].runs), 2);
      close_chain(&c, 3);
    }
}

/* ---- cancelled on its way ---- */

typedef struct {
  uvf_flowvar_t *fv;
  int result;
} canceller_t;

static void cancels_and_releases(void *arg) {
  canceller_t *c = arg;
  if (c->fv == NULL) return;
  c->result = uvf_flowvar_cancel(c->fv);
  uvf_flowvar_release(c->fv);
  c->fv = NULL;
}

/* Two follow one. The submit of the first cancels the second, which has been decided and is about to be queued, and the last
 * references on it and on its executor are given up. */
static void cancelled_between_its_decision_and_its_queue(void **state) {
  (void)state;
  pool_t p, q;
  uvf_task_t *task;
  work_t next = {0};
  value_t v = {.next = &next};
  pool_open(&p, false);
  pool_open(&q, false);
  uvf_flowvar_t *fv = promise(&task, NULL), *first = then_next(fv, p.ex, NULL);
  canceller_t c = {.fv = then_next(fv, q.ex, NULL)};
  uvf_flowvar_t *third = then_next(c.fv, p.ex, NULL);
  uvf_executor_release(q.ex);
  q.ex = NULL;
  p.in_submit = cancels_and_releases;
  p.arg = &c;
  assert_int_equal(uvf_task_finish(task, 0, &v), 0);
  assert_int_equal(c.result, 0);
  assert_int_equal(uvf_try_await(third), UV_ECANCELED);
  pool_run(&p);
  pool_run(&q);
  assert_int_equal(uvf_try_await(first), 0);
  assert_int_equal(atomic_load(&next.runs), 1);
  uvf_flowvar_release(fv);
  uvf_flowvar_release(first);
  uvf_flowvar_release(third);
  pool_close(&q);
  pool_close(&p);
}

typedef struct {
  uv_barrier_t gate;
  canceller_t cancel;
} racer_t;

static void races(void *arg) {
  racer_t *r = arg;
  (void)uv_barrier_wait(&r->gate);
  cancels_and_releases(&r->cancel);
}

/* The end of what it follows against its cancel; with failing ones in between, so that the end has some way to go. */
static void cancelled_against_the_end_of_what_it_follows(void **state) {
  (void)state;
  long blocks = fault_blocks();
  for (int round = 0; round < ROUNDS; round++) {
    pool_t p;
    thread_t id;
    racer_t r = {.cancel = {.result = 1}};
    uvf_task_t *task;
    work_t last = {0}, next = {.next = &last};
    value_t v = {.next = &next};
    int status = round % 2 == 0 ? UV_EIO : 0;
    pool_open(&p, false);
    assert_int_equal(uv_barrier_init(&r.gate, 2), 0);
    uvf_flowvar_t *fv = promise(&task, NULL), *after = then_next(fv, p.ex, NULL);
    for (int i = 0; i < round % 4 && status != 0; i++) {
      uvf_flowvar_t *before = after;
      after = then_next(before, p.ex, NULL);
      uvf_flowvar_release(before);
    }
    uvf_flowvar_t *behind = then_next(after, p.ex, NULL);
    r.cancel.fv = after;
    thread_start(&id, races, &r);
    (void)uv_barrier_wait(&r.gate);
    uvf_flowvar_release(fv);
    assert_int_equal(uvf_task_finish(task, status, &v), 0);
    thread_join(&id);
    uv_barrier_destroy(&r.gate);
    assert_true(r.cancel.result == 0 || (r.cancel.result == UV_EALREADY && status != 0));
    assert_int_equal(uvf_try_await(behind), r.cancel.result == 0 ? UV_ECANCELED : status);
    uvf_flowvar_release(behind);
    pool_close(&p);
    assert_int_equal(atomic_load(&next.runs) + atomic_load(&last.runs), 0);
    assert_int_equal(fault_blocks(), blocks);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      UVF_TEST(cancelled_while_it_waits),
      UVF_TEST(the_last_is_cancelled_while_it_waits),
      UVF_TEST(cancelled_while_it_is_queued),
      UVF_TEST(cancelled_while_it_runs),
      UVF_TEST(what_it_follows_is_cancelled),
      UVF_TEST(its_executor_is_closed_meanwhile),
      UVF_TEST(its_executor_was_closed_before),
      UVF_TEST(its_executor_is_released_meanwhile),
      UVF_TEST(a_users_pool_refuses_it),
      UVF_TEST(a_full_lane_does_not_refuse_it),
      UVF_TEST(abandoned_in_every_place),
      UVF_TEST(cancelled_between_its_decision_and_its_queue),
      UVF_TEST(cancelled_against_the_end_of_what_it_follows),
  };
  return RUN_TESTS(tests);
}
