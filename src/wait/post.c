/* SPDX-License-Identifier: MIT */
/* uvf_post: a node without an op.
 *
 * Protocol. `word` is FREE or WON (pending). P-1: both sides exchange it (acq_rel): a poster that finds it pending has
 * published what it wrote before to the exchange by which the loop frees the post right before its callback. So a post is a
 * doorbell, and the callback sees what every poster wrote. P-2: the post that no loop takes any more is free again. Who
 * finds it pending just then hears UV_EBUSY though no callback comes; loop.h says so, and once the list is closed the answer is
 * UV_ECANCELED before the post is touched.
 * Model: test/model/ready_model.cpp. */
#include <uvflow/loop.h>

#include "base/fork.h"
#include "wait/ready.h"

typedef struct {
  void *data;
  uvf__node_t node;
  uvf_post_cb cb; /* written by the one who made it pending */
} post_t;

_Static_assert(sizeof(post_t) <= sizeof(uvf_post_t), "uvf_post_t is too small");

int uvf_post(uvf_loop_t *loop, uvf_post_t *post, uvf_post_cb cb) {
  if (loop == NULL || post == NULL || cb == NULL) return UV_EINVAL;
  if (loop->generation != uvf__fork_generation()) return UV_ENOTSUP;
  post_t *p = (post_t *)(void *)post;
  if (uvf__ready_closed(loop)) return UV_ECANCELED;
  if (a_swap(&p->node.word, UVF__WON, acq_rel) != UVF__FREE) return UV_EBUSY; /* P-1 */
  uvf__bells_t bells = uvf__bells_none();
  p->node.flags = UVF__NODE_POST;
  p->cb = cb;
  if (!uvf__ready_push(loop, &p->node, &bells)) {
    a_store(&p->node.word, UVF__FREE, release); /* P-2 */
    return UV_ECANCELED;
  }
  uvf__bells_ring(&bells);
  return 0;
}

void uvf__post_run(uvf__node_t *node, int status) {
  post_t *p = uvf__container(node, post_t, node);
  uvf_post_cb cb = p->cb;
  (void)a_swap(&p->node.word, UVF__FREE, acq_rel); /* P-1 */
  cb((uvf_post_t *)(void *)p, status);
}
