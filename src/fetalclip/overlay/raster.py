"""Small picture operations with numpy alone: smoothing, opening, components, convex hull.

Pictures are float32 (h, w), masks bool (h, w), boxes (y0, x0, y1, x1) half open.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

Gray = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Real = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int_]
Box = tuple[int, int, int, int]

LONG = 416  # long side of the working copy, pixels


def shrink(gray: Gray) -> Real:
    """Area average down to a long side of at most 416 pixels, float32."""
    g = gray.astype(np.float32)
    scale = max(gray.shape) / LONG
    if scale <= 1:
        return g
    height, width = (max(1, round(n / scale)) for n in gray.shape)
    return np.ascontiguousarray(_averaged(_averaged(g, height).T, width).T)


def _averaged(g: Real, count: int) -> Real:
    """Area average of the rows of (n, m) to (count, m)."""
    return np.asarray(_weights(g.shape[0], count) @ g, dtype=np.float32)


@lru_cache(maxsize=16)
def _weights(n: int, count: int) -> Real:
    """Share of each of n source rows in each of `count` rows, (count, n)."""
    edges = np.arange(count + 1) * (n / count)  # in source rows
    lower = np.arange(n)[None, :]
    weight = np.minimum(edges[1:, None], lower + 1) - np.maximum(edges[:-1, None], lower)
    return np.asarray(np.clip(weight, 0, None).astype(np.float32) * np.float32(count / n))


def moved(g: Real, down: int, right: int) -> Real:
    """`g` moved by whole pixels, edges repeated."""
    height, width = g.shape
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    cols = np.clip(np.arange(width) - right, 0, width - 1)
    out = g if down == 0 else g[rows]
    return out if right == 0 else out[:, cols]


def _extreme(g: npt.NDArray[np.generic], size: int, largest: bool) -> npt.NDArray[np.generic]:
    """Running minimum or maximum over a square window of odd `size`."""
    pick = np.maximum if largest else np.minimum
    half = size // 2
    for axis in (0, 1):
        pad = [(half, half) if k == axis else (0, 0) for k in (0, 1)]
        wide, span = np.pad(g, pad, mode="edge"), 1
        while span < size:  # windows of 1, 2, 4 ... and at last of `size`; overlapping does no harm
            step = min(span, size - span)
            wide = pick(_cut(wide, axis, 0, step), _cut(wide, axis, step, 0))
            span += step
        g = wide
    return g


def _cut(g: npt.NDArray[Any], axis: int, first: int, last: int) -> npt.NDArray[Any]:
    """The array without its first and last so many rows or columns."""
    part = slice(first, g.shape[axis] - last)
    return g[part] if axis == 0 else g[:, part]


def opened(g: Real, size: int) -> Real:
    """Grey opening: bright marks narrower than `size` go."""
    return np.array(_extreme(_extreme(g, size, False), size, True), dtype=np.float32)


def opened_gray(g: Gray, size: int) -> Gray:
    """`opened` of a uint8 picture; several times as fast."""
    return np.asarray(_extreme(_extreme(g, size, False), size, True), dtype=np.uint8)


def grown(mask: Mask, size: int) -> Mask:
    """Mask dilated by a square window."""
    return np.asarray(_extreme(mask, size, True), dtype=bool)


def mean(g: Real, tall: int, wide: int) -> Real:
    """Box mean with repeated edges, (h, w)."""
    pad = ((tall // 2, tall - 1 - tall // 2), (wide // 2, wide - 1 - wide // 2))
    box = _sums(_sums(np.pad(g, pad, mode="edge"), 0, tall), 1, wide)
    return np.asarray(box / np.float32(tall * wide), dtype=np.float32)


def _sums(g: Real, axis: int, size: int) -> Real:
    """Sums of `size` neighbours, fewer by `size - 1`; from sums of 1, 2, 4 ... neighbours."""
    kept = g.shape[axis] - size + 1
    total, part, taken, span = None, g, 0, 1
    while taken < size:
        if size & span:
            mine = _cut(part, axis, taken, part.shape[axis] - taken - kept)
            total = mine.copy() if total is None else total + mine
            taken += span
        if taken < size:
            part = _cut(part, axis, 0, span) + _cut(part, axis, span, 0)
            span *= 2
    assert total is not None
    return total


def components(mask: Mask) -> tuple[Ints, Ints]:
    """Runs (n, 3) as (row, first column, column after the last) and the component number of each run."""
    edge = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, first = np.divmod(np.flatnonzero(edge == 1), edge.shape[1])
    last = np.flatnonzero(edge == -1) % edge.shape[1]
    runs = np.stack([rows, first, last], axis=1)
    n = rows.size
    starts = np.searchsorted(rows, np.arange(mask.shape[0] + 1))
    parent = list(range(n))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    heads, tails = first.tolist(), last.tolist()
    for y in range(1, mask.shape[0]):
        i, j = int(starts[y - 1]), int(starts[y])
        stop_i, stop_j = int(starts[y]), int(starts[y + 1])
        while i < stop_i and j < stop_j:
            if heads[i] <= tails[j] and heads[j] <= tails[i]:  # touching, corners included
                a, b = root(i), root(j)
                parent[max(a, b)] = min(a, b)
            if tails[i] < tails[j]:
                i += 1
            else:
                j += 1
    roots = np.array([root(i) for i in range(n)], dtype=np.int_)
    return runs, np.unique(roots, return_inverse=True)[1].reshape(-1)


def boxes(mask: Mask) -> list[Box]:
    """Bounding boxes of the connected components, from top to bottom."""
    runs, labels = components(mask)
    if labels.size == 0:
        return []
    order = np.argsort(labels, kind="stable")
    labels, runs = labels[order], runs[order]
    at = np.flatnonzero(np.diff(labels, prepend=-1))
    y0, y1 = np.minimum.reduceat(runs[:, 0], at), np.maximum.reduceat(runs[:, 0], at) + 1
    x0, x1 = np.minimum.reduceat(runs[:, 1], at), np.maximum.reduceat(runs[:, 2], at)
    return list(zip(y0.tolist(), x0.tolist(), y1.tolist(), x1.tolist(), strict=True))


def painted(runs: Ints, shape: tuple[int, ...]) -> Mask:
    """Runs painted into a bool picture."""
    step = np.zeros((shape[0], shape[1] + 1), dtype=np.int32)
    np.add.at(step, (runs[:, 0], runs[:, 1]), 1)
    np.add.at(step, (runs[:, 0], runs[:, 2]), -1)
    return step[:, :-1].cumsum(axis=1) > 0


def cut(box: Box) -> tuple[slice, slice]:
    """Index of a box, cut off at the upper and left edge of the picture."""
    y0, x0, y1, x1 = box
    return slice(max(0, y0), max(0, y1)), slice(max(0, x0), max(0, x1))


def hull(points: Mask) -> Mask:
    """Filled convex hull of the True pixels, bool (h, w)."""
    out = np.zeros(points.shape, dtype=bool)
    ys = np.flatnonzero(points.any(axis=1))
    if ys.size == 0:
        return out
    x0 = points[ys].argmax(axis=1)
    x1 = points.shape[1] - 1 - points[ys][:, ::-1].argmax(axis=1)
    low, high = _chain(ys, x0, 1), _chain(ys, x1, -1)
    span = np.arange(ys[0], ys[-1] + 1)
    a = np.floor(np.interp(span, low[:, 0], low[:, 1]))
    b = np.ceil(np.interp(span, high[:, 0], high[:, 1]))
    cols = np.arange(points.shape[1])
    out[span] = (cols >= a[:, None]) & (cols <= b[:, None])
    return out


def _chain(ys: Ints, xs: Ints, sign: int) -> Ints:
    """One side of a convex hull, top to bottom; `sign` is 1 for the left side and -1 for the right."""
    chain: list[tuple[int, int]] = []
    for y, x in zip(ys.tolist(), xs.tolist(), strict=True):
        while len(chain) > 1:
            (ay, ax), (by, bx) = chain[-2], chain[-1]
            if sign * ((bx - ax) * (y - ay) - (x - ax) * (by - ay)) < 0:
                break
            chain.pop()
        chain.append((y, x))
    return np.array(chain)
