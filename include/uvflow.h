/* SPDX-License-Identifier: MIT */
/** @file
 * All of uvflow in one include. Define UVFLOW_WITHOUT_UV to leave out <uvflow/uv.h>, the only header that includes
 * <uv.h>: for code that must not need libuv, or that is compiled as strict C11 (see there).
 */
#ifndef UVFLOW_H
#define UVFLOW_H

#include <uvflow/base.h>
#include <uvflow/chan.h>
#include <uvflow/dump.h>
#include <uvflow/flowvar.h>
#include <uvflow/loop.h>
#ifndef UVFLOW_WITHOUT_UV
#include <uvflow/uv.h>
#endif

#endif
