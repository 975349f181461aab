"""Embeddings of clips, kept on disk: a clip goes through the tower once, whatever is trained on it afterwards."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fetalclip.disk import replacing
from fetalclip.encoder import Encoder
from fetalclip.errors import FetalclipError, OutputError, UnreadableInput
from fetalclip.fit.clips import Clip
from fetalclip.tasks.planes import PlaneTask
from fetalclip.tasks.track import Track, embed
from fetalclip.tasks.windows import best_segment

Say = Callable[[str], None]
_EVERY = 100  # clips, between two words on how far it is


@dataclass(frozen=True)
class Sampling:
    """How a clip is looked at; see `fetalclip.tasks.track.embed`."""

    overlay: str = "mask"
    rate: float = 60.0


def tracks_of(
    encoder: Encoder, clips: Sequence[Clip], sampling: Sampling, cache: Path | None, say: Say = lambda word: None
) -> list[Track]:
    """The embeddings of every clip, in their order.

    Args:
        encoder: the backbone.
        clips: any.
        sampling: how they are looked at.
        cache: folder of ``.npz`` files, named by the hash of encoder, clip and sampling; None keeps nothing.
        say: where progress is told.

    Raises:
        UnreadableInput: a clip that cannot be read; the message names its place.
        OutputError: the cache cannot be written.
    """
    found = []
    for number, clip in enumerate(clips, 1):
        try:
            found.append(_one(encoder, clip, sampling, cache))
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


def _one(encoder: Encoder, clip: Clip, sampling: Sampling, cache: Path | None) -> Track:
    if cache is None:
        return embed(encoder, clip.open(), sampling.overlay, sampling.rate)
    words = f"{encoder.embedding_sha256} {encoder.precision} {clip.key} {sampling.overlay} {sampling.rate:g}"
    file = cache / f"clip-{hashlib.sha256(words.encode()).hexdigest()[:32]}.npz"
    if (kept := _read(file, encoder.dim)) is not None:
        return kept
    made = embed(encoder, clip.open(), sampling.overlay, sampling.rate)
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with replacing(file) as part, part.open("wb") as stream:
            np.savez(
                stream, embeddings=made.embeddings, seconds=made.seconds, index=made.index, timed=np.array(made.timed)
            )
    except OSError as error:
        raise OutputError(f"the cache {cache} cannot be written ({error.strerror})", "a writable folder") from None
    return made


def _read(file: Path, dim: int) -> Track | None:
    """What was kept; None where it is missing or damaged, and made again."""
    try:
        with np.load(file, allow_pickle=False) as data:
            track = Track(data["embeddings"], data["seconds"], data["index"], bool(data["timed"]))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    shapes = track.embeddings.shape == (len(track), dim) and track.seconds.shape == (len(track),) and len(track) > 0
    return track if shapes and bool(np.isfinite(track.embeddings).all()) else None
