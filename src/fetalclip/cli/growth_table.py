"""``fetalclip growth`` on one case, on many (``--table``), on one fetus again and again (``--serial``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fetalclip.cli import files
from fetalclip.cli.growth_rows import Options, known_age, lines_of
from fetalclip.cli.growth_text import COLUMNS, records, tell, tell_crossings
from fetalclip.cli.output import Voice, json_line, printable
from fetalclip.clinical.age import due_date
from fetalclip.clinical.growth import Reading, Row, crossings, parse_size, read
from fetalclip.clinical.growth.catalogue import check_name
from fetalclip.errors import BadValue, FetalclipError

if TYPE_CHECKING:
    from fetalclip.report.growth import Panel

SCHEMA = "fetalclip.growth/1"


def one_case(voice: Voice, sizes: Sequence[str], options: Options) -> int:
    """Sizes from the command line.

    Raises:
        BadValue: a size, age or chart that cannot be meant; a measure given twice.
    """
    given = {}
    for text in sizes:
        size = parse_size(text)
        if size.measure in given:
            raise BadValue(f"{size.measure} is given twice", "each measure once", f"{size.measure}={size.value:g}")
        given[size.measure] = size
    age, on = known_age(options.dates)
    reading = read(given, age, options.chart, options.sex)
    if options.draw is not None:
        draw_panels(options.draw, panels_of([reading]))
        voice.talk(f"Drawn: {printable(options.draw)}")
    if options.as_json:
        voice.data(json_line({"schema": SCHEMA, **_with_due_dates(reading, on)}))
    else:
        tell(voice, reading, on)
    return 0


def _with_due_dates(reading: Reading, on: date | None) -> dict[str, Any]:
    """The JSON form with a due date for every age, where the day of the scan is known."""
    body = reading.to_dict()
    if body["age"] is not None:
        body["age"]["due_date"] = None if on is None else due_date(on, body["age"]["days"])
    for one in body["dating"]:
        one["due_date"] = None if on is None or one["days"] is None else due_date(on, one["days"])
    return body


def many(voice: Voice, path: Path, options: Options) -> int:
    """Every row of a table; a bad row is told, has its ``error``, and does not stop the others (exit code 1)."""
    check_name(options.chart)
    lines = list(lines_of(path, "--table"))
    failed = 0
    if not options.as_json:
        voice.data(",".join(COLUMNS))
    for line in lines:
        name = line.cells.get("id") or None
        try:
            reading, error = line.read(options, dating=options.as_json), None
        except FetalclipError as problem:
            reading, error = None, str(problem)
            failed += 1
            voice.talk(f"Error: {printable(error)}")
        if options.as_json:
            empty: dict[str, Any] = {"rows": [], "age": None, "dating": [], "efw": [], "ratios": {}, "warnings": []}
            body = empty if reading is None else reading.to_dict()
            voice.data(json_line({"schema": SCHEMA, "row": line.row, "id": name, **body, "error": error}))
        else:
            for record in records(line.row, name, reading, error):
                voice.data(record)
    if failed:
        voice.talk(f"{failed} of {len(lines)} rows could not be read.")
    return 1 if failed else 0


def one_fetus(voice: Voice, path: Path, options: Options) -> int:
    """The scans of one fetus: a reading each, and where the trajectory crosses centile lines.

    Raises:
        BadValue: a row that cannot be read; a trajectory with a hole would mislead.
    """
    readings = []
    for line in lines_of(path, "--serial"):
        reading = line.read(options, dating=False)
        if reading.age is None:
            fix = "a column ga, or a column date with --lmp or --edd"
            raise BadValue(f"{line.where}: the scan has no age", "an age known without the scans", fix)
        readings.append((line, reading))
    readings.sort(key=lambda pair: float(pair[1].age.days if pair[1].age else 0))
    panels = panels_of([reading for _, reading in readings])
    found = [(panel, cross) for panel in panels for cross in crossings(panel.chart, panel.visits)]
    if options.draw is not None:
        draw_panels(options.draw, panels)
        voice.talk(f"Drawn: {printable(options.draw)}")
    if options.as_json:
        rows = [{"visit": line.row, **row.to_dict()} for line, reading in readings for row in reading.rows]
        warnings = list(dict.fromkeys(warning for _, reading in readings for warning in reading.warnings))
        body = {"schema": SCHEMA, "rows": rows, "crossings": [cross.to_dict() for _, cross in found]}
        voice.data(json_line({**body, "warnings": warnings}))
        return 0
    for _, reading in readings:
        tell(voice, replace(reading, dating=(), weights=(), ratios={}, warnings=()))
        voice.data("")
    tell_crossings(voice, [cross for _, cross in found])
    return 0


def panels_of(readings: Sequence[Reading]) -> list[Panel]:
    """Every chart with the sizes of all readings, in the order of the rows.

    Raises:
        BadValue: there is no age to draw at.
    """
    from fetalclip.report.growth import Panel

    rows: dict[str, list[Row]] = {}
    for reading in readings:
        for row in reading.rows:
            if row.age is not None and row.chart.takes(row.size.definition):
                rows.setdefault(row.chart.id, []).append(row)
    if not rows:
        raise BadValue("nothing to draw", "sizes with an age known without the scan", "--ga 20w3d")
    return [Panel(found[0].chart, tuple(found)) for found in rows.values()]


def draw_panels(path: Path, panels: Sequence[Panel]) -> None:
    """Draw the first chart of each measure to a PNG or SVG file, whole or not at all."""
    from fetalclip.report.growth import draw_growth

    first = {panel.chart.measure: panel for panel in reversed(panels)}
    drawn = [panel for panel in panels if panel is first[panel.chart.measure]]
    picture = draw_growth(drawn, path.suffix.lower().removeprefix("."))
    with files.whole(path, "--draw") as temporary:
        temporary.write_bytes(picture)
