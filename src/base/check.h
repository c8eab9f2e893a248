/* SPDX-License-Identifier: MIT */
/* Invariants. A broken one is a bug of uvflow or of its caller's memory handling: in builds with UVFLOW_CHECKS the process
 * stops and says where; elsewhere the condition is not evaluated. Errors of the environment never come here. */
#ifndef UVF_BASE_CHECK_H
#define UVF_BASE_CHECK_H

#if defined(UVF_MODEL)
#define uvf__check(condition) RL_ASSERT(condition)
#elif UVFLOW_CHECKS
_Noreturn void uvf__check_failed(const char *condition, const char *file, int line);
#define uvf__check(condition) ((condition) ? (void)0 : uvf__check_failed(#condition, __FILE__, __LINE__))
#else
#define uvf__check(condition) ((void)sizeof(!(condition)))
#endif

#endif
