#!/usr/bin/env bash
# The thesis' experiments on a tiny network; simulated levels and what is kept, in every verb.
. "${PARE_SOURCE:?}/tests/shell.sh"

# a network of three layers on random key points; what fp32 answers is right
mkdir "$work/p"
cp sample_pipelines/hand_gesture/classifier.onnx "$work/p"
cat >"$work/p/pipeline.lua" <<'L'
return {
  name = "tiny",
  stages = { { "c", "classifier.onnx" } },
  classes = { "0", "1", "2", "3", "4", "5", "6", "7" },
  data = { calibration = "x.npz", search = "x.npz", test = "x.npz" },
  infer = function(stage, sample, op) return op.argmax(stage.c(op.reshape(sample.image, 1, 42))) end,
  metric = "top1",
}
L
python3 - "$work/p/x.npz" <<'P'
import random, struct, sys, zipfile
random.seed(3)
def npy(kind, shape, data):
    h = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (kind, shape)
    h += " " * (63 - (len(h) + 10) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(h)) + h.encode() + data
with zipfile.ZipFile(sys.argv[1], "w") as z:
    z.writestr("image.npy", npy("<f4", "(40, 1, 1, 42)", struct.pack("<1680f", *[random.uniform(-1, 1) for _ in range(1680)])))
    z.writestr("label.npy", npy("<i8", "(40,)", struct.pack("<40q", *[i % 8 for i in range(40)])))
P

code 0 "$pare" script sample_pipelines/thesis/run.lua "$work/t" "$work/p" 20 --jobs 1
for word in 'SKIP' 'no chart' 'nan'; do
    grep -q "$word" "$work/t.md" && fail "$word in the report: $(grep "$word" "$work/t.md" | head -1)"
done
[ "$(grep -c '^| fp32 ' "$work/t.md")" -eq 4 ] || fail "four tables"
[ "$(grep -c 'W16A16.*\*simulated\*' "$work/t.md")" -eq 2 ] || fail "16 bits are marked"
[ "$(grep -c 'po2 \*simulated\*' "$work/t.md")" -eq 2 ] || fail "powers of two are marked"
grep -Eq '^\| 8 \| 0\.14[0-9]* \|' "$work/t.md" || fail "the identity layer"
for f in p-ptq p-squant p-po2 p-suspected; do
    [ -s "$work/t-$f-accuracy.png" ] && [ -s "$work/t-$f-size.png" ] || fail "chart $f"
done
[ -s "$work/t-identity.png" ] || fail "chart of the identity layer"
code 0 "$pare" script sample_pipelines/thesis/run.lua "$work/u" /nonexistent/p 20
grep -q "SKIP" "$work/u.md" || fail "a network that is not there"

# simulated levels
code 0 "$pare" eval "$work/p" --level W16A16I32O32 --json
is "d['simulated'] is True and d['drop'] == 0" "eval of a simulated level"
code 0 "$pare" eval "$work/p" --level w4a8 --json
is "d['simulated'] is False" "eval of a real level"
code 2 "$pare" bench "$work/p" --level w8a16 --levels w8a16
code 0 "$pare" sense "$work/p" --levels w16a16 --samples 10 --json
is "all(l['simulated'] == (l['level'] == 'w16a16') for l in d['layers'])" "sense of a simulated level"
is "all(l['rmse_over_scale'] is not None for l in d['layers'])" "its own errors"

# powers of two: 8 bits hold more exponents than 4, no kernel runs them, bytes are those of the bits
q="weights=po2"
powers() { code 0 "$pare" eval "$p" --level "$1" --quantize "$2" --samples 300 --split test --jobs 1 --json; }
powers w4a8 $q:inf
cp "$work/out" "$work/four"
powers w8a8 $q:inf
is "d['simulated'] and d['loss'] < 0.9 * json.load(open('$work/four'))['loss']" "8 bits of powers are more than 4"
is "d['bytes'] > 1.8 * json.load(open('$work/four'))['bytes']" "and take 8 bits"
powers w8a8 "$q,rounding=adaround,bias=empirical"
is "d['simulated'] and d['drop'] <= 0.06" "powers chosen by samples lose little"
code 2 "$pare" bench "$work/p" --level w8a8 --quantize $q
code 0 "$pare" sense "$work/p" --levels w8a8 --samples 10 --quantize "$q; c/*: weights=symmetric" --json
is "not any(l['simulated'] for l in d['layers'])" "a rule for layers"
code 0 "$pare" sense "$work/p" --levels w8a8 --samples 10 --quantize $q
grep -q '  w8a8-sim ' "$work/out" || fail "powers of two are marked in the table"

# rows say what is kept, and by whom
code 0 "$pare" sense "$work/p" --levels w8a8,w4a4 --samples 10 --keep-first 1 --json
is "[(l['kept'], l['kept_by']) for l in d['layers']] == [('fp32', 'keep')] * 2 + [(None, None)] * 3 + [('fp32..int8', 'last layer')]" "kept"
code 0 "$pare" sense "$work/p" --levels w8a8,w4a4 --samples 10 --keep-first 1 --out "$work/kept.md"
[ "$(grep -c 'fp32 (keep) |$' "$work/kept.md")" -eq 2 ] && [ "$(grep -c '| kept |$' "$work/kept.md")" -eq 1 ] || fail "kept in Markdown"
code 0 "$pare" sense "$work/p" --levels w8a8,w4a4 --samples 10 --keep-first 1
[ "$(grep -cE ' \*w[48]a[48] ' "$work/out")" -eq 3 ] && grep -q '^\* c/.*: kept at fp32 (keep)$' "$work/out" || fail "marks: $(cat "$work/out")"
code 0 "$pare" sense "$work/p" --levels w8a8,w4a4 --samples 10 --keep-suspected 0.01 --json
is "all(l['kept_by'] for l in d['layers'])" "suspected rows"
code 0 "$pare" info "$work/p" --keep-first 1
[ "$(grep -c 'kept at fp32 (keep)$' "$work/out")" -eq 1 ] || fail "info says what is kept"

# what is kept holds in solve, is shown as pins, and becomes pins
code 0 "$pare" solve "$work/p" --keep-first 1 --keep outputs=fp16 --max-drop 1 --minimize bytes --levels w16a16,int8,int4,fp16 \
    --samples 10 --predicted --json
is "list(d['config'].values())[0] == 'fp32' and list(d['config'].values())[-1] in ('fp32', 'fp16')" "keep in solve"
is "'w16a16' not in d['config'].values() and d['simulated'] is False" "solvers leave simulated levels out"
code 0 "$pare" export "$work/p" --levels w16a16,int8,int4,fp16 --samples 10 --format csv --out "$work/x.csv"
grep -q 'w16a16-sim' "$work/x.csv" || fail "csv marks simulated levels"
code 0 "$pare" pin "$work/p" --keep-first 2 --json
is "len(d['pins']) == 2 and all(p['to'] == 'fp32' for p in d['pins'])" "pin --keep-first"
code 0 "$pare" pin "$work/p" --list --json
is "len(d['pins']) == 2" "they are the session's"
code 0 "$pare" sense "$work/p" --levels w8a8 --samples 10 --json
is "[l['kept_by'] for l in d['layers']] == ['pin', 'pin', None]" "pins in the rows"
code 2 "$pare" pin "$work/p" --keep middle=fp32
code 0 "$pare" pin "$work/p" 'suspected:9=fp32' --json
is "len(d['pins']) == 2 and 'waits for the sensitivity table' in d['waiting'][0]" "suspected layers are not known yet"

# data-free: there is no calibration data, and what did not apply is said
mkdir "$work/q"
cp "$work/p/"* "$work/q"
sed -i 's/calibration = "x.npz", search = "x.npz", //' "$work/q/pipeline.lua"
code 0 "$pare" eval "$work/q" --level int8 --split test --quantize datafree --json
is "any('no sample was read' in n for n in d['notes']) and any('not corrected' in n for n in d['notes'])" "data-free without data"
code 78 "$pare" eval "$work/q" --level int8 --split test
exit $((failures > 0))
