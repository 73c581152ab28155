#!/usr/bin/env bash
# The AArch64 kernels: cross-compiled, then run under qemu-aarch64 on models of four cores. Each model must end
# with the instruction set that its core has.
set -euo pipefail
build=$(dirname "$PARE_BIN")/arm64
for tool in aarch64-linux-gnu-gcc qemu-aarch64; do
    if ! command -v $tool >/dev/null; then
        echo "SKIP: no $tool (Debian: gcc-aarch64-linux-gnu, qemu-user)"
        exit 77
    fi
done
if ! { cmake -S "$PARE_SOURCE" --preset arm64 -B "$build" && cmake --build "$build" --target arm_isa test_convert test_kernels pare-table layer_sums; } >"$build.log" 2>&1; then
    tail -n 40 "$build.log"
    exit 1
fi

# best MODEL [PARE_ISA]: what the dispatcher chooses
best() {
    env ${2:+PARE_ISA=$2} qemu-aarch64 -cpu "$1" "$build/tests/cross/arm_isa"
}
expect() { # MODEL PARE_ISA WANTED
    local got
    got=$(best "$1" "$2")
    if [ "$got" != "$3" ]; then
        echo "on $1 with PARE_ISA='$2' the dispatcher chose $got, not $3"
        exit 1
    fi
}
expect max '' i8mm
expect cortex-a76 '' dotprod
expect neoverse-n1 '' dotprod
expect cortex-a53 '' neon
expect cortex-a72 '' neon
expect max dotprod dotprod
expect max fp16 fp16
expect cortex-a53 fp16 neon
expect max neon neon
expect max ref ref
expect cortex-a53 i8mm neon
expect cortex-a76 i8mm dotprod
expect max nonsense i8mm

for model in max cortex-a53; do
    for test in test_convert test_kernels; do
        if ! qemu-aarch64 -cpu $model "$build/tests/cross/$test" >"$build.log" 2>&1; then
            echo "$test fails on $model:"
            tail -n 20 "$build.log"
            exit 1
        fi
        grep -E '^(conv|depthwise|fc)_.*_(neon|fp16|dotprod|i8mm)' "$build.log" | sed "s/^/$model: /" || true
    done
done

# every layer of the sample pipelines' networks, the same bytes as on the machine that runs this: 100 samples of our own networks at
# int8, PARE_SUMS_SAMPLES (2) of others', which take half a second each here
home=$(mktemp -d /tmp/pare-arm-XXXXXX)
trap 'rm -rf "$home"' EXIT
export PARE_SUMS_SAMPLES=${PARE_SUMS_SAMPLES:-2}
models=${PARE_MODELS:-$PARE_SOURCE/../shared/models}
if ! PARE_SUMS=$home "$(dirname "$PARE_BIN")/tests/test_plan_sameness" >"$build.log" 2>&1; then
    tail -n 20 "$build.log"
    exit 1
fi
n=0
for sums in "$home"/*.sums; do
    name=$(basename "$sums" .sums)
    model=$PARE_SOURCE/sample_pipelines/hand_gesture/$name
    [ -e "$model" ] || model=$models/mediapipe/$name
    for cpu in max cortex-a76 cortex-a53; do
        if ! qemu-aarch64 -cpu $cpu "$build/tests/cross/layer_sums" "$model" "$sums"; then
            echo "$name differs on $cpu"
            exit 1
        fi
    done
    n=$((n + 1))
done
[ $n -ge 3 ] || { echo "checksums of $n networks"; exit 1; }
# and a difference is found: the first input of sample 1 is another
python3 - "$home/classifier.onnx.sums" <<'P'
import struct, sys
b = bytearray(open(sys.argv[1], "rb").read())
_, tensors, _, _, ranges, inputs = struct.unpack_from("<8siiiiq", b)
at = 40 + tensors * ranges + 4 * inputs
struct.pack_into("<f", b, at, 50 - struct.unpack_from("<f", b, at)[0])
open(sys.argv[1], "wb").write(b)
P
rc=0
qemu-aarch64 -cpu max "$build/tests/cross/layer_sums" "$PARE_SOURCE/sample_pipelines/hand_gesture/classifier.onnx" "$home/classifier.onnx.sums" >"$build.log" || rc=$?
if [ $rc -ne 1 ] || ! grep -q 'int8, sample 1, i8mm: the first layer that differs is ' "$build.log"; then
    echo "another input is not noticed (status $rc):"
    cat "$build.log"
    exit 1
fi

# the program for a bare board runs there to its end, and its table is taken (its figures mean nothing here)
rc=0
qemu-aarch64 -cpu cortex-a53 "$build/pare-table" --none >"$build.log" 2>&1 || rc=$?
if [ $rc -ne 2 ] || ! grep -q '^usage: pare-table' "$build.log"; then
    echo "pare-table --none: exit status $rc"
    exit 1
fi
if ! qemu-aarch64 -cpu cortex-a53 "$build/pare-table" --up-to 0.02 "$home/board.csv" >"$build.log" 2>&1; then
    # status 1: no row, because the machine is too busy for any clean block
    grep -q ' 0 rows' "$build.log" && echo "SKIP: every row was noisy" && exit 77
    tail -n 3 "$build.log"
    exit 1
fi
if ! XDG_DATA_HOME=$home "$PARE_BIN" target import "$home/board.csv" --name board >"$build.log" 2>&1 ||
    ! XDG_DATA_HOME=$home "$PARE_BIN" target list | grep -q '^board  *measured'; then
    echo "pare target import refuses the board's table:"
    cat "$build.log"
    exit 1
fi
