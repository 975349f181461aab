"""Random numbers, smooth fields and a bare speckle sector, for the distractor pictures.

Speckle is the magnitude of a complex Gaussian field (Rayleigh, fully developed speckle: Wagner et al.,
IEEE Trans. Sonics Ultrason. 30, 1983) on the (depth, beam) grid, log-compressed, then scan-converted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar
from zlib import crc32

import numpy as np
import numpy.typing as npt
from PIL import Image

from fetalclip.errors import UsageError

Field = npt.NDArray[np.floating]
Bytes = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Range = tuple[float, float]
T = TypeVar("T")

PROFILES = ("train", "test")
_ROOT = 0x0F37A1  # first word of every seed sequence of the distractors


@dataclass(frozen=True)
class Dice:
    """A seeded generator that knows which profile it draws for; every choice names both profiles' ranges."""

    rng: np.random.Generator
    test: bool

    def span(self, train: Range, test: Range) -> float:
        """A uniform number in the profile's range."""
        low, high = test if self.test else train
        return float(self.rng.uniform(low, high))

    def count(self, train: tuple[int, int], test: tuple[int, int]) -> int:
        """An integer in the profile's range, both ends included."""
        low, high = test if self.test else train
        return int(self.rng.integers(low, high + 1))

    def pick(self, train: Sequence[T], test: Sequence[T]) -> T:
        """One of the profile's options."""
        options = test if self.test else train
        return options[int(self.rng.integers(len(options)))]

    def chance(self, p: float) -> bool:
        """True with probability p."""
        return bool(self.rng.random() < p)

    def uniform(self, low: float, high: float) -> float:
        """A uniform number, the same range in both profiles."""
        return float(self.rng.uniform(low, high))


def dice(kind: str, seed: int, profile: str) -> Dice:
    """The generator of one picture: the same (kind, seed, profile) always gives the same numbers.

    Raises:
        UsageError: if the profile is unknown or the seed is negative.
    """
    if profile not in PROFILES:
        raise UsageError(f"an unknown profile {profile!r}", "one of " + ", ".join(PROFILES), 'profile="test"')
    if seed < 0:
        raise UsageError(f"a negative seed {seed}", "an integer of 0 or more")
    words = [_ROOT, PROFILES.index(profile), crc32(kind.encode()), int(seed)]
    return Dice(np.random.default_rng(np.random.SeedSequence(words)), profile == "test")


def resize(field: Field, w: int, h: int) -> Field:
    """Bicubic resize of a float field to (h, w)."""
    return np.asarray(Image.fromarray(field).resize((w, h), Image.Resampling.BICUBIC), dtype=np.float32)


def smooth(rng: np.random.Generator, w: int, h: int, cells: float) -> Field:
    """Band-limited Gaussian noise (h, w), mean about 0, s.d. about 0.7, ``cells`` grains across the width."""
    nx = max(2, min(w, round(cells)))
    ny = max(2, min(h, round(cells * h / w)))
    return resize(rng.standard_normal((ny, nx), dtype=np.float32), w, h)


def cloud(rng: np.random.Generator, w: int, h: int, beta: float = 1.0, first: float = 2.5) -> Field:
    """1/f^beta noise (h, w) from octaves, scaled to 0..1."""
    total = np.zeros((h, w), dtype=np.float32)
    cells = first
    while cells < w:
        total += smooth(rng, w, h, cells) * np.float32((first / cells) ** beta)
        cells *= 2.1
    low, high = float(total.min()), float(total.max())
    return (total - low) / max(high - low, 1e-6)


def grid(w: int, h: int) -> tuple[Field, Field]:
    """Pixel coordinates x (1, w) and y (h, 1), 0..1 in units of the width and of the height."""
    x = (np.arange(w, dtype=np.float32) + 0.5) / w
    y = (np.arange(h, dtype=np.float32) + 0.5) / h
    return x[None, :], y[:, None]


def sigmoid(field: Field) -> Field:
    """The logistic function, clipped so that it never overflows."""
    return 1 / (1 + np.exp(-field.clip(-30, 30)))


def to_bytes(field: Field) -> Bytes:
    """Rounded, clipped to 0..255."""
    return np.rint(field).clip(0, 255).astype(np.uint8)


def rayleigh(rng: np.random.Generator, w: int, h: int, grain: tuple[float, float], looks: int = 1) -> Field:
    """Speckle (h, w), mean square 1, grains of (x, y) pixels; the power averaged over ``looks``."""
    nx, ny = max(2, round(w / grain[0])), max(2, round(h / grain[1]))
    power = np.zeros((h, w), dtype=np.float32)
    for _ in range(2 * looks):
        power += resize(rng.standard_normal((ny, nx), dtype=np.float32), w, h) ** 2
    return np.sqrt(power / max(float(power.mean()), 1e-6))


def _geometry(d: Dice, w: int, h: int) -> tuple[Field, Field, Mask]:
    """Depth u in 0..1, beam v in -1..1 over what is seen, and the sector's outline, all (h, w)."""
    style = d.pick(("convex", "convex", "zoom", "full"), ("convex", "zoom", "zoom", "trapezoid", "full"))
    half = d.span((0.45, 0.65), (0.38, 0.75))
    length, cy = h * d.uniform(0.9, 1.05), 0.0
    r0 = length * d.span((0.25, 0.5), (0.15, 0.6))
    if style == "trapezoid":
        half, r0 = d.uniform(0.12, 0.25), length * d.uniform(2.0, 3.0)
    if style == "zoom":
        r0, half = length * d.uniform(0.7, 1.4), d.span((0.3, 0.42), (0.26, 0.5))
    if style == "full":
        r0, half, length, cy = h * d.uniform(1.5, 3.0), 1.2, h * 1.6, -0.2 * h
    cx = w * d.span((0.45, 0.55), (0.4, 0.6))
    top = cy - r0 * (np.cos(half) if style == "convex" else 1.0)
    x = np.arange(w, dtype=np.float32)[None, :] - np.float32(cx)
    y = np.arange(h, dtype=np.float32)[:, None] - np.float32(top)
    u, v = np.hypot(x, y) - np.float32(r0), np.arctan2(x, y)
    inside = (u >= 0) & (u <= length) & (np.abs(v) <= half)
    if not inside.any():  # cannot be with these ranges
        inside[:] = True
    return _stretch(u, inside), 2 * _stretch(v, inside) - 1, inside


def _stretch(field: Field, inside: Mask) -> Field:
    seen = field[inside]
    low, high = seen.min(), seen.max()
    return ((field - low) / max(high - low, np.float32(1e-6))).clip(0, 1)


def _tissue(d: Dice, na: int, nr: int) -> Field:
    """Echo strength in dB (nr, na) on the beam grid: layers near the probe, patches, attenuation, shadows."""
    depth = np.linspace(0, 1, nr, dtype=np.float32)[:, None]
    beam = np.linspace(-1, 1, na, dtype=np.float32)[None, :]
    echo = d.span((6, 24), (10, 34)) * (cloud(d.rng, na, nr, d.span((1.2, 1.6), (0.8, 1.4)), d.uniform(2, 6)) - 0.5)
    for _ in range(d.count((0, 2), (0, 2))):  # patches of other tissue, without a rim
        patch = smooth(d.rng, na, nr, d.span((2, 4), (2, 5)))
        echo += d.span((-12, 6), (-15, 8)) * sigmoid((patch - d.uniform(0.1, 0.8)) * d.uniform(2, 8))
    wavy = depth + 0.02 * smooth(d.rng, na, nr, 3)
    for _ in range(d.count((2, 6), (1, 8))):  # layers of the abdominal wall
        at, thick = d.uniform(0.0, d.span((0.15, 0.3), (0.1, 0.4))), d.uniform(0.004, 0.03)
        echo += d.span((-6, 14), (-10, 18)) * np.exp(-(((wavy - at) / thick) ** 2))
    streaks = smooth(d.rng, na, nr, 40)[:, ::-1] * resize(d.rng.standard_normal((nr // 3, 8), dtype=np.float32), na, nr)
    echo += d.span((0, 5), (0, 8)) * streaks.clip(0, 3)
    focus = d.uniform(0.2, 0.7)
    echo -= d.span((8, 25), (4, 32)) * (depth - focus) ** 2 / 0.4 + d.span((0, 12), (0, 20)) * depth
    for _ in range(d.count((0, 3), (0, 4))):  # shadows, and enhancement behind fluid
        at, wide, start = d.uniform(-1, 1), d.uniform(0.04, 0.25), d.uniform(0, 0.5)
        level = d.span((-30, 6), (-25, 9))
        echo += level * np.exp(-(((beam - at) / wide) ** 2)) * sigmoid((depth - start) * 40)
    return echo.astype(np.float32)


def sector(d: Dice, w: int, h: int, extra: Field | None = None) -> tuple[Bytes, Mask]:
    """A speckle-only ultrasound sector, uint8 (h, w), and its filled outline.

    ``extra`` (h, w), in dB, is added to the echo strength.
    """
    u, v, inside = _geometry(d, w, h)
    na, nr = w, round(h * 1.1)
    scale = max(w, h) / 400
    grain = (d.span((2.0, 5.0), (1.6, 7.0)) * scale + 0.6, d.span((1.1, 2.2), (1.0, 2.8)) * scale + 0.3)
    magnitude = rayleigh(d.rng, na, nr, grain, d.count((1, 2), (1, 3)))
    db = 20 * np.log10(magnitude + np.float32(0.01)) + _tissue(d, na, nr)
    rows, columns = (u * (nr - 1)).astype(np.int32), ((v + 1) * (0.5 * (na - 1))).astype(np.int32)
    seen = db[rows, columns]
    if extra is not None:
        seen = seen + extra
    level, dynamic = d.span((35, 95), (25, 115)), d.span((42, 60), (36, 70))
    gray = level + (seen - float(np.median(seen[inside]))) * (255 / dynamic)
    return to_bytes(gray * inside), inside
