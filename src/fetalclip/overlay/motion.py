"""Finds the sector and the burned-in marks of a clip from what moves in it.

Echoes never stand still: speckle and noise change from picture to picture all over the sector. Text, banners and rulers
do not change at all; the trace of an ECG, a clock or a cursor changes outside the sector. So, from pictures spread
evenly over the clip (at most 64, brought down to a long side of at most 416 pixels, in steps 1 and 2):

1. a pixel is restless when it changes by more than a few grey levels in a good share of the steps from picture to
   picture; a 7 x 7 opening leaves no thin trace;
2. the sector is the convex hull of the largest restless area, and of each other one of at least 30 % of its size
   (two views side by side), without what lies above the first echoes (the arc of a curved probe);
3. where much of the tissue that a still picture shows does not change (a short clip of a steady probe, in which the
   heart alone beats), the sector is the still picture's;
4. what is bright, thin and never changes inside the sector is a mark on it.

Everything else is hidden from a model. Memory does not grow with the length of the clip.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from fetalclip.errors import UsageError
from fetalclip.frame import Cine, Frame, Shot
from fetalclip.overlay import Overlay, find_overlay
from fetalclip.overlay.raster import LONG, Gray, Mask, Real, components, grown, hull, mean, opened, painted, shrink

MOST = 64
"""Most pictures that are compared."""

_STEP = 6  # grey levels: more is a change, less is what a lossy codec makes of a still pixel
_SHARE = 0.12  # of the steps, averaged over 5 x 5 pixels: the least that is restless
_EDGE = 0.4  # share of the middle restless pixel at which the sector ends: half of a 5 x 5 window lies outside
_STILL = 10  # grey levels between darkest and brightest of a mark that stands still
_BRIGHT = 60  # grey level that a mark has in every picture
_BLACK = 10  # grey level above which a pixel is not background
_SMALLEST = 0.02  # share of the picture that the sector takes at least
_UNMOVED = 0.15  # share of the tissue above which what moves is not the whole sector
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
    seen = _Sample((cine.count or 0) // MOST)
    for shot in cine:
        seen.add(shot)
    if seen.first is None:
        raise UsageError("a clip without a picture", "one picture or more")
    height, width = seen.first.height, seen.first.width
    stack = np.stack(seen.kept)
    sector: Mask = np.zeros(stack.shape[1:], dtype=bool)
    if len(stack) > 1 and min(sector.shape) >= _LEAST:
        sector = _sector(_restless(stack))
    if sector.mean() < _SMALLEST:
        found = find_overlay(seen.first.gray)
        said = "too little moves in the clip to tell the sector; burned-in marks are looked for as in a still"
        return Motion(found.sector, found.mask, np.zeros_like(found.mask), seen.pictures, (said,))
    rows = np.arange(height) * len(sector) // height
    cols = np.arange(width) * len(sector.T) // width
    full = sector[rows][:, cols]
    found = find_overlay(seen.first.gray)
    if _unmoved(seen.low, full, found) > _UNMOVED:
        said = "much of the sector does not change in the clip: sector and marks are those of its first picture"
        return Motion(found.sector, found.mask & ~full, np.zeros_like(full), seen.pictures, (said,))
    return Motion(full, *_marks(seen.low, seen.high, full), seen.pictures)


class _Sample:
    """At most `MOST` working copies of a clip, evenly spread, and the darkest and brightest of each pixel.

    Args:
        stride: a guess of the pictures from one copy to the next; doubled each time there are too many.
    """

    def __init__(self, stride: int) -> None:
        self.stride, self.pictures = max(1, stride), 0
        self.first: Frame | None = None
        self.kept: list[Gray] = []  # (h, w) each
        self.low = self.high = np.zeros((0, 0), np.uint8)  # (H, W), over every picture that was ever kept

    def add(self, shot: Shot) -> None:
        """Take the next picture."""
        self.pictures += 1
        if (self.pictures - 1) % self.stride:
            return
        gray = shot.frame.gray
        if self.first is None:
            self.first, self.low, self.high = shot.frame, gray.copy(), gray.copy()
        np.minimum(self.low, gray, out=self.low)
        np.maximum(self.high, gray, out=self.high)
        self.kept.append(np.rint(shrink(gray)).astype(np.uint8))
        if len(self.kept) > MOST:
            self.kept, self.stride = self.kept[::2], self.stride * 2


def _unmoved(low: Gray, moving: Mask, still: Overlay) -> float:
    """Share of a still picture's tissue that lies outside the moving area.

    Args:
        low: the darkest of each pixel over the clip, uint8 (H, W).
        moving: bool (H, W).
        still: sector and marks of one picture.
    """
    tissue = still.sector & ~grown(still.mask, 5) & (low > 2 * _BLACK)
    return float((tissue & ~moving).sum() / max(1, tissue.sum()))


def _restless(stack: npt.NDArray[np.uint8]) -> Real:
    """Share of the steps from picture to picture in which each pixel changes, float32 (h, w)."""
    share = np.zeros(stack.shape[1:], dtype=np.float32)
    for before, after in pairwise(stack):
        share += np.abs(after.astype(np.int16) - before) > _STEP
    return share / np.float32(len(stack) - 1)


def _sector(restless: Real) -> Mask:
    """Convex hulls of the large restless areas, bool (h, w)."""
    share = mean(restless, 5, 5)
    at_all = share[share > _SHARE]
    if at_all.size == 0:
        return np.zeros(share.shape, dtype=bool)
    area = opened((share > max(_SHARE, _EDGE * float(np.median(at_all)))).astype(np.float32), 7) > 0
    runs, labels = components(grown(area, 9))  # gaps of a few pixels do not part an area
    out = np.zeros(area.shape, dtype=bool)
    if labels.size == 0:
        return out
    parts = [painted(runs[labels == label], area.shape) & area for label in range(int(labels.max()) + 1)]
    largest = max(int(part.sum()) for part in parts)
    for part in parts:
        if part.sum() >= 0.3 * largest:
            out |= hull(part) & _below(part)
    return out


def _below(area: Mask) -> Mask:
    """Everything from the first True pixel of each column on, or of a column up to four away, bool (h, w)."""
    top = np.where(area.any(axis=0), area.argmax(axis=0), area.shape[0])
    near = np.lib.stride_tricks.sliding_window_view(np.pad(top, 4, mode="edge"), 9).min(axis=1)
    return np.arange(area.shape[0])[:, None] >= near


def _marks(low: Gray, high: Gray, sector: Mask) -> tuple[Mask, Mask]:
    """Marks that stand still, everywhere, and what moves outside the sector, both bool (H, W).

    Args:
        low, high: the darkest and brightest of each pixel over the clip, uint8 (H, W).
        sector: bool (H, W).
    """
    still = high - low <= _STILL
    wide = 2 * round(4 * max(1.0, max(low.shape) / LONG)) + 1  # 9 pixels of the working size
    dark = low.astype(np.float32)
    thin = dark - opened(dark, wide) > _BRIGHT / 2  # a bone that is white in every picture is no letter
    inside = grown(sector & still & (low > _BRIGHT) & thin, 3) & sector
    return inside | (~sector & still & (low > _BLACK)), ~sector & ~still
