/* SPDX-License-Identifier: MIT */
/* Names, and the picture of what is going on: for people.
 *
 * Protocol. A channel with a name is on a list, under the lock that is held across forks; one without costs nothing here. Lock
 * order: that lock or the registry's of loops, then a channel's.
 * L-3: a loop's state, as in loop.c: a hint. */
#include <uvflow/dump.h>

#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "chan/chan.h"
#include "wait/loop.h"

static uvf__link_t named = {&named, &named}; /* under uvf__fork_lock */

int uvf__chan_set_name(uvf__chan_t *c, const char *name) {
  uvf__named_t *n = (uvf__named_t *)uvf__calloc(1, sizeof *n);
  if (n == NULL) return UV_ENOMEM;
  strncpy(n->name, name, sizeof n->name - 1);
  n->chan = c;
  c->named = n;
  uvf__fork_lock();
  uvf__list_push_back(&named, &n->link);
  uvf__fork_unlock();
  return 0;
}

void uvf__chan_forget_name(uvf__chan_t *c) {
  if (c->named == NULL) return;
  uvf__fork_lock();
  uvf__unlink(&c->named->link);
  uvf__fork_unlock();
  uvf__free(c->named);
}

static const char *name_of(const uvf__chan_t *c) {
  return c->named != NULL ? c->named->name : "";
}

const char *uvf__tx_name(const void *tx) {
  return name_of(uvf__chan_of_tx((const uvf_tx_t *)tx));
}

const char *uvf__rx_name(const void *rx) {
  return name_of(uvf__chan_of_rx((const uvf_rx_t *)rx));
}

/* ---- printing ---- */

static void print_waiter(FILE *out, const uvf__waiter_t *w) {
  uint64_t ms = (uvf__clock_us() - w->since_us) / 1000;
  (void)fprintf(out, "  %s", w->op->type->name);
  if (w->op->loop != NULL) (void)fprintf(out, " on loop %p", (void *)w->op->loop);
  (void)fprintf(out, " waits %s \"%s\" for %" PRIu64 " ms\n", w->type->what, w->type->name(w->object), ms);
}

static void print_waiters(FILE *out, uvf__chan_t *c) {
  uvf__waitlist_t *lists[] = {&c->waits.tx, &c->waits.rx, &c->waits.end};
  uvf__lock(&c->waits.lock);
  for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
    for (uvf__waiter_t *w = uvf__waits_first(lists[i]); w != NULL; w = uvf__waits_next(lists[i], w))
      print_waiter(out, w);
  uvf__unlock(&c->waits.lock);
}

static void print_chan(FILE *out, uvf__chan_t *c) {
  uvf_chan_stats_t s;
  uvf_tx_stats(&c->tx, &s);
  (void)fprintf(out, "channel \"%s\" %p: %s, %zu", s.name, (void *)c, s.closed ? "closed" : "open", s.len);
  if (c->capacity == UVF_UNBOUNDED)
    (void)fputs(" items, unbounded", out);
  else if (c->capacity == UVF_RENDEZVOUS)
    (void)fputs(" items, rendezvous", out);
  else
    (void)fprintf(out, " of %zu items", c->capacity);
  (void)fprintf(out,
                " (most %zu); sent %" PRIu64 ", received %" PRIu64 ", dropped %" PRIu64 ", returned %" PRIu64
                "; waits %" PRIu64 ", wakes %" PRIu64 "\n",
                s.high_water, s.sent, s.received, s.dropped, s.returned, s.waits, s.wakes);
  print_waiters(out, c);
}

static void print_op(FILE *out, uvf__op_t *op) {
  const uvf__waiter_t *w = op->type->waiter == NULL ? NULL : op->type->waiter(op);
  if (w == NULL)
    (void)fprintf(out, "  %s on loop %p\n", op->type->name, (void *)op->loop);
  else if (uvf__op_word(op) == UVF__WAITING)
    print_waiter(out, w);
  else
    (void)fprintf(out, "  %s on loop %p %s: %s \"%s\"\n", op->type->name, (void *)op->loop,
                  (op->node.flags & UVF__OP_PAUSED) != 0 ? "is paused" : "is about to run", w->type->what,
                  w->type->name(w->object));
}

static void print_loop_line(FILE *out, const uvf_loop_t *loop, uint64_t thread) {
  uint32_t state = a_load(&((uvf_loop_t *)(uintptr_t)loop)->state, relaxed); /* L-3: a hint */
  (void)fprintf(out, "loop %p: %s, on thread %" PRIu64 "\n", (const void *)loop,
                state == UVF__LOOP_OPEN ? "open" : "detaching or detached", thread);
}

static void print_entry(const uvf__runs_t *entry, void *arg) {
  print_loop_line((FILE *)arg, uvf__container((uintptr_t)entry, uvf_loop_t, runs), entry->owner);
}

static void print_all(FILE *out) {
  uvf__threads_each(print_entry, out);
  uvf__fork_lock();
  for (uvf__link_t *l = named.next; l != &named; l = l->next) {
    uvf__chan_t *c = uvf__container(l, uvf__named_t, link)->chan;
    if (!uvf__chan_foreign(c)) print_chan(out, c);
  }
  uvf__fork_unlock();
}

void uvf_dump(uvf_loop_t *loop, FILE *out) {
  if (out == NULL) return;
  if (loop == NULL) {
    print_all(out);
  } else if (uvf__loop_check(loop) != 0) {
    (void)fprintf(out, "loop %p: runs on another thread\n", (void *)loop);
  } else {
    print_loop_line(out, loop, loop->runs.owner);
    for (uvf__link_t *l = loop->ops.next; l != &loop->ops; l = l->next)
      print_op(out, uvf__container(l, uvf__op_t, in_loop));
  }
  (void)fflush(out);
}
