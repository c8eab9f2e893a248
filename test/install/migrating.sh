#!/bin/sh
# SPDX-License-Identifier: MIT
# migrating.sh SOURCE LIBRARY: each program of docs/migrating.md compiles without a warning, and those with uvflow print what the
# page says. (Those without are there to show mistakes, a lost wake-up among them: they are not run.) A C block begins with
# the name of its file, NAME_before.c or NAME_after.c; a text block is the output of the program before it.
# CC: the compiler, CFLAGS: how the library was compiled.
set -eu
source=$1 library=$2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

awk -v dir="$tmp" '
  function wrong(text) { print "docs/migrating.md:" FNR ": " text; bad = 1 }
  /^```$/ { if (!inside) wrong("a block of no kind"); inside = 0; next }
  /^```/ {
    inside = 1
    file = /^```text$/ && name != "" ? dir "/" name ".expected" : ""
    is_c = /^```c$/
    if (!is_c && file == "") wrong("a block that is neither a program nor its output")
    next
  }
  inside && is_c && file == "" {
    name = $2
    if (name !~ /^[a-z_]+_(before|after)\.c:$/) { wrong("a program without a name"); exit }
    sub(/:$/, "", name)
    file = dir "/" name
    sub(/\.c$/, "", name)
  }
  inside && file != "" { print > file }
  END { exit bad }' "$source/docs/migrating.md"

uv_cflags=$(pkg-config --cflags libuv 2>/dev/null) || uv_cflags=
uv_libs=$(pkg-config --libs libuv 2>/dev/null) || uv_libs=-luv
programs=0
for file in "$tmp"/*.c; do
  name=$(basename "$file" .c)
  # shellcheck disable=SC2086  # words
  "${CC:-cc}" -std=c11 -D_GNU_SOURCE ${CFLAGS-} -Wall -Wextra -Wpedantic -Werror -I"$source/include" $uv_cflags \
    -o "$tmp/$name" "$file" "$library" $uv_libs -pthread
  case $name in
  *_before) [ -f "$tmp/${name%_before}_after.c" ] || { echo "$name has no twin"; exit 1; } ;;
  *_after)
    [ -f "$tmp/$name.expected" ] || { echo "the page does not say what $name prints"; exit 1; }
    "$tmp/$name" >"$tmp/out" || { echo "$name: exit code $?"; exit 1; }
    diff "$tmp/$name.expected" "$tmp/out" || { echo "$name prints something else"; exit 1; }
    programs=$((programs + 1))
    ;;
  esac
done
[ $programs = 4 ] || { echo "$programs programs instead of 4"; exit 1; }
