"""Layers of int8 and uint8 TFLite files, each on LiteRT's own inputs: at most one code apart. End to end: the share of
output codes that differ, printed.
Arguments: pare_run_layers, the folder of models, a folder for temporary files."""
import os
import subprocess
import sys

import numpy as np

from ai_edge_litert.interpreter import Interpreter, OpResolverType

FILES = ["mlperf_tiny/pretrainedResnet_quant.tflite", "mlperf_tiny/kws_ref_model.tflite", "mlperf_tiny/ad01_int8.tflite",
         "detectors/ssd_mobilenet_v1_coco_quant_detect.tflite"]


def check(path, tool, folder, random):
    run = Interpreter(path, num_threads=1, experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
                      experimental_preserve_all_tensors=True)
    run.allocate_tensors()
    for i in run.get_input_details():
        low, high = (0, 256) if i["dtype"] == np.uint8 else (-128, 128)
        # smooth inputs: white noise excites little behind the first layers
        x = random.integers(low, high, i["shape"])
        x = (x + np.roll(x, 1, -1) + np.roll(x, 1, -2 if x.ndim > 2 else -1)) // 3
        run.set_tensor(i["index"], x.astype(i["dtype"]))
    run.invoke()
    tensors = {t["name"]: t for t in run.get_tensor_details()}
    lines = subprocess.run([tool, path], check=True, capture_output=True, text=True).stdout.splitlines()
    layers = [line.split("\t") for line in lines]
    for old in os.listdir(folder):
        os.remove(os.path.join(folder, old))

    def codes(name):
        t = tensors[name]
        scale, zero = t["quantization"]
        return run.get_tensor(t["index"]).astype(np.int64), np.float32(scale), zero

    known = [l for l in layers if l[1] in tensors and l[2] in tensors and tensors[l[1]]["quantization"][0] > 0
             and tensors[l[2]]["quantization"][0] > 0]
    for index, source, _ in known:
        q, scale, zero = codes(source)
        (scale * (q - zero).astype(np.float32)).astype(np.float32).tofile(f"{folder}/{index}.in")
    subprocess.run([tool, path, folder], check=True)
    most = differ = total = 0
    for index, _, target in known:
        q, scale, zero = codes(target)
        y = np.fromfile(f"{folder}/{index}.out", np.float32).astype(np.float64)
        ours = np.rint(y / float(scale)).astype(np.int64) + zero
        d = np.abs(ours - q.ravel())
        most = max(most, int(d.max()))
        differ += int((d > 0).sum())
        total += d.size
        if d.max() > 1:
            print(f"  {target}: {d.max()} codes apart")
    print(f"{os.path.basename(path)}: {len(known)} of {len(layers)} layers on LiteRT's inputs: at most {most} code(s), "
          f"{100 * differ / max(1, total):.3f} % of {total} codes differ")
    return most <= 1 and len(known) > 0 and len(known) >= len(layers) - 1


def main():
    tool, models, folder = sys.argv[1], sys.argv[2], sys.argv[3]
    random = np.random.default_rng(5)
    good = [check(os.path.join(models, f), tool, folder, random) for f in FILES if os.path.exists(os.path.join(models, f))]
    return 0 if good and all(good) else 1


sys.exit(main())
