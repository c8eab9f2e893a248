#!/bin/sh
# SPDX-License-Identifier: MIT
# docs.sh SOURCE: the reference is made of all public headers without a word of doxygen; and of headers in which something is not
# documented it is not. Exit code 77: there is no doxygen. CMAKE: as in the build.
set -eu
source=$1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
command -v doxygen >/dev/null || { echo "doxygen not found: not checked"; exit 77; }

docs() { # HEADERS PAGE
  "${CMAKE:-cmake}" -DHEADERS="$1" -DPAGE="$2" -DOUTPUT="$tmp/docs" -DVERSION=1 -P "$source/cmake/docs.cmake" >"$tmp/log" 2>&1
}

fail() {
  echo "$1"
  cat "$tmp/log"
  exit 1
}

docs "$source/include" "$source/docs/reference.md" || fail "docs.cmake fails"
for file in "$source"/include/uvflow/*.h; do
  page=$(basename "$file" .h | sed 's/_/__/g')_8h.html
  [ -f "$tmp/docs/html/$page" ] || fail "no page about $file"
  grep -q "$page" "$tmp/docs/html/index.html" || fail "docs/reference.md does not mention $(basename "$file")"
done

# without TEXT WHAT: where the comment TEXT is missing, that is said of WHAT.
without() {
  awk -v text="$1" '!done && (at = index($0, text)) { $0 = substr($0, 1, at - 1) substr($0, at + length(text)); done = 1 }
    { print }' "$tmp/whole.h" >"$tmp/include/a.h"
  if docs "$tmp/include" "$tmp/page.md"; then fail "accepted without $1"; fi
  grep -q -- "$2" "$tmp/log" || fail "not said: $2"
}

mkdir "$tmp/include"
cat >"$tmp/whole.h" <<'TREE'
/** @file
 * The file. */

/** A macro. */
#define UVF_A 1

/** A function. */
UVF_EXTERN int uvf_a(int x);

/** A type. */
typedef struct uvf_opaque_s uvf_opaque_t;

/** A structure. */
typedef struct {
  int field; /**< a field */
} uvf_a_t;

/** Constants. */
enum { UVF_B = 1, /**< one constant */ UVF_C = 2 /**< another */ };

/** More constants. */
typedef enum {
  UVF_D, /**< a third */
  UVF_E  /**< a fourth */
} uvf_enum_t;

/** A callback. */
typedef void (*uvf_cb)(int x);
TREE
echo '# A page' >"$tmp/page.md"
cp "$tmp/whole.h" "$tmp/include/a.h"
docs "$tmp/include" "$tmp/page.md" || fail "docs.cmake fails where all is documented"
without '@file' 'no @file'
without '/** A macro. */' 'UVF_A'
without '/** A function. */' 'uvf_a('
without '/** A type. */' 'uvf_opaque_t'
without '/** A structure. */' 'uvf_a_t'
without '/**< a field */' 'field'
without '/** Constants. */' 'the enum with UVF_[BC]'
without '/**< one constant */' 'UVF_B'
without '/**< another */' 'UVF_C'
without '/** More constants. */' 'uvf_enum_t'
without '/**< a third */' 'UVF_D'
without '/**< a fourth */' 'UVF_E'
without '/** A callback. */' 'uvf_cb'
