"""Distractors drawn with a pen: charts, cartoons, maps, pages of text, forms, and a scanner's overlay alone."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from fetalclip.phantom._flat import plain
from fetalclip.phantom._noise import Bytes, Dice, cloud, smooth, to_bytes

Ink = tuple[int, int, int]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

_SYLLABLES = (
    ("ba", "lo", "ren", "ti", "mas", "ko", "ve", "du", "sil", "an", "per", "no", "fi", "ra", "tum"),
    ("the", "in", "shu", "gra", "ol", "ed", "wick", "ing", "pla", "er", "mo", "cha", "st", "on", "ly", "qu"),
)
_SCREEN = (
    (
        "Gn 0",
        "Gn 6",
        "C5/M8",
        "P3/E1",
        "Har-hi",
        "Obstetric",
        "Cardiac",
        "2nd Trim",
        "SRI 2",
        "AO 100%",
        "24Hz",
    ),
    (
        "MI 1.1",
        "TIb 0.4",
        "FR 31",
        "DR 60",
        "OB General",
        "Fetal Echo",
        "Pwr 94%",
        "Depth 14",
        "Fetus A",
        "Map 5",
    ),
)


@lru_cache(maxsize=128)
def _font(size: int) -> Font:
    return ImageFont.load_default(max(6, size))


def _word(d: Dice) -> str:
    bank = _SYLLABLES[int(d.test)]
    text = "".join(bank[int(i)] for i in d.rng.integers(0, len(bank), int(d.rng.integers(1, 5))))
    return text.capitalize() if d.chance(0.12) else text


def _number(d: Dice) -> str:
    return f"{d.uniform(0, 10 ** d.uniform(0, 4)):.{int(d.rng.integers(0, 3))}f}"


def _line(d: Dice, letters: int) -> str:
    words: list[str] = []
    while sum(map(len, words)) + len(words) < letters:
        words.append(_number(d) if d.chance(0.08) else _word(d))
    return " ".join(words)[:letters]


def _colour(d: Dice, dark: bool) -> Ink:
    low, high = (110, 256) if dark else (0, 170)  # ink that shows on a dark or a light ground
    if d.chance(0.4):
        return (int(d.rng.integers(low, high)),) * 3
    r, g, b = (int(v) for v in d.rng.integers(low, high, 3))
    return r, g, b


def _sheet(d: Dice, w: int, h: int) -> tuple[Image.Image, bool]:
    """An empty ground, RGB, and whether it is dark."""
    dark = d.chance(0.45)
    back = (
        int(d.pick((0, 0, 12, 25), (0, 5, 30, 45))) if dark else int(d.pick((255, 250, 255), (255, 240, 228)))
    )
    tint = d.rng.integers(-12, 13, 3) if d.chance(0.3) else np.zeros(3, dtype=int)
    r, g, b = (int(np.clip(back + t, 0, 255)) for t in tint)
    return Image.new("RGB", (w, h), (r, g, b)), dark


def _done(d: Dice, image: Image.Image, gray: float = 0.4) -> Bytes:
    return np.asarray(image.convert("L")) if d.chance(gray) else plain(np.asarray(image))


def drawing(d: Dice, w: int, h: int) -> Bytes:
    """Line charts, bars, pies, scatters, boxes and arrows, cartoons, maps, mazes."""
    image, dark = _sheet(d, w, h)
    pen = ImageDraw.Draw(image)
    styles = (_curves, _bars, _shapes, _boxes), (_curves, _pie, _scatter, _map, _maze, _figure)
    style = d.pick(*styles)
    style(d, pen, (w, h), dark)
    if d.chance(0.5):
        pen.text(
            (w * d.uniform(0.05, 0.4), h * 0.02), _line(d, 24), _colour(d, dark), _font(round(h * 0.055))
        )
    return _done(d, image)


def _axes(d: Dice, pen: ImageDraw.ImageDraw, size: tuple[int, int], dark: bool) -> tuple[float, ...]:
    """Axes with ticks and numbers; the box left, top, right, bottom that they span."""
    w, h = size
    left, top, right, bottom = w * 0.12, h * 0.12, w * d.uniform(0.85, 0.97), h * 0.86
    ink, font = _colour(d, dark), _font(round(h * 0.04))
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


def _curves(d: Dice, pen: ImageDraw.ImageDraw, size: tuple[int, int], dark: bool) -> None:
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
        pen.line(points, _colour(d, dark), int(d.rng.integers(1, 4)))


def _bars(d: Dice, pen: ImageDraw.ImageDraw, size: tuple[int, int], dark: bool) -> None:
    left, top, right, bottom = _axes(d, pen, size, dark)
    n, ink = int(d.rng.integers(3, 16)), _colour(d, dark)
    step = (right - left) / n
    for i in range(n):
        fill = ink if d.chance(0.6) else _colour(d, dark)
        pen.rectangle(
            (
                left + i * step + 2,
                bottom - d.uniform(0.05, 1) * (bottom - top),
                left + i * step + step * 0.8,
                bottom,
            ),
            fill,
        )


def _pie(d: Dice, pen: ImageDraw.ImageDraw, size: tuple[int, int], dark: bool) -> None:
    w, h = size
    r, cx, cy = h * d.uniform(0.25, 0.42), w * d.uniform(0.35, 0.6), h * 0.54
    cuts = np.sort(d.rng.uniform(0, 360, int(d.rng.integers(3, 8)))).tolist()
    for start, end in zip(cuts, [*cuts[1:], cuts[0] + 360], strict=True):
        pen.pieslice((cx - r, cy - r, cx + r, cy + r), start, end, _colour(d, dark), _colour(d, dark))
    if d.chance(0.5):
        hole, back = r * d.uniform(0.3, 0.6), (0, 0, 0) if dark else (255, 255, 255)
        pen.ellipse((cx - hole, cy - hole, cx + hole, cy + hole), back)


def _scatter(d: Dice, pen: ImageDraw.ImageDraw, size: tuple[int, int], dark: bool) -> None:
    left, top, right, bottom = _axes(d, pen, size, dark)
    for _ in range(int(d.rng.integers(1, 4))):
        ink, r = _colour(d, dark), d.uniform(1.5, 5)
        spots = d.rng.multivariate_normal(
            (0.5, 0.5), [[0.03, d.uniform(-0.025, 0.025)], [0.0, 0.03]], 80, "ignore"
        )
        for x, y in spots.clip(0, 1).tolist():
            px, py = left + x * (right - left), bottom - y * (bottom - top)
            pen.ellipse((px - r, py - r, px + r, py + r), ink)


def _shapes(d: Dice, pen: ImageDraw.ImageDraw, size: tuple[int, int], dark: bool) -> None:
    w, h = size
    for _ in range(int(d.rng.integers(4, 25))):
        cx, cy, rx, ry = (
            d.uniform(0, w),
            d.uniform(0, h),
            d.uniform(0.03, 0.22) * w,
            d.uniform(0.03, 0.25) * h,
        )
        fill = _colour(d, dark) if d.chance(0.5) else None
        ink, wide = _colour(d, dark), int(d.rng.integers(1, 6))
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


def _boxes(d: Dice, pen: ImageDraw.ImageDraw, size: tuple[int, int], dark: bool) -> None:
    w, h = size
    nx, ny, ink = int(d.rng.integers(2, 5)), int(d.rng.integers(2, 5)), _colour(d, dark)
    for j in range(ny):
        for i in range(nx):
            x, y = w * (i + 0.15) / nx, h * (j + 0.2) / ny
            bw, bh = w * 0.65 / nx, h * 0.5 / ny
            pen.rounded_rectangle((x, y, x + bw, y + bh), bh * d.uniform(0, 0.4), None, ink, 2)
            pen.text((x + bw * 0.1, y + bh * 0.3), _word(d)[:9], ink, _font(round(bh * 0.28)))
            if i + 1 < nx and d.chance(0.7):
                pen.line((x + bw, y + bh / 2, x + w / nx, y + bh / 2), ink, 2)
            if j + 1 < ny and d.chance(0.7):
                pen.line((x + bw / 2, y + bh, x + bw / 2, y + h / ny), ink, 2)


def _map(d: Dice, pen: ImageDraw.ImageDraw, size: tuple[int, int], dark: bool) -> None:
    """Contour lines or coloured bands of a smooth field, with roads and names."""
    w, h = size
    height = cloud(d.rng, w // 2, h // 2, 1.6, d.uniform(2, 4))
    bands = np.floor(height * int(d.rng.integers(4, 14))).astype(np.int32)
    table = np.array([_colour(d, dark) for _ in range(int(bands.max()) + 1)], dtype=np.uint8)
    layer = table[bands]
    if d.chance(0.6):  # only the contours
        edge = np.zeros_like(bands, dtype=bool)
        edge[1:, 1:] = (bands[1:, 1:] != bands[:-1, 1:]) | (bands[1:, 1:] != bands[1:, :-1])
        layer = np.where(edge[..., None], table[0], np.uint8(0 if dark else 255)).astype(np.uint8)
    pen._image.paste(Image.fromarray(layer).resize((w, h), Image.Resampling.BILINEAR))
    for _ in range(int(d.rng.integers(1, 7))):
        points = np.cumsum(d.rng.normal(0, 0.12, (8, 2)), axis=0) + d.rng.random(2)
        pen.line(
            [(float(x * w), float(y * h)) for x, y in points], _colour(d, not dark), int(d.rng.integers(1, 5))
        )
        pen.text(
            (d.uniform(0, 0.8) * w, d.uniform(0.1, 0.9) * h),
            _word(d),
            _colour(d, dark),
            _font(round(h * 0.045)),
        )


def _maze(d: Dice, pen: ImageDraw.ImageDraw, size: tuple[int, int], dark: bool) -> None:
    w, h = size
    n, ink = int(d.rng.integers(8, 30)), _colour(d, dark)
    cell, round_ = w / n, d.chance(0.5)
    for j in range(int(h / cell) + 1):
        for i in range(n):
            x, y, flip = i * cell, j * cell, d.chance(0.5)
            if round_:  # Truchet arcs
                pen.arc((x - cell / 2, y - cell / 2, x + cell / 2, y + cell / 2), 0, 90, ink, 2)
                pen.arc((x + cell / 2, y + cell / 2, x + cell * 1.5, y + cell * 1.5), 180, 270, ink, 2)
            else:
                pen.line((x, y, x + cell, y + cell) if flip else (x + cell, y, x, y + cell), ink, 2)


def _figure(d: Dice, pen: ImageDraw.ImageDraw, size: tuple[int, int], dark: bool) -> None:
    """Stick people under a sun, beside a house and trees."""
    w, h = size
    ink, ground = _colour(d, dark), h * d.uniform(0.75, 0.9)
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
            pen.rectangle((x - s * 0.4, y + s * 0.4, x + s * 0.4, ground), _colour(d, dark), ink, wide)
            pen.polygon((x - s * 0.5, y + s * 0.4, x, y, x + s * 0.5, y + s * 0.4), _colour(d, dark), ink)


def text(d: Dice, w: int, h: int) -> Bytes:
    """Pages, screens, columns, tables and headlines; the scanned ones turned a little."""
    image, dark = _sheet(d, w, h)
    pen, ink = ImageDraw.Draw(image), _colour(d, dark)
    style = d.pick(("page", "screen"), ("page", "columns", "table", "headline"))
    size = max(7, round(h * d.span((0.03, 0.06), (0.025, 0.08))))
    if style == "headline":
        size = round(h * d.uniform(0.1, 0.22))
    font, step = _font(size), size * d.uniform(1.15, 1.6)
    columns = {"columns": 2, "table": int(d.rng.integers(3, 7))}.get(style, 1)
    y = h * 0.05
    while y < h * 0.97:
        if style == "table":
            pen.line((0, y - 2, w, y - 2), ink)
        for c in range(columns):
            x, room = w * (c / columns + 0.02), w * (0.94 / columns)
            letters = int(
                room / (size * 0.5) * (d.uniform(0.2, 1) if style == "screen" or d.chance(0.15) else 1)
            )
            words = (_number(d) if c else _word(d)) if style == "table" else _line(d, max(2, letters))
            pen.text((x, y), words, _colour(d, dark) if style == "screen" and d.chance(0.2) else ink, font)
        y += step * (1.8 if d.chance(0.08) else 1)
    if d.chance(0.3 if d.test else 0.1):
        back = image.getpixel((0, 0))
        image = image.rotate(d.uniform(-12, 12) if d.test else 90, Image.Resampling.BILINEAR, fillcolor=back)
    return _done(d, image)


def document(d: Dice, w: int, h: int) -> Bytes:
    """A scanned form: rules, fields, a bar code, a stamp or a signature, sometimes a grey box, on uneven paper."""
    image = Image.new("L", (w, h), 245)
    pen, size = ImageDraw.Draw(image), max(7, round(h * d.span((0.03, 0.04), (0.022, 0.05))))
    ink, font = int(d.rng.integers(0, 90)), _font(size)
    pen.text((w * 0.06, h * 0.03), _line(d, 22).upper(), ink, _font(round(size * 1.9)))
    y = h * 0.16
    while y < h * 0.92:
        pen.text((w * 0.06, y), _word(d), ink, font)
        if d.chance(0.6):
            pen.rectangle((w * 0.3, y - 2, w * d.uniform(0.5, 0.95), y + size * 1.2), None, ink)
        pen.text((w * 0.32, y), _line(d, int(d.rng.integers(4, 25))), ink, font)
        y += size * d.span((1.7, 2.4), (1.3, 3.2))
    if d.chance(0.6):  # bar code
        x, top = w * d.uniform(0.55, 0.7), h * d.uniform(0.02, 0.8)
        while x < w * 0.95:
            wide = int(d.rng.integers(0, 5))
            pen.rectangle((x, top, x + wide, top + h * 0.1), ink)
            x += wide + int(d.rng.integers(2, 6))
    if d.chance(0.5):  # stamp
        x, y, r = w * d.uniform(0.3, 0.8), h * d.uniform(0.3, 0.8), h * d.uniform(0.08, 0.18)
        pen.ellipse((x - r, y - r, x + r, y + r), None, 110, 3)
        pen.text((x - r * 0.6, y - size / 2), _word(d)[:8], 110, font)
    if d.chance(0.4):  # signature
        t = np.linspace(0, 20, 80)
        sx = w * 0.55 + w * 0.015 * t + w * 0.02 * np.sin(t * 2.3)
        sy = h * 0.85 + h * 0.04 * np.sin(t * 1.7) * np.cos(t * 0.31)
        pen.line(list(zip(sx.tolist(), sy.tolist(), strict=True)), ink, 2)
    if d.test or d.chance(0.3):
        image = image.rotate(d.uniform(-4, 4), Image.Resampling.BILINEAR, fillcolor=230)
    paper = 1 + 0.05 * smooth(d.rng, w, h, 3) + 0.015 * d.rng.standard_normal((h, w), dtype=np.float32)
    scanned = np.asarray(image.filter(ImageFilter.GaussianBlur(d.uniform(0.2, 0.9))), dtype=np.float32)
    return to_bytes(scanned * paper * d.span((0.85, 1.0), (0.7, 1.02)))


def overlay(d: Dice, w: int, h: int) -> Bytes:
    """What a scanner writes around its image, alone on black: settings, ruler, grey bar, logo, markers."""
    image = Image.new("L", (w, h), 0)
    pen, size = ImageDraw.Draw(image), max(7, round(h * d.span((0.025, 0.045), (0.022, 0.06))))
    font, bank = _font(size), _SCREEN[int(d.test)]
    sides = d.pick(("right", "right", "left"), ("left", "right", "both", "bottom"))
    for side in ("left", "right") if sides == "both" else (sides,):
        y = h * 0.01 if side != "bottom" else h * 0.8
        for _ in range(d.count((2, 9), (1, 14))):
            words, ink = bank[int(d.rng.integers(len(bank)))], int(d.rng.integers(120, 256))
            at = (w * 0.99, y) if side == "right" else (w * 0.01, y)
            pen.text(at, words, ink, font, anchor="ra" if side == "right" else "la")
            y += size * 1.15
    edge = 2 if d.chance(0.5) else w - 3
    inward = 1 if edge == 2 else -1
    if d.chance(0.8):  # ruler
        pitch, n = h * d.span((0.03, 0.06), (0.02, 0.09)), 0
        for y in np.arange(h * 0.05, h * 0.98, pitch).tolist():
            pen.line((edge, y, edge + inward * w * (0.016 if n % 5 == 0 else 0.007), y), 200)
            n += 1
    if d.chance(0.7):  # grey bar
        bar_h, bar_w = int(h * d.span((0.15, 0.3), (0.12, 0.6))), max(3, int(w * d.uniform(0.015, 0.04)))
        ramp = np.repeat(np.linspace(255, 0, bar_h)[:, None], bar_w, axis=1).astype(np.uint8)
        image.paste(Image.fromarray(ramp), (0 if d.chance(0.5) else w - bar_w, int(h * d.uniform(0, 0.3))))
    if d.chance(0.5):  # maker's mark
        x, y = w * d.uniform(0.05, 0.2), h * d.uniform(0.0, 0.06)
        pen.ellipse((x, y, x + size * 1.4, y + size * 1.4), None, 220, 2)
        pen.text((x + size * 1.8, y), _word(d).upper()[:7], 220, font)
    for _ in range(d.count((0, 2), (0, 4))):  # annotations and calipers in the middle
        x, y = w * d.uniform(0.2, 0.8), h * d.uniform(0.2, 0.9)
        mark = d.pick(("+", "x", "1"), ("+", _word(d).upper(), "D 1  " + _number(d) + " cm"))
        pen.text((x, y), mark, 230, font)
    return np.asarray(image)
