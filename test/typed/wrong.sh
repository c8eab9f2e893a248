#!/bin/sh
# SPDX-License-Identifier: MIT
# wrong.sh INCLUDE good.c: programs that confuse types must not compile, in C and in C++; good.c itself must. CC, CXX: compilers.
set -eu
include=$1 good=$2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
bad=0

# compiles COMPILER FILE
compiles() { $1 -I"$include" -fsyntax-only "$2" 2>"$tmp/log"; }
c="${CC:-cc} -std=c11 -D_GNU_SOURCE -Wall -Wextra -Wpedantic -Werror"
cxx="${CXX:-c++} -std=c++17 -x c++ -Wall -Wextra -Werror"

for compiler in "$c" "$cxx"; do
  compiles "$compiler" "$good" || { cat "$tmp/log"; echo "good.c does not compile with $compiler"; bad=1; }
done

# The line replaces WRONG in good.c.
while IFS= read -r line; do
  [ -n "$line" ] || continue
  LINE="(void)($line);" awk '{ print index($0, "/* WRONG */") ? ENVIRON["LINE"] : $0 }' "$good" >"$tmp/wrong.c"
  grep -qF "$line" "$tmp/wrong.c" || { echo "not put in: $line"; bad=1; }
  for compiler in "$c" "$cxx"; do
    ! compiles "$compiler" "$tmp/wrong.c" || { echo "compiles with ${compiler%% *}: $line"; bad=1; }
  done
done <<'EOF'
samples_try_send(tx, &name)
samples_try_send(tx, &in.id)
samples_try_send(rx, &in)
samples_try_send(name_tx, &in)
samples_try_recv(tx, &out)
samples_try_recv(rx, &got)
samples_recv_sync(rx, &name, 0)
samples_send_sync(name_tx, &in, 0)
names_try_send(name_tx, name)
names_recv_sync(name_rx, &out, 0)
samples_create(o, &rx, &tx)
samples_create(o, &name_tx, &name_rx)
samples_create(&o, &tx, &rx)
uvf_try_send(tx, &in)
uvf_tx_release(rx.end)
EOF
exit $bad
