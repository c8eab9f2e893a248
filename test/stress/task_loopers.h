/* SPDX-License-Identifier: MIT */
/* The loops of task_stress.c: threads that run libuv, on which flowvars are awaited, work is offloaded and executors
 * are waited for, with cancels and timeouts. Their pools and they themselves are executors. Once in a while uvflow is
 * detached under whatever is going on, and attached again. */
#ifndef TASK_LOOPERS_H
#define TASK_LOOPERS_H

#include "task_books.h"

enum { SLOTS = 16, MAILBOX = 256, ALL = 3 };

typedef struct looper_s looper_t;

typedef struct {
  uvf_flowvar_t *fv;
  uint32_t number;
} letter_t;

/* A request, and what it is for. */
typedef struct {
  uvf_req_t req;
  looper_t *owner;
  bool pending, cancelled, patient;
  letter_t letters[ALL];
  uvf_flowvar_t *fvs[ALL];
  uint32_t count;    /* flowvars it awaits */
  atomic_bool began; /* offload */
} slot_t;

struct looper_s {
  uint32_t index;
  pthread_t thread;
  rng_t rng;
  uv_loop_t uv;
  uv_timer_t tick;
  uvf_loop_t *loop;
  bool detaching, last;
  uint64_t detaches, awaits;
  slot_t slots[SLOTS];
  pthread_mutex_t lock;
  letter_t mail[MAILBOX]; /* under lock */
  uint32_t letters;       /* under lock */
  bool ending;            /* under lock: no more of them */
};

static looper_t loopers[LOOPS];

/* False: it is full. */
static inline bool mail_put(looper_t *l, letter_t letter) {
  (void)pthread_mutex_lock(&l->lock);
  bool room = l->letters < MAILBOX;
  if (room) l->mail[l->letters++] = letter;
  (void)pthread_mutex_unlock(&l->lock);
  return room;
}

static inline bool mail_get(looper_t *l, letter_t *letter) {
  (void)pthread_mutex_lock(&l->lock);
  bool some = l->letters > 0;
  if (some) *letter = l->mail[--l->letters];
  (void)pthread_mutex_unlock(&l->lock);
  return some;
}

static inline bool mail_over(looper_t *l) {
  (void)pthread_mutex_lock(&l->lock);
  bool over = l->ending && l->letters == 0;
  (void)pthread_mutex_unlock(&l->lock);
  return over;
}

/* ---- requests ---- */

static void slot_start(slot_t *s);

static inline void slot_over(slot_t *s, int status) {
  must(s->pending);
  must(status != UV_ETIMEDOUT || !s->patient);
  s->pending = false;
  moved();
  if (!s->owner->detaching && !one_in(&s->owner->rng, 4)) slot_start(s);
}

static inline void on_outcome(uvf_req_t *req, int status) {
  slot_t *s = req->data;
  rng_t *g = &s->owner->rng;
  s->owner->awaits++;
  for (uint32_t i = 0; i < s->count; i++) {
    letter_t *letter = &s->letters[i];
    int r = uvf_try_await(letter->fv);
    if (s->count == 1 && r != UV_EAGAIN)
      must(status == r || ((status == UV_ECANCELED || status == UV_ETIMEDOUT) &&
                           (s->cancelled || s->owner->detaching || !s->patient)));
    must(r != UV_EAGAIN || status == UV_ETIMEDOUT ||
         (status == UV_ECANCELED && (s->cancelled || s->owner->detaching || s->count > 1)));
    outcome_seen(letter->number, r);
    const value_t *v = uvf_flowvar_value(letter->fv);
    if (v != NULL) must(value_read(v) == letter->number);
    if (one_in(g, 2)) value_take(letter->fv, letter->number);
    if (r == UV_EAGAIN && one_in(g, 2) && mail_put(s->owner, *letter)) continue;
    uvf_flowvar_release(letter->fv);
  }
  slot_over(s, status);
}

static inline void await_start(slot_t *s, uint64_t timeout_ms) {
  uvf_loop_t *loop = s->owner->loop;
  uint32_t most = one_in(&s->owner->rng, 4) ? ALL : 1;
  s->count = 0;
  while (s->count < most && mail_get(s->owner, &s->letters[s->count])) {
    s->fvs[s->count] = s->letters[s->count].fv;
    s->count++;
  }
  if (s->count == 0) return;
  int r = s->count == 1 ? uvf_await(loop, &s->req, s->fvs[0], timeout_ms, on_outcome)
                        : uvf_await_all(loop, &s->req, s->fvs, s->count, timeout_ms, on_outcome);
  must_be(r, 0, "uvf_await");
  s->pending = true;
}

static inline int offloaded(uvf_task_t *task, void *arg, void *value) {
  slot_t *s = arg;
  rng_t g = {(uintptr_t)task ^ now_us()};
  must(value == NULL && !atomic_exchange(&s->began, true));
  (void)atomic_fetch_add(&now.offloads_ran, 1);
  shake(&g, now.seldom);
  if (one_in(&g, 16)) {
    finish_later(task, 0, false);
    return UVF_LATER;
  }
  return uvf_task_cancelled(task) ? UV_ECONNRESET : 0;
}

static inline void on_offloaded(uvf_req_t *req, int status) {
  slot_t *s = req->data;
  bool ran = atomic_load(&s->began);
  must(status == 0 || status == UV_ECONNRESET || status == UV_ECANCELED);
  must(ran == (status != UV_ECANCELED));
  (void)atomic_fetch_add(ran ? &now.offloads_called : &now.offloads_cancelled, 1);
  slot_over(s, status);
}

static inline void offload_start(slot_t *s) {
  uvf_executor_t *ex = place_any(&s->owner->rng);
  atomic_store(&s->began, false);
  int r = uvf_offload(s->owner->loop, &s->req, ex, offloaded, s, on_offloaded);
  uvf_executor_release(ex);
  must(r == 0 || r == UV_EAGAIN || r == UV_EPIPE);
  s->pending = r == 0;
  if (r == 0) (void)atomic_fetch_add(&now.offloads, 1);
}

static inline void on_waited(uvf_req_t *req, int status) {
  slot_t *s = req->data;
  must(status == 0 || status == UV_EPIPE || status == UV_ETIMEDOUT ||
       (status == UV_ECANCELED && (s->cancelled || s->owner->detaching)));
  slot_over(s, status);
}

static inline void wait_start(slot_t *s) {
  uvf_executor_t *ex = place_any(&s->owner->rng);
  int r = one_in(&s->owner->rng, 2) ? uvf_wait_idle(s->owner->loop, &s->req, ex, 1, on_waited)
                                    : uvf_wait_room(s->owner->loop, &s->req, ex, 1, on_waited);
  uvf_executor_release(ex);
  must_be(r, 0, "waiting for an executor");
  s->pending = true;
}

static void slot_start(slot_t *s) {
  looper_t *l = s->owner;
  bool over = mail_over(l);
  s->cancelled = false;
  s->patient = over || !one_in(&l->rng, 4);
  switch (over ? 7 : rng_below(&l->rng, 8)) {
  case 0:
  case 1:
  case 2: offload_start(s); return;
  case 3:
    s->patient = false;
    wait_start(s);
    return;
  default: await_start(s, s->patient ? UVF_FOREVER : rng_below(&l->rng, 3)); return;
  }
}

static inline void slot_visit(slot_t *s) {
  looper_t *l = s->owner;
  if (!s->pending) {
    slot_start(s);
  } else if (one_in(&l->rng, 8)) {
    int r = uvf_cancel(&s->req);
    must(r == 0 || r == UV_EBUSY || r == UV_EALREADY);
    s->cancelled = true;
  }
}

static inline bool slots_idle(const looper_t *l) {
  for (int i = 0; i < SLOTS; i++)
    if (l->slots[i].pending) return false;
  return true;
}

/* ---- the loop ---- */

static inline uint32_t place_of(const looper_t *l, uint32_t which) {
  return LOOPS_OWN + PER_LOOP * l->index + which;
}

static inline void lane_put(uint32_t place, uvf_executor_t *on, rng_t *g) {
  uvf_executor_t *lane = NULL;
  uvf_lane_options_t o = {.max_running = 1 + rng_below(g, 4), .capacity = 1u << rng_below(g, 12), .name = "stress"};
  if (one_in(g, 4)) o.capacity = UVF_UNBOUNDED;
  int r = uvf_lane_create(on, &o, &lane);
  must(r == 0 || r == UV_EPIPE);
  uvf_executor_release(place_put(place, lane));
}

static inline void looper_attach(looper_t *l) {
  uvf_loop_options_t o = loop_options();
  if (one_in(&l->rng, 4)) o.turn_items = 1 + rng_below(&l->rng, 30);
  l->loop = loop_attach(&l->uv, &o);
  (void)place_put(place_of(l, POOL), uvf_executor_retain(uvf_loop_pool(l->loop)));
  (void)place_put(place_of(l, LOOP_THREAD), uvf_executor_retain(uvf_loop_executor(l->loop)));
  uvf_executor_t *pool = place_get(place_of(l, POOL));
  must(pool != NULL);
  lane_put(place_of(l, POOL_LANE), pool, &l->rng);
  uvf_executor_release(pool);
}

static inline void on_detached(void *data) {
  looper_t *l = data;
  must(l->detaching && slots_idle(l));
  l->detaching = false;
  l->detaches++;
  if (l->last) uv_close((uv_handle_t *)&l->tick, NULL);
}

static inline void looper_detach(looper_t *l) {
  uvf_loop_t *loop = l->loop;
  /* Some see its executors aborted, some only that there are none any more. */
  bool early = one_in(&l->rng, 2);
  l->detaching = true;
  l->loop = NULL;
  if (!early) must_be(uvf_loop_detach(loop, on_detached, l), 0, "uvf_loop_detach");
  for (uint32_t i = 0; i < PER_LOOP; i++)
    uvf_executor_release(place_put(place_of(l, i), NULL));
  if (early) must_be(uvf_loop_detach(loop, on_detached, l), 0, "uvf_loop_detach");
}

static inline void on_tick(uv_timer_t *timer) {
  looper_t *l = timer->data;
  if (l->detaching) return;
  if (l->loop == NULL) looper_attach(l);
  for (int i = 0; i < SLOTS; i++)
    slot_visit(&l->slots[i]);
  l->last = mail_over(l) && slots_idle(l);
  if (l->last || one_in(&l->rng, 20)) looper_detach(l);
}

static inline void *looper_thread(void *arg) {
  looper_t *l = arg;
  loop_open(&l->uv);
  must_be(uv_timer_init(&l->uv, &l->tick), 0, "uv_timer_init");
  l->tick.data = l;
  must_be(uv_timer_start(&l->tick, on_tick, 0, 1), 0, "uv_timer_start");
  must(uv_run(&l->uv, UV_RUN_DEFAULT) == 0);
  loop_close(&l->uv);
  return NULL;
}

#endif
