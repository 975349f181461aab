"""What every reader of a published data set needs: its licence, its folder, its table, its pictures."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fetalclip.data import splits
from fetalclip.data.manifest import Row
from fetalclip.errors import DataMissing


class License(NamedTuple):
    """Licence and citation of a data set."""

    license: str
    citation: str
    url: str


LICENSES: dict[str, License] = {}
"""Licence of each data set by name, filled by the readers (`fetalclip.data.readers`)."""


class PicturesMissing(DataMissing):
    """Pictures that a published table lists are not there; ``names`` are all of them."""

    names: tuple[str, ...] = ()


def again(dataset: str) -> str:
    """What to do about a data set that is not as published."""
    return f"download it again from {LICENSES[dataset].url}"


def placed(dataset: str, path: Path, group: str, side: int | None = None, **facts: Any) -> Row:
    """A row with its place in the frozen split.

    Args:
        dataset: name of the data set.
        path: the picture.
        group: split key.
        side: the published side, 1 training and 0 test, where there is one.
        facts: what else the row has, by the names of `Row`.
    """
    place = splits.lookup(dataset, path.name, group, side)
    return Row(dataset=dataset, path=path, name=path.name, group=group, fold=place.fold, split=place.split, **facts)


def locate(dataset: str, root: str | Path, folders: Sequence[str], needed: Sequence[str]) -> Path:
    """Folder of a data set: ``root`` itself or one of ``folders`` in it, whichever holds all of ``needed``.

    Raises:
        DataMissing: neither does; the message says what was found and where to get the data.
    """
    root = Path(root)
    candidates = [root, *(root / folder for folder in folders)]
    for folder in candidates:
        if all((folder / name).exists() for name in needed):
            return folder
    if not root.is_dir():
        found = f"'{root}' is not a folder"
    else:
        near = next((folder for folder in candidates[1:] if folder.is_dir()), root)
        lacking = ", ".join(name for name in needed if not (near / name).exists())
        found = f"'{near}' has no {lacking}"
    raise DataMissing(
        f"{dataset}: {found}",
        f"a folder '{folders[0]}' with {' and '.join(needed)}, as published",
        f"download it from {LICENSES[dataset].url}, unpack it, and name the folder that holds it",
    )


def read_table(dataset: str, path: Path, columns: Sequence[str], delimiter: str = ",") -> list[dict[str, str]]:
    """Rows of a CSV file, header and values stripped of blanks (the published ``Train `` has one).

    Raises:
        DataMissing: the file cannot be read, has no rows or lacks one of ``columns``.
    """
    fix = again(dataset)
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            lines = [[cell.strip() for cell in line] for line in csv.reader(handle, delimiter=delimiter) if line]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataMissing(f"{dataset}: '{path}' could not be read ({type(error).__name__})", "", fix) from error
    header = lines[0] if lines else []
    lacking = [name for name in columns if name not in header]
    if lacking:
        wanted = f"columns {', '.join(columns)} separated by '{delimiter}'"
        raise DataMissing(f"{dataset}: '{path}' has no column {', '.join(lacking)}", wanted, fix)
    short = next((number for number, line in enumerate(lines, 1) if len(line) < len(header)), None)
    if short is not None:
        raise DataMissing(f"{dataset}: '{path}' is cut short in row {short}", f"{len(header)} cells", fix)
    if len(lines) == 1:
        raise DataMissing(f"{dataset}: '{path}' has a header and no rows", "", fix)
    return [dict(zip(header, line, strict=False)) for line in lines[1:]]


def number(dataset: str, path: Path, line: dict[str, str], column: str) -> float:
    """The cell of ``column`` as a number above zero; raises `DataMissing` naming the column otherwise."""
    try:
        value = float(line[column])
    except ValueError:
        value = float("nan")
    if not 0 < value < float("inf"):
        fix = again(dataset)
        raise DataMissing(f"{dataset}: '{path}' has an unusable '{column}'", "a number above zero", fix)
    return value


def present(dataset: str, rows: list[Row], strict: bool) -> list[Row]:
    """The rows whose picture is there.

    Raises:
        DataMissing: a picture is listed twice, or ``strict`` and some are absent; the message gives
            the count and the first three names.
    """
    names = [row.name for row in rows]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        fix = again(dataset)
        raise DataMissing(f"{dataset}: the table lists '{twice}' twice", "every picture once", fix)
    absent = {row.name for row in rows if not row.path.is_file()}
    if absent and strict:
        names = [row.name for row in rows if row.name in absent]
        error = PicturesMissing(
            f"{dataset}: {len(absent)} of {len(rows)} pictures are missing, first {', '.join(names[:3])}",
            f"every picture of the table in '{rows[0].path.parent}'",
            f"download the set again from {LICENSES[dataset].url}, or read it with strict=False",
        )
        error.names = tuple(names)
        raise error
    return [row for row in rows if row.name not in absent]
