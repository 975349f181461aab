"""How the heart's tissue moves: a smooth deformation of the resting shape, and its inverse on a table.

The whole picture is painted once, at rest. A frame looks up, for each of its samples, where that bit of tissue lay at
rest; walls, septa and speckle so move together. Heart units as in ``anatomy``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from fetalclip.phantom.canvas import Field
from fetalclip.phantom.hearts.anatomy import CHAMBERS, FourChambers, volume
from fetalclip.phantom.hearts.cycle import rise

REACH = 1.45  # heart units, tissue farther from the heart's middle does not move with the beat
_CELLS = 40  # of the inverse's table along each side
_LEVELS = np.linspace(-0.05, 1.05, 9)  # contraction
_KICKS = np.array([0.0, 1.0])
_ALONG = np.array([0.55, 1.0])  # walls draw in more than length shortens; the valves' plane does the rest
_STEPS = 5  # of the inverse's iteration


@dataclass(frozen=True)
class Motion:
    """The deformation of one heart.

    Attributes:
        middles, radii: (4, 2) of LV, RV, LA, RA at rest.
        squeeze: by how much each chamber shrinks towards its middle at full contraction, (4,); negative swells.
        cross: x of the valves' plane.
        pull: how far that plane moves to the apex at full contraction.
        kick: by how much the atria shrink in their own contraction.
    """

    middles: Field
    radii: Field
    squeeze: Field
    cross: float
    pull: float
    kick: float

    @classmethod
    def of(cls, anatomy: FourChambers, ejection: float, kick: float = 0.12) -> Motion:
        """The deformation whose full contraction has a given ejection fraction of the left ventricle, by bisection."""
        boxes = [anatomy.chambers[name] for name in CHAMBERS]
        low = np.array([b.min(axis=0) for b in boxes])
        high = np.array([b.max(axis=0) for b in boxes])
        base = cls(0.5 * (low + high), 0.5 * (high - low), np.zeros(4), anatomy.cross, 0.0, kick)
        full = volume(boxes[0])
        least, most = 0.0, 0.6
        for _ in range(24):
            k = 0.5 * (least + most)
            moved = base.with_strength(k)
            if 1 - volume(moved.forward(boxes[0], 1.0, 0.0)) / full < ejection:
                least = k
            else:
                most = k
        return base.with_strength(0.5 * (least + most))

    def with_strength(self, k: float) -> Motion:
        """The same heart with its walls drawn in by ``k`` at full contraction."""
        return replace(self, squeeze=k * np.array([1.0, 0.85, -0.22, -0.22]), pull=0.42 * k)

    def displacement(self, points: Field, contraction: float, kick: float) -> Field:
        """Where resting tissue at ``points`` (N, 2) has gone, less where it was, (N, 2)."""
        x, y = points[:, 0], points[:, 1]
        near = 1 - rise((np.hypot(x, y) - 0.85) / (REACH - 0.9))
        before = rise((x + 1.05) / (self.cross + 1.05))
        after = rise((0.95 - x) / (0.95 - self.cross))
        out = np.zeros_like(points)
        out[:, 0] = self.pull * contraction * near * np.where(x < self.cross, before, after)
        for c in range(4):
            amount = -self.squeeze[c] * contraction - (self.kick * kick if c > 1 else 0.0)
            away = points - self.middles[c]
            rho = np.hypot(away[:, 0] / self.radii[c, 0], away[:, 1] / self.radii[c, 1])
            out += (amount * (1 - rise((rho - 0.95) / 0.75)))[:, None] * away * _ALONG
        return out

    def forward(self, points: Field, contraction: float, kick: float) -> Field:
        """Resting ``points`` (N, 2) as they lie at a state of the cycle."""
        return points + self.displacement(points, contraction, kick)

    @cached_property
    def _table(self) -> Field:
        """(contraction, kick, x, y, 2): resting place less place, on a grid over +-REACH."""
        line = np.linspace(-REACH, REACH, _CELLS)
        at = np.stack(np.meshgrid(line, line, indexing="ij"), axis=-1).reshape(-1, 2)
        table = np.empty((len(_LEVELS), len(_KICKS), _CELLS, _CELLS, 2), dtype=np.float32)
        for j, kick in enumerate(_KICKS):
            rest = at.copy()
            for i, level in enumerate(_LEVELS):  # each starts from the one before
                for _ in range(_STEPS):  # damped, as walls stretch up to twofold
                    rest += 0.62 * (at - rest - self.displacement(rest, float(level), float(kick)))
                table[i, j] = (rest - at).reshape(_CELLS, _CELLS, 2)
        return table

    def inverse(self, contraction: float, kick: float) -> Field:
        """Resting place less place over +-REACH at a state of the cycle, (cells, cells, 2) float32, x first."""
        i, u = _between(_LEVELS, contraction)
        j, v = _between(_KICKS, kick)
        t = self._table
        low = (1 - u) * t[i, j] + u * t[i + 1, j]
        high = (1 - u) * t[i, j + 1] + u * t[i + 1, j + 1]
        found: Field = ((1 - v) * low + v * high).astype(np.float32)
        return found


def _between(levels: Field, value: float) -> tuple[int, float]:
    i = int(np.clip(np.searchsorted(levels, value) - 1, 0, len(levels) - 2))
    return i, float(np.clip((value - levels[i]) / (levels[i + 1] - levels[i]), 0, 1))
