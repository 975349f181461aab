"""Data sets as rows: where each picture is, what is known about it, its side of the split. No torch.

>>> rows = read_dataset("hc18", "data")  # doctest: +SKIP
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from fetalclip.data import splits
from fetalclip.data.manifest import Manifest, Problem, Row
from fetalclip.data.published import LICENSES, License
from fetalclip.data.readers import READERS, Reader, head_structures, planes_db
from fetalclip.errors import UsageError

__all__ = [
    "DATASETS",
    "LICENSES",
    "READERS",
    "License",
    "Manifest",
    "Problem",
    "Reader",
    "Row",
    "build_split",
    "read_dataset",
    "split_text",
    "unique",
]

DATASETS: tuple[str, ...] = tuple(READERS)


def read_dataset(name: str, root: str | Path, strict: bool = True) -> list[Row]:
    """Rows of one data set.

    Args:
        name: one of ``DATASETS``.
        root: the data set's own folder, or the one that holds the published folders.
        strict: a missing picture is an error; otherwise its row is left out.

    Raises:
        UsageError: no data set of that name.
        DataMissing: the data is absent or incomplete.
    """
    if name not in READERS:
        raise UsageError(f"There is no data set '{name}'", " or ".join(DATASETS), "one of these names")
    return READERS[name].read(root, strict)


def unique(rows: Iterable[Row]) -> list[Row]:
    """The rows without head-structure copies of pictures that FETAL_PLANES_DB has too (same file name)."""
    rows = list(rows)
    planes = {row.name for row in rows if row.dataset == planes_db.DATASET}
    return [row for row in rows if row.dataset != head_structures.DATASET or row.name not in planes]


def build_split(root: str | Path) -> list[tuple[str, str, str, int, str]]:
    """Lines (data set, file name, group, fold, split) by the rule alone, for the data under ``root``.

    This is how the frozen file was made; on larger copies of the data sets it gives the same folds.

    Raises:
        DataMissing: no data set, or an incomplete one, is under ``root``; the planes table is always needed.
    """
    sides = planes_db.official_train(root)
    lines = []
    for name in DATASETS:
        for row in read_dataset(name, root):
            place = splits.assign(row.group, sides.get(row.group))
            lines.append((row.dataset, row.name, row.group, place.fold, place.split))
    return lines


def split_text(lines: Iterable[tuple[str, str, str, int, str]]) -> str:
    """The lines of a split as CSV text with a header."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(splits.COLUMNS)
    writer.writerows(lines)
    return out.getvalue()
