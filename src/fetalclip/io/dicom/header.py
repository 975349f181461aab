"""The header of a DICOM file, up to its pixels: parsed by pydicom, within limits, from a file nobody trusts."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO

from fetalclip.errors import InputTooLarge, UnreadableInput
from fetalclip.io.dicom import values
from fetalclip.io.dicom.syntaxes import (
    BIG_ENDIAN,
    CLASSES,
    DEFLATED,
    DIRECTORY,
    EXPLICIT,
    IMPLICIT,
    READABLE_DICOM,
    SYNTAXES,
    Syntax,
    name_of_uid,
)
from fetalclip.io.quiet import quiet

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Opener = Callable[[], BinaryIO]

MAX_HEADER = 1 << 26
MAX_READS = 600_000
"""Most bytes (64 MiB) of a header, and most steps of reading it."""

MAX_VALUE = 1 << 20
"""A value of the header with more bytes is passed over."""

MAX_INFLATED = 1 << 27
"""Most bytes (128 MiB) that a deflated file may have when inflated."""

_PIXELS = frozenset((0x7FE00008, 0x7FE00009, 0x7FE00010))  # as float, as double, as integers
_UNDEFINED = 0xFFFFFFFF
_LONG = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV")


@dataclass(frozen=True)
class Header:
    """A parsed header.

    Attributes:
        dataset: everything before the pixels.
        uid, syntax: the transfer syntax.
        sop_class: the identifier of the object's class, empty when the file does not tell.
        begin: opens the bytes the places below count in.
        start: where the value of the pixel data begins, bytes; 0 when the file has no pixels.
        length: bytes of the value; None when they lie in fragments.
        words: whether the pixels are stored as 16-bit words (OW).
        label: what the file is called in a message.
    """

    dataset: Dataset
    uid: str
    syntax: Syntax
    sop_class: str
    begin: Opener
    start: int
    length: int | None
    words: bool
    label: str

    @property
    def directory(self) -> bool:
        """Whether the file is a DICOMDIR, which only names others."""
        return self.sop_class == DIRECTORY


class Guarded:
    """A file of which only so much is read: no more bytes and no more steps than a header has.

    Raises:
        InputTooLarge: while reading, when it is more.
    """

    def __init__(self, file: BinaryIO, label: str) -> None:
        self._file, self._label = file, label
        self._size = file.seek(0, os.SEEK_END)
        file.seek(0)
        self._bytes, self._steps = MAX_HEADER, MAX_READS

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes; no room is made for more than there are."""
        rest = max(0, self._size - self._file.tell())
        size = rest if size < 0 else min(size, rest)
        self._bytes -= size
        self._steps -= 1
        if self._bytes < 0 or self._steps < 0:
            raise InputTooLarge(
                f"the header of {self._label} is larger than that of any picture", READABLE_DICOM, "export it again"
            )
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        """As of a file."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """As of a file."""
        return self._file.tell()


def read_header(begin: Opener, label: str) -> Header:
    """Parse the header of a DICOM file.

    Args:
        begin: opens its bytes.
        label: what it is called in a message.

    Raises:
        UnreadableInput: damaged before its pixels, or nested too deeply.
        InputTooLarge: a header of more than 64 MiB or of very many values, a deflated file that inflates to more
            than 128 MiB.
        OSError: it cannot be opened.
    """
    with begin() as file:
        try:
            with quiet():
                return _read(file, begin, label)
        except (InputTooLarge, UnreadableInput):
            raise
        except Exception as error:  # pydicom raises what it likes, with values of the header in its texts
            if _nested(error):
                raise UnreadableInput(
                    f"the header of {label} is nested too deeply", READABLE_DICOM, "export it again"
                ) from None
            raise damaged(label) from None


def _nested(error: BaseException | None) -> bool:
    """Whether the stack ran out: pydicom takes some of its ends for the end of the file and raises another error."""
    while error is not None and not isinstance(error, RecursionError):
        error = error.__context__
    return error is not None


def damaged(label: str) -> UnreadableInput:
    """The one message for a file that breaks off or is not as it says."""
    return UnreadableInput(f"{label} starts like DICOM but is truncated or damaged", READABLE_DICOM, "copy it again")


def check_class(header: Header) -> None:
    """Refuse what is not an ultrasound picture or a secondary capture.

    Raises:
        UnreadableInput: another class of object, named; or a DICOMDIR.
    """
    if header.directory:
        raise UnreadableInput(
            f"{header.label} is a DICOM directory: it names files and holds no picture, and it or some of the files"
            " it names cannot be read",
            READABLE_DICOM,
            "fetalclip analyze FOLDER, the folder it lies in",
        )
    if header.sop_class and header.sop_class not in CLASSES:
        raise UnreadableInput(
            f"{header.label} is a DICOM object of another kind: {name_of_uid(header.sop_class)}",
            READABLE_DICOM,
            "leave it out",
        )


def _read(file: BinaryIO, begin: Opener, label: str) -> Header:
    guarded = Guarded(file, label)
    guarded.seek(132 if _prefixed(guarded) else 0)
    meta = _part(guarded, True, False, lambda tag: tag >> 16 != 2)
    uid = values.text(meta, "TransferSyntaxUID")
    if uid != DEFLATED:
        return _header(guarded, meta, uid, begin, label)
    data = _inflated(file, guarded.tell(), label)
    return _header(Guarded(BytesIO(data), label), meta, uid, lambda: BytesIO(data), label)


def _prefixed(guarded: Guarded) -> bool:
    head = guarded.read(132)
    return head[128:] == b"DICM"


def _part(guarded: Guarded, little: bool, implicit: bool, stop: Callable[[int], bool]) -> Dataset:
    """The values up to the first whose tag is to stop at; the file stands at its start then."""
    from pydicom.filereader import read_dataset

    return read_dataset(
        guarded,  # type: ignore[arg-type]  # all that pydicom asks of a file
        implicit,
        little,
        stop_when=lambda tag, vr, length: stop(int(tag)),
        defer_size=MAX_VALUE,
    )


def _header(guarded: Guarded, meta: Dataset, uid: str, begin: Opener, label: str) -> Header:
    uid = uid or _guessed(guarded)
    syntax = SYNTAXES.get(uid) or Syntax(name_of_uid(uid), "")
    dataset = _part(guarded, syntax.little, syntax.implicit, lambda tag: tag in _PIXELS)
    sop_class = values.text(dataset, "SOPClassUID") or values.text(meta, "MediaStorageSOPClassUID")
    start, length, words = _pixels(guarded, syntax, label)
    return Header(dataset, uid, syntax, sop_class, begin, start, length, words, label)


def _guessed(guarded: Guarded) -> str:
    """The transfer syntax of a file that does not tell, from its first value."""
    place = guarded.tell()
    first = guarded.read(6)
    guarded.seek(place)
    if len(first) < 6 or not first[4:6].isalpha() or not first[4:6].isupper():
        return IMPLICIT
    return BIG_ENDIAN if first[0] == 0 and first[1] else EXPLICIT


def _pixels(guarded: Guarded, syntax: Syntax, label: str) -> tuple[int, int | None, bool]:
    """Place and length of the pixel data whose tag comes next, and whether they are words."""
    order = "<" if syntax.little else ">"
    head = guarded.read(8)
    if len(head) < 8:
        return 0, 0, False
    group, element = struct.unpack(f"{order}HH", head[:4])
    if group << 16 | element in (0x7FE00008, 0x7FE00009):
        raise UnreadableInput(f"{label} holds numbers with fractions and no picture", READABLE_DICOM, "leave it out")
    if group << 16 | element != 0x7FE00010:
        return 0, 0, False
    kind = head[4:6]
    if syntax.implicit or not (kind.isalpha() and kind.isupper()):
        (length,), kind = struct.unpack(f"{order}L", head[4:8]), b"OW"
    elif kind in _LONG:
        (length,) = struct.unpack(f"{order}L", guarded.read(4))
    else:
        (length,) = struct.unpack(f"{order}H", head[6:8])
    return guarded.tell(), None if length == _UNDEFINED else length, kind == b"OW"


def _inflated(file: BinaryIO, place: int, label: str) -> bytes:
    """The rest of a deflated file (PS3.5 A.5), within limits."""
    file.seek(place)
    inflate = zlib.decompressobj(-zlib.MAX_WBITS)
    parts, left = [], MAX_INFLATED
    while left > 0 and not inflate.eof:  # at its end it would keep what is left over, for ever
        piece = inflate.unconsumed_tail or file.read(1 << 16)
        try:
            part = inflate.decompress(piece, min(left, 1 << 20))
        except zlib.error:
            raise damaged(label) from None
        if not piece and not part:
            break
        parts.append(part)
        left -= len(part)
    if left <= 0:
        raise InputTooLarge(
            f"{label} inflates to more than {MAX_INFLATED >> 20} MiB", READABLE_DICOM, "export it uncompressed"
        )
    if not inflate.eof:
        raise damaged(label)
    return b"".join(parts)
