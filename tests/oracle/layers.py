"""TFLite files as they are, against LiteRT's reference kernels.
Layer by layer, each on LiteRT's own inputs: int8 and uint8 files at most one code apart; float16 files (weights widened to
float32, which is exact; float32 arithmetic on both sides) at most 2^-16 of the layer's largest output apart: two sums of K
products in different orders differ by at most K * 2^-23 of the sum of the products' sizes.
End to end, printed: the share of codes of the outputs, and of the last layers, that differ (of float16 files: on an 8-bit
grid over what LiteRT's output spans).
Arguments: pare_run_layers, the folder of models, a folder for temporary files."""
import glob
import os
import subprocess
import sys

import numpy as np

from ai_edge_litert.interpreter import Interpreter, OpResolverType

CODES = ["mlperf_tiny/pretrainedResnet_quant.tflite", "mlperf_tiny/kws_ref_model.tflite", "mlperf_tiny/ad01_int8.tflite",
         "detectors/ssd_mobilenet_v1_coco_quant_detect.tflite"]
HALVES = ["mediapipe/palm_detection_lite.tflite", "mediapipe/hand_landmark_lite.tflite", "mediapipe/gesture_embedder.tflite",
          "mediapipe/canned_gesture_classifier.tflite"]
FLOAT_LIMIT = 2.0 ** -16
INPUTS = 4  # end to end; layer by layer the first


def real(detail, values):
    scale, zero = detail["quantization"]
    return (np.float32(scale) * (values.astype(np.int64) - zero).astype(np.float32)).astype(np.float32) if scale > 0 else values


def smooth(detail, random):
    """White noise excites little behind the first layers."""
    low, high = {np.uint8: (0, 256), np.int8: (-128, 128)}.get(detail["dtype"], (0, 256))
    x = random.integers(low, high, detail["shape"])
    x = (x + np.roll(x, 1, -1) + np.roll(x, 1, -2 if x.ndim > 2 else -1)) // 3
    return x.astype(detail["dtype"]) if detail["dtype"] != np.float32 else (x / 255).astype(np.float32)


def photo(detail, path):
    try:
        from PIL import Image
    except ImportError:
        return None
    _, h, w, _ = detail["shape"]
    x = np.asarray(Image.open(path).convert("RGB").resize((w, h), Image.BILINEAR), dtype=np.float32)[None] / 255
    scale, zero = detail["quantization"]
    if scale == 0:
        return x
    info = np.iinfo(detail["dtype"])
    return np.clip(np.rint(x * (info.max - info.min)) + info.min, info.min, info.max).astype(detail["dtype"])


class Net:
    def __init__(self, path, tool, folder):
        self.path, self.tool, self.folder = path, tool, folder
        self.run = Interpreter(path, num_threads=1, experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
                               experimental_preserve_all_tensors=True)
        self.run.allocate_tensors()
        self.tensors = {t["name"]: t for t in self.run.get_tensor_details()}
        lines = subprocess.run([tool, path], check=True, capture_output=True, text=True).stdout.splitlines()
        layers = [line.split("\t") for line in lines]  # index, input, output, "last" or "inner"
        self.n_layers = len(layers)
        self.known = [l for l in layers if l[1] in self.tensors and l[2] in self.tensors]

    def invoke(self, xs):
        for detail, x in zip(self.run.get_input_details(), xs):
            self.run.set_tensor(detail["index"], x)
        self.run.invoke()

    def value(self, name):
        t = self.tensors[name]
        return real(t, self.run.get_tensor(t["index"]))

    def clear(self):
        for old in os.listdir(self.folder):
            os.remove(os.path.join(self.folder, old))

    def ours(self, index, kind):
        path = f"{self.folder}/{index}.{kind}"
        return np.fromfile(path, np.float32) if os.path.exists(path) else None

    def layers_alone(self):
        self.clear()
        for index, source, _, _ in self.known:
            self.value(source).tofile(f"{self.folder}/{index}.in")
        subprocess.run([self.tool, self.path, self.folder], check=True)

    def whole(self, xs):
        self.clear()
        details = self.run.get_input_details()
        np.concatenate([real(d, x).ravel() for d, x in zip(details, xs)]).astype(np.float32).tofile(f"{self.folder}/whole.in")
        subprocess.run([self.tool, self.path, self.folder, "whole"], check=True)


def codes(detail, values, like):
    """On the tensor's own grid, or on an 8-bit one over what `like` spans."""
    scale = float(detail["quantization"][0]) or float(np.ptp(like)) / 255 or 1.0
    return np.rint(values.astype(np.float64).ravel() / scale).astype(np.int64)


def layer_by_layer(net, is_codes):
    net.layers_alone()
    worst, differ, total = 0.0, 0, 0
    for index, _, target, _ in net.known:
        want, got = net.value(target).ravel(), net.ours(index, "out")
        if is_codes:
            d = np.abs(codes(net.tensors[target], got, want) - codes(net.tensors[target], want, want))
            limit, most = 1, float(d.max())
            differ += int((d > 0).sum())
        else:
            most, limit = float(np.max(np.abs(got - want)) / (np.max(np.abs(want)) or 1)), FLOAT_LIMIT
        total += want.size
        worst = max(worst, most)
        if most > limit:
            print(f"  {target}: {most:.3g} apart")
    name, n = os.path.basename(net.path), f"{len(net.known)} of {net.n_layers} layers on LiteRT's inputs"
    if is_codes:
        print(f"{name}: {n}: at most {worst:.0f} code(s), {100 * differ / max(1, total):.3f} % of {total} codes differ")
    else:
        print(f"{name}: {n}: at most 2^{np.log2(max(worst, 1e-30)):.1f} of the largest output (limit 2^{np.log2(limit):.0f})")
    return worst <= limit and len(net.known) >= max(1, net.n_layers - 1)


def end_to_end(net, cases, is_codes):
    sums = {"outputs": [0, 0, 0], "last layers": [0, 0, 0]}

    def count(what, detail, want, got):
        if got is not None and got.size == want.size:
            d = np.abs(codes(detail, got, want) - codes(detail, want, want))
            sums[what][0] += int((d > 0).sum())
            sums[what][1] += d.size
            sums[what][2] = max(sums[what][2], int(d.max()))

    for xs in cases:
        net.invoke(xs)
        net.whole(xs)
        for k, detail in enumerate(net.run.get_output_details()):
            if is_codes and detail["quantization"][0] == 0:
                continue  # what a detector's post-processing makes of the codes
            count("outputs", detail, real(detail, net.run.get_tensor(detail["index"])), net.ours(k, "end"))
        for index, _, target, place in net.known:
            if place == "last":
                count("last layers", net.tensors[target], net.value(target), net.ours(index, "whole"))
    parts = [f"{what} {100 * s[0] / s[1]:.2f} % of {s[1]} codes differ, at most by {s[2]}" for what, s in sums.items() if s[1]]
    print(f"  end to end, {len(cases)} inputs: {'; '.join(parts)}")
    return sums["outputs"][1] + sums["last layers"][1] > 0


def check(path, tool, models, folder, random, is_codes):
    net = Net(path, tool, folder)
    details = net.run.get_input_details()
    cases = [[smooth(d, random) for d in details] for _ in range(INPUTS)]
    photos = sorted(glob.glob(os.path.join(models, "sign_digits", "**", "*.JPG"), recursive=True))
    if len(details) == 1 and len(details[0]["shape"]) == 4 and details[0]["shape"][3] == 3 and photos:
        pictures = [photo(details[0], p) for p in photos[:: max(1, len(photos) // INPUTS)][:INPUTS]]
        cases = cases[:1] + [[p] for p in pictures if p is not None]
    net.invoke(cases[0])
    good = layer_by_layer(net, is_codes)
    return end_to_end(net, cases, is_codes) and good


def main():
    tool, models, folder = sys.argv[1], sys.argv[2], sys.argv[3]
    random = np.random.default_rng(5)
    good = [check(os.path.join(models, f), tool, models, folder, random, is_codes)
            for files, is_codes in ((CODES, True), (HALVES, False)) for f in files if os.path.exists(os.path.join(models, f))]
    return 0 if good and all(good) else 1


sys.exit(main())
