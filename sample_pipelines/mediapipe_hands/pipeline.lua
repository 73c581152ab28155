-- MediaPipe's hand gesture recogniser on photographs: palm -> turned crop -> 21 landmarks -> embedding -> gesture.
-- No weights and no photographs are kept here: the files are looked for beside this folder, in --models DIR, in
-- PARE_MODELS and in shared/models beside the checkout (README.md).

-- Digits of the photographs and the gestures that they show. All other digits show no known gesture.
local gestures = { ["1"] = "Pointing_Up", ["2"] = "Victory", ["5"] = "Open_Palm" }

local all_digits = {}
for digit = 0, 9 do
    all_digits[tostring(digit)] = gestures[tostring(digit)] or false
end

-- The parts of one seed never overlap. The hands fill the photographs, the palm detector wants room: a black border.
local function photos(labels, from, to)
    return { path = "sign_digits", border = 50, labels = labels, seed = 1, part = { from, to } }
end

local anchors = { size = 192, layers = { { 24, 2 }, { 12, 6 } }, threshold = 0.5, iou = 0.3, max = 1 }

-- From the wrist (key point 1) to the middle finger's root (3) points up; half a box up, 2.6 times as large.
local turn = { from = 1, to = 3, shift_y = -0.5, scale = 2.6 }

return {
    name = "mediapipe_hands",
    stages = {
        { "palm", "mediapipe/palm_detection_lite.tflite",
            sha256 = "e9a4aaddf90dda56a87235303cf00e4c2d3fb28725f68fd88772997dac905c18" },
        { "landmark", "mediapipe/hand_landmark_lite.tflite",
            sha256 = "d7fde8ac11f8ce03f8663775bfc323f4fc9f2a38062b4f4efa142874ef5b2a48" },
        { "embedder", "mediapipe/gesture_embedder.tflite",
            sha256 = "54abe78de1d1cd5e3cdaa0dab01db18e3ec7e09a76e7c3b5fa278572f7a60977" },
        { "gesture", "mediapipe/canned_gesture_classifier.tflite",
            sha256 = "2fc7e279966a7a9e15fc869223793e390791fc61fdc0062f9bc7d0eef6be98a2" },
    },
    classes = {
        "None", "Closed_Fist", "Open_Palm", "Pointing_Up", "Thumb_Down", "Thumb_Up", "Victory", "ILoveYou",
    },
    data = {
        calibration = photos(all_digits, 0, 0.2),
        search = photos(gestures, 0.2, 0.6),
        test = photos(gestures, 0.6, 1),
        all = photos(all_digits, 0, 1), -- agreement with fp32 on every photograph
    },
    infer = function(stage, sample, op)
        local image = sample.image
        local raw, scores = stage.palm(op.letterbox(image, 192, 192))
        local palm = op.ssd_boxes(raw, scores, anchors)[1]
        if not palm then
            return op.none()
        end
        palm = op.place_box(palm, op.letterbox_frame(image, 192, 192), image)
        local hand = op.turn_box(image, palm, turn)
        local points, presence, right, world = stage.landmark(op.crop(image, hand, 224, 224))
        if presence[1] < 0.5 then
            return op.none()
        end
        -- The embedder takes landmarks with the wrist at 0 and the hand's longer side 1.
        local embedding = stage.embedder(op.normalise_box(op.reshape(points, 1, 21, 3), 3), right,
            op.normalise_box(op.reshape(world, 1, 21, 3), 3))
        return op.argmax(stage.gesture(embedding))
    end,
    metric = "top1",
}
