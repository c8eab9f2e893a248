/* SPDX-License-Identifier: MIT */
/* cell: each state of it, and what each operation does there; items of every size; threads that race for its one item. The suite
 * of the other queues is of no use here: a cell takes one item in its life. */
#include "support/uvf_test.h"

#include "queue/cell.h"

#define SENTINEL 0xa5

enum { MAX_SIZE = 70000 };

#if defined(__SANITIZE_THREAD__)
enum { ROUNDS = 1000 };
#else
enum { ROUNDS = 5000 };
#endif

/* ---- a cell with its item ---- */

typedef struct {
  uvf__cell_t cell;
  uvf__queue_t *q;
  payload_t item;
} box_t;

static void box_init(box_t *b) {
  memset(b, SENTINEL, sizeof *b); /* init must not count on zeroes */
  uvf__cell_init(&b->cell, sizeof b->item, &b->item);
  b->q = &b->cell.base;
}

static int put(box_t *b, uint32_t seq) {
  payload_t p = {1, seq};
  return b->q->ops->send(b->q, &p, 1);
}

static int send_held(box_t *b, uint32_t seq) {
  payload_t p = {1, seq};
  return b->q->ops->send_held(b->q, &p);
}

static int reserve(box_t *b) {
  return b->q->ops->reserve(b->q);
}

static void unreserve(box_t *b) {
  b->q->ops->unreserve(b->q);
}

static int look(box_t *b) {
  return b->q->ops->look(b->q);
}

static void shut(box_t *b, int how) {
  b->q->ops->close(b->q, how);
}

static int closed(box_t *b) {
  return b->q->ops->closed(b->q);
}

static int fill(box_t *b, uint32_t seq) {
  b->item = (payload_t){1, seq};
  return uvf__cell_fill(&b->cell);
}

/* The number of the item, or the error. */
static int take(box_t *b) {
  payload_t p = {0, 0};
  int r = b->q->ops->recv(b->q, &p, 1);
  return r == 1 && p.sender == 1 ? (int)p.seq : r < 0 ? r : 0;
}

/* Asserts. */
static void expect_counts(box_t *b, unsigned sent, unsigned taken) {
  uvf__counts_t counts = {99, 99};
  b->q->ops->counts(b->q, &counts);
  assert_int_equal(counts.sent, sent);
  assert_int_equal(counts.taken, taken);
}

/* ---- every state, by the way that leads there ---- */

typedef enum { EMPTY, HELD, FULL, TAKEN, PHASES } phase_t;

enum { OPEN = 0, CLOSED = UVF__CLOSED, ABORTED = UVF__CLOSED | UVF__ABORTED };

static const int ends[] = {OPEN, CLOSED, ABORTED};

static void box_bring(box_t *b, phase_t phase, int how) {
  box_init(b);
  if (phase == HELD) assert_int_equal(reserve(b), 0);
  if (phase == FULL || phase == TAKEN) assert_int_equal(put(b, 7), 1);
  if (phase == TAKEN) assert_int_equal(take(b), 7);
  if (how != OPEN) shut(b, how);
}

static void for_each_state(void (*check)(box_t *b, phase_t phase, int how)) {
  for (int phase = EMPTY; phase < PHASES; phase++)
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
      box_t b;
      box_bring(&b, (phase_t)phase, ends[i]);
      check(&b, (phase_t)phase, ends[i]);
      b.q->ops->destroy(b.q);
    }
}

static int look_in(phase_t phase, int how) {
  return phase == FULL ? 0 : phase == TAKEN ? UV_EOF : phase == HELD ? UV_EAGAIN : how == OPEN ? UV_EAGAIN : UV_EOF;
}

static int refusal_in(phase_t phase, int how) {
  return how != OPEN || phase >= FULL ? UV_EPIPE : phase == HELD ? UV_EAGAIN : 0;
}

static void what_it_says(box_t *b, phase_t phase, int how) {
  for (int twice = 0; twice < 2; twice++) { /* looks change nothing */
    assert_int_equal(look(b), look_in(phase, how));
    assert_int_equal(closed(b), how != OPEN ? how : phase >= FULL ? UVF__CLOSED : 0);
    expect_counts(b, phase >= FULL, phase == TAKEN);
    assert_int_equal(uvf__cell_state(&b->cell), phase >= FULL ? 0 : look_in(phase, how));
  }
  assert_true(b->q->ops->lends);
}

static void looks_in_each_state(void **state) {
  (void)state;
  for_each_state(what_it_says);
}

static void a_send(box_t *b, phase_t phase, int how) {
  int refusal = refusal_in(phase, how);
  assert_int_equal(put(b, 8), refusal == 0 ? 1 : refusal);
  if (refusal == 0) assert_int_equal(look(b), 0);
  if (refusal != 0) what_it_says(b, phase, how); /* nothing has changed */
  if (phase == FULL) assert_int_equal(b->item.seq, 7);
}

static void sends_in_each_state(void **state) {
  (void)state;
  for_each_state(a_send);
}

static void a_reserve(box_t *b, phase_t phase, int how) {
  int refusal = refusal_in(phase, how);
  assert_int_equal(reserve(b), refusal);
  what_it_says(b, refusal == 0 ? HELD : phase, how);
  if (refusal != 0) return;
  unreserve(b);
  what_it_says(b, EMPTY, how);
}

static void reserves_in_each_state(void **state) {
  (void)state;
  for_each_state(a_reserve);
}

static void a_recv(box_t *b, phase_t phase, int how) {
  int r = look_in(phase, how);
  assert_int_equal(take(b), r == 0 ? 7 : r);
  what_it_says(b, r == 0 ? TAKEN : phase, how);
  assert_int_equal(take(b), r == 0 ? UV_EOF : r);
}

static void receives_in_each_state(void **state) {
  (void)state;
  for_each_state(a_recv);
}

static void a_claim(box_t *b, phase_t phase, int how) {
  uvf__run_t run = {NULL, NULL, 99, 99};
  int r = look_in(phase, how);
  assert_int_equal(b->q->ops->claim(b->q, &run, 5), r == 0 ? 1 : r);
  what_it_says(b, r == 0 ? TAKEN : phase, how);
  if (r != 0) return;
  assert_ptr_equal(run.items, &b->item); /* where it lies */
  assert_int_equal(run.count, 1);
  b->q->ops->give_back(b->q, &run);
  what_it_says(b, TAKEN, how); /* for good */
  assert_int_equal(b->item.seq, 7);
  assert_int_equal(put(b, 8), UV_EPIPE);
}

static void claims_in_each_state(void **state) {
  (void)state;
  for_each_state(a_claim);
}

/* Closing never goes back, and moves no item. */
static void closes_in_each_state(void **state) {
  (void)state;
  for (int phase = EMPTY; phase < PHASES; phase++)
    for (int first = 0; first < 3; first++)
      for (int second = 1; second < 3; second++) {
        box_t b;
        box_bring(&b, (phase_t)phase, ends[first]);
        shut(&b, ends[second]);
        what_it_says(&b, (phase_t)phase, ends[first] | ends[second]);
      }
}

/* ---- permits ---- */

static void a_permit_used(box_t *b, phase_t phase, int how) {
  if (phase != HELD) return;
  assert_int_equal(send_held(b, 9), how == ABORTED ? UV_EPIPE : 0);
  what_it_says(b, how == ABORTED ? EMPTY : FULL, how);
  assert_int_equal(take(b), how == ABORTED ? UV_EOF : 9);
  assert_int_equal(reserve(b), UV_EPIPE);
}

static void a_permit_given_back(box_t *b, phase_t phase, int how) {
  if (phase != HELD) return;
  unreserve(b);
  what_it_says(b, EMPTY, how);
  assert_int_equal(put(b, 9), how == OPEN ? 1 : UV_EPIPE);
  assert_int_equal(take(b), how == OPEN ? 9 : UV_EOF);
}

static void permits_in_each_state(void **state) {
  (void)state;
  for_each_state(a_permit_used);
  for_each_state(a_permit_given_back);
}

static void a_permit_many_times(void **state) {
  (void)state;
  box_t b;
  box_init(&b);
  for (int i = 0; i < 1000; i++) {
    assert_int_equal(reserve(&b), 0);
    assert_int_equal(reserve(&b), UV_EAGAIN);
    unreserve(&b);
  }
  assert_int_equal(put(&b, 1), 1);
  assert_int_equal(take(&b), 1);
}

/* ---- filled in place ---- */

static void a_fill(box_t *b, phase_t phase, int how) {
  if (phase != EMPTY) return;
  assert_int_equal(fill(b, 3), how == ABORTED ? UV_EPIPE : 0);
  assert_int_equal(b->item.seq, 3); /* refused: still the sender's */
  what_it_says(b, how == ABORTED ? EMPTY : FULL, how);
  if (how == ABORTED) return;
  shut(b, ABORTED); /* too late */
  assert_int_equal(uvf__cell_state(&b->cell), 0);
  assert_int_equal(take(b), 3);
  assert_int_equal(uvf__cell_state(&b->cell), 0);
}

static void fills_in_each_state(void **state) {
  (void)state;
  for_each_state(a_fill);
}

/* ---- items ---- */

static void items_of_every_size(void **state) {
  (void)state;
  static const size_t sizes[] = {0,  1,  2,  3,  4,  5,  7,  8,   9,    12,   15,
                                 16, 17, 24, 31, 32, 33, 64, 100, 1000, 4096, MAX_SIZE};
  static unsigned char in[MAX_SIZE], place[MAX_SIZE + 2], out[MAX_SIZE + 2];
  for (size_t i = 0; i < sizeof in; i++)
    in[i] = (unsigned char)(i * 31 + i / 256);
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    uvf__cell_t cell;
    size_t n = sizes[i];
    memset(place, SENTINEL, sizeof place);
    memset(out, SENTINEL, sizeof out);
    uvf__cell_init(&cell, n, place + 1);
    assert_int_equal(cell.base.item_size, n);
    assert_int_equal(cell.base.ops->send(&cell.base, in, 1), 1);
    assert_int_equal(cell.base.ops->recv(&cell.base, out + 1, 1), 1);
    assert_memory_equal(place + 1, in, n);
    assert_memory_equal(out + 1, in, n);
    assert_true(place[0] == SENTINEL && place[n + 1] == SENTINEL && out[0] == SENTINEL && out[n + 1] == SENTINEL);
  }
}

static void one_of_several_items_is_moved(void **state) {
  (void)state;
  box_t b;
  payload_t in[3] = {{1, 1}, {1, 2}, {1, 3}}, out[3] = {{0, 0}, {0, 0}, {0, 0}};
  box_init(&b);
  assert_int_equal(b.q->ops->send(b.q, in, 3), 1);
  assert_int_equal(b.q->ops->recv(b.q, out, 3), 1);
  assert_true(out[0].seq == 1 && out[1].seq == 0 && out[2].seq == 0);
}

static void an_item_of_no_size_needs_no_memory(void **state) {
  (void)state;
  uvf__cell_t cell;
  uvf__run_t run;
  uvf__cell_init(&cell, 0, NULL);
  assert_int_equal(cell.base.ops->send(&cell.base, NULL, 1), 1);
  assert_int_equal(cell.base.ops->send(&cell.base, NULL, 1), UV_EPIPE);
  assert_int_equal(cell.base.ops->claim(&cell.base, &run, 1), 1);
  assert_int_equal(cell.base.ops->recv(&cell.base, NULL, 1), UV_EOF);
}

/* ---- races ---- */

/* Two threads that both do `act` on the same box in each round; the test checks what came of it. */
typedef struct race_s race_t;

typedef struct {
  race_t *race;
  thread_t thread;
  uint32_t index;
  int result;
} racer_t;

struct race_s {
  box_t box;
  uv_barrier_t gate;
  atomic_bool stop;
  int (*act[2])(box_t *b, uint32_t index);
  racer_t racer[2];
};

static void races(void *arg) {
  racer_t *r = arg;
  for (;;) {
    (void)uv_barrier_wait(&r->race->gate);
    if (atomic_load(&r->race->stop)) return;
    r->result = r->race->act[r->index](&r->race->box, r->index);
    (void)uv_barrier_wait(&r->race->gate);
  }
}

/* right: does the outcome of a round make sense? Returns whether that of each did. */
static bool race(bool (*prepare)(box_t *), int (*first)(box_t *, uint32_t), int (*second)(box_t *, uint32_t),
                 bool (*right)(box_t *, int, int)) {
  race_t r = {.act = {first, second}};
  bool good = true;
  atomic_init(&r.stop, false);
  assert_int_equal(uv_barrier_init(&r.gate, 3), 0);
  for (uint32_t i = 0; i < 2; i++) {
    r.racer[i] = (racer_t){.race = &r, .index = i};
    thread_start(&r.racer[i].thread, races, &r.racer[i]);
  }
  for (int round = 0; round < ROUNDS && good; round++) {
    box_init(&r.box);
    good = prepare(&r.box);
    (void)uv_barrier_wait(&r.gate);
    (void)uv_barrier_wait(&r.gate);
    good = good && right(&r.box, r.racer[0].result, r.racer[1].result);
  }
  atomic_store(&r.stop, true);
  (void)uv_barrier_wait(&r.gate);
  for (int i = 0; i < 2; i++)
    thread_join(&r.racer[i].thread);
  uv_barrier_destroy(&r.gate);
  return good;
}

static bool empty(box_t *b) {
  (void)b;
  return true;
}

static bool full(box_t *b) {
  return put(b, 5) == 1;
}

static bool held(box_t *b) {
  return reserve(b) == 0;
}

static int act_send(box_t *b, uint32_t index) {
  return put(b, 10 + index);
}

static int act_reserve_send(box_t *b, uint32_t index) {
  int r = reserve(b);
  return r != 0 ? r : send_held(b, 10 + index) == 0 ? 1 : -1;
}

static int act_send_held(box_t *b, uint32_t index) {
  return send_held(b, 10 + index);
}

static int act_unreserve(box_t *b, uint32_t index) {
  (void)index;
  unreserve(b);
  return 0;
}

static int act_fill(box_t *b, uint32_t index) {
  return fill(b, 10 + index);
}

static int act_recv(box_t *b, uint32_t index) {
  (void)index;
  return take(b);
}

static int act_close(box_t *b, uint32_t index) {
  (void)index;
  shut(b, CLOSED);
  return take(b);
}

static int act_abort(box_t *b, uint32_t index) {
  (void)index;
  shut(b, ABORTED);
  return take(b);
}

/* A loser finds the item written, or being written. */
static bool one_has_sent(box_t *b, int r0, int r1) {
  int lost = r0 == 1 ? r1 : r0;
  return (r0 == 1) != (r1 == 1) && (lost == UV_EPIPE || lost == UV_EAGAIN) && take(b) == (r0 == 1 ? 10 : 11) &&
         take(b) == UV_EOF;
}

static bool one_has_taken(box_t *b, int r0, int r1) {
  return ((r0 == 5 && r1 == UV_EOF) || (r1 == 5 && r0 == UV_EOF)) && take(b) == UV_EOF;
}

/* Closing behind a send leaves the item, closing before it refuses it. */
static bool sent_or_refused(box_t *b, int sent, int got) {
  if (sent == UV_EPIPE) return got == UV_EOF && take(b) == UV_EOF;
  return sent == 1 && ((got == 10 && take(b) == UV_EOF) || (got == UV_EAGAIN && take(b) == 10));
}

/* Who aborts sees the item, or the sender keeps it: nothing stays behind. */
static bool dropped_or_kept(box_t *b, int sent, int got) {
  bool nothing_left = take(b) == UV_EOF;
  if (sent == UV_EPIPE) return nothing_left && (got == UV_EOF || got == UV_EAGAIN);
  return nothing_left && (sent == 0 || sent == 1) && got == 10;
}

/* The end is behind the permit. */
static bool ended_behind_it(box_t *b, int unused, int got) {
  return unused == 0 && (got == UV_EAGAIN || got == UV_EOF) && take(b) == UV_EOF && closed(b) == CLOSED;
}

static void threads_race_to_send(void **state) {
  (void)state;
  assert_true(race(empty, act_send, act_send, one_has_sent));
  assert_true(race(empty, act_send, act_reserve_send, one_has_sent));
}

static void threads_race_to_take(void **state) {
  (void)state;
  assert_true(race(full, act_recv, act_recv, one_has_taken));
}

static void a_send_races_with_the_end(void **state) {
  (void)state;
  assert_true(race(empty, act_send, act_close, sent_or_refused));
  assert_true(race(empty, act_send, act_abort, dropped_or_kept));
  assert_true(race(held, act_send_held, act_abort, dropped_or_kept));
  assert_true(race(empty, act_fill, act_abort, dropped_or_kept));
  assert_true(race(held, act_unreserve, act_close, ended_behind_it));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      UVF_TEST(looks_in_each_state),           UVF_TEST(sends_in_each_state),
      UVF_TEST(reserves_in_each_state),        UVF_TEST(receives_in_each_state),
      UVF_TEST(claims_in_each_state),          UVF_TEST(closes_in_each_state),
      UVF_TEST(permits_in_each_state),         UVF_TEST(a_permit_many_times),
      UVF_TEST(fills_in_each_state),           UVF_TEST(items_of_every_size),
      UVF_TEST(one_of_several_items_is_moved), UVF_TEST(an_item_of_no_size_needs_no_memory),
      UVF_TEST(threads_race_to_send),          UVF_TEST(threads_race_to_take),
      UVF_TEST(a_send_races_with_the_end),
  };
  return RUN_TESTS(tests);
}
