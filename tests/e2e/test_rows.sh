#!/usr/bin/env bash
# Extra rows declared in Lua: of pipeline.lua, of one solve, of the session; every solver; what cannot be is named.
. "${PARE_SOURCE:?}/tests/shell.sh"
from=$PWD/sample_pipelines/hand_gesture
own_pipeline
own() { sed "s|^return {|return { rows = { $1 },|" "$from/pipeline.lua" >"$p/pipeline.lua"; }

# pipeline.lua's own
own '{ name = "none", layers = "nothing*", at = "int4", at_most = 1 }'
code 2 "$pare" pin $p --list
says "row 'none': the pattern 'nothing*' matches no layer"
own '{ name = "none", at = "int4", at_most = 1/0 }'
code 2 "$pare" pin $p --list
says "row 'none': at_most: expected a finite number"
own '{ name = "two", at = "int4", at_most = 1 }, { name = "two", at = "int8", at_most = 1 }'
code 2 "$pare" pin $p --list
says "two of them are called 'two'"
own '{ name = "roomy", at = "int4", at_most = 7 }'
code 0 "$pare" eval $p --level int8 --samples 25 # the row's level is no candidate there: nothing is wrong with that

cat >"$work/rows.lua" <<'L'
local p = assert(pare.open(arg[1], { levels = "fp32,int8,int4", samples = 25 }))
local failures = 0
local function check(ok, what) if not ok then failures = failures + 1; print("FAIL: " .. what) end end
local few = { name = "few int4", at = "int4", at_most = 2 }
local function solve(t)
    t.max_drop, t.minimize = t.max_drop or 0.05, t.minimize or "bytes"
    if t.measure == nil then t.measure = false end
    return p:solve(t)
end
local function int4(a)
    local n = 0
    for _, level in pairs(a.config) do n = n + (level == "w4a4" and 1 or 0) end
    return n
end
local function refused(rows, words, code, more)
    local t = more or {}
    t.rows = rows
    local a, why, rc = solve(t)
    check(a == nil and rc == code and why:find(words, 1, true), "expected '" .. words .. "', found " .. tostring(why) .. " " .. tostring(rc))
end

-- ilp proves, and says what a row costs
local own = assert(solve {})
check(own.method == "ilp" and #own.rows == 1 and int4(own) <= 7 and int4(own) > 2, "the row of pipeline.lua")
local a = assert(solve { method = "exact", rows = { few, { name = "loose", at = "int8..int4", at_most = 100 } } })
check(a.method == "ilp" and a.note and a.status == "optimal", "exact hands over")
check(int4(a) == 2 and a.rows[2].value == 2 and a.rows[2].binds and a.rows[2].gain_without > 0, "the row that binds")
check(a.rows[2].says == "layers at int4 <= 2" and not a.rows[3].binds and not a.rows[1].binds, "the rows that do not")
local b = assert(solve { rows = { few, { layers = "detector", of = "bytes", at_least = 60e3 }, { of = "changes", at_most = 3 } } })
check(int4(b) <= 2 and b.rows[3].value >= 60e3 and b.rows[4].value <= 3, "three rows")
local c = assert(solve { minimize = "latency", rows = { { name = "balance", equals = 0, within = 20e3, terms = {
    { layers = "detector", of = "bytes" }, { layers = "keypoints", of = "bytes", times = -1 } } } } })
check(math.abs(c.rows[2].value) <= 20e3, "equal stages")

-- the others hold them, or say that they found nothing
for method, settings in pairs { greedy = {}, nsga2 = { population = 8, generations = 6 }, random = { n = 8 }, paper = {} } do
    local d = assert(solve { method = method, predicted = true, settings = settings, rows = { few } })
    check(d.method == method and int4(d) <= 2 and d.rows[1].holds and d.rows[2].holds, method)
end
refused({ few }, "bisect: no configuration that holds the row 'few int4' was found", 3, { method = "bisect", predicted = true })
local m = assert(solve { method = "nsga2", settings = { population = 4, generations = 2, eval_samples = 25 }, rows = { few }, measure = true })
check(int4(m) <= 2, "nsga2, measured")
local v = assert(solve { verify = 2, measure = true, rows = { few } })
check(int4(v) <= 2 and v.rows[1].holds, "--verify")
local front = assert(p:front { rows = { few } })
for _, q in ipairs(front.points) do check(int4(q) <= 2, "front") end
p:tie("detector/*+keypoints/*")
local t = assert(solve { per = "model", rows = { { name = "roomy", at = "int4", at_most = 12 } } })
check(#t.rows == 1 and int4(t) <= 12, "per model, tied, in its place")
p:command("untie all")

-- what cannot be
refused({ { name = "x", layers = "foo*", at = "int4", at_most = 2 } }, "row 'x': the pattern 'foo*' matches no layer", 2)
refused({ { name = "x", at = "int3", at_most = 2 } }, "row 'x': at: expected a level", 2)
refused({ { name = "x", at = "w2a2", at_most = 2 } }, "row 'x': at: level w2a2 is not among the candidates", 2)
refused({ { name = "x", at = "int4", at_most = math.huge } }, "row 'x': at_most: expected a finite number, found \"inf\"", 2)
refused({ { name = "x", at = "int4", at_most = 2, times = 0 / 0 } }, "row 'x': times: expected a finite number", 2)
refused({ { name = "x", at = "int4", at_most = 1, at_least = 2 } }, "row 'x': it contradicts itself: nothing is at least 2 and at most 1", 2)
refused({ { name = "x", at = "int4" } }, "row 'x': its bounds", 2)
refused({ { name = "x", at_most = 2 } }, "row 'x': at: expected the levels to count", 2)
refused({ { name = "x", at = "int4", most = 2 } }, "row 'x': its keys", 2)
refused({ few, few }, "two of them are called 'few int4'", 2)
refused({ name = "x" }, "rows: expected a list", 2)
refused({ few, { name = "many", layers = "detector", at = "int4", at_least = 5 }, { name = "idle", at = "int8", at_least = 0 } },
    "the rows 'few int4' (layers at int4 <= 2) and 'many' (layers of detector at int4 >= 5) cannot hold together; 'many' is at most 2", 3)
refused({ { name = "small", layers = "detector", of = "bytes", at_most = 100 } }, "the row 'small' (bytes of detector <= 100) cannot hold; it is at least", 3)
refused({ few }, "'few int4' (layers at int4 <= 2) cannot hold with the budget of bytes; it is at least", 3, { max_bytes = 240e3 })
refused({ few }, "bytes cannot be held at 100", 3, { max_bytes = 100 })

-- the session's own, undone and said again
assert(p:row { name = "it's one", at = "int4", at_most = 1 })
check(int4(assert(solve {})) == 1, "of the session")
check(int4(assert(solve { rows = { { name = "it's one", at = "int4", at_most = 2 } } })) == 2, "in its place")
p:command("undo")
check(#solve {}.rows == 1, "undone")
p:command("redo")
local _, why, rc = p:row { name = "y", at = "int5", at_most = 1 }
check(rc == 2 and why:find("row 'y'", 1, true), "a bad row of the session")
if failures > 0 then error(failures .. " failures") end
L
code 0 "$pare" script "$work/rows.lua" $p
grep FAIL "$work/out" && failures=$((failures + 1))
code 0 "$pare" pin $p --list --json --levels fp32,int8
[ "$(field "d['rows']")" = "[{'name': 'roomy', 'says': 'layers at int4 <= 7'}, {'name': \"it's one\", 'says': 'layers at int4 <= 1'}]" ] || fail "the session's row: $(field "d['rows']")"
code 2 "$pare" pin $p --row '{"name": "z", "at": "int4"'
says "--row: expected JSON such as"
code 2 "$pare" pin $p --row '{"name": "z", "at": "int4"}'
says "row 'z': its bounds"
echo '[{"name": "y", "of": "changes", "at_most": 9}, {"name": "z", "of": "bytes", "at_most": 9e6}]' >"$work/rows.json"
code 0 "$pare" pin $p --row "@$work/rows.json" --json
[ "$(field "[r['name'] for r in d['rows']]")" = "['roomy', \"it's one\", 'y', 'z']" ] || fail "rows of a file"
code 0 "$pare" pin $p --unrow z
code 0 "$pare" pin $p --unrow y --list
code 2 "$pare" pin $p --unrow y
says "y: no such row"
code 0 "$pare" solve $p --samples 25 --levels fp32,int8,int4 --minimize bytes --max-drop 0.05
grep -qF "row it's one: layers at int4 <= 1: 1, binds (without it the answer gains" "$work/out" || fail "a solve says its rows"
grep -qF "by ilp: exact hands programs with rows to ilp" "$work/out" || fail "a solve says who solved"
code 0 "$pare" runs $p
grep -qF "2 rows" "$work/out" || fail "runs say that there were rows"
[ $failures -eq 0 ] || exit 1
