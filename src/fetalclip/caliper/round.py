"""A round structure: the ellipse of its outline in millimetres, or why it has none that can be trusted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fetalclip.caliper.ellipse import Ellipse, Points, robust_ellipse
from fetalclip.caliper.outline import Mask, Piece, at_the_edge, plausible

FLATTEST: Mapping[str, float] = {"head": 0.55, "abdomen": 0.6, "thorax": 0.55, "heart": 0.45}
"""Least short over long diameter of each structure: flatter, the plane or the mask is another."""

_TINIEST = 16.0  # pixels, short diameter: below, one pixel is more than 12 % of a diameter
_UNSEEN = 0.35  # share of the outline that may be cut; the rest still holds both diameters
_TOLD = 0.03  # share of the outline that may be cut without a word
_MATCH = 0.88  # intersection over union of mask and ellipse
_NEAR = 0.06  # of the mean radius: an outline this near the ellipse supports it
_SUPPORT = 0.6  # share of the uncut outline that must be near
_BINS = 72
_GRID = 128  # samples along the longer side for comparing mask and ellipse


@dataclass(frozen=True, eq=False)
class Round:
    """What was found of a round structure.

    Attributes:
        ellipse: in mm (or pixels where the spacing is unknown), at the structure's own edge; None where refused.
        spacing: mm per pixel, (x, y).
        note: why there is none, or what limits it.
    """

    ellipse: Ellipse | None
    spacing: tuple[float, float]
    note: str = ""

    @property
    def on_picture(self) -> Ellipse | None:
        """The ellipse in pixels."""
        x, y = self.spacing
        return None if self.ellipse is None else self.ellipse.scaled((1.0 / x, 1.0 / y))


def find_round(
    mask: Mask, structure: str, spacing: tuple[float, float], outset: float = 0.0, lit: Mask | None = None
) -> Round:
    """The ellipse of a mask, fitted in mm, taken in by ``outset`` pixels.

    Args:
        mask: (H, W) bool.
        structure: a key of ``FLATTEST``.
        spacing: mm per pixel, (x, y).
        outset: pixels by which the mask lies outside the structure's own edge, the same in every direction.
        lit: (H, W), where the picture shows tissue or could; its edge is no outline.
    """
    piece = plausible(mask)
    if isinstance(piece, str):
        return Round(None, spacing, piece)
    height, width = piece.mask.shape
    if min(height, width) - 2 < 0.5 * _TINIEST:
        return Round(None, spacing, f"the mask is tiny, {width - 2} x {height - 2} pixels")
    crossings = piece.crossings
    cut = at_the_edge(crossings, mask.shape, lit)
    scale = np.asarray(spacing, dtype=np.float64)
    fitted = robust_ellipse(crossings[~cut] * scale, spacing)
    if fitted is None:
        why = "the picture's edge cuts all of it" if cut.mean() > 0.5 else "no ellipse fits its outline"
        return Round(None, spacing, why)
    ellipse, distances = fitted
    drawn = ellipse.scaled((1.0 / spacing[0], 1.0 / spacing[1]))
    lost = at_the_edge(drawn.outline(_BINS), mask.shape, lit)
    why, told = _doubts(ellipse, crossings[~cut] * scale, distances, lost)
    long, short = ellipse.axes
    why = why or _shape(structure, short / long) or _mismatch(piece, drawn, mask.shape, lit)
    if not why and drawn.axes[1] < _TINIEST:
        why = f"the ellipse is tiny, {drawn.axes[1]:.0f} pixels across"
    if why:
        return Round(None, spacing, why)
    own = drawn.shrunk(outset)  # a drawn line is as wide in x as in y: in pixels, not in mm
    if own is None:
        return Round(None, spacing, f"nothing is left after {outset:g} pixels are taken off")
    return Round(own.scaled(spacing), spacing, "; ".join(filter(None, (piece.note, told))))


def _doubts(ellipse: Ellipse, points: Points, distances: Points, lost: Mask) -> tuple[str, str]:
    """Why too little of the ellipse's outline is seen or near the mask's, and what to tell of a cut; both may be empty.

    Args:
        points: (n, 2) uncut crossings, mm.
        distances: (n,) mm from the ellipse.
        lost: (``_BINS``,) where the ellipse's own outline lies at or beyond the picture's edge.
    """
    missing = float(lost.mean())
    if missing > _UNSEEN:
        return f"the picture's edge cuts {missing:.0%} of its outline", ""
    radius = math.sqrt(float(np.prod(ellipse.axes))) / 2.0
    near = np.abs(distances) <= _NEAR * radius
    bins = (ellipse.turns(points[near]) * _BINS + 0.5).astype(int) % _BINS  # centred on the points of the outline
    held = np.zeros(_BINS, dtype=bool)
    held[bins] = True
    support = float((held & ~lost).sum() / max(1, (~lost).sum()))
    if support < _SUPPORT:
        return f"only {support:.0%} of its outline is that of an ellipse", ""
    return "", f"the picture's edge cuts {missing:.0%} of its outline" if missing > _TOLD else ""


def _shape(structure: str, ratio: float) -> str:
    """Why a shape is not this structure's; empty where it may be."""
    least = FLATTEST.get(structure, 0.0)
    return "" if ratio >= least else f"short over long diameter is {ratio:.2f}, below {least:g} for this structure"


def _mismatch(piece: Piece, drawn: Ellipse, size: tuple[int, int], lit: Mask | None) -> str:
    """Why mask and ellipse are not one shape, compared on a grid where the picture shows something; or empty.

    Args:
        drawn: the ellipse on the picture, pixels.
    """
    ends = drawn.outline(_BINS)
    (left, top), (x1, y1) = ends.min(axis=0), ends.max(axis=0)
    x0, y0 = piece.corner
    high, wide = piece.mask.shape
    step = max(1, math.ceil(max(high, wide) / _GRID))
    columns = np.arange(max(0, min(x0, math.floor(left))), min(size[1], max(x0 + wide, math.ceil(x1) + 1)), step)
    rows = np.arange(max(0, min(y0, math.floor(top))), min(size[0], max(y0 + high, math.ceil(y1) + 1)), step)
    if not (len(rows) and len(columns)) or len(rows) * len(columns) > (4 * _GRID) ** 2:
        return "mask and ellipse are not one shape"
    masked = np.zeros((len(rows), len(columns)), dtype=bool)
    in_rows, in_columns = (rows >= y0) & (rows < y0 + high), (columns >= x0) & (columns < x0 + wide)
    masked[np.ix_(in_rows, in_columns)] = piece.mask[np.ix_(rows[in_rows] - y0, columns[in_columns] - x0)]
    inverse = np.linalg.inv(drawn.matrix)
    x, y = columns - drawn.centre[0], (rows - drawn.centre[1])[:, None]
    inside = np.square(inverse[0, 0] * x + inverse[0, 1] * y) + np.square(inverse[1, 0] * x + inverse[1, 1] * y) <= 1.0
    if lit is not None:
        shown = lit[np.ix_(rows, columns)]
        masked, inside = masked & shown, inside & shown
    match = float((masked & inside).sum() / max(1, (masked | inside).sum()))
    return "" if match >= _MATCH else f"mask and ellipse share {match:.0%} of their area, below {_MATCH:.0%}"
