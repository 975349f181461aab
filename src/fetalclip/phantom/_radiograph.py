"""Distractor radiographs: smooth bright bones over soft tissue, full frame, without speckle or sector."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from fetalclip.phantom._noise import Bytes, Dice, Field, cloud, grid, sigmoid, to_bytes

Pen = ImageDraw.ImageDraw


def radiograph(d: Dice, w: int, h: int) -> Bytes:
    """A limb (train) or a chest (test), bones bright or dark. Grey (h, w)."""
    x, _ = grid(w, h)
    tissue = np.exp(-(((x - 0.5) / d.uniform(0.3, 0.6)) ** 4)) * (0.8 + 0.4 * cloud(d.rng, w, h, 1.4))
    bones = Image.new("L", (w, h), 0)
    pen = ImageDraw.Draw(bones)
    if d.test:
        tissue = _chest(d, pen, w, h, tissue)
        turn, zoom = d.uniform(-12, 12), d.uniform(0.85, 1.5)
        bones, tissue = _moved(bones, turn, zoom), np.asarray(_moved(Image.fromarray(tissue), turn, zoom))
    else:
        _limb(d, pen, w, h)
    blur = ImageFilter.GaussianBlur(w * d.uniform(0.003, 0.008))
    solid = np.asarray(bones.filter(blur), dtype=np.float32) / 255
    wide = np.asarray(bones.filter(ImageFilter.GaussianBlur(w * 0.02)), dtype=np.float32) / 255
    shell = np.clip(solid - 0.55 * wide, 0, 1)  # bright cortex, dimmer marrow
    level = 255 * (d.span((0.2, 0.4), (0.15, 0.45)) * tissue + 0.35 * solid + 0.6 * shell)
    level += d.uniform(1, 6) * d.rng.standard_normal((h, w), dtype=np.float32)
    return to_bytes(255 - level if d.chance(0.1 if d.test else 0.25) else level)


def _moved(image: Image.Image, turn: float, zoom: float) -> Image.Image:
    """Turned by degrees and zoomed about the centre, same size."""
    w, h = image.size
    affine = (1 / zoom, 0, w * (1 - 1 / zoom) / 2, 0, 1 / zoom, h * (1 - 1 / zoom) / 2)
    large = image.transform((w, h), Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR)
    return large.rotate(turn, Image.Resampling.BILINEAR)


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
