#!/bin/bash
# Runs the tests of a build: run.sh unit|integration|all BUILD. The last line is the sum of all:
# "N passed, N failed, N skipped". With CI=true a skipped test is a failure.
# TESTS: integration test files to run instead of all of them.
set -uo pipefail
cd "$(dirname "$0")/.."
what=$1
build=$2
passed=0 failed=0 skipped=0

add() { # passed failed skipped
    passed=$((passed + ${1:-0})) failed=$((failed + ${2:-0})) skipped=$((skipped + ${3:-0}))
}

# What cmocka says on its last lines: "[  PASSED  ] 12 test(s)."
cmocka_count() { # word, output
    sed -n "s/^\[  $1 *\] \([0-9]*\) test(s).*/\1/p" "$2" | tail -1
}

run_unit() {
    local program log status ran
    for program in "$build"/unit/*/test_*; do
        [[ $program == *.d || ! -x $program ]] && continue
        log=$program.log
        timeout 300 "$program" >"$log" 2>&1 </dev/null
        status=$?
        ran="$(cmocka_count PASSED "$log")/$(cmocka_count FAILED "$log")"
        add "$(cmocka_count PASSED "$log")" "$(cmocka_count FAILED "$log")" \
            "$(cmocka_count SKIPPED "$log")"
        if [ $status -ne 0 ] || [ "$ran" = / ]; then
            # A crash leaves no count of its own.
            [[ $ran == */ || $ran == */0 ]] && add 0 1 0
            grep -vE '^\[ (RUN|      OK) ' "$log"
            echo "FAILED $program (exit status $status)"
        else
            echo "ok $program ($(cmocka_count PASSED "$log"))"
        fi
    done
}

run_integration() {
    local tap=$build/integration.tap count
    count() { sed -n "s/^# $1 \([0-9]*\)$/\1/p" "$tap" | tail -1; }
    rm -f "$tap"
    [[ $build == *sanitized* ]] && export TEST_PATIENCE=${TEST_PATIENCE:-4}
    # One file at a time: some tests measure time and memory.
    GATEHOUSE_BIN=${GATEHOUSE_BIN:-$build/gatehouse} timeout 1500 node --test \
        --test-concurrency=1 --test-timeout=240000 \
        --test-reporter=spec --test-reporter-destination=stdout \
        --test-reporter=tap --test-reporter-destination="$tap" \
        ${TESTS:-tests/integration/*.test.mjs} </dev/null
    local status=$?
    if [ ! -s "$tap" ]; then
        add 0 1 0
        return
    fi
    add "$(count pass)" $(($(count fail) + $(count cancelled))) $(($(count skipped) + $(count todo)))
    if [ $status -ne 0 ] && [ $failed -eq 0 ]; then
        add 0 1 0
    fi
}

case $what in
unit) run_unit ;;
integration) run_integration ;;
all)
    run_unit
    run_integration
    ;;
*)
    echo "usage: run.sh unit|integration|all BUILD" >&2
    exit 64
    ;;
esac

if [ "${CI:-}" = true ] && [ $skipped -gt 0 ]; then
    echo "in CI no test may be skipped"
    failed=$((failed + skipped)) skipped=0
fi
if [ $((passed + failed)) -eq 0 ]; then
    echo "no test ran"
    failed=1
fi
summary="$passed passed, $failed failed, $skipped skipped"
echo "$summary" >"$build/summary"
echo "$summary"
[ $failed -eq 0 ]
