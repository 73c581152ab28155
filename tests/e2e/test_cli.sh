#!/usr/bin/env bash
# The command line on the sample pipeline: verbs, JSON fields, exit codes, cached results, a killed front.
. "${PARE_SOURCE:?}/tests/shell.sh"

# usage and bad input: one line, documented code
code 2 "$pare"
code 2 "$pare" eval
code 2 "$pare" solve $p --max-drop nonsense
code 2 "$pare" solve $p --pin 'nothing*=int8'
grep -q "matches no layer" "$work/err" || fail "the pin's message"
code 66 "$pare" info /nonexistent
[ "$(wc -l <"$work/err")" -eq 1 ] || fail "more than one line of error"
code 66 "$pare" frobnicate
says "frobnicate: neither a verb (see pare --help) nor a file or folder"
mkfifo "$work/fifo.onnx"
code 66 "$pare" info "$work/fifo.onnx"
says "expected a file or a folder, found something else"
printf 'not a model' >"$work/bad.onnx"
code 65 "$pare" info "$work/bad.onnx"
code 65 "$pare" --json info "$work/bad.onnx"
[ "$(field "d['error']['code']")" = 65 ] || fail "JSON error"
code 66 "$pare" export $p --format csv --out "$work/x.csv"
code 0 "$pare" --version
code 0 "$pare" --help
code 0 "$pare" doctor --json
code 0 "$pare" paths
code 0 "$pare" info $p --json
[ "$(field "len(d['layers'])")" -ge 20 ] || fail "layers"

# the summary without a terminal
code 0 "$pare" $p </dev/null
grep -q "hand_gesture" "$work/out" || fail "summary"

# accuracy, paired with fp32
code 0 "$pare" eval $p --level int8 --split test --samples 200 --json
for f in split samples accuracy accuracy_low accuracy_high drop drop_low drop_high bytes bitops; do
    field "d['$f']" >/dev/null || fail "eval lacks $f"
done
[ "$(field "d['accuracy_low'] <= d['accuracy'] <= d['accuracy_high']")" = True ] || fail "interval"
[ "$(field "abs(d['drop']) < 0.03")" = True ] || fail "int8 drop $(field "d['drop']")"

# a killed front: what was finished is kept, the same command goes on
"$pare" sense $p --samples 50 --jobs 2 --json >"$work/out" 2>/dev/null &
front=$!
sense_rows() {
    python3 - "$work"/data/pare/*.pare <<'P'
import sqlite3, sys
try:
    c = sqlite3.connect("file:" + sys.argv[1] + "?mode=ro", uri=True)
    print(c.execute("select count(*) from row where kind='sense'").fetchone()[0])
except sqlite3.Error:
    print(0)
P
}
for _ in $(seq 200); do
    sleep 0.2
    rows=$(sense_rows)
    [ "$rows" -ge 2 ] && break
    kill -0 $front 2>/dev/null || break
done
workers=$(pgrep -P $front | tr '\n' ' ') # its own: other tests run beside this one
kill -9 $front 2>/dev/null
wait $front 2>/dev/null
sleep 1.5
for worker in $workers; do
    case $(sed 's/^.*) //' "/proc/$worker/stat" 2>/dev/null | cut -c1) in
    '' | Z | X) ;;
    *) fail "worker $worker outlives a killed front" ;;
    esac
done
[ "$rows" -ge 2 ] || fail "no sense row before the kill"
code 0 "$pare" sense $p --samples 50 --json
[ "$(field "all(x['samples'] == (25 if x['stopped'] else 50) for x in d['layers']) and 0 < sum(x['stopped'] for x in d['layers']) < 100")" = True ] || fail "sense after the kill"
code 0 "$pare" sense $p --samples 50 --out "$work/sense.csv" --csv-debugger "$work/debugger.csv" --levels int8
head -1 "$work/debugger.csv" | grep -qx 'op_name,tensor_idx,num_elements,stddev,mean_error,max_abs_error,mean_squared_error,scale,zero_point,tensor_name' || fail "debugger's columns"
[ "$(wc -l <"$work/debugger.csv")" = 28 ] && [ "$(wc -l <"$work/sense.csv")" = 28 ] || fail "rows of the tables"
grep -q '^DEPTHWISE_CONV_2D,[0-9]*,9216.0,.*,-128,relu_dw2_out$' "$work/debugger.csv" || fail "debugger's row: $(sed -n 3p "$work/debugger.csv")"
code 2 "$pare" sense $p --samples 50 --csv-debugger "$work/x.csv" --levels int8,int4
code 2 "$pare" sense $p --samples 50 --columns nonsense
code 0 "$pare" sense $p --samples 25 --levels int4 --explain detector/dw2 --json
[ "$(field "d['explanation']['level'] == 'w4a4' and d['explanation']['channels']['n'] == 16 and abs(d['explanation']['input']['range_hi'] - 8.47) < 0.5")" = True ] || fail "explanation"
[ "$(field "'wide activation' in d['explanation']['why'] and d['explanation']['cures'][0]['step_rmse'] < 0.8 * d['explanation']['rmse']['step']")" = True ] || fail "why: $(field "d['explanation']['why']")"
[ "$(field "sum(d['explanation']['input']['bins']) == d['explanation']['calls'] * 48 * 48 * 16")" = True ] || fail "histogram"
code 0 "$pare" sense $p --samples 25 --levels int4 --explain detector/dw2
grep -q '^weights  *-11' "$work/out" && grep -q "quantize 'detector/dw2:ranges=mse" "$work/out" || fail "no explanation"
code 2 "$pare" sense $p --samples 25 --levels int4 --explain nothing
code 0 "$pare" sense $p --samples 50 --levels int8,int4 --baseline int8 --json
[ "$(field "d['baseline'] == 'int8' and all(x['loss'] == 0 and x['drop'] == 0 for x in d['layers'] if x['level'] == 'w8a8')")" = True ] || fail "int8 beside int8"
[ "$(field "sum(x['loss'] for x in d['layers'] if x['level'] == 'w4a4') > 0")" = True ] || fail "int4 beside int8"
[ "$(field "all(x['step_rmse'] > 0 and x['weight_rmse'] > 0 and (x['accumulated_rmse'] > 0) == (x['level'] == 'w4a4') for x in d['layers'])")" = True ] || fail "kinds of error"
code 0 "$pare" sense $p --samples 50 --json
[ "$(field "d['layers'][0].keys() >= {'name','level','rmse','rmse_over_scale','rmse_over_sigma','sqnr_db','clipped','loss','drop','suspected'}")" = True ] || fail "sense fields"
start=$(date +%s%N)
code 0 "$pare" sense $p --samples 50 --json
took=$((($(date +%s%N) - start) / 1000000))
[ $took -lt 20000 ] || fail "cached sense took $took ms"

# long work says its price before it starts; cached work says nothing
code 124 timeout -s INT 4 "$pare" sense $p --samples 2000 --session "$work/long.pare"
grep -qE '^pare: sense: [0-9]+ jobs, (about|guessed) [0-9]+:[0-9]{2} on [0-9]+ workers?' "$work/err" || fail "no price: $(cat "$work/err")"
code 0 "$pare" sense $p --samples 50 --json
[ -s "$work/err" ] && fail "a price of what is known: $(cat "$work/err")"

# solve, then measure the answer on the test split
code 0 "$pare" solve $p --samples 50 --max-drop 0.02 --json --out "$work/c.json"
for f in status method config predicted measured gap seconds evaluations; do
    field "d['$f']" >/dev/null || fail "solve lacks $f"
done
[ "$(field "d['measured']['drop'] <= 0.02")" = True ] || fail "measured drop over budget: $(field "d['measured']['drop']")"
code 0 "$pare" eval $p --samples 200 --config "$work/c.json" --split test --json
code 3 "$pare" solve $p --samples 50 --minimize drop --max-bytes 10kB
grep -q "over by" "$work/err" || fail "an infeasible budget says by how much"
# measured answers: within the budget or said not to be; sure asks for the upper bound
code 0 "$pare" solve $p --samples 50 --max-drop 0.03 --max-bytes 400kB --max-bitops 2G --minimize latency --json
[ "$(field "d['within'] and d['measured']['drop'] <= 0.03 and d['measured']['bytes'] <= 4e5 and d['measured']['bitops'] <= 2e9")" = True ] ||
    fail "budgets together"
[ "$(field "d['tried'][-1]['within'] and all(not t['within'] for t in d['tried'][:-1])")" = True ] || fail "answers that were tried"
code 0 "$pare" solve $p --samples 50 --max-drop 0.03 --minimize bitops --json
bitops=$(field "d['measured']['bitops']")
code 0 "$pare" solve $p --samples 50 --max-drop 0.03 --minimize bytes --json
[ "$(field "d['measured']['bitops'] >= $bitops")" = True ] || fail "the least BitOps are not the least"
code 0 "$pare" solve $p --samples 50 --max-drop 0.03 --minimize energy --json
energy=$(field "d['predicted']['energy_uj']")
[ "$(field "0 < d['predicted']['energy_uj'] and 'energy_uj' not in d['measured']")" = True ] || fail "energy is predicted"
code 0 "$pare" solve $p --samples 50 --minimize drop --max-energy "$(python3 -c "print(1.05 * $energy)")uJ" --json
[ "$(field "d['predicted']['energy_uj'] <= 1.05 * $energy + 1e-6")" = True ] || fail "a budget of energy is held"
code 3 "$pare" solve $p --samples 50 --minimize drop --max-energy 1e-9
grep -q "energy cannot be held at 0.001 uJ" "$work/err" || fail "an infeasible budget of energy: $(cat "$work/err")"
code 4 "$pare" solve $p --samples 50 --max-drop 0 --sure --json # 0 of 2,000 already leaves 0.0013
[ "$(field "'does not hold' in d['error']['message'] and 'upper bound' in d['error']['message']")" = True ] || fail "what does not hold is said"
code 0 "$pare" solve $p --samples 50 --pin 'classifier/*=int8' --minimize bytes --max-drop 0.02 --json
[ "$(field "all(v == 'w8a8' for k, v in d['config'].items() if k.startswith('classifier/'))")" = True ] || fail "a pin was not kept"
code 0 "$pare" pin $p --list
grep -q classifier "$work/out" || fail "pins are kept"
code 0 "$pare" runs $p --json
code 0 "$pare" compare $p --samples 50 int8 int4 --json
[ "$(field "len(d['differences']) > 5")" = True ] || fail "compare"
for format in json csv md png svg; do
    code 0 "$pare" export $p --samples 50 --format $format --out "$work/x.$format"
    [ -s "$work/x.$format" ] || fail "export $format is empty"
done
code 74 "$pare" export $p --samples 50 --format csv --out /dev/full
code 73 "$pare" export $p --samples 50 --format csv --out /nonexistent/x.csv

# an option where it says nothing is refused, not ignored
for odd in "eval $p --max-drop 0.1" "runs $p --out x" "pin $p --format csv" "$p --split test" "sense $p --level int8"; do
    # shellcheck disable=SC2086
    code 2 "$pare" $odd
    grep -q 'no option of' "$work/err" || fail "why $odd is refused"
done
# levels that are not among the usual ones come with whoever names them; a config from a file can be exported
code 0 "$pare" eval $p --level w3a5 --samples 100 --json
sed 's/"w8a8"/"w7a7"/' "$work/c.json" >"$work/odd.json"
code 0 "$pare" eval $p --config "$work/odd.json" --samples 100 --json
code 0 "$pare" export $p --config "$work/odd.json" --format json --out "$work/again.json"
python3 -c "import json,sys; a,b=(json.load(open(f))['config'] for f in sys.argv[1:]); assert a == b and 'w7a7' in a.values()" \
    "$work/odd.json" "$work/again.json" || fail "an exported config is not what was given"
code 0 "$pare" export $p --config "$work/odd.json" --quantize scales=mse --format json --out "$work/ruled.json"
grep -q '"quantize": "scales=mse"' "$work/ruled.json" || fail "an exported config does not say how it is quantized"
grep -q '"quantize"' "$work/again.json" && fail "an exported config names rules that nobody gave"
echo '{"nothing": "int8"}' >"$work/nothing.json"
code 78 "$pare" export $p --config "$work/nothing.json" --format json --out "$work/x.json"

# a key script needs no terminal; what is wrong in a command is said, not ignored
{
    printf ':wait\n:resize 100x30\n'
    n=0
    for line in 'rename uniform' 'solve --frob' 'solve --per zzz' 'measure zzz:1' 'script' 'minimize foo' 'minimize bytes' 'undo'; do
        n=$((n + 1))
        printf ':%s\n:wait 0.2\n:save-display %s/k%d\n' "$line" "$work" $n
    done
} >"$work/keys"
code 0 "$pare" $p --samples 50 --keys "$work/keys"
n=0
for said in 'expected :rename RUN NAME' 'no option of solve' 'expected --per layer or model' 'measure: zzz:1: no such run' \
    'expected :script FILE' 'expected latency, bytes' 'minimize: bytes' 'undone: minimize bytes'; do
    n=$((n + 1))
    grep -q -- "$said" "$work/k$n" || fail "key script $n does not show \"$said\": $(tail -2 "$work/k$n" | head -1)"
done
echo 'C-zz' >"$work/keys"
code 2 "$pare" $p --samples 50 --keys "$work/keys"

# a bare model: everything but accuracy
code 0 "$pare" info $p/classifier.onnx
code 2 "$pare" eval $p/classifier.onnx
code 0 "$pare" sense $p/classifier.onnx --samples 8 --json
code 0 "$pare" new "$work/fresh" $p/classifier.onnx
code 73 "$pare" new "$work/fresh" $p/classifier.onnx
grep -q infer "$work/fresh/pipeline.lua" || fail "pare new"

# scripts
{ printf 'local stub = [==[\n'; cat lua/meta/pare.d.lua; printf ']==]\n'; } >"$work/s.lua"
cat >>"$work/s.lua" <<'L'
local p, about = assert(pare.open(arg[1], {samples = 50}))
print(about.name, #about.layers)
local e = assert(p:eval{level = "int8", split = "search", samples = 100})
for line in stub:gmatch("[^\n]+") do -- what editors are told exists
  local method, verb = line:match("^function pipeline:(%w+)"), line:match("^function pare%.(%w+)")
  assert(not method or p[method], method)
  assert(not verb or pare[verb], verb)
end
local none, why, code = p:solve{minimize = "drop", max_bytes = 10000}
print(e.samples, none, code)
assert(pare.write(arg[2], ("%.4f\n"):format(e.accuracy)))
L
code 0 "$pare" script "$work/s.lua" $p "$work/table.txt"
grep -qE "^100[[:space:]]nil[[:space:]]3" "$work/out" || { fail "script output"; cat "$work/out" "$work/err"; }
[ -s "$work/table.txt" ] || fail "script wrote nothing"
printf 'error("\\27[31mred")' >"$work/err.lua"
code 1 "$pare" script "$work/err.lua"
grep -q $'\033' "$work/err" && fail "an escape sequence reached the terminal"

# a session that is held
code 0 "$pare" runs $p --json
exit $((failures > 0))
