"""A DICOM file on its way in, read without trust: whatever is wrong with it, the error holds nothing of it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fetalclip.errors import FetalclipError, UnreadableInput
from fetalclip.io.formats import HEAD
from fetalclip.io.source import MAX_BYTES, check_regular, refusal, shown

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

PICTURES = {
    "1.2.840.10008.5.1.4.1.1.6.1": "ultrasound image",
    "1.2.840.10008.5.1.4.1.1.6": "ultrasound image (retired)",
    "1.2.840.10008.5.1.4.1.1.3.1": "ultrasound multi-frame image",
    "1.2.840.10008.5.1.4.1.1.3": "ultrasound multi-frame image (retired)",
    "1.2.840.10008.5.1.4.1.1.7": "secondary capture",
    "1.2.840.10008.5.1.4.1.1.7.2": "multi-frame grey byte secondary capture",
    "1.2.840.10008.5.1.4.1.1.7.3": "multi-frame grey word secondary capture",
    "1.2.840.10008.5.1.4.1.1.7.4": "multi-frame true colour secondary capture",
}
"""SOP classes that are de-identified."""

_DIRECTORY = "1.2.840.10008.1.3.10"
_VRS = {b"UL", b"UI", b"CS", b"SH", b"LO", b"DA"}


class NotDicom(Exception):
    """The file is of another kind; not an error of the run."""


def read_dicom(path: Path) -> FileDataset:
    """The data set of a file, of a SOP class in ``PICTURES``; its values are decoded later, by whoever asks for them.

    Raises:
        NotDicom: no DICOM file, or the directory of a disc.
        UnreadableInput: not there, not permitted, damaged, of another SOP class.
        InputTooLarge: more than 1 GiB.
    """
    label = shown(str(path))
    try:
        check_regular(str(path), label, MAX_BYTES)
        with path.open("rb") as stream:
            head = stream.read(HEAD)
    except (OSError, ValueError) as error:
        raise refusal(error, str(path), label) from None
    bare = head[:2] == b"\x08\0" and head[4:6] in _VRS  # written without a preamble
    if head[128:132] != b"DICM" and not bare:
        raise NotDicom
    from pydicom import dcmread

    with trusting_nothing(label):
        dataset = dcmread(path, force=bare)
        if not hasattr(dataset, "file_meta") or "TransferSyntaxUID" not in dataset.file_meta:
            raise UnreadableInput(f"{label} does not tell its transfer syntax", "a DICOM file with a file header")
        kind = str(dataset.get("SOPClassUID") or dataset.file_meta.get("MediaStorageSOPClassUID") or "")
    if str(dataset.file_meta.get("MediaStorageSOPClassUID", "")) == _DIRECTORY:
        raise NotDicom
    if kind not in PICTURES:
        raise UnreadableInput(f"{label} is {_called(kind)}", "an ultrasound image or a secondary capture")
    return dataset


@contextmanager
def trusting_nothing(label: str) -> Iterator[None]:
    """Turn whatever pydicom raises into an error without a value of the file, and its warnings into silence."""
    import logging

    logger = logging.getLogger("pydicom")
    before, logger.disabled = logger.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (FetalclipError, NotDicom):
        raise
    except Exception as error:
        raise UnreadableInput(f"{label} is damaged ({type(error).__name__})", "a whole DICOM file") from None
    finally:
        logger.disabled = before


def _called(uid: str) -> str:
    """A SOP class in words; a UID that the standard does not list could be anything, and is not repeated."""
    from pydicom.uid import UID

    name = UID(uid).name
    return "of an unknown SOP class" if name == uid or not name else f"of the SOP class {name}"
