"""Protocol ``planes``: which standard plane, on the held-out patients of FETAL_PLANES_DB, and when to abstain.

* Macro F1 over abdomen, brain, femur and thorax (``heart`` is thorax); ``Other`` and cervix are left out. The
  most probable candidate is scored whether or not the model abstained; abstention has its own rows.
* Three ways with the burned-in overlay: masked (the headline), as is, and the overlay alone with the anatomy
  blanked. The last must be near what a constant answer gets, or the model reads and does not look.
* HC18 heads must be called brain and not be refused, the smallest too; far and near input must be refused.
* Intervals are 95 % by patient or examination (`fetalclip.metrics`). A goal is met by the value.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from fetalclip import __version__
from fetalclip.bench import refusals
from fetalclip.bench.answers import RESAMPLES, SEED, Answers
from fetalclip.bench.ask import PlaneModel, Way, ask, from_row, progress
from fetalclip.bench.plane_metrics import calibration_metrics, class_metrics, confusion, null_rows, scored, subgroups
from fetalclip.bench.predictions import F1_GOAL, planes_from_predictions
from fetalclip.bench.protocol import INTERVAL, OVERLAYS, cautions, check, named, plane_rows, sources
from fetalclip.bench.table import BenchResult, Goal, Metric
from fetalclip.clinical.growth import FIRST_DAY, median_hc
from fetalclip.clinical.prompts import load_prompts
from fetalclip.data import Row, read_dataset
from fetalclip.errors import DataMissing, UsageError
from fetalclip.metrics import paired_difference

__all__ = ["Options", "from_predictions", "planes_from_predictions", "run"]

PLANES_DATA, HEADS_DATA = "fetal-planes-db", "hc18"
PLANES = ("abdomen", "brain", "femur", "thorax")
FEW = "planes-4"
SHORTCUT_GOAL = Goal(0.25, at_most=True)
REFUSED_GOAL = Goal(0.05, at_most=True)
HEADS_REFUSED_GOAL, HEADS_GOAL = Goal(0.03, at_most=True), Goal(0.97)
DIFFERENCE_GOAL = Goal(-0.01)


from_predictions = planes_from_predictions


@dataclass(frozen=True)
class Options:
    """How to run the protocol.

    Attributes:
        prompts: the larger candidate set; also what abstention is measured with.
        split: ``test``, or ``val`` while choosing something.
        limit: at most so many pictures of each set, of all sorts; None takes all.
        distractors: drawn pictures of each kind; 0 leaves them out.
        far_dir: folder of further pictures that are not fetal ultrasound.
        show_progress: a bar on stderr, if that is a terminal.
    """

    prompts: str | Path = "planes-9"
    split: str = "test"
    limit: int | None = None
    distractors: int = 50
    far_dir: str | Path | None = None
    show_progress: bool = True


def run(
    model: PlaneModel, root: str | Path, options: Options | None = None, supervised: PlaneModel | None = None
) -> BenchResult:
    """Measure a model.

    Args:
        model: what `fetalclip.load` gives, or anything with its ``planes``.
        root: folder that holds ``fetal_planes_db`` and ``hc18`` as published.
        options: see `Options`.
        supervised: a closed-set baseline with the same ``planes``; gets a column and a paired difference.

    Raises:
        DataMissing: FETAL_PLANES_DB is absent or incomplete, or has no such plane in the split. Without HC18 its
            rows are left out and a note says so.
        UsageError: an option is out of range.
    """
    options = options or Options()
    _check(options)
    began = time.perf_counter()
    rows = plane_rows(root, options.split, options.limit, lambda row: row.plane in PLANES, ", ".join(PLANES))
    notes, data = [], [PLANES_DATA]
    count = len(load_prompts(options.prompts))
    ways = _ways(model, options.prompts, supervised)
    with progress("planes", len(rows), options.show_progress) as step:
        said = ask([from_row(row) for row in rows], ways, step)
    metrics = _headline(said, count) + _details(said, count)
    default = ways["many mask"]
    try:
        heads = refusals.spread(read_dataset(HEADS_DATA, root), options.limit)
        metrics += _heads(default, heads, options)
        data.append(HEADS_DATA)
    except DataMissing as error:
        notes.append(f"HC18 rows left out. {error}")
    drawn = options.distractors if options.limit is None else min(options.limit, options.distractors)
    with progress("not a plane", refusals.total(drawn), options.show_progress) as step:
        metrics += refusals.measure(default, rows, drawn, options.far_dir, step)
    few, many = said["few mask"], said["many mask"]
    compared = {"macro_f1": few.macro_f1(), f"macro_f1_{count}": many.macro_f1()}
    return BenchResult(
        "planes",
        len(rows),
        tuple(metrics),
        null_rows(many),
        confusion(many),
        _provenance(model, supervised, options) | {"data": sources(*data), "seconds": time.perf_counter() - began},
        (*notes, *cautions(options.split, options.limit)),
        many.reliability(),
        many.risk_coverage(),
        subgroups(many),
        scored=scored(many, compared),
    )


def _check(options: Options) -> None:
    check(options.split, options.limit)
    if options.distractors < 0:
        raise UsageError(f"{options.distractors} distractors of each kind", "0 or more")


def _ways(model: PlaneModel, prompts: str | Path, supervised: PlaneModel | None) -> dict[str, Way]:
    ways: dict[str, Way] = {}
    for overlay in OVERLAYS:
        ways[f"few {overlay}"] = partial(model.planes, prompts=FEW, overlay=overlay)
        ways[f"many {overlay}"] = partial(model.planes, prompts=prompts, overlay=overlay)
        if supervised is not None:
            ways[f"supervised {overlay}"] = partial(supervised.planes, overlay=overlay)
    return ways


def _headline(said: dict[str, Answers], count: int) -> list[Metric]:
    """Macro F1 of both candidate sets and all three overlays, and the difference from the baseline."""
    section = "Macro F1 over abdomen, brain, femur, thorax"
    metrics = []
    for overlay, how in OVERLAYS.items():
        goal = {"mask": F1_GOAL, "only": SHORTCUT_GOAL}.get(overlay)
        end = "" if overlay == "mask" else f"_{overlay}"
        baseline = said.get(f"supervised {overlay}")
        other = baseline.estimate(baseline.macro_f1()) if baseline is not None else None
        for which, name, size in (("few", "macro_f1", 4), ("many", f"macro_f1_{count}", count)):
            answers = said[f"{which} {overlay}"]
            found = answers.estimate(answers.macro_f1())
            metrics.append(Metric(f"{name}{end}", f"{size} candidates, {how}", section, found, goal, other))
    baseline = said.get("supervised mask")
    for which, end in (("few", ""), ("many", f"_{count}")) if baseline is not None else ():
        answers = said[f"{which} mask"]
        assert baseline is not None
        gap = paired_difference(answers.macro_f1(), baseline.macro_f1(), answers.group, RESAMPLES, SEED)
        title = f"{count if end else 4} candidates less supervised, masked"
        metrics.append(Metric(f"difference_macro_f1{end}", title, section, gap, DIFFERENCE_GOAL))
    return metrics


def _details(said: dict[str, Answers], count: int) -> list[Metric]:
    """F1 by class, accuracy, calibration and abstention with the larger set, overlay masked."""
    section = f"{count} candidates, overlay masked"
    answers, baseline = said["many mask"], said.get("supervised mask")
    metrics = class_metrics(answers, section, baseline)
    other = baseline.estimate(baseline.accuracy()) if baseline is not None else None
    metrics.append(Metric("accuracy", "accuracy", section, answers.estimate(answers.accuracy()), baseline=other))
    metrics += calibration_metrics(answers, section, baseline)
    metrics.append(Metric("abstained", "abstained on test planes", section, answers.abstention(), REFUSED_GOAL))
    return metrics


def _heads(way: Way, rows: Sequence[Row], options: Options) -> list[Metric]:
    """HC18: called brain and abstained, on the held examinations and on all."""
    if not rows:
        return []
    with progress("heads", len(rows), options.show_progress) as step:
        answers = ask([from_row(row) for row in rows], {"": way}, step)[""]
    smallest = median_hc(FIRST_DAY)  # mm: the WHO median at 14 w 0 d
    assert smallest is not None
    held = np.array([row.split == options.split for row in rows])
    small = np.array([row.hc_mm is not None and row.hc_mm < smallest for row in rows])
    everything = np.ones(len(rows), dtype=bool)
    metrics = []
    for end, part, section in (
        ("", held, f"HC18 heads, {options.split} examinations"),
        ("_all", everything, "HC18 heads, all examinations (some were trained on)"),
    ):
        if not part.any():
            continue
        of, tiny = answers.where(part), answers.where(part & small)
        first = f"of these, below {smallest:.1f} mm: abstained"
        add = partial(Metric, section=section, unit="examinations")
        metrics.append(add(f"hc18_brain{end}", "called brain", found=of.called("brain"), goal=HEADS_GOAL))
        metrics.append(add(f"hc18_abstained{end}", "abstained", found=of.abstention(), goal=HEADS_REFUSED_GOAL))
        if len(tiny):
            name = f"hc18_abstained_first_trimester{end}"
            metrics.append(add(name, first, found=tiny.abstention(), goal=HEADS_REFUSED_GOAL))
    return metrics


def _provenance(model: PlaneModel, supervised: PlaneModel | None, options: Options) -> dict[str, Any]:
    return {
        "version": __version__,
        **named(model),
        "supervised": named(supervised) if supervised is not None else None,
        "split": f"split-v1 {options.split}",
        "prompts": [FEW, Path(options.prompts).name],
        "limit": options.limit,
        "distractors_per_kind": options.distractors,
        "resamples": RESAMPLES,
        "seed": SEED,
        "interval": INTERVAL,
    }
