"""Text that a model gets to see: what `mask_overlay` left, or all of it where nothing is masked.

Looked for in the picture itself and not in the masked one, whose blanks have edges that pass for strokes and cut words
in two. Fast, because it stands in the way of every answer: a copy of at most 1024 pixels and its halves are gone
through in tiles of 8 x 16 pixels, and only where a tile holds as many strokes as letters have do the finders of
`fetalclip.overlay.letters` look. Fewer false alarms than `find_text`, which would rather blank too much: lines of small
letters are believed at full size only, since skulls pass for them in the halves.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import numpy.typing as npt

from fetalclip.overlay import Overlay
from fetalclip.overlay.letters import COPIES, NEAR, SMALLEST, text_in
from fetalclip.overlay.raster import Box, Gray, Mask, boxes, cut, grown, opened_gray

LONGEST = 1024
"""Pixels of the long side of the copy that is looked at; a tower sees far fewer."""

_TALL, _WIDE = 8, 16  # of a tile, pixels
_STROKES = 12  # of a tile: 8 rows of one and a half letters; chosen on training folds, where 0.2 % of tiles have as many
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
    mask = None if found is None else found.mask[::step, ::step][: copy.shape[0], : copy.shape[1]]
    seen = np.zeros(copy.shape, dtype=bool)
    part, blank = copy, mask
    for level in range(COPIES):
        if min(part.shape) < SMALLEST:
            break
        for box in _places(part, blank, level == 0):
            if blank is None or blank[cut(box)].mean() < _COVERED:
                y0, x0, y1, x1 = (edge << level for edge in box)
                seen[cut((y0, x0, y1, x1))] = True
        part, blank = _smaller(part, 2), None if blank is None else blank[::2, ::2]
    if not seen.any():
        return []
    height, width = gray.shape
    return [
        (y0 * step, x0 * step, min(height, y1 * step), min(width, x1 * step))
        for y0, x0, y1, x1 in boxes(grown(seen, NEAR))
    ]


def _places(copy: Gray, mask: Mask | None, blocks: bool) -> list[Box]:
    """Boxes of text in one copy, cut off at its edges."""
    height, width = copy.shape
    found = []
    for top, left, bottom, right in _lively(copy, mask):
        for y0, x0, y1, x1 in text_in(copy[top:bottom, left:right].astype(np.float32), blocks):
            box = (max(0, top + y0), max(0, left + x0), min(height, top + y1), min(width, left + x1))
            if box[0] < box[2] and box[1] < box[3]:
                found.append(box)
    return found


def _lively(copy: Gray, mask: Mask | None) -> list[Box]:
    """Parts of a copy where strokes stand as close as in text and not all is masked, with what surrounds them."""
    ink = (copy - opened_gray(copy, 5) > _THIN) & (copy > _LIGHT)
    rises = ink[:, 1:] & ~ink[:, :-1]
    hot = _tiles(rises) >= _STROKES
    if mask is not None:
        hot &= _tiles(~mask[:, 1:]) > 0
    if not hot.any():
        return []
    height, width = copy.shape
    return [
        (y0 * _TALL, x0 * _WIDE, min(height, y1 * _TALL), min(width, x1 * _WIDE))
        for y0, x0, y1, x1 in boxes(grown(hot, 2 * _MARGIN + 1))
    ]


def _tiles(there: Mask) -> npt.NDArray[np.int64]:
    """How many pixels are True in each tile; those at the right and lower edge are smaller."""
    rows = np.add.reduceat(there, np.arange(0, there.shape[0], _TALL), axis=0, dtype=np.uint8)
    return np.add.reduceat(rows, np.arange(0, there.shape[1], _WIDE), axis=1, dtype=np.int64)


def _smaller(gray: Gray, step: int) -> Gray:
    """Average of squares of ``step`` pixels, uint8; what does not fill a square is left out."""
    if step == 1:
        return gray
    height, width = (max(1, side // step) for side in gray.shape)
    part = gray[: height * step, : width * step]
    rows = np.add.reduceat(part, np.arange(0, part.shape[0], step), axis=0, dtype=np.uint32)
    total = np.add.reduceat(rows, np.arange(0, part.shape[1], step), axis=1, dtype=np.uint32)
    area = min(step, part.shape[0]) * min(step, part.shape[1])
    return cast(Gray, ((total + area // 2) // area).astype(np.uint8))
