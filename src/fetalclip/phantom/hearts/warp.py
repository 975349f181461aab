"""Looking up: from the beam grid of a frame to the grid at rest, and from the beam grid to the picture."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from fetalclip.frame import Pixels
from fetalclip.phantom.canvas import Field
from fetalclip.phantom.hearts.scene import Scene
from fetalclip.phantom.hearts.tissue import REACH
from fetalclip.phantom.sector import Sector

Wave = TypeVar("Wave", npt.NDArray[np.floating], npt.NDArray[np.complexfloating])


class Corner:
    """Bilinear look-up at places on a grid; beyond its borders the border is repeated.

    Args:
        row, column: of the places, any shape, float32.
        shape: (rows, columns) of the grid.
    """

    def __init__(self, row: Field, column: Field, shape: tuple[int, int]) -> None:
        row = np.clip(row, np.float32(0), np.float32(shape[0] - 1.001))
        column = np.clip(column, np.float32(0), np.float32(shape[1] - 1.001))
        i, j = row.astype(np.intp), column.astype(np.intp)
        self.row = row - i.astype(np.float32)  # shares of the neighbours below and beside
        self.column = column - j.astype(np.float32)
        i *= shape[1]
        i += j
        self.at = i  # flat index of the neighbour above, on the left
        below = i + shape[1]
        self.others = i + 1, below, below + 1

    def look(self, flat: Wave) -> Wave:
        """Values of a flat grid (rows * columns,) at the places."""
        beside, below, across = (flat.take(at, mode="clip") for at in self.others)
        upper = flat.take(self.at, mode="clip")
        beside -= upper
        beside *= self.column
        upper += beside
        across -= below
        across *= self.column
        below += across
        below -= upper
        below *= self.row
        upper += below
        return upper


class Paths:
    """Where the tissue at each sample of a scene's beam grid lay at rest."""

    def __init__(self, scene: Scene) -> None:
        self.sector = scene.sector
        at = scene.sector.points - np.asarray(scene.centre, dtype=np.float32)
        self.x, self.y = np.ascontiguousarray(at[..., 0]), np.ascontiguousarray(at[..., 1])  # from the chest's middle
        self.unit = scene.unit.astype(np.float32)
        self.back = np.linalg.inv(scene.unit).astype(np.float32)
        self.heart = np.asarray(scene.heart, dtype=np.float32) - np.asarray(scene.centre, dtype=np.float32)
        unit = (at - self.heart) @ self.back
        near = np.abs(unit).max(axis=-1) < REACH + 0.25  # a little more, for the chest's sway
        rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
        self.window = (
            (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)) if len(rows) else (slice(0), slice(0))
        )
        away = scene.sector.points - np.asarray(scene.sector.apex, dtype=np.float32)
        self.far = np.hypot(away[:, :1, 0], away[:, :1, 1])  # (depths, 1) mm from the apex
        angle = np.arctan2(away[:1, :, 0], away[:1, :, 1])  # (1, beams)
        self.sin, self.cos = np.sin(angle), np.cos(angle)
        depths, beams = self.far.shape[0], angle.shape[1]
        self.per_mm = np.float32((depths - 1) / float(self.far[-1, 0] - self.far[0, 0]))
        self.per_radian = np.float32((beams - 1) / float(angle[0, -1] - angle[0, 0]))
        self.column = np.arange(beams, dtype=np.float32)[None, :]

    def __call__(self, table: Field, shift: tuple[float, float], turned: float) -> tuple[Field, Field]:
        """Row and column at rest of every sample, (depths, beams) float32 each.

        Args:
            table: of ``Motion.inverse``.
            shift: of the chest, mm.
            turned: of the chest about its middle, radians.
        """
        c, s = np.float32(np.cos(turned)), np.float32(np.sin(turned))
        x, y = self.x - np.float32(shift[0]), self.y - np.float32(shift[1])
        x, y = c * x + s * y, c * y - s * x
        self._beat(table, x[self.window], y[self.window])
        x -= self.x
        y -= self.y
        down = self.far + (x * self.sin + y * self.cos)
        z = (x * self.cos - y * self.sin) / down  # tangent of the angle to the sample's own beam
        square = z * z
        row = (down * np.sqrt(1 + square) - self.far[0, 0]) * self.per_mm
        angle = z * (1 - square * (np.float32(1 / 3) - square * np.float32(0.2)))  # arctan, |z| stays under 0.3
        return row, self.column + angle * self.per_radian

    def _beat(self, table: Field, x: Field, y: Field) -> None:
        """Add the beat's part of the way to views of the chest's places, mm from its middle."""
        dx, dy = x - self.heart[0], y - self.heart[1]
        b, cells = self.back, len(table)
        scale, reach = np.float32((cells - 1) / (2 * REACH)), np.float32(REACH)
        spot = Corner(
            (dx * b[0, 0] + dy * b[1, 0] + reach) * scale, (dx * b[0, 1] + dy * b[1, 1] + reach) * scale, (cells, cells)
        )
        along, aside = spot.look(table[..., 0].ravel()), spot.look(table[..., 1].ravel())
        u = self.unit
        x += along * u[0, 0] + aside * u[1, 0]
        y += along * u[0, 1] + aside * u[1, 1]


class Scan:
    """Scan conversion with its look-up kept: a beam grid (depths, beams) on the picture, black outside the sector."""

    def __init__(self, sector: Sector) -> None:
        self.size = sector.height, sector.width
        y, x = np.nonzero(sector.inside)
        grid = sector.to_grid((np.stack([x, y], axis=1) + 0.5) * sector.mm).astype(np.float32)
        self.pixel = y * sector.width + x
        self.spot = Corner(grid[:, 1], grid[:, 0], sector.shape)

    def __call__(self, grid: Field) -> Pixels:
        """Grey levels, uint8 (H, W)."""
        out = np.zeros(self.size[0] * self.size[1], dtype=np.uint8)
        out[self.pixel] = np.rint(self.spot.look(grid.ravel())).clip(0, 255)
        return out.reshape(self.size)
