#!/usr/bin/env bash
# Methods of quantization x levels: points lost against fp32 with the 95 % interval, paired, as one table.
#   methods.sh PIPELINE...      PARE: the executable (build/release/pare)
# SPLIT (test), SAMPLES (all), METHODS and LEVELS (lists with blanks), SESSION (a file that is kept: what is cut short goes on
# from there), MORE (options, as --jobs 1).
set -u
pare=${PARE:-build/release/pare}
[ $# -gt 0 ] || { echo "usage: methods.sh PIPELINE..." >&2; exit 64; }
methods=${METHODS:-minmax rounding=squant datafree best,equalize=off,order=alone best,order=alone best,order=sequence best}
levels=${LEVELS:-w8a8 w6a6 w4a8 w4a4}
more=(--split "${SPLIT:-test}")
[ "${SAMPLES:-0}" -gt 0 ] && more+=(--samples "$SAMPLES")
read -ra wanted <<<"${MORE:-}"
read -ra columns <<<"$levels"
printf '| pipeline | method |'
printf ' %s |' "${columns[@]}"
printf '\n|---|---|'
printf -- '---|%.0s' "${columns[@]}"
printf '\n'
for pipeline in "$@"; do
    session=${SESSION:-$(mktemp -u --suffix=.pare)}
    for method in $methods; do
        printf '| %s | `%s` |' "$(basename "$pipeline")" "$method"
        for level in $levels; do
            "$pare" eval "$pipeline" --levels w8a8,w6a6,w4a8,w4a4 --level "$level" "${more[@]}" "${wanted[@]}" \
                --quantize "$method" --session "$session" --json --quiet |
                python3 -c 'import json, sys; d = json.load(sys.stdin); print(" %.1f [%.1f, %.1f] |" % tuple(100 * d[k] for k in ("drop", "drop_low", "drop_high")), end="")'
        done
        printf '\n'
    done
    [ -n "${SESSION:-}" ] || rm -f "$session" "$session"-*
done
