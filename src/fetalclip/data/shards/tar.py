"""The tar files of shards: written the same to the byte, and read as if their writer were hostile.

Only headers are gone through when a shard is opened; what a sample holds is read by its place when it is asked for.
POSIX ustar with pax and GNU long names (IEEE Std 1003.1, ``pax``); other kinds of entry are passed over, and sparse
files are refused.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

from fetalclip.errors import UnreadableInput

MAX_MEMBERS = 4_000_000  # of one shard
MAX_PICTURE, MAX_WORDS = 2**26, 100_000  # bytes of a picture, of a text or JSON
WORDS = ("json", "txt")
_BLOCK = 512
_MAX_NAME = 2**16  # bytes of a pax header or long name
_REGULAR, _PAX, _LONG_NAME = (b"0", b"\0", b"7"), b"x", b"L"
_NO_DATA = (b"1", b"2", b"3", b"4", b"5", b"6")  # links, devices, folders
_EXPECTED = "an uncompressed tar file, whole"


class Sample(NamedTuple):
    """What a shard holds of one picture: its key, and for each kind of file where it begins and how long it is."""

    key: str
    parts: dict[str, tuple[int, int]]


def write(path: Path, samples: Iterable[tuple[str, Mapping[str, bytes]]]) -> int:
    """Write a tar file; nothing in it tells when or by whom.

    Args:
        path: the file.
        samples: key, and bytes by kind, in the order they are to stand in.

    Returns:
        The number of samples.

    Raises:
        OSError: it cannot be written.
    """
    count = 0
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as archive:
        for key, parts in samples:
            for kind, data in parts.items():
                entry = tarfile.TarInfo(f"{key}.{kind}")
                entry.size, entry.mode, entry.mtime, entry.uid, entry.gid = len(data), 0o644, 0, 0, 0
                archive.addfile(entry, io.BytesIO(data))
            count += 1
    return count


def scan(stream: BinaryIO, length: int) -> list[Sample]:
    """The samples of a tar file: neighbours of one key, the key being the name up to the first dot of its last part.

    Args:
        stream: the file.
        length: its bytes.

    Raises:
        UnreadableInput: damaged, cut short, or no tar file.
        OSError: it cannot be read.
    """
    found: list[Sample] = []
    for name, offset, size in _members(stream, length):
        folder, slash, last = name.rpartition("/")
        first, dot, kind = last.partition(".")
        if not first or not dot or not kind:
            continue
        key = f"{folder}{slash}{first}"
        if not found or found[-1].key != key:
            found.append(Sample(key, {}))
        found[-1].parts.setdefault(kind.lower(), (offset, size))
    return found


def _members(stream: BinaryIO, length: int) -> Iterator[tuple[str, int, int]]:
    """Name, place and size of each regular file."""
    place, name, size = 0, None, None  # name and size: as a header for the next entry told them
    for _ in range(MAX_MEMBERS):
        stream.seek(place)
        head = stream.read(_BLOCK)
        if len(head) < _BLOCK:
            raise UnreadableInput("a tar file without an end", _EXPECTED)
        if not any(head):
            return
        told, own, kind = _header(head)
        begin = place + _BLOCK
        if kind in (_PAX, _LONG_NAME):
            data = _extra(stream, own, length - begin)
            name, size = (_text(data.rstrip(b"\0")), size) if kind == _LONG_NAME else _pax(data, name, size)
        else:
            own = own if size is None else size
            if kind == b"S":
                raise UnreadableInput("a sparse file in a tar file", "regular files")
            if kind in _NO_DATA:
                own = 0
            elif kind in _REGULAR:
                if own > length - begin:
                    raise UnreadableInput("a tar file that is cut short", _EXPECTED)
                yield (told if name is None else name), begin, own
            name, size = None, None
        place = begin + -(-own // _BLOCK) * _BLOCK
    raise UnreadableInput(f"a tar file of more than {MAX_MEMBERS} entries", "smaller shards")


def _header(head: bytes) -> tuple[str, int, bytes]:
    """Name, size and kind of an entry."""
    total = sum(head) - sum(head[148:156]) + 8 * 32  # the checksum's own field counts as blanks
    if total != _number(head[148:156]):
        raise UnreadableInput("a header of a tar file with another checksum", _EXPECTED)
    name = head[:100].partition(b"\0")[0]
    if head[257:263] == b"ustar\0" and (prefix := head[345:500].partition(b"\0")[0]):
        name = prefix + b"/" + name
    return _text(name), _number(head[124:136]), head[156:157]


def _number(field: bytes) -> int:
    """Octal digits, or after a set bit a big-endian number (GNU)."""
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b"\0 ")
    if re.fullmatch(rb"[0-7]*", digits) is None:  # int() would take a sign
        raise UnreadableInput("a header of a tar file that is damaged", _EXPECTED)
    return int(digits or b"0", 8)


def _extra(stream: BinaryIO, size: int, left: int) -> bytes:
    if size > min(_MAX_NAME, left):
        raise UnreadableInput(f"a name of {size} bytes in a tar file", f"at most {_MAX_NAME}")
    return stream.read(size)


def _pax(data: bytes, name: str | None, size: int | None) -> tuple[str | None, int | None]:
    """Name and size as a pax header tells them: lines of length, blank, key, =, value."""
    while data:
        word, blank, _ = data.partition(b" ")
        if not blank or not word.isdigit() or not len(word) + 3 <= (end := int(word[:8])) <= len(data):
            raise UnreadableInput("a pax header of a tar file that is damaged", _EXPECTED)
        key, _, value = data[len(word) + 1 : end].rstrip(b"\n").partition(b"=")
        if key == b"path":
            name = _text(value)
        elif key == b"size":
            if not value.isdigit() or len(value) > 15:
                raise UnreadableInput("a pax header of a tar file with a damaged size", _EXPECTED)
            size = int(value)
        data = data[end:]
    return name, size


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
