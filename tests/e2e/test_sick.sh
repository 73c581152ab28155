#!/usr/bin/env bash
# `pare sense` on a network with a NaN weight, an all-zero channel with a large bias and a constant activation: each is
# flagged by name, and the rest of the table is complete.
. "${PARE_SOURCE:?}/tests/shell.sh"
python3 tests/e2e/sick_net.py "$work/sick.onnx" || exit 1

# a group of channels and weight zero points must not hide any of it
for method in minmax per=group:32,weights=asymmetric datafree; do
    for format in "" --json; do
        "$pare" sense "$work/sick.onnx" --levels w8a8,w4a4,w1a1 --samples 8 --quantize "$method" $format >"$work/out$format" 2>"$work/err" </dev/null
        got=$?
        [ $got -eq 0 ] || { echo "FAIL: exit $got with $method"; cat "$work/err"; exit 1; }
    done
    python3 - "$work/out" "$work/out--json" "$method" <<'END' || exit 1
import json, math, sys
text, rows = open(sys.argv[1]).read(), json.load(open(sys.argv[2]))["layers"]
said = {"nan": "1 weights are not finite, the first in channel 1", "dead": "channel 1 is the constant 50",
        "still": "8 channels have only zero weights", "reads": "what it reads is the constant 3", "last": None}
assert [(r["name"], r["level"]) for r in rows] == [("sick/" + n, l) for n in said for l in ("w8a8", "w4a4", "w1a1")], rows
for r in rows:
    name = r["name"][5:]
    if said[name] is None:
        assert not r.get("problem"), r
    else:
        assert said[name] in r["problem"], r
        assert any(line.startswith("! sick/%s: " % name) and said[name] in line for line in text.splitlines()), (name, text)
    figures = [r["rmse"], r["loss"]] + ([] if name == "still" else [r["rmse_over_sigma"]])
    if name == "nan":
        assert r["rmse"] is None and r["loss"] is None, r
    else:
        assert all(f is not None and math.isfinite(f) and f >= 0 for f in figures), (sys.argv[3], r)
        assert r["samples"] == 8, r
END
done
