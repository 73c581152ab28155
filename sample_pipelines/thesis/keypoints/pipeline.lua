-- The MLP of the shared models on its 4,787 rows of key points (which it was trained on): parts of one seed never overlap.
-- Nothing is kept here: `make.py keypoint.csv` writes keypoints.npz from the models' table; the network is looked for
-- beside this folder, in --models DIR, in PARE_MODELS and in shared/models.
local function rows(from, to)
  return { path = "keypoints.npz", seed = 1, part = { from, to } }
end

return {
  name = "keypoints",
  stages = { { "mlp", "keypoints/keypoint_classifier.tflite" } },
  classes = { "Open", "Close", "Pointer", "OK" },
  data = { calibration = rows(0, 0.05), search = rows(0.05, 0.5), test = rows(0.5, 1) },
  infer = function(stage, sample, op)
    return op.argmax(stage.mlp(op.reshape(sample.image, 1, 42)))
  end,
  metric = "top1",
}
