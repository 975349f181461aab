"""What a curved probe sees: the sector on the picture, the beam grid and the way between them.

Millimetres: x to the right, y down, origin at the picture's top left corner. The beam grid has one row per
depth and one column per beam.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.floating]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Sector:
    """A sector of a circle, cut by the picture's frame.

    Attributes:
        width, height: of the picture, pixels.
        mm: mm per pixel, the same in x and y.
        apex: (x, y) in mm, where the beams would meet, above the probe.
        near, far: distance of the probe's surface and of the deepest echo from the apex, mm.
        half: half of the opening angle, radians.
        bottom: no echo is shown below this y, mm.
    """

    width: int
    height: int
    mm: float
    apex: tuple[float, float]
    near: float
    far: float
    half: float
    bottom: float

    @cached_property
    def _pixels(self) -> tuple[Field, Field]:
        """Distance from the apex (mm) and angle (radians) of every pixel, both (H, W)."""
        x = ((np.arange(self.width) + 0.5) * self.mm - self.apex[0]).astype(np.float32)[None, :]
        y = ((np.arange(self.height) + 0.5) * self.mm - self.apex[1]).astype(np.float32)[:, None]
        return np.hypot(x, y), np.arctan2(x, y)

    @cached_property
    def inside(self) -> Mask:
        """Pixels that show echoes, (H, W)."""
        r, angle = self._pixels
        seen = (r >= self.near) & (r <= self.far) & (np.abs(angle) <= self.half)
        seen[max(1, round(self.bottom / self.mm)) :] = False
        return seen

    @cached_property
    def _extent(self) -> tuple[float, float, float, float]:
        """Least and greatest distance and angle inside the picture."""
        r, angle = self._pixels
        a, b = angle[self.inside], r[self.inside]
        return float(b.min()), float(b.max()), float(a.min()), float(a.max())

    @cached_property
    def shape(self) -> tuple[int, int]:
        """(depths, beams) of the beam grid: finer along the beams than across, as the speckle is."""
        r0, r1, a0, a1 = self._extent
        middle = 0.5 * (r0 + r1)
        return max(32, round(0.85 * (r1 - r0) / self.mm)), max(32, round(0.6 * middle * (a1 - a0) / self.mm))

    @cached_property
    def sample(self) -> tuple[float, float]:
        """Size of one sample of the beam grid at mid depth, (along, across) in mm."""
        r0, r1, a0, a1 = self._extent
        depths, beams = self.shape
        return (r1 - r0) / (depths - 1), 0.5 * (r0 + r1) * (a1 - a0) / (beams - 1)

    @property
    def top(self) -> float:
        """Depth below the probe of the grid's first row, mm."""
        return self._extent[0] - self.near

    def to_grid(self, points: Field) -> Field:
        """Points (N, 2) in mm to (column, row) on the beam grid."""
        r0, r1, a0, a1 = self._extent
        depths, beams = self.shape
        dx, dy = points[:, 0] - self.apex[0], points[:, 1] - self.apex[1]
        column = (np.arctan2(dx, dy) - a0) / (a1 - a0) * (beams - 1)
        row = (np.hypot(dx, dy) - r0) / (r1 - r0) * (depths - 1)
        return np.stack([column, row], axis=1)

    @cached_property
    def points(self) -> Field:
        """Where the samples of the beam grid lie, (depths, beams, 2) float32 mm: the way back of ``to_grid``."""
        r0, r1, a0, a1 = self._extent
        depths, beams = self.shape
        r, angle = np.linspace(r0, r1, depths)[:, None], np.linspace(a0, a1, beams)[None, :]
        at = np.stack([self.apex[0] + r * np.sin(angle), self.apex[1] + r * np.cos(angle)], axis=-1)
        return np.asarray(at, dtype=np.float32)

    def cosine(self, points: Field, normals: Field) -> Field:
        """|cos| between the beam through each point (N, 2) and its unit normal (N, 2): 1 is face on."""
        beam = points - np.asarray(self.apex)
        beam = beam / np.linalg.norm(beam, axis=1, keepdims=True)
        return np.abs((beam * normals).sum(axis=1))

    def convert(self, grid: Field) -> Field:
        """Scan conversion: a beam grid (depths, beams) on the picture (H, W), bilinear, 0 outside."""
        r, angle = self._pixels
        r0, r1, a0, a1 = self._extent
        depths, beams = grid.shape
        inside = self.inside
        row = (r[inside] - np.float32(r0)) * np.float32((depths - 1) / (r1 - r0))
        column = (angle[inside] - np.float32(a0)) * np.float32((beams - 1) / (a1 - a0))
        i = np.minimum(row.astype(np.int32), depths - 2)
        j = np.minimum(column.astype(np.int32), beams - 2)
        row -= i
        column -= j
        flat, at = np.ascontiguousarray(grid).reshape(-1), i * beams + j
        upper = flat.take(at)
        upper += (flat.take(at + 1) - upper) * column
        at += beams
        lower = flat.take(at)
        lower += (flat.take(at + 1) - lower) * column
        out = np.zeros(r.shape, dtype=np.float32)
        out[inside] = upper + (lower - upper) * row
        return out


def place(rng: np.random.Generator, style: str, size: tuple[int, int], mm: float, cut: float = 1.0) -> Sector:
    """A sector of one of the styles that stored pictures have.

    Args:
        rng: the picture's random numbers.
        style: "fan" (the whole fan, probe at the top), "zoom" (enlarged, only the sides slant),
            "frame" (echoes fill nearly all of the picture).
        size: (width, height) in pixels.
        mm: mm per pixel.
        cut: share of the height that shows echoes; below it is black.
    """
    w, h = size[0] * mm, size[1] * mm
    x = w * rng.uniform(0.46, 0.54)
    if style == "fan":
        half = rng.uniform(0.56, 0.74)
        near = h * rng.uniform(0.40, 0.70)
        y = h * rng.uniform(0.0, 0.03) - near * np.cos(half) * rng.uniform(1.0, 1.08)
        far = h * rng.uniform(0.97, 1.12) - y
    elif style == "zoom":
        half = rng.uniform(0.42, 0.62)
        top = 0.5 * w * rng.uniform(0.62, 0.95)  # half width of the echoes at the picture's top
        y = -top / np.tan(half)
        near = -y * rng.uniform(0.6, 0.95)
        far = (h - y) * rng.uniform(1.0, 1.25)
    else:
        half = rng.uniform(0.55, 0.75)
        y = -0.5 * w * rng.uniform(1.0, 1.5) / np.tan(half)
        near, far = -y * rng.uniform(0.5, 0.9), (h - y) * 1.4
    return Sector(size[0], size[1], mm, (float(x), float(y)), float(near), float(far), float(half), h * cut)
