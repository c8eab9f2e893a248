/* SPDX-License-Identifier: MIT */
/* When a reader (or another receiver of work) looks again, and when it gives up and waits to be woken. The loop's thread only; times are
 * microseconds of the turn's clock.
 *
 * Lingering. A wake costs the sender a system call and the loop a trip through the kernel. So a reader that took something
 * looks again in the next turn, without the loop blocking, and waits only after a turn that found nothing. Where replies keep
 * coming within LINGER_US it goes on looking for so long; a linger that found nothing is not tried again for 2, 4, ... 1024
 * times. So a lone sender on the same CPU, or messages that come seldom, pay next to nothing for it.
 *
 * Gathering. A reader right behind its senders takes a flow in dribbles, and each look drags the senders' cache lines over. A
 * flow that came in dribbles is left alone for GATHER_US, so that a batch can grow. Not where items come one by one, nor where
 * senders might have to wait for room meanwhile. */
#ifndef UVF_WAIT_PACE_H
#define UVF_WAIT_PACE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
  uint64_t not_before; /* gathering until then */
  uint64_t until;      /* lingering until then; 0: for one turn only */
  uint16_t skip;       /* so many times linger for one turn only */
  uint16_t backoff;    /* skip after the next vain linger */
  bool looked;         /* found nothing at least once since it took something */
} uvf__pace_t;

void uvf__pace_init(uvf__pace_t *p);

/* Should it leave the channel alone in this turn? */
static inline bool uvf__pace_hold(const uvf__pace_t *p, uint64_t now) {
  return now < p->not_before;
}

/* A turn took n > 0 items of a channel with that capacity. */
void uvf__pace_took(uvf__pace_t *p, uint64_t now, uint64_t n, uint64_t capacity);

/* A turn found nothing. True: look again in the next turn; false: wait. */
bool uvf__pace_look_again(uvf__pace_t *p, uint64_t now);

#endif
