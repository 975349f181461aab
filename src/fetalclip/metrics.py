"""Scores and their intervals: F1, accuracy, calibration, rates, and the bootstrap over patients. numpy only.

Pictures of one patient resemble each other, so intervals resample *groups* (patients, examinations) with
replacement and never single pictures: the cluster bootstrap (Davison & Hinkley, Bootstrap Methods and their
Application, 1997, section 3.8; Field & Welsh, J R Stat Soc B 2007;69:369-390).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fetalclip.errors import UsageError

Counts = npt.NDArray[np.int64]
Reals = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]
Statistic = Callable[[Index], float]

LEVEL = 0.95  # of every interval in this module
_Z = 1.959963984540054  # standard normal quantile at (1 + LEVEL) / 2


@dataclass(frozen=True)
class Estimate:
    """A score with its 95 % interval.

    Attributes:
        value: the score on all pictures; NaN when it is not defined.
        low, high: interval; NaN when there are fewer than two groups.
        n: pictures.
        groups: patients or examinations.
    """

    value: float
    low: float
    high: float
    n: int
    groups: int


# ---------------------------------------------------------------- scores


def encode(names: Sequence[str], labels: Sequence[str]) -> Index:
    """Position of every name in ``labels``, (n,).

    Raises:
        UsageError: a name is not among them.
    """
    where = {label: position for position, label in enumerate(labels)}
    strange = next((name for name in names if name not in where), None)
    if strange is not None:
        raise UsageError(f"the class {strange!r}", "one of " + ", ".join(labels))
    return np.fromiter((where[name] for name in names), dtype=np.int64, count=len(names))


def confusion_matrix(truth: Index, predicted: Index, classes: int) -> Counts:
    """Counts of (truth, predicted) pairs.

    Args:
        truth: class numbers 0 to ``classes`` - 1, (n,).
        predicted: likewise, (n,).
        classes: number of classes K.

    Returns:
        (K, K): rows are the truth, columns what was predicted.

    Raises:
        UsageError: the arrays differ in length or hold a number out of range.
    """
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    if truth.shape != predicted.shape or truth.ndim != 1:
        raise UsageError(f"truth of shape {truth.shape}, answers of shape {predicted.shape}", "(n,) twice")
    both = np.concatenate([truth, predicted])
    if both.size and (both.min() < 0 or both.max() >= classes):
        raise UsageError(f"class numbers from {both.min()} to {both.max()}", f"0 to {classes - 1}")
    return np.bincount(truth * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def f1_scores(confusion: Counts) -> Reals:
    """F1 of every class, (K,): 2 TP / (2 TP + FP + FN); NaN for a class that does not occur in the truth.

    Source: van Rijsbergen, Information Retrieval, 1979; the harmonic mean of precision and recall.
    """
    hits = np.diagonal(confusion).astype(np.float64)
    truth, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    scores = np.full(hits.shape, np.nan)
    there = truth > 0
    scores[there] = 2 * hits[there] / (truth[there] + predicted[there])
    return scores


def macro_f1(confusion: Counts) -> float:
    """Plain mean of F1 over the classes that occur in the truth; NaN when none does.

    A prediction outside those classes is a miss of its true class and adds no class of its own, so distractor
    candidates can lower the score and never dilute it.
    """
    scores = f1_scores(confusion)
    there = ~np.isnan(scores)
    return float(scores[there].mean()) if there.any() else math.nan


def accuracy(confusion: Counts) -> float:
    """Share of pictures given their true class; NaN without pictures."""
    total = int(confusion.sum())
    return float(np.trace(confusion) / total) if total else math.nan


def expected_calibration_error(probability: Reals, correct: npt.NDArray[np.bool_], bins: int = 15) -> float:
    """Expected calibration error of the top answer: sum over bins of n_b / n * |accuracy_b - confidence_b|.

    Equal-width bins on (0, 1], closed on the right. Source: Guo et al., ICML 2017 (15 bins); Naeini et al.,
    AAAI 2015. It is biased upwards on few pictures.

    Args:
        probability: probability of the answer given, 0 to 1, (n,).
        correct: whether that answer was right, (n,).
        bins: number of bins.

    Raises:
        UsageError: the arrays differ in length, or a probability is not within 0 and 1.
    """
    p, right = np.asarray(probability, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    if p.shape != right.shape or p.ndim != 1:
        raise UsageError(f"probabilities of shape {p.shape} for answers of shape {right.shape}", "(n,) twice")
    if p.size == 0:
        return math.nan
    if not np.all((p >= -1e-6) & (p <= 1 + 1e-6)):
        raise UsageError("a probability outside 0 to 1", "calibrated probabilities")
    which = np.clip(np.ceil(p * bins).astype(np.int64) - 1, 0, bins - 1)
    gaps = np.bincount(which, weights=right - p, minlength=bins)  # n_b * (accuracy_b - confidence_b)
    return float(np.abs(gaps).sum() / p.size)


# ---------------------------------------------------------------- intervals


def group_bootstrap(statistic: Statistic, groups: Sequence[Hashable], n: int = 1000, seed: int = 0) -> Estimate:
    """A score with its 95 % percentile interval from resampling whole groups with replacement.

    Args:
        statistic: maps row numbers (m,), some of them repeated, to the score of those rows; NaN where it is
            not defined there (such a resample is left out).
        groups: group of every row, (rows,).
        n: resamples.
        seed: of the resampling; the same seed and groups draw the same patients, so two calls are paired.

    Returns:
        The score and its interval. Where no error was seen in any patient the interval has no width: it says
        so, not that the next patient is safe (for rates see `rate`).

    Raises:
        UsageError: fewer than one resample.
    """
    if n < 1:
        raise UsageError(f"{n} resamples", "1 or more", "1000")
    codes = _codes(groups)
    count = int(codes.max()) + 1 if codes.size else 0
    value = float(statistic(np.arange(codes.size))) if codes.size else math.nan
    if count < 2:
        return Estimate(value, math.nan, math.nan, codes.size, count)
    order = np.argsort(codes, kind="stable")  # rows, group after group
    sizes = np.bincount(codes)
    starts = np.cumsum(sizes) - sizes
    rng = np.random.default_rng(seed)
    scores = np.empty(n)
    for turn in range(n):
        drawn = rng.integers(0, count, count)
        length = sizes[drawn]
        ends = np.cumsum(length)
        rows = np.arange(ends[-1]) + np.repeat(starts[drawn] - (ends - length), length)
        scores[turn] = statistic(order[rows])
    scores = scores[np.isfinite(scores)]
    if not scores.size:
        return Estimate(value, math.nan, math.nan, codes.size, count)
    low, high = np.percentile(scores, [50 * (1 - LEVEL), 50 * (1 + LEVEL)])
    return Estimate(value, float(low), float(high), codes.size, count)


def paired_difference(
    first: Statistic, second: Statistic, groups: Sequence[Hashable], n: int = 1000, seed: int = 0
) -> Estimate:
    """``first`` minus ``second`` on the same pictures, both scored on the same resampled patients.

    Arguments as `group_bootstrap`. An interval that leaves 0 out is a difference beyond the luck of which
    patients were there.
    """
    return group_bootstrap(lambda rows: first(rows) - second(rows), groups, n, seed)


def rate(
    happened: Sequence[bool] | npt.NDArray[np.bool_], groups: Sequence[Hashable], n: int = 1000, seed: int = 0
) -> Estimate:
    """Share of pictures for which something happened, with its 95 % interval over groups.

    The interval is `group_bootstrap`'s. Where it happened always or never, resampling would give no width;
    then it is Wilson's with as many trials as there are groups, as if each patient had told one thing only.

    Raises:
        UsageError: the two differ in length.
    """
    seen = np.asarray(happened, dtype=bool)
    if seen.shape != (len(groups),):
        raise UsageError(f"{seen.size} answers for {len(groups)} groups", "one group for every answer")
    if seen.size and (seen.all() or not seen.any()):
        count = len(set(groups))
        low, high = wilson(count if seen.all() else 0, count)
        return Estimate(float(seen.all()), low, high, seen.size, count)
    return group_bootstrap(lambda rows: float(seen[rows].mean()), groups, n, seed)


def wilson(hits: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of ``hits`` out of ``n`` independent trials.

    Source: Wilson, J Am Stat Assoc 1927;22:209-212. NaN without trials.
    """
    if n < 1:
        return math.nan, math.nan
    p, z2 = hits / n, _Z * _Z
    middle = p + z2 / (2 * n)
    half = _Z * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n))
    low, high = (middle - half) / (1 + z2 / n), (middle + half) / (1 + z2 / n)
    return (0.0 if hits == 0 else low), (1.0 if hits == n else high)


def _codes(groups: Sequence[Hashable]) -> Index:
    """Groups as numbers 0, 1, … in the order of their first row."""
    seen: dict[Hashable, int] = {}
    return np.array([seen.setdefault(group, len(seen)) for group in groups], dtype=np.int64)
