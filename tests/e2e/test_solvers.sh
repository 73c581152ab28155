#!/usr/bin/env bash
# Solvers that ask: a killed NSGA-II goes on with the same individuals; the other methods answer and say how.
set -u
pare=${PARE_BIN:?}
cd "${PARE_SOURCE:?}"
work=$(mktemp -d /tmp/pare-e2e-XXXXXX)
trap 'rm -rf "$work"' EXIT
export XDG_RUNTIME_DIR=$work HOME=$work
p=sample_pipelines/hand_gesture
failures=0
fail() { echo "FAIL: $*"; failures=$((failures + 1)); }
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
solve whole --samples 25 --verify 2 >"$work/out" 2>"$work/err"
rc=$?
[ $rc -eq 0 ] || [ $rc -eq 4 ] || fail "verify: $(cat "$work/err")"
python3 -c "
import json, sys
d = json.load(open(sys.argv[1]))
assert len(d['rounds']) >= 2 and d['rounds'][0]['answers'], d['rounds']
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
assert d['reference']['latency_ms'] > 0 and 0 <= d['runs'][2]['hypervolume'] <= 1
assert all(r['from_exact_ms'] >= 0 for r in d['runs']), [r['from_exact_ms'] for r in d['runs']]" "$work/out" || fail "compare's fields"
for f in csv md json; do
    XDG_DATA_HOME=$work/whole "$pare" compare $p --levels fp32,int8,int4,int2 --samples 25 int8 int4 --out "$work/c.$f" 2>"$work/err" && [ -s "$work/c.$f" ] || fail "compare --out c.$f"
done
XDG_DATA_HOME=$work/whole "$pare" compare $p --levels fp32,int8,int4,int2 --samples 25 int8 nothing >"$work/out" 2>"$work/err"
[ $? -eq 66 ] || fail "compare with a run that is not there"
solve whole --method hawq >"$work/out" 2>"$work/err"
[ $? -eq 0 ] && fail "hawq without traces"
solve whole --method nonsense >"$work/out" 2>"$work/err"
[ $? -eq 2 ] || fail "a method that is none"
[ $failures -eq 0 ] && echo "all passed"
exit $((failures > 0))
