"""A DICOM file on its way in: read within limits and without trust by `fetalclip.io.dicom`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fetalclip.errors import FetalclipError, UnreadableInput
from fetalclip.io.dicom.header import read_header
from fetalclip.io.dicom.read import Opened, open_dicom
from fetalclip.io.formats import HEAD, sniff
from fetalclip.io.quiet import quiet
from fetalclip.io.source import MAX_BYTES, check_regular, refusal, shown


class NotDicom(Exception):
    """The file is of another kind, or only names others (DICOMDIR); not an error of the run."""


def open_source(path: Path) -> Opened:
    """The header of an ultrasound picture or a secondary capture, checked; its pixels are not read yet.

    Raises:
        NotDicom: no DICOM file, or the directory of a disc.
        UnreadableInput: not there, not permitted, damaged, of another SOP class, without pixels.
        InputTooLarge: more bytes or pixels than are read.
    """
    label = shown(str(path))
    try:
        check_regular(str(path), label, MAX_BYTES)
        with path.open("rb") as stream:
            head = stream.read(HEAD)
        if sniff(head) != "DICOM":
            raise NotDicom
        if read_header(lambda: path.open("rb"), label).directory:
            raise NotDicom
        opened = open_dicom(lambda: path.open("rb"), label)
    except (OSError, ValueError) as error:
        raise refusal(error, str(path), label) from None
    if not opened.header.sop_class:
        raise UnreadableInput(f"{label} does not tell what kind of object it is", "a SOP class UID")
    return opened


@contextmanager
def trusting_nothing(label: str) -> Iterator[None]:
    """Turn whatever is raised into an error without a value of the file, and pydicom's warnings into silence."""
    try:
        with quiet():
            yield
    except (FetalclipError, NotDicom):
        raise
    except Exception as error:
        raise UnreadableInput(f"{label} is damaged ({type(error).__name__})", "a whole DICOM file") from None
