"""``fetalclip growth``: sizes against the charts, each answer with its reference. Loads no numpy unless it draws."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fetalclip.cli import files
from fetalclip.cli.output import Voice, json_line, table
from fetalclip.errors import UsageError

if TYPE_CHECKING:
    from fetalclip.cli.growth_rows import Dates

_EXAMPLE = "fetalclip growth HC=175 FL=32 AC=150 --ga 20w3d"


def growth(  # noqa: PLR0913  (one parameter per option)
    sizes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME=MM", help="Sizes in mm: HC, BPD (BPD=47:outer-inner), OFD, AC, FL, HL, TCD, CRL; EFW in g."
        ),
    ] = None,
    ga: Annotated[str | None, typer.Option("--ga", metavar="AGE", help="Age known without this scan: 20w3d.")] = None,
    lmp: Annotated[
        str | None, typer.Option("--lmp", metavar="DATE", help="First day of the last period, 2026-01-31.")
    ] = None,
    edd: Annotated[str | None, typer.Option("--edd", metavar="DATE", help="Due date, 2026-11-07.")] = None,
    on: Annotated[
        str | None, typer.Option("--date", metavar="DATE", help="Day of the scan, with --lmp or --edd (default today).")
    ] = None,
    sex: Annotated[Literal["f", "m"] | None, typer.Option("--sex", help="Adds the charts of that sex.")] = None,
    chart: Annotated[
        str | None,
        typer.Option("--chart", metavar="NAME", help="Only this chart, or family: who, intergrowth, hadlock."),
    ] = None,
    table_file: Annotated[
        Path | None, typer.Option("--table", metavar="F.csv", help="Many cases, one on each line; CSV out.")
    ] = None,
    serial: Annotated[
        Path | None, typer.Option("--serial", metavar="F.csv", help="One fetus, one scan on each line.")
    ] = None,
    draw: Annotated[
        Path | None, typer.Option("--draw", metavar="F", help="Draw on the centile bands: F.png or F.svg.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout, with --table one object a line.")] = False,
    list_charts: Annotated[bool, typer.Option("--charts", help="List the charts and stop.")] = False,
) -> int:
    """Sizes against published growth charts: centile, z-score, age, weight.

    Every chart that has a measure answers, each row with its reference. A centile needs an age known without this
    scan (--ga, --lmp, --edd); without one, the answer is the age that the sizes suggest.
    """
    voice = Voice()
    from fetalclip.cli.growth_rows import Dates, Options

    dates = Dates(ga, lmp, edd, on)
    _check(sizes, dates, (table_file, serial), draw, list_charts)
    if list_charts:
        return _list(voice, as_json)
    if draw is not None:
        files.check_file(draw, "--draw")
    from fetalclip.cli import growth_table

    options = Options(dates, chart, sex, as_json, draw)
    if table_file is not None:
        return growth_table.many(voice, table_file, options)
    if serial is not None:
        return growth_table.one_fetus(voice, serial, options)
    return growth_table.one_case(voice, sizes or [], options)


def _check(
    sizes: list[str] | None, dates: Dates, tables: tuple[Path | None, Path | None], draw: Path | None, listing: bool
) -> None:
    """Everything about the call itself that can be wrong."""
    asked = [name for name, one in (("NAME=MM", sizes), ("--table", tables[0]), ("--serial", tables[1])) if one]
    if listing:
        return
    if not asked:
        raise UsageError("no sizes", "NAME=MM, or --table or --serial with a CSV", _EXAMPLE)
    if len(asked) > 1:
        raise UsageError(f"{' and '.join(asked)} together", "one of them", _EXAMPLE)
    if draw is not None and draw.suffix.lower() not in (".png", ".svg"):
        raise UsageError(f"--draw {draw}", "a file name that ends in .png or .svg", "--draw chart.png")
    if draw is not None and tables[0] is not None:
        raise UsageError("--draw with --table", "one case, or one fetus", "--serial F.csv --draw chart.png")
    if dates.on and dates.ga and tables[0] is None:
        raise UsageError("--date with --ga", "--date goes with --lmp or --edd: --ga already is the age on that day")


def _list(voice: Voice, as_json: bool) -> int:
    from fetalclip.clinical.age import age_text
    from fetalclip.clinical.growth.catalogue import files as chart_files

    found = chart_files()
    if as_json:
        keys = ("name", "reference", "family", "kind", "measure", "sex", "unit", "definition", "weeks", "citation")
        charts = [{"chart": name, **{key: data.get(key) for key in keys}} for name, data in found.items()]
        voice.data(json_line({"schema": "fetalclip.growth-charts/1", "charts": charts}))
        return 0
    kinds = {"age": "age from size", "weight": "weight from sizes"}
    rows = []
    for name, data in found.items():
        weeks = " to ".join(age_text(7 * week) for week in data.get("weeks", ()))
        what = kinds.get(data["kind"], f"{data.get('measure')} for age")
        rows.append((name, what, weeks, f"{data['citation'][:60]}..."))
    for line in table(rows, ("chart", "what", "ages", "citation")):
        voice.data(line)
    return 0
