/* SPDX-License-Identifier: MIT */
/* The built-in host: a libuv loop.
 *
 * One uv_async_t (or, where asked for, an eventfd watched by a uv_poll_t) wakes the loop, for all of its channels: libuv visits
 * every async handle at every wake. A uv_idle_t gives a turn in each iteration without blocking; a uv_timer_t stands for the
 * earliest deadline. Only the waker is ever ref'd, and that only while something keeps the loop alive.
 *
 * Protocol. The core rings at most once until the ring has arrived, and never after `close` (wait/ready.c, Y2); so neither
 * libuv's coalescing nor sending to a closing handle matters here. */
#include <uv.h>
#include <uvflow/uv.h>

#ifdef __linux__
#include <sys/eventfd.h>
#include <unistd.h>
#endif

#include "base/alloc.h"
#include "base/check.h"
#include "wait/loop.h"

typedef struct {
  uvf_loop_t *loop;
  uv_loop_t *uv;
  uv_idle_t turn;
  uv_timer_t timer;
  union {
    uv_async_t async;
    uv_poll_t poll;
  } waker;
  int eventfd;   /* -1: the waker is the async handle */
  int open;      /* handles that are not closed yet */
  bool attached; /* the core has taken over; before that, closing frees quietly */
} host_t;

static uv_handle_t *waker_of(host_t *h) {
  return (uv_handle_t *)&h->waker;
}

/* ---- what the core calls ---- */

static void host_wake(void *arg) {
  host_t *h = arg;
#ifdef __linux__
  if (h->eventfd >= 0) {
    int r;
    do
      r = eventfd_write(h->eventfd, 1);
    while (r != 0 && errno == EINTR);
    uvf__check(r == 0); /* one ring at most is outstanding: the counter cannot be full */
    return;
  }
#endif
  int r = uv_async_send(&h->waker.async);
  uvf__check(r == 0);
  (void)r;
}

static void on_turn(uv_idle_t *idle) {
  uvf_loop_drain(((host_t *)idle->data)->loop, false);
}

static void host_poll(void *arg, bool on) {
  host_t *h = arg;
  int r = on ? uv_idle_start(&h->turn, on_turn) : uv_idle_stop(&h->turn);
  uvf__check(r == 0);
  (void)r;
}

static void host_keep_alive(void *arg, bool on) {
  host_t *h = arg;
  if (on)
    uv_ref(waker_of(h));
  else
    uv_unref(waker_of(h));
}

static void on_timer(uv_timer_t *timer) {
  uvf_loop_drain(((host_t *)timer->data)->loop, false);
}

/* libuv counts from the time at which its iteration began; a deadline counts from now. */
static uint64_t host_now(void *arg) {
  host_t *h = arg;
  uv_update_time(h->uv);
  return uv_now(h->uv);
}

static void host_set_timer(void *arg, uint64_t ms) {
  host_t *h = arg;
  int r = ms == UVF_FOREVER ? uv_timer_stop(&h->timer) : uv_timer_start(&h->timer, on_timer, ms, 0);
  uvf__check(r == 0);
  (void)r;
}

static bool host_stopped(void *arg) {
  return ((host_t *)arg)->uv->stop_flag != 0;
}

/* ---- closing ---- */

static void on_closed(uv_handle_t *handle) {
  host_t *h = handle->data;
  if (--h->open > 0) return;
  uvf_loop_t *loop = h->attached ? h->loop : NULL;
#ifdef __linux__
  if (h->eventfd >= 0) (void)close(h->eventfd);
#endif
  uvf__free(h);
  uvf_loop_host_closed(loop);
}

static void host_close(void *arg, uvf_loop_t *loop) {
  host_t *h = arg;
  (void)loop;
  uv_close((uv_handle_t *)&h->turn, on_closed);
  uv_close((uv_handle_t *)&h->timer, on_closed);
  uv_close(waker_of(h), on_closed);
}

/* ---- attaching ---- */

static void on_async(uv_async_t *async) {
  uvf_loop_drain(((host_t *)async->data)->loop, true);
}

#ifdef __linux__
static void on_eventfd(uv_poll_t *poll, int status, int events) {
  host_t *h = poll->data;
  eventfd_t rings;
  (void)events;
  if (status == 0 && eventfd_read(h->eventfd, &rings) == 0) uvf_loop_drain(h->loop, true);
}

static int eventfd_waker(host_t *h) {
  h->eventfd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (h->eventfd < 0) return uv_translate_sys_error(errno);
  int r = uv_poll_init(h->uv, &h->waker.poll, h->eventfd);
  if (r != 0) {
    (void)close(h->eventfd);
    return r;
  }
  h->open++;
  return uv_poll_start(&h->waker.poll, UV_READABLE, on_eventfd);
}
#else
static int eventfd_waker(host_t *h) {
  (void)h;
  return UV_ENOTSUP;
}
#endif

static int waker_init(host_t *h, unsigned flags) {
  if ((flags & UVF_WAKE_EVENTFD) != 0) return eventfd_waker(h);
  int r = uv_async_init(h->uv, &h->waker.async, on_async);
  if (r == 0) h->open++;
  return r;
}

/* The waker comes first, since only it can fail; then there is nothing that would have to be closed. */
static int handles_init(host_t *h, unsigned flags) {
  int r = waker_init(h, flags);
  waker_of(h)->data = h; /* also where starting failed: what was opened is closed by `undo` */
  if (r != 0) return r;
  uv_unref(waker_of(h));
  r = uv_idle_init(h->uv, &h->turn);
  uvf__check(r == 0);
  h->turn.data = h;
  uv_unref((uv_handle_t *)&h->turn);
  r = uv_timer_init(h->uv, &h->timer);
  uvf__check(r == 0);
  h->timer.data = h;
  uv_unref((uv_handle_t *)&h->timer);
  h->open += 2;
  return r;
}

/* A handle that was opened closes in the next turn of the loop and frees the host then. */
static void undo(host_t *h) {
  if (h->open > 1)
    host_close(h, NULL);
  else if (h->open == 1)
    uv_close(waker_of(h), on_closed);
  else
    uvf__free(h);
}

int uvf_loop_attach(uv_loop_t *uv, const uvf_loop_options_t *o, uvf_loop_t **loop) {
  if (uv == NULL || loop == NULL) return UV_EINVAL;
  host_t *h = uvf__calloc(1, sizeof *h);
  if (h == NULL) return UV_ENOMEM;
  h->uv = uv;
  h->eventfd = -1;
  uvf_host_t table = {host_wake,    host_poll, host_keep_alive, host_set_timer, host_now, host_close, h,
                      host_stopped, {0}};
  int r = uvf_loop_create(&table, o, &h->loop);
  if (r == 0) {
    r = handles_init(h, o == NULL ? 0 : o->flags);
    if (r != 0) uvf_loop_release(h->loop);
  }
  if (r != 0) {
    undo(h);
    return r;
  }
  h->attached = true;
  h->loop->native = uv;
  *loop = h->loop;
  return 0;
}

/* Not by the host, which ends before the last reference on the loop. */
uv_loop_t *uvf_loop_uv(const uvf_loop_t *loop) {
  return loop == NULL || uvf__loop_ended(loop) ? NULL : (uv_loop_t *)loop->native;
}
