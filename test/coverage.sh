#!/bin/sh
# SPDX-License-Identifier: MIT
# coverage.sh [CTEST-ARGUMENT...]: which lines of src/ do unit, stress and fuzz tests reach (by default: all but the models)?
# Prints a line for each file and the numbers of those missed, and writes build/coverage/report/index.html.
# UVFLOW_JOBS: how many at a time (default: the number of CPUs). By hand: gcc's counters change no behaviour worth a phase.
set -eu
cd "$(dirname "$0")/.."

sh cmake/need.sh gcc libc6-dev cmake ninja-build pkg-config libuv1-dev libcmocka-dev gcovr

jobs=${UVFLOW_JOBS:-$(getconf _NPROCESSORS_ONLN)}
mkdir -p build
# Counters by atomic additions: tests run threads.
cmake -G Ninja -B build/coverage -DCMAKE_C_COMPILER=gcc -DCMAKE_BUILD_TYPE=Debug -DUVFLOW_BUILD_MODELS=OFF \
  -DCMAKE_C_FLAGS='-O0 --coverage -fprofile-update=atomic' >build/coverage.log || { cat build/coverage.log >&2; exit 1; }
cmake --build build/coverage -j "$jobs"
find build/coverage -name '*.gcda' -exec rm -f {} +

[ $# != 0 ] || set -- -L 'unit|stress|fuzz|example'
ctest --test-dir build/coverage --no-tests=error --no-label-summary --output-on-failure -j "$jobs" "$@"
mkdir -p build/coverage/report
# The static library only: it is what the tests link with.
gcovr -r . --filter src/ --exclude-unreachable-branches --html-details build/coverage/report/index.html --txt - \
  build/coverage/CMakeFiles/uvflow_static.dir
