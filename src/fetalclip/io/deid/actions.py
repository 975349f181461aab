"""What happens to each element of a header: the standard's table, and on top of it the list of what may stay.

``assets/deid/profile.csv`` holds the action codes of DICOM PS3.15 Annex E, table E.1-1 (as published in September
2024), of the Basic Profile and of the options used here. The table names what must go and lets the rest pass; a
header can hold anything, so here the rest goes too. ``assets/deid/keep.json`` is the short list of what stays, each
with a check of its value: numbers, words of a closed vocabulary, codes that are known.
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any, Literal

Action = Literal["remove", "empty", "dummy", "uid", "date", "number", "count", "term", "age", "text", "items", "codes"]
"""remove it; leave it empty; a dummy; another UID; an earlier date; or keep it, when its value is of that kind."""


@dataclass(frozen=True)
class Choices:
    """What the user may choose.

    Attributes:
        device: keep what tells the machine (Retain Device Identity Option).
        patient: keep what describes and does not name, as age, size, weight and ethnic group (Retain Patient
            Characteristics Option).
        keep_text: leave text inside the ultrasound regions; such a file is not called clean.
        without_regions: also write files without ultrasound regions, with the bands around the sector blanked.
    """

    device: bool = False
    patient: bool = False
    keep_text: bool = False
    without_regions: bool = False


@dataclass(frozen=True)
class Rules:
    """The action of every element, for one set of choices.

    Attributes:
        by_keyword: keyword to action, of everything that is not simply removed.
        terms: keyword to the words it may hold.
        public: every word of the vocabularies; none of them can identify anybody.
    """

    by_keyword: dict[str, Action]
    terms: dict[str, frozenset[str]]
    public: frozenset[str]

    def action(self, keyword: str) -> Action:
        """What happens to an element; ``remove`` for an empty (private, unknown) keyword."""
        return self.by_keyword.get(keyword, "remove")


@lru_cache(maxsize=8)
def rules(choices: Choices) -> Rules:
    """The rules for one set of choices."""
    keep = kept()
    found: dict[str, Action] = {}
    for row in profile():
        found[row["keyword"]] = _by_table(row, choices)
    terms = dict(keep["terms"])
    _add(found, "number", keep["numbers"])
    _add(found, "count", keep["counts"])
    _add(found, "items", keep["items"])
    _add(found, "codes", keep["codes"])
    if choices.device:
        _add(found, "text", keep["device"]["texts"])
    if choices.patient:
        _add(found, "number", keep["patient"]["numbers"])
        _add(found, "age", keep["patient"]["ages"])
        _add(found, "text", keep["patient"]["texts"])
        _add(found, "codes", keep["patient"]["codes"])
        terms |= keep["patient"]["terms"]
    _add(found, "term", terms)
    found.pop("", None)
    words = {keyword: frozenset(values) for keyword, values in terms.items()}
    return Rules(found, words, frozenset().union(*words.values()))


def kept() -> dict[str, Any]:
    """The list of what may stay, as the file tells it."""
    return json.loads(_asset("keep.json"))


def profile() -> list[dict[str, str]]:
    """The rows of the standard's table: tag, keyword, and the codes of the profile and of three options."""
    return list(csv.DictReader(_asset("profile.csv").splitlines()))


def _by_table(row: dict[str, str], choices: Choices) -> Action:
    """The strictest of what the table allows: X over Z over D."""
    if row["modified_dates"] == "C" and "Date" in row["keyword"]:
        return "date"
    if choices.device and row["device"] == "K":
        return "uid" if row["basic"] == "U" else "text"
    code = row["basic"]
    if code.startswith("X"):
        return "remove"
    if code.startswith("Z"):
        return "empty"
    return "uid" if code == "U" else "dummy"


def _add(found: dict[str, Action], action: Action, keywords: Any) -> None:
    for keyword in keywords:
        found[keyword] = action


def _asset(name: str) -> str:
    return resources.files("fetalclip").joinpath("assets", "deid", name).read_text("utf-8")
