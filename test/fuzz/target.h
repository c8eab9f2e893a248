/* SPDX-License-Identifier: MIT */
/* The fuzz target: a channel on the tests' host, all on one thread, and the reference beside it. An input is five bytes of
 * configuration, and then operations of two bytes each; a callback takes a byte, and as many operations as that says. */
#ifndef UVF_FUZZ_TARGET_H
#define UVF_FUZZ_TARGET_H

#include "fuzz/reference.h"
#include "support/test_host.h"

enum {
  FUZZ_OPERATIONS = 300, /* of an input; the rest is ignored */
  FUZZ_LARGEST = 300,    /* bytes of an item */
  FUZZ_MANY = 40,        /* items of one call, at most */
  FUZZ_PERMITS = REF_REQUESTS + 3
};

typedef struct target_s target_t;

typedef struct {
  target_t *target;
  uvf_req_t req;
  void *item; /* item_size bytes of its own */
  bool started;
} fuzz_req_t;

typedef struct {
  target_t *target;
  uvf_reader_t rd;
} fuzz_reader_t;

struct target_s {
  /* the input */
  const uint8_t *bytes;
  size_t left;
  int operations;

  uvf_chan_options_t options;
  uvf_loop_options_t loop_options;
  bool ends_first; /* at the end: ends before the loop */

  test_host_t host;
  uvf_tx_t *tx;
  uvf_rx_t *rx;
  uvf_weak_t *weak;
  int my_tx, my_rx, my_weak;
  uint32_t ids; /* given to items so far */
  fuzz_req_t reqs[REF_REQUESTS];
  fuzz_reader_t readers[REF_READERS];
  uvf_permit_t permits[FUZZ_PERMITS]; /* the first ones are those of the requests */
  enum { FUZZ_NONE, FUZZ_LENT, FUZZ_HELD } permit[FUZZ_PERMITS];
  int depth;          /* of callbacks */
  int late_reader;    /* whose batch was given back last, */
  unsigned late_turn; /* and in which turn */
  ref_list_t dropped; /* what drop was called for */
  ref_t ref;
};

extern bool fuzz_trace;

/* A line of the trace: what is about to be called, and what came of it. */
void trace(const target_t *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The input. 0 when it is used up. */
uint8_t next_byte(target_t *t);

/* Items: the bytes tell the id. `check` stops at the first wrong one. */
void item_fill(const target_t *t, void *item, uint32_t id);
bool item_is(const target_t *t, const void *item, uint32_t id);
/* Of items that are shorter than an id some look the same. */
bool item_same(const target_t *t, uint32_t a, uint32_t b);
void item_check(const target_t *t, const void *item, uint32_t id, const char *what);

/* operations.c: the next operation of the input. */
void operate(target_t *t);

/* requests.c */
void op_request(target_t *t, int op, uint8_t arg);
void op_cancel(target_t *t, uint8_t arg);
void op_unref(target_t *t, uint8_t arg);
void op_reader_start(target_t *t, uint8_t arg);
void op_reader_stop(target_t *t, uint8_t arg);
void op_reader_pause(target_t *t, uint8_t arg);
void op_reader_resume(target_t *t, uint8_t arg);
/* A reader that ended had an item of a rendezvous that nobody sees any more. */
void drop_handed(target_t *t);

/* chan_fuzz.c. The loop is there, or its detach has begun. */
bool has_loop(const target_t *t);
bool turn(target_t *t);
void run(target_t *t);
void advance(target_t *t, uint64_t ms);
void detach(target_t *t);
/* Compares what can be seen of the channel. */
void compare(target_t *t);
/* Finds out whether waiting senders have been served, where both are right. */
void settle(target_t *t);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

/* The clock by which the library paces readers: a microsecond for each look at it. */
void fuzz_clock_reset(uint32_t step_us);

#endif
