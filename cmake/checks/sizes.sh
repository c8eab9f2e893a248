#!/bin/sh
# SPDX-License-Identifier: MIT
# sizes.sh ROOT: no file over 500 lines (200 for a public header), no function over 60. A function begins at the left margin
# with the first line of its signature and ends with a "}" there, which is how clang-format leaves it.
set -eu
cd "$1"
for dir in include src test examples; do
  [ ! -d "$dir" ] || find "$dir" -type f \( -name '*.[ch]' -o -name '*.cpp' \)
done | sort | xargs awk '
  function file_done() {
    if (file != "" && lines > limit) { print file ": " lines " lines, the limit is " limit; bad = 1 }
  }
  FNR == 1 { file_done(); file = FILENAME; limit = file ~ /^include\// ? 200 : 500; body = 0 }
  { lines = FNR }
  !body && /^[A-Za-z_]/ { start = FNR; signature = "" }
  !body { signature = signature " " $0 }
  !body && /\{$/ { body = 1; is_function = signature ~ /\(.*\{$/ && signature !~ /=/ }
  body && /^\}/ {
    if (is_function && FNR - start + 1 > 60) {
      print FILENAME ":" start ": a function of " FNR - start + 1 " lines, the limit is 60"
      bad = 1
    }
    body = 0
    signature = ""
  }
  END { file_done(); exit bad }'
