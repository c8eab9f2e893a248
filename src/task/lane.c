/* SPDX-License-Identifier: MIT */
/* Lanes: an executor whose runners are jobs of another executor.
 *
 * A runner gives its place back after LANE_US: its job is queued again behind what else is there. So lanes share an executor evenly,
 * and a burst in one of them costs it few visits. If the executor below is aborted, so are the lanes on it, which it
 * has on a list: whether a runner of theirs is there or not (a lane that is paused, or whose work ends later, has none). */
#include "task/executor.h"

#include "base/alloc.h"

#ifndef LANE_US
#define LANE_US 1000
#endif

typedef struct {
  uvf__link_t free; /* among the lane's slots */
  uvf__job_t job;   /* in the queue of what it is on */
  uvf_executor_t *lane;
} slot_t;

typedef struct {
  uvf_executor_t base;
  slot_t slots[];
} lane_t;

static slot_t *slot_of(uvf__job_t *job) {
  return uvf__container(job, slot_t, job);
}

/* ---- a runner, as a job below ---- */

static bool runner_begin(uvf__job_t *job) {
  (void)job;
  return true;
}

static int runner_run(uvf__job_t *job) {
  return uvf__runner_run(slot_of(job)->lane) ? UVF__AGAIN : 0;
}

static void runner_hand_back(uvf__job_t *job, int status, uvf__bells_t *bells) {
  (void)job;
  (void)status;
  (void)bells;
}

static void runner_settle(uvf__job_t *job) {
  slot_t *s = slot_of(job);
  uvf__runner_gone(s->lane, &s->free, false);
}

static bool runner_cancel(uvf__job_t *job) {
  (void)job;
  return true;
}

static void runner_cancelled(uvf__job_t *job) {
  slot_t *s = slot_of(job);
  uvf__runner_gone(s->lane, &s->free, true);
}

/* Its lane is aborted, too, and asks. */
static void runner_ask(uvf__job_t *job, uvf__bells_t *bells) {
  (void)job;
  (void)bells;
}

static const uvf__job_type_t runner_type = {
    NULL, runner_begin, runner_run, runner_hand_back, runner_settle, runner_cancel, runner_cancelled, runner_ask, false,
};

/* ---- the lane ---- */

static int lane_start(uvf_executor_t *ex, uvf__link_t *slot) {
  slot_t *s = uvf__container(slot, slot_t, free);
  return uvf__executor_submit(ex->on, &s->job, UVF__RUNNER);
}

static uvf__share_t lane_share(uvf_executor_t *ex, uint64_t began_us, uint64_t now_us) {
  (void)ex;
  return now_us - began_us >= LANE_US ? UVF__SPENT : UVF__LEFT;
}

static void lane_destroy(uvf_executor_t *ex) {
  uvf__free_line(ex);
}

static const uvf__executor_type_t lane_type = {
    .name = "lane", .start = lane_start, .share = lane_share, .destroy = lane_destroy, .yields = true};

static bool options_valid(const uvf_lane_options_t *o) {
  if (o == NULL || o->max_running == 0 || o->capacity == 0) return false;
  for (size_t i = 0; i < sizeof o->reserved / sizeof o->reserved[0]; i++)
    if (o->reserved[i] != 0) return false;
  return true;
}

/* False: it is closed. */
static bool put_on(uvf_executor_t *on, uvf_executor_t *lane) {
  uvf__lock(&on->waits.lock);
  bool open = !on->closed;
  if (open) uvf__list_push_back(&on->lanes, &lane->beside);
  uvf__unlock(&on->waits.lock);
  return open;
}

int uvf_lane_create(uvf_executor_t *on, const uvf_lane_options_t *o, uvf_executor_t **out) {
  if (on == NULL || out == NULL || !options_valid(o)) return UV_EINVAL;
  if (uvf__executor_foreign(on)) return UV_ENOTSUP;
  uint32_t runners = o->max_running < on->max_runners ? o->max_running : on->max_runners;
  lane_t *lane = (lane_t *)uvf__calloc_line(sizeof *lane + runners * sizeof(slot_t));
  if (lane == NULL) return UV_ENOMEM;
  const uvf__executor_setup_t setup = {&lane_type, on, o->name, o->capacity, o->max_running, runners, NULL, NULL};
  int r = uvf__executor_init(&lane->base, &setup);
  if (r != 0) {
    uvf__free_line(lane);
    return r;
  }
  lane->base.slotted = true;
  for (uint32_t i = 0; i < runners; i++) {
    lane->slots[i].lane = &lane->base;
    lane->slots[i].job.type = &runner_type;
    uvf__list_push_back(&lane->base.slots, &lane->slots[i].free);
  }
  if (!put_on(on, &lane->base)) {
    uvf__executor_fini(&lane->base);
    uvf__free_line(lane);
    return UV_EPIPE;
  }
  uvf__executor_retain_on(on);
  *out = &lane->base;
  return 0;
}
