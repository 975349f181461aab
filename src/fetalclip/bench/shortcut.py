"""Protocol ``shortcut``: how much of a score rests on burned-in text, on the held-out patients of FETAL_PLANES_DB.

* The same pictures three times: the overlay masked (as ``analyze`` does), as is, and the overlay alone with the anatomy
  blanked. Macro F1 of each; what text adds is the paired difference, as is less masked, on the same resampled patients.
* The share of pictures whose answer changes with the text, and whose answer is right only with or only without it.
* Planes, and the three standard planes of the brain as second rows. The most probable candidate is scored whether or
  not the model abstained.
* By where the marks lie: on the imaged sector, beside it only, or nowhere (then nothing is masked and nothing changes).
  Where they lie on the sector the mask hides the tissue under them too: the difference is of text and of that tissue.
* Intervals are 95 % by patient (`fetalclip.metrics`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fetalclip import __version__
from fetalclip.bench.answers import RESAMPLES, SEED, Answers
from fetalclip.bench.ask import Way, ask, from_row, progress
from fetalclip.bench.plane_metrics import calibration_metrics, confusion, null_rows, scored
from fetalclip.bench.planes import PLANES, SHORTCUT_GOAL
from fetalclip.bench.protocol import INTERVAL, OVERLAYS, cautions, check, named, plane_rows, sources
from fetalclip.bench.saved import read_answers, read_json
from fetalclip.bench.table import BenchResult, Metric, Subgroup
from fetalclip.clinical.vocabulary import SUBPLANES
from fetalclip.data import Row
from fetalclip.errors import DataMissing, NotAvailable, UnreadableInput
from fetalclip.frame import Frame
from fetalclip.metrics import Statistic, paired_difference, rate
from fetalclip.overlay import find_overlay
from fetalclip.result import PlaneScores

DATA = "fetal-planes-db"
WHERE = ("on the sector", "beside it only", "nowhere")
_SHAPE = '{"prediction": [...], "kept": [...], "label": [...]}, of the pictures masked and as they are'
_KEYS = {"kept": "keep", "alone": "only"}  # of a saved file


@dataclass(frozen=True)
class Options:
    """How to run the protocol.

    Attributes:
        prompts: candidates of the planes.
        subprompts: candidates of the sub-planes.
        split: ``test``, or ``val`` while choosing something.
        limit: at most so many pictures of either sort; None takes all.
        show_progress: a bar on stderr, if that is a terminal.
    """

    prompts: str | Path = "planes-9"
    subprompts: str | Path = "brain-3"
    split: str = "test"
    limit: int | None = None
    show_progress: bool = True


def run(model: Any, root: str | Path, options: Options | None = None) -> BenchResult:
    """Measure a model.

    Args:
        model: what `fetalclip.load` gives, or anything with its ``planes`` and ``subplanes``.
        root: folder that holds ``fetal_planes_db`` as published.
        options: see `Options`.

    Raises:
        DataMissing: the data set is absent or incomplete, or has no such plane in the split. Without sub-planes, of
            the data or of the model, their rows are left out and a note says so.
        UsageError: an option is out of range.
    """
    options = options or Options()
    check(options.split, options.limit)
    began = time.perf_counter()
    side = partial(plane_rows, root, options.split, options.limit)
    rows = side(lambda row: row.plane in PLANES, ", ".join(PLANES))
    said = _asked(partial(model.planes, prompts=options.prompts), rows, "plane", options)
    metrics, null, notes = _metrics(said, ", ".join(PLANES), ""), null_rows(said["mask"]), []
    try:
        brains = side(lambda row: row.subplane in SUBPLANES, "brain sub-plane")
        inner = _asked(partial(model.subplanes, prompts=options.subprompts), brains, "subplane", options)
        metrics += _metrics(inner, ", ".join(sorted(SUBPLANES)), "subplanes_")
        null |= {f"{name}, sub-planes": values for name, values in null_rows(inner["mask"]).items()}
    except (DataMissing, NotAvailable) as error:
        notes.append(f"rows of sub-planes left out. {error}")
    provenance = {
        "version": __version__,
        **named(model),
        "split": f"split-v1 {options.split}",
        "prompts": [Path(name).name for name in (options.prompts, options.subprompts)],
        "limit": options.limit,
        "data": sources(DATA),
        "interval": INTERVAL,
    }
    notes += cautions(options.split, options.limit)
    found = _result(said, metrics, provenance, notes)
    return replace(found, null=null, provenance={**found.provenance, "seconds": time.perf_counter() - began})


def from_predictions(path: str | Path) -> BenchResult:
    """The same table from saved answers, without the rows by where the marks lie.

    Args:
        path: JSON file as of ``bench planes`` with ``prediction``, the answers with the overlay masked, and beside it
            ``kept``, those of the pictures as they are, and optionally ``alone``, those of the overlay alone.

    Raises:
        UnreadableInput: the file is missing, is not JSON, is of another shape, or an answer is no candidate.
    """
    path = Path(path)
    masked = read_answers(path, "planes")
    there, _ = read_json(path, _SHAPE, "--predictions answers.json")
    if "kept" not in there:
        raise UnreadableInput(f"{path.name} has no kept", _SHAPE, "fetalclip bench planes --predictions answers.json")
    said = {"mask": masked.answers}
    for key, overlay in _KEYS.items():
        if key == "kept" or key in there:
            said[overlay] = read_answers(path, "planes", key).answers
    notes = []
    if not masked.grouped:
        notes.append('no "group" in the file: intervals take every picture for a patient of its own and are too narrow')
    provenance = {
        "version": __version__,
        "predictions_sha256": masked.sha256,
        "interval": "95 % percentile bootstrap over groups",
    }
    classes = ", ".join(sorted(set(masked.answers.truth)))
    return _result(said, _metrics(said, classes, ""), provenance, notes, masked.grouped)


@dataclass
class _Marks:
    """Hands frames on to a model and notes where on each the marks lie."""

    way: Way
    where: list[str] = field(default_factory=list)

    def __call__(self, frames: list[Frame]) -> Sequence[PlaneScores]:
        for frame in frames:
            found = find_overlay(frame.gray)
            self.where.append(WHERE[0] if found.covered else WHERE[1] if found.mask.any() else WHERE[2])
        return self.way(frames)


def _asked(way: Any, rows: Sequence[Row], truth: str, options: Options) -> dict[str, Answers]:
    """Answers by what was done with the overlay; the masked ones know where the marks lie."""
    marks = _Marks(partial(way, overlay="mask"))
    ways: dict[str, Way] = {name: marks if name == "mask" else partial(way, overlay=name) for name in OVERLAYS}
    with progress("shortcut", len(rows), options.show_progress) as step:
        said = ask([from_row(row, truth) for row in rows], ways, step)
    facts = {"marks": tuple(marks.where)}
    return {name: replace(answers, facts=facts) for name, answers in said.items()}


def _gap(said: Mapping[str, Answers]) -> Statistic:
    """Macro F1 as is less masked, of chosen rows."""
    kept, masked = said["keep"].macro_f1(), said["mask"].macro_f1()
    return lambda rows: kept(rows) - masked(rows)


def _changed(said: Mapping[str, Answers]) -> npt.NDArray[np.bool_]:
    """Whether the answer changes with the text, bool (n,)."""
    pairs = zip(said["keep"].label, said["mask"].label, strict=True)
    return np.array([kept != masked for kept, masked in pairs], dtype=bool)


def _metrics(said: Mapping[str, Answers], classes: str, start: str) -> list[Metric]:
    """Macro F1 by overlay, what text adds, accuracy, and whose answer changes; names begin with ``start``."""
    section = f"Macro F1 over {classes}"
    metrics = []
    for overlay, how in OVERLAYS.items():
        if overlay in said:
            goal = SHORTCUT_GOAL if overlay == "only" and not start else None
            name, of = "macro_f1" if overlay == "mask" else f"macro_f1_{overlay}", said[overlay]
            metrics.append(Metric(start + name, how, section, of.estimate(of.macro_f1()), goal))
    masked, kept = said["mask"], said["keep"]
    group = masked.group
    gap = paired_difference(kept.macro_f1(), masked.macro_f1(), group, RESAMPLES, SEED)
    metrics.append(Metric(f"{start}difference_macro_f1", "as is less masked, paired", section, gap))
    section = f"Answers, {classes}"
    shares = {
        "changed": ("another answer with the text", _changed(said)),
        "right_only_keep": ("right with the text only", kept.right & ~masked.right),
        "right_only_mask": ("right without the text only", masked.right & ~kept.right),
    }
    for overlay, how in OVERLAYS.items():
        if overlay in said:
            name, of = "accuracy" if overlay == "mask" else f"accuracy_{overlay}", said[overlay]
            metrics.append(Metric(start + name, f"accuracy, {how}", section, of.estimate(of.accuracy())))
    for name, (title, happened) in shares.items():
        metrics.append(Metric(start + name, title, section, rate(happened, group, RESAMPLES, SEED)))
    return metrics


def _subgroups(said: Mapping[str, Answers]) -> tuple[Subgroup, ...]:
    """Macro F1 masked and as is, their difference and the changed answers, by where the marks lie."""
    where = np.array(said["mask"].facts.get("marks", ()))
    parts = []
    for name in WHERE:
        if not (where == name).any():
            continue
        part = {overlay: answers.where(where == name) for overlay, answers in said.items()}
        masked, kept = part["mask"], part["keep"]
        rows = (
            Metric("macro_f1", "macro F1 masked", "", masked.estimate(masked.macro_f1())),
            Metric("macro_f1_keep", "as is", "", kept.estimate(kept.macro_f1())),
            Metric("difference_macro_f1", "difference", "", masked.estimate(_gap(part))),
            Metric("changed", "changed", "", rate(_changed(part), masked.group, RESAMPLES, SEED)),
        )
        parts.append(Subgroup("marks", name, rows))
    return tuple(parts)


def _result(
    said: Mapping[str, Answers],
    metrics: Sequence[Metric],
    provenance: Mapping[str, Any],
    notes: Sequence[str],
    grouped: bool = True,
) -> BenchResult:
    """The table about the planes, with ``metrics`` of whatever else; curves and confusion are of the masked ones."""
    masked = said["mask"]
    compared = {"macro_f1_keep": said["keep"].macro_f1(), "difference_macro_f1": _gap(said)}
    return BenchResult(
        "shortcut",
        len(masked),
        (*metrics, *calibration_metrics(masked, "Calibration of the planes, overlay masked")),
        null_rows(masked),
        confusion(masked),
        {**provenance, "resamples": RESAMPLES, "seed": SEED},
        tuple(notes),
        masked.reliability(),
        masked.risk_coverage(),
        _subgroups(said),
        scored=scored(masked, {"macro_f1": masked.macro_f1(), **compared}, grouped),
    )
