#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh                      every model, plain (must pass) and all its mutants (must be found)
# run.sh MODEL                one model and its mutants
# run.sh MODEL plain|MUTANT   one of them
# run.sh list                 names them all, one "MODEL plain" or "MODEL MUTANT" a line
# run.sh trace MODEL plain|MUTANT   one of them, with the interleaving that fails
#
# Needs Debian's relacy-dev and g++. Objects are kept in $UVF_MODEL_DIR (a folder of its own per checkout) if that is set:
# then a mutant only compiles what it changes. $UVF_MODEL_TIMES, $UVF_MODEL_BOUND: see model.h.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cxx=${CXX_MODEL:-g++}
# Without -fno-lifetime-dse gcc removes the stores by which a destructor marks an object as dead.
flags="-std=c++11 -O1 -fno-lifetime-dse -fpermissive -w -DUVF_MODEL"
includes="-I$root/src -I$root/include -I$here"
if [ -n "${UVF_MODEL_DIR:-}" ]; then
  dir=$UVF_MODEL_DIR
  mkdir -p "$dir" || exit 2
else
  dir=$(mktemp -d) || exit 2
  trap 'rm -rf "$dir"' EXIT
  trap 'exit 130' INT TERM
fi
bad=0

models() { ls "$here" | sed -n 's/_model\.cpp$//p'; }
mutants() { awk -v m="$1" '$1 == "=" && $2 == m { print $3 }' "$here/mutants.txt"; }
header() { sed -n "s/^ \* $2: *\([^*]*\).*/\1/p" "$here/$1_model.cpp"; }
file_of() { awk -v m="$1" -v n="$2" '$1 == "=" && $2 == m && $3 == n { print $4 }' "$here/mutants.txt"; }
object() { echo "$(echo "$1" | tr / _).o"; }

# compile OUT SOURCE FLAG...: anew only if something that a model is made of is younger.
compile() {
  out=$1 source=$2
  shift 2
  if [ -f "$out" ] && [ -z "$(find "$root/src" "$root/include" "$here" -newer "$out" -type f | head -n 1)" ]; then return 0; fi
  $cxx $flags "$@" $includes -x c++ -c -o "$out.tmp" "$source" && mv "$out.tmp" "$out"
}

# The unchanged objects of a model.
build() {
  mkdir -p "$dir/$1" || return 1
  compile "$dir/$1/model.o" "$here/$1_model.cpp" $(header "$1" flags) || return 1
  compile "$dir/$1/runtime.o" "$here/model_runtime.cpp" || return 1
  for f in $(header "$1" sources); do
    compile "$dir/$1/$(object "$f")" "$root/src/$f" $(header "$1" flags) || return 1
  done
}

# Links all objects of the model but $2 with $2's changed twin.
build_mutant() {
  changed=$(file_of "$1" "$2")
  [ -n "$changed" ] || { echo "no mutant $2 of $1" >&2; return 1; }
  work=$dir/$1/$2
  mkdir -p "$work" || return 1
  sh "$here/mutate.sh" "$root/src" "$1" "$2" >"$work/changed.c" || return 1
  others=
  for o in "$dir/$1"/*.o; do
    [ "$o" = "$dir/$1/$(object "$changed")" ] || others="$others $o"
  done
  $cxx $flags $(header "$1" flags) $includes -x c++ -c -o "$work/changed.o" "$work/changed.c" &&
    $cxx -o "$work/run" "$work/changed.o" $others
}

# one MODEL plain|MUTANT
one() {
  build "$1" || { echo "FAIL $1 $2: does not compile"; bad=1; return; }
  if [ "$2" = plain ]; then
    program=$dir/$1/run
    $cxx -o "$program" "$dir/$1"/*.o || { echo "FAIL $1 $2: does not link"; bad=1; return; }
  else
    build_mutant "$1" "$2" || { echo "FAIL $1 $2: does not compile"; bad=1; return; }
    program=$dir/$1/$2/run
  fi
  timeout "${UVF_MODEL_TIMEOUT:-100}" "$program" >"$program.out" 2>&1
  code=$?
  [ "${trace:-}" = "" ] || cat "$program.out"
  found=$(sed -n 's/^RESULT.*found: //p' "$program.out" | head -n 1)
  if [ "$2" = plain ] && [ $code = 0 ]; then
    sed -n "s/^RESULT /ok $1: /p" "$program.out"
  elif [ "$2" != plain ] && [ -n "$found" ]; then
    echo "ok $1 $2: found: $found"
  else
    echo "FAIL $1 $2: $(grep '^RESULT' "$program.out" | tail -n 1) (exit $code)"
    bad=1
  fi
}

all_of() {
  one "$1" plain
  for mutant in $(mutants "$1"); do one "$1" "$mutant"; done
}

case ${1:-} in
list)
  for m in $(models); do
    echo "$m plain"
    mutants "$m" | sed "s/^/$m /"
  done
  ;;
trace)
  trace=1
  one "$2" "$3"
  ;;
"") for m in $(models); do all_of "$m"; done ;;
*)
  [ -f "$here/$1_model.cpp" ] || { echo "no model $1" >&2; exit 2; }
  if [ $# -ge 2 ]; then one "$1" "$2"; else all_of "$1"; fi
  ;;
esac
exit $bad
