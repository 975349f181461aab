"""Puts pictures before a model and keeps its answers. The model's own ``planes`` is the only road to them.

No preprocessing and no decision rule lives here: what is measured is what the README shows.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, Protocol

import numpy as np

from fetalclip.bench.answers import FACTS, Answers
from fetalclip.clinical.vocabulary import ALIASES
from fetalclip.data import Row
from fetalclip.errors import UsageError
from fetalclip.frame import Frame
from fetalclip.io import read
from fetalclip.result import PlaneScores

BATCH = 32

Way = Callable[[list[Frame]], Sequence[PlaneScores]]
Step = Callable[[int], None]


class PlaneModel(Protocol):
    """Anything that names planes as ``FetalCLIP`` does."""

    def planes(self, scans: Sequence[Frame], prompts: Any = None, overlay: str = "mask") -> list[PlaneScores]:
        """One answer for each frame, in their order."""
        ...


@dataclass(frozen=True)
class Picture:
    """A picture to be asked about: how to get it, its group, its true plane ("" when it has none), further facts."""

    load: Callable[[], Frame | None]
    group: str
    truth: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)


def from_row(row: Row, truth: str = "plane") -> Picture:
    """The picture of a data set row; its truth is the row's ``plane`` or ``subplane``."""
    facts = {name: getattr(row, name) or "" for name in FACTS}
    return Picture(partial(read, row.path), row.group, getattr(row, truth) or "", facts)


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
        _facts(pictures),
    )


def _facts(pictures: Sequence[Picture]) -> dict[str, tuple[str, ...]]:
    """By name, what is known of every picture; a fact that none has is left out."""
    names = dict.fromkeys(name for picture in pictures for name, value in picture.facts.items() if value)
    return {name: tuple(picture.facts.get(name, "") for picture in pictures) for name in names}


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
