"""Finds the sector and the burned-in marks of a clip from what moves in it.

Echoes never stand still: speckle and noise change from picture to picture all over the sector. Text, banners and rulers
do not change at all; the trace of an ECG, a clock or a cursor changes outside the sector. So, on copies brought down to
a long side of at most 416 pixels, from at most 64 pictures spread evenly over the clip:

1. a pixel is restless when it changes by more than a few grey levels in a good share of the steps from picture to
   picture; a 7 x 7 opening leaves no thin trace;
2. the sector is the convex hull of the largest restless area, and of each other one of at least 30 % of its size
   (two views side by side);
3. what is bright, thin and never changes inside the sector is a mark on it.

Everything else is hidden from a model. Memory does not grow with the length of the clip.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from fetalclip.errors import UsageError
from fetalclip.frame import Cine, Frame, Shot
from fetalclip.overlay import Overlay, find_overlay
from fetalclip.overlay.raster import Mask, Real, components, grown, hull, mean, opened, painted, shrink

MOST = 64
"""Most pictures that are compared."""

_STEP = 6  # grey levels: more is a change, less is what a lossy codec makes of a still pixel
_SHARE = 0.12  # of the steps, averaged over 5 x 5 pixels
_STILL = 10  # grey levels between darkest and brightest of a mark that stands still
_BRIGHT = 60.0  # median grey level of a mark
_BLACK = 10.0  # grey level above which a pixel is not background
_SMALLEST = 0.02  # share of the picture that the sector takes at least
_LEAST = 60  # a picture with a side shorter than this has no room for marks that could be told apart


@dataclass(frozen=True, eq=False)
class Motion:
    """Where a clip shows echoes, for the clip as a whole.

    Attributes:
        sector: bool (H, W), True on the imaged area, filled.
        static: bool (H, W), True on marks that never change: text, banner, ruler, also inside the sector.
        moving: bool (H, W), True on what changes outside the sector: an ECG strip, a clock.
        pictures: how many pictures of the clip were decoded.
        warnings: what the user should know.
    """

    sector: Mask
    static: Mask
    moving: Mask
    pictures: int
    warnings: tuple[str, ...] = ()

    @property
    def overlay(self) -> Overlay:
        """The same for one picture: ``mask`` is everything that is not to be looked at."""
        return Overlay(~self.sector | self.static, self.sector)

    def mask(self, frame: Frame) -> Frame:
        """The frame with everything but the sector, and the marks on it, set to 0.

        Raises:
            UsageError: a frame of another size than the clip.
        """
        seen = self.sector & ~self.static
        if seen.shape != frame.pixels.shape[:2]:
            raise UsageError(
                f"a picture of {frame.width} x {frame.height} pixels",
                f"{seen.shape[1]} x {seen.shape[0]} like the clip",
                "find_motion(cine) on its own clip",
            )
        return frame.with_pixels(frame.pixels * (seen if frame.pixels.ndim == 2 else seen[..., None]))


def find_motion(cine: Cine) -> Motion:
    """Find sector and marks; the whole clip is decoded once.

    A clip in which nothing moves, of one picture or of pictures smaller than 60 pixels is treated like a still: its
    marks are looked for in its first picture, and a warning says so.

    Raises:
        InputError: the clip cannot be read.
    """
    stack, first, pictures = _sampled(cine, (cine.count or 0) // MOST)
    if first is None:
        raise UsageError("a clip without a picture", "one picture or more")
    height, width = first.pixels.shape[:2]
    sector = np.zeros(stack.shape[1:], dtype=bool)
    if len(stack) > 1 and min(stack.shape[1:]) >= _LEAST:
        restless = _restless(stack)
        sector = _sector(restless)
    if sector.mean() < _SMALLEST:
        found = find_overlay(first.gray)
        said = "too little moves in the clip to tell the sector; burned-in marks are looked for as in a still"
        return Motion(found.sector, found.mask, np.zeros_like(found.mask), pictures, (said,))
    static, moving = _marks(stack, sector)
    rows = np.arange(height) * static.shape[0] // height
    cols = np.arange(width) * static.shape[1] // width
    full = [part[rows][:, cols] for part in (sector, static, moving)]
    return Motion(full[0], full[1], full[2], pictures)


def _sampled(shots: Iterable[Shot], stride: int) -> tuple[npt.NDArray[np.uint8], Frame | None, int]:
    """At most `MOST` working copies (n, h, w), evenly spread, the first frame, and the number of shots.

    Args:
        shots: pictures of a clip.
        stride: a guess of the pictures from one copy to the next; doubled each time there are too many.
    """
    kept: list[npt.NDArray[np.uint8]] = []
    first, pictures, stride = None, 0, max(1, stride)
    for shot in shots:
        first = first or shot.frame
        if pictures % stride == 0:
            kept.append(np.rint(shrink(shot.frame.gray)).astype(np.uint8))
            if len(kept) > MOST:
                kept, stride = kept[::2], stride * 2
        pictures += 1
    return np.stack(kept) if kept else np.zeros((0, 1, 1), np.uint8), first, pictures


def _restless(stack: npt.NDArray[np.uint8]) -> Real:
    """Share of the steps from picture to picture in which each pixel changes, float32 (h, w)."""
    share = np.zeros(stack.shape[1:], dtype=np.float32)
    for before, after in pairwise(stack):
        share += np.abs(after.astype(np.int16) - before) > _STEP
    return share / np.float32(len(stack) - 1)


def _sector(restless: Real) -> Mask:
    """Convex hulls of the large restless areas, bool (h, w)."""
    area = opened((mean(restless, 5, 5) > _SHARE).astype(np.float32), 7) > 0
    runs, labels = components(grown(area, 9))  # gaps of a few pixels do not part an area
    out = np.zeros(area.shape, dtype=bool)
    if labels.size == 0:
        return out
    parts = [painted(runs[labels == label], area.shape) & area for label in range(int(labels.max()) + 1)]
    largest = max(int(part.sum()) for part in parts)
    for part in parts:
        if part.sum() >= 0.3 * largest:
            out |= hull(part)
    return out


def _marks(stack: npt.NDArray[np.uint8], sector: Mask) -> tuple[Mask, Mask]:
    """Marks that stand still, everywhere, and what moves outside the sector, both bool (h, w)."""
    low, high = stack.min(axis=0).astype(np.int16), stack.max(axis=0).astype(np.int16)
    middle = np.asarray(np.median(stack, axis=0), dtype=np.float32)
    still = high - low <= _STILL
    thin = middle - opened(middle, 9) > _BRIGHT / 2  # a bone that is white in every picture is no letter
    inside = grown(sector & still & (middle > _BRIGHT) & thin, 3) & sector
    return inside | (~sector & still & (middle > _BLACK)), ~sector & ~still
