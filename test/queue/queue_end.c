/* SPDX-License-Identifier: MIT */
/* Cases of the suite: closing, aborting, permits, and what is readable meanwhile. */
#include "queue/queue_suite.h"

enum { BOTH = UVF__CLOSED | UVF__ABORTED, MOST_PERMITS = (1 << 14) - 1 };

static void expect_the_end(queue_t *t) {
  uvf__run_t run;
  for (int i = 0; i < 3; i++) {
    assert_int_equal(queue_recv(t, 1), UV_EOF);
    assert_int_equal(queue_recv(t, 5), UV_EOF);
    assert_int_equal(queue_claim(t, &run, 5), UV_EOF);
    assert_true(queue_readable(t));
  }
}

static void expect_no_more_input(queue_t *t) {
  assert_int_equal(queue_send(t, 1), UV_EPIPE);
  assert_int_equal(queue_send(t, 3), UV_EPIPE);
  assert_int_equal(queue_reserve(t), UV_EPIPE);
}

static void readable_means_that_a_receive_would_get_something(void **state) {
  queue_t t;
  queue_open(&t, state, 8, 4, ANYWHERE);
  assert_false(queue_readable(&t));
  assert_int_equal(queue_send(&t, 2), 2);
  assert_true(queue_readable(&t));
  assert_int_equal(queue_recv(&t, 1), 1);
  assert_true(queue_readable(&t));
  assert_int_equal(queue_recv(&t, 1), 1);
  assert_false(queue_readable(&t));
  queue_close(&t);
}

static void an_empty_queue_ends_when_it_is_closed(void **state) {
  queue_t t;
  queue_open(&t, state, 8, 4, ANYWHERE);
  assert_int_equal(t.q->ops->closed(t.q), 0);
  queue_shut(&t, UVF__CLOSED);
  assert_int_equal(t.q->ops->closed(t.q), UVF__CLOSED);
  expect_no_more_input(&t);
  expect_the_end(&t);
  queue_close(&t);
}

static void what_was_accepted_comes_out_before_the_end(void **state) {
  for (int n = 1; n <= 20; n++) {
    queue_t t;
    queue_open(&t, state, 8, 20, ANYWHERE - (uint64_t)n);
    assert_int_equal(queue_send(&t, n), n);
    queue_shut(&t, UVF__CLOSED);
    expect_no_more_input(&t);
    assert_true(queue_readable(&t));
    for (int i = 0; i < n; i++)
      assert_int_equal(queue_recv(&t, 1), 1);
    expect_the_end(&t);
    queue_expect_len(&t, 0);
    queue_close(&t);
  }
}

static void a_full_queue_that_is_closed_says_closed(void **state) {
  queue_t t;
  queue_open(&t, state, 8, 2, ANYWHERE);
  assert_int_equal(queue_send(&t, 2), 2);
  queue_shut(&t, UVF__CLOSED);
  expect_no_more_input(&t);
  queue_close(&t);
}

static void after_an_abort_what_is_left_can_still_be_taken_out(void **state) {
  queue_t t;
  queue_open(&t, state, 8, 4, ANYWHERE);
  assert_int_equal(queue_send(&t, 3), 3);
  queue_shut(&t, BOTH);
  assert_int_equal(t.q->ops->closed(t.q), BOTH);
  expect_no_more_input(&t);
  assert_int_equal(queue_recv(&t, 5), 3);
  expect_the_end(&t);
  queue_close(&t);
}

static void closing_never_goes_back(void **state) {
  queue_t t;
  queue_open(&t, state, 8, 4, ANYWHERE);
  queue_shut(&t, UVF__CLOSED);
  queue_shut(&t, UVF__CLOSED);
  assert_int_equal(t.q->ops->closed(t.q), UVF__CLOSED);
  queue_shut(&t, BOTH);
  assert_int_equal(t.q->ops->closed(t.q), BOTH);
  queue_shut(&t, UVF__CLOSED);
  assert_int_equal(t.q->ops->closed(t.q), BOTH);
  expect_the_end(&t);
  queue_close(&t);
}

static void a_loan_that_is_out_does_not_delay_the_end(void **state) {
  queue_t t;
  uvf__run_t run;
  queue_open(&t, state, 8, 4, ANYWHERE);
  assert_int_equal(queue_send(&t, 1), 1);
  assert_int_equal(queue_claim(&t, &run, 4), 1);
  queue_shut(&t, UVF__CLOSED);
  expect_the_end(&t);
  assert_true(item_is(run.items, 8, 0));
  queue_give_back(&t, &run);
  expect_the_end(&t);
  queue_close(&t);
}

/* ---- permits ---- */

static void a_permit_is_room_that_nobody_else_gets(void **state) {
  for (size_t capacity = 1; capacity <= 40; capacity++) {
    queue_t t;
    queue_open(&t, state, 8, capacity, ANYWHERE - capacity);
    for (size_t i = 0; i < capacity; i++)
      assert_int_equal(i % 2 == 0 ? queue_reserve(&t) : queue_send(&t, 1) - 1, 0);
    assert_int_equal(queue_send(&t, 1), UV_EAGAIN);
    assert_int_equal(queue_reserve(&t), UV_EAGAIN);
    queue_expect_len(&t, (uint32_t)(capacity / 2));
    for (size_t i = 0; i < capacity; i += 2)
      assert_int_equal(queue_send_held(&t), 0);
    assert_int_equal(queue_send(&t, 1), UV_EAGAIN);
    queue_expect_len(&t, (uint32_t)capacity);
    queue_close(&t);
  }
}

static void a_permit_is_not_an_item(void **state) {
  queue_t t;
  queue_open(&t, state, 8, 4, ANYWHERE);
  assert_int_equal(queue_reserve(&t), 0);
  assert_int_equal(queue_recv(&t, 1), UV_EAGAIN);
  assert_false(queue_readable(&t));
  queue_expect_len(&t, 0);
  queue_unreserve(&t);
  queue_close(&t);
}

static void items_sent_while_a_permit_is_out_come_before_its_own(void **state) {
  queue_t t;
  queue_open(&t, state, 8, 4, ANYWHERE);
  assert_int_equal(queue_reserve(&t), 0);
  assert_int_equal(queue_send(&t, 2), 2);
  assert_int_equal(queue_recv(&t, 1), 1);
  assert_int_equal(queue_send_held(&t), 0);
  assert_int_equal(queue_send(&t, 1), 1);
  assert_int_equal(queue_recv(&t, 4), 3);
  queue_close(&t);
}

static void a_permit_given_up_is_room_again(void **state) {
  queue_t t;
  queue_open(&t, state, 8, 1, ANYWHERE);
  for (int i = 0; i < 5; i++) {
    assert_int_equal(queue_reserve(&t), 0);
    assert_int_equal(queue_send(&t, 1), UV_EAGAIN);
    queue_unreserve(&t);
    assert_int_equal(queue_send(&t, 1), 1);
    assert_int_equal(queue_recv(&t, 1), 1);
  }
  queue_close(&t);
}

static void permits_leave_room_for_a_part_of_a_batch(void **state) {
  queue_t t;
  queue_open(&t, state, 8, 7, ANYWHERE);
  for (int i = 0; i < 3; i++)
    assert_int_equal(queue_reserve(&t), 0);
  assert_int_equal(queue_send(&t, 9), 4);
  for (int i = 0; i < 3; i++)
    assert_int_equal(queue_send_held(&t), 0);
  queue_close(&t);
}

static void a_permit_holds_back_the_end_until_it_is_used(void **state) {
  queue_t t;
  queue_open(&t, state, 8, 4, ANYWHERE);
  assert_int_equal(queue_reserve(&t), 0);
  assert_int_equal(queue_reserve(&t), 0);
  queue_shut(&t, UVF__CLOSED);
  expect_no_more_input(&t);
  assert_int_equal(queue_recv(&t, 1), UV_EAGAIN);
  assert_false(queue_readable(&t));
  assert_int_equal(queue_send_held(&t), 0);
  assert_int_equal(queue_recv(&t, 1), 1);
  assert_int_equal(queue_recv(&t, 1), UV_EAGAIN);
  assert_int_equal(queue_send_held(&t), 0);
  assert_int_equal(queue_recv(&t, 1), 1);
  expect_the_end(&t);
  queue_close(&t);
}

static void a_permit_holds_back_the_end_until_it_is_given_up(void **state) {
  queue_t t;
  queue_open(&t, state, 8, 4, ANYWHERE);
  assert_int_equal(queue_reserve(&t), 0);
  queue_shut(&t, UVF__CLOSED);
  assert_int_equal(queue_recv(&t, 1), UV_EAGAIN);
  queue_unreserve(&t);
  expect_the_end(&t);
  queue_close(&t);
}

static void an_abort_takes_the_worth_of_a_permit(void **state) {
  queue_t t;
  queue_open(&t, state, 8, 4, ANYWHERE);
  assert_int_equal(queue_reserve(&t), 0);
  assert_int_equal(queue_send(&t, 1), 1);
  queue_shut(&t, BOTH);
  assert_int_equal(queue_send_held(&t), UV_EPIPE);
  assert_int_equal(queue_recv(&t, 4), 1);
  expect_the_end(&t);
  queue_close(&t);
}

static void more_permits_than_can_be_counted_are_refused(void **state) {
  queue_t t;
  queue_open(&t, state, 4, MOST_PERMITS + 10, ANYWHERE);
  for (int i = 0; i < MOST_PERMITS; i++)
    assert_int_equal(queue_reserve(&t), 0);
  assert_int_equal(queue_reserve(&t), UV_EAGAIN);
  assert_int_equal(queue_send(&t, 1), 1);
  queue_unreserve(&t);
  assert_int_equal(queue_reserve(&t), 0);
  assert_int_equal(queue_reserve(&t), UV_EAGAIN);
  for (int i = 0; i < MOST_PERMITS; i++)
    assert_int_equal(queue_send_held(&t), 0);
  queue_expect_len(&t, MOST_PERMITS + 1);
  queue_shut(&t, UVF__CLOSED);
  while (queue_recv(&t, 1000) > 0)
    ;
  expect_the_end(&t);
  queue_close(&t);
}

static const queue_case_t cases[] = {
    CASE(readable_means_that_a_receive_would_get_something, 0),
    CASE(an_empty_queue_ends_when_it_is_closed, 0),
    CASE(what_was_accepted_comes_out_before_the_end, 0),
    CASE(a_full_queue_that_is_closed_says_closed, BOUNDED),
    CASE(after_an_abort_what_is_left_can_still_be_taken_out, 0),
    CASE(closing_never_goes_back, 0),
    CASE(a_loan_that_is_out_does_not_delay_the_end, LENDS),
    CASE(a_permit_is_room_that_nobody_else_gets, BOUNDED),
    CASE(a_permit_is_not_an_item, 0),
    CASE(items_sent_while_a_permit_is_out_come_before_its_own, 0),
    CASE(a_permit_given_up_is_room_again, BOUNDED),
    CASE(permits_leave_room_for_a_part_of_a_batch, BOUNDED),
    CASE(a_permit_holds_back_the_end_until_it_is_used, 0),
    CASE(a_permit_holds_back_the_end_until_it_is_given_up, 0),
    CASE(an_abort_takes_the_worth_of_a_permit, 0),
    CASE(more_permits_than_can_be_counted_are_refused, SHARED),
};

queue_part_t queue_end_cases(void) {
  return (queue_part_t){cases, sizeof cases / sizeof cases[0]};
}
