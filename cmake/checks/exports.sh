#!/bin/sh
# SPDX-License-Identifier: MIT
# exports.sh ROOT LIBRARY: the shared library exports what the public headers declare, and nothing else.
set -eu
cd "$1"
command -v nm >/dev/null || { echo "nm not found: not checked"; exit 0; }
declared=$(cat include/uvflow/*.h | tr '\n' ' ' | sed 's/UVF_EXTERN /\n&/g' |
  sed -n 's/^UVF_EXTERN [^(;]*[ *]\(uvf_[a-z0-9_]*\)(.*/\1/p' | sort)
exported=$(nm -D --defined-only "$2" | awk '$2 ~ /^[A-Z]$/ { sub(/@.*/, "", $3); print $3 }' | sort)
[ -n "$declared" ] || { echo "no declarations found"; exit 1; }
[ "$declared" != "$exported" ] || exit 0
echo "$declared" >"${TMPDIR:-/tmp}/uvflow-declared.$$"
echo "$exported" | diff "${TMPDIR:-/tmp}/uvflow-declared.$$" - | sed -n 's/^< /declared, not exported: /p; s/^> /exported, not declared: /p'
rm -f "${TMPDIR:-/tmp}/uvflow-declared.$$"
exit 1
