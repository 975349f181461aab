"""A sample of a shard: a prepared picture as PNG, and as JSON what is known of it. No path, no name, no patient.

Both are read as if their writer were hostile: bounded before they are decoded, and every fact checked.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from fetalclip.clinical.factory import Record
from fetalclip.clinical.vocabulary import PLANES, REJECTS, SUBPLANES
from fetalclip.data.columns import FIRST_DAY, LAST_DAY
from fetalclip.data.manifest import Row
from fetalclip.data.pairs import Pair
from fetalclip.data.shards.tar import MAX_WORDS
from fetalclip.errors import InputError, UnreadableInput
from fetalclip.frame import Pixels
from fetalclip.io import read

MAX_SPACING = 1_000.0  # mm per pixel of a stored square
_LISTED, _WORD, _TEXT = 50, 300, 5_000  # views or findings; characters of a word, of a text
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def encode(row: Row, group: int, pixels: Pixels, spacing: float | None) -> dict[str, bytes]:
    """The files of one sample.

    Args:
        row: where the facts are from.
        group: number that stands for its patient or examination.
        pixels: uint8 (S, S).
        spacing: mm per pixel of ``pixels``.
    """
    facts = {
        "views": list(row.views),
        "subplane": row.subplane,
        "age_days": row.age_days,
        "mm_per_pixel": spacing,
        "machine": row.machine,
        "findings": list(row.findings),
        "text": row.text,
        "group": group,
    }
    told = {name: value for name, value in facts.items() if value not in (None, [])}
    words = json.dumps(told, sort_keys=True, separators=(",", ":")).encode("ascii")
    return {"json": words, "png": png(pixels)}


def png(pixels: Pixels) -> bytes:
    """A grey picture as PNG; the same bytes wherever Pillow and its zlib are the same."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", optimize=False, compress_level=6)
    return stream.getvalue()


def decode(parts: Mapping[str, bytes], stored: int, side: int) -> Pair:
    """A pair from the files of one sample.

    Args:
        parts: ``json`` and ``png``.
        stored: side of the stored square, pixels.
        side: side that is asked for, at most ``stored``; a smaller one is resized to, bicubic and antialiased.

    Raises:
        InputError: a file is missing or damaged, or says what cannot be.
    """
    for kind in ("json", "png"):
        if kind not in parts:
            raise UnreadableInput(f"a sample without .{kind}", "a .json and a .png")
    record = record_of(facts_of(parts["json"]))
    pixels = _picture(parts["png"], stored)
    if side == stored:
        return Pair(pixels, record)
    smaller = np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC))
    return Pair(smaller, scaled(record, stored / side))


def scaled(record: Record, factor: float) -> Record:
    """The record of a picture whose pixels have become so many times as large."""
    return record if record.spacing is None else replace(record, spacing=record.spacing * factor)


def facts_of(data: bytes) -> dict[str, Any]:
    """The JSON object of a sample.

    Raises:
        UnreadableInput: too long, not JSON, or no object.
    """
    if len(data) > MAX_WORDS:
        raise UnreadableInput(f"a JSON of {len(data)} bytes", f"at most {MAX_WORDS}")
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        raise UnreadableInput("a damaged JSON", "an object of facts") from None
    if not isinstance(found, dict):
        raise UnreadableInput("a JSON that is no object", "an object of facts")
    return found


def record_of(facts: Mapping[str, Any]) -> Record:
    """The facts as a record; unknown keys say nothing.

    Raises:
        InputError: a fact of another type or out of range; its name is told and not its value.
    """
    views = _words(facts, "views")
    if any(view not in PLANES and view not in REJECTS for view in views):
        raise _odd("views", "names of planes")
    subplane = facts.get("subplane")
    if subplane is not None and not (isinstance(subplane, str) and subplane in SUBPLANES and "brain" in views):
        raise _odd("subplane", "a sub-plane of a brain")
    age = facts.get("age_days")
    if age is not None and not (type(age) is int and FIRST_DAY <= age <= LAST_DAY):
        raise _odd("age_days", f"{FIRST_DAY} to {LAST_DAY}")
    spacing = facts.get("mm_per_pixel")
    if spacing is not None and not (type(spacing) in (int, float) and 0 < spacing <= MAX_SPACING):
        raise _odd("mm_per_pixel", "a number above 0")
    machine, text = _word(facts, "machine", _WORD), _word(facts, "text", _TEXT)
    spacing = None if spacing is None else float(spacing)
    return Record(views, subplane, age, spacing, machine, _words(facts, "findings"), text)


def _words(facts: Mapping[str, Any], name: str) -> tuple[str, ...]:
    found = facts.get(name) or []
    if not isinstance(found, list) or len(found) > _LISTED or not all(_is_word(word, _WORD) for word in found):
        raise _odd(name, f"at most {_LISTED} texts")
    return tuple(found)


def _word(facts: Mapping[str, Any], name: str, most: int) -> str | None:
    found = facts.get(name)
    if found is not None and not _is_word(found, most):
        raise _odd(name, f"a printable text of at most {most} characters")
    return found


def _is_word(found: object, most: int) -> bool:
    return isinstance(found, str) and 0 < len(found) <= most and found.isprintable()


def _odd(name: str, expected: str) -> InputError:
    return InputError(f"the fact {name} cannot be meant", expected)


def _picture(data: bytes, stored: int) -> Pixels:
    """Grey uint8 (stored, stored); the size is looked at before anything is decoded."""
    if data[:8] != _SIGNATURE or data[12:16] != b"IHDR" or len(data) < 33:
        raise UnreadableInput("a picture that is no PNG", "a PNG")
    if struct.unpack(">II", data[16:24]) != (stored, stored):
        raise UnreadableInput("a picture of another size", f"{stored} x {stored} pixels, as the index says")
    pixels = read(data).pixels
    if pixels.shape != (stored, stored):
        raise UnreadableInput("a picture in colour", f"grey, {stored} x {stored} pixels")
    return pixels
