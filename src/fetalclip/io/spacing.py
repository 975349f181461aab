"""The table behind ``--spacing-csv``: mm per pixel of each file, by its base name."""

from __future__ import annotations

import csv
import io
import math
import os
from dataclasses import dataclass
from pathlib import Path

from fetalclip.errors import UsageError
from fetalclip.io.source import shown

_EXPECTED = "a CSV table with the columns filename and mm_per_pixel (or mm_per_pixel_x and mm_per_pixel_y)"
_FIX = "a first line filename,mm_per_pixel and then one line for each file, such as head.png,0.07"
_SINGLE = ("mm_per_pixel", "pixel size(mm)")  # ours; the published header of HC18
_PAIR = ("mm_per_pixel_x", "mm_per_pixel_y")

Spacing = tuple[float, float]


@dataclass(frozen=True)
class _Layout:
    """Which columns hold what: indices and, for messages, the headers."""

    filename: int
    x: int
    y: int
    headers: tuple[str, ...]
    decimal_comma: bool


def read_spacing_table(path: str | os.PathLike[str]) -> dict[str, Spacing]:
    """mm per native pixel of each file named in a table.

    Columns ``filename`` and ``mm_per_pixel``, or HC18's ``pixel size(mm)``, or ``mm_per_pixel_x`` and
    ``mm_per_pixel_y`` (which win when both forms are there); upper and lower case are alike, other columns
    are ignored. Separated by comma, semicolon or tab; UTF-8 with or without a byte-order mark; with a
    semicolon or a tab a decimal comma is understood. A row whose spacing cells are all empty says nothing
    about its file and is skipped.

    Returns:
        {base name: (x, y)}: folders in ``filename`` are dropped.

    Raises:
        UsageError: no such table, a column is missing, a value is not a positive number, or a file is named
            twice with different values. The message names the line and the column.
    """
    name = shown(os.fspath(path))
    text = _text(Path(path), name)
    separator = _separator(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    table: dict[str, Spacing] = {}
    lines: dict[str, int] = {}
    layout: _Layout | None = None
    try:
        for row in reader:
            where = f"{name}, line {reader.line_num}"
            if not any(cell.strip() for cell in row):
                continue
            if layout is None:
                layout = _layout(row, separator, where)
                continue
            file, spacing = _row(row, layout, where)
            if spacing is None:
                continue
            before = table.setdefault(file, spacing)
            first = lines.setdefault(file, reader.line_num)
            if not all(math.isclose(a, b, rel_tol=1e-6) for a, b in zip(before, spacing, strict=True)):
                raise UsageError(
                    f"{where}, column {layout.headers[layout.x]}: {shown(file)} has another spacing than in "
                    f"line {first}",
                    "one spacing for each base name",
                    "remove one of the two lines",
                )
    except csv.Error as error:
        raise UsageError(f"{name}, line {reader.line_num}: {error}", _EXPECTED, _FIX) from error
    if layout is None:
        raise UsageError(f"{name} has no lines", _EXPECTED, _FIX)
    return table


def _text(path: Path, name: str) -> str:
    try:
        if path.exists() and not path.is_file():
            raise UsageError(f"{name} is not a file", _EXPECTED, "--spacing-csv FILE.csv")
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise UsageError(f"there is no table {name}", _EXPECTED, "--spacing-csv FILE.csv") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not a usable path"
        raise UsageError(f"{name} cannot be read: {reason}", _EXPECTED, "--spacing-csv FILE.csv") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{name}, line {line} is not UTF-8 text", _EXPECTED, "save it as CSV UTF-8") from error


def _separator(text: str) -> str:
    header = next((line for line in text.splitlines() if line.strip()), "")
    return max(",;\t", key=header.count)  # the first of those that are as frequent


def _layout(row: list[str], separator: str, where: str) -> _Layout:
    headers = tuple(cell.strip() for cell in row)
    known = [header.lower() for header in headers]
    for wanted in ("filename", *_SINGLE, *_PAIR):
        if known.count(wanted) > 1:
            raise UsageError(f"{where}: the column {wanted} is there twice", _EXPECTED, "remove one")
    if "filename" not in known:
        raise UsageError(f"{where}: there is no column filename", _EXPECTED, _FIX)
    present = [column for column in _SINGLE if column in known]
    halves = [column for column in _PAIR if column in known]
    if len(halves) == 2:
        x, y = (known.index(column) for column in _PAIR)
    elif len(present) == 1 and not halves:
        x = y = known.index(present[0])
    elif halves and not present:
        missing = next(column for column in _PAIR if column not in known)
        raise UsageError(f"{where}: there is {halves[0]} but no column {missing}", _EXPECTED, _FIX)
    elif present:
        raise UsageError(f"{where}: the spacing is there twice ({', '.join(present + halves)})", _EXPECTED, _FIX)
    else:
        raise UsageError(f"{where}: there is no column mm_per_pixel", _EXPECTED, _FIX)
    return _Layout(known.index("filename"), x, y, headers, separator != ",")


def _row(row: list[str], layout: _Layout, where: str) -> tuple[str, Spacing | None]:
    def cell(column: int) -> str:
        if column >= len(row):
            raise UsageError(
                f"{where}, column {shown(layout.headers[column])}: the line ends before it",
                f"{len(layout.headers)} columns as in the first line",
                _FIX,
            )
        return row[column].strip()

    file = cell(layout.filename).replace("\\", "/").rsplit("/", 1)[-1]
    cells = {column: cell(column) for column in (layout.x, layout.y)}
    if not file:
        raise UsageError(f"{where}, column {layout.headers[layout.filename]}: it names no file", "a file name", _FIX)
    if not any(cells.values()):
        return file, None
    x, y = (_number(cells[column], column, layout, where) for column in (layout.x, layout.y))
    return file, (x, y)


def _number(cell: str, column: int, layout: _Layout, where: str) -> float:
    try:
        value = float(cell.replace(",", ".") if layout.decimal_comma else cell)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value > 0):
        raise UsageError(
            f"{where}, column {shown(layout.headers[column])}: {shown(cell)[:40]!r} is not a spacing",
            "a positive number, mm per pixel",
            "0.07, or an empty cell when it is not known",
        )
    return value
