"""The files of a folder as exams: one for each DICOM study, told by headers alone; no picture is read.

Studies, series and patients are told by what a key makes of them (`fetalclip.io.deid.origin`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from fetalclip.io.deid.header import patient_of
from fetalclip.io.deid.key import Key
from fetalclip.io.deid.origin import Origin, header_of, origin_of
from fetalclip.io.dicom import values
from fetalclip.io.dicom.age import scan_day
from fetalclip.result import Study

REST = "rest"


@dataclass(frozen=True)
class _Member:
    """A file, what its header tells (nothing where it is no DICOM), and whether that names a patient."""

    path: Path
    origin: Origin | None
    named: bool
    scanned: date | None


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
        return _Member(path, None, False, None)
    with values.hushed():
        patient, study = patient_of(header.dataset), values.text(header.dataset, "StudyInstanceUID")
        named = patient not in ("", study)  # else nothing but the study tells who it is
        return _Member(path, origin_of(header.dataset, key), named, scan_day(header.dataset))


def _exam(members: Sequence[_Member], study: str, part: str) -> tuple[list[Path], Study]:
    origins = [one.origin for one in members if one.origin is not None]
    series = {name: at for at, name in enumerate(dict.fromkeys(one.series for one in origins if one.series))}
    patients = dict.fromkeys(one.origin.patient for one in members if one.origin is not None and one.named)
    refused = ""
    if len(patients) > 1:
        whose = "this study's" if study else "these"
        refused = f"no exam: the headers of {whose} files name {len(patients)} patients"

    def place(one: _Member) -> tuple[float, float]:
        number = None if one.origin is None else one.origin.number
        at = math.inf if one.origin is None else series.get(one.origin.series, math.inf)
        return at, math.inf if number is None else number

    scans = {str(one.path): one.scanned for one in members if one.scanned is not None}
    first = min(scans.values(), default=None)
    days = {path: (day - first).days for path, day in scans.items() if first is not None}
    who = next(iter(patients), "") if not refused else ""
    return [one.path for one in sorted(members, key=place)], Study(study, who, tuple(series), part, days, refused)
