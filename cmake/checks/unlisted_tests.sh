#!/bin/sh
# SPDX-License-Identifier: MIT
# unlisted_tests.sh ROOT: each test, model and stress program under test/ has its line in test/CMakeLists.txt, and each mutant
# its model. Otherwise it would be there and never run.
set -eu
cd "$1/test"
bad=0
listed() { # FUNCTION NAME FILE
  grep -Eq "^ *$1\($2( |\))" CMakeLists.txt && return
  echo "test/$3: not in test/CMakeLists.txt: $1($2)"
  bad=1
}
for file in $(find . -name '*_test.c' ! -path './support/*' | sed 's,^\./,,' | sort); do listed uvflow_test "${file%_test.c}" "$file"; done
for file in $(find model stress -name '*_model.cpp' -o -name '*_stress.c' 2>/dev/null | sort); do
  name=${file#*/}
  case $file in
  *_model.cpp) listed uvflow_model "${name%_model.cpp}" "$file" ;;
  *) listed uvflow_stress "${name%_stress.c}" "$file" ;;
  esac
done
if [ -f model/mutants.txt ]; then
  for name in $(awk '$1 == "=" { print $2 }' model/mutants.txt | sort -u); do
    listed uvflow_model "$name" model/mutants.txt
  done
fi
exit $bad
