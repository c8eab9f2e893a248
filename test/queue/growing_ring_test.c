/* SPDX-License-Identifier: MIT */
/* locked_ring without bound: the suite, and what is lent while others would change the memory. */
#include "queue/queue_suite.h"

#include "queue/locked_ring.h"

static int init(void *memory, size_t item_size, size_t capacity, uint64_t start) {
  (void)capacity;
  return uvf__locked_ring_init(memory, item_size, UVF__LOCKED_RING_GROWS, start);
}

static const queue_kind_t kind = {UNBOUNDED | SHARED, sizeof(uvf__locked_ring_t), init};

static void what_is_lent_stays_while_a_receiver_finds_the_ring_empty(void **state) {
  queue_t t;
  uvf__run_t run;
  queue_open(&t, state, 8, 0, 0);
  assert_int_equal(queue_send(&t, 400), 400);
  queue_shut(&t, UVF__CLOSED | UVF__ABORTED);
  uint32_t first = t.out;
  int n = queue_claim(&t, &run, 1000);
  while (t.out < t.in) /* the rest, if the run ended at the end of the array */
    assert_int_equal(queue_recv(&t, 1), 1);
  assert_int_equal(queue_recv(&t, 1), UV_EOF);
  for (int i = 0; i < n; i++)
    assert_true(item_is((char *)run.items + 8 * i, 8, first + (uint32_t)i));
  queue_give_back(&t, &run);
  queue_close(&t);
}

enum { LARGE = 512 };

typedef struct {
  uvf__queue_t *q;
  int end; /* what the last send said */
} endless_t;

static void send_until_closed(void *arg) {
  endless_t *s = arg;
  char item[LARGE];
  s->end = 1;
  for (uint32_t i = 0; s->end == 1; i++) {
    item_write(item, sizeof item, i);
    s->end = s->q->ops->send(s->q, item, 1);
  }
}

static void what_is_lent_stays_while_a_sender_grows_the_ring(void **state) {
  (void)state;
  for (int round = 0; round < 300; round++) {
    uvf__queue_t *q = queue_memory(&kind);
    endless_t s = {q, 0};
    thread_t sender;
    uvf__counts_t counts;
    uvf__run_t run;
    uint32_t out = 0;
    int n;
    assert_int_equal(kind.init(q, LARGE, 0, 0), 0);
    thread_start(&sender, send_until_closed, &s);
    do /* to where it is about to grow */
      q->ops->counts(q, &counts);
    while (counts.sent + 1 < (uint64_t)64 << round % 6);
    q->ops->close(q, UVF__CLOSED | UVF__ABORTED);
    while ((n = q->ops->claim(q, &run, 1 << 20)) > 0) {
      for (int i = 0; i < n; i++)
        assert_true(item_is((char *)run.items + LARGE * i, LARGE, out++));
      q->ops->give_back(q, &run);
    }
    thread_join(&sender);
    assert_int_equal(s.end, UV_EPIPE);
    q->ops->destroy(q);
    free(q);
  }
}

int main(void) {
  static const queue_case_t own[] = {
      CASE(what_is_lent_stays_while_a_receiver_finds_the_ring_empty, 0),
      CASE(what_is_lent_stays_while_a_sender_grows_the_ring, 0),
  };
  return queue_suite_run(&kind, own, sizeof own / sizeof own[0]);
}
