#!/bin/sh
# SPDX-License-Identifier: MIT
# names.sh SOURCE: the amalgamation keeps apart what two sources call by the same name, whatever kind of thing it is, and refuses
# what it could not do right. Two variables of one name would otherwise become one, without a word of the compiler.
set -eu
make=$1/cmake/amalgamate.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
tree=$tmp/tree

# A source: everything in it but uvf_NAME is its own.
source_of() { # NAME VALUE
  cat <<END
#include <uvflow.h>
#include "a/member.h"
#define SIZE $2
#define GET() (get(SIZE))
typedef struct own_tag {
  int member, get; /* a member is no name of the file */
  int (*hook)(int);
  int second[2];
} own_t;
typedef int (*own_fn_t)(int);
enum colours { RED = SIZE, GREEN };
enum { BLUE = SIZE + 2 };
static int tentative; /* twice in one file it would be one variable */
static int first = SIZE, second[2];
static _Thread_local int of_thread;
static int get(int x);
static const char *const text = "get tentative first";
static int (*hook)(int) = get;
static int get(int x) {
  uvf__member_t outer = {.get = x};
  struct own_tag o = {.get = outer.get};
  own_t *p = &o;
  p->hook = hook;
  p->second[0] = second[0];
  return p->hook == get ? p->get : -1;
}
int uvf_$1(int x) {
  own_fn_t f = hook;
  tentative += x;
  second[1] += x;
  of_thread += x;
  if (tentative != x || second[1] != x || of_thread != x || first != SIZE) return 1;
  if (f(RED) != SIZE || GREEN != SIZE + 1 || BLUE != SIZE + 2 || GET() != SIZE) return 2;
  return sizeof("get tentative first") == 20 && text[0] == 'g' ? 0 : 3; /* not in strings: get */
}
END
}

fresh() {
  rm -rf "$tree" "$tmp/out"
  mkdir -p "$tree/include/uvflow" "$tree/src/a"
  echo 'the license' >"$tree/LICENSE"
  cat >"$tree/include/uvflow.h" <<'END'
#ifndef UVFLOW_H
#define UVFLOW_H
#include <uvflow/version.h>
int uvf_one(int x);
int uvf_two(int x);
#endif
END
  cat >"$tree/include/uvflow/version.h" <<'END'
#ifndef UVFLOW_VERSION_H
#define UVFLOW_VERSION_H
#define UVFLOW_VERSION_MAJOR 1
#define UVFLOW_VERSION_MINOR 2
#define UVFLOW_VERSION_PATCH 3
#endif
END
  cat >"$tree/src/a/member.h" <<'END'
#ifndef MEMBER_H
#define MEMBER_H
typedef struct uvf__member_s {
  int get;
} uvf__member_t;
static inline int one_more(int x) {
  return x + 1;
}
#endif
END
  source_of one 100 >"$tree/src/a/one.c"
  source_of two 200 >"$tree/src/a/two.c"
  # Met first under a condition that does not hold: the next one who includes it must get it all the same.
  { printf '%s\n' '#ifdef NEVER' '#include "a/member.h"' '#endif'; cat "$tree/src/a/one.c"; } >"$tree/src/a/zero.c"
  mv "$tree/src/a/zero.c" "$tree/src/a/one.c"
}

amalgamate() { sh "$make" "$tree" "$tmp/out" a/one.c a/two.c >"$tmp/log" 2>&1; }

fail() {
  echo "$1"
  cat "$tmp/log"
  exit 1
}

# refused TEXT: the tree as it is now cannot be amalgamated, for this reason.
refused() {
  if amalgamate; then fail "accepted: $1"; fi
  grep -Fq -- "$1" "$tmp/log" || fail "not said: $1"
  [ ! -e "$tmp/out/uvflow.c" ] || fail "a file was left: $1"
}

fresh
echo 'int main(void) { return uvf_one(1) + 10 * uvf_two(2); }' >"$tmp/main.c"
amalgamate || fail "the tree of the test is refused"
${CC:-cc} -std=c11 -Wall -Wextra -Wpedantic -Wshadow -Werror -I"$tmp/out" -include uvflow.h -o "$tmp/main" \
  "$tmp/out/uvflow.c" "$tmp/main.c" >"$tmp/log" 2>&1 || fail "it does not compile"
"$tmp/main" || fail "a name of one source reached the other: $?"
grep -q '^/\* uvflow 1.2.3 ' "$tmp/out/uvflow.h" || fail "no version"
grep -q '^ \* the license' "$tmp/out/uvflow.c" || fail "no license"

fresh
echo 'typedef int x_t;' >"$tree/include/uvflow/new.h"
refused 'include/uvflow/new.h is not part of uvflow.h'
fresh
grep -v 'MEMBER_H\|endif' "$tree/src/a/member.h" >"$tmp/log"
mv "$tmp/log" "$tree/src/a/member.h"
refused 'src/a/member.h has no include guard'
fresh
echo 'static MACRO(x);' >>"$tree/src/a/two.c"
refused 'src/a/two.c: what is the name in this declaration?'
fresh
echo 'static inline int f(int x) {' >>"$tree/src/a/two.c"
refused 'src/a/two.c: its braces do not match'
