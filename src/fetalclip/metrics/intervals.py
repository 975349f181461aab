"""Intervals: the bootstrap over patients, and Wilson's for a rate.

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
from fetalclip.metrics.scores import Index

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
