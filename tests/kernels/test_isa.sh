#!/usr/bin/env bash
# Every instruction set of this machine, forced through PARE_ISA in a process of its own, so that operators which are compiled for
# several sets (pools, resizes, means) take it too: the same bytes in every layer of the sample pipelines' networks.
set -euo pipefail
tests=$(dirname "$PARE_BIN")/tests
home=$(mktemp -d /tmp/pare-isa-XXXXXX)
trap 'rm -rf "$home"' EXIT
models=${PARE_MODELS:-$PARE_SOURCE/../shared/models}
PARE_SUMS_SAMPLES=2 PARE_SUMS=$home "$tests/test_plan_sameness" >"$home/log" 2>&1 || { tail -n 20 "$home/log"; exit 1; }
n=0
for isa in $("$PARE_BIN" doctor | awk '$1 == "kernels" && $3 == "yes" {print $2}'); do
    for sums in "$home"/*.sums; do
        name=$(basename "$sums" .sums)
        model=$PARE_SOURCE/sample_pipelines/hand_gesture/$name
        [ -e "$model" ] || model=$models/mediapipe/$name
        if ! PARE_ISA=$isa "$tests/layer_sums" "$model" "$sums" $([ "$isa" = ref ] && echo 1 || echo 4) >"$home/log"; then
            cat "$home/log"
            exit 1
        fi
        grep -q "^$isa .*int8: [1-9][0-9]* tensors" "$home/log" || { echo "PARE_ISA=$isa was not taken:"; cat "$home/log"; exit 1; }
        n=$((n + 1))
    done
    for test in test_resize test_convert; do
        PARE_ISA=$isa "$tests/$test" >"$home/log" 2>&1 || { echo "$test with PARE_ISA=$isa:"; tail -n 20 "$home/log"; exit 1; }
    done
done
echo "$n runs, all the same"
[ $n -ge 3 ]
