/* SPDX-License-Identifier: MIT */
/* Thread numbers, and waiting on a condition with a deadline. */
#include "support/uvf_test.h"

#include "base/clock.h"
#include "base/thread.h"

enum { THREADS = 8 };

static void note_id(void *arg) {
  uint64_t *id = arg;
  *id = uvf__thread_id();
  if (uvf__thread_id() != *id) *id = 0;
}

static void each_thread_has_a_number_of_its_own_for_ever(void **state) {
  thread_t threads[THREADS];
  uint64_t ids[2 * THREADS + 1];
  (void)state;
  note_id(&ids[0]);
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < THREADS; i++)
      thread_start(&threads[i], note_id, &ids[1 + round * THREADS + i]);
    for (int i = 0; i < THREADS; i++)
      thread_join(&threads[i]);
  }
  for (int i = 0; i <= 2 * THREADS; i++) {
    assert_true(ids[i] != 0);
    for (int j = 0; j < i; j++)
      assert_true(ids[i] != ids[j]); /* also of a thread that has ended */
  }
}

static void a_deadline_in_the_past_does_not_wait(void **state) {
  uvf__mutex_t lock;
  uvf__cond_t cond;
  (void)state;
  assert_int_equal(uvf__mutex_init(&lock), 0);
  assert_int_equal(uvf__cond_init(&cond), 0);
  uvf__lock(&lock);
  uvf__cond_wait(&cond, &lock, 0);
  uvf__cond_wait(&cond, &lock, 1);
  uvf__unlock(&lock);
  uvf__cond_destroy(&cond);
  uvf__mutex_destroy(&lock);
}

static void a_wait_ends_at_its_deadline_on_the_library_s_own_clock(void **state) {
  uvf__mutex_t lock;
  uvf__cond_t cond;
  uint64_t until = uvf__clock_us() + 2000;
  (void)state;
  assert_int_equal(uvf__mutex_init(&lock), 0);
  assert_int_equal(uvf__cond_init(&cond), 0);
  uvf__lock(&lock);
  while (uvf__clock_us() < until)
    uvf__cond_wait(&cond, &lock, until);
  uvf__unlock(&lock);
  uvf__cond_destroy(&cond);
  uvf__mutex_destroy(&lock);
}

typedef struct {
  uvf__mutex_t lock;
  uvf__cond_t cond;
  bool ready, seen; /* under lock */
} handshake_t;

static void answer(void *arg) {
  handshake_t *h = arg;
  uvf__lock(&h->lock);
  while (!h->ready)
    uvf__cond_wait(&h->cond, &h->lock, UINT64_MAX);
  h->seen = true;
  uvf__unlock(&h->lock);
}

static void a_signal_ends_a_wait_without_a_deadline(void **state) {
  handshake_t h = {.ready = false};
  thread_t thread;
  (void)state;
  assert_int_equal(uvf__mutex_init(&h.lock), 0);
  assert_int_equal(uvf__cond_init(&h.cond), 0);
  thread_start(&thread, answer, &h);
  uvf__lock(&h.lock);
  h.ready = true;
  uvf__cond_signal(&h.cond);
  uvf__unlock(&h.lock);
  thread_join(&thread);
  assert_true(h.seen);
  uvf__cond_destroy(&h.cond);
  uvf__mutex_destroy(&h.lock);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      UVF_TEST(each_thread_has_a_number_of_its_own_for_ever),
      UVF_TEST(a_deadline_in_the_past_does_not_wait),
      UVF_TEST(a_wait_ends_at_its_deadline_on_the_library_s_own_clock),
      UVF_TEST(a_signal_ends_a_wait_without_a_deadline),
  };
  return RUN_TESTS(tests);
}
