#!/usr/bin/env bash
# Methods of quantization x levels on one pipeline: points lost against fp32 with the 95 % interval, paired.
#   methods.sh PIPELINE [SPLIT [SAMPLES]]      PARE: the executable (build/release/pare)
set -u
pare=${PARE:-build/release/pare}
pipeline=${1:?methods.sh PIPELINE [SPLIT [SAMPLES]]}
split=${2:-test}
samples=${3:-0}
session=$(mktemp -u --suffix=.pare)
trap 'rm -f "$session" "$session"-*' EXIT
levels="w8a8 w6a6 w4a8 w4a4"
printf '| method |'
printf ' %s |' $levels
printf '\n|---|'
for _ in $levels; do printf -- '---|'; done
printf '\n'
for method in minmax rounding=squant datafree best,equalize=off,order=alone best,order=alone best; do
    printf '| `%s` |' "$method"
    for level in $levels; do
        more=()
        [ "$samples" -gt 0 ] && more=(--samples "$samples")
        "$pare" eval "$pipeline" --levels w8a8,w6a6,w4a8,w4a4 --level "$level" --split "$split" "${more[@]}" \
            --quantize "$method" --session "$session" --json --quiet |
            python3 -c 'import json, sys; d = json.load(sys.stdin); print(" %.1f [%.1f, %.1f] |" % tuple(100 * d[k] for k in ("drop", "drop_low", "drop_high")), end="")'
    done
    printf '\n'
done
