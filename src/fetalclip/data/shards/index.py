"""The index of shards: the tar files of each side of the split, with checksum, size and count; how they were made."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fetalclip.errors import DataMissing, UnreadableInput

SCHEMA = "fetalclip.shards/1"
NAME = "index.json"
SPLITS = ("train", "val", "test")
MAX_BYTES = 2**26  # of an index
MAX_SHARD, MAX_COUNT, MAX_SIDE = 2**36, 99_999, 4_096  # bytes of a shard, samples of a shard, pixels
_FIX = "fetalclip data shards MANIFEST -o DIR"
_SHARD = re.compile(r"(train|val|test)-(\d{6})\.tar")


@dataclass(frozen=True)
class Shard:
    """One tar file.

    Attributes:
        name: plain file name.
        sha256: hex digits; empty where nobody told.
        size: bytes.
        count: samples.
    """

    name: str
    sha256: str
    size: int
    count: int


@dataclass(frozen=True)
class ShardedSplit:
    """One side of the split.

    Attributes:
        shards: in the order they were written.
        left_out: row numbers of the pictures that could not be read.
        planes: pictures of each plane.
        groups: patients or examinations.
    """

    shards: tuple[Shard, ...]
    left_out: tuple[int, ...] = ()
    planes: dict[str, int] = field(default_factory=dict)
    groups: int = 0

    @property
    def count(self) -> int:
        """Samples."""
        return sum(shard.count for shard in self.shards)


@dataclass(frozen=True)
class Index:
    """What a folder of shards holds.

    Attributes:
        side: of the stored squares, pixels.
        overlay: what was done with burned-in text, ``mask`` or ``keep``.
        splits: by name.
        plan: SHA-256 over rows and options; the same plan makes the same shards.
        about: seed, per_shard, version, and licence and citation of each data set: told, not needed for reading.
    """

    side: int
    overlay: str
    splits: dict[str, ShardedSplit]
    plan: str = ""
    about: dict[str, Any] = field(default_factory=dict)

    def require(self, split: str, source: str) -> ShardedSplit:
        """One side of the split.

        Raises:
            DataMissing: it is not there, or empty.
        """
        found = self.splits.get(split)
        if found is None or not found.count:
            there = ", ".join(name for name, one in self.splits.items() if one.count) or "nothing"
            raise DataMissing(f"'{source}' has no pairs of the split {split}", f"one of {there}", f"{_FIX} --split …")
        return found

    def fingerprint(self, split: str) -> str:
        """SHA-256 over the checksums of one side's shards."""
        return fingerprint(self.splits[split].shards, self.side, self.overlay)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "schema": SCHEMA,
            "side": self.side,
            "overlay": self.overlay,
            "plan": self.plan,
            **self.about,
            "splits": {name: _split_dict(name, self) for name in self.splits},
        }

    def text(self) -> str:
        """The file; the same index is the same bytes."""
        return json.dumps(self.to_dict(), indent=1) + "\n"


def fingerprint(shards: Sequence[Shard], side: int, overlay: str) -> str:
    """SHA-256 over all that decides what is read from shards."""
    made = hashlib.sha256(f"{SCHEMA}/{side}/{overlay}".encode())
    for shard in shards:
        made.update(f";{shard.sha256}/{shard.size}/{shard.count}".encode())
    return made.hexdigest()


def key(shard: str, place: int) -> str:
    """Key of a sample: number of its shard and its place there."""
    return f"{shard.removesuffix('.tar').rpartition('-')[2]}-{place:05d}"


def load(folder: Path) -> Index:
    """The index of a folder.

    Raises:
        DataMissing: it has none.
        UnreadableInput: it is damaged.
    """
    path = folder / NAME
    try:
        if not path.is_file():  # a pipe would block
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise DataMissing(f"'{path}' could not be read ({error.strerror})", "an index of shards", _FIX) from None
    return parse(data, str(path))


def parse(data: bytes, source: str) -> Index:
    """An index from its bytes, which may be anybody's.

    Raises:
        UnreadableInput: not an index, or one that says what cannot be.
    """
    try:
        if len(data) > MAX_BYTES:
            raise ValueError("too long")
        found = json.loads(data)
        if found["schema"] != SCHEMA:
            raise ValueError("another schema")
        side, overlay = _whole(found["side"], MAX_SIDE), found["overlay"]
        if overlay not in ("mask", "keep") or not side:
            raise ValueError("side or overlay")
        splits = {name: _split(name, one) for name, one in found["splits"].items()}
        about = {name: found[name] for name in ("seed", "per_shard", "version", "datasets") if name in found}
        return Index(side, overlay, splits, str(found.get("plan", "")), about)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        found = f"'{source}' is not an index of shards ({type(error).__name__})"
        raise UnreadableInput(found, f"the JSON of {SCHEMA}", _FIX) from None


def _split_dict(name: str, index: Index) -> dict[str, Any]:
    one = index.splits[name]
    return {
        "count": one.count,
        "groups": one.groups,
        "planes": one.planes,
        "left_out": list(one.left_out),
        "fingerprint": index.fingerprint(name),
        "shards": [{"name": s.name, "sha256": s.sha256, "bytes": s.size, "count": s.count} for s in one.shards],
    }


def _split(name: str, found: Mapping[str, Any]) -> ShardedSplit:
    if name not in SPLITS:
        raise ValueError("a split")
    shards = tuple(_shard(name, one) for one in found["shards"])
    if len({shard.name for shard in shards}) < len(shards):
        raise ValueError("a shard twice")
    left_out = tuple(_whole(row, 2**40) for row in found.get("left_out", []))
    planes = {str(plane): _whole(count, 2**40) for plane, count in found.get("planes", {}).items()}
    return ShardedSplit(shards, left_out, planes, _whole(found.get("groups", 0), 2**40))


def _shard(split: str, found: Mapping[str, Any]) -> Shard:
    name, sha256 = found["name"], found["sha256"]
    match = _SHARD.fullmatch(name)
    if match is None or match[1] != split or re.fullmatch(r"[0-9a-f]{64}", sha256) is None:
        raise ValueError("a name or checksum")
    count = _whole(found["count"], MAX_COUNT)
    if not count:
        raise ValueError("an empty shard")
    return Shard(name, sha256, _whole(found["bytes"], MAX_SHARD), count)


def _whole(value: object, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError("a number")
    return value
