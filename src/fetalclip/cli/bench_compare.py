"""``fetalclip bench compare``: several models in one table, beside what is published."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fetalclip.cli import files
from fetalclip.cli.analyze import load
from fetalclip.cli.bench_run import folder
from fetalclip.cli.options import AsJson, First, ReportFile, Root
from fetalclip.cli.output import Voice, json_line, printable
from fetalclip.errors import UsageError

if TYPE_CHECKING:
    from fetalclip.bench.compare_table import Comparison

ABOUT = """The published comparison table with the models you name, beside the published rows.

A row for each model: prompted planes and sub-planes, gestational age, linear probes, with intervals by patient. A
model is a name, a folder, imagenet, transformers:... or openclip:... One that fails is a row with its reason and does
not stop the others (exit code 1)."""


def compare(
    root: Root = None,
    model: Annotated[
        list[str] | None, typer.Option("--model", metavar="M", help="A name or a folder. Repeatable.")
    ] = None,
    tasks: Annotated[
        str | None,
        typer.Option("--tasks", metavar="LIST", help="By commas: planes, subplanes, age, probe. Default: all."),
    ] = None,
    n: First = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="F", help="Write the table: F.csv or F.md.")
    ] = None,
    report: ReportFile = None,
    as_json: AsJson = False,
) -> int:
    """The command of ``bench compare``."""
    voice = Voice()
    if out is not None and out.suffix.lower() not in (".csv", ".md"):
        raise UsageError(f"-o {out}", "a file name that ends in .csv or .md", "-o comparison.md")
    for path, option in ((out, "-o"), (report, "--report")):
        if path is not None:
            files.check_file(path, option)
    place = folder(root, "--root")
    from fetalclip.bench import compare as bench

    words = bench.TASKS if tasks is None else tuple(word.strip() for word in tasks.split(",") if word.strip())
    names = list(dict.fromkeys(model or ["fetalclip-open"]))

    def ready(name: str) -> Any:
        return load(name, voice)

    found = bench.run(names, ready, place, bench.Options(words, n), lambda line: voice.talk(printable(line)))
    voice.data(json_line(found) if as_json else str(found))
    _write(found, out, report, voice)
    for row in found.failed:
        voice.talk(f"{printable(row.name)}: {printable(row.error)}")
    return 1 if found.failed else 0


def _write(found: Comparison, out: Path | None, report: Path | None, voice: Voice) -> None:
    """The files that were asked for, each whole or not at all."""
    from fetalclip.bench.compare_table import as_csv, as_markdown

    if out is not None:
        text = as_csv(found) if out.suffix.lower() == ".csv" else as_markdown(found)
        with files.whole(out, "-o") as part:
            part.write_text(text, encoding="utf-8")
        voice.talk(f"Written: {printable(out)}")
    if report is not None:
        from datetime import datetime

        from fetalclip.report.compare import compare_page

        with files.whole(report, "--report") as part:
            pieces = compare_page(found.to_dict(), datetime.now().astimezone())
            part.write_text("".join(pieces), encoding="utf-8")
        voice.talk(f"Written: {printable(report)}")
