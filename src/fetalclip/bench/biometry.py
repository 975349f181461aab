"""Protocol ``biometry``: measures in millimetres, through the main job with its own choice of plane.

* HC on HC18's held-out examinations. Every picture of the split counts: one that the model takes for another plane,
  refuses or cannot read has no HC, and the notes count the reasons.
* BPD, OFD, TAD, APAD, AC and FL on FETAL_PLANES_DB's test side, against end points that experts set
  (`fetalclip.data.landmarks`): only where the model has a head for them.
* Differences are measure less truth. Bland-Altman, interval of the measure, by size of the head, beside what one HC for
  all gets. Intervals are 95 % by examination or patient (`fetalclip.metrics`). A goal is met by the value.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fetalclip import __version__
from fetalclip.bench.ages import BANDS
from fetalclip.bench.ages_saved import Truth, read_sizes, read_truth
from fetalclip.bench.answers import RESAMPLES, SEED
from fetalclip.bench.ask import progress
from fetalclip.bench.measures import MeasureModel, Measures, analyses, can_measure, measure_metrics, reasons
from fetalclip.bench.protocol import cautions, check, named, sources
from fetalclip.bench.refusals import spread
from fetalclip.bench.table import BenchResult, Goal, Metric, Subgroup
from fetalclip.clinical.age import age_text
from fetalclip.clinical.biometry import BIOMETRICS
from fetalclip.clinical.growth import median_hc
from fetalclip.data import Row, landmarks, read_dataset
from fetalclip.data.landmarks import Expert, read_experts
from fetalclip.errors import DataMissing, NotAvailable
from fetalclip.metrics import Estimate, Reals

DATA = "hc18"
UNIT = "examinations"
INTERVAL = "95 % percentile bootstrap over examinations or patients; Wilson over them where a rate is 0 or 1"
GOALS = {
    "hc_measured": Goal(0.97),
    "hc_mae": Goal(2.5, at_most=True),
    "hc_bias": Goal(0.5, at_most=True, absolute=True),
    "ac_error_percent": Goal(5.0, at_most=True),
    "fl_error_percent": Goal(4.0, at_most=True),
}
EXPERTS = (
    f"the experts' end points ({landmarks.DATASET}) are under {landmarks.LICENSE.license}: for measuring only, nothing "
    "was trained, tuned or drawn from them",
    "the experts' BPD is described as between the outer edges of the skull, as ours; where their end points lie "
    "otherwise, the difference is one of definition",
    "the experts' AC is the ellipse about their TAD and APAD",
)


@dataclass(frozen=True)
class Options:
    """How to run the protocol.

    Attributes:
        split: ``test`` (fold 0), ``val`` (fold 1) while choosing something, or ``train``; end points are of the test
            side only.
        limit: at most so many pictures of each set; None takes all.
        show_progress: a bar on stderr, if that is a terminal.
    """

    split: str = "test"
    limit: int | None = None
    show_progress: bool = True


def run(model: MeasureModel, root: str | Path, options: Options | None = None) -> BenchResult:
    """Measure a model.

    Args:
        model: what `fetalclip.load` gives, or anything with its ``analyze``.
        root: folder that holds ``hc18`` and ``fetal_planes_db`` as published.
        options: see `Options`.

    Raises:
        NotAvailable: a model that measures nothing.
        DataMissing: HC18 is absent or incomplete, or has no such picture. Without the experts' end points their rows
            are left out and a note says so.
        UnreadableInput: the table of end points cannot be used.
        UsageError: an option is out of range, or a model gave another number of answers than it got pictures.
    """
    options = options or Options()
    check(options.split, options.limit)
    if not can_measure(model):
        raise NotAvailable("this model measures nothing", "a model with a head that draws masks", "--predictions F.csv")
    began = time.perf_counter()
    every = [row for row in read_dataset(DATA, root) if row.hc_mm is not None and row.mm_per_pixel is not None]
    rows = spread([row for row in every if row.split == options.split], options.limit)
    if not rows:
        raise DataMissing(f"'{root}' has no measured head in the {options.split} split", "one or more")
    experts, notes = _experts(root, options)
    heads, told = _heads(model, rows, options)
    more, also = _expert_rows(model, experts, options)
    provenance = {
        "version": __version__,
        **named(model),
        "split": f"split-v1 {options.split}",
        "limit": options.limit,
        **_shared(),
        "data": [*sources(DATA), *(_landmark_sources() if experts else [])],
        "seconds": time.perf_counter() - began,
    }
    known = _sizes([row for row in every if row.split == "train"])
    said = [*told, *notes, *also, *cautions(options.split, options.limit)]
    return _result(heads, "HC of HC18, through the main job", more, known, provenance, said)


def from_predictions(predictions: str | Path, truth: str | Path) -> BenchResult:
    """The rows of HC from saved measures of anybody's model.

    Args:
        predictions: JSON or CSV with ``hc_mm`` (or ``HC``, or HC18's own header), optionally ``low``, ``high`` and
            ``filename``; an empty cell is a picture without an HC.
        truth: CSV with ``filename`` and ``head circumference (mm)``, every row given; matched by ``filename`` where
            the predictions have it, else row by row.

    Raises:
        UnreadableInput: a file that cannot be used; the message names the value and the row.
    """
    table = read_truth(Path(truth))
    value, low, high, digest = read_sizes(Path(predictions), table)
    nothing = np.full(len(table), np.nan)
    heads = Measures(table.hc, table.group, value, *(nothing if one is None else one for one in (low, high)))
    provenance = {"version": __version__, "predictions_sha256": digest, **_saved(table), **_shared()}
    lacking = int((~heads.given).sum())
    notes = [f"no HC in {lacking} of {len(heads)} rows"] if lacking else []
    notes.append("the constant HC is the mean of these heads themselves")
    return _result(heads, "Saved HC", [], table.hc, provenance, notes)


def _heads(model: MeasureModel, rows: Sequence[Row], options: Options) -> tuple[Measures, list[str]]:
    """HC of every head, and why some have none."""
    pictures = {row.path: float(row.mm_per_pixel or 0) for row in rows}
    with progress("heads", len(rows), options.show_progress) as step:
        said = analyses(model, pictures, step)
    found = Measures.of("HC", said, _sizes(rows), [row.group for row in rows])
    why = reasons("HC", said)
    return found, [f"no HC in {int((~found.given).sum())} of {len(found)} pictures: {why}"] if why else []


def _experts(root: str | Path, options: Options) -> tuple[list[Expert], list[str]]:
    """The experts' measures, or a note of why there are none."""
    if options.split != "test":
        return [], ["the experts' end points are of the test side only: their rows are left out"]
    try:
        found = read_experts(root)
    except DataMissing as error:
        return [], [f"the experts' rows are left out, for want of {error.expected}"]
    chosen = {row.name for row in spread([one.row for one in found], options.limit)}
    return [one for one in found if one.row.name in chosen], []


def _expert_rows(model: MeasureModel, experts: Sequence[Expert], options: Options) -> tuple[list[Metric], list[str]]:
    """Rows of every measure that the model takes of at least one picture, and notes."""
    if not experts:
        return [], []
    pictures = {one.row.path: one.mm_per_pixel for one in experts}
    with progress("end points", len(experts), options.show_progress) as step:
        said = analyses(model, pictures, step)
    rows, notes, absent = list[Metric](), list(EXPERTS), list[str]()
    for name in landmarks.MEASURES:
        pairs = [(one, answer) for one, answer in zip(experts, said, strict=True) if name in one.sizes]
        answers = [answer for _, answer in pairs]
        if not pairs:
            continue
        if not any(m.name == name for answer in answers for m in answer.biometry or ()):
            absent.append(name)
            continue
        truth, group = [one.sizes[name] for one, _ in pairs], [one.row.group for one, _ in pairs]
        found = Measures.of(name, answers, truth, group)
        section = f"{name}, {BIOMETRICS[name].title}, against experts' end points"
        rows += measure_metrics(found, name, section, "patients", GOALS)
        if why := reasons(name, answers):
            notes.append(f"no {name} in {int((~found.given).sum())} of {len(found)} pictures: {why}")
    if absent:
        notes.append(f"the model measures no {', '.join(absent)} in any picture: it has no rows of them")
    return rows, notes


def _result(
    heads: Measures, section: str, more: list[Metric], known: Reals, provenance: dict[str, Any], notes: list[str]
) -> BenchResult:
    """The table.

    Args:
        heads: HC.
        section: heading of its rows.
        more: rows of other measures.
        known: HC that the constant of the null row may be taken from, mm.
    """
    metrics = measure_metrics(heads, "HC", section, UNIT, GOALS)
    return BenchResult(
        "biometry",
        len(heads),
        tuple(metrics + more),
        _null(heads, known),
        provenance=provenance,
        notes=tuple(notes),
        subgroups=_bands(heads, [metric.name for metric in metrics if metric.name in _SHORT]),
        differences=heads.differences(),
        scored=heads.scored("hc_"),
    )


def _null(heads: Measures, known: Reals) -> dict[str, dict[str, float]]:
    """What one HC for all gets: the mean of the training side's."""
    if not known.size:
        return {}
    constant = float(known.mean())
    off = constant - heads.truth
    return {"constant HC": {"hc_mm": constant, "mae_mm": float(np.abs(off).mean()), "bias_mm": float(off.mean())}}


def _bands(heads: Measures, keys: Sequence[str]) -> tuple[Subgroup, ...]:
    """Some rows by size of the head; the edges are the WHO medians at the edges of the bands of age."""
    weeks = [first for first, _ in BANDS]
    edges = [float(median_hc(7 * week) or np.nan) for week in weeks]
    spans = list(zip([0.0, *edges], [*edges, np.inf], strict=True))
    names = [f"below {age_text(7 * weeks[0])} (HC < {edges[0]:.0f} mm)"]
    names += [
        f"{age_text(7 * first)} to {age_text(7 * last - 1)} (HC {low:.0f} to {high:.0f} mm)"
        for (first, last), low, high in zip(BANDS, edges, edges[1:], strict=False)
    ]
    names.append(f"{age_text(7 * weeks[-1])} and later (HC {edges[-1]:.0f} mm or more)")
    parts = []
    for name, (low, high) in zip(names, spans, strict=True):
        part = heads.where((heads.truth >= low) & (heads.truth < high))
        if not len(part):
            continue
        kept = {metric.name: metric.found for metric in measure_metrics(part, "HC", "", UNIT)}
        none = Estimate(np.nan, np.nan, np.nan, 0, 0)
        rows = [Metric(key, _SHORT[key][0], "", kept.get(key, none), None, None, UNIT, _SHORT[key][1]) for key in keys]
        parts.append(Subgroup("size of the head", name, tuple(rows)))
    return tuple(parts)


_SHORT = {
    "hc_measured": ("measured", ""),
    "hc_mae": ("difference, mm", "mm"),
    "hc_bias": ("mean difference, mm", "mm"),
    "hc_interval_coverage": ("interval holds", ""),
    "hc_interval_width": ("width, mm", "mm"),
}


def _sizes(rows: Sequence[Row]) -> Reals:
    return np.array([row.hc_mm for row in rows], dtype=np.float64)


def _saved(truth: Truth) -> dict[str, Any]:
    return {"truth_sha256": truth.sha256, "rows_given": len(truth)}


def _landmark_sources() -> list[dict[str, str]]:
    told = landmarks.LICENSE
    return [
        *sources("fetal-planes-db"),
        {"name": landmarks.DATASET, "license": told.license, "citation": told.citation},
    ]


def _shared() -> dict[str, Any]:
    return {"resamples": RESAMPLES, "seed": SEED, "interval": INTERVAL}
