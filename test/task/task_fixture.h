/* SPDX-License-Identifier: MIT */
/* What the tests of tasks and flowvars share: a pool whose jobs run when the test says so and on the thread that it chooses, work
 * that records what it was given, counted drops, and awaiters that record (on the tests' host, or blocked threads). So each order
 * of events can be written down, and no test waits for time to pass.
 * Nothing here asserts but where it says so. */
#ifndef UVF_TEST_TASK_FIXTURE_H
#define UVF_TEST_TASK_FIXTURE_H

#include "chan/loop_fixture.h"

/* ---- a pool that is moved by hand ---- */

enum { POOL_JOBS = 4096 };

typedef struct {
  uvf_executor_t *ex;
  pthread_mutex_t lock;
  struct {
    void (*run)(void *job);
    void *job;
  } jobs[POOL_JOBS]; /* under lock: what was submitted and has not run */
  unsigned first, count;
  int refuse;                   /* what submit answers; 0: it accepts */
  void (*in_submit)(void *arg); /* called by submit, if set */
  void *arg;
  atomic_int begun; /* recorded works that began in it */
  bool single;      /* the next recorded work pauses the executor */
} pool_t;

/* Asserts. members: the pool says which threads are its own (those inside pool_run and pool_step). */
void pool_open(pool_t *p, bool members);

/* Runs what is submitted, on this thread, until there is nothing more. */
void pool_run(pool_t *p);

/* Runs one recorded work (work_run with .pool set) and no more. False: there was none. */
bool pool_step(pool_t *p);

/* How many runners are submitted and have not run. */
unsigned pool_waiting(pool_t *p);

/* Asserts. Runs what is left, and gives up the executor, which must be nobody else's. */
void pool_close(pool_t *p);

/* ---- threads ---- */

typedef struct {
  uvf_executor_t *ex;
  long blocks;
} threads_t;

/* Both assert. close is for when all that was made after open is gone: it waits until the threads are, too. */
void threads_open(threads_t *t, uint32_t n);
void threads_close(threads_t *t);

/* Yields until the library holds no more than so many blocks: for what another thread is about to free. Asserts. */
void until_freed(long blocks);

/* ---- work that records ---- */

typedef struct work_s work_t;

/* A value: who made it, and (for continuations, which get it as their arg) the work that comes next. */
typedef struct {
  payload_t what;
  work_t *next;
} value_t;

struct work_s {
  pool_t *pool;    /* where it runs, for pool_step; NULL: does not matter */
  int result;      /* what it returns */
  payload_t value; /* what it puts in its place, if it has one */
  work_t *next;    /* likewise */
  void (*inside)(work_t *w, uvf_task_t *task);
  void *data; /* for `inside` */

  /* what it saw */
  atomic_int runs;
  uvf_task_t *task;
  value_t *place;
  payload_t before; /* continuation: what its predecessor made */
  bool dirty;       /* its place was not zeroed */
  pthread_t thread;
  int seen; /* for `inside` */
};

/* Works; arg is a work_t. next_run: of a continuation, whose work_t is named by the value before it. */
int work_run(uvf_task_t *task, void *arg, void *value);
int next_run(uvf_task_t *task, void *arg, void *value);

/* ---- drops ---- */

typedef struct {
  atomic_int values, args;
  value_t value; /* the last one */
  void *arg;
} drops_t;

void drop_value(void *item, void *data);
void drop_arg(void *item, void *data);

/* Options: values of value_t, counted. with_arg: args as well (not copied). */
uvf_spawn_options_t options_of(drops_t *d, bool with_arg);

/* Assert. What they make has no arg_drop. */
uvf_flowvar_t *spawn(uvf_executor_t *ex, work_t *w, drops_t *d);
uvf_flowvar_t *then_next(uvf_flowvar_t *fv, uvf_executor_t *ex, drops_t *d);
uvf_flowvar_t *promise(uvf_task_t **task, drops_t *d);

/* Asserts: it has ended with 0, with that value, which is still there. */
void expect_made(uvf_flowvar_t *fv, payload_t what);

/* ---- awaiters ---- */

int start_await(test_host_t *h, op_t *op, uvf_flowvar_t *fv, uint64_t timeout);
int start_await_all(test_host_t *h, op_t *op, uvf_flowvar_t **fvs, size_t n, uint64_t timeout);
int start_wait_cancelled(test_host_t *h, op_t *op, uvf_task_t *task, uint64_t timeout);
int start_offload(test_host_t *h, op_t *op, uvf_executor_t *ex, work_t *w);

/* A thread that blocks for one flowvar or (fv NULL) for all of an array. */
typedef struct {
  thread_t thread;
  uvf_flowvar_t *fv, **fvs;
  size_t n;
  uint64_t timeout;
  int result;
} awaiter_t;

/* Both assert. Start returns when `waits` waits in all have begun on the flowvar (or on the first of all); 0: at once. */
void awaiter_start(awaiter_t *a, uvf_flowvar_t *fv, uint64_t timeout, uint64_t waits);
void awaiter_start_all(awaiter_t *a, uvf_flowvar_t **fvs, size_t n, uint64_t timeout, uint64_t waits);
int awaiter_join(awaiter_t *a);

/* How many waits have begun on it: awaiting, continuing, and waiting to be asked to stop. */
uint64_t waits_on(uvf_flowvar_t *fv);

/* The executor's counters. */
uvf_executor_stats_t counts_of(uvf_executor_t *ex);

#endif
