/* SPDX-License-Identifier: MIT */
/* Flowvars and offloads on libuv's own pool. Cases 48, 49. (50: fork_test.c.) Promise 13. */
#include "task/task_fixture.h"

#include <sched.h>
#include "uv/uv_fixture.h"

enum { MANY = 2000 };

#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { ROUNDS = 200 };
#else
enum { ROUNDS = 1000 };
#endif

/* ---- case 48 ---- */

typedef struct {
  char *text; /* owned */
} string_t;

static void free_string(void *item, void *data) {
  free(((string_t *)item)->text);
  atomic_fetch_add((atomic_int *)data, 1);
}

static int makes_string(uvf_task_t *task, void *arg, void *value) {
  uint32_t n;
  char text[32];
  (void)task;
  memcpy(&n, arg, sizeof n);
  (void)snprintf(text, sizeof text, "string %u", n);
  ((string_t *)value)->text = strdup(text);
  return ((string_t *)value)->text == NULL ? UV_ENOMEM : 0;
}

static atomic_bool stop_loading;

/* Keeps a CPU busy: the pool's threads get the rest of it. It yields, so that a machine with one CPU needs no second for a round. */
static void loads_a_cpu(void *arg) {
  (void)arg;
  for (volatile unsigned n = 0; !atomic_load_explicit(&stop_loading, memory_order_relaxed); n++)
    if (n % 1024 == 0) (void)sched_yield();
}

typedef struct {
  uvf_flowvar_t *fvs[2];
  uint32_t round;
  int wrong;
  bool done;
} strings_t;

static void reads_strings(uvf_req_t *req, int status) {
  strings_t *s = req->data;
  for (uint32_t i = 0; i < 2; i++) {
    char expected[32];
    const string_t *v = uvf_flowvar_value(s->fvs[i]);
    (void)snprintf(expected, sizeof expected, "string %u", s->round * 2 + i);
    if (status != 0 || v == NULL || strcmp(v->text, expected) != 0) s->wrong++;
    uvf_flowvar_release(s->fvs[i]);
  }
  s->done = true;
}

static void case_48_two_strings_under_full_load(void **state) {
  fixture_t f;
  thread_t load[2];
  uvf_req_t req = {0};
  strings_t s = {.wrong = 0};
  atomic_int dropped = 0;
  uvf_spawn_options_t o = {
      .value_size = sizeof(string_t), .value_drop = free_string, .arg_size = sizeof(uint32_t), .data = &dropped};
  open_fixture(&f, state);
  req.data = &s;
  atomic_store(&stop_loading, false);
  for (int i = 0; i < 2; i++)
    thread_start(&load[i], loads_a_cpu, NULL);
  for (uint32_t round = 0; round < ROUNDS && s.wrong == 0; round++) {
    s.round = round;
    s.done = false;
    for (uint32_t i = 0; i < 2; i++) {
      uint32_t n = round * 2 + i;
      assert_int_equal(uvf_spawn(uvf_loop_pool(f.loop), makes_string, &n, &o, &s.fvs[i]), 0);
    }
    assert_int_equal(uvf_await_all(f.loop, &req, s.fvs, 2, UVF_FOREVER, reads_strings), 0);
    run(&f);
    if (!s.done) s.wrong++;
  }
  atomic_store(&stop_loading, true);
  for (int i = 0; i < 2; i++)
    thread_join(&load[i]);
  close_fixture(&f); /* the pool syncs, and nothing is left of it */
  assert_int_equal(s.wrong, 0);
  assert_int_equal(atomic_load(&dropped), 2 * ROUNDS);
}

/* ---- case 49 ---- */

typedef struct {
  gate_t begun, go;
  atomic_int runs;
} held_t;

static int waits_at_gate(uvf_task_t *task, void *arg, void *value) {
  held_t *h = arg;
  (void)task;
  (void)value;
  atomic_fetch_add(&h->runs, 1);
  gate_open(&h->begun);
  return gate_wait(&h->go) ? 0 : UV_EIO;
}

/* The lane has one place, so that the second waits however many threads the pool has. */
static void case_49_running_is_busy_and_queued_is_cancelled(void **state) {
  fixture_t f;
  held_t held = {.runs = 0};
  uvf_req_t running = {0}, queued = {0};
  record_t a = {0}, b = {0};
  uvf_executor_t *lane;
  uvf_lane_options_t o = {.max_running = 1, .capacity = 10};
  uvf_flowvar_t *fv;
  open_fixture(&f, state);
  gate_init(&held.begun);
  gate_init(&held.go);
  running.data = &a;
  queued.data = &b;
  assert_int_equal(uvf_lane_create(uvf_loop_pool(f.loop), &o, &lane), 0);
  assert_int_equal(uvf_offload(f.loop, &running, lane, waits_at_gate, &held, record_request), 0);
  assert_int_equal(uvf_offload(f.loop, &queued, lane, waits_at_gate, &held, record_request), 0);
  assert_int_equal(uvf_spawn(lane, waits_at_gate, &held, NULL, &fv), 0);
  gate_pass(&held.begun);
  assert_int_equal(uvf_cancel(&running), UV_EBUSY);
  assert_int_equal(uvf_cancel(&queued), 0);
  assert_int_equal(uvf_flowvar_cancel(fv), 0);
  gate_open(&held.go);
  run(&f);
  assert_int_equal(a.calls, 1);
  assert_int_equal(a.status[0], 0);
  assert_int_equal(b.calls, 1);
  assert_int_equal(b.status[0], UV_ECANCELED);
  assert_int_equal(uvf_try_await(fv), UV_ECANCELED);
  assert_int_equal(atomic_load(&held.runs), 1);
  assert_int_equal(uvf_cancel(&running), UV_EALREADY);
  uvf_flowvar_release(fv);
  uvf_executor_release(lane);
  gate_destroy(&held.begun);
  gate_destroy(&held.go);
  close_fixture(&f);
}

/* ---- more of it ---- */

typedef struct {
  uvf_req_t req; /* first */
  int *left;
  int status;
  atomic_int runs;
} offload_t;

static int counts_run(uvf_task_t *task, void *arg, void *value) {
  (void)task;
  (void)value;
  atomic_fetch_add(&((offload_t *)arg)->runs, 1);
  return 0;
}

static void counts_down(uvf_req_t *req, int status) {
  offload_t *o = (offload_t *)(void *)req;
  o->status = status;
  --*o->left;
}

static void a_burst_of_offloads(void **state) {
  static offload_t all[MANY];
  fixture_t f;
  int left = MANY, wrong = 0;
  memset(all, 0, sizeof all);
  open_fixture(&f, state);
  for (int i = 0; i < MANY; i++) {
    all[i].left = &left;
    all[i].status = 1;
    assert_int_equal(uvf_offload(f.loop, &all[i].req, uvf_loop_pool(f.loop), counts_run, &all[i], counts_down), 0);
  }
  run(&f);
  assert_int_equal(left, 0);
  for (int i = 0; i < MANY; i++)
    wrong += all[i].status != 0 || atomic_load(&all[i].runs) != 1;
  assert_int_equal(wrong, 0);
  close_fixture(&f);
}

/* Detached right after: each offload has its callback, and uv_loop_close says 0 (close_fixture). */
static void detached_in_the_middle_of_a_burst(void **state) {
  static offload_t all[MANY];
  fixture_t f;
  int left = MANY, wrong = 0;
  memset(all, 0, sizeof all);
  open_fixture(&f, state);
  uvf_flowvar_t *fvs[20];
  for (int i = 0; i < MANY; i++) {
    all[i].left = &left;
    assert_int_equal(uvf_offload(f.loop, &all[i].req, uvf_loop_pool(f.loop), counts_run, &all[i], counts_down), 0);
  }
  for (int i = 0; i < 20; i++)
    assert_int_equal(uvf_spawn(uvf_loop_pool(f.loop), counts_run, &all[0], NULL, &fvs[i]), 0);
  (void)uv_run(&f.uv, UV_RUN_NOWAIT);
  close_fixture(&f);
  assert_int_equal(left, 0);
  for (int i = 1; i < MANY; i++)
    wrong += all[i].status != (atomic_load(&all[i].runs) == 1 ? 0 : UV_ECANCELED);
  for (int i = 0; i < 20; i++) {
    wrong += uvf_try_await(fvs[i]) != 0 && uvf_try_await(fvs[i]) != UV_ECANCELED;
    uvf_flowvar_release(fvs[i]);
  }
  assert_int_equal(wrong, 0);
}

typedef struct {
  uvf_executor_t *pool;
  uvf_flowvar_t *fv;
  offload_t work;
  int result;
} spawner_t;

static void spawns_and_blocks(void *arg) {
  spawner_t *s = arg;
  s->result = uvf_spawn(s->pool, counts_run, &s->work, NULL, &s->fv);
  if (s->result == 0) s->result = uvf_await_sync(s->fv, UVF_FOREVER);
  uvf_flowvar_release(s->fv);
}

static void keep_turning(uv_idle_t *idle) {
  (void)idle;
}

/* From another thread it starts by way of the loop, which something else keeps alive. */
static void spawned_from_other_threads(void **state) {
  enum { SPAWNERS = 4 };
  fixture_t f;
  uv_idle_t idle;
  thread_t ids[SPAWNERS];
  spawner_t s[SPAWNERS];
  memset(s, 0, sizeof s);
  open_fixture(&f, state);
  assert_int_equal(uv_idle_init(&f.uv, &idle), 0);
  assert_int_equal(uv_idle_start(&idle, keep_turning), 0);
  uvf_executor_t *pool = uvf_executor_retain(uvf_loop_pool(f.loop));
  for (int i = 0; i < SPAWNERS; i++) {
    s[i].pool = pool;
    s[i].result = 1;
    thread_start(&ids[i], spawns_and_blocks, &s[i]);
  }
  for (bool all = false; !all && !f.late;) {
    (void)uv_run(&f.uv, UV_RUN_NOWAIT);
    all = true;
    for (int i = 0; i < SPAWNERS; i++)
      all = all && atomic_load(&s[i].work.runs) == 1;
  }
  for (int i = 0; i < SPAWNERS; i++) {
    thread_join(&ids[i]);
    assert_int_equal(s[i].result, 0);
  }
  uv_close((uv_handle_t *)&idle, NULL);
  close_fixture(&f);
  assert_int_equal(uvf_spawn(pool, counts_run, &s[0].work, NULL, NULL), UV_EPIPE); /* the loop is gone */
  uvf_executor_release(pool);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      BOTH(case_48_two_strings_under_full_load),
      BOTH(case_49_running_is_busy_and_queued_is_cancelled),
      BOTH(a_burst_of_offloads),
      BOTH(detached_in_the_middle_of_a_burst),
      BOTH(spawned_from_other_threads),
  };
  return RUN_TESTS(tests);
}
