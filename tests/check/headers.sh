#!/bin/bash
# Every header compiles alone, with gcc and with clang: headers.sh 'FLAGS' HEADER...
set -uo pipefail
flags=$1
shift
wrong=0
for header in "$@"; do
    for compiler in gcc clang; do
        # shellcheck disable=SC2086
        if ! echo "#include \"$header\"" | $compiler $flags -fsyntax-only -x c - ; then
            echo "$header does not compile alone with $compiler"
            wrong=1
        fi
    done
done
exit $wrong
