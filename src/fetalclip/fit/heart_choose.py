"""What held-out clips decide: how windows are joined, probabilities, what is believed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from fetalclip.metrics import Reals, auroc, conformal_quantile, expected_calibration_error

_RIDGE = 1e-3  # on half the squared weights of the branches
_LEAST_MIX = 1e-6  # below: no branch explains anything
_LEAST_T, _MOST_T = 0.05, 50.0


@dataclass(frozen=True, eq=False)
class Held:
    """Held-out scores of one seed.

    Attributes:
        logits: way of joining to (clips, branches, findings) logits of clips that the scoring net has not seen.
    """

    logits: dict[str, Reals]


@dataclass(frozen=True)
class Choice:
    """What held-out clips decided; the words are those of `fetalclip.models.heart_head.HeartConfig`, and ``mix``, the
    weights of the net's branches (branches, findings)."""

    join: str
    mix: Reals
    temperatures: dict[str, float]
    offsets: dict[str, float]
    bounds: dict[str, tuple[float, float]]
    results: dict[str, Any]
    probability: Reals


def choose(held: list[Held], labels: Reals, findings: tuple[str, ...], level: float) -> Choice:
    """Choose on the held-out scores of all folds.

    Args:
        held: of each seed.
        labels: (clips, findings), NaN where unknown.
        findings: their names.
        level: chance with which the true answer must be among those believed.

    Returns:
        The choice; its ``probability`` (clips, findings) is the mean over seeds of the calibrated ones.
    """
    mixes = {way: _mix(np.stack([one.logits[way] for one in held]), labels) for way in held[0].logits}
    mixed = {  # (clips, findings) each
        way: [(one.logits[way] * mix).sum(axis=1) for one in held] for way, mix in mixes.items()
    }
    join = max(mixed, key=lambda way: float(np.mean([mean_auroc(one, labels) for one in mixed[way]])))
    heat, offsets, bounds, tables = {}, {}, {}, np.zeros((len(held), *labels.shape))
    for i, name in enumerate(findings):
        known = np.isfinite(labels[:, i])
        there = labels[known, i] > 0.5
        logits = np.stack([one[:, i] for one in mixed[join]])  # (seeds, clips)
        heat[name], offsets[name] = calibrated(logits[:, known].ravel(), np.tile(there, len(held)))
        tables[:, :, i] = _sigmoid(logits / heat[name] + offsets[name])
        bounds[name] = believed(tables[:, known, i], there, level)
    probability = tables.mean(axis=0)
    results = {
        "clips": len(labels),
        "seeds": len(held),
        "auroc": mean_auroc(probability, labels),
        "findings": {name: _told(tables[0, :, i], labels[:, i]) for i, name in enumerate(findings)},
        "join": {way: [mean_auroc(one, labels) for one in some] for way, some in mixed.items()},
        "branches": [mean_auroc(held[0].logits[join][:, k], labels) for k in range(len(mixes[join]))],
    }
    return Choice(join, mixes[join], heat, offsets, bounds, results, probability)


def _mix(logits: Reals, labels: Reals) -> Reals:
    """Weights, none below 0, with which the branches' logits explain held-out labels best (stacked generalisation,
    Wolpert, Neural Networks 1992;5:241-259).

    Args:
        logits: (seeds, clips, branches, findings).
        labels: (clips, findings), NaN where unknown.

    Returns:
        (branches, findings); ones for a single branch, which the temperature scales.
    """
    _, _, branches, findings = logits.shape
    mix = np.ones((branches, findings))
    for i in range(findings if branches > 1 else 0):
        known = np.isfinite(labels[:, i])
        x = logits[..., i][:, known].reshape(-1, branches)  # seed by seed, as the labels are repeated
        there = np.tile(labels[known, i], len(logits))
        if 0 < there.sum() < len(there):
            mix[:, i] = _explained(x, there)
    return mix


def _explained(x: Reals, there: Reals) -> Reals:
    def loss(w: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        z = x @ w[:-1] + w[-1]
        off = _sigmoid(z) - there
        value = float((np.logaddexp(0, z) - there * z).mean() + 0.5 * _RIDGE * (w[:-1] ** 2).sum())
        return value, np.append(x.T @ off / len(x) + _RIDGE * w[:-1], off.mean())

    limits = [(0.0, 50.0)] * x.shape[1] + [(-50.0, 50.0)]
    found = minimize(loss, np.append(np.full(x.shape[1], 0.5), -1.0), jac=True, method="L-BFGS-B", bounds=limits)
    weights = np.asarray(found.x[:-1])
    return weights if weights.sum() > _LEAST_MIX else np.full(x.shape[1], 1.0)


def calibrated(logits: Reals, there: npt.NDArray[np.bool_]) -> tuple[float, float]:
    """Temperature and offset of least cross-entropy; the offset makes up for class weights in the training.

    Targets are smoothed so that separable scores do not become certain. Source: Guo et al., ICML 2017 (temperature);
    Platt, Advances in Large Margin Classifiers, 1999 (offset, targets).

    Args:
        logits: of one finding, (n,).
        there: whether it is there, (n,).
    """
    positives, n = int(there.sum()), there.size
    target = np.where(there, (positives + 1) / (positives + 2), 1 / (n - positives + 2))

    def loss(x: npt.NDArray[np.float64]) -> float:
        z = logits * math.exp(-x[0]) + x[1]
        return float((np.logaddexp(0, z) - target * z).mean())

    limits = [(math.log(_LEAST_T), math.log(_MOST_T)), (-20.0, 20.0)]
    found = minimize(loss, np.zeros(2), method="L-BFGS-B", bounds=limits)
    return float(math.exp(found.x[0])), float(found.x[1])


def believed(probability: Reals, there: npt.NDArray[np.bool_], level: float) -> tuple[float, float]:
    """The largest 1 - p of a true "absent" and of a true "present" that is still believed; 1 for too few of a kind.

    Args:
        probability: of one finding, (seeds, clips); the bounds are the widest of any seed.
        there: (clips,).
        level: chance.
    """
    absent = max(conformal_quantile(row[~there], level) for row in probability)  # 1 - (1 - p)
    present = max(conformal_quantile(1 - row[there], level) for row in probability)
    return min(absent, 1.0), min(present, 1.0)


def mean_auroc(scores: Reals, labels: Reals) -> float:
    """Mean AUROC over the findings that have both kinds; 0.5 where none has."""
    found = []
    for score, label in zip(scores.T, labels.T, strict=True):
        known = np.isfinite(label)
        found.append(auroc(score[known], label[known] > 0.5))
    kept = [value for value in found if not math.isnan(value)]
    return float(np.mean(kept)) if kept else 0.5


def _told(probability: Reals, label: Reals) -> dict[str, Any]:
    known = np.isfinite(label)
    p, there = probability[known], label[known] > 0.5
    found = auroc(p, there)
    return {
        "n": int(known.sum()),
        "present": int(there.sum()),
        "auroc": None if math.isnan(found) else found,
        "ece": expected_calibration_error(p, there),
    }


def _sigmoid(z: Reals) -> Reals:
    return np.asarray(1 / (1 + np.exp(-np.clip(z, -60, 60))))
