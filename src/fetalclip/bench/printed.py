"""A protocol's result as text for a terminal."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from fetalclip.bench.table import BenchResult, Confusion, Metric, Subgroup
from fetalclip.metrics import Estimate

if TYPE_CHECKING:
    from rich.table import Table

_WIDTH = 200  # characters at most; the table takes what it needs


def text(result: BenchResult) -> str:
    """All of a result: table, subgroups, what an answer without looking gets, confusion, notes."""
    from rich.console import Console

    stream = io.StringIO()
    console = Console(file=stream, width=_WIDTH, color_system=None, force_terminal=False)
    console.print(main_table(result))
    for by, parts in groupby(result.subgroups, key=lambda part: part.by):
        console.print(f"\nBy {by}", markup=False, highlight=False)
        console.print(_parts(list(parts)))
    if result.null:
        console.print("\nWithout looking")
        for name, values in result.null.items():
            said = ", ".join(f"{key} {plain(value)}" for key, value in values.items())
            console.print(f"  {name}: {said}", markup=False, highlight=False)
    if result.confusion is not None:
        console.print("\nTruth in rows, answers in columns")
        console.print(_grid(result.confusion))
    for note in result.notes:
        console.print(f"\nNote: {note}", markup=False, highlight=False, soft_wrap=True)
    return "\n".join(line.rstrip() for line in stream.getvalue().strip("\n").splitlines())


def main_table(result: BenchResult) -> Table:
    """The metrics as a table for rich; columns for a baseline or a second model only where there is one."""
    from rich.table import Table
    from rich.text import Text

    others = [
        (name, part)
        for name, part in (("supervised", "baseline"), ("versus", "rival"))
        if any(getattr(metric, part) for metric in result.metrics)
    ]
    table = Table(box=None, pad_edge=False, title_justify="left", header_style="bold")
    table.add_column(result.protocol, no_wrap=True)
    for head in ("images", "groups", "value", "95 % interval", *(name for name, _ in others)):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("goal", no_wrap=True)
    table.add_column("met", no_wrap=True)
    for section, members in groupby(result.metrics, key=lambda metric: metric.section):
        table.add_row("")
        table.add_row(Text(section, style="bold"))
        for metric in members:
            table.add_row(*(Text(cell) for cell in _cells(metric, [part for _, part in others])))
    return table


def plain(value: Any, digits: int = 3) -> str:
    """A number as a reader wants it; a dash for NaN."""
    if isinstance(value, float):
        return "-" if math.isnan(value) else f"{value:.{digits}f}"
    return str(value)


def _cells(metric: Metric, others: Sequence[str]) -> Iterator[str]:
    found, goal, digits = metric.found, metric.goal, _digits(metric)
    yield f"  {metric.title}"
    yield str(found.n)
    yield str(found.groups)
    yield plain(found.value, digits)
    yield _interval(found, digits)
    for other in others:
        estimate = getattr(metric, other)
        yield plain(estimate.value, digits) if estimate else ""
    yield str(goal) if goal else ""
    yield {True: "yes", False: "NO", None: ""}[goal.met(found.value) if goal else None]


def _digits(metric: Metric) -> int:
    return 2 if metric.measured_in else 3


def _interval(found: Estimate, digits: int) -> str:
    return "" if math.isnan(found.low) else f"{found.low:.{digits}f} to {found.high:.{digits}f}"


def _parts(parts: Sequence[Subgroup]) -> Table:
    """One line for each part; a value with its interval in one cell."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for head in ("images", "groups", *(metric.title for metric in parts[0].metrics)):
        table.add_column(head, justify="right", no_wrap=True)
    for part in parts:
        first = part.metrics[0].found
        cells = [f"  {part.name}", str(first.n), str(first.groups)]
        for metric in part.metrics:
            digits = _digits(metric)
            interval = _interval(metric.found, digits)
            cells.append(plain(metric.found.value, digits) + (f" ({interval})" if interval else ""))
        table.add_row(*(Text(cell) for cell in cells))
    return table


def _grid(confusion: Confusion) -> Table:
    from rich.table import Table

    grid = Table(box=None, pad_edge=False)
    grid.add_column("")
    for label in confusion.answers:
        grid.add_column(label, justify="right", no_wrap=True)
    for label, counts in zip(confusion.truth, confusion.counts.tolist(), strict=True):
        grid.add_row(f"  {label}", *(str(count) for count in counts))
    return grid
