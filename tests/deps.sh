#!/bin/bash
# Installs the Debian packages that the named purposes need: build, demo, test, check, valgrind,
# bench, profile.
# Touches neither network nor apt when everything is there.
set -euo pipefail

packages_for() {
    case $1 in
    build) echo gcc make libc6-dev pkg-config libssl-dev libyaml-dev \
        libcurl4-openssl-dev libc-ares-dev liblmdb-dev libev-dev libpcre2-dev ;;
    demo) echo curl lmdb-utils ca-certificates ;;
    test) echo libcmocka-dev lmdb-utils strace openssl curl procps groff-base ca-certificates ;;
    check) echo clang clang-tidy clang-format libclang-rt-dev ;;
    valgrind) echo valgrind libc6-dbg ;;
    bench) echo nginx haproxy wrk openssl util-linux ;;
    profile) echo linux-perf strace wrk ;;
    *)
        echo "deps.sh: unknown purpose: $1" >&2
        exit 64
        ;;
    esac
}

missing=()
for purpose in "$@"; do
    for package in $(packages_for "$purpose"); do
        status=$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null || true)
        [ "$status" = "install ok installed" ] || missing+=("$package")
    done
done
if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    as_root=(sudo)
fi
echo "installing: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
# Servers that the bench needs are started by it, not by their packages (invoke-rc.d).
export RUNLEVEL=1
"${as_root[@]}" apt-get update -qq </dev/null
"${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" </dev/null >/dev/null
