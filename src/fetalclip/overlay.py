"""Finds what a scanner burns into a picture: preset text, maker's logo, grey bar, ruler, markers.

The preset text of a screen names the examination ("Cardiac"), so a model that may read it learns to read
and not to look. Everything here works on a copy brought down to a long side of at most 416 pixels, numpy
only:

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
    sharp = g - solid  # thin bright marks
    dense = _strokes(g, 30)
    edge = [*_bars(g), *_rulers(g)]
    for box in edge:
        solid[_cut(box)] = 0
    sector = _sector(solid)
    for box in [*edge, *_corners(g), *_logo(dense), *_words(g, sharp)]:
        marks[_cut(box)] = True
    outside = (g > _BLACK) & ~_grown(sector, 5) & ~marks
    for y0, x0, y1, x1 in _boxes(_grown(outside, 3)):
        letters = y1 - y0 < 24 and sharp[y0:y1, x0:x1].max() > 45 and dense[y0:y1, x0:x1].max() > 0.1
        line = y1 - y0 < 6 and x1 - x0 > 0.3 * g.shape[1]
        if letters or line:
            marks[_cut((y0 - 1, x0 - 1, y1 + 1, x1 + 1))] = True
    return marks, sector


def _cut(box: Box) -> tuple[slice, slice]:
    """Index of a box, cut off at the upper and left edge of the picture."""
    y0, x0, y1, x1 = box
    return slice(max(0, y0), max(0, y1)), slice(max(0, x0), max(0, x1))


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
    """The strip of a ruler near the left or right edge, and the focus marker beside it."""
    height, width = g.shape
    if height < 60 or width < 60:
        return []
    found: list[Box] = []
    for flip in (False, True):
        part = (g[:, ::-1] if flip else g)[:, : int(0.1 * width)]  # the edge at the left
        ring = np.maximum(_moved(part, 3, 0), _moved(part, -3, 0))
        ring = np.maximum(ring, np.maximum(_moved(part, 0, 3), _moved(part, 0, -7)))
        lone = part - ring
        if flip:
            lone[: round(_MOST[0] * height)] = 0  # text
        x = _ruler_column(lone)
        if x is not None:
            boxes = [(0, x - 3, height, x + 5), *_marker(part, x)]
            found.extend(
                (y0, width - x1, y1, width - x0) if flip else (y0, x0, y1, x1) for y0, x0, y1, x1 in boxes
            )
    return found


def _ruler_column(lone: Real) -> int | None:
    """The column that holds many more lone marks than the columns around it, or None.

    `lone` (h, w) is how far a pixel outshines the ring around it. Voluson rulers lie 2 to 3.5 % of the width
    from the edge; there less evidence is asked for than elsewhere.
    """
    width = lone.shape[1]
    hits = (lone > 18) & (lone >= _moved(lone, 1, 0)) & (lone > _moved(lone, -1, 0))
    count = hits.sum(axis=0).astype(np.float64)  # (w,)
    best, column = 0.0, None
    for x in range(4, int(0.6 * width)):
        around = float(np.concatenate([count[max(0, x - 6) : x - 2], count[x + 4 : x + 8]]).mean())
        excess = (count[x] - around) / (around + 1) ** 0.5
        usual = 0.2 * width <= x <= 0.35 * width
        if count[x] >= 4 and excess > (2.7 if usual else 4.8) and excess > best:
            best, column = excess, x
    return column


def _marker(part: Real, x: int) -> list[Box]:
    """The small arrow of the focus depth, beside the ruler in column x."""
    ring = np.maximum(_moved(part, 5, 0), _moved(part, -5, 0))
    lone = part - np.maximum(ring, np.maximum(_moved(part, 0, 4), _moved(part, 0, -4)))
    band = lone[:, x + 4 : x + 11]
    if band.size == 0 or band.max() < 40:
        return []
    y, dx = np.unravel_index(int(band.argmax()), band.shape)
    return [(int(y) - 5, x + 4, int(y) + 6, x + int(dx) + 9)]


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


def _logo(dense: Real) -> list[Box]:
    """The maker's name: one small block of letters near the upper edge, with no other strokes around it."""
    height, width = dense.shape
    if height < 60 or width < 60:
        return []
    dense = dense[: int(0.16 * height)].copy()
    dense[:, : round(0.03 * width)] = 0  # the grey bar
    dense[:, width - round(_CORNER[1] * width) :] = 0
    best, box = 0.17, None
    for y0, x0, y1, x1 in _boxes(dense > 0.14):
        peak = float(dense[y0:y1, x0:x1].max())
        fits = 8 < y0 < 0.12 * height and y1 < dense.shape[0] and y1 - y0 < 22 and 7 < x1 - x0 < 42
        if fits and peak > best and (peak > 0.27 or _lonely(dense, (y0, x0, y1, x1))):
            middle = (x0 + x1) // 2
            half = max(15, (x1 - x0) // 2 + 5)  # the block is centred on its boldest line
            best, box = peak, (y0 - 9, middle - half, y1 + 5, middle + half)
    return [] if box is None else [box]


def _lonely(dense: Real, box: Box) -> bool:
    """True where the frame of some pixels around a box holds hardly any strokes."""
    y0, x0, y1, x1 = box
    frame = _cut((y0 - 5, x0 - 20, y1 + 6, x1 + 20))
    ring = dense[frame].copy()
    ring[
        y0 - frame[0].start : y1 + 1 - frame[0].start,
        max(0, x0 - 8 - frame[1].start) : x1 + 8 - frame[1].start,
    ] = 0
    return bool((ring > 0.07).mean() < 0.14)


def _words(g: Real, sharp: Real) -> list[Box]:
    """Words or letters written onto the picture: saturated, thin, of one height, with nothing thin around."""
    ink = (sharp > 80) & (g > 170)
    if not ink.any():
        return []
    rise = np.abs(g - _moved(g, 0, 1))  # step along x
    joined = np.asarray(_mean(ink.astype(np.float32), 1, 9) > 0.01)
    found = []
    for y0, x0, y1, x1 in _boxes(joined):
        x0, x1 = x0 + 4, x1 - 4
        tall, wide = y1 - y0, x1 - x0
        if not (6 <= tall <= 14 and 4 <= wide <= 100):
            continue
        top, left = max(0, y0 - 3), max(0, x0 - 3)
        around = sharp[top : y1 + 3, left : x1 + 3] > 40
        own = np.zeros(around.shape, dtype=bool)
        own[y0 - top - 1 : y1 - top + 1, x0 - left - 1 : x1 - left + 1] = True
        steps = (rise[y0:y1, x0 : x1 + 1] > 60).mean()
        if ink[y0:y1, x0:x1].mean() > 0.12 and steps > 0.2 and (around & ~own).mean() < 0.01:
            found.append((y0 - 3, x0 - 3, y1 + 3, x1 + 3))
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
