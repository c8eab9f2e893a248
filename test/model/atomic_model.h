/* SPDX-License-Identifier: MIT */
/* base/atomic.h under the model checker: the same short names. Each is a scheduling point, and a load may return an old value
 * wherever its order allows that. Zeroed memory reads as 0, as it does in C. All are kept as 64 bits. */
#ifndef UVF_TEST_MODEL_ATOMIC_H
#define UVF_TEST_MODEL_ATOMIC_H

#include "model_watch.h"

enum model_order_t { MODEL_relaxed, MODEL_acquire, MODEL_release, MODEL_acq_rel, MODEL_seq_cst };
enum model_change_t { MODEL_SWAP, MODEL_ADD, MODEL_SUB, MODEL_OR, MODEL_AND };

void model_word_init(model_watched_t *w, uint64_t v, model_place_t at);
uint64_t model_word_load(model_watched_t *w, model_order_t o, model_place_t at);
void model_word_store(model_watched_t *w, uint64_t v, model_order_t o, model_place_t at);
uint64_t model_word_change(model_watched_t *w, model_change_t how, uint64_t v, model_order_t o, model_place_t at);
bool model_word_cas(model_watched_t *w, uint64_t *expected, uint64_t v, model_order_t ok, model_order_t fail,
                    model_place_t at);
void model_word_end(model_watched_t *w, model_place_t at);
void model_fence(model_order_t o, model_place_t at);
void uvf__model_yield(void);

template <class T> struct model_atomic { model_watched_t w; };

typedef model_atomic<uint32_t> a_u32;
typedef model_atomic<uint64_t> a_u64;
#define A_PTR(T) model_atomic<T *>

template <class T, class V> void model_init(model_atomic<T> *p, V v, model_place_t at) {
  model_word_init(&p->w, (uint64_t)(T)v, at);
}
template <class T> T model_load(model_atomic<T> *p, model_order_t o, model_place_t at) {
  return (T)model_word_load(&p->w, o, at);
}
template <class T, class V> void model_store(model_atomic<T> *p, V v, model_order_t o, model_place_t at) {
  model_word_store(&p->w, (uint64_t)(T)v, o, at);
}
template <class T, class V>
T model_change(model_atomic<T> *p, model_change_t how, V v, model_order_t o, model_place_t at) {
  return (T)model_word_change(&p->w, how, (uint64_t)(T)v, o, at);
}
template <class T, class V>
bool model_cas(model_atomic<T> *p, T *expected, V v, model_order_t ok, model_order_t fail, model_place_t at) {
  uint64_t e = (uint64_t)*expected;
  bool done = model_word_cas(&p->w, &e, (uint64_t)(T)v, ok, fail, at);
  *expected = (T)e;
  return done;
}

#define a_init(p, v) model_init((p), (v), MODEL_HERE)
#define a_load(p, o) model_load((p), MODEL_##o, MODEL_HERE)
#define a_store(p, v, o) model_store((p), (v), MODEL_##o, MODEL_HERE)
#define a_swap(p, v, o) model_change((p), MODEL_SWAP, (v), MODEL_##o, MODEL_HERE)
#define a_add(p, v, o) model_change((p), MODEL_ADD, (v), MODEL_##o, MODEL_HERE)
#define a_sub(p, v, o) model_change((p), MODEL_SUB, (v), MODEL_##o, MODEL_HERE)
#define a_or(p, v, o) model_change((p), MODEL_OR, (v), MODEL_##o, MODEL_HERE)
#define a_and(p, v, o) model_change((p), MODEL_AND, (v), MODEL_##o, MODEL_HERE)
#define a_cas(p, expected, v, ok, fail) model_cas((p), (expected), (v), MODEL_##ok, MODEL_##fail, MODEL_HERE)
#define a_fini(p) model_word_end(&(p)->w, MODEL_HERE)
#define a_fence(o) model_fence(MODEL_##o, MODEL_HERE)

#endif
