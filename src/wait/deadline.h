/* SPDX-License-Identifier: MIT */
/* Deadlines of requests: a heap of the loop, and the host's one timer for the earliest. The loop's thread only, since starts,
 * cancels and timeouts all happen there. */
#ifndef UVF_WAIT_DEADLINE_H
#define UVF_WAIT_DEADLINE_H

#include "wait/loop.h"
#include "wait/request.h"

/* Not for UVF_FOREVER or UVF_NOWAIT. A deadline past the end of the clock means never. */
void uvf__deadline_start(uvf__request_t *req, uint64_t timeout_ms);
void uvf__deadline_stop(uvf__request_t *req);

/* Ends the requests whose time has come. */
void uvf__deadlines_expire(uvf_loop_t *loop);

/* Sets the host's timer if it would come too late. A timer that comes too early finds nothing expired and is set again, so
 * that removing the earliest deadline costs no call of the host. */
void uvf__deadlines_arm(uvf_loop_t *loop);

#endif
