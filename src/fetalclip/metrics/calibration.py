"""Whether a probability means what it says: Brier score, calibration error, and the curve behind it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fetalclip.errors import UsageError
from fetalclip.metrics.intervals import wilson
from fetalclip.metrics.scores import Index, Reals

BINS = 15


def brier_score(table: Reals, truth: Index) -> float:
    """Brier score of several classes: sum over classes of (probability - truth)^2, mean over pictures; 0 to 2.

    Source: Brier, Mon Weather Rev 1950;78:1-3 (his original form; the score of two classes is twice the one that
    looks at one class alone).

    Args:
        table: probabilities, (n, K).
        truth: class numbers, (n,); -1 for a truth that is none of the K.

    Raises:
        UsageError: the arrays do not fit, or a number is out of range.
    """
    p, true = np.asarray(table, dtype=np.float64), np.asarray(truth)
    if p.ndim != 2 or true.shape != (len(p),):
        raise UsageError(f"probabilities of shape {p.shape} for a truth of shape {true.shape}", "(n, K) and (n,)")
    if not len(p):
        return math.nan
    _check_shares(p)
    if true.min() < -1 or true.max() >= p.shape[1]:
        raise UsageError(f"class numbers from {true.min()} to {true.max()}", f"-1 to {p.shape[1] - 1}")
    known = true >= 0
    at = p[np.arange(len(p)), np.where(known, true, 0)]
    # sum_k (p_k - y_k)^2 = sum_k p_k^2 - 2 p_true + 1
    return float((np.square(p).sum(axis=1) + 1 - 2 * np.where(known, at, 0.0)).mean())


def expected_calibration_error(probability: Reals, correct: npt.NDArray[np.bool_], bins: int = BINS) -> float:
    """Expected calibration error of the top answer: sum over bins of n_b / n * |accuracy_b - confidence_b|.

    Equal-width bins on (0, 1], closed on the right. Source: Guo et al., ICML 2017 (15 bins); Naeini et al.,
    AAAI 2015. It is biased upwards on few pictures: see `corrected_calibration_error`.

    Args:
        probability: probability of the answer given, 0 to 1, (n,).
        correct: whether that answer was right, (n,).
        bins: number of bins.

    Raises:
        UsageError: the arrays differ in length, or a probability is not within 0 and 1.
    """
    p, right = pairs(probability, correct)
    if p.size == 0:
        return math.nan
    gaps = np.bincount(_bin(p, bins), weights=right - p, minlength=bins)  # n_b * (accuracy_b - confidence_b)
    return float(np.abs(gaps).sum() / p.size)


def adaptive_calibration_error(probability: Reals, correct: npt.NDArray[np.bool_], bins: int = BINS) -> float:
    """Calibration error of the top answer in bins of equal count: the same mean gap as `expected_calibration_error`.

    Where most answers are sure, bins of equal width leave most of them empty and put nearly all answers into one;
    bins of equal count do not. Answers of one probability share their mean accuracy, so that their order plays no part.
    Source: Nguyen & O'Connor, EMNLP 2015 (equal counts); Nixon et al., Measuring Calibration in Deep Learning, CVPR
    Workshops 2019 (adaptive calibration error, here of the top answer).

    Args:
        probability: probability of the answer given, 0 to 1, (n,).
        correct: whether that answer was right, (n,).
        bins: number of bins; no more than there are answers.

    Raises:
        UsageError: as `expected_calibration_error`.
    """
    p, right = pairs(probability, correct)
    if p.size == 0:
        return math.nan
    p, right = ranked(p, right)
    bins = min(bins, p.size)
    starts = np.arange(bins) * p.size // bins
    return float(np.abs(np.add.reduceat(right - p, starts)).sum() / p.size)


def corrected_calibration_error(probability: Reals, correct: npt.NDArray[np.bool_]) -> float:
    """Calibration error of the top answer in as many bins as the data bear, which takes most of the bias away.

    The equal-mass sweep: bins of equal count, as many as there can be before the accuracy of a bin falls below that
    of the one before it; then the same mean gap as `expected_calibration_error`. Source: Roelofs et al., Mitigating
    Bias in Calibration Error Estimation, AISTATS 2022 (``ECE_sweep``, here with the absolute gap). Answers of one
    probability share their mean accuracy, so that their order plays no part.

    Args:
        probability: probability of the answer given, 0 to 1, (n,).
        correct: whether that answer was right, (n,).

    Raises:
        UsageError: as `expected_calibration_error`.
    """
    p, right = pairs(probability, correct)
    if p.size == 0:
        return math.nan
    p, right = ranked(p, right)
    if np.all(np.diff(right) >= 0):  # the sweep would end at one bin for each answer
        return float(np.abs(right - p).mean())
    sums = np.concatenate([[[0.0, 0.0]], np.cumsum(np.stack([right, p], axis=1), axis=0)])  # (n + 1, 2)
    found = abs(float(sums[-1, 0] - sums[-1, 1])) / p.size
    for bins in range(2, p.size + 1):
        edges = np.arange(bins + 1) * p.size // bins
        inside = np.diff(sums[edges], axis=0)  # (bins, 2)
        if np.any(np.diff(inside[:, 0] / np.diff(edges)) < -1e-12):
            break
        found = float(np.abs(inside[:, 0] - inside[:, 1]).sum() / p.size)
    return found


@dataclass(frozen=True)
class ReliabilityBin:
    """One point of a reliability curve.

    Attributes:
        low, high: edges of the bin; it holds probabilities above ``low`` up to ``high``.
        confidence: mean probability of the answers in it.
        accuracy: share of them that was right.
        n: answers in it.
        accuracy_low, accuracy_high: 95 % Wilson interval of ``accuracy``, as if every picture were of another patient.
    """

    low: float
    high: float
    confidence: float
    accuracy: float
    n: int
    accuracy_low: float
    accuracy_high: float

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return dict(self.__dict__)


def reliability_curve(
    probability: Reals, correct: npt.NDArray[np.bool_], bins: int = BINS
) -> tuple[ReliabilityBin, ...]:
    """Points of the reliability curve of the top answer, in the bins of `expected_calibration_error`.

    Empty bins have no point. Source of the diagram: DeGroot & Fienberg, The Statistician 1983;32:12-22.

    Arguments and errors as `expected_calibration_error`.
    """
    p, right = pairs(probability, correct)
    which = _bin(p, bins)
    points = []
    for number in np.unique(which):
        inside = which == number
        n, hits = int(inside.sum()), int(right[inside].sum())
        edges = float(number / bins), float((number + 1) / bins)
        points.append(ReliabilityBin(*edges, float(p[inside].mean()), hits / n, n, *wilson(hits, n)))
    return tuple(points)


def pairs(probability: Reals, correct: npt.NDArray[np.bool_]) -> tuple[Reals, Reals]:
    """Both as float64 of one length (n,); a probability outside 0 to 1 is a UsageError."""
    p, right = np.asarray(probability, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    if p.shape != right.shape or p.ndim != 1:
        raise UsageError(f"probabilities of shape {p.shape} for answers of shape {right.shape}", "(n,) twice")
    _check_shares(p)
    return p, right


def ranked(p: Reals, right: Reals) -> tuple[Reals, Reals]:
    """Both by rising probability; answers of one probability share their mean accuracy."""
    p, where, ties = np.unique(p, return_inverse=True, return_counts=True)
    return np.repeat(p, ties), np.repeat(np.bincount(where, weights=right) / ties, ties)


def _check_shares(p: Reals) -> None:
    if not np.all((p >= -1e-6) & (p <= 1 + 1e-6)):
        raise UsageError("a probability outside 0 to 1", "calibrated probabilities")


def _bin(p: Reals, bins: int) -> Index:
    return np.clip(np.ceil(p * bins).astype(np.int64) - 1, 0, bins - 1)
