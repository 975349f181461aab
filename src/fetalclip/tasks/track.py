"""A clip as what the tower sees of its frames in time, with constant memory for its pictures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from fetalclip.encoder import Encoder
from fetalclip.encoder.engine import Array
from fetalclip.errors import NotAvailable, UnreadableInput
from fetalclip.frame import Cine, Frame, Pixels, Shot
from fetalclip.overlay import Overlay, find_overlay
from fetalclip.overlay.motion import find_motion
from fetalclip.preprocess import prepare
from fetalclip.preprocess.pipeline import treated
from fetalclip.tasks.chest import FACTS
from fetalclip.tasks.segment import SegmentTask
from fetalclip.tasks.sight import STRUCTURE, Box, Sight, find_heart, rhythm

_TOGETHER = 32  # pictures
MOST = 100_000  # frames of one clip that are looked at
RATE = 30.0  # frames per second, where a clip does not tell its times


@dataclass(frozen=True, eq=False)
class Track:
    """What is seen of the frames of one clip that were looked at, in the order of time.

    Attributes:
        embeddings: (T, d) float32, raw.
        seconds: (T,) float64, rising.
        index: (T,) number of each frame in the clip.
        timed: False where the clip did not tell its times and ``RATE`` was taken.
        details: (T, k) float32, the tower's pooled maps; k is 0 for a head that looks at embeddings alone.
        facts: (f,) float32 of the chest (`fetalclip.tasks.chest`); f is 0 where no heart was looked for.
    """

    embeddings: Array
    seconds: npt.NDArray[np.float64]
    index: npt.NDArray[np.int64]
    timed: bool = True
    details: Array | None = None
    facts: Array | None = None

    def __len__(self) -> int:
        return len(self.index)

    @cached_property
    def seen(self) -> Array:
        """What a net is given of each frame, (T, D) float32: embedding, details, and what is of the clip as a whole."""
        details = np.zeros((len(self), 0), np.float32) if self.details is None else self.details
        whole = np.broadcast_to(self.whole, (len(self), len(self.whole)))
        return np.concatenate([self.embeddings, details, whole], axis=1)

    @cached_property
    def whole(self) -> Array:
        """What is of the clip as a whole, the last columns of ``seen``: its rhythm, where there are details; facts."""
        parts = [np.zeros(0, np.float32) if self.facts is None else self.facts]
        if self.details is not None and self.details.shape[1]:
            parts.insert(0, rhythm(self.details, self.seconds))
        return np.concatenate(parts)

    def part(self, start: int, stop: int) -> Track:
        """Places ``start`` to ``stop`` - 1."""
        return self.at(np.arange(start, stop), self.seconds[start:stop])

    def at(self, places: npt.NDArray[np.int64], seconds: npt.NDArray[np.float64]) -> Track:
        """Frames by their places, at these times."""
        details = None if self.details is None else self.details[places]
        return Track(self.embeddings[places], seconds, self.index[places], self.timed, details, self.facts)


def shots_of(clip: Iterable[Shot | Frame]) -> Iterator[Shot]:
    """A clip's frames one by one; pictures alone have a place and no time."""
    for i, one in enumerate(clip):
        yield Shot(i, math.nan, one) if isinstance(one, Frame) else one


class Eye:
    """Clips to tracks.

    Args:
        encoder: the backbone.
        sight: how a clip is looked at.
        locator: the head that draws the heart, where the sight asks for one.

    Raises:
        NotAvailable: a sight with a locator, and none is given or it draws no heart.
    """

    def __init__(self, encoder: Encoder, sight: Sight | None = None, locator: SegmentTask | None = None) -> None:
        self.encoder, self.sight, self.locator = encoder, sight or Sight(), locator
        if self.sight.locator and (locator is None or STRUCTURE not in locator.head.config.structures):
            found = f"no head {self.sight.locator!r:.60} that draws a {STRUCTURE}"
            raise NotAvailable(found, "one in the model, or a head folder", "fetalclip train segment.yaml")

    @property
    def key(self) -> str:
        """Changes when the tracks of a clip would."""
        head = "" if self.locator is None else str(self.locator.head.config.told["weights"]["sha256"])
        return f"{self.encoder.embedding_sha256} {self.encoder.precision} {self.sight} {head}"

    def __call__(self, shots: Iterable[Shot], marks: Overlay | None = None) -> Track:
        """The track of a clip.

        Of a ``Cine``, which can be read twice, banners and strips are found by what never moves. Otherwise, unless it
        is known, burned-in text is looked for on the first frame and taken to stand still: a mask that came and went
        from frame to frame would look like motion. The heart is looked for on the first frames, for the same
        reason once; where none is found the whole frames are looked at.

        Args:
            shots: frames in order, of a ``Cine`` read twice. A frame that is not later than the one before it is left
                out.
            marks: burned-in text and sector of every frame, where they are known.

        Raises:
            UnreadableInput: no frame, or more than ``MOST``.
        """
        if marks is None and isinstance(shots, Cine) and self.sight.overlay != "keep":
            marks = find_motion(shots).overlay
        parts: list[tuple[Array, Array]] = []
        waiting: list[Frame] = []
        seconds: list[float] = []
        index: list[int] = []
        room, timed, last = _Room(self, marks), True, -math.inf
        for shot in shots:
            now = float(shot.seconds)
            if not math.isfinite(now):
                now, timed = shot.index / RATE, False
            if now <= last or now < last + (1 - 1e-3) / self.sight.rate:
                continue
            if len(index) >= MOST:
                raise UnreadableInput(f"a clip of more than {MOST} frames to look at", "a shorter one, or a lower rate")
            waiting.append(shot.frame)
            seconds.append(now)
            index.append(int(shot.index))
            last = now
            if len(waiting) == _TOGETHER:
                parts.append(room.see(waiting))
                waiting = []
        if not index:
            raise UnreadableInput("a clip without frames", "one frame or more")
        if waiting:
            parts.append(room.see(waiting))
        embeddings, details = (np.concatenate(some) for some in zip(*parts, strict=True))
        return Track(embeddings, np.array(seconds), np.array(index, dtype=np.int64), timed, details, room.facts)


class _Room:
    """What stands still while one clip is looked at: marks, and the square about the heart."""

    def __init__(self, eye: Eye, marks: Overlay | None) -> None:
        self.eye, self.marks = eye, marks
        self.box: Box | None = None
        self.facts = np.zeros(len(FACTS) if eye.sight.locator else 0, np.float32)
        self.looked = not eye.sight.locator

    def see(self, frames: Sequence[Frame]) -> tuple[Array, Array]:
        """Embeddings (n, d) and details (n, k) of frames."""
        eye = self.eye
        if not self.looked and eye.locator is not None:
            (self.box, self.facts), self.looked = find_heart(eye.locator, frames, eye.sight.margin), True
        pictures = [self._prepared(frame) for frame in frames]
        if not eye.sight.grids:
            return eye.encoder.images(pictures), np.zeros((len(pictures), 0), np.float32)
        return eye.encoder.details(pictures, eye.sight.grids)

    def _prepared(self, frame: Frame) -> Pixels:
        wanted, overlay = self.eye.encoder.normalisation, self.eye.sight.overlay
        if overlay != "keep":
            self.marks = _overlay_of(frame, self.marks)
        if self.box is None:
            return prepare(frame, wanted.image_size, overlay, wanted.colour, self.marks).pixels
        picture = frame.pixels if wanted.colour else frame.gray
        if self.marks is not None and overlay != "keep":
            picture = treated(picture, overlay, self.marks)
        return prepare(Frame(self.box.cut(picture)), wanted.image_size, "keep", wanted.colour).pixels


def _overlay_of(frame: Frame, found: Overlay | None) -> Overlay:
    """The first frame's overlay; looked for again where the size changes."""
    if found is not None and found.mask.shape == (frame.height, frame.width):
        return found
    return find_overlay(frame.gray)
