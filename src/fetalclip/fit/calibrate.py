"""Temperatures and thresholds from held-out scores, never from the test side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fetalclip.fit.heldout import HeldOut
from fetalclip.metrics import (
    brier_score,
    confusion_matrix,
    corrected_calibration_error,
    expected_calibration_error,
    macro_f1,
)
from fetalclip.tasks.prompted import softmax

Array = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int_]

KEPT_SHARE = 0.985  # of held planes and heads that must not be abstained by the outlier score
CERTAIN_SHARE = 0.995  # of held planes, and of held sub-planes, that must not be abstained for a low probability


@dataclass(frozen=True)
class Confidence:
    """How logits become probabilities, and which of them are too low to be answered.

    Attributes:
        temperature: divides the logits.
        min_probability: abstain below.
        loss_before, loss_after: mean cross-entropy of the held pictures without and with the temperature, nats.
    """

    temperature: float
    min_probability: float
    loss_before: float
    loss_after: float


@dataclass(frozen=True)
class Calibration:
    """What cross-fitting found.

    Attributes:
        temperature, min_probability, loss_before, loss_after: as in `Confidence`, of the planes.
        outlier_threshold: abstain above.
        subplanes: of the sub-planes, or None where no held picture has one.
    """

    temperature: float
    outlier_threshold: float
    min_probability: float
    loss_before: float
    loss_after: float
    subplanes: Confidence | None = None


def calibrate(folds: list[HeldOut]) -> Calibration:
    """Fit temperatures and thresholds to the joined held-out scores of all folds.

    The outlier threshold stands where the share of accepted pictures with a plane plus the share of refused pictures
    without one is largest, but never so low that more than 1.5 % of the planes or of the heads are refused.
    """
    logits = np.concatenate([fold.logits[fold.real] for fold in folds])
    planes = confidence(logits, np.concatenate([fold.label[fold.real] for fold in folds]))
    sources = {s: np.concatenate([f.outlier[f.source == s] for f in folds]) for s in ("planes", "hc18", "reject")}
    sublogits, sublabel = held_subplanes(folds)
    return Calibration(
        planes.temperature,
        _outlier_threshold(sources["planes"], sources["hc18"], sources["reject"]),
        planes.min_probability,
        planes.loss_before,
        planes.loss_after,
        confidence(sublogits, sublabel) if len(sublabel) else None,
    )


def confidence(logits: Array, label: Labels) -> Confidence:
    """The temperature of least cross-entropy, and a least probability that at most 0.5 % of the pictures miss.

    Args:
        logits: (n, classes), n at least 1.
        label: (n,) class numbers.
    """
    temperature = _best_temperature(logits, label)
    probability = softmax(logits / temperature).max(axis=1)
    # "lower" stops at a picture's own score: between two scores one picture more would be refused.
    least = float(min(0.5, np.quantile(probability, 1 - CERTAIN_SHARE, method="lower")))
    return Confidence(temperature, least, _loss(logits, label, 1.0), _loss(logits, label, temperature))


def held_subplanes(folds: list[HeldOut]) -> tuple[Array, Labels]:
    """Logits (n, sub-planes) and labels (n,) of the real held brains whose sub-plane is known, of all folds."""
    logits = np.concatenate([fold.sublogits[fold.subreal] for fold in folds])
    return logits, np.concatenate([fold.sublabel[fold.subreal] for fold in folds])


def subplane_scores(folds: list[HeldOut]) -> dict[str, float | int] | None:
    """How well held sub-planes are told apart, each fold at the temperature that the other folds give.

    A single fold has its own temperature: its calibration error is then a little too good.

    Returns:
        ``macro_f1``, ``ece``, ``ece_corrected``, ``brier`` and ``n`` of the joined folds; None without sub-planes.
    """
    parts = [held_subplanes([fold]) for fold in folds]
    if not sum(len(label) for _, label in parts):
        return None
    tables = []
    for fold, (logits, _) in zip(folds, parts, strict=True):
        others = held_subplanes([other for other in folds if other is not fold] or [fold])
        temperature = _best_temperature(*(others if len(others[1]) else held_subplanes(folds)))
        tables.append(softmax(logits / temperature))
    table, label = np.concatenate(tables), np.concatenate([label for _, label in parts])
    answer, probability = table.argmax(axis=1), table.max(axis=1)
    return {
        "macro_f1": macro_f1(confusion_matrix(label, answer, table.shape[1])),
        "ece": expected_calibration_error(probability, answer == label),
        "ece_corrected": corrected_calibration_error(probability, answer == label),
        "brier": brier_score(table, label),
        "n": len(label),
    }


def _outlier_threshold(planes: Array, heads: Array, rejects: Array) -> float:
    # "higher" stops at a picture's own score, as above.
    floor = max(np.quantile(group, KEPT_SHARE, method="higher") for group in (planes, heads) if len(group))
    if not len(rejects):
        return float(floor)
    cuts = np.linspace(floor, max(floor, 0.99), 200)
    balance = [(planes <= cut).mean() + (rejects > cut).mean() for cut in cuts]
    return float(cuts[int(np.argmax(balance))])


def _best_temperature(logits: Array, label: Labels) -> float:
    grid = np.exp(np.linspace(np.log(0.1), np.log(20.0), 400))
    return float(grid[int(np.argmin([_loss(logits, label, t) for t in grid]))])


def _loss(logits: Array, label: Labels, temperature: float) -> float:
    p = softmax(logits / temperature)
    return float(-np.log(np.maximum(p[np.arange(len(p)), label], 1e-12)).mean())
