#!/bin/sh
# SPDX-License-Identifier: MIT
# mutate.sh SOURCE_DIR MODEL MUTANT: prints the changed source file.
# The mutants are listed in mutants.txt, which explains their form. Fails if an edit finds nothing to change.
set -eu
src=$1 model=$2 mutant=$3
table=$(dirname "$0")/mutants.txt
file=$(awk -v m="$model" -v n="$mutant" '$1 == "=" && $2 == m && $3 == n { print $4 }' "$table")
[ -n "$file" ] || { echo "no mutant $mutant of $model in $table" >&2; exit 2; }
awk -v m="$model" -v n="$mutant" -v table="$table" -v name="$model $mutant" '
  function trim(s) { gsub(/^[ \t]+|[ \t]+$/, "", s); return s }
  # Code alone: without the comment behind it, and without regard to spaces.
  function code(s) { s = trim(s); sub(/[ \t]*\/\*.*\*\/$/, "", s); gsub(/[ \t]+/, " ", s); return s }
  function fail(what) { print name ": " what > "/dev/stderr"; bad = 1; exit 1 }
  function tagged(s, pattern, from,   i) { i = index(s, from); return i > 0 && s ~ pattern && i < match(s, pattern) }
  # Replaces the first occurrence of the plain text a in s.
  function put(s, a, b,   i) { i = index(s, a); return substr(s, 1, i - 1) b substr(s, i + length(a)) }
  BEGIN {
    while ((getline line < table) > 0) {
      split(line, w, " ")
      if (w[1] == "=") { on = w[2] == m && w[3] == n; continue }
      if (!on || line !~ /^[-@+~] ?/ ) continue
      edits++; op[edits] = substr(line, 1, 1); text[edits] = substr(line, 3)
    }
    if (edits == 0) fail("no edits")
  }
  { src[NR] = $0 }
  END {
    if (bad) exit 1
    at = 1
    for (e = 1; e <= edits; e++) {
      want = trim(text[e])
      if (op[e] == "@") {                                    # go on from the next line that contains this
        while (at <= NR && index(src[at], want) == 0) at++
        if (at > NR) fail("not found: @ " want)
      } else if (op[e] == "-") {                             # the next line that is this; by the + line below it, or nothing
        if (changed == at) at++                              # not what an edit has just put there
        while (at <= NR && code(src[at]) != code(want)) at++
        if (at > NR) fail("not found: - " want)
        src[at] = ""; changed = at
        if (e < edits && op[e + 1] == "+") src[at] = text[++e]
      } else if (op[e] == "+") {                             # a further line, behind the one just changed
        src[at] = src[at] "\n" text[e]
      } else if (op[e] == "~") {                             # TAG: from -> to, in the next line tagged so
        tag = substr(want, 1, index(want, ":") - 1); rest = trim(substr(want, index(want, ":") + 1))
        i = index(rest, " -> "); from = substr(rest, 1, i - 1); to = substr(rest, i + 4)
        pattern = "/\\*.*[^A-Za-z0-9]" tag "([^0-9].*)?\\*/"
        while (at <= NR && !tagged(src[at], pattern, from)) at++
        if (at > NR) fail("not found: ~ " want)
        src[at] = put(src[at], from, to)
      }
    }
    for (i = 1; i <= NR; i++) print src[i]
  }' "$src/$file"
