/* SPDX-License-Identifier: MIT */
/* What all tests share: cmocka with its includes in the right order, recorders for callbacks, gates and threads that
 * fail instead of hanging, an allocator that can be told to fail, and payloads that show loss, duplication and
 * reordering.
 *
 * An assertion of cmocka jumps out of the test, so it may only be made by the test's own function: never in a
 * callback (it would leave the event loop half-way) and never on another thread (its state is thread-local).
 * Callbacks and threads record; the test asserts afterwards. Functions here that assert say so. */
#ifndef UVF_TEST_H
#define UVF_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pthread.h>
#include <stdatomic.h>

#include <cmocka.h>
#include <uvflow.h>

/* A test that must leave no block of the library's memory behind; needs fault_install. And the main of such a file:
 *   int main(void) { return RUN_TESTS(tests); } */
#define UVF_TEST(function) cmocka_unit_test_setup_teardown(function, fault_setup, fault_teardown)
#define RUN_TESTS(tests) (fault_install() != 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL))

/* How long anything may take before the test fails, in seconds: far more than it needs on the slowest machine. */
#define TEST_PATIENCE_S 30

/* ---- recorders ---- */

enum { RECORD_MAX = 256 };

/* What callbacks were called with, in order. `calls` goes on counting when the arrays are full. */
typedef struct {
  int calls;
  int status[RECORD_MAX];
  void *from[RECORD_MAX]; /* the request or post */
} record_t;

/* A uvf_cb, a uvf_post_cb and a uvf_detach_cb; `data` of the request or post, or the argument, is the record_t. */
void record_request(uvf_req_t *req, int status);
void record_post(uvf_post_t *post, int status);
void record_detached(void *data);

/* ---- gates and threads ---- */

/* A semaphore: each open lets one wait through. */
typedef struct {
  pthread_mutex_t lock;
  pthread_cond_t opened;
  unsigned count;
} gate_t;

void gate_init(gate_t *g);
void gate_destroy(gate_t *g);
void gate_open(gate_t *g);
/* False: it stayed shut for TEST_PATIENCE_S. Any thread. */
bool gate_wait(gate_t *g);
/* Asserts that it opens. */
#define gate_pass(g) assert_true(gate_wait(g))

typedef struct {
  pthread_t id;
  void (*run)(void *);
  void *arg;
  gate_t ended;
} thread_t;

/* Both assert. join fails the test where the thread does not end. */
void thread_start(thread_t *t, void (*run)(void *), void *arg);
void thread_join(thread_t *t);

/* ---- memory ---- */

/* Puts the counting allocator under the library; first thing in main. 0, or the error of uvf_replace_allocator. */
int fault_install(void);

/* The n-th allocation from now fails (1: the next one); from: all from that one on. 0: none fails. */
void fault_at(unsigned n);
void fault_from(unsigned n);

/* Has an allocation failed since the last of these calls? */
bool fault_hit(void);

/* Blocks and bytes that the library holds now, and the number of allocations made so far. */
long fault_blocks(void);
long fault_bytes(void);
unsigned long fault_allocations(void);

/* For UVF_TEST. */
int fault_setup(void **state);
int fault_teardown(void **state);

/* ---- payloads ---- */

typedef struct {
  uint32_t sender, seq;
} payload_t;

enum { TALLY_SENDERS = 16 };

/* All that must arrive: `each` payloads, numbered from 0, of each of the senders. Shared by all receivers. */
typedef struct {
  uint32_t senders, each;
  atomic_uchar *seen; /* how often each one came */
  atomic_uint strange, reordered;
} tally_t;

/* One receiver's view. */
typedef struct {
  tally_t *tally;
  uint32_t next[TALLY_SENDERS];
} order_t;

/* Asserts. */
void tally_init(tally_t *t, uint32_t senders, uint32_t each);
/* Asserts that each payload came exactly once and in the order of its sender, and frees the tally. */
void tally_check(tally_t *t);

/* A receiver got p. Any thread, one per order_t. */
void order_see(order_t *o, payload_t p);

#endif
