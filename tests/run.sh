#!/bin/bash
# Runs the tests of a build: run.sh unit|integration|all BUILD. The last line is the sum of all:
# "N passed, N failed, N skipped". With CI=true a skipped test is a failure.
# TESTS: integration test files to run instead of all of them.
set -uo pipefail
cd "$(dirname "$0")/.."
what=$1
build=$2
passed=0 failed=0 skipped=0

# These measure time or memory, or want the whole machine: nothing runs beside them.
alone=' chaos crash endpoints soak streams '

add() { # passed failed skipped
    passed=$((passed + ${1:-0})) failed=$((failed + ${2:-0})) skipped=$((skipped + ${3:-0}))
}

# What cmocka says on its last lines: "[  PASSED  ] 12 test(s)."
cmocka_count() { # word, output
    sed -n "s/^\[  $1 *\] \([0-9]*\) test(s).*/\1/p" "$2" | tail -1
}

# Leaves the output in PROGRAM.log, and the exit status and the seconds in PROGRAM.status.
run_program() { # program
    local started=$SECONDS status
    timeout 300 "$1" >"$1.log" 2>&1 </dev/null
    status=$?
    echo "$status $((SECONDS - started))" >"$1.status"
}

judge_program() { # program
    local program=$1 log=$1.log status=1 seconds=0 ran
    read -r status seconds <"$program.status"
    ran="$(cmocka_count PASSED "$log")/$(cmocka_count FAILED "$log")"
    add "$(cmocka_count PASSED "$log")" "$(cmocka_count FAILED "$log")" \
        "$(cmocka_count SKIPPED "$log")"
    if [ "$status" -ne 0 ] || [ "$ran" = / ]; then
        # A crash leaves no count of its own.
        [[ $ran == */ || $ran == */0 ]] && add 0 1 0
        grep -vE '^\[ (RUN|      OK) ' "$log"
        echo "FAILED $program (exit status $status)"
    else
        echo "ok $program ($(cmocka_count PASSED "$log")), $seconds s"
    fi
}

run_unit() {
    local program programs=()
    for program in "$build"/unit/*/test_*; do
        [[ ${program##*/} == *.* || ! -x $program ]] && continue
        programs+=("$program")
        rm -f "$program.log" "$program.status"
        while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n || true; done
        run_program "$program" &
    done
    wait
    for program in "${programs[@]}"; do judge_program "$program"; done
}

run_files() { # how many at a time, name, file...
    local together=$1 tap=$build/integration.$2.tap status
    shift 2
    count() { sed -n "s/^# $1 \([0-9]*\)$/\1/p" "$tap" | tail -1; }
    rm -f "$tap"
    GATEHOUSE_BIN=${GATEHOUSE_BIN:-$build/gatehouse} timeout 1500 node --test \
        --test-concurrency="$together" --test-timeout=600000 \
        --test-reporter=spec --test-reporter-destination=stdout \
        --test-reporter=./tests/integration/harness/file_times.mjs \
        --test-reporter-destination="$tap.times" \
        --test-reporter=tap --test-reporter-destination="$tap" "$@" </dev/null
    status=$?
    cat "$tap.times"
    if [ ! -s "$tap" ]; then
        add 0 1 0
        return
    fi
    add "$(count pass)" $(($(count fail) + $(count cancelled))) $(($(count skipped) + $(count todo)))
    if [ $status -ne 0 ] && [ $failed -eq 0 ]; then
        add 0 1 0
    fi
}

run_integration() {
    local file name quiet=() others=()
    # Sanitizers are slow, and what the soak counts with them is no memory: less of it does.
    if [[ $build == *sanitized* ]]; then
        export TEST_PATIENCE=${TEST_PATIENCE:-4} SOAK_SECONDS=${SOAK_SECONDS:-30}
    fi
    for file in ${TESTS:-tests/integration/*.test.mjs}; do
        name=$(basename "$file" .test.mjs)
        if [[ $alone == *" $name "* ]]; then quiet+=("$file"); else others+=("$file"); fi
    done
    # Most of their time is waiting.
    [ ${#others[@]} -eq 0 ] || run_files 2 together "${others[@]}"
    [ ${#quiet[@]} -eq 0 ] || run_files 1 alone "${quiet[@]}"
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
