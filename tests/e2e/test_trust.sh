#!/usr/bin/env bash
# A pipeline.lua or script that others could have written is run only after it was trusted, once for each version.
. "${PARE_SOURCE:?}/tests/shell.sh"
own_pipeline
code 0 "$pare" info "$p" # our own
[ -e "$work/state/pare/trust" ] && fail "our own file was asked for"

# everybody may write to it: refused without a terminal, in one line that says why and how
chmod o+w "$p/pipeline.lua"
code 77 "$pare" info "$p"
[ "$(wc -l <"$work/err")" = 1 ] || fail "more than one line"
grep -q 'everybody may write to it.*--trust.*SHA-256 [0-9a-f]\{16\}' "$work/err" || fail "why and how"
code 77 "$pare" info "$p" --json
python3 -c "import json,sys; assert json.load(open(sys.argv[1]))['error']['code'] == 77" "$work/out" || fail "JSON error"
code 77 "$pare" "$p" # the summary too
ls "$work"/data/pare/*.pare >/dev/null 2>&1 && fail "a session was made for a foreign pipeline"

# trusted once, by content: another version, or a module beside it, is asked for again
code 0 "$pare" info "$p" --trust
code 0 "$pare" info "$p"
code 0 "$pare" info "$p/pipeline.lua"
[ "$(wc -l <"$work/state/pare/trust")" = 1 ] || fail "the trust file"
[ "$(stat -c %a "$work/state/pare")" = 700 ] || fail "the trust file's folder is open to others"
echo '-- another version' >>"$p/pipeline.lua"
code 77 "$pare" info "$p"
code 0 "$pare" info "$p" --trust
echo 'return 1' >"$p/helper.lua"
code 77 "$pare" info "$p"
rm "$p/helper.lua"
code 0 "$pare" info "$p"
chmod o-w "$p/pipeline.lua"
chmod o+w "$p"
mv "$work/state" "$work/forgotten"
code 77 "$pare" info "$p"
grep -q 'its folder' "$work/err" || fail "a folder that everybody may write to"
chmod 755 "$p"
code 0 "$pare" info "$p"
code 0 "$pare" info "$p/classifier.onnx" # a model is data, not code

# another user's
if [ "$(id -u)" = 0 ]; then
    chown 65534 "$p/pipeline.lua"
    code 77 "$pare" info "$p"
    grep -q 'it belongs to' "$work/err" || fail "another user's file"
    chown 0 "$p/pipeline.lua"
else
    echo "SKIP: another user's file needs root"
fi

# scripts, and what scripts open
chmod o+w "$p/pipeline.lua"
printf 'print(pare.open(arg[1]))' >"$work/s.lua"
code 0 "$pare" script "$work/s.lua" "$p"
grep -qE '^nil.*everybody may write.*77$' "$work/out" || fail "a script opened a foreign pipeline"
chmod o+w "$work/s.lua"
code 77 "$pare" script "$work/s.lua" "$p"
code 0 "$pare" script "$work/s.lua" "$p" --trust

# a person is asked: show, then trust; or no
python3 - "$pare" "$p" <<'P' || fail "the question"
import os, pty, sys
def talk(*answers):
    pid, fd = pty.fork()
    if pid == 0:
        os.execv(sys.argv[1], [sys.argv[1], "info", sys.argv[2]])
    seen = b""
    for answer in answers:
        while not seen.rstrip().endswith(b"[q]uit?"):
            seen += os.read(fd, 4096)
        os.write(fd, answer + b"\n")
        mark, seen = seen, b""
    try:
        while True:
            seen += os.read(fd, 4096)
    except OSError:
        pass
    return mark + seen, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
text, code = talk(b"q")
assert code == 77 and b"sandbox" in text, (code, text)
text, code = talk(b"s", b"t")
assert code == 0 and b"stages = {" in text and b"27 layers" in text, (code, text)
P
code 0 "$pare" info "$p"
exit $((failures > 0))
