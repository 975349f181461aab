"""What a de-identified file says of itself: its kind, its pixels, how it was de-identified, its file header."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO

from fetalclip.io.deid.actions import Choices, rules
from fetalclip.io.deid.header import Cleaned
from fetalclip.io.deid.pixels import Form, describe

if TYPE_CHECKING:
    from pathlib import Path

    from pydicom.dataset import Dataset

CODES = {
    "basic": ("113100", "Basic Application Confidentiality Profile"),
    "pixels": ("113101", "Clean Pixel Data Option"),
    "dates": ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    "patient": ("113108", "Retain Patient Characteristics Option"),
    "device": ("113109", "Retain Device Identity Option"),
}
"""De-identification methods (PS3.16, CID 7050)."""


def complete(cleaned: Cleaned, sop_class: str, form: Form, choices: Choices, verified: bool) -> Dataset:
    """The clean header with everything a file of its kind must say but its pixels.

    Args:
        cleaned: the clean header; it is added to.
        sop_class: of the old file, a known one.
        form: of the pixels.
        choices: what was asked for.
        verified: whether the picture may be called free of burned-in annotation, should the check pass.
    """
    from pydicom.dataset import Dataset as New

    from fetalclip import __version__

    new = cleaned.dataset
    new.SpecificCharacterSet = "ISO_IR 192"
    new.SOPClassUID = sop_class
    describe(new, form)
    _derived(new)
    if form.multi:
        for keyword in ("FrameTime", "FrameTimeVector"):
            if keyword in new:
                new.FrameIncrementPointer = new[keyword].tag
                break
    new.PatientIdentityRemoved = "YES"
    new.LongitudinalTemporalInformationModified = "MODIFIED"
    if verified:
        new.BurnedInAnnotation = "NO"
    applied = ["basic", "dates", *(["pixels"] if verified else [])]
    applied += [name for name in ("patient", "device") if getattr(choices, name)]
    new.DeidentificationMethod = [f"fetalclip {__version__}", *(f"{CODES[name][1]}"[:64] for name in applied)]
    new.DeidentificationMethodCodeSequence = []
    for name in applied:
        code = New()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = CODES[name][0], "DCM", CODES[name][1]
        new.DeidentificationMethodCodeSequence.append(code)
    return new


def save(new: Dataset, pixels: BinaryIO, form: Form, path: Path) -> None:
    """Write a data set with its pixels, uncompressed, explicit and little endian; its preamble is zeros."""
    from pydicom import dcmwrite
    from pydicom.dataelem import DataElement
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    new.file_meta = FileMetaDataset()
    new.file_meta.MediaStorageSOPClassUID = new.SOPClassUID
    new.file_meta.MediaStorageSOPInstanceUID = new.SOPInstanceUID
    new.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    new.add(DataElement(0x7FE00010, "OB" if form.dtype.itemsize == 1 else "OW", pixels))
    dcmwrite(path, new, enforce_file_format=True)


def known(new: Dataset, cleaned: Cleaned, choices: Choices) -> set[str]:
    """Values in the file that the standard or this package wrote; none can hold anything of a patient."""
    found = {*rules(choices).public, *cleaned.made} - {""}
    for part, keywords in ((new.file_meta, None), (new, _OURS)):
        for element in part:
            if keywords is None or element.keyword in keywords:
                found |= set(_texts(element.value))
    for item in new.DeidentificationMethodCodeSequence:
        found |= {text for element in item for text in _texts(element.value)}
    return found


def _texts(value: Any) -> list[str]:
    if isinstance(value, bytes):
        return []
    return [str(value)] if isinstance(value, str) or not hasattr(value, "__iter__") else [str(one) for one in value]


def _derived(new: Dataset) -> None:
    """The first word of the image type: pixels were changed (PS3.3, C.7.6.1.1.2)."""
    words = [str(word) for word in _texts(new.get("ImageType") or "") if word]
    rest = [word for word in words if word not in ("ORIGINAL", "DERIVED")]
    new.ImageType = ["DERIVED", *(rest if rest and rest[0] in ("PRIMARY", "SECONDARY") else ["PRIMARY", *rest])]


_OURS = frozenset((
    "SpecificCharacterSet", "SOPClassUID", "PhotometricInterpretation", "PatientIdentityRemoved",
    "DeidentificationMethod", "LongitudinalTemporalInformationModified", "BurnedInAnnotation", "ImageType",
))  # fmt: skip
