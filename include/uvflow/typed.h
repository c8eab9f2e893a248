/* SPDX-License-Identifier: MIT */
/** @file
 * Typed ends: UVF_CHAN_TYPE(name, T) declares types and functions for channels of T, so that the compiler refuses an
 * item of another type, and a sending end where a receiving one is wanted.
 *
 *     typedef struct { int id; double value; } sample_t;
 *     UVF_CHAN_TYPE(samples, sample_t);
 *
 *     samples_tx_t tx;
 *     samples_rx_t rx;
 *     uvf_chan_options_t o = {.capacity = 64};
 *     int r = samples_create(o, &tx, &rx);
 *     r = samples_try_send(tx, &(sample_t){1, 2.5});
 *
 * The untyped end is the member `end`, for everything that has no typed form: uvf_tx_release(tx.end).
 */
#ifndef UVFLOW_TYPED_H
#define UVFLOW_TYPED_H

#include <uvflow/base.h>
#include <uvflow/ends.h>
#include <uvflow/send_recv.h>

#if defined(__cplusplus)
#define UVF__INLINE inline /**< private: not every program uses every function */
#elif defined(__GNUC__)
#define UVF__INLINE static inline __attribute__((unused)) /**< private: not every program uses every function */
#else
#define UVF__INLINE static inline /**< private: not every program uses every function */
#endif

/**
 * Declares, at file scope, for items of type T:
 *
 * - `name_tx_t` and `name_rx_t`, structs with the one member `end`;
 * - `name_create(options, &tx, &rx)` as uvf_chan_create; item_size is set to sizeof(T), whatever the options say;
 * - `name_try_send`, `name_try_recv`, `name_send_sync`, `name_recv_sync`, `name_send`, `name_recv` as the functions
 *   with the prefix uvf_, of which they have the contract;
 * - `name_items(items)`: the items of a reader's callback as a `T *`.
 *
 * T may be any type that can be assigned. <uvflow/chan.h> must be included. Follow it by a semicolon.
 */
#define UVF_CHAN_TYPE(name, T)                                                                                   \
  typedef struct {                                                                                               \
    uvf_tx_t *end;                                                                                               \
  } name##_tx_t;                                                                                                 \
  typedef struct {                                                                                               \
    uvf_rx_t *end;                                                                                               \
  } name##_rx_t;                                                                                                 \
  UVF__INLINE int name##_create(uvf_chan_options_t o, name##_tx_t *tx, name##_rx_t *rx) {                        \
    o.item_size = sizeof(T);                                                                                     \
    return tx == NULL || rx == NULL ? uvf_chan_create(&o, NULL, NULL) : uvf_chan_create(&o, &tx->end, &rx->end); \
  }                                                                                                              \
  UVF__INLINE int name##_try_send(name##_tx_t tx, T const *item) {                                               \
    return uvf_try_send(tx.end, item);                                                                           \
  }                                                                                                              \
  UVF__INLINE int name##_try_recv(name##_rx_t rx, T *item) {                                                     \
    return uvf_try_recv(rx.end, item);                                                                           \
  }                                                                                                              \
  UVF__INLINE int name##_send_sync(name##_tx_t tx, T const *item, uint64_t timeout_ms) {                         \
    return uvf_send_sync(tx.end, item, timeout_ms);                                                              \
  }                                                                                                              \
  UVF__INLINE int name##_recv_sync(name##_rx_t rx, T *item, uint64_t timeout_ms) {                               \
    return uvf_recv_sync(rx.end, item, timeout_ms);                                                              \
  }                                                                                                              \
  UVF__INLINE int name##_send(uvf_loop_t *l, uvf_req_t *req, name##_tx_t tx, T const *item, uint64_t timeout_ms, \
                              uvf_cb cb) {                                                                       \
    return uvf_send(l, req, tx.end, item, timeout_ms, cb);                                                       \
  }                                                                                                              \
  UVF__INLINE int name##_recv(uvf_loop_t *l, uvf_req_t *req, name##_rx_t rx, T *item, uint64_t timeout_ms,       \
                              uvf_cb cb) {                                                                       \
    return uvf_recv(l, req, rx.end, item, timeout_ms, cb);                                                       \
  }                                                                                                              \
  UVF__INLINE T *name##_items(void *items) {                                                                     \
    return (T *)items;                                                                                           \
  }                                                                                                              \
  struct name##_chan_type_needs_a_semicolon

#endif
