"""A table of labels beside an archive: which of its rows are about which file, by path or by the end of one.

Names of DICOM files repeat from folder to folder, so a name that fits several files is refused and never guessed.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from fetalclip.data.columns import COLUMNS, unknown_columns
from fetalclip.data.formats import read_cells
from fetalclip.data.manifest import Problem
from fetalclip.data.table import named_cells
from fetalclip.errors import FetalclipError, UnreadableInput

_PSEUDONYM = re.compile(r"P-[0-9a-f]{24}")
_WRITTEN = {"path", "dataset", "group", "split", "plane"}  # columns that every written manifest has
_DATASETS = {"dicom", "pictures"}


def written_here(table: Path) -> bool:
    """Whether a table is the manifest of an archive, of whatever key, and so no table of labels.

    It has the columns of one, and a pseudonym among its groups or the data sets of an archive alone. False too of a
    table that cannot be read: whoever uses it has the error.
    """
    try:
        header, lines = read_cells(table)
    except FetalclipError:
        return False
    if not set(header) >= _WRITTEN or not lines:
        return False
    named = any(_PSEUDONYM.fullmatch(line["group"]) for line in lines)
    return named or {line["dataset"] for line in lines} <= _DATASETS


class Labels:
    """The rows of a table.

    Args:
        rows: cells that are not empty, ``path`` among them where it was told.
        folder: what its paths are relative to.
    """

    def __init__(self, rows: list[dict[str, str]], folder: Path) -> None:
        self._rows, self._folder = rows, folder
        self._of: dict[str, list[dict[str, str]]] = defaultdict(list)

    @classmethod
    def read(cls, table: Path, folder: Path) -> Labels:
        """A table with the columns of a manifest; ``filename`` and the like may stand for ``path``.

        Raises:
            UsageError, DataMissing, UnreadableInput: it cannot be used.
        """
        header, lines = named_cells(table)
        if wrong := unknown_columns(header):
            raise UnreadableInput(f"'{table}' has unknown columns: {', '.join(wrong)}", ", ".join(COLUMNS))
        if "path" not in header:
            raise UnreadableInput(f"'{table}' has no column 'path' or 'filename'", "one with the files")
        filled = [{name: cell.strip() for name, cell in line.items() if cell.strip()} for line in lines]
        return cls(filled, folder)

    def join(self, files: Iterable[str]) -> list[Problem]:
        """Find the file of each row.

        Args:
            files: paths within the folder, with / between.

        Returns:
            A problem for each row that fits no file, or several.
        """
        names: dict[str, list[str]] = defaultdict(list)
        for file in files:
            names[file.rpartition("/")[2]].append(file)
        problems = []
        for number, row in enumerate(self._rows, 1):
            told = row.get("path", "").replace("\0", "")
            fits = self._fitting(told, names)
            if len(fits) == 1:
                self._of[fits[0]].append({name: cell for name, cell in row.items() if name != "path"})
                continue
            kind = "several files" if fits else "missing file"
            what = f"{len(fits)} files end like this: give more of the path" if fits else "no picture ends like this"
            problems.append(Problem(0, told, kind, f"row {number} of the table: {what}"))
        return problems

    def of(self, file: str) -> list[dict[str, str]]:
        """What the table says of a file: cells that are not empty, of each of its rows."""
        return self._of.get(file, [])

    def _fitting(self, told: str, names: dict[str, list[str]]) -> list[str]:
        """Files of that path; where there is none, those whose path ends with it."""
        if os.path.isabs(told):
            told = os.path.relpath(told, os.path.abspath(self._folder)).replace(os.sep, "/")
        parts = [part for part in told.split("/") if part not in ("", ".")]
        if not parts:
            return []
        close = names.get(parts[-1], [])
        whole = "/".join(parts)
        return [whole] if whole in close else [file for file in close if file.split("/")[-len(parts) :] == parts]
