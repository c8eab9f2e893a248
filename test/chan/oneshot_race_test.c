/* SPDX-License-Identifier: MIT */
/* One-shot channels between threads: thousands of short lives, and what may happen at once: sends, receives, the last releases of
 * both ends, closes, waiting for the close. Cases 13, 20, 25, 45. Promises 1, 6. */
#include "chan/loop_fixture.h"

#if defined(__SANITIZE_THREAD__)
enum { ROUNDS = 500 };
#else
enum { ROUNDS = 10000 };
#endif

/* ---- a crew: threads that each do one thing per round, at once ---- */

enum { CREW = 3, NONE = 1 }; /* NONE: a result that no call has */

typedef struct crew_s crew_t;

typedef struct {
  crew_t *crew;
  thread_t thread;
  uint32_t index;
  int result, end; /* end: of a receiver or a watcher */
  payload_t got;
  bool changed; /* the end was not the same for ever */
} hand_t;

typedef void (*act_t)(hand_t *h);

struct crew_s {
  uv_barrier_t gate;
  atomic_bool stop;
  uint32_t round;
  int n;
  act_t act[CREW];
  hand_t hand[CREW];
  uvf_tx_t *tx[CREW];
  uvf_rx_t *rx[CREW];
  uvf_permit_t permit;
};

static void works(void *arg) {
  hand_t *h = arg;
  for (;;) {
    (void)uv_barrier_wait(&h->crew->gate);
    if (atomic_load(&h->crew->stop)) return;
    for (uint32_t i = 0; i < h->crew->round % 7 * h->index; i++) /* they meet at different moments */
      (void)uvf_strerror(0);
    h->crew->act[h->index](h);
    (void)uv_barrier_wait(&h->crew->gate);
  }
}

/* What a round came to, when all have done their part and nobody has an end any more. */
typedef bool (*right_t)(crew_t *crew, chan_t *c);

/* Each hand gets references of its own, which it releases; the channel's maker has let go before. Asserts. */
static bool one_round(crew_t *crew, void **state, bool held, right_t right) {
  chan_t c;
  chan_open(&c, state, 0);
  if (held) reserve_all(&c, &crew->permit, 1);
  for (int i = 0; i < crew->n; i++) {
    crew->tx[i] = uvf_tx_retain(c.tx);
    crew->rx[i] = uvf_rx_retain(c.rx);
    crew->hand[i].result = crew->hand[i].end = NONE;
    crew->hand[i].got = item(UINT32_MAX, UINT32_MAX);
  }
  chan_close(&c);
  (void)uv_barrier_wait(&crew->gate);
  (void)uv_barrier_wait(&crew->gate);
  for (int i = 0; i < crew->n; i++)
    if (crew->hand[i].changed) return false;
  return atomic_load(&c.strange) == 0 && right(crew, &c);
}

/* act3 may be NULL: two are enough. held: with a permit out. */
static void run_crew(void **state, bool held, act_t act1, act_t act2, act_t act3, right_t right) {
  static crew_t crew;
  bool good = true;
  memset(&crew, 0, sizeof crew);
  crew.act[0] = act1;
  crew.act[1] = act2;
  crew.act[2] = act3;
  crew.n = act3 == NULL ? 2 : 3;
  assert_int_equal(uv_barrier_init(&crew.gate, (unsigned)crew.n + 1), 0);
  for (int i = 0; i < crew.n; i++) {
    crew.hand[i] = (hand_t){.crew = &crew, .index = (uint32_t)i};
    thread_start(&crew.hand[i].thread, works, &crew.hand[i]);
  }
  for (crew.round = 0; crew.round < ROUNDS / 2 && good; crew.round++)
    good = one_round(&crew, state, held, right);
  atomic_store(&crew.stop, true);
  (void)uv_barrier_wait(&crew.gate);
  for (int i = 0; i < crew.n; i++)
    thread_join(&crew.hand[i].thread);
  uv_barrier_destroy(&crew.gate);
  assert_true(good);
}

/* ---- what hands do ---- */

static void let_tx_go(hand_t *h) {
  uvf_tx_release(h->crew->tx[h->index]);
}

static void let_rx_go(hand_t *h) {
  uvf_rx_release(h->crew->rx[h->index]);
}

static void let_both_go(hand_t *h) {
  if (h->crew->round % 2 == 0) let_rx_go(h);
  let_tx_go(h);
  if (h->crew->round % 2 == 1) let_rx_go(h);
}

static payload_t its_item(const hand_t *h) {
  return item(1 + h->index, h->crew->round % LEDGER_SEQS);
}

static void tries_to_send(hand_t *h) {
  payload_t i = its_item(h);
  let_rx_go(h);
  h->result = uvf_try_send(h->crew->tx[h->index], &i);
  let_tx_go(h);
}

static void sends(hand_t *h) {
  payload_t i = its_item(h);
  let_rx_go(h);
  h->result = uvf_send_sync(h->crew->tx[h->index], &i, UVF_FOREVER);
  let_tx_go(h);
}

static void uses_the_permit(hand_t *h) {
  payload_t i = its_item(h);
  let_both_go(h);
  h->result = uvf_permit_send(&h->crew->permit, &i);
}

static void gives_the_permit_back(hand_t *h) {
  let_both_go(h);
  uvf_permit_release(&h->crew->permit);
}

static void sees_end(hand_t *h, int r) {
  if (h->end != NONE && h->end != r) h->changed = true;
  h->end = r;
}

/* Until the end, which stays as it is. */
static void receives(hand_t *h) {
  uvf_rx_t *rx = h->crew->rx[h->index];
  payload_t more;
  let_tx_go(h);
  h->result = uvf_recv_sync(rx, &h->got, UVF_FOREVER);
  if (h->result != 0) sees_end(h, h->result);
  for (int i = 0; i < 3; i++)
    sees_end(h, uvf_recv_sync(rx, &more, UVF_FOREVER));
  let_rx_go(h);
}

static void waits_for_the_close(hand_t *h) {
  let_rx_go(h);
  h->result = uvf_wait_closed_sync(h->crew->tx[h->index], UVF_FOREVER);
  for (int i = 0; i < 3; i++)
    sees_end(h, uvf_tx_status(h->crew->tx[h->index]));
  let_tx_go(h);
}

static void closes(hand_t *h) {
  h->result = uvf_tx_close(h->crew->tx[h->index], UV_EIO);
  sees_end(h, uvf_tx_status(h->crew->tx[h->index]));
  let_both_go(h);
}

static void aborts(hand_t *h) {
  h->result = uvf_rx_abort(h->crew->rx[h->index], UV_EIO);
  let_both_go(h);
}

/* ---- what may come of it ---- */

/* Of hands 0 and 1, one has sent; what the other got is in `lost`. NULL: nobody has. */
static hand_t *who_sent(crew_t *crew, int *lost) {
  hand_t *h = crew->hand;
  *lost = h[0].result == 0 ? h[1].result : h[0].result;
  return h[0].result == 0 ? &h[0] : h[1].result == 0 ? &h[1] : NULL;
}

static bool is_from(const hand_t *receiver, const hand_t *sender) {
  return receiver->result == 0 && same(receiver->got, its_item(sender));
}

static bool delivered(crew_t *crew, chan_t *c) {
  hand_t *h = crew->hand;
  return h[0].result == 0 && is_from(&h[1], &h[0]) && h[1].end == UV_EOF && atomic_load(&c->dropped) == 0;
}

static bool delivered_or_dropped(crew_t *crew, chan_t *c) {
  hand_t *sender = &crew->hand[0];
  payload_t i = its_item(sender);
  unsigned drops = atomic_load(&c->dropped);
  if (sender->result == UV_EPIPE) return drops == 0;
  return sender->result == 0 && drops == 1 && drops_of(c, i.sender, i.seq) == 1;
}

static bool ended_without(crew_t *crew, chan_t *c) {
  return crew->hand[1].result == UV_EOF && crew->hand[2].result == UV_EOF && atomic_load(&c->dropped) == 0;
}

static bool one_of_two_was_sent(crew_t *crew, chan_t *c) {
  int lost;
  hand_t *sender = who_sent(crew, &lost);
  return sender != NULL && (lost == UV_EPIPE || lost == UV_EAGAIN) && is_from(&crew->hand[2], sender) &&
         crew->hand[2].end == UV_EOF && atomic_load(&c->dropped) == 0;
}

static bool one_of_two_got_it(crew_t *crew, chan_t *c) {
  hand_t *h = crew->hand;
  bool first = is_from(&h[1], &h[0]) && h[2].result == UV_EOF;
  bool second = is_from(&h[2], &h[0]) && h[1].result == UV_EOF;
  return h[0].result == 0 && first != second && atomic_load(&c->dropped) == 0;
}

/* The item is dropped when the last receiver goes. */
static bool the_close_was_heard(crew_t *crew, chan_t *c) {
  hand_t *h = crew->hand;
  return h[1].result == 0 && h[1].end == UV_EOF && h[2].result == 0 && h[2].end == UV_EOF &&
         delivered_or_dropped(crew, c);
}

static bool used_or_aborted(crew_t *crew, chan_t *c) {
  hand_t *h = crew->hand;
  bool ended = h[1].result == 0 ? is_from(&h[1], &h[0]) : h[1].result == UV_EIO || h[1].result == UV_EOF;
  if (h[1].result == 0) return ended && h[0].result == 0 && atomic_load(&c->dropped) == 0;
  return ended && delivered_or_dropped(crew, c);
}

/* The one who came first says how it ends. */
static bool sent_or_closed(crew_t *crew, chan_t *c) {
  hand_t *h = crew->hand;
  int status = h[1].result == 0 ? UV_EIO : UV_EOF;
  if (h[1].result != 0 && h[1].result != UV_EALREADY) return false;
  if (h[1].end != status || h[2].end != status || atomic_load(&c->dropped) != 0) return false;
  if (h[0].result == UV_EPIPE) return status == UV_EIO && h[2].result == UV_EIO;
  return h[0].result == 0 && is_from(&h[2], &h[0]);
}

/* ---- the tests ---- */

static void ten_thousand_lives(void **state) {
  run_crew(state, false, tries_to_send, receives, NULL, delivered);
  run_crew(state, false, sends, receives, NULL, delivered);
}

static void case_13_both_ends_go_at_once(void **state) {
  run_crew(state, false, tries_to_send, let_both_go, NULL, delivered_or_dropped);
}

static void case_45_the_sender_goes_while_two_receive(void **state) {
  run_crew(state, false, let_both_go, receives, receives, ended_without);
}

static void case_45_the_permit_is_given_back_while_two_receive(void **state) {
  run_crew(state, true, gives_the_permit_back, receives, receives, ended_without);
}

static void of_two_senders_one_wins(void **state) {
  run_crew(state, false, tries_to_send, sends, receives, one_of_two_was_sent);
}

static void a_send_races_with_a_permit(void **state) {
  run_crew(state, true, uses_the_permit, sends, receives, one_of_two_was_sent);
}

static void of_two_receivers_one_wins(void **state) {
  run_crew(state, false, sends, receives, receives, one_of_two_got_it);
}

static void a_send_tells_those_who_wait_for_the_close(void **state) {
  run_crew(state, false, tries_to_send, waits_for_the_close, waits_for_the_close, the_close_was_heard);
}

static void a_permit_races_with_an_abort(void **state) {
  run_crew(state, true, uses_the_permit, receives, aborts, used_or_aborted);
}

static void a_send_races_with_a_close(void **state) {
  run_crew(state, false, sends, closes, receives, sent_or_closed);
}

int main(void) {
  static const case_t cases[] = {
      CASE(ten_thousand_lives, ONESHOT),
      CASE(case_13_both_ends_go_at_once, ONESHOT),
      CASE(case_45_the_sender_goes_while_two_receive, ONESHOT),
      CASE(case_45_the_permit_is_given_back_while_two_receive, ONESHOT),
      CASE(of_two_senders_one_wins, ONESHOT),
      CASE(a_send_races_with_a_permit, ONESHOT),
      CASE(of_two_receivers_one_wins, ONESHOT),
      CASE(a_send_tells_those_who_wait_for_the_close, ONESHOT),
      CASE(a_permit_races_with_an_abort, ONESHOT),
      CASE(a_send_races_with_a_close, ONESHOT),
  };
  return RUN_CASES(cases);
}
