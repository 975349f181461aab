"""A clip as windows of frames, the windows' answers as one, and the part of a sweep that shows the heart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fetalclip.errors import UsageError

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]

JOINS = ("mean", "log-mean-exp")
"""How the windows' logits become the clip's: their mean, or a soft maximum, where one window may show it alone."""

LEAST_PROBABILITY = 0.5  # of the plane, from which a frame counts for its segment


@dataclass(frozen=True)
class Segment:
    """Frames ``start`` to ``stop`` - 1 of a clip.

    Attributes:
        start, stop: places among the frames that were looked at.
        probability: mean probability of the plane over them.
    """

    start: int
    stop: int
    probability: float


def windows(count: int, frames: int = 16, stride: int = 8) -> Places:
    """Places of the frames of every window, (W, frames); -1 where a short clip has none.

    Every frame is in a window: where the strides do not come out even the last window ends with the clip.

    Raises:
        UsageError: no frame, or a stride that would leave frames out.
    """
    if count < 1 or not 1 <= stride <= frames:
        raise UsageError(f"{count} frames in windows of {frames}, stride {stride}", "a frame; a stride within a window")
    if count <= frames:
        return np.pad(np.arange(count), (0, frames - count), constant_values=-1)[None]
    starts = list(range(0, count - frames + 1, stride))
    if starts[-1] + frames < count:
        starts.append(count - frames)
    return np.array(starts)[:, None] + np.arange(frames)


def spread_out(count: int, frames: int = 16) -> Places:
    """One window of ``frames`` evenly spread over the whole clip, (1, frames); a short clip's frames repeat."""
    if count < 1:
        raise UsageError(f"{count} frames", "a frame")
    return np.rint(np.linspace(0, count - 1, frames)).astype(np.int64)[None]


def join(logits: npt.ArrayLike, how: str = "mean") -> Floats:
    """The clip's logits (findings,) from its windows' (W, findings).

    Raises:
        UsageError: no window, or an unknown way.
    """
    table = np.asarray(logits, dtype=np.float64)
    if how not in JOINS or table.ndim != 2 or not len(table):
        raise UsageError(f"windows of shape {table.shape} joined by {how!r:.40}", "one of " + ", ".join(JOINS))
    if how == "mean":
        return np.asarray(table.mean(axis=0))
    top = table.max(axis=0)
    return np.asarray(top + np.log(np.exp(table - top).mean(axis=0)))


def best_segment(planes: npt.ArrayLike, column: int, least: int = 16) -> Segment | None:
    """The part of a sweep that shows a plane longest and most surely.

    The run of frames with the largest sum of probability less ``LEAST_PROBABILITY``: it grows over likely frames and
    may bridge a few unlikely ones. A shorter one than ``least`` is widened as far as the clip goes.

    Args:
        planes: (T, planes) probabilities of each frame.
        column: the plane looked for.
        least: frames that the segment should have.

    Returns:
        The segment, or None where no frame shows the plane.
    """
    table = np.asarray(planes, dtype=np.float64)
    if table.ndim != 2 or not len(table) or not 0 <= column < table.shape[1] or not np.isfinite(table).all():
        raise UsageError(f"probabilities of shape {table.shape}, column {column}", "(T, planes), finite")
    gain = table[:, column] - LEAST_PROBABILITY
    sums = np.concatenate([[0.0], np.cumsum(gain)])
    low = np.minimum.accumulate(sums[:-1])  # least sum up to each start
    stop = int(np.argmax(sums[1:] - low)) + 1
    if sums[stop] - low[stop - 1] <= 0:
        return None
    start = int(np.argmin(sums[:stop]))
    missing = max(0, least - (stop - start))
    start = max(0, min(start - missing // 2, len(table) - least))
    stop = min(len(table), max(stop, start + least))
    return Segment(start, stop, float(table[start:stop, column].mean()))
