"""Distractors made of text: pages, screens, tables, forms, and a scanner's overlay alone."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from fetalclip.phantom._flat import plain
from fetalclip.phantom._noise import Bytes, Dice, smooth, to_bytes

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
def typeface(size: int) -> Font:
    """Pillow's own font at this many pixels."""
    return ImageFont.load_default(max(6, size))


def word(d: Dice) -> str:
    """A made-up word."""
    bank = _SYLLABLES[int(d.test)]
    text = "".join(bank[int(i)] for i in d.rng.integers(0, len(bank), int(d.rng.integers(1, 5))))
    return text.capitalize() if d.chance(0.12) else text


def number(d: Dice) -> str:
    """A number of random size and decimals."""
    return f"{d.uniform(0, 10 ** d.uniform(0, 4)):.{int(d.rng.integers(0, 3))}f}"


def phrase(d: Dice, letters: int) -> str:
    """Made-up words and numbers, about this many characters."""
    words: list[str] = []
    while sum(map(len, words)) + len(words) < letters:
        words.append(number(d) if d.chance(0.08) else word(d))
    return " ".join(words)[:letters]


def ink_on(d: Dice, dark: bool) -> Ink:
    """A colour that shows on a dark or a light ground."""
    low, high = (110, 256) if dark else (0, 170)
    if d.chance(0.4):
        return (int(d.rng.integers(low, high)),) * 3
    r, g, b = (int(v) for v in d.rng.integers(low, high, 3))
    return r, g, b


def sheet(d: Dice, w: int, h: int) -> tuple[Image.Image, bool]:
    """An empty ground, RGB, and whether it is dark."""
    dark = d.chance(0.45)
    back = int(d.pick((0, 0, 12, 25), (0, 5, 30, 45))) if dark else int(d.pick((255, 250, 255), (255, 240, 228)))
    tint = d.rng.integers(-12, 13, 3) if d.chance(0.3) else np.zeros(3, dtype=int)
    r, g, b = (int(np.clip(back + t, 0, 255)) for t in tint)
    return Image.new("RGB", (w, h), (r, g, b)), dark


def finish(d: Dice, image: Image.Image, gray: float = 0.4) -> Bytes:
    """The pixels, grey with this probability."""
    return np.asarray(image.convert("L")) if d.chance(gray) else plain(np.asarray(image))


def text(d: Dice, w: int, h: int) -> Bytes:
    """Pages, screens, columns, tables and headlines; the scanned ones turned a little."""
    image, dark = sheet(d, w, h)
    pen, ink = ImageDraw.Draw(image), ink_on(d, dark)
    style = d.pick(("page", "screen"), ("page", "columns", "table", "headline"))
    size = max(7, round(h * d.span((0.03, 0.06), (0.025, 0.08))))
    if style == "headline":
        size = round(h * d.uniform(0.1, 0.22))
    font, step = typeface(size), size * d.uniform(1.15, 1.6)
    columns = {"columns": 2, "table": int(d.rng.integers(3, 7))}.get(style, 1)
    y = h * 0.05
    while y < h * 0.97:
        if style == "table":
            pen.line((0, y - 2, w, y - 2), ink)
        for c in range(columns):
            x, room = w * (c / columns + 0.02), w * (0.94 / columns)
            letters = int(room / (size * 0.5) * (d.uniform(0.2, 1) if style == "screen" or d.chance(0.15) else 1))
            words = (number(d) if c else word(d)) if style == "table" else phrase(d, max(2, letters))
            pen.text((x, y), words, ink_on(d, dark) if style == "screen" and d.chance(0.2) else ink, font)
        y += step * (1.8 if d.chance(0.08) else 1)
    if d.chance(0.3 if d.test else 0.1):
        back = image.getpixel((0, 0))
        image = image.rotate(d.uniform(-12, 12) if d.test else 90, Image.Resampling.BILINEAR, fillcolor=back)
    return finish(d, image)


def document(d: Dice, w: int, h: int) -> Bytes:
    """A scanned form: fields, a bar code, a stamp, a signature, on uneven paper. Grey (h, w)."""
    image = Image.new("L", (w, h), 245)
    pen, size = ImageDraw.Draw(image), max(7, round(h * d.span((0.03, 0.04), (0.022, 0.05))))
    ink, font = int(d.rng.integers(0, 90)), typeface(size)
    pen.text((w * 0.06, h * 0.03), phrase(d, 22).upper(), ink, typeface(round(size * 1.9)))
    y = h * 0.16
    while y < h * 0.92:
        pen.text((w * 0.06, y), word(d), ink, font)
        if d.chance(0.6):
            pen.rectangle((w * 0.3, y - 2, w * d.uniform(0.5, 0.95), y + size * 1.2), None, ink)
        pen.text((w * 0.32, y), phrase(d, int(d.rng.integers(4, 25))), ink, font)
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
        pen.text((x - r * 0.6, y - size / 2), word(d)[:8], 110, font)
    if d.chance(0.4):  # signature
        t, (a, b, c) = np.linspace(0, 20, 80), d.rng.uniform(0.8, 2.8, 3)
        sx = w * (0.5 + 0.015 * t + 0.02 * np.sin(t * a))
        sy = h * (d.uniform(0.6, 0.9) + 0.04 * np.sin(t * b) * np.cos(t * 0.3 * c))
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
    font, bank = typeface(size), _SCREEN[int(d.test)]
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
        pitch = h * d.span((0.03, 0.06), (0.02, 0.09))
        for n, y in enumerate(np.arange(h * 0.05, h * 0.98, pitch).tolist()):
            pen.line((edge, y, edge + inward * w * (0.016 if n % 5 == 0 else 0.007), y), 200)
    if d.chance(0.7):  # grey bar
        bar_h, bar_w = int(h * d.span((0.15, 0.3), (0.12, 0.6))), max(3, int(w * d.uniform(0.015, 0.04)))
        ramp = np.repeat(np.linspace(255, 0, bar_h)[:, None], bar_w, axis=1).astype(np.uint8)
        image.paste(Image.fromarray(ramp), (0 if d.chance(0.5) else w - bar_w, int(h * d.uniform(0, 0.3))))
    if d.chance(0.5):  # maker's mark
        x, y = w * d.uniform(0.05, 0.2), h * d.uniform(0.0, 0.06)
        pen.ellipse((x, y, x + size * 1.4, y + size * 1.4), None, 220, 2)
        pen.text((x + size * 1.8, y), word(d).upper()[:7], 220, font)
    for _ in range(d.count((0, 2), (0, 4))):  # annotations and calipers in the middle
        x, y = w * d.uniform(0.2, 0.8), h * d.uniform(0.2, 0.9)
        mark = d.pick(("+", "x", "1"), ("+", word(d).upper(), "D 1  " + number(d) + " cm"))
        pen.text((x, y), mark, 230, font)
    return np.asarray(image)
