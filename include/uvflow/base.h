/* SPDX-License-Identifier: MIT */
/** @file
 * What every other header needs: the rules that hold for all of them, errors, timeouts, the allocator and the
 * request.
 *
 * 1. Shapes. What can wait has three forms: uvf_try_x (never waits), uvf_x (on a loop; the callback runs exactly
 *    once, later, if and only if 0 was returned) and uvf_x_sync (blocks a thread that runs no attached loop).
 * 2. Requests. Zero a request once, before its first use. It is yours again when its callback starts; in use:
 *    UV_EBUSY.
 * 3. Pointers. What an asynchronous form points to (an item, or room for one) is borrowed until its callback.
 * 4. Items. An item moves. 0, or a callback's status 0: the other side has it. Anything else: it is still yours.
 * 5. References. retain and release count owners, on any thread; ref and unref mean loop keep-alive, as in libuv.
 *    What a function stores it retains itself; what a create or retain gave you, you release.
 * 6. Options. Zero-filled is valid but for fields marked "required"; `reserved` must be zero (else UV_EINVAL).
 * 7. Errors. int: 0, a count, or a negative code (libuv's, or one of those below). Wrong thread: UV_EPERM. NULL for a
 *    thing that is needed: UV_EINVAL; functions with no int to say so do nothing, or return NULL, 0 or false.
 * 8. Ending. A request is cancelled: its callback still comes. A standing thing (a reader) is stopped: no callback
 *    comes any more and its memory is yours at once. Both on the loop's thread.
 *
 * "Thread: any" means at the same time from any number of threads; "loop" the thread that runs the loop (that of the
 * request, reader or loop given); "plain" a thread that runs no attached loop. Callbacks run with no lock held and
 * may call anything. No function may be called in a signal handler. A child of fork() cannot use what its parent
 * made: what would have to wait, or to wake somebody, says UV_ENOTSUP there; objects made after the fork work.
 */
#ifndef UVFLOW_BASE_H
#define UVFLOW_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uvflow/version.h>

/** Marks what the library exports. Define UVFLOW_SHARED to link with its DLL on Windows; elsewhere it does nothing. */
#ifndef UVF_EXTERN
#if defined(_WIN32) && defined(UVFLOW_SHARED) && defined(UVFLOW_BUILDING)
#define UVF_EXTERN __declspec(dllexport)
#elif defined(_WIN32) && defined(UVFLOW_SHARED)
#define UVF_EXTERN __declspec(dllimport)
#elif !defined(_WIN32) && (defined(__GNUC__) || defined(__clang__))
#define UVF_EXTERN __attribute__((visibility("default")))
#else
#define UVF_EXTERN
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** Timeout: wait for ever. A number of ms so large that it would overflow the clock means the same. */
#define UVF_FOREVER UINT64_MAX

/** Timeout: do not wait. What is ready now is still delivered, else UV_ETIMEDOUT. */
#define UVF_NOWAIT ((uint64_t)0)

/** What libuv has no code for. */
enum {
  UVF_EDEADLK = -5001, /**< this blocking call could never end */
  UVF_ELAGGED = -5002  /**< the subscriber was disconnected for being slow */
};

/**
 * The text of an error code, libuv's ones included; a fixed text for an unknown code, never NULL. Static memory.
 *
 * Thread: any
 */
UVF_EXTERN const char *uvf_strerror(int err);

/**
 * The name of an error code without its prefix, such as "EPIPE"; a fixed text for an unknown code, never NULL. Static
 * memory.
 *
 * Thread: any
 */
UVF_EXTERN const char *uvf_err_name(int err);

/**
 * The version of the library at run time: MAJOR << 16 | MINOR << 8 | PATCH. <uvflow/version.h> has that of the
 * headers.
 *
 * Thread: any
 */
UVF_EXTERN unsigned uvf_version(void);

/**
 * Replaces malloc, realloc, calloc and free for all memory of the library, for good. The four are called on any
 * thread, at the same time, with no lock of the library held; calloc must zero; they must not call into the library.
 * Returns 0, UV_EINVAL (one of them is NULL; nothing is replaced) or UV_EBUSY (memory was allocated already).
 *
 * Thread: any, but before any other call into the library
 */
UVF_EXTERN int uvf_replace_allocator(void *(*m)(size_t), void *(*r)(void *, size_t), void *(*c)(size_t, size_t),
                                     void (*f)(void *));

/** Private: a unit of storage in caller-allocated memory; 8 bytes. */
typedef union {
  void *p;    /**< private */
  uint64_t u; /**< private */
} uvf__word_t;

/**
 * A loop: uvflow's side of an event loop. Opaque and counted; see <uvflow/loop.h>.
 *
 * Thread: any
 */
typedef struct uvf_loop_s uvf_loop_t;

/**
 * The memory of one pending operation, whatever waits; allocated by the caller, as uv_write_t is. Zero it once before
 * its first use. From a successful start until its callback starts it must stay where it is, and no part but `data`
 * may be touched; the callback may free it, or start it again. A pending request keeps its loop alive (see
 * uvf_req_unref), and owns the end that it waits on until its callback has returned: a pending receive counts as a
 * receiver.
 *
 * Thread: loop
 */
typedef struct uvf_req_s {
  void *data;            /**< yours; the library never touches it */
  uvf__word_t uvf__[22]; /**< private */
} uvf_req_t;

/**
 * How a request ends: status is 0 or a negative code. Called exactly once per start that returned 0, in a later turn
 * of the loop or later in this one, never inside the call that started it. It may start, cancel and close things,
 * release the last end and detach the loop. It must not block: all of the loop waits for it.
 *
 * Thread: loop
 */
typedef void (*uvf_cb)(uvf_req_t *req, int status);

/**
 * Called once for each accepted item that no receiver got, to free what its bytes point to. `item` points to the
 * bytes, which are valid during the call and not used after it; `data` is that of the options. No lock is held; it
 * may use the channel; it must not block. It may run on a sending thread, also where you abort on a loop: guard what
 * it shares with that loop.
 *
 * Thread: any, at the same time for different items
 */
typedef void (*uvf_drop_cb)(void *item, void *data);

/**
 * Withdraws a pending request; what it points to stays borrowed until its callback has started.
 * Returns 0 (the callback comes with UV_ECANCELED, and nothing was moved), UV_EALREADY (its callback is on its way
 * with whatever outcome, or it was never started), UV_EPERM (another thread; uvf_post gets you to the right one),
 * UV_EINVAL (NULL) or UV_ENOTSUP (a parent's loop, after fork).
 *
 * Thread: loop
 */
UVF_EXTERN int uvf_cancel(uvf_req_t *req);

/**
 * Whether the request was started and its callback has not begun. True also after a uvf_cancel.
 *
 * Thread: loop
 */
UVF_EXTERN bool uvf_req_active(const uvf_req_t *req);

/**
 * Lets the loop end although this request is pending; until its callback, the next start counts again. Does nothing
 * to a request that is not pending. A request that never ends and is not unref'd keeps uv_run from returning.
 *
 * Thread: loop
 */
UVF_EXTERN void uvf_req_unref(uvf_req_t *req);

#ifdef __cplusplus
}
#endif

#endif
