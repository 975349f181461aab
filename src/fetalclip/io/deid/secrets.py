"""The strings of a header that could identify somebody, and the search for them in what was written.

A string counts from three characters on; one of digits alone from three in text, and from six in numbers, where short
runs of digits are in every file by chance. What the standard's vocabularies, or this package, wrote is not looked at:
it cannot hold anything of a patient.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset

LEAST = 3
"""Characters of the shortest string that is looked for."""

LEAST_DIGITS = 6
"""Digits of the shortest string of digits that is looked for where numbers are."""

LEAST_PIXELS = 8
"""Characters of the shortest string that is looked for in pixels, where any three bytes turn up by chance."""

DEPTH = 16
"""Sequences inside sequences that are gone through; deeper ones are not opened."""

TEXTS = frozenset(["AE", "AS", "CS", "DA", "DT", "LO", "LT", "PN", "SH", "ST", "TM", "UC", "UI", "UR", "UT"])
NUMBERS = frozenset(["DS", "IS", "FL", "FD", "SL", "SS", "UL", "US", "SV", "UV", "AT"])
_SPLIT = re.compile(r"[\^=\\\s,;]+")
_PRINTED = re.compile(rb"[\x20-\x7e\x80-\xff]{4,}")
_MOST = 4096  # characters of one value, and values of one element, that are looked for


def leaves(dataset: Dataset, depth: int = 0) -> Iterator[tuple[DataElement | None, bytes]]:
    """Every element that is no sequence, sequences gone through; None and the bytes of one that cannot be read."""
    for tag in list(dataset.keys()):
        try:
            element = dataset[tag]
        except Exception:  # pydicom decodes a value when it is asked for, and raises what it likes
            yield None, raw_bytes(dataset, tag)
            continue
        if element.VR != "SQ":
            yield element, b""
        elif depth < DEPTH:
            for item in element.value or ():
                yield from leaves(item, depth + 1)


def raw_bytes(dataset: Dataset, tag: Any) -> bytes:
    """The undecoded value of an element."""
    try:
        value = dataset.get_item(tag).value
    except Exception:
        return b""
    return value if isinstance(value, bytes) else b""


def strings(element: DataElement) -> set[str]:
    """The strings of one element, split where a name has parts; empty for public numbers and for pixels."""
    value = element.value
    if value is None:
        return set()
    if isinstance(value, bytes):
        return printed(value) if element.VR in ("UN", "OB") and len(value) <= 65536 else set()
    if element.VR in NUMBERS and not element.tag.is_private:
        return set()
    if element.VR not in TEXTS and element.VR not in NUMBERS:
        return set()
    many = value if isinstance(value, Iterable) and not isinstance(value, str) and element.VR != "PN" else [value]
    found: set[str] = set()
    for one, _ in zip(many, range(_MOST), strict=False):
        text = str(one)[:_MOST].strip(" \0")
        found.add(text)
        if element.VR == "PN":
            found.update(_SPLIT.split(text))
    return {text for text in found if len(text) >= LEAST}


def printed(value: bytes) -> set[str]:
    """The printable runs in bytes of an unknown kind, as Latin-1, and the words in them."""
    found: set[str] = set()
    for run in _PRINTED.findall(value)[:_MOST]:
        text = run.decode("latin-1").strip()
        found |= {text, *(word for word in _SPLIT.split(text) if len(word) > LEAST)}
    return {text for text in found if len(text) > LEAST}


class Search:
    """Looks for strings in text and in bytes, whatever their case.

    Args:
        strings: what to look for.
        known: whole values that this package or the standard wrote; they are passed over.
        others: looked for in text and header alone: they come from bytes of any kind, which can be pixels.
    """

    def __init__(self, strings: Iterable[str], known: Iterable[str], others: Iterable[str] = ()) -> None:
        self.known = frozenset(known)
        ours = {text.casefold() for text in self.known}
        self._given = sorted(text for text in strings if text.casefold() not in ours and _tells(text))
        folded = {text.casefold() for text in (*strings, *others)} - ours
        self.strings = sorted(text for text in folded if len(text) >= LEAST and not is_blank(text))

    def in_text(self, text: str, number: bool = False) -> bool:
        """Whether a value holds one of them."""
        if text in self.known:
            return False
        text = text.casefold()
        return any(one in text for one in self.strings if not number or len(one) >= LEAST_DIGITS)

    def in_header(self, data: bytes) -> bool:
        """Whether the bytes around the pixels hold one of them, in any of the usual encodings."""
        longest = sorted((one for one in self.known if len(one) >= LEAST), key=len, reverse=True)
        ours = [re.escape(one.encode("utf-8", "replace")) for one in longest]
        if ours:  # whole values only: a name may hold a word of the vocabulary
            values = b"|".join(ours)
            data = re.sub(rb"(?<![0-9A-Za-z])(?:%s)(?![0-9A-Za-z])" % values, b"\0", data)
        data = data.lower()
        return any(
            form.lower() in data
            for one in self.strings
            if not (one.isdigit() and len(one) < LEAST_DIGITS)
            for form in _forms(one)
        )

    def in_pixels(self, data: Any, tick: int = 1 << 26) -> bool:
        """Whether the bytes of the pixels hold one of the longer ones, as it was written, in lower or upper case."""
        cases = {case for one in self._given for case in (one, one.lower(), one.upper())}
        wanted = {one.encode("utf-8", "replace") for one in cases}
        for start in range(0, len(data) if wanted else 0, tick):
            part = bytes(data[start : start + tick + 256])
            if any(form in part for form in wanted):
                return True
        return False


def is_blank(text: str) -> bool:
    """Whether a string says nothing: punctuation or zeros alone."""
    return not any(char.isalnum() and char != "0" for char in text)


def _forms(text: str) -> set[bytes]:
    found = set()
    for encoding in ("utf-8", "latin-1", "utf-16-le", "utf-16-be"):
        try:
            found.add(text.encode(encoding))
        except UnicodeEncodeError:
            continue
    return {form for form in found if len(form) >= LEAST}


def _tells(text: str) -> bool:
    """Whether a string is too odd to be a run of grey levels: long, of several characters, and no ramp."""
    steps = {abs(ord(a) - ord(b)) for a, b in pairwise(text)}
    return len(text) >= LEAST_PIXELS and len(set(text)) >= 4 and max(steps, default=0) > 2
