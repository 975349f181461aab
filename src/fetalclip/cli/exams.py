"""Folders as exams: the analyses of each exam's files gathered into what they say together."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from fetalclip.cli.ages import OTHER_DAY
from fetalclip.cli.output import Voice, failure, printable
from fetalclip.errors import UsageError

if TYPE_CHECKING:
    from fetalclip.clinical.age import IndependentAge
    from fetalclip.io.deid import Key
    from fetalclip.result import Analysis, Exam, Study


@dataclass(frozen=True)
class ExamFiles:
    """The files of one exam, in the order in which they are analysed.

    Attributes:
        folder: as given.
        files: of the exam; of a folder with several studies not all that it has.
        study: what the headers of its DICOM files say; None where nobody looked.
    """

    folder: Path
    files: Sequence[Path]
    study: Study | None = None


def walk_exams(folders: Sequence[Path]) -> list[tuple[Path, list[Path]]]:
    """Each folder, or the folder that a DICOMDIR indexes, with its files in the order of their paths.

    Raises:
        UsageError: a path is neither, a folder has no file, or two folders share one.
    """
    from fetalclip import io
    from fetalclip.io.dicom.directory import is_directory

    found: list[tuple[Path, list[Path]]] = []
    owners: dict[str, Path] = {}
    for folder in folders:
        if not _is_folder(folder) and not (os.path.isfile(folder) and is_directory(folder)):
            what = "a file" if os.path.lexists(folder) else "not there"
            fix = f"fetalclip analyze {printable(folder.parent)} --exam" if what == "a file" else ""
            raise UsageError(f"--exam with {printable(folder)}, which is {what}", "folders of exams", fix)
        files = list(io.walk(folder))
        for file in files:
            owner = owners.setdefault(os.path.join(os.path.realpath(file.parent), file.name), folder)
            if owner is not folder:
                raise UsageError(
                    f"--exam: {printable(owner)} and {printable(folder)} share files",
                    "folders apart from each other",
                )
        found.append((folder, files))
    return found


def find_exams(folders: Sequence[tuple[Path, Sequence[Path]]], key: Key) -> list[ExamFiles]:
    """The exams of folders with their files: of each one, or one for each DICOM study in it, told by headers alone.

    A study that lies in several folders is an exam in each, and each says so.
    """
    from fetalclip.io.studies import studies

    parts = [(folder, studies(files, key)) for folder, files in folders]
    places = Counter(study.key for _, found in parts for _, study in found if study.key)
    exams = []
    for folder, found in parts:
        for files, study in found:
            if (count := places[study.key]) > 1:
                shared = f"files of its study lie in {count} of the folders, each of which is an exam by itself"
                study = replace(study, warnings=(*study.warnings, shared))
            exams.append(ExamFiles(folder, files, study))
    return exams


@dataclass
class Exams:
    """The exams of one run, each made when the last of its files is analysed.

    Attributes:
        groups: the exams' files, in the order in which their analyses come.
        age: known without the pictures, for centiles; None takes that of the headers.
        done: the exams made so far, in their order.
    """

    groups: Sequence[ExamFiles] = ()
    age: IndependentAge | None = None
    done: list[Exam] = field(default_factory=list)
    _analyses: list[Analysis] = field(default_factory=list)
    _spread: int | None = None

    def __post_init__(self) -> None:
        self._waiting = deque(self.groups)

    @property
    def files(self) -> list[Path]:
        """All files, in their order."""
        return [file for group in self.groups for file in group.files]

    @property
    def spread(self) -> int:
        """Days from the first scan of all exams to the last, which one given age is for."""
        if self._spread is None:
            from fetalclip.exam.dating import spread

            self._spread = spread(group.study for group in self.groups if group.study is not None)
        return self._spread

    @property
    def age_of_files(self) -> IndependentAge | None:
        """The age for the centiles of each file; None takes that of its header, as where the given one is refused."""
        if self.age is None:
            return None
        from fetalclip.exam.dating import refused_age

        return None if refused_age(self.spread) else self.age

    @property
    def refused(self) -> int:
        """How many of the exams made so far say nothing."""
        return sum(bool(exam.refused) for exam in self.done)

    def warned(self, analysis: Analysis) -> Analysis:
        """The next analysis with the warning that its exam will be refused, where it will."""
        study = self._waiting[0].study if self._waiting else None
        if study is None or not study.refused:
            return analysis
        return replace(analysis, warnings=(*analysis.warnings, study.refused))

    def add(self, analysis: Analysis) -> Exam | None:
        """Take the next analysis; the exam, where that was the last one of its files."""
        if not self._waiting:
            return None
        group = self._waiting[0]
        self._analyses.append(analysis)
        if len(self._analyses) < len(group.files):
            return None
        from fetalclip.exam import gather

        exam = gather(self._analyses, str(group.folder), self.age, study=group.study, spread=self.spread)
        if any(OTHER_DAY in one.warnings for one in self._analyses):
            exam = replace(exam, warnings=(*exam.warnings, OTHER_DAY))
        self._waiting.popleft()
        self._analyses = []
        self.done.append(exam)
        return exam


def tell_refused(exam: Exam, voice: Voice) -> None:
    """Say on stderr that an exam was refused."""
    if exam.refused:
        voice.talk(failure(" ".join(filter(None, (exam.path, exam.part))), exam.refused))


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):  # a loop of links, a name no system allows
        return False
