"""The plane that is drawn on: echo strength, mirror-like share and absorption on the beam grid, masks on the picture.

Shapes are polygons in mm. Echo strength is in dB against ordinary soft tissue (0): about -40 fluid, -20 brain,
-8 muscle, +15 bone.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from fetalclip.phantom.sector import Sector
from fetalclip.phantom.shape import Field, Mask, Pair, inside


def oval(
    centre: tuple[float, float], long: float, short: float, angle: float = 0.0, wobble: Field | None = None
) -> Field:
    """Outline (N, 2) in mm of an ellipse with two diameters, turned by ``angle`` radians.

    ``wobble`` (N,) scales the radius point by point.
    """
    n = 96 if wobble is None else len(wobble)
    t = np.arange(n) * (2 * np.pi / n)
    points = np.stack([0.5 * long * np.cos(t), 0.5 * short * np.sin(t)], axis=1)
    if wobble is not None:
        points *= wobble[:, None]
    return turn(points, angle) + np.asarray(centre)


def turn(points: Field, angle: float) -> Field:
    """Points (N, 2) turned by ``angle`` radians about the origin (clockwise on the picture)."""
    c, s = np.cos(angle), np.sin(angle)
    return points @ np.array([[c, s], [-s, c]])


def wavy(rng: np.random.Generator, n: int, size: float, highest: int = 4) -> Field:
    """A closed curve of n factors about 1 with standard deviation ``size``, from harmonics 2 to ``highest``."""
    t = np.arange(n) * (2 * np.pi / n)
    total = np.zeros(n)
    for k in range(2, highest + 1):
        total += rng.normal() / k * np.cos(k * t + rng.uniform(0, 2 * np.pi))
    return 1 + size * total / max(float(total.std()), 1e-6)


def ribbon(line: Field, thick: float, ends: float = 0.5) -> Field:
    """Outline of a stroke along ``line`` (N, 2), ``thick`` mm wide, ``ends`` of that at its ends."""
    along = np.gradient(line, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    side = np.stack([-along[:, 1], along[:, 0]], axis=1)
    t = np.linspace(-1, 1, len(line))[:, None]
    half = 0.5 * thick * (ends + (1 - ends) * np.sqrt(np.clip(1 - t**2, 0, 1)))
    return np.concatenate([line + side * half, (line - side * half)[::-1]])


def curve(*points: tuple[float, float], n: int = 16) -> Field:
    """A smooth line (n, 2) through a Bezier curve's control points."""
    p = np.asarray(points, dtype=np.float64)
    t = np.linspace(0, 1, n)[:, None, None]
    level = np.broadcast_to(p[None], (n, *p.shape))
    while level.shape[1] > 1:
        level = level[:, :-1] * (1 - t) + level[:, 1:] * t
    return level[:, 0]


class Canvas:
    """Echo strength and absorption on the beam grid of one sector.

    Attributes:
        rng: the picture's random numbers.
        sector: the geometry.
        echo: (depths, beams) dB.
        mirror: (depths, beams) 0..1, share of the echo without speckle.
        loss: (depths, beams) dB lost per sample on the way down.
        masks: name to (H, W) bool on the picture.
        shapes: name to the outlines, each (N, 2) mm, that the mask was made from.
        truth: measures of what was painted, named as in ``Phantom.truth``.
        calipers: measure to its two end points, mm.
    """

    def __init__(self, rng: np.random.Generator, sector: Sector) -> None:
        self.rng, self.sector = rng, sector
        self.echo: Field = np.zeros(sector.shape, dtype=np.float32)
        self.mirror: Field = np.zeros(sector.shape, dtype=np.float32)
        self.loss: Field = np.zeros(sector.shape, dtype=np.float32)
        self.masks: dict[str, Mask] = {}
        self.shapes: dict[str, tuple[Field, ...]] = {}
        self.truth: dict[str, float] = {}
        self.calipers: dict[str, Pair] = {}

    def mottle(self, cells: float, octaves: int = 3, fade: float = 0.7) -> Field:
        """Smooth noise (depths, beams), about unit deviation, ``cells`` coarse grains across."""
        depths, beams = self.sector.shape
        total: Field = np.zeros((1, 1), dtype=np.float32)
        weight, power = 1.0, 0.0
        for _ in range(octaves):  # each octave is laid over the ones before, on its own finer grid
            size = min(beams, max(3, round(cells))), min(depths, max(3, round(cells * depths / beams)))
            grain = np.float32(weight) * self.rng.standard_normal(size[::-1], dtype=np.float32)
            total = grain + np.asarray(Image.fromarray(total).resize(size, Image.Resampling.BILINEAR))
            power += weight**2 * 0.45
            weight, cells = weight * fade, cells * 2.3
        total = total / np.float32(np.sqrt(power))
        return np.asarray(Image.fromarray(total).resize((beams, depths), Image.Resampling.BILINEAR))

    def streaks(self) -> Field:
        """Smooth noise (depths, beams), unit deviation, stretched across the beams as fibres and layers are."""
        depths, beams = self.sector.shape
        coarse = self.rng.standard_normal((max(8, depths // 7), 8), dtype=np.float32)
        return np.asarray(Image.fromarray(coarse).resize((beams, depths), Image.Resampling.BICUBIC)) * np.float32(1.4)

    def fill(
        self, outline: Field, level: float, soft: float = 0.0, mirror: float = 0.0, loss: float | None = None
    ) -> None:
        """Set the echo strength inside an outline.

        Args:
            outline: (N, 2) mm.
            level: dB.
            soft: width of the blurred border, mm.
            mirror: share of the echo without speckle.
            loss: dB per mm on the way down; None leaves what is there.
        """
        cut = self._cut(outline, soft)
        if cut is None:
            return
        window, weight = cut
        self.echo[window] += (np.float32(level) - self.echo[window]) * weight
        self.mirror[window] += (np.float32(mirror) - self.mirror[window]) * weight
        if loss is not None:
            per_sample = np.float32(loss * self.sector.sample[0])
            self.loss[window] += (per_sample - self.loss[window]) * weight

    def add(self, outline: Field, change: float | Field, soft: float = 0.0) -> None:
        """Add dB inside an outline: one number, or a field (depths, beams)."""
        cut = self._cut(outline, soft)
        if cut is not None:
            window, weight = cut
            self.echo[window] += weight * (change if isinstance(change, (int, float)) else change[window])

    def shell(self, outer: Field, thick: float | Field, level: Field, mirror: float, loss: float) -> None:
        """A closed wall of bone or skin: ``thick`` mm inwards from ``outer`` (N, 2), ``level`` (N,) dB.

        NaN in ``level`` is a gap.
        """
        inner = outer - normals(outer) * np.broadcast_to(np.asarray(thick, dtype=float), len(outer))[:, None]
        a, b = self.sector.to_grid(outer), self.sector.to_grid(inner)
        depths, beams = self.sector.shape
        image = Image.new("F", (beams, depths), -999.0)
        pen = ImageDraw.Draw(image)
        for i in range(len(outer)):
            j = (i + 1) % len(outer)
            if np.isfinite(level[i]):
                pen.polygon([*a[i], *a[j], *b[j], *b[i]], fill=float(level[i]))
        wall = np.asarray(image)
        there = wall > -900
        self.echo[there] = wall[there]
        self.mirror[there] = mirror
        self.loss[there] = loss * self.sector.sample[0]

    def mask(self, name: str, *outlines: Field) -> None:
        """Keep the inside of outlines as a mask on the picture."""
        s = self.sector
        self.shapes[name] = outlines
        self.masks[name] = inside(outlines, (s.width, s.height), (s.mm, s.mm))

    def _cut(self, outline: Field, soft: float) -> tuple[tuple[slice, slice], Field] | None:
        """The window of the beam grid that an outline touches, and its weight 0..1 there."""
        points = self.sector.to_grid(outline)
        depths, beams = self.sector.shape
        reach = soft / self.sector.sample[0]
        low = np.maximum(np.floor(points.min(axis=0) - 2 * reach - 1), 0).astype(int)
        high = np.minimum(np.ceil(points.max(axis=0) + 2 * reach + 2), (beams, depths)).astype(int)
        if (high <= low).any():
            return None
        size = (int(high[0] - low[0]), int(high[1] - low[1]))
        image = Image.new("L", size)
        ImageDraw.Draw(image).polygon((points - low).ravel().tolist(), fill=255)
        if reach > 0.5:
            image = image.filter(ImageFilter.BoxBlur(reach * 0.7))
        weight = np.asarray(image, dtype=np.float32) * np.float32(1 / 255)
        return (slice(low[1], high[1]), slice(low[0], high[0])), weight


def normals(outline: Field) -> Field:
    """Unit normals (N, 2) of a closed outline, outwards for one that runs clockwise on the picture."""
    along = np.roll(outline, -1, axis=0) - np.roll(outline, 1, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    return np.stack([along[:, 1], -along[:, 0]], axis=1)
