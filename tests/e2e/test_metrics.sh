#!/usr/bin/env bash
# Every metric beside top1 from end to end, on the sample pipeline's networks: eval with intervals, sense, solve.
. "${PARE_SOURCE:?}/tests/shell.sh"
here=$PWD/sample_pipelines/hand_gesture
run() {
    "$pare" "$@" --json >"$work/out" 2>"$work/err" || { fail "exit $?: $*"; head -5 "$work/out" "$work/err"; }
}

# pipeline NAME METRIC ANSWER [LABELS]: what infer returns of box, points and scores
pipeline() {
    mkdir -p "$work/$1"
    cat >"$work/$1/pipeline.lua" <<LUA
local search = { path = "search", seed = 1, limit = 60 ${4:-} }
return {
    name = "$1",
    stages = { { "detector", "detector.onnx" }, { "keypoints", "keypoints.onnx" }, { "classifier", "classifier.onnx" } },
    data = { calibration = { path = "calibration", seed = 1, limit = 20 ${4:-} }, search = search, test = search },
    classes = { ${5:-"'Closed_Fist', 'ILoveYou', 'None', 'Open_Palm', 'Pointing_Up', 'Thumb_Down', 'Thumb_Up', 'Victory'"} },
    infer = function(stage, sample, op)
        local box = op.best_box(stage.detector(sample.image))
        if not box then return op.none() end
        local points = stage.keypoints(op.crop(sample.image, box, 64, 64, 1.2))
        local scores = stage.classifier(op.normalise(points))
        $3
    end,
    metric = $2,
    ${6:-}
}
LUA
    for f in detector.onnx keypoints.onnx classifier.onnx calibration search; do ln -sfn "$here/$f" "$work/$1/$f"; done
}
two=", labels = { Closed_Fist = 'other', ILoveYou = 'other', None = false, Open_Palm = 'other', Pointing_Up = 'other', Thumb_Down = false, Thumb_Up = 'other', Victory = 'Victory' }"

# auc of one class against the others, and a stage's own top1 beside it
pipeline auc "'auc'" "op.report('classifier', op.class(op.argmax(scores).class == 8 and 2 or 1)) return op.score(op.softmax(scores)[8])" \
    "$two" "'other', 'Victory'" "metrics = { classifier = 'top1' },"
run eval "$work/auc" --level int4
is "d['metric'] == 'auc' and 0 < d['accuracy_low'] <= d['accuracy'] <= d['accuracy_high'] <= 1" auc
is "d['drop_low'] <= d['drop'] <= d['drop_high'] and abs(d['fp32_accuracy'] - d['accuracy'] - d['drop']) < 1e-9" "auc drop"
is "d['agreement'] is None and 20 < d['labelled'] < 60" "auc counts"
is "d['metrics']['classifier']['metric'] == 'top1' and 0 < d['metrics']['classifier']['value'] < 1" "the stage's metric"
is "d['loss'] > 0" "a smooth loss without classes"
run sense "$work/auc" --samples 20 --levels int8,int4,bin1
is "any(l['drop'] is not None and l['drop'] != 0 and l['drop_low'] <= l['drop'] <= l['drop_high'] for l in d['layers'])" "auc in sense"
is "sum(l['loss'] for l in d['layers'] if l['level'] == 'w1a1') > sum(l['loss'] for l in d['layers'] if l['level'] == 'w8a8')" "losses grow"

# a function: the mean over classes of their recall, here without weights
pipeline fun "function(outcomes, labels)
        local right, n = {}, {}
        for i = 1, #labels do
            local l = labels[i]
            n[l] = (n[l] or 0) + 1
            right[l] = (right[l] or 0) + (outcomes[i] == l and 1 or 0)
        end
        local sum, k = 0, 0
        for l, m in pairs(n) do sum, k = sum + right[l] / m, k + 1 end
        return sum / k
    end" "return op.argmax(scores)"
run eval "$work/fun" --level int4
is "d['metric'] == 'function' and 0 < d['accuracy_low'] <= d['accuracy'] <= d['accuracy_high'] <= 1" function
is "d['drop_low'] < d['drop_high'] and abs(d['fp32_accuracy'] - d['accuracy'] - d['drop']) < 1e-9" "function drop"
run solve "$work/fun" --max-drop 0.05 --samples 20 --levels int8,int4,bin1
is "d['measured']['drop'] is not None and d['predicted']['drop'] is not None" "a function's drop in solve"

# boxes: truth comes from arrays, here the fp32 network's own answers moved by a pixel
python3 - "$work" <<'P' || fail "arrays"
import sys, struct, zipfile, io, random
random.seed(1)
def npy(shape, values):
    head = "{'descr': '<f4', 'fortran_order': False, 'shape': %s, }" % (shape,)
    head += ' ' * (63 - (10 + len(head)) % 64) + '\n'
    return b'\x93NUMPY\x01\x00' + struct.pack('<H', len(head)) + head.encode() + struct.pack('<%df' % len(values), *values)
n, side = 24, 96
image = [random.random() for _ in range(n * side * side * 3)]
boxes = []
for i in range(n):
    boxes += [0, 48, 48, 96, 96, -1, 0, 0, 0, 0]
points = [x for i in range(n) for k in range(21) for x in (32 + k, 32)]
for name, shape, target in (('map', (n, 2, 5), boxes), ('pck', (n, 21, 2), points)):
    with zipfile.ZipFile(sys.argv[1] + '/' + name + '.npz', 'w') as z:
        z.writestr('image.npy', npy((n, side, side, 3), image))
        z.writestr('target.npy', npy(shape, target))
P
arrays() { # NAME METRIC ANSWER
    pipeline "$@"
    sed -i "s|^local search.*|local search = '../$1.npz'|; s|calibration = {.*limit = 20  }, search|calibration = search, search|" "$work/$1/pipeline.lua"
}
arrays map "'map'" "box.class = 1 return op.boxes({ box, { cx = 48, cy = 48, w = 80, h = 90, score = 0.01 } }, 0.5)"
run eval "$work/map" --level int4
is "d['metric'] == 'map' and 0 <= d['accuracy_low'] <= d['accuracy'] <= d['accuracy_high'] <= 1 and d['drop'] is not None" map
arrays pck "{ 'pck', threshold = 0.5 }" "return op.points(points)" "" "'hand'" "metrics = { { 'pck', threshold = 3 } },"
run eval "$work/pck" --level int4
is "d['metrics']['pck@3']['value'] >= d['accuracy'] and d['metrics']['pck@3']['low'] <= d['metrics']['pck@3']['value']" "a metric beside it"
is "d['metric'] == 'pck' and 0 <= d['accuracy_low'] <= d['accuracy'] <= d['accuracy_high'] <= 1 and d['drop'] is not None" pck

# an outcome that the metric cannot score is said, with its pipeline
pipeline wrong "'auc'" "return op.argmax(scores)" "$two" "'other', 'Victory'"
"$pare" eval "$work/wrong" --level int8 >"$work/out" 2>"$work/err"
[ $? -eq 78 ] || fail "exit of a wrong outcome"
grep -q "metric auc needs a score" "$work/err" || fail "message of a wrong outcome: $(head -3 "$work/err")"

[ $failures -eq 0 ] && echo "all metrics hold" || echo "$failures failed"
exit $((failures > 0))
