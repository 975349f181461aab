"""Estimated ages of measured heads, and what can be counted of them.

HC18 has no ages, so the age of a head is its *HC-equivalent* one: the day whose WHO median is that circumference. A
prediction is *valid* when the circumference lies between the WHO 2.5th and 97.5th centile at the predicted day.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt

from fetalclip.bench.answers import RESAMPLES, SEED
from fetalclip.bench.table import Differences, Goal, Metric, Scored, Subgroup
from fetalclip.clinical.age import age_text
from fetalclip.clinical.growth import CHART, FIRST_HC, LAST_HC, chart
from fetalclip.metrics import (
    Estimate,
    Reals,
    Statistic,
    bland_altman,
    covered,
    interval_width,
    mean_absolute_error,
    middle_of_best,
    rate,
)

DAYS = np.arange(98, 273)  # 14w0d to 38w6d: the 175 days of the published protocol
TOP = 15  # of them are taken by its rule
BANDS = ((14, 18), (18, 22), (22, 28), (28, 40))  # weeks, the last one with its end
UNIT, IN_DAYS = "examinations", "days"


class AgeAnswer(Protocol):
    """What a model says of the age in one frame; any object with these, read only."""

    @property
    def days(self) -> float | None:
        """The estimate: the HC-equivalent age in days; None where there is none."""

    @property
    def model_low(self) -> float | None:
        """Lower end of the model's own 90 % interval for the HC-equivalent age, days; None where it has none."""

    @property
    def model_high(self) -> float | None:
        """Upper end of the same."""

    @property
    def abstained(self) -> bool:
        """Whether a user would be given no age. A number that is there all the same is scored."""


def published_rule(scores: Reals) -> Reals:
    """Days by the published rule: of the 15 days with the largest score, sorted by day, the one in the middle.

    Args:
        scores: of every day of ``DAYS``, (n, 175).

    Returns:
        Days, (n,). Of equal scores the earlier day counts as larger.
    """
    return middle_of_best(scores, DAYS, TOP).astype(np.float64)


def in_range(hc: Reals) -> npt.NDArray[np.bool_]:
    """Whether each head, mm, is one of the protocol's, bool (n,)."""
    return np.asarray((hc >= FIRST_HC) & (hc <= LAST_HC))


def valid(hc: Reals, days: Reals) -> npt.NDArray[np.bool_]:
    """Whether each head, mm, lies within the centiles at the predicted day, bool (n,).

    False without a day and for one outside the chart.
    """
    who = chart(CHART)
    return covered(hc, who.size(days, 2.5), who.size(days, 97.5))


@dataclass(frozen=True, eq=False)
class Ages:
    """What a method said of heads; all of length n. It knows no file names: those of HC18 are sorted by size.

    Attributes:
        hc: measured head circumference, mm, within the range of the protocol.
        group: examination.
        days: the estimate; NaN where there is none.
        low, high: 90 % interval for the HC-equivalent age, days; None where the method gives none.
        abstained: whether the method would not stand by its estimate; None where that is not known.
    """

    hc: Reals
    group: tuple[str, ...]
    days: Reals
    low: Reals | None = None
    high: Reals | None = None
    abstained: npt.NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.group)

    @cached_property
    def age(self) -> Reals:
        """HC-equivalent age, days, (n,)."""
        found: Reals = chart(CHART).age(self.hc)
        return found

    @cached_property
    def valid(self) -> npt.NDArray[np.bool_]:
        """Whether each prediction is valid, bool (n,)."""
        return valid(self.hc, self.days)

    @property
    def given(self) -> npt.NDArray[np.bool_]:
        """Whether there is a number, bool (n,)."""
        return np.isfinite(self.days)

    def where(self, chosen: npt.NDArray[np.bool_]) -> Ages:
        """The heads at which ``chosen``, bool (n,), is True."""
        at = np.flatnonzero(chosen)
        low, high = (None if one is None else one[at] for one in (self.low, self.high))
        abstained = None if self.abstained is None else self.abstained[at]
        return Ages(self.hc[at], tuple(self.group[i] for i in at), self.days[at], low, high, abstained)

    def estimate(self, happened: npt.NDArray[np.bool_]) -> Estimate:
        """Share of heads for which something happened, bool (n,), with its interval over examinations."""
        return rate(happened, self.group, RESAMPLES, SEED)

    def scored(self) -> Scored:
        """What a paired comparison needs; one over heads without an estimate leaves them out of the error."""
        off = np.abs(self.days - self.age)
        statistics: dict[str, Statistic] = {
            "valid_prediction_rate": lambda rows: float(self.valid[rows].mean()),
            "mae": lambda rows: _mean(off[rows]),
        }
        low, high = self.low, self.high
        if low is not None and high is not None:
            wide = high - low
            inside = np.where(np.isfinite(wide), covered(self.age, low, high), np.nan)
            statistics["interval_coverage"] = lambda rows: _mean(inside[rows])
            statistics["interval_width"] = lambda rows: _mean(wide[rows])
        return Scored(tuple(f"{mm:.4f} mm" for mm in self.hc), self.group, statistics)

    def differences(self) -> Differences:
        """Estimates beside HC-equivalent ages, of the heads that have an estimate."""
        part = self.where(self.given)
        agreement = bland_altman(part.days, part.age, part.group, RESAMPLES, SEED)
        return Differences(part.days, part.age, agreement)


def ages_of(hc: Reals, group: Sequence[str], answers: Sequence[AgeAnswer | None]) -> Ages:
    """A model's answers, (n,); None is an abstention without a number."""
    days, low, high = (
        np.array([_day(one, name) for one in answers], dtype=np.float64) for name in ("days", "model_low", "model_high")
    )
    told = bool(np.isfinite(high - low).any())
    abstained = np.array([one is None or one.abstained for one in answers], dtype=bool)
    return Ages(hc, tuple(group), days, low if told else None, high if told else None, abstained)


def age_metrics(ages: Ages, section: str, goals: dict[str, Goal] | None = None, prefix: str = "") -> list[Metric]:
    """Rows of the table: valid predictions, error, bias, limits of agreement, and intervals where there are some.

    A head without an estimate is no valid prediction and no error; whether there is one has its own row. Coverage and
    width are of the heads that have an interval.

    Args:
        ages: what a method said.
        section: heading of the rows.
        goals: by name of the metric.
        prefix: before the names, where two methods stand in one table.
    """
    goals, rows = goals or {}, list[Metric]()

    def add(name: str, title: str, found: Estimate, measured_in: str = "") -> None:
        rows.append(Metric(prefix + name, title, section, found, goals.get(name), unit=UNIT, measured_in=measured_in))

    add("valid_prediction_rate", "valid predictions (HC within WHO centiles 2.5 to 97.5)", ages.estimate(ages.valid))
    if ages.abstained is not None or not ages.given.all():
        stood = ages.given if ages.abstained is None else ages.given & ~ages.abstained
        add("answered", "an age was given", ages.estimate(stood))
    part = ages.where(ages.given)
    if not len(part):
        return rows
    agreement = bland_altman(part.days, part.age, part.group, RESAMPLES, SEED)
    error = mean_absolute_error(part.days, part.age, part.group, RESAMPLES, SEED)
    add("mae", "mean absolute error, days", error, IN_DAYS)
    add("bias", "bias, days", agreement.bias, IN_DAYS)
    add("limit_low", "lower 95 % limit of agreement, days", agreement.low, IN_DAYS)
    add("limit_high", "upper 95 % limit of agreement, days", agreement.high, IN_DAYS)
    add("proportional_bias", "slope of the error on age", agreement.slope)
    if ages.low is not None and ages.high is not None:
        told = ages.where(np.isfinite(ages.high - ages.low))
        if told.low is not None and told.high is not None and len(told):
            inside = told.estimate(covered(told.age, told.low, told.high))
            add("interval_coverage", "90 % interval holds the HC-equivalent age", inside)
            wide = interval_width(told.low, told.high, told.group, RESAMPLES, SEED)
            add("interval_width", "mean width of that interval, days", wide, IN_DAYS)
    return rows


def by_band(ages: Ages) -> tuple[Subgroup, ...]:
    """Valid predictions, error, bias and the interval in each band of HC-equivalent age that has heads."""
    parts = []
    for first, last in BANDS:
        end = 7 * last + (1 if (first, last) == BANDS[-1] else 0)  # 40w0d belongs to the last band
        part = ages.where((ages.age >= 7 * first) & (ages.age < end))
        if len(part):
            kept = [m for m in age_metrics(part, "") if m.name in _SHORT]
            rows = [Metric(m.name, _SHORT[m.name], "", m.found, unit=UNIT, measured_in=m.measured_in) for m in kept]
            parts.append(Subgroup("age band", f"{age_text(7 * first)} to {age_text(end - 1)}", tuple(rows)))
    return tuple(parts)


_SHORT = {
    "valid_prediction_rate": "valid",
    "mae": "error, days",
    "bias": "bias, days",
    "interval_coverage": "interval holds",
    "interval_width": "width, days",
}


def _day(answer: AgeAnswer | None, name: str) -> float:
    value = None if answer is None else getattr(answer, name)
    return np.nan if value is None else float(value)


def _mean(values: Reals) -> float:
    """Of the numbers among the values; NaN where there is none."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else math.nan
