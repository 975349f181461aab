"""A fetus on the centile bands of its charts: one panel for each measure, the scans as dots, crossings marked."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from fetalclip.clinical.age import age_text
from fetalclip.clinical.growth import MEASURES, Chart, Row, crossings
from fetalclip.clinical.growth.serial import LINES
from fetalclip.report.axes import ticks
from fetalclip.report.pens import Pen, Point, pen
from fetalclip.report.text import sentence

_WIDTH, _HEIGHT, _FOOT = 640, 460, 34  # pixels of a panel; of the foot of the page
_LEFT, _RIGHT, _TOP, _BOTTOM = 66, 54, 62, 50  # pixels around the plot
_ROOM = 14.0  # pixels between two words of a column

_PAPER, _INK, _FAINT, _GRID = (255, 255, 255), (21, 33, 43), (79, 93, 105), (222, 229, 234)
_OUTER, _INNER, _MEDIAN = (226, 239, 241), (196, 222, 226), (11, 102, 116)
_CASE, _MARK = (176, 42, 55), (214, 120, 20)
_BANDS = ((3.0, 97.0, _OUTER), (10.0, 90.0, _INNER))  # centiles


@dataclass(frozen=True)
class Panel:
    """One chart with the rows to draw on it: at least one, each with an age known independently."""

    chart: Chart
    rows: tuple[Row, ...]

    @property
    def visits(self) -> list[Point]:
        """(days, size in the chart's unit), by age."""
        return sorted((float(row.age.days), row.size.value) for row in self.rows if row.age is not None)


@dataclass(frozen=True)
class _Frame:
    """Where a panel's ages (days) and sizes lie on the page."""

    left: float
    top: float
    days: tuple[float, float]
    sizes: tuple[float, float]

    def at(self, days: float, size: float) -> Point:
        """Pixels of an age and a size."""
        across = (days - self.days[0]) / (self.days[1] - self.days[0])
        up = (size - self.sizes[0]) / (self.sizes[1] - self.sizes[0])
        x = self.left + _LEFT + across * (_WIDTH - _LEFT - _RIGHT)
        return x, self.top + _HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM)


def draw_growth(panels: Sequence[Panel], kind: str) -> bytes:
    """The panels as one picture, at most two side by side.

    Args:
        panels: at least one.
        kind: ``png`` or ``svg``.

    Returns:
        The file. It holds no name and no date, only sizes and ages.
    """
    across = min(2, len(panels))
    down = math.ceil(len(panels) / across)
    page = pen(kind, across * _WIDTH, down * _HEIGHT + _FOOT, _PAPER)
    for i, panel in enumerate(panels):
        _draw(page, panel, (i % across) * _WIDTH, (i // across) * _HEIGHT)
    foot = "Research software, not a medical device. Bands: centiles 3 to 97 and 10 to 90; line: median"
    foot += "; triangles: a centile line is crossed." if any(len(panel.rows) > 1 for panel in panels) else "."
    page.text((_LEFT, down * _HEIGHT + _FOOT / 2), foot, 13, _FAINT)
    return page.done()


def _draw(page: Pen, panel: Panel, left: float, top: float) -> None:
    chart = panel.chart
    days = [chart.first_day + (chart.last_day - chart.first_day) * i / 120 for i in range(121)]
    curves = {line: [float(chart.size(day, line)) for day in days] for line in LINES}
    sizes = [*curves[3.0], *curves[97.0], *(size for _, size in panel.visits)]
    ages = [day for day, _ in panel.visits]
    span = (min(chart.first_day, *ages) - 3, max(chart.last_day, *ages) + 3)
    frame = _Frame(left, top, span, (0.7 * min(sizes), 1.03 * max(sizes)))
    _axes(page, chart, frame)
    for low, high, colour in _BANDS:
        edge = list(zip(days, curves[high], strict=True)) + list(zip(days, curves[low], strict=True))[::-1]
        page.area([frame.at(*place) for place in edge], colour)
    for line in LINES:
        places = [frame.at(day, size) for day, size in zip(days, curves[line], strict=True)]
        page.line(places, _MEDIAN, 2.0 if line == 50.0 else 0.8)
    ends = [(frame.at(days[-1], curves[line][-1])[1], f"{line:g}") for line in LINES]
    for y, words in _spread(ends):
        page.text((frame.at(days[-1], 1.0)[0] + 8, y), words, 12, _FAINT)
    _case(page, panel, frame)


def _axes(page: Pen, chart: Chart, frame: _Frame) -> None:
    measure = MEASURES[chart.measure]
    taken = "" if chart.definition in ("outer", "diaphysis", "crown-rump") else f", {chart.definition}"
    page.text((frame.left + _LEFT, frame.top + 24), sentence(f"{chart.name}: {measure.title}"), 18, _INK)
    page.text((frame.left + _LEFT, frame.top + 46), sentence(f"{chart.unit}{taken}, by weeks"), 13, _FAINT)
    for size in ticks(*frame.sizes):
        start, end = frame.at(frame.days[0], size), frame.at(frame.days[1], size)
        page.line([start, end], _GRID, 1.0)
        page.text((start[0] - 8, start[1]), f"{size:g}", 13, _FAINT, "end")
    step = 1 if frame.days[1] - frame.days[0] < 80 else 4
    week = step * math.ceil(frame.days[0] / 7 / step)
    while week * 7 <= frame.days[1]:
        x, y = frame.at(week * 7, frame.sizes[0])
        page.line([(x, y), (x, y + 5)], _FAINT, 1.0)
        page.text((x, y + 18), str(week), 13, _FAINT, "middle")
        week += step
    page.line([frame.at(day, frame.sizes[0]) for day in frame.days], _FAINT, 1.0)


def _case(page: Pen, panel: Panel, frame: _Frame) -> None:
    """The scans, the line between them, and a mark wherever that line crosses a centile line."""
    visits = panel.visits
    for pair in pairwise(visits):
        known = all(panel.chart.holds(day) for day, _ in pair)
        page.line([frame.at(*place) for place in pair], _CASE, 2.0, dashed=not known)
    for cross in crossings(panel.chart, visits):
        x, y = frame.at(cross.days, cross.size)
        tip = 7 if cross.falling else -7
        page.area([(x - 6, y - tip), (x + 6, y - tip), (x, y + tip)], _MARK)
    for place in visits:
        page.dot(frame.at(*place), 6, _CASE, _PAPER)
    corner = frame.at(panel.chart.last_day, frame.sizes[0])  # curves rise: this corner is free
    page.text((corner[0], corner[1] - 20), _said(panel), 14, _CASE, "end")


def _said(panel: Panel) -> str:
    """The last scan in words: its size, and its place among the centiles."""
    row = max(panel.rows, key=lambda one: 0.0 if one.age is None else float(one.age.days))
    value = f"{row.size.value:.0f} g" if row.size.unit == "g" else f"{row.size.value:.1f} mm"
    if row.age is not None:
        value = f"{age_text(row.age.days)}: {value}"
    if row.centile is not None:
        return f"{value}, centile {row.centile:.{0 if 1 <= row.centile <= 99 else 1}f}"
    if row.median is None:
        return f"{value}, outside the chart"
    return f"{value}, {'below centile 1' if row.size.value < row.median else 'above centile 99'}"


def _spread(words: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
    """Words of a column moved apart where they would touch; kept in their order, from the top down."""
    ordered = sorted(words)
    places = [y for y, _ in ordered]
    for _ in range(50):
        for i, (upper, lower) in enumerate(pairwise(places)):
            if lower - upper < _ROOM:
                push = (_ROOM - lower + upper) / 2
                places[i], places[i + 1] = upper - push, lower + push
    return [(y, word) for y, (_, word) in zip(places, ordered, strict=True)]
