#!/bin/bash
# Is the price of an authenticated request flat? Run by `make bench-flat`, or flat_cost.sh PROGRAM.
# Has callgrind count the instructions of REQUESTS requests (64 tokens in use) by the worker's own
# code, over real stores of several sizes (CONFIGS:SESSIONS, as many apps as configs), which are
# made first, without it. Fails when two sizes differ by LIMIT per mille of a request or more, or
# when a request was not answered by its stored session, scanned a store, or matched a label. Takes
# a minute, and two GiB of disk meanwhile; listens nowhere.
set -euo pipefail
program=$1
requests=${REQUESTS:-1280}
limit=${LIMIT:-30} # per mille
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

least= most=
for size in ${SIZES:-1:1 100:10000 10000:1000000}; do
    mkdir "$out/stores"
    "$program" make "$out/stores" "${size%:*}" "${size#*:}"
    kept=$(du -sm "$out/stores" | cut -f1)
    if ! valgrind --tool=callgrind --toggle-collect=flat_cost_measured \
        --callgrind-out-file="$out/callgrind" "$program" ask "$out/stores" "$requests" \
        >"$out/said" 2>"$out/errors"; then
        cat "$out/said" "$out/errors"
        echo "with ${size%:*} configs and ${size#*:} sessions a request was not answered by its session alone"
        exit 1
    fi
    rm -r "$out/stores"
    total=$(sed -n 's/^\(summary\|totals\): \([0-9]*\).*/\2/p' "$out/callgrind" | head -1)
    each=$((total / requests))
    printf '%6d configs and apps, %7d sessions, %4d MiB: %6d instructions a request (%s)\n' \
        "${size%:*}" "${size#*:}" "$kept" "$each" "$(cat "$out/said")"
    [ "$each" -gt 0 ]
    if [ -z "$least" ] || [ "$each" -lt "$least" ]; then least=$each; fi
    if [ -z "$most" ] || [ "$each" -gt "$most" ]; then most=$each; fi
done
# The rest of a request asks no store: what it costs is in the budget of a whole one.
whole=$(sed -n 's/^\([0-9]*\) tools\/call$/\1/p' "$(dirname "$0")/instructions.budget")
apart=$(((most - least) * 1000 / whole))
printf 'the most is %d instructions over the least: %d.%d %% of a whole request, which takes %d\n' \
    $((most - least)) $((apart / 10)) $((apart % 10)) "$whole"
if [ "$apart" -ge "$limit" ]; then
    echo "not flat"
    exit 1
fi
