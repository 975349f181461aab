"""What a protocol hands back: named metrics with intervals and goals, subgroups, curves; as JSON. No torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from fetalclip.metrics import Agreement, Counts, Estimate, Reals, ReliabilityBin, RiskPoint, Statistic

if TYPE_CHECKING:
    from rich.table import Table

SCHEMA = "fetalclip.bench/1"


@dataclass(frozen=True)
class Goal:
    """A number to reach, met or missed by the value and not by its interval.

    Attributes:
        target: at least this.
        at_most: at most this instead.
        absolute: the value counts without its sign.
        upto: not more than this either.
    """

    target: float
    at_most: bool = False
    absolute: bool = False
    upto: float | None = None

    def met(self, value: float) -> bool | None:
        """Whether ``value`` reaches the goal; None when it is not a number."""
        if math.isnan(value):
            return None
        value = abs(value) if self.absolute else value
        if self.at_most:
            return value <= self.target
        return value >= self.target and (self.upto is None or value <= self.upto)

    def __str__(self) -> str:
        if self.upto is not None:
            return f"{self.target:g} to {self.upto:g}"
        if self.absolute and self.at_most:
            return f"within ±{self.target:g}"
        return f"{'<=' if self.at_most else '>='} {self.target:g}"

    def to_dict(self) -> dict[str, Any]:
        """The JSON form: ``target`` and ``direction``; ``target_high`` and ``absolute`` where they say something."""
        direction = "at most" if self.at_most else "at least" if self.upto is None else "between"
        return {
            "target": self.target,
            "direction": direction,
            **({"target_high": self.upto} if self.upto is not None else {}),
            **({"absolute": True} if self.absolute else {}),
        }


@dataclass(frozen=True)
class Metric:
    """One row of the table.

    Attributes:
        name: key in the JSON.
        title: what a reader sees.
        section: heading under which it stands.
        found: value and interval, a fraction 0 to 1 (a difference: -1 to 1) unless ``measured_in`` says otherwise.
        goal: the number to reach, or None.
        baseline: the same measured on the supervised baseline, or None.
        unit: what ``found.groups`` counts.
        measured_in: ``days``, ``mm``, ``px`` or ``%``, or empty for a fraction.
        rival: the same measured on the model of ``--versus``, or None.
    """

    name: str
    title: str
    section: str
    found: Estimate
    goal: Goal | None = None
    baseline: Estimate | None = None
    unit: str = "patients"
    measured_in: str = ""
    rival: Estimate | None = None

    def to_dict(self) -> dict[str, Any]:
        """The JSON form: unrounded; what is not defined is None."""
        return {
            "section": self.section,
            "title": self.title,
            **numbers(self.found),
            "n": self.found.n,
            "groups": self.found.groups,
            "group_unit": self.unit,
            "measured_in": self.measured_in or None,
            **(self.goal.to_dict() if self.goal else {"target": None, "direction": None}),
            "met": self.goal.met(self.found.value) if self.goal else None,
            **({"supervised": numbers(self.baseline)} if self.baseline else {}),
            **({"versus": numbers(self.rival)} if self.rival else {}),
        }


@dataclass(frozen=True, eq=False)
class Confusion:
    """Counts of answers: ``counts`` (truth, answers), rows are the truth."""

    truth: tuple[str, ...]
    answers: tuple[str, ...]
    counts: Counts

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {"truth": list(self.truth), "answers": list(self.answers), "counts": self.counts.tolist()}


@dataclass(frozen=True)
class Subgroup:
    """Some metrics on a part of the pictures.

    Attributes:
        by: what parts them, such as ``machine``.
        name: of this part.
        metrics: the same in every part of one kind; their ``section`` is empty.
    """

    by: str
    name: str
    metrics: tuple[Metric, ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        found = {metric.name: metric.to_dict() for metric in self.metrics}
        return {"by": self.by, "name": self.name, "metrics": found}


@dataclass(frozen=True, eq=False)
class Differences:
    """Every estimate beside its truth, (n,) each in ``unit``, and how they agree: a Bland-Altman plot. No names."""

    estimate: Reals
    truth: Reals
    agreement: Agreement
    unit: str = "days"

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        found = self.agreement
        return {
            "unit": self.unit,
            "estimate": [round(float(value), 3) for value in self.estimate],
            "truth": [round(float(value), 3) for value in self.truth],
            "bias": numbers(found.bias),
            "low": numbers(found.low),
            "high": numbers(found.high),
            "sd": None if math.isnan(found.sd) else found.sd,
            "slope": numbers(found.slope),
        }


@dataclass(frozen=True)
class Curve:
    """A score against how much was learned from.

    Attributes:
        name: of the line.
        points: (amount, score) in rising order of the amount.
    """

    name: str
    points: tuple[tuple[float, Estimate], ...]

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {"name": self.name, "points": [{"at": at, **numbers(found)} for at, found in self.points]}


@dataclass(frozen=True, eq=False)
class Scored:
    """What a paired comparison needs: the rows that were scored, and the scores as functions of chosen rows.

    Attributes:
        truth: of every row; two results are of the same pictures when these are the same.
        group: of every row.
        statistics: the headline metrics by name.
        grouped: False where every row was taken for a group of its own because none was given.
    """

    truth: tuple[str, ...]
    group: tuple[str, ...]
    statistics: Mapping[str, Statistic]
    grouped: bool = True


@dataclass(frozen=True, eq=False)
class BenchResult:
    """The result of one protocol.

    Attributes:
        protocol: its name.
        n: pictures of the headline.
        metrics: in the order of the table.
        null: what an answer without looking gets, name to values.
        confusion: of the headline's pictures, or None.
        provenance: version, model and its hash, split, resamples, seed, seconds.
        notes: what a reader must know beside the numbers.
        reliability: of the headline's pictures, confidence and accuracy bin by bin; empty without probabilities.
        risk_coverage: of the same, the share of wrong answers among the surest ones; empty without probabilities.
        subgroups: by machine, operator or age band.
        differences: estimates and truths of a protocol that measures a number, or None.
        curves: scores against how much was learned from.
        scored: for `fetalclip.bench.versus`; not in the JSON.
    """

    protocol: str
    n: int
    metrics: tuple[Metric, ...]
    null: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    confusion: Confusion | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    reliability: tuple[ReliabilityBin, ...] = ()
    risk_coverage: tuple[RiskPoint, ...] = ()
    subgroups: tuple[Subgroup, ...] = ()
    differences: Differences | None = None
    curves: tuple[Curve, ...] = ()
    scored: Scored | None = None

    def __getitem__(self, name: str) -> Metric:
        return {metric.name: metric for metric in self.metrics}[name]

    @property
    def missed(self) -> list[Metric]:
        """Metrics with a goal that they do not reach."""
        return [m for m in self.metrics if m.goal is not None and m.goal.met(m.found.value) is False]

    def to_dict(self) -> dict[str, Any]:
        """The JSON form, schema ``fetalclip.bench/1``; every score an unrounded fraction, or days where it says so."""
        return {
            "schema": SCHEMA,
            "protocol": self.protocol,
            "n": self.n,
            "metrics": {metric.name: metric.to_dict() for metric in self.metrics},
            "null": {name: dict(values) for name, values in self.null.items()},
            "confusion": self.confusion.to_dict() if self.confusion else None,
            "provenance": dict(self.provenance),
            "notes": list(self.notes),
            "reliability": [point.to_dict() for point in self.reliability],
            "risk_coverage": [point.to_dict() for point in self.risk_coverage],
            "subgroups": [part.to_dict() for part in self.subgroups],
            "differences": self.differences.to_dict() if self.differences else None,
            "curves": [curve.to_dict() for curve in self.curves],
        }

    def table(self) -> Table:
        """The metrics as a table for rich."""
        from fetalclip.bench.printed import main_table

        return main_table(self)

    def __str__(self) -> str:
        from fetalclip.bench.printed import text

        return text(self)


def numbers(found: Estimate) -> dict[str, float | None]:
    """Value and interval for JSON; NaN is None."""
    values = {"value": found.value, "low": found.low, "high": found.high}
    return {name: None if math.isnan(value) else float(value) for name, value in values.items()}
