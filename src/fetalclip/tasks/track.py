"""A clip as embeddings in time, with constant memory for its pictures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fetalclip.encoder import Encoder
from fetalclip.encoder.engine import Array
from fetalclip.errors import UnreadableInput
from fetalclip.frame import Frame, Pixels, Shot
from fetalclip.overlay import Overlay, find_overlay
from fetalclip.preprocess import prepare

_TOGETHER = 32  # pictures
MOST = 100_000  # frames of one clip that are looked at
RATE = 30.0  # frames per second, where a clip does not tell its times


@dataclass(frozen=True, eq=False)
class Track:
    """Embeddings of the frames of one clip that were looked at, in the order of time.

    Attributes:
        embeddings: (T, d) float32, raw.
        seconds: (T,) float64, rising.
        index: (T,) number of each frame in the clip.
        timed: False where the clip did not tell its times and ``RATE`` was taken.
    """

    embeddings: Array
    seconds: npt.NDArray[np.float64]
    index: npt.NDArray[np.int64]
    timed: bool = True

    def __len__(self) -> int:
        return len(self.index)

    def part(self, start: int, stop: int) -> Track:
        """Places ``start`` to ``stop`` - 1."""
        return Track(self.embeddings[start:stop], self.seconds[start:stop], self.index[start:stop], self.timed)


def shots_of(clip: Iterable[Shot | Frame]) -> Iterator[Shot]:
    """A clip's frames one by one; pictures alone have a place and no time."""
    for i, one in enumerate(clip):
        yield Shot(i, math.nan, one) if isinstance(one, Frame) else one


def embed(
    encoder: Encoder,
    shots: Iterable[Shot],
    overlay: str = "mask",
    rate: float = 60.0,
    marks: Overlay | None = None,
) -> Track:
    """Embeddings of a clip.

    Unless it is known, burned-in text is looked for on the first frame and taken to stand still: a mask that came and
    went from frame to frame would look like motion.

    Args:
        encoder: the backbone.
        shots: frames in order, read once.
        overlay: what is done with burned-in text, ``mask`` or ``keep``.
        rate: frames looked at per second, at most; those between are left out. A frame that is not later than the
            one before it is left out too.
        marks: burned-in text and sector of every frame, where they are known.

    Raises:
        UnreadableInput: no frame, or more than ``MOST``.
    """
    wanted, found = encoder.normalisation, marks
    parts: list[Array] = []
    waiting: list[Pixels] = []
    seconds: list[float] = []
    index: list[int] = []
    timed, last = True, -math.inf
    for shot in shots:
        now = float(shot.seconds)
        if not math.isfinite(now):
            now, timed = shot.index / RATE, False
        if now <= last or now < last + (1 - 1e-3) / rate:
            continue
        if len(index) >= MOST:
            raise UnreadableInput(f"a clip of more than {MOST} frames to look at", "a shorter one, or a lower rate")
        found = _overlay_of(shot.frame, found) if overlay != "keep" else None
        waiting.append(prepare(shot.frame, wanted.image_size, overlay, wanted.colour, found).pixels)
        seconds.append(now)
        index.append(int(shot.index))
        last = now
        if len(waiting) == _TOGETHER:
            parts.append(encoder.images(waiting))
            waiting = []
    if not index:
        raise UnreadableInput("a clip without frames", "one frame or more")
    if waiting:
        parts.append(encoder.images(waiting))
    return Track(np.concatenate(parts), np.array(seconds), np.array(index, dtype=np.int64), timed)


def _overlay_of(frame: Frame, found: Overlay | None) -> Overlay:
    """The first frame's overlay; looked for again where the size changes."""
    if found is not None and found.mask.shape == (frame.height, frame.width):
        return found
    return find_overlay(frame.gray)
