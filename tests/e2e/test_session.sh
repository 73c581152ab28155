#!/usr/bin/env bash
# Sessions from outside: --detach, list, show, tail, stop, gc; a holder that is killed.
. "${PARE_SOURCE:?}/tests/shell.sh"
own_pipeline
cleanup() { "$pare" session stop "$p" >/dev/null 2>&1; rm -rf "$work"; }
trap cleanup EXIT

code 0 "$pare" session list
grep -q 'no sessions yet' "$work/out" || fail "an empty list"
code 66 "$pare" session show "$p"
code 2 "$pare" session frobnicate
code 2 "$pare" session tail
code 2 "$pare" pin "$p" --detach

# --detach: who starts it gets the terminal back, the work goes on; what cannot start is said at once
code 66 "$pare" sense "$work/nothing" --detach
grep -q nothing "$work/err" || fail "why a detached verb did not start"
code 0 "$pare" sense "$p" --samples 2000 --jobs 1 --detach --json
pid=$(field "d['pid']") log=$(field "d['log']")
[ -f "$log" ] || fail "no log"
[ "$(ps -o tty= -p "$pid" | tr -d ' ')" = '?' ] || fail "a detached process has a terminal"
code 75 "$pare" sense "$p" --samples 2000
code 75 "$pare" sense "$p" --samples 2000 --detach
code 0 "$pare" session list --json
[ "$(field "d['sessions'][0]['holder']")" = "$pid" ] || fail "the list does not say who works: $(field "d['sessions'][0]['holder']")"
for _ in $(seq 100); do
    "$pare" session show "$p" --json >"$work/out" 2>"$work/err" && [ "$(field "d['session']['kinds'].get('sense', {'rows': 0})['rows']")" -ge 2 ] && break
    sleep 0.2
done
[ "$(field "d['session']['unfinished']")" = "['sense']" ] || fail "what is under way: $(field "d['session']['unfinished']")"
code 0 "$pare" runs "$p" # looking is always possible
timeout -s KILL 5 "$pare" session tail "$p" >"$work/out" 2>"$work/err"
grep -qE 'sense [0-9]+/[0-9]+, [0-9]+ %, [0-9]+:[0-9]{2} left' "$work/out" || fail "tail shows no progress"
grep -q '3 models, 27 layers' "$work/out" || fail "tail shows no log"

# stop: saved, ended, and the same command knows the rows
"$pare" session tail "$p" >"$work/tail" 2>&1 &
tail=$!
sleep 1
code 0 "$pare" session stop "$p"
for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done # its lock is gone; it may still be tidying up
kill -0 "$pid" 2>/dev/null && [ "$(ps -o stat= -p "$pid" | cut -c1)" != Z ] && fail "stopped and still there"
for _ in $(seq 50); do kill -0 $tail 2>/dev/null || break; sleep 0.1; done
kill -0 $tail 2>/dev/null && { fail "tail does not end"; kill $tail; }
grep -q 'it has ended' "$work/tail" || fail "tail does not say that it ended"
code 66 "$pare" session stop "$p"
code 66 "$pare" session tail "$p"
code 0 "$pare" session show "$p"
grep -qE '^sense +[0-9]+' "$work/out" || fail "show has no rows"

# a detached holder that is killed: nothing stays held
code 0 "$pare" sense "$p" --samples 2000 --jobs 1 --detach --json
pid=$(field "d['pid']")
kill -9 "$pid"
for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
sleep 0.3
code 0 "$pare" session list --json
[ "$(field "d['sessions'][0]['holder']")" = 0 ] || fail "a killed process still holds its session"

# a detached verb that ends by itself leaves its answer in the log
code 0 "$pare" eval "$p" --level int8 --samples 100 --detach --json
log=$(field "d['log']")
for _ in $(seq 300); do grep -q '^}' "$log" 2>/dev/null && break; sleep 0.2; done
grep -q '"accuracy"' "$log" || { fail "no answer in the log"; head -5 "$log"; }
for _ in $(seq 50); do "$pare" session tail "$p" >/dev/null 2>&1 || break; sleep 0.1; done

# gc: rows of an earlier version go, a session without a pipeline only with --yes, another's work never
code 0 "$pare" session gc --dry-run
grep -q 'nothing to remove' "$work/out" || fail "gc of current rows"
sed -i 's/64, 64, 1.2)/64, 64, 1.25)/' "$p/pipeline.lua" # a remark would change no figure
code 0 "$pare" eval "$p" --level int8 --samples 100
code 0 "$pare" session gc --dry-run
grep -q 'would remove .*earlier version' "$work/out" || fail "gc does not see old rows"
code 0 "$pare" session gc
code 0 "$pare" session show "$p" --json
[ "$(field "'sense' in d['session']['kinds']")" = False ] || fail "old rows are still there"
[ "$(field "d['session']['kinds']['accuracy']['rows']")" = 1 ] || fail "rows that count were removed"
mv "$p" "$work/q"
code 0 "$pare" session gc
grep -q 'kept (--yes' "$work/out" || fail "gc removes a session without being told"
code 0 "$pare" session gc --yes
grep -q '^removed' "$work/out" || fail "gc --yes"
code 0 "$pare" session list
grep -q 'no sessions yet' "$work/out" || fail "the list after gc"
exit $((failures > 0))
