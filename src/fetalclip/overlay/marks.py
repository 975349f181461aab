"""Finders of burned-in marks and of the sector, on the working copy of a picture.

All lengths are pixels of a picture whose long side is 416.
"""

from __future__ import annotations

import numpy as np

from fetalclip.overlay.raster import (
    Box,
    Mask,
    Real,
    boxes,
    components,
    cut,
    grown,
    hull,
    mean,
    moved,
    opened,
    painted,
)

_BLACK = 10.0  # grey level above which a pixel outside the sector is not background
_CORNER = (0.21, 0.155)  # height and width of the smallest corner rectangle, share of the picture
_STEP = (0.07, 0.05)  # the rectangle grows by whole steps of this share
_MOST = (0.35, 0.305)  # and no further than this
_LETTERS = 200  # pixels of letter-like density that make text of a corner; real text has 430 and more
_LEAST = 60  # a picture with a side shorter than this has no room for marks that could be told apart


def find(g: Real) -> tuple[Mask, Mask]:
    """Marks and sector of a working-size picture (h, w), both bool (h, w)."""
    marks = np.zeros(g.shape, dtype=bool)
    solid = opened(g, 5)
    if min(g.shape) < _LEAST:
        return marks, _sector(solid)
    sharp = g - solid  # thin bright marks
    lone = lone_peaks(g)
    dense = _density(lone > 30)
    edge = [*_bars(g), *_rulers(g)]
    for box in edge:
        solid[cut(box)] = 0
    sector = _sector(solid)
    for box in [*edge, *_corner(lone), *_logo(lone > 30, dense), *white_words(g, sharp), *letter_blocks(lone)]:
        marks[cut(box)] = True
    outside = (g > _BLACK) & ~grown(sector, 5) & ~marks
    for y0, x0, y1, x1 in boxes(grown(outside, 3)):
        letters = y1 - y0 < 24 and sharp[y0:y1, x0:x1].max() > 45 and dense[y0:y1, x0:x1].max() > 0.1
        line = y1 - y0 < 6 and x1 - x0 > 0.3 * g.shape[1]
        if letters or line:
            marks[cut((y0 - 1, x0 - 1, y1 + 1, x1 + 1))] = True
    return marks, sector


def _flipped(box: Box, width: int) -> Box:
    """A box of the mirrored picture in the picture itself."""
    return (box[0], width - box[3], box[2], width - box[1])


# ---------------------------------------------------------------- grey bar and ruler


def _bars(g: Real) -> list[Box]:
    """Grey bars at the left and right edge."""
    left, right = _bar(g, 16), _bar(g[:, ::-1], 6)  # rare at the right, so it must be flawless there
    found = [] if left is None else [left]
    return found if right is None else [*found, _flipped(right, g.shape[1])]


def _bar(g: Real, rough: float) -> Box | None:
    """A grey bar that begins within the first columns: bright at its top, falling in a straight line.

    `rough` is the mean distance from the line that is forgiven, in grey levels.
    """
    height, width = g.shape
    strip = np.median(g[:, 1:4], axis=1)  # (h,)
    rise = np.flatnonzero((strip[2:] - strip[:-2] > 50) & (strip[2:] > 110))
    for top in rise[rise < 0.2 * height] + 2:
        column = strip[top + 2 : top + int(0.5 * height)]
        low = np.flatnonzero(column < 0.35 * column[0]) if column.size else np.array([], dtype=int)
        if low.size == 0 or low[0] < 8:
            continue
        part = column[: low[0]]  # the upper two thirds, where tissue cannot be taken for the bar
        steps = np.arange(part.size)
        slope, start = np.polyfit(steps, part, 1)
        if slope >= 0 or np.abs(part - start - slope * steps).mean() > rough:
            continue
        fit = start + slope * steps
        wide = 3
        limit = int(0.08 * width)
        while wide < limit and np.abs(g[top + 2 : top + 2 + part.size, wide] - fit).mean() < 25:
            wide += 1
        if wide < limit:
            end = min(height, int(top - 1.12 * start / slope) + 5)  # its dark end is no straight line
            return (max(0, int(top) - 3), 0, end, wide + 2)
    return None


def _rulers(g: Real) -> list[Box]:
    """The strip of a ruler near the left or right edge, and the focus marker beside it."""
    height, width = g.shape
    found: list[Box] = []
    for flip in (False, True):
        part = (g[:, ::-1] if flip else g)[:, : int(0.1 * width)]  # the edge at the left
        ring = np.maximum(moved(part, 3, 0), moved(part, -3, 0))
        ring = np.maximum(ring, np.maximum(moved(part, 0, 3), moved(part, 0, -7)))
        lone = part - ring
        if flip:
            lone[: round(_MOST[0] * height)] = 0  # text
        x = _ruler_column(lone)
        if x is not None:
            mine = [(0, x - 3, height, x + 5), *_marker(part, x)]
            found.extend(_flipped(box, width) if flip else box for box in mine)
    return found


def _ruler_column(lone: Real) -> int | None:
    """The column that holds many more lone marks than the columns around it, or None.

    `lone` (h, w) is how far a pixel outshines the ring around it. Voluson rulers lie 2 to 3.5 % of the width
    from the edge; there less evidence is asked for than elsewhere.
    """
    width = lone.shape[1]
    hits = (lone > 18) & (lone >= moved(lone, 1, 0)) & (lone > moved(lone, -1, 0))
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
    ring = np.maximum(moved(part, 5, 0), moved(part, -5, 0))
    lone = part - np.maximum(ring, np.maximum(moved(part, 0, 4), moved(part, 0, -4)))
    band = lone[:, x + 4 : x + 11]
    if band.size == 0 or band.max() < 40:
        return []
    y, dx = np.unravel_index(int(band.argmax()), band.shape)
    return [(int(y) - 5, x + 4, int(y) + 6, x + int(dx) + 9)]


# ---------------------------------------------------------------- text


def lone_peaks(g: Real) -> Real:
    """How far each pixel outshines both sides along x within 3 px, (h, w); large on thin strokes."""
    left = np.minimum(moved(g, 0, 2), moved(g, 0, 3))
    right = np.minimum(moved(g, 0, -2), moved(g, 0, -3))
    return np.asarray(g - np.maximum(left, right), dtype=np.float32)


def _density(peaks: Mask) -> Real:
    """Share of peaks around each pixel, (h, w), in a window about as large as two letters."""
    return mean(peaks.astype(np.float32), 5, 13)


def _corner(lone: Real) -> list[Box]:
    """A rectangle of one of a few sizes over the upper right corner, where it carries text."""
    height, width = lone.shape
    rows, cols = int((_MOST[0] + _STEP[0]) * height) + 8, int((_MOST[1] + _STEP[1]) * width) + 8
    part = _density(lone[:rows, max(0, width - cols) :] > 35) > 0.12
    size = _corner_size(part, (height, width))
    return [] if size is None else [(0, width - size[1], size[0], width)]


def _corner_size(text: Mask, shape: tuple[int, int]) -> tuple[int, int] | None:
    """Height and width of the rectangle for letter-like places `text`, cut from the corner of a picture."""
    height, width = shape
    right = text[:, ::-1]  # columns counted from the right edge
    y, x = round(_CORNER[0] * height), round(_CORNER[1] * width)
    if right[:y, :x].sum() < _LETTERS:
        return None
    while y < _MOST[0] * height and right[y - 3 : y + 8, :x].mean() > 0.12:
        y += round(_STEP[0] * height)
    while x < _MOST[1] * width and right[:y, x : x + 6].mean() > 0.08:
        x += round(_STEP[1] * width)
    return y, x


def _logo(peaks: Mask, dense: Real) -> list[Box]:
    """The maker's name: one small block of letters near the upper edge, with no other strokes around it."""
    height, width = dense.shape
    dense = dense[: int(0.16 * height)].copy()
    dense[:, : round(0.03 * width)] = 0  # the grey bar
    dense[:, width - round(_CORNER[1] * width) :] = 0
    best, box = 0.17, None
    for y0, x0, y1, x1 in boxes(dense > 0.14):
        peak = float(dense[y0:y1, x0:x1].max())
        fits = 8 < y0 < 0.12 * height and y1 < dense.shape[0] and y1 - y0 < 22 and 7 < x1 - x0 < 42
        if not fits or peak <= best:
            continue
        starts = np.diff(peaks[y0:y1, x0 - 6 : x1 + 6].astype(np.int8), axis=1) == 1
        letters = (starts.sum(axis=1) >= 2).sum() >= 2  # strokes side by side, in two rows
        if letters and (peak > 0.27 or _lonely(dense, (y0, x0, y1, x1))):
            middle = (x0 + x1) // 2
            half = max(15, (x1 - x0) // 2 + 5)  # the block is centred on its boldest line
            best, box = peak, (y0 - 9, middle - half, y1 + 5, middle + half)
    return [] if box is None else [box]


def _lonely(dense: Real, box: Box) -> bool:
    """True where the frame of some pixels around a box holds hardly any strokes."""
    y0, x0, y1, x1 = box
    frame = cut((y0 - 5, x0 - 20, y1 + 6, x1 + 20))
    ring = dense[frame].copy()
    ring[
        y0 - frame[0].start : y1 + 1 - frame[0].start,
        max(0, x0 - 8 - frame[1].start) : x1 + 8 - frame[1].start,
    ] = 0
    return bool((ring > 0.07).mean() < 0.14)


def letter_blocks(lone: Real) -> list[Box]:
    """Lines of small letters anywhere: wide places filled with steep narrow peaks."""
    found = []
    for y0, x0, y1, x1 in boxes(_density(lone > 50) > 0.15):
        if x1 - x0 >= 20 and 3 <= y1 - y0 <= 60:
            banner = y0 > 0.9 * lone.shape[0]  # a cine bar: the whole width
            found.append((y0 - 3, 0, y1 + 3, lone.shape[1]) if banner else (y0 - 3, x0 - 4, y1 + 3, x1 + 4))
    return found


def white_words(g: Real, sharp: Real) -> list[Box]:
    """Words or letters written onto the picture: saturated, thin, of one height, with nothing thin around."""
    ink = (sharp > 80) & (g > 170)
    if not ink.any():
        return []
    rise = np.abs(g - moved(g, 0, 1))  # step along x
    joined = np.pad(ink, ((0, 0), (4, 4)))
    joined = np.logical_or.reduce([joined[:, k : k + ink.shape[1]] for k in range(9)])  # grown by 4 along x
    found = []
    for y0, x0, y1, x1 in boxes(joined):
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
    smooth = mean(solid, 9, 9) > 4
    runs, labels = components(smooth)
    if labels.size == 0:
        return np.zeros(solid.shape, dtype=bool)
    sizes = np.bincount(labels, weights=runs[:, 2] - runs[:, 1])
    keep = sizes >= max(0.015 * solid.size, 0.05 * sizes.max())
    tissue = painted(runs[keep[labels]], solid.shape) & (solid > 8)
    return hull(tissue)
