#!/bin/bash
# Reports files over 500 lines, refuses those over 1000: sizes.sh FILE...
# (Functions over 80 lines are refused by clang-tidy's readability-function-size.)
set -uo pipefail
wc -l "$@" | awk '
    $2 == "total" { total += $1; next }
    $1 > 1000 { print $2 ": " $1 " lines: over 1000"; wrong = 1; next }
    $1 > 500 { print $2 ": " $1 " lines" }
    END { print total " lines of C"; exit wrong }'
