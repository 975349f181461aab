"""Whose a DICOM file is and to which exam it belongs, told by keys and never by name; from its header alone.

An exam is a study (PS3.3 A.1.2). Patient, study and series come as what a secret key makes of them, the same that
``fetalclip data deid`` writes: under one key a file and its de-identified copy are of the same patient and exam. A
plain hash would not do: patient numbers are short, and all of them can be tried.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fetalclip.errors import FetalclipError
from fetalclip.io.deid.header import patient_of
from fetalclip.io.deid.key import Key
from fetalclip.io.dicom import values
from fetalclip.io.dicom.header import Header, read_header
from fetalclip.io.formats import HEAD, sniff
from fetalclip.io.quiet import quiet
from fetalclip.io.source import check_regular, shown

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


@dataclass(frozen=True)
class Origin:
    """Where a DICOM file belongs.

    Attributes:
        patient: the pseudonym of who is in it; empty where nothing tells.
        named: whether the header names a patient; else at most its study tells who it is.
        study, series: its exam and its part of it, as UIDs; empty where the header does not tell.
        number: its place in the series; None where the header does not tell.
        machine: maker and model, as the header has them.
    """

    patient: str
    named: bool
    study: str
    series: str
    number: int | None
    machine: str


def origin_of(dataset: Dataset, key: Key) -> Origin:
    """Where the file of a header belongs."""
    with quiet():
        study, series = (values.text(dataset, f"{word}InstanceUID") for word in ("Study", "Series"))
        made = (values.text(dataset, word) for word in ("Manufacturer", "ManufacturerModelName"))
        patient = patient_of(dataset)
        return Origin(
            key.pseudonym(patient) if patient else "",
            patient not in ("", study),
            key.uid(study) if study else "",
            key.uid(series) if series else "",
            values.whole(dataset, "InstanceNumber"),
            " ".join(shown(word) for word in made if word),
        )


def header_of(path: Path) -> Header | None:
    """The header of a DICOM file, its pixels not read; None of any other file, of a DICOMDIR, of one that is damaged.

    A file may have any size: a long clip belongs to its exam too. What is wrong with a file is told by who reads its
    picture.
    """
    label = shown(str(path))
    try:
        check_regular(str(path), label, limit=None)
        with path.open("rb") as stream:
            if sniff(stream.read(HEAD)) != "DICOM":
                return None
        header = read_header(lambda: path.open("rb"), label)
    except (OSError, ValueError, FetalclipError):
        return None
    return None if header.directory else header
