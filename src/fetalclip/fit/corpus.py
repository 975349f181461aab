"""The training pictures in memory, each with its facts.

Pictures go through the same ``prepare`` as at inference, once, and are kept a little larger than the tower's input so
that augmentation has something to zoom into.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import Progress

import fetalclip.io as io
from fetalclip.clinical.captions import Facts
from fetalclip.clinical.vocabulary import KNOWN
from fetalclip.data import LICENSES, Row, read_dataset, unique
from fetalclip.data.audit import leaks
from fetalclip.disk import replacing
from fetalclip.errors import DataMissing, InputError
from fetalclip.fit.recipe import DataRecipe
from fetalclip.frame import Frame, Pixels
from fetalclip.phantom import draw
from fetalclip.phantom.distractors import FAR, NEAR, far, near
from fetalclip.preprocess import prepare

NOT_ULTRASOUND, NO_ANATOMY = "not ultrasound", "no anatomy"
SOURCES = ("planes", "hc18", "simulated", "reject")
HC18_VALIDATION = 1  # fold of HC18 that nothing is fitted to
_FORMAT = 10  # raise when what is drawn or how it is prepared changes


@dataclass(frozen=True)
class Item:
    """One picture.

    Attributes:
        facts: what is known of it.
        source: one of ``SOURCES``.
        fold: on which it stands (-2: simulated, on none).
        machine: as the table names it; empty where it is not known.
        circumference: of the head, mm, where it was measured.
    """

    facts: Facts
    source: str
    fold: int
    machine: str = ""
    circumference: float | None = None


@dataclass(frozen=True, eq=False)
class Corpus:
    """Pictures uint8 (N, S, S) and their items, row by row."""

    pictures: Pixels
    items: tuple[Item, ...]

    def rows(self, source: str, folds: Sequence[int], only: Callable[[Item], bool] = lambda item: True) -> np.ndarray:
        """Row numbers of one source on the given folds (simulated planes stand on every fold) that are wanted."""
        there = (*folds, -2)
        found = [i for i, x in enumerate(self.items) if x.source == source and x.fold in there and only(x)]
        return np.array(found, int)


def build_corpus(data: DataRecipe, side: int, cache: Path | None = None) -> Corpus:
    """Read, treat and draw every picture a recipe can ask for; the test side is never read.

    Args:
        data: the recipe's data part.
        side: side of the stored squares, pixels.
        cache: folder for the prepared pictures, or None.
    """
    rows = training_rows(data)
    key = hashlib.sha256(
        repr((_FORMAT, side, data.simulated_pool, data.far_pool, data.far_folder, data.overlay)).encode()
    )
    for row in rows:
        key.update(f"{row.dataset}/{row.name}/{row.fold}/{row.path.stat().st_size};".encode())
    file = None if cache is None else cache / f"corpus-{key.hexdigest()[:16]}.npz"
    if file is not None and file.is_file():
        return _load(file)
    made = list(_make_all(_jobs(rows, data), side, data.overlay))
    corpus = Corpus(np.stack([picture for picture, _ in made]), tuple(item for _, item in made))
    if file is not None:
        _save(corpus, file)
    return corpus


def training_rows(data: DataRecipe) -> list[Row]:
    """Rows of the data sets that are not on the test side and have a plane.

    The few head-structure pictures are left out, with a warning, where they are not there.

    Raises:
        InputError: a group or a file stands on the test side and on another, and the recipe does not allow it.
    """
    rows = read_dataset("fetal-planes-db", data.root)
    try:
        rows += read_dataset("head-structures", data.root)
    except DataMissing as error:
        warnings.warn(f"trained without the head structures. {error}", stacklevel=2)
    rows += read_dataset("hc18", data.root)
    rows = unique(rows)
    if not data.allow_leaks:
        _refuse_leaks(rows)
    return [row for row in rows if row.split != "test" and row.plane in KNOWN]


def _refuse_leaks(rows: Sequence[Row]) -> None:
    """The cheap half of the audit: groups, and files of the same bytes (only those of one length are read)."""
    found = leaks(rows)
    if tests := sum(leak.test for leak in found):
        raise InputError(
            f"{tests} groups or files stand on the test side of the data and on another",
            "a split without leaks",
            "fetalclip data audit --root DIR to see them, or data.allow_leaks=true",
        )
    if found:
        warnings.warn(f"{len(found)} groups or files stand in both training and validation", stacklevel=3)


def trained_on(data: DataRecipe) -> dict[str, dict[str, object]]:
    """Licence, citation, pictures and groups (patients or examinations) of each data set a recipe trains on."""
    rows = [row for row in training_rows(data) if row.fold in _folds(row.dataset, data)]
    found: dict[str, dict[str, object]] = {}
    for name in sorted({row.dataset for row in rows}):
        mine = [row for row in rows if row.dataset == name]
        groups = len({row.group for row in mine})
        found[name] = {**LICENSES[name]._asdict(), "pictures": len(mine), "groups": groups}
    return found


def _folds(dataset: str, data: DataRecipe) -> tuple[int, ...]:
    return data.hc18_folds if dataset == "hc18" else data.train_folds


@dataclass(frozen=True)
class _Job:
    """One thing to prepare: a row, or the number of something drawn."""

    kind: str
    number: int
    row: Row | None = None
    path: Path | None = None


def _jobs(rows: list[Row], data: DataRecipe) -> list[_Job]:
    jobs = [_Job("row", i, row=row) for i, row in enumerate(rows)]
    jobs += [_Job("simulated", i) for i in range(data.simulated_pool)]
    jobs += [_Job("far", i) for i in range(data.far_pool)]
    if data.far_folder:
        jobs += [_Job("file", i, path=path) for i, path in enumerate(io.walk([data.far_folder]))]
    return jobs


def _make_all(jobs: list[_Job], side: int, overlay: str) -> Iterator[tuple[Pixels, Item]]:
    make = partial(_make, side=side, overlay=overlay)
    workers = min(8, os.cpu_count() or 1) if len(jobs) > 200 else 0
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("preparing pictures", total=len(jobs))
        with ExitStack() as stack:
            results: Iterator[list[tuple[Pixels, Item]]] = map(make, jobs)
            if workers:
                # spawn: a forked child of a process that has run torch may hang
                pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
                results = stack.enter_context(pool).map(make, jobs, chunksize=16)
            for made in results:
                progress.update(bar, advance=1)
                yield from made


def _make(job: _Job, side: int, overlay: str) -> list[tuple[Pixels, Item]]:
    if job.row is not None:
        return _row(job.row, job.number, side, overlay)
    if job.path is not None:
        return [_reject(io.read(job.path), NOT_ULTRASOUND, side, job.number, job.number % 5)]
    return [_simulated(job.number, side, overlay) if job.kind == "simulated" else _far(job.number, side)]


def _row(row: Row, number: int, side: int, overlay: str) -> list[tuple[Pixels, Item]]:
    spacing = None if row.mm_per_pixel is None else (row.mm_per_pixel, row.mm_per_pixel)
    frame = io.read(row.path, mm_per_pixel=spacing)
    ready = prepare(frame, side, overlay)
    after = None if ready.mm_per_pixel is None else ready.mm_per_pixel[0]
    facts = Facts(str(row.plane), row.subplane, row.age_days, after)
    source = "hc18" if row.dataset == "hc18" else "planes"
    made = [(ready.pixels, Item(facts, source, row.fold, row.machine or "", row.hc_mm))]
    if source == "hc18" and (number % 3 or row.fold == HC18_VALIDATION):
        return made  # every third head gives a reject, so that heads do not outnumber the other planes there
    # Two kinds a plane in turn, so that every kind is made of every plane.
    kinds = [NEAR[(number + step) % len(NEAR)] for step in ((0, 1) if source == "planes" else (0,))]
    made += [_reject(near(kind, number, frame.gray, "train"), NO_ANATOMY, side, 1, row.fold) for kind in kinds]
    if source == "planes" and number % 3 == 0:
        made.append((prepare(frame, side, "only").pixels, Item(Facts(NOT_ULTRASOUND), "reject", row.fold)))
    return made


def _simulated(seed: int, side: int, overlay: str) -> tuple[Pixels, Item]:
    plane = KNOWN[seed % len(KNOWN)]
    ready = prepare(draw(plane, seed, profile="train").frame, side, overlay)
    after = None if ready.mm_per_pixel is None else ready.mm_per_pixel[0]
    return ready.pixels, Item(Facts(plane, None, None, after), "simulated", -2)


def _far(seed: int, side: int) -> tuple[Pixels, Item]:
    # Kind and fold go through all their pairs.
    kind, fold = FAR[seed % len(FAR)], seed // len(FAR) % 5
    frame = far(kind, seed, "train", size=(400, 300))
    return _reject(frame, NOT_ULTRASOUND, side, seed // (5 * len(FAR)), fold)


def _reject(frame: Frame, plane: str, side: int, number: int, fold: int) -> tuple[Pixels, Item]:
    # Every fourth goes in with its overlay kept, so that text itself comes to mean nothing.
    overlay = "keep" if number % 4 == 0 else "mask"
    return prepare(frame, side, overlay).pixels, Item(Facts(plane), "reject", fold)


def _save(corpus: Corpus, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    columns = np.array(
        [
            (
                f.plane,
                f.subplane or "",
                f.age_days or 0,
                f.spacing or 0.0,
                x.source,
                x.fold,
                x.machine,
                x.circumference or 0.0,
            )
            for x in corpus.items
            for f in (x.facts,)
        ],
        dtype=[
            ("plane", "U24"),
            ("subplane", "U24"),
            ("age", "i4"),
            ("spacing", "f8"),
            ("source", "U12"),
            ("fold", "i4"),
            ("machine", "U32"),
            ("circumference", "f8"),
        ],
    )
    with replacing(file) as part:
        np.savez(part, pictures=corpus.pictures, items=columns)


def _load(file: Path) -> Corpus:
    with np.load(file, allow_pickle=False) as data:
        pictures, columns = data["pictures"], data["items"]
    items = tuple(
        Item(
            Facts(str(x["plane"]), str(x["subplane"]) or None, int(x["age"]) or None, float(x["spacing"]) or None),
            str(x["source"]),
            int(x["fold"]),
            str(x["machine"]),
            float(x["circumference"]) or None,
        )
        for x in columns
    )
    return Corpus(pictures, items)
