"""What says how old the fetus is, and the rows of a table of sizes: read, checked, placed in messages."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from fetalclip.cli.output import Voice, printable
from fetalclip.clinical.age import IndependentAge, parse_date
from fetalclip.clinical.growth import MEASURES, Reading, Size, read
from fetalclip.clinical.growth.measures import Measure, parse_number
from fetalclip.errors import BadValue, FetalclipError, UsageError

PLAIN = ("id", "ga", "lmp", "edd", "date", "sex", "bpd_definition")
_HEADER = re.compile(r"(?P<name>[a-z]+)(?:[ _]?\(?(?P<unit>mm|cm|g|kg)\)?)?")
_EXPECTED = "a first line such as id,ga,HC,AC,FL and one line for each scan"
_EXAMPLE = "--ga 20w3d"
_SEXES = {"": None, "f": "f", "m": "m", "female": "f", "male": "m", "girl": "f", "boy": "m"}


@dataclass(frozen=True)
class Dates:
    """What says how old the fetus is, as typed; at most one of the three."""

    ga: str | None
    lmp: str | None
    edd: str | None
    on: str | None


@dataclass(frozen=True)
class Options:
    """What goes with every row."""

    dates: Dates
    chart: str | None
    sex: str | None
    as_json: bool
    draw: Path | None


def known_age(dates: Dates, today: date | None = None) -> tuple[IndependentAge | None, date | None]:
    """The age that the dates say, and the day of the scan where it was said.

    Raises:
        BadValue: no age, no date, or an age that cannot be.
        UsageError: more than one of --ga, --lmp and --edd.
    """
    given = [name for name, text in (("--ga", dates.ga), ("--lmp", dates.lmp), ("--edd", dates.edd)) if text]
    if len(given) > 1:
        raise UsageError(f"{' and '.join(given)} together", "one of them", _EXAMPLE)
    day = parse_date(dates.on, "--date") if dates.on else None
    if dates.ga:
        return IndependentAge.given(dates.ga), day
    on = day or today or date.today()
    if dates.lmp:
        return IndependentAge.from_lmp(parse_date(dates.lmp, "--lmp"), on), on
    if dates.edd:
        return IndependentAge.from_edd(parse_date(dates.edd, "--edd"), on), on
    return None, day


@dataclass(frozen=True)
class Line:
    """One line of a table.

    Attributes:
        row: its number among the rows, from 1.
        where: file, row and line, for messages.
        cells: by header in lower case.
        columns: of the headers, those that are measures, with the unit that the header names.
    """

    row: int
    where: str
    cells: Mapping[str, str]
    columns: Mapping[str, tuple[Measure, str]]

    def cell(self, name: str) -> str | None:
        """What stands in a column; None where it is empty or absent."""
        return self.cells.get(name) or None

    def read(self, options: Options, dating: bool) -> Reading:
        """The reading of this line, with or without the ages that its sizes suggest.

        Raises:
            BadValue: the message names file, row, line and column.
        """
        given = {}
        for header, (measure, unit) in self.columns.items():
            cell = self.cell(header)
            if cell is None:
                continue
            with self._at(header):
                value = parse_number(measure, cell + unit)
            definition = self.cell("bpd_definition") if measure.name == "BPD" else None
            if definition is not None and definition not in measure.definitions:
                with self._at("bpd_definition"):
                    raise BadValue(f"BPD taken {definition!r}", " or ".join(measure.definitions), "outer-inner")
            given[measure.name] = Size(measure.name, value, definition)
        with self._at():
            if not given:
                raise BadValue("no size in this row", "at least one measure", "fill a cell, or remove the row")
            age, _ = known_age(self._dates(options.dates))
            return read(given, age, options.chart, self._sex() or options.sex, dating)

    @contextmanager
    def _at(self, column: str = "") -> Iterator[None]:
        """Puts the place before what is wrong."""
        try:
            yield
        except FetalclipError as error:
            place = f"{self.where}, column {printable(column)}" if column else self.where
            raise BadValue(f"{place}: {error.found}", error.expected, error.fix) from error

    def _dates(self, common: Dates) -> Dates:
        """The row's own age before the one of the whole table; the day of the scan goes with either."""
        on = self.cell("date") or common.on
        own = Dates(self.cell("ga"), self.cell("lmp"), self.cell("edd"), on)
        return own if own.ga or own.lmp or own.edd else replace(common, on=on)

    def _sex(self) -> str | None:
        word = (self.cell("sex") or "").lower()
        if word not in _SEXES:
            raise BadValue(f"the sex {word!r}", "f, m or an empty cell", "f")
        return _SEXES[word]


def lines_of(path: Path, option: str) -> list[Line]:
    """The rows of a CSV file; comma, semicolon or tab, UTF-8. Columns that are unknown are left out, with a warning.

    Raises:
        UsageError: no such file, not text, no measure among the columns, or no rows.
    """
    shown = printable(path)
    text = _text(path, shown, option)
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    header: list[str] = []
    columns: dict[str, tuple[Measure, str]] = {}
    found: list[Line] = []
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if not header:
                header = [cell.strip().lower() for cell in cells]
                columns = _measures(header, shown)
                continue
            where = f"{shown}, row {len(found) + 1} (line {reader.line_num})"
            if len(cells) > len(header):
                raise UsageError(
                    f"{where} has {len(cells)} cells", f"{len(header)}, as in the first line", "remove some"
                )
            words = [cell.strip() if separator == "," else cell.strip().replace(",", ".") for cell in cells]
            found.append(Line(len(found) + 1, where, dict(zip(header, words, strict=False)), columns))
    except csv.Error as error:
        raise UsageError(f"{shown}, line {reader.line_num}: {error}", _EXPECTED) from error
    if not found:
        raise UsageError(f"{shown} has no rows", _EXPECTED, f"{option} scans.csv")
    return found


def _text(path: Path, shown: str, option: str) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{shown} is not UTF-8 text", _EXPECTED, "save it as CSV UTF-8") from error
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "not a usable path"
        raise UsageError(f"{shown} cannot be read: {why}", _EXPECTED, f"{option} scans.csv") from error


def _measures(header: Sequence[str], shown: str) -> dict[str, tuple[Measure, str]]:
    """Of the headers, those that are measures: ``hc``, ``hc_mm``, ``hc (cm)``.

    Raises:
        UsageError: none is, or one is there twice.
    """
    found: dict[str, tuple[Measure, str]] = {}
    skipped = []
    for name in header:
        if name and header.count(name) > 1:
            raise UsageError(f"{shown}: the column {printable(name)} is there twice", _EXPECTED, "remove one")
        match = _HEADER.fullmatch(name)
        measure = MEASURES.get(match["name"].upper()) if match else None
        if match and measure:
            if any(other is measure for other, _ in found.values()):
                raise UsageError(f"{shown}: two columns hold {measure.name}", _EXPECTED, "remove one")
            found[name] = (measure, match["unit"] or "")
        elif name and name not in PLAIN:
            skipped.append(printable(name))
    if not found:
        raise UsageError(f"{shown}: no column is a measure ({', '.join(MEASURES)})", _EXPECTED, "id,ga,HC,AC,FL")
    if skipped:
        Voice().talk(f"Warning: {shown}: columns not used: {', '.join(skipped)}")
    return found
