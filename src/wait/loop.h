/* SPDX-License-Identifier: MIT */
/* A loop: uvflow's side of one event loop. Its files: ready.c (the list that other threads push on), drain.c (a turn),
 * loop.c (create, retain, release, keep-alive), detach.c (the end), post.c, deadline.c. */
#ifndef UVF_WAIT_LOOP_H
#define UVF_WAIT_LOOP_H

#include <uvflow/loop.h>

#include "base/heap.h"
#include "base/thread.h"
#include "wait/op.h"
#include "wait/pace.h"
#include "wait/threads.h"

#define UVF__DEFAULT_TURN_ITEMS 4096
#define UVF__DEFAULT_TURN_US 1000

/* Open; detach was called, ops are ending; the ready list is closed, posts are handed back; the host is closing or closed. */
enum { UVF__LOOP_OPEN = 0, UVF__LOOP_DETACHING, UVF__LOOP_ENDING, UVF__LOOP_CLOSED };

typedef struct uvf_executor_s uvf_executor_t;

/* Executors that belong to a loop; made when they are first asked for (task/attached.c). */
enum { UVF__OWN_THREAD, UVF__OWN_POOL, UVF__OWN };

struct uvf_loop_s {
  /* any thread; written rarely, read for each start */
  a_u32 state;
  uvf_host_t host; /* constant; its functions' rules are in uvflow/loop.h */
  void *native;    /* constant; the built-in host's: what it runs on. NULL: another host */
  uint32_t turn_items, turn_us;
  uint32_t generation; /* of the process that made it */
  uvf__runs_t runs;    /* threads.c */
  a_u64 owner;         /* id of the thread that runs it, or did until detach */
  A_PTR(uvf_executor_t) own[UVF__OWN];

  /* the loop's thread only */
  uvf__link_t now;   /* ready nodes: run in this turn */
  uvf__link_t later; /* ready nodes: not before the next turn */
  uvf__link_t ops;   /* all ops that are started on this loop */
  uvf__heap_t deadlines;
  uint64_t timer_at; /* what the host's timer is set for, ms of its clock; UINT64_MAX: off */
  void *running;     /* the reader whose callback runs; NULL once it was stopped */
  uint64_t turn_began_us, turn_end_us;
  uint32_t turn;      /* counts them */
  uint32_t turn_left; /* items that this turn may still deliver */
  uint32_t keeping;   /* ops that keep the loop alive */
  uint32_t tasks;     /* ops with UVF__OP_TASK */
  uvf__pace_t pace;   /* of lingering for these */
  bool task_over;     /* one of them ended in this turn */
  bool rung;          /* no ring is outstanding */
  bool draining, polling;
  uvf_detach_cb detached;
  void *detached_data;

  /* any thread; nothing else is in their line */
  _Alignas(UVF_CACHE_LINE) A_PTR(uvf__node_t) head; /* ready.c */
  a_u32 refs;
};

static inline bool uvf__loop_mine(uvf_loop_t *loop) {
  return a_load(&loop->owner, relaxed) == uvf__thread_id(); /* L-1: only equality with ourselves matters */
}

/* Has its detach ended? From another thread a hint. */
bool uvf__loop_ended(const uvf_loop_t *loop);

/* Is it the calling thread's? 0, UV_EPERM, UV_ENOTSUP (the parent's, after a fork). */
int uvf__loop_check(uvf_loop_t *loop);

/* May the calling thread start something on it? 0, UV_EPERM, UV_ECANCELED, UV_ENOTSUP. */
int uvf__loop_may_start(uvf_loop_t *loop);

/* Counts what keeps the loop alive. */
void uvf__loop_keep(uvf_loop_t *loop, bool on);

/* Registers an op of this loop (PRIV); it keeps the loop alive unless its flags say otherwise. */
void uvf__loop_add_op(uvf_loop_t *loop, uvf__op_t *op);
void uvf__loop_remove_op(uvf_loop_t *loop, uvf__op_t *op);

/* Sets or clears a flag of a registered op; an op with UVF__OP_UNREF or UVF__OP_PAUSED keeps no loop alive. */
void uvf__loop_op_flag(uvf__op_t *op, uint32_t flag, bool on);

/* The op waits for work; and it does so no longer (does nothing for other ops). Work that is done is often followed by more that is
 * done soon; so while there is some, a loop looks again for a while without blocking, as readers do (pace.h). */
void uvf__loop_task(uvf__op_t *op);
void uvf__loop_task_over(uvf__op_t *op);

/* Loop's thread: the op runs in this turn if one is on, else in the next; or in any case in the next. */
void uvf__loop_run_now(uvf_loop_t *loop, uvf__op_t *op);
void uvf__loop_run_later(uvf_loop_t *loop, uvf__op_t *op);

/* The host calls drain in every turn without blocking, until there is nothing left. */
void uvf__loop_poll(uvf_loop_t *loop, bool on);

/* Does the host want no further callback in this turn? */
bool uvf__loop_stopped(uvf_loop_t *loop);

/* Counts n delivered items; true: this turn must end here. */
bool uvf__loop_spend(uvf_loop_t *loop, uint32_t n);

/* Rings the host and gives back the reference that ready_push took for it. Any thread, no lock held. */
void uvf__loop_ring(uvf_loop_t *loop);

/* detach.c: the part of a drain that ends a detached loop. CLOSE: the host is to be closed now. */
typedef enum { UVF__DETACH_NOT_YET, UVF__DETACH_NEXT_TURN, UVF__DETACH_CLOSE } uvf__detach_t;
uvf__detach_t uvf__detach_continue(uvf_loop_t *loop);

/* post.c */
void uvf__post_run(uvf__node_t *node, int status);

#endif
