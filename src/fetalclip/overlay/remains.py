"""Text that a model gets to see: what `mask_overlay` left, or all of it where nothing is masked.

Looked for in the picture itself and not in the masked one, whose blanks have edges that pass for strokes and cut words
in two. Fast, because it stands in the way of every answer: a copy of at most 1024 pixels and its halves are gone
through in tiles of 8 x 16 pixels, and only where a tile holds as many strokes as letters have do the finders of
`fetalclip.overlay.letters` look. Fewer false alarms than `find_text`, which would rather blank too much: skulls pass
for lines of small letters in the halves, so these are believed only where the copy itself has strokes that close.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fetalclip.overlay import Overlay
from fetalclip.overlay.letters import COPIES, NEAR, SMALLEST, text_in
from fetalclip.overlay.raster import Box, Gray, Mask, boxes, cut, grown, opened_gray

LONGEST = 1024
"""Pixels of the long side of the copy that is looked at; a tower sees far fewer."""

_TALL, _WIDE = 8, 16  # of a tile, pixels
_STROKES = 12  # of a tile: 8 rows of one and a half; on training folds tissue has as many in 2 tiles of 1,000
_THIN, _LIGHT = 50, 100  # grey levels by which ink outshines its surroundings, and that it has at least
_COVERED = 0.5  # share of a box under the mask from which on it is covered
_MARGIN = 3  # tiles around those with strokes that the finders look at too: letters and what surrounds them


def text_left(gray: Gray, found: Overlay | None = None) -> list[Box]:
    """Boxes (y0, x0, y1, x1), half open, around text that is still to be seen; each is one place.

    Args:
        gray: uint8 (H, W), nothing masked.
        found: what is masked of it; None where nothing is.
    """
    step = -(-max(gray.shape) // LONGEST)
    copy = _smaller(gray, step)
    seen, sharp = np.zeros(copy.shape, dtype=bool), np.zeros(copy.shape, dtype=bool)
    part, blank = copy, None if found is None else _thinned(found.mask, step, copy)
    for level in range(COPIES):
        if min(part.shape) < SMALLEST:
            break
        for area in _lively(part, blank):
            if level == 0:
                sharp[cut(area)] = True
            for box in _text_of(part, area, bool(sharp[_times(area, 1 << level)].any())):
                if blank is None or blank[cut(box)].mean() < _COVERED:
                    seen[_times(box, 1 << level)] = True
        part = _smaller(part, 2)
        blank = None if blank is None else _thinned(blank, 2, part)
    if not seen.any():
        return []
    return [_inside(box, step, gray) for box in boxes(grown(seen, NEAR))]


def _lively(copy: Gray, mask: Mask | None) -> list[Box]:
    """Parts of a copy where strokes that are not masked stand as close as in text, with what surrounds them."""
    ink = (copy - opened_gray(copy, 5) > _THIN) & (copy > _LIGHT)
    rises = ink[:, 1:] & ~ink[:, :-1]
    if mask is not None:
        rises &= ~mask[:, 1:]
    hot = _tiles(rises) >= _STROKES
    if not hot.any():
        return []
    height, width = copy.shape
    return [
        (y0 * _TALL, x0 * _WIDE, min(height, y1 * _TALL), min(width, x1 * _WIDE))
        for y0, x0, y1, x1 in boxes(grown(hot, 2 * _MARGIN + 1))
    ]


def _text_of(copy: Gray, area: Box, blocks: bool) -> list[Box]:
    """Boxes of text in one area of a copy, cut off at the copy's edges."""
    top, left, _, _ = area
    found = []
    for y0, x0, y1, x1 in text_in(copy[cut(area)].astype(np.float32), blocks):
        box = _inside((top + y0, left + x0, top + y1, left + x1), 1, copy)
        if box[0] < box[2] and box[1] < box[3]:
            found.append(box)
    return found


def _inside(box: Box, step: int, gray: Gray) -> Box:
    """A box ``step`` times as large, cut off at the edges of a picture."""
    height, width = gray.shape
    y0, x0, y1, x1 = (edge * step for edge in box)
    return (max(0, y0), max(0, x0), min(height, y1), min(width, x1))


def _times(box: Box, step: int) -> tuple[slice, slice]:
    """Index of a box ``step`` times as large."""
    y0, x0, y1, x1 = box
    return cut((y0 * step, x0 * step, y1 * step, x1 * step))


def _tiles(there: Mask) -> npt.NDArray[np.int_]:
    """How many pixels are True in each tile, (h / 8, w / 16) rounded up."""
    pad = [(0, -side % step) for side, step in zip(there.shape, (_TALL, _WIDE), strict=True)]
    whole = np.pad(there, pad).view(np.uint8)
    rows = sum((whole[row::_TALL] for row in range(1, _TALL)), whole[::_TALL])  # at most 8 each
    return rows.reshape(len(rows), -1, _WIDE).sum(axis=2, dtype=np.int_)


def _thinned(mask: Mask, step: int, copy: Gray) -> Mask:
    """A mask of the size of a copy that is ``step`` times smaller."""
    return mask[::step, ::step][: copy.shape[0], : copy.shape[1]]


def _smaller(picture: Gray, step: int) -> Gray:
    """Average of squares of ``step`` pixels, uint8; what does not fill a square is left out.

    A picture of fewer than ``step`` rows or columns keeps them.
    """
    for _ in (0, 1):
        count = picture.shape[0] // step
        if step > 1 and count:
            total = np.full((count, picture.shape[1]), step // 2, dtype=np.uint32)
            for row in range(step):
                total += picture[row : count * step : step]
            picture = (total // np.uint32(step)).astype(np.uint8)
        picture = picture.T
    return np.ascontiguousarray(picture)
