"""Finds what a scanner burns into a picture: preset text, maker's logo, grey bar, ruler, markers.

The preset text of a screen names the examination ("Cardiac"), so a model that may read it learns to read
and not to look. Everything here works on a copy brought down to a long side of at most 416 pixels, numpy only:

1. a grey bar is a strip at a side edge whose rows are constant and whose column falls in a straight line;
2. a ruler is a column of small bright marks at a side edge;
3. text is a place with many narrow, steep peaks along x; the top corners are blanked as whole rectangles of a
   few fixed sizes, so that neither letters nor the length of a word shows in the shape of the blank;
4. the sector is the convex hull of what is left after a 5 x 5 opening (letters do not survive it);
   whatever is not black outside the sector is overlay too.

All lengths below are pixels at that working size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fetalclip.errors import UsageError

Gray = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Real = npt.NDArray[np.float32]
Box = tuple[int, int, int, int]  # y0, x0, y1, x1, half open

_LONG = 416  # long side of the working copy
_BLACK = 10.0  # grey level above which a pixel outside the sector is not background
_CORNER = (0.21, 0.155)  # height and width of the smallest corner rectangle, share of the picture
_STEP = (0.07, 0.05)  # the rectangle grows by whole steps of this share
_MOST = (0.35, 0.305)  # and no further than this


@dataclass(frozen=True, eq=False)
class Overlay:
    """Where a picture carries burned-in marks.

    Attributes:
        mask: bool (H, W), True on text, ruler, grey bar, logo, markers.
        sector: bool (H, W), True on the imaged area, filled (also beneath the marks).
    """

    mask: Mask
    sector: Mask

    @property
    def covered(self) -> float:
        """Share of the sector that is masked, 0 to 1; 0 when there is no sector."""
        area = int(self.sector.sum())
        return float((self.mask & self.sector).sum() / area) if area else 0.0


def find_overlay(gray: Gray) -> Overlay:
    """Find burned-in marks and the ultrasound sector.

    Args:
        gray: uint8 (H, W), any size.

    Returns:
        The overlay, with masks of the picture's own size.

    Raises:
        UsageError: when `gray` is not a uint8 array of two axes with at least one pixel.
    """
    _check(gray)
    small = _shrink(gray)
    marks, sector = _find(small)
    height, width = gray.shape
    rows = np.minimum(np.arange(height) * small.shape[0] // height, small.shape[0] - 1)
    cols = np.minimum(np.arange(width) * small.shape[1] // width, small.shape[1] - 1)
    return Overlay(marks[rows][:, cols], sector[rows][:, cols])


def mask_overlay(gray: Gray, found: Overlay | None = None) -> Gray:
    """The picture with its overlay set to 0.

    Args:
        gray: uint8 (H, W).
        found: the result of `find_overlay` on this picture; computed when None.

    Raises:
        UsageError: when `gray` is not uint8 (H, W), or `found` is of another size.
    """
    return np.where(_fitting(gray, found).mask, np.uint8(0), gray)


def overlay_only(gray: Gray, found: Overlay | None = None) -> Gray:
    """The overlay alone: everything else set to 0. The counterpart of `mask_overlay`.

    Args:
        gray: uint8 (H, W).
        found: the result of `find_overlay` on this picture; computed when None.

    Raises:
        UsageError: when `gray` is not uint8 (H, W), or `found` is of another size.
    """
    return np.where(_fitting(gray, found).mask, gray, np.uint8(0))


def _check(gray: Gray) -> None:
    if not isinstance(gray, np.ndarray) or gray.dtype != np.uint8 or gray.ndim != 2 or gray.size == 0:
        kind = f"{gray.dtype} of shape {gray.shape}" if isinstance(gray, np.ndarray) else type(gray).__name__
        raise UsageError(f"a picture that is {kind}", "a uint8 array (H, W), not empty", "frame.gray")


def _fitting(gray: Gray, found: Overlay | None) -> Overlay:
    _check(gray)
    if found is None:
        return find_overlay(gray)
    if found.mask.shape != gray.shape:
        raise UsageError(
            f"an overlay of shape {found.mask.shape} for a picture of shape {gray.shape}",
            "both of the same picture",
            "find_overlay(gray) on the picture itself",
        )
    return found


def _find(g: Real) -> tuple[Mask, Mask]:
    """Marks and sector of a working-size picture, both bool (h, w)."""
    marks = np.zeros(g.shape, dtype=bool)
    solid = _opened(g, 5)
    boxes = [*_bars(g), *_rulers(g)]
    for y0, x0, y1, x1 in boxes:
        solid[y0:y1, x0:x1] = 0
    sector = _sector(solid)
    for y0, x0, y1, x1 in [*boxes, *_corners(g), *_logo(g)]:
        marks[max(0, y0) : y1, max(0, x0) : x1] = True
    outside = ~_grown(sector, 5) & (g > _BLACK)
    return marks | _grown(outside, 5), sector


# ---------------------------------------------------------------- grey bar and ruler


def _bars(g: Real) -> list[Box]:
    """Grey bars at the left and right edge."""
    width = g.shape[1]
    found = []
    left, right = _bar(g), _bar(g[:, ::-1])
    if left is not None:
        found.append(left)
    if right is not None:
        found.append((right[0], width - right[3], right[2], width - right[1]))
    return found


def _bar(g: Real) -> Box | None:
    """A grey bar that begins within the first columns: bright at its top, falling in a straight line."""
    height, width = g.shape
    if height < 40 or width < 40:
        return None
    strip = g[:, 1:4].mean(axis=1)  # (h,)
    rise = np.flatnonzero((strip[2:] - strip[:-2] > 50) & (strip[2:] > 110))
    for top in rise[rise < 0.2 * height] + 2:
        column = strip[top + 2 : top + int(0.5 * height)]
        low = np.flatnonzero(column < 0.35 * column[0]) if column.size else np.array([], dtype=int)
        if low.size == 0 or low[0] < 8:
            continue
        part = column[: low[0]]  # the upper two thirds, where tissue cannot be taken for the bar
        steps = np.arange(part.size)
        slope, start = np.polyfit(steps, part, 1)
        if slope >= 0 or np.abs(part - start - slope * steps).mean() > 10:
            continue
        fit = start + slope * steps
        wide = 3
        limit = int(0.08 * width)
        while wide < limit and np.abs(g[top + 2 : top + 2 + part.size, wide] - fit).mean() < 25:
            wide += 1
        if wide < limit:
            end = min(height, int(top + 2 - start / slope) + 3)
            return (max(0, int(top) - 3), 0, end, wide + 2)
    return None


def _rulers(g: Real) -> list[Box]:
    """Strips that hold the marks of a ruler at the left or right edge."""
    height, width = g.shape
    if height < 40 or width < 40:
        return []
    reach = max(8, int(0.07 * width))
    found: list[Box] = []
    for flip in (False, True):
        part = (g[:, ::-1] if flip else g)[:, :reach]
        lone = part - np.maximum(_shifted_min(part, 0, 4), _shifted_min(part, 3, 0))
        peaks = (lone[round(_MOST[0] * height) :] > 40).sum(axis=0)  # (reach,), below the text of the corner
        found.extend(_strips(peaks, width, height, flip))
    return found


def _strips(peaks: npt.NDArray[np.int_], width: int, height: int, flip: bool) -> list[Box]:
    hits = np.flatnonzero(peaks >= 5)
    if hits.size == 0:
        return []
    best = int(hits[np.argmax(peaks[hits])])
    x0, x1 = max(0, best - 3), best + 4
    return [(0, width - x1, height, width - x0) if flip else (0, x0, height, x1)]


# ---------------------------------------------------------------- text


def _strokes(g: Real, least: float) -> Real:
    """Density of narrow peaks along x, (h, w): share of pixels that stand out from both sides within 3 px."""
    left = np.minimum(_moved(g, 0, 2), _moved(g, 0, 3))
    right = np.minimum(_moved(g, 0, -2), _moved(g, 0, -3))
    stand = g - np.maximum(left, right)
    return _mean((stand > least).astype(np.float32), 5, 13)


def _corners(g: Real) -> list[Box]:
    """Rectangles of fixed sizes over the top corners that carry text."""
    height, width = g.shape
    if height < 40 or width < 40:
        return []
    found: list[Box] = []
    text = _strokes(g, 35) > 0.12
    for flip in (False, True):
        part = text[:, ::-1] if flip else text  # seen with the text at the right
        size = _corner_size(part)
        if size is not None:
            y1, wide = size
            found.append((0, 0, y1, wide) if flip else (0, width - wide, y1, width))
    return [box for box in found if box[1] > 0]


def _corner_size(text: Mask) -> tuple[int, int] | None:
    height, width = text.shape
    y, x = round(_CORNER[0] * height), round(_CORNER[1] * width)
    if text[:y, width - x :].sum() < 30:
        return None
    while y < _MOST[0] * height and text[y - 3 : y + 8, width - x :].mean() > 0.12:
        y += round(_STEP[0] * height)
    while x < _MOST[1] * width and text[:y, width - x - 6 : width - x].mean() > 0.08:
        x += round(_STEP[1] * width)
    return y, x


def _logo(g: Real) -> list[Box]:
    """The maker's name: a small block of letters in the upper left third."""
    height, width = g.shape
    if height < 40 or width < 40:
        return []
    y, x = int(0.14 * height), int(0.45 * width)
    text = (_strokes(g, 45) > 0.16)[:y, :x]
    found = []
    for y0, x0, y1, x1 in _boxes(text):
        if y1 - y0 < 26 and 6 < x1 - x0 < 40:
            found.append((max(0, y0 - 5), max(0, x0 - 5), y1 + 7, x1 + 5))
    return found


# ---------------------------------------------------------------- sector


def _sector(solid: Real) -> Mask:
    """Convex hull of the imaged tissue, bool (h, w), from a picture without thin marks."""
    smooth = _mean(solid, 9, 9) > 4
    runs, labels = _components(smooth)
    if labels.size == 0:
        return np.zeros(solid.shape, dtype=bool)
    sizes = np.bincount(labels, weights=runs[:, 2] - runs[:, 1])
    keep = sizes >= max(0.015 * solid.size, 0.05 * sizes.max())
    tissue = _painted(runs[keep[labels]], solid.shape) & (solid > 8)
    return _hull(tissue)


def _hull(points: Mask) -> Mask:
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


def _chain(ys: npt.NDArray[np.int_], xs: npt.NDArray[np.int_], sign: int) -> npt.NDArray[np.int_]:
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


# ---------------------------------------------------------------- small numpy helpers


def _shrink(gray: Gray) -> Real:
    """Area average down to a long side of at most 416 pixels, float32."""
    g = gray.astype(np.float32)
    scale = max(gray.shape) / _LONG
    if scale <= 1:
        return g
    height, width = (max(1, round(n / scale)) for n in gray.shape)
    return np.ascontiguousarray(_averaged(_averaged(g, height).T, width).T)


def _averaged(g: Real, count: int) -> Real:
    """Area average of the rows of (n, m) to (count, m)."""
    n = g.shape[0]
    edges = np.arange(count + 1) * (n / count)  # in source rows
    lower = np.arange(n)[None, :]
    weight = np.minimum(edges[1:, None], lower + 1) - np.maximum(edges[:-1, None], lower)
    weight = np.clip(weight, 0, None).astype(np.float32) * np.float32(count / n)
    return np.asarray(weight @ g, dtype=np.float32)


def _moved(g: Real, down: int, right: int) -> Real:
    """`g` moved by whole pixels, edges repeated."""
    height, width = g.shape
    rows = np.clip(np.arange(height) - down, 0, height - 1)
    cols = np.clip(np.arange(width) - right, 0, width - 1)
    out = g if down == 0 else g[rows]
    return out if right == 0 else out[:, cols]


def _shifted_min(g: Real, down: int, right: int) -> Real:
    """Smaller of the two neighbours at +-(down, right)."""
    return np.minimum(_moved(g, down, right), _moved(g, -down, -right))


def _extreme(g: npt.NDArray[np.generic], size: int, largest: bool) -> npt.NDArray[np.generic]:
    """Running minimum or maximum over a square window of odd `size`."""
    pick = np.maximum if largest else np.minimum
    half = size // 2
    for axis in (0, 1):
        pad = [(half, half) if k == axis else (0, 0) for k in (0, 1)]
        wide = np.pad(g, pad, mode="edge")
        n = g.shape[axis]
        out = wide.take(range(n), axis=axis)
        for k in range(1, size):
            out = pick(out, wide[k : k + n] if axis == 0 else wide[:, k : k + n])
        g = out
    return g


def _opened(g: Real, size: int) -> Real:
    """Grey opening: bright marks narrower than `size` go."""
    return np.array(_extreme(_extreme(g, size, False), size, True), dtype=np.float32)


def _grown(mask: Mask, size: int) -> Mask:
    """Mask dilated by a square window."""
    return np.asarray(_extreme(mask, size, True), dtype=bool)


def _mean(g: Real, tall: int, wide: int) -> Real:
    """Box mean with repeated edges, (h, w)."""
    padded = np.pad(g, ((tall // 2 + 1, tall // 2), (wide // 2 + 1, wide // 2)), mode="edge")
    total = padded.cumsum(axis=0, dtype=np.float64).cumsum(axis=1)
    box = total[tall:, wide:] - total[:-tall, wide:] - total[tall:, :-wide] + total[:-tall, :-wide]
    return np.asarray(box / (tall * wide), dtype=np.float32)


def _components(mask: Mask) -> tuple[npt.NDArray[np.int_], npt.NDArray[np.int_]]:
    """Runs (n, 3) as (row, first column, column after the last) and the component number of each run."""
    edge = np.diff(np.pad(mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, first = np.nonzero(edge == 1)
    last = np.nonzero(edge == -1)[1]
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


def _boxes(mask: Mask) -> list[Box]:
    """Bounding boxes of the connected components."""
    runs, labels = _components(mask)
    found = []
    for k in range(int(labels.max()) + 1 if labels.size else 0):
        mine = runs[labels == k]
        found.append((int(mine[0, 0]), int(mine[:, 1].min()), int(mine[-1, 0]) + 1, int(mine[:, 2].max())))
    return found


def _painted(runs: npt.NDArray[np.int_], shape: tuple[int, ...]) -> Mask:
    """Runs painted into a bool picture."""
    step = np.zeros((shape[0], shape[1] + 1), dtype=np.int32)
    np.add.at(step, (runs[:, 0], runs[:, 1]), 1)
    np.add.at(step, (runs[:, 0], runs[:, 2]), -1)
    return step[:, :-1].cumsum(axis=1) > 0
