/* SPDX-License-Identifier: MIT */
/* The README's program with flowvars: files are read on libuv's pool, two at a time, and a loop awaits the results. */
#include <stdio.h>
#include <uv.h>
#include <uvflow.h>

static int count_lines(uvf_task_t *task, void *arg, void *value) { /* on a thread of the pool */
  FILE *file = fopen(*(char **)arg, "r");
  (void)task;
  if (file == NULL) return UV_ENOENT; /* an error instead of the value */
  for (int c; (c = getc(file)) != EOF;)
    *(long *)value += c == '\n';
  return fclose(file) == 0 ? 0 : UV_EIO;
}

static void on_counted(uvf_req_t *req, int status) { /* on the loop's thread */
  uvf_flowvar_t *lines = req->data;
  if (status == 0)
    printf("%ld lines\n", *(const long *)uvf_flowvar_value(lines));
  else
    printf("%s\n", uvf_strerror(status));
  uvf_flowvar_release(lines);
}

int main(int argc, char **argv) {
  static uvf_req_t requests[16]; /* one for each wait; zeroed */
  uvf_lane_options_t two = {.max_running = 2, .capacity = UVF_UNBOUNDED};
  uvf_spawn_options_t o = {.value_size = sizeof(long), .arg_size = sizeof(char *)};
  uv_loop_t *uv = uv_default_loop();
  uvf_loop_t *loop;
  uvf_executor_t *lane;

  if (uvf_loop_attach(uv, NULL, &loop) != 0) return 1;
  if (uvf_lane_create(uvf_loop_pool(loop), &two, &lane) != 0) return 1;
  for (int i = 1; i < argc && i <= 16; i++) {
    uvf_flowvar_t *lines;
    if (uvf_spawn(lane, count_lines, &argv[i], &o, &lines) != 0) return 1; /* any thread; never waits; copies the arg */
    requests[i - 1].data = lines;
    if (uvf_await(loop, &requests[i - 1], lines, UVF_FOREVER, on_counted) != 0) return 1;
  }
  uv_run(uv, UV_RUN_DEFAULT); /* ends when all have been awaited */
  uvf_executor_release(lane);
  if (uvf_loop_detach(loop, NULL, NULL) != 0) return 1;
  uv_run(uv, UV_RUN_DEFAULT); /* lets the detach finish */
  return uv_loop_close(uv) == 0 ? 0 : 1;
}
