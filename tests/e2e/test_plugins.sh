#!/usr/bin/env bash
# Solvers in shared objects: the example answers; each kind of broken plugin costs its solve and is told in one line.
. "${PARE_SOURCE:?}/tests/shell.sh"
export PARE_PLUGINS=$work/so
unset PARE_MODELS
bare=$p/classifier.onnx # a few small layers and nothing to measure but latency
mkdir -p "$work/so"
on=$bare
solve() { # a drop's budget where there is one
    local drop=()
    [ "$on" = "$bare" ] || drop=(--max-drop 0.02)
    "$pare" solve $on --levels fp32,int8,int4,int2 "${drop[@]}" --samples 25 --seed 3 "$@" >"$work/out" 2>"$work/err"
}
expect() { # exit code, words on standard error, options of solve
    local want=$1 words=$2 got
    shift 2
    solve "$@"
    got=$?
    [ $got -eq "$want" ] || fail "exit $got instead of $want: $*: $(tail -1 "$work/err")"
    [ -z "$words" ] || grep -qF -- "$words" "$work/err" || fail "$* says: $(tail -1 "$work/err")"
    [ "$(grep '^pare: ' "$work/err" | grep -vc '^pare: solve: ')" -le 1 ] || fail "$* says more than a line: $(cat "$work/err")"
}

# nothing there
expect 66 "no such plugin: looked for nothing.so in $work/so, $work/data/pare/plugins, " --method plugin:nothing --predicted
"$pare" plugins >"$work/out" 2>&1 || fail "pare plugins: $(cat "$work/out")"
grep -q "^no plugins in $work/so, $work/data/pare/plugins$" "$work/out" || fail "an empty list: $(cat "$work/out")"

if ! command -v cc >/dev/null; then
    echo "SKIP: no compiler to build plugins with"
    exit $((failures > 0 ? 1 : 77))
fi
build() { cc -O1 -shared -fPIC -I plugins -o "$work/so/$1.so" "${@:2}" || fail "cc $*"; }
# the example, by the line in its header
grep -qF 'cc -O2 -shared -fPIC -I plugins -o anneal.so plugins/anneal.c -lm' plugins/anneal.c || fail "the example's line"
cc -O2 -shared -fPIC -Wall -Wextra -Werror -I plugins -o "$work/so/anneal.so" plugins/anneal.c -lm || fail "the example does not compile"
echo '#include "pare_plugin.h"' >"$work/only.c"
cc -std=c99 -pedantic -Wall -Wextra -Werror -fsyntax-only -I plugins "$work/only.c" || fail "the header alone"
if command -v c++ >/dev/null; then
    cc -x c++ -std=c++11 -pedantic -Wall -Wextra -Werror -fsyntax-only -I plugins "$work/only.c" || fail "the header in C++"
fi

cat >"$work/bad.c" <<'C'
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "pare_plugin.h"
static int32_t levels[4096];
static void widest(const struct pare_plugin_problem *p)
{
    for (int g = 0; g < p->n_groups; g++)
        for (levels[g] = 0; !p->allowed[g * p->n_levels + levels[g]]; levels[g]++) {
        }
}
static int step(const struct pare_plugin_host *host, const struct pare_plugin_problem *p, const struct pare_plugin_step *s)
{
    const char *how = host->text(host, "how", "");
    const size_t n = (size_t)p->n_groups;
    widest(p);
    if (strcmp(how, "crash") == 0) *(volatile int *)8 = 1;
    if (strcmp(how, "abort") == 0) abort();
    if (strcmp(how, "exit") == 0) _exit(3);
    if (strcmp(how, "endless") == 0) for (volatile int i = 0;; i++) { }
    if (strcmp(how, "short") == 0) { host->ask(host, levels, n - 1, 0); return PARE_PLUGIN_ASKED; }
    if (strcmp(how, "none") == 0) { host->ask(host, NULL, n, 0); return PARE_PLUGIN_ASKED; }
    if (strcmp(how, "range") == 0) { levels[1] = p->n_levels; host->answer(host, levels, n); return PARE_PLUGIN_DONE; }
    if (strcmp(how, "pin") == 0) { for (size_t g = 0; g < n; g++) levels[g] = p->n_levels - 1; host->answer(host, levels, n); return PARE_PLUGIN_DONE; }
    if (strcmp(how, "refuse") == 0) { host->complain(host, "too\nmany groups"); return PARE_PLUGIN_REFUSED; }
    if (strcmp(how, "infeasible") == 0) return PARE_PLUGIN_INFEASIBLE;
    if (strcmp(how, "failed") == 0) { host->complain(host, "no licence"); return PARE_PLUGIN_FAILED; }
    if (strcmp(how, "idle") == 0) return PARE_PLUGIN_ASKED;
    if (strcmp(how, "empty") == 0) return PARE_PLUGIN_DONE;
    if (strcmp(how, "odd") == 0) return 42;
    if (strcmp(how, "hoard") == 0) { static char big[5 << 20]; host->keep(host, big, sizeof big); host->answer(host, levels, n); return PARE_PLUGIN_DONE; }
    if (strcmp(how, "many") == 0) { for (int i = 0; i < 200000; i++) host->ask(host, levels, n, 0); return PARE_PLUGIN_ASKED; }
    if (strcmp(how, "late") == 0 && s->n_told > 0) abort();
    if (strcmp(how, "again") == 0) { host->ask(host, levels, n, 0); return PARE_PLUGIN_ASKED; }
    if (strcmp(how, "rename") == 0 && s->n_told == 0 && rename(host->text(host, "from", ""), host->text(host, "to", "")) != 0) return PARE_PLUGIN_FAILED;
    if (s->n_told == 0) { /* it is told what it asked for, and finds again what it kept */
        char line[80];
        snprintf(line, sizeof line, "hello, x is %g", host->number(host, "x", -1));
        host->log(host, line);
        host->ask(host, levels, n, 25);
        host->keep(host, "\0\1kept\377", 7);
        return s->state == NULL ? PARE_PLUGIN_ASKED : PARE_PLUGIN_FAILED;
    }
    if (s->n_told != 1 || isnan(s->told[0]) || s->n_state != 7 || memcmp(s->state, "\0\1kept\377", 7) != 0 || s->seed != 3) return PARE_PLUGIN_FAILED;
    host->answer(host, levels, n);
    return PARE_PLUGIN_DONE;
}
#ifdef CONSTRUCTOR
__attribute__((constructor)) static void begin(void) { CONSTRUCTOR; }
#endif
#ifndef ABI
#define ABI PARE_PLUGIN_ABI
#endif
#ifndef MAGIC
#define MAGIC PARE_PLUGIN_MAGIC
#endif
#ifndef STEP
#define STEP step
#endif
static const struct pare_plugin_solver solver = {sizeof solver, STEP};
#ifdef UNRESOLVED
int nowhere(void);
int use(void) { return nowhere(); }
#endif
#ifndef NO_ENTRY
PARE_PLUGIN_EXPORT const struct pare_plugin pare_plugin_entry = {MAGIC, ABI, sizeof pare_plugin_entry, "bad", "0.9", "goes wrong\033", &solver};
#else
void *unused[] = {(void *)step, (void *)&solver};
#endif
C
build bad "$work/bad.c"
build noentry -DNO_ENTRY "$work/bad.c"
build otherabi -DABI=99 "$work/bad.c"
build nomagic -DMAGIC=7 "$work/bad.c"
build nosolver -DSTEP=NULL -Wno-unused "$work/bad.c"
build unresolved -DUNRESOLVED "$work/bad.c"
build quits '-DCONSTRUCTOR=_exit(0)' "$work/bad.c"
build hangs '-DCONSTRUCTOR=for(;;){}' "$work/bad.c"
build dies '-DCONSTRUCTOR=abort()' "$work/bad.c"
echo "text" >"$work/so/text.so"
head -c 700 "$work/so/bad.so" >"$work/so/cut.so"
{ head -c 18 "$work/so/bad.so"; printf '\363\000'; tail -c +21 "$work/so/bad.so"; } >"$work/so/riscv.so"

solve --method plugin:text --predicted
if [ $? -eq 78 ]; then
    grep -q "text.so: this pare was built without dlopen" "$work/err" || fail "a build without plugins"
    echo "SKIP: built without plugins"
    exit $((failures > 0 ? 1 : 77))
fi

# what cannot be used is told before anything is measured
expect 65 "noentry.so: has no symbol pare_plugin_entry" --method plugin:noentry --predicted
expect 65 "otherabi.so: made for plugin ABI 99, this pare has 1" --method plugin:otherabi --predicted
expect 65 "nomagic.so: its pare_plugin_entry is no struct pare_plugin" --method plugin:nomagic --predicted
expect 65 "nosolver.so: it has no solver" --method plugin:nosolver --predicted
expect 65 "unresolved.so: cannot load: " --method plugin:unresolved --predicted
expect 65 "text.so: expected a shared object (ELF)" --method plugin:text --predicted
expect 65 "riscv.so: made for another processor (ELF machine 243, here " --method plugin:riscv --predicted
expect 65 "cut.so: the file is cut" --method plugin:cut --predicted
expect 1 "quits.so: ended its process (exit 0) while it was loaded" --method plugin:quits --predicted
expect 1 "hangs.so: not done after 2 s, killed while it was loaded" --method plugin:hangs --predicted
expect 1 "dies.so: crashed (SIGABRT) while it was loaded" --method "plugin:$work/so/dies.so" --predicted
[ "$(python3 - "$work"/data/pare/*.pare <<'P'
import sqlite3, sys
print(sqlite3.connect("file:" + sys.argv[1] + "?mode=ro", uri=True).execute("select count(*) from row where kind != 'describe'").fetchone()[0])
P
)" = 0 ] || fail "something was measured for a plugin that cannot be loaded"
"$pare" plugins $bare --json >"$work/out" 2>"$work/err" || fail "pare plugins --json"
python3 - "$work/out" "$work/so" <<'P' || fail "the list"
import json, os, sys
d = json.load(open(sys.argv[1]))
by = {x["name"]: x for x in d["plugins"]}
assert d["schema"] == 1 and d["folders"][0] == sys.argv[2] and len(by) == 13, d
assert by["anneal"]["version"] == "1.0" and by["anneal"]["error"] is None and by["anneal"]["abi"] == 1 and len(by["anneal"]["hash"]) == 32
assert by["anneal"]["path"] == sys.argv[2] + "/anneal.so" and not by["anneal"]["hidden"]
assert by["bad"]["doc"] == "goes wrong\\x1b", by["bad"]
assert by["otherabi"]["error"]["code"] == 65 and by["otherabi"]["version"] is None
P
mkdir -p "$work/data/pare/plugins" && cp "$work/so/anneal.so" "$work/data/pare/plugins/"
"$pare" plugins >"$work/out" 2>&1
[ "$(grep -c '^anneal  *1\.0 ' "$work/out")" = 2 ] && [ "$(grep -c 'a folder before has one' "$work/out")" = 1 ] || fail "two of one name: $(cat "$work/out")"
PARE_PLUGINS=so:relative "$pare" plugins --json | python3 -c "import json,sys; d=json.load(sys.stdin); assert len(d['folders']) == 1" || fail "relative folders count"

printf ':wait\n:resize 120x36\n:plugins\n:wait 0.2\n8\n:wait 0.2\n:save-display %s/screen\n' "$work" >"$work/keys"
"$pare" $bare --keys "$work/keys" >"$work/out" 2>&1 || fail ":plugins"
grep -q "otherabi -: made for plugin ABI 99" "$work/screen" && grep -q "anneal 1.0: $work/so/anneal.so" "$work/screen" || fail ":plugins shows $(cat "$work/screen")"

# what goes wrong in a step (on the costs, in one process; measured, in one for each step)
bad() { # exit code, words, how, further options
    local code=$1 words=$2 how=$3
    shift 3
    expect "$code" "$words" --method plugin:bad --predicted --set how="$how" "$@"
}
bad 1 "bad.so: crashed (SIGSEGV) in its step 1" crash
bad 1 "bad.so: crashed (SIGABRT) in its step 1" abort
bad 1 "bad.so: crashed (SIGABRT) in its step 2" late
bad 1 "bad.so: ended its process (exit 3) in its step 1" exit
bad 1 "bad.so: not done after 1 s, killed in its step 1" endless --time-limit 1
bad 1 "bad.so: ask 1: expected 3 levels, found 2" short
bad 1 "bad.so: ask 1: expected 3 levels, found 0" none
bad 1 "expected a level 0..3, found 4" range
bad 1 "classifier/fc1: w2a2 is not allowed" pin --pin 'classifier/fc1=int8'
bad 2 "bad.so: refuses this problem: too\\x0amany groups" refuse
bad 3 "bad.so: no configuration within the budgets was found" infeasible
bad 1 "bad.so: failed: no licence" failed
bad 1 "bad.so: its step neither asks for a configuration nor is done" idle
bad 1 "bad.so: it is done without an answer" empty
bad 1 "bad.so: its step returned 42, which is no result" odd
bad 1 "bad.so: it keeps 5242880 bytes" hoard
bad 1 "bad.so: more than 100000 configurations asked for in one step" many
bad 0 "bad.so: hello, x is 4.5" good --set x=4.5
# measured
on=$p
expect 1 "would never end" --method plugin:bad --set how=again --set eval_samples=25
expect 0 "bad.so: hello, x is -1" --method plugin:bad --set how=good --set eval_samples=25
# replaced between two steps: not another program on the state of the first
cp "$work/so/anneal.so" "$work/new.so"
expect 1 "was changed while the run goes on" --method plugin:bad --set how=rename --set eval_samples=25 --set from="$work/new.so" --set to="$work/so/bad.so"

# a file that others could have written
on=$bare
chmod o+w "$work/so/anneal.so"
expect 77 "anneal.so: everybody may write to it; it is native code" --method plugin:anneal --predicted
"$pare" plugins | grep -q 'everybody may write to it' || fail "the list loads what is not trusted"
expect 0 "" --method plugin:anneal --predicted --trust
expect 0 "" --method plugin:anneal --predicted
chmod o-w "$work/so/anneal.so"

# the example, beside the others
expect 0 "" --method plugin:anneal --predicted --minimize bytes --max-latency 1 --name anneal --json
python3 -c "import json; d=json.load(open('$work/out')); assert d['status'] == 'found' and d['method'] == 'plugin:anneal', d" || fail "the example's answer"
expect 0 "" --method exact --minimize bytes --max-latency 1 --name exact
"$pare" compare $bare --levels fp32,int8,int4,int2 --samples 25 exact anneal --json >"$work/out" 2>"$work/err" || fail "compare: $(cat "$work/err")"
python3 -c "
import json
d = json.load(open('$work/out'))
assert [r['method'] for r in d['runs']] == ['solve', 'plugin:anneal'] and not d['differences'], d" || fail "compare"
on=$p
expect 0 "" --method plugin:anneal --set rounds=3 --set batch=4 --set eval_samples=25 --name measured --json
python3 -c "import json; d=json.load(open('$work/out')); assert 10 < d['evaluations'] < 25 and d['measured']['drop'] <= 0.02, d" || fail "the example asks"
# the run knows the file's version
python3 - "$work"/data/pare/hand_gesture-*.pare "$work/so/anneal.so" <<'P' || fail "the hash in the run"
import json, sqlite3, sys
c = sqlite3.connect("file:" + sys.argv[1] + "?mode=ro", uri=True)
s = [json.loads(r[0])["question"]["script"] for r in c.execute("select settings from run where method = 'plugin:anneal'")]
assert s and all(x["path"] == sys.argv[2] and len(x["hash"]) == 32 for x in s), s
P

# a Lua solver that is edited while it runs goes on as it was
cat >"$work/s.lua" <<'L'
return function(problem, settings, state)
    local round = (state or 0) + 1
    local config = {}
    for g = 1, #problem.groups do config[g] = g == round and 2 or 1 end
    if round > 12 then return { done = true, answers = { config } } end
    return { ask = { config }, state = round }
end
L
"$pare" solve $p --levels fp32,int8,int4,int2 --max-drop 0.02 --samples 25 --set eval_samples=30 --method "lua:$work/s.lua" >"$work/out" 2>"$work/err" &
pid=$!
for _ in $(seq 200); do
    n=$(python3 - "$work"/data/pare/hand_gesture-*.pare <<'P'
import sqlite3, sys
try: print(sqlite3.connect("file:" + sys.argv[1] + "?mode=ro", uri=True).execute("select count(*) from row where kind = 'step' and result like '%\"state\":{\"its\":1}%'").fetchone()[0])
except Exception: print(0)
P
)
    [ "$n" -ge 1 ] && break
    sleep 0.05
done
echo 'error("edited")' >"$work/s.lua"
wait $pid || fail "edited while it ran: $(cat "$work/err")"
chmod o+w "$work/s.lua"
expect 77 "s.lua: everybody may write to it; read it" --method "lua:$work/s.lua"
solve --method "lua:$work/s.lua" --trust
grep -q "edited" "$work/err" || fail "a trusted solver: $(cat "$work/err")"
chmod o-w "$work/s.lua"
printf 'return "\xff"' >"$work/s.lua"
expect 65 "s.lua: expected Lua text in UTF-8" --method "lua:$work/s.lua"
[ $failures -eq 0 ] && echo "all passed"
exit $((failures > 0))
