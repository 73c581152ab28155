-- The MNIST network of the shared models on its 10,000 test images: parts of one seed never overlap.
-- Neither is kept here: both are looked for beside this folder, in --models DIR, in PARE_MODELS and in shared/models.
local function images(from, to)
  return { path = "mnist/t10k-images-idx3-ubyte.gz", seed = 1, part = { from, to } }
end

return {
  name = "mnist",
  stages = { { "cnn", "mnist/mnist_cnn.onnx" } },
  classes = { "0", "1", "2", "3", "4", "5", "6", "7", "8", "9" },
  data = { calibration = images(0, 0.02), search = images(0.02, 0.5), test = images(0.5, 1) },
  infer = function(stage, sample, op)
    return op.argmax(stage.cnn(sample.image))
  end,
  metric = "top1",
}
