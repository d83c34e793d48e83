#!/bin/sh
# The cluster without containers, from a clone: PostgreSQL with a replica and two nodes, on ports
# 9341 and 9342. Ends with Ctrl-C, and keeps nothing. Needs `make build` and PostgreSQL's programs:
#   PATH=/usr/lib/postgresql/18/bin:$PATH examples/cluster/run.sh
# PostgreSQL does not run as root: start this as another user.
set -eu
cd "$(dirname "$0")/../.."
folder=$(mktemp -d)
pids=
end() {
    trap - EXIT INT TERM
    kill $pids 2>/dev/null || true
    wait
    rm -rf "$folder"
}
trap end EXIT INT TERM
settings="-c listen_addresses=127.0.0.1 -k $folder"

initdb -D "$folder/one" -U postgres --auth=trust >/dev/null
postgres -D "$folder/one" -p 9351 $settings >"$folder/one.log" 2>&1 &
pids="$pids $!"
until pg_isready -q -h 127.0.0.1 -p 9351; do sleep 0.1; done
pg_basebackup -h 127.0.0.1 -p 9351 -U postgres -D "$folder/two" -R -X stream --checkpoint=fast
postgres -D "$folder/two" -p 9352 $settings >"$folder/two.log" 2>&1 &
pids="$pids $!"
until pg_isready -q -h 127.0.0.1 -p 9352; do sleep 0.1; done
psql -q -h 127.0.0.1 -p 9351 -U postgres \
    -c "ALTER SYSTEM SET synchronous_standby_names = '*'" -c "SELECT pg_reload_conf()" >/dev/null

export LOOKALIKE_DATA=postgres://postgres@127.0.0.1:9351,127.0.0.1:9352/postgres
${LOOKALIKE_BIN:-target/release/lookalike} --listen 9341 --node-address http://127.0.0.1:9341 --workers 1 &
pids="$pids $!"
${LOOKALIKE_BIN:-target/release/lookalike} --listen 9342 --node-address http://127.0.0.1:9342 --workers 1 &
pids="$pids $!"
echo "fail over with: pg_ctl -D $folder/one -m immediate stop; pg_ctl -D $folder/two promote"
wait
