"""Reads the facts back from a caption, by other means than those that wrote it.

Phrases are looked up in the vocabulary, the longest first and each letter read once; ages and spacings by their units.
What is free (machines, findings) is looked for by the strings given. Numbers that belong to nothing are kept, so that a
caption that says more than it should is seen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from fetalclip.clinical.factory import Record
from fetalclip.clinical.vocabulary import MACHINES, REJECTS, SUBPLANES
from fetalclip.clinical.wording import VIEWS

_NUMBER = r"(?<![\d.])\d+(?:\.\d+)?"
_AGE = re.compile(
    r"(?<![\d.])(?P<w1>\d{1,2}) ?(?:completed )?weeks?(?: ?(?:and|,|\+)? ?(?P<d1>\d) ?days?\b| and no days)?"
    r"|(?<![\d.])(?P<w2>\d{1,2}) ?w ?(?P<d2>\d) ?d\b"
    r"|(?<![\d.])(?P<w3>\d{1,2}) ?\+ ?(?P<d3>[0-6]) ?weeks?\b"
    r"|(?<![\d.])(?P<total>\d{2,3}) days?\b",
    re.IGNORECASE,
)
_PER_PIXEL = r"(?: ?/ ?| per )(?:pixel|px)\b"
_SPACING = re.compile(
    rf"(?P<n1>{_NUMBER}) ?(?P<u1>mm|millimet(?:re|er)s?|micromet(?:re|er)s?|um|µm){_PER_PIXEL}"
    rf"|pixel (?:spacing|size)(?: of| is|:)? (?P<n2>{_NUMBER}) ?(?P<u2>mm|um|µm)\b"
    rf"|pixel is (?P<n3>{_NUMBER}) ?(?P<u3>mm)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class ReadBack:
    """What a text states.

    Attributes:
        views: keys of ``PLANES`` or ``REJECTS``.
        subplanes: keys of ``SUBPLANES``.
        ages: days.
        spacings: mm per pixel, two decimals.
        machines, findings: of those that were looked for.
        numbers: what is left of the numbers, as written.
    """

    views: frozenset[str]
    subplanes: frozenset[str]
    ages: frozenset[int]
    spacings: frozenset[float]
    machines: frozenset[str]
    findings: frozenset[str]
    numbers: tuple[str, ...]


def read_back(text: str, machines: Sequence[str] = MACHINES, findings: Sequence[str] = ()) -> ReadBack:
    """What a caption states.

    Args:
        text: the caption.
        machines, findings: the free strings to look for; a letter of theirs is read as nothing else.
    """
    left, noted = _strike(text, findings)
    left, scanners = _strike(left, machines)
    left, views = _named(left, "views")
    left, subplanes = _named(left, "subplanes")
    spacings = frozenset(_millimetres(match) for match in _SPACING.finditer(left))
    left = _SPACING.sub(" ", left)
    ages = frozenset(_days(match) for match in _AGE.finditer(left))
    left = _AGE.sub(" ", left)
    return ReadBack(views, subplanes, ages, spacings, scanners, noted, tuple(re.findall(_NUMBER, left)))


def contradictions(
    text: str, subplane: str | None = None, age_days: int | None = None, spacing: float | None = None
) -> list[str]:
    """Where a free text states another value than the row it stands in.

    A text that also states the row's own value is let through: it may compare. Views are not held against the row,
    since a text may name the neighbours of what it shows.

    Returns:
        One line for each contradiction, or nothing.
    """
    said = read_back(text)
    found = []
    if subplane is not None and said.subplanes and subplane not in said.subplanes:
        found.append(f"the text says {', '.join(sorted(said.subplanes))}, the row {subplane}")
    if age_days is not None and said.ages and age_days not in said.ages:
        found.append(f"the text says {', '.join(map(str, sorted(said.ages)))} days, the row {age_days}")
    if spacing is not None and said.spacings and round(spacing, 2) not in said.spacings:
        found.append(f"the text says {', '.join(map(str, sorted(said.spacings)))} mm per pixel, the row {spacing:.2f}")
    return found


def numbers(text: str) -> list[str]:
    """Every number of a text as written, sorted."""
    return sorted(re.findall(r"\d+(?:\.\d+)?", text))


@lru_cache(maxsize=2)
def _phrases(kind: str) -> tuple[re.Pattern[str], dict[str, str]]:
    """A pattern of every phrase, the longest first, and the key of each."""
    table: Mapping[str, tuple[str, ...]] = {**VIEWS, **REJECTS} if kind == "views" else SUBPLANES
    keys = {phrase.lower(): key for key, phrases in table.items() for phrase in phrases}
    words = sorted(keys, key=len, reverse=True)
    return re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, words)) + r")(?!\w)"), keys


def _named(text: str, kind: str) -> tuple[str, frozenset[str]]:
    pattern, keys = _phrases(kind)
    lower = text.lower()
    return pattern.sub(" ; ", lower), frozenset(keys[found] for found in pattern.findall(lower))


def _strike(text: str, strings: Iterable[str]) -> tuple[str, frozenset[str]]:
    """The text without the strings, and which of them stood there as whole words; the longest first."""
    found = set()
    for string in sorted(strings, key=len, reverse=True):
        pattern = rf"(?<!\w){re.escape(string)}(?!\w)"
        text, count = re.subn(pattern, " ; ", text, flags=re.IGNORECASE)
        if count:
            found.add(string)
    return text, frozenset(found)


def _millimetres(match: re.Match[str]) -> float:
    number, unit = next((match[f"n{i}"], match[f"u{i}"].lower()) for i in (1, 2, 3) if match[f"n{i}"] is not None)
    return round(float(number) if unit.startswith("mm") or unit.startswith("milli") else float(number) / 1000, 2)


def _days(match: re.Match[str]) -> int:
    if match["total"] is not None:
        return int(match["total"])
    weeks, days = next((match[f"w{i}"], match[f"d{i}"]) for i in (1, 2, 3) if match[f"w{i}"] is not None)
    return 7 * int(weeks) + int(days or 0)


def disagreements(text: str, said: Record) -> list[str]:
    """What a caption states beyond or against the facts it claims to state; nothing when they are the same.

    Free text that the facts hold must stand in the caption whole; what it states is its own.

    Args:
        text: the caption.
        said: the facts that came with it.
    """
    wrong = []
    if said.text:
        if said.text not in text:
            return ["the free text is not whole"]
        text = text.replace(said.text, " ", 1)
    names = {*MACHINES, said.machine} if said.machine else MACHINES
    found = read_back(text, sorted(names), said.findings)
    pairs: tuple[tuple[str, set[Any], Iterable[Any]], ...] = (
        ("views", set(said.views), found.views),
        ("subplane", {said.subplane} - {None}, found.subplanes),
        ("age", {said.age} - {None}, found.ages),
        ("spacing", {said.spacing} - {None}, found.spacings),
        ("machine", {said.machine} - {None}, found.machines),
        ("findings", set(said.findings), found.findings),
        ("numbers", set(), set(found.numbers)),
    )
    for name, claimed, stated in pairs:
        if claimed != set(stated):
            wrong.append(f"{name}: stated {sorted(map(str, stated))}, known {sorted(map(str, claimed))}")
    return wrong
