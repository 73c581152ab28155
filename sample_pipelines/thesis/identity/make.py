#!/usr/bin/env python3
"""Writes identity.onnx (a fully connected layer of one weight, 1) and values.npz (103..150, each its own label)."""
import io
import os
import struct
import zipfile

here = os.path.dirname(os.path.abspath(__file__))


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def value_info(name):  # float[1,1]
    dims = field(1, field(1, 1)) + field(1, field(1, 1))
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, dims)))


node = field(1, "x") + field(1, "w") + field(2, "y") + field(3, "identity") + field(4, "MatMul")
weight = field(1, 1) + field(1, 1) + field(2, 1) + field(8, "w") + field(9, struct.pack("<f", 1.0))
graph = field(1, node) + field(2, "identity") + field(5, weight) + field(11, value_info("x")) + field(12, value_info("y"))
model = field(1, 7) + field(2, "pare") + field(7, graph) + field(8, field(1, "") + field(2, 13))
with open(os.path.join(here, "identity.onnx"), "wb") as f:
    f.write(model)


def npy(kind, shape, data):
    header = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (kind, shape)
    header += " " * (63 - (len(header) + 10) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data


values = range(103, 151)
with zipfile.ZipFile(os.path.join(here, "values.npz"), "w") as z:
    for name, data in (("image.npy", npy("<f4", "(48, 1, 1, 1)", struct.pack("<48f", *values))),
                       ("label.npy", npy("<i8", "(48,)", struct.pack("<48q", *values)))):
        z.writestr(zipfile.ZipInfo(name, (2026, 11, 21, 0, 0, 0)), data)
