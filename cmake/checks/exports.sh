#!/bin/sh
# SPDX-License-Identifier: MIT
# exports.sh ROOT LIBRARY: the shared library exports what the public headers declare, functions and data, and nothing else; and
# each of these declarations is marked by UVF_EXTERN. The compiler reads the headers, so macros, comments and conditions are what
# they are for a user. CC: the compiler, CFLAGS: what it needs to find <uv.h>.
set -eu
export LC_ALL=C
library=$2
cd "$1"
command -v nm >/dev/null || { echo "nm not found: not checked"; exit 0; }
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

find include -name '*.h' | sort | sed 's,.*,#include "&",' >"$tmp/all.c"
# shellcheck disable=SC2046,SC2086  # words
${CC:-cc} -std=c11 -D_GNU_SOURCE -DUVF_EXTERN=UVF_EXTERN ${CFLAGS-} $(pkg-config --cflags libuv 2>/dev/null) \
  -I. -Iinclude -E "$tmp/all.c" >"$tmp/all.i"

# What is declared at file scope in a file under include/: "extern NAME", or "bare NAME" without the mark.
awk '
  function is_name(word) { return word ~ /^[A-Za-z_]/ }
  # Outside of parentheses a name with "(" behind it that is no attribute is a function; one before , = [ or the end is data.
  function declaration(   i, mark, depth, value) {
    mark = "bare"
    for (i = 1; i <= n; i++) {
      if (word[i] == "UVF_EXTERN") mark = "extern"
      else if (word[i] ~ /^(typedef|static)$/) return
    }
    if (n <= 2 && word[1] ~ /^(struct|union|enum)$/) return # declares a tag
    word[n + 1] = ";"
    for (i = 1; i <= n; i++) {
      if (word[i] == "=") value = 1
      else if (word[i] == "," && !depth) value = 0
      if (word[i] ~ /^[(\[]$/) depth++
      else if (word[i] ~ /^[)\]]$/) depth--
      else if (!is_name(word[i]) || word[i] ~ /^(__|_[A-Z])/ || value) continue
      else if (word[i + 1] == "(" && word[i + 2] == "*" && !depth) print mark, word[i + 3]
      else if (word[i + 1] == "(" && !depth) print mark, word[i]
      else if (word[i + 1] ~ /^[,;=\[]$/ && !depth && word[i - 1] !~ /^(struct|union|enum)$/) print mark, word[i]
    }
  }
  function take(text) {
    if (text == "{") {
      if (n == 2 && word[1] == "extern" && word[2] ~ /^"/) n = 0 # extern "C"
      else if (!braces++) is_body = word[n] == ")"
    } else if (text == "}") {
      if (braces && !--braces && is_body) { declaration(); n = 0 }
    } else if (braces) return
    else if (text == ";") { declaration(); n = 0 }
    else word[++n] = text
  }
  /^# [0-9]+ "/ { split($0, part, "\""); ours = part[2] ~ /^(\.\/)?include\//; next }
  /^#/ || !ours { next }
  {
    while (match($0, /[A-Za-z_][A-Za-z_0-9]*|"[^"]*"|[^ \t]/)) {
      text = substr($0, RSTART, RLENGTH)
      $0 = substr($0, RSTART + RLENGTH)
      take(text)
    }
  }' "$tmp/all.i" | sort -u >"$tmp/found"
sed -n 's/^extern //p' "$tmp/found" >"$tmp/declared"
nm -D --defined-only "$library" | awk '{ sub(/@.*/, "", $NF); print $NF }' | sort -u >"$tmp/exported"
[ -s "$tmp/declared" ] || { echo "no declarations found"; exit 1; }

{
  sed -n 's/^bare /declared without UVF_EXTERN: /p' "$tmp/found"
  comm -23 "$tmp/declared" "$tmp/exported" | sed 's/^/declared, not exported: /'
  comm -13 "$tmp/declared" "$tmp/exported" | sed 's/^/exported, not declared: /'
} >"$tmp/wrong"
cat "$tmp/wrong"
[ ! -s "$tmp/wrong" ]
