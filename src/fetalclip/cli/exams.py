"""Folders as exams: the analyses of each folder's files gathered into what they say together."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from fetalclip.cli.output import printable
from fetalclip.errors import UsageError

if TYPE_CHECKING:
    from fetalclip.clinical.age import IndependentAge
    from fetalclip.result import Analysis, Exam


def walk_exams(folders: Sequence[Path]) -> list[tuple[Path, list[Path]]]:
    """Each folder with its files, in the order in which they are analysed.

    Raises:
        UsageError: a path is no folder, a folder has no file, or two folders share one.
    """
    from fetalclip import io

    found: list[tuple[Path, list[Path]]] = []
    owners: dict[str, Path] = {}
    for folder in folders:
        if not _is_folder(folder):
            what = "a file" if os.path.lexists(folder) else "not there"
            fix = f"fetalclip analyze {printable(folder.parent)} --exam" if what == "a file" else ""
            raise UsageError(f"--exam with {printable(folder)}, which is {what}", "folders, each of one exam", fix)
        files = list(io.walk(folder))
        for file in files:
            owner = owners.setdefault(os.path.join(os.path.realpath(file.parent), file.name), folder)
            if owner is not folder:
                raise UsageError(
                    f"--exam: {printable(owner)} and {printable(folder)} share files",
                    "folders apart from each other, each of one exam",
                )
        found.append((folder, files))
    return found


@dataclass
class Exams:
    """The exams of one run, each made when the last of its files is analysed.

    Attributes:
        folders: each exam's folder with its files, in the order in which their analyses come.
        age: known without the pictures, for centiles; or None.
        done: the exams made so far, in their order.
    """

    folders: Sequence[tuple[Path, Sequence[Path]]] = ()
    age: IndependentAge | None = None
    done: list[Exam] = field(default_factory=list)
    _analyses: list[Analysis] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._waiting = deque((folder, len(files)) for folder, files in self.folders)

    def add(self, analysis: Analysis) -> Exam | None:
        """Take the next analysis; the exam, where that was the last one of its folder."""
        if not self._waiting:
            return None
        folder, count = self._waiting[0]
        self._analyses.append(analysis)
        if len(self._analyses) < count:
            return None
        from fetalclip.exam import gather

        exam = gather(self._analyses, str(folder), self.age)
        self._waiting.popleft()
        self._analyses = []
        self.done.append(exam)
        return exam


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # a loop of links, a name no system allows
        return False
