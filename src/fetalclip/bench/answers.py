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
    Reals,
    ReliabilityBin,
    Statistic,
    accuracy,
    brier_score,
    confusion_matrix,
    corrected_calibration_error,
    encode,
    expected_calibration_error,
    f1_scores,
    group_bootstrap,
    macro_f1,
    rate,
    reliability_curve,
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


def from_row(row: Row, truth: str = "plane") -> Picture:
    """The picture of a data set row; its truth is the row's ``plane`` or ``subplane``."""
    return Picture(partial(read, row.path), row.group, getattr(row, truth) or "")


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model said, picture by picture; all of length n.

    Attributes:
        truth: true plane, "" where there is none.
        group: patient, examination or drawing.
        label: the most probable candidate, given also where the model abstained.
        probability: of ``label``, float64 (n,).
        abstained: bool (n,).
        candidates: names of the columns of ``table``.
        table: probability of every candidate, float64 (n, candidates); None where only the best one was kept.
    """

    truth: tuple[str, ...]
    group: tuple[str, ...]
    label: tuple[str, ...]
    probability: npt.NDArray[np.float64]
    abstained: npt.NDArray[np.bool_]
    candidates: tuple[str, ...] = ()
    table: Reals | None = None

    def __len__(self) -> int:
        return len(self.label)

    @property
    def classes(self) -> tuple[str, ...]:
        """Planes that occur in the truth, in alphabetical order, then the others that were answered."""
        true = sorted(set(self.truth))
        return (*true, *sorted(set(self.label) - set(true)))

    @property
    def right(self) -> npt.NDArray[np.bool_]:
        """Whether the most probable candidate is the true one, bool (n,)."""
        return np.array([true == said for true, said in zip(self.truth, self.label, strict=True)], dtype=bool)

    def coded(self) -> tuple[Index, Index]:
        """Truth and label as positions in ``classes``, each (n,)."""
        return encode(self.truth, self.classes), encode(self.label, self.classes)

    def where(self, chosen: npt.NDArray[np.bool_]) -> Answers:
        """The answers at which ``chosen``, bool (n,), is True."""
        at = np.flatnonzero(chosen)
        truth, group, label = (tuple(names[i] for i in at) for names in (self.truth, self.group, self.label))
        table = None if self.table is None else self.table[at]
        return Answers(truth, group, label, self.probability[at], self.abstained[at], self.candidates, table)

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
        right = self.right
        return lambda rows: expected_calibration_error(self.probability[rows], right[rows])

    def corrected_calibration(self) -> Statistic:
        """Bias-corrected calibration error of chosen rows."""
        right = self.right
        return lambda rows: corrected_calibration_error(self.probability[rows], right[rows])

    def brier(self) -> Statistic:
        """Brier score of chosen rows; needs the whole table."""
        table = self.table
        if table is None:
            raise UsageError("answers without the probability of every candidate", "a whole table")
        where = {name: column for column, name in enumerate(self.candidates)}
        truth = np.array([where.get(name, -1) for name in self.truth], dtype=np.int64)
        return lambda rows: brier_score(table[rows], truth[rows])

    def reliability(self) -> tuple[ReliabilityBin, ...]:
        """Points of the reliability curve; none where a probability is not known."""
        return reliability_curve(self.probability, self.right) if np.isfinite(self.probability).all() else ()

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
    abstained = np.concatenate([part.abstained for part in parts])
    tables = [part.table for part in parts if part.table is not None and part.candidates == parts[0].candidates]
    if len(tables) < len(parts):
        return Answers(truth, group, label, probability, abstained)
    return Answers(truth, group, label, probability, abstained, parts[0].candidates, np.concatenate(tables))


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
    # One call may differ from the next in its candidates only if the model does: then there is no table.
    candidates = tuple(scores[0].scores) if scores else ()
    alike = bool(scores) and all(tuple(score.scores) == candidates for score in scores)
    table = np.array([list(score.scores.values()) for score in scores], dtype=np.float64) if alike else None
    return Answers(
        tuple(picture.truth for picture in pictures),
        tuple(picture.group for picture in pictures),
        tuple(ALIASES.get(score.label, score.label) for score in scores),
        np.array([score.probability for score in scores], dtype=np.float64),
        np.array([score.abstained for score in scores], dtype=bool),
        tuple(ALIASES.get(name, name) for name in candidates) if alike else (),
        table,
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
