"""Protocol ``subplanes``: which of the three standard planes of the brain, on the held-out patients.

* Rows of FETAL_PLANES_DB whose brain plane is trans-cerebellum, trans-thalamic or trans-ventricular; brains of
  another plane ("Other") are left out, so nothing here tells what the model says of those.
* Macro F1 of the three with the burned-in overlay masked (the headline), as is, and with the overlay alone. The
  most probable candidate is scored whether or not the model abstained, and whatever plane it would name first.
* Intervals are 95 % by patient (`fetalclip.metrics`). A goal is met by the value.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from fetalclip import __version__
from fetalclip.bench.answers import RESAMPLES, SEED, Answers
from fetalclip.bench.ask import Way, ask, from_row, progress
from fetalclip.bench.plane_metrics import calibration_metrics, class_metrics, confusion, null_rows, scored, subgroups
from fetalclip.bench.predictions import SUBPLANE_CALIBRATION_GOAL, SUBPLANE_F1_GOAL, subplanes_from_predictions
from fetalclip.bench.protocol import INTERVAL, OVERLAYS, cautions, check, named, plane_rows, sources
from fetalclip.bench.table import BenchResult, Metric
from fetalclip.clinical.vocabulary import SUBPLANES
from fetalclip.frame import Frame
from fetalclip.result import PlaneScores

__all__ = ["Options", "from_predictions", "run", "subplanes_from_predictions"]


from_predictions = subplanes_from_predictions


class SubplaneModel(Protocol):
    """Anything that names sub-planes as ``FetalCLIP`` does."""

    def subplanes(self, scans: Sequence[Frame], prompts: Any = None, overlay: str = "mask") -> list[PlaneScores]:
        """One answer for each frame, in their order."""
        ...


@dataclass(frozen=True)
class Options:
    """How to run the protocol.

    Attributes:
        prompts: the candidates.
        split: ``test``, or ``val`` while choosing something.
        limit: at most so many pictures, of all sorts; None takes all.
        show_progress: a bar on stderr, if that is a terminal.
    """

    prompts: str | Path = "brain-3"
    split: str = "test"
    limit: int | None = None
    show_progress: bool = True


def run(model: SubplaneModel, root: str | Path, options: Options | None = None) -> BenchResult:
    """Measure a model.

    Args:
        model: what `fetalclip.load` gives, or anything with its ``subplanes``.
        root: folder that holds ``fetal_planes_db`` as published.
        options: see `Options`.

    Raises:
        DataMissing: the data set is absent or incomplete, or has no such brain in the split.
        UsageError: an option is out of range.
        NotAvailable: a model without sub-planes.
    """
    options = options or Options()
    check(options.split, options.limit)
    began = time.perf_counter()
    rows = plane_rows(root, options.split, options.limit, lambda row: row.subplane in SUBPLANES, "brain sub-plane")
    ways: dict[str, Way] = {
        overlay: partial(model.subplanes, prompts=options.prompts, overlay=overlay) for overlay in OVERLAYS
    }
    with progress("sub-planes", len(rows), options.show_progress) as step:
        said = ask([from_row(row, "subplane") for row in rows], ways, step)
    masked = said["mask"]
    provenance = {
        "version": __version__,
        **named(model),
        "split": f"split-v1 {options.split}",
        "prompts": [Path(options.prompts).name],
        "limit": options.limit,
        "data": sources("fetal-planes-db"),
        "resamples": RESAMPLES,
        "seed": SEED,
        "interval": INTERVAL,
        "seconds": time.perf_counter() - began,
    }
    return BenchResult(
        "subplanes",
        len(rows),
        tuple(_headline(said) + _details(masked)),
        null_rows(masked),
        confusion(masked),
        provenance,
        tuple(cautions(options.split, options.limit)),
        masked.reliability(),
        masked.risk_coverage(),
        subgroups(masked),
        scored=scored(masked, {"macro_f1": masked.macro_f1()}),
    )


def _headline(said: dict[str, Answers]) -> list[Metric]:
    """Macro F1 of all three overlays; the goal is of the masked one."""
    section = "Macro F1 over " + ", ".join(sorted(SUBPLANES))
    metrics = []
    for overlay, how in OVERLAYS.items():
        answers, first = said[overlay], overlay == "mask"
        name, goal = "macro_f1" if first else f"macro_f1_{overlay}", SUBPLANE_F1_GOAL if first else None
        metrics.append(Metric(name, f"3 candidates, {how}", section, answers.estimate(answers.macro_f1()), goal))
    return metrics


def _details(answers: Answers) -> list[Metric]:
    """F1 by class, accuracy, calibration and abstention, overlay masked."""
    section = "3 candidates, overlay masked"
    metrics = class_metrics(answers, section)
    metrics.append(Metric("accuracy", "accuracy", section, answers.estimate(answers.accuracy())))
    metrics += calibration_metrics(answers, section, goal=SUBPLANE_CALIBRATION_GOAL)
    metrics.append(Metric("abstained", "abstained", section, answers.abstention()))
    return metrics
