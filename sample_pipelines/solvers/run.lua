-- Every solver on one pipeline at one budget, as a Markdown table:
--   pare script sample_pipelines/solvers/run.lua PIPELINE [BUDGET [OUT.md [METHOD,METHOD...]]]
-- BUDGET is a drop as a fraction (0.01 = one point). The solvers see `search` alone; `test` is read once for each answer.
local path, budget, out = arg[1] or "sample_pipelines/hand_gesture", tonumber(arg[2] or "0.01"), arg[3]
local only = arg[4]

local solvers = {
  { "exact", method = "exact" },
  { "loop", verify = 4 }, -- the closed loop: measure four answers, correct, solve again
  { "ilp", method = "ilp" },
  { "greedy", method = "greedy" },
  { "greedy_reverse", method = "greedy", settings = { reverse = true } },
  { "bisect", method = "bisect", settings = { wide = "w8a8", narrow = "w4a8" } },
  { "paper", method = "paper" },
  { "random", method = "random", settings = { n = 64 } },
  { "nsga2_predicted", method = "nsga2", predicted = true, settings = { population = 100, generations = 200 } },
  { "nsga2", method = "nsga2", settings = { population = 32, generations = 12 } },
}

local p, about = assert(pare.open(path))
local lines = {
  "| solver | predicted drop | drop on search | drop on test | predicted ms | measured ms | times fp32's speed | kB | measured configurations | seconds | hypervolume |",
  "|---|--:|---|---|--:|--:|--:|--:|--:|--:|--:|",
}

local function points(x) return x and ("%.2f"):format(100 * x) or "-" end
local function with_interval(t)
  return t and t.drop and ("%s [%s, %s]"):format(points(t.drop), points(t.drop_low), points(t.drop_high)) or "-"
end
local function ms(x) return x and ("%.3f"):format(x) or "-" end

local function wanted(name)
  return not only or ("," .. only .. ","):find("," .. name .. ",", 1, true) ~= nil
end

-- The share of the corner of fp32's latency and the budget that all measured points of a run dominate.
local volumes = {}
local function compare(names)
  local c = #names > 1 and p:compare { points = names }
  for _, run in ipairs(c and c.runs or {}) do volumes[run.run] = run.hypervolume end
end

local answers = {}
for _, solver in ipairs(solvers) do
  if wanted(solver[1]) then
    local started = os.time()
    local answer, why = p:solve {
      name = solver[1], max_drop = budget, method = solver.method, verify = solver.verify, settings = solver.settings,
      predicted = solver.predicted, seed = 1,
    }
    if answer and answer.config then
      answers[#answers + 1] = { solver[1], answer, os.time() - started }
    else
      print(("%s: no answer: %s"):format(solver[1], why or answer and answer.status or "?"))
      lines[#lines + 1] = ("| %s | no answer: %s | | | | | | | | | |"):format(solver[1], why or "?")
    end
  end
end

local names = {}
for _, item in ipairs(answers) do names[#names + 1] = item[2].run end
compare(names)
for _, item in ipairs(answers) do
  local name, answer, seconds = item[1], item[2], item[3]
  local test = p:eval { config = answer.config, split = "test" }
  local measured = answer.measured or {}
  if not measured.drop then measured = p:eval { config = answer.config, split = "search" } or measured end
  local time = p:bench { config = answer.config }
  lines[#lines + 1] = ("| %s | %s | %s | %s | %s | %s | %s | %.1f | %d | %d | %s |"):format(
    name, points(answer.predicted.drop), with_interval(measured), with_interval(test), ms(answer.predicted.latency_ms),
    ms(time and time.latency_ms and time.latency_ms.median),
    time and time.fp32_ms and ("%.2fx"):format(time.fp32_ms / time.latency_ms.median) or "-", (answer.predicted.bytes or 0) / 1000, answer.evaluations or 0, seconds,
    volumes[answer.run] and ("%.4f"):format(volumes[answer.run]) or "-")
end

local text = ("%s: budget %.2f points, %d layers, levels %s\n\n%s\n"):format(about.name, 100 * budget, #about.layers,
  table.concat(about.levels, " "), table.concat(lines, "\n"))
print(text)
if out then assert(pare.write(out, text)) end
