"""Shards of other people: WebDataset tar files with pictures and captions, without an index.

A sample is a picture (``.png``, ``.jpg``, ``.jpeg``, ``.webp``) with a ``.txt``, a ``.json`` or both. Its headers are
gone through once, when the source is opened; pictures are prepared as at inference.
"""

from __future__ import annotations

import glob
import hashlib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from fetalclip.clinical.factory import Record
from fetalclip.data.pairs import Pair
from fetalclip.data.shards import sample, tar
from fetalclip.data.shards.index import Shard
from fetalclip.data.shards.places import LocalPlace
from fetalclip.data.shards.reading import ShardPairs
from fetalclip.data.shards.shelf import Shelf
from fetalclip.errors import DataMissing, InputError, UnreadableInput, UsageError
from fetalclip.io import read

PICTURES = ("png", "jpg", "jpeg", "webp")
MAX_SHARDS = 100_000
_SIDES = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
_KINDS = (*PICTURES, *tar.WORDS)
_MAX_CAPTION = 5_000  # characters
_FORMAT = 1  # raise when what is read of a sample changes


def open_pattern(pattern: str, split: str, side: int, overlay: str, buffer: int, whole: bool = False) -> ShardPairs:
    """Tar files by a pattern such as ``dir/*.tar`` or ``dir/train-{0000..0015}.tar``.

    Args:
        pattern: with ``*``, ``?``, ``{a..b}`` or ``{a,b}``, or one file.
        split: those whose names hold its word, or that of no side at all where it is ``train``.
        side: of the squares that pictures are prepared to, pixels.
        overlay: ``mask`` or ``keep``.
        buffer: pairs of the shuffle buffer; 0 for all.
        whole: those that hold the word of no side are of this split, whichever it is.

    Raises:
        DataMissing: no such file, or no pair in them.
        UnreadableInput: a file is damaged or compressed; it is named.
        UsageError: a pattern of too many names.
    """
    found = files(pattern)
    mine = [path for path in found if (side_of(path.name) or (split if whole else "train")) == split]
    if not mine:
        what = f"{len(found)} tar files of '{pattern}', none of the split {split}" if found else f"no file '{pattern}'"
        raise DataMissing(what, f"names with the word {split}, such as {split}-000000.tar", "another pattern")
    shards = []
    made = hashlib.sha256(f"{_FORMAT}/{side}/{overlay}".encode())
    for path in mine:
        shards.append(_listed(path, made))
    shards = [shard for shard in shards if shard.count]
    if not shards:
        expected = "pictures (.png, .jpg) with a .txt or .json of the same name"
        raise DataMissing(f"no pair in {len(mine)} tar files of '{pattern}'", expected, "another pattern")
    decode = partial(_decode, side=side, overlay=overlay)
    shelf = Shelf(LocalPlace(Path()), tuple(shards), chosen)
    return ShardPairs(shelf, side, made.hexdigest(), buffer, decode, numbered)


def files(pattern: str) -> list[Path]:
    """The files of a pattern, each once, in the order of their names."""
    found = {Path(name) for one in _braces(pattern) for name in (glob.glob(one) if glob.has_magic(one) else [one])}
    return sorted(path for path in found if path.is_file())


def side_of(name: str) -> str:
    """The side of the split that a file's name tells, or empty."""
    words = re.split(r"[^a-z]+", name.lower())
    return next((_SIDES[word] for word in words if word in _SIDES), "")


def chosen(samples: list[tar.Sample]) -> list[tar.Sample]:
    """The samples with a picture and something said of it, without their other files."""
    kept = [tar.Sample(one.key, {kind: one.parts[kind] for kind in _KINDS if kind in one.parts}) for one in samples]
    return [one for one in kept if any(k in one.parts for k in PICTURES) and any(k in one.parts for k in tar.WORDS)]


def numbered(shard: str, place: int) -> str:
    """What a message calls a sample: a key could hold a patient's name."""
    return f"{Path(shard).name} sample {place}"


def _listed(path: Path, made: hashlib._Hash) -> Shard:
    """A file as a shard; names, places and sizes of what is in it go into the fingerprint."""
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            samples = chosen(tar.scan(stream, size))
    except OSError as error:
        raise UnreadableInput(f"'{path}' cannot be read ({error.strerror})", "a tar file") from None
    except UnreadableInput as error:
        raise UnreadableInput(f"'{path}': {error.found}", error.expected, "leave it out, or write it again") from None
    made.update(f";{path.name}/{size}".encode())
    for one in samples:
        made.update(repr(one).encode())
    return Shard(os.path.abspath(path), "", size, len(samples))


def _decode(parts: Mapping[str, bytes], side: int, overlay: str) -> Pair:
    """The pair of a sample: its own caption as it stands, facts where the JSON has those of our own shards."""
    from fetalclip.preprocess import prepare

    facts = sample.facts_of(parts["json"]) if "json" in parts else {}
    record = sample.record_of(facts) if isinstance(facts.get("views"), list) else Record()
    caption = _caption(parts, facts)
    if caption is None and not record.views and not record.text:
        raise InputError("a sample with nothing said of it", "a caption in .txt, or facts in .json")
    data = next(parts[kind] for kind in PICTURES if kind in parts)
    spacing = None if record.spacing is None else (record.spacing, record.spacing)
    ready = prepare(read(data, mm_per_pixel=spacing), side, overlay)
    after = None if ready.mm_per_pixel is None else ready.mm_per_pixel[0]
    return Pair(ready.pixels, replace(record, spacing=after), caption)


def _caption(parts: Mapping[str, bytes], facts: Mapping[str, Any]) -> str | None:
    if "txt" in parts:
        try:
            text: object = parts["txt"].decode("utf-8")
        except UnicodeDecodeError:
            raise UnreadableInput("a caption that is not UTF-8", "text") from None
    else:
        text = facts.get("caption", None if isinstance(facts.get("views"), list) else facts.get("text"))
    if not isinstance(text, str) or not (line := " ".join(text.split())):
        return None
    if len(line) > _MAX_CAPTION or not line.isprintable():
        found = f"a caption with unprintable characters or of more than {_MAX_CAPTION}"
        raise UnreadableInput(found, "a line of text")
    return line


def _braces(pattern: str) -> list[str]:
    """A pattern without its braces: ``{a,b}`` and ``{00..11}`` told out."""
    made = [""]
    for i, part in enumerate(re.split(r"\{([^{}]*)\}", pattern)):
        words = [part] if i % 2 == 0 else _told(part)
        if len(made) * len(words) > MAX_SHARDS:
            raise UsageError(f"a pattern of more than {MAX_SHARDS} names: '{pattern:.100}'", "fewer", "dir/*.tar")
        made = [one + word for one in made for word in words]
    return made


def _told(inner: str) -> Sequence[str]:
    match = re.fullmatch(r"(\d{1,9})\.\.(\d{1,9})", inner)
    if match is None:
        return inner.split(",")
    first, last = int(match[1]), int(match[2])
    return [f"{number:0{len(match[1])}d}" for number in range(first, min(last, first + MAX_SHARDS) + 1)]
