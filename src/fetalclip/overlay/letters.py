"""Finds text on a picture at its full size, for those who have to remove it: `find_overlay` looks at a smaller copy.

The picture is looked at in full and at halves of it, so that small and large letters are met at the size the finders
are made for. White and light letters of 9 to 72 pixels are found on tissue; dim ones are often missed.
"""

from __future__ import annotations

import numpy as np

from fetalclip.overlay.marks import _blocks, _lone, _words
from fetalclip.overlay.raster import Box, Gray, Real, boxes, cut, grown, opened

_SMALLEST = 120  # pixels of the shorter side of a copy: in smaller ones bone and speckle look like letters
_COPIES = 4
_NEAR = 7  # pixels, odd: boxes nearer than this are one


def find_text(gray: Gray) -> list[Box]:
    """Boxes (y0, x0, y1, x1), half open, around what looks like letters, inside the picture; they may not overlap.

    Args:
        gray: uint8 (H, W).
    """
    found = np.zeros(gray.shape, dtype=bool)
    for step, copy in enumerate(_halves(gray)):
        sharp = copy - opened(copy, 5)
        for box in [*_words(copy, sharp), *_blocks(_lone(copy))]:
            y0, x0, y1, x1 = (edge << step for edge in box)
            found[cut((y0, x0, y1, x1))] = True
    return boxes(grown(found, _NEAR)) if found.any() else []


def _halves(gray: Gray) -> list[Real]:
    """The picture and its halves, float32, as long as letters could be seen."""
    copies: list[Real] = []
    copy = gray.astype(np.float32)
    while min(copy.shape) >= _SMALLEST and len(copies) < _COPIES:
        copies.append(copy)
        height, width = (side // 2 * 2 for side in copy.shape)
        tall = copy[0:height:2] + copy[1:height:2]
        copy = np.asarray((tall[:, 0:width:2] + tall[:, 1:width:2]) / np.float32(4), dtype=np.float32)
    return copies
