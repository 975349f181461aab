"""Closed outlines in mm: which pixels lie inside, area, length, hull."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.floating]
Mask = npt.NDArray[np.bool_]
Pair = tuple[tuple[float, float], tuple[float, float]]


def inside(outlines: tuple[Field, ...], size: tuple[int, int], mm: tuple[float, float]) -> Mask:
    """The pixels whose centre lies inside any of the outlines: a mask without a bias outwards or inwards.

    Args:
        outlines: each (N, 2) mm, origin at the picture's top left corner; where one overlaps itself is inside.
        size: (width, height), pixels.
        mm: mm per pixel, (x, y).

    Returns:
        (height, width) bool.
    """
    w, h = size
    mask = np.zeros((h, w), dtype=np.bool_)
    for outline in outlines:
        points = outline / np.asarray(mm) - 0.5  # centres of pixels are whole numbers
        if not len(points):
            continue
        top = max(0, int(np.ceil(points[:, 1].min())))
        bottom = min(h, int(np.floor(points[:, 1].max())) + 1)
        left = max(0, int(np.ceil(points[:, 0].min())))
        right = min(w, int(np.floor(points[:, 0].max())) + 1)
        if bottom > top and right > left:
            window = _winding(points - (left, top), (right - left, bottom - top))
            mask[top:bottom, left:right] |= window != 0
    return mask


def _winding(points: Field, size: tuple[int, int]) -> npt.NDArray[np.int32]:
    """How often the outline runs about each pixel centre, (height, width)."""
    w, h = size
    x0, y0 = points.T
    x1, y1 = np.roll(points, -1, axis=0).T
    first = np.ceil(np.minimum(y0, y1)).clip(0, h).astype(int)  # rows that each edge crosses
    last = np.ceil(np.maximum(y0, y1)).clip(0, h).astype(int)
    count = last - first
    edge = np.repeat(np.arange(len(points)), count)
    row = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    steep = (x1 - x0)[edge] / (y1 - y0)[edge]
    column = np.ceil(x0[edge] + (row - y0[edge]) * steep).clip(0, w).astype(int)
    turns = np.zeros((h, w + 1), dtype=np.int32)
    np.add.at(turns, (row, column), np.where(y1 > y0, 1, -1)[edge])
    return np.cumsum(turns, axis=1, dtype=np.int32)[:, :w]


def within(outline: Field, border: Field, centre: tuple[float, float]) -> Field:
    """An outline (N, 2) with its points beyond a star-shaped border about ``centre`` drawn in to that border."""
    away, edge = outline - np.asarray(centre), border - np.asarray(centre)
    at = np.arctan2(away[:, 1], away[:, 0])
    reach = np.interp(at, np.arctan2(edge[:, 1], edge[:, 0]), np.hypot(*edge.T), period=2 * np.pi)
    share = np.minimum(1.0, reach / np.maximum(np.hypot(*away.T), 1e-9))
    return np.asarray(centre) + away * share[:, None]


def area(outline: Field) -> float:
    """Area inside an outline (N, 2), mm2."""
    x, y = outline.T
    return float(0.5 * abs((x * np.roll(y, -1) - np.roll(x, -1) * y).sum()))


def around(outline: Field) -> float:
    """Length of an outline (N, 2), mm."""
    return float(np.linalg.norm(np.roll(outline, -1, axis=0) - outline, axis=1).sum())


def longest(outline: Field) -> Pair:
    """The two points of an outline (N, 2) that lie farthest apart, mm."""
    apart = np.linalg.norm(outline[:, None] - outline[None], axis=2)
    i, j = np.unravel_index(int(apart.argmax()), apart.shape)
    return pair(outline[i], outline[j])


def ends(centre: tuple[float, float], long: float, angle: float) -> Pair:
    """The end points of a diameter through ``centre``, ``long`` mm at ``angle`` radians, mm."""
    half = 0.5 * long * np.array([np.cos(angle), np.sin(angle)])
    return pair(np.asarray(centre) - half, np.asarray(centre) + half)


def pair(one: Field, other: Field) -> Pair:
    """Two points (2,) as plain numbers."""
    return (float(one[0]), float(one[1])), (float(other[0]), float(other[1]))


def hull(points: Field) -> Field:
    """The convex outline about points (N, 2) (Andrew's monotone chain)."""
    rows = np.unique(points, axis=0).tolist()

    def chain(ordered: list[list[float]]) -> list[list[float]]:
        kept: list[list[float]] = []
        for x, y in ordered:
            while len(kept) > 1:
                (ax, ay), (bx, by) = kept[-2:]
                if (bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0:
                    break
                kept.pop()
            kept.append([x, y])
        return kept[:-1]

    return np.array(chain(rows) + chain(rows[::-1]))
