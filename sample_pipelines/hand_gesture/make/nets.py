"""The three networks, as PyTorch modules, and the glue between them.

Convolutions are followed by BatchNorm and ReLU; the layers' names are those of the ONNX nodes."""
from collections import OrderedDict

import torch
from torch import nn
import torch.nn.functional as F

GRID = 12
CROP = 64
ENLARGE = 1.2


def _conv(layers, name, cin, cout, k, stride=1, groups=1):
    layers[name] = nn.Conv2d(cin, cout, k, stride, k // 2, groups=groups, bias=False)
    layers["bn_" + name] = nn.BatchNorm2d(cout)
    layers["relu_" + name] = nn.ReLU()


def _separable(layers, i, cin, cout, k, stride=1):
    """Depthwise dw<i>, then pointwise pw<i>."""
    _conv(layers, f"dw{i}", cin, cin, k, stride, groups=cin)
    _conv(layers, f"pw{i}", cin, cout, 1)


def detector():
    """(N, 3, 96, 96) in 0..1 -> (N, 5, 12, 12): score logit and dx, dy, w, h logits."""
    layers = OrderedDict()
    _conv(layers, "conv1", 3, 16, 3, 2)
    _separable(layers, 2, 16, 32, 3, 2)
    _separable(layers, 3, 32, 64, 5, 2)
    _separable(layers, 4, 64, 128, 5)
    _separable(layers, 5, 128, 160, 5)
    _separable(layers, 6, 160, 160, 5)
    layers["head"] = nn.Conv2d(160, 5, 1)
    return nn.Sequential(layers)


def keypoints():
    """(N, 3, 64, 64) in 0..1 -> (N, 42): x, y of 21 points, 0..1 inside the crop."""
    layers = OrderedDict()
    _conv(layers, "conv1", 3, 16, 3, 2)
    _separable(layers, 2, 16, 32, 3)
    _separable(layers, 3, 32, 64, 3, 2)
    _separable(layers, 4, 64, 96, 3)
    _separable(layers, 5, 96, 128, 5, 2)
    _conv(layers, "conv6", 128, 96, 3, 2)
    layers["flatten"] = nn.Flatten()
    layers["fc1"] = nn.Linear(96 * 16, 128)
    layers["relu_fc1"] = nn.ReLU()
    layers["fc2"] = nn.Linear(128, 42)
    return nn.Sequential(layers)


def classifier():
    """(N, 42) normalised points -> (N, 8) logits in the order of hand.CLASSES."""
    return nn.Sequential(OrderedDict(
        fc1=nn.Linear(42, 96), relu_fc1=nn.ReLU(), fc2=nn.Linear(96, 64), relu_fc2=nn.ReLU(), fc3=nn.Linear(64, 8)))


INPUTS = {"detector": ("image", (1, 3, 96, 96)), "keypoints": ("crop", (1, 3, CROP, CROP)), "classifier": ("points", (1, 42))}


def cells(out):
    """Detector output -> scores (N, G*G) and boxes (N, G*G, 4) as cx, cy, w, h in fractions of the picture."""
    n, g = out.shape[0], out.shape[-1]
    flat = out.reshape(n, 5, g * g)
    at = torch.sigmoid(flat[:, 1:])
    j = torch.arange(g).repeat(g).to(out)
    i = torch.arange(g).repeat_interleave(g).to(out)
    return flat[:, 0], torch.stack([(j + at[:, 0]) / g, (i + at[:, 1]) / g, at[:, 2], at[:, 3]], -1)


def best_box(out):
    """The cell with the largest score: (found (N) where sigmoid(score) >= 0.5, box (N, 4))."""
    score, box = cells(out)
    top = score.argmax(1)
    rows = torch.arange(len(out))
    return score[rows, top] >= 0, box[rows, top]


def crop(images, boxes, enlarge=ENLARGE, angle=None):
    """Square crops of side enlarge * max(w * W, h * H) pixels around the boxes' centres, CROP x CROP.

    Output pixel (i, j) samples the source bilinearly at x = cx*W + ((j+0.5)/CROP - 0.5)*side - 0.5, y likewise;
    outside the picture is 0.  Training also turns them by `angle` (radians)."""
    n, _, h, w = images.shape
    side = enlarge * torch.maximum(boxes[:, 2] * w, boxes[:, 3] * h)
    step = (torch.arange(CROP) + 0.5) / CROP - 0.5
    u = step[None, None, :].expand(n, CROP, CROP) * side[:, None, None]
    v = step[None, :, None].expand(n, CROP, CROP) * side[:, None, None]
    if angle is not None:
        c, s = torch.cos(angle)[:, None, None], torch.sin(angle)[:, None, None]
        u, v = c * u - s * v, s * u + c * v
    x = (boxes[:, 0] * w)[:, None, None] + u  # grid_sample: -1 and 1 are the picture's outer edges
    y = (boxes[:, 1] * h)[:, None, None] + v
    grid = torch.stack([2 * x / w - 1, 2 * y / h - 1], -1)
    return F.grid_sample(images, grid, "bilinear", "zeros", align_corners=False)


def normalise(points):
    """Subtracts the wrist, divides by the largest absolute value."""
    p = points.reshape(len(points), 21, 2)
    p = (p - p[:, :1]).reshape(len(points), 42)
    top = p.abs().amax(1, keepdim=True)
    return p / torch.where(top > 0, top, torch.ones_like(top))
