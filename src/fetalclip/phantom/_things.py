"""Distractor scenes made of things: leaves, balls, jars, facades, walls, faces; (h, w, 3), about 0..1.

Shapes that cover each other follow the dead-leaves model, whose statistics are those of natural images
(Lee, Mumford and Huang, Int. J. Comput. Vis. 41, 2001): sizes with density r^-3.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from fetalclip.phantom._noise import Dice, Field, cloud, grid, resize, sigmoid, smooth, to_bytes

Pen = ImageDraw.ImageDraw


def _tints(d: Dice, n: int, spread: float = 0.2) -> Field:
    """n RGB colours (n, 3), 0..1, around one common colour of the scene."""
    base = d.rng.uniform(0.1, 0.8, 3)
    return np.clip(base + d.rng.normal(0, spread, (n, 3)) + d.rng.normal(0, spread, (n, 1)), 0, 1).astype(np.float32)


def painted(d: Dice, w: int, h: int, draw: Callable[[Pen], int], spread: float = 0.2) -> Field:
    """Draw numbered shapes, then give each its colour, a slope of light, and a texture: (h, w, 3)."""
    labels = Image.new("I", (w, h), 0)
    n = draw(ImageDraw.Draw(labels)) + 1
    which = np.asarray(labels, dtype=np.intp)
    slope = d.rng.normal(0, d.span((0.2, 0.5), (0.1, 0.9)), (n, 2)).astype(np.float32)
    grainy = d.rng.uniform(0, 0.6, n).astype(np.float32)
    x, y = grid(w, h)
    light = 1 + slope[which, 0] * (x - 0.5) + slope[which, 1] * (y - 0.5)
    light += grainy[which] * (cloud(d.rng, w, h, 0.7, 8) - 0.5)
    return _tints(d, n, spread)[which] * light[..., None]


def leaves(d: Dice, w: int, h: int) -> Field:
    kind = d.pick(("disc", "ellipse"), ("polygon", "box", "leaf"))

    def draw(pen: Pen) -> int:
        n = d.count((80, 250), (60, 350))
        least = d.uniform(0.01, 0.04)
        radii = np.minimum(least / np.sqrt(d.rng.uniform(0.001, 1, n)), 0.35) * w  # density r^-3
        for i in range(n):
            x, y, r = d.uniform(0, w), d.uniform(0, h), float(radii[i])
            if kind in ("disc", "ellipse"):
                flat = 1.0 if kind == "disc" else d.uniform(0.3, 1)
                pen.ellipse((x - r, y - r * flat, x + r, y + r * flat), i + 1)
                continue
            turn, corners = d.uniform(0, 6.3), 9
            if kind == "box":
                angles, reach = np.array([0.5, 2.6, 3.6, 5.8]), np.full(4, r)
            elif kind == "leaf":
                angles = np.linspace(0, 2 * math.pi, corners, endpoint=False)
                reach = r * (0.25 + 0.75 * np.abs(np.cos(angles)) ** 1.5)
            else:
                angles = np.sort(d.rng.uniform(0, 2 * math.pi, corners))
                reach = r * d.rng.uniform(0.5, 1, corners)
            xs, ys = x + reach * np.cos(angles + turn), y + reach * np.sin(angles + turn)
            pen.polygon(list(zip(xs.tolist(), ys.tolist(), strict=True)), i + 1)
        return n

    return painted(d, w, h, draw)


def _lit(normal: tuple[Field, Field, Field], d: Dice, colour: Field) -> Field:
    """Lambert shading with a highlight of a surface with unit normals, (h, w, 3)."""
    sun = d.rng.normal(0, 1, 3) * (1, 1, 0.3) + (0, -0.7, 1.0)
    sun /= np.linalg.norm(sun)
    dot = sum(n * np.float32(s) for n, s in zip(normal, sun, strict=True))
    shade = 0.15 + 0.85 * np.clip(dot, 0, 1)
    return shade[..., None] * colour + (np.clip(dot, 0, 1) ** 30 * d.uniform(0, 0.8))[..., None]


def _table(d: Dice, w: int, h: int) -> Field:
    """A wall and a floor, the floor often tiled, (h, w, 3)."""
    x, y = grid(w, h)
    horizon = np.float32(d.uniform(0.25, 0.6))
    wall, floor, tile = _tints(d, 3, 0.25)
    image = wall * (0.7 + 0.5 * (1 - y) + 0 * x)[..., None] * (0.8 + 0.4 * x[..., None])
    z = 1 / np.maximum(y - horizon, 0.02)
    odd = np.mod(np.floor((x - 0.5) * z * 3) + np.floor(z * 2.0), 2) * d.pick((1.0, 0.0), (0.0, 0.5))
    ground = floor + (tile - floor) * odd[..., None]
    ground = ground * (0.8 + 0.4 * cloud(d.rng, w, h, 0.6, 12))[..., None]
    return np.where((y > horizon)[..., None], ground, image).astype(np.float32)


def spheres(d: Dice, w: int, h: int) -> Field:
    image = _table(d, w, h)
    x, y = grid(w, h)
    x = x * np.float32(w / h)
    for colour in _tints(d, int(d.rng.integers(1, 7)), 0.35):
        r = np.float32(d.uniform(0.08, 0.3))
        nx: Field = (x - np.float32(d.uniform(0.1, 1.2))) / r
        ny: Field = (y - np.float32(d.uniform(0.3, 0.85))) / r
        rr = nx * nx + ny * ny
        shadow = np.clip(1.3 - np.hypot(nx - 0.2, (ny - 1) * 3), 0, 0.6)
        image *= 1 - shadow[..., None]
        nz = np.sqrt(np.clip(1 - rr, 0, 1))
        texture = 0.75 + 0.5 * cloud(d.rng, w, h, 0.8, d.uniform(4, 20))
        normal = np.broadcast_to(nx, rr.shape), np.broadcast_to(ny, rr.shape), nz
        ball = _lit(normal, d, colour) * texture[..., None]
        image = np.where((rr < 1)[..., None], ball, image)
    return image.astype(np.float32)


def still(d: Dice, w: int, h: int) -> Field:
    """Jars and bottles on a table: bodies of revolution lit from the side."""
    image = _table(d, w, h)
    rows = np.arange(h)
    x = np.arange(w, dtype=np.float32)[None, :]
    for colour in _tints(d, int(d.rng.integers(2, 6)), 0.35):
        foot, tall = h * d.uniform(0.65, 0.95), h * d.uniform(0.25, 0.7)
        t = np.clip((foot - rows) / tall, -0.01, 1.01).astype(np.float32)
        neck = sigmoid((d.uniform(0.5, 0.9) - t) * 25)
        radius = h * d.uniform(0.06, 0.16) * (d.uniform(0.25, 0.8) * (1 - neck) + neck)
        radius = np.where((t > 0) & (t < 1), radius * (1 + 0.15 * np.sin(t * d.uniform(1, 9))), 0.0)[:, None]
        half: Field = np.maximum(radius, 1e-3).astype(np.float32)
        nx = (x - np.float32(w * d.uniform(0.1, 0.9))) / half
        nz = np.sqrt(np.clip(1 - nx * nx, 0, 1))
        body = _lit((nx, np.zeros_like(nx), nz), d, colour)
        image = np.where((np.abs(nx) < 1)[..., None], body, image)
    return image.astype(np.float32)


def facade(d: Dice, w: int, h: int) -> Field:
    nx, ny = int(d.rng.integers(3, 12)), int(d.rng.integers(3, 10))
    gap, sill, roof = d.uniform(0.15, 0.35), d.uniform(0.15, 0.4), h * d.uniform(0, 0.25)

    def draw(pen: Pen) -> int:
        pen.rectangle((0, roof, w, h), 1)
        for j in range(ny):
            for i in range(nx):
                x, y = w * (i + gap) / nx, roof + (h - roof) * (j + sill) / ny
                right, low = w * (i + 1 - gap) / nx, roof + (h - roof) * (j + 0.85) / ny
                pen.rectangle((x - 2, y - 2, right + 2, low + 4), 2)
                pen.rectangle((x, y, right, low), 3 + int(d.rng.integers(0, 5)))
                pen.line(((x + right) / 2, y, (x + right) / 2, low), 2, 2)
        return 8

    image = painted(d, w, h, draw, 0.3)
    return image * (0.85 + 0.3 * cloud(d.rng, w, h, 0.5, 20))[..., None]


def blobs(d: Dice, w: int, h: int) -> Field:
    """Soft organic bodies: a smooth height field, lit, coloured by height (coral, fruit, cells)."""
    height = smooth(d.rng, w, h, d.span((5, 10), (8, 20))) + 0.15 * smooth(d.rng, w, h, 40)
    height = np.tanh(2 * height)
    gy, gx = np.gradient(height)
    k = np.float32(w / d.uniform(15, 40))
    norm = np.sqrt((gx * k) ** 2 + (gy * k) ** 2 + 1)
    low, high = _tints(d, 2, 0.35)
    colour = low + (high - low) * (0.5 + 0.5 * height)[..., None]
    return _lit((-gx * k / norm, -gy * k / norm, 1 / norm), d, colour)


def wood(d: Dice, w: int, h: int) -> Field:
    x, y = grid(w, h)
    planks = int(d.rng.integers(2, 8))
    board = np.floor(y * planks)
    warp = smooth(d.rng, w, h, 4) * 0.12 + 0.4 * y * planks + 0.8 * x * d.uniform(0, 0.4)
    rings = 0.5 + 0.5 * np.sin((warp + board * 1.7) * d.uniform(20, 60))
    fibre = resize(d.rng.standard_normal((h, max(4, w // 30)), dtype=np.float32), w, h)
    level = 0.55 + 0.15 * rings + 0.06 * fibre - 0.3 * (np.mod(y * planks, 1) < 0.03)
    return (level[..., None] * d.rng.uniform((0.7, 0.45, 0.25), (1.2, 0.9, 0.6))).astype(np.float32)


def bricks(d: Dice, w: int, h: int) -> Field:
    x, y = grid(w, h)
    ny = int(d.rng.integers(5, 20))
    nx = ny * w / h / d.uniform(1.5, 3)
    row = np.floor(y * ny)
    u, v = x * np.float32(nx) + 0.5 * np.mod(row, 2), y * ny
    mortar = (np.mod(u, 1) < 0.06) | (np.mod(v, 1) < 0.12)
    number = (np.floor(u) * 7 + row * 13).astype(np.intp) % 31
    wall = _tints(d, 31, 0.06)[number] * (0.7 + 0.6 * cloud(d.rng, w, h, 0.4, 15))[..., None]
    return np.where(mortar[..., None], np.float32(d.uniform(0.2, 0.8)), wall).astype(np.float32)


def face(d: Dice, w: int, h: int) -> Field:
    """A head and shoulders before a blurred ground: hair, skin, eyes, brows, nose, mouth."""
    small = Image.fromarray(to_bytes(painted(d, w, h, lambda pen: _spots(d, pen, w, h)) * 255))
    image = small.filter(ImageFilter.GaussianBlur(w * 0.02))
    pen = ImageDraw.Draw(image)
    cx, cy, r = w * d.uniform(0.35, 0.65), h * d.uniform(0.42, 0.52), h * d.uniform(0.2, 0.3)
    tone = d.uniform(0.3, 1.0)
    skin = (int(235 * tone), int(190 * tone), int(160 * tone))
    hair, cloth = (tuple(int(v) for v in d.rng.integers(10, 150, 3)) for _ in range(2))
    pen.ellipse((cx - r * 1.9, cy + r * 1.2, cx + r * 1.9, cy + r * 5), cloth)
    pen.ellipse((cx - r * 1.0, cy - r * 1.5, cx + r * 1.0, cy + r * d.uniform(0.3, 1.6)), hair)
    pen.rectangle((cx - r * 0.35, cy + r * 0.7, cx + r * 0.35, cy + r * 1.5), skin)
    pen.ellipse((cx - r * 0.8, cy - r * 1.1, cx + r * 0.8, cy + r * 1.1), skin)
    dark = tuple(v // 2 for v in skin)
    for side in (-1, 1):
        x, y = cx + side * r * 0.33, cy - r * 0.15
        pen.ellipse((x - r * 0.15, y - r * 0.08, x + r * 0.15, y + r * 0.08), (240, 240, 235))
        pen.ellipse((x - r * 0.07, y - r * 0.07, x + r * 0.07, y + r * 0.07), hair)
        pen.line((x - r * 0.2, y - r * 0.22, x + r * 0.2, y - r * 0.25), hair, max(1, int(r * 0.06)))
    pen.line(
        (cx, cy - r * 0.05, cx + r * 0.08, cy + r * 0.3, cx - r * 0.05, cy + r * 0.32),
        dark,
        max(1, int(r * 0.04)),
    )
    pen.chord((cx - r * 0.3, cy + r * 0.3, cx + r * 0.3, cy + r * 0.7), 10, 170, (170, 70, 70))
    seen = np.asarray(image.filter(ImageFilter.GaussianBlur(r * 0.03)), dtype=np.float32) / 255
    light = 1 + d.uniform(-1.2, 1.2) * (grid(w, h)[0] - 0.5) + 0.3 * (cloud(d.rng, w, h, 0.9, 5) - 0.5)
    return seen * light[..., None]


def _spots(d: Dice, pen: Pen, w: int, h: int) -> int:
    for i in range(25):
        x, y, r = d.uniform(0, w), d.uniform(0, h), d.uniform(0.05, 0.2) * w
        pen.ellipse((x - r, y - r, x + r, y + r), i + 1)
    return 25
