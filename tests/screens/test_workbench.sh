#!/usr/bin/env bash
# The workbench from end to end in a real terminal (tmux): open, measure, pin, solve, compare, export, resize to
# 1x1 and back, suspend, lose the terminal. Waits for what must appear, never for a time.
set -u
command -v tmux >/dev/null || { echo "SKIP: no tmux"; exit 77; }
dir=$(mktemp -d)
sock=pare-test-$$
t() { tmux -L "$sock" -f /dev/null "$@"; }
trap 't kill-server 2>/dev/null; rm -rf "$dir"' EXIT
screen() { t capture-pane -p -t 0; }
fail() { echo "FAIL: $*"; screen; exit 1; }
# wait_for TEXT SECONDS: until the screen shows it
wait_for() {
    local i
    for ((i = 0; i < $2 * 5; i++)); do
        screen | grep -qF -- "$1" && return 0
        sleep 0.2
    done
    fail "\"$1\" did not appear in $2 s"
}
keys() { t send-keys -t 0 "$@"; }
command_line() { keys -l ":$1" && keys Enter; }

export XDG_DATA_HOME=$dir/data XDG_RUNTIME_DIR=$dir/run LC_ALL=C.UTF-8
mkdir -p "$dir/data" "$dir/run" && chmod 700 "$dir/run"
t new-session -d -x 120 -y 36 "bash --norc --noprofile -i" || { echo "SKIP: tmux cannot start"; exit 77; }
keys "PS1='shell> '" Enter
wait_for "shell> " 20
keys "$PARE_BIN $PARE_SOURCE/sample_pipelines/hand_gesture; echo ended=\$?" Enter

wait_for "hand_gesture" 60
wait_for "detector" 120
wait_for "q quit" 5
command_line "sense --levels int8,int4 --samples 10"
keys 7
wait_for "done      sense" 240
wait_for "nothing to do" 240
keys 3
wait_for "0.0" 10 # figures have arrived
keys 1

command_line "pin detector/conv1=int8"
wait_for "1 pin" 30
command_line "solve"
keys 7
wait_for "done      solve" 240
wait_for "nothing to do" 300
keys 3
wait_for "layer x level" 10
keys 1
wait_for "here" 10

keys g Space
wait_for "marked" 10
keys G
keys c
wait_for "differ" 10
keys '?'
wait_for "keys and commands" 10
keys Escape
keys 1
command_line "export json $dir/config.json"
for ((i = 0; i < 50; i++)); do [ -s "$dir/config.json" ] && break; sleep 0.2; done
[ -s "$dir/config.json" ] || fail "export wrote nothing"
grep -q '"detector/conv1"' "$dir/config.json" || fail "the exported configuration names no layer"

for size in 1x1 40x10 39x9 300x100 2x50 80x24; do
    t resize-window -t 0 -x "${size%x*}" -y "${size#*x}"
    sleep 0.1
done
wait_for "hand_gesture" 10
wait_for "q quit" 10
t resize-window -t 0 -x 20 -y 6
wait_for "needs 40x10" 10
t resize-window -t 0 -x 120 -y 36
wait_for "q quit" 10

keys C-z
wait_for "Stopped" 10
keys "stty -a | tr ' ;' '\\n\\n' | grep -qx icanon && echo line''=sane" Enter
wait_for "line=sane" 10
keys "clear; fg" Enter
wait_for "q quit" 10

pid=$(t list-panes -F '#{pane_pid}')
child=$(cut -d' ' -f1 "/proc/$pid/task/$pid/children")
[ -n "$child" ] || fail "the workbench is not a child of the shell"
t kill-server
for ((i = 0; i < 25; i++)); do kill -0 "$child" 2>/dev/null || break; sleep 0.2; done
kill -0 "$child" 2>/dev/null && { echo "FAIL: still running 5 s after its terminal was lost"; kill -9 "$child"; exit 1; }
ls "$dir"/data/pare/*.pare >/dev/null 2>&1 || { echo "FAIL: no session was kept"; exit 1; }
echo "opened, measured, pinned, solved, compared, exported, resized, stopped, continued, lost its terminal"
