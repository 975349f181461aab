"""Where each picture of a DICOM file lies, from lengths and offsets nobody trusts (PS3.5 A.4)."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass, field
from typing import BinaryIO

from fetalclip.errors import InputTooLarge, UnreadableInput
from fetalclip.io.dicom import values
from fetalclip.io.dicom.header import Header, damaged
from fetalclip.io.dicom.shape import MAX_FRAMES, Shape
from fetalclip.io.dicom.syntaxes import READABLE_DICOM

MAX_FRAGMENTS = 1_000_000
MAX_FRAME = 1 << 28
"""Most fragments of a file, and most bytes (256 MiB) of one picture."""

_ITEM, _END = 0xFFFEE000, 0xFFFEE0DD
_STARTS = (b"\xff\xd8\xff", b"\xff\x4f\xff\x51", b"\0\0\0\x0cjP  ")  # JPEG, JPEG 2000 bare and in its box

Span = tuple[int, int]
"""Start and length in bytes."""


@dataclass
class Places:
    """The places of the pictures.

    Attributes:
        frames: of each picture the spans of its bytes, in order.
        warnings: what is not as the header says.
        cut: whether the file breaks off.
    """

    frames: list[list[Span]]
    warnings: list[str] = field(default_factory=list)
    cut: bool = False


def find_places(file: BinaryIO, header: Header, shape: Shape) -> Places:
    """Look for the pictures of a file; none is read.

    Raises:
        UnreadableInput: there is not one whole picture.
        InputTooLarge: more fragments than any clip has.
    """
    size = file.seek(0, os.SEEK_END)
    if header.length is None or header.syntax.wrapped:
        found = _wrapped(file, size, header, shape)
    else:
        found = _native(size, header, shape)
    if not found.frames:
        raise damaged(header.label)
    missing = shape.frames - len(found.frames)
    if missing > 0:
        found.warnings.append(
            f"the file is truncated or damaged: {len(found.frames)} of {shape.frames} pictures are there"
        )
    elif missing < 0:
        found.warnings.append(f"the file tells of {shape.frames} pictures and holds {len(found.frames)}")
    if len(found.frames) > MAX_FRAMES:
        found.warnings.append(f"the clip is longer than is read: {MAX_FRAMES} pictures were")
        del found.frames[MAX_FRAMES:]
    return found


def picture_bytes(file: BinaryIO, spans: list[Span], label: str) -> bytes:
    """The bytes of one picture.

    Raises:
        InputTooLarge: more than 256 MiB.
        UnreadableInput: the file has become shorter.
    """
    if sum(length for _, length in spans) > MAX_FRAME:
        raise InputTooLarge(f"one picture of {label} takes more than {MAX_FRAME >> 20} MiB", READABLE_DICOM, "crop it")
    parts = []
    for start, length in spans:
        file.seek(start)
        parts.append(file.read(length))
        if len(parts[-1]) != length:
            raise damaged(label)
    return b"".join(parts)


def _native(size: int, header: Header, shape: Shape) -> Places:
    """Uncompressed pictures lie one after the other."""
    if header.length is None:
        raise damaged(header.label)
    each, there = shape.frame_bytes, min(header.length, size - header.start)
    count = min(shape.frames, there // each)
    found = Places([[(header.start + index * each, each)] for index in range(min(count, MAX_FRAMES + 1))])
    if (more := header.length - shape.frames * each) > 1 and count == shape.frames:  # one byte makes it even
        found.warnings.append(f"the pixel data are {more} bytes longer than the pictures")
    return found


def _wrapped(file: BinaryIO, size: int, header: Header, shape: Shape) -> Places:
    """Fragments, and which of them make a picture."""
    order = "<" if header.syntax.little else ">"
    end = size if header.length is None else min(size, header.start + header.length)
    file.seek(header.start)
    tag, length = _item(file, order)
    if tag != _ITEM or length % 4 or file.tell() + length > end:
        raise UnreadableInput(
            f"the pixels of {header.label} are said to be compressed and are not", READABLE_DICOM, "export it again"
        )
    offsets = list(struct.unpack(f"{order}{length // 4}L", file.read(length))) if length <= 4 * MAX_FRAGMENTS else []
    file.seek(header.start + 8 + length)
    spans, cut = _fragments(file, end, order, header.label)
    if not spans:
        return Places([], cut=cut)
    first = spans[0][0] - 8
    at = {start - 8 - first: index for index, (start, _) in enumerate(spans)}  # offset of the item to its number
    extended = _extended(header, order)
    for told in (extended, offsets):
        if told and told[0] == 0 and all(one in at for one in told) and sorted(set(told)) == told:
            begins = [at[one] for one in told]
            return Places([spans[a:b] for a, b in zip(begins, [*begins[1:], len(spans)], strict=True)], cut=cut)
    return Places(_grouped(file, spans, shape.frames, header), cut=cut)


def _grouped(file: BinaryIO, spans: list[Span], frames: int, header: Header) -> list[list[Span]]:
    """Pictures where no table of offsets is to be believed: by number, else by how their fragments begin."""
    single = [[span] for span in spans]
    if len(spans) <= frames or header.syntax.coding in ("rle", "native"):
        return single
    begins = []
    for index, (start, _) in enumerate(spans):
        file.seek(start)
        if file.read(12).startswith(_STARTS):
            begins.append(index)
    if not begins or begins[0] != 0:
        return [spans] if frames == 1 else single
    return [spans[a:b] for a, b in zip(begins, [*begins[1:], len(spans)], strict=True)]


def _fragments(file: BinaryIO, end: int, order: str, label: str) -> tuple[list[Span], bool]:
    """The spans of all whole fragments, and whether they break off."""
    spans: list[Span] = []
    while True:
        place = file.tell()
        if place + 8 > end:
            return spans, place < end
        tag, length = _item(file, order)
        if tag == _END:
            return spans, False
        if tag != _ITEM or place + 8 + length > end:
            return spans, True
        if length:
            spans.append((place + 8, length))
        if len(spans) > MAX_FRAGMENTS:
            raise InputTooLarge(f"{label} has more than {MAX_FRAGMENTS} fragments", READABLE_DICOM, "export it again")
        file.seek(place + 8 + length)


def _item(file: BinaryIO, order: str) -> tuple[int, int]:
    head = file.read(8)
    if len(head) < 8:
        return 0, 0
    group, element, length = struct.unpack(f"{order}HHL", head)
    return group << 16 | element, length


def _extended(header: Header, order: str) -> list[int]:
    """The extended offset table (PS3.3 C.7.6.3.1.8), empty where there is none."""
    body = values.blob(header.dataset, "ExtendedOffsetTable")
    return list(struct.unpack(f"{order}{len(body) // 8}Q", body[: len(body) // 8 * 8]))
