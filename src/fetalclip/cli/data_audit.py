"""``fetalclip data audit``: what is wrong with a data set before anything is trained on it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fetalclip.cli import files
from fetalclip.cli.analyze import load
from fetalclip.cli.options import AsJson
from fetalclip.cli.output import Voice, json_line, plain, printable, table
from fetalclip.errors import InputError, UsageError

if TYPE_CHECKING:
    from fetalclip.data import Row
    from fetalclip.data.audit import Audit
    from fetalclip.data.manifest import Problem
    from fetalclip.report.draw import Thumbnail

_BATCH = 32
_THUMBNAIL = 240  # pixels, the longer side
_AUDITED = ("mixed splits", "picture listed twice")  # flaws of a table that the audit itself reports


def audit(
    manifest: Annotated[
        Path | None, typer.Argument(metavar="PATH", help="A table of pictures, .csv or .parquet.")
    ] = None,
    root: Annotated[
        Path | None, typer.Option("--root", metavar="DIR", help="Instead: the folder of the public data sets.")
    ] = None,
    dataset: Annotated[
        list[str] | None, typer.Option("--dataset", metavar="NAME", help="Of --root: only this set; may be repeated.")
    ] = None,
    embed: Annotated[
        str | None,
        typer.Option("--embed", metavar="M", help="Check labels and likeness too, with embeddings of this model."),
    ] = None,
    report: Annotated[Path | None, typer.Option("--report", metavar="F.html", help="Write a page to look at.")] = None,
    names: Annotated[
        bool, typer.Option("--names", help="Tell file names too; they can hold identifiers of patients.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """What is wrong with a data set: leaks, copies, labels, shortcuts.

    Exit code 1 when a group or a picture stands on the test side and on another, or when a file or row cannot
    be used.
    """
    voice = Voice()
    if (manifest is None) == (root is None) or (manifest is not None and dataset):
        found = "both PATH and --root" if manifest and root else "PATH with --dataset" if dataset else "no PATH"
        raise UsageError(found, "a table, or --root DIR with --dataset NAME", "fetalclip data audit manifest.csv")
    if report is not None:
        files.check_file(report, "--report")
    from fetalclip.data.audit import audit as examine
    from fetalclip.data.audit import with_table

    rows, numbers, refused = _table(manifest) if manifest is not None else _published(root, dataset)
    network = load(embed, voice) if embed is not None else None
    made = examine(
        rows,
        numbers,
        None if network is None else lambda some: _embeddings(network, some, voice),
        lambda looks: voice.progress(looks, len(rows), "audit"),
    )
    made = with_table(made, refused, network.card.name if network is not None else "")
    told = made.to_dict(names)
    if report is not None:
        _save(made, told, report)
    for line in [json_line(told)] if as_json else _summary(told):
        voice.data(line)
    if report is not None:
        voice.talk(f"Page: {printable(report)}")
    return 1 if made.leaking or made.unreadable or made.refused else 0


def _table(path: Path) -> tuple[Sequence[Row], Sequence[int], list[Problem]]:
    """Rows of a table, their numbers, and what its reader refused. Missing pictures are rows: the audit finds them."""
    from fetalclip.data.manifest import Manifest
    from fetalclip.data.table import named_cells

    found = Manifest.from_cells(*named_cells(path), path, path.parent, files=False)
    refused = [p for p in found.refused if p.kind not in _AUDITED]
    if not found.rows:
        raise InputError(
            f"no row of {path} can be used: {'; '.join(map(str, refused[:3]))}", "docs/manifests.md's columns"
        )
    return found.rows, found.numbers, refused


def _published(root: Path | None, wanted: list[str] | None) -> tuple[list[Row], None, list[Problem]]:
    """Rows of the public data sets under a folder; without names, of those that are there."""
    from fetalclip.data import DATASETS, read_dataset
    from fetalclip.errors import DataMissing

    assert root is not None
    rows: list[Row] = []
    for name in dict.fromkeys(wanted or DATASETS):
        try:
            rows += read_dataset(name, root, strict=False)
        except DataMissing:
            if wanted:
                raise
    if not rows:
        raise DataMissing(f"no data set in '{root}'", ", ".join(DATASETS), "fetalclip data get NAME --root DIR")
    return rows, None, []


def _embeddings(network: Any, rows: Sequence[Row], voice: Voice) -> Any:
    """Unit embeddings of rows whose pictures can be read, (n, d)."""
    import numpy as np

    from fetalclip import io

    starts = range(0, len(rows), _BATCH)
    parts = [
        network.encode_image([io.read_at(row.path, row.frame) for row in rows[start : start + _BATCH]])
        for start in voice.progress(starts, len(starts), "embed")
    ]
    return np.concatenate(parts)


def _save(made: Audit, told: dict[str, Any], path: Path) -> None:
    from fetalclip import io
    from fetalclip.data.audit import clean
    from fetalclip.errors import FetalclipError
    from fetalclip.report.audit import audit_page, wanted
    from fetalclip.report.draw import thumbnail
    from fetalclip.report.hidden import without_banner

    places = {(row.dataset, number): row for row, number in zip(made.rows, made.numbers, strict=True)}
    pictures: dict[tuple[str, int], Thumbnail] = {}
    for key in wanted(told):
        try:
            frame = io.read_at(places[key].path, places[key].frame)
            pictures[key] = thumbnail(clean(without_banner(frame)), _THUMBNAIL)
        except FetalclipError:
            continue  # it is among the unreadable
    created = datetime.now().astimezone()
    with files.whole(path, "--report") as part, part.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(audit_page(plain(told), pictures, created))


def _summary(told: dict[str, Any]) -> list[str]:
    """The audit in a few lines."""
    copies, labels = told["duplicates"], told["labels"]
    tests = sum(found["test"] for found in told["leaks"])
    facts = [
        ("pictures", told["rows"]),
        ("unreadable", len(told["unreadable"])),
        ("rows left out", len(told["refused"])),
        ("leaks that touch the test side", tests),
        ("leaks between other sides", len(told["leaks"]) - tests),
        ("groups in two data sets", len(told["groups"]["across_datasets"])),
        ("pictures under two groups", len(told["groups"]["two_names"])),
        ("sets of the same pixels", len(copies["exact"])),
        ("near duplicates", len(copies["near"])),
        ("suspicious labels", len(labels["suspects"]) if labels else "not checked"),
        ("pictures with burned-in marks", told["overlay"]["with_marks"]),
    ]
    lines = table(facts)
    for rule in told["shortcuts"]:
        if rule["flagged"]:
            lines.append(
                f"{printable(rule['dataset'])}: {printable(rule['fact'])} predicts {rule['target']}: "
                f"{rule['accuracy']:.1%}, constant answer {rule['constant']:.1%}"
            )
    return lines + [f"warning: {printable(warning)}" for warning in told["warnings"]]
