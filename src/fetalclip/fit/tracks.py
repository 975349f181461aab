"""Embeddings of clips, kept on disk: a clip goes through the tower once, whatever is trained on it afterwards."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fetalclip.disk import replacing
from fetalclip.encoder.engine import Array
from fetalclip.errors import FetalclipError, OutputError, UnreadableInput
from fetalclip.fit.clips import Clip
from fetalclip.tasks.planes import PlaneTask
from fetalclip.tasks.track import Eye, Track
from fetalclip.tasks.windows import best_segment

Say = Callable[[str], None]
_FORMAT = 4  # raise when what is kept or how it is made changes
_EVERY = 100  # clips, between two words on how far it is


def tracks_of(eye: Eye, clips: Sequence[Clip], cache: Path | None, say: Say = lambda word: None) -> list[Track]:
    """The tracks of every clip, in their order.

    Args:
        eye: how they are looked at.
        clips: any.
        cache: folder of ``.npz`` files, named by the hash of clip and eye; None keeps nothing.
        say: where progress is told.

    Raises:
        UnreadableInput: a clip that cannot be read; the message names its place.
        OutputError: the cache cannot be written.
    """
    found = []
    for number, clip in enumerate(clips, 1):
        try:
            found.append(track_of(eye, clip, cache))
        except OutputError:
            raise
        except FetalclipError as error:
            raise UnreadableInput(f"clip {number} of {len(clips)}: {error.found}", error.expected, error.fix) from error
        if number % _EVERY == 0:
            say(f"{number} of {len(clips)} clips embedded")
    return found


def segments(tracks: Sequence[Track], planes: PlaneTask, plane: str, least: int) -> Iterator[Track]:
    """The best segment of each track that shows a plane; the whole track where none does."""
    for track in tracks:
        said = planes(track.embeddings)
        table = np.array([[0.0 if one.abstained else one.scores.get(plane, 0.0)] for one in said])
        part = best_segment(table, 0, least)
        yield track if part is None else track.part(part.start, part.stop)


def track_of(eye: Eye, clip: Clip, cache: Path | None) -> Track:
    """The track of one clip, from the cache where it is there; errors as `tracks_of`."""
    words = f"{_FORMAT} {eye.key} {clip.key}"
    file = None if cache is None else cache / f"clip-{hashlib.sha256(words.encode()).hexdigest()[:32]}.npz"
    if file is not None and (kept := _read(file, eye.encoder.dim)) is not None:
        return kept
    made = eye(clip.open())
    if file is None:
        return made
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as part, part.open("wb") as stream:
            np.savez(
                stream,
                embeddings=made.embeddings,
                seconds=made.seconds,
                index=made.index,
                timed=np.array(made.timed),
                details=_half(made.details, len(made)),
                facts=np.zeros(0, np.float32) if made.facts is None else made.facts,
            )
    except OSError as error:
        raise OutputError(f"the cache {cache} cannot be written ({error.strerror})", "a writable folder") from None
    return _read(file, eye.encoder.dim) or made  # as it will be read again, to the last bit


def _half(details: Array | None, count: int) -> npt.NDArray[np.float16]:
    """Details at half precision: they are many, and their last bits say nothing."""
    return np.zeros((count, 0), np.float16) if details is None else np.clip(details, -6e4, 6e4).astype(np.float16)


def _read(file: Path, dim: int) -> Track | None:
    """What was kept; None where it is missing or damaged, and made again."""
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as data:
            names = ("embeddings", "seconds", "index", "details", "facts")
            embeddings, seconds, index, details, facts = (data[name] for name in names)
            timed = bool(data["timed"])
    except Exception:  # a damaged archive makes numpy and zipfile raise almost anything
        return None
    count = len(index) if index.ndim == 1 and index.dtype == np.int64 else 0
    shapes = embeddings.shape == (count, dim) and seconds.shape == (count,) and facts.ndim == 1
    parts = (embeddings, seconds, details, facts)
    numbers = all(part.dtype.kind == "f" and bool(np.isfinite(part).all()) for part in parts)
    if not (count and shapes and numbers and details.ndim == 2 and len(details) == count):
        return None
    return Track(embeddings, seconds, index, timed, details.astype(np.float32), facts)
