/* SPDX-License-Identifier: MIT */
/* fork: a child may not use what its parent made, and is told so instead of hanging; what it makes itself works; and the
 * parent notices nothing. Promise 12.
 * The child writes into shared memory; the parent asserts. A child that hangs is ended by its alarm. */
#include "chan/fixture.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_ROWS = 64, CHILD_SECONDS = 10 };

typedef struct {
  struct {
    char what[48];
    int expected, got;
  } rows[MAX_ROWS];
  int used;
} report_t;

static void row(report_t *r, const char *what, int expected, int got) {
  if (r->used == MAX_ROWS) return;
  (void)snprintf(r->rows[r->used].what, sizeof r->rows[0].what, "%s", what);
  r->rows[r->used].expected = expected;
  r->rows[r->used].got = got;
  r->used++;
}

typedef struct {
  chan_t *c;
  uv_loop_t uv;
  uvf_loop_t *loop;
  uvf_req_t req, pending;
  uvf_reader_t reader;
  uvf_post_t post;
  uvf_permit_t held, permit; /* held: of a queue, got before the fork */
  uvf_weak_t *weak;
  payload_t item;
  int calls, last;
} ground_t;

static void on_done(uvf_req_t *req, int status) {
  ground_t *g = req->data;
  g->calls++;
  g->last = status;
}

static void on_items(uvf_reader_t *rd, int n, void *items) {
  ground_t *g = rd->data;
  (void)items;
  g->calls++;
  g->last = n;
}

static void on_post(uvf_post_t *post, int status) {
  ground_t *g = post->data;
  g->calls++;
  g->last = status;
}

/* Prints what is wrong in the report and in how the child ended; returns how much that is. */
static int wrong_in(const report_t *report, int status) {
  int wrong = 0;
  for (int i = 0; i < report->used; i++) {
    if (report->rows[i].got == report->rows[i].expected) continue;
    print_error("%s: expected %d, got %d\n", report->rows[i].what, report->rows[i].expected, report->rows[i].got);
    wrong++;
  }
  const char *last = report->used == 0 ? "nothing" : report->rows[report->used - 1].what;
  if (status == 0 && strcmp(last, "the last line") == 0) return wrong;
  print_error("the child ended with status 0x%x, after: %s\n", (unsigned)status, last);
  return wrong + 1;
}

/* Runs `in_child` in a child. 0: all went as the child's rows say. */
static int in_a_child(ground_t *g, void (*in_child)(ground_t *, report_t *)) {
  report_t *report = mmap(NULL, sizeof *report, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (report == MAP_FAILED) return -1;
  pid_t pid = fork();
  if (pid == 0) {
    (void)alarm(CHILD_SECONDS);
    in_child(g, report);
    row(report, "the last line", 0, 0);
    _exit(0);
  }
  int status = -1;
  int wrong = pid > 0 && waitpid(pid, &status, 0) == pid ? wrong_in(report, status) : -1;
  (void)munmap(report, sizeof *report);
  return wrong;
}

/* ---- channels ---- */

static void uses_parents_permits(ground_t *g, report_t *r) {
  chan_t *c = g->c;
  payload_t it = item(0, 1);
  row(r, "try_reserve", UV_ENOTSUP, uvf_try_reserve(c->tx, &g->permit));
  row(r, "reserve_sync", UV_ENOTSUP, uvf_reserve_sync(c->tx, &g->permit, UVF_FOREVER));
  row(r, "permit_send: none", UV_EINVAL, uvf_permit_send(&g->permit, &it));
  row(r, "wait_closed_sync", UV_ENOTSUP, uvf_wait_closed_sync(c->tx, UVF_FOREVER));
  if (g->weak == NULL) return;
  if (c->kind->bit != RENDEZVOUS) row(r, "permit_send", UV_ENOTSUP, uvf_permit_send(&g->held, &it));
  uvf_permit_release(&g->held);
  row(r, "weak_upgrade", true, uvf_weak_upgrade(g->weak) == NULL);
  uvf_weak_release(uvf_tx_weaken(c->tx));
  uvf_weak_release(g->weak);
}

static void uses_parents_channel(ground_t *g, report_t *r) {
  chan_t *c = g->c;
  payload_t it = item(0, 1);
  uvf_chan_stats_t s;
  row(r, "try_send", UV_ENOTSUP, uvf_try_send(c->tx, &it));
  row(r, "try_recv", UV_ENOTSUP, uvf_try_recv(c->rx, &it));
  row(r, "try_send_n", UV_ENOTSUP, uvf_try_send_n(c->tx, &it, 1));
  row(r, "try_recv_n", UV_ENOTSUP, uvf_try_recv_n(c->rx, &it, 1));
  row(r, "send_sync", UV_ENOTSUP, uvf_send_sync(c->tx, &it, UVF_FOREVER));
  row(r, "recv_sync", UV_ENOTSUP, uvf_recv_sync(c->rx, &it, UVF_FOREVER));
  row(r, "tx_close", UV_ENOTSUP, uvf_tx_close(c->tx, 0));
  row(r, "rx_close", UV_ENOTSUP, uvf_rx_close(c->rx, 0));
  row(r, "rx_abort", UV_ENOTSUP, uvf_rx_abort(c->rx, 0));
  row(r, "tx_status", UV_EOF, uvf_tx_status(c->tx));
  row(r, "rx_status", UV_EOF, uvf_rx_status(c->rx));
  row(r, "tx_len", 0, (int)uvf_tx_len(c->tx));
  row(r, "rx_len", 0, (int)uvf_rx_len(c->rx));
  uvf_rx_stats(c->rx, &s);
  row(r, "stats", 0, (int)(s.sent + s.received + s.waits + s.len));
  uvf_tx_release(uvf_tx_retain(c->tx));
  uvf_rx_release(uvf_rx_retain(c->rx));
  uses_parents_permits(g, r);
  row(r, "before the last releases", 0, 0);
  uvf_tx_release(c->tx);
  uvf_rx_release(c->rx);
}

static void promise_12_a_parents_channel_is_refused(void **state) {
  chan_t c;
  ground_t g = {.c = &c};
  chan_open(&c, state, 4);
  bool queue = c.kind->bit != RENDEZVOUS && c.kind->bit != ONESHOT;
  g.weak = uvf_tx_weaken(c.tx);
  if (c.kind->bit != RENDEZVOUS) reserve_all(&c, &g.held, 1);
  if (queue) fill(&c, 0, 3);
  assert_int_equal(in_a_child(&g, uses_parents_channel), 0);
  assert_ptr_equal(uvf_weak_upgrade(g.weak), c.tx);
  uvf_tx_release(c.tx);
  if (c.kind->bit != RENDEZVOUS) {
    assert_int_equal(permit_send(&g.held, 0, 3), 0); /* the child has not given it back */
    for (uint32_t i = queue ? 0 : 3; i < 4; i++)
      expect(&c, 0, i);
    if (queue) fill(&c, 4, 1);
  }
  uvf_weak_release(g.weak);
  chan_close(&c);
}

/* Other threads of the parent are inside the channel, with its lock in any state, at each fork. */
typedef struct {
  chan_t *c;
  atomic_bool stop;
} busy_t;

static void keeps_busy(void *arg) {
  busy_t *b = arg;
  payload_t it = item(1, 0);
  while (!atomic_load(&b->stop)) {
    (void)uvf_send_sync(b->c->tx, &it, 1);
    (void)uvf_recv_sync(b->c->rx, &it, 1);
  }
}

static void promise_12_no_hang_whatever_the_parent_was_doing(void **state) {
  chan_t c;
  ground_t g = {.c = &c};
  busy_t busy = {.c = &c};
  thread_t ids[2];
  int wrong = 0;
  chan_open(&c, state, 1);
  for (int i = 0; i < 2; i++)
    thread_start(&ids[i], keeps_busy, &busy);
  for (int i = 0; i < 10 && wrong == 0; i++)
    wrong = in_a_child(&g, uses_parents_channel);
  atomic_store(&busy.stop, true);
  for (int i = 0; i < 2; i++)
    thread_join(&ids[i]);
  chan_close(&c);
  assert_int_equal(wrong, 0);
}

/* ---- loops ---- */

static void uses_parents_loop(ground_t *g, report_t *r) {
  chan_t *c = g->c;
  uvf_reader_t other;
  memset(&other, 0, sizeof other);
  row(r, "send", UV_ENOTSUP, uvf_send(g->loop, &g->req, c->tx, &g->item, UVF_FOREVER, on_done));
  row(r, "recv", UV_ENOTSUP, uvf_recv(g->loop, &g->req, c->rx, &g->item, UVF_FOREVER, on_done));
  row(r, "reserve", UV_ENOTSUP, uvf_reserve(g->loop, &g->req, c->tx, &g->permit, UVF_FOREVER, on_done));
  row(r, "wait_readable", UV_ENOTSUP, uvf_wait_readable(g->loop, &g->req, c->rx, UVF_FOREVER, on_done));
  row(r, "wait_closed", UV_ENOTSUP, uvf_wait_closed(g->loop, &g->req, c->tx, UVF_FOREVER, on_done));
  row(r, "reader_start", UV_ENOTSUP, uvf_reader_start(g->loop, &other, c->rx, NULL, on_items));
  row(r, "cancel", UV_ENOTSUP, uvf_cancel(&g->pending));
  row(r, "reader_stop", UV_ENOTSUP, uvf_reader_stop(&g->reader));
  row(r, "post", UV_ENOTSUP, uvf_post(g->loop, &g->post, on_post));
  row(r, "bind", UV_ENOTSUP, uvf_loop_bind(g->loop));
  row(r, "detach", UV_ENOTSUP, uvf_loop_detach(g->loop, NULL, NULL));
  uvf_reader_pause(&g->reader);
  uvf_reader_resume(&g->reader);
  uvf_loop_drain(g->loop, false);
  uvf_loop_release(uvf_loop_retain(g->loop));
  row(r, "callbacks in the child", 0, g->calls);
}

/* Its own: a channel from the loop of the child to itself; the calling thread runs no loop of the parent's any more. */
static void makes_its_own(ground_t *g, report_t *r) {
  uv_loop_t uv;
  uvf_loop_t *loop;
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  uvf_reader_t rd = {.data = g};
  payload_t it = item(1, 2);
  const kind_t *kind = g->c->kind;
  uvf_chan_options_t o = {
      .item_size = sizeof it, .capacity = kind->capacity != 0 ? kind->capacity : 1, .flags = kind->flags};
  g->calls = 0;
  row(r, "create", 0, kind->bit == ONESHOT ? uvf_oneshot_create(&o, &tx, &rx) : uvf_chan_create(&o, &tx, &rx));
  row(r, "recv_sync", UV_ETIMEDOUT, uvf_recv_sync(rx, &it, 1));
  row(r, "uv_loop_init", 0, uv_loop_init(&uv));
  row(r, "attach", 0, uvf_loop_attach(&uv, NULL, &loop));
  row(r, "parent's loop, own channel", UV_ENOTSUP, uvf_recv(g->loop, &g->req, rx, &it, 0, on_done));
  if (g->c->rx != NULL)
    row(r, "own loop, parent's channel", UV_ENOTSUP, uvf_reader_start(loop, &rd, g->c->rx, NULL, on_items));
  row(r, "reader_start", 0, uvf_reader_start(loop, &rd, rx, NULL, on_items));
  row(r, "recv_sync on a loop", UVF_EDEADLK, uvf_recv_sync(rx, &it, 1));
  uvf_rx_release(rx);
  (void)uv_run(&uv, UV_RUN_NOWAIT);
  row(r, "try_send", 0, uvf_try_send(tx, &it));
  while (g->calls == 0)
    (void)uv_run(&uv, UV_RUN_ONCE);
  row(r, "items", 1, g->last);
  uvf_tx_release(tx);
  (void)uv_run(&uv, UV_RUN_DEFAULT);
  row(r, "end", UV_EOF, g->last);
  row(r, "detach", 0, uvf_loop_detach(loop, NULL, NULL));
  row(r, "uv_run", 0, uv_run(&uv, UV_RUN_DEFAULT));
  row(r, "uv_loop_close", 0, uv_loop_close(&uv));
}

/* Asserts. The parent's loop has a reader and a pending request, and a ring may be outstanding. */
static void open_loop(ground_t *g, chan_t *c, void **state) {
  memset(g, 0, sizeof *g);
  g->c = c;
  chan_open(c, state, 4);
  g->req.data = g->pending.data = g->reader.data = g->post.data = g;
  assert_int_equal(uv_loop_init(&g->uv), 0);
  assert_int_equal(uvf_loop_attach(&g->uv, NULL, &g->loop), 0);
  assert_int_equal(uvf_reader_start(g->loop, &g->reader, c->rx, NULL, on_items), 0);
  if (c->kind->bit != SPSC)
    assert_int_equal(uvf_recv(g->loop, &g->pending, c->rx, &g->item, UVF_FOREVER, on_done), 0);
  else
    assert_int_equal(uvf_send(g->loop, &g->pending, c->tx, &g->item, UVF_FOREVER, on_done), 0);
}

static void close_loop(ground_t *g) {
  assert_int_equal(uvf_loop_detach(g->loop, NULL, NULL), 0);
  assert_int_equal(uv_run(&g->uv, UV_RUN_DEFAULT), 0);
  assert_int_equal(uv_loop_close(&g->uv), 0);
  chan_close(g->c);
}

static void promise_12_a_parents_loop_is_refused(void **state) {
  chan_t c;
  ground_t g;
  open_loop(&g, &c, state);
  assert_int_equal(in_a_child(&g, uses_parents_loop), 0);
  assert_true(uvf_reader_active(&g.reader));
  assert_true(uvf_req_active(&g.pending));
  close_loop(&g);
  assert_int_equal(g.calls, 2); /* the last ones of the reader and of the request */
}

static void promise_12_what_a_child_makes_works(void **state) {
  chan_t c;
  ground_t g;
  open_loop(&g, &c, state);
  assert_int_equal(in_a_child(&g, makes_its_own), 0);
  close_loop(&g);
}

static void a_child_of_a_child(ground_t *g, report_t *r) {
  makes_its_own(g, r);
  pid_t pid = fork();
  if (pid == 0) {
    makes_its_own(g, r);
    _exit(0);
  }
  int status = -1;
  row(r, "waitpid", 1, waitpid(pid, &status, 0) == pid);
  row(r, "the grandchild", 0, status);
}

static void promise_12_in_every_generation(void **state) {
  chan_t c;
  ground_t g;
  open_loop(&g, &c, state);
  assert_int_equal(in_a_child(&g, a_child_of_a_child), 0);
  close_loop(&g);
}

int main(void) {
  static const case_t cases[] = {
      CASE(promise_12_a_parents_channel_is_refused, EVERY | ONESHOT),
      CASE(promise_12_no_hang_whatever_the_parent_was_doing, ANY_SENDERS | ONESHOT),
      CASE(promise_12_a_parents_loop_is_refused, ALL | ONESHOT),
      CASE(promise_12_what_a_child_makes_works, ALL | ONESHOT),
      CASE(promise_12_in_every_generation, ALL | ONESHOT),
  };
  return RUN_CASES(cases);
}
