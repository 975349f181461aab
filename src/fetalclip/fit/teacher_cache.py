"""A teacher's features of every picture as it is, computed once and kept in the run folder.

Rows are unit vectors in half precision: with a scale of 100 and a temperature of 5 that moves a logit by about 0.01.
The file says what it was made of; one of other data or of another teacher is made anew.
"""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from fetalclip.data.pairs import Pairs
from fetalclip.disk import replacing
from fetalclip.encoder.engine import unit
from fetalclip.errors import BadCheckpoint, InputError, OutputError
from fetalclip.fit.teacher import Teacher
from fetalclip.preprocess import Letterbox

if TYPE_CHECKING:
    from accelerate import Accelerator

NAME = "teacher.npz"
_FORMAT = 1  # raise when what a row means changes
_TOGETHER = 32  # pictures
_SPARE = 1 << 16  # bytes a file may take beyond its features


class TaughtPictures:
    """Features of a source's pictures by number.

    Args:
        features: (n, D) float16, rows of NaN for pictures that could not be read.
        pairs: their source.
    """

    def __init__(self, features: Tensor, pairs: Pairs) -> None:
        self.features, self._pairs = features, pairs

    def __call__(self, numbers: Tensor) -> Tensor:
        """(b,) numbers to unit features (b, D) float32.

        Raises:
            InputError: one of them could not be read when the features were made.
        """
        found = self.features[numbers].float()
        lost = ~found.isfinite().all(dim=1)
        if lost.any():
            name = self._pairs.name(int(numbers[lost][0]))
            raise InputError(f"{name} could not be read when {NAME} was made", "the same data", f"remove {NAME}")
        return found


def open_features(teacher: Teacher, pairs: Pairs, file: Path, accelerator: Accelerator) -> TaughtPictures:
    """The features in a file, or computed and put there, by all processes together.

    Raises:
        BadCheckpoint: the file is damaged.
        OutputError: it cannot be written.
    """
    key = key_of(teacher, pairs)
    kept = _read(file, key, len(pairs), teacher.encoder.dim)
    device = accelerator.device
    if bool(accelerator.gather(torch.tensor([kept is not None], device=device)).all()):
        assert kept is not None
        return TaughtPictures(kept, pairs)
    own = _compute(teacher, pairs, accelerator.process_index, accelerator.num_processes)
    parts = accelerator.gather(own.to(device)).cpu()  # (processes * rows, D)
    made = parts.unflatten(0, (accelerator.num_processes, -1)).transpose(0, 1).flatten(0, 1)[: len(pairs)].half()
    if accelerator.is_main_process:
        _write(file, key, made)
    return TaughtPictures(made, pairs)


def key_of(teacher: Teacher, pairs: Pairs) -> str:
    """What the features depend on: data and its preparation, teacher and its preprocessing."""
    return hashlib.sha256(repr((_FORMAT, pairs.fingerprint, teacher.fingerprint)).encode()).hexdigest()


def _compute(teacher: Teacher, pairs: Pairs, rank: int, world: int) -> Tensor:
    """Rows ``rank``, ``rank + world``, …: (ceil(n / world), D) float32, NaN where there is nothing."""
    numbers = range(rank, len(pairs), world)
    made = np.full((-(-len(pairs) // world), teacher.encoder.dim), np.nan, np.float32)
    shrink = Letterbox(pairs.side, pairs.side, teacher.size)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=rank > 0) as progress:
        bar = progress.add_task("the teacher's features", total=len(numbers))
        for start in range(0, len(numbers), _TOGETHER):
            places, squares = [], []
            for place, number in enumerate(numbers[start : start + _TOGETHER], start=start):
                try:
                    squares.append(shrink.picture_in(pairs.load(number).pixels))
                except InputError:
                    continue  # counted and named where it is drawn
                places.append(place)
            made[places] = unit(teacher.encoder.images(squares))
            progress.update(bar, advance=min(_TOGETHER, len(numbers) - start))
    return torch.from_numpy(made)


def _write(file: Path, key: str, features: Tensor) -> None:
    try:
        with replacing(file) as part:
            np.savez(part, key=np.array(key), images=features.numpy())
    except OSError as error:
        found = f"{file} cannot be written ({error.strerror})"
        raise OutputError(found, "room on the disk", "teacher.features=live") from None


def _read(file: Path, key: str, count: int, width: int) -> Tensor | None:
    """The features of a file, or None where there is none of this key."""
    if not file.is_file():
        return None
    fix = "remove it: it is then computed again"
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as data:
            if sum(member.file_size for member in data.zip.infolist()) > 2 * count * width + _SPARE:
                return None
            if str(data["key"]) != key:
                return None
            found = data["images"]
    except (OSError, ValueError, EOFError, KeyError, AttributeError, MemoryError, zipfile.BadZipFile) as error:
        kind = type(error).__name__
        raise BadCheckpoint(f"{file} cannot be read ({kind})", "a teacher's features", fix) from None
    if found.shape != (count, width) or found.dtype != np.float16:
        raise BadCheckpoint(f"{file} holds {found.dtype} of shape {found.shape}", f"float16 ({count}, {width})", fix)
    return torch.from_numpy(found)
