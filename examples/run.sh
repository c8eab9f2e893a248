#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh [PATH...]: builds the main example and runs it: digest_tree prints the SHA-256 of each file under PATH (default:
# /usr/include), computed on worker threads that feed an event loop. Options of digest_tree may come first (-j THREADS).
# Nothing but digest_tree writes to stdout, so that the result can be piped or compared.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
[ $# -gt 0 ] || set -- /usr/include

sh "$root/cmake/need.sh" gcc libc6-dev cmake ninja-build pkg-config libuv1-dev libssl-dev

build() {
  (cd "$root" && cmake --preset release) && cmake --build "$root/build/release" --target digest_tree
}

mkdir -p "$root/build"
log=$root/build/examples.log
[ -x "$root/build/release/examples/digest_tree" ] || echo "Building in $root/build/release ..." >&2
if ! build >"$log" 2>&1; then
  cat "$log" >&2
  echo "examples/run.sh: the build failed, see above" >&2
  exit 1
fi
exec "$root/build/release/examples/digest_tree" "$@"
