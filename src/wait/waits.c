/* SPDX-License-Identifier: MIT */
/* The waiting lists of waits.h. Tags are explained there and in op.h. Protocol: M1, M3, M4, O-2. */
#include "wait/waits.h"

#include "base/check.h"
#include "base/clock.h"
#include "wait/ready.h"

int uvf__waits_init(uvf__waits_t *ws, uvf__waits_fence_t fence) {
  a_init(&ws->marks, 0); /* M3 */
  uvf__list_init(&ws->rx.list);
  uvf__list_init(&ws->tx.list);
  uvf__list_init(&ws->end.list);
  ws->begun = ws->left = 0;
  ws->fence = (uint8_t)fence;
  return uvf__mutex_init(&ws->lock);
}

void uvf__waits_destroy(uvf__waits_t *ws) {
  uvf__mutex_destroy(&ws->lock);
}

static uint32_t mark_of(const uvf__waits_t *ws, const uvf__waitlist_t *list) {
  return list == &ws->rx ? UVF__MARK_RX : list == &ws->tx ? UVF__MARK_TX : UVF__MARK_END;
}

void uvf__waits_link(uvf__waits_t *ws, uvf__waitlist_t *list, uvf__waiter_t *w, bool front) {
  bool first = uvf__list_empty(&list->list);
  if (!front) w->since_us = uvf__clock_us_coarse(); /* else it waited before */
  if (front)
    uvf__list_push_front(&list->list, &w->link);
  else
    uvf__list_push_back(&list->list, &w->link);
  if (first) a_or(&ws->marks, mark_of(ws, list), seq_cst); /* M1 */
  ws->begun++;
  if (ws->fence == UVF__FENCE_HEAVY) heavy_fence();    /* M4 */
  if (ws->fence == UVF__FENCE_PLAIN) a_fence(seq_cst); /* M4 */
}

static void unmark_if_empty(uvf__waits_t *ws, uvf__waitlist_t *list) {
  if (!uvf__list_empty(&list->list)) return;
  uint32_t marks = a_load(&ws->marks, relaxed);             /* M5 */
  a_store(&ws->marks, marks & ~mark_of(ws, list), release); /* M2, M5 */
}

void uvf__waits_unlink(uvf__waits_t *ws, uvf__waitlist_t *list, uvf__waiter_t *w) {
  if (!uvf__linked(&w->link)) return;
  uvf__unlink(&w->link);
  ws->left++;
  unmark_if_empty(ws, list);
}

static uint64_t length(const uvf__waitlist_t *list) {
  uint64_t n = 0;
  for (const uvf__link_t *l = list->list.next; l != &list->list; l = l->next)
    n++;
  return n;
}

uint64_t uvf__waits_fired(const uvf__waits_t *ws) {
  return ws->begun - ws->left - length(&ws->rx) - length(&ws->tx) - length(&ws->end);
}

void uvf__waits_withdraw(uvf__waits_t *ws, uvf__waitlist_t *list, uvf__waiter_t *w) {
  uvf__lock(&ws->lock);
  uvf__waits_unlink(ws, list, w);
  uvf__unlock(&ws->lock);
}

uvf__waiter_t *uvf__waits_first(uvf__waitlist_t *list) {
  uvf__link_t *l = uvf__list_first(&list->list);
  return l == NULL ? NULL : uvf__container(l, uvf__waiter_t, link);
}

uvf__waiter_t *uvf__waits_next(uvf__waitlist_t *list, uvf__waiter_t *w) {
  uvf__link_t *l = w->link.next;
  return l == &list->list ? NULL : uvf__container(l, uvf__waiter_t, link);
}

bool uvf__waits_decide(uvf__waiter_t *w, int status) {
  uint32_t waiting = UVF__WAITING;
  if (!a_cas(&w->op->node.word, &waiting, (uint32_t)UVF__WON | w->index << 8, acq_rel, relaxed)) return false; /* O-2 */
  w->status = status;
  return true;
}

void uvf__waits_announce(uvf__waits_t *ws, uvf__waitlist_t *list, uvf__waiter_t *w, uvf__bells_t *bells) {
  uvf__op_t *op = w->op;
  uvf__check(uvf__linked(&w->link)); /* it was found on this list, under this lock */
  uvf__unlink(&w->link);
  if (op->loop != NULL)
    (void)uvf__ready_push(op->loop, &op->node, bells); /* a loop with ops is not closed */
  else
    uvf__bells_add_op(bells, op);
  unmark_if_empty(ws, list);
}

bool uvf__waits_fire(uvf__waits_t *ws, uvf__waitlist_t *list, int status, uvf__bells_t *bells) {
  uvf__waiter_t *w;
  while ((w = uvf__waits_first(list)) != NULL) {
    if (uvf__waits_decide(w, status)) {
      uvf__waits_announce(ws, list, w, bells);
      return true;
    }
    uvf__waits_unlink(ws, list, w); /* it has left */
  }
  return false;
}

void uvf__waits_wake(uvf__waits_t *ws, uvf__waitlist_t *list, int n, int status) {
  bool more = true;
  while (more) {
    uvf__bells_t bells = uvf__bells_none();
    uvf__lock(&ws->lock);
    more = true;
    while (more && n > 0 && !uvf__bells_full(&bells)) {
      more = uvf__waits_fire(ws, list, status, &bells);
      n--;
    }
    uvf__unlock(&ws->lock);
    uvf__bells_ring(&bells);
    more = more && n > 0;
  }
}
