#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh [CTEST-ARGUMENT...]: builds the dev preset and runs all tests, models included; the arguments go to ctest (such as
# -R chan/). Ends with ctest's summary and its exit code. UVFLOW_JOBS: how many at a time (default: the number of CPUs).
set -eu
cd "$(dirname "$0")/.."

sh cmake/need.sh gcc g++ libc6-dev cmake ninja-build pkg-config libuv1-dev libcmocka-dev libssl-dev relacy-dev

jobs=${UVFLOW_JOBS:-$(getconf _NPROCESSORS_ONLN)}
mkdir -p build
if ! cmake --preset dev >build/configure.log 2>&1; then
  cat build/configure.log >&2
  exit 1
fi
cmake --build --preset dev -j "$jobs"
exec ctest --preset dev --no-label-summary -j "$jobs" "$@"
