"""One picture of a data set as a `Row`, many as a `Manifest`: typed, validated, read and written."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fetalclip.data.columns import COLUMNS, NO_FOLD, parse, unknown_columns
from fetalclip.data.formats import read_cells, write_cells
from fetalclip.errors import InputError, UnreadableInput


@dataclass(frozen=True)
class Row:
    """One picture: where it is, what is known about it, and on which side of the frozen split it stands.

    ``group`` is the split key: pictures of one group are never in two splits. ``fold`` is 0 to 4, or -1 for
    the published test side of FETAL_PLANES_DB, -3 for none. ``mm_per_pixel`` is per native pixel; ``age_days`` of
    HC18 is the day whose WHO median is that head (`fetalclip.clinical.growth`). ``planes`` are all view labels of a
    picture that has several, ``plane`` the first. ``mask_kind``: see `fetalclip.data.masks`.
    """

    dataset: str
    path: Path
    name: str  # plain file name; of HC18 it betrays the size: never a feature, never a sort order
    group: str  # FPDB:<patient> or HC18:<examination>
    fold: int
    split: str  # train, val, test
    plane: str | None = None
    subplane: str | None = None
    machine: str | None = None
    mm_per_pixel: float | None = None
    hc_mm: float | None = None
    age_days: int | None = None
    planes: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    text: str | None = None
    width: int | None = None  # native pixels
    height: int | None = None
    mask: Path | None = None
    mask_kind: str | None = None
    frame: int | None = None  # which picture of a clip, from 0
    operator: str | None = None  # who held the probe, as the data set names them; never a feature

    @property
    def views(self) -> tuple[str, ...]:
        """All view labels."""
        return self.planes or ((self.plane,) if self.plane else ())


@dataclass(frozen=True)
class Problem:
    """Something wrong in a table.

    Attributes:
        row: number of the row, 1 is the first below the header; 0 for the table as a whole.
        path: the row's picture as the table names it.
        kind: a few words, the same for the same kind of flaw.
        what: what was found.
        repaired: whether the row was mended and kept; otherwise it is refused.
    """

    row: int
    path: str
    kind: str
    what: str
    repaired: bool = False

    def __str__(self) -> str:
        where = f"row {self.row} ({self.path:.120})" if self.row else f"{self.path:.120}" or "the table"
        return f"{where}: {self.kind}: {self.what}"


@dataclass(frozen=True)
class Manifest:
    """A table of pictures, typed and validated; see docs/manifests.md for its columns.

    Attributes:
        rows: the rows that can be used.
        numbers: their row numbers in the table.
        problems: every flaw, those of refused rows too: nothing is left out in silence.
    """

    rows: tuple[Row, ...]
    numbers: tuple[int, ...] = ()
    problems: tuple[Problem, ...] = ()

    @classmethod
    def read(cls, path: str | Path, files: bool = True) -> Manifest:
        """Read and check a ``.csv`` or ``.parquet`` table.

        Args:
            path: the table; paths in it are relative to its folder.
            files: look whether the pictures and masks are there.

        Returns:
            Good rows in table order. Rows of a group that stands in two splits are kept, and each is a problem
            "mixed splits"; `require` refuses them too.

        Raises:
            UsageError, DataMissing, UnreadableInput: the table itself cannot be used: unknown columns, no rows.
        """
        path = Path(path)
        header, lines = read_cells(path)
        return cls.from_cells(header, lines, path, path.parent, files)

    @classmethod
    def from_cells(
        cls, header: list[str], lines: list[dict[str, str]], path: Path, folder: Path, files: bool = True
    ) -> Manifest:
        """The same of cells already read; ``folder`` is what paths are relative to, ``path`` what a message names."""
        if wrong := unknown_columns(header):
            raise UnreadableInput(f"'{path}' has unknown columns: {', '.join(wrong)}", ", ".join(COLUMNS))
        if "path" not in header or not lines:
            raise UnreadableInput(f"'{path}' has no " + ("rows" if "path" in header else "column 'path'"), "pictures")
        rows, numbers, problems = [], [], []
        for number, cells in enumerate(lines, 1):
            row, found = _row(cells, folder, number, files)
            problems += found
            if row is not None:
                rows.append(row)
                numbers.append(number)
        problems += [*_twice(rows, numbers), *_mixed(rows, numbers)]
        return cls(tuple(rows), tuple(numbers), tuple(sorted(problems, key=lambda problem: problem.row)))

    @property
    def refused(self) -> tuple[Problem, ...]:
        """The problems that were not repaired."""
        return tuple(problem for problem in self.problems if not problem.repaired)

    def require(self) -> Manifest:
        """The manifest itself, if nothing in it had to be refused.

        Raises:
            InputError: the count of the flaws and the first five rows.
        """
        if self.refused:
            first = "; ".join(str(problem) for problem in self.refused[:5])
            count = len({problem.row for problem in self.refused})
            raise InputError(f"{count} rows of the manifest cannot be used: {first}", "docs/manifests.md's columns")
        return self

    def usable(self) -> Manifest:
        """Only rows without a flaw that was not repaired: those of mixed groups and second copies are left out too."""
        bad = {problem.row for problem in self.refused}
        kept = [(row, n) for row, n in zip(self.rows, self.numbers, strict=True) if n not in bad]
        return Manifest(tuple(row for row, _ in kept), tuple(n for _, n in kept), self.problems)

    def write(self, path: str | Path) -> None:
        """Write a ``.csv`` or ``.parquet`` table, whole or not at all; paths below its folder become relative.

        Raises:
            UsageError, MissingPackage, OutputError: another suffix, no pyarrow, or no place to write.
        """
        path = Path(path)
        lines = [_cells(row, path.parent.resolve()) for row in self.rows]
        used = [name for name in COLUMNS if name in ("path", "dataset", "group", "split", "plane")]
        used += [name for name in COLUMNS if name not in used and any(line[name] for line in lines)]
        write_cells(path, [name for name in COLUMNS if name in used], lines)


def _row(cells: dict[str, str], folder: Path, number: int, files: bool) -> tuple[Row | None, list[Problem]]:
    """A row, or None where it is refused, and its flaws."""
    values, flaws = parse(cells)
    name = cells.get("path", "").strip().replace("\0", "")
    problems = [Problem(number, name, *flaw) for flaw in flaws]
    for column in ("path", "mask"):
        if column in values:
            values[column] = folder / values[column]
            if files and not _is_file(values[column]):
                problems.append(Problem(number, name, "missing file", f"{column} '{values[column]}'"))
    if any(not problem.repaired for problem in problems):
        return None, problems
    path: Path = values.pop("path")
    planes = values.pop("planes")
    values = {"dataset": "table", "group": path.as_posix(), "split": "", "fold": NO_FOLD, **values}
    return Row(path=path, name=path.name, plane=next(iter(planes), None), planes=planes, **values), problems


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name too long for the file system
        return False


def _twice(rows: list[Row], numbers: list[int]) -> Iterable[Problem]:
    """Second mentions of one picture."""
    first: dict[tuple[Path, int | None], int] = {}
    for row, number in zip(rows, numbers, strict=True):
        seen = first.setdefault((row.path, row.frame), number)
        if seen != number:
            yield Problem(number, row.name, "picture listed twice", f"also in row {seen}")


def _mixed(rows: list[Row], numbers: list[int]) -> Iterable[Problem]:
    """Rows of groups that stand in more than one split."""
    splits: dict[str, set[str]] = {}
    for row in rows:
        splits.setdefault(row.group, set()).add(row.split)
    for row, number in zip(rows, numbers, strict=True):
        if len(splits[row.group]) > 1:
            sides = ", ".join(sorted(side or "no split" for side in splits[row.group]))
            yield Problem(number, row.name, "mixed splits", f"group '{row.group:.80}' stands in {sides}")


def _cells(row: Row, folder: Path) -> dict[str, str]:
    """A row as cells of text; numbers as Python writes them, so that they come back the same."""
    values: dict[str, Any] = {name: getattr(row, name) for name in COLUMNS if name != "plane"}
    values |= {"plane": ";".join(row.views), "findings": ";".join(row.findings)}
    values["fold"] = None if row.fold == NO_FOLD else row.fold
    for name in ("path", "mask"):
        if values[name] is not None:
            whole = Path(os.path.abspath(values[name]))
            values[name] = whole.relative_to(folder) if whole.is_relative_to(folder) else whole
    return {name: "" if value is None else str(value) for name, value in values.items()}
