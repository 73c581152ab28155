"""Float outputs of Pare against onnxruntime (ONNX) and LiteRT (TFLite): |difference| <= 1e-4 of the output tensor's
largest magnitude. Arguments: the pare_run_model executable, the folder of models, a folder for temporary files."""
import glob
import os
import subprocess
import sys

import numpy as np

TOLERANCE = 1e-4
PHOTOS = 3
RANDOM = 3
ONNX = ["mediapipe/palm_detection_lite.onnx", "mediapipe/hand_landmark_lite.onnx", "detectors/FastestDet.onnx"]
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


def ours(tool, model, xs, folder):
    """Runs pare_run_model; the outputs as flat arrays."""
    given, got = os.path.join(folder, "in.f32"), os.path.join(folder, "out.f32")
    np.concatenate([x.ravel() for x in xs]).astype(np.float32).tofile(given)
    done = subprocess.run([tool, model, given, got], capture_output=True, text=True)
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


def main():
    tool, models, folder = sys.argv[1:4]
    random = np.random.default_rng(20240611)
    failed = ran = 0
    for kind, names in ((Onnx, ONNX), (Tflite, TFLITE)):
        for name in names:
            path = os.path.join(models, name)
            if not os.path.exists(path):
                print(f"SKIP {name}: not in the folder of models")
                continue
            try:
                peer = kind(path)
            except ImportError as problem:
                print(f"SKIP {name}: {problem}")
                continue
            try:
                worst = compare(tool, path, peer, inputs_for(peer.shapes, models, random), folder)
            except RuntimeError as problem:
                print(f"FAIL {name}: {problem}")
                failed += 1
                continue
            ran += 1
            failed += worst > TOLERANCE
            print(f"{'ok  ' if worst <= TOLERANCE else 'FAIL'} {name}: largest difference {worst:.2e} of the largest"
                  " magnitude", flush=True)
    if ran == 0 and failed == 0:
        print("SKIP: nothing could be compared")
        return 77
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
