-- Sweeps a drop budget and writes a table: pare script lua/examples/sweep.lua PIPELINE OUT.md
-- A greedy policy of our own is compared with the exact solver on the same costs.
local path, out = arg[1] or "sample_pipelines/hand_gesture", arg[2] or "sweep.md"
local p, about = assert(pare.open(path))
print(("%s: %d layers, levels %s"):format(about.name, #about.layers, table.concat(about.levels, " ")))

local lines = { "| budget, points | method | drop predicted | drop measured | latency ms | bytes |",
                "|---:|---|---:|---:|---:|---:|" }

local function add(budget, method, answer)
  local function points(x) return x and ("%.2f"):format(100 * x) or "-" end
  lines[#lines + 1] = ("| %.2f | %s | %s | %s | %.3f | %d |"):format(100 * budget, method,
    points(answer.predicted.drop), points(answer.measured.drop),
    answer.measured.latency_ms or 0, answer.measured.bytes)
end

-- From int8, lower the layer that saves the most bytes for its loss, while the budget holds.
local function greedy(problem)
  local n, config, level, spent = #problem.levels, {}, {}, 0
  local limit = problem.limits[1] or math.huge
  local function cell(list, g, l) return list[(g - 1) * n + l] end
  local start = 1
  for l, name in ipairs(problem.levels) do if name == "w8a8" then start = l end end
  for g in ipairs(problem.groups) do
    level[g] = start
    spent = spent + (cell(problem.drop, g, start) or 0)
  end
  while true do
    local best, best_g, best_l
    for g in ipairs(problem.groups) do
      local here = cell(problem.bytes, g, level[g])
      for l = level[g] + 1, n do
        local bytes, loss = cell(problem.bytes, g, l), cell(problem.drop, g, l)
        local more = bytes and loss and loss - (cell(problem.drop, g, level[g]) or 0)
        if more and here and bytes < here and spent + more <= limit then
          local gain = (here - bytes) / math.max(more, 1e-9)
          if not best or gain > best then best, best_g, best_l = gain, g, l end
        end
      end
    end
    if not best then break end
    spent = spent + cell(problem.drop, best_g, best_l) - (cell(problem.drop, best_g, level[best_g]) or 0)
    level[best_g] = best_l
  end
  for g, name in ipairs(problem.groups) do config[name] = problem.levels[level[g]] end
  return config
end

for _, budget in ipairs { 0.005, 0.01, 0.02 } do
  add(budget, "exact", assert(p:solve { minimize = "bytes", max_drop = budget }))
  add(budget, "greedy", assert(p:policy("greedy", greedy, { minimize = "bytes", max_drop = budget })))
end
assert(pare.write(out, table.concat(lines, "\n") .. "\n"))
print("wrote " .. out)
