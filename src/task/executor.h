/* SPDX-License-Identifier: MIT */
/* An executor: a queue of jobs, and runners, which are threads that take one job after the other. Every kind has the same queue,
 * limits, counters, closing and pausing; kinds differ only in where a runner comes from (uvf__executor_type_t). Files: executor.c
 * (life, the queue), intake.c (a shorter way into it), runner.c (taking, running, ending jobs), start.c (starting runners), crowd.c (by how many), control.c (close,
 * abort, pause, counters), room_idle.c (waiting for it); the kinds: lane.c, threads.c, own_pool.c, loop_executor.c with attached.c, and uv/uv_pool.c. */
#ifndef UVF_TASK_EXECUTOR_H
#define UVF_TASK_EXECUTOR_H

#include <uvflow/control.h>
#include <uvflow/executor.h>
#include <uvflow/task.h>

#include "base/clock.h"
#include "base/fork.h"
#include "task/blocks.h"
#include "task/crowd.h"
#include "task/intake.h"
#include "wait/pace.h"
#include "wait/waits.h"

#define UVF__MAX_RUNNERS 1024
#define UVF__NO_LIMIT SIZE_MAX /* as capacity; it is UVF_UNBOUNDED */

typedef struct uvf__job_s uvf__job_t;

enum { UVF__AGAIN = 2 /* only of jobs that are not counted */ };

/* What a job is to its executor. */
typedef struct {
  /* Under the lock. May it be queued? False: it was cancelled before it came here. NULL: always. */
  bool (*alive)(uvf__job_t *job);
  /* Under the lock. Its turn has come. False: it was cancelled just now; its canceller sees to it. */
  bool (*begin)(uvf__job_t *job);
  /* Runs it. UVF_LATER: uvf__executor_over comes later; UVF__AGAIN: it is to be queued again; else it is over. */
  int (*run)(uvf__job_t *job);
  /* Under the lock. It is over: tell who waits for it. From here on its memory belongs to them, unless `settle` is set. */
  void (*hand_back)(uvf__job_t *job, int status, uvf__bells_t *bells);
  /* After that, with no lock: the rest of it. NULL: there is none. */
  void (*settle)(uvf__job_t *job);
  /* Under the lock. It shall never run. False: as for begin. */
  bool (*cancel)(uvf__job_t *job);
  /* After that, with no lock: tell who waits for it. */
  void (*cancelled)(uvf__job_t *job);
  /* Under the lock. It runs, and shall stop. */
  void (*ask)(uvf__job_t *job, uvf__bells_t *bells);
  bool counted; /* in the statistics: not the runners of lanes */
} uvf__job_type_t;

struct uvf__job_s {
  uvf__link_t link; /* in the queue or among the running; under the executor's lock */
  const uvf__job_type_t *type;
  uvf_executor_t *ex; /* once submitted, with a unit of its memory; NULL: none (a promise) */
  uint64_t since_us;  /* when it was queued */
};

/* A runner's share of its thread: there is some left; it is spent; or it is, and `ask` comes first. */
typedef enum { UVF__LEFT, UVF__SPENT, UVF__ASKS } uvf__share_t;

typedef struct {
  const char *name; /* for people */
  /* No lock held. Lets a thread call uvf__runner_run and then uvf__runner_gone. 0, or a negative code. */
  int (*start)(uvf_executor_t *ex, uvf__link_t *slot);
  /* May `start` be called on this thread? NULL: on any. */
  bool (*here)(uvf_executor_t *ex);
  /* On a thread where it may not: lets uvf__runners_asked be called where it may, once, with a unit. Any thread, no lock held. 0, or a
   * negative code. */
  int (*ask)(uvf_executor_t *ex);
  /* Under the lock. Shall a runner that began at began_us give its thread back? NULL: never. */
  uvf__share_t (*share)(uvf_executor_t *ex, uint64_t began_us, uint64_t now_us);
  /* Closed, and nothing is left to run; no lock held, once. NULL: nothing to do. */
  void (*end)(uvf_executor_t *ex);
  /* The memory goes. */
  void (*destroy)(uvf_executor_t *ex);
  bool yields;  /* who is spent does so only for the moment: it stays on the books, and comes back */
  bool of_loop; /* a loop's own: only the loop closes it */
} uvf__executor_type_t;

/* Who may not block for something that an executor has to run. Constant; may be copied, and compared after its executor is gone. */
typedef struct {
  uvf_executor_t *narrow; /* the outermost of it and those that it is on that runs one job at a time; NULL: none */
  bool (*is_member)(void *pool); /* own_pool.c; NULL: there is none */
  void *pool;
} uvf__where_t;

/* In whole lines: each part is written by others. */
struct uvf_executor_s {
  /* constant */
  const uvf__executor_type_t *type;
  uvf__where_t where;
  uvf_executor_t *on; /* lane: a reference on what it is on */
  size_t capacity;
  uint32_t generation, max_running, max_runners;
  a_u32 asked; /* start.c; is written so rarely that it may lie here */
  char name[32];

  uvf__intake_t intake;

  _Alignas(UVF_CACHE_LINE)
      uvf__waits_t waits; /* tx: who waits for room; end: for idle. Its lock guards all that follows */
  uvf__door_t door;
  uvf__link_t queue;        /* jobs that wait */
  uvf__link_t begun;        /* jobs that run, also those that will end later */
  uvf__link_t slots;        /* free ones, for kinds that have slots */
  uvf__link_t lanes;        /* lanes on it, until it is aborted */
  uvf__link_t beside;       /* lane: on that list; under the lock of what it is on */
  uint64_t queued, running; /* jobs; the statistics and the capacity count tasks only */
  uint32_t runners;         /* asked for and not gone */
  uint32_t leaving;         /* of these: have looked for the last time */
  uint32_t looking;         /* of these: have no job, but will look for one */
  uint32_t threads;         /* of its own that have not ended */
  uint64_t spare;           /* units of memory that ended jobs have left; only while a runner is on its thread */
  uint64_t told;            /* of room, and have not had their turn */
  uint32_t slots_out;       /* not free */
  bool slotted;             /* constant: a runner needs a slot */
  bool lingering;           /* one of those looking waits for work to come */
  bool closed, aborted, paused, ended;
  uvf__pace_t pace; /* of lingering */
  uvf__crowd_t crowd;
  uvf_executor_stats_t stats;
  a_u32 lane_refs; /* of waits.refs: those of lanes on it */

  _Alignas(UVF_CACHE_LINE) uvf__blocks_t blocks; /* has a lock of its own */
};

typedef struct {
  const uvf__executor_type_t *type;
  uvf_executor_t *on;
  const char *name;
  size_t capacity;
  uint32_t max_running, max_runners;
  bool (*is_member)(void *pool);
  void *pool;
} uvf__executor_setup_t;

/* May it be queued? */
static inline bool uvf__job_alive(uvf__job_t *job) {
  return job->type->alive == NULL || job->type->alive(job);
}

/* Zeroed memory on a line of its own becomes an executor with one reference. 0 or UV_ENOMEM. */
int uvf__executor_init(uvf_executor_t *ex, const uvf__executor_setup_t *setup);

/* Undoes its parts; nobody uses it any more. */
void uvf__executor_fini(uvf_executor_t *ex);

static inline bool uvf__executor_foreign(const uvf_executor_t *ex) {
  return ex->generation != uvf__fork_generation();
}

/* A unit of life for the memory alone. try: a lane that was found on the list of lanes, under that lock; false: it is on its way out. */
void uvf__executor_hold(uvf_executor_t *ex);
bool uvf__executor_try_hold(uvf_executor_t *ex);
void uvf__executor_unhold(uvf_executor_t *ex);

/* A reference on what a lane is on; whoever frees the lane gives it back. */
void uvf__executor_retain_on(uvf_executor_t *on);

/* For whom a queue is closed. */
typedef enum {
  UVF__ORDINARY,
  UVF__FOLLOWS, /* a continuation: not where it is full, since what it follows was accepted */
  UVF__RUNNER   /* a lane's runner: not while anything can run at all, since the lane has its own limit */
} uvf__entry_t;

/* Queues a job, which then holds a unit. 0; or the job is still the caller's: UV_EAGAIN, UV_EPIPE,
 * UV_ECANCELED (it is not alive) or what starting a runner said. */
int uvf__executor_submit(uvf_executor_t *ex, uvf__job_t *job, uvf__entry_t entry);

/* Under the lock, by a runner that leaves its thread. */
void uvf__executor_give_up_spare(uvf_executor_t *ex);

/* Under the lock: so many have come into the queue from the intake. */
void uvf__executor_gathered(uvf_executor_t *ex, uint64_t count);

/* Under the lock: off the queue. */
void uvf__executor_unqueue(uvf_executor_t *ex, uvf__job_t *job);

/* Takes a job out of the queue that its canceller has won (the CAS is done). Afterwards nobody here touches it. True: it had been
 * submitted, and its unit is the caller's to give up. */
bool uvf__executor_withdraw(uvf_executor_t *ex, uvf__job_t *job);

/* A job that said UVF_LATER is over. Any thread, no lock. */
void uvf__executor_over(uvf_executor_t *ex, uvf__job_t *job, int status);

/* control.c: as the public ones, but also for a loop's own. */
int uvf__executor_close(uvf_executor_t *ex, bool abort);

/* No runner could be started: cancels what is queued if there is none at all, so that nobody waits for ever. No lock held. */
void uvf__executor_strand(uvf_executor_t *ex);

/* runner.c: on a thread of the executor's, once per successful `start`. True (only where runners yield): once more later, on whatever
 * thread, instead of uvf__runner_gone. */
bool uvf__runner_run(uvf_executor_t *ex);

/* start.c. It has left its thread (or, lost: never came to run), which is free for another. Starts one if there is work; after a lost one,
 * what waits is cancelled if no other is left. */
void uvf__runner_gone(uvf_executor_t *ex, uvf__link_t *slot, bool lost);

/* A slot that a runner left out when it was gone (NULL) can be used again. Starts one if there is work. */
void uvf__runner_slot_back(uvf_executor_t *ex, uvf__link_t *slot);

/* Under the lock: another runner is wanted, and is counted from now on; *slot is its slot if the kind has any. Where none can be
 * started on this thread, and nobody was asked to: somebody is to be asked; nothing is counted, and *slot says so. */
bool uvf__runner_wanted(uvf_executor_t *ex, uvf__link_t **slot);

/* Starts one that was wanted, and more while they are; or asks. Returns what the first start said. */
int uvf__runners_start(uvf_executor_t *ex, uvf__link_t *slot);

/* Under the lock, where runners can be started: counts one more, whether it is wanted or not. False: there is no slot. */
bool uvf__runner_succeeds(uvf_executor_t *ex, uvf__link_t **slot);

/* Asks, with no lock held. 0, or what `ask` said. */
int uvf__runners_ask(uvf_executor_t *ex);

/* Where runners can be started: starts those that are wanted. lost: none can be started any more; cancels what waits if there is no
 * other runner. The unit stays the caller's. */
void uvf__runners_asked(uvf_executor_t *ex, bool lost);

/* Who comes by where runners can be started does so, here and in all that it is on, if somebody was asked. No lock held. */
void uvf__runners_hurry(uvf_executor_t *ex);

/* Would blocking this thread until something has run there stop the only thread that can? */
bool uvf__runner_blocks(const uvf__where_t *where);

/* Does the calling thread run this job, or (NULL) any job of this executor? */
bool uvf__runner_runs(const uvf_executor_t *ex, const uvf__job_t *job);

/* room_idle.c, under the lock: tells who waits for room or for idle, as far as there is cause, and until the bells are full. True:
 * come again. */
bool uvf__executor_tell(uvf_executor_t *ex, uvf__bells_t *bells);

/* Tells all of them; no lock held. */
void uvf__executor_tell_all(uvf_executor_t *ex);

/* Under the lock: closed, and nothing is left; true once. The caller calls type->end. */
bool uvf__executor_ends(uvf_executor_t *ex);

#endif
