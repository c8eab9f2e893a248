#!/bin/sh
# SPDX-License-Identifier: MIT
# amalgamate.sh ROOT OUT SOURCE...: makes OUT/uvflow.h and OUT/uvflow.c from the library's headers and these sources (paths below
# ROOT/src): uvflow in two files, for projects that would rather carry it than link with it.
set -eu
[ $# -gt 2 ] || { sed -n '3,4s/^# //p' "$0" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$1" && pwd)
out=$2
shift 2

number() { sed -n "s/^#define UVFLOW_VERSION_$1 \([0-9]*\)$/\1/p" "$root/include/uvflow/version.h"; }
version=$(number MAJOR).$(number MINOR).$(number PATCH)
headers=$(cd "$root" && find include src -name '*.h' | LC_ALL=C sort)

mkdir -p "$out"
for what in h c; do
  # Into another file first: a half-made one must not look newer than the sources.
  # shellcheck disable=SC2046,SC2086  # words
  awk -v root="$root" -v what=$what -v version="$version" -f "$here/amalgamate.awk" -- $headers -- \
    $(printf 'src/%s ' "$@") >"$out/uvflow.$what.tmp" || { rm -f "$out/uvflow.$what.tmp"; exit 1; }
  mv "$out/uvflow.$what.tmp" "$out/uvflow.$what"
done
