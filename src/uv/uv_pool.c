/* SPDX-License-Identifier: MIT */
/* libuv's thread pool as an executor: a runner is one uv_queue_work. As many are under way as the pool has threads; each takes job
 * after job and gives its thread back after POOL_US, so that files and names get their turn. uv_queue_work may be called on the
 * loop's thread alone: elsewhere the loop is asked to, by a post.
 *
 * The loop hears of what has left its thread no sooner than in its next turn, and may stand still until then, in one long callback.
 * So a runner is gone when it leaves its thread, and only its slot, with the uv_work_t, comes back with the loop. Slots are made as
 * they are needed; but beyond two for each thread only where fewer than two runners are left, so that a burst takes a handful.
 *
 * All loops share the pool's threads, and any of them may wait for a file. So a runner that has spent its time gives its thread back,
 * however few there are, but only when another one waits in libuv's queue, behind the files, to succeed it; and at least two stay if
 * there are jobs for them. Where nobody waits it asks the loop for a successor, and goes on meanwhile. A loop that stands still does
 * not answer, and so loses no runner. */
#include <uv.h>
#include <uvflow/uv.h>

#include <stdlib.h>

#include "base/alloc.h"
#include "task/attached.h"

#define POOL_US 2000
#define SLOTS 16 /* made at a time */

typedef struct pool_s pool_t;

typedef struct {
  uvf__link_t free;
  uv_work_t work;
  pool_t *pool;
} slot_t;

typedef struct slots_s {
  struct slots_s *next;
  slot_t slots[SLOTS];
} slots_t;

struct pool_s {
  uvf_executor_t base;
  uvf__attached_t attached;
  uvf_post_t post; /* asks the loop to start runners */
  /* under the executor's lock */
  bool wants_successor; /* the loop was asked for one */
  uint32_t waiting;     /* runners that have no thread yet */
  uint32_t succeed;     /* of these: somebody has left his thread for them */
  slots_t slots;        /* the first of all; the list is the loop thread's */
};

static pool_t *pool_of(uvf_executor_t *ex) {
  return uvf__container(ex, pool_t, base);
}

/* All loops share the pool's threads. If there is only one, who runs on it must not block for what waits there, whatever the loop. */
static _Thread_local slot_t *on_pool; /* NULL: this thread is none of the pool's */

static bool is_member(void *pool) {
  (void)pool;
  return on_pool != NULL;
}

/* A runner waits no longer: it has a thread, or gets none. */
static void came(pool_t *p) {
  uvf__lock(&p->base.waits.lock);
  p->waiting--;
  if (p->succeed > 0) p->succeed--;
  uvf__unlock(&p->base.waits.lock);
}

static void on_work(uv_work_t *work) {
  slot_t *s = (slot_t *)work->data;
  came(s->pool);
  on_pool = s;
  (void)uvf__runner_run(&s->pool->base);
  on_pool = NULL;
  uvf__runner_gone(&s->pool->base, NULL, false);
}

static void after_work(uv_work_t *work, int status) {
  slot_t *s = (slot_t *)work->data;
  pool_t *p = s->pool;
  (void)status; /* nobody cancels it */
  p->attached.out--;
  uvf__runner_slot_back(&p->base, &s->free);
  uvf__attached_check(&p->attached);
  uvf__executor_unhold(&p->base); /* the slot's */
}

/* Under the lock, or where nobody else knows the pool. */
static void put_slots(pool_t *p, slots_t *more) {
  for (slot_t *s = more->slots; s < more->slots + SLOTS; s++) {
    s->pool = p;
    uvf__list_push_back(&p->base.slots, &s->free);
  }
}

/* One runner more, and a slot for the next; where there is no memory, slots have to come back first. */
static void prepare(pool_t *p) {
  uvf__lock(&p->base.waits.lock);
  p->waiting++;
  bool none = uvf__list_empty(&p->base.slots);
  uvf__unlock(&p->base.waits.lock);
  slots_t *more = none ? (slots_t *)uvf__calloc(1, sizeof *more) : NULL;
  if (more == NULL) return;
  more->next = p->slots.next;
  p->slots.next = more;
  uvf__lock(&p->base.waits.lock);
  put_slots(p, more);
  uvf__unlock(&p->base.waits.lock);
}

static int start(uvf_executor_t *ex, uvf__link_t *slot) {
  slot_t *s = uvf__container(slot, slot_t, free);
  pool_t *p = pool_of(ex);
  uvf__attached_register(&p->attached);
  s->work.data = s;
  uvf__executor_hold(ex); /* the slot's */
  p->attached.out++;
  prepare(p);
  int r = uv_queue_work(uvf_loop_uv(p->attached.loop), &s->work, on_work, after_work);
  if (r == 0) return 0;
  came(p);
  p->attached.out--;
  uvf__executor_unhold(ex);
  return r;
}

static bool here(uvf_executor_t *ex) {
  return uvf__loop_mine(pool_of(ex)->attached.loop);
}

/* Under the lock: the slot of the successor that was asked for, if anybody is there whom it would succeed. */
static bool find_successor(pool_t *p, bool lost, uvf__link_t **slot) {
  uvf_executor_t *ex = &p->base;
  bool wanted = p->wants_successor && !lost && ex->runners > ex->leaving;
  p->wants_successor = false;
  return wanted && uvf__runner_succeeds(ex, slot);
}

static void start_successor(pool_t *p, bool lost) {
  uvf__link_t *slot;
  uvf__lock(&p->base.waits.lock);
  bool found = find_successor(p, lost, &slot);
  uvf__unlock(&p->base.waits.lock);
  if (found) (void)uvf__runners_start(&p->base, slot); /* if that fails, nobody leaves */
}

static void on_post(uvf_post_t *post, int status) {
  pool_t *p = (pool_t *)post->data;
  uvf__runners_asked(&p->base, status != 0);
  start_successor(p, status != 0);
  uvf__executor_unhold(&p->base); /* of who asked */
}

static int ask(uvf_executor_t *ex) {
  pool_t *p = pool_of(ex);
  int r = uvf_post(p->attached.loop, &p->post, on_post);
  return r == 0 || r == UV_EBUSY ? r : UV_EPIPE;
}

/* So many runners have to stay: two, if there are jobs for them. */
static uint32_t needed(const uvf_executor_t *ex) {
  uint64_t jobs = ex->running + ex->queued;
  return jobs < 2 ? (uint32_t)jobs : ex->max_runners < 2 ? 1 : 2;
}

static uvf__share_t share(uvf_executor_t *ex, uint64_t began_us, uint64_t now_us) {
  pool_t *p = pool_of(ex);
  if (now_us - began_us < POOL_US) return UVF__LEFT;
  if (p->waiting > p->succeed && ex->runners - ex->leaving > needed(ex)) {
    p->succeed++;
    return UVF__SPENT;
  }
  if (p->wants_successor) return UVF__LEFT;
  p->wants_successor = true;
  return UVF__ASKS;
}

static void free_slots(pool_t *p) {
  for (slots_t *next, *s = p->slots.next; s != NULL; s = next) {
    next = s->next;
    uvf__free(s);
  }
}

static void destroy(uvf_executor_t *ex) {
  pool_t *p = pool_of(ex);
  uvf__attached_fini(&p->attached);
  free_slots(p);
  uvf__free_line(p);
}

static const uvf__executor_type_t pool_type = {.name = "libuv's pool",
                                               .start = start,
                                               .here = here,
                                               .ask = ask,
                                               .share = share,
                                               .destroy = destroy,
                                               .of_loop = true};

/* As libuv counts them. */
static uint32_t pool_threads(void) {
  const char *size = getenv("UV_THREADPOOL_SIZE");
  if (size == NULL) return 4;
  int n = atoi(size);
  return n < 1 ? 1 : n > UVF__MAX_RUNNERS ? UVF__MAX_RUNNERS : (uint32_t)n;
}

static uvf__attached_t *make(uvf_loop_t *loop) {
  if (uvf_loop_uv(loop) == NULL) return NULL;
  uint32_t threads = pool_threads();
  pool_t *p = uvf__calloc_line(sizeof *p);
  if (p == NULL) return NULL;
  const uvf__executor_setup_t setup = {
      &pool_type, NULL, "libuv's pool", UVF__NO_LIMIT, UINT32_MAX, threads, threads == 1 ? is_member : NULL, NULL};
  if (uvf__executor_init(&p->base, &setup) != 0) {
    uvf__free_line(p);
    return NULL;
  }
  p->base.slotted = true;
  put_slots(p, &p->slots);
  p->post.data = p;
  uvf__attached_init(&p->attached, &p->base, loop, UVF__OWN_POOL);
  return &p->attached;
}

uvf_executor_t *uvf_loop_pool(uvf_loop_t *l) {
  return l == NULL ? NULL : uvf__attached_get(l, UVF__OWN_POOL, make);
}
