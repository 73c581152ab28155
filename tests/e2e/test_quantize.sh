#!/usr/bin/env bash
# How layers are quantized: per pipeline, stage, layer, tensor; on the command line, as a choice of the session, in scripts.
. "${PARE_SOURCE:?}/tests/shell.sh"
command -v python3 >/dev/null || { echo "SKIP: no python3"; exit 77; }
common=(--samples 25 --levels fp32,w4a4)
sense() { # output, options
    local out=$1
    shift
    "$pare" sense $p "${common[@]}" --json "$@" >"$work/$out" 2>"$work/err" </dev/null || fail "sense $*: $(tail -1 "$work/err")"
}
sense plain
sense asked --quantize 'ranges=mse,rounding=squant'

# the same as a choice of the session: its figures are those of --quantize, undo brings the others back, nothing is mixed
cat >"$work/s.lua" <<'L'
local p = assert(pare.open(arg[1]))
local layer = "detector/pw3"
local function at(t, name)
  for _, l in ipairs(t.layers) do
    if l.name == name and l.level ~= "fp32" then return l end
  end
end
local plain = at(assert(p:sense()), layer).rmse
assert(p:quantize("ranges=mse, rounding=squant"))
local chosen = assert(p:sense())
assert(chosen.quantize == "ranges=mse, rounding=squant", chosen.quantize)
assert(at(chosen, layer).rmse < plain)
print(string.format("chosen %.9g", at(chosen, layer).rmse))
assert(p:command("undo"))
assert(at(assert(p:sense()), layer).rmse == plain, "undo does not bring the figures back")
assert(p:command("redo"))
assert(at(assert(p:sense()), layer).rmse == at(chosen, layer).rmse)
-- a stage, a layer, a tensor
assert(p:quantize("detector: ranges=mse"))
local t = assert(p:sense())
assert(at(t, layer).rmse ~= plain, "a stage's rule")
assert(p:quantize("none"))
t = assert(p:sense())
assert(t.quantize == nil and at(t, layer).rmse == plain)
assert(p:quantize(layer .. ": per=tensor"))
assert(p:quantize("+" .. arg[2] .. ": ranges=0..0.01"))
t = assert(p:sense())
assert(t.quantize == layer .. ": per=tensor; " .. arg[2] .. ": ranges=0..0.01", t.quantize)
assert(at(t, layer).step_rmse > at(chosen, layer).step_rmse, "a tensor's range")
-- a cure that is taken does what was said of it, behind the rules that hold
assert(p:quantize("scales=mse"))
local which = {layer = "detector/dw2", level = "w4a4"}
local why = assert(p:explain(which))
assert(why.quantize == "scales=mse" and #why.channels.reach == why.channels.n)
local cure = assert(why.cures[1], "no cure")
assert(p:quantize("+detector/dw2: " .. cure.rule))
local cured = assert(p:explain(which))
assert(cured.rmse.step < 0.9 * why.rmse.step and math.abs(cured.rmse.step / cure.step_rmse - 1) < 0.1,
  string.format("%g, said %g, before %g", cured.rmse.step, cure.step_rmse, why.rmse.step))
assert(p:quantize(t.quantize))
-- errors change nothing
local ok, message = p:quantize("nix/*: best")
assert(not ok and message:find('the pattern "nix/*" matches no stage, layer or tensor', 1, true), message)
ok, message = p:quantize("bist")
assert(not ok and message:find('"bist" is no method', 1, true), message)
assert(assert(p:sense()).quantize == t.quantize)
assert(p:quantize("ranges=mse,rounding=squant"))
L
tensor=$("$pare" info $p --json </dev/null | python3 -c "
import json, sys
print(next(l['input'] for l in json.load(sys.stdin)['layers'] if l['name'] == 'detector/pw3'))")
[ -n "$tensor" ] || fail "the input of a layer"
"$pare" script "${common[@]}" "$work/s.lua" $p "detector/$tensor" >"$work/out" 2>"$work/err" </dev/null || fail "the script: $(tail -2 "$work/err")"

# the choice holds for who opens the session; --quantize and --no-pins go before it
sense held
sense minmax --quantize minmax
sense free --no-pins
python3 - "$work" <<'P' || fail "figures of one method under another"
import json, sys
work = sys.argv[1]
def rows(name):
    d = json.load(open(work + "/" + name))
    return d.get("quantize"), [(l["name"], l["level"], l["rmse"], l["loss"]) for l in d["layers"]]
plain, asked, held, minmax, free = (rows(n) for n in ("plain", "asked", "held", "minmax", "free"))
assert plain[0] is None and free == plain, free[0]
assert held[0] == "ranges=mse,rounding=squant" and held == asked, held[0]
assert minmax[0] == "minmax" and minmax[1] == plain[1], minmax[0]
assert asked[1] != plain[1]
chosen = float(open(work + "/out").read().split()[1])
assert any(abs(r[2] - chosen) <= 1e-7 * chosen for r in asked[1] if r[0] == "detector/pw3"), chosen
P

# a pattern that matches nothing is a usage error on the command line too
"$pare" eval $p --level w4a4 --quantize 'nix/*: best' >"$work/out" 2>"$work/err" </dev/null
[ $? -eq 2 ] || fail "a pattern that matches nothing: $(cat "$work/err")"
grep -q 'the pattern "nix/\*" matches no stage, layer or tensor' "$work/err" || fail "its words: $(cat "$work/err")"

# a layer of a stage in sequence may be made alone
loss_of() {
    "$pare" eval $p --samples 25 --levels fp32,w8a8 --level w8a8 --json --quantize "classifier: rounding=adaround, order=sequence$1" 2>"$work/err" </dev/null |
        python3 -c 'import json, sys; print(json.load(sys.stdin)["loss"])' || fail "eval: $(cat "$work/err")"
}
sequence=$(loss_of "") mixed=$(loss_of "; classifier/fc2: order=alone") alone=$(loss_of "; classifier: order=alone")
[ "$sequence" != "$mixed" ] && [ "$mixed" != "$alone" ] && [ "$sequence" != "$alone" ] || fail "orders: $sequence $mixed $alone"
exit $((failures > 0))

