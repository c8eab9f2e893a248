#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh HOW SOURCE BUILD [DEFINITION...]: programs outside of the project, in C and C++, use uvflow as a user would, and run:
#   package       find_package after cmake --install, with both libraries
#   pkgconfig     the compiler and pkg-config after cmake --install, with both libraries
#   subdirectory  add_subdirectory, which must bring neither tests nor examples nor install rules, with both libraries
#   amalgamation  the two files of the target amalgamation; DEFINITION: -D options of the build that they are compiled with, too
# CC, CXX (empty: there is none), CMAKE, CMAKE_GENERATOR: as in the build.
set -eu
how=$1 source=$2 build=$3
shift 3
here=$source/test/install
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cmake=${CMAKE:-cmake} cc=${CC:-cc} cxx=${CXX:-}

quietly() { "$@" >"$tmp/log" 2>&1 || { cat "$tmp/log"; exit 1; }; }

run() { # PROGRAM...
  for program; do
    "$program" || { echo "$program: exit code $?"; exit 1; }
  done
}

build_and_run() { # SOURCE OPTION...
  consumer=$1
  shift
  quietly "$cmake" -S "$consumer" -B "$tmp/build" -DWITH_CXX="${cxx:+ON}" "$@"
  quietly "$cmake" --build "$tmp/build"
  run "$tmp/build/c_uvflow" "$tmp/build/c_uvflow_static"
  [ -z "$cxx" ] || run "$tmp/build/cxx_uvflow" "$tmp/build/cxx_uvflow_static"
}

install() { quietly "$cmake" --install "$build" --prefix "$tmp/prefix"; }

with_pkg_config() { # OPTION...: of pkg-config
  # The prefix of the installation is said at configure time; this one is another. Unquoted: words.
  flags=$(pkg-config --cflags --libs "$@" uvflow)
  # shellcheck disable=SC2086
  quietly "$cc" -o "$tmp/c" "$here/main.c" $flags
  run "$tmp/c"
  [ -n "$cxx" ] || return 0
  # shellcheck disable=SC2086
  quietly "$cxx" -std=c++17 -o "$tmp/cxx" "$here/main.cpp" $flags
  run "$tmp/cxx"
}

# As the README and the head of uvflow.c say it; and no warning may come of it.
amalgamated() { # DEFINITION...
  set -- "$@" -I"$files" -pthread
  warn="-Wall -Wextra -Wpedantic -Werror"
  # shellcheck disable=SC2086
  quietly "$cc" -std=c11 -D_GNU_SOURCE $warn "$@" -c -o "$tmp/uvflow.o" "$files/uvflow.c"
  quietly "$cc" -std=c11 -D_GNU_SOURCE "$@" -o "$tmp/first" "$source/examples/first.c" "$tmp/uvflow.o" -luv
  "$tmp/first" >"$tmp/out" || { echo "first.c: exit code $?"; exit 1; }
  awk 'BEGIN { for (i = 0; i < 100; i++) print i; print "end after 100 numbers: end of file" }' | diff - "$tmp/out"
  [ -n "$cxx" ] || return 0
  # shellcheck disable=SC2086
  quietly "$cxx" -std=c++17 $warn "$@" -o "$tmp/cxx" "$here/main.cpp" "$tmp/uvflow.o" -luv
  run "$tmp/cxx"
}

case $how in
package)
  install
  build_and_run "$here/package" -DCMAKE_PREFIX_PATH="$tmp/prefix"
  ;;
pkgconfig)
  install
  PKG_CONFIG_PATH=$(dirname "$(find "$tmp/prefix" -name uvflow.pc)")
  export PKG_CONFIG_PATH
  libs=$(dirname "$PKG_CONFIG_PATH")
  LD_LIBRARY_PATH=$libs
  export LD_LIBRARY_PATH
  with_pkg_config
  # --static says what the static library needs, but the linker prefers a shared one that is there.
  rm "$libs"/libuvflow.so*
  with_pkg_config --static
  ;;
subdirectory)
  build_and_run "$here/subdirectory" -DUVFLOW_SOURCE="$source"
  quietly "$cmake" --install "$tmp/build" --prefix "$tmp/build/installed"
  for folder in uvflow/test uvflow/examples installed; do
    [ ! -e "$tmp/build/$folder" ] || { echo "came along: $folder"; exit 1; }
  done
  ;;
amalgamation)
  files=$build/amalgamation
  amalgamated "$@"
  amalgamated "$@" -DUVFLOW_CHECKS=1 -O2
  # What the files export is the public interface, too.
  quietly "$cc" -std=c11 -D_GNU_SOURCE -fvisibility=hidden "$@" -I"$files" -shared -fPIC -o "$tmp/lib.so" "$files/uvflow.c" -luv
  sh "$source/cmake/checks/exports.sh" "$source" "$tmp/lib.so"
  ;;
*)
  echo "run.sh: package, pkgconfig, subdirectory or amalgamation, not $how" >&2
  exit 2
  ;;
esac
