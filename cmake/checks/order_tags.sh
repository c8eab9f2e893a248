#!/bin/sh
# SPDX-License-Identifier: MIT
# order_tags.sh ROOT: each atomic access and fence in src/ carries the tag of its order pair in a comment, as in
#   a_store(&n->next, x, release); /* P2: publishes *x to pop */
# on its line, on the line directly above, or at the end of its statement. And the first comment that says "Protocol" in the
# file, or in a header that it includes by name (for a header: also in its own .c file), names that tag, so that the pair can be
# looked up.
set -eu
cd "$1/src"
find . -name '*.[ch]' ! -path ./base/atomic.h | sed 's,^\./,,' | sort | xargs awk '
  # The tags at the beginning of a comment: "/* R2: ..." or "/* O-1, O-3 */"; "" if there are none.
  function tags_of(line,   at, list) {
    at = match(line, /\/\* [A-Z]+-?[0-9]+(, [A-Z]+-?[0-9]+)*(:| \*\/)/)
    if (at == 0) return ""
    list = substr(line, RSTART + 3, RLENGTH - 3)
    sub(/(:| \*\/)$/, "", list)
    return list
  }
  function use(tags, number,   list, n, i) {
    n = split(tags, list, ", ")
    for (i = 1; i <= n; i++) if (!((FILENAME, list[i]) in used)) used[FILENAME, list[i]] = number
  }
  function without_comments(line) {
    gsub(/\/\*([^*]|\*[^\/])*\*\//, "", line)
    sub(/\/\*.*/, "", line)
    return line
  }
  function untagged() {
    if (pending) { print "src/" file ":" pending ": no order tag (/* R2: ... */): " pending_text; bad = 1 }
    pending = 0
  }
  FNR == 1 { untagged(); file = FILENAME; in_comment = 0; above = "" }
  /^#include "/ { split($0, part, "\""); includes[FILENAME] = includes[FILENAME] " " part[2] }
  {
    was_comment = in_comment
    code = in_comment ? "" : without_comments($0)
    if (in_comment && /\*\//) { in_comment = 0; code = "" }
    else if (!in_comment && match($0, /\/\*/) && substr($0, RSTART) !~ /\*\//) in_comment = 1
    if (was_comment || $0 ~ /^\/\*/) { # a comment of whole lines: perhaps the one about the protocol
      if (!was_comment) block = ""
      block = block " " $0
      if (!in_comment && block ~ /Protocol/) heads[FILENAME] = heads[FILENAME] block " "
    }
    tags = was_comment ? "" : tags_of($0)
    # Definitions of the fences themselves are no uses.
    is_use = code ~ /(^|[^A-Za-z0-9_])(a_(load|store|swap|add|sub|or|and|cas|fence)|(uvf__)?(light|heavy)_fence)\(/ &&
             code !~ /^#define / && code !~ /^[a-z].*fence\(void\)/
    if (is_use) {
      untagged()
      if (tags != "") use(tags, FNR)
      else if (above != "") use(above, FNR)
      else { pending = FNR; pending_text = $0; sub(/^ +/, "", pending_text) }
    } else if (pending && tags != "") { use(tags, FNR); pending = 0 }
    if (pending && code ~ /[;{]/) untagged()
    above = code ~ /^[ \t]*$/ ? tags : ""
  }
  # All that file f may look a tag up in.
  function known(f, seen,   list, n, i, text) {
    if (f in seen) return ""
    seen[f] = 1
    text = heads[f]
    n = split(includes[f], list, " ")
    for (i = 1; i <= n; i++) text = text known(list[i], seen)
    return text
  }
  END {
    untagged()
    for (key in used) {
      split(key, part, SUBSEP)
      split("", seen)
      twin = part[1]
      sub(/\.h$/, ".c", twin)
      if (!match(known(part[1], seen) heads[twin], "[^A-Za-z0-9-]" part[2] "[^A-Za-z0-9]")) {
        print "src/" part[1] ":" used[key] ": no comment with \"Protocol\" explains the tag " part[2]
        bad = 1
      }
    }
    exit bad
  }'
