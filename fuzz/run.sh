#!/usr/bin/env bash
# Runs each fuzz target for so many seconds, five minutes unless stated: fuzz/run.sh [SECONDS]
set -euo pipefail
cd "$(dirname "$0")/.."
# Instrumented code takes a nightly compiler, or a stable one that is told to act as one.
export RUSTC_BOOTSTRAP=1
images=(tests/cases crates/vision/tests/encodings/files)
run() {
    local target=$1
    mkdir -p "fuzz/corpus/$target"
    cargo fuzz run "$target" "fuzz/corpus/$target" "${@:2}" -- \
        -max_total_time="$seconds" -max_len=200000 -timeout=20
}
seconds=${1:-300}
run image_headers "${images[@]}"
run image_pixels "${images[@]}"
run signature fuzz/seeds/signature
run json_input fuzz/seeds/json_input
