/* SPDX-License-Identifier: MIT */
/* Executors with threads of their own: how many, how they are called, and how they end; and systems that refuse one.
 * That the memory is free at the end of a test means that the threads have ended: the last one frees it. */
#include "task/executor_fixture.h"

#include <signal.h>

enum { MANY = 1000 };

/* ---- as many as were asked for ---- */

static void so_many_run_at_a_time(void **state) {
  (void)state;
  for (uint32_t n = 1; n <= 5; n += 2) {
    uvf_executor_t *pool = threads_open(n);
    atomic_int now = 0, most = 0;
    job_t j[7];
    memset(j, 0, sizeof j);
    for (uint32_t i = 0; i < n + 2; i++) {
      j[i].now = &now;
      j[i].most = &most;
      job_gates(&j[i]);
      job_spawn(&j[i], pool);
    }
    for (uint32_t i = 0; i < n; i++)
      gate_pass(&j[i].begun);
    expect_now(pool, 2, n);
    for (uint32_t i = 0; i < n + 2; i++)
      gate_open(&j[i].go);
    jobs_end(j, (int)n + 2, 0, true);
    assert_int_equal(atomic_load(&most), n);
    uvf_executor_release(pool);
  }
}

typedef struct {
  uint32_t next;
  int wrong;
} sequence_t;

typedef struct {
  sequence_t *s;
  uint32_t i;
} numbered_t;

/* One thread: no lock is needed. */
static int comes_next(uvf_task_t *task, void *arg, void *value) {
  numbered_t *n = arg;
  (void)task;
  (void)value;
  n->s->wrong += n->i != n->s->next++;
  return 0;
}

static void one_thread_keeps_the_order(void **state) {
  uvf_executor_t *pool = threads_open(1);
  uvf_spawn_options_t o = {.arg_size = sizeof(numbered_t)};
  sequence_t s = {0, 0};
  (void)state;
  for (uint32_t i = 0; i < MANY; i++) {
    numbered_t n = {&s, i};
    assert_int_equal(uvf_spawn(pool, comes_next, &n, &o, NULL), 0);
  }
  assert_int_equal(uvf_wait_idle_sync(pool, PATIENCE_MS), 0);
  assert_int_equal(s.next, MANY);
  assert_int_equal(s.wrong, 0);
  uvf_executor_release(pool);
}

/* ---- what they are ---- */

typedef struct {
  char name[32];
  size_t stack;
  sigset_t blocked;
  pthread_t id;
} self_t;

static void looks_at_itself(job_t *j) {
  self_t *s = j->arg;
  s->id = pthread_self();
  (void)pthread_sigmask(SIG_BLOCK, NULL, &s->blocked);
#if defined(__linux__)
  pthread_attr_t attr;
  (void)pthread_getname_np(pthread_self(), s->name, sizeof s->name);
  if (pthread_getattr_np(pthread_self(), &attr) != 0) return;
  (void)pthread_attr_getstacksize(&attr, &s->stack);
  (void)pthread_attr_destroy(&attr);
#endif
}

static self_t self_of(const uvf_threads_options_t *o) {
  uvf_executor_t *pool = NULL;
  self_t s;
  job_t j = {.act = looks_at_itself, .arg = &s};
  memset(&s, 0, sizeof s);
  assert_int_equal(uvf_threads_create(o, &pool), 0);
  job_spawn(&j, pool);
  job_ends(&j, 0, true);
  uvf_executor_release(pool);
  return s;
}

static void they_have_a_name_a_stack_and_no_signals(void **state) {
  char name[] = "a name of more than fifteen bytes";
  uvf_threads_options_t o = {.threads = 1, .stack_size = 1 << 20, .name = name};
  self_t s = self_of(&o);
  (void)state;
  assert_true(sigismember(&s.blocked, SIGTERM) && sigismember(&s.blocked, SIGUSR1));
  assert_false(pthread_equal(s.id, pthread_self()));
#if defined(__linux__)
  assert_string_equal(s.name, "a name of more ");
  assert_in_range(s.stack, 1 << 20, 4 << 20);
  char ours[16];
  assert_int_equal(pthread_getname_np(pthread_self(), ours, sizeof ours), 0);
  o = (uvf_threads_options_t){.threads = 1};
  s = self_of(&o);
  assert_string_equal(s.name, ours); /* without a name it has that of its maker */
  pthread_attr_t usual;
  size_t stack;
  assert_int_equal(pthread_attr_init(&usual), 0);
  assert_int_equal(pthread_attr_getstacksize(&usual, &stack), 0);
  assert_int_equal(pthread_attr_destroy(&usual), 0);
  assert_true(s.stack >= stack);
#endif
}

/* ---- the end ---- */

static void after_a_close_idle_means_that_they_have_ended(void **state) {
  uvf_executor_t *pool = threads_open(3);
  job_t j = {0};
  (void)state;
  assert_int_equal(uvf_wait_idle_sync(pool, UVF_NOWAIT), 0);
  job_gates(&j);
  job_spawn(&j, pool);
  gate_pass(&j.begun);
  assert_int_equal(uvf_wait_idle_sync(pool, UVF_NOWAIT), UV_ETIMEDOUT);
  assert_int_equal(uvf_executor_close(pool), 0);
  assert_int_equal(uvf_wait_idle_sync(pool, 1), UV_ETIMEDOUT);
  gate_open(&j.go);
  assert_int_equal(uvf_wait_idle_sync(pool, PATIENCE_MS), 0);
  assert_int_equal(uvf_try_await(j.fv), 0); /* so it needs no wait */
  job_ended(&j, 0, true);
  uvf_executor_release(pool);
}

static void the_last_release_ends_them_behind_what_is_queued(void **state) {
  static job_t j[40];
  uvf_executor_t *pool = threads_open(2);
  (void)state;
  memset(j, 0, sizeof j);
  job_gates(&j[0]);
  job_gates(&j[1]);
  jobs_spawn(j, 40, pool);
  gate_pass(&j[0].begun);
  gate_pass(&j[1].begun);
  uvf_executor_release(pool);
  gate_open(&j[0].go);
  gate_open(&j[1].go);
  jobs_end(j, 40, 0, true);
}

/* Work that ends later holds no thread, but the executor. */
static void they_end_after_work_that_ends_later(void **state) {
  uvf_executor_t *pool = threads_open(2);
  job_t j = {0};
  (void)state;
  job_gates(&j);
  job_spawn_later(&j, pool);
  gate_pass(&j.begun);
  assert_int_equal(uvf_executor_close(pool), 0);
  assert_int_equal(uvf_wait_idle_sync(pool, 1), UV_ETIMEDOUT);
  while (job_finish(&j, 0) == UV_EALREADY) {
  }
  assert_int_equal(uvf_wait_idle_sync(pool, PATIENCE_MS), 0);
  job_ended(&j, 0, true);
  uvf_executor_release(pool);
}

static void releases_the_pool(job_t *j) {
  uvf_executor_release(j->arg);
}

static void many_come_and_go(void **state) {
  (void)state;
  for (int round = 0; round < 50; round++) {
    uvf_executor_t *pool = threads_open(1 + (uint32_t)round % 4);
    job_t j = {0};
    if (round % 3 == 0) { /* the last reference goes on one of them */
      j.act = releases_the_pool;
      j.arg = pool;
    }
    if (round % 3 != 2) job_spawn(&j, pool);
    if (round % 3 != 0) uvf_executor_release(pool);
    if (round % 3 != 2) job_ends(&j, 0, true);
  }
}

/* ---- refusals ---- */

static void options_are_checked(void **state) {
  uvf_threads_options_t good = {.threads = 1}, o = good;
  uvf_executor_t *pool = NULL;
  (void)state;
  assert_int_equal(uvf_threads_create(NULL, &pool), UV_EINVAL);
  assert_int_equal(uvf_threads_create(&good, NULL), UV_EINVAL);
  o.threads = 0;
  assert_int_equal(uvf_threads_create(&o, &pool), UV_EINVAL);
  o.threads = 1025;
  assert_int_equal(uvf_threads_create(&o, &pool), UV_EINVAL);
  for (int i = 0; i < 4; i++) {
    o = good;
    o.reserved[i] = 1;
    assert_int_equal(uvf_threads_create(&o, &pool), UV_EINVAL);
  }
  assert_null(pool);
}

/* Stacks that cannot be. */
static void a_bad_stack_is_an_error(void **state) {
  uvf_threads_options_t o = {.threads = 3, .stack_size = 1};
  uvf_executor_t *pool = NULL;
  (void)state;
  assert_int_equal(uvf_threads_create(&o, &pool), UV_EINVAL);
  o.stack_size = SIZE_MAX / 4; /* more than there is of addresses */
  int r = uvf_threads_create(&o, &pool);
  assert_true(r == UV_EAGAIN || r == UV_ENOMEM || r == UV_EINVAL);
  assert_null(pool);
}

#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#include <sys/resource.h>

/* Two get their stacks, the third does not: none is left. */
static void a_system_that_refuses_one_is_an_error(void **state) {
  uvf_threads_options_t o = {.threads = 6, .stack_size = (size_t)512 << 20};
  uvf_executor_t *pool = NULL;
  struct rlimit had, few;
  unsigned long pages = 0;
  (void)state;
  FILE *f = fopen("/proc/self/statm", "r");
  assert_non_null(f);
  assert_int_equal(fscanf(f, "%lu", &pages), 1);
  assert_int_equal(fclose(f), 0);
  assert_int_equal(getrlimit(RLIMIT_AS, &had), 0);
  few = had;
  few.rlim_cur = (rlim_t)pages * 4096 + ((rlim_t)1280 << 20);
  if (sizeof(void *) < 8 || setrlimit(RLIMIT_AS, &few) != 0) skip();
  unsigned long before = fault_allocations();
  int r = uvf_threads_create(&o, &pool);
  assert_int_equal(setrlimit(RLIMIT_AS, &had), 0);
  assert_int_equal(r, UV_EAGAIN);
  assert_null(pool);
  assert_in_range(fault_allocations() - before, 3, 5); /* itself, and what each thread begins with: some were started */
}

#define REFUSED EXECUTOR_TEST(a_system_that_refuses_one_is_an_error),
#else
#define REFUSED
#endif

int main(void) {
  const struct CMUnitTest tests[] = {
      EXECUTOR_TEST(so_many_run_at_a_time),
      EXECUTOR_TEST(one_thread_keeps_the_order),
      EXECUTOR_TEST(they_have_a_name_a_stack_and_no_signals),
      EXECUTOR_TEST(after_a_close_idle_means_that_they_have_ended),
      EXECUTOR_TEST(the_last_release_ends_them_behind_what_is_queued),
      EXECUTOR_TEST(they_end_after_work_that_ends_later),
      EXECUTOR_TEST(many_come_and_go),
      EXECUTOR_TEST(options_are_checked),
      EXECUTOR_TEST(a_bad_stack_is_an_error),
      REFUSED /* where it can be brought about */
  };
  return RUN_TESTS(tests);
}
