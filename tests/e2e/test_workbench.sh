#!/usr/bin/env bash
# The workbench on a real terminal (tmux): pin, undo, solve, compare, export, sizes, suspend, quit, a lost terminal.
. "${PARE_SOURCE:?}/tests/shell.sh"
for tool in tmux python3; do
    command -v $tool >/dev/null || { echo "SKIP: no $tool"; exit 77; }
done
export TMUX_TMPDIR=$work LC_ALL=${LC_ALL:-C.UTF-8}
printf 'leak:libfontconfig\n' >"$work/lsan" # its cache of patterns, never freed, is not ours
export LSAN_OPTIONS=suppressions=$work/lsan:print_suppressions=0
unset TMUX NO_COLOR COLUMNS LINES
server=1 # every server has a socket of its own: one that is just ending answers for a while
t() { tmux -u -L "pare-$$-$server" "$@"; }
trap 't kill-server 2>/dev/null; rm -rf "$work"' EXIT
open="$pare $p --samples 25 --levels fp32,int8,int4"
screen() { t capture-pane -p 2>/dev/null; }
fail() { echo "FAIL: $*"; screen | cut -c1-120; failures=$((failures + 1)); }
keys() { t send-keys "$@"; }
command_line() { t send-keys -l ":$1" && t send-keys Enter; }
wait_for() { # extended pattern, seconds, what
    local until=$((SECONDS + $2))
    while ! screen | grep -qE -- "$1"; do
        [ $SECONDS -lt $until ] || { fail "$3: no \"$1\" within $2 s"; return 1; }
        sleep 0.2
    done
}
wait_gone() { # extended pattern, seconds, what
    local until=$((SECONDS + $2))
    while screen | grep -qE -- "$1"; do
        [ $SECONDS -lt $until ] || { fail "$3: still \"$1\" after $2 s"; return 1; }
        sleep 0.2
    done
}
state() { sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f1; }
lives() { case $(state "$1") in '' | Z | X) return 1 ;; esac; } # what nobody has waited for is over too
ticks() { sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null | awk '{print $12 + $13}'; }
calm() { # pid, what: at most a fifth of a processor over two seconds
    local before after
    before=$(ticks "$1"); sleep 2; after=$(ticks "$1")
    [ $((${after:-0} - ${before:-0})) -le $(($(getconf CLK_TCK) * 2 / 5)) ] || fail "$2 uses $((after - before)) ticks in 2 s"
}
rows() { # accuracy rows that the session holds
    python3 - "$work"/data/pare/*.pare <<'P'
import sqlite3, sys
c = sqlite3.connect("file:" + sys.argv[1] + "?mode=ro", uri=True)
print(c.execute("select count(*) from row").fetchone()[0])
P
}

# from a shell, as a person starts it
t -f /dev/null new-session -d -x 120 -y 36 "exec env PS1='shell> ' bash --norc --noprofile -i" || { echo "SKIP: tmux does not start"; exit 77; }
wait_for 'shell>' 20 "a shell" || exit 1
shell=$(t list-panes -F '#{pane_pid}')
before=$(t display-message -p '#{pane_tty}' | xargs -I{} stty -a -F {} | tail -n +2)
keys -l "$open"; keys Enter
wait_for 'pw5 ' 60 "the layers' names" || exit 1
front=$(pgrep -P "$shell" | head -1)
screen | grep -q 'detector' || fail "the model's name"
calm "$front" "an idle workbench"

# pin, undo, redo
command_line "pin 'classifier/*=int8'"
wait_for 'pin classifier/\*=int8: 3 layers' 20 "pin"
wait_for ' 3 pins' 20 "the pins are counted"
keys u
wait_for 'undone: pin' 20 "undo"
wait_gone ' 3 pins' 20 "undo"
keys C-r
wait_for ' 3 pins' 20 "redo"
keys 2
wait_for '─ layers' 20 "the layers' view"
keys G
wait_for 'fc3 .*■' 20 "a pinned layer's mark"
keys 1
command_line "pin 'nothing*=int8'"
wait_for 'matches no layer' 20 "a pin of nothing"

# why the layer under the cursor loses; how layers are quantized, undone
keys 2 g j C
wait_for 'layer .* own +step +accum\.' 20 "the columns of errors"
command_line "columns usual"
wait_gone 'accum\.' 20 "the usual columns"
keys w
wait_for 'why detector/[a-z0-9]+ loses at ' 20 "the why view"
wait_for 'what would cure it' 120 "the cures"
keys j
wait_for 'calls of its stage +3/27' 60 "the next layer"
keys Enter
wait_for '^ :(quantize|pin) ' 20 "a cure in the prompt"
keys Escape
sleep 0.5
keys Escape
wait_for '─ layers' 20 "back from the why view"
command_line "quantize detector: ranges=mse"
wait_for 'hand_gesture  quantize detector: ranges=mse' 20 "the rules in the header"
keys u
wait_for 'undone: quantize' 20 "undo of rules"
wait_gone 'hand_gesture  quantize' 20 "undo of rules"
t send-keys -l ':quantize detector/pw3: ran' && keys Tab
wait_for ':quantize detector/pw3: ranges=' 20 "rules are completed"
keys Escape
sleep 0.5
t send-keys -l ':quantize scales=mse'
wait_for 'the table by these rules: [0-9]+ jobs, (about|guessed) [0-9]+:[0-9]+ on [0-9]+ workers?; ENTER takes' 20 "the price of rules"
keys Escape
sleep 0.5
command_line "quantize nothing/*: best"
wait_for 'matches no stage, layer or tensor' 20 "rules for nothing"
keys 1

# solve: measured points come while it works
keys s
wait_for '(about|guessed) [0-9]+:[0-9]+ on [0-9]+ workers?; ENTER starts' 20 "the price before long work"
keys Enter
wait_for 'accuracy [0-9.]+ ± [0-9.]+ %' 240 "a measured accuracy" || exit 1
tries=0
while command_line "compare int8 int4"; sleep 1; ! screen | grep -qE '1 int8 .*2 int4'; do # both must be measured
    tries=$((tries + 1))
    [ $tries -lt 60 ] || { fail "compare int8 int4"; break; }
done
wait_for 'of 27 differ' 20 "the layers that differ"
wait_for 'drop vs first .*(tied|differs)' 20 "are they tied?"
command_line "compare nowhere"
wait_for 'no run or point "nowhere"' 20 "compare of nothing"
keys 1
for format in csv json png; do
    command_line "export $format $work/x.$format"
    wait_for "wrote $work/x.$format" 30 "export $format"
done
command_line "export csv $work/none/x.csv"
wait_gone 'wrote' 20 "export into no folder"
python3 - "$work" <<'P' || fail "an exported file"
import csv, json, struct, sys
work = sys.argv[1]
table = list(csv.reader(line for line in open(work + "/x.csv") if not line.startswith("#")))
assert len(table) >= 3 and all(len(row) == len(table[0]) for row in table), table[:3]
assert len(json.load(open(work + "/x.json"))["config"]) == 27
png = open(work + "/x.png", "rb").read()
assert png[:8] == b"\x89PNG\r\n\x1a\n" and png[-8:-4] == b"IEND", png[:8]
assert min(struct.unpack(">II", png[16:24])) >= 100
P

# a script on the open pipeline: its output is in the log, its choices on the screen
printf 'local p, about = assert(pare.open(arg[1]))\nprint(#about.layers, #assert(p:points()))\nassert(p:free("*"))\n' >"$work/s.lua"
command_line "script $work/s.lua sample_pipelines/hand_gesture"
wait_for 'the script has ended' 30 "a script"
keys 8
wait_for '27[[:space:]]+[0-9]+' 20 "what the script printed"
wait_gone ' 3 pins' 20 "the script's choice"
command_line "script $work/s.lua $work/nothing"
wait_for 'no such pipeline' 30 "a script that fails"
keys 1
keys u
wait_for 'undone: free' 20 "a script's choice can be undone"
wait_for ' 3 pins' 20 "the pins are back"

# every size, in every view
for size in "1 1" "40 10" "300 90" "2 50" "200 2" "120 36"; do
    for view in 1 6 3; do
        t resize-window -x "${size% *}" -y "${size#* }"
        keys $view
        sleep 0.3
        lives "$front" || { fail "died at $size in view $view"; exit 1; }
    done
done
keys 1
wait_for '^╭─ accuracy, % .*╮$' 20 "the screen after all sizes"

# suspended and back
keys C-z
wait_for 'Stopped' 20 "C-z"
[ "$(state "$front")" = T ] || fail "C-z does not stop: $(state "$front")"
keys -l 'clear; echo suspended $((6 * 7))'; keys Enter
wait_for 'suspended 42' 20 "the shell meanwhile"
keys -l fg; keys Enter
wait_for '^╭─ accuracy, % .*╮$' 20 "fg"
keys '?'
wait_for 'half a page' 20 "help after fg"
keys Escape
sleep 0.5

# quit: the terminal is as before
keys q
wait_for 'shell> *$' 30 "quit"
keys -l 'echo "left $?" ok'; keys Enter
wait_for '^left 0 ok$' 20 "the exit code"
screen | grep -qE 'Sanitizer|runtime error' && fail "a sanitizer's report"
after=$(t display-message -p '#{pane_tty}' | xargs -I{} stty -a -F {} | tail -n +2)
[ "$before" = "$after" ] || fail "line settings: $(diff <(echo "$before") <(echo "$after"))"
[ "$(t display-message -p '#{alternate_on} #{cursor_flag} #{mouse_any_flag} #{keypad_flag}')" = "0 1 0 0" ] ||
    fail "terminal modes: $(t display-message -p '#{alternate_on} #{cursor_flag} #{mouse_any_flag} #{keypad_flag}')"
held=$(rows)
[ "$held" -gt 10 ] || fail "only $held rows"
t kill-server

# again, measuring; then the terminal is lost
lose() { # signal to the tmux server
    server=$1
    t -f /dev/null new-session -d -x 120 -y 36 "exec $open"
    wait_for '─ layers' 60 "opened again" || return
    screen | grep -q ' 3 pins' || fail "pins are kept"
    front=$(t list-panes -F '#{pane_pid}')
    local tmux_pid
    tmux_pid=$(t display-message -p '#{pid}')
    command_line solve # typed: no question whatever it takes
    for _ in $(seq 50); do pgrep -P "$front" >/dev/null && break; sleep 0.2; done
    local workers spent=0
    workers=$(pgrep -P "$front")
    kill "-$1" "$tmux_pid"
    for _ in $(seq 20); do
        sleep 0.1
        lives "$front" || break
        spent=$(ticks "$front")
    done
    if lives "$front"; then
        fail "SIG$1: lives 2 s after its terminal ($(state "$front"), $spent ticks)"
        kill -9 "$front"
    fi
    [ -n "$workers" ] || fail "no worker to outlive the terminal"
    sleep 0.5
    for worker in $workers; do
        lives "$worker" && fail "SIG$1: worker $worker outlives its terminal"
    done
}
lose TERM
lose KILL
# --detach: the terminal is lost, the work goes on until it is done or somebody stops it
server=detach
t -f /dev/null new-session -d -x 120 -y 36 "exec $open --fresh --detach"
wait_for '─ layers' 60 "opened to be detached"
front=$(t list-panes -F '#{pane_pid}')
command_line solve
wait_for '[0-9]+ %' 20 "work"
kill -KILL "$(t display-message -p '#{pid}')"
sleep 1.5
lives "$front" || fail "--detach: gone with its terminal"
"$pare" session list | grep -q "process $front" || fail "--detach: not in the list"
"$pare" session stop sample_pipelines/hand_gesture >"$work/stop" 2>&1 || fail "--detach: stop: $(cat "$work/stop")"
for _ in $(seq 100); do lives "$front" || break; sleep 0.1; done # its lock is gone; it may still be tidying up
lives "$front" && fail "--detach: stopped and still there"
[ "$(rows)" -ge "$held" ] || fail "rows were lost: $(rows) of $held"
"$pare" runs sample_pipelines/hand_gesture --json </dev/null >"$work/runs" || fail "the session does not open"
grep -q uniform "$work/runs" || fail "the runs are not held"
exit $((failures > 0))
