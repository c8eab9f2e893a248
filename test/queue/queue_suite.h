/* SPDX-License-Identifier: MIT */
/* One set of cases for all queues. What they promise differs in four ways, and a case says which of them it needs;
 * the rest of queue.h holds for each of them. A queue's own test file names the queue, and adds the cases that only
 * it has. */
#ifndef UVF_TEST_QUEUE_SUITE_H
#define UVF_TEST_QUEUE_SUITE_H

#include "support/uvf_test.h"

#include "queue/queue.h"

enum {
  BOUNDED = 1,   /* has a capacity */
  UNBOUNDED = 2, /* allocates as it grows */
  SHARED = 4,    /* many senders, many receivers; permits that work after close */
  LENDS = 8      /* `claim` lends from an open queue */
};

typedef struct {
  unsigned traits;
  size_t memory; /* sizeof the queue, whose first member is its uvf__queue_t */
  /* capacity: not for the unbounded ones. 0 or UV_ENOMEM. */
  int (*init)(void *memory, size_t item_size, size_t capacity, uint64_t start);
} queue_kind_t;

typedef struct {
  const char *name;
  CMUnitTestFunction run;
  unsigned needs; /* traits */
} queue_case_t;

#define CASE(function, needs) \
  { #function, function, needs }

/* A queue under test. Items are numbered; the number tells all of an item's bytes. */
typedef struct {
  const queue_kind_t *kind;
  uvf__queue_t *q;
  size_t size;  /* of an item */
  uint32_t in;  /* number of the next item to send */
  uint32_t out; /* number of the next item to come out */
} queue_t;

/* The position at which cases start unless they say otherwise: it takes few items to the end of the 32 and the 48
 * bits. */
#define ANYWHERE (UINT64_C(0xfffffffffffe))

/* All of these assert, where they say "must". */

/* Must succeed. */
void queue_open(queue_t *t, void **state, size_t item_size, size_t capacity, uint64_t start);
/* What is left must come out in order; then destroys the queue. */
void queue_close(queue_t *t);

/* The result of a call with n items; those that moved are counted. What comes out must be right. */
int queue_send(queue_t *t, int n);
int queue_recv(queue_t *t, int n);
int queue_claim(queue_t *t, uvf__run_t *run, int n);
int queue_send_held(queue_t *t);
void queue_give_back(queue_t *t, const uvf__run_t *run);
int queue_reserve(queue_t *t);
void queue_unreserve(queue_t *t);
bool queue_readable(queue_t *t);
void queue_shut(queue_t *t, int how); /* the queue's own close */

/* So many items must be in the queue, and the counts right. */
void queue_expect_len(queue_t *t, uint32_t n);

/* The bytes of an item. */
void item_write(void *item, size_t size, uint32_t number);
bool item_is(const void *item, size_t size, uint32_t number);

/* Memory for a queue, and back; for cases that do not use queue_t. */
void *queue_memory(const queue_kind_t *kind);

/* Runs the suite, and `own` (may be NULL) behind it. The result of main. */
int queue_suite_run(const queue_kind_t *kind, const queue_case_t *own, size_t n);

/* The parts of the suite. */
typedef struct {
  const queue_case_t *cases;
  size_t n;
} queue_part_t;
queue_part_t queue_flow_cases(void);
queue_part_t queue_end_cases(void);
queue_part_t queue_memory_cases(void);
queue_part_t queue_stress_cases(void);

#endif
