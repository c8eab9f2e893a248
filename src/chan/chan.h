/* SPDX-License-Identifier: MIT */
/* A channel: a queue (or, for a rendezvous, none), waiting lists, two counted ends. Its files: create.c, chan.c (ends, freeing),
 * close.c, queued.c with queued_wait.c and rendezvous.c (the two kinds), overflow.c (the drop modes), send.c, recv.c, permit.c
 * and watch.c (the operations), reader.c, stats.c, dump.c. */
#ifndef UVF_CHAN_CHAN_H
#define UVF_CHAN_CHAN_H

#include <limits.h>

#include <uvflow/chan.h>

#include "base/fork.h"
#include "queue/block_list.h"
#include "queue/cell.h"
#include "queue/item.h"
#include "queue/locked_ring.h"
#include "queue/mpmc_ring.h"
#include "queue/spsc_ring.h"
#include "wait/waits.h"

typedef struct uvf__chan_s uvf__chan_t;

/* src/README.md says why each of them exists. */
typedef enum {
  UVF__NO_QUEUE, /* rendezvous */
  UVF__LOCKED_RING,
  UVF__BLOCK_LIST,
  UVF__SPSC_RING,
  UVF__MPMC_RING,
  UVF__CELL /* one-shot, flowvar */
} uvf__queue_kind_t;

/* What differs between channels with a queue and a rendezvous. Results as in queue.h, but without UVF__BUSY. */
typedef struct {
  int (*send)(uvf__chan_t *c, const void *items, int n);
  int (*recv)(uvf__chan_t *c, void *items, int n);

  /* What recv would say, and takes nothing: 0 (an item is there), UV_EAGAIN or the end. */
  int (*look)(uvf__chan_t *c);

  /* For a reader whose waiter is w: lends 1..n items, or puts copies into its cell. What is given back is room for waiting
   * senders: `serve` has to follow. */
  int (*claim)(uvf__chan_t *c, uvf__waiter_t *w, uvf__run_t *run, int n);
  void (*give_back)(uvf__chan_t *c, const uvf__run_t *run);

  /* A permit, as in queue.h; UV_ENOTSUP: there is nothing to reserve. */
  int (*reserve)(uvf__chan_t *c);
  void (*unreserve)(uvf__chan_t *c);
  int (*send_held)(uvf__chan_t *c, const void *item);

  /* Ends every waiting sender for whom there is room, or all of them with UV_EPIPE once it is closed. */
  void (*serve)(uvf__chan_t *c);

  /* Under the lock. How far closing has gone; and going further. */
  int (*closed)(uvf__chan_t *c);
  void (*close)(uvf__chan_t *c, int how);

  void (*counts)(uvf__chan_t *c, uvf__counts_t *out);

  /* Objects: uvf_tx_t for sending and reserving, uvf_rx_t for the others. */
  const uvf__wait_type_t *send_wait, *reserve_wait, *recv_wait, *readable_wait;
} uvf__chan_kind_t;

/* The name of a channel, and its place among those that have one. */
typedef struct {
  uvf__link_t link; /* under uvf__fork_lock */
  uvf__chan_t *chan;
  char name[32];
} uvf__named_t;

struct uvf_tx_s {
  a_u32 refs;
};

struct uvf_weak_s {
  char unused; /* its address is all there is to it; its references are units of `mem` */
};

/* What is in a uvf_permit_t. */
typedef struct {
  uvf_tx_t *tx; /* the permit's own reference; NULL: none */
} uvf__permit_t;

_Static_assert(sizeof(uvf__permit_t) <= sizeof(uvf_permit_t), "uvf_permit_t is too small");

/* An idle channel should be small, and the lines that senders use must not be those that receivers write: a line of constants
 * with the marks, then what is used in waiting, in closing and once per batch, then the queue, of which only so much is
 * allocated as its kind needs. */
struct uvf__chan_s {
  /* constant */
  const uvf__chan_kind_t *kind;
  const uvf__queue_ops_t *ops; /* the queue's; NULL for a rendezvous */
  size_t item_size, capacity;  /* capacity: items, UVF_UNBOUNDED or UVF_RENDEZVOUS */
  uvf_drop_cb drop;
  void *data;
  uint32_t generation;
  bool spsc, cell;
  uint8_t overflow; /* uvf_overflow_t */

  uvf__waits_t waits;

  uvf__named_t *named;             /* constant. dump.c; NULL: it has no name */
  void (*recycle)(uvf__chan_t *c); /* constant. Takes the memory at the end; NULL: it is freed */
  a_u32 cause;                     /* int; written under the lock before closing */
  struct uvf_tx_s tx;              /* a uvf_rx_t is at waits.refs */
  struct uvf_weak_s weak;
  a_u32 receiving;                     /* UVFLOW_CHECKS and UVF_SPSC: a receive is under way */
  a_u64 dropped, returned, high_water; /* stats.c */
  a_u64 turned_away;                   /* dropped without having been in the queue */

  _Alignas(UVF_CACHE_LINE) union {
    uvf__queue_t base;
    uvf__mpmc_ring_t ring;
    uvf__block_list_t blocks;
    uvf__spsc_ring_t spsc;
    uvf__locked_ring_t locked;
    uvf__cell_t cell;
    struct {
      int closed; /* under the lock */
      uint64_t count;
    } rendezvous;
  } q;
};

#ifndef UVF_MODEL
_Static_assert(offsetof(uvf__chan_t, waits.lock) <= UVF_CACHE_LINE, "marks must lie in the line of constants");
_Static_assert(sizeof(uvf__mutex_t) > 40 || offsetof(uvf__chan_t, waits.tx) <= 2 * UVF_CACHE_LINE,
               "one line to wake who takes");
#endif

extern const uvf__chan_kind_t uvf__queued, uvf__rendezvous;
extern char uvf__no_bytes; /* chan.c; nobody reads or writes it */

static inline uvf__chan_t *uvf__chan_of_tx(const uvf_tx_t *tx) {
  return uvf__container((uintptr_t)tx, uvf__chan_t, tx);
}

static inline uvf__chan_t *uvf__chan_of_rx(const uvf_rx_t *rx) {
  return uvf__container((uintptr_t)rx, uvf__chan_t, waits.refs);
}

static inline uvf_rx_t *uvf__rx_of_chan(uvf__chan_t *c) {
  return (uvf_rx_t *)(void *)&c->waits.refs;
}

static inline uvf__chan_t *uvf__chan_of_weak(const uvf_weak_t *weak) {
  return uvf__container((uintptr_t)weak, uvf__chan_t, weak);
}

/* Made before a fork by the parent: its locks cannot be trusted. */
static inline bool uvf__chan_foreign(const uvf__chan_t *c) {
  return c->generation != uvf__fork_generation();
}

/* The caller's pointer to an item or to several. NULL: it may not be this channel's; if it was NULL for items without bytes, it is a
 * pointer now, so that the queues may count from it. */
static inline void *uvf__chan_item(const uvf__chan_t *c, const void *item) {
  if (item == NULL && c->item_size == 0) return &uvf__no_bytes;
  return (void *)(uintptr_t)item;
}

/* create.c. Makes a channel, one reference on each end, from options that were checked. Behind it lie `extra` bytes, zeroed; for a
 * cell these begin with the item. 0 or UV_ENOMEM. */
int uvf__chan_make(const uvf_chan_options_t *o, uvf__queue_kind_t queue, size_t extra, uvf__chan_t **out);

/* The same in zeroed memory on a line of its own, of so many bytes and what is to lie behind it. item: a cell's, anywhere. */
size_t uvf__chan_bytes(uvf__queue_kind_t queue);
int uvf__chan_init(uvf__chan_t *c, const uvf_chan_options_t *o, uvf__queue_kind_t queue, void *item);

/* Undoes its parts, but for the memory itself. */
void uvf__chan_destroy(uvf__chan_t *c);

/* The next multiple of the strictest alignment; saturates. */
static inline size_t uvf__aligned(size_t n) {
  const size_t mask = _Alignof(max_align_t) - 1;
  return n > SIZE_MAX - mask ? SIZE_MAX & ~mask : (n + mask) & ~mask;
}

/* The bytes of the item of a cell. */
static inline size_t uvf__cell_bytes(size_t item_size) {
  return uvf__aligned(uvf__item_stride(item_size));
}

/* One owner of the receiving end less; true: it was the last one, and the channel is to be aborted. */
bool uvf__rx_unref(uvf__chan_t *c);

/* A unit of life for the memory alone. */
void uvf__chan_hold(uvf__chan_t *c);
void uvf__chan_unhold(uvf__chan_t *c);

/* The permit gets its room, and a reference of its own on tx. */
static inline void uvf__permit_grant(void *permit, uvf_tx_t *tx) {
  ((uvf__permit_t *)permit)->tx = uvf_tx_retain(tx);
}

/* For how many items a reader needs memory of its own, for batches of up to max_batch items; 0: they are lent to it. */
size_t uvf__chan_cell_items(const uvf__chan_t *c, size_t max_batch);

/* wait_type.release */
void uvf__tx_release_object(void *tx);
void uvf__rx_release_object(void *rx);

/* how: UVF__CLOSED, or UVF__CLOSED | UVF__ABORTED. 0 for the one who did it, else UV_EALREADY. */
int uvf__chan_close(uvf__chan_t *c, int how, int cause);

/* What a receiver gets at the end: UV_EOF or the cause. */
int uvf__chan_end(uvf__chan_t *c);

/* Drops what can be taken. */
void uvf__chan_drop_all(uvf__chan_t *c);
void uvf__chan_drop_items(uvf__chan_t *c, void *items, int n);

/* dump.c */
int uvf__chan_set_name(uvf__chan_t *c, const char *name); /* 0 or UV_ENOMEM */
void uvf__chan_forget_name(uvf__chan_t *c);
const char *uvf__tx_name(const void *tx);
const char *uvf__rx_name(const void *rx);

/* stats.c */
void uvf__chan_count_returned(uvf__chan_t *c);
void uvf__chan_note_length(uvf__chan_t *c, uint64_t length);
/* There was no room: so many items it has at the most. */
void uvf__chan_note_full(uvf__chan_t *c);

#endif
