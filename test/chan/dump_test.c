/* SPDX-License-Identifier: MIT */
/* uvf_dump: what it shows of channels, loops and those who wait. */
#include "chan/loop_fixture.h"

#include <sched.h>
#include <stdio.h>

#include <uvflow/dump.h>

/* What uvf_dump(loop) writes; to be freed. Asserts. */
static char *dump(uvf_loop_t *loop) {
  char *text = NULL;
  size_t size = 0;
  FILE *out = open_memstream(&text, &size);
  assert_non_null(out);
  uvf_dump(loop, out);
  assert_int_equal(fclose(out), 0);
  return text;
}

static void expect_shown(uvf_loop_t *loop, const char *what, bool shown) {
  char *text = dump(loop);
  if ((strstr(text, what) != NULL) != shown) print_error("%s in:\n%s", shown ? "missing" : "unexpected", text);
  assert_int_equal(strstr(text, what) != NULL, shown);
  free(text);
}

static uvf_chan_options_t named(const char *name, size_t capacity) {
  return (uvf_chan_options_t){.item_size = sizeof(payload_t), .capacity = capacity, .name = name};
}

static void a_channel_with_a_name_is_shown_while_it_lives(void **state) {
  (void)state;
  uvf_tx_t *tx, *tx2;
  uvf_rx_t *rx, *rx2;
  uvf_chan_options_t o = named("frames", 3), nameless = named(NULL, 3);
  expect_shown(NULL, "frames", false);
  assert_int_equal(uvf_chan_create(&o, &tx, &rx), 0);
  assert_int_equal(uvf_chan_create(&nameless, &tx2, &rx2), 0);
  payload_t p = item(0, 0);
  assert_int_equal(uvf_try_send(tx, &p), 0);
  assert_int_equal(uvf_try_send(tx, &p), 0);
  expect_shown(NULL, "2 of 3 items (most 2)", true);
  assert_int_equal(uvf_try_recv(rx, &p), 0);
  expect_shown(NULL, "channel \"frames\"", true);
  expect_shown(NULL, "open, 1 of 3 items (most 2); sent 2, received 1, dropped 0, returned 0", true);
  expect_shown(NULL, "channel \"\"", false);
  assert_int_equal(uvf_tx_close(tx, 0), 0);
  expect_shown(NULL, "closed, 1 of 3 items", true);
  uvf_tx_release(tx);
  uvf_rx_release(rx);
  uvf_tx_release(tx2);
  uvf_rx_release(rx2);
  expect_shown(NULL, "frames", false);
}

static void nothing_reads(uvf_reader_t *rd, int n, void *items) {
  (void)rd;
  (void)n;
  (void)items;
}

static void nothing_done(uvf_req_t *req, int status) {
  (void)req;
  (void)status;
}

static void who_waits_is_shown_at_the_channel_and_at_the_loop(void **state) {
  (void)state;
  test_host_t h;
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  uvf_req_t receive = {0}, closed = {0};
  uvf_reader_t reader = {0};
  payload_t got;
  uvf_chan_options_t o = named("jobs", 1);
  assert_int_equal(uvf_chan_create(&o, &tx, &rx), 0);
  loop_open(&h, 0);
  assert_int_equal(uvf_recv(h.loop, &receive, rx, &got, UVF_FOREVER, nothing_done), 0);
  assert_int_equal(uvf_wait_closed(h.loop, &closed, tx, UVF_FOREVER, nothing_done), 0);
  assert_int_equal(uvf_reader_start(h.loop, &reader, rx, NULL, nothing_reads), 0);
  expect_shown(h.loop, "reader on loop", true);
  test_host_run(&h);
  for (int everything = 0; everything < 2; everything++) {
    uvf_loop_t *of = everything != 0 ? NULL : h.loop;
    expect_shown(of, "waits to receive from channel \"jobs\" for ", true);
    expect_shown(of, "waits for the close of channel \"jobs\"", true);
    expect_shown(of, "request on loop", true);
    expect_shown(of, "reader on loop", true);
    expect_shown(of, ": open, on thread ", true);
  }
  uvf_reader_pause(&reader);
  expect_shown(h.loop, "is paused: to receive from channel \"jobs\"", true);
  assert_int_equal(uvf_tx_close(tx, 0), 0);
  expect_shown(h.loop, "is about to run: for the close", true);
  test_host_detach(&h);
  uvf_tx_release(tx);
  uvf_rx_release(rx);
}

typedef struct {
  uvf_tx_t *tx;
  int result;
} sender_t;

static void blocks(void *arg) {
  sender_t *b = arg;
  payload_t p = item(0, 1);
  b->result = uvf_send_sync(b->tx, &p, UVF_FOREVER);
}

static void a_blocked_thread_is_shown(void **state) {
  (void)state;
  uvf_rx_t *rx;
  sender_t b = {NULL, 1};
  thread_t thread;
  uvf_chan_options_t o = named("full", 1);
  uvf_chan_stats_t s;
  assert_int_equal(uvf_chan_create(&o, &b.tx, &rx), 0);
  payload_t p = item(0, 0);
  assert_int_equal(uvf_try_send(b.tx, &p), 0);
  thread_start(&thread, blocks, &b);
  do {
    (void)sched_yield();
    uvf_rx_stats(rx, &s);
  } while (s.waits == 0);
  expect_shown(NULL, "  thread waits to send to channel \"full\"", true);
  assert_int_equal(uvf_try_recv(rx, &p), 0);
  thread_join(&thread);
  assert_int_equal(b.result, 0);
  expect_shown(NULL, "thread waits", false);
  uvf_tx_release(b.tx);
  uvf_rx_release(rx);
}

typedef struct {
  uvf_loop_t *loop;
  char *text;
} elsewhere_t;

static void dumps_from_elsewhere(void *arg) {
  elsewhere_t *e = arg;
  size_t size = 0;
  FILE *out = open_memstream(&e->text, &size);
  if (out == NULL) return;
  uvf_dump(e->loop, out);
  (void)fclose(out);
}

static void a_loop_of_another_thread_is_not_looked_into(void **state) {
  (void)state;
  test_host_t h;
  thread_t thread;
  loop_open(&h, 0);
  elsewhere_t e = {h.loop, NULL};
  thread_start(&thread, dumps_from_elsewhere, &e);
  thread_join(&thread);
  assert_non_null(e.text);
  assert_non_null(strstr(e.text, "runs on another thread"));
  free(e.text);
  uvf_dump(h.loop, NULL); /* nothing */
  test_host_detach(&h);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_channel_with_a_name_is_shown_while_it_lives),
      cmocka_unit_test(who_waits_is_shown_at_the_channel_and_at_the_loop),
      cmocka_unit_test(a_blocked_thread_is_shown),
      cmocka_unit_test(a_loop_of_another_thread_is_not_looked_into),
  };
  return RUN_TESTS(tests);
}
