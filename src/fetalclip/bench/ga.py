"""Protocol ``ga``: gestational age of measured heads, from a model, from saved scores, or from saved ages.

* HC18 heads of 100 to 342 mm. Their age is the HC-equivalent one (`fetalclip.bench.ages`): HC18 has no other.
* Valid prediction rate (the published measure), mean absolute error, bias, limits of agreement, coverage and width of
  the 90 % interval, by age band, beside what one age for all and the pixel spacing alone get.
* A model that measures heads gets rows of that age too (``biometry_``): of the same heads, through the main job with
  its own choice of plane; a head that it did not measure is no valid prediction.
* An estimate counts whether or not the model abstained; abstention has its own row. A head without an estimate is no
  valid prediction.
* Intervals are 95 % by examination (`fetalclip.metrics`). A goal is met by the value.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from fetalclip import __version__
from fetalclip.bench.ages import DAYS, AgeAnswer, Ages, age_metrics, ages_of, by_band, in_range, published_rule
from fetalclip.bench.ages_measured import measured_ages
from fetalclip.bench.ages_null import null_rows
from fetalclip.bench.ages_saved import Truth, read_ages, read_scores, read_truth
from fetalclip.bench.answers import RESAMPLES, SEED
from fetalclip.bench.ask import BATCH, progress
from fetalclip.bench.protocol import cautions, check, named, sources
from fetalclip.bench.refusals import spread
from fetalclip.bench.table import BenchResult, Goal, Metric
from fetalclip.clinical.growth import CHART, FIRST_HC, LAST_HC, REFERENCE, chart
from fetalclip.data import Row, read_dataset
from fetalclip.errors import DataMissing, NotAvailable, UsageError
from fetalclip.frame import Frame
from fetalclip.io import read
from fetalclip.metrics import Reals

DATA = "hc18"
INTERVAL = "95 % percentile bootstrap over examinations; Wilson over examinations where a rate is 0 or 1"
RULE = "the middle one, by day, of the 15 days with the largest score"
GOALS = {
    "valid_prediction_rate": Goal(0.886),  # the best published
    "mae": Goal(7.0, at_most=True),
    "bias": Goal(1.5, at_most=True, absolute=True),
}
MODEL_GOALS = {**GOALS, "answered": Goal(0.97), "interval_coverage": Goal(0.87, upto=0.93)}


class AgeModel(Protocol):
    """Anything that estimates ages: what ``run`` needs of a model, unless it is an `AgeScorer`.

    ``age`` takes frames whose ``mm_per_pixel`` is set (native pixels; nothing is resized) and gives one answer for
    each, in their order. A frame that it would refuse is answered with ``days`` None; what it raises ends the run.
    """

    def age(self, scans: Sequence[Frame]) -> Sequence[AgeAnswer]:
        """One answer for each frame."""
        ...


@runtime_checkable
class AgeScorer(Protocol):
    """A model that gives the scores of the published method: its rule has rows of its own beside the model's ages.

    Where the model has no age rule (``age`` raises `NotAvailable`), the published rule alone is measured.
    """

    def age_scores(self, scans: Sequence[Frame], templates: str | Path | None = None) -> npt.NDArray[Any]:
        """100 x cosine, averaged over templates, of each frame with the prompts of 98 to 272 days: (n, 175)."""
        ...


@dataclass(frozen=True)
class Options:
    """How to run the protocol.

    Attributes:
        split: ``test`` (fold 0), ``val`` (fold 1) while choosing something, or ``train``.
        limit: at most so many heads, of all sizes; None takes all.
        templates: of the published rule: a bundled set or a file; None takes the model's own.
        show_progress: a bar on stderr, if that is a terminal.
    """

    split: str = "test"
    limit: int | None = None
    templates: str | Path | None = None
    show_progress: bool = True


def run(model: AgeModel | AgeScorer, root: str | Path, options: Options | None = None) -> BenchResult:
    """Measure a model on HC18.

    Args:
        model: see `AgeModel`; one that is an `AgeScorer` too gets rows of the published rule, one that measures
            (`fetalclip.bench.measures.MeasureModel`) rows of the age by the measured head.
        root: folder that holds ``hc18`` as published.
        options: see `Options`.

    Raises:
        NotAvailable: a model that neither estimates an age nor scores days.
        DataMissing: HC18 is absent or incomplete, or has no such head in the split.
        UsageError: an option is out of range, or a model gave another number of answers than it got frames.
        InputError: a picture of the data set cannot be read.
    """
    options = options or Options()
    check(options.split, options.limit)
    if not hasattr(model, "age") and not isinstance(model, AgeScorer):
        raise NotAvailable("this model estimates no age", "a model that does", "--scores or --predictions, --truth")
    began = time.perf_counter()
    heads = [row for row in read_dataset(DATA, root) if row.hc_mm is not None and FIRST_HC <= row.hc_mm <= LAST_HC]
    rows = spread([row for row in heads if row.split == options.split], options.limit)
    if not rows:
        raise DataMissing(f"'{root}' has no head of {FIRST_HC:g} to {LAST_HC:g} mm in the {options.split} split", "one")
    own, published = _ask(model, rows, options)
    found, notes = [], cautions(options.split, options.limit)
    if own is not None:
        found += age_metrics(own, "Gestational age of HC18 heads", MODEL_GOALS)
    else:
        notes.append("the model has no age rule: measured by the published rule alone")
    if published is not None:
        title, goals = f"Published rule: {RULE}", None if own is not None else GOALS
        found += age_metrics(published, title, goals, prefix="" if own is None else "published_")
    measured = measured_ages(model, rows, options.show_progress)
    if measured is not None:
        found += age_metrics(measured, "Age by the measured head (HC), through the main job", prefix="biometry_")
    said = own or published
    assert said is not None  # `_ask`
    spacing = _column(rows, "mm_per_pixel")
    known = _column(heads, "mm_per_pixel"), chart(CHART).age(_column(heads, "hc_mm")), [row.group for row in heads]
    provenance = {
        "version": __version__,
        **named(model),
        "split": f"split-v1 {options.split}",
        "limit": options.limit,
        "templates": None if options.templates is None else Path(options.templates).name,
        **_shared(),
        "data": sources(DATA),
        "seconds": time.perf_counter() - began,
    }
    return _result(said, found, null_rows(said, spacing, known), provenance, notes)


def from_scores(scores: str | Path, truth: str | Path) -> BenchResult:
    """The published rule on a saved score matrix.

    Args:
        scores: ``.npz`` with ``scores`` (n, 175) and ``days`` (175,), 98 to 272.
        truth: CSV with ``filename``, ``pixel size(mm)`` and ``head circumference (mm)``; row i belongs to row i of the
            scores, every row given. Without a spacing its null row is left out.

    Raises:
        UnreadableInput: a file that cannot be used; the message names the value and the row.
    """
    table = read_truth(Path(truth))
    matrix, digest = read_scores(Path(scores), table)
    facts = {"scores_sha256": digest, "rule": RULE}
    return _saved(table, published_rule(matrix), None, None, facts)


def from_predictions(predictions: str | Path, truth: str | Path) -> BenchResult:
    """Saved ages of anybody's model: days, optionally low and high of a 90 % interval.

    Args:
        predictions: JSON or CSV with ``days``, optionally ``low``, ``high`` and ``filename``.
        truth: as in `from_scores`; rows are matched by ``filename`` where the predictions have it.

    Raises:
        UnreadableInput: a file that cannot be used; the message names the value and the row.
    """
    table = read_truth(Path(truth))
    days, low, high, digest = read_ages(Path(predictions), table)
    return _saved(table, days, low, high, {"predictions_sha256": digest})


def _saved(truth: Truth, days: Reals, low: Reals | None, high: Reals | None, facts: dict[str, Any]) -> BenchResult:
    kept, notes = in_range(truth.hc), []
    if not kept.any():
        raise UsageError(f"no head of {FIRST_HC:g} to {LAST_HC:g} mm in the truth", "one or more")
    ages = Ages(truth.hc, truth.group, days, low, high).where(kept)
    if left := int((~kept).sum()):
        notes.append(f"{left} of {len(truth)} heads are not of {FIRST_HC:g} to {LAST_HC:g} mm and are left out")
    if truth.spacing is None:
        notes.append("the truth has no pixel spacing: what the spacing alone would get is not told")
    spacing = None if truth.spacing is None else truth.spacing[kept]
    provenance = {
        "version": __version__,
        **facts,
        "truth_sha256": truth.sha256,
        "rows_given": len(truth),
        **_shared(),
    }
    found = age_metrics(ages, "Saved ages", GOALS)
    return _result(ages, found, null_rows(ages, spacing), provenance, notes)


def _result(
    ages: Ages, found: list[Metric], null: dict[str, dict[str, Any]], provenance: dict[str, Any], notes: list[str]
) -> BenchResult:
    return BenchResult(
        "ga",
        len(ages),
        tuple(found),
        null,
        provenance=provenance,
        notes=(*notes, "HC18 has no ages: the age of a head is the day whose WHO median it is"),
        subgroups=by_band(ages),
        differences=ages.differences() if ages.given.any() else None,
        scored=ages.scored(),
    )


def _shared() -> dict[str, Any]:
    return {
        "reference": REFERENCE,
        "heads_mm": [FIRST_HC, LAST_HC],
        "resamples": RESAMPLES,
        "seed": SEED,
        "interval": INTERVAL,
    }


def _ask(model: AgeModel | AgeScorer, rows: Sequence[Row], options: Options) -> tuple[Ages | None, Ages | None]:
    """What the model says of every head, and what the published rule makes of its scores; None where it does not."""
    answers: list[AgeAnswer] | None = [] if hasattr(model, "age") else None
    scores: list[npt.NDArray[Any]] = []
    with progress("ages", len(rows), options.show_progress) as step:
        for start in range(0, len(rows), BATCH):
            part = rows[start : start + BATCH]
            frames = [read(row.path).with_spacing(row.mm_per_pixel) for row in part]
            answers = _answers(model, frames, answers)
            if isinstance(model, AgeScorer):
                scores.append(_scores(model, frames, options.templates))
            step(len(part))
    hc, group = _column(rows, "hc_mm"), tuple(row.group for row in rows)
    published = Ages(hc, group, published_rule(np.concatenate(scores))) if scores else None
    if answers is None:
        return None, published
    return ages_of(hc, group, answers), published


def _answers(model: Any, frames: Sequence[Frame], before: list[AgeAnswer] | None) -> list[AgeAnswer] | None:
    """The answers so far and those of these frames; None of a model that has no age rule but scores days."""
    if before is None:
        return None
    try:
        said = model.age(frames)
    except NotAvailable:
        if not isinstance(model, AgeScorer):
            raise
        return None
    if len(said) != len(frames):
        raise UsageError(f"{len(said)} answers for {len(frames)} frames", "one answer for every frame")
    return before + list(said)


def _scores(model: AgeScorer, frames: Sequence[Frame], templates: str | Path | None) -> npt.NDArray[Any]:
    found = np.asarray(model.age_scores(frames, templates), dtype=np.float64)
    if found.shape != (len(frames), DAYS.size) or not np.isfinite(found).all():
        raise UsageError(f"age scores of shape {found.shape}", f"finite ones, ({len(frames)}, {DAYS.size})")
    return found


def _column(rows: Sequence[Row], name: str) -> Reals:
    return np.array([getattr(row, name) for row in rows], dtype=np.float64)
