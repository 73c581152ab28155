#!/usr/bin/env bash
# Pins, ranges and ties: all solvers honour them, contradictions are named, a file holds them.
. "${PARE_SOURCE:?}/tests/shell.sh"
tied="len({v for k, v in d['config'].items() if not k.startswith('classifier/')}) == 1"
common=(--samples 25 --levels fp32,int8,int4 --max-drop 0.05 --json)

# ties: any solver, also the front, also per model
code 0 "$pare" solve $p "${common[@]}" --tie 'detector/*+keypoints/*'
[ "$(field "$tied")" = True ] || fail "exact: a tie was not kept"
for method in ilp greedy bisect nsga2 random; do
    settings=()
    [ $method = nsga2 ] && settings=(--set population=4 --set generations=2)
    [ $method = random ] && settings=(--set n=4)
    [ $method = ilp ] || settings+=(--set eval_samples=25)
    code 0 "$pare" solve $p "${common[@]}" --method $method "${settings[@]}"
    [ "$(field "$tied")" = True ] || fail "$method: a tie was not kept"
done
code 0 "$pare" solve $p "${common[@]}" --per model --method exhaustive
[ "$(field "$tied")" = True ] || fail "exhaustive per model: a tie was not kept"
code 0 "$pare" solve $p "${common[@]}" --verify 2
[ "$(field "$tied")" = True ] || fail "--verify: a tie was not kept"
code 0 "$pare" solve $p --samples 25 --levels fp32,int8,int4 --front --json
[ "$(field "all(len({v for k, v in q['config'].items() if not k.startswith('classifier/')}) == 1 for q in d['points'])")" = True ] ||
    fail "front: a tie was not kept"

# what cannot be is said with both names, and changes nothing
code 2 "$pare" pin $p 'keypoints/pw2=int4'
says "detector/*+keypoints/*: this tie expects one level for"
says "keypoints/pw2 at int4 by the pin 'keypoints/pw2'"
# what the session holds is told by info, too
code 0 "$pare" info $p
[ "$(grep -cE '^(detector|keypoints)/.*  =a( .*)?$' "$work/out")" -gt 20 ] || fail "info shows no ties of the session"
code 2 "$pare" solve $p --tie 'nothing*+detector/*'
says "the pattern 'nothing*' matches no layer"
code 0 "$pare" pin $p 'classifier/*=int8..int4'
code 2 "$pare" pin $p 'classifier/fc2=fp32'
says "classifier/fc2=fp32: contradicts the pin classifier/*=int8..int4: classifier/fc2: expected a level within int8..int4, found fp32"
code 0 "$pare" pin $p 'classifier/fc2=int4'
code 2 "$pare" solve $p --pin 'detector=int8' --pin 'detector=fp32'
says "detector=fp32: contradicts the pin detector=int8 of the same command line"
code 0 "$pare" pin $p --list --json
[ "$(field "[(q['from'], q['to']) for q in d['pins'] if q['name'] == 'classifier/fc2']")" = "[('int4', 'int4')]" ] || fail "the pins together"
[ "$(field "d['ties']")" = "['detector/*+keypoints/*']" ] || fail "ties are listed"

# a narrower pin within a range; freeing gives the range back to nobody
code 0 "$pare" pin $p --free 'classifier/fc2' --json
[ "$(field "[q['name'] for q in d['pins']]")" = "['classifier/fc1', 'classifier/fc3']" ] || fail "freed"
code 0 "$pare" pin $p --samples 25 --levels fp32,int8,int4 'classifier/fc2=fp32' # a session that knows its costs solves again: nobody waits for it
code 0 "$pare" runs $p --json
[ "$(field "[r['name'] for r in d['runs'] if r['points'] == 0]")" = "[]" ] || fail "a pin left an empty run: $(cat "$work/out")"

# a file of both
cat >"$work/pins" <<'F'
# the heads
detector/head = int8
F
code 2 "$pare" pin $p --session "$work/file.pare" "@$work/pins"
cat >"$work/pins" <<'F'
detector/head=int8   # a remark
classifier/fc1+classifier/fc2
F
code 0 "$pare" pin $p --session "$work/file.pare" "@$work/pins" --json
[ "$(field "(len(d['pins']), d['ties'])")" = "(1, ['classifier/fc1+classifier/fc2'])" ] || fail "pins of a file"
code 66 "$pare" pin $p "@$work/none"

# a tie ends as it began
code 0 "$pare" pin $p --session "$work/file.pare" --untie all --json
[ "$(field "(len(d['pins']), d['ties'])")" = "(1, [])" ] || fail "a tie that ended: $(cat "$work/out")"
code 2 "$pare" pin $p --session "$work/file.pare" --untie 'classifier/*'

# pipeline.lua's own ties
mkdir "$work/own"
cp $p/*.onnx "$work/own/"
ln -s "$PWD/$p/calibration" "$PWD/$p/search" "$PWD/$p/test" "$work/own/"
sed 's|^return {|return { tie = { "classifier/*+nothing*" },|' $p/pipeline.lua >"$work/own/pipeline.lua"
code 2 "$pare" pin "$work/own" --list
says "the pattern 'nothing*' matches no layer"
sed -i "s,+nothing\*,," "$work/own/pipeline.lua"
code 0 "$pare" pin "$work/own" --list --json
[ "$(field "d['ties']")" = "['classifier/*']" ] || fail "ties of pipeline.lua"
[ "$(field "d['tied']")" = "[['classifier/fc1', 'classifier/fc2', 'classifier/fc3']]" ] || fail "tied layers"
code 0 "$pare" pin "$work/own" --list
grep -q '^one level: classifier/fc1 = classifier/fc2 = classifier/fc3$' "$work/out" || fail "tied layers as text"
code 0 "$pare" info "$work/own"
[ "$(grep -c '^classifier/fc[123] .*  =a\( .*\)*$' "$work/out")" = 3 ] || fail "info marks tied layers"
# what only solvers read changes no results; what does is told
own=(--session "$work/own.pare" --samples 25)
kept() { python3 -c "import sqlite3; print(sqlite3.connect('file:$work/own.pare?mode=ro', uri=True).execute('select count(*) from row').fetchone()[0])"; }
code 0 "$pare" eval "$work/own" "${own[@]}" --level int8 --split test
before=$(kept)
sed -i 's|^return {|return { rows = { { at = "int4", at_most = 3 } }, -- three\n|; s|"classifier/\*"|"classifier/fc[12]"|' "$work/own/pipeline.lua"
code 0 "$pare" eval "$work/own" "${own[@]}" --level int8 --split test
[ "$(kept)" -eq "$before" ] || fail "rows and ties in pipeline.lua took $(kept) rows from $before"
grep -q 'cached result' "$work/err" && fail "results that are used are told to be of another version: $(cat "$work/err")"
sed -i 's|64, 64, 1.2)|64, 64, 1.25)|' "$work/own/pipeline.lua"
code 0 "$pare" eval "$work/own" "${own[@]}" --level int8 --split test
[ "$(kept)" -gt "$before" ] || fail "another crop was not measured"
says "cached results are of another version of pipeline.lua"

# a pin on what is measured is kept: it waits for the table, holds with it, gives way to what is said of a layer by name
late=(--session "$work/late.pare")
table=("${late[@]}" --samples 24 --levels fp32,int8) # chunks that no other table shares
code 2 "$pare" pin $p "${late[@]}" 'suspected:much=fp32'
code 0 "$pare" pin $p "${late[@]}" 'suspected:0.3=fp32' --json
[ "$(field "(d['pins'], d['waiting'])")" = "([], ['suspected:0.3=fp32 waits for the sensitivity table (pare sense)'])" ] || fail "a pin that waits: $(cat "$work/out")"
code 0 "$pare" sense $p "${table[@]}" --json
high=$(field "sorted(c['name'] for c in d['layers'] if c['level'] == 'w8a8' and c['rmse_over_scale'] > 0.3)")
[ "$high" != "[]" ] || fail "no layer is above 0.3 at int8: this test needs one"
code 0 "$pare" pin $p "${table[@]}" --list --json
[ "$(field "(sorted(q['name'] for q in d['pins']), d['waiting'])")" = "($high, [])" ] || fail "a pin that holds: $(cat "$work/out")"
code 0 "$pare" pin $p "${late[@]}" --list --json # the table of 200 samples is not there
[ "$(field "(d['pins'], len(d['waiting']))")" = "([], 1)" ] || fail "a pin that waits again"
code 2 "$pare" pin $p "${table[@]}" 'suspected:99=fp32'
says "suspected:99: no layer is suspected at int8"
one=$(python3 -c "print($high[0])")
code 0 "$pare" pin $p "${late[@]}" "$one=int8" # nobody knows yet that it is suspected
code 0 "$pare" pin $p "${table[@]}" --list
grep -q "suspected:0.3=fp32 gives way to other pins on 1 of" "$work/out" || fail "what is measured gives way: $(cat "$work/out")"
grep -qE "^$one +int8$" "$work/out" || fail "what was said by name stays"
code 0 "$pare" solve $p "${late[@]}" --samples 23 --levels fp32,int8 --minimize bytes --max-drop 1 --predicted --json # measures its own table first
[ "$(field "d['config']['$one']")" = w8a8 ] && [ "$(field "list(d['config'].values()).count('fp32') > 0")" = True ] ||
    fail "a solve holds what its own table says: $(cat "$work/out")"

# a choice that cannot hold now is kept and shown
code 0 "$pare" pin $p "${late[@]}" 'classifier/fc1=w4a8'
code 0 "$pare" pin $p "${table[@]}" --list
grep -q "waiting: pin 'classifier/fc1=w4a8' cannot hold now: not among the candidate levels" "$work/out" || fail "a choice that cannot hold: $(cat "$work/out")"
code 0 "$pare" pin $p "${late[@]}" --list
grep -qE "^classifier/fc1 +w4a8" "$work/out" || fail "it holds where it can"

# configurations of other tools beside ours
code 0 "$pare" export $p --samples 25 --levels fp32,int8,int4 --format csv --out "$work/all.csv"
head -4 "$work/all.csv" >"$work/theirs.csv" # the uniform points: which others exist depends on timings
code 0 "$pare" compare $p --samples 25 --levels fp32,int8,int4 int8 --import "$work/theirs.csv" --json
[ "$(field "[r['name'].split(':')[0] for r in d['runs']]")" = "['int8', 'theirs', 'theirs', 'theirs']" ] || fail "imported: $(field "[r['name'] for r in d['runs']]")"
# a run is a file as it was: the same name elsewhere and a changed file are runs of their own
mkdir "$work/other"
head -3 "$work/all.csv" >"$work/other/theirs.csv"
code 0 "$pare" compare $p --samples 25 --levels fp32,int8,int4 --import "$work/theirs.csv" --import "$work/other/theirs.csv" --json
[ "$(field "[r['run'] for r in d['runs']]")" = "['theirs', 'theirs', 'theirs', 'theirs-2', 'theirs-2']" ] || fail "two files of one name: $(field "[r['run'] for r in d['runs']]")"
code 0 "$pare" compare $p --samples 25 --levels fp32,int8,int4 --import "$work/theirs.csv"
says "theirs.csv has not changed: run theirs"
head -3 "$work/all.csv" >"$work/theirs.csv"
code 0 "$pare" compare $p --samples 25 --levels fp32,int8,int4 --import "$work/theirs.csv"
says "theirs.csv has changed since run theirs, which stays as it was: 2 points as run theirs.v2"
grep -q '^theirs.v2:1 ' "$work/out" && ! grep -q '^theirs:' "$work/out" || fail "the newest version is compared"
code 0 "$pare" compare $p --samples 25 --levels fp32,int8,int4 theirs:3 theirs.v2:2 theirs-2:1 --json

code 0 "$pare" info $p --json
[ "$(field "[(l['weight'], l['input']) for l in d['layers'][:2]]")" = "[('conv1.weight', 'image'), ('dw2.weight', 'relu_conv1_out')]" ] ||
    fail "tensors have the file's names: $(field "[(l['weight'], l['input']) for l in d['layers'][:2]]")"
python3 -c "
import json
d = json.load(open('$work/out'))
json.dump({'version': '0.6.1', 'activation_encodings': {l['input']: [{'bitwidth': 8}] for l in d['layers']},
           'param_encodings': {l['weight']: [{'bitwidth': 4, 'dtype': 'int'}] for l in d['layers']}}, open('$work/aimet.json', 'w'))"
code 65 "$pare" compare $p --samples 25 --levels fp32,int8,int4 int8 --import "$work/aimet.json"
says "names of one stage (STAGE=FILE says which)"
code 78 "$pare" compare $p --samples 25 --levels fp32,int8,int4 int8 --import "detector=$work/aimet.json"
says "level w4a8 is not among the candidates"
code 0 "$pare" compare $p --samples 25 --levels fp32,int8,w4a8 int8 --import "detector=$work/aimet.json" --json
[ "$(field "(d['runs'][1]['method'], {x['levels'][1] for x in d['differences'] if x['layer'].startswith('detector/')})")" = "('imported', {'w4a8'})" ] ||
    fail "encodings: $(cat "$work/out")"
echo 'a,b' >"$work/none.csv"
code 65 "$pare" compare $p --samples 25 --levels fp32,int8,int4 int8 --import "$work/none.csv"
says "none.csv: line 1: expected columns named as layers"
code 66 "$pare" compare $p --samples 25 --levels fp32,int8,int4 int8 --import "$work/not.there"
[ $failures -eq 0 ] || exit 1
