#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh [WORK...]: builds the preset bench and runs each work (default: all) with each peer, one JSON line per result on
# stdout; everything else goes to stderr. WORK is a glob; one without a star also matches what begins with it: run.sh to_loop.
# README.md says what the works are and how to read the numbers. Ends with 1 if a run failed.
#
#   BENCH_RUNS     rounds over all works and peers, default 1: so the runs of one pair are apart in time
#   BENCH_PEERS    globs, separated by blanks; default: *
#   BENCH_CPUS     a list for taskset, such as 0: all threads there; or `spread`: the threads on the CPUs in turn
#   BENCH_TIMEOUT  seconds for one run, default 120
#   BENCH_LIST     set: only list works and peers
set -eu
set -f # WORK and BENCH_PEERS are patterns for `case`, not for files
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$root/build/bench

say() { echo "bench/run.sh: $*" >&2; }

# matches NAME PATTERN...
matches() {
  name=$1
  shift
  for pattern; do
    # shellcheck disable=SC2254  # a pattern
    case $name in $pattern) return 0 ;; esac
  done
  return 1
}

# ---- build ----

sh "$root/cmake/need.sh" gcc libc6-dev cmake ninja-build pkg-config libuv1-dev

mkdir -p "$build"
log=$build/build.log
if ! { (cd "$root" && cmake --preset bench) && cmake --build "$build"; } >"$log" 2>&1; then
  cat "$log" >&2
  say "the build failed, see above"
  exit 1
fi

# ---- what to run ----

[ $# -gt 0 ] || set -- '*'
for work; do
  shift
  case $work in *'*'*) ;; *) work="$work*" ;; esac
  set -- "$@" "$work"
done

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

# "WORK PEER PROGRAM" for each pair asked for, the peers of one work one after the other.
pairs() {
  set +f
  for program in "$build"/test/bench/bin/*; do
    "$program" list | sed "s|\$| $program|"
  done
  set -f
}

pairs >"$tmp/all"
while read -r work peer program; do
  # shellcheck disable=SC2086  # words
  if matches "$work" "$@" && matches "$peer" ${BENCH_PEERS:-*}; then echo "$work $peer $program"; fi
done <"$tmp/all" | LC_ALL=C sort -s -k1,1 >"$tmp/pairs"

if [ ! -s "$tmp/pairs" ]; then
  say "nothing matches; there are:"
  cut -d ' ' -f 1,2 "$tmp/all" >&2
  exit 2
fi
if [ -n "${BENCH_LIST:-}" ]; then
  cut -d ' ' -f 1,2 "$tmp/pairs"
  exit
fi

# ---- run ----

# one PROGRAM WORK
one() {
  case ${BENCH_CPUS:-} in
  '') timeout "${BENCH_TIMEOUT:-120}" "$@" ;;
  spread) BENCH_SPREAD=1 timeout "${BENCH_TIMEOUT:-120}" "$@" ;;
  *) taskset -c "$BENCH_CPUS" timeout "${BENCH_TIMEOUT:-120}" "$@" ;;
  esac
}

failed=0
round=0
while [ "$round" -lt "${BENCH_RUNS:-1}" ]; do
  round=$((round + 1))
  while read -r work peer program; do
    if line=$(one "$program" "$work" </dev/null); then
      echo "${line%\}}${BENCH_CPUS:+,\"cpus\":\"$BENCH_CPUS\"}}"
    else
      [ $? != 124 ] && why=failed || why="failed, not done in time (BENCH_TIMEOUT)"
      say "$work $peer: $why"
      failed=1
    fi
  done <"$tmp/pairs"
done
exit $failed
