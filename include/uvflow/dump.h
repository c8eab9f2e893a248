/* SPDX-License-Identifier: MIT */
/** @file
 * A picture of what uvflow is doing, for people: call it from a debugger, a signal watcher or an admin command when
 * something hangs. It shows who waits for what, and for how long.
 */
#ifndef UVFLOW_DUMP_H
#define UVFLOW_DUMP_H

#include <stdio.h>

#include <uvflow/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Writes text to `out`, and flushes it. loop NULL: all loops, and all channels that have a name
 * (uvf_chan_options_t.name): counters, and each operation that waits, with its loop and how long it has waited, in ms.
 * Else that loop, with all of its operations, whether their channels have a name or not. Everything is true at some
 * moment during the call, not all at the same. The text is not meant to be parsed, and changes between versions.
 * Writing happens under locks of the library: making and freeing channels with names waits meanwhile, so `out` should
 * not block for long, nor call into the library.
 *
 * Thread: any for NULL; loop, else
 */
UVF_EXTERN void uvf_dump(uvf_loop_t *loop, FILE *out);

#ifdef __cplusplus
}
#endif

#endif
