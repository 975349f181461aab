"""Distractors that look like photographs of the world, and radiographs: no speckle, no sector.

The random shapes that cover each other follow the dead-leaves model, whose statistics are those of natural images
(Lee, Mumford and Huang, Int. J. Comput. Vis. 41, 2001): sizes with density r^-3.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from fetalclip.phantom._noise import Bytes, Dice, Field, cloud, grid, resize, sigmoid, smooth, to_bytes

Pen = ImageDraw.ImageDraw


def photograph(d: Dice, w: int, h: int) -> Bytes:
    """A scene, uint8 (h, w, 3) or grey (h, w), seen by a camera: exposure, vignette, blur, grain."""
    scene = d.pick(
        (_leaves, _hills, _spheres, _facade, _blobs, _grass, _clouds, _wood),
        (_leaves, _leaves, _sea, _skyline, _still, _face, _tree, _bricks, _blobs),
    )
    image = np.clip(scene(d, w, h), 0, 1)  # (h, w, 3), 0..1
    image = image ** d.span((0.7, 1.4), (0.6, 1.7)) * d.span((180, 255), (140, 290))
    if d.chance(0.5):
        x, y = grid(w, h)
        image *= 1 - d.span((0.1, 0.5), (0.1, 0.9)) * ((x - 0.5) ** 2 + (y - 0.5) ** 2)[..., None]
    if d.chance(0.45):
        image = image @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    image = image + d.span((0, 5), (0, 9)) * d.rng.standard_normal(
        (h, w) + (1,) * (image.ndim - 2), dtype=np.float32
    )
    soft = Image.fromarray(to_bytes(image)).filter(ImageFilter.GaussianBlur(d.uniform(0.2, 1.0) * w / 400))
    return np.asarray(soft)


def _tints(d: Dice, n: int, spread: float = 0.2) -> Field:
    """n RGB colours (n, 3), 0..1, around one common colour of the scene."""
    base = d.rng.uniform(0.1, 0.8, 3)
    return np.clip(base + d.rng.normal(0, spread, (n, 3)) + d.rng.normal(0, spread, (n, 1)), 0, 1).astype(
        np.float32
    )


def _painted(d: Dice, w: int, h: int, draw: Callable[[Pen], int], spread: float = 0.2) -> Field:
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


def _leaves(d: Dice, w: int, h: int) -> Field:
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

    return _painted(d, w, h, draw)


def _sky(d: Dice, w: int, h: int) -> Field:
    """Sky (h, w, 3): two colours from zenith to horizon, cloud, often a sun."""
    x, y = grid(w, h)
    top, low = (
        d.rng.uniform((0.1, 0.2, 0.4), (0.5, 0.7, 1.0)),
        d.rng.uniform((0.6, 0.5, 0.4), (1, 0.95, 0.95)),
    )
    image = (top + (low - top) * y[..., None]).astype(np.float32)
    haze = resize(cloud(d.rng, w, max(8, h // 2), d.uniform(0.8, 1.4)), w, h)
    cover = np.clip((haze - d.uniform(0.35, 0.65)) * d.uniform(2, 6), 0, 1)[..., None]
    image = image * (1 - cover) + (0.95 - 0.35 * haze[..., None]) * cover
    if d.chance(0.5):
        r = np.hypot((x - d.uniform(0.1, 0.9)) * (w / h), y - d.uniform(0.1, 0.5)) / d.uniform(0.03, 0.09)
        image = image + (sigmoid(8 * (1 - r)) + 0.5 * np.exp(-r / 3))[..., None]
    return image.astype(np.float32)


def _clouds(d: Dice, w: int, h: int) -> Field:
    return _sky(d, w, h)


def _ridge(d: Dice, w: int, rough: float) -> Field:
    """A skyline of hills (w,), 0..1."""
    return cloud(d.rng, w, 8, rough, d.uniform(2, 5))[4]


def _hills(d: Dice, w: int, h: int) -> Field:
    image = _sky(d, w, h)
    y = np.arange(h, dtype=np.float32)[:, None] / h
    ground = cloud(d.rng, w, h, 0.6, 10)
    n = d.count((2, 5), (2, 5))
    for i in range(n):
        line = 0.35 + 0.5 * i / n + 0.25 * (_ridge(d, w, d.uniform(0.9, 1.6)) - 0.5)
        near = (i + 1) / n
        colour = d.rng.uniform((0.1, 0.25, 0.08), (0.4, 0.5, 0.3)) * near + 0.6 * (1 - near)
        hill = colour * (1 + near * 0.9 * (ground[..., None] - 0.5))
        image = np.where((y > line[None, :])[..., None], hill, image)
    return image.astype(np.float32)


def _sea(d: Dice, w: int, h: int) -> Field:
    image = _sky(d, w, h)
    horizon = int(h * d.uniform(0.35, 0.7))
    depth = h - horizon
    mirror = image[horizon - 1 :: -1][np.linspace(0, horizon - 1, depth).astype(np.intp)]
    far = np.linspace(0.06, 1, depth, dtype=np.float32)[:, None]
    waves = smooth(d.rng, w, max(8, depth * 6), w / 12)[::6][:depth]
    tint = d.rng.uniform((0.3, 0.5, 0.6), (0.7, 0.8, 0.9))
    image[horizon:] = mirror * tint * (1 + 0.5 * far * waves)[..., None]
    return image


def _skyline(d: Dice, w: int, h: int) -> Field:
    image = _sky(d, w, h)
    night = d.chance(0.5)
    if night:
        image = image * 0.2
    for layer in (0.4, 0.8):
        x = 0
        while x < w:
            wide, top = (
                int(w * d.uniform(0.05, 0.14)),
                int(h * (1 - d.uniform(0.3, 0.75) * (1.2 - layer * 0.6))),
            )
            shade = d.uniform(0.05, 0.25) if night else d.uniform(0.2, 0.6)
            image[top:, x : x + wide] = shade * d.rng.uniform(0.8, 1.2, 3)
            pitch = max(4, int(w * d.uniform(0.012, 0.025)))
            for wx in range(x + pitch // 2, min(x + wide, w) - pitch // 2, pitch):
                lit = (d.rng.random(max(0, (h - top) // pitch)) < 0.5).tolist()
                for k, on in enumerate(lit):
                    if on:
                        wy = top + pitch // 2 + k * pitch
                        image[wy : wy + pitch // 2, wx : wx + pitch // 2] = (
                            (0.95, 0.85, 0.5) if night else shade * 0.4
                        )
            x += wide + int(w * d.uniform(0, 0.03))
    return image


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


def _spheres(d: Dice, w: int, h: int) -> Field:
    image = _table(d, w, h)
    x, y = grid(w, h)
    x = x * np.float32(w / h)
    for colour in _tints(d, int(d.rng.integers(1, 7)), 0.35):
        r = np.float32(d.uniform(0.08, 0.3))
        nx = (x - np.float32(d.uniform(0.1, 1.2))) / r
        ny = (y - np.float32(d.uniform(0.3, 0.85))) / r
        rr = nx * nx + ny * ny
        shadow = np.clip(1.3 - np.hypot(nx - 0.2, (ny - 1) * 3), 0, 0.6)
        image *= 1 - shadow[..., None]
        nz = np.sqrt(np.clip(1 - rr, 0, 1))
        texture = 0.75 + 0.5 * cloud(d.rng, w, h, 0.8, d.uniform(4, 20))
        ball = _lit((nx + 0 * ny, ny + 0 * nx, nz), d, colour) * texture[..., None]
        image = np.where((rr < 1)[..., None], ball, image)
    return image.astype(np.float32)


def _still(d: Dice, w: int, h: int) -> Field:
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
        nx = (x - np.float32(w * d.uniform(0.1, 0.9))) / np.maximum(radius, 1e-3).astype(np.float32)
        nz = np.sqrt(np.clip(1 - nx * nx, 0, 1))
        body = _lit((nx, np.zeros_like(nx), nz), d, colour)
        image = np.where((np.abs(nx) < 1)[..., None], body, image)
    return image.astype(np.float32)


def _facade(d: Dice, w: int, h: int) -> Field:
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

    image = _painted(d, w, h, draw, 0.3)
    return image * (0.85 + 0.3 * cloud(d.rng, w, h, 0.5, 20))[..., None]


def _blobs(d: Dice, w: int, h: int) -> Field:
    """Soft organic bodies: a smooth height field, lit, coloured by height (coral, fruit, cells)."""
    height = smooth(d.rng, w, h, d.span((5, 10), (8, 20))) + 0.15 * smooth(d.rng, w, h, 40)
    height = np.tanh(2 * height)
    gy, gx = np.gradient(height)
    k = np.float32(w / d.uniform(15, 40))
    norm = np.sqrt((gx * k) ** 2 + (gy * k) ** 2 + 1)
    low, high = _tints(d, 2, 0.35)
    colour = low + (high - low) * (0.5 + 0.5 * height)[..., None]
    return _lit((-gx * k / norm, -gy * k / norm, 1 / norm), d, colour)


def _grass(d: Dice, w: int, h: int) -> Field:
    def draw(pen: Pen) -> int:
        n = int(d.rng.integers(250, 600))
        ys = np.sort(d.rng.uniform(0.1, 1.3, n)).tolist()
        for i, foot in enumerate(ys):
            x, tall, lean = d.uniform(0, w), h * d.uniform(0.15, 0.45) * foot, d.uniform(-0.3, 0.3)
            thick, y = w * d.uniform(0.002, 0.01) * (0.5 + foot), foot * h
            pen.polygon(
                (
                    x - thick,
                    y,
                    x + lean * tall * 0.4,
                    y - tall * 0.6,
                    x + lean * tall,
                    y - tall,
                    x + thick,
                    y,
                ),
                i + 1,
            )
        return n

    return _painted(d, w, h, draw, 0.15) * (0.8, 1.15, 0.6)


def _tree(d: Dice, w: int, h: int) -> Field:
    """Bare or leafy branches against the sky."""
    mask = Image.new("L", (w, h), 0)
    pen = ImageDraw.Draw(mask)
    tips: list[tuple[float, float]] = []
    stack = [(w * d.uniform(0.3, 0.7), float(h), -math.pi / 2, h * d.uniform(0.2, 0.3), h * 0.03)]
    while stack:
        x, y, angle, length, thick = stack.pop()
        x2, y2 = x + length * math.cos(angle), y + length * math.sin(angle)
        pen.line((x, y, x2, y2), 255, max(1, round(thick)))
        if length < h * 0.03:
            tips.append((x2, y2))
            continue
        for side in (-1, 1):
            shrink = d.uniform(0.6, 0.85)
            stack.append((x2, y2, angle + side * d.uniform(0.1, 0.7), length * shrink, thick * 0.7))
    image = _sky(d, w, h)
    bark = np.asarray(mask, dtype=np.float32)[..., None] / 255
    image = image * (1 - bark) + bark * d.rng.uniform(0.05, 0.3, 3) * (
        0.7 + 0.6 * cloud(d.rng, w, h, 0.5, 30)[..., None]
    )
    if d.chance(0.6):
        leaves = Image.new("L", (w, h), 0)
        brush, r = ImageDraw.Draw(leaves), h * d.uniform(0.005, 0.015)
        for x, y in tips:
            brush.ellipse((x - r, y - r, x + r, y + r), int(d.rng.integers(60, 255)))
        level = np.asarray(leaves, dtype=np.float32)[..., None] / 255
        image = np.where(level > 0, level * d.rng.uniform((0.2, 0.3, 0), (0.9, 0.8, 0.2)), image)
    return image.astype(np.float32)


def _wood(d: Dice, w: int, h: int) -> Field:
    x, y = grid(w, h)
    planks = int(d.rng.integers(2, 8))
    board = np.floor(y * planks)
    warp = smooth(d.rng, w, h, 4) * 0.12 + 0.4 * y * planks + 0.8 * x * d.uniform(0, 0.4)
    rings = 0.5 + 0.5 * np.sin((warp + board * 1.7) * d.uniform(20, 60))
    fibre = resize(d.rng.standard_normal((h, max(4, w // 30)), dtype=np.float32), w, h)
    level = 0.55 + 0.15 * rings + 0.06 * fibre - 0.3 * (np.mod(y * planks, 1) < 0.03)
    return (level[..., None] * d.rng.uniform((0.7, 0.45, 0.25), (1.2, 0.9, 0.6))).astype(np.float32)


def _bricks(d: Dice, w: int, h: int) -> Field:
    x, y = grid(w, h)
    ny = int(d.rng.integers(5, 20))
    nx = ny * w / h / d.uniform(1.5, 3)
    row = np.floor(y * ny)
    u, v = x * np.float32(nx) + 0.5 * np.mod(row, 2), y * ny
    mortar = (np.mod(u, 1) < 0.06) | (np.mod(v, 1) < 0.12)
    number = (np.floor(u) * 7 + row * 13).astype(np.intp) % 31
    wall = _tints(d, 31, 0.06)[number] * (0.7 + 0.6 * cloud(d.rng, w, h, 0.4, 15))[..., None]
    return np.where(mortar[..., None], np.float32(d.uniform(0.2, 0.8)), wall).astype(np.float32)


def _face(d: Dice, w: int, h: int) -> Field:
    """A head and shoulders before a blurred ground: hair, skin, eyes, brows, nose, mouth."""
    small = Image.fromarray(to_bytes(_painted(d, w, h, lambda pen: _spots(d, pen, w, h)) * 255))
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
    face = np.asarray(image.filter(ImageFilter.GaussianBlur(r * 0.03)), dtype=np.float32) / 255
    x, y = grid(w, h)
    light = 1 + d.uniform(-1.2, 1.2) * (x - 0.5) + 0.3 * (cloud(d.rng, w, h, 0.9, 5) - 0.5)
    return face * light[..., None]


def _spots(d: Dice, pen: Pen, w: int, h: int) -> int:
    for i in range(25):
        x, y, r = d.uniform(0, w), d.uniform(0, h), d.uniform(0.05, 0.2) * w
        pen.ellipse((x - r, y - r, x + r, y + r), i + 1)
    return 25


def radiograph(d: Dice, w: int, h: int) -> Bytes:
    """Bones as smooth bright tubes over soft tissue, full frame; a limb or hand (train), a chest (test). Grey."""
    x, y = grid(w, h)
    tissue = np.exp(-(((x - 0.5) / d.uniform(0.3, 0.6)) ** 4)) * (0.8 + 0.4 * cloud(d.rng, w, h, 1.4))
    bones = Image.new("L", (w, h), 0)
    pen = ImageDraw.Draw(bones)
    if d.test:
        tissue = _chest(d, pen, w, h, tissue)
    else:
        _limb(d, pen, w, h)
    blur = ImageFilter.GaussianBlur(w * d.uniform(0.003, 0.008))
    solid = np.asarray(bones.filter(blur), dtype=np.float32) / 255
    wide = np.asarray(bones.filter(ImageFilter.GaussianBlur(w * 0.02)), dtype=np.float32) / 255
    shell = np.clip(solid - 0.55 * wide, 0, 1)  # bright cortex, dimmer marrow
    level = 255 * (d.span((0.2, 0.4), (0.15, 0.45)) * tissue + 0.35 * solid + 0.6 * shell)
    level += d.uniform(1, 6) * d.rng.standard_normal((h, w), dtype=np.float32)
    return to_bytes(255 - level if d.chance(0.1 if d.test else 0.25) else level)


def _limb(d: Dice, pen: Pen, w: int, h: int) -> None:
    for _ in range(int(d.rng.integers(1, 6))):
        x, lean, thick = w * d.uniform(0.2, 0.8), w * d.uniform(-0.15, 0.15), w * d.uniform(0.02, 0.07)
        y = h * d.uniform(-0.3, 0.1)
        while y < h:
            length = h * d.uniform(0.25, 0.9)
            ends = ((x, y), (x + lean * length / h, y + length))
            pen.line(ends, 180, round(thick * 1.3))
            for ex, ey in ends:
                pen.ellipse((ex - thick, ey - thick * 0.8, ex + thick, ey + thick * 0.8), 190)
            x, y = x + lean * length / h, y + length + thick * 1.8


def _chest(d: Dice, pen: Pen, w: int, h: int, tissue: Field) -> Field:
    x, y = grid(w, h)
    for side in (-1, 1):
        cx, a, b = 0.5 + side * d.uniform(0.18, 0.23), d.uniform(0.12, 0.17), d.uniform(0.3, 0.4)
        lung = ((x - cx) / a) ** 2 + ((y - 0.48) / b) ** 2
        tissue = tissue * (1 - d.uniform(0.5, 0.8) * sigmoid(6 * (1 - lung)))
        for i in range(int(d.rng.integers(7, 11))):
            top, thick = h * (0.1 + 0.085 * i), max(2, round(h * d.uniform(0.012, 0.022)))
            left, right = sorted((w * 0.5, w * (0.5 + side * (0.3 + 0.02 * i))))
            start = (180, 300) if side < 0 else (240, 360)
            pen.arc((left - w * 0.05, top, right + w * 0.05, top + h * 0.3), *start, 90, thick)
    for i in range(14):
        top = h * (0.02 + i * 0.07)
        pen.rounded_rectangle((w * 0.47, top, w * 0.53, top + h * 0.055), 4, 110)
    heart = ((x - 0.54) / 0.12) ** 2 + ((y - 0.62) / 0.17) ** 2
    return (tissue + 0.6 * sigmoid(5 * (1 - heart))).astype(np.float32)
