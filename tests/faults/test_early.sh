#!/bin/bash
# A sensitivity run that is killed again and again, also while its cells are stopped early, prints the same bytes as one that
# nobody killed, with any number of workers.
. "${PARE_SOURCE:?}/tests/shell.sh"
python3 -c 'import sqlite3' 2>/dev/null || { echo "SKIP: no python3 with sqlite3"; exit 77; }
sense() { # session, workers: takes the place of the shell that calls it
    exec "$pare" sense $p --levels int8,int2 --samples 75 --session "$work/$1.pare" --jobs "$2" --json
}
rows() { # session: rows of first chunks, rows of cells that went on
    python3 - "$work/$1.pare" <<'P'
import sqlite3, sys
try:
    db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
    went_on = [p.find('"layers"') >= 0 for p, in db.execute("select params from row where kind = 'sense'")]
    print(went_on.count(False), went_on.count(True))
except sqlite3.Error:
    print("0 0")
P
}

(sense whole 2) >"$work/whole.json" 2>"$work/err" || fail "the undisturbed run: $(cat "$work/err")"
read -r first on < <(rows whole)
[ "$first" = 2 ] && [ "$on" = 4 ] || fail "expected two first chunks and four of cells that went on, found $first and $on"
python3 - "$work/whole.json" <<'P' || fail "cells are not stopped at the first chunk, or all are"
import json, sys
cells = json.load(open(sys.argv[1]))["layers"]
assert all(c["samples"] == (25 if c["stopped"] else 75) for c in cells)
stopped = sum(c["stopped"] for c in cells)
assert 5 < stopped < len(cells) - 5, stopped
P

between=0
for wanted in 1 2 3 4 5; do
    sense killed $((wanted % 3 + 1)) >/dev/null 2>&1 &
    front=$!
    while kill -0 $front 2>/dev/null; do
        read -r first on < <(rows killed)
        [ $((first + on)) -ge $wanted ] && break
        sleep 0.02
    done
    kill -9 $front 2>/dev/null
    wait $front 2>/dev/null
    read -r first on < <(rows killed)
    [ "$on" -ge 1 ] && [ "$on" -le 3 ] && between=$((between + 1))
done
[ $between -ge 1 ] || echo "SKIP: no kill hit the cells that went on"
(sense killed 2) >"$work/killed.json" 2>"$work/err" || fail "after the kills: $(cat "$work/err")"
cmp "$work/whole.json" "$work/killed.json" || fail "kills changed the table"
for workers in 1 3; do
    (sense jobs$workers $workers) >"$work/jobs.json" 2>"$work/err" || fail "$workers workers: $(cat "$work/err")"
    cmp "$work/whole.json" "$work/jobs.json" || fail "$workers workers changed the table"
done
[ $failures = 0 ] && echo "early stop survives" || echo "$failures failed"
exit $((failures > 0))
