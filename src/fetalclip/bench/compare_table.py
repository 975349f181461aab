"""The table of ``bench compare``: rows of models, what is published beside them, and both as text, CSV and Markdown."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fetalclip.bench.table import numbers
from fetalclip.metrics import Estimate

SCHEMA = "fetalclip.compare/1"
MEAN, PLANES_F1, SUBPLANES_F1, AGE = (
    "zero_shot_mean_f1",
    "zero_shot_planes_f1",
    "zero_shot_subplanes_f1",
    "age_valid_rate",
)
PROBE_PLANES, PROBE_SUBPLANES = "probe_planes_f1", "probe_subplanes_f1"
COLUMNS: dict[str, str] = {
    MEAN: "mean F1",
    PLANES_F1: "planes",
    SUBPLANES_F1: "sub-planes",
    AGE: "age valid",
    PROBE_PLANES: "probe planes",
    PROBE_SUBPLANES: "probe sub-planes",
}
_WIDTH = 240  # characters at most; the table takes what it needs
_SEEN = {True: "yes", False: "no", None: "unknown"}
MEANING = (
    "Macro F1 and rates as fractions, 95 % interval by patient in brackets. mean F1: of all plane and sub-plane "
    "classes, prompted. age valid: by the published rule. probe: linear, on frozen features of all training patients. "
    "labels seen: whether the model's training saw labels of this data set's training patients; if so, prompting it "
    "is not zero-shot."
)
OTHER_PICTURES = "published, other pictures"


@dataclass(frozen=True)
class Published:
    """A row as its authors printed it: another selection of pictures and classes, no interval.

    Attributes:
        name: of the model.
        cells: column to value, a fraction.
        note: what else differs.
    """

    name: str
    cells: Mapping[str, float]
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        values = {column: self.cells.get(column) for column in COLUMNS}
        return {
            "name": self.name,
            "cells": values,
            "note": self.note or None,
            "citation": CITATION,
            "of": OTHER_PICTURES,
        }


CITATION = "FetalCLIP, arXiv 2502.14807; npj Digital Medicine 2026, doi 10.1038/s41746-026-02907-9"
# All as that paper, or what its authors have shipped with it, gives them.
PUBLISHED = (
    Published(
        "FetalCLIP",
        {
            MEAN: 0.871,
            PLANES_F1: 0.9727,
            SUBPLANES_F1: 0.7015,
            AGE: 0.8342,
            PROBE_PLANES: 0.9473,
            PROBE_SUBPLANES: 0.8201,
        },
        "five planes with the cervix, six in the probe; sub-planes 0.6929 by its shipped predictions",
    ),
    Published("SonoNet", {MEAN: 0.699}, "supervised; seven of the eight classes"),
    Published("UniMed-CLIP", {MEAN: 0.4950}),
    Published("BiomedCLIP", {MEAN: 0.4657}),
    Published("CLIP", {MEAN: 0.2696, PROBE_PLANES: 0.8674, PROBE_SUBPLANES: 0.6342}, "six planes in the probe"),
)


@dataclass(frozen=True)
class Compared:
    """One model.

    Attributes:
        name, license: of the model.
        seen: whether its training saw labels of the data set; None where that is not known.
        cells: column to score; None where the model cannot answer.
        notes: what a reader must know.
        error: why the model, or a part of it, was not measured; empty for none.
        provenance: hash, engine, width, seconds.
    """

    name: str
    license: str = "unknown"
    seen: bool | None = None
    cells: Mapping[str, Estimate | None] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    error: str = ""
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """Pictures of the first column that was filled."""
        return next((found.n for found in self.cells.values() if found is not None), 0)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form: unrounded; what could not be asked is None."""
        cells = {column: self.cells.get(column) for column in COLUMNS}
        return {
            "name": self.name,
            "license": self.license,
            "labels_seen": self.seen,
            "cells": {
                column: None if found is None else {**numbers(found), "n": found.n, "groups": found.groups}
                for column, found in cells.items()
            },
            "notes": list(self.notes),
            "error": self.error or None,
            "provenance": dict(self.provenance),
        }


@dataclass(frozen=True)
class Comparison:
    """All rows.

    Attributes:
        rows: the measured models, in the order asked.
        provenance: version, split, data, resamples.
        notes: what a reader must know.
    """

    rows: tuple[Compared, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def failed(self) -> list[Compared]:
        """Rows with an error."""
        return [row for row in self.rows if row.error]

    def to_dict(self) -> dict[str, Any]:
        """The JSON form, schema ``fetalclip.compare/1``."""
        return {
            "schema": SCHEMA,
            "columns": dict(COLUMNS),
            "meaning": MEANING,
            "rows": [row.to_dict() for row in self.rows],
            "published": [row.to_dict() for row in PUBLISHED],
            "provenance": dict(self.provenance),
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, pad_edge=False, header_style="bold")
        for i, head in enumerate(HEADS):
            table.add_column(head, justify="left" if i in (0, len(HEADS) - 1) else "right", no_wrap=True)
        for cells in lines(self):
            table.add_row(*(Text(cell) for cell in cells))
        stream = io.StringIO()
        console = Console(file=stream, width=_WIDTH, color_system=None, force_terminal=False)
        console.print(table)
        for line in (MEANING, *self.said()):
            console.print(f"\n{line}", markup=False, highlight=False, soft_wrap=True)
        return "\n".join(line.rstrip() for line in stream.getvalue().strip("\n").splitlines())

    def said(self) -> list[str]:
        """Reasons, notes and the source of the published rows."""
        told = [f"{row.name}: {row.error}" for row in self.failed]
        told += [f"{row.name}: {note}" for row in self.rows for note in row.notes]
        told += [f"{row.name} ({OTHER_PICTURES}): {row.note}" for row in PUBLISHED if row.note]
        return [*told, *(f"Note: {note}" for note in self.notes), f"Published rows: {CITATION}"]


HEADS = ("model", *COLUMNS.values(), "n", "labels seen", "licence")


def lines(found: Comparison) -> list[list[str]]:
    """Every row as cells, the measured ones first, for any kind of table."""
    rows = []
    for row in found.rows:
        cells = ["failed" if row.error and not row.cells else cell(row.cells.get(column)) for column in COLUMNS]
        rows.append([row.name, *cells, str(row.n) if row.n else "", _SEEN[row.seen], row.license])
    for one in PUBLISHED:
        values = [f"{one.cells[column]:.3f}" if column in one.cells else "-" for column in COLUMNS]
        rows.append([f"{one.name} ({OTHER_PICTURES})", *values, "", "", ""])
    return rows


def cell(found: Estimate | None) -> str:
    """A score with its interval; a dash where the model cannot answer."""
    if found is None:
        return "-"
    told = numbers(found)
    if told["value"] is None:
        return "-"
    return f"{found.value:.3f}" + ("" if told["low"] is None else f" [{found.low:.3f}, {found.high:.3f}]")


def as_csv(found: Comparison) -> str:
    """One line for each model: value, low and high of every column, unrounded."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    parts = [(column, part) for column in COLUMNS for part in ("value", "low", "high")]
    tail = ("n", "labels_seen", "license", "source", "error")
    writer.writerow(["model", *(column if part == "value" else f"{column}_{part}" for column, part in parts), *tail])
    told = found.to_dict()
    for row in told["rows"]:
        cells = [(row["cells"][column] or {}).get(part) for column, part in parts]
        n = next((one["n"] for one in row["cells"].values() if one), "")
        seen = _SEEN[row["labels_seen"]]
        writer.writerow(_plain([row["name"], *cells, n, seen, row["license"], "measured", row["error"]]))
    for row in told["published"]:
        cells = [row["cells"][column] if part == "value" else None for column, part in parts]
        writer.writerow(_plain([row["name"], *cells, "", "", "", f"{OTHER_PICTURES}: {CITATION}", ""]))
    return stream.getvalue()


def as_markdown(found: Comparison) -> str:
    """A table and what must be said with it."""
    rows = [list(HEADS), ["---"] * len(HEADS), *lines(found)]
    table = "\n".join("| " + " | ".join(text.replace("|", "\\|") for text in row) + " |" for row in rows)
    return "\n\n".join([table, MEANING, *found.said()]) + "\n"


def _plain(cells: Sequence[Any]) -> list[str]:
    """Cells as text; a name that a spreadsheet would take for a formula is marked as text."""
    words = ["" if one is None else str(one) for one in cells]
    return [f"'{word}" if word[:1] in ("=", "+", "@") else word for word in words]
