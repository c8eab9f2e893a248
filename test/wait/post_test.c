/* SPDX-License-Identifier: MIT */
/* Posts: order, the doorbell, rings, and the end of the loop. */
#include "support/test_host.h"

#include <sched.h>

enum { POSTS = 100, THREADS = 4, ROUNDS = 2000 };

static void null_is_refused(void **state) {
  test_host_t h;
  uvf_post_t post = {0};
  (void)state;
  test_host_init(&h);
  assert_int_equal(uvf_post(NULL, &post, record_post), UV_EINVAL);
  assert_int_equal(uvf_post(h.loop, NULL, record_post), UV_EINVAL);
  assert_int_equal(uvf_post(h.loop, &post, NULL), UV_EINVAL);
  assert_int_equal(h.wakes, 0);
  test_host_detach(&h);
}

static void posts_run_later_in_their_order_and_once(void **state) {
  test_host_t h;
  record_t r = {0};
  uvf_post_t posts[POSTS] = {{.data = NULL}};
  (void)state;
  test_host_init(&h);
  for (int i = 0; i < POSTS; i++) {
    posts[i].data = &r;
    assert_int_equal(uvf_post(h.loop, &posts[i], record_post), 0);
  }
  assert_int_equal(r.calls, 0);
  test_host_run(&h);
  assert_int_equal(r.calls, POSTS);
  for (int i = 0; i < POSTS; i++) {
    assert_ptr_equal(r.from[i], &posts[i]);
    assert_int_equal(r.status[i], 0);
  }
  test_host_detach(&h);
  assert_int_equal(r.calls, POSTS);
}

static void many_posts_ring_once_until_they_are_taken(void **state) {
  test_host_t h;
  record_t r = {0};
  uvf_post_t posts[POSTS] = {{.data = NULL}};
  (void)state;
  test_host_init(&h);
  for (unsigned round = 1; round <= 3; round++) {
    for (int i = 0; i < POSTS; i++) {
      posts[i].data = &r;
      assert_int_equal(uvf_post(h.loop, &posts[i], record_post), 0);
    }
    assert_int_equal(h.wakes, round);
    test_host_run(&h);
    assert_int_equal(h.turns, round);
  }
  assert_int_equal(r.calls, 3 * POSTS);
  test_host_detach(&h);
}

static void a_pending_post_is_busy_and_free_again_in_its_callback(void **state) {
  test_host_t h;
  record_t r = {0};
  uvf_post_t post = {.data = &r};
  (void)state;
  test_host_init(&h);
  assert_int_equal(uvf_post(h.loop, &post, record_post), 0);
  for (int i = 0; i < 5; i++)
    assert_int_equal(uvf_post(h.loop, &post, record_post), UV_EBUSY);
  test_host_run(&h);
  assert_int_equal(r.calls, 1);
  assert_int_equal(uvf_post(h.loop, &post, record_post), 0);
  test_host_run(&h);
  assert_int_equal(r.calls, 2);
  test_host_detach(&h);
}

/* Posts itself again, `left` times. */
typedef struct {
  uvf_post_t post;
  test_host_t *host;
  int left, calls;
  unsigned last_turn;
  bool same_turn;
} again_t;

static void post_again(uvf_post_t *post, int status) {
  again_t *a = post->data;
  (void)status;
  a->same_turn = a->same_turn || a->host->turns == a->last_turn;
  a->last_turn = a->host->turns;
  a->calls++;
  if (a->left-- > 0) (void)uvf_post(a->host->loop, post, post_again);
}

static void a_post_from_its_own_callback_comes_in_a_later_turn_and_rings_nobody(void **state) {
  test_host_t h;
  again_t a = {.host = &h, .left = 10};
  (void)state;
  test_host_init(&h);
  a.post.data = &a;
  assert_int_equal(uvf_post(h.loop, &a.post, post_again), 0);
  test_host_run(&h);
  assert_int_equal(a.calls, 11);
  assert_false(a.same_turn);
  assert_int_equal(h.wakes, 1); /* the loop is awake all the time */
  assert_false(h.polling);
  test_host_detach(&h);
}

static void free_it(uvf_post_t *post, int status) {
  int *calls = post->data;
  (void)status;
  *calls += 1;
  free(post);
}

static void a_post_may_be_freed_in_its_callback(void **state) {
  test_host_t h;
  int calls = 0;
  (void)state;
  test_host_init(&h);
  for (int i = 0; i < 3; i++) {
    uvf_post_t *post = calloc(1, sizeof *post);
    assert_non_null(post);
    post->data = &calls;
    assert_int_equal(uvf_post(h.loop, post, free_it), 0);
  }
  test_host_run(&h);
  assert_int_equal(calls, 3);
  test_host_detach(&h);
}

static void posting_allocates_nothing(void **state) {
  test_host_t h;
  record_t r = {0};
  uvf_post_t post = {.data = &r};
  (void)state;
  test_host_init(&h);
  fault_from(1);
  for (int i = 0; i < 10; i++) {
    assert_int_equal(uvf_post(h.loop, &post, record_post), 0);
    test_host_run(&h);
  }
  assert_false(fault_hit());
  test_host_detach(&h);
}

/* ---- from other threads ---- */

/* A thread that sends its rounds by single posts, each of which waits until the one before has run. */
typedef struct {
  uvf_loop_t *loop;
  uvf_post_t post;
  thread_t thread;
  atomic_int posted, ran;
  int failed;
  int *total;
} poster_t;

static void count_post(uvf_post_t *post, int status) {
  poster_t *p = post->data;
  (void)status;
  *p->total += 1;
  atomic_fetch_add(&p->ran, 1); /* last: the poster may post again */
}

static void post_rounds(void *arg) {
  poster_t *p = arg;
  for (int i = 0; i < ROUNDS; i++) {
    while (atomic_load(&p->ran) < i)
      (void)sched_yield();
    if (uvf_post(p->loop, &p->post, count_post) != 0) p->failed++;
  }
}

static void threads_post_and_no_ring_is_lost_or_doubled(void **state) {
  test_host_t h;
  static poster_t posters[THREADS];
  int total = 0;
  (void)state;
  test_host_init(&h);
  memset(posters, 0, sizeof posters);
  for (int i = 0; i < THREADS; i++) {
    posters[i].loop = h.loop;
    posters[i].total = &total;
    posters[i].post.data = &posters[i];
    thread_start(&posters[i].thread, post_rounds, &posters[i]);
  }
  test_host_run_until(&h, &total, THREADS * ROUNDS);
  for (int i = 0; i < THREADS; i++) {
    thread_join(&posters[i].thread);
    assert_int_equal(posters[i].failed, 0);
  }
  test_host_detach(&h);
  assert_int_equal(total, THREADS * ROUNDS);
}

/* One post for all threads: its callback must see what each wrote before its uvf_post, also where that was refused. */
typedef struct {
  uvf_loop_t *loop;
  uvf_post_t *post;
  thread_t thread;
  atomic_uint *written;
  int strange;
} ringer_t;

typedef struct {
  atomic_uint written[THREADS];
  uint32_t seen[THREADS];
  int complete; /* 1: all was seen */
} bell_t;

static void look(uvf_post_t *post, int status) {
  bell_t *b = post->data;
  bool all = true;
  (void)status;
  for (int i = 0; i < THREADS; i++) {
    b->seen[i] = atomic_load_explicit(&b->written[i], memory_order_relaxed);
    all = all && b->seen[i] == ROUNDS;
  }
  b->complete = all;
}

static void ring_rounds(void *arg) {
  ringer_t *r = arg;
  for (unsigned i = 1; i <= ROUNDS; i++) {
    atomic_store_explicit(r->written, i, memory_order_relaxed);
    int e = uvf_post(r->loop, r->post, look);
    if (e != 0 && e != UV_EBUSY) r->strange++;
  }
}

static void a_doorbell_s_callback_sees_what_was_written_before_it_rang(void **state) {
  test_host_t h;
  bell_t bell;
  ringer_t ringers[THREADS] = {{.loop = NULL}};
  uvf_post_t post = {.data = &bell};
  (void)state;
  memset(&bell, 0, sizeof bell);
  test_host_init(&h);
  for (int i = 0; i < THREADS; i++) {
    ringers[i] = (ringer_t){.loop = h.loop, .post = &post, .written = &bell.written[i]};
    thread_start(&ringers[i].thread, ring_rounds, &ringers[i]);
  }
  test_host_run_until(&h, &bell.complete, 1);
  for (int i = 0; i < THREADS; i++) {
    thread_join(&ringers[i].thread);
    assert_int_equal(ringers[i].strange, 0);
  }
  test_host_detach(&h);
}

/* ---- at the end ---- */

static void a_detached_loop_refuses_posts(void **state) {
  test_host_t h;
  record_t r = {0};
  uvf_post_t post = {.data = &r};
  (void)state;
  test_host_init(&h);
  uvf_loop_t *loop = uvf_loop_retain(h.loop);
  test_host_detach(&h);
  for (int i = 0; i < 3; i++) /* and the post is not busy for it */
    assert_int_equal(uvf_post(loop, &post, record_post), UV_ECANCELED);
  assert_int_equal(r.calls, 0);
  uvf_loop_release(loop);
}

typedef struct {
  uvf_loop_t *loop;
  uvf_post_t *post;
  int others; /* results that are not UV_ECANCELED */
} refused_t;

static void post_to_the_gone(void *arg) {
  refused_t *r = arg;
  for (int i = 0; i < 20000; i++)
    if (uvf_post(r->loop, r->post, count_post) != UV_ECANCELED) r->others++;
}

/* "Pending" would be a promise that its callback comes. */
static void threads_that_share_a_post_hear_that_the_loop_is_gone(void **state) {
  test_host_t h;
  uvf_post_t post = {0};
  (void)state;
  test_host_init(&h);
  uvf_loop_t *loop = uvf_loop_retain(h.loop);
  test_host_detach(&h);
  refused_t r[2] = {{loop, &post, 0}, {loop, &post, 0}};
  thread_t threads[2];
  for (int i = 0; i < 2; i++)
    thread_start(&threads[i], post_to_the_gone, &r[i]);
  for (int i = 0; i < 2; i++)
    thread_join(&threads[i]);
  assert_int_equal(r[0].others + r[1].others, 0);
  uvf_loop_release(loop);
}

static void a_post_pending_at_the_detach_runs_once(void **state) {
  test_host_t h;
  record_t r = {0};
  uvf_post_t before = {.data = &r}, after = {.data = &r};
  (void)state;
  test_host_init(&h);
  assert_int_equal(uvf_post(h.loop, &before, record_post), 0);
  assert_int_equal(test_host_detach_start(&h), 0);
  assert_int_equal(uvf_post(h.loop, &after, record_post), 0); /* not closed yet */
  test_host_finish(&h);
  assert_int_equal(r.calls, 2);
  assert_ptr_equal(r.from[0], &before);
  assert_ptr_equal(r.from[1], &after);
}

/* Posts itself for ever, until it is told that the loop is gone. */
typedef struct {
  test_host_t *host;
  int calls, cancelled, refused;
} stubborn_t;

static void post_for_ever(uvf_post_t *post, int status) {
  stubborn_t *s = post->data;
  s->calls++;
  s->cancelled += status == UV_ECANCELED;
  s->refused += uvf_post(s->host->loop, post, post_for_ever) == UV_ECANCELED;
}

static void a_flood_of_posts_cannot_postpone_the_end(void **state) {
  test_host_t h;
  stubborn_t s = {.host = &h};
  uvf_post_t posts[3] = {{.data = &s}, {.data = &s}, {.data = &s}};
  (void)state;
  test_host_init(&h);
  for (int i = 0; i < 3; i++)
    assert_int_equal(uvf_post(h.loop, &posts[i], post_for_ever), 0);
  for (int i = 0; i < 5; i++)
    assert_true(test_host_turn(&h));
  test_host_detach(&h);
  assert_int_equal(s.cancelled, 3);
  assert_int_equal(s.refused, 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      UVF_TEST(null_is_refused),
      UVF_TEST(posts_run_later_in_their_order_and_once),
      UVF_TEST(many_posts_ring_once_until_they_are_taken),
      UVF_TEST(a_pending_post_is_busy_and_free_again_in_its_callback),
      UVF_TEST(a_post_from_its_own_callback_comes_in_a_later_turn_and_rings_nobody),
      UVF_TEST(a_post_may_be_freed_in_its_callback),
      UVF_TEST(posting_allocates_nothing),
      UVF_TEST(threads_post_and_no_ring_is_lost_or_doubled),
      UVF_TEST(a_doorbell_s_callback_sees_what_was_written_before_it_rang),
      UVF_TEST(a_detached_loop_refuses_posts),
      UVF_TEST(threads_that_share_a_post_hear_that_the_loop_is_gone),
      UVF_TEST(a_post_pending_at_the_detach_runs_once),
      UVF_TEST(a_flood_of_posts_cannot_postpone_the_end),
  };
  return RUN_TESTS(tests);
}
