"""The files of a folder as exams: one for each DICOM study, told by headers alone; no picture is read.

Studies, series and patients are told by what a key makes of them (`fetalclip.io.deid.origin`).
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from fetalclip.io.deid.key import Key
from fetalclip.io.deid.origin import Origin, header_of, origin_of
from fetalclip.io.dicom import values
from fetalclip.io.dicom.age import day_of, scan_day
from fetalclip.io.quiet import quiet
from fetalclip.result import Study

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

REST = "rest"
_MOST_PEOPLE = 100  # that are told apart: a folder may hold as many as it has files
_MOST_NAME = 1000  # characters of a name that are compared


@dataclass(frozen=True)
class _Who:
    """Whom a header names. It identifies: for comparing alone.

    Attributes:
        key: what a key makes of the Patient ID; empty where there is none.
        birth: the birth date, where it is a date.
        name: the words of each spelling of the name (letters, ideograms, sounds); none where it only repeats the ID.
    """

    key: str
    birth: date | None
    name: tuple[frozenset[str], ...]

    def differs(self, other: _Who) -> bool:
        """Whether two headers cannot be of one person; what one of them does not tell contradicts nothing.

        Names are spelled in many ways: they count only where the IDs and birth dates do not both agree, and differ
        where no word of one is in the other.
        """
        pairs: list[tuple[object, object]] = [(self.key, other.key), (self.birth, other.birth)]
        both = [(one, two) for one, two in pairs if one and two]
        if any(one != two for one, two in both):
            return True
        names = [(one, two) for one, two in zip(self.name, other.name, strict=False) if one and two]
        return len(both) < len(pairs) and bool(names) and not any(one & two for one, two in names)


@dataclass(frozen=True)
class _Member:
    """A file and what its header tells: nothing where it is no DICOM, no ``who`` where it names nobody."""

    path: Path
    origin: Origin | None = None
    who: _Who | None = None
    scanned: date | None = None


def studies(files: Iterable[Path], key: Key) -> list[tuple[list[Path], Study]]:
    """The exams of a folder, in the order in which their studies are met, each with its files and its study.

    Files of one study at most are one exam, those without a study and those that are no DICOM too. Where there are
    several studies, such files are one more exam, ``rest``. The files of an exam come by series, as these are met, and
    by their number in it; those without come after, as they were given. An exam whose headers name several patients is
    refused.

    Args:
        files: of one folder, in their order.
        key: makes the keys of patient, study and series.
    """
    members = [_member(path, key) for path in files]
    found: dict[str, list[_Member]] = {}
    for one in members:
        found.setdefault("" if one.origin is None else one.origin.study, []).append(one)
    rest = found.pop("", [])
    if len(found) < 2:
        return [_exam(members, next(iter(found), ""), "")]
    parts = [_exam(some, study, f"study {at} of {len(found)}") for at, (study, some) in enumerate(found.items(), 1)]
    return parts + ([_exam(rest, "", REST)] if rest else [])


def _member(path: Path, key: Key) -> _Member:
    header = header_of(path)
    if header is None:
        return _Member(path)
    with quiet():
        origin = origin_of(header.dataset, key)
        who = _who(header.dataset, key) if origin.named else None
        return _Member(path, origin, who, scan_day(header.dataset))


def _who(dataset: Dataset, key: Key) -> _Who:
    patient = values.text(dataset, "PatientID")
    name = str(values.get(dataset, "PatientName") or "").strip(" \0")[:_MOST_NAME]
    spellings = () if name == patient else tuple(_words(part) for part in name.split("="))
    return _Who(key.pseudonym(patient) if patient else "", day_of(dataset, "PatientBirthDate"), spellings)


def _words(text: str) -> frozenset[str]:
    """The words of a name without accents, capitals and points."""
    plain = "".join(one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))
    return frozenset(re.findall(r"[^\W_]+", plain.casefold()))


def _people(members: Sequence[_Member]) -> tuple[int, str]:
    """How many patients the headers name, `_MOST_PEOPLE` at most, and the key of one, by Patient ID where told."""
    people: list[list[_Who]] = []
    keys: dict[_Who, str] = {}
    for one in members:
        if one.who is not None and one.origin is not None:
            keys.setdefault(one.who, one.origin.patient)
    for who in keys:
        own = next((some for some in people if not any(map(who.differs, some))), None)
        people.append([who]) if own is None else own.append(who)
        if len(people) == _MOST_PEOPLE:
            break
    first = sorted(keys, key=lambda who: not who.key)
    return len(people), keys[first[0]] if first else ""


def _exam(members: Sequence[_Member], study: str, part: str) -> tuple[list[Path], Study]:
    origins = [one.origin for one in members if one.origin is not None]
    series = {name: at for at, name in enumerate(dict.fromkeys(one.series for one in origins if one.series))}
    people, patient = _people(members)
    refused = ""
    if people > 1:
        whose = "this study's" if study else "these"
        many = f"{people} patients" if people < _MOST_PEOPLE else f"{people} patients or more"
        refused = f"no exam: the headers of {whose} files name {many}"

    def place(one: _Member) -> tuple[float, float]:
        number = None if one.origin is None else one.origin.number
        at = math.inf if one.origin is None else series.get(one.origin.series, math.inf)
        return at, math.inf if number is None else number

    scans = {str(one.path): one.scanned for one in members if one.scanned is not None}
    first = min(scans.values(), default=None)
    days = {path: (day - first).days for path, day in scans.items() if first is not None}
    who = "" if refused else patient
    told = Study(study, who, tuple(series), part, days, refused, first=first)
    return [one.path for one in sorted(members, key=place)], told
