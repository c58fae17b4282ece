#!/bin/bash
# Every header compiles alone, with gcc and with clang: headers.sh 'FLAGS' HEADER...
# Each is a translation unit of its own, where not all is used, though a compiler is started for many.
set -uo pipefail
flags=$1
shift
wrong=0
for compiler in gcc clang; do
    # shellcheck disable=SC2086
    if ! printf '%s\0' "$@" |
        xargs -0 -n 20 -P "$(nproc)" $compiler $flags -Wno-unused-function -Wno-unused-const-variable \
            -fsyntax-only -x c; then
        echo "a header does not compile alone with $compiler"
        wrong=1
    fi
done
exit $wrong
