"""Reader of any folder of pictures with a table: one CSV or Parquet file beside them.

The table has the columns of a manifest, and ``filename`` or ``image`` may stand for ``path``. Groups that have no split
are dealt by the rule of `fetalclip.data.splits`; a picture without a group is a group of its own.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fetalclip.data import splits
from fetalclip.data.formats import Table, read_cells
from fetalclip.data.manifest import Manifest, Problem, Row
from fetalclip.errors import DataMissing

PATH_WORDS = ("path", "filename", "file_name", "image", "file")


def read_folder(folder: str | Path, table: str | Path | None = None) -> Manifest:
    """A folder's pictures and table as a manifest.

    Args:
        folder: holds the pictures, in folders or not.
        table: the table; None takes the only ``.csv`` or ``.parquet`` file in the folder.

    Returns:
        Rows with group, split and fold filled in. Repairs (a group or a split dealt) are problems of kind
        "no group" and "no split", one of each for the whole table.

    Raises:
        DataMissing: no such folder, no table, or more than one.
        UsageError, UnreadableInput: the table cannot be used.
    """
    folder = Path(folder)
    path = Path(table) if table is not None else _only_table(folder)
    return _dealt(Manifest.from_cells(*named_cells(path), path, folder), folder)


def named_cells(path: Path) -> Table:
    """Header and rows of a table whose pictures stand under ``path`` or one of its other words; then under ``path``.

    Raises:
        UsageError, DataMissing, UnreadableInput: see `formats.read_cells`.
    """
    header, lines = read_cells(path)
    word = next((word for word in PATH_WORDS if word in header), "path")
    names = ["path" if name == word else name for name in header]
    return names, [dict(zip(names, line.values(), strict=True)) for line in lines]


def _only_table(folder: Path) -> Path:
    if not folder.is_dir():
        raise DataMissing(f"'{folder}' is not a folder", "a folder of pictures with a table")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in (".csv", ".parquet"))
    if len(found) != 1:
        names = ", ".join(path.name for path in found[:5]) or "none"
        fix = f"fetalclip data manifest '{folder}' --table FILE -o m.csv"
        raise DataMissing(f"'{folder}' has {len(found)} tables ({names})", "one .csv or .parquet file", fix)
    return found[0]


def _dealt(manifest: Manifest, folder: Path) -> Manifest:
    """Groups and splits where the table has none, told."""
    lone = {row.path for row in manifest.rows if row.group == row.path.as_posix()}
    # A group's name must not change with the place the folder lies in: its split hangs on it.
    rows = [
        replace(row, group=row.path.relative_to(folder).as_posix())
        if row.path in lone and row.path.is_relative_to(folder)
        else row
        for row in manifest.rows
    ]
    bare = {row.group for row in rows if not row.split}
    rows = [_place(row) if not row.split else row for row in rows]
    told = []
    if lone:
        what = f"{len(lone)} pictures have no group: each is one of its own, so one patient may stand in two splits"
        told.append(Problem(0, "", "no group", what, repaired=True))
    if bare:
        what = f"{len(bare)} groups have no split: dealt by hash, 3 of 5 train, 1 val, 1 test"
        told.append(Problem(0, "", "no split", what, repaired=True))
    return Manifest(tuple(rows), manifest.numbers, (*told, *manifest.problems))


def _place(row: Row) -> Row:
    fold = splits.fold_of(row.group)
    return replace(row, fold=fold, split={0: "test", 1: "val"}.get(fold, "train"))
