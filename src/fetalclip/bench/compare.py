"""``bench compare``: the published comparison table with every model one can lay hands on, a row for each.

* Zero-shot: macro F1 of abdomen, brain, femur, thorax among nine candidates and of the three brain planes, and the
  mean F1 of all these classes, which is the published headline; burned-in text masked, the most probable candidate
  counts whether or not the model abstained. The parts are those of ``bench planes`` and ``bench subplanes``.
* Gestational age: valid predictions by the published rule, for every model with a text tower alike.
* Probe: a linear classifier on frozen raw features of all training patients, scored on the test patients.
* Intervals are 95 % by patient. Each row says whether the model's training saw labels of this data set; a model that
  did is not zero-shot in the strict sense.

A model that does not load or fails is a row with its reason, and the others go on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fetalclip import __version__
from fetalclip.bench.ages import published_rule, valid
from fetalclip.bench.answers import RESAMPLES, SEED, Answers
from fetalclip.bench.ask import BATCH, ask, from_row, progress
from fetalclip.bench.compare_table import (
    AGE,
    MEAN,
    PLANES_F1,
    PROBE_PLANES,
    PROBE_SUBPLANES,
    SUBPLANES_F1,
    Compared,
    Comparison,
)
from fetalclip.bench.learned import embedded
from fetalclip.bench.planes import PLANES, PLANES_DATA
from fetalclip.bench.protocol import INTERVAL, cautions, check, named, plane_rows, sources
from fetalclip.bench.refusals import spread
from fetalclip.cards import labels_seen
from fetalclip.clinical.growth import FIRST_HC, LAST_HC
from fetalclip.clinical.vocabulary import SUBPLANES
from fetalclip.data import Row, read_dataset
from fetalclip.errors import DataMissing, FetalclipError, NotAvailable, UsageError
from fetalclip.fit.probe import LinearProbe
from fetalclip.foreign import is_foreign
from fetalclip.io import read
from fetalclip.metrics import Estimate, confusion_matrix, f1_scores, group_bootstrap, rate

TASKS = ("planes", "subplanes", "age", "probe")
HEADS_DATA = "hc18"
FAILURES = (FetalclipError, RuntimeError, MemoryError, OSError)  # of a model; torch's own and a full memory too


@dataclass(frozen=True)
class Options:
    """How to compare.

    Attributes:
        tasks: columns to fill, of ``TASKS``.
        limit: at most so many pictures of each set; None takes all.
        show_progress: a bar on stderr, if that is a terminal.
    """

    tasks: tuple[str, ...] = TASKS
    limit: int | None = None
    show_progress: bool = True


@dataclass(frozen=True)
class _Sets:
    """The rows every model is asked about."""

    test: Sequence[Row]
    brains: Sequence[Row]
    training: Sequence[Row]
    heads: Sequence[Row]
    notes: tuple[str, ...] = field(default=())


def run(
    names: Sequence[str],
    load: Callable[[str], Any],
    root: str | Path,
    options: Options | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Comparison:
    """Measure models one after the other.

    Args:
        names: of the models.
        load: a name to a model as `fetalclip.load` gives it; one at a time is held.
        root: folder that holds ``fetal_planes_db`` and ``hc18`` as published.
        options: see `Options`.
        say: told which model is being measured, a line at a time.

    Raises:
        UsageError: a task that is none, no model, or a limit below 1.
        DataMissing: FETAL_PLANES_DB is absent or incomplete. Without HC18 the ages are left out and a note says so.
        MissingPackage: a probe without scikit-learn.
    """
    options = options or Options()
    unknown = [task for task in options.tasks if task not in TASKS]
    if unknown or not options.tasks:
        raise UsageError(f"task {next(iter(unknown), '')!r:.40}", "of " + ", ".join(TASKS), "--tasks planes,probe")
    if not names:
        raise UsageError("no model", "one or more", "--model fetalclip-open --model imagenet")
    check("test", options.limit)
    began, sets = time.perf_counter(), _sets(root, options)
    rows = []
    for name in names:
        say(f"{name} …")
        rows.append(_row(name, load, sets, options))
    provenance = {
        "version": __version__,
        "split": "split-v1 test; probes: trained on its train and val sides",
        "prompts": ["planes-9", "brain-3"],
        "tasks": list(options.tasks),
        "limit": options.limit,
        "data": sources(*([PLANES_DATA] + ([HEADS_DATA] if sets.heads else []))),
        "resamples": RESAMPLES,
        "seed": SEED,
        "interval": INTERVAL,
        "seconds": time.perf_counter() - began,
    }
    return Comparison(tuple(rows), provenance, (*sets.notes, *cautions("test", options.limit)))


def _sets(root: str | Path, options: Options) -> _Sets:
    pick = partial(plane_rows, root, limit=options.limit)

    def plane(row: Row) -> bool:
        return row.plane in PLANES

    test = pick("test", wanted=plane, what=", ".join(PLANES))
    brains = pick("test", wanted=lambda row: row.subplane in SUBPLANES, what="brain sub-plane")
    training: list[Row] = []
    if "probe" in options.tasks:
        training = [row for side in ("train", "val") for row in pick(side, wanted=plane, what=", ".join(PLANES))]
    if "age" not in options.tasks:
        return _Sets(test, brains, training, ())
    try:
        heads = [row for row in read_dataset(HEADS_DATA, root) if row.hc_mm and FIRST_HC <= row.hc_mm <= LAST_HC]
        heads = spread([row for row in heads if row.split == "test"], options.limit)
        return _Sets(test, brains, training, heads)
    except DataMissing as error:
        return _Sets(test, brains, training, (), (f"ages left out. {error}",))


def _row(name: str, load: Callable[[str], Any], sets: _Sets, options: Options) -> Compared:
    """One model, or the reason why not."""
    began = time.perf_counter()
    try:
        model = load(name)
    except FAILURES as error:
        return Compared(_shown(name), error=_reason(error))
    told = named(model)
    cells: dict[str, Estimate | None] = {}
    error_said, notes = "", []
    try:
        if "planes" in options.tasks or "subplanes" in options.tasks:
            cells |= _zero_shot(model, sets, options)
        if "age" in options.tasks and sets.heads:
            cells[AGE] = _age(model, sets.heads, options)
        if "probe" in options.tasks:
            cells |= _probe(model, sets, options)
    except FAILURES as error:
        error_said = _reason(error)
    if not getattr(model.encoder, "has_text", True):
        notes.append("pictures only: no text tower")
    return Compared(
        told["model"] or name,
        license=told["license"] or "unknown",
        seen=None if (seen := labels_seen(model.card, PLANES_DATA)) is None else bool(seen),
        cells=cells,
        notes=tuple(notes),
        error=error_said,
        provenance=told | {"dim": model.encoder.dim, "seconds": time.perf_counter() - began},
    )


def _shown(name: str) -> str:
    """A name without the folders that a local path lies in."""
    kind, colon, rest = name.partition(":")
    head, path = (kind + colon, rest) if colon and is_foreign(name) else ("", name)
    return head + Path(path).name if path.startswith(("/", ".", "~")) else name


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, FetalclipError) else f"{type(error).__name__}: {error!s:.200}"


def _zero_shot(model: Any, sets: _Sets, options: Options) -> dict[str, Estimate | None]:
    """Both prompted columns and their mean; "not available" is None."""
    said: dict[str, Answers | None] = {}
    for key, task, rows, prompts in (
        ("plane", "planes", sets.test, "planes-9"),
        ("subplane", "subplanes", sets.brains, "brain-3"),
    ):
        if task not in options.tasks:
            continue
        way = partial(getattr(model, task), prompts=prompts, overlay="mask")
        try:
            with progress(task, len(rows), options.show_progress) as step:
                said[key] = ask([from_row(row, key) for row in rows], {"": way}, step)[""]
        except NotAvailable:
            said[key] = None
    found: dict[str, Estimate | None] = {}
    for key, column in (("plane", PLANES_F1), ("subplane", SUBPLANES_F1)):
        if key in said:
            answers = said[key]
            found[column] = None if answers is None else answers.estimate(answers.macro_f1())
    planes, brains = said.get("plane"), said.get("subplane")
    if len(said) == 2:
        found[MEAN] = None if planes is None or brains is None else mean_f1(planes, brains)
    return found


def mean_f1(planes: Answers, brains: Answers) -> Estimate:
    """Mean F1 of the classes of both, with its interval over the patients of both."""
    (a, b), (c, d) = planes.coded(), brains.coded()
    first, sizes = len(planes), (len(planes.classes), len(brains.classes))

    def statistic(rows: Any) -> float:
        early, late = rows[rows < first], rows[rows >= first] - first
        scores = np.concatenate(
            [
                f1_scores(confusion_matrix(a[early], b[early], sizes[0])),
                f1_scores(confusion_matrix(c[late], d[late], sizes[1])),
            ]
        )
        there = ~np.isnan(scores)
        return float(scores[there].mean()) if there.any() else float("nan")

    return group_bootstrap(statistic, planes.group + brains.group, RESAMPLES, SEED)


def _age(model: Any, rows: Sequence[Row], options: Options) -> Estimate | None:
    """Share of valid predictions by the published rule; None for a model without a text tower."""
    scores = []
    try:
        with progress("ages", len(rows), options.show_progress) as step:
            for start in range(0, len(rows), BATCH):
                part = rows[start : start + BATCH]
                scores.append(model.age_scores([read(row.path).with_spacing(row.mm_per_pixel) for row in part]))
                step(len(part))
    except NotAvailable:
        return None
    hc = np.array([row.hc_mm for row in rows], dtype=np.float64)
    return rate(valid(hc, published_rule(np.concatenate(scores))), [row.group for row in rows], RESAMPLES, SEED)


def _probe(model: Any, sets: _Sets, options: Options) -> dict[str, Estimate | None]:
    """Both probe columns, from one pass over the pictures."""
    with progress("features", len(sets.training) + len(sets.test), options.show_progress) as step:
        train, test = (embedded(model, tuple(rows), step) for rows in (sets.training, sets.test))
    found: dict[str, Estimate | None] = {}
    for column, key, wanted in ((PROBE_PLANES, "plane", PLANES), (PROBE_SUBPLANES, "subplane", SUBPLANES)):
        learn, judge = (
            [i for i, r in enumerate(rows) if getattr(r, key) in wanted] for rows in (sets.training, sets.test)
        )
        if not judge:
            found[column] = None
            continue
        truth = tuple(str(getattr(sets.test[i], key)) for i in judge)
        names = [str(getattr(sets.training[i], key)) for i in learn]
        if len(set(names)) < 2:
            raise UsageError(f"a probe of {len(set(names))} classes", "two or more", "no --n")
        probe = LinearProbe().fit(train[learn], np.array(names), [sets.training[i].group for i in learn])
        label = tuple(str(name) for name in probe.predict(test[judge]))
        groups, nothing = tuple(sets.test[i].group for i in judge), np.full(len(judge), np.nan)
        answers = Answers(truth, groups, label, nothing, np.zeros(len(judge), dtype=bool))
        found[column] = answers.estimate(answers.macro_f1())
    return found


def _places(rows: Sequence[Row], key: str, wanted: Collection[str]) -> list[int]:
    return [i for i, row in enumerate(rows) if getattr(row, key) in wanted]
