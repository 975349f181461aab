"""The search of `planted.py`: texts in bytes, in every form that software gives them.

Looked for are the text and its parts of five characters and more, as they are, composed and decomposed, without
accents, in lower and upper case, in UTF-8, UTF-16 and Latin-1, escaped for HTML, URLs, JSON and Python, in base64,
in hexadecimal digits, and their plain hashes; of a date, its usual spellings.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import unicodedata
import urllib.parse
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path

WINDOW, LONGEST = 1 << 20, 1 << 10  # bytes that are searched at a time, and in which two such pieces overlap
GRAM = 5  # characters of the shortest text that is looked for
_ENCODINGS = ("utf-8", "latin-1", "utf-16-le", "utf-16-be")
_URI = re.compile(rb"data:image/[a-z]+;base64,([A-Za-z0-9+/=]+)")


class Search:
    """Looks for texts.

    Args:
        texts: what was planted.

    Attributes:
        count: forms that are looked for.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        self._exact, self._folded = dict[str, dict[str, str]](), dict[str, dict[str, str]]()
        for text in sorted(set(texts)):
            for one in parts(text):
                for forms, index in ((folded_forms(one), self._folded), (exact_forms(one), self._exact)):
                    for form in forms:
                        index.setdefault(form[:GRAM], {}).setdefault(form, one)
        self.count = sum(len(forms) for index in (self._exact, self._folded) for forms in index.values())

    def __call__(self, data: bytes) -> list[str]:
        """What of it is there, each once, with the form it has."""
        starts = range(0, max(1, len(data)), WINDOW - LONGEST)
        return sorted({one for start in starts for one in self._look(data[start : start + WINDOW])})

    def _look(self, data: bytes) -> list[str]:
        found = {}
        text = data.decode("latin-1")
        for said, index in ((text, self._exact), (text.casefold(), self._folded)):
            grams = {said[place : place + GRAM] for place in range(len(said) - GRAM + 1)}
            for gram in index.keys() & grams:
                found |= {one: form for form, one in index[gram].items() if _is_there(form, said)}
        return [f"{one!r} as {form!r}" for one, form in sorted(found.items())]


def _is_there(form: str, text: str) -> bool:
    """Whether a form is there; one of digits alone only where no other digit stands beside it."""
    if not form.isdigit():
        return form in text
    return re.search(rf"(?<![0-9.]){form}(?![0-9])", text) is not None


def parts(text: str) -> set[str]:
    """The text, and its words of at least five characters."""
    found = {text, *re.split(r"[\s^=,/<>]+", text)}
    if re.fullmatch(r"(19|20)\d\d(0[1-9]|1[0-2])\d\d", text):
        found |= spellings(text[:4], text[4:6], text[6:])
    return {one for one in found if len(one) >= GRAM and one not in ("Lane", "scan of")}


def spellings(year: str, month: str, day: str) -> set[str]:
    """A date as people and programs write it."""
    names = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October")
    name, short = (*names, "November", "December")[int(month) - 1], str(int(day))
    found = {f"{year}{mark}{month}{mark}{day}" for mark in ("-", ".", "/", ":")}
    found |= {f"{day}{mark}{month}{mark}{year}" for mark in ("-", ".", "/")} | {f"{month}/{day}/{year}"}
    return (
        found
        | {f"{one} {word} {year}" for one in (day, short) for word in (name, name[:3])}
        | {f"{name} {short}, {year}"}
    )


def variants(text: str) -> set[str]:
    """The text composed, decomposed, without accents, in both cases."""
    both = {unicodedata.normalize(form, text) for form in ("NFC", "NFD")}
    bare = "".join(char for char in unicodedata.normalize("NFD", text) if not unicodedata.combining(char))
    return {case for one in (*both, bare) for case in (one, one.lower(), one.upper())}


def encoded(text: str) -> set[bytes]:
    """The text in the encodings that can carry it."""
    found = set()
    for encoding in _ENCODINGS:
        try:
            found.add(text.encode(encoding))
        except UnicodeEncodeError:
            continue
    return found


def folded_forms(text: str) -> set[str]:
    """Forms in which case does not matter, as Latin-1 reads their bytes."""
    found = set()
    for one in variants(text):
        plain = encoded(one)
        found |= {body.decode("latin-1") for body in plain} | {body.hex() for body in plain}
        found |= {html.escape(one).encode("ascii", "xmlcharrefreplace").decode(), urllib.parse.quote(one)}
        found |= {urllib.parse.quote(one, encoding="latin-1", errors="replace"), json.dumps(one)[1:-1]}
        found |= {one.encode("unicode_escape").decode(), "".join(f"&#x{ord(char):x};" for char in one)}
    for one in {text, text.lower(), text.upper()}:
        found |= {hashlib.new(kind, one.encode()).hexdigest() for kind in ("md5", "sha1", "sha256")}
    return {form.casefold() for form in found if len(form) >= GRAM}


def exact_forms(text: str) -> set[str]:
    """Base64 of the text wherever in a longer one it begins, without the characters that depend on what is beside."""
    found = set()
    for body in encoded(text) | encoded(text.upper()):
        for before in range(3):
            core = base64.b64encode(b"\0" * before + body).decode().rstrip("=")
            found.add(core[-(-before * 4 // 3) : len(core) - 1 if (before + len(body)) % 3 else len(core)])
    return {form for form in found if len(form) >= 7}


def alone(path: Path) -> Iterator[bytes]:
    """What of a file is text or could be: its name, and its bytes without those of compressed pictures and numbers."""
    yield path.name.encode()
    if not path.is_file():
        return
    data = path.read_bytes()
    if data[:4] == b"\x89PNG":
        yield from _chunks(data)
    elif path.suffix == ".npz":
        yield from _arrays(path)
    elif data[128:132] == b"DICM":
        yield data.partition(b"\xe0\x7f\x10\x00OB")[0].partition(b"\xe0\x7f\x10\x00OW")[0]
        yield data[-64:] if not data.endswith(b"\0" * 64) else b""
    else:
        yield _URI.sub(b"", data)
        for match in _URI.finditer(data):
            yield from _segments(base64.b64decode(match[1]))


def _chunks(data: bytes) -> Iterator[bytes]:
    """The chunks of a PNG but its pixels."""
    place = 8
    while place + 8 <= len(data):
        size, kind = int.from_bytes(data[place : place + 4]), data[place + 4 : place + 8]
        if kind != b"IDAT":
            yield data[place : place + 12 + size]
        place += 12 + size


def _segments(data: bytes) -> Iterator[bytes]:
    """The segments of a JPEG up to its pixels; other pictures as PNG."""
    if data[:2] != b"\xff\xd8":
        yield from _chunks(data)
        return
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF and data[place + 1] != 0xDA:
        size = int.from_bytes(data[place + 2 : place + 4])
        yield data[place : place + 2 + size]
        place += 2 + size


def _arrays(path: Path) -> Iterator[bytes]:
    """The members of an archive of arrays: names, headers, and whole where they hold text."""
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            body = archive.read(name)
            yield name.encode()
            yield body[:512] if b"'descr': '<f" in body[:128] else body
