#!/bin/bash
# Unit tests, and a gateway whose processes served and drained, under valgrind: no error, no leak.
# valgrind.sh BUILD
set -uo pipefail
cd "$(dirname "$0")/../.."
build=$(realpath "$1")
options=(--quiet --vgdb=no --leak-check=full --errors-for-leak-kinds=definite,indirect
    --show-leak-kinds=definite,indirect --error-exitcode=99)
failed=0

check_unit() { # program
    local log=$1.valgrind
    if timeout 600 valgrind "${options[@]}" --log-file="$log" "$1" >"$log.out" 2>&1 </dev/null; then
        echo "ok $1"
    else
        cat "$log"
        grep -vE '^\[ (RUN|      OK) ' "$log.out"
        echo "FAILED $1"
        return 1
    fi
}

# These start themselves again as another process, or stop one at each system call: under valgrind
# that would be valgrind. They run in `make test` with AddressSanitizer.
own_processes=' test_checker test_creator test_janitor test_launcher test_store_processes test_store_kill '

pids=()
for program in "$build"/unit/*/test_*; do
    [[ $program == *.* || ! -x $program ]] && continue
    [[ $own_processes == *" ${program##*/} "* ]] && continue
    while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n || true; done
    check_unit "$program" &
    pids+=($!)
done
for pid in "${pids[@]}"; do
    wait "$pid" || failed=1
done

# Some processes drop to users that may not enter the build directory. What valgrind says goes where
# the log goes: a file of its own could not be opened again after the change of user.
place=$(mktemp -d "${TMPDIR:-/tmp}/gatehouse-valgrind.XXXXXX")
trap 'rm -rf "$place"' EXIT
chmod 755 "$place"
cp "$build/gatehouse" "$place/gatehouse"
cat >"$place/gatehouse-under-valgrind" <<EOF
#!/bin/bash
exec valgrind ${options[*]} --trace-children=yes $place/gatehouse "\$@"
EOF
chmod +x "$place/gatehouse-under-valgrind"
GATEHOUSE_BIN=$place/gatehouse-under-valgrind TEST_PATIENCE=10 \
    node --test --test-reporter=spec tests/check/served.mjs || failed=1
[ $failed -eq 0 ] && echo "no error, no leak"
exit $failed
