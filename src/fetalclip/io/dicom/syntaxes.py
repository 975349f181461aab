"""The transfer syntaxes and object classes that are read, by their registered names (DICOM PS3.6)."""

from __future__ import annotations

from dataclasses import dataclass

IMPLICIT = "1.2.840.10008.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
DIRECTORY = "1.2.840.10008.1.3.10"

READABLE_DICOM = "ultrasound or a secondary capture, uncompressed, deflated or compressed by RLE or JPEG of any kind"


@dataclass(frozen=True)
class Syntax:
    """How a file is laid out.

    Attributes:
        name: in words.
        coding: of the pixels: ``native``, ``rle``, ``jpeg``, ``lossless`` (JPEG), ``jpegls`` or ``jpeg2000``; empty
            when they are not read.
        wrapped: whether the pixels lie in fragments.
        implicit: the header does not tell the kind of its values.
        little: little endian.
    """

    name: str
    coding: str
    wrapped: bool = True
    implicit: bool = False
    little: bool = True


SYNTAXES = {
    IMPLICIT: Syntax("implicit little endian", "native", wrapped=False, implicit=True),
    EXPLICIT: Syntax("explicit little endian", "native", wrapped=False),
    "1.2.840.10008.1.2.1.98": Syntax("encapsulated uncompressed", "native"),
    DEFLATED: Syntax("deflated explicit little endian", "native", wrapped=False),
    BIG_ENDIAN: Syntax("explicit big endian", "native", wrapped=False, little=False),
    "1.2.840.10008.1.2.4.50": Syntax("JPEG baseline", "jpeg"),
    "1.2.840.10008.1.2.4.51": Syntax("JPEG extended", "jpeg"),
    "1.2.840.10008.1.2.4.57": Syntax("JPEG lossless", "lossless"),
    "1.2.840.10008.1.2.4.70": Syntax("JPEG lossless, first order", "lossless"),
    "1.2.840.10008.1.2.4.80": Syntax("JPEG-LS lossless", "jpegls"),
    "1.2.840.10008.1.2.4.81": Syntax("JPEG-LS near-lossless", "jpegls"),
    "1.2.840.10008.1.2.4.90": Syntax("JPEG 2000 lossless", "jpeg2000"),
    "1.2.840.10008.1.2.4.91": Syntax("JPEG 2000", "jpeg2000"),
    "1.2.840.10008.1.2.5": Syntax("RLE lossless", "rle"),
}

_MULTI = "multi-frame secondary capture"
CLASSES = {
    "1.2.840.10008.5.1.4.1.1.6.1": "ultrasound image",
    "1.2.840.10008.5.1.4.1.1.6": "ultrasound image (retired class)",
    "1.2.840.10008.5.1.4.1.1.3.1": "ultrasound multi-frame image",
    "1.2.840.10008.5.1.4.1.1.3": "ultrasound multi-frame image (retired class)",
    "1.2.840.10008.5.1.4.1.1.7": "secondary capture",
    "1.2.840.10008.5.1.4.1.1.7.2": f"{_MULTI}, grey of 8 bits",
    "1.2.840.10008.5.1.4.1.1.7.3": f"{_MULTI}, grey of 16 bits",
    "1.2.840.10008.5.1.4.1.1.7.4": f"{_MULTI}, colour",
}
"""Object classes that are read, in words."""


def name_of_uid(uid: str) -> str:
    """The registered name of an identifier; one that is not registered is not repeated, as it could name anybody."""
    from pydicom.uid import UID_dictionary

    return UID_dictionary[uid][0] if uid in UID_dictionary else "one that is not registered"
