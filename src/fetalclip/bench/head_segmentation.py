"""Protocol ``head-segmentation``: the outline of the fetal head on HC18's held-out examinations.

* Every picture of the split is drawn on and scored, whatever the model would call its plane; how many the model takes
  for a head plane, and so would measure in ``analyze``, has its own row.
* Dice as the mean over pictures (the headline) and with all pixels pooled; Hausdorff 95 and mean surface distance, mm.
* The truth is the annotation as published; an outline and a filled head become the same mask (`fetalclip.data.masks`).
* Intervals are 95 % by examination (`fetalclip.metrics`). A goal is met by the value.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from fetalclip import __version__
from fetalclip.bench.answers import RESAMPLES, SEED
from fetalclip.bench.ask import progress
from fetalclip.bench.overlaps import Overlaps, in_parts, saved_overlaps
from fetalclip.bench.protocol import cautions, check, named, sources
from fetalclip.bench.refusals import spread
from fetalclip.bench.table import BenchResult, Goal, Metric
from fetalclip.data.outlined import outlined
from fetalclip.data.structures import load_set
from fetalclip.errors import DataMissing
from fetalclip.frame import Frame
from fetalclip.metrics import rate
from fetalclip.result import PlaneScores, Segmentation

STRUCTURE = "head"
DICE_GOAL = Goal(0.975)
INTERVAL = "95 % percentile bootstrap over examinations; Wilson over examinations where a rate is 0 or 1"
_TOGETHER = 8  # pictures


class SegmentModel(Protocol):
    """Anything that draws masks as ``FetalCLIP`` does."""

    def segment(self, scans: Sequence[Frame], head: str | Path = "head", views: bool = True) -> list[Segmentation]:
        """One answer for each frame, in their order."""
        ...

    def planes(self, scans: Sequence[Frame]) -> list[PlaneScores]:
        """One answer for each frame, in their order."""
        ...


@dataclass(frozen=True)
class Options:
    """How to run the protocol.

    Attributes:
        split: ``test`` (fold 0), ``val`` (fold 1) while choosing something, or ``train``.
        limit: at most so many pictures; None takes all.
        head: a head of the model, or a head folder.
        show_progress: a bar on stderr, if that is a terminal.
    """

    split: str = "test"
    limit: int | None = None
    head: str | Path = "head"
    show_progress: bool = True


def run(model: SegmentModel, root: str | Path, options: Options | None = None) -> BenchResult:
    """Measure a model's head on HC18.

    Args:
        model: what `fetalclip.load` gives, or anything with its ``segment`` and ``planes``.
        root: folder that holds ``hc18`` as published.
        options: see `Options`.

    Raises:
        DataMissing: HC18 is absent or incomplete, or has no picture in the split.
        NotAvailable, BadCheckpoint: no such head, a damaged one, or one of another encoder.
        MissingPackage: MONAI is not installed.
    """
    options = options or Options()
    check(options.split, options.limit)
    began = time.perf_counter()
    there = [row for row in outlined(load_set(STRUCTURE), root) if row.split == options.split]
    rows = spread(there, options.limit)
    if not rows:
        raise DataMissing(f"'{root}' has no annotated head in the {options.split} split", "one or more")
    found, opened = Overlaps(), []
    with progress("heads", len(rows), options.show_progress) as step:
        for part in in_parts(rows, _TOGETHER):
            pairs = [row.load() for row in part]
            frames = [frame for frame, _ in pairs]
            opened += [plane.label == "brain" and not plane.abstained for plane in model.planes(frames)]
            drawn = model.segment(frames, options.head)
            for row, (frame, masks), said in zip(part, pairs, drawn, strict=True):
                found.add(said.masks[STRUCTURE], masks[STRUCTURE], row.group, frame.mm_per_pixel)
            step(len(part))
    provenance = {
        "version": __version__,
        **named(model),
        "head": Path(options.head).name,
        "split": f"split-v1 {options.split}",
        "limit": options.limit,
        **_shared(),
        "data": sources("hc18"),
        "seconds": time.perf_counter() - began,
    }
    gate = rate(np.logical_not(opened), found.group, RESAMPLES, SEED)
    refused = Metric("not_a_head_plane", "not taken for a head plane by the model", _SECTION, gate, unit="examinations")
    return _result(found, [refused], provenance, cautions(options.split, options.limit))


def from_predictions(predictions: str | Path) -> BenchResult:
    """The same table from counts of pixels of anybody's masks; see `fetalclip.bench.overlaps.saved_overlaps`.

    Raises:
        UnreadableInput: a file that cannot be used.
    """
    found = saved_overlaps(Path(predictions))
    if STRUCTURE not in found:
        raise DataMissing(f"no counts of {STRUCTURE!r} in {Path(predictions).name}", "that structure")
    return _result(found[STRUCTURE], [], {"version": __version__, **_shared()}, ["distances need the masks themselves"])


_SECTION = "Outline of the fetal head, HC18"


def _result(found: Overlaps, more: list[Metric], provenance: dict[str, Any], notes: list[str]) -> BenchResult:
    metrics = found.metrics("", _SECTION, "examinations", DICE_GOAL)
    scored = found.scored("dice")
    return BenchResult(
        "head-segmentation",
        len(found.group),
        tuple(metrics + more),
        provenance=provenance,
        notes=tuple(notes),
        scored=scored,
    )


def _shared() -> dict[str, Any]:
    return {"resamples": RESAMPLES, "seed": SEED, "interval": INTERVAL}
