"""Numbers held against what was measured: error, limits of agreement, and intervals that should hold the truth.

Every interval of a score resamples groups (`fetalclip.metrics.intervals`).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fetalclip.errors import UsageError
from fetalclip.metrics.intervals import Estimate, Statistic, group_bootstrap, rate
from fetalclip.metrics.scores import Index, Reals

LIMIT = 1.959963984540054  # standard deviations on either side of the bias: the standard normal's 97.5th centile


@dataclass(frozen=True)
class Agreement:
    """How two ways of measuring the same agree.

    Attributes:
        bias: mean of the differences.
        low, high: limits of agreement, bias less and plus 1.96 standard deviations of the differences.
        sd: standard deviation of the differences.
        slope: of the difference on the mean of the two; one whose interval leaves 0 out is a proportional bias.
    """

    bias: Estimate
    low: Estimate
    high: Estimate
    sd: float
    slope: Estimate


def bland_altman(estimate: Reals, truth: Reals, groups: Sequence[Hashable], n: int = 1000, seed: int = 0) -> Agreement:
    """Bias and 95 % limits of agreement of an estimate with the truth, each with its interval over groups.

    Source: Bland & Altman, Lancet 1986;327:307-310; the same for several measurements of one patient, Stat Methods Med
    Res 1999;8:135-160 (here the patients are resampled instead).

    Args:
        estimate: (n,).
        truth: (n,), of the same unit.
        groups: patient or examination of each, (n,).
        n: resamples.
        seed: of the resampling.

    Raises:
        UsageError: the arrays differ in length or hold a NaN.
    """
    first, second = _numbers(estimate, truth)
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise UsageError("an estimate or a truth that is no number", "finite numbers: leave such rows out")
    if len(groups) != first.size:
        raise UsageError(f"{first.size} estimates for {len(groups)} groups", "one group for every estimate")
    gap, middle = first - second, (first + second) / 2

    def of(statistic: Statistic) -> Estimate:
        return group_bootstrap(statistic, groups, n, seed)

    def limit(rows: Index, side: float) -> float:
        return float(gap[rows].mean()) + side * LIMIT * _sd(gap[rows])

    return Agreement(
        of(lambda rows: float(gap[rows].mean())),
        of(lambda rows: limit(rows, -1.0)),
        of(lambda rows: limit(rows, 1.0)),
        _sd(gap),
        of(lambda rows: _slope(middle[rows], gap[rows])),
    )


def mean_absolute_error(
    estimate: Reals, truth: Reals, groups: Sequence[Hashable], n: int = 1000, seed: int = 0
) -> Estimate:
    """Mean absolute difference with its interval over groups; arguments and errors as `bland_altman`."""
    first, second = _numbers(estimate, truth)
    off = np.abs(first - second)
    return group_bootstrap(lambda rows: float(off[rows].mean()), groups, n, seed)


def covered(truth: Reals, low: Reals, high: Reals) -> npt.NDArray[np.bool_]:
    """Whether each truth lies between its low and its high, both included; False where one of them is NaN. (n,)

    Raises:
        UsageError: the arrays differ in length, or a low lies above its high.
    """
    value, under, over = _numbers(truth, low, high)
    crossed = np.flatnonzero(under > over)
    if crossed.size:
        row = int(crossed[0])
        raise UsageError(f"row {row} has an interval from {under[row]:g} to {over[row]:g}", "the lower end first")
    return np.asarray((value >= under) & (value <= over))


def interval_coverage(
    truth: Reals, low: Reals, high: Reals, groups: Sequence[Hashable], n: int = 1000, seed: int = 0
) -> Estimate:
    """Share of truths inside their interval, with the 95 % interval of that share over groups.

    One call serves a model's prediction interval and the share of valid predictions: of those, ``truth`` is a measured
    size, ``low`` and ``high`` its centiles at the predicted age. Arguments and errors as `covered` and `rate`.
    """
    return rate(covered(truth, low, high), groups, n, seed)


def interval_width(low: Reals, high: Reals, groups: Sequence[Hashable], n: int = 1000, seed: int = 0) -> Estimate:
    """Mean of high less low, with its interval over groups. Short intervals are worth something only if they cover."""
    under, over = _numbers(low, high)
    wide = over - under
    return group_bootstrap(lambda rows: float(wide[rows].mean()), groups, n, seed)


def _numbers(*given: Any) -> tuple[Reals, ...]:
    arrays = tuple(np.asarray(one, dtype=np.float64) for one in given)
    if any(array.ndim != 1 or array.shape != arrays[0].shape for array in arrays):
        shapes = ", ".join(str(array.shape) for array in arrays)
        raise UsageError(f"arrays of shape {shapes}", "(n,) of each")
    return arrays


def _sd(values: Reals) -> float:
    return float(values.std(ddof=1)) if values.size > 1 else math.nan


def _slope(x: Reals, y: Reals) -> float:
    """Of the least-squares line of y on x; NaN where every x is the same."""
    off = x - x.mean()
    spread = float(off @ off)
    return float(off @ y) / spread if spread > 0 else math.nan
