"""Puts pictures before a model and keeps its answers. The model's own ``planes`` is the only road to them.

No preprocessing and no decision rule lives here: what is measured is what the README shows.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from fetalclip.clinical.vocabulary import ALIASES
from fetalclip.data import Row
from fetalclip.errors import UsageError
from fetalclip.frame import Frame
from fetalclip.io import read
from fetalclip.metrics import (
    Estimate,
    Index,
    Statistic,
    accuracy,
    confusion_matrix,
    encode,
    expected_calibration_error,
    f1_scores,
    group_bootstrap,
    macro_f1,
    rate,
)
from fetalclip.result import PlaneScores

BATCH = 32
RESAMPLES = 1000
SEED = 0

Way = Callable[[list[Frame]], Sequence[PlaneScores]]
Step = Callable[[int], None]


class PlaneModel(Protocol):
    """Anything that names planes as ``FetalCLIP`` does."""

    def planes(self, scans: Sequence[Frame], prompts: Any = None, overlay: str = "mask") -> list[PlaneScores]:
        """One answer for each frame, in their order."""
        ...


@dataclass(frozen=True)
class Picture:
    """A picture to be asked about: how to get it, its true plane ("" when it has none) and its group."""

    load: Callable[[], Frame | None]
    group: str
    truth: str = ""


def from_row(row: Row) -> Picture:
    """The picture of a data set row."""
    return Picture(partial(read, row.path), row.group, row.plane or "")


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model said, picture by picture; all of length n.

    Attributes:
        truth: true plane, "" where there is none.
        group: patient, examination or drawing.
        label: the most probable candidate, given also where the model abstained.
        probability: of ``label``, float64 (n,).
        abstained: bool (n,).
    """

    truth: tuple[str, ...]
    group: tuple[str, ...]
    label: tuple[str, ...]
    probability: npt.NDArray[np.float64]
    abstained: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.label)

    @property
    def classes(self) -> tuple[str, ...]:
        """Planes that occur in the truth, in alphabetical order, then the others that were answered."""
        true = sorted(set(self.truth))
        return (*true, *sorted(set(self.label) - set(true)))

    def coded(self) -> tuple[Index, Index]:
        """Truth and label as positions in ``classes``, each (n,)."""
        return encode(self.truth, self.classes), encode(self.label, self.classes)

    def where(self, chosen: npt.NDArray[np.bool_]) -> Answers:
        """The answers at which ``chosen``, bool (n,), is True."""
        at = np.flatnonzero(chosen)
        truth, group, label = (tuple(names[i] for i in at) for names in (self.truth, self.group, self.label))
        return Answers(truth, group, label, self.probability[at], self.abstained[at])

    def macro_f1(self) -> Statistic:
        """Macro F1 of chosen rows, over the classes that occur in the truth of those rows."""
        truth, label = self.coded()
        count = len(self.classes)
        return lambda rows: macro_f1(confusion_matrix(truth[rows], label[rows], count))

    def f1(self, name: str) -> Statistic:
        """F1 of one class; NaN where none of the chosen rows is of that class."""
        truth, label = self.coded()
        count, which = len(self.classes), self.classes.index(name)
        return lambda rows: float(f1_scores(confusion_matrix(truth[rows], label[rows], count))[which])

    def accuracy(self) -> Statistic:
        """Share of chosen rows given their true plane."""
        truth, label = self.coded()
        count = len(self.classes)
        return lambda rows: accuracy(confusion_matrix(truth[rows], label[rows], count))

    def calibration(self) -> Statistic:
        """Expected calibration error (15 bins) of chosen rows."""
        right = np.array(self.truth) == np.array(self.label)
        return lambda rows: expected_calibration_error(self.probability[rows], right[rows])

    def estimate(self, statistic: Statistic) -> Estimate:
        """The statistic on all rows with its interval over groups."""
        return group_bootstrap(statistic, self.group, RESAMPLES, SEED)

    def abstention(self) -> Estimate:
        """Share of pictures on which the model abstained."""
        return rate(self.abstained, self.group, RESAMPLES, SEED)

    def called(self, name: str) -> Estimate:
        """Share of pictures whose most probable candidate is ``name``."""
        return rate([label == name for label in self.label], self.group, RESAMPLES, SEED)


def joined(parts: Iterable[Answers]) -> Answers:
    """Several sets of answers as one."""
    parts = list(parts)
    truth, group, label = (
        tuple(name for part in parts for name in getattr(part, key)) for key in ("truth", "group", "label")
    )
    probability = np.concatenate([part.probability for part in parts])
    return Answers(truth, group, label, probability, np.concatenate([part.abstained for part in parts]))


def ask(
    pictures: Sequence[Picture], ways: Mapping[str, Way], step: Step = lambda done: None, batch: int = BATCH
) -> dict[str, Answers]:
    """Answers of every way of asking, each picture read once.

    Args:
        pictures: what to ask about; one whose ``load`` gives None is left out.
        ways: name to a call that answers a list of frames, in their order.
        step: called with the number of pictures done after each batch.
        batch: frames held at a time.

    Raises:
        UsageError: a model gave another number of answers than it got frames.
        InputError: a picture of a data set cannot be read.
    """
    kept: list[Picture] = []
    said: dict[str, list[PlaneScores]] = {name: [] for name in ways}
    todo = iter(pictures)
    while part := list(islice(todo, batch)):
        loaded = [(picture, picture.load()) for picture in part]
        frames = [frame for _, frame in loaded if frame is not None]
        kept += [picture for picture, frame in loaded if frame is not None]
        for name, way in ways.items() if frames else ():
            scores = way(frames)
            if len(scores) != len(frames):
                raise UsageError(f"{len(scores)} answers for {len(frames)} frames", "one answer for every frame")
            said[name] += scores
        step(len(part))
    return {name: _answers(kept, scores) for name, scores in said.items()}


def _answers(pictures: Sequence[Picture], scores: Sequence[PlaneScores]) -> Answers:
    return Answers(
        tuple(picture.truth for picture in pictures),
        tuple(picture.group for picture in pictures),
        tuple(ALIASES.get(score.label, score.label) for score in scores),
        np.array([score.probability for score in scores], dtype=np.float64),
        np.array([score.abstained for score in scores], dtype=bool),
    )


@contextmanager
def progress(what: str, total: int, show: bool = True) -> Iterator[Step]:
    """A bar on stderr that the given step advances; nothing where stderr is no terminal."""
    if not show or not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), redirect_stdout=False, redirect_stderr=False)
    with bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.advance(task, done)
