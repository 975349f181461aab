"""Pictures that are not a fetal standard plane, for training the abstention and for measuring it.

*Far* kinds have nothing to do with ultrasound; *near* kinds look like it and show no plane: bare speckle,
or a given plane whose anatomy was blurred away, inverted or shuffled. The profiles ``train`` and ``test``
draw from disjoint seed streams, with other styles and ranges. All of it is drawn; no picture is stored.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from fetalclip.errors import UsageError
from fetalclip.frame import Frame
from fetalclip.phantom import _drawings, _flat, _pages, _radiograph, _scenes
from fetalclip.phantom._noise import Bytes, Dice, Field, Mask, dice, grid, rayleigh, sector, to_bytes

_FAR: dict[str, Callable[[Dice, int, int], Bytes]] = {
    "photograph": _scenes.photograph,
    "drawing": _drawings.drawing,
    "text": _pages.text,
    "noise": _flat.noise,
    "gradient": _flat.gradient,
    "blank": _flat.blank,
    "overlay": _pages.overlay,
    "document": _pages.document,
    "radiograph": _radiograph.radiograph,
}
FAR = tuple(_FAR)
"""Kinds of pictures that are not ultrasound."""

NEAR = ("speckle", "blurred", "inverted", "shuffled")
"""Kinds of pictures that look like ultrasound and show no plane."""

_ASPECTS = (4 / 3, 4 / 3, 1.45, 1.63, 1.5, 1.25, 16 / 9, 1.0)  # width over height
_LEAST = 32  # pixels, the smallest side that can be drawn


def far(kind: str, seed: int, profile: str = "test", size: tuple[int, int] | None = None) -> Frame:
    """A picture that is not ultrasound.

    Args:
        kind: one of ``FAR``.
        seed: 0 or more; the same kind, seed, profile and size give the same pixels.
        profile: "train" or "test"; other seeds, styles and ranges.
        size: (width, height) in pixels; None draws one, 300 to 960 wide.

    Returns:
        A grey or RGB frame without spacing.

    Raises:
        UsageError: unknown kind or profile, negative seed, or a side under 32 pixels.
    """
    if kind not in _FAR:
        raise _unknown("far", kind, FAR)
    d = dice(kind, seed, profile)
    w, h = _size(d, size)
    return Frame(_FAR[kind](d, w, h), info={"drawn": kind, "profile": profile})


def near(kind: str, seed: int, gray: Bytes | None, profile: str = "test", size: tuple[int, int] | None = None) -> Frame:
    """A picture that looks like ultrasound and shows no standard plane.

    Args:
        kind: one of ``NEAR``. "speckle" ignores ``gray``.
        seed: 0 or more.
        gray: a plane, uint8 (H, W), whose anatomy is destroyed; None: a drawn sector with a few ellipses.
        profile: "train" or "test"; other seeds and ranges.
        size: (width, height) of what is drawn; ignored where ``gray`` is used.

    Returns:
        A grey frame without spacing, of the size of ``gray`` where that is used.

    Raises:
        UsageError: unknown kind or profile, negative seed, or ``gray`` of another type or too small.
    """
    if kind not in NEAR:
        raise _unknown("near", kind, NEAR)
    d = dice(kind, seed, profile)
    if kind == "speckle":
        w, h = _size(d, size)
        pixels, inside = sector(d, w, h)
        if d.chance(0.5):
            pixels = np.where(inside, pixels, _pages.overlay(d, w, h))
    else:
        plane = _ellipses(d, *_size(d, size)) if gray is None else _checked(gray)
        pixels = _CHANGES[kind](d, plane)
    return Frame(pixels, info={"drawn": kind, "profile": profile})


def _unknown(group: str, kind: str, known: tuple[str, ...]) -> UsageError:
    return UsageError(f"an unknown {group} kind {kind!r}", "one of " + ", ".join(known), f'{group}("{known[0]}", 0)')


def _size(d: Dice, size: tuple[int, int] | None) -> tuple[int, int]:
    w = int(d.rng.integers(300, 961))
    h = round(w / d.pick(_ASPECTS, _ASPECTS))
    if size is not None:
        w, h = int(size[0]), int(size[1])
    if min(w, h) < _LEAST:
        raise UsageError(f"a size of {w} x {h} pixels", f"at least {_LEAST} on each side", "size=(320, 240)")
    return w, h


def _checked(gray: Bytes) -> Bytes:
    if gray.dtype != np.uint8 or gray.ndim != 2 or min(gray.shape) < _LEAST:
        raise UsageError(
            f"a plane of type {gray.dtype} and shape {gray.shape}",
            f"uint8 pixels of shape (H, W), at least {_LEAST} on each side",
            "near(kind, seed, frame.gray)",
        )
    return gray


def _ellipses(d: Dice, w: int, h: int) -> Bytes:
    """A sector with a few bright-rimmed ellipses, the stand-in for a plane."""
    x, y = grid(w, h)
    extra = np.zeros((h, w), dtype=np.float32)  # dB
    for _ in range(d.count((1, 3), (2, 5))):
        cx, cy = d.uniform(0.3, 0.7), d.uniform(0.3, 0.7)
        a, b = d.uniform(0.08, 0.3), d.uniform(0.08, 0.3)
        radius = np.hypot((x - np.float32(cx)) / np.float32(a), (y - np.float32(cy)) / np.float32(b))
        extra += d.uniform(8, 22) * np.exp(-(((radius - 1) / 0.08) ** 2)) - d.uniform(2, 14) * (radius < 1)
    return sector(d, w, h, extra)[0]


def _blur(field: Field, sigma: float) -> Field:
    """Gaussian blur of a (H, W) field of 0..255, done at a size where sigma is about 6 pixels."""
    h, w = field.shape
    shrink = max(1.0, sigma / 6)
    small = (max(2, round(w / shrink)), max(2, round(h / shrink)))
    image = Image.fromarray(to_bytes(field)).resize(small, Image.Resampling.BOX)
    image = image.filter(ImageFilter.GaussianBlur(sigma / shrink))
    return np.asarray(image.resize((w, h), Image.Resampling.BICUBIC), dtype=np.float32)


def outline(gray: Bytes) -> Mask:
    """The imaged area of a plane, bool (H, W): the convex hull of what is lit, thin things aside."""
    h, w = gray.shape
    small = (128, max(16, round(128 * h / w)))
    lit = Image.fromarray(gray).resize(small, Image.Resampling.BOX).point([0] * 7 + [255] * 249)
    mask = np.asarray(lit.filter(ImageFilter.MinFilter(5)).filter(ImageFilter.MaxFilter(5))) > 0
    points: list[tuple[float, float]] = []
    for row in np.flatnonzero(mask.any(axis=1)).tolist():
        across = np.flatnonzero(mask[row])
        for x in (int(across[0]), int(across[-1]) + 1):
            points += [(float(x), float(row)), (float(x), row + 1.0)]
    hull = _half_hull(sorted(points)) + _half_hull(sorted(points, reverse=True))
    if len(hull) < 3:
        return np.ones((h, w), dtype=np.bool_)
    image = Image.new("L", (w, h), 0)
    ImageDraw.Draw(image).polygon([(x * w / small[0], y * h / small[1]) for x, y in hull], 255)
    return np.asarray(image) > 0


def _half_hull(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """One side of the convex hull of sorted points (Andrew's monotone chain)."""
    hull: list[tuple[float, float]] = []
    for x, y in points:
        while len(hull) > 1:
            (ax, ay), (bx, by) = hull[-2:]
            if (bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0:
                break
            hull.pop()
        hull.append((x, y))
    return hull[:-1]


def _blurred(d: Dice, gray: Bytes) -> Bytes:
    """Gaussian blur, sigma 5 to 12 % of the width; edge kept or not, brightened or not, speckle or not."""
    h, w = gray.shape
    sigma = w * d.span((0.05, 0.09), (0.06, 0.12))
    inside = outline(gray)
    keep_edge, speckled = d.chance(0.6), d.chance(0.5)
    soft: Field = gray.astype(np.float32)
    if keep_edge:  # weighted inside the outline, so that its edge stays sharp
        weight = _blur(inside.astype(np.float32) * 255, sigma)
        soft = _blur(soft * inside, sigma) * (255 / np.maximum(weight, 8)) * inside
    else:
        soft = _blur(soft, sigma)
    if d.chance(0.4):  # the brightness of a plane again
        soft = soft * (d.uniform(90, 200) / max(float(np.percentile(soft, 98)), 1.0))
    if speckled:
        scale = w / 400
        grain = (d.span((1.5, 4.0), (1.2, 6.0)) * scale + 0.5, d.span((1.0, 2.0), (0.9, 2.6)) * scale + 0.3)
        db = 20 * np.log10(rayleigh(d.rng, w, h, grain) + np.float32(0.02))
        soft = soft * (1 + db / d.span((14, 30), (11, 40)))
    return to_bytes(soft)


def _inverted(d: Dice, gray: Bytes) -> Bytes:
    """Grey-level negative: of everything, of the outline only, or (test) from the brightest level down."""
    style = d.pick(("whole", "inside"), ("whole", "inside", "level"))
    top = 255 if style != "level" else int(np.percentile(gray, 99.5))
    negative = np.clip(top - gray.astype(np.int16), 0, 255).astype(np.uint8)
    return np.where(outline(gray), negative, gray) if style == "inside" else negative


def _shuffled(d: Dice, gray: Bytes) -> Bytes:
    """Every patch of a 3..8 by 3..8 grid moved to another place; the remainder at right and bottom stays."""
    h, w = gray.shape
    n = d.count((3, 6), (3, 8))
    ny, nx = n, (d.count((3, 6), (3, 8)) if d.test else n)
    ph, pw = h // ny, w // nx
    patches = gray[: ny * ph, : nx * pw].reshape(ny, ph, nx, pw).swapaxes(1, 2).reshape(ny * nx, ph, pw)
    order = d.rng.permutation(ny * nx)
    moved = np.empty_like(patches)
    moved[order] = patches[np.roll(order, 1)]  # one cycle through all places: no patch stays
    result = gray.copy()
    result[: ny * ph, : nx * pw] = moved.reshape(ny, nx, ph, pw).swapaxes(1, 2).reshape(ny * ph, nx * pw)
    return result


_CHANGES: dict[str, Callable[[Dice, Bytes], Bytes]] = {
    "blurred": _blurred,
    "inverted": _inverted,
    "shuffled": _shuffled,
}
