"""Readings of the growth charts as text and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from fetalclip.cli.output import Voice, printable, table
from fetalclip.clinical.age import EstimatedAge, age_text, due_date
from fetalclip.clinical.growth import Crossing, Reading, Row

COLUMNS = (
    *("row", "id", "measure", "value", "unit", "ga_days", "reference", "definition", "centile", "z"),
    *("in_range", "chart", "note", "error"),
)
_ROW_HEADER = ("measure", "size", "centile", "z", "3rd", "50th", "97th", "reference", "definition", "")
_AGE_HEADER = ("age from", "reference", "age", "95 % interval", "")


def tell(voice: Voice, reading: Reading, on: date | None = None) -> None:
    """A reading as text: rows, weights, ratios, ages; warnings as talk.

    Args:
        voice: where it goes.
        reading: what the charts said.
        on: the day of the scan: due dates are told too.
    """
    parts = []
    if reading.age is not None:
        head = f"age {age_text(reading.age.days)} ({reading.age.source})"
        due = [] if on is None else [f"due {due_date(on, reading.age.days)}"]
        parts.append([", ".join([head, *due]), *table([_cells(row) for row in reading.rows], _ROW_HEADER)])
    if reading.weights:
        weights = [(one.reference, one.method, f"{grams:.0f} g") for one, grams in reading.weights]
        parts.append(table(weights, ("weight from", "measures", "EFW")))
    if reading.ratios:
        parts.append(["ratios  " + ", ".join(f"{name} {value:.3g}" for name, value in reading.ratios.items())])
    if reading.dating:
        due_on = on if reading.age is None else None
        parts.append(table([_age_cells(one, due_on) for one in reading.dating], _AGE_HEADER))
    for i, part in enumerate(parts):
        for line in ([""] if i else []) + part:
            voice.data(line)
    for warning in reading.warnings:
        voice.talk(f"Warning: {warning}")


def _cells(row: Row) -> tuple[str, ...]:
    def shown(value: float | None, places: int = 1) -> str:
        return "-" if value is None else f"{value:.{places}f}"

    places = 0 if row.size.unit == "g" else 1
    band = (shown(value, places) for value in (row.low, row.median, row.high))
    size = f"{row.size.value:.{places}f} {row.size.unit}"
    measures = (row.size.measure, size, shown(row.centile), shown(row.z, 2), *band)
    return (*measures, row.chart.reference, row.chart.definition, row.note)


def _age_cells(one: EstimatedAge, on: date | None) -> tuple[str, ...]:
    if one.days is None:
        return (one.method, one.reference, "-", "", one.note)
    low, high = (age_text(value) if value is not None else "?" for value in (one.low, one.high))
    interval = "not known" if one.low is None and one.high is None else f"{low} to {high}"
    said = ["equivalent age"] if "median" in one.meaning else []
    said += [] if on is None else [f"due {due_date(on, one.days)}"]
    return (one.method, one.reference, age_text(one.days), interval, ", ".join(said))


def tell_crossings(voice: Voice, found: Sequence[Crossing]) -> None:
    """Crossed centile lines as text."""
    if not found:
        voice.data("no centile line crossed")
        return
    rows = [
        (
            cross.chart.name,
            "down" if cross.falling else "up",
            f"{cross.centile:g}",
            age_text(cross.days),
            " to ".join(age_text(day) for day in cross.between),
        )
        for cross in found
    ]
    for line in table(rows, ("crossing on", "direction", "centile", "at", "between")):
        voice.data(line)


def records(row: int, name: str | None, reading: Reading | None, error: str | None) -> Iterator[str]:
    """Lines of CSV for one row of a table, columns as ``COLUMNS``."""
    if reading is None or not reading.rows:
        note = "" if reading is None else "; ".join(reading.warnings)
        yield _record([row, name, *[None] * 10, note, error])
        return
    for one in reading.rows:
        found = one.to_dict()
        unit = one.size.unit
        value = found["grams"] if unit == "g" else found["mm"]
        keys = ("ga_days", "reference", "definition", "centile", "z", "in_range", "chart", "note")
        yield _record([row, name, found["measure"], value, unit, *(found[key] for key in keys), None])


def _record(cells: Sequence[Any]) -> str:
    line = io.StringIO()
    words = {True: "true", False: "false", None: ""}
    texts = [words[cell] if cell is None or isinstance(cell, bool) else printable(cell) for cell in cells]
    csv.writer(line, lineterminator="").writerow(texts)
    return line.getvalue()
