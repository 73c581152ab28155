#!/usr/bin/env python3
"""Draws the pictures of the sample pipeline: one hand in clutter, 96 x 96 RGB, stored as JPEG.

    generate.py splits DIR          writes DIR/calibration, DIR/search and DIR/test as folders of classes
    generate.py train FILE.npz [N]  writes N training pictures (JPEG bytes), labels, boxes and key points
    generate.py sheet FILE.png      a contact sheet to look at

Every picture is a function of (split seed, index), so any one of them can be drawn again alone.
Box: cx, cy, w, h of the hand without forearm, key points: 21 x (x, y); both as fractions of the picture.
"""
import io
import math
import os
import sys
from multiprocessing import Pool

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

import hand

SIZE = 96
OVER = 2  # drawn at twice the size, then averaged
QUALITY = 85
SPLITS = {"calibration": (11, 300), "search": (12, 2000), "test": (13, 2000)}
TRAIN_SEED = 10
N_TRAIN = 16000


def skin(rng):
    """A skin colour, or at times a glove's, as RGB in 0..1."""
    if rng.random() < 0.08:
        return rng.uniform(0.15, 0.95, 3)
    light, dark = np.array([0.96, 0.80, 0.69]), np.array([0.30, 0.19, 0.13])
    t = rng.random()
    return np.clip(light * (1 - t) + dark * t + rng.normal(0, 0.03, 3), 0.05, 1.0)


def background(rng, size):
    """Gradient, soft noise and shapes; (size, size, 3) in 0..1."""
    base = rng.uniform(0, 1, 3) * rng.uniform(0.2, 1)
    corners = np.clip(base + rng.normal(0, 0.18, (2, 2, 3)), 0, 1)
    image = Image.fromarray((corners * 255).astype(np.uint8)).resize((size, size), Image.BILINEAR)
    draw = ImageDraw.Draw(image)
    for _ in range(rng.integers(0, 12)):
        colour = skin(rng) if rng.random() < 0.3 else np.clip(base + rng.normal(0, 0.35, 3), 0, 1)
        colour = tuple(int(255 * c) for c in colour)
        x, y = rng.uniform(0, size, 2)
        kind, r = rng.integers(4), size * rng.uniform(0.04, 0.3)
        if kind == 0:
            draw.ellipse([x - r, y - r * 0.7, x + r, y + r * 0.7], fill=colour)
        elif kind == 1:
            angles = np.sort(rng.uniform(0, 2 * math.pi, rng.integers(3, 6)))
            draw.polygon([(x + r * math.cos(a), y + r * math.sin(a)) for a in angles], fill=colour)
        elif kind == 2:
            x2, y2 = rng.uniform(0, size, 2)
            draw.line([x, y, x2, y2], fill=colour, width=int(rng.integers(2, 14)))
        else:
            draw.rectangle([x - r, y - r * 0.5, x + r, y + r * 0.5], fill=colour)
    if rng.random() < 0.6:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 4)))
    out = np.asarray(image, np.float32) / 255
    n = int(rng.integers(4, 20))
    grain = Image.fromarray(rng.normal(0, 1, (n, n)).astype(np.float32)).resize((size, size), Image.BILINEAR)
    return out + rng.uniform(0, 0.10) * np.asarray(grain)[..., None]


def raise_capsules(shapes, size):
    """Height field of tapered capsules seen from +z: (height, part); part is -1 where nothing is."""
    height = np.full((size, size), -1e9, np.float32)
    part = np.full((size, size), -1, np.int8)
    for a, b, ra, rb, kind in shapes:
        r = max(ra, rb) + 1
        x0, x1 = int(max(0, min(a[0], b[0]) - r)), int(min(size, max(a[0], b[0]) + r + 1))
        y0, y1 = int(max(0, min(a[1], b[1]) - r)), int(min(size, max(a[1], b[1]) + r + 1))
        if x0 >= x1 or y0 >= y1:
            continue
        dx, dy = b[0] - a[0], b[1] - a[1]
        px = np.arange(x0, x1, dtype=np.float32)[None, :] + 0.5 - a[0]
        py = np.arange(y0, y1, dtype=np.float32)[:, None] + 0.5 - a[1]
        t = np.clip((px * dx + py * dy) / (dx * dx + dy * dy + 1e-6), 0, 1).astype(np.float32)
        d2 = (px - t * dx) ** 2 + (py - t * dy) ** 2
        rise = (ra + (rb - ra) * t) ** 2 - d2
        z = np.where(rise > 0, a[2] + (b[2] - a[2]) * t + np.sqrt(np.maximum(rise, 0)), -1e9)
        view, kinds = height[y0:y1, x0:x1], part[y0:y1, x0:x1]
        nearer = z > view
        view[nearer] = z[nearer]
        kinds[nearer] = kind
    return height, part


def shade(height, light, ambient):
    """Lambert shading of a height field; steps between fingers come out as dark or bright edges."""
    z = np.maximum(height, height[height > -1e8].min() - 2 if (height > -1e8).any() else 0)
    gy, gx = np.gradient(z)
    dot = (-gx * light[0] - gy * light[1] + light[2]) / np.sqrt(gx * gx + gy * gy + 1)
    return ambient + (1 - ambient) * np.clip(dot, 0, 1)


def lay(rng, image, shapes, colours, light, ambient):
    """Draws shaded capsules over the picture; returns their mask."""
    height, part = raise_capsules(shapes, image.shape[0])
    mask = part >= 0
    if not mask.any():
        return mask
    tone = shade(height, light, ambient)[..., None]
    texture = 1 + rng.uniform(0, 0.06) * rng.normal(0, 1, tone.shape)
    image[mask] = (colours[np.maximum(part, 0)] * tone * texture)[mask]
    return mask


def bars(rng, size):
    """Finger-like distractors: a few loose capsules, alone or side by side."""
    out, n = [], int(rng.integers(1, 5))
    x, y = rng.uniform(0, size, 2)
    angle, r = rng.uniform(0, 2 * math.pi), size * rng.uniform(0.015, 0.045)
    for _ in range(n):
        length = size * rng.uniform(0.08, 0.35)
        a = angle + rng.normal(0, 0.25)
        end = np.array([x + length * math.cos(a), y + length * math.sin(a), 0])
        out.append((np.array([x, y, 0.0]), end, r, r * rng.uniform(0.7, 1), 0))
        x, y = x - math.sin(angle) * r * rng.uniform(1.8, 5), y + math.cos(angle) * r * rng.uniform(1.8, 5)
    return out


def occlude(rng, image, points, unit):
    """Lays a bar, a disc or loose bars over a part of the hand."""
    size = image.shape[0]
    at = points[rng.integers(21), :2] + rng.normal(0, 0.15 * unit, 2)
    colour = skin(rng) if rng.random() < 0.35 else rng.uniform(0, 1, 3)
    angle, r = rng.uniform(0, 2 * math.pi), unit * rng.uniform(0.06, 0.18)
    reach = unit * rng.uniform(0.0, 0.7)
    d = np.array([math.cos(angle), math.sin(angle)]) * reach
    flat = [(np.array([*(at - d), 0]), np.array([*(at + d), 0]), r, r, 0)]
    _, part = raise_capsules(flat, size)
    image[part >= 0] = colour * rng.uniform(0.7, 1.1)


def picture(seed, index):
    """One sample: (JPEG bytes, label, box[4], points[42])."""
    rng = np.random.default_rng([seed, index])
    label = index % len(hand.CLASSES)
    gesture, size = hand.CLASSES[label], SIZE * OVER
    joints, sideways = hand.pose(rng, gesture)
    points, elbow, unit = hand.place(rng, joints, gesture, sideways, size)

    image = background(rng, size)
    azimuth, tilt = rng.uniform(0, 2 * math.pi), rng.uniform(0.2, 1.2)
    light = np.array([math.cos(azimuth) * math.sin(tilt), math.sin(azimuth) * math.sin(tilt), math.cos(tilt)])
    ambient, tone = rng.uniform(0.25, 0.65), skin(rng)
    for _ in range(rng.integers(0, 3)):
        other = tone if rng.random() < 0.25 else skin(rng)
        lay(rng, image, bars(rng, size), np.array([other]), light, ambient)

    with_arm = rng.random() < 0.7
    sleeve = rng.uniform(0, 1, 3) if rng.random() < 0.4 else tone
    shapes = hand.primitives(points, elbow, unit, with_arm)
    if rng.random() < 0.4:  # a soft shadow behind the hand
        _, part = raise_capsules(shapes, size)
        shift = (rng.normal(0, 0.12, 2) * unit).astype(int)
        dark = Image.fromarray(np.roll(part >= 0, shift, (0, 1)).astype(np.uint8) * 255)
        dark = np.asarray(dark.filter(ImageFilter.GaussianBlur(rng.uniform(1, 6))), np.float32) / 255
        image = image * (1 - rng.uniform(0.2, 0.6) * dark[..., None])
    lay(rng, image, shapes, np.array([tone, sleeve]), light, ambient)
    for _ in range(rng.choice([0, 1, 2], p=[0.72, 0.24, 0.04])):
        occlude(rng, image, points, unit)

    image = image.reshape(SIZE, OVER, SIZE, OVER, 3).mean((1, 3))
    image = (image - 0.5) * rng.uniform(0.7, 1.15) + 0.5 + rng.normal(0, 0.06)  # contrast, brightness
    image = np.clip(image, 0, 1) ** rng.uniform(0.7, 1.5) * (1 + rng.normal(0, 0.06, 3))
    image = Image.fromarray((np.clip(image, 0, 1) * 255).astype(np.uint8))
    if rng.random() < 0.4:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.0)))
    noise = rng.normal(0, 255 * abs(rng.normal(0, 0.022)), (SIZE, SIZE, 3))
    image = Image.fromarray(np.clip(np.asarray(image) + noise + 0.5, 0, 255).astype(np.uint8))
    data = io.BytesIO()
    image.save(data, "JPEG", quality=QUALITY)

    flat = points[:, :2] / size
    low, high = flat.min(0) - 0.11 * unit / size, flat.max(0) + 0.11 * unit / size
    box = np.concatenate([(low + high) / 2, high - low])
    return data.getvalue(), label, box.astype(np.float32), flat.reshape(-1).astype(np.float32)


def _picture(args):
    return picture(*args)


def draw(seed, n, workers=2):
    """The first n samples of a seed, in order."""
    with Pool(workers) as pool:
        return pool.map(_picture, [(seed, i) for i in range(n)], chunksize=64)


def decode(data):
    """JPEG bytes to uint8 (SIZE, SIZE, 3)."""
    return np.array(Image.open(io.BytesIO(data)).convert("RGB"))


def write_splits(root):
    for split, (seed, n) in SPLITS.items():
        total, counts = 0, [0] * len(hand.CLASSES)
        for data, label, _, _ in draw(seed, n):
            folder = os.path.join(root, split, hand.CLASSES[label])
            os.makedirs(folder, exist_ok=True)
            counts[label] += 1
            with open(os.path.join(folder, f"{counts[label]:04d}.jpg"), "wb") as f:
                f.write(data)
            total += len(data)
        print(split, n, "pictures,", total, "bytes")


def load_split(root, split):
    """A split as Pare reads it: folders sorted by byte, files sorted by byte. (images uint8, labels)"""
    images, labels = [], []
    for label, name in enumerate(sorted(os.listdir(os.path.join(root, split)))):
        folder = os.path.join(root, split, name)
        for file in sorted(os.listdir(folder)):
            with open(os.path.join(folder, file), "rb") as f:
                images.append(decode(f.read()))
            labels.append(label)
    return np.array(images), np.array(labels)


def training_set(path, n=N_TRAIN):
    """Training arrays images (uint8), labels, boxes, points; drawn once and kept in `path`."""
    if not os.path.exists(path):
        rows = draw(TRAIN_SEED, n)
        np.savez(path, images=np.array([decode(r[0]) for r in rows]), labels=np.array([r[1] for r in rows]),
                 boxes=np.array([r[2] for r in rows]), points=np.array([r[3] for r in rows]))
    with np.load(path) as f:
        return f["images"], f["labels"], f["boxes"], f["points"]


def sheet(path, columns=12, rows=8):
    out = Image.new("RGB", (columns * SIZE * 2, rows * SIZE * 2))
    for i in range(columns * rows):
        k = i % 8 + 8 * (i // 8)
        data, _, box, points = picture(99, k)
        image = Image.fromarray(decode(data)).resize((2 * SIZE, 2 * SIZE), Image.NEAREST)
        if (i // 8) % 3 == 2:
            d = ImageDraw.Draw(image)
            c, s = box[:2] * 2 * SIZE, box[2:] * SIZE
            d.rectangle([*(c - s), *(c + s)], outline=(0, 255, 0))
            for p in points.reshape(21, 2) * 2 * SIZE:
                d.ellipse([*(p - 2), *(p + 2)], fill=(255, 0, 0))
        out.paste(image, ((i // 8) * 2 * SIZE, (i % 8) * 2 * SIZE))
    out.save(path)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    if sys.argv[1] == "splits":
        write_splits(sys.argv[2])
    elif sys.argv[1] == "train":
        training_set(sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else N_TRAIN)
    else:
        sheet(sys.argv[2])
