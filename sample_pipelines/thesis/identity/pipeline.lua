-- One layer that does nothing, on the numbers 103 to 150: all that is left is how its input was quantized.
-- Its figure is the mean error of the numbers that come out, so "accuracy" is that error here (make.py wrote both files).
return {
  name = "identity",
  stages = { { "layer", "identity.onnx" } },
  data = { calibration = "values.npz", search = "values.npz", test = "values.npz" },
  infer = function(stage, sample, op)
    return op.score(stage.layer(op.reshape(sample.image, 1, 1)))
  end,
  metric = function(outcomes, labels)
    local sum = 0
    for i = 1, #outcomes do
      sum = sum + math.abs(outcomes[i] - (labels[i] - 1)) -- Lua counts classes from 1
    end
    return sum / #outcomes
  end,
}
