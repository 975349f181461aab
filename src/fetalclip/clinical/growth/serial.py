"""One fetus measured again and again: where its trajectory crosses the chart's centile lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from fetalclip.clinical.growth.charts import Chart

LINES = (3.0, 10.0, 50.0, 90.0, 97.0)  # centiles, as drawn
Visit = tuple[float, float]  # days, size


@dataclass(frozen=True)
class Crossing:
    """The straight line between two visits meets a centile line.

    Attributes:
        chart: which chart.
        centile: which line.
        days, size: where it meets.
        falling: towards smaller for its age.
        between: ages of the two visits, days.
    """

    chart: Chart
    centile: float
    days: float
    size: float
    falling: bool
    between: tuple[float, float]

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "measure": self.chart.measure,
            "chart": self.chart.id,
            "centile": self.centile,
            "direction": "down" if self.falling else "up",
            "ga_days": round(self.days, 1),
            "size": round(self.size, 1),
            "between": list(self.between),
        }


def crossings(chart: Chart, visits: Sequence[Visit], lines: Sequence[float] = LINES) -> list[Crossing]:
    """Every centile line crossed between one visit and the next, in the order of age.

    A visit on a line counts as crossed only when the next lies on the other side of where it came from. Visits
    outside the chart's ages are left out: nothing is known there.
    """
    inside = sorted((days, size) for days, size in visits if chart.holds(days))
    found = []
    for first, second in pairwise(inside):
        for line in lines:
            if crossed := _meet(chart, line, first, second):
                found.append(crossed)
    return sorted(found, key=lambda one: one.days)


def _meet(chart: Chart, line: float, first: Visit, second: Visit) -> Crossing | None:
    def above(share: float) -> float:
        """How far the trajectory lies above the line, at a share of the way."""
        days = first[0] + share * (second[0] - first[0])
        return first[1] + share * (second[1] - first[1]) - float(chart.size(days, line))

    start, end = above(0.0), above(1.0)
    if (start >= 0) == (end >= 0) or first[0] == second[0]:
        return None
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        if (above(middle) >= 0) == (start >= 0):
            low = middle
        else:
            high = middle
    days = first[0] + high * (second[0] - first[0])
    size = first[1] + high * (second[1] - first[1])
    return Crossing(chart, line, days, size, start >= 0, (first[0], second[0]))
