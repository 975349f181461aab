"""What a protocol hands back: named metrics with intervals and goals, as JSON and as a table. No torch."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

from fetalclip.metrics import Counts, Estimate, ReliabilityBin

if TYPE_CHECKING:
    from rich.table import Table

SCHEMA = "fetalclip.bench/1"
_WIDTH = 200  # characters at most; the table takes what it needs


@dataclass(frozen=True)
class Goal:
    """A number to reach: at least (or at most) ``target``. It is met or missed by the value, not by its interval."""

    target: float
    at_most: bool = False

    def met(self, value: float) -> bool | None:
        """Whether ``value`` reaches the goal; None when it is not a number."""
        if math.isnan(value):
            return None
        return value <= self.target if self.at_most else value >= self.target

    def __str__(self) -> str:
        return f"{'<=' if self.at_most else '>='} {self.target:g}"


@dataclass(frozen=True)
class Metric:
    """One row of the table.

    Attributes:
        name: key in the JSON.
        title: what a reader sees.
        section: heading under which it stands.
        found: value and interval, a fraction 0 to 1 (a difference: -1 to 1).
        goal: the number to reach, or None.
        baseline: the same measured on the supervised baseline, or None.
        unit: what ``found.groups`` counts.
    """

    name: str
    title: str
    section: str
    found: Estimate
    goal: Goal | None = None
    baseline: Estimate | None = None
    unit: str = "patients"

    def to_dict(self) -> dict[str, Any]:
        """The JSON form: unrounded; what is not defined is None."""
        return {
            "section": self.section,
            "title": self.title,
            **_numbers(self.found),
            "n": self.found.n,
            "groups": self.found.groups,
            "group_unit": self.unit,
            "target": self.goal.target if self.goal else None,
            "direction": None if self.goal is None else ("at most" if self.goal.at_most else "at least"),
            "met": self.goal.met(self.found.value) if self.goal else None,
            **({"supervised": _numbers(self.baseline)} if self.baseline else {}),
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
    """

    protocol: str
    n: int
    metrics: tuple[Metric, ...]
    null: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    confusion: Confusion | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    reliability: tuple[ReliabilityBin, ...] = ()

    def __getitem__(self, name: str) -> Metric:
        return {metric.name: metric for metric in self.metrics}[name]

    @property
    def missed(self) -> list[Metric]:
        """Metrics with a goal that they do not reach."""
        return [m for m in self.metrics if m.goal is not None and m.goal.met(m.found.value) is False]

    def to_dict(self) -> dict[str, Any]:
        """The JSON form, schema ``fetalclip.bench/1``; every score is an unrounded fraction."""
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
        }

    def table(self) -> Table:
        """The metrics as a table for rich."""
        from rich.table import Table
        from rich.text import Text

        compared = any(metric.baseline for metric in self.metrics)
        table = Table(box=None, pad_edge=False, title_justify="left", header_style="bold")
        table.add_column(self.protocol, no_wrap=True)
        for head in ("images", "groups", "value", "95 % interval"):
            table.add_column(head, justify="right", no_wrap=True)
        if compared:
            table.add_column("supervised", justify="right", no_wrap=True)
        table.add_column("goal", no_wrap=True)
        table.add_column("met", no_wrap=True)
        for section, members in groupby(self.metrics, key=lambda metric: metric.section):
            table.add_row("")
            table.add_row(Text(section, style="bold"))
            for metric in members:
                table.add_row(*(Text(cell) for cell in _cells(metric, compared)))
        return table

    def __str__(self) -> str:
        from rich.console import Console

        stream = io.StringIO()
        console = Console(file=stream, width=_WIDTH, color_system=None, force_terminal=False)
        console.print(self.table())
        if self.null:
            console.print("\nWithout looking")
            for name, values in self.null.items():
                said = ", ".join(f"{key} {_plain(value)}" for key, value in values.items())
                console.print(f"  {name}: {said}", markup=False, highlight=False)
        if self.confusion is not None:
            console.print("\nTruth in rows, answers in columns")
            console.print(_grid(self.confusion))
        for note in self.notes:
            console.print(f"\nNote: {note}", markup=False, highlight=False, soft_wrap=True)
        return "\n".join(line.rstrip() for line in stream.getvalue().strip("\n").splitlines())


def _numbers(found: Estimate) -> dict[str, float | None]:
    values = {"value": found.value, "low": found.low, "high": found.high}
    return {name: None if math.isnan(value) else float(value) for name, value in values.items()}


def _cells(metric: Metric, compared: bool) -> Sequence[str]:
    found, goal = metric.found, metric.goal
    interval = "" if math.isnan(found.low) else f"{found.low:.3f} to {found.high:.3f}"
    verdict = {True: "yes", False: "NO", None: ""}[goal.met(found.value) if goal else None]
    return [
        f"  {metric.title}",
        str(found.n),
        str(found.groups),
        _plain(found.value),
        interval,
        *([_plain(metric.baseline.value) if metric.baseline else ""] if compared else []),
        str(goal) if goal else "",
        verdict,
    ]


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return "-" if math.isnan(value) else f"{value:.3f}"
    return str(value)


def _grid(confusion: Confusion) -> Table:
    from rich.table import Table

    grid = Table(box=None, pad_edge=False)
    grid.add_column("")
    for label in confusion.answers:
        grid.add_column(label, justify="right", no_wrap=True)
    for label, counts in zip(confusion.truth, confusion.counts.tolist(), strict=True):
        grid.add_row(f"  {label}", *(str(count) for count in counts))
    return grid
