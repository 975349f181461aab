"""Measures of many pictures beside the true ones, as the main job takes them, and what can be counted of them."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from fetalclip.bench.answers import RESAMPLES, SEED
from fetalclip.bench.table import Differences, Goal, Metric, Scored
from fetalclip.errors import NotAvailable, UsageError
from fetalclip.metrics import (
    Estimate,
    Index,
    Reals,
    Statistic,
    bland_altman,
    covered,
    group_bootstrap,
    interval_width,
    mean_absolute_error,
    rate,
)
from fetalclip.result import Analysis, Measurement

TASKS = ("planes", "biometry")
_PERCENT = "%"


class MeasureModel(Protocol):
    """Anything that answers files as ``FetalCLIP`` does."""

    def analyze(
        self,
        paths: Iterable[str | Path],
        tasks: Sequence[str] | None = None,
        *,
        spacing_table: Mapping[str, tuple[float, float]] | None = None,
    ) -> Iterator[Analysis]:
        """One answer for each file, in their order; ``spacing_table`` is mm per native pixel by base name."""
        ...


def can_measure(model: Any) -> bool:
    """Whether a model answers files and, where it says what it can, names biometry."""
    known = getattr(model, "tasks", TASKS)
    return hasattr(model, "analyze") and "biometry" in known


def analyses(
    model: MeasureModel, pictures: Mapping[Path, float], step: Callable[[int], None] = lambda done: None
) -> list[Analysis]:
    """What the main job says of every picture, its own choice of plane included.

    Args:
        model: see `MeasureModel`.
        pictures: file to mm per native pixel; no two of one base name.
        step: called with 1 after each picture.

    Raises:
        NotAvailable: a model that measures nothing.
        UsageError: another number of answers than of pictures.
    """
    if not can_measure(model):
        raise NotAvailable("this model measures nothing", "a model with a head that draws masks", "--predictions F.csv")
    table = {path.name: (spacing, spacing) for path, spacing in pictures.items()}
    found: list[Analysis] = []
    for said in model.analyze(list(pictures), TASKS, spacing_table=table):
        found.append(said)
        step(1)
    if len(found) != len(pictures):
        raise UsageError(f"{len(found)} answers for {len(pictures)} pictures", "one answer for every picture")
    return found


@dataclass(frozen=True, eq=False)
class Measures:
    """One measure of many pictures; all of length n, in mm.

    Attributes:
        truth: the true one.
        group: examination or patient.
        value: the model's; NaN where there is none.
        low, high: its interval; NaN where there is none.
    """

    truth: Reals
    group: tuple[str, ...]
    value: Reals
    low: Reals
    high: Reals

    @classmethod
    def of(cls, name: str, said: Sequence[Analysis], truth: npt.ArrayLike, group: Sequence[str]) -> Measures:
        """The measure of that name in every answer."""
        rows = [_numbers(taken(one, name)) for one in said]
        value, low, high = (np.array([row[i] for row in rows], dtype=np.float64) for i in range(3))
        return cls(np.asarray(truth, dtype=np.float64), tuple(group), value, low, high)

    def __len__(self) -> int:
        return len(self.group)

    @property
    def given(self) -> npt.NDArray[np.bool_]:
        """Whether there is a measure, bool (n,)."""
        return np.isfinite(self.value)

    def where(self, chosen: npt.NDArray[np.bool_]) -> Measures:
        """The pictures at which ``chosen``, bool (n,), is True."""
        at = np.flatnonzero(chosen)
        group = tuple(self.group[i] for i in at)
        return Measures(self.truth[at], group, self.value[at], self.low[at], self.high[at])

    def differences(self) -> Differences | None:
        """Measures beside the true ones, of the pictures that have one; None where none has."""
        part = self.where(self.given)
        if not len(part):
            return None
        agreement = bland_altman(part.value, part.truth, part.group, RESAMPLES, SEED)
        return Differences(part.value, part.truth, agreement, unit="mm")

    def scored(self, prefix: str) -> Scored:
        """What a paired comparison needs; pictures without a measure are left out of the difference."""
        off, given = np.abs(self.value - self.truth), self.given
        statistics: dict[str, Statistic] = {
            f"{prefix}measured": lambda rows: float(given[rows].mean()),
            f"{prefix}mae": lambda rows: _mean(off[rows]),
        }
        return Scored(tuple(f"{mm:.4f} mm" for mm in self.truth), self.group, statistics)


def taken(said: Analysis, name: str) -> Measurement | None:
    """The measure of that name, refused or not; None where it was not asked of the picture."""
    return next((one for one in said.biometry or () if one.name == name), None)


def reasons(name: str, said: Sequence[Analysis]) -> str:
    """How often which reason left a picture without the measure, commonest first; empty where none is without."""
    counts = Counter(_reason(one, name) for one in said if math.isnan(_numbers(taken(one, name))[0]))
    return "; ".join(f"{count} {words}" for words, count in counts.most_common())


def measure_metrics(
    found: Measures, name: str, section: str, unit: str, goals: Mapping[str, Goal] | None = None
) -> list[Metric]:
    """Rows of one measure. All but the first are of the pictures that have it.

    Args:
        found: what was measured.
        name: of the measure; before the names of the metrics, in small letters.
        section: heading of the rows.
        unit: what the groups are.
        goals: by name of the metric.
    """
    goals, rows, prefix = goals or {}, list[Metric](), f"{name.lower()}_"

    def add(key: str, title: str, value: Estimate, measured_in: str = "mm") -> None:
        rows.append(Metric(prefix + key, title, section, value, goals.get(prefix + key), None, unit, measured_in))

    add("measured", f"pictures that got {name}", rate(found.given, found.group, RESAMPLES, SEED), "")
    part = found.where(found.given)
    if not len(part):
        return rows
    gap = part.value - part.truth
    share = 100.0 * np.abs(gap) / part.truth

    def of(statistic: Statistic) -> Estimate:
        return group_bootstrap(statistic, part.group, RESAMPLES, SEED)

    agreement = bland_altman(part.value, part.truth, part.group, RESAMPLES, SEED)
    error = mean_absolute_error(part.value, part.truth, part.group, RESAMPLES, SEED)
    add("error_percent", "mean absolute difference, %", of(lambda at: float(share[at].mean())), _PERCENT)
    add("mae", "mean absolute difference, mm", error)
    add("median_error", "median absolute difference, mm", of(lambda at: float(np.median(np.abs(gap[at])))))
    add("bias", "mean difference, mm", agreement.bias)
    add("sd", "standard deviation of the differences, mm", of(lambda at: _sd(gap, at)))
    add("limit_low", "lower 95 % limit of agreement, mm", agreement.low)
    add("limit_high", "upper 95 % limit of agreement, mm", agreement.high)
    add("proportional_bias", "slope of the difference on the size", agreement.slope, "")
    told = part.where(np.isfinite(part.high - part.low))
    if len(told):
        inside = rate(covered(told.truth, told.low, told.high), told.group, RESAMPLES, SEED)
        add("interval_coverage", f"90 % interval holds the true {name}", inside, "")
        wide = interval_width(told.low, told.high, told.group, RESAMPLES, SEED)
        add("interval_width", "mean width of that interval, mm", wide)
    return rows


def _numbers(one: Measurement | None) -> tuple[float, float, float]:
    """Value, low and high in mm; NaN for what is not there."""
    value = math.nan if one is None or one.mm is None else float(one.mm)
    if one is None or not math.isfinite(value):
        return math.nan, math.nan, math.nan
    low, high = (math.nan if end is None else float(end) for end in (one.low, one.high))
    return value, low, high


def _reason(said: Analysis, name: str) -> str:
    """Why a picture has no such measure; numbers stand as N, so that alike reasons are counted together."""
    one = taken(said, name)
    if said.error is not None:
        return "could not be read"
    if one is not None:
        why = one.note or "no reason given" if one.value is None else f"in {one.unit}"
    elif said.plane is None:
        why = "not measured"
    else:
        why = f"no plane: {said.plane.reason}" if said.plane.abstained else f"called {said.plane.label}"
    return re.sub(r"\d+(?:\.\d+)?", "N", why)


def _sd(gap: Reals, at: Index) -> float:
    return float(gap[at].std(ddof=1)) if len(at) > 1 else math.nan


def _mean(values: Reals) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else math.nan
