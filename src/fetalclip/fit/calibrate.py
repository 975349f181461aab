"""Temperature and thresholds from held-out scores, never from the test side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fetalclip.fit.heldout import HeldOut

Array = npt.NDArray[np.float64]

KEPT_SHARE = 0.985  # of held planes and heads that must not be abstained by the outlier score
CERTAIN_SHARE = 0.995  # of held planes that must not be abstained for a low probability


@dataclass(frozen=True)
class Calibration:
    """What cross-fitting found.

    Attributes:
        temperature: divides the logits.
        outlier_threshold, min_probability: abstain above, below.
        loss_before, loss_after: mean cross-entropy of held planes without and with the temperature, nats.
    """

    temperature: float
    outlier_threshold: float
    min_probability: float
    loss_before: float
    loss_after: float


def calibrate(folds: list[HeldOut]) -> Calibration:
    """Fit one temperature and two thresholds to the joined held-out scores of all folds.

    The outlier threshold stands where the share of accepted pictures with a plane plus the share of refused pictures
    without one is largest, but never so low that more than 1.5 % of the planes or of the heads are refused.
    """
    logits = np.concatenate([fold.logits[fold.real] for fold in folds])
    label = np.concatenate([fold.label[fold.real] for fold in folds])
    temperature = _best_temperature(logits, label)
    probability = _softmax(logits / temperature).max(axis=1)
    sources = {s: np.concatenate([f.outlier[f.source == s] for f in folds]) for s in ("planes", "hc18", "reject")}
    return Calibration(
        temperature,
        _outlier_threshold(sources["planes"], sources["hc18"], sources["reject"]),
        # "lower" and "higher" stop at a picture's own score: between two scores one picture more would be refused.
        float(min(0.5, np.quantile(probability, 1 - CERTAIN_SHARE, method="lower"))),
        _loss(logits, label, 1.0),
        _loss(logits, label, temperature),
    )


def _outlier_threshold(planes: Array, heads: Array, rejects: Array) -> float:
    floor = max(np.quantile(group, KEPT_SHARE, method="higher") for group in (planes, heads) if len(group))
    if not len(rejects):
        return float(floor)
    cuts = np.linspace(floor, max(floor, 0.99), 200)
    balance = [(planes <= cut).mean() + (rejects > cut).mean() for cut in cuts]
    return float(cuts[int(np.argmax(balance))])


def _best_temperature(logits: Array, label: npt.NDArray[np.int_]) -> float:
    grid = np.exp(np.linspace(np.log(0.1), np.log(20.0), 400))
    return float(grid[int(np.argmin([_loss(logits, label, t) for t in grid]))])


def _loss(logits: Array, label: npt.NDArray[np.int_], temperature: float) -> float:
    p = _softmax(logits / temperature)
    return float(-np.log(np.maximum(p[np.arange(len(p)), label], 1e-12)).mean())


def _softmax(logits: Array) -> Array:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
