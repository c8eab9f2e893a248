#!/bin/sh
# SPDX-License-Identifier: MIT
# sleeps.sh ROOT: no test waits for time to pass: it waits for what it waits for. Exceptions: test/support, where a real clock
# is tamed, and test/bench. (In test/model a sleep would be the checker's.)
set -eu
cd "$1"
calls='(sleep|usleep|nanosleep|clock_nanosleep|thrd_sleep|uv_sleep)'
found=$(find test -type f \( -name '*.[ch]' -o -name '*.sh' \) ! -path 'test/support/*' ! -path 'test/bench/*' \
  ! -path 'test/model/*' -exec grep -nHE "(^|[^A-Za-z0-9_])($calls *\(|sleep +[0-9])" {} +) || true
[ -z "$found" ] || { echo "$found" | sed 's/$/   <- a test must not sleep/'; exit 1; }
