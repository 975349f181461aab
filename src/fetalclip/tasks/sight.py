"""What of a clip a heart head looks at: which frames, which part of them, and how the tower sees it.

A whole frame shows the heart small, and one embedding says what is shown rather than how it moves. A head may therefore
look at the square about the heart, which a head that draws masks finds once for the whole clip, and at the tower's maps
of it, pooled to coarse grids: where in the heart something changes is then still there to see.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from fetalclip.encoder.engine import Array
from fetalclip.errors import BadCheckpoint, UnreadableInput
from fetalclip.frame import Frame, Pixels
from fetalclip.models.heart import MOST_CELLS
from fetalclip.tasks.chest import FACTS, facts
from fetalclip.tasks.segment import SegmentTask

STRUCTURE = "heart"
"""The structure that is looked for."""

LAGS: npt.NDArray[np.float64] = np.linspace(1.28 / 24, 1.28, 24)
"""Seconds between two frames that are compared: up to two or three beats of a fetal heart."""

_LOOKS = 2  # frames that the heart is looked for on
_LEAST = 0.004  # share of the picture, below which a mask is no heart
_FLOOR = 0.1  # of the mean spread over time: what hardly moves must not weigh like what does


@dataclass(frozen=True)
class Sight:
    """How a clip is looked at.

    Attributes:
        overlay: what is done with burned-in text, ``mask`` or ``keep``.
        rate: frames looked at per second, at most; those between are left out.
        locator: the head that draws the heart, which the frames are cut out around; empty for whole frames.
        margin: side of that square over the heart's longer side.
        grids: block of the tower to the cells along a side that its map is pooled to; empty for the embedding alone.
    """

    overlay: str = "mask"
    rate: float = 60.0
    locator: str = ""
    margin: float = 1.35
    grids: Mapping[int, int] = field(default_factory=dict)


def grids_of(data: Mapping[str, int] | Mapping[int, int]) -> dict[int, int]:
    """``grids`` as they stand in a recipe or a config, by number.

    Raises:
        BadCheckpoint: a block or a number of cells that can be none.
    """
    made = {}
    for block, cells in data.items():
        number = int(block) if re.fullmatch("[0-9]{1,3}", str(block)) else 0
        if number < 1 or type(cells) is not int:
            raise BadCheckpoint(f"grids of {block!r:.20} and {cells!r:.20}", 'block to cells, such as {"5": 8}')
        if not 1 <= cells <= MOST_CELLS:
            raise BadCheckpoint(f"a grid of {cells} cells along a side", f"1 to {MOST_CELLS}")
        made[number] = cells
    return dict(sorted(made.items()))


@dataclass(frozen=True)
class Box:
    """A square part of a picture, in its pixels; it may reach beyond the edges."""

    left: int
    top: int
    side: int

    def cut(self, pixels: Pixels) -> Pixels:
        """The part of (H, W) or (H, W, 3) pixels, black where there is no picture: (side, side) or (side, side, 3)."""
        made = np.zeros((self.side, self.side, *pixels.shape[2:]), dtype=pixels.dtype)
        top, left = max(self.top, 0), max(self.left, 0)
        part = pixels[top : max(top, self.top + self.side), left : max(left, self.left + self.side)]
        y, x = top - self.top, left - self.left
        made[y : y + part.shape[0], x : x + part.shape[1]] = part
        return made


def find_heart(task: SegmentTask, frames: Sequence[Frame], margin: float) -> tuple[Box | None, Array]:
    """The square about the heart, from the masks of a few of the frames, and the facts of the chest they agree on.

    No square where they show no heart.

    Args:
        task: a head that draws a ``heart``.
        frames: of one size, at least one.
        margin: its side over the heart's longer side.

    Raises:
        UnreadableInput: no frame.
    """
    if not frames:
        raise UnreadableInput("no frame to look for a heart on", "one or more")
    picked = [frames[i] for i in sorted({round(i) for i in np.linspace(0, len(frames) - 1, _LOOKS)})]
    picked = [frame for frame in picked if frame.gray.shape == picked[0].gray.shape]
    drawn = [found.masks for found in task(picked, views=False)]
    masks = {name: np.mean([one[name] for one in drawn], axis=0) >= 0.5 for name in drawn[0]}  # (H, W) each
    agreed = masks[STRUCTURE] = _largest(masks[STRUCTURE])
    if agreed.mean() < _LEAST:
        return None, np.zeros(len(FACTS), np.float32)
    rows, columns = np.flatnonzero(agreed.any(axis=1)), np.flatnonzero(agreed.any(axis=0))
    side = round(margin * max(rows[-1] - rows[0], columns[-1] - columns[0]) + margin)
    middle = (int(columns[0] + columns[-1]) // 2, int(rows[0] + rows[-1]) // 2)
    return Box(middle[0] - side // 2, middle[1] - side // 2, side), facts(masks)


def _largest(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    from scipy import ndimage

    pieces, count = ndimage.label(mask)
    if count < 2:
        return mask
    chosen: npt.NDArray[np.bool_] = pieces == np.bincount(pieces.ravel())[1:].argmax() + 1
    return chosen


def rhythm(details: Array, seconds: npt.NDArray[np.float64]) -> Array:
    """How a clip comes back to itself: mean and spread of its self-similarity at ``LAGS``.

    A regular beat comes back after the same time from any frame, an early one does not, and speckle that drifts never
    does. Source: Dwibedi et al., "Counting Out Time" (CVPR 2020), for the temporal self-similarity matrix.

    Args:
        details: (T, k) of one clip.
        seconds: (T,), rising.

    Returns:
        (2 lags,) in -1 to 1: the mean over frames of the cosine to the frame so much later, then its standard
        deviation; 0 for lags longer than the clip and where nothing moves.
    """
    x = details - details[:1]  # first, so that what stands still is 0 and not what is left of rounding
    x = x - x.mean(axis=0)
    spread = x.std(axis=0)
    x = x / np.maximum(spread + _FLOOR * float(spread.mean()), 1e-9)
    x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-6)
    table = np.full((len(x), len(LAGS)), np.nan)
    for i, now in enumerate(seconds):
        last = int(np.searchsorted(seconds, now + LAGS[-1] - 1e-9)) + 1  # with the first frame at or after the last lag
        at = seconds[i:last] - now
        inside = at[-1] + 1e-9 >= LAGS
        table[i, inside] = np.interp(LAGS[inside], at, x[i:last] @ x[i])
    known = np.isfinite(table).any(axis=0)
    made = np.zeros((2, len(LAGS)), np.float32)
    made[0, known], made[1, known] = np.nanmean(table[:, known], axis=0), np.nanstd(table[:, known], axis=0)
    return made.ravel()
