#!/bin/bash
# Unit tests, and a gateway whose processes served and drained, under valgrind: no error, no leak.
# valgrind.sh BUILD
set -uo pipefail
cd "$(dirname "$0")/../.."
build=$(realpath "$1")
logs=$build/valgrind-logs
rm -rf "$logs"
mkdir -p "$logs"
failed=0
options=(--quiet --leak-check=full --errors-for-leak-kinds=definite,indirect
    --show-leak-kinds=definite,indirect --error-exitcode=99)

for program in "$build"/unit/*/test_*; do
    [[ $program == *.d || $program == *.log || ! -x $program ]] && continue
    name=$(basename "$program")
    if timeout 600 valgrind "${options[@]}" --log-file="$logs/$name.log" "$program" \
        >"$logs/$name.out" 2>&1 </dev/null; then
        echo "ok $name"
    else
        cat "$logs/$name.log"
        grep -vE '^\[ (RUN|      OK) ' "$logs/$name.out"
        echo "FAILED $name"
        failed=1
    fi
done

cat >"$build/gatehouse-under-valgrind" <<EOF
#!/bin/bash
exec valgrind ${options[*]} --trace-children=yes --log-file=$logs/%p.process.log \\
    $build/gatehouse "\$@"
EOF
chmod +x "$build/gatehouse-under-valgrind"
GATEHOUSE_BIN=$build/gatehouse-under-valgrind TEST_PATIENCE=10 \
    node --test tests/check/served.mjs || failed=1
processes=0
for log in "$logs"/*.process.log; do
    processes=$((processes + 1))
    if [ -s "$log" ]; then
        echo "$log:"
        cat "$log"
        failed=1
    fi
done
echo "$processes processes looked at"
[ $processes -ge 5 ] || failed=1
[ $failed -eq 0 ] && echo "no error, no leak"
exit $failed
