/* SPDX-License-Identifier: MIT */
/* What base/ is under the model checker: watched objects (model_watch.h), memory, threads, the clock, fork's generation, and
 * which threads run loops. Everything starts anew with each interleaving.
 *
 * A freed block is never used again in the same interleaving and is filled with a pattern, which model_end looks at: a late
 * plain write is found, too. Addresses are the same in each interleaving, as the checker needs it. */
#include "model.h"

#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fence.h"
#include "base/fork.h"
#include "wait/threads.h"

enum { ZEROED = 0, ALIVE = 0x600d600d };

#define ARENA_BYTES (256 * 1024)
#define PATTERN 0xdd
#define GAP 64

typedef struct {
  char *start;
  size_t size;
  bool freed;
} block_t;

typedef struct {
  char *object;
  void (*end)(void *);
} note_t;

alignas(64) static char arena[ARENA_BYTES];
static size_t arena_used, arena_dirty;
static block_t blocks[256];
static int block_count;
static note_t notes[1024];
static int note_count;

static unsigned iteration;
static int acting_as;
static bool runs_loop[MODEL_THREADS];
static uint64_t clocks[MODEL_THREADS];

static void fail(const char *what, rl::test_result_e result, rl::debug_info_param info) {
  rl::ctx().fail_test(what, result, info);
}

void model_assert(bool condition, const char *text, model_place_t at) {
  if (!condition) fail(text, rl::test_result_user_assert_failed, rl::debug_info(at.function, at.file, at.line));
}

/* ---- objects ---- */

static void note(void *object, void (*end)(void *)) {
  RL_ASSERT(note_count < (int)(sizeof notes / sizeof notes[0]));
  notes[note_count].object = (char *)object;
  notes[note_count++].end = end;
}

static void unnote(void *object) {
  for (int i = 0; i < note_count; i++) {
    if (notes[i].object != object) continue;
    notes[i] = notes[--note_count];
    return;
  }
}

static void end_objects(char *p, size_t size) {
  for (int i = note_count - 1; i >= 0; i--) {
    note_t n = notes[i];
    if (n.object < p || n.object >= p + size) continue;
    notes[i] = notes[--note_count];
    n.end(n.object);
  }
}

void model_forget(void *p, size_t size) {
  end_objects((char *)p, size);
  memset(p, PATTERN, size);
}

/* The two differ in their constructor alone: what is made of zeroed memory is 0 for every thread from the beginning. */
typedef rl::generic_atomic<uint64_t, false> word_t;
typedef rl::generic_atomic<uint64_t, true> zero_word_t;
typedef rl::var<uint64_t> var_t;

template <class T> static void end_of(void *object) {
  reinterpret_cast<T *>(static_cast<model_watched_t *>(object)->raw)->~T();
}

template <class T> static T *make(model_watched_t *w) {
  static_assert(sizeof(T) <= sizeof w->raw, "model_watched_t is too small");
  if (w->state == ALIVE) model_forget(w, sizeof *w);
  w->state = ALIVE;
  T *t = ::new (static_cast<void *>(w->raw)) T();
  note(w, end_of<T>);
  return t;
}

template <class T> static T &alive(model_watched_t *w, rl::debug_info_param info) {
  if (w->state != ALIVE) fail("freed, or never initialised", rl::test_result_access_to_freed_memory, info);
  return *reinterpret_cast<T *>(w->raw);
}

static rl::debug_info info_of(model_place_t at) {
  return rl::debug_info(at.function, at.file, at.line);
}

static rl::memory_order order_of(model_order_t o) {
  static const rl::memory_order orders[] = {rl::mo_relaxed, rl::mo_acquire, rl::mo_release, rl::mo_acq_rel,
                                            rl::mo_seq_cst};
  return orders[o];
}

void model_word_init(model_watched_t *w, uint64_t v, model_place_t at) {
  make<word_t>(w)->store(v, rl::mo_relaxed, info_of(at));
}

static word_t &word(model_watched_t *w, model_place_t at) {
  if (w->state == ZEROED) (void)make<zero_word_t>(w);
  return alive<word_t>(w, info_of(at));
}

uint64_t model_word_load(model_watched_t *w, model_order_t o, model_place_t at) {
  return word(w, at).load(order_of(o), info_of(at));
}

void model_word_store(model_watched_t *w, uint64_t v, model_order_t o, model_place_t at) {
  word(w, at).store(v, order_of(o), info_of(at));
}

uint64_t model_word_change(model_watched_t *w, model_change_t how, uint64_t v, model_order_t o, model_place_t at) {
  switch (how) {
  case MODEL_SWAP: return word(w, at).exchange(v, order_of(o), info_of(at));
  case MODEL_ADD: return word(w, at).fetch_add(v, order_of(o), info_of(at));
  case MODEL_SUB: return word(w, at).fetch_sub(v, order_of(o), info_of(at));
  case MODEL_OR: return word(w, at).fetch_or(v, order_of(o), info_of(at));
  default: return word(w, at).fetch_and(v, order_of(o), info_of(at));
  }
}

bool model_word_cas(model_watched_t *w, uint64_t *expected, uint64_t v, model_order_t ok, model_order_t failed,
                    model_place_t at) {
  rl::debug_info info = info_of(at);
  return word(w, at).compare_exchange_strong(*expected, v, order_of(ok), info, order_of(failed), info);
}

void model_word_end(model_watched_t *w, model_place_t at) {
  (void)word(w, at);
  model_forget(w, sizeof *w);
}

void model_fence(model_order_t o, model_place_t at) {
  rl::atomic_thread_fence(order_of(o), info_of(at));
}

void model_item_set(void *item, uint64_t v, model_place_t at) {
  model_watched_t *w = static_cast<model_watched_t *>(item);
  if (w->state == ZEROED) make<var_t>(w);
  alive<var_t>(w, info_of(at))(info_of(at)) = v;
}

uint64_t model_item_get(const void *item, model_place_t at) {
  model_watched_t *w = static_cast<model_watched_t *>(const_cast<void *>(item));
  return alive<var_t>(w, info_of(at))(info_of(at));
}

/* ---- memory ---- */

static void *take(size_t size) {
  RL_ASSERT(arena_used + size + GAP <= ARENA_BYTES && block_count < (int)(sizeof blocks / sizeof blocks[0]));
  block_t *b = &blocks[block_count++];
  b->start = arena + arena_used;
  b->size = size;
  b->freed = false;
  arena_used += (size + GAP + 63) / 64 * 64;
  if (arena_used > arena_dirty) arena_dirty = arena_used;
  return b->start;
}

void *uvf__calloc(size_t count, size_t size) {
  return take(count * size);
}

void *uvf__calloc_line(size_t size) {
  return take(size);
}

void uvf__free(void *p) {
  if (p == NULL) return;
  for (int i = 0; i < block_count; i++) {
    if (blocks[i].start != p || blocks[i].freed) continue;
    blocks[i].freed = true;
    model_forget(p, blocks[i].size);
    return;
  }
  fail("not allocated, or freed before", rl::test_result_double_free, $);
}

void uvf__free_line(void *p) {
  uvf__free(p);
}

static void crashed(int signal) {
  static const char text[] = "RESULT found: ACCESS TO FREED MEMORY (the program was stopped)\n";
  (void)signal;
  if (write(STDOUT_FILENO, text, sizeof text - 1) < 0) _exit(2);
  _exit(1);
}

void model_begin(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  signal(SIGSEGV, crashed);
  signal(SIGBUS, crashed);
  iteration++;
  memset(arena, 0, arena_dirty);
  arena_used = arena_dirty = 0;
  block_count = note_count = 0;
  acting_as = -1;
  memset(runs_loop, 0, sizeof runs_loop);
  memset(clocks, 0, sizeof clocks);
  memset((void *)&uvf__generation, 0, sizeof uvf__generation);
  a_init(&uvf__generation, 1);
}

void model_end(void) {
  for (int i = 0; i < block_count; i++) {
    if (!blocks[i].freed) fail("a block", rl::test_result_memory_leak, $);
    for (size_t k = 0; k < blocks[i].size; k++)
      if ((unsigned char)blocks[i].start[k] != PATTERN)
        fail("written after it was freed", rl::test_result_access_to_freed_memory, $);
  }
  while (note_count > 0) {
    note_t n = notes[--note_count];
    n.end(n.object);
  }
}

/* ---- threads ---- */

static unsigned self(void) {
  return acting_as >= 0 ? (unsigned)acting_as : rl::thread_index();
}

unsigned model_own(void *variable, size_t size) {
  unsigned *of = static_cast<unsigned *>(variable);
  if (*of != iteration) memset(variable, 0, size);
  *of = iteration;
  return self();
}

void model_act_as(int index) {
  acting_as = index;
}

void model_runs_loop(int index, bool yes) {
  runs_loop[index] = yes;
}

void model_advance_clock(uint64_t us) {
  clocks[self()] += us;
}

void model_pause(void) {
  rl::yield(1, $);
}

uint64_t uvf__thread_id(void) {
  return self() + 1;
}

/* Time passes, so that who yields until some time has passed does not do so for ever. */
void uvf__thread_yield(void) {
  clocks[self()]++;
  model_pause();
}

void uvf__model_yield(void) {
  model_pause();
}

uint64_t uvf__clock_us(void) {
  return clocks[self()];
}

uint64_t uvf__clock_us_coarse(void) {
  return uvf__clock_us();
}

uint64_t uvf__clock_us_about(void) {
  return uvf__clock_us();
}

int uvf__mutex_init(uvf__mutex_t *m) {
  (void)make<rl::mutex>(m);
  return 0;
}

/* A dead one keeps its memory, and its state tells whoever comes too late. */
template <class T> static void destroy(model_watched_t *w) {
  (void)alive<T>(w, $);
  unnote(w);
  end_of<T>(w);
  memset((void *)w, PATTERN, sizeof *w);
}

void uvf__mutex_destroy(uvf__mutex_t *m) {
  destroy<rl::mutex>(m);
}

void uvf__lock(uvf__mutex_t *m) {
  alive<rl::mutex>(m, $).lock($);
}

void uvf__unlock(uvf__mutex_t *m) {
  alive<rl::mutex>(m, $).unlock($);
}

int uvf__cond_init(uvf__cond_t *c) {
  (void)make<rl::condition_variable>(c);
  return 0;
}

void uvf__cond_destroy(uvf__cond_t *c) {
  destroy<rl::condition_variable>(c);
}

void uvf__cond_signal(uvf__cond_t *c) {
  alive<rl::condition_variable>(c, $).notify_one($);
}

/* The checker decides whether a timed wait times out; then the thread's clock has moved. In random runs the wait may also have
 * ended for no reason; to the exhaustive search that would be a tree without end. */
void uvf__cond_wait(uvf__cond_t *c, uvf__mutex_t *m, uint64_t until_us) {
  if (until_us == UINT64_MAX)
    alive<rl::condition_variable>(c, $).wait(alive<rl::mutex>(m, $), $);
  else if (!alive<rl::condition_variable>(c, $).wait_for(alive<rl::mutex>(m, $), 0, $) && clocks[self()] < until_us &&
           (!rl::ctx().is_random_sched() || rl::rand(2) == 0))
    clocks[self()] = until_us;
}

/* ---- which threads run loops, and fork ---- */

bool uvf__threads_runs_loop(void) {
  return runs_loop[self()];
}

void uvf__threads_bind(uvf__runs_t *entry) {
  (void)entry;
  runs_loop[self()] = true;
}

void uvf__threads_unbind(uvf__runs_t *entry) {
  (void)entry;
}

void uvf__threads_each(void (*each)(const uvf__runs_t *entry, void *arg), void *arg) {
  (void)each;
  (void)arg;
}

void uvf__threads_after_fork(void) {
}

a_u32 uvf__generation;

void uvf__fork_lock(void) {
}

void uvf__fork_unlock(void) {
}

int uvf__fork_watch(void (*in_child)(void)) {
  (void)in_child;
  return 0;
}
