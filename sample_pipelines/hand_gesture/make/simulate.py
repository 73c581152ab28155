#!/usr/bin/env python3
"""Runs the pipeline in Python at simulated precisions: reads the ONNX files and JPEG splits as Pare does.

    simulate.py DIR                     the table of README.md: levels on search and test
    simulate.py DIR --expected          the same, and writes make/expected.json
    simulate.py DIR --sensitivity L     accuracy on search with one layer at level L, the others at int8
    simulate.py DIR --config 'GLOB=LEVEL ...' [--split S]

Post-training quantization, min-max on the calibration split.  BatchNorm is folded first.  Weights: symmetric per
output channel, codes +-(2^(W-1)-1), [-2, 1] for W = 2, +-mean|w| for W = 1.  The input of every layer: asymmetric
per tensor, A bits, the range includes 0; one bit takes the two Lloyd means.  First and last layers of each stage
stay at 8 bits or more.  Everything else is float32.
"""
import argparse
import fnmatch
import json
import os

import numpy as np
import onnx
from onnx import numpy_helper
import torch
import torch.nn.functional as F

import generate
import hand
import nets

STAGES = ("detector", "keypoints", "classifier")
ALIASES = {"int8": "w8a8", "int4": "w4a4", "int2": "w2a2", "bin1": "w1a1"}


def level_bits(level):
    """'w4a8' -> (4, 8); fp32 -> (32, 32)."""
    level = ALIASES.get(level, level)
    if level == "fp32":
        return 32, 32
    w, a = level[1:].split("a")
    return int(w), int(a)


class Stage:
    """One ONNX file as a chain of layers with BatchNorm folded."""

    def __init__(self, path):
        graph = onnx.load(path).graph
        values = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in graph.initializer}
        self.layers, self.ranges, self.means = [], {}, {}
        for node in graph.node:
            attrs = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            rest = [values[i] for i in node.input[1:]]
            if node.op_type in ("Conv", "Gemm"):
                bias = rest[1] if len(rest) > 1 else torch.zeros(rest[0].shape[0])
                self.layers.append(dict(name=node.name, kind=node.op_type, w=rest[0], b=bias, attrs=attrs, relu=False,
                                        flatten=False))
            elif node.op_type == "BatchNormalization":
                gain = rest[0] / torch.sqrt(rest[3] + attrs["epsilon"])
                layer = self.layers[-1]
                layer["w"] = layer["w"] * gain[:, None, None, None]
                layer["b"] = (layer["b"] - rest[2]) * gain + rest[1]
            elif node.op_type == "Relu":
                self.layers[-1]["relu"] = True
            elif node.op_type == "Flatten":
                self.layers[-1]["flatten"] = True
            else:
                raise ValueError(f"{path}: {node.name}: operator {node.op_type} is not simulated")

    def names(self):
        return [layer["name"] for layer in self.layers]

    def observe(self, name, x):
        low, high = self.ranges.get(name, (0.0, 0.0))
        self.ranges[name] = (min(low, x.min().item()), max(high, x.max().item()))
        self.means.setdefault(name, []).append(x.flatten()[::7].clone())

    def __call__(self, x, levels=None, observe=False):
        for layer in self.layers:
            if observe:
                self.observe(layer["name"], x)
            w, pad = layer["w"], 0.0
            bits = levels[layer["name"]] if levels else (32, 32)
            if bits != (32, 32):
                w = quantize_weights(w, bits[0])
                x, pad = self.quantize_input(layer["name"], x, bits[1])
            if layer["kind"] == "Gemm":
                x = F.linear(x, w, layer["b"])
            else:
                a = layer["attrs"]
                x = F.conv2d(F.pad(x, [a["pads"][0]] * 4, value=pad), w, layer["b"], a["strides"], 0, 1, a["group"])
            if layer["relu"]:
                x = torch.relu(x)
            if layer["flatten"]:
                x = x.flatten(1)
        return x

    def quantize_input(self, name, x, bits):
        """The tensor on its grid, and the value that padding takes."""
        if bits >= 32:
            return x, 0.0
        if bits == 1:
            low, high = self.lloyd(name)
            return torch.where(x > (low + high) / 2, high, low), min((low, high), key=abs)
        low, high = self.ranges[name]
        scale = (high - low) / (2 ** bits - 1) or 1.0
        zero = round(-low / scale)
        return (torch.clamp(torch.round(x / scale) + zero, 0, 2 ** bits - 1) - zero) * scale, 0.0

    def lloyd(self, name):
        if isinstance(self.means[name], list):
            x = torch.cat(self.means[name])
            low, high = x.min().item(), x.max().item()
            for _ in range(30):
                above = x > (low + high) / 2
                low, high = x[~above].mean().item(), x[above].mean().item()
            self.means[name] = (low, high)
        return self.means[name]


def quantize_weights(w, bits):
    if bits >= 32:
        return w
    flat = w.reshape(len(w), -1)
    if bits == 1:
        q = torch.where(flat >= 0, 1.0, -1.0) * flat.abs().mean(1, keepdim=True)
    else:
        low, high = (-2, 1) if bits == 2 else (1 - 2 ** (bits - 1), 2 ** (bits - 1) - 1)
        scale = torch.maximum(flat.amax(1) / high, flat.amin(1) / low).clamp(min=1e-12)[:, None]
        q = torch.clamp(torch.round(flat / scale), low, high) * scale
    return q.reshape(w.shape)


class Pipeline:
    def __init__(self, root):
        self.stages = {s: Stage(os.path.join(root, s + ".onnx")) for s in STAGES}
        self.kept = {f"{s}/{n[i]}" for s in STAGES for n in [self.stages[s].names()] for i in (0, -1)}
        self.names = [f"{s}/{n}" for s in STAGES for n in self.stages[s].names()]
        images, _ = generate.load_split(root, "calibration")
        self.infer(images, observe=True)

    def config(self, rules, base="fp32"):
        """Rules [(glob, level)] over a base level -> {layer: (w bits, a bits)}; later rules win."""
        out = {}
        for name in self.names:
            level = base
            for pattern, other in rules:
                level = other if fnmatch.fnmatchcase(name, pattern) else level
            bits = level_bits(level)
            out[name] = tuple(max(b, 8) for b in bits) if name in self.kept else bits
        return out

    def infer(self, images, config=None, observe=False, detail=False):
        """Predicted labels (-1: no hand) of uint8 pictures; with detail also every stage's output."""
        levels = {s: {n: config[f"{s}/{n}"] for n in self.stages[s].names()} if config else None for s in STAGES}
        result, details = [], []
        with torch.no_grad():
            for start in range(0, len(images), 200):
                x = torch.from_numpy(images[start:start + 200]).permute(0, 3, 1, 2).float() / 255
                out = self.stages["detector"](x, levels["detector"], observe)
                found, box = nets.best_box(out)
                label = torch.full((len(x),), -1)
                if found.any():
                    points = self.stages["keypoints"](nets.crop(x[found], box[found]), levels["keypoints"], observe)
                    logits = self.stages["classifier"](nets.normalise(points), levels["classifier"], observe)
                    label[found] = logits.argmax(1)
                    if detail:
                        details = (out, box, points, logits)
                result.append(label)
        return (torch.cat(result).numpy(), details) if detail else torch.cat(result).numpy()

    def weight_bytes(self, config):
        """Weights at their bits, float32 biases not counted."""
        total = 0
        for name in self.names:
            stage, layer = name.split("/")
            total += next(x["w"].numel() for x in self.stages[stage].layers if x["name"] == layer) * config[name][0] / 8
        return int(total)


MIXED = [("*", "w8a8"), ("keypoints/conv6", "w4a8"), ("keypoints/fc1", "w4a8")]
TABLE = [("fp32", []), ("int8", [("*", "int8")]), ("w4a8", [("*", "w4a8")]), ("mixed", MIXED),
         ("w8a4", [("*", "w8a4")]), ("int4", [("*", "int4")]), ("w2a8", [("*", "w2a8")]), ("int2", [("*", "int2")]),
         ("bin1", [("*", "bin1")])]


def table(pipeline, splits):
    rows, base = {}, None
    for name, rules in TABLE:
        config = pipeline.config(rules)
        size = pipeline.weight_bytes(config)
        base = size if name == "int8" else base
        row = {"weight_bytes": size}
        for split, (images, labels) in splits.items():
            row[split] = round(float((pipeline.infer(images, config if rules else None) == labels).mean()), 5)
        rows[name] = row
        print(f"{name:6} {size:9} bytes", " ".join(f"{s} {100 * row[s]:.2f} %" for s in splits), flush=True)
    return rows


def expected(pipeline, root, rows):
    pictures = []
    for name in hand.CLASSES:
        file = f"test/{name}/0001.jpg"
        with open(os.path.join(root, file), "rb") as f:
            image = generate.decode(f.read())
        label, (out, box, points, logits) = pipeline.infer(image[None], detail=True)
        cell = int(out[0, 0].flatten().argmax())
        row = {"file": file, "label": int(label[0]), "best_cell": cell,
               "best_cell_output": [round(v, 5) for v in out[0].reshape(5, -1)[:, cell].tolist()],
               "box": [round(v, 6) for v in box[0].tolist()],
               "points": [round(v, 6) for v in points[0].tolist()],
               "logits": [round(v, 5) for v in logits[0].tolist()]}
        if not pictures:
            row["scores"] = [round(v, 5) for v in out[0, 0].flatten().tolist()]
        pictures.append(row)
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "expected.json"), "w") as f:
        body = json.dumps({"classes": hand.CLASSES, "levels": rows, "mixed": MIXED, "pictures": pictures})
        f.write(body.replace('{"file"', '\n{"file"').replace('"levels"', '\n"levels"').replace('"mixed"', '\n"mixed"')
                + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dir")
    parser.add_argument("--expected", action="store_true")
    parser.add_argument("--sensitivity")
    parser.add_argument("--config")
    parser.add_argument("--split", default="search")
    parser.add_argument("--samples", type=int, default=2000)
    args = parser.parse_args()
    torch.set_num_threads(1)
    pipeline = Pipeline(args.dir)
    images, labels = generate.load_split(args.dir, args.split)
    pick = np.random.default_rng(0).permutation(len(labels))[:args.samples]
    if args.sensitivity:
        for name in pipeline.names:
            config = pipeline.config([("*", "int8"), (name, args.sensitivity)])
            right = (pipeline.infer(images[pick], config) == labels[pick]).mean()
            print(f"{name:20} {args.sensitivity} {100 * right:.2f} %", flush=True)
    elif args.config:
        config = pipeline.config([tuple(r.split("=")) for r in args.config.split()], "int8")
        right = (pipeline.infer(images[pick], config) == labels[pick]).mean()
        print(f"{pipeline.weight_bytes(config)} bytes {100 * right:.2f} %")
    else:
        splits = {s: generate.load_split(args.dir, s) for s in ("search", "test")}
        rows = table(pipeline, splits)
        if args.expected:
            expected(pipeline, args.dir, rows)


if __name__ == "__main__":
    main()
