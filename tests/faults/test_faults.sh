#!/bin/bash
# Faults, one after the other: kill -9 at random moments, a full disk, /dev/full, a session that may only be read, few
# file descriptors, another locale, signals. PARE_BIN is the executable; everything happens in a temporary folder.
set -u
pare=${PARE_BIN:?} source=${PARE_SOURCE:?}
dir=$(mktemp -d) || exit 1
chmod 755 "$dir"
trap 'rm -rf "$dir"' EXIT
export XDG_RUNTIME_DIR=$dir/run XDG_DATA_HOME=$dir/data TMPDIR=$dir/tmp
mkdir -m 700 "$dir/run" "$dir/tmp"
model=$source/sample_pipelines/hand_gesture/classifier.onnx
failures=0
fail() { echo "FAILED: $*"; failures=$((failures + 1)); }
skip() { echo "SKIP: $*"; }
sql() { python3 - "$1" "$2" <<'PY'
import sqlite3, sys
db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)
print(db.execute(sys.argv[2]).fetchone()[0])
PY
}
have_sql=1
python3 -c 'import sqlite3' 2>/dev/null || have_sql=0
expect() { # code, what, command...
    local want=$1 what=$2; shift 2
    "$@" >"$dir/out" 2>"$dir/err"
    local got=$?
    [ "$got" = "$want" ] || fail "$what: expected exit $want, found $got: $(head -c 300 "$dir/err")"
}

# F1: kill -9 at 20 moments of a sensitivity run. Rows only grow, the file is whole, nobody and nothing is left behind.
session=$dir/kill.pare rows=0
for i in $(seq 20); do
    "$pare" sense "$model" --session "$session" --samples 64 --jobs 1 >/dev/null 2>&1 &
    front=$!
    sleep "0.$(printf %03d $((RANDOM % 300 + 20 + i * 5)))"
    workers=$(pgrep -P "$front" 2>/dev/null | tr '\n' ' ')
    kill -9 "$front" 2>/dev/null
    wait "$front" 2>/dev/null
    for w in $workers; do
        for t in $(seq 50); do kill -0 "$w" 2>/dev/null || break; sleep 0.1; done
        kill -0 "$w" 2>/dev/null && [ "$(ps -o stat= -p "$w" | cut -c1)" != Z ] && fail "a worker outlived its front"
    done
    if [ $have_sql = 1 ] && [ -s "$session" ]; then
        # a hot journal is rolled back by whoever opens it for writing: pare itself does
        [ -s "$session-journal" ] && "$pare" runs "$model" --session "$session" >/dev/null 2>&1
        [ "$(sql "$session" 'PRAGMA integrity_check')" = ok ] || fail "integrity after kill $i"
        now=$(sql "$session" "SELECT count(*) FROM sqlite_master WHERE name='row'")
        [ "$now" = 1 ] && now=$(sql "$session" 'SELECT count(*) FROM row')
        [ "$now" -ge "$rows" ] || fail "rows went from $rows to $now after kill $i"
        rows=$now
    fi
done
[ $have_sql = 1 ] || skip "integrity of the session: no python3 with sqlite3"
expect 0 "the same command after 20 kills" "$pare" sense "$model" --session "$session" --samples 64 --json
litter=$(find "$dir" -type f ! -name '*.pare' ! -name out ! -name err \( -size +0 -o ! -name '*-journal' \) | head -3)
[ -z "$litter" ] || fail "left behind: $litter"

# Results are those of a run that nobody killed.
"$pare" sense "$model" --session "$session" --samples 64 --json >"$dir/killed.json" 2>/dev/null
expect 0 "an undisturbed run" "$pare" sense "$model" --session "$dir/whole.pare" --samples 64 --json
cmp -s "$dir/killed.json" "$dir/out" || fail "20 kills changed the results"

# F2: a full disk, and a standard output that cannot be written.
"$pare" info "$model" >/dev/full 2>"$dir/err"
[ $? = 74 ] || fail "/dev/full: expected exit 74"
if unshare -m true 2>/dev/null && unshare -m sh -c "mkdir -p $dir/small && mount -t tmpfs -o size=256k tmpfs $dir/small" 2>/dev/null; then
    unshare -m sh -c "mount -t tmpfs -o size=256k tmpfs $dir/small && dd if=/dev/zero of=$dir/small/fill bs=1k count=170 2>/dev/null
        $pare sense $model --session $dir/small/s.pare --samples 64 >$dir/out 2>$dir/err; echo \$? >$dir/code
        rm $dir/small/fill; mount -o remount,size=64m $dir/small
        $pare sense $model --session $dir/small/s.pare --samples 64 >$dir/out2 2>>$dir/err; echo \$? >>$dir/code"
    [ "$(head -1 "$dir/code")" = 74 ] || fail "full disk: expected exit 74, found $(head -1 "$dir/code"): $(head -c 300 "$dir/err")"
    [ "$(tail -1 "$dir/code")" = 0 ] || fail "room again: expected exit 0, found $(tail -1 "$dir/code"): $(tail -c 300 "$dir/err")"
else
    skip "full disk: no right to mount a small file system"
fi

# F3: a session that may only be read: viewing works, measuring says why not. As another user: root may write anything.
if [ "$(id -u)" = 0 ] && command -v setpriv >/dev/null; then
    chmod 755 "$dir"; chmod 644 "$session"
    as() { setpriv --reuid=65534 --regid=65534 --clear-groups env XDG_RUNTIME_DIR=/nonexistent HOME=/nonexistent "$@"; }
    if as test -r "$model" -a -x "$pare" 2>/dev/null && as "$pare" --version >/dev/null 2>&1; then
        expect 0 "runs of a read-only session" as "$pare" runs "$model" --session "$session"
        as "$pare" sense "$model" --session "$session" --samples 64 >/dev/null 2>"$dir/err"
        code=$?
        [ $code = 73 ] || [ $code = 77 ] || fail "sense on a read-only session: expected 73 or 77, found $code: $(cat "$dir/err")"
    else
        skip "read-only session: the other user cannot reach the executable"
    fi
else
    skip "read-only session: needs root and setpriv to become another user"
fi

# F7: two at once: the second batch verb names the session and leaves with 75.
"$pare" sense "$source/sample_pipelines/hand_gesture" --session "$dir/two.pare" --samples 200 --jobs 1 >/dev/null 2>&1 &
front=$!
for t in $(seq 50); do [ -s "$dir/two.pare" ] && break; sleep 0.1; done
sleep 0.3
expect 75 "a held session" "$pare" eval "$source/sample_pipelines/hand_gesture" --session "$dir/two.pare"
grep -q two.pare "$dir/err" || fail "a held session: the message does not name it"
[ "$(wc -l <"$dir/err")" = 1 ] || fail "a held session: expected one line"
expect 0 "looking at a held session" "$pare" runs "$source/sample_pipelines/hand_gesture" --session "$dir/two.pare"

# F5: signals.
kill -TERM $front; wait $front; code=$?
[ $code = 143 ] || fail "SIGTERM: expected exit 143, found $code"
set -m # so that ^C is not ignored in what we start
"$pare" sense "$source/sample_pipelines/hand_gesture" --session "$dir/two.pare" --samples 200 --jobs 1 >/dev/null 2>&1 &
front=$!
sleep 1; kill -INT $front; wait $front; code=$?
set +m
[ $code = 130 ] || fail "SIGINT: expected exit 130, found $code"

# F18: numbers do not depend on the locale. F13: nor on the clock's leaps (all limits use the monotonic clock).
for l in $(locale -a 2>/dev/null | grep -iE '^(de_|fr_|nl_)' | head -1) de_DE.UTF-8; do
    LC_ALL=$l "$pare" sense "$model" --session "$session" --samples 64 --json >"$dir/locale.json" 2>/dev/null
    cmp -s "$dir/killed.json" "$dir/locale.json" || fail "results differ under LC_ALL=$l"
done

# F19: few file descriptors: an error in words, no hang and no signal.
for n in 6 8 12 16; do
    (ulimit -n $n; timeout 30 "$pare" info "$model" >"$dir/out" 2>"$dir/err")
    code=$?
    [ $code -lt 80 ] || fail "ulimit -n $n: exit $code: $(head -c 300 "$dir/err")"
    [ $code = 0 ] || [ -s "$dir/err" ] || fail "ulimit -n $n: exit $code without a word"
done

# Sessions that are none (D 1, 3-6): one line, 65, and the file is not touched.
printf 'not a database, and longer than a header would be: %0500d' 7 >"$dir/bad.pare"
head -c 700 "$session" >"$dir/cut.pare"
for bad in bad cut; do
    before=$(cksum <"$dir/$bad.pare")
    expect 65 "session $bad" "$pare" sense "$model" --session "$dir/$bad.pare" --samples 4
    [ "$before" = "$(cksum <"$dir/$bad.pare")" ] || fail "session $bad was written to"
done
expect 73 "a session in a folder that is not there" "$pare" sense "$model" --session "$dir/no/such/s.pare" --samples 4

[ $failures = 0 ] && echo "all faults survived" || echo "$failures failed"
exit $((failures > 0))
