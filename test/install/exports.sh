#!/bin/sh
# SPDX-License-Identifier: MIT
# exports.sh SOURCE: cmake/checks/exports.sh is not fooled by the ways in which a header may declare something. CC: the compiler.
set -eu
check=$1/cmake/checks/exports.sh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cc=${CC:-cc}
mkdir -p "$tmp/include/uvflow"

cat >"$tmp/include/uvflow.h" <<'END'
#include <stdio.h>
#include <uvflow/a.h>
UVF_EXTERN int uvf_top(void);
END
cat >"$tmp/include/uvflow/a.h" <<'END'
#ifndef A_H
#define A_H
/* UVF_EXTERN int uvf_in_comment(void); */
#define MAKE(name) UVF_EXTERN int uvf_made_##name(int x)
MAKE(one); MAKE(two);
UVF_EXTERN int uvf_plain(void); UVF_EXTERN void *uvf_second_of_line(void);
UVF_EXTERN const struct uvf_s *
uvf_of_several_lines(int (*callback)(int x),
                     const char *text);
UVF_EXTERN __attribute__((noinline)) void uvf_attribute(void) __attribute__((cold));
UVF_EXTERN void (*uvf_returns_function(int x))(void);
extern UVF_EXTERN const int uvf_datum, uvf_array[2];
UVF_EXTERN extern void (*uvf_pointer)(void);
#ifdef NEVER
UVF_EXTERN int uvf_never(void);
#endif
struct uvf_s;
struct uvf_s {
  int member;
};
typedef struct uvf_s uvf_t;
typedef int (*uvf_cb)(int x);
enum { UVF_A = 1, UVF_B };
static inline int uvf_inlined(int x) {
  return uvf_plain() + x;
}
static const int uvf_own = 1;
#endif
END
cat >"$tmp/all.c" <<'END'
#define UVF_EXTERN __attribute__((visibility("default")))
#include <uvflow.h>
int uvf_top(void) { return uvf_own; }
int uvf_made_one(int x) { return x; }
int uvf_made_two(int x) { return x; }
int uvf_plain(void) { return 0; }
void *uvf_second_of_line(void) { return NULL; }
const struct uvf_s *uvf_of_several_lines(int (*callback)(int x), const char *text) { return callback(*text) ? NULL : NULL; }
void uvf_attribute(void) {}
void (*uvf_returns_function(int x))(void) { return x ? uvf_attribute : NULL; }
const int uvf_datum = 1, uvf_array[2] = {1, 2};
void (*uvf_pointer)(void);
int uvf_hidden(void) { return 0; }
END

# says EXPECTED LINE...: what the check says of this tree, with these lines more at the end of a.h.
says() {
  expected=$1
  shift
  cp "$tmp/include/uvflow/a.h" "$tmp/a.h"
  sed -i.old '$d' "$tmp/include/uvflow/a.h"
  printf '%s\n' "$@" '#endif' >>"$tmp/include/uvflow/a.h"
  "$cc" -shared -fPIC -fvisibility=hidden -I"$tmp/include" -o "$tmp/lib.so" "$tmp/all.c"
  sh "$check" "$tmp" "$tmp/lib.so" >"$tmp/out" 2>&1 || true
  mv "$tmp/a.h" "$tmp/include/uvflow/a.h"
  [ "$expected" = "$(cat "$tmp/out")" ] || { echo "expected: $expected, said:"; cat "$tmp/out"; exit 1; }
}

says ''
says 'declared, not exported: uvf_made_three' 'MAKE(three);'
says 'declared, not exported: uvf_more' 'UVF_EXTERN' 'int' 'uvf_more' '(' 'void);'
says 'declared, not exported: uvf_more' 'UVF_EXTERN int uvf_plain(void), uvf_more(int x);'
says 'declared, not exported: uvf_more' 'extern UVF_EXTERN int uvf_more[3];'
says 'declared without UVF_EXTERN: uvf_hidden' 'int uvf_hidden(void);'
says 'declared without UVF_EXTERN: uvf_in_header' 'inline int uvf_in_header(void) {' '  return 0;' '}'
says 'declared without UVF_EXTERN: uvf_value' 'extern int uvf_value;'
