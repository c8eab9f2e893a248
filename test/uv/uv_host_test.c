/* SPDX-License-Identifier: MIT */
/* uvflow on libuv: attaching, handles, turns, and a loop that is flooded. Most cases run with both wakers. */
#include "uv/uv_fixture.h"

#include "support/test_host.h"

#include <fcntl.h>
#include <sys/resource.h>

enum { CHANNELS = 10000 };

/* ---- attaching ---- */

static void what_was_attached_is_gone_after_the_detach(void **state) {
  fixture_t f;
  open_fixture(&f, state);
  uvf_loop_t *kept = uvf_loop_retain(f.loop);
  assert_ptr_equal(uvf_loop_uv(f.loop), &f.uv);
  assert_true(uvf_loop_is_mine(f.loop));
  assert_int_equal(uv_run(&f.uv, UV_RUN_DEFAULT), 0); /* nothing keeps it alive */
  close_fixture(&f);
  assert_null(uvf_loop_uv(kept));
  assert_null(uvf_loop_pool(kept));
  assert_false(uvf_loop_is_mine(kept));
  uvf_loop_release(kept);
}

typedef struct {
  uvf_loop_t *loop;
  int calls, wrong;
} asked_t;

static void ask_at_the_end(void *data) {
  asked_t *a = data;
  a->calls++;
  if (uvf_loop_uv(a->loop) != NULL || uvf_loop_pool(a->loop) != NULL) a->wrong++;
}

static void in_the_last_callback_it_is_gone_too(void **state) {
  fixture_t f;
  open_fixture(&f, state);
  asked_t a = {uvf_loop_retain(f.loop), 0, 0};
  assert_int_equal(uvf_loop_detach(f.loop, ask_at_the_end, &a), 0);
  f.detached = 1;
  finish_fixture(&f);
  assert_int_equal(a.calls, 1);
  assert_int_equal(a.wrong, 0);
  uvf_loop_release(a.loop);
}

static int files(void) {
  int open = 0;
  for (int fd = 0; fd < 1000; fd++)
    open += fcntl(fd, F_GETFD) >= 0;
  return open;
}

static void no_file_is_left_open(void **state) {
  fixture_t f;
  int first = 0;
  for (int i = 0; i < 3; i++) {
    open_fixture(&f, state);
    close_fixture(&f);
    if (i == 0) first = files(); /* libuv keeps some of its own from its first loop on */
  }
  assert_int_equal(files(), first);
}

static void bad_arguments_are_refused_and_leave_nothing(void **state) {
  uv_loop_t uv;
  uvf_loop_t *loop = NULL;
  (void)state;
  assert_int_equal(uv_loop_init(&uv), 0);
  assert_int_equal(uvf_loop_attach(NULL, NULL, &loop), UV_EINVAL);
  assert_int_equal(uvf_loop_attach(&uv, NULL, NULL), UV_EINVAL);
  assert_int_equal(uvf_loop_attach(&uv, &(uvf_loop_options_t){.flags = 6}, &loop), UV_EINVAL);
  for (int i = 0; i < 4; i++) {
    uvf_loop_options_t o = {0};
    o.reserved[i] = 1;
    assert_int_equal(uvf_loop_attach(&uv, &o, &loop), UV_EINVAL);
  }
  assert_null(loop);
  assert_null(uvf_loop_uv(NULL));
  assert_int_equal(uv_loop_close(&uv), 0);
}

static void without_memory_nothing_is_attached(void **state) {
  uvf_loop_options_t o = {.flags = *(const unsigned *)*state};
  int r = UV_ENOMEM;
  for (unsigned n = 1; r != 0; n++) {
    uv_loop_t uv;
    uvf_loop_t *loop = NULL;
    assert_int_equal(uv_loop_init(&uv), 0);
    fault_at(n);
    r = uvf_loop_attach(&uv, &o, &loop);
    fault_at(0);
    if (r == 0) {
      assert_true(n > 2);
      assert_int_equal(uvf_loop_detach(loop, NULL, NULL), 0);
    } else {
      assert_int_equal(r, UV_ENOMEM);
      assert_null(loop);
    }
    assert_int_equal(uv_run(&uv, UV_RUN_DEFAULT), 0);
    assert_int_equal(uv_loop_close(&uv), 0);
  }
}

static void without_a_file_descriptor_the_error_is_libuv_s(void **state) {
  uv_loop_t uv;
  uvf_loop_t *loop = NULL;
  uvf_loop_options_t o = {.flags = UVF_WAKE_EVENTFD};
  struct rlimit before, none;
  (void)state;
  assert_int_equal(uv_loop_init(&uv), 0);
  assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
  none = before;
  none.rlim_cur = 3;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
  int r = uvf_loop_attach(&uv, &o, &loop);
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
  assert_int_equal(r, UV_EMFILE);
  assert_null(loop);
  assert_int_equal(uv_run(&uv, UV_RUN_DEFAULT), 0);
  assert_int_equal(uv_loop_close(&uv), 0);
}

static void a_loop_on_another_host_has_no_uv_loop(void **state) {
  test_host_t h;
  (void)state;
  test_host_init(&h);
  assert_null(uvf_loop_uv(h.loop));
  test_host_detach(&h);
}

/* ---- handles and turns ---- */

typedef struct {
  int async, all, polling;
} handles_t;

static void count_handle(uv_handle_t *handle, void *arg) {
  handles_t *n = arg;
  n->all++;
  n->async += handle->type == UV_ASYNC;
  n->polling += handle->type == UV_IDLE && uv_is_active(handle);
}

static void count_turn(uv_prepare_t *prepare) {
  *(int *)prepare->data += 1;
}

static void stop_loop(uv_timer_t *timer) {
  uv_stop(timer->loop);
}

/* How often the loop turns while nothing happens for `ms`. */
static int turns_in(fixture_t *f, uint64_t ms) {
  uv_prepare_t prepare;
  uv_timer_t timer;
  int turns = 0;
  prepare.data = &turns;
  assert_int_equal(uv_prepare_init(&f->uv, &prepare), 0);
  assert_int_equal(uv_prepare_start(&prepare, count_turn), 0);
  assert_int_equal(uv_timer_init(&f->uv, &timer), 0);
  assert_int_equal(uv_timer_start(&timer, stop_loop, ms, 0), 0);
  run(f);
  uv_close((uv_handle_t *)&prepare, NULL);
  uv_close((uv_handle_t *)&timer, NULL);
  (void)uv_run(&f->uv, UV_RUN_NOWAIT);
  return turns;
}

static void count_read(uvf_reader_t *rd, int n, void *items) {
  int *got = rd->data;
  (void)items;
  if (n > 0) *got += n;
}

/* Turns until uvflow asks for no more of them: each of the readers has found nothing, and waits. */
static void until_at_rest(fixture_t *f) {
  handles_t n = {.polling = 1};
  while (n.polling > 0) {
    (void)uv_run(&f->uv, UV_RUN_NOWAIT);
    n.polling = 0;
    uv_walk(&f->uv, count_handle, &n);
    assert_false(f->late);
  }
}

static void ten_thousand_idle_channels_cost_one_async_handle_and_no_cpu(void **state) {
  fixture_t f;
  static uvf_tx_t *tx[CHANNELS];
  static uvf_rx_t *rx[CHANNELS];
  static uvf_reader_t readers[CHANNELS];
  handles_t before = {0}, after = {0};
  int got = 0, sent = 7;
  open_fixture(&f, state);
  uv_walk(&f.uv, count_handle, &before);
  memset(readers, 0, sizeof readers);
  for (int i = 0; i < CHANNELS; i++) {
    make_channel(i % 2 == 0 ? 16 : UVF_UNBOUNDED, &tx[i], &rx[i]);
    readers[i].data = &got;
    assert_int_equal(uvf_reader_start(f.loop, &readers[i], rx[i], NULL, count_read), 0);
  }
  until_at_rest(&f);
  uv_walk(&f.uv, count_handle, &after);
  assert_int_equal(after.async, by_async == *(const unsigned *)*state ? 1 : 0);
  assert_int_equal(after.all, before.all);
  assert_in_range(turns_in(&f, 50), 1, 3);
  assert_int_equal(uvf_try_send(tx[CHANNELS / 2], &sent), 0); /* and they are awake when they are needed */
  (void)turns_in(&f, 5);
  assert_int_equal(got, 1);
  for (int i = 0; i < CHANNELS; i++) {
    uvf_tx_release(tx[i]);
    uvf_rx_release(rx[i]);
  }
  run(&f); /* all channels are closed: the readers end, and the loop with them */
  close_fixture(&f);
}

static void stop_at_the_third(uvf_post_t *post, int status) {
  fixture_t *f = post->data;
  record_t *r = &f->r;
  r->status[r->calls] = status;
  r->from[r->calls++] = post;
  if (r->calls == 3) uv_stop(&f->uv);
}

static void uv_stop_ends_the_turn_and_loses_nothing(void **state) {
  fixture_t f;
  uvf_post_t posts[10] = {{.data = NULL}};
  uv_timer_t busy;
  open_fixture(&f, state);
  assert_int_equal(uv_timer_init(&f.uv, &busy), 0); /* keeps the loop alive, since posts do not */
  assert_int_equal(uv_timer_start(&busy, stop_loop, 100000, 0), 0);
  for (int i = 0; i < 10; i++) {
    posts[i].data = &f;
    assert_int_equal(uvf_post(f.loop, &posts[i], stop_at_the_third), 0);
  }
  run(&f);
  assert_int_equal(f.r.calls, 3);
  while (f.r.calls < 10 && !f.late)
    (void)uv_run(&f.uv, UV_RUN_NOWAIT);
  for (int i = 0; i < 10; i++)
    assert_ptr_equal(f.r.from[i], &posts[i]);
  uv_close((uv_handle_t *)&busy, NULL);
  close_fixture(&f);
}

/* ---- a flood ---- */

typedef struct {
  fixture_t f;
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  uvf_reader_t reader;
  thread_t producer;
  uint64_t due_ns; /* when the timer is late */
  long after_due;  /* items that came after that and before it */
  bool fired;
  int last;
} flood_t;

static void flood(void *arg) {
  flood_t *fl = arg;
  for (int i = 0; uvf_send_sync(fl->tx, &i, UVF_FOREVER) == 0; i++)
    ;
  uvf_tx_release(fl->tx);
}

static void read_flood(uvf_reader_t *rd, int n, void *items) {
  flood_t *fl = rd->data;
  (void)items;
  if (n < 0)
    fl->last = n;
  else if (!fl->fired && uv_hrtime() > fl->due_ns)
    fl->after_due += n;
}

static void fire(uv_timer_t *timer) {
  flood_t *fl = timer->data;
  fl->fired = true;
  (void)uvf_rx_abort(fl->rx, 0);
  uv_close((uv_handle_t *)timer, NULL);
}

static void a_loop_under_a_flood_still_fires_a_timer(void **state) {
  static flood_t fl;
  uv_timer_t timer;
  memset(&fl, 0, sizeof fl);
  open_fixture(&fl.f, state);
  make_channel(1024, &fl.tx, &fl.rx);
  fl.reader.data = timer.data = &fl;
  assert_int_equal(uvf_reader_start(fl.f.loop, &fl.reader, fl.rx, NULL, read_flood), 0);
  thread_start(&fl.producer, flood, &fl);
  uv_update_time(&fl.f.uv);
  assert_int_equal(uv_timer_init(&fl.f.uv, &timer), 0);
  assert_int_equal(uv_timer_start(&timer, fire, 10, 0), 0);
  fl.due_ns = uv_hrtime() + 11 * 1000000;
  run(&fl.f);
  thread_join(&fl.producer);
  assert_true(fl.fired);
  assert_int_equal(fl.last, UV_EOF);
  assert_in_range(fl.after_due, 0, 2 * 4096 + 256); /* the turn that was on, and one more */
  uvf_rx_release(fl.rx);
  close_fixture(&fl.f);
}

static void post_for_ever(uvf_post_t *post, int status) {
  fixture_t *f = post->data;
  if (status == 0) (void)uvf_post(f->loop, post, post_for_ever);
}

static void a_post_that_repeats_itself_stops_no_timer(void **state) {
  fixture_t f;
  uvf_post_t post = {.data = &f};
  open_fixture(&f, state);
  assert_int_equal(uvf_post(f.loop, &post, post_for_ever), 0);
  assert_true(turns_in(&f, 10) > 0);
  close_fixture(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      BOTH(what_was_attached_is_gone_after_the_detach),
      BOTH(in_the_last_callback_it_is_gone_too),
      BOTH(no_file_is_left_open),
      UVF_TEST(bad_arguments_are_refused_and_leave_nothing),
      BOTH(without_memory_nothing_is_attached),
      UVF_TEST(without_a_file_descriptor_the_error_is_libuv_s),
      UVF_TEST(a_loop_on_another_host_has_no_uv_loop),
      BOTH(ten_thousand_idle_channels_cost_one_async_handle_and_no_cpu),
      BOTH(uv_stop_ends_the_turn_and_loses_nothing),
      BOTH(a_loop_under_a_flood_still_fires_a_timer),
      BOTH(a_post_that_repeats_itself_stops_no_timer),
  };
  return RUN_TESTS(tests);
}
