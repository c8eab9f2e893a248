/* SPDX-License-Identifier: MIT */
/* A loop's thread as an executor: its one runner is a post, which runs jobs for as long as the turn's budget lasts. */
#include "task/attached.h"

#include "base/alloc.h"

typedef struct {
  uvf_executor_t base;
  uvf__attached_t attached;
  uvf__link_t slot;
  uvf_post_t post;
} loop_executor_t;

static loop_executor_t *of(uvf_executor_t *ex) {
  return uvf__container(ex, loop_executor_t, base);
}

static void on_post(uvf_post_t *post, int status) {
  loop_executor_t *e = (loop_executor_t *)post->data;
  uvf__executor_hold(&e->base); /* for the look at the end */
  if (status == 0) uvf__attached_register(&e->attached);
  if (status == 0) (void)uvf__runner_run(&e->base);
  uvf__runner_gone(&e->base, &e->slot, status != 0);
  uvf__attached_check(&e->attached);
  uvf__executor_unhold(&e->base);
}

static int start(uvf_executor_t *ex, uvf__link_t *slot) {
  loop_executor_t *e = of(ex);
  (void)slot;
  return uvf_post(e->attached.loop, &e->post, on_post) == 0 ? 0 : UV_EPIPE;
}

static uvf__share_t share(uvf_executor_t *ex, uint64_t began_us, uint64_t now_us) {
  (void)began_us;
  (void)now_us;
  return uvf__loop_spend(of(ex)->attached.loop, 1) ? UVF__SPENT : UVF__LEFT;
}

static void destroy(uvf_executor_t *ex) {
  loop_executor_t *e = of(ex);
  uvf__attached_fini(&e->attached);
  uvf__free_line(e);
}

static const uvf__executor_type_t loop_type = {
    .name = "loop", .start = start, .share = share, .destroy = destroy, .of_loop = true};

static uvf__attached_t *make(uvf_loop_t *loop) {
  loop_executor_t *e = (loop_executor_t *)uvf__calloc_line(sizeof *e);
  if (e == NULL) return NULL;
  const uvf__executor_setup_t setup = {&loop_type, NULL, "loop", UVF__NO_LIMIT, UINT32_MAX, 1, NULL, NULL};
  if (uvf__executor_init(&e->base, &setup) != 0) {
    uvf__free_line(e);
    return NULL;
  }
  e->post.data = e;
  uvf__list_push_back(&e->base.slots, &e->slot);
  e->base.slotted = true;
  uvf__attached_init(&e->attached, &e->base, loop, UVF__OWN_THREAD);
  return &e->attached;
}

uvf_executor_t *uvf_loop_executor(uvf_loop_t *l) {
  return l == NULL ? NULL : uvf__attached_get(l, UVF__OWN_THREAD, make);
}
