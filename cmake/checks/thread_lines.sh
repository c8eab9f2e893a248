#!/bin/sh
# SPDX-License-Identifier: MIT
# thread_lines.sh ROOT: each exported function and each callback type in the public headers has a comment directly above it
# that says on which threads it may run, in a line "Thread: ...". Declarations with no empty line between them share one.
set -eu
cd "$1"
find include -name '*.h' | sort | xargs awk '
  FNR == 1 { comment = thread = 0 }
  /^[ \t]*$/ { thread = 0 }
  /^\/\*/ { comment = 1; thread = 0 }
  comment && /(^\/\*\*?|^ \*) *Thread: *[a-z]/ { thread = 1 }
  comment { if (/\*\//) comment = 0; next }
  (/^UVF_EXTERN / || /^typedef .*\(\*uvf_[a-z_]*\)/) && !thread {
    print FILENAME ":" FNR ": no \"Thread:\" line above: " $0
    bad = 1
  }
  /^UVF_EXTERN / { count++ }
  END {
    if (count == 0) { print "no declarations found"; bad = 1 }
    exit bad
  }'
