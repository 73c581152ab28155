"""The articulated hand: gestures, joint angles, 21 key points, and the primitives that draw it.

A right hand lies with its wrist at the origin, fingers along +y, thumb at -x, palm towards the viewer (+z);
the length unit is wrist to middle knuckle.  Fingers are chains of three segments bent about the axis across
the palm.  The whole hand is then turned in 3D, mirrored at random and projected with a weak perspective.

Key points (the usual order of hand trackers): 0 wrist, 1-4 thumb, 5-8 index, 9-12 middle, 13-16 ring, 17-20 little.
"""
import math

import numpy as np

# Sorted by byte: the order of class folders and of the classifier's outputs.
CLASSES = ["Closed_Fist", "ILoveYou", "None", "Open_Palm", "Pointing_Up", "Thumb_Down", "Thumb_Up", "Victory"]

KNUCKLES = np.array([[-0.30, 0.93], [-0.09, 1.00], [0.13, 0.95], [0.33, 0.83]])  # index .. little
LENGTHS = [(0.46, 0.28, 0.22), (0.51, 0.31, 0.24), (0.47, 0.29, 0.23), (0.37, 0.22, 0.19)]
RADII = [0.118, 0.122, 0.115, 0.098]
SPLAY = [-7.0, -1.0, 5.0, 13.0]  # degrees from +y, at rest
THUMB_LENGTHS = (0.40, 0.33, 0.27)
THUMB_ROOT = np.array([-0.24, 0.20, 0.04])

# Which fingers (thumb, index, middle, ring, little) are stretched.
STRETCHED = {
    "Closed_Fist": (0, 0, 0, 0, 0),
    "ILoveYou": (1, 1, 0, 0, 1),
    "Open_Palm": (1, 1, 1, 1, 1),
    "Pointing_Up": (0, 1, 0, 0, 0),
    "Thumb_Down": (1, 0, 0, 0, 0),
    "Thumb_Up": (1, 0, 0, 0, 0),
    "Victory": (0, 1, 1, 0, 0),
}
# Poses that belong to no gesture; "None" also has relaxed, half-bent hands.
OTHER = [(0, 1, 1, 1, 0), (0, 0, 0, 0, 1), (0, 1, 0, 0, 1), (1, 1, 0, 0, 0), (0, 1, 1, 1, 1), (1, 0, 0, 0, 1)]


def _bend(rng, kind):
    """Joint angles of one finger in degrees: stretched, curled or half."""
    if kind == "stretched":
        return rng.uniform([-6, 0, 0], [20, 18, 14])
    if kind == "curled":
        return rng.uniform([62, 76, 35], [92, 108, 70])
    return rng.uniform([22, 28, 15], [55, 62, 40])


def _finger(root, phi, lengths, angles):
    """Joints of a finger: root and three further points; phi is its direction in the palm plane (radians)."""
    d = np.array([math.sin(phi), math.cos(phi), 0.0])
    out, p, a = [root], root, 0.0
    for length, angle in zip(lengths, np.radians(angles)):
        a += angle
        p = p + length * (math.cos(a) * d + np.array([0, 0, math.sin(a)]))
        out.append(p)
    return out


def _thumb(rng, state, sideways):
    """Joints of the thumb: stretched (sideways for thumb up and down), curled over the fingers, or half."""
    if state == "stretched":
        base = rng.uniform(-82, -62) if sideways else rng.uniform(-62, -38)
        phis, lift = (base, base + rng.uniform(-6, 14), base + rng.uniform(-12, 22)), (0.12, 0.05, 0.0)
    elif state == "curled":
        phis = (rng.uniform(-34, -14), rng.uniform(18, 48), rng.uniform(48, 84))
        lift = (0.55, 0.40, rng.uniform(0.0, 0.3))
    else:
        base = rng.uniform(-36, -16)
        phis, lift = (base, base + rng.uniform(8, 30), base + rng.uniform(18, 50)), (0.35, 0.25, 0.15)
    out, p = [THUMB_ROOT], THUMB_ROOT
    for length, phi, up in zip(THUMB_LENGTHS, phis, lift):
        f = math.radians(phi)
        d = np.array([math.sin(f), math.cos(f), up])
        p = p + length * d / np.linalg.norm(d)
        out.append(p)
    return out


def pose(rng, gesture):
    """(21, 3) key points of a hand in its own frame, and whether the thumb points away from the fingers."""
    sideways = gesture.startswith("Thumb_")
    if gesture == "None":
        if rng.random() < 0.75:
            kinds = ["half"] * 5
            for f in range(5):
                if rng.random() < 0.06:
                    kinds[f] = "stretched" if rng.random() < 0.5 else "curled"
        else:
            pick = OTHER[rng.integers(len(OTHER))]
            kinds = ["stretched" if s else "curled" for s in pick]
    else:
        kinds = ["stretched" if s else "curled" for s in STRETCHED[gesture]]
    # Sloppy hands: a curled finger is at times not quite closed, a stretched one not quite straight.
    spread = {"Victory": rng.uniform(1.2, 2.8), "Open_Palm": rng.uniform(0.6, 2.3)}.get(gesture, rng.uniform(0.4, 1.7))
    points = [np.zeros(3)] + _thumb(rng, kinds[0], sideways)
    for f in range(4):
        angles = _bend(rng, kinds[f + 1])
        if rng.random() < 0.05:
            angles = 0.72 * angles + 0.28 * _bend(rng, "half")
        phi = math.radians(SPLAY[f] * spread + rng.normal(0, 2.5))
        if gesture == "Victory" and f < 2:
            phi = math.radians((-1, 1)[f] * rng.uniform(7, 17) - 4)
        length = np.array(LENGTHS[f]) * rng.uniform(0.92, 1.08)
        points += _finger(np.array([*KNUCKLES[f], 0.0]), phi, length, angles)
    return np.array(points), sideways


def _rotation(yaw, pitch, roll):
    cy, sy, cp, sp, cr, sr = (f(a) for a in (yaw, pitch, roll) for f in (math.cos, math.sin))
    ry = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    rx = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    rz = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return rz @ rx @ ry


def place(rng, points, gesture, sideways, size):
    """Turn, mirror and project a hand into a picture of `size` pixels.

    Returns (21, 3) points in pixels (x right, y down, z towards the viewer), the forearm's far end, and the
    number of pixels that make one unit of length."""
    forearm = np.array([rng.normal(0, 0.18), -rng.uniform(1.0, 2.2), rng.normal(0, 0.25)])
    p = np.vstack([points, forearm])
    if rng.random() < 0.2:  # seen from the back: curled fingers hide behind the hand
        p[:, 2] = -p[:, 2]
    if sideways:  # bring the thumb's direction to straight up (or down)
        thumb = points[4] - points[2]
        roll = (math.pi / 2 if gesture == "Thumb_Up" else -math.pi / 2) - math.atan2(thumb[1], thumb[0])
    else:
        roll = 0.0
    limit = 38 if gesture != "None" else 48
    roll += math.radians(np.clip(rng.normal(0, 0.55 * limit), -limit, limit))
    if rng.random() < 0.5:  # the other hand
        p[:, 0] = -p[:, 0]
        roll = roll if not sideways else -roll
    yaw, pitch = math.radians(rng.uniform(-24, 24)), math.radians(rng.uniform(-20, 20))
    p = p @ _rotation(yaw, pitch, roll).T
    p *= (1 + 0.10 * p[:, 2:3])
    p[:, 1] = -p[:, 1]
    body = p[:21]
    low, high = body[:, :2].min(0) - 0.11, body[:, :2].max(0) + 0.11
    scale = size * math.exp(rng.uniform(math.log(0.50), math.log(0.92))) / (high - low).max()
    extent = (high - low) * scale
    cut = 0.06 * extent  # a hand may leave the picture a little
    centre = rng.uniform(np.minimum(extent / 2 - cut, size / 2), np.maximum(size - extent / 2 + cut, size / 2))
    offset = centre - scale * (low + high) / 2
    p *= scale
    p[:, :2] += offset
    return p[:21], p[21], scale


def primitives(points, forearm, unit, has_forearm):
    """Tapered capsules (a, b, radius a, radius b, part); part 0 skin of the hand, 1 forearm."""
    w, out = points[0], []
    if has_forearm:
        out.append((w, forearm, 0.21 * unit, 0.27 * unit, 1))
    thin = np.array([0, 0, -0.05 * unit])
    for k, r in ((5, 0.17), (9, 0.18), (13, 0.18), (17, 0.16)):  # the palm
        out.append((w + thin, points[k] + thin, 0.20 * unit, r * unit, 0))
    out.append((points[5] + thin, points[17] + thin, 0.15 * unit, 0.14 * unit, 0))
    out.append((w, points[1], 0.18 * unit, 0.17 * unit, 0))
    out.append((points[1], points[2], 0.17 * unit, 0.135 * unit, 0))
    out.append((points[2], points[3], 0.132 * unit, 0.115 * unit, 0))
    out.append((points[3], points[4], 0.115 * unit, 0.092 * unit, 0))
    for f in range(4):
        r = RADII[f] * unit
        for s in range(3):
            a, b = points[5 + 4 * f + s], points[6 + 4 * f + s]
            out.append((a, b, r * (1 - 0.09 * s), r * (0.91 - 0.09 * s), 0))
    return out
