---@meta
-- Made from lua/ops.inc and lua/script.inc; a test checks that it is current. For editors only: nothing loads it.
-- `op` is what infer in a pipeline.lua gets, `pare` is what batch scripts find.

---A tensor of the sample that runs now: t[i], #t, t:shape().
---@class tensor

---Centre, size (fractions of the picture), angle (radians), score, key points.
---@class box
---@field cx number
---@field cy number
---@field w number
---@field h number
---@field angle? number
---@field score? number
---@field points? number[][]

---What infer returns: outcome.class, outcome.score.
---@class outcome

---@class op
local op = {}

---Nothing was found: counts as wrong.
---@return outcome
function op.none() end

---The class with the largest score; the scores are kept for losses.
---@param scores tensor
---@return outcome
function op.argmax(scores) end

---A class by number (1 = the first) or name.
---@param class integer|string
---@param scores? tensor
---@return outcome
function op.class(class, scores) end

---Points are the answer (metric pck).
---@param points tensor
---@return outcome
function op.points(points) end

---One score is the answer (metric auc).
---@param score number|tensor
---@return outcome
function op.score(score) end

---Boxes with a class (from 1, or a name) and a score are the answer (metric map); of boxes of a class that overlap by more than iou only the best stays (1 = all stay).
---@param boxes box[]
---@param iou? number
---@return outcome
function op.boxes(boxes, iou) end

---What a single stage answered, for `metrics`; the label is the sample's when left out.
---@param stage string
---@param outcome outcome
---@param label? integer|tensor
---@return nil
function op.report(stage, outcome, label) end

---A square part of the picture, scale times the box's longer side, turned by the box's angle; outside is 0.
---@param image tensor
---@param box box
---@param width integer
---@param height integer
---@param scale? number
---@return tensor
function op.crop(image, box, width, height, scale) end

---The square that crop cuts out, for place and place_box.
---@param image tensor
---@param box box
---@param scale? number
---@return box
function op.frame(image, box, scale) end

---The whole picture at another size, bilinear.
---@param image tensor
---@param width integer
---@param height integer
---@return tensor
function op.resize(image, width, height) end

---The whole picture with its aspect kept, in the middle.
---@param image tensor
---@param width integer
---@param height integer
---@param fill? number
---@return tensor
function op.letterbox(image, width, height, fill) end

---The rectangle that letterbox shows, for place and place_box.
---@param image tensor
---@param width integer
---@param height integer
---@return box
function op.letterbox_frame(image, width, height) end

---A border on every side.
---@param image tensor
---@param pixels integer
---@param fill? number
---@return tensor
function op.border(image, pixels, fill) end

---The best cell of a detector's grid (score, dx, dy, w, h logits), nil below the threshold (0.5).
---@param grid tensor
---@param boxes? tensor
---@param threshold? number
---@return box|nil
function op.best_box(grid, boxes, threshold) end

---Boxes of an SSD head, best first: options size, layers = {{grid, per cell}, ...}, threshold (0.5), iou (0.3), max (16).
---@param raw tensor
---@param scores tensor
---@param options table
---@return box[]
function op.ssd_boxes(raw, scores, options) end

---A square box turned so that key point `from` to key point `to` points up: options from, to, shift_x, shift_y, scale.
---@param image tensor
---@param box box
---@param options table
---@return box
function op.turn_box(image, box, options) end

---Points of a crop as points of the picture; numbers of each point (2).
---@param points tensor
---@param frame box
---@param image tensor
---@param numbers? integer
---@return tensor
function op.place(points, frame, image, numbers) end

---A box found in a crop as a box of the picture.
---@param box box
---@param frame box
---@param image tensor
---@return box
function op.place_box(box, frame, image) end

---Index and value of the largest element.
---@param values tensor
---@return integer|nil, number|nil
function op.largest(values) end

---Softmax over the last axis.
---@param values tensor
---@return tensor
function op.softmax(values) end

---Logistic function of every element.
---@param values tensor
---@return tensor
function op.sigmoid(values) end

---Subtracts the first point and divides by the largest absolute value; numbers of each point (2).
---@param points tensor
---@param numbers? integer
---@return tensor
function op.normalise(points, numbers) end

---Subtracts the first point and divides by the longer side of the points' rectangle; numbers of each point (2).
---@param points tensor
---@param numbers? integer
---@return tensor
function op.normalise_box(points, numbers) end

---values * factor + offset; lists have one entry for each index of the last axis.
---@param values tensor
---@param factor number|number[]
---@param offset? number|number[]
---@return tensor
function op.affine(values, factor, offset) end

---Every element held within low..high.
---@param values tensor
---@param low number
---@param high number
---@return tensor
function op.clip(values, low, high) end

---a + b, element by element.
---@param a tensor
---@param b tensor|number
---@return tensor
function op.add(a, b) end

---a - b, element by element.
---@param a tensor
---@param b tensor|number
---@return tensor
function op.sub(a, b) end

---a * b, element by element.
---@param a tensor
---@param b tensor|number
---@return tensor
function op.mul(a, b) end

---a / b, element by element.
---@param a tensor
---@param b tensor|number
---@return tensor
function op.div(a, b) end

---Mean of the squared differences.
---@param a tensor
---@param b tensor
---@return number
function op.mse(a, b) end

---A tensor from a list of numbers, and its shape (one row when left out).
---@param values number[]
---@param ... integer
---@return tensor
function op.tensor(values, ...) end

---The same elements in another shape; one size may be -1.
---@param values tensor
---@param ... integer
---@return tensor
function op.reshape(values, ...) end

---Indices first..last of an axis; all count from 1.
---@param values tensor
---@param axis integer
---@param first integer
---@param last? integer
---@return tensor
function op.slice(values, axis, first, last) end

---Tensors side by side along an axis.
---@param axis integer
---@param ... tensor
---@return tensor
function op.concat(axis, ...) end

---Axis i of the result is the i-th axis named.
---@param values tensor
---@param ... integer
---@return tensor
function op.transpose(values, ...) end

---Arguments of a batch script.
---@type string[]
arg = {}

---@class pare.open_options
---@field models? string folder of named model files
---@field levels? string candidate levels, "fp16,int8"
---@field quantize? string rules, as --quantize
---@field keep_first? integer layers that stay fp32
---@field keep_suspected? number RMSE/scale above which a layer stays fp32, after sense
---@field keep? {inputs?: string, outputs?: string} least levels of first and last layers
---@field target? string whose latencies count, as --target
---@field samples? integer that sensitivity looks at

---@class pare.description
---@field id integer
---@field name string
---@field bare boolean no data: everything but accuracy
---@field levels string[]
---@field stages string[]
---@field layers {name: string, kind: string, shape: string, macs: integer, weights: integer}[]

---One of them; without any: fp32.
---@class pare.which
---@field config? table<string, string> level by layer
---@field level? string
---@field run? string "RUN" or "RUN:POINT"

---@class pare.eval : pare.which
---@field split? string
---@field samples? integer

---@class pare.budget
---@field minimize? "latency"|"bytes"|"bitops"|"energy"|"drop"
---@field max_drop? number fraction
---@field max_latency? number ms
---@field max_bytes? number
---@field max_bitops? number
---@field max_energy? number J, of a table
---@field sure? boolean the drop's 95 % upper bound has to be within
---@field per? "layer"|"model"
---@field name? string of the run
---@field measure? boolean false: predicted only
---@field time_limit? number seconds
---@field method? "exact"|"ilp"|"greedy"|"bisect"|"nsga2"|"random"|"paper"|"hawq"|"exhaustive"|string "lua:NAME" "plugin:NAME"
---@field predicted? boolean
---@field verify? integer answers to measure and learn from in each round
---@field seed? integer
---@field settings? table<string, any> of the method
---@field rows? pare.row[] beside the session's, in the place of those of their names

---What a row sums: `times` what `of` says, over the layers that a pattern matches and that have one of the levels.
---@class pare.term
---@field layers? string|string[] patterns as of pins; none: all layers
---@field at? string|string[] "int4", "int8..int4"; none: any level
---@field of? "count"|"bytes"|"latency"|"bitops"|"energy"|"loss"|"changes" 1 each (default), bytes, ms, BitOps, J, summed loss of the layers; pairs of a layer and one it reads whose levels differ
---@field times? number

---A sum that has to lie between bounds: { at = "int4", at_most = 3 }
---@class pare.row : pare.term
---@field name? string
---@field terms? pare.term[] instead of one term
---@field at_most? number
---@field at_least? number
---@field equals? number
---@field within? number how far from equals

---@class pare.point
---@field run string
---@field point integer
---@field label string
---@field method string
---@field front boolean
---@field tied boolean with the front: beaten by no more than chance may
---@field accuracy? number
---@field drop? number
---@field latency_ms? number
---@field latency_measured boolean
---@field bytes? number
---@field energy_predicted_uj? number

---@class pare.explain
---@field layer string
---@field level? string

---@class pare.export
---@field format "json"|"csv"|"md"|"png"|"svg"
---@field path string
---@field run? string

---@class pare.compare
---@field points string[] "RUN" or "RUN:POINT", two or more

---@class pare.axis
---@field label? string
---@field log? boolean
---@field low? number
---@field high? number

---@class pare.chart_point
---@field x number bars: the category, from 0
---@field y number
---@field low? number 95 % interval of y
---@field high? number
---@field radius? number
---@field label? string
---@field open? boolean predicted: an outline

---@class pare.series
---@field name? string in the legend
---@field kind? "points"|"line"|"steps"|"bars"
---@field look? integer colour and shape of mark
---@field points pare.chart_point[]

---@class pare.chart
---@field path string .png or .svg
---@field title? string
---@field x? pare.axis
---@field y? pare.axis
---@field categories? string[] names along the x axis
---@field series pare.series[]

---Lists over groups (layers) and levels: cost of group g at level l stands at (g - 1) * #levels + l; false = not allowed.
---@class pare.problem
---@field groups string[]
---@field levels string[]
---@field drop (number|false)[] the smooth loss that stands for it
---@field latency (number|false)[]
---@field bytes (number|false)[]
---@field bitops (number|false)[]
---@field energy (number|false)[] uJ
---@field limits (number|false)[] of drop, latency, bytes, bitops, energy
---@field rows? {name: string, at_least?: number, at_most?: number, cost: number[], pairs: number[][]}[] cost as the others; pairs: {group, group, weight when their levels differ}, groups counted from 0

---Levels by group, counted from 1, or { [group] = level }; groups left out take their widest level.
---@alias pare.configuration integer[]|table<string, string>

---What a step of a solver (--method lua:NAME) gives; its file returns fun(problem: pare.problem, settings: table, state: any, told: (number|false)[]?): pare.step
---@class pare.step
---@field done? boolean
---@field ask? (pare.configuration|{levels: pare.configuration, samples: integer})[] to measure: told has the drop of each, false when it failed
---@field answers? pare.configuration[] best first, when done
---@field state? any for the next step

---@class pare.proposal : pare.budget
---@field config table<string, string>
---@field method string

---@class pipeline
local pipeline = {}

---@class pare
pare = {}

---Opens a pipeline and its session; a second time it gives the same one.
---@param path string
---@param options? pare.open_options
---@return pipeline|nil, pare.description|string, integer?
function pare.open(path, options) end

---Writes the whole file or nothing.
---@param path string
---@param text string
---@return table|nil, string?, integer?
function pare.write(path, text) end

---Draws a chart as PNG or SVG, by the path's ending.
---@param chart pare.chart
---@return table|nil, string?, integer?
function pare.chart(chart) end

---Ends this use of it: it may be opened again otherwise (quantize, keep).
---@return table|nil, string?, integer?
function pipeline:close() end

---The sensitivity of every layer at every level, as `pare sense --json`: own, step and accumulated errors, loss, drop.
---@return table|nil, string?, integer?
function pipeline:sense() end

---Why a layer loses what it loses at a level, and what would cure it at what cost, as `pare sense --explain`.
---@param which pare.explain
---@return table|nil, string?, integer?
function pipeline:explain(which) end

---Latency per layer and end to end, as `pare bench --json`.
---@param which? pare.which
---@return table|nil, string?, integer?
function pipeline:bench(which) end

---Accuracy with its interval and paired drop, as `pare eval --json`.
---@param which? pare.eval
---@return table|nil, string?, integer?
function pipeline:eval(which) end

---The best configuration within the budget, measured, as `pare solve --json`.
---@param budget? pare.budget
---@return table|nil, string?, integer?
function pipeline:solve(budget) end

---The whole front: a row of budgets, as `pare solve --front --json`.
---@param budget? pare.budget
---@return table|nil, string?, integer?
function pipeline:front(budget) end

---Answers side by side, as `pare compare --json`.
---@param what pare.compare
---@return table|nil, string?, integer?
function pipeline:compare(what) end

---Holds layers: "GLOB=LEVEL" or "GLOB=LEVEL..LEVEL".
---@param pin string
---@return table|nil, string?, integer?
function pipeline:pin(pin) end

---Layers that take one level: "auto", "shared-inputs", "residual" or "GLOB+GLOB".
---@param tie string
---@return table|nil, string?, integer?
function pipeline:tie(tie) end

---Adds a row to the session's (those of pipeline.lua and of `row`): every solver holds it.
---@param row pare.row
---@return table|nil, string?, integer?
function pipeline:row(row) end

---Leaves layers to the solver again.
---@param glob string
---@return table|nil, string?, integer?
function pipeline:free(glob) end

---How layers are quantized from now on: rules as --quantize, "+RULES" beside those that hold, "none". A choice of the session.
---@param rules string
---@return table|nil, string?, integer?
function pipeline:quantize(rules) end

---All points of the session with their figures.
---@return pare.point[]|nil, string?, integer?
function pipeline:points() end

---Writes a configuration, all points, a report or the plot.
---@param what pare.export
---@return table|nil, string?, integer?
function pipeline:export(what) end

---One command of the workbench, as typed after `:`.
---@param line string
---@return table|nil, string?, integer?
function pipeline:command(line) end

---What a solver sees: levels, layers, costs, limits.
---@param budget? pare.budget
---@return pare.problem|nil, string?, integer?
function pipeline:problem(budget) end

---Takes a configuration as the answer of a method, measures it; a run like a solver's.
---@param answer pare.proposal
---@return table|nil, string?, integer?
function pipeline:propose(answer) end

---Asks a function for a configuration, proposes it under its name.
---@param name string
---@param choose fun(problem: pare.problem): table
---@param budget? pare.budget
---@return table|nil, string?, integer?
function pipeline:policy(name, choose, budget) end
