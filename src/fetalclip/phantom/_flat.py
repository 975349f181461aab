"""Distractors without things: noise, gradients and test cards, blank frames. uint8 (H, W) or (H, W, 3)."""

from __future__ import annotations

import numpy as np

from fetalclip.phantom._noise import Bytes, Dice, Field, cloud, grid, smooth, to_bytes


def colours(d: Dice, n: int) -> Field:
    """n random RGB colours (n, 3), 0..255, either all grey or free."""
    if d.chance(0.35):
        return np.repeat(d.rng.uniform(0, 255, (n, 1)), 3, axis=1).astype(np.float32)
    return d.rng.uniform(0, 255, (n, 3)).astype(np.float32)


def plain(pixels: Bytes) -> Bytes:
    """RGB of three equal channels as (H, W); anything else unchanged."""
    if pixels.ndim == 3 and bool((pixels == pixels[..., :1]).all()):
        return np.ascontiguousarray(pixels[..., 0])
    return pixels


def noise(d: Dice, w: int, h: int) -> Bytes:
    """White, Gaussian, salt-and-pepper, band-passed, blocky, striped or smooth noise."""
    style = d.pick(
        ("white", "gaussian", "salt", "band", "colour", "cloud"),
        ("white", "gaussian", "salt", "band", "blocks", "lines", "exponential", "colour"),
    )
    rng = d.rng
    if style == "white":
        low = d.uniform(0, 100)
        return rng.integers(int(low), int(d.uniform(low + 60, 256)), (h, w), dtype=np.uint8)
    if style == "colour":
        cells = w / d.span((1, 2), (1, 6))
        planes = [smooth(rng, w, h, cells) for _ in range(3)]
        return to_bytes(np.stack(planes, axis=-1) * d.uniform(20, 80) + d.uniform(60, 190))
    if style == "salt":
        share = d.span((0.02, 0.3), (0.05, 0.5))
        value = rng.random((h, w), dtype=np.float32)
        back = d.span((0, 200), (0, 255))
        return to_bytes(np.where(value < share / 2, 0, np.where(value > 1 - share / 2, 255, back)))
    if style == "blocks":
        side = max(2, w // int(rng.integers(8, 80)))
        small = rng.integers(0, 256, (-(-h // side), -(-w // side)), dtype=np.uint8)
        return np.repeat(np.repeat(small, side, axis=0), side, axis=1)[:h, :w]
    field = _field(d, style, w, h)
    return to_bytes(field * d.span((15, 60), (10, 80)) + d.span((40, 200), (30, 220)))


def _field(d: Dice, style: str, w: int, h: int) -> Field:
    """Noise (h, w), mean about 0 and s.d. about 1."""
    rng = d.rng
    if style == "gaussian":
        return rng.standard_normal((h, w), dtype=np.float32)
    if style == "exponential":
        return rng.standard_exponential((h, w), dtype=np.float32) - 1
    if style == "cloud":
        return 5 * (cloud(rng, w, h, d.uniform(0.3, 1.2)) - 0.5)
    if style == "lines":  # a television without signal: each row a level, with snow
        rows = rng.standard_normal((h, 1), dtype=np.float32)
        return (rows + d.uniform(0, 1) * rng.standard_normal((h, w), dtype=np.float32)).astype(np.float32)
    fine = d.span((20, 120), (10, 200))
    band = smooth(rng, w, h, fine) - d.uniform(0.3, 0.9) * smooth(rng, w, h, fine / 2)
    return (band / max(float(band.std()), 1e-6)).astype(np.float32)


def _turned(d: Dice, w: int, h: int) -> tuple[Field, Field]:
    """Two perpendicular coordinates (h, w) at a random angle, in units of the longer side."""
    angle = d.pick((0.0, np.pi / 2, d.uniform(0, np.pi)), (d.uniform(0, np.pi), d.uniform(0, np.pi)))
    x, y = grid(w, h)
    side = max(w, h)
    x, y = (x - np.float32(0.5)) * np.float32(w / side), (y - np.float32(0.5)) * np.float32(h / side)
    c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return c * x + s * y, c * y - s * x


def _ramp(t: Field, stops: Field) -> Field:
    """Colours (h, w, 3) at t in 0..1 between evenly spaced stops (n, 3)."""
    at = np.linspace(0, 1, len(stops))
    return np.stack([np.interp(t, at, stops[:, c]) for c in range(3)], axis=-1).astype(np.float32)


def gradient(d: Dice, w: int, h: int) -> Bytes:
    """Linear, radial and conic gradients, stripes, checkerboards, gratings, zone plates, test cards."""
    style = d.pick(
        ("linear", "radial", "stripes", "checker", "grating"),
        ("linear", "radial", "conic", "checker", "zone", "card", "stripes", "steps"),
    )
    if style == "card":
        return plain(to_bytes(_card(d, w, h)))
    p, q = _turned(d, w, h)
    stops = colours(d, d.count((2, 2), (2, 5)))
    if style == "linear":
        t = (p - p.min()) / max(float(np.ptp(p)), 1e-6)
    elif style == "radial":
        radius = np.hypot(p - d.uniform(-0.3, 0.3), q - d.uniform(-0.2, 0.2))
        t = (radius / np.float32(d.span((0.5, 0.9), (0.3, 1.2)))).clip(0, 1)
    elif style == "conic":
        t = (np.arctan2(q, p) / np.float32(2 * np.pi) + 0.5).astype(np.float32)
    elif style == "zone":
        t = 0.5 + 0.5 * np.cos((p * p + q * q) * np.float32(d.uniform(100, 600)))
    elif style == "grating":
        t = 0.5 + 0.5 * np.sin(p * np.float32(d.uniform(20, 200)))
    elif style == "steps":
        n = d.uniform(4, 16)
        t = np.floor((p + 0.7).clip(0, 1.39) / 1.4 * n) / n
    else:
        cells = np.float32(d.span((4, 18), (3, 30)))
        t = np.floor(p * cells) + (np.floor(q * cells) if style == "checker" else 0)
        t = np.mod(t, 2)
    return plain(to_bytes(_ramp(t.astype(np.float32), stops)))


def _card(d: Dice, w: int, h: int) -> Field:
    """A television test card: colour bars, a grey staircase, often a circle and a lattice."""
    bars = np.array([[c & 2, c & 4, c & 1] for c in range(7, -1, -1)], dtype=bool) * d.uniform(150, 255)
    image = np.repeat(bars[(np.arange(w) * 8 // w)][None], h, axis=0).astype(np.float32)
    cut = int(h * d.uniform(0.55, 0.85))
    steps = d.count((5, 8), (5, 11))
    image[cut:] = ((np.arange(w) * steps // w) * (255 / (steps - 1)))[None, :, None]
    if d.chance(0.5):
        x, y = np.arange(w)[None, :] - w / 2, np.arange(h)[:, None] - h / 2
        radius = np.hypot(x, y) / h
        image[np.abs(radius - 0.45) < 0.006] = 255
        pitch = max(8, w // 16)
        image[:, ::pitch] = 255
        image[::pitch] = 255
    return image if d.chance(0.6) else np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2)


def blank(d: Dice, w: int, h: int) -> Bytes:
    """Black, white, one grey or colour, or nearly so: a few levels of noise, drift or vignette."""
    style = d.pick(("black", "white", "gray", "nearly"), ("black", "white", "gray", "colour", "nearly", "drift"))
    if style == "colour":
        return np.broadcast_to(d.rng.integers(0, 256, (1, 1, 3), dtype=np.uint8), (h, w, 3)).copy()
    level = {"black": 0.0, "white": 255.0}.get(style, d.span((0, 255), (2, 250)))
    field = np.full((h, w), level, dtype=np.float32)
    if style == "nearly":
        field += d.span((0.5, 2.0), (0.5, 4.0)) * d.rng.standard_normal((h, w), dtype=np.float32)
    if style == "drift":
        field += d.uniform(1, 8) * smooth(d.rng, w, h, 3)
    return to_bytes(field)
