"""The strings of what the reading of a header passes over: long values, the preamble, and what follows the pixels.

Nothing of it is taken over: a new header has only what a rule names, and new pixels only the pictures. But it can hold
a name or a number that stands a second time in what is kept; so its words are looked for like those of the header.
Makers put megabytes of measured values there: only what looks like words or like a number of a patient counts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, BinaryIO

from fetalclip.io.deid.secrets import printed
from fetalclip.io.dicom.header import MAX_HEADER
from fetalclip.io.dicom.read import Opened, begin_pixels

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Span = tuple[int, int]
"""Start and length in bytes."""

MOST = 400
"""Strings of one value that are looked for, and spans that are read."""

_PIECE = 1 << 20
_SPLIT = re.compile(r"[\^=\\\s,;<>]+")
_LONGEST = 256
_TEXT = 0.9  # share of printable bytes from which a value is text
_RUN = re.compile(rb"[A-Za-z0-9 ^.,'=_:/-]{7,}")
_WIDE = re.compile(rb"(?:[A-Za-z0-9 ^.,'=_:/-]\0){6,}")
_TELLS = re.compile(r"[^\W\d_]{6,}|^[0-9]{6,}$")  # letters of a word, or the number of a patient


def beyond(opened: Opened) -> set[str]:
    """The strings of all that was passed over, at most 64 MiB of it."""
    found, left = set[str](), MAX_HEADER
    with begin_pixels(opened) as file:
        for start, length in islice(_spans(file, opened), MOST):
            file.seek(start)
            data = file.read(min(length, left))
            left -= len(data)
            found |= spelled(data)
    return found


def spelled(data: bytes) -> set[str]:
    """What in bytes of any kind looks like words, or like a number of six digits and more."""
    found: dict[str, None] = {}
    for start in range(0, len(data), _PIECE):
        piece = data[start : start + _PIECE]
        if sum(map(piece.count, range(0x20, 0x7F))) >= _TEXT * len(piece):
            found |= dict.fromkeys(sorted(printed(piece)))
        runs = [match[0] for match in _RUN.finditer(piece)] + [match[0][::2] for match in _WIDE.finditer(piece)]
        for run in runs:
            text = run.decode("ascii").strip()
            found |= dict.fromkeys((text, *_SPLIT.split(text)))
    return set(islice((text for text in found if len(text) <= _LONGEST and _TELLS.search(text)), MOST))


def _spans(file: BinaryIO, opened: Opened) -> Iterator[Span]:
    """The preamble, values that were too long to be read, and the rest of the file after the pixels."""
    header, shape = opened.header, opened.shape
    size = file.seek(0, os.SEEK_END)
    file.seek(128)
    if file.read(4) == b"DICM":
        yield 0, 128
    yield from _long(header.dataset)
    if header.length is not None and not header.syntax.wrapped:
        end = header.start + shape.frames * shape.frame_bytes
    else:
        end = _last_fragment(file, header.start, size, "little" if header.syntax.little else "big")
    if end < size:
        yield end, size - end


def _long(dataset: Dataset) -> Iterator[Span]:
    for tag in list(dataset.keys()):
        element: Any = dataset.get_item(tag, keep_deferred=True)
        length = getattr(element, "length", 0)
        if getattr(element, "value", b"") is None and 0 < length < 0xFFFFFFFF:
            yield element.value_tell, length


def _last_fragment(file: BinaryIO, place: int, size: int, order: str) -> int:
    """Where the fragments of compressed pixels end."""
    while place + 8 <= size:
        file.seek(place)
        group, element, length = (int.from_bytes(file.read(count), order) for count in (2, 2, 4))  # type: ignore[arg-type]
        if (group, element) != (0xFFFE, 0xE000) or place + 8 + length > size:
            break
        place += 8 + length
    return place
