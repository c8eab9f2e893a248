#!/bin/sh
# SPDX-License-Identifier: MIT
# digest_tree_check.sh PROGRAM: compares digest_tree with find, sort and sha256sum on a tree full of odd names, and
# checks what it says and how it exits when something is wrong. Needs coreutils 9 or later (since then \r is escaped).
# shellcheck disable=SC1003 # a backslash at the end of a name is meant as such
set -u
program=$1
tmp=$(mktemp -d) || exit 1
trap 'chmod -R u+rwx "$tmp"; rm -rf "$tmp"' EXIT
failed=0

fail() {
  echo "FAILED: $*" >&2
  failed=1
}

# run ARGUMENT...: leaves stdout in $tmp/out, stderr in $tmp/err, the exit code in $code
run() {
  "$program" "$@" >"$tmp/out" 2>"$tmp/err"
  code=$?
}

expect_code() {
  [ "$code" -eq "$1" ] || fail "$2: exit code $code instead of $1, stderr: $(cat "$tmp/err")"
}

# same_as_sha256sum WHAT PATH...
same_as_sha256sum() {
  what=$1
  shift
  find "$@" -type f -print0 2>/dev/null | LC_ALL=C sort -z | xargs -0 -r sha256sum -- 2>/dev/null >"$tmp/want"
  for threads in 1 2 7; do
    run -j "$threads" -- "$@"
    cmp "$tmp/want" "$tmp/out" || fail "$what with -j $threads: not what sha256sum prints"
  done
}

make_odd_names() {
  for name in plain 'with space' '-dash' '--help' 'back\slash' '\' 'tail\' \
    'quo"te' "apo'strophe" 'st*r' '%s%n' '.hidden' '~' \
    "$(printf 'new\nline')" "$(printf 'cr\rhere')" "$(printf 'tab\there')" "$(printf 'esc\033[31m')" \
    "$(printf 'all\\of\nthem\r')" "$(printf '\303\244\303\266')" "$(printf 'not\377utf8\200')"; do
    printf '%s' "$name" >"$1/$name" || exit 1
  done
}

make_tree() {
  mkdir -p "$1/a/b/c" "$1/empty" "$1/a.d" "$1/a-d" || exit 1
  make_odd_names "$1"
  mkdir "$1/$(printf 'odd\ndir\\')"
  make_odd_names "$1/$(printf 'odd\ndir\\')"
  : >"$1/a/zero"
  for size in 1 55 56 63 64 65 131071 131072 131073 262144 1000000; do
    head -c "$size" /dev/urandom >"$1/a/b/$size"
  done
  i=0
  while [ $i -lt 700 ]; do
    echo $i >"$1/a/b/c/file$i"
    i=$((i + 1))
  done
  ln -s ../plain "$1/a/link" && ln -s .. "$1/a/up" && ln -s nowhere "$1/a/dangling" || exit 1
  ln "$1/plain" "$1/a/hard" && mkfifo "$1/a/fifo" || exit 1
}

check_trees() {
  make_tree "$tmp/tree"
  cd "$tmp/tree" || exit 1
  same_as_sha256sum "a tree" "$tmp/tree"
  expect_code 0 "a tree"
  [ -s "$tmp/err" ] && fail "a tree: stderr is not empty: $(cat "$tmp/err")"
  same_as_sha256sum "relative" .
  same_as_sha256sum "trailing slashes" a// ./a/b/
  same_as_sha256sum "the same twice" a a plain plain
  same_as_sha256sum "files" plain 'back\slash' ./-dash a/zero
  same_as_sha256sum "a link to a directory" a/up a/link
  expect_code 0 "a link"
  [ -s "$tmp/out" ] && fail "a link was followed"
  same_as_sha256sum "a link with a slash" a/up/
  same_as_sha256sum "nothing" empty
  expect_code 0 "nothing"
  cd / || exit 1
}

# A tree deeper than any limit of open files or recursion, with paths near the longest that the system takes.
check_deep_tree() {
  deep=$tmp/deep
  i=0
  while [ $i -lt 1200 ]; do
    deep=$deep/d
    i=$((i + 1))
  done
  mkdir -p "$deep" && echo deep >"$deep/file" || exit 1
  same_as_sha256sum "a deep tree" "$tmp/deep"
  expect_code 0 "a deep tree"
}

# Each says so on stderr, the others go on, and the exit code is 1.
check_unreadable() {
  run "$tmp/tree/plain" "$tmp/missing" "$tmp/tree/plain/x" "" "$tmp/tree/a/zero"
  expect_code 1 "a missing file"
  [ "$(wc -l <"$tmp/out")" -eq 2 ] || fail "a missing file: the others are not all there"
  for line in "$tmp/missing: No such file or directory" "$tmp/tree/plain/x: Not a directory"; do
    grep -qxF "digest_tree: $line" "$tmp/err" || fail "no message: $line"
  done
  [ "$(wc -l <"$tmp/err")" -eq 3 ] || fail "a missing file: stderr is $(cat "$tmp/err")"
  if [ -e /proc/self/mem ]; then # can be opened, but not read at its start
    run /proc/self/mem "$tmp/tree/a/zero"
    expect_code 1 "a file that cannot be read"
    grep -qxF "digest_tree: /proc/self/mem: Input/output error" "$tmp/err" || fail "no message for /proc/self/mem"
    same_as_sha256sum "a file without a size" /proc/version /proc/cmdline
  fi
  if [ "$(id -u)" -ne 0 ]; then # nothing is unreadable to root
    mkdir "$tmp/secret" && echo x >"$tmp/secret/file" && echo y >"$tmp/mine" && chmod 0 "$tmp/secret" "$tmp/mine"
    run "$tmp/secret" "$tmp/mine" "$tmp/tree/plain"
    expect_code 1 "no permission"
    [ "$(grep -c ': Permission denied$' "$tmp/err")" -eq 2 ] || fail "no permission: stderr is $(cat "$tmp/err")"
    [ "$(wc -l <"$tmp/out")" -eq 1 ] || fail "no permission: the other file is not there"
  fi
}

check_usage() {
  for arguments in "" "-j" "-j 0 x" "-j -1 x" "-j 2x x" "-j 1025 x" "-j 99999999999999999999 x" "-x y" "-j 2"; do
    # shellcheck disable=SC2086 # they are to be split
    run $arguments
    expect_code 2 "digest_tree $arguments"
    [ -s "$tmp/out" ] && fail "digest_tree $arguments: printed something to stdout"
  done
  run --help
  expect_code 0 "--help"
  grep -q '^usage: ' "$tmp/out" || fail "--help says nothing"
}

# A file without end, for all that matters here; timeout asks as Ctrl-C does.
check_interrupt() {
  truncate -s 4T "$tmp/tree/huge" 2>/dev/null || return 0 # this file system has no such large files
  timeout --preserve-status --signal=INT --kill-after=20 1 "$program" -j 2 "$tmp/tree" >"$tmp/out" 2>"$tmp/err"
  code=$?
  expect_code 130 "Ctrl-C"
  [ -s "$tmp/out" ] && fail "Ctrl-C: printed a part of the result"
  [ -s "$tmp/err" ] && fail "Ctrl-C: stderr is $(cat "$tmp/err")"
  rm "$tmp/tree/huge"
}

# The same when the digests are done, and wait for somebody to read them.
check_late_interrupt() {
  mkfifo "$tmp/slow" || return 0
  sleep 60 <"$tmp/slow" &
  reader=$!
  timeout --preserve-status --signal=INT --kill-after=20 2 \
    "$program" -j 2 "$tmp/tree" "$tmp/tree" "$tmp/tree" >"$tmp/slow" 2>"$tmp/err"
  code=$?
  kill "$reader"
  expect_code 130 "Ctrl-C while it prints"
  [ -s "$tmp/err" ] && fail "Ctrl-C while it prints: stderr is $(cat "$tmp/err")"
}

check_output() {
  if [ -e /dev/full ]; then
    "$program" "$tmp/tree" >/dev/full 2>"$tmp/err"
    code=$?
    expect_code 1 "a full disk"
    grep -q 'write error: No space left' "$tmp/err" || fail "a full disk: no message"
  fi
  { "$program" "$tmp/tree" 2>"$tmp/err"; echo $? >"$tmp/code"; } | head -c 1 >/dev/null
  code=$(cat "$tmp/code") # the result is larger than what a pipe holds
  expect_code 1 "a broken pipe"
  grep -q 'write error: Broken pipe' "$tmp/err" || fail "a broken pipe: no message"
}

check_trees
check_deep_tree
check_unreadable
check_usage
check_output
check_interrupt
check_late_interrupt
[ $failed -eq 0 ] && echo "digest_tree: same as sha256sum, all checks passed"
exit $failed
