"""Float outputs of Pare against onnxruntime (ONNX) and LiteRT (TFLite): |difference| <= 1e-4 of the output tensor's
largest magnitude. Networks that are int8 in their file: our codes against LiteRT's reference kernels, in steps of
the output's grid (the two round differently, so a few steps are right).
Arguments: the pare_run_model executable, the folder of models, the source tree, a folder for temporary files."""
import glob
import os
import subprocess
import sys

import numpy as np

TOLERANCE = 1e-4
PHOTOS = 3
RANDOM = 3
ONNX = ["mediapipe/palm_detection_lite.onnx", "mediapipe/hand_landmark_lite.onnx", "detectors/FastestDet.onnx"]
SAMPLES = ["detector.onnx", "keypoints.onnx", "classifier.onnx"]  # of sample_pipelines/hand_gesture
INT8 = {"mlperf_tiny/pretrainedResnet_quant.tflite": 40, "mlperf_tiny/kws_ref_model.tflite": 40,
        "mlperf_tiny/ad01_int8.tflite": 1}  # most steps apart; softmax magnifies a step of its input
TFLITE = ["mediapipe/palm_detection_lite.tflite", "mediapipe/palm_detection_full.tflite",
          "mediapipe/hand_landmark_lite.tflite", "mediapipe/gesture_embedder.tflite",
          "mediapipe/canned_gesture_classifier.tflite", "keypoints/keypoint_classifier.tflite",
          "mlperf_tiny/pretrainedResnet.tflite", "mlperf_tiny/ad01_fp32.tflite"]


def photo(path, height, width, channels_first):
    from PIL import Image
    picture = Image.open(path).convert("RGB").resize((width, height), Image.BILINEAR)
    x = np.asarray(picture, dtype=np.float32) / 255.0
    return x.transpose(2, 0, 1)[None] if channels_first else x[None]


def inputs_for(shapes, models, random):
    """A list of input lists for a network with these input shapes."""
    cases = [[random.uniform(0, 1, s).astype(np.float32) for s in shapes] for _ in range(RANDOM)]
    photos = sorted(glob.glob(os.path.join(models, "sign_digits", "**", "*.JPG"), recursive=True))
    if len(shapes) == 1 and len(shapes[0]) == 4 and photos:
        n, a, b, c = shapes[0]
        for path in photos[:: max(1, len(photos) // PHOTOS)][:PHOTOS]:
            if c == 3:
                cases.append([photo(path, a, b, False)])
            elif a == 3:
                cases.append([photo(path, b, c, True)])
    return cases


class Onnx:
    def __init__(self, path):
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.shapes = [[d if isinstance(d, int) else 1 for d in i.shape] for i in self.session.get_inputs()]

    def run(self, xs):
        return self.session.run(None, {i.name: x for i, x in zip(self.session.get_inputs(), xs)})


class Tflite:
    def __init__(self, path):
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
        self.net = Interpreter(path, num_threads=1,
                               experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
        self.net.allocate_tensors()
        self.shapes = [list(d["shape"]) for d in self.net.get_input_details()]

    def run(self, xs):
        for detail, x in zip(self.net.get_input_details(), xs):
            self.net.set_tensor(detail["index"], x)
        self.net.invoke()
        return [self.net.get_tensor(d["index"]) for d in self.net.get_output_details()]


def ours(tool, model, xs, folder, level="fp32"):
    """Runs pare_run_model; the outputs as flat arrays."""
    given, got = os.path.join(folder, "in.f32"), os.path.join(folder, "out.f32")
    np.concatenate([x.ravel() for x in xs]).astype(np.float32).tofile(given)
    done = subprocess.run([tool, "--level", level, model, given, got], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    flat, outputs, at = np.fromfile(got, dtype=np.float32), [], 0
    for line in done.stdout.splitlines():
        words = line.split()
        if words and words[0] == "output":
            # names may hold blanks: the dims are what follows the last word that is no number
            dims = []
            while words[-1].isdigit() and len(words) > 2:
                dims.insert(0, int(words.pop()))
            n = int(np.prod(dims)) if dims else 1
            outputs.append(flat[at:at + n])
            at += n
    return outputs


def compare(tool, model, peer, cases, folder):
    worst = 0.0
    for xs in cases:
        want, got = peer.run(xs), ours(tool, model, xs, folder)
        if len(want) != len(got):
            raise RuntimeError(f"{len(got)} outputs, expected {len(want)}")
        for w, g in zip(want, got):
            w = np.asarray(w, dtype=np.float32).ravel()
            if w.size != g.size:
                raise RuntimeError(f"{g.size} numbers in an output, expected {w.size}")
            scale = float(np.max(np.abs(w))) or 1.0
            worst = max(worst, float(np.max(np.abs(w - g))) / scale)
    return worst


def compare_floats(tool, kind, path, models, random, folder):
    peer = kind(path)
    worst = compare(tool, path, peer, inputs_for(peer.shapes, models, random), folder)
    return worst <= TOLERANCE, f"largest difference {worst:.2e} of the largest magnitude"


def compare_codes(tool, path, limit, random, folder):
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
    net = Interpreter(path, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    net.allocate_tensors()
    given, result = net.get_input_details()[0], net.get_output_details()[0]
    (s_in, z_in), (s_out, z_out) = given["quantization"], result["quantization"]
    apart = 0
    for _ in range(2 * RANDOM):
        steps = np.cumsum(random.integers(-9, 10, given["shape"]), axis=1)
        codes = (np.abs((steps + 256) % 512 - 256) - 128).clip(-128, 127).astype(given["dtype"])  # smooth, in range
        net.set_tensor(given["index"], codes)
        net.invoke()
        want = net.get_tensor(result["index"]).astype(np.int64).ravel()
        got = ours(tool, path, [((codes.astype(np.float32) - z_in) * s_in).astype(np.float32)], folder, "int8")[0]
        apart = max(apart, int(np.max(np.abs(np.rint(got / s_out + z_out).astype(np.int64) - want))))
    return apart <= limit, f"int8 codes at most {apart} steps apart"


def compare_detections(tool, path, models, folder):
    """SSD: the best detection of each photo, our int8 and float runs against LiteRT."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType
    net = Interpreter(path, experimental_op_resolver_type=OpResolverType.BUILTIN_REF)
    net.allocate_tensors()
    given = net.get_input_details()[0]
    (scale, zero), (_, h, w, _) = given["quantization"], given["shape"]
    photos = sorted(glob.glob(os.path.join(models, "sign_digits", "**", "*.JPG"), recursive=True))
    apart = 0.0
    for file in photos[:: max(1, len(photos) // PHOTOS)][:PHOTOS]:
        codes = np.rint(photo(file, h, w, False) * 255).astype(np.uint8)
        net.set_tensor(given["index"], codes)
        net.invoke()
        boxes, _, scores, _ = [net.get_tensor(o["index"]).ravel() for o in net.get_output_details()]
        for level in ("int8", "fp32"):
            got = ours(tool, path, [((codes.astype(np.float32) - zero) * scale).astype(np.float32)], folder, level)
            apart = max(apart, abs(float(got[2][0] - scores[0])), float(np.max(np.abs(got[0][:4] - boxes[:4]))))
    return apart <= 0.05, f"best score and box at most {apart:.3f} apart (int8 and fp32)"


def main():
    tool, models, source, folder = sys.argv[1:5]
    random = np.random.default_rng(20240611)
    samples = os.path.join(source, "sample_pipelines", "hand_gesture")
    work = [(os.path.join(models, n), lambda p: compare_floats(tool, Onnx, p, models, random, folder)) for n in ONNX]
    work += [(os.path.join(samples, n), lambda p: compare_floats(tool, Onnx, p, models, random, folder)) for n in SAMPLES]
    work += [(os.path.join(models, n), lambda p: compare_floats(tool, Tflite, p, models, random, folder)) for n in TFLITE]
    work += [(os.path.join(models, n), lambda p, most=most: compare_codes(tool, p, most, random, folder))
             for n, most in INT8.items()]
    work.append((os.path.join(models, "detectors", "ssd_mobilenet_v1_coco_quant_detect.tflite"),
                 lambda p: compare_detections(tool, p, models, folder)))
    failed = ran = 0
    for path, check in work:
        name = "/".join(path.split(os.sep)[-2:])
        if not os.path.exists(path):
            print(f"SKIP {name}: no such file")
            continue
        try:
            good, text = check(path)
        except ImportError as problem:
            print(f"SKIP {name}: {problem}")
            continue
        except RuntimeError as problem:
            good, text = False, str(problem)
        ran += 1
        failed += not good
        print(f"{'ok  ' if good else 'FAIL'} {name}: {text}", flush=True)
    if ran == 0:
        print("SKIP: nothing could be compared")
        return 77
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
