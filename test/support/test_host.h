/* SPDX-License-Identifier: MIT */
/* A host for tests, with a clock and a turn of its own: nothing happens on it but what the test asks for, and no time
 * passes but by test_host_advance. It counts what the loop asks of it, and notes a broken rule of uvflow/host.h,
 * which then fails the test at the end of the turn. All functions that return nothing assert, but for test_host_stop.
 * */
#ifndef UVF_TEST_HOST_H
#define UVF_TEST_HOST_H

#include "support/uvf_test.h"

typedef struct {
  uvf_loop_t *loop; /* NULL after test_host_detach */

  /* what the loop asked for; the loop's thread alone, but for `ringing` and `wakes` (under lock) */
  bool ringing; /* a wake that no turn has answered */
  bool polling;
  bool alive; /* keep_alive */
  bool timer_on;
  uint64_t timer_at;
  bool closing; /* close was called, uvf_loop_host_closed was not */
  bool closed;

  /* how often */
  unsigned wakes;
  unsigned polls;    /* times that polling went on */
  unsigned turns;    /* drains */
  unsigned timers;   /* calls of set_timer */
  unsigned detached; /* calls of the detach's callback */

  uint64_t now;       /* ms */
  bool stop;          /* what `stopped` says; a turn ends by clearing it */
  bool close_at_once; /* close calls uvf_loop_host_closed itself; else the next turn does */

  /* private */
  pthread_t thread;
  pthread_mutex_t lock;
  pthread_cond_t rang;
  _Atomic(const char *) broken;
} test_host_t;

/* Makes h->loop, with no limit in time for its turns: a slow machine must not change what a test sees. */
void test_host_init(test_host_t *h);
void test_host_init_options(test_host_t *h, const uvf_loop_options_t *o);

/* Fills in the host's table, for a test that creates the loop itself. */
uvf_host_t test_host_table(test_host_t *h);

/* One drain, if there is a reason: a wake, a poll turn, a timer that is due; rang as the wake says. False: no reason.
 * */
bool test_host_turn(test_host_t *h);

/* Turns until there is no reason for another one. It fails after 100000 turns. */
void test_host_run(test_host_t *h);

/* Turns until *goal >= n, and waits for wakes in between. It fails if none comes. */
void test_host_run_until(test_host_t *h, const int *goal, int n);

/* Moves the clock, firing the timer at its time each time that it is due, and runs. */
void test_host_advance(test_host_t *h, uint64_t ms);

/* Waits for a wake without taking a turn. */
void test_host_await_wake(test_host_t *h);

/* The calling thread runs the host and its loop from now on. */
void test_host_bind(test_host_t *h);

/* In a callback: as uv_stop. */
void test_host_stop(test_host_t *h);

/* Starts the detach; also in a callback: returns what uvf_loop_detach says. Then test_host_finish outside of it. */
int test_host_detach_start(test_host_t *h);

/* Turns until the detach has ended, and checks that it ended as it should. */
void test_host_finish(test_host_t *h);

/* Both. */
void test_host_detach(test_host_t *h);

#endif
