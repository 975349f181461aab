"""Palettes of DICOM pictures: tables of colours, whole or in segments (PS3.3 C.7.6.3.1.5, C.7.6.3.1.6 and C.7.9)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from fetalclip.frame import Pixels
from fetalclip.io.dicom import values

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

Words = npt.NDArray[np.uint16]

MAX_ENTRIES = 1 << 16
_DISCRETE, _LINEAR, _INDIRECT = 0, 1, 2


def read_palette(dataset: Dataset, little: bool = True) -> tuple[int, Pixels] | None:
    """The colours of a header, the upper 8 bits of each.

    Args:
        dataset: the header.
        little: byte order of its words.

    Returns:
        The value of the first colour and the colours, uint8 (n, 3): smaller values have the first colour, larger
        ones the last. None where the tables are missing or damaged.
    """
    told = values.wholes(dataset, "RedPaletteColorLookupTableDescriptor")
    if len(told) != 3 or told[2] not in (8, 16):
        return None
    entries, first, bits = (told[0] % MAX_ENTRIES) or MAX_ENTRIES, told[1], told[2]
    columns = []
    for name in ("Red", "Green", "Blue"):
        plain = values.blob(dataset, f"{name}PaletteColorLookupTableData")
        parts = values.blob(dataset, f"Segmented{name}PaletteColorLookupTableData")
        column = _plain(plain, entries, little) if plain else _segmented(parts, bits, little)
        if column is None or len(column) != entries:
            return None
        columns.append(column)
    table: npt.NDArray[Any] = np.stack(columns, -1)
    if bits == 16 and int(table.max()) > 255:  # some write 8-bit entries into words and call them 16
        table = table >> 8
    return first, (table & 0xFF).astype(np.uint8)


def _plain(body: bytes, entries: int, little: bool) -> Words | None:
    """A table of words, or of bytes packed in words; None where it is too short."""
    if len(body) >= 2 * entries:
        return _words(body[: 2 * entries], little)
    if len(body) < entries:
        return None
    packed = np.frombuffer(body, np.uint8)
    if not little and len(packed) % 2 == 0:
        packed = packed.reshape(-1, 2)[:, ::-1].reshape(-1)
    return packed[:entries].astype(np.uint16)


def _segmented(body: bytes, bits: int, little: bool) -> Words | None:
    """A table put together of its segments; None where they are damaged or give too many entries."""
    items = (_words(body[: len(body) // 2 * 2], little) if bits == 16 else np.frombuffer(body, np.uint8)).tolist()
    found: list[int] = []
    try:
        for part in _segments(items, bits):
            operation, length, *rest = part
            if operation == _DISCRETE:
                found += rest
            else:
                start, end = found[-1], rest[0]
                found += [start + round((end - start) * step / length) for step in range(1, length + 1)]
            if len(found) > MAX_ENTRIES:
                return None
    except (IndexError, ValueError, ZeroDivisionError):
        return None
    return np.array(found, np.uint16)


def _segments(items: list[int], bits: int) -> Iterator[list[int]]:
    """Operation, length and values of each segment; a reference to earlier ones is followed, one deep.

    Raises:
        IndexError, ValueError: the segments break off, or refer to what is none.
    """
    place = 0
    while place < len(items) and not (len(items) - place == 1 and items[place] == 0):  # one byte makes it even
        segment = _segment(items, place)
        if segment[0] != _INDIRECT:
            yield segment
            place += len(segment)
            continue
        width = 2 if bits == 16 else 4  # the offset, in bytes, has 32 bits
        parts = items[place + 2 : place + 2 + width]
        at = sum(part << (bits * number) for number, part in enumerate(parts)) // (bits // 8)
        for _ in range(segment[1]):
            copied = _segment(items, at)
            if copied[0] == _INDIRECT:
                raise ValueError("a reference to a reference")
            yield copied
            at += len(copied)
        place += 2 + width


def _segment(items: list[int], place: int) -> list[int]:
    operation, length = items[place], items[place + 1]
    if operation not in (_DISCRETE, _LINEAR, _INDIRECT) or not length:
        raise ValueError("no such segment")
    end = place + 2 + {_DISCRETE: length, _LINEAR: 1, _INDIRECT: 0}[operation]
    if end > len(items):
        raise IndexError("it breaks off")
    return items[place:end]


def _words(body: bytes, little: bool) -> Words:
    return np.frombuffer(body, "<u2" if little else ">u2").astype(np.uint16)
