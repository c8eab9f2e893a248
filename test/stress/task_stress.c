/* SPDX-License-Identifier: MIT */
/* Rounds of some thousand tasks. Four threads spawn them, onto the pools and the threads of two loops, onto threads
 * made for it and onto lanes of random limits; they await them, blocking, or have them awaited by a loop, cancel them,
 * abandon them, take their values, and let others follow them; some tasks are finished later by another thread, and
 * some are promises; the loops offload work, cancel it, and are detached and attached again; lanes are paused, closed,
 * aborted and replaced. Then the books are checked: each task ran or its arg was dropped, each value that was set was
 * taken or dropped, all who saw a task's end saw the same one, and nothing is left of the library's memory.
 *
 *   task_stress [--seed N] [--seconds S | --tasks N | --nightly] [--waker async|eventfd] */
#include "task_loopers.h"

enum { WINDOW = 16 };

/* A thread that spawns, with flowvars that it has not done with. */
typedef struct {
  pthread_t thread;
  rng_t rng;
  letter_t window[WINDOW];
  uint32_t count;
  bool enough;
} spawner_t;

static spawner_t spawners[SPAWNERS];

static struct {
  uint64_t rounds, accepted, refused, ran, arg_dropped, set, taken, dropped, cancelled, awaits, detaches;
  uint64_t offloads, offloads_cancelled;
} total;

/* ---- what a spawner does ---- */

static void keep(spawner_t *s, uvf_flowvar_t *fv, uint32_t number) {
  s->window[s->count++] = (letter_t){fv, number};
}

static void spawn_some(spawner_t *s) {
  for (uint32_t n = 1 + rng_below(&s->rng, WINDOW); n > 0 && s->count < WINDOW; n--) {
    uvf_flowvar_t *fv;
    uint32_t number;
    bool blind = one_in(&s->rng, 4);
    bool good = spawn(&s->rng, blind ? NULL : &fv, &number);
    if (number >= now.tasks) s->enough = true;
    if (good && !blind) keep(s, fv, number);
  }
}

static void promise_one(spawner_t *s) {
  uvf_spawn_options_t o = spawn_options();
  uvf_flowvar_t *fv;
  uvf_task_t *task;
  uint32_t number;
  if (!number_new(PROMISED, &number)) return;
  must_be(uvf_promise_create(&o, &task, &fv), 0, "uvf_promise_create");
  book(number, ACCEPTED, 0);
  keep(s, fv, number);
  finish_later(task, number, true);
}

/* One follower for each: the flowvar is moved on to it. */
static void follow_one(spawner_t *s, letter_t *letter) {
  uvf_spawn_options_t o = spawn_options();
  uvf_flowvar_t *fv;
  uint32_t number;
  if (now.books[letter->number].follower != 0 || !number_new(FOLLOWS, &number)) return;
  now.books[letter->number].follower = number;
  uvf_executor_t *ex = place_any(&s->rng);
  must_be(uvf_then(letter->fv, ex, work_after, &o, &fv), 0, "uvf_then");
  uvf_executor_release(ex);
  book(number, ACCEPTED, 0);
  uvf_flowvar_release(letter->fv);
  *letter = (letter_t){fv, number};
}

static void cancel_one(const letter_t *letter) {
  int r = uvf_flowvar_cancel(letter->fv);
  must(r == 0 || r == UV_EBUSY || r == UV_EALREADY);
  if (r == 0) book(letter->number, CANCELLED, RAN);
  if (r == 0) must_be(uvf_try_await(letter->fv), UV_ECANCELED, "after a cancel");
}

/* The end of a flowvar's way. */
static void part_with(spawner_t *s, letter_t letter) {
  switch (rng_below(&s->rng, 6)) {
  case 0: break; /* abandoned */
  case 1:
  case 2:
    if (mail_put(&loopers[rng_below(&s->rng, LOOPS)], letter)) return;
    break;
  case 3: outcome_seen(letter.number, uvf_await_sync(letter.fv, rng_below(&s->rng, 2))); break;
  default:
    outcome_seen(letter.number, uvf_await_sync(letter.fv, UVF_FOREVER));
    if (one_in(&s->rng, 2)) value_take(letter.fv, letter.number);
    break;
  }
  uvf_flowvar_release(letter.fv);
}

/* A loop awaits it, and it is kept, too. */
static void await_here_and_there(spawner_t *s, const letter_t *letter) {
  letter_t copy = {uvf_flowvar_retain(letter->fv), letter->number};
  if (!mail_put(&loopers[rng_below(&s->rng, LOOPS)], copy)) uvf_flowvar_release(copy.fv);
}

static void treat_one(spawner_t *s) {
  if (s->count == 0) return;
  uint32_t i = rng_below(&s->rng, s->count);
  switch (rng_below(&s->rng, 8)) {
  case 0: follow_one(s, &s->window[i]); return;
  case 1: cancel_one(&s->window[i]); return;
  case 2: outcome_seen(s->window[i].number, uvf_try_await(s->window[i].fv)); return;
  case 3: value_take(s->window[i].fv, s->window[i].number); return;
  case 4: await_here_and_there(s, &s->window[i]); return;
  default: part_with(s, s->window[i]); break;
  }
  s->window[i] = s->window[--s->count];
}

static void control_one(rng_t *g) {
  static const uint32_t lanes[] = {LANE, NARROW, LOOPS_OWN + POOL_LANE, LOOPS_OWN + PER_LOOP + POOL_LANE};
  static const uint32_t below[] = {THREADS, LANE, LOOPS_OWN + POOL, LOOPS_OWN + PER_LOOP + POOL};
  uint32_t i = rng_below(g, 4);
  uvf_executor_t *ex = place_get(lanes[i]), *on = place_get(below[i]);
  if (ex != NULL && one_in(g, 2)) {
    must_be(uvf_executor_pause(ex), 0, "uvf_executor_pause");
    shake(g, 1);
    must_be(uvf_executor_resume(ex), 0, "uvf_executor_resume");
  } else if (ex != NULL && on != NULL) {
    int r = one_in(g, 2) ? uvf_executor_close(ex) : uvf_executor_abort(ex);
    must(r == 0 || r == UV_EALREADY);
    lane_put(lanes[i], on, g);
  }
  uvf_executor_release(ex);
  uvf_executor_release(on);
}

static void *spawner_thread(void *arg) {
  spawner_t *s = arg;
  while (!s->enough) {
    spawn_some(s);
    if (one_in(&s->rng, 8) && s->count < WINDOW) promise_one(s);
    for (uint32_t n = rng_below(&s->rng, WINDOW); n > 0; n--)
      treat_one(s);
    if (one_in(&s->rng, 64)) control_one(&s->rng);
    shake(&s->rng, now.seldom);
  }
  while (s->count > 0)
    part_with(s, s->window[--s->count]);
  return NULL;
}

/* ---- a round ---- */

static void round_make(uint64_t seed) {
  rng_t g = {seed};
  memset(&now, 0, sizeof now);
  now.tasks = 1u << (7 + rng_below(&g, 9));
  now.seldom = 1u << (2 + rng_below(&g, 10));
  for (uint32_t i = 0; i < now.tasks; i++)
    atomic_init(&now.books[i].outcome, NO_OUTCOME);
  atomic_init(&now.numbers, 1); /* 0 is no follower */
  for (uint32_t i = 0; i < PLACES; i++)
    must(pthread_mutex_init(&now.places[i].lock, NULL) == 0);
  must(pthread_mutex_init(&now.finisher.lock, NULL) == 0 && pthread_cond_init(&now.finisher.more, NULL) == 0);
  uvf_threads_options_t o = {.threads = 1 + rng_below(&g, 3), .name = "stress"};
  must_be(uvf_threads_create(&o, &now.places[THREADS].ex), 0, "uvf_threads_create");
  lane_put(LANE, now.places[THREADS].ex, &g);
  lane_put(NARROW, now.places[LANE].ex, &g);
  memset(loopers, 0, sizeof loopers);
  for (uint32_t i = 0; i < LOOPS; i++) {
    looper_t *l = &loopers[i];
    l->index = i;
    l->rng = rng_split(&g);
    must(pthread_mutex_init(&l->lock, NULL) == 0);
    for (int k = 0; k < SLOTS; k++) {
      l->slots[k].owner = l;
      l->slots[k].req.data = &l->slots[k];
    }
  }
  memset(spawners, 0, sizeof spawners);
  for (uint32_t i = 0; i < SPAWNERS; i++)
    spawners[i].rng = rng_split(&g);
}

static void start(pthread_t *thread, void *(*run)(void *), void *arg) {
  must(pthread_create(thread, NULL, run, arg) == 0);
}

static void places_end(void) {
  for (uint32_t i = 0; i < PLACES; i++) {
    uvf_executor_t *ex = place_put(i, NULL);
    if (ex == NULL) continue;
    int r = uvf_executor_close(ex);
    must(r == 0 || r == UV_EALREADY);
    must_be(uvf_wait_idle_sync(ex, UVF_FOREVER), 0, "uvf_wait_idle_sync");
    uvf_executor_release(ex);
  }
}

static void round_run(void) {
  start(&now.finisher.thread, finisher_thread, NULL);
  for (uint32_t i = 0; i < LOOPS; i++)
    start(&loopers[i].thread, looper_thread, &loopers[i]);
  for (uint32_t i = 0; i < SPAWNERS; i++)
    start(&spawners[i].thread, spawner_thread, &spawners[i]);
  for (uint32_t i = 0; i < SPAWNERS; i++)
    (void)pthread_join(spawners[i].thread, NULL);
  for (uint32_t i = 0; i < LOOPS; i++) {
    (void)pthread_mutex_lock(&loopers[i].lock);
    loopers[i].ending = true;
    (void)pthread_mutex_unlock(&loopers[i].lock);
  }
  for (uint32_t i = 0; i < LOOPS; i++)
    (void)pthread_join(loopers[i].thread, NULL);
  places_end();
  (void)pthread_mutex_lock(&now.finisher.lock);
  now.finisher.ended = true; /* all have begun that ever will */
  (void)pthread_cond_signal(&now.finisher.more);
  (void)pthread_mutex_unlock(&now.finisher.lock);
  (void)pthread_join(now.finisher.thread, NULL);
}

/* ---- checking it ---- */

static bool has(unsigned bits, unsigned what) {
  return (bits & what) != 0;
}

static bool book_good(const book_t *b, unsigned bits, int outcome) {
  if (bits == REFUSED) return outcome == NO_OUTCOME;
  if (!has(bits, ACCEPTED) || has(bits, REFUSED)) return false;
  if (b->kind == SPAWNED && has(bits, RAN) == has(bits, ARG_DROPPED)) return false;
  if (has(bits, SET) ? has(bits, TAKEN) == has(bits, DROPPED) : has(bits, TAKEN | DROPPED)) return false;
  if (has(bits, SET) && b->kind != PROMISED && !has(bits, RAN)) return false;
  if (has(bits, CANCELLED) && (has(bits, RAN | SET) || (outcome != UV_ECANCELED && outcome != NO_OUTCOME)))
    return false;
  switch (outcome) {
  case NO_OUTCOME: return true;
  case 0: return has(bits, SET);
  case UV_ECANCELED: return !has(bits, RAN | SET);
  case UV_ECONNRESET: return !has(bits, SET) && (has(bits, RAN) || b->kind != SPAWNED);
  case UV_EALREADY: /* the value of what it follows was taken */
  case UV_EPIPE: return b->kind == FOLLOWS && !has(bits, RAN | SET);
  default: return false;
  }
}

static void round_check(void) {
  for (uint32_t i = 1; i < now.tasks; i++) {
    book_t *b = &now.books[i];
    unsigned bits = atomic_load(&b->bits);
    int outcome = atomic_load(&b->outcome);
    if (!book_good(b, bits, outcome))
      die("task %u of kind %d ends with %u, outcome %d", i, (int)b->kind, bits, outcome);
    total.accepted += has(bits, ACCEPTED);
    total.refused += has(bits, REFUSED);
    total.ran += has(bits, RAN);
    total.arg_dropped += has(bits, ARG_DROPPED);
    total.set += has(bits, SET);
    total.taken += has(bits, TAKEN);
    total.dropped += has(bits, DROPPED);
    total.cancelled += has(bits, CANCELLED);
  }
  must(atomic_load(&now.offloads) == atomic_load(&now.offloads_called) + atomic_load(&now.offloads_cancelled));
  must(atomic_load(&now.offloads_ran) == atomic_load(&now.offloads_called));
  total.offloads += atomic_load(&now.offloads);
  total.offloads_cancelled += atomic_load(&now.offloads_cancelled);
  for (uint32_t i = 0; i < LOOPS; i++) {
    total.detaches += loopers[i].detaches;
    total.awaits += loopers[i].awaits;
    (void)pthread_mutex_destroy(&loopers[i].lock);
  }
  for (uint32_t i = 0; i < PLACES; i++)
    (void)pthread_mutex_destroy(&now.places[i].lock);
  (void)pthread_cond_destroy(&now.finisher.more);
  (void)pthread_mutex_destroy(&now.finisher.lock);
  while (fault_blocks() != 0) /* threads that are about to end; what stays is found by the watchdog */
    (void)sched_yield();
  total.rounds++;
  moved();
}

/* Looks at what others write while they run, or are stuck. */
static void describe_round(void) {
  fprintf(stderr, "%u of %u tasks; %ld blocks of memory\n", atomic_load(&now.numbers), now.tasks, fault_blocks());
  for (uint32_t i = 0; i < SPAWNERS; i++)
    fprintf(stderr, "spawner %u keeps %u%s\n", i, spawners[i].count, spawners[i].enough ? ", has enough" : "");
  for (uint32_t i = 0; i < LOOPS; i++) {
    uint32_t pending = 0;
    for (int k = 0; k < SLOTS; k++)
      pending += loopers[i].slots[k].pending;
    fprintf(stderr, "loop %u: %u letters, %u requests%s%s\n", i, loopers[i].letters, pending,
            loopers[i].detaching ? ", detaching" : "", loopers[i].last ? ", last" : "");
  }
}

static bool enough(uint64_t began_us) {
  if (args.messages > 0) return total.accepted >= args.messages;
  return now_us() - began_us >= args.seconds * 1000000;
}

int main(int argc, char **argv) {
  arguments(argc, argv);
  if (args.seconds == 0 && args.messages == 0) args.seconds = 5;
  if (args.nightly) args.messages = 20000000;
  printf("seed %" PRIu64 "\n", args.seed);
  (void)fflush(stdout);
  must_be(fault_install(), 0, "uvf_replace_allocator");
  describe = describe_round;
  watch_start();
  uint64_t began_us = now_us();
  do {
    round_seed = args.seed + total.rounds;
    round_make(round_seed);
    round_run();
    round_check();
  } while (!enough(began_us));
  watch_stop();
  printf("rounds %" PRIu64 ": tasks %" PRIu64 " (refused %" PRIu64 "): ran %" PRIu64 ", args dropped %" PRIu64
         ", cancelled %" PRIu64 "; values set %" PRIu64 " = taken %" PRIu64 " + dropped %" PRIu64 "; offloads %" PRIu64
         ", of these cancelled %" PRIu64 "; awaited by loops %" PRIu64 ", detaches %" PRIu64 ", %.1f s\n",
         total.rounds, total.accepted, total.refused, total.ran, total.arg_dropped, total.cancelled, total.set,
         total.taken, total.dropped, total.offloads, total.offloads_cancelled, total.awaits, total.detaches,
         (double)(now_us() - began_us) / 1e6);
  return total.set == total.taken + total.dropped ? 0 : 1;
}
