#!/bin/sh
# SPDX-License-Identifier: MIT
# need.sh PACKAGE...: makes sure that these Debian packages, or what they are needed for, are there. Installs by apt what is
# missing, and only then needs a network; where there is no apt it names the missing ones and exits with 1.
# Everything that it says goes to stderr.
set -eu
exec >&2

library() { pkg-config --exists "$1" 2>/dev/null; }

# What counts is the thing, not the package: a cmake from elsewhere is as good.
have() {
  case $1 in
  libuv1-dev) library 'libuv >= 1.44' ;;
  libcmocka-dev) library cmocka ;;
  libssl-dev) library libcrypto ;;
  libc6-dev) echo '#include <stdio.h>' | gcc -E - >/dev/null 2>&1 ;;
  ninja-build) command -v ninja >/dev/null ;;
  # Only Debian and its children have this one as a package; without it the models are left out.
  relacy-dev) [ -f /usr/include/relacy/relacy.hpp ] || ! command -v apt-get >/dev/null ;;
  libclang-rt-14-dev) dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed' ;;
  *) command -v "$1" >/dev/null ;;
  esac
}

missing_of() {
  for package; do
    have "$package" || printf '%s ' "$package"
  done
}

missing=$(missing_of "$@")
[ -n "$missing" ] || exit 0

if ! command -v apt-get >/dev/null; then
  echo "Please install what your system calls these Debian packages, and run this again:"
  echo "  $missing"
  exit 1
fi

as_root=
if [ "$(id -u)" != 0 ]; then
  if ! command -v sudo >/dev/null; then
    echo "Please run this as root, and then this again:  apt-get install $missing"
    exit 1
  fi
  as_root='sudo -n'
  if ! $as_root true 2>/dev/null; then
    echo "sudo would ask for a password here. Please run this, and then this again:  sudo apt-get install $missing"
    exit 1
  fi
fi

echo "Installing $missing..."
apt() { $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0 "$@" </dev/null; }
apt update
# shellcheck disable=SC2086  # one word for each package
apt install -y --no-install-recommends $missing

missing=$(missing_of "$@")
[ -z "$missing" ] || { echo "Still missing after the installation: $missing"; exit 1; }
