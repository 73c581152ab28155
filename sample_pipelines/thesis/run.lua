-- The thesis' quantization experiments on our networks, as Markdown tables and bar charts (README.md beside this file):
--   pare script sample_pipelines/thesis/run.lua [OUT [NETWORK,NETWORK... [SAMPLES [EXPERIMENT,...]]]]
-- OUT begins the names of all files written (default "thesis"); NETWORK is hand_gesture, mnist, keypoints, mediapipe_hands or
-- the path of a pipeline; SAMPLES of the test split (default all); EXPERIMENT is ptq, squant, po2, suspected or identity.
-- A network whose files are not there is skipped, and said.
local out, only_networks, samples, only = arg[1] or "thesis", arg[2], tonumber(arg[3] or "") or 1000000, arg[4]

local here = "sample_pipelines/"
local known = {
  { "hand_gesture", here .. "hand_gesture" }, { "mnist", here .. "thesis/mnist" },
  { "keypoints", here .. "thesis/keypoints" }, { "mediapipe_hands", here .. "mediapipe_hands" },
}

-- Every experiment: how weights are made (quantize), what stays fp32 (open), and the thesis' notation of each row.
-- SQuant's own grids are asymmetric, one for every output channel.
local squant = "rounding=squant,weights=asymmetric"
local experiments = {
  { "ptq", title = "PTQ at 16 and 8 bits, inputs and outputs at 32 or not", rows = {
    { "W16A16I16O16" }, { "W16A16I32O32" }, { "W8A8I8O8" }, { "W8A8I32O32" },
  } },
  { "squant", title = "SQuant at 8, 6, 4 bits, with and without the first layer", rows = {
    { "W8A8I8", squant }, { "W8A8I32", squant }, { "W6A6I6", squant }, { "W6A6I32", squant }, { "W4A8I4", squant },
    { "W4A8I32", squant }, { "W4A4I4", squant }, { "W4A4I32", squant },
  } },
  { "po2", title = "powers of two against uniform weights", rows = {
    { "W8A8", "weights=quantized_bits" }, { "W8A8", "weights=po2" }, { "W8A8", "weights=po2,rounding=adaround,bias=empirical" },
    { "W4A8", "weights=quantized_bits" }, { "W4A8", "weights=po2" }, { "W4A8", "weights=po2:inf" },
    { "W4A8", "weights=po2,rounding=adaround,bias=empirical" }, { "W4A8" },
  } },
  { "suspected", title = "layers suspected at 0.7 kept at 32 bits, and the first 0, 1, 5 layers", rows = {
    { "W8A8" }, { "W8A8", nil, 0 }, { "W8A8", nil, 1 }, { "W8A8", nil, 5 }, { "W4A4" }, { "W4A4", nil, 0 }, { "W4A4", nil, 1 },
    { "W4A4", nil, 5 },
  } },
}

local function wanted(list, name)
  return not list or ("," .. list .. ","):find("," .. name .. ",", 1, true) ~= nil
end

local report = {}
local function say(...)
  local line = string.format(...)
  print(line)
  report[#report + 1] = line
end

-- "W16A16I32O32" > "w16a16": what pare.open takes as candidate levels, without the ends that would hold everywhere.
local function level_of(notation)
  return notation:match("^[Ww]%d+[Aa]%d+"):lower()
end

local function candidates(experiment)
  local list, seen = {}, {}
  for _, row in ipairs(experiment.rows) do
    local words = { level_of(row[1]) }
    for bits in row[1]:gmatch("[IO](%d+)") do
      words[#words + 1] = bits ~= "32" and ("w%sa%s"):format(bits, bits) or nil
    end
    for _, word in ipairs(words) do
      list[#list + 1] = not seen[word] and word or nil
      seen[word] = true
    end
  end
  return table.concat(list, ",")
end

local function label_of(row)
  local words = { row[1] }
  if row[2] then words[#words + 1] = row[2]:gsub("weights=", ""):gsub("rounding=", ""):gsub("squant,asymmetric", "SQuant") end
  if row[3] then words[#words + 1] = ("suspected, first %d"):format(row[3]) end
  return table.concat(words, " ")
end

-- The whole of one row: opened as the row asks, evaluated on the test split, closed. nil, why when it cannot.
local function measure(path, experiment, row)
  local p, about = pare.open(path, {
    levels = candidates(experiment), quantize = row[2], keep_first = row[3], keep_suspected = row[3] and 0.7,
    samples = math.min(samples, 100),
  })
  if not p then return nil, about end
  local result, why, fp32 = nil, nil, nil
  if row[3] then result, why = p:sense() end -- which layers are suspected
  if not row[3] or result then result, why = p:eval { level = row[1], split = "test", samples = samples } end
  if result then fp32, why = p:eval { level = "fp32", split = "test", samples = samples } end
  p:close()
  if not fp32 then return nil, why end
  result.fp32_bytes = fp32.bytes
  return result
end

local function percent_change(e)
  return e.fp32_accuracy > 0 and 100 * (e.accuracy / e.fp32_accuracy - 1) or 0
end

local function chart(name, title, rows)
  local categories, accuracy, size = { "fp32" }, {}, {}
  accuracy[1] = { x = 0, y = 100 * rows[1].e.fp32_accuracy }
  size[1] = { x = 0, y = rows[1].e.fp32_bytes / 1000 }
  for i, row in ipairs(rows) do
    categories[i + 1] = row.label .. (row.e.simulated and " (simulated)" or "")
    accuracy[i + 1] = { x = i, y = 100 * row.e.accuracy, low = 100 * row.e.accuracy_low, high = 100 * row.e.accuracy_high }
    size[i + 1] = { x = i, y = row.e.bytes / 1000 }
  end
  for _, figure in ipairs { { "accuracy", "accuracy, % of the test split", accuracy }, { "size", "size, kB", size } } do
    local file = ("%s-%s-%s.png"):format(out, name, figure[1])
    local ok, why = pare.chart {
      path = file, title = title, categories = categories, y = { label = figure[2], low = 0 },
      series = { { kind = "bars", points = figure[3] } },
    }
    say(ok and "chart: %s" or "no chart %s: %s", file, why)
  end
end

-- What the thesis found of it, as far as the plan of this project tells; the answer is of our networks.
local function agreement(experiment, rows)
  local function row(label)
    for _, r in ipairs(rows) do
      if r.label == label then return r.e end
    end
  end
  local function answer(claim, e, limit)
    if e then
      local drop = e.drop
      say("- %s: %s (%.2f points [%.2f, %.2f])", claim,
        drop <= limit and (e.drop_high <= limit and "agrees" or "agrees, within the interval it might not")
          or (e.drop_low > limit and "does not" or "does not, within the interval it might"),
        100 * drop, 100 * e.drop_low, 100 * e.drop_high)
    end
  end
  if experiment == "squant" then
    answer("SQuant at 8 bits loses less than 1 point", row("W8A8I32 SQuant"), 0.01)
    answer("at 6 bits less than 5", row("W6A6I32 SQuant"), 0.05)
    answer("at 4 bits less than 25 (weights 4, activations 4)", row("W4A4I32 SQuant"), 0.25)
    answer("at 4 bits less than 25 (weights 4, activations 8)", row("W4A8I32 SQuant"), 0.25)
  elseif experiment == "ptq" then
    answer("16 bits lose nothing", row("W16A16I32O32"), 0.0)
    answer("8 bits lose less than 1 point", row("W8A8I32O32"), 0.01)
  end
end

local function run(name, path, experiment)
  local rows = {}
  say("")
  say("### %s: %s", name, experiment.title)
  say("")
  for _, row in ipairs(experiment.rows) do
    local e, why = measure(path, experiment, row)
    if not e then
      say("SKIP %s, %s: %s", name, label_of(row), why)
      return false
    end
    rows[#rows + 1] = { label = label_of(row), e = e }
  end
  local first = rows[1].e
  say("%d samples of the test split; *simulated*: no kernel runs it.", first.samples)
  say("")
  say("| | accuracy %% | change %% | points lost [95 %%] | size kB | compression |")
  say("|---|--:|--:|---|--:|--:|")
  say("| fp32 | %.2f | | | %.1f | 1.00 |", 100 * first.fp32_accuracy, first.fp32_bytes / 1000)
  for _, r in ipairs(rows) do
    local e = r.e
    say("| %s%s | %.2f | %.2f | %.2f [%.2f, %.2f] | %.1f | %.2f |", r.label, e.simulated and " *simulated*" or "",
      100 * e.accuracy, percent_change(e), 100 * e.drop, 100 * e.drop_low, 100 * e.drop_high, e.bytes / 1000,
      e.fp32_bytes / e.bytes)
  end
  say("")
  agreement(experiment[1], rows)
  chart(name:gsub(".*/", "") .. "-" .. experiment[1], name .. ": " .. experiment.title, rows)
  return true
end

-- Numbers 103..150 through a layer that does nothing, their range by min-max.
local function identity()
  local p, why = pare.open(here .. "thesis/identity", { levels = "w16a16,w8a8,w6a6,w4a4" })
  say("")
  say("### the identity layer: inputs 103 to 150, range by min-max")
  say("")
  if not p then
    say("SKIP the identity layer: %s", why)
    return
  end
  say("| bits | mean error | a quarter of the step 150 / (2^b - 1) | of the step 47 / (2^b - 1), 0 left out |")
  say("|--:|--:|--:|--:|")
  local categories, measured, without = {}, {}, {}
  for i, bits in ipairs { 16, 8, 6, 4 } do
    local e = assert(p:eval { level = ("W%dA%dI%dO%d"):format(bits, bits, bits, bits), split = "test" })
    local steps = 2 ^ bits - 1
    say("| %d%s | %.5f | %.5f | %.5f |", bits, e.simulated and " *simulated*" or "", e.accuracy, 150 / steps / 4, 47 / steps / 4)
    categories[i] = bits .. " bits" .. (e.simulated and " (simulated)" or "")
    measured[i] = { x = i - 1, y = e.accuracy }
    without[i] = { x = i - 1, y = 47 / steps / 4 }
  end
  p:close()
  say("")
  say("Every range includes 0 (padding has to be a code), so 103..150 is kept as 0..150: the step, and with it the error, is 3.2")
  say("times what the numbers alone would need.")
  local ok, no = pare.chart {
    path = out .. "-identity.png", title = "identity layer on 103..150", categories = categories, y = { label = "mean error", low = 0 },
    series = { { name = "min-max with 0", kind = "bars", points = measured }, { name = "without 0", kind = "bars", points = without } },
  }
  say(ok and "chart: %s" or "no chart %s: %s", out .. "-identity.png", no)
end

local networks = {}
for _, network in ipairs(known) do
  networks[#networks + 1] = wanted(only_networks, network[1]) and network or nil
end
for word in (only_networks or ""):gmatch("[^,]+") do -- others by their path
  networks[#networks + 1] = word:find("/", 1, true) and { word:match("([^/]+)/*$"), word } or nil
end
for _, network in ipairs(networks) do
  say("")
  say("## %s", network[1])
  for _, experiment in ipairs(experiments) do
    if wanted(only, experiment[1]) and not run(network[1], network[2], experiment) then
      break -- its files are not there
    end
  end
end
if wanted(only, "identity") then
  identity()
end
assert(pare.write(out .. ".md", table.concat(report, "\n") .. "\n"))
