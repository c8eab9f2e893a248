/* SPDX-License-Identifier: MIT */
/* Threads ask a loop, and wait for the answer. The loop's thread is an executor like any other: a question is a task, its
 * answer a flowvar. So nothing of what the loop owns (here: stock) needs a lock. Some answers take time; the task says
 * UVF_LATER, and a timer of the loop finishes it. Who has waited long enough cancels. */
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

#include "check.h"

#define THREADS 3
#define ASKS 1000
#define LEAST 100

typedef struct {
  uv_loop_t *uv;
  uvf_executor_t *executor; /* the loop's thread */
  long stock, ordered;      /* the loop's thread alone */
} shop_t;

typedef struct {
  shop_t *shop;
  int pieces;
} order_t;

/* ---- on the loop's thread ---- */

/* An order that waits for new stock. */
typedef struct {
  uv_timer_t timer;
  uvf_task_t *task;
  order_t order;
} delivery_t;

static void delivery_free(uv_handle_t *timer) {
  free(timer->data);
}

static void on_delivery(uv_timer_t *timer) {
  delivery_t *d = timer->data;
  shop_t *shop = d->order.shop;
  shop->stock += 10 * LEAST;
  if (uvf_task_cancelled(d->task)) {
    check(uvf_task_finish(d->task, UV_ECANCELED, NULL), "finish");
  } else if (shop->stock < d->order.pieces) {
    check(uvf_task_finish(d->task, UV_ENOSPC, NULL), "finish"); /* more than a delivery brings */
  } else {
    shop->stock -= d->order.pieces;
    check(uvf_task_finish(d->task, 0, &shop->stock), "finish");
  }
  uv_close((uv_handle_t *)timer, delivery_free);
}

static int wait_for_delivery(uvf_task_t *task, const order_t *order) {
  delivery_t *d = malloc(sizeof *d);
  if (d == NULL) return UV_ENOMEM;
  d->task = task;
  d->order = *order;
  check(uv_timer_init(order->shop->uv, &d->timer), "timer_init");
  d->timer.data = d;
  check(uv_timer_start(&d->timer, on_delivery, 5, 0), "timer_start");
  return UVF_LATER;
}

/* Its value: what is left. */
static int take_order(uvf_task_t *task, void *arg, void *value) {
  const order_t *order = arg;
  shop_t *shop = order->shop;
  shop->ordered++;
  if (order->pieces <= 0) return UV_EINVAL;
  if (shop->stock < order->pieces) return wait_for_delivery(task, order);
  shop->stock -= order->pieces;
  *(long *)value = shop->stock;
  return 0;
}

/* ---- on other threads ---- */

/* Returns what is left, or an error. */
static long order(shop_t *shop, int pieces, uint64_t timeout_ms) {
  static const uvf_spawn_options_t o = {.value_size = sizeof(long), .arg_size = sizeof(order_t), .name = "order"};
  order_t arg = {shop, pieces};
  uvf_flowvar_t *answer;
  long left = 0;
  check(uvf_spawn(shop->executor, take_order, &arg, &o, &answer), "spawn");
  int r = uvf_await_sync(answer, timeout_ms);
  if (r == 0) r = uvf_flowvar_take(answer, &left);
  if (r == UV_ETIMEDOUT) (void)uvf_flowvar_cancel(answer); /* no longer wanted; it may be too late for that */
  uvf_flowvar_release(answer);
  return r == 0 ? left : r;
}

static void customer(void *arg) {
  shop_t *shop = arg;
  for (int i = 0; i < ASKS; i++)
    if (order(shop, 1 + i % 3, UVF_FOREVER) < 0) abort();
  if (order(shop, -1, UVF_FOREVER) != UV_EINVAL) abort();
  (void)order(shop, 50 * LEAST, 1); /* in vain, if there is not so much */
}

int main(void) {
  uv_loop_t *uv = uv_default_loop();
  shop_t shop = {.uv = uv, .stock = LEAST};
  uvf_loop_t *loop;
  uv_thread_t threads[THREADS];
  uv_async_t open; /* keeps the loop running while there are customers */
  check(uvf_loop_attach(uv, NULL, &loop), "attach");
  shop.executor = uvf_loop_executor(loop);
  if (shop.executor == NULL) return 1;
  check(uv_async_init(uv, &open, NULL), "async_init");
  for (int i = 0; i < THREADS; i++)
    check(uv_thread_create(&threads[i], customer, &shop), "thread_create");
  while (shop.ordered < THREADS * (ASKS + 2))
    check(uv_run(uv, UV_RUN_ONCE), "run");
  uv_close((uv_handle_t *)&open, NULL);
  check(uv_run(uv, UV_RUN_DEFAULT), "run"); /* the deliveries that are still to come */
  for (int i = 0; i < THREADS; i++)
    check(uv_thread_join(&threads[i]), "thread_join");
  check(uvf_loop_detach(loop, NULL, NULL), "detach");
  check(uv_run(uv, UV_RUN_DEFAULT), "run"); /* lets the detach finish */
  check(uv_loop_close(uv), "loop_close");
  printf("%ld orders, %ld left\n", shop.ordered, shop.stock);
  return 0;
}
