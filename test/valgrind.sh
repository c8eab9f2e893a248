#!/bin/sh
# SPDX-License-Identifier: MIT
# valgrind.sh [PROGRAM...]: runs programs of build/dev (as test/chan_oom_test, examples/first) under valgrind's memcheck; any
# error or leak fails. By default those below. The dev preset must be built. UVFLOW_JOBS: how many at a time.
set -eu
cd "$(dirname "$0")/../build/dev"

# What AddressSanitizer does not see is the use of bytes that were never written: so the tests of each operation and each
# end, in which items are copied through queues. Left out: rounds of threads that need minutes on valgrind's one CPU at a
# time (queue rings, loop_thread, spsc, sync, stats), and fork, whose children leave by _exit with what they inherited.
[ $# != 0 ] || set -- \
  examples/first examples/back_pressure examples/graceful_shutdown test/base_alloc_test test/base_list_test \
  test/wait_deadline_test test/wait_detach_test test/wait_drain_test test/wait_loop_test test/wait_post_test \
  test/uv_uv_host_test test/uv_uv_loop_test test/queue_spsc_ring_test test/chan_cancel_timeout_test \
  test/chan_drop_test test/chan_misuse_test test/chan_misuse_permit_test test/chan_oom_test test/chan_order_test \
  test/chan_overflow_test test/chan_permit_test test/chan_reader_test test/chan_reader_end_test \
  test/chan_reentrancy_test test/chan_rendezvous_test test/chan_request_end_test test/chan_send_recv_test \
  test/chan_try_test test/chan_oneshot_test test/chan_oneshot_permit_test test/chan_oneshot_wait_test \
  test/queue_cell_test test/task_await_test test/task_await_all_test test/task_blocks_test test/task_cancel_test \
  test/task_control_test test/task_flowvar_test test/task_later_test test/task_loop_executor_test \
  test/task_misuse_test test/task_offload_test test/task_oom_test test/task_own_pool_test test/task_then_test \
  test/task_then_end_test examples/own_pool examples/request_reply

# shellcheck disable=SC2016  # expanded by the inner shell
printf '%s\n' "$@" | xargs -P "${UVFLOW_JOBS:-$(getconf _NPROCESSORS_ONLN)}" -I PROGRAM sh -c '
  log=$(mktemp)
  if timeout 120 valgrind -q --error-exitcode=99 --leak-check=full --show-leak-kinds=all --errors-for-leak-kinds=all \
    --fair-sched=try "./$1" >"$log" 2>&1; then
    echo "$1: passed"
  else
    status=$?
    cat "$log"
    rm -f "$log"
    echo "$1: FAILED (exit code $status)"
    exit 1
  fi
  rm -f "$log"' valgrind PROGRAM
