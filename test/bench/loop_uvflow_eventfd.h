/* SPDX-License-Identifier: MIT */
/* uvflow with UVF_WAKE_EVENTFD: the loop is woken by an eventfd of its own instead of a uv_async_t. Linux only. */
#define PEER_NAME "uvflow-eventfd"
#define PEER_ONLY_WAKES 1
#define WAKE_FLAGS UVF_WAKE_EVENTFD

#include "loop_uvflow.h"
