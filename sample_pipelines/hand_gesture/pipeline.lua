-- Hand gestures: a detector finds the hand, a second network its 21 key points, a third names the gesture.
-- Everything here was made by make/ (see README.md): no weights and no pictures from elsewhere.
return {
    name = "hand_gesture",
    stages = {
        { "detector", "detector.onnx" },
        { "keypoints", "keypoints.onnx" },
        { "classifier", "classifier.onnx" },
    },
    data = { calibration = "calibration", search = "search", test = "test" },
    classes = {
        "Closed_Fist", "ILoveYou", "None", "Open_Palm", "Pointing_Up", "Thumb_Down", "Thumb_Up", "Victory",
    },
    infer = function(stage, sample, op)
        local box = op.best_box(stage.detector(sample.image))
        if not box then
            return op.none() -- no hand found counts as wrong
        end
        local crop = op.crop(sample.image, box, 64, 64, 1.2) -- a square 1.2 times the box's longer side
        local points = stage.keypoints(crop)
        return op.argmax(stage.classifier(op.normalise(points)))
    end,
    metric = "top1",
}
