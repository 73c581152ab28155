#!/usr/bin/env python3
"""Trains the three networks and writes them as ONNX files (opset 13, BatchNorm left unfolded).

    train.py detector   CACHE [--epochs E] [--threads T]
    train.py keypoints  CACHE [--epochs E] [--threads T]   (with a first classifier behind it)
    train.py classifier CACHE [--epochs E] [--threads T]   (on points as the two networks before it give them)
    train.py export     CACHE DIR

CACHE is a folder for the training pictures (drawn when missing) and the checkpoints.  Seeds are fixed; results
still differ a little between processors and numbers of threads.
"""
import argparse
import os
import time

import numpy as np
import torch
import torch.nn.functional as F

import generate
import nets


def batches(rng, n, size):
    order = torch.from_numpy(rng.permutation(n))
    return [order[i:i + size] for i in range(0, n - size + 1, size)]


def recolour(x):
    """Random gain per channel, brightness and a little noise."""
    n = len(x)
    x = x * (1 + 0.12 * torch.randn(n, 3, 1, 1)) + 0.05 * torch.randn(n, 1, 1, 1)
    return (x + 0.03 * torch.rand(n, 1, 1, 1) * torch.randn_like(x)).clamp(0, 1)


def flip_points(points):
    return torch.stack([1 - points[..., 0], points[..., 1]], -1)


def detector_batch(images, boxes):
    """Flips, zooms, shifts and recolours pictures with their boxes."""
    n = len(images)
    x = images.permute(0, 3, 1, 2).float() / 255
    flip = torch.rand(n) < 0.5
    zoom = torch.exp(torch.empty(n).uniform_(-0.2, 0.2))
    shift = torch.empty(n, 2).uniform_(-0.12, 0.12)
    sign = torch.where(flip, -1.0, 1.0)
    theta = torch.zeros(n, 2, 3)  # output -> input, both in -1..1
    theta[:, 0, 0], theta[:, 1, 1], theta[:, :, 2] = zoom * sign, zoom, shift
    x = F.grid_sample(x, F.affine_grid(theta, x.shape, align_corners=False), padding_mode="border",
                      align_corners=False)
    centre = 2 * boxes[:, :2] - 1 - shift
    centre = torch.stack([centre[:, 0] / (zoom * sign), centre[:, 1] / zoom], 1)
    return recolour(x), torch.cat([(centre + 1) / 2, boxes[:, 2:] / zoom[:, None]], 1)


def detector_loss(out, boxes):
    """Cross entropy of the scores (cells beside the hand's count little) and box loss in the cells around it."""
    g = nets.GRID
    score, box = nets.cells(out)
    n = len(out)
    j = torch.arange(g).repeat(g) + 0.5
    i = torch.arange(g).repeat_interleave(g) + 0.5
    centre = (boxes[:, :2] * g).clamp(0, g - 1e-3)
    dx, dy = j[None] - centre[:, :1], i[None] - centre[:, 1:]
    own = (centre[:, 1].long() * g + centre[:, 0].long())
    target = torch.zeros(n, g * g)
    target[torch.arange(n), own] = 1
    near = (dx * dx + dy * dy < 2.25).float()
    weight = torch.where(near > 0, 0.05, 1.0)
    weight[torch.arange(n), own] = 6.0
    bce = (F.binary_cross_entropy_with_logits(score, target, reduction="none") * weight).sum(1).mean()
    pick = F.cross_entropy(score, own)
    inside = torch.stack([torch.minimum(torch.maximum(boxes[:, None, 0], (j - 0.5) / g), (j + 0.5) / g),
                          torch.minimum(torch.maximum(boxes[:, None, 1], (i - 0.5) / g), (i + 0.5) / g)], -1)
    goal = torch.cat([inside, boxes[:, None, 2:].expand(n, g * g, 2).clamp(0, 1)], -1)
    size = boxes[:, None, 2:].amax(-1, keepdim=True)
    miss = (F.smooth_l1_loss(box / size, goal / size, reduction="none", beta=0.05).sum(-1) * near).sum(1)
    return bce + pick + 4 * (miss / near.sum(1).clamp(min=1)).mean()


def schedule(net_params, lr, steps, decay=1e-3):
    opt = torch.optim.AdamW(net_params, lr=lr, weight_decay=decay)
    plan = torch.optim.lr_scheduler.OneCycleLR(opt, lr, total_steps=steps, pct_start=0.15)
    return opt, plan


def train_detector(args, images, boxes):
    net = nets.detector().to(memory_format=torch.channels_last)
    if args.resume:
        net.load_state_dict(torch.load(os.path.join(args.cache, "detector.pt")))
    else:
        net.head.bias.data[0] = -4  # one cell of 144 holds the hand
    rng, size = np.random.default_rng(1), 32
    opt, plan = schedule(net.parameters(), args.lr or 3e-3, args.epochs * (len(images) // size))
    for epoch in range(args.epochs):
        net.train()
        total, start = 0.0, time.time()
        for rows in batches(rng, len(images), size):
            x, b = detector_batch(images[rows], boxes[rows])
            loss = detector_loss(net(x.contiguous(memory_format=torch.channels_last)), b)
            opt.zero_grad()
            loss.backward()
            opt.step()
            plan.step()
            total += loss.item() * size
        print(f"detector {epoch} loss {total / len(images):.4f} {time.time() - start:.0f} s", flush=True)
        torch.save(net.state_dict(), os.path.join(args.cache, "detector.pt"))


def jitter(boxes):
    """Boxes as a detector gives them: a little off in place and size."""
    n = len(boxes)
    side = boxes[:, 2:].amax(1, keepdim=True)
    centre = boxes[:, :2] + side * 0.05 * torch.randn(n, 2)
    return torch.cat([centre, boxes[:, 2:] * torch.exp(0.07 * torch.randn(n, 1))], 1)


def crop_batch(images, boxes, points):
    """Crops around jittered boxes, turned and flipped at random, with points in crop coordinates."""
    n = len(images)
    x = images.permute(0, 3, 1, 2).float() / 255
    boxes = jitter(boxes)
    angle = torch.randn(n).clamp(-2, 2) * 0.08
    out = nets.crop(x, boxes, angle=angle)
    size = images.shape[1]
    side = nets.ENLARGE * boxes[:, 2:].amax(1) * size
    d = (points.reshape(n, 21, 2) - boxes[:, None, :2]) * size / side[:, None, None]
    c, s = torch.cos(angle)[:, None], torch.sin(angle)[:, None]
    p = torch.stack([c * d[..., 0] + s * d[..., 1], -s * d[..., 0] + c * d[..., 1]], -1) + 0.5
    flip = torch.rand(n) < 0.5
    out[flip] = out[flip].flip(-1)
    p[flip] = flip_points(p[flip])
    return recolour(out), p.reshape(n, 42)


def disturb(layers):
    """Adds noise of half a 4-bit step to the weights of these layers; returns what they were."""
    kept = [layer.weight.data for layer in layers]
    for layer in layers:
        w = layer.weight.data
        step = w.abs().reshape(len(w), -1).amax(1).reshape(-1, *[1] * (w.dim() - 1)) / 7
        layer.weight.data = w + step * (torch.rand_like(w) - 0.5)
    return kept


def train_keypoints(args, images, labels, boxes, points):
    net, head = nets.keypoints().to(memory_format=torch.channels_last), nets.classifier()
    if args.resume:
        net.load_state_dict(torch.load(os.path.join(args.cache, "keypoints.pt")))
        head.load_state_dict(torch.load(os.path.join(args.cache, "classifier.pt")))
    else:
        net.fc2.bias.data.fill_(0.5)
    rng, size = np.random.default_rng(2), 32
    params = list(net.parameters()) + list(head.parameters())
    opt, plan = schedule(params, args.lr or 2e-3, args.epochs * (len(images) // size))
    for epoch in range(args.epochs):
        net.train()
        total, hits, start = 0.0, 0, time.time()
        for rows in batches(rng, len(images), size):
            x, p = crop_batch(images[rows], boxes[rows], points[rows])
            heavy = [net.conv6, net.fc1] if args.weight_noise else []
            kept = disturb(heavy)
            out = net(x.contiguous(memory_format=torch.channels_last))
            place = F.smooth_l1_loss(out, p, beta=0.02) * 42
            logits = head(nets.normalise(out))
            loss = place + args.label_weight * F.cross_entropy(logits, labels[rows])
            opt.zero_grad()
            loss.backward()
            for layer, w in zip(heavy, kept):
                layer.weight.data = w
            torch.nn.utils.clip_grad_norm_(params, 5.0)
            opt.step()
            plan.step()
            total += place.item() * size
            hits += (logits.argmax(1) == labels[rows]).sum().item()
        print(f"keypoints {epoch} loss {total / len(images):.4f} right {hits / len(images):.4f} "
              f"{time.time() - start:.0f} s", flush=True)
        torch.save(net.state_dict(), os.path.join(args.cache, "keypoints.pt"))
        torch.save(head.state_dict(), os.path.join(args.cache, "classifier.pt"))


def train_classifier(args, images, labels):
    """Trains on the points that the trained detector and keypoints networks give, crops slightly moved."""
    det, net, head = nets.detector().eval(), nets.keypoints().eval(), nets.classifier()
    det.load_state_dict(torch.load(os.path.join(args.cache, "detector.pt")))
    net.load_state_dict(torch.load(os.path.join(args.cache, "keypoints.pt")))
    head.load_state_dict(torch.load(os.path.join(args.cache, "classifier.pt")))
    xs, ys = [], []
    with torch.no_grad():
        for start in range(0, len(images), 250):
            rows = slice(start, start + 250)
            x = images[rows].permute(0, 3, 1, 2).float() / 255
            found, box = nets.best_box(det(x))
            for _ in range(args.views):
                moved = torch.cat([box[:, :2] + 0.02 * box[:, 2:].amax(1, keepdim=True) * torch.randn(len(x), 2),
                                   box[:, 2:] * torch.exp(0.03 * torch.randn(len(x), 1))], 1)
                xs.append(nets.normalise(net(nets.crop(x, moved)))[found])
                ys.append(labels[rows][found])
    xs, ys = torch.cat(xs), torch.cat(ys)
    rng, size = np.random.default_rng(3), 256
    opt, plan = schedule(head.parameters(), args.lr or 2e-3, args.epochs * (len(xs) // size))
    for epoch in range(args.epochs):
        total, hits = 0.0, 0
        for rows in batches(rng, len(xs), size):
            logits = head(xs[rows] + 0.01 * torch.randn(len(rows), 42))
            loss = F.cross_entropy(logits, ys[rows], label_smoothing=0.02)
            opt.zero_grad()
            loss.backward()
            opt.step()
            plan.step()
            total, hits = total + loss.item() * size, hits + (logits.argmax(1) == ys[rows]).sum().item()
    print(f"classifier loss {total / len(xs):.4f} right {hits / len(xs):.4f}")
    torch.save(head.state_dict(), os.path.join(args.cache, "classifier.pt"))


def to_onnx(name, net):
    """Writes a Sequential of known modules as an ONNX graph; nodes carry the modules' names."""
    import onnx
    from onnx import helper, numpy_helper, TensorProto
    source, shape = nets.INPUTS[name]
    net.eval()
    nodes, weights, last = [], [], source

    def keep(key, tensor):
        weights.append(numpy_helper.from_array(tensor.detach().contiguous().numpy(), key))
        return key

    modules = list(net.named_children())
    for k, (key, m) in enumerate(modules):
        out = "output" if k == len(modules) - 1 else key + "_out"
        inputs, extra = [last], {}
        if isinstance(m, torch.nn.Conv2d):
            kind = "Conv"
            pad = m.padding[0]
            extra = dict(kernel_shape=list(m.kernel_size), strides=list(m.stride), pads=[pad] * 4, group=m.groups,
                         dilations=[1, 1])
        elif isinstance(m, torch.nn.Linear):
            kind, extra = "Gemm", dict(transB=1)
        elif isinstance(m, torch.nn.BatchNorm2d):
            kind, extra = "BatchNormalization", dict(epsilon=m.eps)
        elif isinstance(m, torch.nn.Flatten):
            kind, extra = "Flatten", dict(axis=1)
        else:
            kind = {torch.nn.ReLU: "Relu"}[type(m)]
        for part in ("weight", "bias", "running_mean", "running_var"):
            if getattr(m, part, None) is not None:
                inputs.append(keep(f"{key}.{part}", getattr(m, part)))
        nodes.append(helper.make_node(kind, inputs, [out], name=key, **extra))
        last = out
    with torch.no_grad():
        final = tuple(net(torch.zeros(shape)).shape)
    graph = helper.make_graph(
        nodes, name, [helper.make_tensor_value_info(source, TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, final)], weights)
    model = helper.make_model(graph, producer_name="pare sample pipeline",
                              opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    onnx.checker.check_model(model, full_check=True)
    return model


def export(args):
    import onnx
    for name in ("detector", "keypoints", "classifier"):
        net = getattr(nets, name)()
        net.load_state_dict(torch.load(os.path.join(args.cache, name + ".pt")))
        onnx.save(to_onnx(name, net), os.path.join(args.dir, name + ".onnx"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["detector", "keypoints", "classifier", "export"])
    parser.add_argument("cache")
    parser.add_argument("dir", nargs="?", default="..")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--lr", type=float)
    parser.add_argument("--label-weight", type=float, default=0.5)
    parser.add_argument("--views", type=int, default=3)
    parser.add_argument("--weight-noise", action="store_true", help="keypoints: make the two heavy layers robust")
    parser.add_argument("--resume", action="store_true", help="start from the checkpoint in CACHE")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    if args.what == "export":
        return export(args)
    arrays = generate.training_set(os.path.join(args.cache, "train.npz"))
    images, labels, boxes, points = (torch.from_numpy(a) for a in arrays)
    if args.what == "detector":
        train_detector(args, images, boxes)
    elif args.what == "keypoints":
        train_keypoints(args, images, labels, boxes, points)
    else:
        train_classifier(args, images, labels)


if __name__ == "__main__":
    main()
