# shell.sh: what the shell tests share: a folder of their own, and how they run Pare and read what it says. Sourced:
#   . "${PARE_SOURCE:?}/tests/shell.sh"
# Afterwards the working directory is the source tree, $work is the test's own folder (removed at its end) and every file of
# Pare's lies in it. A test ends with: exit $((failures > 0))
set -u
pare=${PARE_BIN:?}
cd "${PARE_SOURCE:?}" || exit 1
work=$(mktemp -d /tmp/pare-test-XXXXXX) || exit 1
trap 'rm -rf "$work"' EXIT
export XDG_DATA_HOME=$work/data XDG_STATE_HOME=$work/state XDG_RUNTIME_DIR=$work HOME=$work
p=sample_pipelines/hand_gesture
failures=0

fail() {
    echo "FAIL: $*"
    failures=$((failures + 1))
}

# code EXPECTED COMMAND...: runs it without input, its output in $work/out and $work/err
code() {
    local expected=$1 got
    shift
    "$@" >"$work/out" 2>"$work/err" </dev/null
    got=$?
    [ $got -eq "$expected" ] || fail "exit $got instead of $expected: $*: $(head -c 300 "$work/out") $(tail -n 3 "$work/err")"
}

# field EXPRESSION: of the last output as JSON, d
field() { python3 -c "import json, sys; d = json.load(open(sys.argv[1])); print($1)" "$work/out"; }

# is EXPRESSION WHAT: it must be true
is() { [ "$(field "bool($1)")" = True ] || fail "$2: not $1"; }

# says TEXT: what the last command wrote to stderr holds it
says() { grep -qF -- "$1" "$work/err" || fail "expected '$1', found: $(tail -n 1 "$work/err")"; }

# own_pipeline: from here on $p is a copy of the sample pipeline that the test may change
own_pipeline() {
    local from=$PWD/sample_pipelines/hand_gesture
    p=$work/p
    mkdir "$p" && cp "$from"/*.onnx "$from/pipeline.lua" "$p" && ln -s "$from/calibration" "$from/search" "$from/test" "$p" || exit 1
}
