-- The gesture paper's experiment on a pipeline: its Figure 1 (accuracy against normalised speed, one mark for each model
-- and level) and its Table 1 (one level for each model, by its Algorithm 1), next to what a level for each layer adds.
--   pare script sample_pipelines/paper/run.lua PIPELINE OUT_DIR [TARGET]     TARGET: host (default) or rpi3
local path, out, target = arg[1] or "sample_pipelines/hand_gesture", arg[2] or ".", arg[3]
if target == "host" then target = nil end
local where = target or "host"
local budgets = { 0.005, 0.01, 0.02, 0.04 } -- points lost; the paper stops at 4

local p, about = assert(pare.open(path, { levels = "paper", target = target }))
local problem = assert(p:problem { per = "model" })
local n = #problem.levels
local function cell(list, group, level) return list[(group - 1) * n + level] or nil end

local function layers_of(model)
  local names = {}
  for _, layer in ipairs(about.layers) do
    if layer.name:sub(1, #model + 1) == model .. "/" then names[#names + 1] = layer.name end
  end
  return names
end

-- One model at a level, the others at fp32.
local function alone(model, level)
  local config = {}
  for _, layer in ipairs(about.layers) do config[layer.name] = "fp32" end
  for _, name in ipairs(layers_of(model)) do config[name] = level end
  return config
end

local function points(x) return x and ("%.2f"):format(100 * x) or "-" end
local function interval(t) return t and t.drop and ("%s [%s, %s]"):format(points(t.drop), points(t.drop_low), points(t.drop_high)) or "-" end
local function times(x) return x and ("%.2fx"):format(x) or "-" end

-- Figure 1
local series, lines, total = {}, {}, 0
for g, model in ipairs(problem.groups) do
  local marks = {}
  total = total + (cell(problem.latency, g, 1) or 0)
  for l, level in ipairs(problem.levels) do
    local e = assert(p:eval { config = alone(model, level) })
    local wide, ms = cell(problem.latency, g, 1), cell(problem.latency, g, l)
    local speed = wide and ms and wide / ms
    if speed and e.accuracy then
      marks[#marks + 1] = { x = speed, y = 100 * e.accuracy, low = 100 * e.accuracy_low, high = 100 * e.accuracy_high, label = (g == 1 or l > 1) and level or nil, open = target ~= nil }
    end
    lines[#lines + 1] = ("| %s | %s | %s | %s | %s | %s |"):format(model, level, points(e.accuracy), interval(e),
      ms and ("%.4f"):format(ms) or "-", times(speed))
  end
  series[#series + 1] = { name = model, kind = "points", points = marks }
end
assert(pare.chart {
  path = ("%s/figure1-%s.png"):format(out, where),
  title = ("%s: one model at a level, the others at fp32 (%s%s)"):format(about.name, where, target and ", latency derived, not measured" or ""),
  x = { label = "speed of the model, times its own at fp32", log = true },
  y = { label = "accuracy of the pipeline, % of the search split", low = -3, high = 103 },
  series = series,
})

-- Table 1: a level for each model, then for each layer
local function whole_speed(answer) -- of the pipeline, predicted on this target
  local fp32 = answer.measured and answer.measured.fp32_latency_ms
  local ms = target == nil and answer.measured and answer.measured.latency_ms
  if fp32 and ms then return fp32 / ms, "measured" end
  return nil
end
local zero = assert(p:problem {})
local function predicted_speed(config)
  local m = #zero.levels
  local wide, now = 0, 0
  for i, name in ipairs(zero.groups) do
    for l, level in ipairs(zero.levels) do
      local ms = zero.latency[(i - 1) * m + l]
      if l == 1 then wide = wide + (ms or 0) end
      if level == config[name] then now = now + (ms or 0) end
    end
  end
  return wide / now
end

local table1 = {
  "| budget, points | by | " .. table.concat(problem.groups, " | ") .. " | drop on search | drop on test | layers' speed | pipeline's speed |",
  "|--:|---|" .. ("---|"):rep(#problem.groups) .. "---|---|--:|--:|",
}
local function counts(config, model)
  local n_at, order, text = {}, {}, {}
  for _, name in ipairs(layers_of(model)) do
    local level = config[name]
    if not n_at[level] then order[#order + 1] = level end
    n_at[level] = (n_at[level] or 0) + 1
  end
  if #order == 1 then return order[1] end
  for _, level in ipairs(order) do text[#text + 1] = n_at[level] .. " " .. level end
  return table.concat(text, ", ")
end
for _, budget in ipairs(budgets) do
  for _, by in ipairs { "paper", "model", "layer" } do
    local a, why = p:solve { max_drop = budget, method = by == "paper" and "paper" or nil, per = by ~= "layer" and "model" or nil,
                             name = ("%s_%g"):format(by, 100 * budget) }
    if a and a.config then
      local test = p:eval { config = a.config, split = "test" }
      local row = {}
      for _, model in ipairs(problem.groups) do row[#row + 1] = counts(a.config, model) end
      table1[#table1 + 1] = ("| %.1f | %s | %s | %s | %s | %s | %s |"):format(100 * budget,
        by == "paper" and "Algorithm 1" or "exact, each " .. by, table.concat(row, " | "), interval(a.measured), interval(test),
        times(predicted_speed(a.config)), times(whole_speed(a)))
    else
      table1[#table1 + 1] = ("| %.1f | %s | %s | %s |"):format(100 * budget, by, "no answer", why or "")
    end
  end
end

local text = ("# %s on %s\n\n## Figure 1 as a table: one model at a level, the others at fp32\n\n| model | level | accuracy | drop | ms | speed |\n|---|---|--:|---|--:|--:|\n%s\n\n## Table 1\n\n%s\n")
  :format(about.name, where, table.concat(lines, "\n"), table.concat(table1, "\n"))
print(text)
assert(pare.write(("%s/paper-%s.md"):format(out, where), text))
