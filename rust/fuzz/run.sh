#!/usr/bin/env bash
# libFuzzer with AddressSanitizer over the decoders of the core: run.sh SECONDS [DECODER].
# What fails is written to corpus/DECODER, where `make test` replays it from then on.
set -euo pipefail
cd "$(dirname "$0")"
seconds=$1
decoders=("${2:-}")
if [[ -z ${decoders[0]} ]]; then decoders=(corpus/*); fi

# As cargo-fuzz sets them; the switch lets the stable compiler take the sanitizer's option.
host=$(rustc -vV | sed -n 's/^host: //p')
coverage="-Cpasses=sancov-module"
for option in level=4 inline-8bit-counters pc-table trace-compares; do
    coverage+=" -Cllvm-args=-sanitizer-coverage-$option"
done
RUSTC_BOOTSTRAP=1 RUSTFLAGS="$coverage -Zsanitizer=address --cfg=fuzzing" \
    cargo build --quiet --release --locked --target "$host" --target-dir ../../target/fuzz

share=$((seconds / ${#decoders[@]}))
found=$(mktemp -d)
trap 'rm -r "$found"' EXIT
failed=()
for folder in "${decoders[@]}"; do
    decoder=$(basename "$folder")
    mkdir "$found/$decoder"
    DECODER=$decoder "../../target/fuzz/$host/release/decoder" "$found/$decoder" "corpus/$decoder" \
        -max_total_time="$((share > 0 ? share : 1))" -max_len=4096 -timeout=5 \
        -artifact_prefix="corpus/$decoder/" -verbosity=0 -print_final_stats=1 2>&1 |
        sed -n "s/^stat::number_of_executed_units:/$decoder: runs/p; /ERROR\|panicked/p" ||
        failed+=("$decoder")
done
echo "${#decoders[@]} decoders of the core; failed: ${failed[*]:-none}"
((${#failed[@]} == 0))
