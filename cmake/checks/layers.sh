#!/bin/sh
# SPDX-License-Identifier: MIT
# layers.sh ROOT: the folders of src/ include each other in one direction only, and only src/uv sees libuv; the others have its
# error codes (<uv/errno.h>) and nothing else. A new folder needs a line in the table below.
set -eu
cd "$1/src"
find . -name '*.[ch]' | sed 's,^\./,,' | sort | xargs awk '
  BEGIN {
    may["base"] = " base "
    may["queue"] = " base queue "
    may["wait"] = " base wait "
    may["chan"] = " base queue wait chan "
    may["task"] = " base queue wait chan task "
    may["uv"] = " base wait task uv "
    # The names and texts of the error codes are a macro of <uv.h>: data, no function of libuv is called.
    excused["base/error.c", "uv.h"] = 1
  }
  function wrong(what) { print "src/" FILENAME ":" FNR ": " what; bad = 1 }
  FNR == 1 {
    folder = FILENAME
    if (!sub(/\/.*/, "", folder)) wrong("a source file outside the layers")
    if (!(folder in may)) wrong("src/" folder " is not in the table of cmake/checks/layers.sh")
  }
  /^#[ \t]*include "/ {
    split($0, part, "\"")
    to = part[2]
    if (to ~ /^[a-z_]+_model\.h$/) next # stands in for the header under the model checker
    if (!sub(/\/.*/, "", to)) wrong("include by folder and name: " part[2])
    else if (index(may[folder], " " to " ") == 0) wrong(folder " may not use " to ": " part[2])
  }
  /^#[ \t]*include <uv/ {
    split($0, part, /[<>]/)
    if (folder == "uv" || part[2] == "uv/errno.h" || (FILENAME, part[2]) in excused) next
    if (part[2] ~ /^uv(\.h|\/)/ || part[2] == "uvflow/uv.h" || part[2] == "uvflow.h") wrong("only src/uv may see libuv: <" part[2] ">")
  }
  END { exit bad }'
