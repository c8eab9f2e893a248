#!/bin/sh
# SPDX-License-Identifier: MIT
# run.sh HOW SOURCE BUILD: a program outside of the project uses uvflow as a user would, and runs:
#   package       find_package after cmake --install, with both libraries
#   pkgconfig     the compiler and pkg-config after cmake --install
#   subdirectory  add_subdirectory, which must bring neither tests nor examples nor install rules
# CC, CMAKE, CMAKE_GENERATOR: as in the build.
set -eu
how=$1 source=$2 build=$3
here=$source/test/install
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cmake=${CMAKE:-cmake}

quietly() { "$@" >"$tmp/log" 2>&1 || { cat "$tmp/log"; exit 1; }; }

quietly_build() { # SOURCE OPTION...
  consumer=$1
  shift
  quietly "$cmake" -S "$consumer" -B "$tmp/build" "$@"
  quietly "$cmake" --build "$tmp/build"
}

case $how in
package)
  quietly "$cmake" --install "$build" --prefix "$tmp/prefix"
  quietly_build "$here/package" -DCMAKE_PREFIX_PATH="$tmp/prefix"
  "$tmp/build/with_shared"
  "$tmp/build/with_static"
  ;;
pkgconfig)
  quietly "$cmake" --install "$build" --prefix "$tmp/prefix"
  pc=$(find "$tmp/prefix" -name uvflow.pc)
  PKG_CONFIG_PATH=$(dirname "$pc")
  export PKG_CONFIG_PATH
  libs=$(dirname "$PKG_CONFIG_PATH")
  # The prefix of the installation is said at configure time; this one is another.
  flags="--define-variable=prefix=$tmp/prefix"
  # shellcheck disable=SC2046  # words
  ${CC:-cc} -o "$tmp/with_shared" "$here/main.c" $(pkg-config "$flags" --cflags --libs uvflow)
  LD_LIBRARY_PATH=$libs "$tmp/with_shared"
  # shellcheck disable=SC2046
  ${CC:-cc} -o "$tmp/with_static" "$here/main.c" $(pkg-config "$flags" --cflags uvflow) "$libs/libuvflow.a" \
    $(pkg-config "$flags" --libs libuv) -pthread
  "$tmp/with_static"
  ;;
subdirectory)
  quietly_build "$here/subdirectory" -DUVFLOW_SOURCE="$source"
  "$tmp/build/with_static"
  [ ! -e "$tmp/build/uvflow/test" ] && [ ! -e "$tmp/build/uvflow/examples" ] || { echo "tests or examples came along"; exit 1; }
  ;;
*)
  echo "run.sh: package, pkgconfig or subdirectory, not $how" >&2
  exit 2
  ;;
esac
