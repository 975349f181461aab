"""The protocols on saved answers: ``{"prediction": [...], "label": [...]}`` to the same table."""

from __future__ import annotations

from pathlib import Path

from fetalclip import __version__
from fetalclip.bench.answers import RESAMPLES, SEED
from fetalclip.bench.plane_metrics import calibration_metrics, class_metrics, confusion, null_rows, scored, subgroups
from fetalclip.bench.saved import read_answers
from fetalclip.bench.table import BenchResult, Goal, Metric

F1_GOAL, SUBPLANE_F1_GOAL = Goal(0.985), Goal(0.78)
SUBPLANE_CALIBRATION_GOAL = Goal(0.06, at_most=True)


def planes_from_predictions(path: str | Path) -> BenchResult:
    """Score saved answers; classes are those that occur in ``label``, ``heart`` is ``thorax``.

    A prediction of any other of the nine candidates is a wrong answer and no class. A file may hold the published
    planes and the sub-planes of the brain together: a picture labelled with a sub-plane was offered the three.

    Args:
        path: JSON file with ``prediction`` and ``label``, names (or numbers) of classes, and optionally ``group``,
            the patient of every picture (without it every picture counts as its own patient, and a note says so),
            ``machine`` and ``operator`` for subgroups, and ``scores``, the probability of every candidate, for
            calibration.

    Raises:
        UnreadableInput: the file is missing, is not JSON, is of another shape, or an answer is no candidate.
    """
    return _score(Path(path), "planes", F1_GOAL, None)


def subplanes_from_predictions(path: str | Path) -> BenchResult:
    """Score saved sub-planes of the brain, the three candidates; else as `planes_from_predictions`."""
    return _score(Path(path), "subplanes", SUBPLANE_F1_GOAL, SUBPLANE_CALIBRATION_GOAL)


def _score(path: Path, protocol: str, goal: Goal, calibration_goal: Goal | None) -> BenchResult:
    saved = read_answers(path, protocol)
    answers, notes = saved.answers, []
    if not saved.grouped:
        notes.append('no "group" in the file: intervals take every picture for a patient of its own and are too narrow')
    if saved.left_out:
        notes.append(f"{saved.left_out} pictures labelled 'Other' are left out")
    provenance = {
        "version": __version__,
        "predictions_sha256": saved.sha256,
        "resamples": RESAMPLES,
        "seed": SEED,
        "interval": "95 % percentile bootstrap over groups",
    }
    section = "Saved answers"
    metrics = [Metric("macro_f1", "macro F1", section, answers.estimate(answers.macro_f1()), goal)]
    metrics += class_metrics(answers, section)
    metrics.append(Metric("accuracy", "accuracy", section, answers.estimate(answers.accuracy())))
    metrics += calibration_metrics(answers, section, goal=calibration_goal)
    return BenchResult(
        protocol,
        len(answers),
        tuple(metrics),
        null_rows(answers),
        confusion(answers),
        provenance,
        tuple(notes),
        answers.reliability(),
        answers.risk_coverage(),
        subgroups(answers, abstains=False),
        scored=scored(answers, {"macro_f1": answers.macro_f1()}, saved.grouped),
    )
