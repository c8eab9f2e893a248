/* SPDX-License-Identifier: MIT */
/* libuv's thread pool as an executor: a runner is one uv_queue_work. As many are under way as the pool has threads; each takes job
 * after job and gives its thread back after POOL_US, so that files and names get their turn. uv_queue_work may be called on the
 * loop's thread alone: from elsewhere a runner starts by way of a post.
 *
 * The loop hears of what has left its thread no sooner than in its next turn, and may stand still until then, in one long callback.
 * So a runner is gone when it leaves its thread, and only its slot, with the uv_work_t, comes back with the loop: there are more
 * slots than threads; but beyond two for each they are for the case that no runner is left, so that a burst takes a handful. And of
 * runners that have spent their time one at a time leaves, and only if others work on. */
#include <uv.h>
#include <uvflow/uv.h>

#include <stdlib.h>

#include "base/alloc.h"
#include "task/attached.h"

#define POOL_US 2000
#define SLOTS 64 /* beyond one for each thread */

typedef struct pool_s pool_t;

typedef struct {
  uvf__link_t free;
  uv_work_t work;
  uvf_post_t post;
  pool_t *pool;
  bool spent; /* under the executor's lock: its thread is the one that is given back */
} slot_t;

struct pool_s {
  uvf_executor_t base;
  uvf__attached_t attached;
  bool leaving; /* under the executor's lock: some slot is spent */
  slot_t slots[];
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

static void on_work(uv_work_t *work) {
  slot_t *s = (slot_t *)work->data;
  on_pool = s;
  uvf__runner_run(&s->pool->base);
  on_pool = NULL;
  uvf__runner_gone(&s->pool->base, NULL, false);
}

static void after_work(uv_work_t *work, int status) {
  slot_t *s = (slot_t *)work->data;
  pool_t *p = s->pool;
  (void)status; /* nobody cancels it */
  uvf__lock(&p->base.waits.lock);
  if (s->spent) p->leaving = s->spent = false;
  uvf__unlock(&p->base.waits.lock);
  p->attached.out--;
  uvf__runner_slot_back(&p->base, &s->free);
  uvf__attached_check(&p->attached);
  uvf__executor_unhold(&p->base); /* the slot's */
}

static int queue_work(slot_t *s) {
  pool_t *p = s->pool;
  s->work.data = s;
  uvf__executor_hold(&p->base); /* the slot's */
  p->attached.out++;
  int r = uv_queue_work(uvf_loop_uv(p->attached.loop), &s->work, on_work, after_work);
  if (r == 0) return 0;
  p->attached.out--;
  uvf__executor_unhold(&p->base);
  return r;
}

static void on_post(uvf_post_t *post, int status) {
  slot_t *s = (slot_t *)post->data;
  pool_t *p = s->pool;
  if (status == 0 && queue_work(s) == 0) return;
  uvf__executor_hold(&p->base); /* for the look at the end */
  uvf__runner_gone(&p->base, &s->free, true);
  uvf__attached_check(&p->attached);
  uvf__executor_unhold(&p->base);
}

static int start(uvf_executor_t *ex, uvf__link_t *slot) {
  slot_t *s = uvf__container(slot, slot_t, free);
  uvf_loop_t *loop = pool_of(ex)->attached.loop;
  if (uvf__loop_mine(loop)) return queue_work(s);
  s->post.data = s;
  return uvf_post(loop, &s->post, on_post) == 0 ? 0 : UV_EPIPE;
}

static bool spent(uvf_executor_t *ex, uint64_t began_us, uint64_t now_us) {
  pool_t *p = pool_of(ex);
  if (now_us - began_us < POOL_US || p->leaving) return false;
  if (ex->max_runners > 1 && ex->runners - ex->leaving < 2)
    return false; /* it leaves the other threads to files anyway */
  return p->leaving = on_pool->spent = true;
}

static void destroy(uvf_executor_t *ex) {
  pool_t *p = pool_of(ex);
  uvf__attached_fini(&p->attached);
  uvf__free(p);
}

static const uvf__executor_type_t pool_type = {"libuv's pool", start, spent, NULL, destroy, true};

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
  uint32_t slots = threads + SLOTS;
  pool_t *p = uvf__calloc(1, sizeof *p + slots * sizeof(slot_t));
  if (p == NULL) return NULL;
  const uvf__executor_setup_t setup = {
      &pool_type, NULL, "libuv's pool", UVF__NO_LIMIT, UINT32_MAX, threads, threads == 1 ? is_member : NULL, NULL};
  if (uvf__executor_init(&p->base, &setup) != 0) {
    uvf__free(p);
    return NULL;
  }
  p->base.slotted = true;
  for (uint32_t i = 0; i < slots; i++) {
    p->slots[i].pool = p;
    uvf__list_push_back(&p->base.slots, &p->slots[i].free);
  }
  uvf__attached_init(&p->attached, &p->base, loop, UVF__OWN_POOL);
  return &p->attached;
}

uvf_executor_t *uvf_loop_pool(uvf_loop_t *l) {
  return l == NULL ? NULL : uvf__attached_get(l, UVF__OWN_POOL, make);
}
