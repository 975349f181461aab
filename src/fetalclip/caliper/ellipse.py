"""Ellipses: fitted to points directly and robustly, mapped between pixels and millimetres, made smaller.

The direct fit is Halir & Flusser, Numerically stable direct least squares fitting of ellipses, WSCG 1998;6:125-132
(after Fitzgibbon, Pilu & Fisher, IEEE Trans Pattern Anal Mach Intell 1999;21:476-480). Weights bring its algebraic
distance to the geometric one (Sampson 1982) and take outliers away (Tukey's biweight).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Points = npt.NDArray[np.float64]

_TUKEY = 4.685  # standard deviations; Tukey's biweight keeps 95 % of the efficiency under normal noise
_MAD = 1.4826  # of a normal, standard deviation over median absolute deviation
_STEPS = 12
_GENTLE = 2  # steps with weights that never reach zero, before outliers are left out
_SETTLED = 1e-5  # relative change of the matrix
_FEWEST = 12  # points
_STARTS, _LEFT_OUT = 8, 0.4  # arcs left out in turn, and their share of the outline
_REST, _DENT = 0.9, 0.02  # a tenth of the outline further off than 2 % of the mean radius: not all of it is an ellipse
_MOST, _BETTER = 0.6, 0.5  # another start is better if six tenths of the outline lie twice as near
_FLOOR = 0.05  # of the steepest gradient: points near the centre must not outweigh the outline


@dataclass(frozen=True, eq=False)
class Ellipse:
    """The points ``centre + matrix @ u`` of all unit vectors u.

    Attributes:
        centre: (2,), x and y.
        matrix: (2, 2), columns are two conjugate half diameters.
    """

    centre: Points
    matrix: Points

    @property
    def axes(self) -> tuple[float, float]:
        """Full diameters, the long one first."""
        sizes = np.linalg.svd(self.matrix, compute_uv=False)
        return 2.0 * float(sizes[0]), 2.0 * float(sizes[1])

    def diameter(self, short: bool) -> Points:
        """The two ends of the long or of the short diameter, (2, 2)."""
        turn, sizes, _ = np.linalg.svd(self.matrix)
        half = turn[:, int(short)] * sizes[int(short)]
        return np.stack([self.centre - half, self.centre + half])

    def along(self, way: Points) -> Points:
        """The two ends of the diameter in a direction (2,), (2, 2)."""
        half = way / float(np.linalg.norm(np.linalg.inv(self.matrix) @ way))
        return np.stack([self.centre - half, self.centre + half])

    def scaled(self, by: tuple[float, float]) -> Ellipse:
        """The ellipse after x and y are multiplied by two numbers: exact, since it stays an ellipse."""
        factors = np.asarray(by, dtype=np.float64)
        return Ellipse(self.centre * factors, factors[:, None] * self.matrix)

    def shrunk(self, by: float) -> Ellipse | None:
        """The ellipse with ``by`` taken off both semi-axes; None where nothing is left."""
        turn, sizes, _ = np.linalg.svd(self.matrix)
        if sizes[1] <= by:
            return None
        return Ellipse(self.centre, turn * (sizes - by))

    def outline(self, count: int = 72) -> Points:
        """``count`` points around, (count, 2)."""
        turn = np.arange(count) * (2.0 * math.pi / count)
        return self.centre + np.stack([np.cos(turn), np.sin(turn)], axis=1) @ self.matrix.T

    def level(self, points: Points) -> Points:
        """Below 1 inside, 1 on the line, above 1 outside, (n,): the distance from the centre in half diameters."""
        return np.sqrt(np.square((points - self.centre) @ np.linalg.inv(self.matrix).T).sum(axis=1))

    def turns(self, points: Points) -> Points:
        """Where around the ellipse each point lies, as a share of the way, 0 to 1, (n,)."""
        unit = (points - self.centre) @ np.linalg.inv(self.matrix).T
        return np.arctan2(unit[:, 1], unit[:, 0]) / (2.0 * math.pi) % 1.0

    def distances(self, points: Points) -> tuple[Points, Points]:
        """First-order distance from the line (n,), outside above zero, and half the gradient of level squared (n, 2).

        The gradient points along the normal and is longest at the ends of the long diameter.
        """
        inverse = np.linalg.inv(self.matrix)
        unit = (points - self.centre) @ inverse.T
        slope = unit @ inverse
        steep = np.maximum(np.hypot(slope[:, 0], slope[:, 1]), 1e-300)
        return (np.square(unit[:, 0]) + np.square(unit[:, 1]) - 1.0) / (2.0 * steep), slope


def fit_ellipse(points: Points, weights: Points | None = None) -> Ellipse | None:
    """The ellipse of least squared algebraic distance; None where the points make none.

    Args:
        points: (n, 2).
        weights: (n,), not below zero.
    """
    if len(points) < _FEWEST:
        return None
    centre = points.mean(axis=0)
    size = float(np.abs(points - centre).max())
    if not (math.isfinite(size) and size > 0):
        return None
    x, y = ((points - centre) / size).T
    every = np.stack([x * x, x * y, y * y, x, y, np.ones_like(x)])
    scatter = every @ (every if weights is None else every * weights).T
    square, mixed, linear = scatter[:3, :3], scatter[:3, 3:], scatter[3:, 3:]
    try:
        tail = -np.linalg.solve(linear, mixed.T)
        reduced = square + mixed @ tail
        reduced = np.stack([reduced[2] / 2.0, -reduced[1], reduced[0] / 2.0])  # by the inverse of 4ac - b^2 = 1
        _, vectors = np.linalg.eig(reduced)
    except np.linalg.LinAlgError:
        return None
    vectors = np.real(vectors)
    kind = 4.0 * vectors[0] * vectors[2] - np.square(vectors[1])
    if not kind.max() > 0:
        return None
    head = vectors[:, int(np.argmax(kind))]
    found = _from_conic(head, tail @ head)
    return None if found is None else Ellipse(found.centre * size + centre, found.matrix * size)


def robust_ellipse(points: Points, spacing: tuple[float, float]) -> tuple[Ellipse, Points] | None:
    """The ellipse that most of an outline's points lie on.

    Each step weighs a point by the length of outline it stands for, by its gradient (so that distances are geometric)
    and by Tukey's biweight of its distance, whose width follows the median distance.

    Args:
        points: (n, 2) where an outline crosses the lines between pixel centres, in mm.
        spacing: mm per pixel, (x, y); also the least distance that counts as one.

    Returns:
        The ellipse and the points' distances from it (n,), outside above zero; None where there is none.
    """
    first = _settled(fit_ellipse(points), points, spacing, gentle=True)
    if first is None:
        return None
    distances = first.distances(points)[0]
    off = np.abs(distances)
    if float(np.quantile(off, _REST)) > _DENT * math.sqrt(float(np.prod(first.axes))) / 2.0:
        # A dent or a bulge pulls every step to itself: start again from what each other part of the outline says.
        turns, best = first.turns(points), _BETTER * float(np.quantile(off, _MOST))
        for start in np.arange(_STARTS) / _STARTS:
            rest = (turns - start) % 1.0 >= _LEFT_OUT
            other = _settled(fit_ellipse(points[rest]), points, spacing, gentle=False)
            if other is None:
                continue
            there = other.distances(points)[0]
            score = float(np.quantile(np.abs(there), _MOST))
            if score < best:
                first, distances, best = other, there, score
    return first, distances


def _settled(ellipse: Ellipse | None, points: Points, spacing: tuple[float, float], gentle: bool) -> Ellipse | None:
    """The fit weighted anew until it stays; ``gentle``: its first steps leave no point out."""
    least = 0.5 * math.sqrt(spacing[0] * spacing[1])  # half a pixel: what a mask's edge cannot tell
    for step in range(_STEPS):
        if ellipse is None:
            return None
        distances, slope = ellipse.distances(points)
        scale = max(_MAD * float(np.median(np.abs(distances))), least)
        ratio = np.abs(distances) / (_TUKEY * scale)
        soft = gentle and step < _GENTLE
        trust = 1.0 / (1.0 + 8.0 * ratio) if soft else np.square(np.maximum(1.0 - np.square(ratio), 0.0))
        # An outline that runs along y crosses 1 / spacing of y rows a mm, one along x 1 / spacing of x columns: the
        # slope's length times crossings per mm. Once more its length makes algebraic distances geometric.
        crossed = np.abs(slope[:, 0]) / spacing[1] + np.abs(slope[:, 1]) / spacing[0]
        steep = np.maximum(np.hypot(slope[:, 0], slope[:, 1]), _FLOOR * float(np.abs(slope).max()))
        before, ellipse = ellipse, fit_ellipse(points, trust / (np.maximum(crossed, 1e-300) * steep))
        if ellipse is not None and not soft and _alike(before, ellipse):
            break
    return ellipse


def _alike(one: Ellipse, other: Ellipse) -> bool:
    """Whether two ellipses of one fit are the same for every purpose."""
    size = float(np.abs(one.matrix).max())
    moved = float(np.abs(one.centre - other.centre).max())
    here, there = np.asarray(one.axes), np.asarray(other.axes)
    return max(moved, float(np.abs(here - there).max())) < _SETTLED * size


def _from_conic(square: Points, linear: Points) -> Ellipse | None:
    """The ellipse a x^2 + b xy + c y^2 + d x + e y + f = 0; None where it is none."""
    form = np.array([[square[0], square[1] / 2.0], [square[1] / 2.0, square[2]]])
    try:
        centre = -np.linalg.solve(2.0 * form, linear[:2])
    except np.linalg.LinAlgError:
        return None
    level = float(centre @ form @ centre - linear[2])
    if level == 0 or not math.isfinite(level):
        return None
    values, turn = np.linalg.eigh(form / level)
    if not (np.isfinite(values).all() and values.min() > 0):
        return None
    return Ellipse(centre.astype(np.float64), turn / np.sqrt(values))
