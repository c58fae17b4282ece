#!/bin/bash
# Is the price of an authenticated request flat? Run by `make bench-flat`, or flat_cost.sh PROGRAM.
# Has callgrind count the instructions of REQUESTS requests (64 tokens in use) by the worker's own
# code, over real stores with 1, 100 and 10 000 app auth configs and as many apps. Fails when two
# sizes differ by LIMIT per mille or more, or when a request was not answered by its stored session,
# scanned a store, or matched a label. Takes ten seconds; listens nowhere.
set -euo pipefail
program=$1
requests=${REQUESTS:-1280}
limit=${LIMIT:-30} # per mille
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

least= most=
for size in ${SIZES:-1 100 10000}; do
    if ! valgrind --tool=callgrind --toggle-collect=flat_cost_measured \
        --callgrind-out-file="$out/callgrind.$size" "$program" "$size" "$requests" \
        >"$out/said" 2>"$out/errors"; then
        cat "$out/said" "$out/errors"
        echo "with $size configs a request was not answered by its session alone"
        exit 1
    fi
    total=$(sed -n 's/^\(summary\|totals\): \([0-9]*\).*/\2/p' "$out/callgrind.$size" | head -1)
    each=$((total / requests))
    printf '%6d configs and apps: %6d instructions a request (%s)\n' "$size" "$each" "$(cat "$out/said")"
    [ "$each" -gt 0 ]
    if [ -z "$least" ] || [ "$each" -lt "$least" ]; then least=$each; fi
    if [ -z "$most" ] || [ "$each" -gt "$most" ]; then most=$each; fi
done
apart=$(((most - least) * 1000 / least))
printf 'the most is %d.%d %% over the least\n' $((apart / 10)) $((apart % 10))
if [ "$apart" -ge "$limit" ]; then
    echo "not flat"
    exit 1
fi
