"""A DICOMDIR: the index of a disc, and which files it names (PS3.3 Annex F, PS3.10 clause 8)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from fetalclip.errors import FetalclipError
from fetalclip.io.dicom import values
from fetalclip.io.dicom.header import read_header
from fetalclip.io.formats import sniff

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

NAME = "DICOMDIR"
MAX_RECORDS = 100_000
"""Most records that are looked at."""


def is_directory(path: Path) -> bool:
    """Whether a file is called DICOMDIR and is one, so that the folder it lies in is what it indexes."""
    return path.name.upper() == NAME and referenced(path) is not None


def referenced(path: Path) -> tuple[list[Path], bool] | None:
    """The pictures that a DICOMDIR names, in its order, and whether it could be followed everywhere.

    Only files below the folder of the DICOMDIR are given, links followed; a name that leads elsewhere is left out and
    makes the answer False. A file that is missing is given as it is, so that reading it gives its error.

    Returns:
        None when the file is no DICOMDIR or cannot be read.
    """
    try:
        with path.open("rb") as file:
            if sniff(file.read(4096)) != "DICOM":
                return None
        header = read_header(lambda: path.open("rb"), path.name)
    except (OSError, ValueError, FetalclipError):
        return None
    if not header.directory:
        return None
    records = values.get(header.dataset, "DirectoryRecordSequence")
    found, whole = dict[Path, None](), True
    for record, _ in zip(records if hasattr(records, "__iter__") else (), range(MAX_RECORDS), strict=False):
        if not hasattr(record, "get_item") or values.text(record, "DirectoryRecordType") != "IMAGE":
            continue
        file_path = _inside(path.parent, record)
        if file_path is None:
            whole = False
        else:
            found.setdefault(file_path)
    return list(found), whole


def _inside(folder: Path, record: Dataset) -> Path | None:
    """The file that a record names; None where the name is none or leads out of the folder."""
    told = values.get(record, "ReferencedFileID")
    parts = [told] if isinstance(told, str) else list(told) if hasattr(told, "__iter__") else []
    names = [str(part).strip(" \0") for part in parts]
    if not names or any(name in ("", ".", "..") or set(name) & set("/\\:\0") for name in names):
        return None
    place = folder
    for name in names:
        place = _entry(place, name)
    root = os.path.realpath(folder)
    real = os.path.realpath(place)
    return place if real.startswith(root.rstrip(os.sep) + os.sep) else None


def _entry(folder: Path, name: str) -> Path:
    """A file or folder by its name, in small letters where it has been copied so."""
    exact = folder / name
    small = folder / name.lower()
    return small if not exact.exists() and small.exists() else exact
