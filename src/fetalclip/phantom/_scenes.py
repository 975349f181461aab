"""Distractor photographs: outdoor scenes here, things in ``_things``, one camera for all."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from fetalclip.phantom._noise import Bytes, Dice, Field, cloud, grid, resize, sigmoid, smooth, to_bytes
from fetalclip.phantom._things import Pen, blobs, bricks, facade, face, leaves, painted, spheres, still, wood


def photograph(d: Dice, w: int, h: int) -> Bytes:
    """A scene, uint8 (h, w, 3) or grey (h, w), seen by a camera: exposure, vignette, blur, grain."""
    scene = d.pick(
        (leaves, _hills, spheres, facade, blobs, _grass, _clouds, wood),
        (leaves, leaves, _sea, _skyline, still, face, _tree, bricks, blobs),
    )
    image = np.clip(scene(d, w, h), 0, 1)  # (h, w, 3), 0..1
    image = image ** d.span((0.7, 1.4), (0.6, 1.7)) * d.span((180, 255), (140, 290))
    if d.chance(0.5):
        x, y = grid(w, h)
        image *= 1 - d.span((0.1, 0.5), (0.1, 0.9)) * ((x - 0.5) ** 2 + (y - 0.5) ** 2)[..., None]
    if d.chance(0.45):
        image = image @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    image = image + d.span((0, 5), (0, 9)) * d.rng.standard_normal((h, w) + (1,) * (image.ndim - 2), dtype=np.float32)
    soft = Image.fromarray(to_bytes(image)).filter(ImageFilter.GaussianBlur(d.uniform(0.2, 1.0) * w / 400))
    return np.asarray(soft)


def _sky(d: Dice, w: int, h: int) -> Field:
    """Sky (h, w, 3): two colours from zenith to horizon, cloud, often a sun."""
    x, y = grid(w, h)
    top, low = (
        d.rng.uniform((0.1, 0.2, 0.4), (0.5, 0.7, 1.0)),
        d.rng.uniform((0.6, 0.5, 0.4), (1, 0.95, 0.95)),
    )
    image = (top + (low - top) * y[..., None]).astype(np.float32)
    haze = resize(cloud(d.rng, max(8, w // 2), h, d.uniform(0.8, 1.4), 1.5), w, h)
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
                        image[wy : wy + pitch // 2, wx : wx + pitch // 2] = (0.95, 0.85, 0.5) if night else shade * 0.4
            x += wide + int(w * d.uniform(0, 0.03))
    return image


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

    return painted(d, w, h, draw, 0.15) * (0.8, 1.15, 0.6)


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
    bark: Field = np.asarray(mask, dtype=np.float32)[..., None] / 255
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
