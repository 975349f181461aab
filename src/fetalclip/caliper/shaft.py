"""A long bone: the two ends of its ossified shaft in millimetres, or why they cannot be trusted.

The mask is cut into slices across its main axis. A curve through the middles of the slices follows a bowed shaft; an
end is where the mask reaches furthest along that curve. A thin streak beyond the shaft (a sheath, a joint, noise) is
not shaft: it is thinner than half the shaft for longer than the shaft is thick.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fetalclip.caliper.outline import LIKE, Mask, Piece, at_the_edge, kept, labelled, plausible, window

Points = npt.NDArray[np.float64]

_TINIEST = 16.0  # pixels between the ends: below, one pixel is more than 6 % of the length
_SLENDER = 2.5  # least length over thickness; a shaft has 8 to 20
_BENT = 0.2  # of the length: how far the middle may lie off the line between the ends
_THIN = 0.5  # of the shaft's thickness: thinner slices are an end or a streak
_SOLID = 0.7  # share of the slices between the ends that must be shaft
_APART = 0.3  # of the length: the widest gap over which two pieces are one shaft
_PART = 0.1  # of the largest piece's pixels: smaller ones are crumbs
_ASIDE = 0.05  # share of a piece that may lie further from the shaft's line than the shaft is thick
_BEYOND = 2.0  # pixels past an end that the picture must still show


@dataclass(frozen=True, eq=False)
class Shaft:
    """What was found of a long bone.

    Attributes:
        ends: (2, 2) pixels, (x, y), the left one first; None where refused.
        spacing: mm per pixel, (x, y).
        note: why there are none, or what limits them.
    """

    ends: Points | None
    spacing: tuple[float, float]
    note: str = ""

    @property
    def length(self) -> float | None:
        """From end to end in mm (pixels where the spacing is unknown)."""
        return None if self.ends is None else float(np.linalg.norm((self.ends[1] - self.ends[0]) * self.spacing))


@dataclass(frozen=True, eq=False)
class _Slices:
    """A mask cut across its main axis; lengths in mm, slice k reaches from ``start + k * step``."""

    centre: Points  # (2,)
    along: Points  # (2,) unit vector of the main axis, to the right
    start: float
    step: float
    thick: Points  # (n,) mm across the axis
    curve: Points  # (3,) the shaft's middle: across = c0 + c1 * s + c2 * s^2
    usual: float  # median thickness, mm

    @property
    def across(self) -> Points:
        return np.array([-self.along[1], self.along[0]])

    def at(self, s: float) -> tuple[Points, Points]:
        """The middle of the shaft at a place along the axis, and the shaft's direction there, to the right."""
        middle = self.centre + s * self.along + float(np.polyval(self.curve[::-1], s)) * self.across
        slope = float(self.curve[1] + 2.0 * self.curve[2] * s)
        return middle, (self.along + slope * self.across) / math.hypot(1.0, slope)


def find_shaft(mask: Mask, spacing: tuple[float, float], outset: float = 0.0, lit: Mask | None = None) -> Shaft:
    """The ends of a shaft, measured in mm, each taken in by ``outset`` pixels.

    Args:
        mask: (H, W) bool.
        spacing: mm per pixel, (x, y).
        outset: pixels by which the mask reaches beyond each end.
        lit: (H, W), where the picture shows tissue or could; a shaft that ends at its edge is cut.
    """
    piece = _one_shaft(mask, spacing)
    if isinstance(piece, str):
        return Shaft(None, spacing, piece)
    scale = np.asarray(spacing, dtype=np.float64)
    if max(piece.mask.shape) - 2 < 0.5 * _TINIEST:
        return Shaft(None, spacing, "the mask is tiny")
    pixels = piece.pixels * scale
    slices = _slice(pixels, spacing)
    if isinstance(slices, str):
        return Shaft(None, spacing, slices)
    bounds = _bounds(slices)
    ends = np.stack([_end(slices, pixels, bounds, right) for right in (False, True)]) / scale
    why = _doubts(slices, bounds, ends, spacing)
    chord = ends[1] - ends[0]
    if not why:
        unit = chord / np.linalg.norm(chord)
        past = np.stack([ends[0] - _BEYOND * unit, ends[1] + _BEYOND * unit])
        cut = at_the_edge(past, mask.shape, lit)
        if cut.any():
            why = f"the picture's edge cuts {'both ends' if cut.all() else 'an end'} of the shaft"
        elif np.linalg.norm(chord) <= 2.0 * outset:
            why = f"nothing is left after {outset:g} pixels are taken off"
        else:
            ends = np.stack([ends[0] + outset * unit, ends[1] - outset * unit])
    return Shaft(None, spacing, why) if why else Shaft(ends, spacing, piece.note)


def _one_shaft(mask: Mask, spacing: tuple[float, float]) -> Piece | str:
    """The largest piece with those that shadows part from it, as one; or why there is no such piece."""
    found = window(mask)
    if found is None:
        return plausible(mask)
    cut, corner = found
    pieces, sizes = labelled(cut)
    if len(sizes) == 1:
        return plausible(mask)
    chosen = _in_line(pieces, sizes, spacing)
    others = np.setdiff1d(np.flatnonzero(sizes >= LIKE * sizes.max()) + 1, chosen)
    if len(chosen) == 1 or len(others):
        return plausible(mask)  # two bones, or two parts too far apart to be sure
    joined = kept(np.isin(pieces, chosen), float(sizes[chosen - 1].sum() / sizes.sum()), corner)
    return Piece(joined.mask, joined.corner, "; ".join(filter(None, ("the shaft is in pieces", joined.note))))


def _in_line(
    pieces: npt.NDArray[np.int32], sizes: npt.NDArray[np.int64], spacing: tuple[float, float]
) -> npt.NDArray[np.int64]:
    """Numbers of the largest piece and of those that continue it, larger ones first: one bone under a shadow."""
    order = np.argsort(-sizes) + 1
    chosen = [int(order[0])]
    for number in order[1:]:
        if sizes[number - 1] < _PART * sizes[order[0] - 1]:
            break
        slices = _slice(np.argwhere(np.isin(pieces, chosen))[:, ::-1] * np.asarray(spacing), spacing)
        if isinstance(slices, str):
            break
        offsets = np.argwhere(pieces == number)[:, ::-1] * np.asarray(spacing) - slices.centre
        s, t = offsets @ slices.along, offsets @ slices.across
        low, high = slices.start, slices.start + len(slices.thick) * slices.step
        gap = max(low - float(s.max()), float(s.min()) - high)
        near = np.clip(s, low, high)  # beyond its ends the shaft goes on straight
        slope = np.polyval([2.0 * slices.curve[2], slices.curve[1]], near)
        off = np.abs(t - np.polyval(slices.curve[::-1], near) - slope * (s - near))
        whole = max(high, float(s.max())) - min(low, float(s.min()))
        if gap <= _APART * whole and (off > slices.usual).mean() <= _ASIDE:
            chosen.append(int(number))
    return np.array(chosen, dtype=np.int64)


def _slice(pixels: Points, spacing: tuple[float, float]) -> _Slices | str:
    """Cut pixels (n, 2), mm, into slices across their main axis."""
    if len(pixels) < _TINIEST:
        return f"the mask is tiny, {len(pixels)} pixels"
    centre = pixels.mean(axis=0)
    offsets = pixels - centre
    along = np.linalg.eigh(offsets.T @ offsets)[1][:, 1]
    along = along if along[0] >= 0 else -along
    s = offsets @ along
    t = offsets @ np.array([-along[1], along[0]])
    step = math.hypot(along[0] * spacing[0], along[1] * spacing[1])
    start = float(s.min()) - 0.5 * step
    at = ((s - start) / step).astype(int)
    count = np.bincount(at)
    thick = count * (spacing[0] * spacing[1] / step)
    filled = count > 0
    usual = float(np.median(thick[filled]))
    solid = filled & (thick >= _THIN * usual)
    if solid.sum() < 4:
        return "the mask is no shaft"
    middle = np.bincount(at, t)[solid] / count[solid]
    places = start + (np.flatnonzero(solid) + 0.5) * step
    curve = np.polynomial.polynomial.polyfit(places, middle, 2, w=np.sqrt(count[solid]))
    return _Slices(centre, along, start, step, thick.astype(np.float64), curve, usual)


def _bounds(slices: _Slices) -> tuple[float, float]:
    """Where along the axis the shaft may end: its tips, without streaks."""
    solid = np.flatnonzero(slices.thick >= _THIN * slices.usual)
    first, last, count = int(solid[0]), int(solid[-1]), len(slices.thick)
    longest = slices.usual / slices.step  # slices: a round or pointed end is no longer than the shaft is thick
    low = 0 if first <= longest else first
    high = count if count - 1 - last <= longest else last + 1
    return slices.start + low * slices.step, slices.start + high * slices.step


def _end(slices: _Slices, pixels: Points, bounds: tuple[float, float], right: bool) -> Points:
    """One end of the shaft, (2,) mm: as far along its own direction as its pixels reach there.

    The furthest of some dozen pixel centres lies a tenth of a pixel inside the edge; the furthest of the points
    between pixels would lie four tenths outside.
    """
    place = bounds[int(right)]
    middle, way = slices.at(place)
    way = way if right else -way
    s = (pixels - slices.centre) @ slices.along
    near = (s >= bounds[0]) & (s <= bounds[1]) & (np.abs(s - place) <= 2.0 * slices.usual)
    return middle + float(((pixels[near] - middle) @ way).max()) * way if near.any() else middle


def _doubts(slices: _Slices, bounds: tuple[float, float], ends: Points, spacing: tuple[float, float]) -> str:
    """Why this is no shaft; empty where it may be one."""
    pixels = float(np.linalg.norm(ends[1] - ends[0]))
    if pixels < _TINIEST:
        return f"the mask is tiny, {pixels:.0f} pixels long"
    length = float(np.linalg.norm((ends[1] - ends[0]) * np.asarray(spacing)))
    if length < _SLENDER * slices.usual:
        return f"the mask is {length / slices.usual:.1f} times as long as thick, no shaft"
    if abs(slices.curve[2]) * (0.5 * length) ** 2 > _BENT * length:
        return "the mask is too bent for a shaft"
    places = slices.start + (np.arange(len(slices.thick)) + 0.5) * slices.step
    inside = (places >= bounds[0]) & (places <= bounds[1])
    solid = float((slices.thick[inside] >= _THIN * slices.usual).mean())
    return "" if solid >= _SOLID else f"only {solid:.0%} of the shaft is there"
