#!/usr/bin/env python3
"""Writes keypoints.npz beside itself, from a table of key points: make.py keypoint.csv (each row: class, 42 coordinates)."""
import csv
import os
import struct
import sys
import zipfile

here = os.path.dirname(os.path.abspath(__file__))
with open(sys.argv[1], encoding="utf-8-sig", newline="") as f:
    rows = [row for row in csv.reader(f) if row]
labels = [int(row[0]) for row in rows]
values = [float(v) for row in rows for v in row[1:]]
assert len(values) == 42 * len(rows), "42 coordinates a row"


def npy(kind, shape, data):
    header = "{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (kind, shape)
    header += " " * (63 - (len(header) + 10) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data


def put(z, name, data):  # the same bytes whenever it is written
    z.writestr(zipfile.ZipInfo(name, (2000, 1, 1, 0, 0, 0)), data)


with zipfile.ZipFile(os.path.join(here, "keypoints.npz"), "w") as z:
    put(z, "image.npy", npy("<f4", (len(rows), 1, 1, 42), struct.pack("<%df" % len(values), *values)))
    put(z, "label.npy", npy("<i8", (len(rows),), struct.pack("<%dq" % len(labels), *labels)))
print("keypoints.npz: %d rows" % len(rows))
