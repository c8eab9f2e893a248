/* SPDX-License-Identifier: MIT */
/* A user's own pool: a runner is what its `submit` is given. How many threads it has is unknown, so as many runners as jobs are
 * asked for, up to UVF__MAX_RUNNERS; each takes job after job and gives its thread back after POOL_US. */
#include "task/executor.h"

#include "base/alloc.h"

#define POOL_US 1000

typedef struct {
  uvf_executor_t base;
  uvf_executor_options_t pool;
} own_pool_t;

static own_pool_t *pool_of(uvf_executor_t *ex) {
  return uvf__container(ex, own_pool_t, base);
}

static void run(void *job) {
  uvf_executor_t *ex = (uvf_executor_t *)job;
  (void)uvf__runner_run(ex);
  uvf__runner_gone(ex, NULL, false);
}

static int pool_start(uvf_executor_t *ex, uvf__link_t *slot) {
  own_pool_t *p = pool_of(ex);
  (void)slot;
  int r = p->pool.submit(p->pool.pool, run, ex);
  return r > 0 ? UV_EINVAL : r;
}

static uvf__share_t pool_share(uvf_executor_t *ex, uint64_t began_us, uint64_t now_us) {
  (void)ex;
  return now_us - began_us >= POOL_US ? UVF__SPENT : UVF__LEFT;
}

static void pool_destroy(uvf_executor_t *ex) {
  uvf__free_line(pool_of(ex));
}

static const uvf__executor_type_t pool_type = {
    .name = "own pool", .start = pool_start, .share = pool_share, .destroy = pool_destroy};

int uvf_executor_create(const uvf_executor_options_t *o, uvf_executor_t **out) {
  if (o == NULL || out == NULL || o->submit == NULL) return UV_EINVAL;
  for (size_t i = 0; i < sizeof o->reserved / sizeof o->reserved[0]; i++)
    if (o->reserved[i] != 0) return UV_EINVAL;
  int r = uvf__fork_watch(NULL);
  if (r != 0) return r;
  own_pool_t *p = (own_pool_t *)uvf__calloc_line(sizeof *p);
  if (p == NULL) return UV_ENOMEM;
  p->pool = *o;
  const uvf__executor_setup_t setup = {&pool_type,       NULL,         NULL,   UVF__NO_LIMIT, UINT32_MAX,
                                       UVF__MAX_RUNNERS, o->is_member, o->pool};
  r = uvf__executor_init(&p->base, &setup);
  if (r != 0) {
    uvf__free_line(p);
    return r;
  }
  *out = &p->base;
  return 0;
}
