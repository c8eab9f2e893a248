/* SPDX-License-Identifier: MIT */
/* Waiting for an executor: for room in its queue, and until nothing is to do. Idle is decided by whoever sees it: that it was so at
 * one moment is enough. Who waits for room is told to look, as many at a time as there is room for, so that a thousand who wait
 * for a lane of ten do not all come running; who looks in vain keeps its turn. Whoever was told counts as room that is taken until
 * it has had its turn: until its callback has returned, or, a thread, until it has looked. Then the next one is told if it left
 * the room to others. Its waiter is of another type meanwhile, so that its end says so. */
#include "task/executor.h"
#include "wait/blocked.h"
#include "wait/request.h"
#include "wait/threads.h"

static uvf_executor_t *executor_of(const uvf__waiter_t *w) {
  return (uvf_executor_t *)w->object;
}

static const uvf__wait_type_t *told_type(void);

/* ---- under the lock ---- */

static bool is_idle(uvf_executor_t *ex) {
  uvf__intake_gather(ex);
  if (ex->running > 0 || (ex->queued > 0 && !ex->paused)) return false;
  return !ex->closed || ex->threads == 0;
}

static int room(const uvf_executor_t *ex) {
  return ex->closed ? UV_EPIPE : ex->stats.queued < ex->capacity ? 0 : UV_EAGAIN;
}

/* The next one who waits for room. False: there is none. */
static bool tell_of_room(uvf_executor_t *ex, uvf__bells_t *bells) {
  uvf__waiter_t *w;
  while ((w = uvf__waits_first(&ex->waits.tx)) != NULL) {
    if (uvf__waits_decide(w, UV_EAGAIN)) {
      w->type = told_type();
      ex->told++;
      uvf__waits_announce(&ex->waits, &ex->waits.tx, w, bells);
      return true;
    }
    uvf__waits_unlink(&ex->waits, &ex->waits.tx, w); /* it has left */
  }
  return false;
}

static bool has_room_to_tell_of(const uvf_executor_t *ex) {
  return ex->closed || (ex->stats.queued < ex->capacity && ex->told < ex->capacity - ex->stats.queued);
}

bool uvf__executor_tell(uvf_executor_t *ex, uvf__bells_t *bells) {
  if (uvf__waits_look(&ex->waits) == 0) return false;
  bool idle = is_idle(ex);
  while (has_room_to_tell_of(ex) && !uvf__bells_full(bells) && tell_of_room(ex, bells)) {
  }
  while (idle && !uvf__bells_full(bells) && uvf__waits_fire(&ex->waits, &ex->waits.end, 0, bells)) {
  }
  return uvf__bells_full(bells);
}

void uvf__executor_tell_all(uvf_executor_t *ex) {
  bool more = true;
  while (more) {
    uvf__bells_t bells = uvf__bells_none();
    uvf__lock(&ex->waits.lock);
    more = uvf__executor_tell(ex, &bells);
    uvf__unlock(&ex->waits.lock);
    uvf__bells_ring(&bells);
  }
}

/* ---- the two kinds of waits ---- */

static int look(uvf_executor_t *ex, bool for_room) {
  if (uvf__executor_foreign(ex)) return UV_ENOTSUP;
  uvf__lock(&ex->waits.lock);
  int r = for_room ? room(ex) : is_idle(ex) ? 0 : UV_EAGAIN;
  uvf__unlock(&ex->waits.lock);
  return r;
}

static int room_attempt(uvf__waiter_t *w) {
  return look(executor_of(w), true);
}

static int idle_attempt(uvf__waiter_t *w) {
  return look(executor_of(w), false);
}

/* What they wait for changes under the same lock. */
static bool room_enlist(uvf__waiter_t *w, bool front) {
  uvf_executor_t *ex = executor_of(w);
  uvf__lock(&ex->waits.lock);
  bool stay = room(ex) == UV_EAGAIN;
  if (stay) uvf__waits_link(&ex->waits, &ex->waits.tx, w, front);
  uvf__unlock(&ex->waits.lock);
  return stay;
}

static bool idle_enlist(uvf__waiter_t *w, bool front) {
  uvf_executor_t *ex = executor_of(w);
  uvf__lock(&ex->waits.lock);
  bool stay = !is_idle(ex);
  if (stay) uvf__waits_link(&ex->waits, &ex->waits.end, w, front);
  uvf__unlock(&ex->waits.lock);
  return stay;
}

static void withdraw(uvf__waiter_t *w, uvf__waitlist_t *list) {
  uvf_executor_t *ex = executor_of(w);
  uvf__waits_withdraw(&ex->waits, list, w);
}

static void room_withdraw(uvf__waiter_t *w) {
  withdraw(w, &executor_of(w)->waits.tx);
}

static void idle_withdraw(uvf__waiter_t *w) {
  withdraw(w, &executor_of(w)->waits.end);
}

/* Those who wait for idle are all told; those who wait for room pass it on when they have had their turn. */
static void pass_on(uvf__waiter_t *w) {
  (void)w;
}

static void release(void *ex) {
  uvf_executor_release((uvf_executor_t *)ex);
}

static const char *name_of(const void *ex) {
  return ((const uvf_executor_t *)ex)->name;
}

static const uvf__wait_type_t room_wait = {room_attempt,           room_enlist, room_withdraw, pass_on, release,
                                           "for room in executor", name_of};
static const uvf__wait_type_t idle_wait = {
    idle_attempt, idle_enlist, idle_withdraw, pass_on, release, "for the end of the work of executor", name_of};

/* ---- who was told of room ---- */

static void had_its_turn(uvf_executor_t *ex) {
  uvf__lock(&ex->waits.lock);
  ex->told--;
  uvf__unlock(&ex->waits.lock);
}

/* What a thread does after its wait, nobody hears of. */
static int told_attempt(uvf__waiter_t *w) {
  if (w->op->loop == NULL) {
    w->type = &room_wait;
    had_its_turn(executor_of(w));
    uvf__executor_tell_all(executor_of(w));
  }
  return room_attempt(w);
}

static bool told_enlist(uvf__waiter_t *w, bool front) {
  w->type = &room_wait;
  had_its_turn(executor_of(w));
  return room_enlist(w, front);
}

static void told_release(void *ex) {
  had_its_turn((uvf_executor_t *)ex);
  uvf__executor_tell_all((uvf_executor_t *)ex);
  release(ex);
}

static const uvf__wait_type_t told_wait = {told_attempt,           told_enlist, room_withdraw, pass_on, told_release,
                                           "for room in executor", name_of};

static const uvf__wait_type_t *told_type(void) {
  return &told_wait;
}

/* ---- starting ---- */

static int start(uvf_loop_t *l, uvf_req_t *req, const uvf__wait_type_t *type, uvf_executor_t *ex, uint64_t timeout_ms,
                 uvf_cb cb) {
  if (ex == NULL) return UV_EINVAL;
  if (uvf__executor_foreign(ex)) return UV_ENOTSUP;
  return uvf__request_start(l, req, type, uvf_executor_retain(ex), NULL, timeout_ms, cb);
}

/* never: whether this thread itself is what it would wait for. */
static int block(const uvf__wait_type_t *type, uvf_executor_t *ex, bool never, uint64_t timeout_ms) {
  if (uvf__threads_runs_loop() || never) return UVF_EDEADLK;
  int r = uvf__wait_try(type, ex, NULL);
  return r == UV_EAGAIN ? uvf__wait_blocking(type, ex, NULL, timeout_ms) : r;
}

int uvf_wait_idle(uvf_loop_t *l, uvf_req_t *req, uvf_executor_t *ex, uint64_t timeout_ms, uvf_cb cb) {
  return start(l, req, &idle_wait, ex, timeout_ms, cb);
}

int uvf_wait_room(uvf_loop_t *l, uvf_req_t *req, uvf_executor_t *lane, uint64_t timeout_ms, uvf_cb cb) {
  return start(l, req, &room_wait, lane, timeout_ms, cb);
}

int uvf_wait_idle_sync(uvf_executor_t *ex, uint64_t timeout_ms) {
  if (ex == NULL) return UV_EINVAL;
  bool never = uvf__runner_runs(ex, NULL) || (uvf__runner_blocks(&ex->where) && look(ex, false) == UV_EAGAIN);
  return block(&idle_wait, ex, never, timeout_ms);
}

int uvf_wait_room_sync(uvf_executor_t *lane, uint64_t timeout_ms) {
  return lane == NULL ? UV_EINVAL : block(&room_wait, lane, uvf__runner_blocks(&lane->where), timeout_ms);
}
