/* SPDX-License-Identifier: MIT */
/* Cases of the suite with real threads: nothing lost, nothing twice, each sender's items in order, and the counts
 * agree; with an end that comes when all is sent, or in the middle of it. Nobody sleeps: who cannot go on yields. */
#include "queue/queue_suite.h"

#include <sched.h>

enum { SIDE = 4, BATCH = 16 };

#if defined(__SANITIZE_THREAD__)
#define EACH 4000
#else
#define EACH 20000
#endif

typedef struct {
  uvf__queue_t *q;
  tally_t tally;
  atomic_uint senders_left;
  atomic_uint accepted[SIDE]; /* of each sender */
  atomic_uint received, strange;
} crowd_t;

typedef struct {
  crowd_t *crowd;
  thread_t thread;
  uint32_t number;
  order_t order;
} member_t;

/* ---- senders ---- */

/* Item, batch or permit in turn. What the queue's function says; the number of items that moved is > 0. */
static int send_some(crowd_t *c, uint32_t sender, uint32_t seq) {
  payload_t items[BATCH];
  uint32_t n = seq % 3 == 0 ? 1 + seq % BATCH : 1;
  if (n > EACH - seq) n = EACH - seq;
  for (uint32_t i = 0; i < n; i++)
    items[i] = (payload_t){sender, seq + i};
  if (seq % 3 != 1) return c->q->ops->send(c->q, items, (int)n);
  int r = c->q->ops->reserve(c->q);
  if (r != 0) return r;
  r = c->q->ops->send_held(c->q, items);
  return r == 0 ? 1 : r;
}

static void sender_main(void *arg) {
  member_t *m = arg;
  crowd_t *c = m->crowd;
  uint32_t seq = 0;
  while (seq < EACH) {
    int r = send_some(c, m->number, seq);
    if (r > 0)
      seq += (uint32_t)r;
    else if (r == UV_EAGAIN)
      (void)sched_yield();
    else
      break; /* closed */
  }
  atomic_store(&c->accepted[m->number], seq);
  if (atomic_fetch_sub(&c->senders_left, 1) == 1) c->q->ops->close(c->q, UVF__CLOSED);
}

/* ---- receivers ---- */

static void see(member_t *m, const payload_t *items, int n) {
  for (int i = 0; i < n; i++)
    order_see(&m->order, items[i]);
  atomic_fetch_add(&m->crowd->received, (unsigned)n);
}

static int receive_some(member_t *m, int step) {
  uvf__queue_t *q = m->crowd->q;
  payload_t items[BATCH];
  uvf__run_t run;
  int r;
  if (step % 3 != 2 || !q->ops->lends) {
    r = q->ops->recv(q, items, step % 3 == 0 ? 1 : BATCH);
    if (r > 0) see(m, items, r);
    return r;
  }
  r = q->ops->claim(q, &run, BATCH);
  if (r > 0) {
    see(m, run.items, r);
    q->ops->give_back(q, &run);
  }
  return r;
}

static void receiver_main(void *arg) {
  member_t *m = arg;
  for (int step = 0;; step++) {
    int r = receive_some(m, step);
    if (r == UV_EOF) return;
    if (r == UV_EAGAIN || r == UVF__BUSY)
      (void)sched_yield();
    else if (r <= 0)
      atomic_fetch_add(&m->crowd->strange, 1);
  }
}

/* ---- the cases ---- */

static void crowd_init(crowd_t *c, void **state, size_t capacity, uint32_t side) {
  const queue_kind_t *kind = *state;
  memset(c, 0, sizeof *c);
  c->q = queue_memory(kind);
  assert_int_equal(kind->init(c->q, sizeof(payload_t), capacity, ANYWHERE - 1000), 0);
  tally_init(&c->tally, side, EACH);
  atomic_init(&c->senders_left, side);
}

static void crowd_start(crowd_t *c, member_t *senders, member_t *receivers, uint32_t side) {
  memset(senders, 0, side * sizeof *senders);
  memset(receivers, 0, side * sizeof *receivers);
  for (uint32_t i = 0; i < side; i++) {
    receivers[i].crowd = senders[i].crowd = c;
    receivers[i].number = senders[i].number = i;
    receivers[i].order.tally = &c->tally;
    thread_start(&receivers[i].thread, receiver_main, &receivers[i]);
    thread_start(&senders[i].thread, sender_main, &senders[i]);
  }
}

static void crowd_end(crowd_t *c, member_t *senders, member_t *receivers, uint32_t side) {
  uvf__counts_t counts;
  uint64_t accepted = 0;
  for (uint32_t i = 0; i < side; i++) {
    thread_join(&senders[i].thread);
    thread_join(&receivers[i].thread);
    accepted += atomic_load(&c->accepted[i]);
  }
  c->q->ops->counts(c->q, &counts);
  assert_int_equal(counts.sent, accepted);
  assert_int_equal(counts.taken, accepted);
  assert_int_equal(atomic_load(&c->received), accepted);
  assert_int_equal(atomic_load(&c->strange), 0);
  c->q->ops->destroy(c->q);
  free(c->q);
}

static void all_arrive(void **state, size_t capacity) {
  const queue_kind_t *kind = *state;
  uint32_t side = (kind->traits & SHARED) != 0 ? SIDE : 1;
  static crowd_t c;
  member_t senders[SIDE], receivers[SIDE];
  crowd_init(&c, state, capacity, side);
  crowd_start(&c, senders, receivers, side);
  crowd_end(&c, senders, receivers, side);
  tally_check(&c.tally);
}

static void crowds_through_a_tiny_queue(void **state) {
  all_arrive(state, 1);
  all_arrive(state, 3);
}

static void crowds_through_a_larger_queue(void **state) {
  all_arrive(state, 64);
  all_arrive(state, 1000);
}

/* Each accepted item comes exactly once, the others never; the sum says so, since no payload may come twice. */
static void check_accepted(crowd_t *c, uint32_t side) {
  for (uint32_t s = 0; s < side; s++)
    for (uint32_t i = 0; i < EACH; i++)
      assert_int_equal(atomic_load(&c->tally.seen[(size_t)s * EACH + i]), i < atomic_load(&c->accepted[s]));
  assert_int_equal(atomic_load(&c->tally.reordered), 0);
  assert_int_equal(atomic_load(&c->tally.strange), 0);
  free(c->tally.seen);
}

static void a_close_in_the_middle_splits_exactly(void **state) {
  const queue_kind_t *kind = *state;
  uint32_t side = (kind->traits & SHARED) != 0 ? SIDE : 1;
  static crowd_t c;
  member_t senders[SIDE], receivers[SIDE];
  for (unsigned round = 0; round < 12; round++) {
    crowd_init(&c, state, 1 + round * 5, side);
    crowd_start(&c, senders, receivers, side);
    while (atomic_load(&c.received) < round * 50)
      (void)sched_yield();
    if ((kind->traits & SHARED) != 0) c.q->ops->close(c.q, UVF__CLOSED);
    crowd_end(&c, senders, receivers, side);
    check_accepted(&c, side);
  }
}

static const queue_case_t cases[] = {
    CASE(crowds_through_a_tiny_queue, 0),
    CASE(crowds_through_a_larger_queue, 0),
    CASE(a_close_in_the_middle_splits_exactly, SHARED),
};

queue_part_t queue_stress_cases(void) {
  return (queue_part_t){cases, sizeof cases / sizeof cases[0]};
}
