"""Writes a small ONNX file whose layers are sick, one each: argument: the file.
  x -> nan (a weight is NaN) -> relu -> dead (channel 1: weights 0, bias 50) -> relu -> add -> last -> pool -> y
  x -> still (all weights 0, biases 3) -> reads (its input is the constant 3) ------------^"""
import random
import struct
import sys


def varint(v):
    out = b""
    while v > 127:
        out += bytes([v & 127 | 128])
        v >>= 7
    return out + bytes([v])


def number(field, v):
    return varint(field << 3) + varint(v)


def message(field, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(field << 3 | 2) + varint(len(data)) + data


def tensor(name, dims, values):
    return message(5, b"".join(number(1, d) for d in dims) + number(2, 1) + message(8, name) +
                   message(9, struct.pack("<%df" % len(values), *values)))


def ints(name, values):
    return message(5, message(1, name) + b"".join(number(8, v) for v in values) + number(20, 7))


def node(op, name, inputs, output, attributes=b""):
    return message(1, b"".join(message(1, i) for i in inputs) + message(2, output) + message(3, name) + message(4, op) +
                   attributes)


def value(field, name, dims):
    shape = b"".join(message(1, number(1, d)) for d in dims)
    return message(field, message(1, name) + message(2, message(1, number(1, 1) + message(2, shape))))


def main():
    rng = random.Random(3)
    channels = 8
    nodes, weights = [], []

    def conv(name, x, in_c, change=lambda w, b: None):
        w = [rng.uniform(-0.5, 0.5) for _ in range(channels * in_c * 9)]
        b = [rng.uniform(-0.1, 0.1) for _ in range(channels)]
        change(w, b)
        weights.append(tensor(name + "_w", [channels, in_c, 3, 3], w) + tensor(name + "_b", [channels], b))
        nodes.append(node("Conv", name, [x, name + "_w", name + "_b"], name + "_y", ints("pads", [1, 1, 1, 1])))
        return name + "_y"

    def nan(w, b):
        w[40] = float("nan")

    def dead(w, b):
        w[72:144] = [0.0] * 72
        b[1] = 50.0

    def still(w, b):
        w[:] = [0.0] * len(w)
        b[:] = [3.0] * len(b)

    a = conv("nan", "x", 3, nan)
    nodes.append(node("Relu", "relu1", [a], "r1"))
    a = conv("dead", "r1", channels, dead)
    nodes.append(node("Relu", "relu2", [a], "r2"))
    b = conv("reads", conv("still", "x", 3, still), channels)
    nodes.append(node("Add", "add", ["r2", b], "sum"))
    nodes.append(node("GlobalAveragePool", "pool", [conv("last", "sum", channels)], "y"))
    graph = b"".join(nodes) + message(2, "sick") + b"".join(weights) + value(11, "x", [1, 3, 16, 16]) + value(12, "y", [1, channels, 1, 1])
    with open(sys.argv[1], "wb") as f:
        f.write(number(1, 8) + message(7, graph) + message(8, number(2, 13)))


main()
