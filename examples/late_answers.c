/* SPDX-License-Identifier: MIT */
/* Threads, and the loop itself, ask a loop, and wait for the answer. A question carries a permit of the asker's channel:
 * room for one answer. So the server never waits, whatever the askers do; each question is answered once, late or not:
 *   timeout        an answer that comes later is known by its number, and passed over
 *   asker gone     uvf_permit_send says UV_EPIPE
 *   server ends    `drop` answers the questions that are queued, the server those that it put aside: UV_ECANCELED
 * The server keeps a number. ADD changes it; WATCH is answered at the next change, which may take long. */
#include <stdio.h>
#include <uv.h>

#include "check.h"

#define ADDS 1000
#define THREADS 3

typedef enum { ADD, WATCH, QUIT } what_t;

typedef struct {
  what_t what;
  unsigned id;
  uvf_permit_t answer; /* moves with the question: its bytes are all there is of it */
} question_t;

typedef struct {
  unsigned id;
  int status;
  long number;
} answer_t;

UVF_CHAN_TYPE(questions, question_t);
UVF_CHAN_TYPE(answers, answer_t);

typedef struct {
  questions_rx_t questions;
  question_t aside[8]; /* WATCH */
  int watching;
  long number, asked, gone; /* gone: nobody wanted the answer */
} server_t;

typedef struct {
  questions_tx_t server;
  answers_tx_t tx;
  answers_rx_t rx;
  unsigned id;
  uvf_loop_t *loop; /* of an asker that is a loop: this, and the next two */
  uvf_req_t req;
  answer_t got;
} asker_t;

static void answer(server_t *s, question_t *q, int status) {
  int r = uvf_permit_send(&q->answer, &(answer_t){q->id, status, s->number});
  if (r != UV_EPIPE) check(r, "answer");
  s->gone += r == UV_EPIPE;
}

static void answer_watchers(server_t *s, int status) {
  while (s->watching > 0)
    answer(s, &s->aside[--s->watching], status);
}

/* Any thread, so the server is left alone. A permit works everywhere. */
static void drop_question(void *item, void *data) {
  question_t *q = item;
  (void)data;
  (void)uvf_permit_send(&q->answer, &(answer_t){q->id, UV_ECANCELED, 0}); /* UV_EPIPE: the asker has gone, too */
}

static void on_questions(uvf_reader_t *reader, int n, void *items) {
  server_t *s = reader->data;
  question_t *q = questions_items(items);
  for (int i = 0; i < n; i++, s->asked++) {
    if (q[i].what == WATCH && s->watching < 8) {
      s->aside[s->watching++] = q[i];
      continue;
    }
    if (q[i].what == ADD) {
      s->number++;
      answer_watchers(s, 0);
    }
    if (q[i].what == QUIT) check(uvf_rx_abort(s->questions.end, 0), "abort"); /* the rest of this batch is answered */
    answer(s, &q[i], q[i].what == WATCH ? UV_ENOBUFS : 0);
  }
  if (n < 0) answer_watchers(s, UV_ECANCELED);
}

static void asker_open(asker_t *a, questions_tx_t server) {
  uvf_chan_options_t options = {.capacity = 4}; /* the answers that one asker may have to come, late ones included */
  *a = (asker_t){.server = {uvf_tx_retain(server.end)}};
  check(answers_create(options, &a->tx, &a->rx), "chan_create");
}

static void asker_close(asker_t *a) {
  uvf_tx_release(a->tx.end);
  uvf_rx_release(a->rx.end);
  uvf_tx_release(a->server.end);
}

/* Sends a question without waiting for its answer. Returns 0, UV_EPIPE (the server has ended), UV_ETIMEDOUT. */
static int ask(asker_t *a, what_t what, uint64_t timeout_ms) {
  question_t q = {.what = what, .id = ++a->id};
  int r = uvf_reserve_sync(a->tx.end, &q.answer, timeout_ms);
  if (r != 0) return r;
  r = questions_send_sync(a->server, &q, timeout_ms);
  if (r != 0) uvf_permit_release(&q.answer); /* not sent, so it is still ours */
  return r;
}

/* Asks and waits, for at most twice the timeout. Returns what ask returns, or the answer's status. */
static int ask_and_wait(asker_t *a, what_t what, uint64_t timeout_ms) {
  answer_t got = {.id = 0};
  int r = ask(a, what, timeout_ms);
  while (r == 0 && got.id != a->id) /* numbers before are of questions that have timed out */
    r = answers_recv_sync(a->rx, &got, timeout_ms);
  return r != 0 ? r : got.status;
}

/* The same from a loop: it watches until the server ends. One question at a time, so there is room for its answer. */
static void watch(asker_t *a);

static void on_answer(uvf_req_t *req, int status) {
  asker_t *a = req->data;
  check(status, "recv");
  if (a->got.status == 0) watch(a);
}

static void watch(asker_t *a) {
  question_t q = {.what = WATCH, .id = ++a->id};
  check(uvf_try_reserve(a->tx.end, &q.answer), "reserve");
  int r = questions_try_send(a->server, &q);
  if (r != 0) uvf_permit_release(&q.answer);
  if (r == UV_EPIPE) return;
  check(r, "ask");
  check(answers_recv(a->loop, &a->req, a->rx, &a->got, UVF_FOREVER, on_answer), "recv");
}

static void add(void *arg) {
  questions_tx_t server = {arg};
  asker_t a;
  asker_open(&a, server);
  for (int i = 0; i < ADDS; i++)
    check(ask_and_wait(&a, ADD, UVF_FOREVER), "add");
  asker_close(&a);
}

static void expect(int r, int expected, const char *what) {
  if (r != expected) check(r < 0 ? r : UV_EPROTO, what);
}

static void use(void *arg) {
  questions_tx_t server = {arg};
  uv_thread_t adders[THREADS];
  asker_t a, gone;
  answer_t got;
  int r, accepted = 2; /* of the four answers there is room for: nobody takes them before the end */
  asker_open(&a, server);
  expect(ask_and_wait(&a, WATCH, 2), UV_ETIMEDOUT, "a watch while nothing changes"); /* answered by the next line */
  expect(ask_and_wait(&a, ADD, UVF_FOREVER), 0, "the answer after a late one");
  asker_open(&gone, server);
  expect(ask(&gone, WATCH, UVF_FOREVER), 0, "a watch");
  asker_close(&gone); /* does not wait for the answer */
  for (int i = 0; i < THREADS; i++)
    check(uv_thread_create(&adders[i], add, server.end), "thread_create");
  for (int i = 0; i < THREADS; i++)
    check(uv_thread_join(&adders[i]), "thread_join");
  expect(ask(&a, WATCH, UVF_FOREVER), 0, "a watch");
  expect(ask(&a, QUIT, UVF_FOREVER), 0, "quit");
  while (accepted < 4 && (r = ask(&a, WATCH, UVF_FOREVER)) == 0) /* in flight while the server ends, or too late */
    accepted++;
  uvf_tx_release(a.tx.end); /* from now on only the permits keep the channel open */
  a.tx.end = NULL;
  for (r = 0; (r = answers_recv_sync(a.rx, &got, UVF_FOREVER)) == 0;)
    expect(got.status, got.id == 4 ? 0 : UV_ECANCELED, "an answer at the end");
  expect(r, UV_EOF, "the last answer");
  asker_close(&a);
  uvf_tx_release(server.end);
}

int main(void) {
  uv_loop_t *uv = uv_default_loop();
  uvf_chan_options_t options = {.capacity = 64, .drop = drop_question};
  server_t s = {.number = 0};
  uvf_reader_t reader = {.data = &s};
  uvf_loop_t *loop;
  questions_tx_t tx;
  uv_thread_t user;
  asker_t watcher;
  uvf_chan_stats_t stats;
  check(uvf_loop_attach(uv, NULL, &loop), "attach");
  check(questions_create(options, &tx, &s.questions), "chan_create");
  check(uvf_reader_start(loop, &reader, s.questions.end, NULL, on_questions), "reader_start");
  asker_open(&watcher, tx);
  watcher.loop = loop; /* any loop; here a loop asks itself */
  watcher.req.data = &watcher;
  watch(&watcher);
  check(uv_thread_create(&user, use, tx.end), "thread_create"); /* tx is the user's now */
  check(uv_run(uv, UV_RUN_DEFAULT), "run");                     /* until QUIT, and the watcher has heard of it */
  check(uv_thread_join(&user), "thread_join");
  asker_close(&watcher);
  uvf_rx_stats(s.questions.end, &stats);
  uvf_rx_release(s.questions.end);
  check(uvf_loop_detach(loop, NULL, NULL), "detach");
  check(uv_run(uv, UV_RUN_DEFAULT), "run"); /* lets the detach finish */
  check(uv_loop_close(uv), "loop_close");
  printf("%ld questions, %d dropped at the end, %ld without a taker; the number is %ld\n", s.asked, (int)stats.dropped,
         s.gone, s.number);
  return s.number == 1 + THREADS * ADDS && s.gone == 1 && (uint64_t)s.asked == stats.received ? 0 : 1;
}
