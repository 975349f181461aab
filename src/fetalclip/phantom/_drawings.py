"""Distractor drawings: charts, cartoons, boxes and arrows, maps, mazes. uint8 (h, w) or (h, w, 3)."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from fetalclip.phantom._noise import Bytes, Dice, cloud
from fetalclip.phantom._pages import finish, ink_on, phrase, sheet, typeface, word

Size = tuple[int, int]


def drawing(d: Dice, w: int, h: int) -> Bytes:
    """Line charts, bars, pies, scatters, boxes and arrows, cartoons, maps, mazes."""
    image, dark = sheet(d, w, h)
    pen = ImageDraw.Draw(image)
    styles = (_curves, _bars, _shapes, _boxes), (_curves, _pie, _scatter, _roads, _maze, _figure)
    style = d.pick(*styles)
    if style is _roads:
        image.paste(_relief(d, w, h, dark))
    style(d, pen, (w, h), dark)
    if d.chance(0.5):
        pen.text((w * d.uniform(0.05, 0.4), h * 0.02), phrase(d, 24), ink_on(d, dark), typeface(round(h * 0.055)))
    return finish(d, image)


def _axes(d: Dice, pen: ImageDraw.ImageDraw, size: Size, dark: bool) -> tuple[float, ...]:
    """Axes with ticks and numbers; the box left, top, right, bottom that they span."""
    w, h = size
    left, top, right, bottom = w * 0.12, h * 0.12, w * d.uniform(0.85, 0.97), h * 0.86
    ink, font = ink_on(d, dark), typeface(round(h * 0.04))
    n = int(d.rng.integers(4, 9))
    for i in range(n + 1):
        x, y = left + (right - left) * i / n, bottom - (bottom - top) * i / n
        pen.line((x, bottom, x, bottom + h * 0.015), ink)
        pen.line((left - w * 0.01, y, left, y), ink)
        pen.text((x - w * 0.01, bottom + h * 0.025), str(i * 5), ink, font)
        pen.text((w * 0.03, y - h * 0.02), str(i * 10), ink, font)
        if d.test:
            pen.line((left, y, right, y), tuple(v // 2 + (0 if dark else 127) for v in ink))
    pen.line((left, top, left, bottom, right, bottom), ink, 2)
    return left, top, right, bottom


def _curves(d: Dice, pen: ImageDraw.ImageDraw, size: Size, dark: bool) -> None:
    left, top, right, bottom = _axes(d, pen, size, dark)
    n = int(d.pick((12, 25, 60), (120, 250)))
    x = np.linspace(left, right, n)
    for _ in range(d.count((1, 4), (1, 6))):
        if d.test:
            t = np.linspace(0, d.uniform(3, 40), n)
            y = 0.5 + 0.45 * np.sin(t + d.uniform(0, 6)) * np.exp(-t * d.uniform(0, 0.15))
        else:
            y = np.cumsum(d.rng.standard_normal(n))
            y = (y - y.min()) / max(float(np.ptp(y)), 1e-6)
        points = list(zip(x.tolist(), (bottom - y * (bottom - top)).tolist(), strict=True))
        pen.line(points, ink_on(d, dark), int(d.rng.integers(1, 4)))


def _bars(d: Dice, pen: ImageDraw.ImageDraw, size: Size, dark: bool) -> None:
    left, top, right, bottom = _axes(d, pen, size, dark)
    n, ink = int(d.rng.integers(3, 16)), ink_on(d, dark)
    step = (right - left) / n
    for i in range(n):
        fill = ink if d.chance(0.6) else ink_on(d, dark)
        x, y = left + i * step, bottom - d.uniform(0.05, 1) * (bottom - top)
        pen.rectangle((x + step * 0.1, y, x + step * 0.85, bottom), fill)


def _pie(d: Dice, pen: ImageDraw.ImageDraw, size: Size, dark: bool) -> None:
    w, h = size
    r, cx, cy = h * d.uniform(0.25, 0.42), w * d.uniform(0.35, 0.6), h * 0.54
    cuts = np.sort(d.rng.uniform(0, 360, int(d.rng.integers(3, 8)))).tolist()
    for start, end in zip(cuts, [*cuts[1:], cuts[0] + 360], strict=True):
        pen.pieslice((cx - r, cy - r, cx + r, cy + r), start, end, ink_on(d, dark), ink_on(d, dark))
    if d.chance(0.5):
        hole, back = r * d.uniform(0.3, 0.6), (0, 0, 0) if dark else (255, 255, 255)
        pen.ellipse((cx - hole, cy - hole, cx + hole, cy + hole), back)


def _scatter(d: Dice, pen: ImageDraw.ImageDraw, size: Size, dark: bool) -> None:
    left, top, right, bottom = _axes(d, pen, size, dark)
    for _ in range(int(d.rng.integers(1, 4))):
        ink, r = ink_on(d, dark), d.uniform(1.5, 5)
        spots = d.rng.multivariate_normal((0.5, 0.5), [[0.03, d.uniform(-0.025, 0.025)], [0.0, 0.03]], 80, "ignore")
        for x, y in spots.clip(0, 1).tolist():
            px, py = left + x * (right - left), bottom - y * (bottom - top)
            pen.ellipse((px - r, py - r, px + r, py + r), ink)


def _shapes(d: Dice, pen: ImageDraw.ImageDraw, size: Size, dark: bool) -> None:
    w, h = size
    for _ in range(int(d.rng.integers(4, 25))):
        cx, cy, rx, ry = (
            d.uniform(0, w),
            d.uniform(0, h),
            d.uniform(0.03, 0.22) * w,
            d.uniform(0.03, 0.25) * h,
        )
        fill = ink_on(d, dark) if d.chance(0.5) else None
        ink, wide = ink_on(d, dark), int(d.rng.integers(1, 6))
        box = (cx - rx, cy - ry, cx + rx, cy + ry)
        kind = int(d.rng.integers(4))
        if kind == 0:
            pen.ellipse(box, fill, ink, wide)
        elif kind == 1:
            pen.rectangle(box, fill, ink, wide)
        elif kind == 2:
            pen.regular_polygon((cx, cy, min(rx, ry)), int(d.rng.integers(3, 8)), d.uniform(0, 90), fill, ink)
        else:
            pen.arc(box, d.uniform(0, 360), d.uniform(0, 360), ink, wide)


def _boxes(d: Dice, pen: ImageDraw.ImageDraw, size: Size, dark: bool) -> None:
    w, h = size
    nx, ny, ink = int(d.rng.integers(2, 5)), int(d.rng.integers(2, 5)), ink_on(d, dark)
    for j in range(ny):
        for i in range(nx):
            x, y = w * (i + 0.15) / nx, h * (j + 0.2) / ny
            bw, bh = w * 0.65 / nx, h * 0.5 / ny
            round_ = bh * d.uniform(0, 0.4) if bh > 12 else 0  # Pillow refuses corners of few pixels
            pen.rounded_rectangle((x, y, x + bw, y + bh), round_, None, ink, 2)
            pen.text((x + bw * 0.1, y + bh * 0.3), word(d)[:9], ink, typeface(round(bh * 0.28)))
            if i + 1 < nx and d.chance(0.7):
                pen.line((x + bw, y + bh / 2, x + w / nx, y + bh / 2), ink, 2)
            if j + 1 < ny and d.chance(0.7):
                pen.line((x + bw / 2, y + bh, x + bw / 2, y + h / ny), ink, 2)


def _relief(d: Dice, w: int, h: int, dark: bool) -> Image.Image:
    """Contour lines or coloured bands of a smooth field."""
    height = cloud(d.rng, w // 2, h // 2, 1.6, d.uniform(2, 4))
    bands = np.floor(height * int(d.rng.integers(4, 14))).astype(np.int32)
    layer = np.array([ink_on(d, dark) for _ in range(int(bands.max()) + 1)], dtype=np.uint8)[bands]
    if d.chance(0.6):
        edge = np.zeros_like(bands, dtype=bool)
        edge[1:, 1:] = (bands[1:, 1:] != bands[:-1, 1:]) | (bands[1:, 1:] != bands[1:, :-1])
        ink = np.array(ink_on(d, dark), dtype=np.uint8)
        layer = np.where(edge[..., None], ink, np.uint8(0 if dark else 255)).astype(np.uint8)
    return Image.fromarray(layer).resize((w, h), Image.Resampling.BILINEAR)


def _roads(d: Dice, pen: ImageDraw.ImageDraw, size: Size, dark: bool) -> None:
    """Roads and names of places, over the relief."""
    w, h = size
    for _ in range(int(d.rng.integers(1, 7))):
        points = np.cumsum(d.rng.normal(0, 0.12, (8, 2)), axis=0) + d.rng.random(2)
        road = [(float(x * w), float(y * h)) for x, y in points]
        pen.line(road, ink_on(d, not dark), int(d.rng.integers(1, 5)))
        at = (d.uniform(0, 0.8) * w, d.uniform(0.1, 0.9) * h)
        pen.text(at, word(d), ink_on(d, dark), typeface(round(h * 0.045)))


def _maze(d: Dice, pen: ImageDraw.ImageDraw, size: Size, dark: bool) -> None:
    w, h = size
    n, ink = int(d.rng.integers(8, 30)), ink_on(d, dark)
    cell, round_ = w / n, d.chance(0.5)
    for j in range(int(h / cell) + 1):
        for i in range(n):
            x, y, flip = i * cell, j * cell, d.chance(0.5)
            if round_:  # Truchet arcs
                pen.arc((x - cell / 2, y - cell / 2, x + cell / 2, y + cell / 2), 0, 90, ink, 2)
                pen.arc((x + cell / 2, y + cell / 2, x + cell * 1.5, y + cell * 1.5), 180, 270, ink, 2)
            else:
                pen.line((x, y, x + cell, y + cell) if flip else (x + cell, y, x, y + cell), ink, 2)


def _figure(d: Dice, pen: ImageDraw.ImageDraw, size: Size, dark: bool) -> None:
    """Stick people under a sun, beside a house and trees."""
    w, h = size
    ink, ground = ink_on(d, dark), h * d.uniform(0.75, 0.9)
    pen.line((0, ground, w, ground), ink, 2)
    x, y, r = w * d.uniform(0.1, 0.9), h * 0.17, h * 0.07
    pen.ellipse((x - r, y - r, x + r, y + r), None, ink, 2)
    for _ in range(int(d.rng.integers(2, 6))):
        x, s = w * d.uniform(0.08, 0.92), h * d.uniform(0.15, 0.4)
        y, wide = ground - s, int(d.rng.integers(1, 4))
        if d.chance(0.6):
            pen.ellipse((x - s * 0.12, y, x + s * 0.12, y + s * 0.24), None, ink, wide)
            pen.line((x, y + s * 0.24, x, y + s * 0.65), ink, wide)
            pen.line(
                (
                    x - s * 0.2,
                    y + s * d.uniform(0.2, 0.6),
                    x,
                    y + s * 0.35,
                    x + s * 0.2,
                    y + s * d.uniform(0.2, 0.6),
                ),
                ink,
                wide,
            )
            pen.line((x - s * 0.16, ground, x, y + s * 0.65, x + s * 0.16, ground), ink, wide)
        else:
            pen.rectangle((x - s * 0.4, y + s * 0.4, x + s * 0.4, ground), ink_on(d, dark), ink, wide)
            pen.polygon((x - s * 0.5, y + s * 0.4, x, y, x + s * 0.5, y + s * 0.4), ink_on(d, dark), ink)
