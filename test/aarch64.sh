#!/bin/sh
# SPDX-License-Identifier: MIT
# aarch64.sh [CTEST-ARGUMENT...]: builds for 64-bit ARM with Debian's cross compiler, and runs unit, fuzz and stress tests under
# qemu-user (by default without what takes too long there). By hand: it shows whether uvflow builds and works there; qemu keeps to
# x86's stronger order of memory accesses more often than a real CPU would, so orders are proved by test/model.
# UVFLOW_JOBS: how many at a time (default: the number of CPUs). The arm64 libraries are unpacked in build/, not installed.
set -eu
cd "$(dirname "$0")/.."

command -v apt-get >/dev/null || { echo 'This needs Debian, for its arm64 packages.' >&2; exit 1; }
sh cmake/need.sh cmake ninja-build pkg-config
# Not by need.sh: these are packages without a command of the same name.
if ! aarch64-linux-gnu-gcc --version >/dev/null 2>&1 || ! qemu-aarch64 --version >/dev/null 2>&1; then
  apt-get -qq update
  apt-get -qq install -y --no-install-recommends gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
fi

top=$PWD/build/arm64
libraries=$top/sysroot/usr/lib/aarch64-linux-gnu
jobs=${UVFLOW_JOBS:-$(getconf _NPROCESSORS_ONLN)}

# An apt of its own, whose state says that arm64 is all there is: dpkg's architectures stay as they are.
fetch() {
  mkdir -p "$top/apt/lists/partial" "$top/apt/cache/archives/partial" "$top/debs"
  : >"$top/apt/status"
  cat >"$top/apt/apt.conf" <<-END
	APT::Architecture "arm64";
	APT::Architectures "arm64";
	APT::Sandbox::User "root";
	Dir::State "$top/apt";
	Dir::State::lists "$top/apt/lists";
	Dir::State::status "$top/apt/status";
	Dir::Cache "$top/apt/cache";
	END
  export APT_CONFIG="$top/apt/apt.conf"
  apt-get -qq update
  (cd "$top/debs" && apt-get -qq download libuv1 libuv1-dev libcmocka0 libcmocka-dev)
  unset APT_CONFIG
  rm -rf "$top/sysroot.new"
  for package in "$top"/debs/*.deb; do
    dpkg-deb -x "$package" "$top/sysroot.new"
  done
  mv "$top/sysroot.new" "$top/sysroot"
}

[ -d "$top/sysroot" ] || fetch

cat >"$top/toolchain.cmake" <<END
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER NOTFOUND) # this machine's own would be found otherwise
set(CMAKE_FIND_ROOT_PATH $top/sysroot)
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64 -L /usr/aarch64-linux-gnu -E LD_LIBRARY_PATH=$libraries)
END

export PKG_CONFIG_LIBDIR="$libraries/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$top/sysroot"
cmake -G Ninja -B build/aarch64 -DCMAKE_TOOLCHAIN_FILE="$top/toolchain.cmake" -DCMAKE_BUILD_TYPE=Release \
  -DUVFLOW_CHECKS=ON -DUVFLOW_WERROR=ON -DUVFLOW_BUILD_MODELS=OFF >"$top/configure.log" ||
  { cat "$top/configure.log" >&2; exit 1; }
cmake --build build/aarch64 -j "$jobs"

# permit_end starts tens of thousands of threads, which takes qemu longer than the test's time limit.
[ $# != 0 ] || set -- -L 'unit|fuzz|stress|example' -E 'ten_million|chan/permit_end|typed/wrong'
exec ctest --test-dir build/aarch64 --no-tests=error --no-label-summary --output-on-failure -j "$jobs" "$@"
