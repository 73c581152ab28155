#!/usr/bin/env bash
# Solvers that ask: a killed NSGA-II goes on with the same individuals; the other methods answer and say how.
. "${PARE_SOURCE:?}/tests/shell.sh"
common=(--levels fp32,int8,int4,int2 --max-drop 0.02 --seed 3 --json)
solve() { # session, further options
    local data=$1
    shift
    XDG_DATA_HOME=$work/$data "$pare" solve $p "${common[@]}" "$@"
}
nsga2=(--method nsga2 --set population=6 --set generations=4 --set eval_samples=50)
# what was measured: points come as they are finished, and a run that had ended before its kill is made anew from its rows
points() {
    python3 - "$work/$1"/pare/*.pare <<'P'
import sqlite3, sys
c = sqlite3.connect("file:" + sys.argv[1] + "?mode=ro", uri=True)
for row in c.execute("select distinct point.config from point join run on run.id = point.run where run.method = 'nsga2' order by 1"):
    print(*row)
P
}
rows() { python3 -c "
import sqlite3, sys
try: print(sqlite3.connect('file:' + sys.argv[1] + '?mode=ro', uri=True).execute('select count(*) from row').fetchone()[0])
except Exception: print(0)" "$work/$1"/pare/*.pare; }

solve whole "${nsga2[@]}" >"$work/whole.json" 2>"$work/err" || fail "nsga2: $(cat "$work/err")"
python3 -c "import json,sys; sys.exit(not json.load(open(sys.argv[1]))['seconds'] > 0)" "$work/whole.json" || fail "the time of a solver that asks is not told"
# the same, killed again and again after a few more rows (the profile is taken from the whole run: it is measured)
mkdir -p "$work/killed/pare"
cp "$work"/whole/pare/*.pare "$work/killed/pare/"
python3 - "$work"/killed/pare/*.pare <<'P'
import sqlite3, sys
c = sqlite3.connect(sys.argv[1])
c.execute("delete from row where kind in ('accuracy', 'step', 'latency')")
c.execute("delete from point")
c.execute("delete from run")
c.commit()
P
kills=0
for round in 1 2 3 4; do
    before=$(rows killed)
    (XDG_DATA_HOME=$work/killed exec "$pare" solve $p "${common[@]}" "${nsga2[@]}") >"$work/killed.json" 2>/dev/null &
    pid=$!
    while kill -0 $pid 2>/dev/null && [ "$(rows killed)" -lt $((before + 6)) ]; do sleep 0.05; done
    if kill -9 $pid 2>/dev/null; then kills=$((kills + 1)); fi
    wait $pid 2>/dev/null
done
[ $kills -ge 2 ] || fail "only $kills kills"
solve killed "${nsga2[@]}" >"$work/killed.json" 2>"$work/err" || fail "after the kills: $(cat "$work/err")"
points whole >"$work/a"
points killed >"$work/b"
[ "$(wc -l <"$work/a")" -ge 15 ] || fail "$(wc -l <"$work/a") points"
cmp "$work/a" "$work/b" || fail "the killed run took another way"
python3 - "$work/whole.json" "$work/killed.json" <<'P' || fail "the answers differ"
import json, sys
a, b = (json.load(open(f)) for f in sys.argv[1:])
assert a["config"] == b["config"], (a["config"], b["config"])
assert a["method"] == b["method"] == "nsga2" and a["status"] in ("found", "over budget"), a
assert b["evaluations"] == a["evaluations"] > 15, (a["evaluations"], b["evaluations"])
P

# methods that measure little
for m in bisect greedy; do
    solve whole --method $m --samples 25 --set eval_samples=50 >"$work/out" 2>"$work/err" || fail "$m: $(cat "$work/err")"
    python3 -c "
import json, sys
d = json.load(open(sys.argv[1]))
assert d['method'] == '$m' and d['measured']['drop'] is not None and 1 < d['evaluations'] < 12, d" "$work/out" || fail "$m"
done
# the closed loop: what it learned is told
solve whole --samples 25 --verify 3 >"$work/out" 2>"$work/err"
rc=$?
[ $rc -eq 0 ] || [ $rc -eq 4 ] || fail "verify: $(cat "$work/err")"
python3 -c "
import json, sys
d = json.load(open(sys.argv[1]))
assert len(d['rounds']) >= 2, d['rounds']
for r in d['rounds']: # K answers that differ
    assert len(r['answers']) == len({a['point'] for a in r['answers']}) == 3, r
assert d['evaluations'] >= 3 and d['seconds'] > 0, (d['evaluations'], d['seconds'])
assert {p['proxy'] for p in d['proxies']} >= {'loss', 'corrected', 'bytes'}
assert all(-1 <= p['spearman'] <= 1 for p in d['proxies']), d['proxies']" "$work/out" || fail verify
# side by side
XDG_DATA_HOME=$work/whole "$pare" compare $p --levels fp32,int8,int4,int2 --samples 25 int8 int4 nsga22 --json >"$work/out" 2>"$work/err" || {
    name=$(XDG_DATA_HOME=$work/whole "$pare" runs $p --json | python3 -c "import json,sys; print(next(r['name'] for r in json.load(sys.stdin)['runs'] if r['method'] == 'nsga2'))")
    XDG_DATA_HOME=$work/whole "$pare" compare $p --levels fp32,int8,int4,int2 --samples 25 int8 int4 "$name" --json >"$work/out" 2>"$work/err" || fail "compare: $(cat "$work/err")"
}
python3 -c "
import json, sys
d = json.load(open(sys.argv[1]))
assert len(d['runs']) == 3 and d['differences'] and len(d['changes']) == 3
assert d['changes'][0]['layers'] == 0 and d['changes'][1]['layers'] > 10
assert d['changes'][0]['energy_uj'] == 0 and d['changes'][1]['energy_uj'] < 0 and d['changes'][1]['tied'] in (True, False)
assert all(r['best']['energy_predicted_uj'] > 0 and r['seconds'] is None or r['seconds'] >= 0 for r in d['runs'])
assert d['reference']['latency_ms'] > 0 and 0 <= d['runs'][2]['hypervolume'] <= 1
assert all(r['from_exact_ms'] >= 0 for r in d['runs']), [r['from_exact_ms'] for r in d['runs']]" "$work/out" || fail "compare's fields"
for f in csv md json; do
    XDG_DATA_HOME=$work/whole "$pare" compare $p --levels fp32,int8,int4,int2 --samples 25 int8 int4 --out "$work/c.$f" 2>"$work/err" && [ -s "$work/c.$f" ] || fail "compare --out c.$f"
done
for what in 'hypervolume up to' '| the first into | layers | ms ~ | kB | uJ ~ | loss ~ | drop |' '| int4 | 2' '| layer | int8 | int4 |'; do
    grep -qF "$what" "$work/c.md" || fail "Markdown has no '$what': $(cat "$work/c.md")"
done
grep -q '^hypervolume_up_to_ms,' "$work/c.csv" && grep -q '^first_into,layers,' "$work/c.csv" && grep -q '^layer,int8,int4$' "$work/c.csv" || fail "CSV"
XDG_DATA_HOME=$work/whole "$pare" compare $p --levels fp32,int8,int4,int2 --samples 25 int8 int4 >"$work/out" 2>"$work/err"
grep -qE '^int4 +2[0-9] +[-+][0-9.]+ +-[0-9.]+ +-[0-9.]+ +[+][0-9.]+  (tied|differs)$' "$work/out" || fail "what a change costs: $(head -12 "$work/out")"
XDG_DATA_HOME=$work/whole "$pare" compare $p --levels fp32,int8,int4,int2 --samples 25 int8 nothing >"$work/out" 2>"$work/err"
[ $? -eq 66 ] || fail "compare with a run that is not there"
solve whole --method hawq >"$work/out" 2>"$work/err"
[ $? -eq 0 ] && fail "hawq without traces"
code 0 env XDG_DATA_HOME="$work/whole" "$pare" runs $p --json
is "[r['status'] for r in d['runs'] if r['method'] == 'hawq'] == ['failed']" "a run that cannot be finished"
# traces from a file; what the levels do to the weights is measured here: int4's steps are 127/7 of int8's
XDG_DATA_HOME=$work/whole "$pare" info $p --json | python3 -c "
import json, sys
json.dump({x['name']: 1.0 / (i + 1) for i, x in enumerate(json.load(sys.stdin)['layers'])}, open('$work/traces.json', 'w'))"
solve whole --method hawq --set traces="$work/traces.json" >"$work/out" 2>"$work/err" # its answer need not hold the budget
rc=$?
[ $rc -eq 0 ] || [ $rc -eq 4 ] || fail "hawq: $(cat "$work/err")"
python3 - "$work"/whole/pare/*.pare <<'P' || fail "measured perturbations"
import json, sqlite3, statistics, sys
c = sqlite3.connect("file:" + sys.argv[1] + "?mode=ro", uri=True)
rows = [json.loads(r[0]) for r in c.execute("select result from row where kind = 'perturb'")]
assert len(rows) == 1, len(rows)
layers = rows[0]['layers']
assert all(r['fp32'] == 0 < r['w8a8'] < r['w4a4'] < r['w2a2'] for r in layers.values()), layers
ratio = statistics.median(r['w4a4'] / r['w8a8'] for r in layers.values())
assert 200 < ratio < 500, ratio
config = json.loads(c.execute("select point.config from point join run on run.id = point.run where run.method = 'hawq'").fetchone()[0])
assert set(config.values()) == {'w8a8', 'w4a4'}, config
P
solve whole --method hawq --per model --set traces="$work/traces.json" >"$work/out" 2>"$work/err"
[ $? -eq 2 ] || fail "hawq per model"
# a budget that nothing holds, or that the answer does not hold, is told whatever the method; the gap to the optimum is, too
for budget in '--max-bytes 1' '--max-bitops 1' '--max-energy 1e-12' '--max-latency 1e-6'; do
    for method in greedy bisect nsga2 paper; do
        code 3 env XDG_DATA_HOME="$work/whole" "$pare" solve $p --levels fp32,int8,int4,int2 --samples 25 --method $method --predicted $budget
        says "cannot be held at"
    done
done
code 4 env XDG_DATA_HOME="$work/whole" "$pare" solve $p --levels fp32,int8,int4,int2 --samples 25 --method hawq --set traces="$work/traces.json" \
    --set lambda=1 --max-bytes 300kB
says "the budget does not hold: the nearest answer"
code 0 env XDG_DATA_HOME="$work/whole" "$pare" solve $p --levels fp32,int8,int4,int2 --samples 25 --method greedy --predicted --minimize drop \
    --max-bytes 330kB --json
is "0 <= d['gap'] < 1000" "greedy's distance from the optimum"
code 0 env XDG_DATA_HOME="$work/whole" "$pare" solve $p --levels fp32,int8,int4,int2 --samples 25 --minimize drop --max-bytes 330kB
grep -qE '^run .*: optimal, gap 0 \(costs rounded: to within [0-9e.-]+ of loss\), solver' "$work/out" || fail "exact's bound: $(head -1 "$work/out")"
code 0 env XDG_DATA_HOME="$work/whole" "$pare" solve $p --levels fp32,int8,int4,int2 --samples 25 --method exact --minimize drop \
    --max-bytes 330kB --max-energy 100uJ --json
is "d['method'] == 'ilp' and d['note'] == 'exact hands several budgets to ilp' and d['gap'] == 0" "several budgets"
sed 's/: 1.0/: -1.0/' "$work/traces.json" >"$work/negative.json"
code 65 env XDG_DATA_HOME="$work/whole" "$pare" solve $p --levels fp32,int8,int4,int2 --samples 25 --method hawq --set traces="$work/negative.json"
says "its trace is negative"
# settings that a method does not have
for bad in 'nsga2 foo=1' 'nsga2 population=0' 'nsga2 mutation=nan' 'bisect wide=int9' 'random keep=2' 'exact population=3' 'hawq lambda=2' 'paper A=0.1,0.2'; do
    code 2 env XDG_DATA_HOME="$work/whole" "$pare" solve $p --levels fp32,int8,int4,int2 --samples 25 --max-drop 0.02 --method ${bad% *} --set ${bad#* }
done
code 2 env XDG_DATA_HOME="$work/whole" "$pare" solve $p --levels fp32,int8,int4,int2 --samples 25 --max-drop 0.02 --method greedy --verify 2
# a solver of one's own: the example, its mistakes
solve whole --method lua:lua/examples/descent.lua --predicted >"$work/out" 2>"$work/err" || fail "lua: $(cat "$work/err")"
python3 -c "import json; d=json.load(open('$work/out')); assert d['status'] == 'found' and d['measured']['drop'] <= 0.02 and len(set(d['config'].values())) > 1" ||
    fail "the example's answer"
solve whole --method lua:lua/examples/descent.lua --set rounds=1 --set eval_samples=25 >"$work/out" 2>"$work/err" || fail "lua, measured: $(cat "$work/err")"
python3 -c "import json; assert json.load(open('$work/out'))['evaluations'] > 10" || fail "the example asks"
wrong() { # text, exit code, what is said
    echo "$1" >"$work/s.lua"
    solve whole --predicted --method "lua:$work/s.lua" >"$work/out" 2>"$work/err"
    local rc=$?
    [ $rc -eq "$2" ] || fail "$1 gave $rc"
    grep -qF -- "$3" "$work/err" || fail "$1 says: $(tail -1 "$work/err")"
}
wrong 'return 3' 1 "a solver's file returns a function, this one a number"
wrong 'return function() return {done = false} end' 1 "neither asks"
wrong 'return function() return {done = true} end' 3 "found no answer"
wrong 'return function() return {done = true, answers = {{["detector/conv1"] = "w9a9"}}} end' 1 "answers[1]: detector/conv1: expected an allowed level, found w9a9"
wrong 'return function() return {ask = {{1, 2}}} end' 1 "ask[1]: detector/pw2: expected an allowed level, found nothing"
wrong 'return function() error("mine") end' 1 "s.lua:1: mine"
solve whole --method lua:nothing >"$work/out" 2>"$work/err"
[ $? -eq 66 ] || fail "a solver that is not there"
# ties are told for any two that were measured, here int8 and int4 on the fit's 500 samples and an answer on all
XDG_DATA_HOME=$work/whole "$pare" compare $p --levels fp32,int8,int4,int2 --samples 25 int8 int4 --json >"$work/out" 2>"$work/err"
python3 -c "import json; d=json.load(open('$work/out')); assert [c['tied'] for c in d['changes']][:2] == [True, False], d['changes']" || fail "ties of points on fewer samples"
solve whole --method nonsense >"$work/out" 2>"$work/err"
[ $? -eq 2 ] || fail "a method that is none"
# a bare model has no drop: a budget of it is refused, not left out
code 2 "$pare" solve $p/classifier.onnx --session "$work/bare.pare" --levels int8,int4 --max-drop 0.01
says "a bare model has no labelled data"
code 2 "$pare" solve $p/classifier.onnx --session "$work/bare.pare" --levels int8,int4 --method paper
says "classifier has no threshold"
code 0 "$pare" solve $p/classifier.onnx --session "$work/bare.pare" --levels int8,int4 --minimize drop --max-bytes 15kB
[ $failures -eq 0 ] && echo "all passed"
exit $((failures > 0))
