"""The columns of a manifest: what each holds, how a cell is read, and what contradicts what.

`parse` never raises: it gives the values it could read and one `Flaw` for each thing it refused or repaired.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from fetalclip.clinical.readback import contradictions
from fetalclip.clinical.vocabulary import ALIASES, PLANES, REJECTS, SUBPLANES

COLUMNS: dict[str, str] = {
    "path": "the picture, relative to the table's folder or absolute",
    "frame": "which picture of a clip, from 0",
    "dataset": "name of the data set",
    "group": "split key: patient or examination",
    "split": "train, val or test",
    "fold": "0 to 4, or -1 for the published test side",
    "plane": "view labels, one or several with ; between",
    "subplane": "sub-view of a brain",
    "age_days": "gestational age in days, or 20w3d",
    "mm_per_pixel": "mm per native pixel",
    "width": "native width, pixels",
    "height": "native height, pixels",
    "hc_mm": "head circumference, mm",
    "machine": "ultrasound machine",
    "operator": "who held the probe, by a code and not by name",
    "findings": "findings in words, several with ; between",
    "text": "free text: a caption that passes through",
    "mask": "mask or annotation, a path",
    "mask_kind": "head (outline or filled) or structures (labels 0 to 3)",
}
SPLITS: dict[str, str] = {"training": "train", "validation": "val", "valid": "val", "dev": "val", "testing": "test"}
MASK_KINDS = ("head", "structures")
FIRST_DAY, LAST_DAY = 5 * 7, 45 * 7  # ages believed
MAX_SPACING, MAX_HC, MAX_SIDE = 10.0, 600.0, 100_000  # mm per pixel, mm, pixels
MAX_FRAME = 999_999
NO_FOLD = -3
_MAX_TEXT = 5_000  # characters
_UNNAMED = ("other", "unknown", "n/a", "none", "-")


class Flaw(NamedTuple):
    """Something wrong with a row: a word for its kind, what was found, and whether it was repaired."""

    kind: str
    what: str
    repaired: bool = False


Cell = Callable[[str, list[Flaw]], Any]


def parse(cells: Mapping[str, str]) -> tuple[dict[str, Any], list[Flaw]]:
    """The cells of one row as values.

    Args:
        cells: column to text, known columns only; an empty cell is an unknown.

    Returns:
        Values under the names of `manifest.Row` (paths as text, ``planes`` all view labels), and what was found wrong.
        A value that was refused is missing.
    """
    flaws: list[Flaw] = []
    values: dict[str, Any] = {"planes": ()}
    for name, read in _READ.items():
        text = cells.get(name, "").strip()
        if text:
            found = read(text, flaws)
            if found is not None:
                values["planes" if name == "plane" else name] = found
    if "path" not in values and not any(flaw.kind == "bad path" for flaw in flaws):
        flaws.append(Flaw("bad path", "no path"))
    flaws += _contradictions(values)
    return values, flaws


def unknown_columns(header: list[str]) -> list[str]:
    """What is wrong with a header, a line each; nothing when it is fine."""
    wrong = []
    for name in header:
        if name not in COLUMNS:
            near = get_close_matches(name, COLUMNS, n=1)
            wrong.append(f"'{name:.60}'" + (f" (near {near[0]})" if near else ""))
    return wrong


def _contradictions(values: Mapping[str, Any]) -> list[Flaw]:
    planes, wrong = values["planes"], []
    told = [name for name in ("subplane", "hc_mm") if name in values]
    if told and "brain" not in planes:
        shown = ", ".join(planes) or "no plane"
        wrong += [f"{name} {values[name]} of {shown}; only a brain has one" for name in told]
    if any(plane in REJECTS for plane in planes):
        others = [n for n in ("subplane", "age_days", "mm_per_pixel", "findings", "text") if n in values]
        if len(planes) > 1 or others:
            wrong.append(f"'{'; '.join(planes)}' together with {', '.join(others) or 'another plane'}")
    if ("width" in values) != ("height" in values):
        wrong.append("one of width and height without the other")
    if "mask_kind" in values and "mask" not in values:
        wrong.append("a mask_kind without a mask")
    # Spacing is left out: a text's spacing is that of the picture it was written for, before or after resizing.
    for text in (values.get("text", ""), *values.get("findings", ())):
        wrong += contradictions(text, values.get("subplane"), values.get("age_days"))
    return [Flaw("contradiction", what) for what in wrong]


def _path(text: str, flaws: list[Flaw]) -> str | None:
    if "\0" in text or len(text) > 4096:
        flaws.append(Flaw("bad path", "a path with a zero byte or of more than 4096 characters"))
        return None
    return text


def _choice(kind: str, known: tuple[str, ...], aliases: Mapping[str, str]) -> Cell:
    def read(text: str, flaws: list[Flaw]) -> str | None:
        word = text.lower()
        meant = aliases.get(word, word)
        if meant not in known:
            near = get_close_matches(word, known, n=1)
            flaws.append(Flaw(f"unknown {kind}", f"{kind} '{text:.60}'" + (f" (near {near[0]})" if near else "")))
            return None
        if meant != text:
            flaws.append(Flaw(f"other word for a {kind}", f"'{text}' read as {meant}", repaired=True))
        return meant

    return read


_one_plane = _choice("plane", (*PLANES, *REJECTS), ALIASES)


def _planes(text: str, flaws: list[Flaw]) -> tuple[str, ...] | None:
    found = [_one_plane(part.strip(), flaws) for part in text.split(";") if part.strip()]
    kept = tuple(dict.fromkeys(plane for plane in found if plane is not None))
    return kept or None


def _age(text: str, flaws: list[Flaw]) -> int | None:
    match = re.fullmatch(r"(\d{1,2}) ?(?:w|\+|weeks?) ?([0-6])? ?(?:d|days?)?", text.lower())
    if match:
        days = 7 * int(match[1]) + int(match[2] or 0)
    elif re.fullmatch(r"-?\d{1,6}(\.0*)?", text):
        days = int(float(text))
    else:
        flaws.append(Flaw("bad age", f"age_days '{text:.40}'"))
        return None
    if not FIRST_DAY <= days <= LAST_DAY:
        flaws.append(Flaw("age out of range", f"{days} days, outside 5 to 45 weeks ({FIRST_DAY} to {LAST_DAY} days)"))
        return None
    if match:
        flaws.append(Flaw("age in weeks", f"'{text}' read as {days} days", repaired=True))
    return days


def _above_zero(kind: str, most: float, whole: bool = False) -> Cell:
    def read(text: str, flaws: list[Flaw]) -> float | int | None:
        try:
            value = float(text)
        except ValueError:
            value = float("nan")
        if not 0 < value <= most or (whole and value != int(value)):
            flaws.append(Flaw(f"bad {kind}", f"{kind} '{text:.40}', not above zero and at most {most:g}"))
            return None
        return int(value) if whole else value

    return read


def _fold(text: str, flaws: list[Flaw]) -> int | None:
    if not re.fullmatch(r"-1|[0-4]", text):
        flaws.append(Flaw("bad fold", f"fold '{text:.40}', not -1 to 4"))
        return None
    return int(text)


def read_frame(text: str, flaws: list[Flaw]) -> int | None:
    """The place of a picture in its clip; None with a flaw where it is none."""
    if not re.fullmatch(r"[0-9]{1,6}(\.0*)?", text):
        flaws.append(Flaw("bad frame", f"frame '{text:.40}', not 0 to {MAX_FRAME}"))
        return None
    return int(float(text))


def _word(kind: str, most: int) -> Cell:
    def read(text: str, flaws: list[Flaw]) -> str | None:
        line = " ".join(text.split())
        if len(line) > most or not line.isprintable():
            flaws.append(Flaw(f"bad {kind}", f"{kind} with unprintable characters or of more than {most} characters"))
            return None
        return line

    return read


def _known(kind: str) -> Cell:
    """A word of at most 80 characters; None for those that mean it is not known."""

    def read(text: str, flaws: list[Flaw]) -> str | None:
        word = _word(kind, 80)(text, flaws)
        return None if word is None or word.lower() in _UNNAMED else str(word)

    return read


def _findings(text: str, flaws: list[Flaw]) -> tuple[str, ...] | None:
    one = _word("findings", 300)
    found = [one(part, flaws) for part in text.split(";") if part.strip()]
    return tuple(dict.fromkeys(part for part in found if part)) or None


_READ: dict[str, Cell] = {
    "path": _path,
    "frame": read_frame,
    "dataset": _word("dataset", 80),
    "group": _word("group", 200),
    "split": _choice("split", ("train", "val", "test"), SPLITS),
    "fold": _fold,
    "plane": _planes,
    "subplane": _choice("sub-plane", tuple(SUBPLANES), {}),
    "age_days": _age,
    "mm_per_pixel": _above_zero("spacing", MAX_SPACING),
    "width": _above_zero("width", MAX_SIDE, whole=True),
    "height": _above_zero("height", MAX_SIDE, whole=True),
    "hc_mm": _above_zero("head circumference", MAX_HC),
    "machine": _known("machine"),
    "operator": _known("operator"),
    "findings": _findings,
    "text": _word("text", _MAX_TEXT),
    "mask": _path,
    "mask_kind": _choice("mask_kind", MASK_KINDS, {}),
}
