#!/bin/sh
# SPDX-License-Identifier: MIT
# checks_work.sh CHECK...: proves that each check can fail. Every check is run over a small tree that keeps its rule, and then over
# that tree with one file more which breaks it. A check without such a file here fails.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
proved=$tmp/proved # what is checked below, and in a pipe: so these are files
failed=$tmp/failed
: >"$proved"
tree=$tmp/tree

# A new tree in which all checks pass.
fresh() {
  rm -rf "$tree"
  mkdir -p "$tree/include/uvflow" "$tree/src/base" "$tree/src/chan" "$tree/test/chan" "$tree/test/model" "$tree/test/stress"
  cat >"$tree/include/uvflow/a.h" <<'END'
/* Does it.
 *
 * Thread: any */
UVF_EXTERN int uvf_do(int x,
                      int y);
UVF_EXTERN int uvf_undo(int x);
END
  cat >"$tree/src/base/a.h" <<'END'
/* What a does. Protocol. R1: release -> acquire. */
END
  cat >"$tree/src/base/a.c" <<'END'
/* Protocol. R2: fence -> fence. */
#include "base/a.h"
#include <uv/errno.h>
static int f(int x) {
  a_fence(seq_cst); /* R2 */
  /* R1, R2: on the line above */
  if (a_load(&word, acquire) != 0 && g())
    return 1;
  return a_cas(&word, &expected, x,
               release, relaxed); /* R1: at the end of its statement */
}
END
  echo '#include "base/a.h"' >"$tree/src/chan/a.c"
  echo 'int main(void) { g_sleep(1); }' >"$tree/test/chan/a_test.c"
  echo >"$tree/test/model/a_model.cpp"
  echo '= a first queue/a.c' >"$tree/test/model/mutants.txt"
  echo >"$tree/test/stress/a_stress.c"
  printf '%s\n' 'uvflow_test(chan/a)' 'uvflow_model(a)' 'uvflow_stress(a 1 2)' >"$tree/test/CMakeLists.txt"
  echo '#define E __attribute__((visibility("default")))
int E uvf_do(int x, int y) { return x + y; } int E uvf_undo(int x) { return x; }' >"$tmp/lib.c"
}

run() { # CHECK: its output in $tmp/out
  if [ "$1" = exports ]; then "${CC:-cc}" -shared -fPIC -fvisibility=hidden -o "$tmp/lib.so" "$tmp/lib.c"; fi
  sh "$here/$1.sh" "$tree" "$tmp/lib.so" >"$tmp/out" 2>&1
}

fail() {
  echo "$1"
  sed 's/^/  /' "$tmp/out"
  : >"$failed"
}

# breaks CHECK FILE TEXT: with stdin as FILE, the check fails and says TEXT.
breaks() {
  fresh
  cat >"$tree/$2"
  if run "$1"; then fail "$1 did not find: $3"; elif ! grep -Fq -- "$3" "$tmp/out"; then fail "$1 did not say: $3"; fi
  echo "$1" >>"$proved"
}

for check; do
  fresh
  run "$check" || fail "$check fails on a tree that keeps the rules"
done

breaks thread_lines include/uvflow/b.h 'b.h:5: no "Thread:" line' <<'END'
/* Thread: any */
UVF_EXTERN int uvf_a(void);

/* On any thread. */
UVF_EXTERN int uvf_b(void);
END
breaks thread_lines include/uvflow/b.h 'b.h:4: no "Thread:" line' <<'END'
/* Thread: any */
UVF_EXTERN int uvf_a(void);

UVF_EXTERN int uvf_b(void);
END
breaks thread_lines include/uvflow/b.h 'b.h:2: no "Thread:" line' <<'END'
/* Called when it ends. */
typedef void (*uvf_end_cb)(int status);
END

breaks order_tags src/base/b.c 'b.c:3: no order tag' <<'END'
/* Protocol. R1: release -> acquire. */
static void f(void) {
  a_store(&word, 1, relaxed); /* because */
  g(); /* R1 */
}
END
breaks order_tags src/base/b.c 'b.c:2: no order tag' <<'END'
/* Protocol. R1: release -> acquire. */
  heavy_fence();
  a_fence(seq_cst); /* R1 */
END
breaks order_tags src/base/b.c 'explains the tag R2' <<'END'
/* Protocol. R1, R22: release -> acquire. Only base/a.c explains the other one. */
#include "base/a.h"
  a_fence(seq_cst); /* R1, R2 */
END
breaks order_tags src/base/b.c 'explains the tag R1' <<'END'
/* R1: release -> acquire, but the word for it is missing. */
  a_fence(seq_cst); /* R1 */
END

echo '#include "chan/a.h"' | breaks layers src/base/b.c 'base may not use chan'
echo '#include <uv.h>' | breaks layers src/chan/b.c 'only src/uv may see libuv: <uv.h>'
echo '#include <uvflow/uv.h>' | breaks layers src/chan/b.c 'only src/uv may see libuv: <uvflow/uv.h>'
echo '#include "a.h"' | breaks layers src/chan/b.c 'include by folder and name: a.h'
echo | breaks layers src/b.c 'outside the layers'

lines() { awk -v n="$1" 'BEGIN { for (i = 0; i < n; i++) print "  x();" }'; }
lines 501 | breaks sizes src/base/b.c 'b.c: 501 lines'
lines 201 | breaks sizes include/uvflow/b.h 'b.h: 201 lines'
{ printf 'int f(int x,\n      int y) {\n'; lines 58; echo '}'; } | breaks sizes test/chan/b.c 'b.c:1: a function of 61 lines'

echo | breaks unlisted_tests test/chan/b_test.c 'uvflow_test(chan/b)'
echo | breaks unlisted_tests test/model/b_model.cpp 'uvflow_model(b)'
echo | breaks unlisted_tests test/stress/b_stress.c 'uvflow_stress(b)'
echo '= b first queue/a.c' | breaks unlisted_tests test/model/mutants.txt 'uvflow_model(b)'

echo '  uv_sleep(10);' | breaks sleeps test/chan/b.h 'b.h:1:  uv_sleep'
echo '  sleep 1' | breaks sleeps test/chan/b.sh 'b.sh:1:  sleep 1'

echo "/* TO""DO: later */" | breaks leftovers src/base/b.c 'b.c:1:'

echo 'UVF_EXTERN int uvf_missing(void);' | breaks exports include/uvflow/b.h 'declared, not exported: uvf_missing'
# The library of the small tree exports one more here.
breaks_exports() {
  fresh
  echo 'E int uvf__private;' >>"$tmp/lib.c"
  if run exports; then fail "exports did not find uvf__private"; fi
  grep -Fq 'exported, not declared: uvf__private' "$tmp/out" || fail "exports did not say uvf__private"
}
breaks_exports

for check; do
  : >"$tmp/out"
  grep -qx "$check" "$proved" || fail "$check: nothing here breaks its rule"
done
[ ! -f "$failed" ]
