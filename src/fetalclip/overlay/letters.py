"""Finds text on a picture at its full size, for those who have to remove it: `find_overlay` looks at a smaller copy.

The picture is looked at in full and at halves of it, so that small and large letters are met at the size the finders
are made for. On tissue, white letters of 10 to 36 pixels are found as a rule, light grey ones mostly, and dark grey
ones often not.
"""

from __future__ import annotations

import numpy as np

from fetalclip.overlay.marks import letter_blocks, lone_peaks, white_words
from fetalclip.overlay.raster import Box, Gray, Mask, Real, boxes, cut, grown, opened

SMALLEST = 120  # pixels of the shorter side of a copy: in smaller ones bone and speckle look like letters
COPIES = 4
NEAR = 7  # pixels, odd: boxes nearer than this are one
# How far ink outshines its surroundings, how light it is, by how much the ink of one word differs: grey levels.
_INKS = ((50, 100, 10), (70, 110, 14))
_SHARE = 0.45  # of the ink of a word that is flat; the rest is the soft edge of the letters
_ABOVE = 0.05  # at most this share is lighter than the flat part
_ROUNDS = 8  # looks, each after the last finds were hidden
_TALL = 72  # pixels: what is taller is no line of letters of up to 36 pixels
_GAP, _ENDS = 8, 4  # heights of a line: between two words of it, and beyond its ends
_STROKES, _DENSE = 3, 0.7  # strokes in a middling row: at least, and for each piece of a row as wide as it is high


def find_text(gray: Gray) -> list[Box]:
    """Boxes (y0, x0, y1, x1), half open, around what looks like letters, inside the picture; they may not overlap.

    Args:
        gray: uint8 (H, W).
    """
    found = np.zeros(gray.shape, dtype=bool)
    for step, copy in enumerate(_halves(gray)):
        for box in text_in(copy):
            y0, x0, y1, x1 = (edge << step for edge in box)
            found[cut((y0, x0, y1, x1))] = True
    return boxes(grown(found, NEAR)) if found.any() else []


def text_to_blank(gray: Gray, kept: Mask) -> list[Box]:
    """Boxes that leave no letters to be seen once they are black: for those who would rather blank too much.

    What is found is hidden and the rest looked at again. Letters of one line are missed singly, so a line is blanked
    through its gaps and beyond both ends, by eight and by four times its height.

    Args:
        gray: uint8 (H, W).
        kept: bool (H, W), the part of the picture that is looked at; the rest is black.
    """
    left = np.where(kept, gray, np.uint8(0))
    found: list[Box] = []
    for _ in range(_ROUNDS):
        new = [box for box in find_text(left) if left[cut(box)].any()]
        if not new:
            break
        for box in [*new, *_through(found + new, gray.shape[1])]:
            left[cut(box)] = 0
        found += new
    lines = _through(found, gray.shape[1])
    return [box for box in [*found, *lines] if kept[cut(box)].any()]


def _through(found: list[Box], width: int) -> list[Box]:
    """The lines that words stand in, from before the first to behind the last."""
    lines: list[Box] = []
    for box in sorted(found, key=lambda box: box[1]):
        y0, x0, y1, x1 = box
        tall = y1 - y0
        for place, (top, left, bottom, right) in enumerate(lines):
            same = min(y1, bottom) - max(y0, top) > min(tall, bottom - top) / 2 and tall <= _TALL
            if same and x0 - right <= _GAP * min(tall, bottom - top):
                lines[place] = min(y0, top), min(x0, left), max(y1, bottom), max(x1, right)
                break
        else:
            lines.append(box)
    talls = [line[2] - line[0] for line in lines]
    wide = [(line, _ENDS * tall) for line, tall in zip(lines, talls, strict=True) if line[3] - line[1] >= tall <= _TALL]
    return [(y0, max(0, x0 - more), y1, min(width, x1 + more)) for (y0, x0, y1, x1), more in wide]


def text_in(copy: Real, blocks: bool = True) -> list[Box]:
    """Boxes around what looks like letters of the size the finders are made for, in one copy; they may reach beyond it.

    Args:
        copy: float32 (h, w), a picture, a half of it, or a part of either.
        blocks: look for lines of small letters too; in halves of a picture bone is taken for them.
    """
    sharp = copy - opened(copy, 5)
    lines = letter_blocks(lone_peaks(copy)) if blocks else []
    return [*white_words(copy, sharp), *lines, *_flat_words(copy, sharp)]


def _flat_words(g: Real, sharp: Real) -> list[Box]:
    """Words in ink of one grey, however light; speckle and bone are of many."""
    found = []
    for thin, light, spread in _INKS:
        ink = (sharp > thin) & (g > light)
        for y0, x0, y1, x1 in boxes(_along(ink)):
            x1 -= 8  # of the ink itself
            tall, wide = y1 - y0, x1 - x0
            here = ink[y0:y1, x0:x1]
            values = g[y0:y1, x0:x1][here]
            if not (6 <= tall <= 18 and wide >= 2 * tall) or values.size < 3 * tall:
                continue
            level = np.percentile(values, 80)
            flat = (np.abs(values - level) <= spread).mean() > _SHARE and (values > level + spread).mean() < _ABOVE
            starts = np.diff(np.pad(here, ((0, 0), (1, 0))).astype(np.int8), axis=1) == 1
            strokes = float(np.median(starts.sum(axis=1)))
            if flat and strokes >= max(_STROKES, _DENSE * wide / tall):
                found.append((y0 - 3, x0 - 3, y1 + 3, x1 + 3))
    return found


def _along(ink: Mask) -> Mask:
    """Ink grown by 4 pixels along x, on a picture that is 8 pixels wider."""
    wide = np.pad(ink, ((0, 0), (8, 8)))
    return np.logical_or.reduce([wide[:, k : k + ink.shape[1] + 8] for k in range(9)])


def _halves(gray: Gray) -> list[Real]:
    """The picture and its halves, float32, as long as letters could be seen."""
    copies: list[Real] = []
    copy = gray.astype(np.float32)
    while min(copy.shape) >= SMALLEST and len(copies) < COPIES:
        copies.append(copy)
        height, width = (side // 2 * 2 for side in copy.shape)
        tall = copy[0:height:2] + copy[1:height:2]
        copy = np.asarray((tall[:, 0:width:2] + tall[:, 1:width:2]) / np.float32(4), dtype=np.float32)
    return copies
