#!/bin/bash
# Runs every fuzz target for some seconds: fuzz.sh SECONDS BUILD TARGET...
# Findings stay in BUILD/findings; a corpus in tests/fuzz/corpus/<target> is read, never written.
set -uo pipefail
seconds=$1
build=$2
shift 2
mkdir -p "$build/findings" || exit 1
failed=0
for target in "$@"; do
    name=$(basename "$target")
    corpus=$build/corpus/$name
    mkdir -p "$corpus"
    seeds=()
    [ -d "tests/fuzz/corpus/$name" ] && seeds=("tests/fuzz/corpus/$name")
    if "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=0 \
        -verbosity=0 -artifact_prefix="$build/findings/$name-" "$corpus" "${seeds[@]}" \
        >"$build/findings/$name.log" 2>&1; then
        echo "ok $name ($seconds s)"
    else
        tail -40 "$build/findings/$name.log"
        echo "FAILED $name"
        failed=1
    fi
done
exit $failed
