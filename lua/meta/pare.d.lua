---@meta
-- Made from lua/ops.inc; a test checks that it is current. For editors only: nothing loads it.

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
