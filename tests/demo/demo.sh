#!/bin/bash
# `make demo`: a gateway, the demo server behind it and a demo issuer, all on loopback with a
# configuration in a scratch directory. Shows one real exchange through the gate, prints what to
# paste, and stays until Ctrl-C. demo.sh GATEHOUSE
# DEMO_ONCE=1: ends after the exchange (for tests).
set -euo pipefail
gatehouse=$(realpath "$1")
scratch=$(mktemp -d "${TMPDIR:-/tmp}/gatehouse-demo.XXXXXX")
children=()

finish() {
    trap - EXIT INT TERM
    for pid in "${children[@]}"; do
        kill -TERM "$pid" 2>/dev/null || true
    done
    for pid in "${children[@]}"; do
        wait "$pid" 2>/dev/null || true
    done
    rm -rf "$scratch"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Below the ephemeral range, so that no outgoing connection takes it before we do.
free_port() {
    local port
    for _ in $(seq 100); do
        port=$((RANDOM % 12000 + 20000))
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$port"
            return
        fi
    done
    echo "no free port found" >&2
    exit 1
}

# Waits until a command succeeds, at most 20 s, as long as the process lives.
wait_until() { # pid, command...
    local pid=$1
    shift
    for _ in $(seq 200); do
        "$@" >/dev/null 2>&1 && return 0
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    echo "did not start; its log:" >&2
    cat "$scratch"/*.log >&2
    exit 1
}

demo_port=$(free_port)
gate_port=$(free_port)
admin_port=$(free_port)
while [ "$gate_port" = "$demo_port" ]; do gate_port=$(free_port); done
while [ "$admin_port" = "$demo_port" ] || [ "$admin_port" = "$gate_port" ]; do
    admin_port=$(free_port)
done
gate=http://127.0.0.1:$gate_port
url=$gate/mcp/apps/demo
issuer=https://issuer.example.com

"$gatehouse" token keygen --alg ES256 --out "$scratch/issuer" >"$scratch/keygen.log"
mkdir -p "$scratch/resources.d"
cat >"$scratch/gatehouse.yaml" <<EOF
version: v1
kind: gatehouse
gate:
  public_addr: $gate
  listen:
  - address: 127.0.0.1:$gate_port
  admin_listen: 127.0.0.1:$admin_port
  state_dir: state
  resources_dir: resources.d
app_service:
  enabled: true
  debug_app: true
  apps:
  - name: demo
    uri: mcp+http://127.0.0.1:$demo_port/mcp
EOF
cat >"$scratch/resources.d/demo.yaml" <<EOF
version: v1
kind: app_auth_config
metadata:
  name: demo-issuer
spec:
  app_labels:
  - name: gatehouse/app-sub-kind
    values: [mcp]
  jwt:
    issuer: $issuer
    audience: "{{app.resource}}"
    static_jwks: |
$(sed 's/^/      /' "$scratch/issuer/jwks.json")
EOF
"$gatehouse" check -c "$scratch/gatehouse.yaml"
token=$("$gatehouse" token mint --key "$scratch/issuer/key.pem" --issuer "$issuer" \
    --audience "$url" --claim email=demo@example.com --ttl 20m)

"$gatehouse" demo-server --listen "127.0.0.1:$demo_port" >"$scratch/demo-server.log" 2>&1 &
children+=($!)
"$gatehouse" run -c "$scratch/gatehouse.yaml" >"$scratch/gatehouse.log" 2>&1 &
children+=($!)
wait_until "${children[0]}" bash -c "exec 3<>/dev/tcp/127.0.0.1/$demo_port"
wait_until "${children[1]}" curl -fsS "http://127.0.0.1:$admin_port/readyz"

post() { # body, further curl arguments...
    local body=$1
    shift
    echo "> POST $url"
    echo "> $body"
    curl -sS -D "$scratch/head" -o "$scratch/body" "$url" -d "$body" \
        -H "Authorization: Bearer $token" -H 'Content-Type: application/json' \
        -H 'Accept: application/json, text/event-stream' "$@"
    { cat "$scratch/head" "$scratch/body" && echo; } | tr -d '\r' | sed -e '/^$/d' -e 's/^/< /'
    echo
    head -1 "$scratch/head" | grep -q ' 20[02] '
}

echo
echo "== without a token"
curl -sS -o /dev/null -D - "$url" -X POST | tr -d '\r' | sed -n 's/^/< /p' |
    grep -iE '^< (HTTP|WWW-Authenticate)'
echo
echo "== with a token, through the gate"
post '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"demo","version":"1"}}}'
session=()
id=$(tr -d '\r' <"$scratch/head" | sed -n 's/^[Mm][Cc][Pp]-[Ss]ession-[Ii]d: //p')
[ -z "$id" ] || session=(-H "Mcp-Session-Id: $id")
session+=(-H 'MCP-Protocol-Version: 2025-11-25')
post '{"jsonrpc":"2.0","method":"notifications/initialized"}' "${session[@]}"
post '{"jsonrpc":"2.0","id":2,"method":"tools/list"}' "${session[@]}"
post '{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"echo","arguments":{"message":"hello through the gate"}}}' \
    "${session[@]}"

cat <<EOF
== the gate is open

URL:   $url
token: $token
files: $scratch (gatehouse.yaml, resources.d/, state/, gatehouse.log)

Paste in another terminal:

curl -sS $url -H 'Authorization: Bearer $token' \\
  -H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream' \\
  -H 'MCP-Protocol-Version: 2026-07-28' -H 'Mcp-Method: tools/call' -H 'Mcp-Name: add' \\
  -d '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"a":2,"b":3},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}'

npx -y @modelcontextprotocol/inspector@2.12.0 --cli $url --transport http \\
  --header 'Authorization: Bearer $token' --method tools/list

mdb_stat -a $scratch/state/config; mdb_stat -a $scratch/state/sessions; mdb_dump -p -s sessions $scratch/state/sessions

Ctrl-C ends it.
EOF
if [ -n "${DEMO_ONCE:-}" ]; then
    exit 0
fi
# A child that ends by itself ends the demo; a signal interrupts the wait.
wait -n "${children[@]}" || true
echo "a process ended; its log:" >&2
tail -20 "$scratch"/*.log >&2
exit 1
