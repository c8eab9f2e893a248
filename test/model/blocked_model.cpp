/* SPDX-License-Identifier: MIT */
/* A blocked thread, on the waiting lists of a small semaphore, with and without a timeout, and two threads that release
 * units: granted to the first waiter, or announced so that it tries for itself. No unit is lost or given twice, nobody
 * sleeps for ever, and nobody touches the blocked thread's stack once it has gone on.
 * sources: wait/blocked.c wait/waits.c wait/op.c wait/bells.c base/fence.c
 * flags: -DSPINS=1 */
#include "model.h"

#include <uvflow/base.h>
#include <uvflow/loop.h>

#include "wait/blocked.h"
#include "wait/waits.h"

static bool grants;
static uint64_t timeout_ms;

typedef struct {
  uvf__waits_t waits;
  model_item_t count; /* units there; under the lock of waits */
  int released, taken;
} state_t;

static state_t *s;

/* Under the lock. */
static bool take_unit(void) {
  uint64_t n = item_get(&s->count);
  if (n != 0) item_set(&s->count, n - 1);
  return n != 0;
}

static int attempt(uvf__waiter_t *w) {
  (void)w;
  uvf__lock(&s->waits.lock);
  bool took = take_unit();
  uvf__unlock(&s->waits.lock);
  return took ? 0 : UV_EAGAIN;
}

static bool enlist(uvf__waiter_t *w, bool front) {
  uvf__lock(&s->waits.lock);
  bool stay = item_get(&s->count) == 0;
  if (stay) uvf__waits_link(&s->waits, &s->waits.rx, w, front);
  uvf__unlock(&s->waits.lock);
  return stay;
}

static void withdraw(uvf__waiter_t *w) {
  uvf__lock(&s->waits.lock);
  uvf__waits_unlink(&s->waits, &s->waits.rx, w);
  uvf__unlock(&s->waits.lock);
}

static void nothing(uvf__waiter_t *w) {
  (void)w;
}

static void release_object(void *object) {
  (void)object;
}

static const uvf__wait_type_t type = {attempt, enlist, withdraw, nothing, release_object, "for", NULL};

/* No loop here. */
void uvf__loop_ring(uvf_loop_t *loop) {
  (void)loop;
}

bool uvf__ready_push(uvf_loop_t *loop, uvf__node_t *node, uvf__bells_t *bells) {
  (void)loop, (void)node, (void)bells;
  return false;
}

struct model : rl::test_suite<model, 4> {
  void before() {
    model_begin();
    s = model_new<state_t>();
    RL_ASSERT(uvf__waits_init(&s->waits, UVF__FENCE_PLAIN) == 0);
    item_set(&s->count, 0);
  }

  void release() {
    uvf__bells_t bells = uvf__bells_none();
    uvf__lock(&s->waits.lock);
    s->released++;
    if (!grants || !uvf__waits_fire(&s->waits, &s->waits.rx, 0, &bells)) item_set(&s->count, item_get(&s->count) + 1);
    if (!grants) (void)uvf__waits_fire(&s->waits, &s->waits.rx, UV_EAGAIN, &bells);
    uvf__unlock(&s->waits.lock);
    uvf__bells_ring(&bells);
  }

  void acquire() {
    int r = uvf__wait_blocking(&type, s, NULL, timeout_ms);
    RL_ASSERT(r == 0 || (r == UV_ETIMEDOUT && timeout_ms != UVF_FOREVER));
    if (r == 0) s->taken++;
  }

  void thread(unsigned index) {
    if (index < 2)
      release();
    else
      acquire();
  }

  void after() {
    RL_ASSERT(s->released == s->taken + (int)item_get(&s->count));
    RL_ASSERT(uvf__list_empty(&s->waits.rx.list) && a_load(&s->waits.marks, relaxed) == 0);
    uvf__waits_destroy(&s->waits);
    uvf__free(s);
    model_end();
  }
};

static bool run(const char *name, bool grant, uint64_t ms, unsigned random) {
  grants = grant;
  timeout_ms = ms;
  return model_run<model>(name, random, 1);
}

int main(void) {
  bool ok = run("granted", true, UVF_FOREVER, 50000) && run("granted, or timed out", true, 1, 70000) &&
            run("notified", false, UVF_FOREVER, 50000) && run("notified, or timed out", false, 1, 70000);
  return ok ? 0 : 1;
}
