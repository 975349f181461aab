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

from fetalclip.errors import UsageError
from fetalclip.overlay.marks import find
from fetalclip.overlay.raster import Gray, Mask, shrink


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
    small = shrink(gray)
    marks, sector = find(small)
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
